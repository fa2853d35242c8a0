"""Correlations and robust slopes along the first axis, and the probabilities that go with them."""

from __future__ import annotations

import math

import numpy as np

TINY = 1e-300
TERMS = 200  # of the continued fraction: it converges within a few dozen
PAIR_BYTES = 2**27  # of slopes between pairs that are sorted at once

_erfc = np.frompyfunc(math.erfc, 1, 1)


def ranks(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Rank of each value among those that count, from 1; ties share the mean of theirs. Dims (n, ...)."""
    found = np.zeros(values.shape)
    for index in range(len(values)):
        below = np.sum(present & (values < values[index]), axis=0)
        equal = np.sum(present & (values == values[index]), axis=0)
        found[index] = below + (equal + 1) / 2
    return found


def kendall(x: np.ndarray, y: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kendall's tau-b, and the two-sided p-value of the normal approximation without ties. Dims (...).

    References
    ----------
    Kendall (1945), The treatment of ties in ranking problems, Biometrika 33; Kendall (1975), Rank correlation methods.
    """
    shape = present.shape[1:]
    score, x_pairs, y_pairs = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for index in range(1, len(x)):
        both = present[:index] & present[index]
        dx, dy = np.sign(x[index] - x[:index]), np.sign(y[index] - y[:index])
        score += np.sum(dx * dy, axis=0, where=both)
        x_pairs += np.sum(dx != 0, axis=0, where=both)
        y_pairs += np.sum(dy != 0, axis=0, where=both)
    below = np.sqrt(x_pairs * y_pairs)
    tau = np.divide(score, below, out=np.zeros(shape), where=below > 0)
    n = present.sum(axis=0)
    variance = n * (n - 1) * (2 * n + 5) / 18
    z = np.divide(score, np.sqrt(variance), out=np.zeros(shape), where=variance > 0)
    return tau, np.asarray(_erfc(np.abs(z) / math.sqrt(2)), np.float64)


def sen_slope(x: np.ndarray, y: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median of the slopes between all pairs, median(y) - slope * median(x), and whether there is a pair. Dims (...).

    References
    ----------
    Sen (1968), Estimates of the regression coefficient based on Kendall's tau, J. Am. Stat. Assoc. 63.
    """
    from gee.local.reduction.order_statistics import percentiles

    first, second = np.triu_indices(len(x), 1)
    shape = present.shape[1:]
    size = max(int(PAIR_BYTES // (8 * max(len(first), 1))), 1)
    flat = [one.reshape(len(one), -1) for one in (x, y, present)]
    slope, offset, known = (np.zeros(math.prod(shape)) for _ in range(3))
    for start in range(0, slope.size, size):
        xs, ys, here = (one[:, start : start + size] for one in flat)
        dx, dy = xs[second] - xs[first], ys[second] - ys[first]
        pairs = here[first] & here[second] & (dx != 0)
        part = slice(start, start + size)
        (slope[part],) = percentiles(np.divide(dy, dx, out=np.zeros(dy.shape), where=pairs), pairs, ranks=(50,))
        (middle_x,), (middle_y,) = (percentiles(one, here, ranks=(50,)) for one in (xs, ys))
        offset[part] = middle_y - slope[part] * middle_x
        known[part] = pairs.any(axis=0)
    return slope.reshape(shape), offset.reshape(shape), known.reshape(shape)


def correlation_probability(correlation: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Two-sided p-value of a correlation of 0, Student's t with n - 2 degrees of freedom. Dims (...)."""
    freedom = np.maximum(count - 2, 1).astype(np.float64)
    return regularized_beta(np.clip(1 - np.asarray(correlation, np.float64) ** 2, 0, 1), freedom / 2, 0.5)


def regularized_beta(x: np.ndarray, a: np.ndarray, b: float) -> np.ndarray:
    """Regularized incomplete beta function I_x(a, b), by its continued fraction.

    References
    ----------
    Abramowitz and Stegun, 26.5.8; DLMF 8.17.22
    """
    x, a = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(a, np.float64))
    swap = x > (a + 1) / (a + b + 2)
    p, q, z = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1 - x, x)
    gamma = np.frompyfunc(math.lgamma, 1, 1)
    log_beta = np.asarray(gamma(p) + gamma(q) - gamma(p + q), np.float64)
    with np.errstate(divide="ignore"):
        front = np.where(z > 0, np.exp(p * np.log(np.maximum(z, TINY)) + q * np.log1p(-z) - log_beta) / p, 0.0)
    c, d = np.ones(z.shape), 1 / _away(1 - (p + q) * z / (p + 1))
    fraction = d.copy()
    for m in range(1, TERMS):
        for term in (
            m * (q - m) * z / ((p + 2 * m - 1) * (p + 2 * m)),
            -(p + m) * (p + q + m) * z / ((p + 2 * m) * (p + 2 * m + 1)),
        ):
            d, c = 1 / _away(1 + term * d), _away(1 + term / c)
            fraction *= d * c
    return np.asarray(np.where(swap, 1 - front * fraction, front * fraction))


def _away(values: np.ndarray) -> np.ndarray:
    """Values none of which is 0."""
    return np.asarray(np.where(np.abs(values) < TINY, TINY, values))
