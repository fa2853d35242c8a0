"""Ramps, planes or quadratic surfaces over the whole raster, fitted to each date: what orbits and long waves leave.

Sums of blocks are added, the sum is fitted, and each block is corrected by the fit::

    moments = [ramp_moments(block, ...) for each block]
    fit = fit_ramps(sum of moments)
    corrected = subtract_delay(block, ramps(fit, ...))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.sbas.moments import Moments
from infra.grid import Window

Order = Literal[1, 2]
POWERS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 0), (1, 0), (0, 1)),
    2: ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2)),
}
"""Powers of y and of x in each column of a ramp, by order."""
EVERY, VALUES, SQUARES, COUNT, SUMS = 0, 5, 8, 9, 10
"""Where the sums of a column of pixels lie: of y⁰ to y⁴, of the value times y⁰ to y², of its square, and of pixels."""


@dataclass(frozen=True, kw_only=True)
class RampMoments:
    """Sums over pixels for ramps of one order over one raster.

    Attributes
    ----------
    order : 1 for planes, 2 for quadratic surfaces
    shape : rows and columns of the whole raster
    sums : of the columns `POWERS[order]` of y and x, each from -1 to 1 over the raster, and the value, m; `count` is of
        pixels with data, those that are exactly 0 included
    """

    order: Order
    shape: tuple[int, int]
    sums: Moments

    def __add__(self, other: RampMoments) -> RampMoments:
        if (self.order, self.shape) != (other.order, other.shape):
            raise ValueError(f"ramps of order {self.order} over {self.shape} and of {other.order} over {other.shape}")
        return RampMoments(order=self.order, shape=self.shape, sums=self.sums + other.sums)


@dataclass(frozen=True, kw_only=True, eq=False)
class RampFit:
    """Ramp of each date: `coefficients`, dims (time, column), float64, m, of the columns `POWERS[order]`."""

    order: Order
    shape: tuple[int, int]
    coefficients: np.ndarray


def ramp_moments(
    series: np.ndarray, *, mask: np.ndarray, window: Window, shape: tuple[int, int], order: Order
) -> RampMoments:
    """Sums over one block for the fit of ramps.

    Parameters
    ----------
    series : dims (time, y, x), float32, m; NaN is no data
        Pixels that are exactly 0 at a date are not in its fit: those of the reference date and the reference pixel.
    mask : dims (y, x), bool: pixels to rely on
    window : where the block lies in the raster
    shape : rows and columns of the whole raster
    order : 1 for planes, 2 for quadratic surfaces

    Raises
    ------
    ValueError
        If shapes differ.
    """
    if not series.shape[1:] == mask.shape == (window.height, window.width):
        raise ValueError(f"series {series.shape}, mask {mask.shape} and {window} differ")
    y, x = _coordinates(window, shape)
    by_column = np.zeros((series.shape[0], SUMS, window.width))
    compiled(_sum_columns)(np.ascontiguousarray(series, dtype=np.float32), mask, y, by_column)
    total = by_column @ np.stack([x**power for power in range(5)], axis=1)  # dims (time, sum, power of x)
    powers = POWERS[order]
    products = np.empty((series.shape[0], len(powers) + 1, len(powers) + 1))
    for i, (down, right) in enumerate(powers):
        products[:, i, -1] = products[:, -1, i] = total[:, VALUES + down, right]
        for j, (below, beside) in enumerate(powers):
            products[:, i, j] = total[:, EVERY + down + below, right + beside]
    products[:, -1, -1] = total[:, SQUARES, 0]
    return RampMoments(order=order, shape=shape, sums=Moments(products=products, count=total[:, COUNT, 0]))


def fit_ramps(moments: RampMoments) -> RampFit:
    """Least squares of each date's values on planes or quadratic surfaces; no ramp where a date has nothing but zeros.

    Parameters
    ----------
    moments : of the whole raster: the sum of its blocks' `ramp_moments`
    """
    return RampFit(order=moments.order, shape=moments.shape, coefficients=moments.sums.solve())


def ramps(fit: RampFit, *, window: Window, reference: tuple[int, int]) -> np.ndarray:
    """Ramps over one block, minus their value at the reference pixel.

    Parameters
    ----------
    window : where the block lies in the raster
    reference : row and column of the reference pixel in the raster

    Returns
    -------
    dims (time, y, x), float32, m
    """
    y, x = _coordinates(window, fit.shape)
    coefficients = referenced(fit, reference=reference)
    along = np.zeros((coefficients.shape[0], window.height, 3))  # each row's polynomial in x
    for k, (down, right) in enumerate(POWERS[fit.order]):
        along[:, :, right] += coefficients[:, k, None] * y**down
    made = np.empty((coefficients.shape[0], window.height, window.width), dtype=np.float32)
    for ramp, rows in zip(made, along, strict=True):
        ramp[:] = (rows[:, 2:] * x + rows[:, 1:2]) * x + rows[:, :1]
    return made


def referenced(fit: RampFit, *, reference: tuple[int, int]) -> np.ndarray:
    """Coefficients of the ramps minus their value at a pixel, dims (time, column): only the constant changes."""
    y, x = _coordinates(Window(*reference, 1, 1), fit.shape)
    there = np.array([y[0] ** down * x[0] ** right for down, right in POWERS[fit.order]])
    made = fit.coefficients.copy()
    made[:, 0] = -made[:, 1:] @ there[1:]
    return made


def _coordinates(window: Window, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a window, each scaled to -1 to 1 over the raster: powers of pixels would lose digits."""
    rows, cols = np.arange(window.height) + window.row, np.arange(window.width) + window.col
    return tuple((2.0 * place - (size - 1)) / max(size - 1, 1) for place, size in zip((rows, cols), shape, strict=True))  # type: ignore[return-value]


# Sums of powers of y by column of pixels first: those over x are then few, and each loop over a row is vector code.
@numba.njit(nogil=True)
def _sum_columns(series, mask, rows, sums):  # type: ignore[no-untyped-def] # numba infers types
    width = series.shape[2]
    fitted, value, infinite = np.empty(width), np.empty(width), np.float32(np.inf)
    for t in range(series.shape[0]):
        for y in range(series.shape[1]):
            source, wanted, count = series[t, y], mask[y], sums[t, COUNT]
            for x in range(width):
                there = wanted[x] & (abs(source[x]) < infinite)
                count[x] += 1.0 if there else 0.0
                value[x] = np.float64(source[x]) if there else 0.0
            for x in range(width):
                fitted[x] = 1.0 if value[x] != 0.0 else 0.0
            power = 1.0
            for k in range(5):
                total = sums[t, EVERY + k]
                for x in range(width):
                    total[x] += power * fitted[x]
                if k < 3:
                    total = sums[t, VALUES + k]
                    for x in range(width):
                        total[x] += power * value[x]
                power *= rows[y]
            total = sums[t, SQUARES]
            for x in range(width):
                total[x] += value[x] * value[x]
