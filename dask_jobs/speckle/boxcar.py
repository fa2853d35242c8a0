"""The mean around each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_jobs.speckle.neighbourhood import framed, half_of, local_mean

if TYPE_CHECKING:
    import numpy as np


def boxcar(power: np.ndarray, *, window: int) -> np.ndarray:
    """Mean of the pixels with data of a square window.

    Parameters
    ----------
    power : dims (y, x), linear power
        Not finite (NaN, infinite) where there is no data.
    window : odd, pixels

    Returns
    -------
    dims (y, x), float64, linear power, NaN where the pixel itself has no data

    Raises
    ------
    InputError
        If the window is even or not positive.
    """
    half = half_of(window)
    return local_mean(framed(power, margin=half), half=half)
