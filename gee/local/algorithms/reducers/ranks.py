"""Reducers of ranks and frequencies (section 5).

Always exact: `maxBuckets`, `minBucketWidth` and `maxRaw` say how Earth Engine approximates what it cannot hold, so medians,
percentiles and modes take them and need none of them; histograms take the first two as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gee.local.algorithms.reducers.counts import COUNT
from gee.local.algorithms.reducers.moments import present_anywhere
from gee.local.bands.pixel_types import DOUBLE
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.reduction import order_statistics
from gee.local.reduction.calling import Handling, Output, Types, boxed, is_null, make, mean_type, same
from gee.local.table import algorithm
from gee.local.values import PixelType, Reducer

BUCKETS = 256  # of a histogram whose maxBuckets is null
MOST_BINS = 2**24  # of a fixed histogram


@algorithm(
    "Reducer.median",
    policies=(
        "percentile_rank",
        "reducer_weights",
    ),
)
def median(max_buckets: int | None, min_bucket_width: float | None, max_raw: int | None) -> Reducer:
    """Median; of an even count the mean of the middle two."""
    del max_buckets, min_bucket_width, max_raw  # exact without
    return _percentiles("median", [50.0], ["median"])


@algorithm(
    "Reducer.percentile",
    policies=(
        "percentile_rank",
        "reducer_weights",
        "fraction_names",
    ),
)
def percentile(
    percentiles: list[float],
    output_names: list[str] | None,
    max_buckets: int | None,
    min_bucket_width: float | None,
    max_raw: int | None,
) -> Reducer:
    """Percentiles, named `p5`, `p50`; `p2_5` of fractions."""
    del max_buckets, min_bucket_width, max_raw  # exact without
    wrong = [one for one in percentiles if not 0 <= one <= 100]
    if wrong or not percentiles:
        raise EarthEngineError(f"Percentiles must be between 0 and 100, not {wrong or 'none'}.")
    names = output_names or [f"p{one:g}".replace(".", "_") for one in percentiles]
    if len(names) != len(percentiles):
        raise EarthEngineError(f"{len(names)} output names for {len(percentiles)} percentiles.")
    return _percentiles("percentile", [float(one) for one in percentiles], names)


def _percentiles(name: str, ranks: list[float], names: list[str]) -> Reducer:
    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        mask = present_anywhere(present)
        return [(data, mask) for data in order_statistics.percentiles(values[0], present, ranks=ranks)]

    return make(
        name,
        reduce,
        outputs=names,
        types=lambda types: mean_type(types) * len(names),
        parameters={"percentiles": tuple(ranks)},
    )


@algorithm("Reducer.mode", policies=("reducer_weights",))
def mode(max_buckets: int | None, min_bucket_width: float | None, max_raw: int | None) -> Reducer:
    """Most frequent value, of several the smallest."""
    del max_buckets, min_bucket_width, max_raw  # exact without
    return make(
        "mode",
        lambda values, present: [(order_statistics.mode(values[0], present), present_anywhere(present))],
        types=same,
    )


@algorithm(
    "Reducer.intervalMean",
    policies=(
        "percentile_rank",
        "reducer_weights",
    ),
)
def interval_mean(
    min_percentile: float,
    max_percentile: float,
    max_buckets: int | None,
    min_bucket_width: float | None,
    max_raw: int | None,
) -> Reducer:
    """Mean of the values from one percentile to another, both included, named `mean`."""
    del max_buckets, min_bucket_width, max_raw  # exact without
    if not 0 <= min_percentile <= max_percentile <= 100:
        raise EarthEngineError(f"Percentiles must rise within 0 to 100, not {min_percentile} and {max_percentile}.")

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        found = order_statistics.interval_mean(values[0], present, low=min_percentile, high=max_percentile)
        return [(found, present_anywhere(present))]

    return make("intervalMean", reduce, outputs=("mean",), types=mean_type)


# -- frequencies ------------------------------------------------------------------------------------------------------


@algorithm("Reducer.frequencyHistogram")
def frequency_histogram() -> Reducer:
    """Dictionary of weighted counts by value, named `histogram`; not for pixels."""

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        _no_pixels("frequencyHistogram", values[0])
        found: dict[str, float] = {}
        order: dict[str, tuple[bool, object]] = {}
        for value, weight, null in zip(values[0].tolist(), weights, is_null(values[0]), strict=True):
            if weight > 0:
                key = "null" if null else _key(value)
                found[key] = found.get(key, 0.0) + float(weight)
                order[key] = (isinstance(value, str), key if isinstance(value, str) else value)
        kept = sorted(found, key=lambda key: order[key]) if "null" not in found else list(found)
        return [(boxed({key: _whole(found[key]) for key in kept}), np.ones(()))]

    handling = Handling(weighted=True, nulls=True, objects=True)
    return make("frequencyHistogram", reduce, outputs=("histogram",), handling=handling)


@algorithm("Reducer.fixedHistogram")
def fixed_histogram(min_: float, max_: float, steps: int, *, cumulative: bool) -> Reducer:
    """Lower edges and weighted counts of equal bins from `min` to before `max`: an array, dims (steps, 2)."""
    _checked_bins(min_, max_, steps)

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        shape = values[0].shape[1:]
        bins = _bins(values[0], min_, max_, steps)
        inside = (bins >= 0) & (bins < steps) & (weights > 0)
        pixel = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), values[0].shape)
        counts = np.bincount((pixel * steps + bins)[inside], weights[inside], math.prod(shape) * steps)
        counts = counts.reshape(*shape, steps)
        edges = np.broadcast_to(min_ + (max_ - min_) / steps * np.arange(steps), counts.shape)
        data = np.stack([edges, np.cumsum(counts, axis=-1) if cumulative else counts], axis=-1)
        return [(data, present_anywhere(weights))]

    return make("fixedHistogram", reduce, outputs=("histogram",), handling=Handling(weighted=True), types=_array(2))


@algorithm("Reducer.fixed2DHistogram")
def fixed_2d_histogram(x_min: float, x_max: float, x_steps: int, y_min: float, y_max: float, y_steps: int) -> Reducer:
    """Counts of pairs, dims (x, y), and the lower edges of both axes: `histogram`, `xAxis`, `yAxis`; never weighted."""
    _checked_bins(x_min, x_max, x_steps)
    _checked_bins(y_min, y_max, y_steps)
    size = x_steps * y_steps
    edges = [
        low + (high - low) / steps * np.arange(steps)
        for low, high, steps in ((x_min, x_max, x_steps), (y_min, y_max, y_steps))
    ]

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        shape = present.shape[1:]
        x, y = _bins(values[0], x_min, x_max, x_steps), _bins(values[1], y_min, y_max, y_steps)
        inside = present & (x >= 0) & (x < x_steps) & (y >= 0) & (y < y_steps)
        pixel = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), present.shape)
        counts = np.bincount((pixel * size + x * y_steps + y)[inside], minlength=math.prod(shape) * size)
        mask = present_anywhere(present)
        return [
            (counts.reshape(*shape, x_steps, y_steps).astype(np.float64), mask),
            *((np.broadcast_to(one, (*shape, one.size)), mask) for one in edges),
        ]

    return make(
        "fixed2DHistogram", reduce, inputs=2, outputs=("histogram", "xAxis", "yAxis"), types=lambda _: (
            PixelType(COUNT.precision, COUNT.low, COUNT.high, 2), *[PixelType("double", dimensions=1)] * 2)
    )  # fmt: skip


@algorithm("Reducer.histogram", policies=("histogram_buckets",))
def histogram(max_buckets: int | None, min_bucket_width: float | None, max_raw: int | None) -> Reducer:
    """Dictionary of `bucketMin`, `bucketWidth`, `bucketMeans` (null where empty) and `histogram`; not for pixels.

    Buckets are as wide as the smallest power of two with which they are no more than `maxBuckets` (256), and no
    narrower than `minBucketWidth`; they begin at a multiple of their width.
    """
    del max_raw  # exact without

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        _no_pixels("histogram", values[0])
        kept, share = values[0][weights > 0], weights[weights > 0]
        if not kept.size:
            return [(np.zeros(()), np.zeros(()))]
        start, width, counts, sums = _buckets(kept, share, max_buckets, min_bucket_width)
        means = [_whole(total / count) if count else None for count, total in zip(counts, sums, strict=True)]
        body = {"bucketMeans": means, "bucketMin": _whole(start), "bucketWidth": _whole(width)}
        return [(boxed(body | {"histogram": [_whole(one) for one in counts]}), np.ones(()))]

    return make("histogram", reduce, handling=Handling(weighted=True))


@algorithm("Reducer.autoHistogram", policies=("histogram_buckets",))
def auto_histogram(
    max_buckets: int | None, min_bucket_width: float | None, max_raw: int | None, *, cumulative: bool
) -> Reducer:
    """Lower bounds and weighted counts of buckets as those of `histogram`: an array, dims (buckets, 2)."""
    del max_raw  # exact without

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        if values[0].ndim > 1:
            raise NotImplementedHereError("this local Earth Engine does not implement Reducer.autoHistogram per pixel.")
        kept, share = values[0][weights > 0], weights[weights > 0]
        if not kept.size:
            return [(np.zeros((0, 2)), np.zeros(()))]
        start, width, counts, _ = _buckets(kept, share, max_buckets, min_bucket_width)
        lower = start + width * np.arange(len(counts))
        return [(np.stack([lower, np.cumsum(counts) if cumulative else counts], axis=-1), np.ones(()))]

    return make("autoHistogram", reduce, outputs=("histogram",), handling=Handling(weighted=True), types=_array(2))


def _buckets(
    values: np.ndarray, weights: np.ndarray, most: int | None, least_width: float | None
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """First edge, width, weighted counts and weighted sums of buckets."""
    low, high = float(values.min()), float(values.max())
    limit = 2 ** math.ceil(math.log2(max(most or BUCKETS, 1)))
    width = 2.0 ** math.floor(math.log2((high - low) / limit)) if high > low else 1.0
    while (math.floor(high / width) - math.floor(low / width)) + 1 > limit:
        width *= 2
    width = max(width, least_width or 0)
    start = math.floor(low / width) * width
    at = np.minimum(((values - start) / width).astype(np.intp), limit - 1)
    return start, width, np.bincount(at, weights), np.bincount(at, weights * values)


def _bins(values: np.ndarray, low: float, high: float, steps: int) -> np.ndarray:
    at = np.floor((values - low) / (high - low) * steps)
    return np.where(values < high, np.clip(at, -1, steps - 1), steps).astype(np.intp)


def _checked_bins(low: float, high: float, steps: int) -> None:
    if not low < high or not 0 < steps <= MOST_BINS:
        raise EarthEngineError(
            f"A histogram needs min < max and 1 to {MOST_BINS} steps, not {low}, {high} and {steps}."
        )


def _array(dimensions: int) -> Types:
    return lambda _: (PixelType(DOUBLE.precision, dimensions=dimensions),)


def _no_pixels(name: str, values: np.ndarray) -> None:
    if values.ndim > 1:
        raise EarthEngineError(f"Reducer.{name} has no numeric output and cannot be used per pixel.")


def _key(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _whole(value: float) -> float:
    return int(value) if float(value).is_integer() else float(value)
