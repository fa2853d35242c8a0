"""Reducers that collect their inputs: into lists and features; not for pixels (section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.reduction.calling import Handling, Output, boxed, is_null, make
from gee.local.table import algorithm
from gee.local.values import Collection, Feature, Reducer

EVERYTHING = Handling(nulls=True, objects=True)


@algorithm("Reducer.toList")
def to_list(tuple_size: int | None, num_optional: int) -> Reducer:
    """List of the values, or of tuples of several inputs; what has a null that is not optional is dropped."""
    inputs = 1 if tuple_size is None else tuple_size
    _checked("toList", inputs, num_optional)

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        rows = _rows("toList", values, present, inputs - num_optional)
        found = [row[0] for row in rows] if tuple_size is None else rows
        return [(boxed(found), np.ones(()))]

    return make("toList", reduce, inputs=inputs, outputs=("list",), handling=EVERYTHING)


@algorithm("Reducer.toCollection")
def to_collection(property_names: list[str], num_optional: int) -> Reducer:
    """Features without geometry, one per tuple; what has a null that is not optional is dropped."""
    inputs = len(property_names)
    _checked("toCollection", inputs, num_optional)

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        rows = _rows("toCollection", values, present, inputs - num_optional)
        features = [
            Feature(
                None, {name: one for name, one in zip(property_names, row, strict=True) if one is not None}, str(at)
            )
            for at, row in enumerate(rows)
        ]
        return [(boxed(Collection(tuple(features))), np.ones(()))]

    return make("toCollection", reduce, inputs=inputs, outputs=("features",), handling=EVERYTHING)


def _checked(name: str, inputs: int, optional: int) -> None:
    if inputs < 1 or not 0 <= optional <= inputs:
        raise EarthEngineError(
            f"Reducer.{name} needs inputs, of which 0 to all are optional, not {optional} of {inputs}."
        )


def _rows(name: str, values: Sequence[np.ndarray], present: np.ndarray, needed: int) -> list[list[Any]]:
    if values[0].ndim > 1:
        raise EarthEngineError(f"Reducer.{name} has no numeric output and cannot be used per pixel.")
    nulls = [is_null(one) for one in values]
    keep = present.copy()
    for null in nulls[:needed]:
        keep &= ~null
    columns = [
        [None if gone else _number(one) for one, gone in zip(column.tolist(), null.tolist(), strict=True)]
        for column, null in zip(values, nulls, strict=True)
    ]
    return [[column[at] for column in columns] for at in np.flatnonzero(keep)]


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
