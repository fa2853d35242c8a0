"""The median around each pixel."""

from __future__ import annotations

import math

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.speckle.neighbourhood import framed
from infra.errors import InputError

TILE = 96  # pixels: side of what is ranked at once, with its margin, unless the disk is too large for it
WORD, GROUP = 32, 1024  # ranks that are counted together


def focal_median(power: np.ndarray, *, radius: float) -> np.ndarray:
    """Median of the pixels with data of a disk; of an even number the mean of the two in the middle.

    Parameters
    ----------
    power : dims (y, x), linear power
        Not finite (NaN, infinite) where there is no data.
    radius : pixels; the disk holds centres with dx² + dy² <= radius²

    Returns
    -------
    dims (y, x), float64, linear power, NaN where the pixel itself has no data

    Raises
    ------
    InputError
        If the radius is negative or not finite.

    Notes
    -----
    From one pixel to the next only the disk's outline changes (Huang et al. 1979, doi:10.1109/TASSP.1979.1163188), here
    of ranks within a tile, so that medians are exact: the work grows with the radius, not with the disk.
    """
    if not 0 <= radius < math.inf:
        raise InputError(f"speckle: a radius of {radius:g} pixels", "Give one of 0 or more.")
    margin = math.floor(radius)
    reach = np.array([math.isqrt(math.floor(radius * radius) - dy * dy) for dy in range(-margin, margin + 1)])
    frame = framed(power, margin=margin)
    made = np.full(power.shape, np.nan)
    side = max(TILE, 4 * margin) - 2 * margin
    for row in range(0, power.shape[0], side):
        for col in range(0, power.shape[1], side):
            part = made[row : row + side, col : col + side]
            tile = frame[row : row + part.shape[0] + 2 * margin, col : col + part.shape[1] + 2 * margin]
            _rank_and_slide(tile, reach, part)
    return made


def _rank_and_slide(tile: np.ndarray, reach: np.ndarray, part: np.ndarray) -> None:
    values = tile[np.isfinite(tile)]
    order = np.argsort(values)
    ranks = np.full(tile.shape, -1, dtype=np.int64)
    own = np.empty(values.size, dtype=np.int64)
    own[order] = np.arange(values.size)
    ranks[np.isfinite(tile)] = own
    compiled(_slide)(ranks, values[order], reach, part)


@numba.njit(nogil=True)
def _slide(ranks, values, reach, part):  # type: ignore[no-untyped-def] # numba infers types
    margin = reach.size // 2
    there = np.zeros(values.size + 1, dtype=np.uint8)
    words = np.zeros(values.size // WORD + 1, dtype=np.int32)
    groups = np.zeros(values.size // GROUP + 1, dtype=np.int32)
    for y in range(part.shape[0]):
        there[:], words[:], groups[:] = 0, 0, 0
        number = 0
        for dy in range(reach.size):
            for x in range(margin - reach[dy], margin + reach[dy] + 1):
                number += _count(ranks[y + dy, x], 1, there, words, groups)
        for x in range(part.shape[1]):
            if x:
                for dy in range(reach.size):
                    number += _count(ranks[y + dy, x + margin - reach[dy] - 1], -1, there, words, groups)
                    number += _count(ranks[y + dy, x + margin + reach[dy]], 1, there, words, groups)
            if ranks[y + margin, x + margin] >= 0:
                low = _find((number - 1) // 2, there, words, groups)
                high = low if number % 2 else _find(number // 2, there, words, groups)
                part[y, x] = (values[low] + values[high]) / 2.0


@numba.njit(nogil=True)
def _count(rank, change, there, words, groups):  # type: ignore[no-untyped-def] # numba infers types
    if rank < 0:
        return 0
    there[rank] += np.uint8(change)
    words[rank // WORD] += change
    groups[rank // GROUP] += change
    return change


@numba.njit(nogil=True)
def _find(place, there, words, groups):  # type: ignore[no-untyped-def] # numba infers types
    """Rank in the tile of what has this place in the disk."""
    left, at = place, 0
    while groups[at] <= left:
        left -= groups[at]
        at += 1
    at *= GROUP // WORD
    while words[at] <= left:
        left -= words[at]
        at += 1
    at *= WORD
    while there[at] <= left:
        left -= there[at]
        at += 1
    return at
