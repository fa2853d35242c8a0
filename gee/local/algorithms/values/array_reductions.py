"""Reducers over the axes of an array."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gee.local.algorithms.values.arrays import alike, deep, held, on_axis
from gee.local.bands import pixel_types
from gee.local.errors import EarthEngineError
from gee.local.reduction.calling import output_types
from gee.local.table import algorithm
from gee.local.values import Array, PixelType, Reducer


@algorithm("Array.reduce")
def reduce(array: Array, reducer: Reducer, axes: list[int], field_axis: int | None) -> Array:
    """What a reducer makes of each line of numbers along some axes, which keep length 1; nulls are NaN.

    Reducers with several inputs or outputs have them along `field_axis`.
    """
    values = deep(array.values, max([field_axis or 0, *axes]) + 1 if field_axis is not None else array.values.ndim)
    along = sorted({on_axis(alike(values, array), axis) for axis in axes})
    single = reducer.inputs == 1 and len(reducer.outputs) == 1
    if field_axis is None and not single:
        raise EarthEngineError("fieldAxis is needed for reducers with several inputs or outputs.")
    fields = [values] if field_axis is None else _fields(values, reducer, field_axis)
    kinds = output_types(reducer, [replace(array.type, dimensions=0)] * reducer.inputs)
    results = [np.expand_dims(one, tuple(along)) for one in _reduced([_lines(one, along) for one in fields], reducer)]
    joined = results[0] if field_axis is None else np.concatenate(results, axis=field_axis)
    return held(joined, _settled(joined, pixel_types.union(*kinds)))


def _fields(values: np.ndarray, reducer: Reducer, axis: int) -> list[np.ndarray]:
    """One array per input, each with length 1 along the field axis."""
    if not 0 <= axis < values.ndim:
        raise EarthEngineError(f"fieldAxis {axis} is not there: the array has {values.ndim} axes.")
    if values.shape[axis] != reducer.inputs:
        raise EarthEngineError(
            f"fieldAxis {axis} must be as long as the reducer has inputs, {reducer.inputs}, not {values.shape[axis]}."
        )
    return list(np.split(values, reducer.inputs, axis=axis))


def _lines(values: np.ndarray, along: list[int]) -> np.ndarray:
    """Dims (n, ...): the axes to be reduced as one, then the others in their order."""
    moved = np.moveaxis(values, along, range(len(along)))
    steps = math.prod(moved.shape[: len(along)])
    return moved.reshape(steps, *moved.shape[len(along) :]).astype(np.float64)


def _reduced(lines: list[np.ndarray], reducer: Reducer) -> list[np.ndarray]:
    """Outputs with dims (...), NaN where null."""
    found = []
    for data, mask in reducer.reduce(lines, np.ones(lines[0].shape)):
        numbers, where = np.asarray(data), np.asarray(mask)
        if numbers.dtype == object or numbers.ndim != lines[0].ndim - 1:
            raise EarthEngineError("Each of the reducer's outputs must be a number, not an array or other type.")
        found.append(np.where(where > 0, numbers, np.nan))
    return found


def _settled(values: np.ndarray, kind: PixelType) -> PixelType:
    """Type of results: double where integers cannot say that there is none."""
    return pixel_types.DOUBLE if kind.precision == "int" and np.isnan(values).any() else kind


@algorithm("Array.accum")
def accum(array: Array, axis: int, reducer: Reducer | None) -> Array:
    """What a reducer (default: sum) makes of all elements up to each one along an axis."""
    at = on_axis(array, axis)
    if reducer is None:
        total = np.cumsum(array.values, axis=at)
        whole = array.type.precision == "int"
        return held(total, pixel_types.named("int64") if whole else array.type)
    if reducer.inputs != 1 or len(reducer.outputs) != 1:
        raise EarthEngineError("The reducer must have one input and one output.")
    lines = np.moveaxis(array.values, at, 0).astype(np.float64)
    steps = [_reduced([lines[: end + 1]], reducer)[0] for end in range(len(lines))]
    values = np.moveaxis(np.stack(steps), 0, at) if steps else array.values.astype(np.float64)
    kind = output_types(reducer, [replace(array.type, dimensions=0)])[0]
    return held(values, _settled(values, kind))
