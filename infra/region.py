"""The area of a job on the ground, and the pixels of a grid that it selects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    import numpy as np
    from geopandas import GeoDataFrame
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

    @classmethod
    def from_wkt(cls, wkt: str) -> Region:
        """Polygon or multipolygon that masks.

        Raises
        ------
        InputError
            If the text is no polygon, has no area, or reaches across ±180° or outside of latitudes.
        """
        from shapely import from_wkt
        from shapely.errors import ShapelyError

        try:
            shape = from_wkt(wkt)
        except ShapelyError as error:
            raise InputError(
                f"area: not WKT: {error}", 'Write it as "POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50))".'
            ) from error
        return cls(wkt=_polygon(shape, "area.wkt").wkt, masks=True)

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


def read_region(path: str) -> Region:
    """Union of the polygons in a .geojson, .shp or .gpkg file, whatever its CRS.

    Raises
    ------
    InputError
        If the file cannot be read, has no CRS or no polygon.
    """
    return Region(wkt=_polygon(read_polygons(path).union_all(), path).wkt, masks=True)


def read_polygons(path: str) -> GeoDataFrame:
    """Polygons of a vector file in WGS84, with their attributes. Errors as `read_region`."""
    import geopandas

    if not path.startswith("s3://") and not Path(path).exists():
        raise InputError(f"{path} is not there", "Give an existing .geojson, .shp or .gpkg file.")
    try:
        table = geopandas.read_file(path)
    except Exception as error:  # pyogrio and fiona raise their own types, none of which is imported here
        raise InputError(
            f"{path} cannot be read as polygons: {error}", "Give a .geojson, .shp or .gpkg file."
        ) from error
    if table.crs is None:
        raise InputError(
            f"{path} has no coordinate reference system", "Save it with one (a .shp needs its .prj beside it)."
        )
    polygons = table[table.geometry.geom_type.isin(["Polygon", "MultiPolygon"])]
    if polygons.empty:
        raise InputError(f"{path} holds no polygon ({len(table)} other features)", "Give polygons.")
    return polygons.to_crs("EPSG:4326")


def _polygon(shape: BaseGeometry, where: str) -> BaseGeometry:
    """Valid, normalised polygon; a copy of the same area always has the same text."""
    from shapely import make_valid, normalize

    if shape.geom_type not in {"Polygon", "MultiPolygon"} or shape.is_empty or shape.area == 0:
        raise InputError(f"{where}: {shape.geom_type} has no area", "Give a polygon in longitude and latitude.")
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InputError(
            f"{where}: {_degrees(shape.bounds)} is not in longitude and latitude, or reaches across ±180°",
            "Give degrees (x is longitude); split an area across ±180° in two jobs.",
        )
    return normalize(make_valid(shape))


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
