"""Compiled loops over neighbourhoods: moments, extremes, ranks, runs; `gee.local.neighbourhoods.windows` calls them.

All take pixels with a margin, dims (y, x), and the cells of a kernel as offsets from the first pixel of that margin.
Inner loops run along rows and become vector code; ranks follow the window as it slides along a row.
"""

from __future__ import annotations

import numba
import numpy as np

DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)  # each of its 6-bit windows is another number: where a lone bit stands
BIT_OF = np.zeros(64, np.int64)
BIT_OF[[(int(DE_BRUIJN) << bit & 0xFFFFFFFFFFFFFFFF) >> 58 for bit in range(64)]] = np.arange(64)
WORD, BLOCK = 6, 12  # ranks are grouped by 64 in words of bits, and by 4096 in blocks


@numba.njit(nogil=True)
def moments(data, origin, rows, cols, shares, first, second):  # type: ignore[no-untyped-def] # numba infers types
    """Add sums of `data - origin`, and of its square where `second` has rows, over cells that are valid everywhere."""
    height, width = first.shape
    for y in range(height):
        base, one = origin[y], first[y]
        for k in range(rows.size):
            source, share = data[y + rows[k], cols[k] : cols[k] + width], shares[k]
            if second.shape[0]:
                two = second[y]
                for x in range(width):
                    off = source[x] - base[x]
                    one[x] += share * off
                    two[x] += share * off * off
            else:
                for x in range(width):
                    one[x] += share * (source[x] - base[x])


@numba.njit(nogil=True)
def masked_moments(data, weights, origin, rows, cols, shares, least, totals, first, second):  # type: ignore[no-untyped-def] # noqa: PLR0913 -- numba infers types and takes no records
    """As `moments`, with the sum of weights: `shares` times `weights`, or the least of both."""
    height, width = first.shape
    for y in range(height):
        base, total, one = origin[y], totals[y], first[y]
        for k in range(rows.size):
            source, share = data[y + rows[k], cols[k] : cols[k] + width], shares[k]
            there = weights[y + rows[k], cols[k] : cols[k] + width]
            if second.shape[0]:
                two = second[y]
                for x in range(width):
                    weight = min(share, there[x]) if least else share * there[x]
                    off = source[x] - base[x]
                    total[x] += weight
                    one[x] += weight * off
                    two[x] += weight * off * off
            else:
                for x in range(width):
                    weight = min(share, there[x]) if least else share * there[x]
                    total[x] += weight
                    one[x] += weight * (source[x] - base[x])


@numba.njit(nogil=True)
def minima(data, rows, cols, found):  # type: ignore[no-untyped-def] # numba infers types
    """Least value of the cells, written over `found`, which begins infinite."""
    height, width = found.shape
    for y in range(height):
        out = found[y]
        for k in range(rows.size):
            source = data[y + rows[k], cols[k] : cols[k] + width]
            for x in range(width):
                out[x] = source[x] if source[x] < out[x] else out[x]


@numba.njit(nogil=True)
def small_ranks(data, valid, rows, cols, quantiles, found, counts):  # type: ignore[no-untyped-def] # numba infers types
    """Quantiles of few cells, sorted pixel by pixel."""
    near = np.empty(rows.size)
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            n = 0
            for k in range(rows.size):
                if valid[y + rows[k], x + cols[k]]:
                    value = data[y + rows[k], x + cols[k]]
                    at = n
                    while at > 0 and near[at - 1] > value:
                        near[at] = near[at - 1]
                        at -= 1
                    near[at] = value
                    n += 1
            counts[y, x] = n
            if n:
                for q in range(quantiles.size):
                    place = quantiles[q] * (n - 1)
                    low = int(place)
                    value = near[low]
                    if place > low:
                        value += (near[low + 1] - value) * (place - low)
                    found[q, y, x] = value


@numba.njit(nogil=True)
def sliding_ranks(ranks, ordered, rows, cols, entering, leaving, quantiles, found, counts):  # type: ignore[no-untyped-def] # noqa: PLR0913, C901 -- numba infers types; one pass
    """Quantiles of many cells: one bit per rank tells who is in the window, counts per word and block tell where.

    Parameters
    ----------
    ranks : int32, place of each pixel in `ordered`; -1 where it is not valid
    entering, leaving : which cells come in with a step to the right, and which go out before it
    """
    bits = np.zeros((ordered.size >> WORD) + 1, np.uint64)
    words = np.zeros(bits.size, np.int32)
    blocks = np.zeros((ordered.size >> BLOCK) + 2, np.int32)
    block, below = 0, 0  # the block of the last quantile, and how many of the window rank below it
    for y in range(counts.shape[0]):
        bits[:] = 0
        words[:] = 0
        blocks[:] = 0
        block, below, n = 0, 0, 0
        for k in range(rows.size):
            rank = ranks[y + rows[k], cols[k]]
            if rank >= 0:
                n += 1
                _flip(bits, words, blocks, rank, 1)
        for x in range(counts.shape[1]):
            if x:
                for i in range(leaving.size):
                    rank = ranks[y + rows[leaving[i]], x - 1 + cols[leaving[i]]]
                    if rank >= 0:
                        n -= 1
                        below -= (rank >> BLOCK) < block
                        _flip(bits, words, blocks, rank, -1)
                for i in range(entering.size):
                    rank = ranks[y + rows[entering[i]], x + cols[entering[i]]]
                    if rank >= 0:
                        n += 1
                        below += (rank >> BLOCK) < block
                        _flip(bits, words, blocks, rank, 1)
            counts[y, x] = n
            for q in range(quantiles.size if n else 0):
                place = quantiles[q] * (n - 1)
                low = int(place)
                while below > low:
                    block -= 1
                    below -= blocks[block]
                while below + blocks[block] <= low:
                    below += blocks[block]
                    block += 1
                rank = _member(bits, words, block << (BLOCK - WORD), low - below)
                value = ordered[rank]
                if place > low:
                    value += (ordered[_next(bits, rank)] - value) * (place - low)
                found[q, y, x] = value


@numba.njit(nogil=True, inline="always")
def _flip(bits, words, blocks, rank, step):  # type: ignore[no-untyped-def] # numba infers types
    bits[rank >> WORD] ^= np.uint64(1) << np.uint64(rank & 63)
    words[rank >> WORD] += step
    blocks[rank >> BLOCK] += step


@numba.njit(nogil=True)
def _member(bits, words, word, index):  # type: ignore[no-untyped-def] # numba infers types
    """Rank of the member that has `index` others below it from the start of a word."""
    while words[word] <= index:
        index -= words[word]
        word += 1
    held = bits[word]
    for _ in range(index):
        held &= held - np.uint64(1)
    return (word << WORD) + _lowest(held)


@numba.njit(nogil=True)
def _next(bits, rank):  # type: ignore[no-untyped-def] # numba infers types
    """The next member after one."""
    word = rank >> WORD
    held = bits[word] & ~((np.uint64(2) << np.uint64(rank & 63)) - np.uint64(1))
    while held == 0:
        word += 1
        held = bits[word]
    return (word << WORD) + _lowest(held)


@numba.njit(nogil=True, inline="always")
def _lowest(held):  # type: ignore[no-untyped-def] # numba infers types
    lone = held & (~held + np.uint64(1))
    return BIT_OF[(lone * DE_BRUIJN) >> np.uint64(58)]


@numba.njit(nogil=True)
def runs(data, valid, rows, cols, modes, entropies, counts):  # type: ignore[no-untyped-def] # numba infers types
    """Most frequent value of the cells (of several the smallest), and the entropy of their frequencies in bits."""
    near = np.empty(rows.size)
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            n = 0
            for k in range(rows.size):
                if valid[y + rows[k], x + cols[k]]:
                    near[n] = data[y + rows[k], x + cols[k]]
                    n += 1
            counts[y, x] = n
            part = np.sort(near[:n])
            longest, start, entropy = 0, 0, 0.0
            for i in range(1, n + 1):
                if i == n or part[i] != part[start]:
                    share = (i - start) / n
                    entropy -= share * np.log2(share)
                    if i - start > longest:
                        longest = i - start
                        modes[y, x] = part[start]
                    start = i
            entropies[y, x] = entropy
