"""Lee's estimate over the half of the window that lies on the pixel's side of an edge (Lee 1981)."""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.speckle.neighbourhood import framed, noise_of
from dask_jobs.statistics.sorting_network import compare_exchanges
from dask_jobs.statistics.temporal import sort_rows

HALF = 3  # 7 x 7
STEP = 2  # pixels from a 3 x 3 to the next
CENTRES = ((-1, 0), (1, 0), (1, -1), (-1, 1), (0, -1), (0, 1), (-1, -1), (1, 1), (0, 0))
"""Steps (down, right) to the nine 3 x 3: two after two the sides of a gradient, in the order of the definition."""
NINE, SMALLEST = len(CENTRES), 5


def refined_lee(power: np.ndarray, *, looks: float | None = None) -> np.ndarray:
    """Estimate of least mean square error in the half window, of eight, that an edge leaves to the pixel.

    Defined in `dask_jobs.speckle`. Pixels within three of the image's edge have fewer neighbours.

    Parameters
    ----------
    power : dims (y, x), linear power
        Not finite (NaN, infinite) where there is no data.
    looks : equivalent number of looks, above 0; None to estimate the noise around each pixel

    Returns
    -------
    dims (y, x), float64, linear power, NaN where the pixel itself has no data

    Raises
    ------
    InputError
        If looks are not positive.

    References
    ----------
    Lee (1981), doi:10.1016/S0146-664X(81)80018-4
    """
    noise = -1.0 if looks is None else noise_of(looks)
    frame = framed(power, margin=HALF)
    width = frame.shape[1]
    centres = np.array([STEP * (down * width + right) for down, right in CENTRES])
    halves = np.array([[down * width + right for down, right in half] for half in _halves()])
    made = np.empty(power.shape)
    compiled(_refine)(frame, centres, halves, compare_exchanges(NINE), noise, made)
    return made


def _halves() -> list[list[tuple[int, int]]]:
    """Pixels (down, right) of the half window on the side of each of the first eight centres."""
    every = [(down, right) for down in range(-HALF, HALF + 1) for right in range(-HALF, HALF + 1)]
    return [[(down, right) for down, right in every if down * y + right * x >= 0] for y, x in CENTRES[:-1]]


# Only the half window that is chosen is looked at, relative to the pixel itself: constants come back to the bit.
@numba.njit(nogil=True)
def _refine(frame, centres, halves, network, noise, made):  # type: ignore[no-untyped-def] # numba infers types
    means, spreads = np.full(frame.shape, np.nan), np.full(frame.shape, np.nan)
    _threes(frame, noise < 0, means, spreads)
    flat, flat_means, flat_spreads = frame.ravel(), means.ravel(), spreads.ravel()
    around, rows, noises = np.empty(NINE), np.empty((NINE, made.shape[1])), np.full(made.shape[1], noise)
    for y in range(made.shape[0]):
        first = (y + HALF) * frame.shape[1] + HALF
        if noise < 0:
            _least_spread(flat_spreads, first, centres, network, rows, noises)
        for x in range(made.shape[1]):
            at = first + x
            value = flat[at]
            if value != value:
                made[y, x] = np.nan
                continue
            for k in range(NINE):
                around[k] = flat_means[at + centres[k]]
            mean, variance = _half_moments(flat, at, halves[_side(around)])
            share = 0.0
            if variance > 0 and noises[x] < np.inf:
                share = (variance - mean * mean * noises[x]) / ((1.0 + noises[x]) * variance)
            made[y, x] = mean + min(max(share, 0.0), 1.0) * (value - mean)


@numba.njit(nogil=True)
def _threes(frame, wanted, means, spreads):  # type: ignore[no-untyped-def] # numba infers types
    """Mean and variance / mean² of each 3 x 3; NaN where it has no data."""
    height, width = frame.shape
    number, total = np.empty(width - 2), np.empty(width - 2)
    for y in range(1, height - 1):
        number[:], total[:] = 0.0, 0.0
        for dy in range(-1, 2):
            for dx in range(3):
                values = frame[y + dy, dx:]
                for x in range(number.size):
                    number[x] += 1.0 if values[x] == values[x] else 0.0
                    total[x] += values[x] if values[x] == values[x] else 0.0
        mean = means[y, 1:]
        for x in range(number.size):
            mean[x] = total[x] / number[x] if number[x] > 0 else np.nan
        if wanted:
            _spread(frame, y, number, mean, total, spreads[y, 1:])


@numba.njit(nogil=True)
def _spread(frame, y, number, mean, squares, spread):  # type: ignore[no-untyped-def] # numba infers types
    squares[:] = 0.0
    for dy in range(-1, 2):
        for dx in range(3):
            values = frame[y + dy, dx:]
            for x in range(number.size):
                off = values[x] - mean[x] if values[x] == values[x] else 0.0
                squares[x] += off * off
    for x in range(number.size):
        square = number[x] * mean[x] * mean[x]
        relative = squares[x] / square if square > 0 else np.inf
        spread[x] = (0.0 if squares[x] == 0.0 else relative) if number[x] > 0 else np.nan


@numba.njit(nogil=True)
def _side(around):  # type: ignore[no-untyped-def] # numba infers types
    """Which of the eight half windows."""
    best, largest = 0, -1.0
    for k in range(0, NINE - 1, 2):
        gradient = abs(around[k] - around[k + 1])
        gradient = gradient if gradient == gradient else 0.0
        if gradient > largest:
            best, largest = k, gradient
    centre = around[NINE - 1]
    first, second = abs(around[best] - centre), abs(around[best + 1] - centre)
    # NaN, a side without data, is nearer than nothing
    return best + 1 if second < first or (first != first and second == second) else best


@numba.njit(nogil=True)
def _half_moments(flat, at, offsets):  # type: ignore[no-untyped-def] # numba infers types
    value, number, total, squares = flat[at], 0.0, 0.0, 0.0
    for k in range(offsets.size):
        off = flat[at + offsets[k]] - value
        ok = off == off
        number += 1.0 if ok else 0.0
        total += off if ok else 0.0
        squares += off * off if ok else 0.0
    shift = total / number
    return value + shift, squares / number - shift * shift


@numba.njit(nogil=True)
def _least_spread(flat, first, centres, network, rows, noises):  # type: ignore[no-untyped-def] # numba infers types
    """Of a row of pixels the mean of the five smallest of nine that are there; the centre always is."""
    noises[:] = 0.0  # how many are there, at first
    for k in range(NINE):
        spread, row = flat[first + centres[k] :], rows[k]
        for x in range(noises.size):
            row[x] = spread[x] if spread[x] == spread[x] else np.inf
            noises[x] += 1.0 if spread[x] == spread[x] else 0.0
    sort_rows(rows, network, noises.size)
    total = rows[SMALLEST]  # not one of them
    total[:] = 0.0
    for k in range(SMALLEST):
        row = rows[k]
        for x in range(noises.size):
            total[x] += row[x] if k < noises[x] else 0.0
    for x in range(noises.size):
        noises[x] = total[x] / min(max(noises[x], 1.0), SMALLEST)
