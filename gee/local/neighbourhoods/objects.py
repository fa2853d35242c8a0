"""Compiled loops over pixels that belong together, and over distances to the nearest."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True)
def _root(parents, index):  # type: ignore[no-untyped-def] # numba infers types
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


@numba.njit(nogil=True)
def component_sizes(data, valid, eight, sizes):  # type: ignore[no-untyped-def] # numba infers types
    """Write how many pixels of one value hang together with each valid pixel, over 4 or 8 neighbours."""
    height, width = data.shape
    parents = np.arange(height * width)
    for y in range(height):
        for x in range(width):
            if not valid[y, x]:
                continue
            for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1)):
                if (dy and dx and not eight) or y + dy < 0 or x + dx < 0 or x + dx >= width:
                    continue
                if valid[y + dy, x + dx] and data[y + dy, x + dx] == data[y, x]:
                    one, other = _root(parents, y * width + x), _root(parents, (y + dy) * width + x + dx)
                    parents[max(one, other)] = min(one, other)
    counts = np.zeros(height * width, np.int64)
    for index in range(height * width):
        counts[_root(parents, index)] += 1
    for y in range(height):
        for x in range(width):
            sizes[y, x] = counts[_root(parents, y * width + x)] if valid[y, x] else 0


@numba.njit(nogil=True)
def column_distances(sources, found):  # type: ignore[no-untyped-def] # numba infers types
    """Write the distance of each pixel to the nearest source of its column; large where there is none."""
    height, width = sources.shape
    far = float(height + width)
    for x in range(width):
        found[0, x] = 0.0 if sources[0, x] else far
    for y in range(1, height):
        for x in range(width):
            found[y, x] = 0.0 if sources[y, x] else found[y - 1, x] + 1
    for y in range(height - 2, -1, -1):
        for x in range(width):
            found[y, x] = min(found[y, x], found[y + 1, x] + 1)


@numba.njit(nogil=True)
def row_distances(columns, reach, metric, found):  # type: ignore[no-untyped-def] # numba infers types
    """Combine the distances within columns along rows: 0 squared euclidean, 1 manhattan, 2 chebyshev."""
    height, width = columns.shape
    for y in range(height):
        for x in range(width):
            best = np.inf
            for step in range(reach + 1):
                ahead = float(step * step if metric == 0 else step)
                if ahead >= best:
                    break
                for side in (-step, step):
                    if 0 <= x + side < width:
                        down = columns[y, x + side]
                        if metric == 0:
                            distance = down * down + ahead
                        else:
                            distance = down + ahead if metric == 1 else max(down, ahead)
                        best = min(best, distance)
            found[y, x] = best
