"""Ranges of dates: the end is not in them (section 14)."""

from __future__ import annotations

from typing import Any

from gee.local.algorithms.values.dates import date_from
from gee.local.table import algorithm
from gee.local.values import Date, DateRange

UNBOUNDED = DateRange(Date(-(2**63)), Date(2**63 - 1))


@algorithm("DateRange")
def date_range(start: Any, end: Any, time_zone: str | None) -> DateRange:
    """From start to before end; one millisecond without an end."""
    first = date_from(start, time_zone)
    return DateRange(first, Date(first.millis + 1) if end is None else date_from(end, time_zone))


@algorithm("DateRange.unbounded")
def unbounded() -> DateRange:
    """All dates."""
    return UNBOUNDED


@algorithm("DateRange.isUnbounded")
def is_unbounded(date_range: DateRange) -> bool:
    """Whether all dates are in it."""
    return date_range == UNBOUNDED


@algorithm("DateRange.start")
def start(date_range: DateRange) -> Date:
    """First date."""
    return date_range.start


@algorithm("DateRange.end")
def end(date_range: DateRange) -> Date:
    """Date just after the last."""
    return date_range.end


@algorithm("DateRange.isEmpty")
def is_empty(date_range: DateRange) -> bool:
    """Whether no date is in it."""
    return date_range.start.millis >= date_range.end.millis


@algorithm("DateRange.contains")
def contains(date_range: DateRange, other: Any) -> bool:
    """Whether a date, or all of another range, is in it."""
    if isinstance(other, DateRange):
        return date_range.start.millis <= other.start.millis and other.end.millis <= date_range.end.millis
    return date_range.start.millis <= date_from(other, None).millis < date_range.end.millis


@algorithm("DateRange.intersects")
def intersects(date_range: DateRange, other: DateRange) -> bool:
    """Whether some date is in both."""
    return not is_empty(intersection(date_range, other))


@algorithm("DateRange.intersection", policies=("disjoint_ranges",))
def intersection(date_range: DateRange, other: DateRange) -> DateRange:
    """Dates that are in both; of disjoint ranges an empty one at the later start (not documented)."""
    first = max(date_range.start.millis, other.start.millis)
    return DateRange(Date(first), Date(max(first, min(date_range.end.millis, other.end.millis))))


@algorithm("DateRange.union", policies=("disjoint_ranges",))
def union(date_range: DateRange, other: DateRange) -> DateRange:
    """From the earlier start to the later end; empty ranges do not count, gaps are filled (not documented)."""
    there = [one for one in (date_range, other) if not is_empty(one)]
    if not there:
        return date_range
    return DateRange(Date(min(one.start.millis for one in there)), Date(max(one.end.millis for one in there)))
