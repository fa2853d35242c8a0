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
UPPER = np.uint32(16)
SIGN_BIT, EXPONENT = 1 << 15, 0x7F80  # of the upper half; NaN and infinities have all bits of the exponent
BATCH = 2048  # values that are compared at once, as vector code


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
    compiled(_count)(values, histogram)
    keys, counts = np.empty(min(values.size, RADIX), dtype=np.uint16), np.empty(min(values.size, RADIX), dtype=np.int64)
    n = compiled(_drain)(histogram, keys, counts)
    return keys[:n].copy(), counts[:n].copy()


def values_between(values: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Values whose upper half of the key is from `lowest` to `highest`, float32, in their order.

    None if `lowest` is higher, or `highest` negative.
    """
    if highest < max(lowest, 0):
        return values[:0]
    found = np.empty(values.size, dtype=np.float32)
    first = max(lowest, 0)
    n = compiled(_select)(values, np.uint32(first), np.uint32(highest - first), found, np.zeros(BATCH, dtype=np.uint8))
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
    return np.uint32((~bits if bits & SIGN else bits | SIGN) >> UPPER)


@numba.njit(nogil=True)
def _count(values, histogram):  # type: ignore[no-untyped-def] # numba infers types
    bits = values.view(np.uint32)
    for i in range(bits.size):
        histogram[np.uint16(bits[i] >> UPPER)] += 1  # turned round afterwards, bucket by bucket


@numba.njit(nogil=True)
def _drain(histogram, keys, counts):  # type: ignore[no-untyped-def] # numba infers types
    n = 0
    for key in range(RADIX):
        upper = key ^ SIGN_BIT if key >= SIGN_BIT else RADIX - 1 - key
        if histogram[upper]:
            if upper & EXPONENT != EXPONENT:
                keys[n], counts[n] = key, histogram[upper]
                n += 1
            histogram[upper] = 0
    return n


@numba.njit(nogil=True)
def _select(values, lowest, width, found, inside):  # type: ignore[no-untyped-def] # numba infers types
    bits, words = values.view(np.uint32), inside.view(np.uint64)
    n = 0
    for start in range(0, bits.size, BATCH):
        part = bits[start : start + BATCH]
        if part.size < BATCH:
            inside[:] = 0
        for j in range(part.size):  # unsigned: below `lowest` is far above
            inside[j] = np.uint8(1) if np.uint32(_upper(part[j]) - lowest) <= width else np.uint8(0)
        for k in range(words.size):
            if words[k]:  # one of eight, which are few
                for j in range(8 * k, 8 * k + 8):
                    if inside[j]:
                        found[n] = values[start + j]
                        n += 1
    return n
