"""The area of a job on the ground, and the pixels of a grid that it selects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

SEGMENTS = 64  # points per side: a box's sides are curves in another projection


@dataclass(frozen=True, kw_only=True)
class Region:
    """An area in longitude and latitude (WGS84).

    Attributes
    ----------
    wkt : normalised polygon or multipolygon, degrees
    masks : whether pixels of the window whose centre lies outside become no-data (a box only selects a window)
    """

    wkt: str
    masks: bool

    def geometry(self) -> BaseGeometry:
        """Polygon in WGS84 degrees."""
        from shapely import from_wkt

        return from_wkt(self.wkt)

    def projected(self, crs: str) -> BaseGeometry:
        """Polygon in `crs`, its sides densified first so that they bend as they should."""
        from pyproj import Transformer
        from shapely import segmentize, transform

        shape = self.geometry()
        left, bottom, right, top = shape.bounds
        step = max(right - left, top - bottom, 1e-9) / SEGMENTS
        to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        return transform(segmentize(shape, step), lambda xy: _columns(to_crs.transform(xy[:, 0], xy[:, 1])))

    def window(self, grid: Grid) -> Window:
        """Window of `grid` that holds the pixels whose centre lies inside the region's extent.

        Raises
        ------
        InputError
            If no pixel centre of the grid lies inside.
        """
        left, bottom, right, top = self.projected(grid.crs).bounds
        cols = _centres_within((left - grid.left) / grid.dx, (right - grid.left) / grid.dx)
        rows = _centres_within((grid.top - top) / grid.dy, (grid.top - bottom) / grid.dy)
        window = Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0]).intersect(grid.full)
        if window.height <= 0 or window.width <= 0:
            raise InputError(
                f"area: {_degrees(self.geometry().bounds)} holds no pixel of the scenes, "
                f"which cover {_degrees(geographic_bounds(grid))}",
                "Give an area that the scenes cover, or scenes of that area.",
            )
        return window

    def inside(self, grid: Grid) -> np.ndarray:
        """Whether each pixel's centre lies inside, dims (y, x), bool."""
        import numpy as np
        from rasterio.features import geometry_mask

        if not self.masks:
            return np.ones(grid.shape, dtype=bool)
        mask: np.ndarray = geometry_mask([self.projected(grid.crs)], grid.shape, grid.affine, invert=True)
        return mask


def geographic_bounds(grid: Grid) -> tuple[float, float, float, float]:
    """`(west, south, east, north)` of a grid in WGS84 degrees."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*grid.bounds, densify_pts=SEGMENTS)
    return west, south, east, north


def _centres_within(start: float, stop: float) -> tuple[int, int]:
    """Half-open range of pixel indices whose centre (index + 0.5) lies in [start, stop]."""
    return math.ceil(start - 0.5), math.floor(stop - 0.5) + 1


def _columns(xy: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    import numpy as np

    return np.column_stack(xy)


def _degrees(bounds: tuple[float, ...]) -> str:
    west, south, east, north = bounds
    return f"[{west:.4f}, {south:.4f}, {east:.4f}, {north:.4f}]"
