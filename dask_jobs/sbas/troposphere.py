"""The delay of a stratified troposphere, which grows with height: fitted to each date and taken away.

Sums of blocks are added, the sum is fitted, and each block is corrected by the fit::

    moments = [height_moments(block, ...) for each block]
    fit = fit_height(sum of moments)
    corrected = subtract_delay(block, height_delay(fit, ...))

A delay from elsewhere, a weather model's, goes into `subtract_delay` alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.sbas.moments import Moments
from infra.errors import InputError
from infra.grid import Window

LOOKS = 8  # pixels per side over which heights and displacements are averaged before the fit
KILOMETRE = 1000.0  # m


@dataclass(frozen=True, kw_only=True, eq=False)
class HeightFit:
    """How the displacement of each date goes with height.

    Attributes
    ----------
    coefficients : dims (time, power), float64, of powers 0 to `order` of the height in km: m, m / km, m / km²
        Zeros where the correlation is too weak, NaN where a date has fewer cells than coefficients.
    correlation : dims (time,), float64, of height and displacement, -1 to 1; NaN where either is constant
    """

    coefficients: np.ndarray
    correlation: np.ndarray


def sight_height(height: np.ndarray, *, incidence: np.ndarray, reference: tuple[float, float]) -> np.ndarray:
    """Height along the line of sight, h / cos(incidence), above that of the reference pixel.

    Parameters
    ----------
    height : dims (y, x), m
    incidence : dims (y, x), degrees from the vertical; NaN is no data
    reference : height (m) and incidence (degrees) at the reference pixel

    Returns
    -------
    dims (y, x), float64, m; NaN where height or incidence is missing

    Raises
    ------
    InputError
        If height or incidence is missing at the reference pixel.
    """
    if not np.all(np.isfinite(reference)):
        raise InputError(
            f"the reference pixel has height {reference[0]:g} m and incidence {reference[1]:g} degrees",
            "Choose a reference pixel at which both are known.",
        )
    zero = reference[0] / np.cos(np.deg2rad(reference[1]))
    slope = np.cos(np.deg2rad(np.asarray(incidence, dtype=np.float64)))
    return np.asarray(np.asarray(height, dtype=np.float64) / slope - zero)


def height_moments(
    series: np.ndarray,
    *,
    sight_height: np.ndarray,
    mask: np.ndarray,
    window: Window,
    order: int = 1,
    looks: int = LOOKS,
) -> Moments:
    """Sums over one block for the fit of displacement to height, from means over cells of `looks` x `looks` pixels.

    Parameters
    ----------
    series : dims (time, y, x), float32, m; NaN is no data, 0 is data
    sight_height : dims (y, x), m, as of `sight_height`
    mask : dims (y, x), bool: pixels to rely on
    window : where the block lies in the raster; its row and column are multiples of `looks`
    order : of the polynomial in height, 1 or more
    looks : pixels per side of a cell; cells begin at the raster's first pixel, and those that its last rows and columns
        leave incomplete are left out

    Returns
    -------
    moments of the columns 1, h, …, h^order, displacement, with h in km; `count` is of cells
        A cell's means are over the pixels of the mask that have both a height and, at that date, a displacement.

    Raises
    ------
    InputError
        If the order is below 1.
    ValueError
        If shapes differ, or the block does not begin at a cell.
    """
    if order < 1:
        raise InputError(f"a polynomial of order {order} does not go with height", "Give an order of 1 or more.")
    if window.row % looks or window.col % looks:
        raise ValueError(f"a block at row {window.row}, column {window.col} cuts cells of {looks} x {looks} pixels")
    if not series.shape[1:] == sight_height.shape == mask.shape == (window.height, window.width):
        raise ValueError(f"series {series.shape}, height {sight_height.shape}, mask {mask.shape}, {window} differ")
    masked = np.where(mask, np.asarray(sight_height, dtype=np.float64) / KILOMETRE, np.nan)
    products = np.zeros((series.shape[0], order + 2, order + 2))
    compiled(_sum_cells)(np.ascontiguousarray(series, dtype=np.float32), masked, looks, products)
    return Moments(products=products, count=products[:, 0, 0].copy())


def fit_height(moments: Moments, *, min_correlation: float = 0.0) -> HeightFit:
    """Least squares of each date's displacement on powers of height.

    Parameters
    ----------
    moments : of the whole raster: the sum of its blocks' `height_moments`
    min_correlation : dates whose correlation of height and displacement is nearer to 0 are left as they are

    Raises
    ------
    InputError
        If no date has as many cells as the polynomial has coefficients.

    References
    ----------
    Doin et al. (2009), doi:10.1016/j.jappgeo.2009.03.010
    """
    order = moments.products.shape[1] - 2
    told = moments.count > order
    if not told.any():
        raise InputError(
            f"at most {moments.count.max(initial=0.0):.0f} cells have height and displacement to fit {order + 1} numbers",
            "Lower the coherence that a pixel needs, or do without the correction by height.",
        )
    correlation = _correlation(moments)
    coefficients = moments.solve()
    coefficients[np.abs(correlation) < min_correlation] = 0.0
    coefficients[~told] = np.nan
    return HeightFit(coefficients=coefficients, correlation=correlation)


def height_delay(fit: HeightFit, *, sight_height: np.ndarray) -> np.ndarray:
    """Displacement that the fit gives each pixel of a block, minus that of the reference pixel.

    Parameters
    ----------
    sight_height : dims (y, x), m, as of `sight_height`: 0 at the reference pixel, so that there the fit is its constant

    Returns
    -------
    dims (time, y, x), float32, m; NaN where the height is missing, or the date has no fit
    """
    height = np.asarray(sight_height, dtype=np.float64) / KILOMETRE
    made = np.empty((fit.coefficients.shape[0], *height.shape), dtype=np.float32)
    for delay, coefficients in zip(made, fit.coefficients, strict=True):
        total = np.zeros(height.shape)
        for coefficient in coefficients[:0:-1]:
            total = (total + coefficient) * height
        delay[:] = total
    return made


def subtract_delay(series: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """Series without a delay, or a ramp, that is known for each of its pixels and dates.

    Parameters
    ----------
    series : dims (time, y, x), float32, m; NaN is no data
    delay : dims (time, y, x), m, in the series' sign and relative to the same pixel and date

    Returns
    -------
    dims (time, y, x), float32, m; NaN where either is
        What is exactly 0 stays 0, as in MintPy: all of the reference date and of the reference pixel, but also the rare
        pixel that is 0 by chance.

    Raises
    ------
    ValueError
        If shapes differ: nothing is broadcast.
    """
    if series.shape != delay.shape:
        raise ValueError(f"a delay of {delay.shape} for a series of {series.shape}")
    made = np.empty(series.shape, dtype=np.float32)
    for left, values, less in zip(made, series, delay, strict=True):  # one date in double precision at a time
        rest = np.asarray(values, dtype=np.float64) - less
        left[:] = np.where((values == 0) & np.isfinite(rest), 0.0, rest)
    return made


def _correlation(moments: Moments) -> np.ndarray:
    """Of the first power and the value, dims (time,)."""
    some = np.maximum(moments.count, 1.0)
    x, y = moments.products[:, 0, 1] / some, moments.products[:, 0, -1] / some
    xy = moments.products[:, 1, -1] / some - x * y
    xx, yy = moments.products[:, 1, 1] / some - x * x, moments.products[:, -1, -1] / some - y * y
    flat = (xx <= 0) | (yy <= 0)
    return np.where(flat, np.nan, xy / np.sqrt(np.where(flat, 1.0, xx * yy)))


@numba.njit(nogil=True)
def _sum_cells(series, height, looks, products):  # type: ignore[no-untyped-def] # numba infers types
    cells, last = height.shape[1] // looks, products.shape[1] - 1
    number, level, value, column = np.empty(cells), np.empty(cells), np.empty(cells), np.empty(last + 1)
    for t in range(series.shape[0]):
        for row in range(0, height.shape[0] // looks * looks, looks):
            _average(series[t, row : row + looks], height[row : row + looks], looks, number, level, value)
            for cell in range(cells):
                if number[cell] > 0:
                    column[0], column[last] = 1.0, value[cell]
                    for k in range(1, last):
                        column[k] = column[k - 1] * level[cell]
                    for i in range(last + 1):
                        for j in range(last + 1):
                            products[t, i, j] += column[i] * column[j]


@numba.njit(nogil=True)
def _average(series, height, looks, number, level, value):  # type: ignore[no-untyped-def] # numba infers types
    """Means of height and value, and number of pixels, of each cell in a row of cells."""
    number[:], level[:], value[:] = 0.0, 0.0, 0.0
    for y in range(looks):
        for x in range(number.size * looks):
            if height[y, x] == height[y, x] and abs(series[y, x]) < np.inf:
                number[x // looks] += 1.0
                level[x // looks] += height[y, x]
                value[x // looks] += series[y, x]
    for cell in range(number.size):
        if number[cell] > 0:
            level[cell] /= number[cell]
            value[cell] /= number[cell]
