"""Filters (section 12): all but the equalities are false where a property is missing or null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gee.local.algorithms.collections.filter_strings import parsed
from gee.local.elements import conditions
from gee.local.elements import properties as elements
from gee.local.elements.conditions import two_sided
from gee.local.errors import EarthEngineError
from gee.local.evaluation.coercion import type_name
from gee.local.evaluation.evaluator import Context
from gee.local.table import algorithm
from gee.local.values import Array, DateRange, Filter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def same(left: Any, right: Any) -> bool:
    """Whether values are equal; numbers by their value, texts never with numbers."""
    if isinstance(left, Array) and isinstance(right, Array):
        return bool(left.values.shape == right.values.shape and (left.values == right.values).all())
    if isinstance(left, str) != isinstance(right, str):
        return False
    return bool(left == right)


def less(left: Any, right: Any) -> bool:
    """Whether a value comes before another; false between kinds that have no order (policy `mixed_order`)."""
    if _comparable(left, right):
        return bool(left < right)
    return False


def _comparable(left: Any, right: Any) -> bool:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return numbers or (isinstance(left, str) and isinstance(right, str))


def _text(test: Callable[[str, str], bool]) -> conditions.Test:
    return lambda left, right: isinstance(left, str) and isinstance(right, str) and test(left, right)


def _contains(values: Any, one: Any) -> bool:
    if isinstance(values, Array):
        values = values.values.ravel().tolist()
    return isinstance(values, list | tuple) and any(same(value, one) for value in values)


def _has_type(value: Any, name: Any) -> bool:
    kind = type_name(value)
    if not isinstance(name, str):
        return False
    return name in {kind, "Object"} or name in SUPERTYPES.get(kind, ())


SUPERTYPES = {
    "Integer": ("Number",), "Float": ("Number",), "Feature": ("Element",), "Image": ("Element",),
    "FeatureCollection": ("Element", "Collection"), "ImageCollection": ("Element", "Collection", "FeatureCollection"),
}  # fmt: skip


def _in_range(dates: Any, millis: Any) -> bool:
    if not isinstance(dates, DateRange):
        raise EarthEngineError(f"The left operand must be a DateRange, not {type_name(dates)}.")
    return isinstance(millis, int | float) and dates.start.millis <= millis < dates.end.millis


TESTS: dict[str, tuple[conditions.Test, bool]] = {
    "eq equals": (same, True),
    "neq notEquals": (lambda left, right: not same(left, right), False),
    "lt lessThan": (less, False),
    "gt greaterThan": (lambda left, right: less(right, left), False),
    "lte lessThanOrEquals": (lambda left, right: _comparable(left, right) and not less(right, left), False),
    "gte greaterThanOrEquals": (lambda left, right: _comparable(left, right) and not less(left, right), False),
    "stringStartsWith": (_text(str.startswith), False),
    "stringEndsWith": (_text(str.endswith), False),
    "stringContains": (_text(lambda left, right: right in left), False),
    "listContains": (_contains, False),
    "inList": (lambda left, right: _contains(right, left), False),
    "hasType": (_has_type, False),
    "dateRangeContains": (_in_range, False),
}  # names in the algorithm list: what is asked, and whether nulls are asked too


def _made(names: str, test: conditions.Test, *, nulls: bool) -> Callable[..., Filter]:
    @algorithm(*(f"Filter.{name}" for name in names.split()), policies=("mixed_order",) if "Than" in names else ())
    def function(left_field: str | None, right_value: Any, right_field: str | None, left_value: Any) -> Filter:
        return two_sided(
            f"Filter.{names.split(maxsplit=1)[0]}",
            {
                "left_field": left_field,
                "right_value": right_value,
                "right_field": right_field,
                "left_value": left_value,
            },
            test,
            nulls=nulls,
        )

    return function


MADE = [_made(names, test, nulls=nulls) for names, (test, nulls) in TESTS.items()]


@algorithm("Filter.maxDifference")
def max_difference(
    difference: float, left_field: str | None, right_value: Any, right_field: str | None, left_value: Any
) -> Filter:
    """Filter that passes where numbers (or dates) differ by at most `difference`, which is the join measure."""

    def numbers(left: Any, right: Any) -> bool:
        return all(isinstance(one, int | float) for one in (left, right))

    return two_sided(
        "Filter.maxDifference",
        {"left_field": left_field, "right_value": right_value, "right_field": right_field, "left_value": left_value},
        lambda left, right: numbers(left, right) and abs(left - right) <= difference,
        measure=lambda left, right: abs(left - right),
    )


@algorithm("Filter.rangeContains")
def range_contains(field: str, min_value: Any, max_value: Any) -> Filter:
    """Filter that passes where a property lies in a range, both ends included."""
    low, high = elements.plain(min_value), elements.plain(max_value)

    def accepts(element: Any) -> bool:
        value = elements.plain(elements.get(element, field))
        within = _comparable(low, value) and _comparable(value, high)
        return within and not less(value, low) and not less(high, value)

    return conditions.one_sided("Filter.rangeContains", accepts)


CALENDAR: dict[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "month": lambda at: at.month,
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "day_of_year": lambda at: at.timetuple().tm_yday,
    "day_of_month": lambda at: at.day,
    "day_of_week": lambda at: at.isoweekday(),
}


@algorithm("Filter.calendarRange")
def calendar_range(start: int, end: int | None, field: str) -> Filter:
    """Filter on a calendar field of `system:time_start` in UTC, both ends included; it wraps where end < start."""
    if field not in CALENDAR:
        raise EarthEngineError(f"Unknown calendar field '{field}'. One of {', '.join(CALENDAR)} is needed.")
    last = start if end is None else end

    def accepts(element: Any) -> bool:
        millis = elements.plain(elements.get(element, elements.TIME))
        if not isinstance(millis, int | float):
            return False
        value = CALENDAR[field](EPOCH + timedelta(milliseconds=millis))
        return start <= value <= last if last >= start else value >= start or value <= last

    return conditions.one_sided("Filter.calendarRange", accepts)


@algorithm("Filter.dayOfYear")
def day_of_year(start: int, end: int) -> Filter:
    """Filter on the day of the year, as `calendar_range` does it."""
    return calendar_range(start, end, "day_of_year")


@algorithm("Filter.notNull")
def not_null(properties: Sequence[str]) -> Filter:
    """Filter that passes where all named properties have values."""
    return conditions.one_sided(
        "Filter.notNull", lambda element: all(elements.get(element, name) is not None for name in properties)
    )


@algorithm("Filter.hasGeometry")
def has_geometry() -> Filter:
    """Filter that passes for elements whose geometry is not null."""
    return conditions.one_sided("Filter.hasGeometry", lambda element: elements.get(element, ".geo") is not None)


@algorithm("Filter.always")
def always() -> Filter:
    """Filter that passes, of single elements and of pairs."""
    return Filter("Filter.always", accepts=lambda _: True, pair=lambda *_: True)


@algorithm("Filter.never")
def never() -> Filter:
    """Filter that never passes."""
    return Filter("Filter.never", accepts=lambda _: False, pair=lambda *_: False)


@algorithm("Filter.and")
def and_(filters: list[Filter]) -> Filter:
    """Filter that passes where all do."""
    return conditions.all_of(filters)


@algorithm("Filter.or")
def or_(filters: list[Filter]) -> Filter:
    """Filter that passes where one does."""
    return conditions.any_of(filters)


@algorithm("Filter.not", policies=("negated_missing",))
def not_(filter_: Filter, context: Context) -> Filter:
    """Filter that passes where the given one does not, missing properties included (or not, as the policy says).

    The client's `neq`, `lte` and `gte` are negations of `equals`, `greaterThan` and `lessThan`.
    """
    return conditions.negated(filter_, missing=context.policies.negated_missing == "passes")


@algorithm("Filter.expression")
def expression(expression: str) -> Filter:
    """Filter of a text such as `a > 3 && b == 'x'`."""
    return parsed(expression)
