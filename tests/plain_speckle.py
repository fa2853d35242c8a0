"""Speckle filters as plain loops over pixels, written from their definitions alone: what both engines are compared with.

Power is linear, NaN where there is no data; results are float64. Imports nothing of ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from scipy import integrate, optimize, stats

Around = list[tuple[int, int]]


def boxcar(power: np.ndarray, *, window: int) -> np.ndarray:
    return _each(power, lambda y, x: float(np.mean(_values(power, y, x, _square(window)))))


def focal_median(power: np.ndarray, *, radius: float) -> np.ndarray:
    reach = math.floor(radius)
    disk = [
        (dy, dx)
        for dy in range(-reach, reach + 1)
        for dx in range(-reach, reach + 1)
        if dx * dx + dy * dy <= radius * radius
    ]
    return _each(power, lambda y, x: float(np.median(_values(power, y, x, disk))))


def lee(power: np.ndarray, *, window: int, looks: float) -> np.ndarray:
    return _each(power, lambda y, x: _lee(power[y, x], _values(power, y, x, _square(window)), noise=1 / looks))


def refined_lee(power: np.ndarray, *, looks: float | None = None) -> np.ndarray:
    return _each(power, lambda y, x: _refined(power, y, x, looks=looks))


def gamma_map(power: np.ndarray, *, window: int, looks: float) -> np.ndarray:
    def one(y: int, x: int) -> float:
        value, around = float(power[y, x]), _values(power, y, x, _square(window))
        mean, noise = around.mean(), 1 / looks
        if around.var() <= noise * mean**2:
            return float(mean)
        if around.var() >= 2 * noise * mean**2:
            return value
        a = (1 + noise) / (around.var() / mean**2 - noise)
        b = a - looks - 1
        return float((b * mean + np.sqrt(b**2 * mean**2 + 4 * a * looks * value * mean)) / (2 * a))

    return _each(power, one)


def lee_sigma(
    power: np.ndarray, *, window: int, looks: float, sigma: float = 0.9, strong: float, least: int = 5
) -> np.ndarray:
    low, high, deviation = sigma_range(looks, sigma)
    targets = _point_targets(power, strong=strong, least=least)

    def one(y: int, x: int) -> float:
        if targets[y, x]:
            return float(power[y, x])
        prior = _lee(power[y, x], _values(power, y, x, _square(3)), noise=1 / looks)
        around = [
            (dy, dx)
            for dy, dx in _square(window)
            if all(low * prior <= value <= high * prior for value in _values(power, y, x, [(dy, dx)]))
        ]
        if _values(power, y, x, [step for step in around if step != (0, 0)]).size == 0:
            return prior
        return _lee(power[y, x], _values(power, y, x, around), noise=deviation**2)

    return _each(power, one)


def multi_temporal(powers: np.ndarray, *, window: int) -> np.ndarray:
    means = np.array([boxcar(power, window=window) for power in powers])
    made = np.full(powers.shape, np.nan)
    for k, y, x in np.ndindex(*powers.shape):
        if np.isfinite(powers[k, y, x]):
            dates = [i for i in range(len(powers)) if np.isfinite(powers[i, y, x])]
            ratios = [powers[i, y, x] / means[i, y, x] if means[i, y, x] else 1.0 for i in dates]
            made[k, y, x] = means[k, y, x] / len(dates) * sum(ratios)
    return made


@cache
def sigma_range(looks: float, sigma: float) -> tuple[float, float, float]:
    """(I1, I2, standard deviation) by integrating the gamma distribution numerically."""
    speckle = stats.gamma(looks, scale=1 / looks)

    def moment(power: int, low: float, high: float) -> float:
        return float(
            integrate.quad(lambda x: x**power * speckle.pdf(x), low, high, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
        )

    def upper(low: float) -> float:
        return float(speckle.ppf(min(speckle.cdf(low) + sigma, 1 - 1e-16)))

    most = float(speckle.ppf(1 - sigma))
    low = optimize.brentq(
        lambda low: moment(1, low, upper(low)) / sigma - 1, 1e-9 * most, most * (1 - 1e-9), xtol=1e-14
    )
    high = upper(low)
    mean = moment(1, low, high) / sigma
    return low, high, math.sqrt(moment(2, low, high) / sigma - mean**2)


def _lee(value: float, around: np.ndarray, *, noise: float) -> float:
    mean, variance = around.mean(), around.var()
    if variance == 0:
        return float(mean)
    share = max(0.0, (1 - noise * mean**2 / variance) / (1 + noise))
    return float(mean + share * (value - mean))


def _refined(power: np.ndarray, y: int, x: int, *, looks: float | None) -> float:
    def three(dy: int, dx: int) -> np.ndarray:
        return _values(power, y, x, [(2 * dy + i, 2 * dx + j) for i, j in _square(3)])

    pairs = [((-1, 0), (1, 0)), ((1, -1), (-1, 1)), ((0, -1), (0, 1)), ((-1, -1), (1, 1))]
    gradients = [
        abs(three(*one).mean() - three(*other).mean()) if three(*one).size and three(*other).size else 0.0
        for one, other in pairs
    ]
    pair = pairs[int(np.argmax(gradients))]
    centre = three(0, 0).mean()
    far = [abs(three(*side).mean() - centre) if three(*side).size else math.inf for side in pair]
    down, right = pair[0] if far[0] <= far[1] else pair[1]
    around = _values(power, y, x, [(i, j) for i, j in _square(7) if i * down + j * right >= 0])
    mean, variance = around.mean(), around.var()
    if variance == 0:
        return float(mean)
    noise = 1 / looks if looks is not None else _five_smallest([three(i, j) for i, j in _square(3)])
    share = min(max((variance - mean**2 * noise) / ((1 + noise) * variance), 0.0), 1.0)
    return float(mean + share * (power[y, x] - mean))


def _five_smallest(threes: list[np.ndarray]) -> float:
    spreads = sorted(three.var() / three.mean() ** 2 if three.var() else 0.0 for three in threes if three.size)
    return float(np.mean(spreads[:5]))


def _point_targets(power: np.ndarray, *, strong: float, least: int) -> np.ndarray:
    candidates = power >= strong
    kept = np.zeros(power.shape, dtype=bool)
    for y, x in np.argwhere(candidates):
        near = (slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
        if candidates[near].sum() >= least:
            kept[near] |= candidates[near]
    return kept


def _square(window: int) -> Around:
    half = window // 2
    return [(dy, dx) for dy in range(-half, half + 1) for dx in range(-half, half + 1)]


def _values(power: np.ndarray, y: int, x: int, around: Around) -> np.ndarray:
    """What has data at these steps from a pixel, float64."""
    return np.array(list(_there(power, y, x, around)), dtype=np.float64)


def _there(power: np.ndarray, y: int, x: int, around: Around) -> Iterator[float]:
    for dy, dx in around:
        if 0 <= y + dy < power.shape[0] and 0 <= x + dx < power.shape[1] and np.isfinite(power[y + dy, x + dx]):
            yield float(power[y + dy, x + dx])


def _each(power: np.ndarray, one: Callable[[int, int], float]) -> np.ndarray:
    made = np.full(power.shape, np.nan)
    for y, x in np.argwhere(np.isfinite(power)):
        made[y, x] = one(int(y), int(x))
    return made
