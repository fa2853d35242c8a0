"""Filters of lists of assets: `properties.a>=1 AND startTime >= "2019-01-01T00:00:00Z" AND intersects("{…}")`."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gee.local.errors import EarthEngineError, NotImplementedHereError

Asset = Mapping[str, Any]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TIMES = ("startTime", "endTime", "updateTime")
COMPARISON = re.compile(r"""([\w.:-]+)\s*(<=|>=|!=|=|<|>)\s*("[^"]*"|'[^']*'|[^\s"'()]+)""")
INTERSECTS = re.compile(r"""intersects\(\s*"([^"]*)"\s*\)""")


def accepted(text: str) -> Callable[[Asset], bool]:
    """Condition on the JSON of an asset.

    Raises
    ------
    EarthEngineError
        If the filter cannot be read; NotImplementedHereError if it has OR, NOT or parentheses.
    """
    conditions: list[Callable[[Asset], bool]] = []
    rest = text.strip()
    while rest:
        condition, rest = _first(rest, text)
        conditions.append(condition)
        joined = re.match(r"\s+AND\s+", rest)
        if rest and not joined:
            raise _unread(rest, text)
        rest = rest[joined.end() :] if joined else ""
    return lambda asset: all(condition(asset) for condition in conditions)


def _first(rest: str, text: str) -> tuple[Callable[[Asset], bool], str]:
    if match := INTERSECTS.match(rest):
        return _intersects(match[1]), rest[match.end() :]
    match = COMPARISON.match(rest)
    if match is None:
        raise _unread(rest, text)
    return _comparison(match[1], COMPARE[match[2]], match[3]), rest[match.end() :]


def _comparison(name: str, compare: Callable[[Any, Any], bool], value: str) -> Callable[[Asset], bool]:
    quoted = value[0] in "\"'"
    plain = value[1:-1] if quoted else value
    if name in TIMES:
        limit = _time(plain)
        return lambda asset: (found := _time_of(asset, name)) is not None and compare(found, limit)
    wanted: Any = plain if quoted else _number(plain)
    own = name.removeprefix("properties.")
    if name == own and name not in ("id", "name", "type"):
        raise NotImplementedHereError(f"this local Earth Engine does not filter assets by '{name[:40]}'.")

    def condition(asset: Asset) -> bool:
        found = asset.get(name) if name == own else asset.get("properties", {}).get(own)
        same = isinstance(found, str) == isinstance(wanted, str) and found is not None
        return same and compare(found, wanted)

    return condition


def _intersects(text: str) -> Callable[[Asset], bool]:
    import shapely
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        given = text.strip().replace("'", '"')
        region = shape(json.loads(given)) if given.startswith("{") else shapely.from_wkt(text)
    except (ValueError, TypeError, KeyError, AttributeError, ShapelyError) as error:
        raise EarthEngineError(f"Invalid filter: {text[:80]!r} is neither GeoJSON nor WKT.") from error
    return lambda asset: bool(asset.get("geometry")) and bool(shape(asset["geometry"]).intersects(region))


def _time_of(asset: Asset, name: str) -> datetime | None:
    text = asset.get(name)
    if text is None and name == "endTime":
        text = asset.get("startTime")  # of a moment
    return None if text is None else _time(text)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise EarthEngineError(f"Invalid filter: {text[:40]!r} is no time.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # a text may stand without quotes


def _unread(rest: str, text: str) -> EarthEngineError:
    if re.match(r"\(|-|NOT\b|\s*OR\b|\s+OR\b", rest):
        return NotImplementedHereError(
            f"this local Earth Engine has no OR, NOT or parentheses in filters: {text[:80]!r}."
        )
    return EarthEngineError(f"Invalid filter: {text[:80]!r}.")
