"""Values in the form in which Earth Engine's documentation prints them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from gee.local.encoding.answers import encode
from gee.local.texts.numbers import text_of
from gee.local.values import Date, DateRange, ErrorMargin, PixelType


def printed(value: Any) -> str:
    """Text of a value: `int ∈ [0, 1]` of a type, `Date (1975-07-23 21:13:59)` of a date, JSON-like text of others."""
    if isinstance(value, str):
        return value
    if isinstance(value, PixelType):
        return _type(value)
    if isinstance(value, Date):
        return f"Date ({_moment(value)})"
    if isinstance(value, DateRange):
        return f"DateRange [{_moment(value.start)}, {_moment(value.end)}]"
    if isinstance(value, ErrorMargin):
        return f"unit: {value.unit}" + ("" if value.value is None else f" value: {text_of(value.value)}")
    return _plain(encode(value))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(_plain(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}: {_plain(one)}" for key, one in value.items()) + "}"
    if value is None:
        return "null"
    return value if isinstance(value, str) else text_of(value)


def _moment(date: Date) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=date.millis)
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{moment.microsecond // 1000:03d}" if moment.microsecond else text


def _type(kind: PixelType) -> str:
    text: str = kind.precision
    if kind.low is not None and kind.high is not None:
        text += f" ∈ [{text_of(kind.low)}, {text_of(kind.high)}]"
    return text + (f", {kind.dimensions} dimensions" if kind.dimensions else "")
