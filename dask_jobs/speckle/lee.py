"""The linear estimate of least mean square error (Lee 1980)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba

from dask_jobs.compiled import compiled
from dask_jobs.speckle.neighbourhood import framed, half_of, local_moments, noise_of

if TYPE_CHECKING:
    import numpy as np


def lee(power: np.ndarray, *, window: int, looks: float) -> np.ndarray:
    """Mean of a square window, drawn to the pixel by how much more varies there than speckle does.

    Parameters
    ----------
    power : dims (y, x), linear power
        Not finite (NaN, infinite) where there is no data.
    window : odd, pixels
    looks : equivalent number of looks, above 0

    Returns
    -------
    dims (y, x), float64, linear power, NaN where the pixel itself has no data

    Raises
    ------
    InputError
        If the window is even or not positive, or looks are not positive.

    References
    ----------
    Lee (1980), multiplicative noise, doi:10.1109/TPAMI.1980.4766994
    """
    half, noise = half_of(window), noise_of(looks)
    frame = framed(power, margin=half)
    mean, variance = local_moments(frame, half=half)
    return drawn_to_pixel(frame, mean, variance, margin=half, noise=noise)


def drawn_to_pixel(
    frame: np.ndarray, mean: np.ndarray, variance: np.ndarray, *, margin: int, noise: float
) -> np.ndarray:
    """Estimate from mean and variance, dims (y, x), which are overwritten.

    Parameters
    ----------
    frame : the image with its margin (`framed`)
    noise : squared coefficient of variation of speckle
    """
    compiled(_draw)(frame, margin, noise, mean, variance)
    return mean


@numba.njit(nogil=True)
def mmse(value, mean, variance, noise):  # type: ignore[no-untyped-def] # numba infers types
    """Estimate of one pixel; `mean` where nothing varies."""
    if not variance > 0:
        return mean
    share = (1.0 - noise * mean * mean / variance) / (1.0 + noise)
    return mean + max(share, 0.0) * (value - mean)


@numba.njit(nogil=True)
def _draw(frame, margin, noise, mean, variance):  # type: ignore[no-untyped-def] # numba infers types
    for y in range(mean.shape[0]):
        own = frame[y + margin, margin:]
        for x in range(mean.shape[1]):
            mean[y, x] = mmse(own[x], mean[y, x], variance[y, x], noise)
