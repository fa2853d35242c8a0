"""Reducers of several inputs: regressions, correlations, covariances (section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gee.local.algorithms.reducers.moments import quotient, weighted_sum
from gee.local.errors import EarthEngineError
from gee.local.reduction import correlations
from gee.local.reduction.calling import Handling, Output, make
from gee.local.table import algorithm
from gee.local.values import Array, PixelType, Reducer

CONDITION = 1e-12  # of singular values: smaller ones, relative to the largest, count as 0


@algorithm("Reducer.linearFit")
def linear_fit() -> Reducer:
    """Weighted least squares of y (second) on x (first): `scale`, `offset`; null where x does not vary."""

    def reduce(values: Sequence[np.ndarray], weights: np.ndarray) -> list[Output]:
        x, y = values
        total = weights.sum(axis=0)
        mean_x, mean_y = (quotient(weighted_sum(one, weights), total) for one in (x, y))
        off = x - mean_x
        spread = weighted_sum(off * off, weights)
        scale = quotient(weighted_sum(off * (y - mean_y), weights), spread)
        mask = (spread > 0).astype(np.float64)
        return [(scale, mask), (mean_y - scale * mean_x, mask)]

    return make("linearFit", reduce, inputs=2, outputs=("scale", "offset"), handling=Handling(weighted=True))


@algorithm("Reducer.linearRegression")
def linear_regression(num_x: int, num_y: int) -> Reducer:
    """Least squares without a constant: `coefficients`, dims (numX, numY), and `residuals`, their root mean squares.

    Null where there are no more steps than numX; of coefficients that the data leave open those of least norm.
    """
    if num_x < 1 or num_y < 1:
        raise EarthEngineError(f"Parameters 'numX' and 'numY' must be positive, not {num_x} and {num_y}.")

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        # dims (..., n, variable): rows that do not count are 0, and change no sum
        table = np.moveaxis(np.stack([np.where(present, one, 0.0) for one in values], axis=-1), 0, -2)
        x, y = table[..., :num_x], table[..., num_x:]
        coefficients = (
            np.linalg.pinv(x, rcond=CONDITION) @ y if len(present) else np.zeros((*x.shape[:-2], num_x, num_y))
        )
        count = present.sum(axis=0)
        squares = ((y - x @ coefficients) ** 2).sum(axis=-2)
        residuals = np.sqrt(quotient(squares, np.broadcast_to(count[..., None], squares.shape)))
        mask = (count > num_x).astype(np.float64)
        return [(coefficients, mask), (residuals, mask)]

    return make(
        "linearRegression",
        reduce,
        inputs=num_x + num_y,
        outputs=("coefficients", "residuals"),
        types=lambda _: (PixelType("double", dimensions=2), PixelType("double", dimensions=1)),
    )


def _correlated(x: np.ndarray, y: np.ndarray, present: np.ndarray) -> list[Output]:
    weights = present.astype(np.float64)
    count = weights.sum(axis=0)
    x, y = (one - quotient(weighted_sum(one, weights), count) for one in (x, y))
    spread = np.sqrt(weighted_sum(x * x, weights) * weighted_sum(y * y, weights))
    found = np.clip(quotient(weighted_sum(x * y, weights), spread), -1, 1)
    mask = ((spread > 0) & (count > 1)).astype(np.float64)
    return [(found, mask), (correlations.correlation_probability(found, count), mask * (count > 2))]


@algorithm("Reducer.pearsonsCorrelation")
def pearsons_correlation() -> Reducer:
    """Product-moment correlation and the two-sided p-value of none: `correlation`, `p-value`."""
    return make(
        "pearsonsCorrelation",
        lambda values, present: _correlated(values[0], values[1], present),
        inputs=2,
        outputs=("correlation", "p-value"),
    )


@algorithm("Reducer.spearmansCorrelation", policies=("rank_probabilities",))
def spearmans_correlation() -> Reducer:
    """Correlation of the ranks and the two-sided p-value of none: `correlation`, `p-value`."""

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        x, y = (correlations.ranks(one, present) for one in values)
        return _correlated(x, y, present)

    return make("spearmansCorrelation", reduce, inputs=2, outputs=("correlation", "p-value"))


@algorithm("Reducer.kendallsCorrelation", policies=("rank_probabilities",))
def kendalls_correlation(num_inputs: int) -> Reducer:
    """Tau-b of two inputs, or of one and its order, and the p-value of the normal approximation: `tau`, `p-value`."""
    if num_inputs not in (1, 2):
        raise EarthEngineError(f"Parameter 'numInputs' must be 1 or 2, not {num_inputs}.")

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        y = values[-1]
        steps = np.arange(len(y), dtype=np.float64).reshape(-1, *[1] * (y.ndim - 1))
        x = values[0] if num_inputs == 2 else np.broadcast_to(steps, y.shape)
        tau, probability = correlations.kendall(x, y, present)
        mask = (present.sum(axis=0) > 1).astype(np.float64)
        return [(tau, mask), (probability, mask)]

    return make("kendallsCorrelation", reduce, inputs=num_inputs, outputs=("tau", "p-value"))


@algorithm("Reducer.sensSlope", policies=("sens_offset",))
def sens_slope() -> Reducer:
    """Median of the slopes of y (second) over x (first) between all pairs: `slope`, `offset`."""

    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        slope, offset, known = correlations.sen_slope(values[0], values[1], present)
        return [(slope, known), (offset, known)]

    return make("sensSlope", reduce, inputs=2, outputs=("slope", "offset"))


# -- covariances ------------------------------------------------------------------------------------------------------


def _covariance(name: str, *, centred: bool) -> Reducer:
    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        rows = _vectors(name, values[0], present)
        if not len(rows):
            return [(np.zeros((0, 0)), np.zeros(()))]
        off = rows if centred else rows - rows.mean(axis=0)
        return [(off.T @ off / len(rows), np.ones(()))]

    return make(name, reduce, handling=Handling(objects=True), types=lambda _: (PixelType("double", dimensions=2),))


def _vectors(name: str, values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Arrays that count, dims (n, k), from objects or from the pixels of an array band."""
    if values.dtype != object:
        kept = values[present if present.ndim == 1 else present.all(axis=tuple(range(1, present.ndim)))]
        rows = [kept] if kept.ndim == 2 else []
    else:
        rows = [np.asarray(one.values, np.float64)[None] for one in values[present] if isinstance(one, Array)]
    sizes = {one.shape[1:] for one in rows}
    if values.size and (not rows or len(sizes) > 1 or any(len(one) != 1 for one in sizes)):
        raise EarthEngineError(f"Reducer.{name}: inputs must be 1-D arrays of one length.")
    return np.concatenate(rows) if rows else np.zeros((0, 0))


@algorithm("Reducer.covariance", policies=("shape_of_samples",))
def covariance() -> Reducer:
    """Covariance matrix of 1-D arrays, divided by n."""
    return _covariance("covariance", centred=False)


@algorithm("Reducer.centeredCovariance", policies=("shape_of_samples",))
def centered_covariance() -> Reducer:
    """Covariance matrix of 1-D arrays whose mean is 0, divided by n."""
    return _covariance("centeredCovariance", centred=True)
