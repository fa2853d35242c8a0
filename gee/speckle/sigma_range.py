"""The range in which a share of all speckle lies without shifting its mean (Lee et al. 2009, section III)."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from infra.errors import InputError

NODES, PARTS = 60, 8  # of the quadrature
HALVINGS = 80  # of 700 units of ln x: to the last digit
SMALLEST = 1e-300


class SigmaRange(NamedTuple):
    """Relative to the mean: lower and upper end, and the standard deviation of what lies between."""

    low: float
    high: float
    deviation: float


@cache
def sigma_range(*, looks: float, sigma: float) -> SigmaRange:
    """Range of gamma distributed speckle with mean 1.

    (x - 1) p(x) is the derivative of -x p(x) / L: the mean between I1 and I2 is 1 where I p(I) is the same at both ends.
    Of these ranges the one that holds `sigma` is found by halving, its moments by quadrature over ln x. The published
    tables hold these values for 1 to 4 looks.

    Parameters
    ----------
    looks : above 0
    sigma : share of the speckle in the range, above 0, below 1

    Raises
    ------
    InputError
        If a parameter is outside of that.
    """
    if not 0 < looks < math.inf:
        raise InputError(f"speckle: {looks:g} looks", "Give the equivalent number of looks, above 0 (Sentinel-1: 4.4).")
    if not 0 < sigma < 1:
        raise InputError(f"speckle: sigma {sigma:g} is no share of the speckle", "Give one between 0 and 1, as 0.9.")
    wide, narrow = SMALLEST, 1.0
    for _ in range(HALVINGS):
        low = math.sqrt(wide * narrow)
        if _moment(0, low, _other_end(low), looks) > sigma:
            wide = low
        else:
            narrow = low
    high = _other_end(low)
    held, mean, squares = (_moment(power, low, high, looks) for power in range(3))
    return SigmaRange(low, high, math.sqrt(max(squares / held - (mean / held) ** 2, 0.0)))


def _other_end(low: float) -> float:
    """The value above 1 with the same I p(I), which is (I exp(-I))^L but for a factor: whatever the looks."""
    level = math.log(low) - low
    near, far = 1.0, 2.0 - 2.0 * level
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if math.log(middle) - middle > level else (near, middle)
    return (near + far) / 2


def _moment(power: int, low: float, high: float, looks: float) -> float:
    """Integral of x^power p(x) from `low` to `high`."""
    nodes, weights = _quadrature()
    density_left = looks * math.log(looks) - math.lgamma(looks)
    start, end = math.log(low), math.log(high)
    steps = np.linspace(max(start, -800.0 / max(looks, 1e-3)), end, PARTS + 1)  # further left there is nothing
    total = 0.0
    for left, right in pairwise(steps):
        log_x = left + (right - left) * (nodes + 1) / 2
        values = np.exp(density_left + (looks + power) * log_x - looks * np.exp(log_x))
        total += float((right - left) / 2 * np.sum(weights * values))
    return total


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature from -1 to 1."""
    return np.polynomial.legendre.leggauss(NODES)
