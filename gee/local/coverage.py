"""How much of each pixel a shape covers (sections 6 and 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gee.local.pixels import Grid
from gee.local.reprojection import to_pixels
from gee.local.shapes import shape_in
from gee.local.values import Geometry

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

STEPS = 255  # masks have 8 bits
BEND = 0.01  # pixels: how far straight edges may lie from a geometry's true ones


def pixel_shape(geometry: Geometry, grid: Grid) -> BaseGeometry | None:
    """Shape of a geometry in pixels of a grid, x the column and y the row; None where it is unbounded."""
    import shapely

    a, b, _, d, e, _ = grid.transform
    unit = float(np.sqrt(abs(a * e - b * d)))
    shape = shape_in(geometry, grid.crs, tolerance=BEND * unit)
    if shape is None:
        return None

    def place(xy: np.ndarray) -> np.ndarray:
        rows, cols = to_pixels(xy[:, 0], xy[:, 1], grid.transform)
        return np.column_stack([cols, rows])

    return shapely.transform(shape, place)


def coverage(geometry: Geometry, grid: Grid) -> np.ndarray:
    """Fraction of each pixel that a geometry covers, exact: dims (y, x), float64.

    A point covers its pixel; a line covers what lies within half a pixel of it.
    """
    import shapely

    full = np.ones((grid.height, grid.width))
    shape = pixel_shape(geometry, grid)
    if shape is None:
        return full
    frame = shapely.box(-1, -1, grid.width + 1, grid.height + 1)
    if shape.geom_type.endswith("Polygon"):
        if not shape.is_valid:
            shape = shapely.make_valid(shape)
        return polygon_coverage(shape, grid.width, grid.height)
    total = np.zeros_like(full)
    for part in shapely.get_parts(shapely.intersection(shape, frame)):
        np.maximum(total, _part(part, grid), out=total)
    return total


def _part(part: BaseGeometry, grid: Grid) -> np.ndarray:
    import shapely

    if isinstance(part, shapely.Point):
        found = np.zeros((grid.height, grid.width))
        row, col = int(np.floor(part.y)), int(np.floor(part.x))
        if 0 <= row < grid.height and 0 <= col < grid.width:
            found[row, col] = 1.0
        return found
    if part.geom_type.endswith("LineString"):
        part = part.buffer(0.5, cap_style="flat")
    return polygon_coverage(part, grid.width, grid.height)


def polygon_coverage(shape: BaseGeometry, width: int, height: int) -> np.ndarray:
    """Fraction of each pixel that a polygon in pixel coordinates covers: dims (y, x), float64."""
    import shapely

    found = np.zeros((height, width))
    shape = shapely.clip_by_rect(shape, -1, -1, width + 1, height + 1)
    if shape.is_empty:
        return found
    left, top, right, bottom = shape.bounds
    rows = slice(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), height))
    cols = slice(max(int(np.floor(left)), 0), min(int(np.ceil(right)), width))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return found
    found[rows, cols] = _block(shape, rows, cols)
    return found


def _block(shape: BaseGeometry, rows: slice, cols: slice) -> np.ndarray:
    """Fractions of a block of pixels: whole blocks inside or outside at once, the others in quarters."""
    import shapely

    shapely.prepare(shape)
    height, width = rows.stop - rows.start, cols.stop - cols.start
    box = shapely.box(cols.start, rows.start, cols.stop, rows.stop)
    if shapely.covers(shape, box):
        return np.ones((height, width))
    if not shapely.intersects(shape, box):
        return np.zeros((height, width))
    if height * width <= 256:
        x, y = np.meshgrid(np.arange(cols.start, cols.stop), np.arange(rows.start, rows.stop))
        boxes = shapely.box(x, y, x + 1, y + 1)
        near = shapely.clip_by_rect(shape, cols.start, rows.start, cols.stop, rows.stop)
        return np.asarray(shapely.area(shapely.intersection(near, boxes)))
    found = np.zeros((height, width))
    for half_rows in _halves(rows):
        for half_cols in _halves(cols):
            found[
                half_rows.start - rows.start : half_rows.stop - rows.start,
                half_cols.start - cols.start : half_cols.stop - cols.start,
            ] = _block(
                shapely.clip_by_rect(shape, half_cols.start, half_rows.start, half_cols.stop, half_rows.stop),
                half_rows,
                half_cols,
            )
    return found


def _halves(part: slice) -> list[slice]:
    middle = (part.start + part.stop) // 2
    return [one for one in (slice(part.start, middle), slice(middle, part.stop)) if one.start < one.stop]


def as_mask(fractions: np.ndarray) -> np.ndarray:
    """Fractions in steps of 8 bits: below 1/256 they are 0, whole pixels stay 1."""
    return np.where(fractions < 1 / 256, 0.0, np.round(fractions * STEPS) / STEPS)
