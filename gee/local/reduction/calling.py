"""How reducers are made and called; the convention that they all keep stands in `gee.local.algorithms.reducers.moments`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gee.local.bands.pixel_types import DOUBLE, FLOAT
from gee.local.errors import EarthEngineError
from gee.local.values import Array, PixelType, Reducer

Output = tuple[np.ndarray, np.ndarray]
Weights = np.ndarray | Sequence[np.ndarray]
Types = Callable[[Sequence[PixelType]], tuple[PixelType, ...]]


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What a reducer's function wants to be given.

    Attributes
    ----------
    weighted : real weights; else only whether they are 0
    nulls : null inputs too; else they have weight 0
    objects : texts, lists and other values that are not numbers too; else they are refused
    """

    weighted: bool = False
    nulls: bool = False
    objects: bool = False


def make(
    name: str,
    function: Callable[[Sequence[np.ndarray], np.ndarray], list[Output]],
    *,
    inputs: int = 1,
    outputs: Sequence[str] | None = None,
    handling: Handling | None = None,
    types: Types | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Reducer:
    """Reducer of a function `(values, weights) -> outputs`, with one array of weights dims (n, ...) for all inputs.

    Parameters
    ----------
    name : Earth Engine's, "mean"
    outputs : names; the reducer's own where None
    types : of the outputs from those of the inputs; double where None
    """
    how = handling or Handling()

    def reduce(values: Sequence[np.ndarray], weights: Weights) -> list[Output]:
        arrays, joint = _prepared(name, how, [np.asarray(one) for one in values], weights)
        if len(arrays) != inputs:
            raise EarthEngineError(f"Need {inputs} inputs for Reducer.{name}, got {len(arrays)}.")
        return function(arrays, joint)

    return Reducer(
        name=name,
        inputs=inputs,
        outputs=(name,) if outputs is None else tuple(outputs),
        reduce=reduce,
        weighted=how.weighted,
        parameters=dict(parameters or {}),
        types=types,
    )


def output_types(reducer: Reducer, types: Sequence[PixelType]) -> tuple[PixelType, ...]:
    """Types of a reducer's outputs for inputs of some types."""
    return (DOUBLE,) * len(reducer.outputs) if reducer.types is None else tuple(reducer.types(types))


def weights_for(weights: Weights, count: int) -> list[np.ndarray]:
    """Weights of each of `count` inputs; one array serves all."""
    return [weights] * count if isinstance(weights, np.ndarray) else list(weights)


def common_weights(weights: Weights) -> np.ndarray:
    """Weights of whole tuples: the least of their inputs' (policy `fractional_masks`)."""
    if isinstance(weights, np.ndarray):
        return weights
    distinct = list({id(one): one for one in weights}.values())
    return distinct[0] if len(distinct) == 1 else np.minimum.reduce(distinct)


def reduce_rows(reducer: Reducer, rows: Sequence[Any], weights: Sequence[float] | None = None) -> dict[str, Any]:
    """Outputs by name for plain values, as lists and properties have them.

    Parameters
    ----------
    rows : one value per step; where the reducer takes several inputs, one list of them per step
        None is null.
    weights : one per step

    Returns
    -------
    outputs : number, text, list, dictionary, `Array`, or None where there is nothing to tell

    Raises
    ------
    EarthEngineError
        If a row has another number of inputs, or values that the reducer cannot take.
    """
    columns = [list(rows)] if reducer.inputs == 1 else _columns(reducer, rows)
    joint = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
    found = reducer.reduce([as_values(column) for column in columns], joint)
    whole = not any(isinstance(one, float) for column in columns for one in column)
    types = output_types(reducer, [DOUBLE] * reducer.inputs)
    return {
        name: plain(output, whole=whole or type_.precision == "int")
        for name, output, type_ in zip(reducer.outputs, found, types, strict=True)
    }


def plain(output: Output, *, whole: bool = False) -> Any:
    """One output without trailing dims as a value; None where its mask is 0.

    Parameters
    ----------
    whole : whether the inputs were no fractions: then whole numbers are integers
    """
    data, mask = np.asarray(output[0]), np.asarray(output[1])
    if not mask.all():
        return None
    if data.dtype == object:
        return data.item() if data.ndim == 0 else list(data)
    if data.ndim:
        return Array(data, PixelType("double", dimensions=data.ndim))
    number = float(data)
    return int(number) if whole and number.is_integer() else number


def boxed(value: Any) -> np.ndarray:
    """A value that is no number as an output's data, without dims."""
    found = np.empty((), object)
    found[()] = value
    return found


def step_at(values: np.ndarray, index: np.ndarray | int) -> np.ndarray:
    """The step of each pixel that `index`, dims (...), names. Dims (...) of values dims (n, ...)."""
    if values.ndim == 1:
        return boxed(values[index]) if values.dtype == object else np.asarray(values[index])
    found: np.ndarray = np.take_along_axis(values, np.asarray(index)[None], 0)[0]
    return found


def as_values(column: Sequence[Any]) -> np.ndarray:
    """Plain values as an input, dims (n,): float64 where all are numbers or null (NaN), else objects."""
    if all(isinstance(one, int | float) or one is None for one in column):
        return np.array([np.nan if one is None else float(one) for one in column])
    found = np.empty(len(column), object)
    for index, one in enumerate(column):
        found[index] = one
    return found


def same(types: Sequence[PixelType]) -> tuple[PixelType, ...]:
    """Outputs of the types of the inputs."""
    return tuple(types)


def mean_type(types: Sequence[PixelType]) -> tuple[PixelType, ...]:
    """One output: float of floats, else double, within the range of the inputs."""
    first = types[0]
    return (
        PixelType("float" if first.precision == FLOAT.precision else "double", first.low, first.high, first.dimensions),
    )


def is_null(values: np.ndarray) -> np.ndarray:
    """Which plain values are null."""
    if values.dtype == object:
        return np.array([one is None or one != one for one in values.ravel()], bool).reshape(values.shape)
    return np.asarray(np.isnan(values))


def _prepared(
    name: str, how: Handling, values: list[np.ndarray], weights: Weights
) -> tuple[list[np.ndarray], np.ndarray]:
    joint = common_weights(weights)
    scalars = bool(values) and values[0].ndim == 1  # only plain values can be null: pixels have masks
    if scalars and not how.nulls:
        missing = np.logical_or.reduce([is_null(one) for one in values])
        if missing.any():
            joint = np.where(missing, 0.0, joint)
            values = [_without(one, missing) for one in values]
    if not how.objects:
        values = [_numbers(name, one) if one.dtype == object else one for one in values]
    return values, joint if how.weighted else joint > 0


def _without(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    found = values.copy()
    found[missing] = 0
    return found


def _numbers(name: str, values: np.ndarray) -> np.ndarray:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        kinds = sorted({type(one).__name__ for one in values.ravel() if not isinstance(one, int | float)})
        raise EarthEngineError(f"Reducer.{name}: inputs must be numbers, not {', '.join(kinds)}.") from error


def _columns(reducer: Reducer, rows: Sequence[Any]) -> list[list[Any]]:
    for row in rows:
        got = len(row) if isinstance(row, list | tuple) else 1
        if got != reducer.inputs:
            raise EarthEngineError(f"Need {reducer.inputs} inputs for Reducer.{reducer.name}, got {got}.")
    return [[row[index] for row in rows] for index in range(reducer.inputs)]
