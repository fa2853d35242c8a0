"""Compiled loops over the values of one row: moments, histogram of the upper bits, values between two keys.

A row is float32, not finite where there is no data. Keys are bits turned so that they sort as the values do.
"""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled

LANES = 256  # sums side by side: rows of them become vector code, and short sums lose fewer digits than one long one
RADIX = 1 << 16
SIGN = np.uint32(1 << 31)
EXPONENT = np.uint32(0x7F800000)  # all of its bits are set in NaN and infinities
UPPER = np.uint32(16)


def row_moments(values: np.ndarray) -> tuple[int, float, float]:
    """Number, mean and sum of squared differences from the mean of the finite values; 0.0 where there is none."""
    sums = np.zeros(LANES)
    count = int(compiled(_sum)(values, sums))
    if not count:
        return 0, 0.0, 0.0
    mean = float(sums.sum()) / count
    sums[:] = 0.0
    compiled(_sum_squares)(values, mean, sums)
    return count, mean, float(sums.sum())


def count_upper(values: np.ndarray, histogram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper halves of the keys of the finite values, ascending, uint16, and how often each was seen, int64.

    Parameters
    ----------
    histogram : dims (65536,), int32, zeros; zeros again afterwards
    """
    low, high = compiled(_count)(values, histogram)
    part = histogram[low : high + 1]
    seen = np.flatnonzero(part)
    counts = part[seen].astype(np.int64)
    part[:] = 0
    return (seen + low).astype(np.uint16), counts


def values_between(values: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Values whose upper half of the key is from `lowest` to `highest`, float32, in their order.

    None if `lowest` is higher, or `highest` negative.
    """
    if highest < max(lowest, 0):
        return values[:0]
    found = np.empty(values.size + 1, dtype=np.float32)
    n = compiled(_select)(values, np.uint32(max(lowest, 0)), np.uint32(highest - max(lowest, 0)), found)
    return found[:n].copy()


# Selections (`a if ok else b`) instead of branches are what makes vector code possible. No fastmath: it assumes no NaN.
@numba.njit(nogil=True)
def _sum(values, sums):  # type: ignore[no-untyped-def] # numba infers types
    infinite = np.float32(np.inf)
    count = 0
    for start in range(0, values.size, LANES):
        part = values[start : start + LANES]
        for j in range(part.size):
            sums[j] += np.float64(part[j]) if abs(part[j]) < infinite else 0.0
        for j in range(part.size):
            count += 1 if abs(part[j]) < infinite else 0
    return count


@numba.njit(nogil=True)
def _sum_squares(values, mean, sums):  # type: ignore[no-untyped-def] # numba infers types
    infinite = np.float32(np.inf)
    for start in range(0, values.size, LANES):
        part = values[start : start + LANES]
        for j in range(part.size):
            off = np.float64(part[j]) - mean if abs(part[j]) < infinite else 0.0
            sums[j] += off * off


@numba.njit(nogil=True)
def _upper(bits):  # type: ignore[no-untyped-def] # numba infers types
    return (~bits if bits & SIGN else bits | SIGN) >> UPPER


@numba.njit(nogil=True)
def _count(values, histogram):  # type: ignore[no-untyped-def] # numba infers types
    bits = values.view(np.uint32)
    low, high = np.uint32(RADIX - 1), np.uint32(0)
    for i in range(bits.size):
        if bits[i] & EXPONENT != EXPONENT:
            key = _upper(bits[i])
            histogram[key] += 1
            low, high = min(low, key), max(high, key)
    return low, high


@numba.njit(nogil=True)
def _select(values, lowest, width, found):  # type: ignore[no-untyped-def] # numba infers types
    bits = values.view(np.uint32)
    n = 0
    for i in range(bits.size):
        found[n] = values[i]  # kept only if the next one goes behind it: cheaper than a branch
        n += 1 if _upper(bits[i]) - lowest <= width else 0  # unsigned: below `lowest` is far above
    return n
