"""Conditions on elements: two operands, each a property of an element or a value, and what is asked of them (section 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gee.local.elements import properties
from gee.local.errors import EarthEngineError
from gee.local.values import Filter

Test = Callable[[Any, Any], bool]
Measure = Callable[[Any, Any], float]


def two_sided(
    name: str, operands: Mapping[str, Any], test: Test, *, measure: Measure | None = None, nulls: bool = False
) -> Filter:
    """Filter of two operands.

    Parameters
    ----------
    operands : `left_field` or `left_value`, and `right_field` or `right_value`
    test : of the left and the right operand
    measure : how far apart they are, for joins
    nulls : whether the test is asked where an operand is missing or null; else the filter is false there

    Raises
    ------
    EarthEngineError
        If an operand is given twice, or no field at all.
    """
    left_field, right_field = operands.get("left_field"), operands.get("right_field")
    left_value, right_value = operands.get("left_value"), operands.get("right_value")
    for side, of_element, constant in (("left", left_field, left_value), ("right", right_field, right_value)):
        if of_element is not None and constant is not None:
            raise EarthEngineError(f"Only one of '{side}Field' and '{side}Value' may be specified.")
    if left_field is None and right_field is None:
        raise EarthEngineError("At least one of 'leftField' and 'rightField' must be specified.")

    def values(left: Any, right: Any) -> tuple[Any, Any]:
        one = properties.plain(left_value) if left_field is None else properties.plain(properties.get(left, left_field))
        other = (
            properties.plain(right_value)
            if right_field is None
            else properties.plain(properties.get(right, right_field))
        )
        return one, other

    def asked(left: Any, right: Any) -> bool:
        one, other = values(left, right)
        return (nulls or (one is not None and other is not None)) and test(one, other)

    return Filter(
        name,
        accepts=lambda element: asked(element, element),
        pair=asked if left_field is not None and right_field is not None else None,
        parameters={
            "measure": None if measure is None else lambda left, right: measure(*values(left, right)),
            "known": lambda left, right: None not in values(left, right),
        },
    )


def one_sided(name: str, accepts: Callable[[Any], bool]) -> Filter:
    """Filter of one element."""
    return Filter(name, accepts=accepts)


def all_of(filters: list[Filter]) -> Filter:
    """Filter that passes where all do; its measure is that of the only one that has one."""
    measures = [one.parameters["measure"] for one in filters if one.parameters.get("measure") is not None]
    return Filter(
        "Filter.and",
        accepts=lambda element: all(one.accepts(element) for one in filters),
        pair=_paired(filters, all),
        parameters={"measure": measures[0] if len(measures) == 1 else None},
    )


def any_of(filters: list[Filter]) -> Filter:
    """Filter that passes where one does."""
    return Filter(
        "Filter.or",
        accepts=lambda element: any(one.accepts(element) for one in filters),
        pair=_paired(filters, any),
    )


def negated(one: Filter, *, missing: bool = True) -> Filter:
    """Filter that passes where another does not.

    Parameters
    ----------
    missing : whether it passes where an operand of the other is missing (policy `negated_missing`)
    """
    pair = one.pair
    known = None if missing else one.parameters.get("known")

    def passes(answer: bool, left: Any, right: Any) -> bool:  # noqa: FBT001 -- called twice, here below
        return not answer and (known is None or known(left, right))

    return Filter(
        "Filter.not",
        accepts=lambda element: passes(one.accepts(element), element, element),
        pair=None if pair is None else lambda left, right: passes(pair(left, right), left, right),
    )


def _paired(filters: list[Filter], how: Callable[[Any], bool]) -> Callable[[Any, Any], bool] | None:
    pairs = [one.pair for one in filters]
    if not pairs or any(pair is None for pair in pairs):
        return None
    return lambda left, right: how(pair(left, right) for pair in pairs if pair is not None)
