"""Reducers made from others: run in parallel, repeated, grouped, renamed, with other weights (section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from gee.local.bands.pixel_types import DOUBLE
from gee.local.errors import EarthEngineError
from gee.local.pixels import Image
from gee.local.reduction.calling import (
    Output,
    Weights,
    as_values,
    boxed,
    common_weights,
    output_types,
    plain,
    weights_for,
)
from gee.local.table import algorithm
from gee.local.values import Array, PixelType, Reducer


@algorithm("Reducer.getOutputs")
def outputs(reducer: Reducer) -> list[str]:
    """Names of the outputs."""
    return list(reducer.outputs)


@algorithm("Reducer.combine", policies=("mixed_weights",))
def combine(reducer1: Reducer, reducer2: Reducer, output_prefix: str, *, shared_inputs: bool) -> Reducer:
    """Both at once: the first's outputs, then the second's with a prefix; their inputs one after the other, or shared."""
    second = replace(reducer2, outputs=tuple(output_prefix + one for one in reducer2.outputs))
    if shared_inputs and reducer1.inputs != second.inputs:
        raise EarthEngineError(
            f"Reducers that share inputs must have the same number of them, not {reducer1.inputs} and {second.inputs}."
        )
    both = _parallel("combine", [reducer1, second], shared=shared_inputs)
    twice = sorted({one for one in both.outputs if both.outputs.count(one) > 1})
    if twice:
        raise EarthEngineError(f"Both reducers have the output {', '.join(map(repr, twice))}; use outputPrefix.")
    return both


def _parallel(name: str, parts: Sequence[Reducer], *, shared: bool) -> Reducer:
    ends = [0, *np.cumsum([one.inputs for one in parts]).tolist()]
    spans = [slice(0, parts[0].inputs)] * len(parts) if shared else [slice(*pair) for pair in pairwise(ends)]
    inputs = parts[0].inputs if shared else ends[-1]

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        if len(values) != inputs:
            raise EarthEngineError(f"Need {inputs} inputs for Reducer.{name}, got {len(values)}.")
        each = weights_for(weights, inputs)
        return [
            output for part, span in zip(parts, spans, strict=True) for output in part.reduce(values[span], each[span])
        ]

    def types(given: Sequence[PixelType]) -> tuple[PixelType, ...]:
        return tuple(one for part, span in zip(parts, spans, strict=True) for one in output_types(part, given[span]))

    return Reducer(
        name=name,
        inputs=inputs,
        outputs=tuple(one for part in parts for one in part.outputs),
        reduce=reduce,
        weighted=any(one.weighted for one in parts),
        types=types,
    )


@algorithm("Reducer.repeat")
def repeat(reducer: Reducer, count: int) -> Reducer:
    """Copies for as many sets of inputs; each output is a list of theirs (of pixels, an array along one axis)."""
    if count < 1:
        raise EarthEngineError(f"Parameter 'count' must be at least 1, not {count}.")
    many = _parallel("repeat", [reducer] * count, shared=False)
    each = len(reducer.outputs)

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        found = many.reduce(values, weights)
        return [_listed(found[index::each]) for index in range(each)]

    def types(given: Sequence[PixelType]) -> tuple[PixelType, ...]:
        return tuple(replace(one, dimensions=one.dimensions + 1) for one in output_types(many, given)[:each])

    return replace(many, outputs=reducer.outputs, reduce=reduce, types=types)


def _listed(found: Sequence[Output]) -> Output:
    if any(np.ndim(mask) for _, mask in found):
        axis = np.ndim(found[0][1])
        return np.stack([data for data, _ in found], axis=axis), np.minimum.reduce([mask for _, mask in found])
    return boxed([plain(one, whole=True) for one in found]), np.ones(())


@algorithm("Reducer.forEach")
def for_each(reducer: Reducer, output_names: list[str]) -> Reducer:
    """A copy for each name: `name` of a single output, else `name_output`."""
    if not output_names:
        raise EarthEngineError("Parameter 'outputNames' may not be empty.")
    parts = [
        replace(
            reducer,
            outputs=(name,) if len(reducer.outputs) == 1 else tuple(f"{name}_{one}" for one in reducer.outputs),
        )
        for name in output_names
    ]
    return _parallel("forEach", parts, shared=False)


@algorithm("Reducer.forEachBand")
def for_each_band(reducer: Reducer, image: Image) -> Reducer:
    """A copy for each band of an image, named after it."""
    return for_each(reducer, image.band_names)


@algorithm("Reducer.group")
def group(reducer: Reducer, group_field: int, group_name: str) -> Reducer:
    """List `groups` of one dictionary per value of an input, ascending, with the results of its rows; not for pixels."""
    inputs = reducer.inputs + 1
    if not 0 <= group_field < inputs:
        raise EarthEngineError(f"Parameter 'groupField' must be 0 to {inputs - 1}, not {group_field}.")

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        if values[0].ndim > 1:
            raise EarthEngineError("Reducer.group has no numeric output and cannot be used per pixel.")
        each = weights_for(weights, inputs)
        field = np.asarray(values[group_field])
        rest = [one for index, one in enumerate(values) if index != group_field]
        shares = [one for index, one in enumerate(each) if index != group_field]
        here = (common_weights(each) > 0) & np.array([one is not None and one == one for one in field.tolist()], bool)
        rows = []
        for value in sorted(set(field[here].tolist())):
            chosen = here & np.array([one == value for one in field.tolist()], bool)
            found = reducer.reduce([one[chosen] for one in rest], [one[chosen] for one in shares])
            whole = isinstance(value, float) and value.is_integer()
            rows.append(
                {group_name: int(value) if whole else value}
                | {name: plain(one, whole=True) for name, one in zip(reducer.outputs, found, strict=True)}
            )
        return [(boxed(rows), np.ones(()))]

    return Reducer("group", inputs, ("groups",), reduce, reducer.weighted)


@algorithm("Reducer.setOutputs")
def set_outputs(reducer: Reducer, outputs: list[str | None]) -> Reducer:
    """Same with other names; outputs named null or empty are dropped."""
    if len(outputs) != len(reducer.outputs):
        raise EarthEngineError(f"The reducer has {len(reducer.outputs)} outputs, got {len(outputs)} names.")
    kept = [index for index, name in enumerate(outputs) if name]

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        found = reducer.reduce(values, weights)
        return [found[index] for index in kept]

    def types(given: Sequence[PixelType]) -> tuple[PixelType, ...]:
        found = output_types(reducer, given)
        return tuple(found[index] for index in kept)

    names = tuple(name for name in outputs if name)
    return replace(reducer, name="setOutputs", outputs=names, reduce=reduce, types=types)


@algorithm("Reducer.unweighted")
def unweighted(reducer: Reducer) -> Reducer:
    """Same, with every weight that is not 0 taken as 1."""

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        found: list[Output] = reducer.reduce(
            values, [(one > 0).astype(np.float64) for one in weights_for(weights, len(values))]
        )
        return found

    return replace(reducer, name="unweighted", reduce=reduce, weighted=False)


@algorithm("Reducer.splitWeights")
def split_weights(reducer: Reducer) -> Reducer:
    """Same, with the weight of each input as another input after it."""
    if not reducer.weighted:
        return reducer

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        there = [one > 0 for one in weights_for(weights, len(values))]
        shares = [
            np.where(there[index] & there[index + 1], values[index + 1], 0.0).astype(np.float64)
            for index in range(0, len(values), 2)
        ]
        found: list[Output] = reducer.reduce(values[0::2], shares)
        return found

    return replace(
        reducer,
        name="splitWeights",
        inputs=2 * reducer.inputs,
        reduce=reduce,
        weighted=False,
        types=lambda given: output_types(reducer, given[0::2]),
    )


@algorithm("Reducer.disaggregate")
def disaggregate(reducer: Reducer, axis: int | None) -> Reducer:
    """Same, for the items of lists, arrays and dictionaries instead of these; numbers and texts go as they are."""
    if axis is not None:
        raise EarthEngineError("this local Earth Engine does not implement the argument 'axis'.")

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        if reducer.inputs != 1 or values[0].ndim > 1:
            raise EarthEngineError(
                "Only reducers of one input, of values that are not pixels, can be disaggregated here."
            )
        items: list[Any] = []
        shares: list[float] = []
        for value, weight in zip(values[0].tolist(), common_weights(weights), strict=True):
            more = _items(value)
            items += more
            shares += [float(weight)] * len(more)
        found: list[Output] = reducer.reduce([as_values(items)], np.array(shares))
        return found

    return replace(reducer, name="disaggregate", reduce=reduce)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Array):
        return list(value.values.ravel().tolist())
    if isinstance(value, dict):
        return [one for row in value.values() for one in _items(row)]
    if isinstance(value, list):
        return [one for row in value for one in _items(row)]
    return [value]


@algorithm("Reducer.forEachElement")
def for_each_element(reducer: Reducer) -> Reducer:
    """Same for each position of arrays of equal shape: an array of that shape."""

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        if values[0].dtype != object:
            found: list[Output] = reducer.reduce(values, weights)  # arrays of pixels already lie along trailing dims
            return found
        stacks = [np.stack([np.asarray(_array(one), np.float64) for one in column.tolist()]) for column in values]
        shares = [
            np.broadcast_to(one.reshape(-1, *[1] * (stack.ndim - 1)), stack.shape)
            for one, stack in zip(weights_for(weights, len(values)), stacks, strict=True)
        ]
        return [(data, np.min(mask) if mask.size else np.ones(())) for data, mask in reducer.reduce(stacks, shares)]

    return replace(
        reducer, reduce=reduce, types=None if reducer.types is None else lambda given: _same_shape(reducer, given)
    )


def _array(value: Any) -> np.ndarray:
    if isinstance(value, Array):
        return value.values
    raise EarthEngineError(f"Reducer.forEachElement: inputs must be arrays, not {type(value).__name__}.")


def _same_shape(reducer: Reducer, given: Sequence[PixelType]) -> tuple[PixelType, ...]:
    flat = output_types(reducer, [replace(one, dimensions=0) for one in given])
    return tuple(replace(one, dimensions=given[0].dimensions if given else DOUBLE.dimensions) for one in flat)
