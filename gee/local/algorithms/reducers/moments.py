"""Reducers of moments and extremes (section 5), and the convention that all reducers keep.

`Reducer.reduce(values, weights) -> [(data, mask), …]`, one pair per output:

- `values`: one array per input, dims (n, ...): n steps (dates, neighbours, pixels of a region, elements of a list), any
  trailing dims (pixels), each of which is reduced by itself. float64, finite; without trailing dims (n,) also objects
  (texts, lists, `Array`s) where the reducer takes them, and nulls: NaN or None.
- `weights`: dims (n, ...) for all inputs, or one such array per input; 0 means that the step is not there. Reducers that
  are not weighted look at nothing else.
- `data`: dims (...), float64, then the axes of arrays (histograms, coefficients); finite, anything where `mask` is 0.
  Lists, dictionaries and texts come only where there are no trailing dims, as an object array without dims.
- `mask`: dims (...), 1 where there is a result, else 0 (null). Counts of nothing are 0, not null: images mask them.

`gee.local.reduction.calling` makes reducers (`make`) and calls them on plain values (`reduce_rows`); `output_types` tells types.

Where the documentation is silent: variances, skew and kurtosis are weighted as means are; ranks, extremes, products and
counts are not (weight 0 or not); skew is m3 / m2^1.5 and kurtosis m4 / m2^2 - 3, both 0 for constant data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gee.local.bands.pixel_types import BOOLEAN, INTEGERS, bounds, ranged
from gee.local.errors import EarthEngineError
from gee.local.reduction.calling import Handling, Output, make, mean_type, same, step_at
from gee.local.table import algorithm
from gee.local.values import PixelType, Reducer

WEIGHTED = Handling(weighted=True)
ANYTHING = Handling(objects=True)


def present_anywhere(weights: np.ndarray) -> np.ndarray:
    """Mask of what has any step: dims (...) of weights dims (n, ...)."""
    return np.asarray(np.any(weights, axis=0), np.float64)


def weighted_sum(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of products over the first axis, without a temporary array. Dims (...)."""
    found: np.ndarray = np.einsum("n...,n...->...", values, weights)
    return found


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, 0 where `below` is 0."""
    found = np.zeros(np.broadcast_shapes(above.shape, below.shape))
    np.divide(above, below, out=found, where=below != 0)
    return found


def moments(values: np.ndarray, weights: np.ndarray, *powers: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Sum of weights, weighted mean, and weighted mean of powers of the deviations from it. Dims (...) each."""
    total = weights.sum(axis=0)
    # about the first step: constants have no deviation at all, whatever their sum is rounded to
    origin = values[0] if len(values) else np.zeros(total.shape)
    mean = origin + quotient(weighted_sum(values - origin, weights), total)
    off = values - mean
    return total, mean, [quotient(weighted_sum(off**power, weights), total) for power in powers]


# -- moments ----------------------------------------------------------------------------------------------------------


@algorithm("Reducer.mean")
def mean() -> Reducer:
    """Weighted mean."""

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        return [(quotient(weighted_sum(values[0], weights), weights.sum(axis=0)), present_anywhere(weights))]

    return make("mean", reduce, handling=WEIGHTED, types=mean_type)


@algorithm("Reducer.sum", policies=("empty_reductions",))
def sum_() -> Reducer:
    """Weighted sum."""
    return make(
        "sum",
        lambda values, weights: [(weighted_sum(values[0], weights), present_anywhere(weights))],
        handling=WEIGHTED,
    )


@algorithm(
    "Reducer.product",
    policies=(
        "reducer_weights",
        "empty_reductions",
    ),
)
def product() -> Reducer:
    """Product."""
    return make(
        "product",
        lambda values, present: [(np.multiply.reduce(values[0], axis=0, where=present), present_anywhere(present))],
    )


def _spread(name: str, output: str, finish: Callable[[np.ndarray], np.ndarray], *, sample: bool) -> Reducer:
    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        total, _, (variance,) = moments(values[0], weights, 2)
        if not sample:
            return [(finish(variance), present_anywhere(weights))]
        enough = total > 1
        corrected = np.where(enough, variance * quotient(total, np.where(enough, total - 1, 0)), 0.0)
        return [(finish(corrected), enough.astype(np.float64))]

    return make(name, reduce, outputs=(output,), handling=WEIGHTED)


@algorithm("Reducer.variance", policies=("reducer_weights",))
def variance() -> Reducer:
    """Population variance (divided by n)."""
    return _spread("variance", "variance", np.asarray, sample=False)


@algorithm("Reducer.stdDev", policies=("reducer_weights",))
def std_dev() -> Reducer:
    """Population standard deviation (divided by n)."""
    return _spread("stdDev", "stdDev", np.sqrt, sample=False)


@algorithm("Reducer.sampleVariance", policies=("reducer_weights",))
def sample_variance() -> Reducer:
    """Sample variance (divided by n - 1), named `variance`; null of one value."""
    return _spread("sampleVariance", "variance", np.asarray, sample=True)


@algorithm("Reducer.sampleStdDev", policies=("reducer_weights",))
def sample_std_dev() -> Reducer:
    """Sample standard deviation (divided by n - 1), named `stdDev`; null of one value."""
    return _spread("sampleStdDev", "stdDev", np.sqrt, sample=True)


@algorithm(
    "Reducer.skew",
    policies=(
        "reducer_weights",
        "shape_of_samples",
    ),
)
def skew() -> Reducer:
    """Skewness of the population."""

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        _, _, (second, third) = moments(values[0], weights, 2, 3)
        return [(quotient(third, second**1.5), present_anywhere(weights))]

    return make("skew", reduce, handling=WEIGHTED)


@algorithm(
    "Reducer.kurtosis",
    policies=(
        "reducer_weights",
        "shape_of_samples",
    ),
)
def kurtosis() -> Reducer:
    """Excess kurtosis of the population: 0 of normal data."""

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        _, _, (second, fourth) = moments(values[0], weights, 2, 4)
        found = quotient(fourth, second**2)
        return [(np.where(second > 0, found - 3, 0.0), present_anywhere(weights))]

    return make("kurtosis", reduce, handling=WEIGHTED)


def _circular(name: str, finish: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Reducer:
    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        total = weights.sum(axis=0)
        cosine, sine = (quotient(weighted_sum(turn(values[0]), weights), total) for turn in (np.cos, np.sin))
        return [(finish(cosine, sine), present_anywhere(weights))]

    return make(name, reduce, handling=WEIGHTED)


@algorithm("Reducer.circularMean")
def circular_mean() -> Reducer:
    """Mean direction, radians, -pi to pi."""
    return _circular("circularMean", lambda cosine, sine: np.arctan2(sine, cosine))


@algorithm("Reducer.circularVariance")
def circular_variance() -> Reducer:
    """1 - R of directions in radians."""
    return _circular("circularVariance", lambda cosine, sine: 1 - np.hypot(cosine, sine))


@algorithm("Reducer.circularStddev")
def circular_std_dev() -> Reducer:
    """sqrt(-2 ln R) of directions in radians, named `circularStdDev`."""
    return _circular(
        "circularStdDev",
        lambda cosine, sine: np.sqrt(-2 * np.log(np.clip(np.hypot(cosine, sine), np.finfo(float).tiny, 1))),
    )


# -- extremes and bits ------------------------------------------------------------------------------------------------


def _extremum(name: str, inputs: int) -> Reducer:
    sign = 1.0 if name == "min" else -1.0

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        mask = present_anywhere(present)
        if not len(present):
            return [(mask, mask)] * inputs
        if values[0].dtype == object:
            at = _extreme_object(values[0], present, sign)
        elif inputs == 1:
            fold = np.minimum if name == "min" else np.maximum
            return [
                (np.where(mask > 0, fold.reduce(values[0], axis=0, where=present, initial=sign * np.inf), 0.0), mask)
            ]
        else:
            at = np.argmin(np.where(present, sign * values[0], np.inf), axis=0)
        return [(step_at(one, at), mask) for one in values]

    names = [name, *(f"{name}{index}" for index in range(1, inputs))]
    return make(name, reduce, inputs=inputs, outputs=names, handling=ANYTHING, types=same)


def _extreme_object(values: np.ndarray, present: np.ndarray, sign: float) -> int:
    kept = [index for index in range(len(values)) if present[index]]
    if not kept:
        return 0
    try:
        return (min if sign > 0 else max)(kept, key=lambda index: values[index])
    except TypeError as error:
        raise EarthEngineError("Only numbers, or only texts, can be compared for the least or greatest.") from error


@algorithm(
    "Reducer.min",
    policies=(
        "reducer_weights",
        "extremum_names",
    ),
)
def minimum(num_inputs: int) -> Reducer:
    """Least value (texts too), with what the other inputs had there: `min`, `min1`, and so on."""
    return _extremum("min", num_inputs)


@algorithm(
    "Reducer.max",
    policies=(
        "reducer_weights",
        "extremum_names",
    ),
)
def maximum(num_inputs: int) -> Reducer:
    """Greatest value (texts too), with what the other inputs had there: `max`, `max1`, and so on."""
    return _extremum("max", num_inputs)


@algorithm("Reducer.minMax", policies=("reducer_weights",))
def min_max() -> Reducer:
    """Least and greatest value."""
    least, greatest = _extremum("min", 1), _extremum("max", 1)
    return make(
        "minMax",
        lambda values, present: [*least.reduce(values, present * 1.0), *greatest.reduce(values, present * 1.0)],
        outputs=("min", "max"),
        handling=ANYTHING,
        types=lambda types: (types[0], types[0]),
    )


def _bitwise(name: str, fold: np.ufunc) -> Reducer:
    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        return [
            (
                fold.reduce(values[0].astype(np.int64), axis=0, where=present).astype(np.float64),
                present_anywhere(present),
            )
        ]

    def types(given: Sequence[PixelType]) -> tuple[PixelType, ...]:
        low, high = bounds(given[0])
        finite = low >= 0 and np.isfinite(high)
        return (ranged("int", 0, 2 ** int(high).bit_length() - 1) if finite else PixelType("int", *INTEGERS["int64"]),)

    return make(name, reduce, types=types)


@algorithm("Reducer.bitwiseAnd")
def bitwise_and() -> Reducer:
    """Bits that all have."""
    return _bitwise("bitwiseAnd", np.bitwise_and)


@algorithm("Reducer.bitwiseOr")
def bitwise_or() -> Reducer:
    """Bits that any has."""
    return _bitwise("bitwiseOr", np.bitwise_or)


def _truth(name: str, fold: np.ufunc) -> Reducer:
    return make(
        name,
        lambda values, present: [(fold.reduce(values[0] != 0, axis=0, where=present) * 1.0, present_anywhere(present))],
        types=lambda _: (BOOLEAN,),
    )


@algorithm("Reducer.allNonZero", "Reducer.and")
def all_non_zero() -> Reducer:
    """1 if no value is 0."""
    return _truth("all", np.logical_and)


@algorithm("Reducer.anyNonZero", "Reducer.or")
def any_non_zero() -> Reducer:
    """1 if any value is not 0."""
    return _truth("any", np.logical_or)
