"""Normal equations of a network of interferograms, for many pixels side by side.

A pair observes x(second) - x(first), so that AᵀWA is the weighted Laplacian of the graph of dates (vertices) and pairs
(edges). Without the first date, where x is 0, it is positive definite if the graph is connected. Dates in ascending order
give it a narrow envelope, which its LDLᵀ factors keep: of short networks it is a band, of dense ones everything.

Pixels are lanes, the last dimension of every array: each step of the elimination is one vector operation. A lane's result
does not depend on what is in the others, to the bit: there is no fastmath, and no sum runs over lanes.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from dask_jobs.sbas.pairs import Pairs

LANES = 64  # of which a network of a hundred pairs takes 150 KB: the second level cache of any processor of today


class Network(NamedTuple):
    """Pairs, and where the entries of AᵀWA lie. Row i of the matrix is date i + 1.

    Attributes
    ----------
    first, second : index of each pair's dates, dims (pair,), int64
    days : of each date since the first, dims (time,), float64
    lows : first column of each row that may not be 0, dims (row,), int64
    starts : entry (i, j) below the diagonal lies at `starts[i] + j`, dims (row,), int64
    size : number of entries below the diagonal
    """

    first: np.ndarray
    second: np.ndarray
    days: np.ndarray
    lows: np.ndarray
    starts: np.ndarray
    size: int


def network_of(pairs: Pairs) -> Network:
    """Envelope of the normal equations of some pairs."""
    rows = np.arange(len(pairs.dates) - 1)
    lows = rows.copy()
    inner = pairs.first > 0
    np.minimum.at(lows, pairs.second[inner] - 1, pairs.first[inner] - 1)
    ends = np.cumsum(rows - lows)
    return Network(
        first=pairs.first,
        second=pairs.second,
        days=pairs.days,
        lows=lows,
        starts=ends - rows,  # a row ends at its diagonal
        size=int(ends[-1]) if rows.size else 0,
    )


# Rows are named by array and index: a view of a row would be counted in and out of memory, which costs more than the row.
# The number of lanes is read from an array: a loop over a constant number is unrolled before it can become vector code.
@numba.njit(nogil=True)
def assemble(network, weight, matrix, pivots):  # type: ignore[no-untyped-def] # numba infers types
    """AᵀWA: entries below the diagonal into `matrix`, dims (entry, lane), the diagonal into `pivots`, dims (row, lane)."""
    _clear(matrix)
    _clear(pivots)
    for k in range(network.first.size):
        a, b = network.first[k] - 1, network.second[k] - 1
        for lane in range(weight.shape[1]):
            pivots[b, lane] += weight[k, lane]
        if a >= 0:
            entry = network.starts[b] + a
            for lane in range(weight.shape[1]):
                pivots[a, lane] += weight[k, lane]
            for lane in range(weight.shape[1]):
                matrix[entry, lane] -= weight[k, lane]


@numba.njit(nogil=True)
def assemble_right(network, weight, observed, right):  # type: ignore[no-untyped-def] # numba infers types
    """AᵀWφ into `right`, dims (row, lane)."""
    _clear(right)
    for k in range(network.first.size):
        a, b = network.first[k] - 1, network.second[k] - 1
        for lane in range(weight.shape[1]):
            right[b, lane] += weight[k, lane] * observed[k, lane]
        if a >= 0:
            for lane in range(weight.shape[1]):
                right[a, lane] -= weight[k, lane] * observed[k, lane]


@numba.njit(nogil=True, error_model="numpy")
def factor(network, matrix, pivots):  # type: ignore[no-untyped-def] # numba infers types
    """L of LDLᵀ over the matrix, and 1/D over its diagonal."""
    lows, starts = network.lows, network.starts
    for i in range(lows.size):
        for j in range(lows[i], i):
            entry = starts[i] + j
            for m in range(lows[i] if lows[i] > lows[j] else lows[j], j):
                one, two = starts[i] + m, starts[j] + m
                for lane in range(matrix.shape[1]):
                    matrix[entry, lane] -= matrix[one, lane] * matrix[two, lane]
        for j in range(lows[i], i):
            entry = starts[i] + j
            for lane in range(matrix.shape[1]):
                scaled = matrix[entry, lane] * pivots[j, lane]
                pivots[i, lane] -= matrix[entry, lane] * scaled
                matrix[entry, lane] = scaled
        for lane in range(pivots.shape[1]):
            pivots[i, lane] = 1.0 / pivots[i, lane]


@numba.njit(nogil=True)
def solve(network, matrix, pivots, right):  # type: ignore[no-untyped-def] # numba infers types
    """Solution over the right-hand side, dims (row, lane), by what `factor` left."""
    lows, starts = network.lows, network.starts
    for i in range(lows.size):
        for j in range(lows[i], i):
            entry = starts[i] + j
            for lane in range(right.shape[1]):
                right[i, lane] -= matrix[entry, lane] * right[j, lane]
    for i in range(lows.size - 1, -1, -1):
        for lane in range(right.shape[1]):
            right[i, lane] *= pivots[i, lane]
    for i in range(lows.size - 1, -1, -1):
        for j in range(lows[i], i):
            entry = starts[i] + j
            for lane in range(right.shape[1]):
                right[j, lane] -= matrix[entry, lane] * right[i, lane]


@numba.njit(nogil=True)
def _clear(rows):  # type: ignore[no-untyped-def] # numba infers types
    for i in range(rows.shape[0]):
        for lane in range(rows.shape[1]):
            rows[i, lane] = 0.0
