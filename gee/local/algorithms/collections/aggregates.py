"""Values of one property over a collection; elements without it are skipped (section 12)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gee.local.algorithms.reducers.ranks import frequency_histogram
from gee.local.elements import properties
from gee.local.errors import EarthEngineError
from gee.local.evaluation.coercion import told
from gee.local.reduction.calling import reduce_rows
from gee.local.table import algorithm
from gee.local.values import Collection, Reducer


def values_of(collection: Collection, name: str) -> list[Any]:
    """Values of a property that are not null, in order; dates as milliseconds."""
    found = (properties.plain(properties.get(one, name)) for one in collection.elements)
    return [value for value in found if value is not None]


def _numbers(collection: Collection, name: str) -> list[float]:
    found = values_of(collection, name)
    for value in found:
        if not isinstance(value, int | float):
            raise EarthEngineError(f"The property '{name}' must be a number, not {told(value)}.")
    return found


@algorithm("AggregateFeatureCollection.array")
def array(collection: Collection, property_: str) -> list[Any]:
    """Values of the elements that have the property: maybe fewer than elements."""
    found = (properties.get(one, property_) for one in collection.elements)
    return [value for value in found if value is not None]


@algorithm("AggregateFeatureCollection.first")
def first(collection: Collection, property_: str) -> Any:
    """First value that there is."""
    return next(iter(array(collection, property_)), None)


@algorithm("AggregateFeatureCollection.count")
def count(collection: Collection, property_: str) -> int:
    """Number of values."""
    return len(values_of(collection, property_))


@algorithm("AggregateFeatureCollection.count_distinct")
def count_distinct(collection: Collection, property_: str) -> int:
    """Number of different values."""
    return len({(isinstance(value, str), str(value)) for value in values_of(collection, property_)})


@algorithm("AggregateFeatureCollection.histogram")
def histogram(collection: Collection, property_: str) -> dict[str, Any]:
    """How often each value is there."""
    values = values_of(collection, property_)
    for value in values:
        if not isinstance(value, str | int | float):
            raise EarthEngineError(f"The property '{property_}' must be a number or text, not {told(value)}.")
    found: dict[str, Any] = reduce_rows(frequency_histogram(), values)["histogram"]
    return found


@algorithm("AggregateFeatureCollection.min")
def min_(collection: Collection, property_: str) -> Any:
    """Least value, of texts the alphanumerically first; null where there is none."""
    return _extreme(collection, property_, min)


@algorithm("AggregateFeatureCollection.max")
def max_(collection: Collection, property_: str) -> Any:
    """Greatest value, of texts the alphanumerically last; null where there is none."""
    return _extreme(collection, property_, max)


def _extreme(collection: Collection, name: str, choose: Callable[..., Any]) -> Any:
    found = values_of(collection, name)
    if not all(isinstance(one, str) for one in found):
        found = _numbers(collection, name)
    return choose(found, default=None)


def _squares(values: Sequence[float]) -> float:
    """Sum of squared distances from the mean."""
    middle = math.fsum(values) / len(values)
    return math.fsum((value - middle) ** 2 for value in values)


def _total_var(values: Sequence[float]) -> float | None:
    return _squares(values) / len(values) if values else None


def _sample_var(values: Sequence[float]) -> float | None:
    return _squares(values) / (len(values) - 1) if len(values) > 1 else None


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value)


def _sum(values: Sequence[float]) -> float:
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)


STATISTICS: dict[str, Callable[[Sequence[float]], float | None]] = {
    "mean": lambda values: math.fsum(values) / len(values) if values else None,
    "product": lambda values: math.prod(values) if values else None,
    "sum": _sum,
    "sample_sd": lambda values: _root(_sample_var(values)),
    "sample_var": _sample_var,
    "total_sd": lambda values: _root(_total_var(values)),
    "total_var": _total_var,
}  # of no values: null, but the sum is 0; sample_* of one value: null


def _made(name: str, statistic: Callable[[Sequence[float]], float | None]) -> Callable[..., float | None]:
    @algorithm(f"AggregateFeatureCollection.{name}")
    def function(collection: Collection, property_: str) -> float | None:
        return statistic(_numbers(collection, property_))

    return function


MADE = [_made(name, statistic) for name, statistic in STATISTICS.items()]


@algorithm("AggregateFeatureCollection.stats")
def stats(collection: Collection, property_: str) -> dict[str, Any]:
    """Statistics of the numbers in a property; all weights are 1."""
    values = _numbers(collection, property_)
    found = {name: statistic(values) for name, statistic in STATISTICS.items() if name != "product"}
    return {
        "max": max(values, default=None),
        "mean": found["mean"],
        "min": min(values, default=None),
        "sample_sd": found["sample_sd"],
        "sample_var": found["sample_var"],
        "sum": found["sum"],
        "sum_sq": _sum([value * value for value in values]),
        "total_count": len(collection.elements),
        "total_sd": found["total_sd"],
        "total_var": found["total_var"],
        "valid_count": len(values),
        "weight_sum": len(values),
        "weighted_sum": found["sum"],
    }


@algorithm("Collection.reduceColumns")
def reduce_columns(
    collection: Collection, reducer: Reducer, selectors: Sequence[str], weight_selectors: Sequence[str] | None
) -> dict[str, Any]:
    """Outputs of a reducer over properties, one selector for each of its inputs; it is never repeated by itself."""
    if len(selectors) != reducer.inputs:
        raise EarthEngineError(f"Need {reducer.inputs} inputs for Reducer.{reducer.name}, got {len(selectors)}.")
    if weight_selectors is not None and len(weight_selectors) != 1:
        raise EarthEngineError("This local Earth Engine takes one weight selector, for all inputs.")
    rows: list[Any] = []
    weights: list[float] = []
    for element in collection.elements:
        row = [properties.plain(properties.get(element, name)) for name in selectors]
        weight = 1.0 if weight_selectors is None else properties.plain(properties.get(element, weight_selectors[0]))
        if weight is not None and (not isinstance(weight, int | float) or not weight >= 0):
            raise EarthEngineError(f"Weights must be numbers from 0 on, not {told(weight)}.")
        if weight is not None:
            rows.append(row[0] if reducer.inputs == 1 else row)
            weights.append(float(weight))
    return reduce_rows(reducer, rows, None if weight_selectors is None else weights)
