"""How much of each pixel a shape covers, exactly; which pixel centres lie in it (section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

LEVELS = 255  # fractions are stored in 8 bits
LEAST = 1 / 256  # of a pixel: less counts as nothing
BLOCK = 16  # pixels: blocks of this side are not divided further
ON_EDGE = 1e-9  # pixels: a centre on a left or top edge lies inside, on a right or bottom edge outside


def fractions(shape: BaseGeometry, height: int, width: int) -> np.ndarray:
    """Share of each pixel that a shape covers, 0 to 1 in 8 bits. Dims (y, x), float64.

    Parameters
    ----------
    shape : in pixel coordinates: (0, 0) the top-left corner of the first pixel, y downwards
        Points and lines cover what they touch.
    """
    found = np.zeros((height, width))
    for part in _parts(shape):
        here = np.zeros((height, width))
        if part.geom_type == "Polygon":
            _cover(part, here, 0, 0)
        else:
            _touch(part, here)
        found += here
    return in_8_bits(np.minimum(found, 1.0))


def in_8_bits(share: np.ndarray) -> np.ndarray:
    """Shares rounded to 255 steps; what is below 1/256 becomes 0."""
    return np.asarray(np.where(share < LEAST, 0.0, np.maximum(np.round(share * LEVELS), 1.0) / LEVELS))


def centres_inside(shape: BaseGeometry, height: int, width: int, *, share: np.ndarray | None = None) -> np.ndarray:
    """Whether each pixel's centre lies in a shape; points and lines hold the pixels that they touch. Dims (y, x), boolean.

    Parameters
    ----------
    shape : in pixel coordinates
    share : `fractions` of the shape where they are known already
    """
    import shapely

    share = fractions(shape, height, width) if share is None else share
    inside = share == 1
    rows, cols = np.nonzero((share > 0) & ~inside)
    for part in _parts(shape):
        if part.geom_type == "Polygon":
            shapely.prepare(part)
            inside[rows, cols] |= shapely.contains_xy(part, cols + 0.5 + ON_EDGE, rows + 0.5 + ON_EDGE)
        else:
            here = np.zeros((height, width))
            _touch(part, here)
            inside |= here > 0
    return np.asarray(inside)


def _parts(shape: BaseGeometry) -> list[BaseGeometry]:
    """Polygons (valid, apart from each other), lines and points of a shape."""
    import shapely

    flat = [one for one in shapely.get_parts(shapely.get_parts(shape)).tolist() if not one.is_empty]
    areas = [one if one.is_valid else shapely.make_valid(one) for one in flat if one.geom_type == "Polygon"]
    whole = shapely.union_all(areas) if len(areas) > 1 else (areas[0] if areas else None)
    polygons = [] if whole is None else [one for one in shapely.get_parts(whole).tolist() if one.geom_type == "Polygon"]
    return [*polygons, *(one for one in flat if one.geom_type != "Polygon")]


def _cover(shape: BaseGeometry, found: np.ndarray, top: int, left: int) -> None:
    """Areas of a polygon within the pixels of `found`, whose first pixel is (top, left)."""
    import shapely

    height, width = found.shape
    inside = shapely.intersection(shape, shapely.box(left, top, left + width, top + height))
    area = inside.area
    if area == 0:
        return
    if area >= height * width * (1 - 1e-12):
        found[:] = 1
    elif max(height, width) > BLOCK:
        for rows in _halves(height):
            for cols in _halves(width):
                _cover(inside, found[rows, cols], top + rows.start, left + cols.start)
    else:
        y, x = np.mgrid[top : top + height, left : left + width]
        found[:] = shapely.area(shapely.intersection(inside, shapely.box(x, y, x + 1, y + 1)))


def _halves(size: int) -> list[slice]:
    middle = size // 2
    return [one for one in (slice(0, middle), slice(middle, size)) if one.stop > one.start]


def _touch(shape: BaseGeometry, found: np.ndarray) -> None:
    """Set pixels that a point lies in or a line runs through to 1."""
    import shapely

    height, width = found.shape
    if shape.geom_type == "Point":
        col, row = np.floor(shapely.get_coordinates(shape)[0] + ON_EDGE).astype(int).tolist()
        if 0 <= row < height and 0 <= col < width:
            found[row, col] = 1
        return
    low_x, low_y, high_x, high_y = shape.bounds
    rows = np.arange(max(int(np.floor(low_y)), 0), min(int(np.ceil(high_y)) + 1, height))
    cols = np.arange(max(int(np.floor(low_x)), 0), min(int(np.ceil(high_x)) + 1, width))
    if rows.size and cols.size:
        x, y = np.meshgrid(cols, rows)
        shapely.prepare(shape)
        found[np.ix_(rows, cols)] = shapely.intersects(shape, shapely.box(x, y, x + 1 - ON_EDGE, y + 1 - ON_EDGE))
