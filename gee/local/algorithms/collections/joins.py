"""Joins of two collections (section 12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gee.local.algorithms.collections.members import ordered
from gee.local.elements import properties as elements
from gee.local.elements.properties import Element
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.values import Collection, Feature, Filter, Join

Match = tuple[Element, float | None]
Measure = Callable[[Any, Any], float]


@algorithm("Join.apply")
def apply(join: Join, primary: Collection, secondary: Collection, condition: Filter) -> Collection:
    """What a join makes of two collections."""
    return join.apply(primary, secondary, condition)


@algorithm("Join.simple")
def simple() -> Join:
    """Elements of the first collection that match one of the second."""

    def join(primary: Collection, secondary: Collection, condition: Filter) -> Collection:
        pair = _pair(condition)
        return primary.with_elements(
            [one for one in primary.elements if any(pair(one, other) for other in secondary.elements)]
        )

    return Join("Join.simple", join)


@algorithm("Join.inverted")
def inverted() -> Join:
    """Elements of the first collection that match none of the second."""

    def join(primary: Collection, secondary: Collection, condition: Filter) -> Collection:
        pair = _pair(condition)
        return primary.with_elements(
            [one for one in primary.elements if not any(pair(one, other) for other in secondary.elements)]
        )

    return Join("Join.inverted", join)


@algorithm("Join.inner")
def inner(primary_key: str, secondary_key: str, measure_key: str | None) -> Join:
    """Features without geometry that hold each matching pair; ids `<primary>_<secondary>`."""

    def join(primary: Collection, secondary: Collection, condition: Filter) -> Collection:
        found = []
        for one in primary.elements:
            for other, measure in _matches(one, secondary, condition, needed=measure_key is not None):
                properties: dict[str, Any] = {primary_key: one, secondary_key: other}
                if measure_key is not None:
                    properties[measure_key] = measure
                index = f"{elements.index_of(one)}_{elements.index_of(other)}"
                found.append(Feature(None, properties, id=index))
        return Collection(tuple(found))

    return Join("Join.inner", join)


@algorithm("Join.saveAll", policies=("sort_nulls",))
def save_all(matches_key: str, ordering: str | None, *, ascending: bool, measure_key: str | None, outer: bool) -> Join:
    """Elements with the list of their matches as a property; with `outer` an empty list where there is none."""

    def join(primary: Collection, secondary: Collection, condition: Filter) -> Collection:
        found = []
        for one in primary.elements:
            matches = _saved(one, secondary, condition, measure_key)
            if ordering is not None:
                matches = ordered(matches, ordering, ascending=ascending)
            if matches or outer:
                found.append(elements.updated(one, {matches_key: matches}))
        return primary.with_elements(found)

    return Join("Join.saveAll", join)


@algorithm("Join.saveFirst", policies=("sort_nulls",))
def save_first(match_key: str, ordering: str | None, *, ascending: bool, measure_key: str | None, outer: bool) -> Join:
    """Elements with one match as a property: the first, in the order of `ordering` where it is given."""

    def join(primary: Collection, secondary: Collection, condition: Filter) -> Collection:
        found = []
        for one in primary.elements:
            matches = _saved(one, secondary, condition, measure_key)
            if ordering is not None:
                matches = ordered(matches, ordering, ascending=ascending)
            if matches:
                found.append(elements.updated(one, {match_key: matches[0]}))
            elif outer:
                found.append(one)
        return primary.with_elements(found)

    return Join("Join.saveFirst", join)


@algorithm("Join.saveBest")
def save_best(match_key: str, measure_key: str, *, outer: bool) -> Join:
    """Elements with the match of least measure as a property, the first of equal ones."""

    def join(primary: Collection, secondary: Collection, condition: Filter) -> Collection:
        found = []
        for one in primary.elements:
            matches = list(_matches(one, secondary, condition, needed=True))
            if matches:
                other, measure = min(matches, key=lambda match: match[1] or 0.0)
                found.append(elements.updated(one, {match_key: elements.updated(other, {measure_key: measure})}))
            elif outer:
                found.append(one)
        return primary.with_elements(found)

    return Join("Join.saveBest", join)


def _saved(one: Element, secondary: Collection, condition: Filter, measure_key: str | None) -> list[Element]:
    found = _matches(one, secondary, condition, needed=measure_key is not None)
    if measure_key is None:
        return [other for other, _ in found]
    return [elements.updated(other, {measure_key: measure}) for other, measure in found]


def _matches(one: Element, secondary: Collection, condition: Filter, *, needed: bool) -> Iterator[Match]:
    """Matching elements with their measures; those are needed where a join saves them."""
    pair = _pair(condition)
    measure: Measure | None = condition.parameters.get("measure")
    if needed and measure is None:
        raise EarthEngineError(
            "The join condition has no measure: exactly one withinDistance or maxDifference filter is needed."
        )
    for other in secondary.elements:
        if pair(one, other):
            yield other, measure(one, other) if measure is not None and needed else None


def _pair(condition: Filter) -> Callable[[Any, Any], bool]:
    if condition.pair is None:
        raise EarthEngineError("A join condition must compare a leftField with a rightField.")
    return condition.pair
