"""Which pixels of a projection each pixel of a grid covers, and by how much of itself (section 10)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gee.local.grids.reprojection import to_pixels, transformed
from gee.local.pixels import Grid
from gee.local.values import Projection

CLOSE = 1e-6  # pixels: an edge nearer than this to a grid line lies on it


class Overlaps(NamedTuple):
    """Covered pixels.

    Attributes
    ----------
    rows, cols : dims (step, y, x), int64, of the covered pixels (broadcast where they can be)
    fractions : dims (step, y, x), float64: share of the grid's pixel that each covers; 0 for steps that are none
    """

    rows: np.ndarray
    cols: np.ndarray
    fractions: np.ndarray


def overlaps(grid: Grid, projection: Projection) -> Overlaps:
    """Pixels of a projection under each pixel of a grid, whose corners are joined by straight lines there."""
    shears = (*grid.transform[1:4:2], *projection.transform[1:4:2])
    if grid.crs == projection.crs and not any(shears):
        return _parallel(grid, projection)
    return _turned(grid, projection)


def _parallel(grid: Grid, projection: Projection) -> Overlaps:
    a, _, c, _, e, f = grid.transform
    pa, _, pc, _, pe, pf = projection.transform
    rows, down = _axis((e * np.arange(grid.height + 1.0) + (f - pf)) / pe)
    cols, across = _axis((a * np.arange(grid.width + 1.0) + (c - pc)) / pa)
    steps = len(rows) * len(cols)
    shape = (steps, grid.height, grid.width)
    return Overlaps(
        np.broadcast_to(rows[:, None, :, None], (len(rows), len(cols), *shape[1:])).reshape(shape),
        np.broadcast_to(cols[None, :, None, :], (len(rows), len(cols), *shape[1:])).reshape(shape),
        (down[:, None, :, None] * across[None, :, None, :]).reshape(shape),
    )


def _axis(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and shares, dims (step, pixel), of the pixels between edges along one axis."""
    edges = np.where(np.abs(edges - np.round(edges)) < CLOSE, np.round(edges), edges)
    low, high = np.minimum(edges[1:], edges[:-1]), np.maximum(edges[1:], edges[:-1])
    first = np.floor(low)
    count = int((np.ceil(high) - first).max())
    index = first + np.arange(count)[:, None]
    share = np.clip(np.minimum(high, index + 1) - np.maximum(low, index), 0, None) / (high - low)
    return index.astype(np.int64), share


def _turned(grid: Grid, projection: Projection) -> Overlaps:
    """Areas of the grid's pixels, as quadrangles between their corners, in each of the projection's pixels."""
    import shapely

    col, row = np.meshgrid(np.arange(grid.width + 1.0), np.arange(grid.height + 1.0))
    a, b, c, d, e, f = grid.transform
    x, y = transformed(a * col + b * row + c, d * col + e * row + f, grid.crs, projection.crs)
    corners = np.stack(to_pixels(x, y, projection.transform)[::-1], -1)
    around = np.stack([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], -2)
    known = np.isfinite(around).all(axis=(-1, -2))
    around = np.where(known[..., None, None], around, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]))
    low = np.floor(around.min(axis=-2)).astype(np.int64)
    spans = (np.ceil(around.max(axis=-2)).astype(np.int64) - low)[known]
    across, down = spans.max(axis=0) if len(spans) else (1, 1)
    shapes = shapely.polygons(around)
    whole = shapely.area(shapes)
    step = np.arange(int(across * down))[:, None, None]
    rows, cols = low[..., 1] + step // across, low[..., 0] + step % across
    fractions = np.stack(
        [
            shapely.area(shapely.intersection(shapes, shapely.box(left, top, left + 1, top + 1))) / whole
            for top, left in zip(rows, cols, strict=True)
        ]
    )
    return Overlaps(rows, cols, np.where(known, fractions, 0.0))
