"""Compiled loop over the cheapest ways from pixel to pixel."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True)
def cheapest(costs, walkable, sources, steps, most, found):  # type: ignore[no-untyped-def] # numba infers types
    """Write the least cost of a way from any source, infinite where none leads within `most` metres (Dijkstra).

    A step costs its length in metres times the mean cost of its two ends. `steps`: metres from each pixel to the one right
    of it, below it, below right, below left; dims (4, y, x).
    """
    height, width = costs.shape
    lengths = np.full((height, width), np.inf)
    done = np.zeros((height, width), np.bool_)
    keys, cells = np.empty(1024), np.empty(1024, np.int64)
    size = 0
    for y in range(height):
        for x in range(width):
            found[y, x] = np.inf
            if sources[y, x] and walkable[y, x]:
                found[y, x], lengths[y, x] = 0.0, 0.0
                keys, cells, size = _push(keys, cells, size, 0.0, y * width + x)
    while size > 0:
        at, size = _pop(keys, cells, size)
        y, x = at // width, at % width
        if done[y, x]:
            continue
        done[y, x] = True
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                row, col = y + dy, x + dx
                if row < 0 or row >= height or col < 0 or col >= width or not walkable[row, col] or done[row, col]:
                    continue
                length = _step(steps, y, x, dy, dx)
                cost = found[y, x] + length * (costs[y, x] + costs[row, col]) / 2
                if lengths[y, x] + length <= most and cost < found[row, col]:
                    found[row, col], lengths[row, col] = cost, lengths[y, x] + length
                    keys, cells, size = _push(keys, cells, size, cost, row * width + col)


@numba.njit(nogil=True)
def _step(steps, y, x, dy, dx):  # type: ignore[no-untyped-def] # numba infers types
    if dy < 0 or (dy == 0 and dx < 0):  # from the other end
        y, x, dy, dx = y + dy, x + dx, -dy, -dx
    kind = 0 if dy == 0 else (1 if dx == 0 else (2 if dx > 0 else 3))
    return steps[kind, y, x]


@numba.njit(nogil=True)
def _push(keys, cells, size, key, cell):  # type: ignore[no-untyped-def] # numba infers types
    """Into a heap whose least key is first."""
    if size == keys.size:
        wider, more = np.empty(2 * size), np.empty(2 * size, np.int64)
        wider[:size], more[:size] = keys, cells
        keys, cells = wider, more
    at = size
    while at > 0 and keys[(at - 1) // 2] > key:
        keys[at], cells[at] = keys[(at - 1) // 2], cells[(at - 1) // 2]
        at = (at - 1) // 2
    keys[at], cells[at] = key, cell
    return keys, cells, size + 1


@numba.njit(nogil=True)
def _pop(keys, cells, size):  # type: ignore[no-untyped-def] # numba infers types
    """Cell of the least key, and the size without it."""
    first, size = cells[0], size - 1
    key, cell = keys[size], cells[size]
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], cells[at] = keys[child], cells[child]
        at = child
    keys[at], cells[at] = key, cell
    return first, size
