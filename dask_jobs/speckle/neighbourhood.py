"""What the pixels with data around each pixel have in common: number, mean and population variance in square windows.

An image in a frame: dims (y + 2 margin, x + 2 margin), float64, NaN where there is no data and in the frame, so that no
loop asks where the image ends.
"""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled
from infra.errors import InputError

ROUNDING = float(np.finfo(np.float64).eps)


def half_of(window: int) -> int:
    """Pixels on each side of the centre of a window.

    Raises
    ------
    InputError
        If the window is not odd and positive.
    """
    if window < 1 or window % 2 == 0:
        raise InputError(f"speckle: a window of {window} pixels has no centre", "Give an odd number: 3, 5, 7, ...")
    return window // 2


def noise_of(looks: float) -> float:
    """Squared coefficient of variation of speckle, 1/looks.

    Raises
    ------
    InputError
        If looks are not positive.
    """
    if not 0 < looks < np.inf:
        raise InputError(f"speckle: {looks:g} looks", "Give the equivalent number of looks, above 0 (Sentinel-1: 4.4).")
    return 1.0 / looks


def framed(power: np.ndarray, *, margin: int) -> np.ndarray:
    """Image in a frame.

    Parameters
    ----------
    power : dims (y, x); not finite where there is no data
    """
    height, width = power.shape
    frame = np.full((height + 2 * margin, width + 2 * margin), np.nan)
    inner = frame[margin : margin + height, margin : margin + width]
    inner[:] = power
    inner[~np.isfinite(inner)] = np.nan
    return frame


def local_mean(frame: np.ndarray, *, half: int) -> np.ndarray:
    """Mean in the window around each pixel with data, dims (y, x), NaN elsewhere; the frame's margin is `half`."""
    mean = np.empty((frame.shape[0] - 2 * half, frame.shape[1] - 2 * half))
    compiled(_moments)(frame, half, mean, np.empty((0, 0)))
    return mean


def local_moments(frame: np.ndarray, *, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population variance in the window around each pixel with data; parameters as in `local_mean`."""
    mean = np.empty((frame.shape[0] - 2 * half, frame.shape[1] - 2 * half))
    variance = np.empty_like(mean)
    compiled(_moments)(frame, half, mean, variance)
    return mean, variance


# Columns first, then rows of columns: 2 window values per pixel rather than window². Nothing is ever subtracted from a
# running sum, squares are of differences from means (Chan et al.), and what a pixel gets does not depend on the others
# of its image: blocks and the whole agree to the bit. Inner loops run along a row and become vector code.
@numba.njit(nogil=True)
def _moments(frame, half, mean, variance):  # type: ignore[no-untyped-def] # numba infers types
    width, window = frame.shape[1], 2 * half + 1
    columns = np.empty((4, width))  # number, sum, mean, squared differences from it
    row = np.empty((3, mean.shape[1]))
    wanted = variance.size > 0
    for y in range(mean.shape[0]):
        _columns(frame, y, window, wanted, columns)
        _across(columns, window, wanted, row)
        own = frame[y + half, half:]
        for x in range(mean.shape[1]):
            m = row[1, x]
            near = abs(m - own[x]) <= 2 * window * ROUNDING * abs(
                own[x]
            )  # a constant: the mean is off by rounding alone
            mean[y, x] = own[x] if near else (m if own[x] == own[x] else np.nan)
        if wanted:
            for x in range(mean.shape[1]):
                variance[y, x] = row[2, x] / row[0, x] if own[x] == own[x] else np.nan


@numba.njit(nogil=True)
def _columns(frame, y, window, wanted, columns):  # type: ignore[no-untyped-def] # numba infers types
    number, total, mean, squares = columns[0], columns[1], columns[2], columns[3]
    number[:], total[:], squares[:] = 0.0, 0.0, 0.0
    for dy in range(window):
        values = frame[y + dy]
        for x in range(values.size):
            ok = values[x] == values[x]
            number[x] += 1.0 if ok else 0.0
            total[x] += values[x] if ok else 0.0
    for x in range(number.size):
        mean[x] = total[x] / max(number[x], 1.0)
    if wanted:
        for dy in range(window):
            values = frame[y + dy]
            for x in range(values.size):
                off = values[x] - mean[x] if values[x] == values[x] else 0.0
                squares[x] += off * off


@numba.njit(nogil=True)
def _across(columns, window, wanted, row):  # type: ignore[no-untyped-def] # numba infers types
    number, mean, squares = row[0], row[1], row[2]
    number[:], mean[:], squares[:] = 0.0, 0.0, 0.0
    for dx in range(window):
        counts, totals = columns[0, dx:], columns[1, dx:]
        for x in range(number.size):
            number[x] += counts[x]
            mean[x] += totals[x]
    for x in range(number.size):
        mean[x] /= max(number[x], 1.0)
    if wanted:
        for dx in range(window):
            counts, means, within = columns[0, dx:], columns[2, dx:], columns[3, dx:]
            for x in range(number.size):
                off = means[x] - mean[x]
                squares[x] += within[x] + counts[x] * off * off
