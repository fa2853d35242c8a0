"""JSON of values that are neither pixels nor shapes: arrays, dates, types, margins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gee.local.bands.pixel_types import to_json
from gee.local.encoding.answers import encode
from gee.local.values import Array, Date, DateRange, ErrorMargin, PixelType


def _array(value: Array) -> Any:
    return encode(value.values.tolist())


def _date(value: Date) -> Any:
    return {"type": "Date", "value": value.millis}


def _date_range(value: DateRange) -> Any:
    return {"type": "DateRange", "dates": [value.start.millis, value.end.millis]}


def _margin(value: ErrorMargin) -> Any:
    body: dict[str, Any] = {"type": "ErrorMargin", "unit": value.unit}
    return body if value.value is None else body | {"value": encode(value.value)}


def _type(value: PixelType) -> Any:
    return encode(to_json(value))


ENCODERS: Mapping[type[Any], Callable[[Any], Any]] = {
    Array: _array,
    Date: _date,
    DateRange: _date_range,
    ErrorMargin: _margin,
    PixelType: _type,
}
