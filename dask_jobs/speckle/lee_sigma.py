"""Lee's estimate over the pixels that may be speckle of the same backscatter (Lee et al. 2009)."""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.speckle.lee import drawn_to_pixel, mmse
from dask_jobs.speckle.neighbourhood import framed, half_of, local_moments, noise_of
from dask_jobs.speckle.sigma_range import sigma_range
from infra.errors import InputError

LEAST = 5  # of the nine pixels of a 3 x 3
NEAR, REACH = 1, 2  # pixels: half a 3 x 3; how far a point target's neighbours are looked for


def lee_sigma(
    power: np.ndarray, *, window: int, looks: float, sigma: float = 0.9, strong: float, least: int = LEAST
) -> np.ndarray:
    """Estimate of least mean square error over the pixels of a square window within the sigma range; point targets stay.

    Defined in `dask_jobs.speckle`.

    Parameters
    ----------
    power : dims (y, x), linear power
        Not finite (NaN, infinite) where there is no data.
    window : odd, pixels
    looks : equivalent number of looks, above 0
    sigma : share of the speckle in the range, above 0, below 1
    strong : linear power from which on a pixel may belong to a point target. Given, not a percentile of the image: that
        would depend on how it is cut.
    least : such pixels in a 3 x 3 that make a point target, 1 to 9

    Returns
    -------
    dims (y, x), float64, linear power, NaN where the pixel itself has no data

    Raises
    ------
    InputError
        If a parameter is outside of what it may be.

    References
    ----------
    Lee, Wen, Ainsworth, Chen, Chen (2009), doi:10.1109/TGRS.2008.2002881
    """
    half, noise = half_of(window), noise_of(looks)
    inner = sigma_range(looks=looks, sigma=sigma)
    if not 1 <= least <= (2 * NEAR + 1) ** 2:
        raise InputError(f"speckle: {least} strong pixels of a 3 x 3", "Give 1 to 9.")
    small = framed(power, margin=NEAR)
    made = drawn_to_pixel(small, *local_moments(small, half=NEAR), margin=NEAR, noise=noise)
    compiled(_within_range)(framed(power, margin=half), half, inner.low, inner.high, inner.deviation**2, made)
    frame = framed(power, margin=REACH)
    if np.any(frame >= strong):
        compiled(_keep_targets)(frame, float(strong), least, made)
    return made


@numba.njit(nogil=True)
def _within_range(frame, half, low, high, noise, made):  # type: ignore[no-untyped-def] # numba infers types
    """From the a-priori mean in `made` to the estimate, row by row."""
    width, window = made.shape[1], 2 * half + 1
    number, total, squares = np.empty(width), np.empty(width), np.empty(width)
    for y in range(made.shape[0]):
        prior, own = made[y], frame[y + half, half:]
        number[:], total[:], squares[:] = 0.0, 0.0, 0.0
        for dy in range(window):
            for dx in range(window):
                values = frame[y + dy, dx:]
                for x in range(width):
                    value, p = values[x], prior[x]
                    ok = (value >= low * p) & (value <= high * p)
                    off = value - p if ok else 0.0
                    number[x] += 1.0 if ok else 0.0
                    total[x] += off
                    squares[x] += off * off
        for x in range(width):
            value, p = own[x], prior[x]
            others = number[x] - (1.0 if (value >= low * p) & (value <= high * p) else 0.0)
            if others > 0:
                shift = total[x] / number[x]
                prior[x] = mmse(value, p + shift, squares[x] / number[x] - shift * shift, noise)


@numba.njit(nogil=True)
def _keep_targets(frame, strong, least, made):  # type: ignore[no-untyped-def] # numba infers types
    for y in range(1, frame.shape[0] - 1):
        for x in range(1, frame.shape[1] - 1):
            if not frame[y, x] >= strong:
                continue
            number = 0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    number += 1 if frame[y + dy, x + dx] >= strong else 0
            if number < least:
                continue
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    row, col = y + dy - REACH, x + dx - REACH
                    inside = 0 <= row < made.shape[0] and 0 <= col < made.shape[1]
                    if inside and frame[y + dy, x + dx] >= strong:
                        made[row, col] = frame[y + dy, x + dx]
