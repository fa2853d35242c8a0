"""Speckle averaged over dates while every date keeps its own backscatter (Quegan and Yu 2001)."""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.speckle.boxcar import boxcar


def multi_temporal(powers: np.ndarray, *, window: int) -> np.ndarray:
    """Local mean of each date, times the mean over all dates of how far they lie from theirs.

    On flat independent speckle of L looks the equivalent number of looks becomes L N M / (N + M - 1), for N dates and M
    pixels in the window.

    Parameters
    ----------
    powers : dims (time, y, x), linear power, one polarization of one relative orbit
        Not finite (NaN, infinite) where there is no data.
    window : odd, pixels

    Returns
    -------
    dims (time, y, x), float64, linear power, NaN where the pixel itself has no data on that date

    Raises
    ------
    InputError
        If the window is even or not positive.

    References
    ----------
    Quegan and Yu (2001), doi:10.1109/36.964973
    """
    means = np.empty(powers.shape)
    for own, power in zip(means, powers, strict=True):
        own[:] = boxcar(power, window=window)
    compiled(_share)(powers, means)
    return means


@numba.njit(nogil=True)
def _share(powers, means):  # type: ignore[no-untyped-def] # numba infers types
    steps, height, width = means.shape
    ratio, number = np.empty(width), np.empty(width)
    for y in range(height):
        ratio[:], number[:] = 0.0, 0.0
        for t in range(steps):
            for x in range(width):
                m = means[t, y, x]
                if m == m:
                    ratio[x] += powers[t, y, x] / m if m != 0.0 else 1.0
                    number[x] += 1.0
        for x in range(width):
            ratio[x] /= max(number[x], 1.0)
        for t in range(steps):
            for x in range(width):
                means[t, y, x] *= ratio[x]
