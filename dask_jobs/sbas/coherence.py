"""Coherence of interferograms on average: of each pixel over pairs, and of each pair over pixels; in one look at all values."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from dask_jobs.compiled import compiled
from infra.errors import InputError

LAND, WATER = 0, 1


class MeanCoherence(NamedTuple):
    """Averages and sums of coherence.

    pixel : dims (...), float32, 0 to 1: mean over the pairs that have one; NaN where none has
    total, pixels : dims (2, pair), float64: sums and numbers of pixels on land and on water
    """

    pixel: np.ndarray
    total: np.ndarray
    pixels: np.ndarray


def mean_coherence(coherence: np.ndarray, land: np.ndarray, *, zero_is_data: bool) -> MeanCoherence:
    """Average coherence over pairs and over pixels.

    Parameters
    ----------
    coherence : dims (pair, ...), float32, 0 to 1; not finite is no data
    land : dims (...), bool
    zero_is_data : whether a pixel's mean counts coherences of exactly 0, which HyP3 writes where there is no data;
        sums over pixels count them always

    Raises
    ------
    InputError
        If dims do not fit.
    """
    if land.shape != coherence.shape[1:]:
        raise InputError(
            f"coherence of dims {coherence.shape} and land of dims {land.shape}", "Give both of one block."
        )
    flat = np.ascontiguousarray(coherence, dtype=np.float32).reshape(len(coherence), land.size)
    sums, number = np.zeros(land.size), np.zeros(land.size)
    total, count = np.zeros((2, len(flat))), np.zeros((2, len(flat)))
    on_land = np.ascontiguousarray(land).reshape(-1)
    compiled(_sum)(flat, on_land, zero_is_data, sums, number, total, count)
    mean = np.divide(sums, number, out=np.full(land.size, np.nan), where=number > 0)
    return MeanCoherence(mean.astype(np.float32).reshape(land.shape), total, count)


# One pair at a time, its pixels as vector code: the sums of pixels stay in the cache.
@numba.njit(nogil=True)
def _sum(coherence, land, zero_is_data, sums, number, total, count):  # type: ignore[no-untyped-def] # numba infers types
    infinite = np.float32(np.inf)
    for k in range(coherence.shape[0]):
        row = coherence[k]
        on_land, pixels, everywhere, all_pixels = 0.0, 0.0, 0.0, 0.0
        for x in range(row.size):
            there = abs(row[x]) < infinite
            value = np.float64(row[x]) if there else 0.0
            one = 1.0 if there else 0.0
            everywhere += value
            all_pixels += one
            on_land += value if land[x] else 0.0
            pixels += one if land[x] else 0.0
            sums[x] += value
            number[x] += one if (zero_is_data or value > 0.0) else 0.0
        total[0, k], count[0, k] = on_land, pixels
        total[1, k], count[1, k] = everywhere - on_land, all_pixels - pixels
