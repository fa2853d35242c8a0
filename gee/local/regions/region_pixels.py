"""The pixels of a region: on which grid they lie, which take part, with which weight (section 6)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.geometry.shapes import shape_in
from gee.local.geometry.turns import within_one_turn
from gee.local.grids.reprojection import at_scale, nominal_scale, to_pixels
from gee.local.pixels import Band, Grid, Image, rendering
from gee.local.regions.area_fractions import centres_inside, fractions
from gee.local.values import IDENTITY, WGS84, Geometry, Projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

TILE = 512  # pixels a side that are computed at once
BEND = 0.02  # pixels by which edges may lie off where a region comes from another projection
DEFAULT_WGS84 = "The default WGS84 projection is invalid for aggregations. Specify a scale or crs & crs_transform."
STRETCH = 1.01  # scale is enlarged by this much beyond what the area asks for, as edges add pixels


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Grid of an aggregation as its arguments say it.

    Attributes
    ----------
    scale : metres
    crs : projection instead of the first band's
    crs_transform : instead of the projection's own; excludes `scale`
    """

    scale: float | None = None
    crs: Projection | None = None
    crs_transform: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Region:
    """A shape laid on pixels.

    Attributes
    ----------
    grid : the smallest that holds the shape
    shape : in pixel coordinates of the grid
    """

    grid: Grid
    shape: BaseGeometry

    @property
    def count(self) -> int:
        """Pixels that the shape covers, about."""
        return max(math.ceil(self.shape.area), 1)

    def tiles(self) -> Iterator[Region]:
        """Parts of at most `TILE` pixels a side that the shape reaches into, row by row."""
        import shapely

        for top in range(0, self.grid.height, TILE):
            for left in range(0, self.grid.width, TILE):
                height, width = min(TILE, self.grid.height - top), min(TILE, self.grid.width - left)
                if shapely.intersects(self.shape, shapely.box(left, top, left + width, top + height)):
                    grid = self.grid.pad(-left, -top, left + width - self.grid.width, top + height - self.grid.height)
                    yield Region(grid=grid, shape=_moved(self.shape, left, top))

    def weights(self, *, weighted: bool) -> np.ndarray:
        """Covered share of each pixel in 8 bits, or whether its centre lies inside. Dims (y, x), float64."""
        share = fractions(self.shape, self.grid.height, self.grid.width)
        if weighted:
            return share
        return centres_inside(self.shape, self.grid.height, self.grid.width, share=share).astype(np.float64)


def working_projection(band: Band | None, wanted: Wanted) -> Projection:
    """Projection in which an aggregation runs.

    Raises
    ------
    EarthEngineError
        If arguments exclude each other, or nothing says how large pixels are.
    """
    if wanted.scale is not None and wanted.crs_transform is not None:
        raise EarthEngineError("Can't specify both 'scale' and 'crsTransform'.")
    if wanted.crs is None and band is None:
        raise EarthEngineError("The image has no bands, and no projection is given.")
    base = wanted.crs or band.projection  # type: ignore[union-attr] # one of both is there, see above
    if wanted.crs_transform is not None:
        return Projection(base.crs, _transform(wanted.crs_transform))
    if wanted.scale is not None:
        return at_scale(base, wanted.scale)
    if base == Projection(WGS84, IDENTITY):
        raise EarthEngineError(DEFAULT_WGS84)
    if wanted.crs is not None and base.transform == IDENTITY:
        raise EarthEngineError(f"The projection {base.crs} has no scale: specify 'scale' or 'crsTransform'.")
    return base


def region_of(geometry: Geometry, projection: Projection) -> Region:
    """Region of a geometry on the pixels of a projection.

    Raises
    ------
    EarthEngineError
        If the geometry is unbounded or empty.
    """
    import shapely

    pixel = math.sqrt(abs(np.linalg.det(np.reshape(projection.transform, (2, 3))[:, :2])))
    shape = shape_in(geometry, projection.crs, tolerance=BEND * pixel)
    if shape is None:
        raise EarthEngineError("Unable to perform this aggregation on an unbounded region: specify a geometry.")
    shape = within_one_turn(shape, projection.crs)
    if shape.is_empty:
        return Region(grid=Grid(projection.crs, projection.transform, 1, 1), shape=shape)

    def to_cells(xy: np.ndarray) -> np.ndarray:
        rows, cols = to_pixels(xy[:, 0], xy[:, 1], projection.transform)
        return np.column_stack([cols, rows])

    cells = shapely.transform(shape, to_cells)
    cells = shapely.transform(cells, _snapped)
    left, top, right, bottom = cells.bounds
    col, row = math.floor(left), math.floor(top)
    width, height = max(math.ceil(right) - col, 1), max(math.ceil(bottom) - row, 1)
    if cells.length == 0 or right == left or bottom == top:  # points and straight lines on an edge: the pixel after it
        width, height = math.floor(right) - col + 1, math.floor(bottom) - row + 1
    grid = Grid(projection.crs, projection.transform, 1, 1).pad(-col, -row, col + width - 1, row + height - 1)
    return Region(grid=grid, shape=_moved(cells, col, row))


def limited_region(geometry: Geometry, projection: Projection, *, most: int, best_effort: bool = False) -> Region:
    """Region of at most so many pixels, on larger pixels where `best_effort` allows them.

    Raises
    ------
    EarthEngineError
        If there are more.
    """
    region = region_of(geometry, projection)
    while region.count > most:
        if not best_effort:
            raise EarthEngineError(
                f"Too many pixels in the region. Found {region.count}, but only {most} allowed. "
                "Set bestEffort, a larger scale or a higher maxPixels."
            )
        factor = math.sqrt(region.count / most) * STRETCH
        projection = at_scale(projection, nominal_scale(projection) * factor)
        region = region_of(geometry, projection)
    return region


@dataclass(frozen=True, kw_only=True)
class Found:
    """Pixels of a region, in rows from the top.

    Attributes
    ----------
    values : per band, dims (pixel, axis 0, …)
    masks : per band, dims (pixel,), 0 to 1
    weights : dims (pixel,), of the region alone
    x, y : dims (pixel,), of the centres in the region's CRS
    """

    values: list[np.ndarray]
    masks: list[np.ndarray]
    weights: np.ndarray
    x: np.ndarray
    y: np.ndarray


def gather(image: Image, region: Region, *, weighted: bool) -> Found:
    """Pixels of an image in a region, those whose weight is not 0; computed tile by tile."""
    tiles = [_gather_tile(image, tile, weighted=weighted) for tile in region.tiles()]
    tiles = [one for one in tiles if one.weights.size] or [_nothing(image)]
    return Found(
        values=[np.concatenate([one.values[band] for one in tiles]) for band in range(len(image.bands))],
        masks=[np.concatenate([one.masks[band] for one in tiles]) for band in range(len(image.bands))],
        weights=np.concatenate([one.weights for one in tiles]),
        x=np.concatenate([one.x for one in tiles]),
        y=np.concatenate([one.y for one in tiles]),
    )


def _gather_tile(image: Image, tile: Region, *, weighted: bool) -> Found:
    weights = tile.weights(weighted=weighted)
    inside = weights > 0
    if not inside.any():
        return _nothing(image)
    with rendering():
        pixels = [band.pixels(tile.grid) for band in image.bands]
    if any(one.lengths is not None for one in pixels):
        raise EarthEngineError("arrays whose lengths differ between pixels cannot be aggregated here.")
    x, y = tile.grid.centres()
    return Found(
        values=[one.data[inside] for one in pixels],
        masks=[one.mask[inside] for one in pixels],
        weights=weights[inside],
        x=x[inside],
        y=y[inside],
    )


def _nothing(image: Image) -> Found:
    none = np.zeros(0)
    return Found(values=[none] * len(image.bands), masks=[none] * len(image.bands), weights=none, x=none, y=none)


def _moved(shape: BaseGeometry, left: int, top: int) -> BaseGeometry:
    """Shape in pixel coordinates from another first pixel."""
    import shapely

    return shapely.transform(shape, lambda xy: xy - (left, top))


def _transform(values: Sequence[float]) -> tuple[float, float, float, float, float, float]:
    if len(values) != 6:
        raise EarthEngineError(f"A crsTransform has 6 values, not {len(values)}.")
    a, b, c, d, e, f = (float(one) for one in values)
    return a, b, c, d, e, f


def _snapped(xy: np.ndarray) -> np.ndarray:
    """Pixel coordinates, those a billionth off a grid line on it."""
    near = np.round(xy)
    found: np.ndarray = np.where(np.abs(xy - near) < 1e-6, near, xy)
    return found
