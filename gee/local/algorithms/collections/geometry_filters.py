"""Filters on geometries (section 12); null geometries never pass, `.geo` and `.all` are an element's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gee.local.elements import conditions, properties
from gee.local.errors import EarthEngineError
from gee.local.geometry.measures import area
from gee.local.geometry.relations import Terms, contains, distance, geometry_of, intersects
from gee.local.table import algorithm
from gee.local.values import ErrorMargin, Filter, Geometry

Relation = Callable[[Geometry, Geometry, Terms], bool]

RELATIONS: dict[str, Relation] = {
    "intersects": intersects,
    "disjoint": lambda left, right, terms: not intersects(left, right, terms),
    "contains": contains,
    "isContained": lambda left, right, terms: contains(right, left, terms),
}


def _made(name: str, relation: Relation) -> Callable[..., Filter]:
    @algorithm(f"Filter.{name}", policies=("touching",))
    def function(
        left_field: str | None,
        right_value: Any,
        right_field: str | None,
        left_value: Any,
        max_error: ErrorMargin | None,
    ) -> Filter:
        terms = Terms(margin=max_error)
        return conditions.two_sided(
            f"Filter.{name}",
            {
                "left_field": left_field,
                "right_value": _shape(right_value),
                "right_field": right_field,
                "left_value": _shape(left_value),
            },
            lambda left, right: relation(_geometry(left), _geometry(right), terms),
        )

    return function


MADE = [_made(name, relation) for name, relation in RELATIONS.items()]


@algorithm("Filter.withinDistance")
def within_distance(
    distance: float,
    left_field: str | None,
    right_value: Any,
    right_field: str | None,
    left_value: Any,
    max_error: ErrorMargin | None,
) -> Filter:
    """Filter that passes where geometries are at most `distance` metres apart on the sphere, which is the join measure."""
    terms = Terms(margin=max_error)

    def apart(left: Any, right: Any) -> float:
        return _distance(_geometry(left), _geometry(right), terms)

    return conditions.two_sided(
        "Filter.withinDistance",
        {
            "left_field": left_field,
            "right_value": _shape(right_value),
            "right_field": right_field,
            "left_value": _shape(left_value),
        },
        lambda left, right: apart(left, right) <= distance,
        measure=apart,
    )


_distance = distance


@algorithm("Filter.area")
def area_(min_: float, max_: float, max_error: ErrorMargin | None, geometry_selector: str | None) -> Filter:
    """Filter that passes where a geometry has an area in m² between two limits, both included."""

    def accepts(element: Any) -> bool:
        geometry = geometry_of(properties.get(element, geometry_selector or ".geo"))
        return geometry is not None and min_ <= area(geometry, max_error, None) <= max_

    return conditions.one_sided("Filter.area", accepts)


def _shape(value: Any) -> Any:
    """Geometry of a constant operand, once for all elements; None stays None."""
    return None if value is None else _geometry(value)


def _geometry(value: Any) -> Geometry:
    found = geometry_of(value)
    if found is None:
        raise EarthEngineError("A geometry filter's operand must be a geometry, and not null.")
    return found
