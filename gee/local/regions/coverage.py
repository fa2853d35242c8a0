"""How much of each pixel of a grid a geometry covers, as the mask of a clip (section 11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gee.local.geometry.shapes import shape_in
from gee.local.geometry.turns import repeated
from gee.local.grids.reprojection import to_pixels
from gee.local.pixels import Grid
from gee.local.regions.area_fractions import fractions
from gee.local.values import Geometry

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

BEND = 0.01  # pixels: how far straight edges may lie from a geometry's true ones


def pixel_shape(geometry: Geometry, grid: Grid) -> BaseGeometry | None:
    """Shape of a geometry in pixels of a grid, x the column and y the row; None where it is unbounded."""
    import shapely

    a, b, c, d, e, _ = grid.transform
    unit = float(np.sqrt(abs(a * e - b * d)))
    shape = shape_in(geometry, grid.crs, tolerance=BEND * unit)
    if shape is None:
        return None
    sides = [c + x + y for x in (0, a * grid.width) for y in (0, b * grid.height)]
    shape = repeated(shape, grid.crs, west=min(sides), east=max(sides))

    def place(xy: np.ndarray) -> np.ndarray:
        rows, cols = to_pixels(xy[:, 0], xy[:, 1], grid.transform)
        return np.column_stack([cols, rows])

    return shapely.transform(shape, place)


def coverage(geometry: Geometry, grid: Grid) -> np.ndarray:
    """Share of each pixel that a geometry covers, in 8 bits: dims (y, x), float64.

    A point covers its pixel; a line covers what lies within half a pixel of it.
    """
    import shapely

    shape = pixel_shape(geometry, grid)
    if shape is None:
        return np.ones((grid.height, grid.width))
    if not shape.is_valid:
        shape = shapely.make_valid(shape)
    wide = [part.buffer(0.5, cap_style="flat") if _is_line(part) else part for part in shapely.get_parts(shape)]
    near = shapely.clip_by_rect(shapely.union_all(wide), -1, -1, grid.width + 1, grid.height + 1)
    return fractions(near, grid.height, grid.width)


def remembered(geometries: Sequence[Geometry]) -> Callable[[Grid], np.ndarray]:
    """Greatest share that any of some geometries covers; the last few grids are kept, as bands share them."""

    @lru_cache(maxsize=4)
    def covered(grid: Grid) -> np.ndarray:
        total = np.zeros((grid.height, grid.width))
        for one in geometries:
            total = np.maximum(total, coverage(one, grid))
        return total

    return covered


def _is_line(shape: BaseGeometry) -> bool:
    return shape.geom_type in ("LineString", "LinearRing", "MultiLineString")
