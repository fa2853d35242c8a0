"""The most probable backscatter where it varies as a gamma distribution does (Lopes et al. 1990)."""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.speckle.neighbourhood import framed, half_of, local_moments, noise_of


def gamma_map(power: np.ndarray, *, window: int, looks: float) -> np.ndarray:
    """Maximum a posteriori estimate: the mean where only speckle varies, the pixel itself where far more does.

    It is a mode, hence biased low: -1.4 % on flat four-look speckle, -6 % on gamma texture.

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
    Lopes, Nezry, Touzi, Laur (1990), "Maximum a posteriori speckle filtering and first order texture models in SAR
    images"; the upper threshold is √2 Cu
    """
    half, noise = half_of(window), noise_of(looks)
    frame = framed(power, margin=half)
    mean, variance = local_moments(frame, half=half)
    compiled(_most_probable)(frame, half, looks, noise, mean, variance)
    return mean


@numba.njit(nogil=True)
def _most_probable(frame, margin, looks, noise, mean, variance):  # type: ignore[no-untyped-def] # numba infers types
    for y in range(mean.shape[0]):
        own = frame[y + margin, margin:]
        for x in range(mean.shape[1]):
            value, m, v = own[x], mean[y, x], variance[y, x]
            square = m * m
            if not v > noise * square:
                continue
            if v >= 2.0 * noise * square:
                mean[y, x] = value
                continue
            a = (1.0 + noise) / (v / square - noise)
            b = a - looks - 1.0
            root = np.sqrt(max(0.0, b * b * square + 4.0 * a * looks * value * m))
            mean[y, x] = (b * m + root) / (2.0 * a)
