"""Planes on which shapes are put together: gnomonic ones, where geodesic edges are straight, and those of projections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.geometry import sphere
from gee.local.geometry.shapes import bent, shape_in
from gee.local.geometry.turns import within_one_turn
from gee.local.grids.reprojection import metres_per_unit, transformed
from gee.local.values import WGS84, ErrorMargin, Geometry, Projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

DEFAULT_METRES = 1.0  # how far bent edges may lie from the true ones where no margin is asked
LEAST_METRES = 0.001  # of the smallest error margin
REACH = math.radians(75)  # from a gnomonic plane's centre: beyond, shapes are put together in degrees
TOUCH = 1e-10  # radians, 0.6 mm: shapes that are so near touch


class Plane(Protocol):
    """Where shapes are put together."""

    @property
    def touch(self) -> float:
        """Distance at which shapes touch."""
        ...

    def shape(self, geometry: Geometry, margin: ErrorMargin | None) -> BaseGeometry:
        """Valid shape of a bounded geometry there."""
        ...

    def geometry(self, shape: BaseGeometry) -> Geometry:
        """Geometry of a shape there."""
        ...


@dataclass(frozen=True)
class Flat:
    """Plane of a CRS; its geometries are planar."""

    crs: str

    @property
    def touch(self) -> float:
        """Distance at which shapes touch, in units of the CRS."""
        return TOUCH * sphere.RADIUS / metres_per_unit(self.crs)

    def shape(self, geometry: Geometry, margin: ErrorMargin | None) -> BaseGeometry:
        """Valid shape of a geometry, geodesic edges bent within the margin."""
        return _valid(self.bent(geometry, margin))

    def bent(self, geometry: Geometry, margin: ErrorMargin | None) -> BaseGeometry:
        """Shape of a geometry as it is, valid or not."""
        if geometry.geodesic or geometry.crs != self.crs:
            check_lossy(geometry, margin)
        tolerance = metres(margin) / metres_per_unit(self.crs)
        if margin is not None and margin.unit == "projected" and margin.value:
            tolerance = margin.value
        shape = shape_in(geometry, self.crs, tolerance=tolerance)
        if shape is None:
            raise EarthEngineError("An unbounded geometry has no shape in a projection.")
        return shape

    def geometry(self, shape: BaseGeometry) -> Geometry:
        """Planar geometry of a shape."""
        import shapely

        return Geometry(shapely.orient_polygons(shape), self.crs, geodesic=False)


@dataclass(frozen=True)
class Globe(Flat):
    """All longitudes from -180 to 180, for what reaches too far around for a gnomonic plane."""

    crs: str = WGS84

    def bent(self, geometry: Geometry, margin: ErrorMargin | None) -> BaseGeometry:
        """Shape whose parts beyond the antimeridian are moved to the other side."""
        return within_one_turn(_valid(super().bent(geometry, margin)), WGS84)


@dataclass(frozen=True)
class Gnomonic:
    """Plane that touches the sphere at a point: every great circle is a straight line; unit radians at the centre."""

    lon: float
    lat: float

    touch: float = TOUCH

    @property
    def axes(self) -> np.ndarray:
        """East, north and up at the centre, dims (axis, 3)."""
        lon, lat = math.radians(self.lon), math.radians(self.lat)
        return np.array(
            [
                [-math.sin(lon), math.cos(lon), 0.0],
                [-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)],
                [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)],
            ]
        )

    def shape(self, geometry: Geometry, margin: ErrorMargin | None) -> BaseGeometry:
        """Valid shape of a geometry that lies within `REACH`; planar edges are bent within the margin."""
        axes = self.axes

        def place(xy: np.ndarray) -> np.ndarray:
            lonlat = np.column_stack(transformed(xy[:, 0], xy[:, 1], geometry.crs, WGS84))
            return self.flat(sphere.vectors(lonlat), axes)

        if not geometry.geodesic:
            check_lossy(geometry, margin)
        tolerance = math.inf if geometry.geodesic else metres(margin) / sphere.RADIUS
        return _valid(bent(geometry, place, tolerance=tolerance))

    def flat(self, xyz: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
        """Coordinates of unit vectors, dims (point, 2)."""
        east, north, up = (self.axes if axes is None else axes) @ xyz.T
        return np.column_stack([east / up, north / up])

    def round(self, xy: np.ndarray) -> np.ndarray:
        """Longitudes and latitudes of coordinates."""
        axes = self.axes
        return sphere.degrees(xy[:, :1] * axes[0] + xy[:, 1:] * axes[1] + axes[2], around=self.lon)

    def geometry(self, shape: BaseGeometry) -> Geometry:
        """Geodesic geometry of a shape."""
        import shapely

        return Geometry(shapely.transform(shapely.orient_polygons(shape), self.round), WGS84, geodesic=True)


def plane_for(geometries: Sequence[Geometry], proj: Projection | None) -> Gnomonic | Flat:
    """Plane of a projection, or without one the gnomonic plane in the middle of bounded geometries.

    Geometries that reach too far around the globe are put together in degrees instead.
    """
    if proj is not None:
        return Flat(proj.crs)
    found = [vertices(one) for one in geometries]
    every = np.vstack([one for one in found if len(one)]) if any(map(len, found)) else np.array([[1.0, 0.0, 0.0]])
    middle = every.mean(axis=0)
    size = float(np.linalg.norm(middle))
    if size == 0 or float((every @ (middle / size)).min()) < math.cos(REACH):
        return Globe()
    lon, lat = sphere.degrees(middle[None])[0]
    return Gnomonic(float(lon), float(lat))


def vertices(geometry: Geometry) -> np.ndarray:
    """Unit vectors of the corners, dims (point, 3); of planar edges over more than 30 degrees also of points between."""
    import shapely

    if geometry.shape is None:
        return np.empty((0, 3))
    shape = geometry.shape
    if not geometry.geodesic:
        shape = shapely.segmentize(shape, math.radians(30) * sphere.RADIUS / metres_per_unit(geometry.crs))
    xy = shapely.get_coordinates(shape)
    found = sphere.vectors(np.column_stack(transformed(xy[:, 0], xy[:, 1], geometry.crs, WGS84)))
    if not np.isfinite(found).all():
        raise EarthEngineError("A geometry lies outside the area of its projection.")
    return found


def metres(margin: ErrorMargin | None) -> float:
    """Margin in metres; without one, or where approximation would be free, the default."""
    if margin is None or margin.value is None or margin.unit != "meters":
        return DEFAULT_METRES
    return max(margin.value, LEAST_METRES)


def check_lossy(geometry: Geometry, margin: ErrorMargin | None) -> None:
    """Edges may be bent only where the margin is not 0.

    Raises
    ------
    EarthEngineError
        If it is 0 and there are edges.
    """
    import shapely

    edges = geometry.shape is not None and shapely.get_dimensions(geometry.shape) > 0
    if edges and margin is not None and margin.unit != "infinite" and margin.value == 0:
        raise EarthEngineError("Can't apply reprojection with edge subdivision with a zero error margin.")


def _valid(shape: BaseGeometry) -> BaseGeometry:
    """Shape whose interior is that of the even-odd rule."""
    import shapely

    return shape if shape.is_valid else shapely.make_valid(shape)
