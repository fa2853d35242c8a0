"""Geometries of whole collections: merged, bounded, on a grid, at random places (sections 12 and 16)."""

from __future__ import annotations

import math

import numpy as np

from gee.local.elements import properties
from gee.local.errors import EarthEngineError
from gee.local.geometry import sphere
from gee.local.geometry.measures import bounds
from gee.local.geometry.planes import Flat
from gee.local.geometry.relations import arcs, geometry_of, merged, on_sphere, parts, together
from gee.local.geometry.shapes import rectangle
from gee.local.grids.reprojection import at_scale, to_pixels
from gee.local.table import algorithm
from gee.local.values import WGS84, Collection, ErrorMargin, Feature, Geometry, Projection

CELLS_LIMIT = 1_000_000
ROUNDS = 200  # of drawing points until enough are inside


@algorithm("Collection.geometry")
def geometry(collection: Collection, max_error: ErrorMargin | None) -> Geometry:
    """Geometries merged into one; empty where there is none. They must share projection and kind of edges."""
    import shapely

    del max_error  # geometries of one projection and kind are merged without reprojection
    found = together(collection)
    return Geometry(shapely.GeometryCollection()) if found is None else found


@algorithm("Collection.bounds")
def bounds_(collection: Collection, max_error: ErrorMargin | None, proj: Projection) -> Geometry:
    """Planar rectangle around all geometries, whatever their projections."""
    import shapely

    found = [one for one in map(geometry_of, collection.elements) if one is not None]
    boxes = [bounds(one, max_error, proj.crs) for one in found]
    if any(one.shape is None for one in boxes):
        return Geometry(None)
    shapes = [one.shape for one in boxes if one.shape is not None and not one.shape.is_empty]
    if not shapes:
        return Geometry(shapely.Polygon(), proj.crs, geodesic=False)
    return Geometry(rectangle(*shapely.total_bounds(shapes)), proj.crs, geodesic=False)


@algorithm("Collection.union")
def union(collection: Collection, max_error: ErrorMargin | None) -> Collection:
    """Collection of one feature, `union_result`, with the union of all geometries and no properties."""
    found = [one for one in map(geometry_of, collection.elements) if one is not None]
    if any(one.shape is None for one in found):
        joined: Geometry | None = Geometry(None)
    else:
        whole = [part for one in found for part in parts(one)]
        joined = merged(whole, max_error, None) if whole else None
    return Collection((Feature(joined, {}, id="union_result"),))


@algorithm("Geometry.coveringGrid")
def covering_grid(geometry: Geometry, proj: Projection, scale: float | None) -> Collection:
    """Planar rectangles of a projection's grid that meet a geometry, row by row; ids `<column>,<row>`."""
    import shapely

    if geometry.shape is None:
        raise EarthEngineError("An unbounded geometry has no covering grid.")
    grid = proj if scale is None else at_scale(proj, scale)
    shape = Flat(grid.crs).shape(geometry, None)
    if shape.is_empty:
        return Collection()
    west, south, east, north = shape.bounds
    rows, cols = to_pixels(np.array([west, east, east, west]), np.array([south, south, north, north]), grid.transform)
    top, bottom = math.floor(rows.min()), max(math.ceil(rows.max()), math.floor(rows.min()) + 1)
    left, right = math.floor(cols.min()), max(math.ceil(cols.max()), math.floor(cols.min()) + 1)
    if (bottom - top) * (right - left) > CELLS_LIMIT:
        raise EarthEngineError(f"The grid has more than {CELLS_LIMIT} cells: specify a larger scale.")
    col, row = (part.ravel() for part in np.meshgrid(np.arange(left, right), np.arange(top, bottom)))
    cells = _cells(grid, row, col)
    shapely.prepare(shape)
    meeting = np.flatnonzero(shapely.intersects(shape, cells))
    return Collection(
        tuple(Feature(Geometry(cells[n], grid.crs, geodesic=False), {}, id=f"{col[n]},{row[n]}") for n in meeting)
    )


def _cells(grid: Projection, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Polygons of cells, dims (cell,)."""
    import shapely

    a, b, c, d, e, f = grid.transform
    x, y = col[:, None] + [0, 1, 1, 0], row[:, None] + [0, 0, 1, 1]
    return np.asarray(shapely.polygons(np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)))


@algorithm("FeatureCollection.randomPoints", policies=("random_points",))
def random_points(region: Geometry, points: int, seed: int, max_error: ErrorMargin | None) -> Collection:
    """Points at uniformly random places: of an area, along lines, or among points."""
    import shapely

    if points < 0:
        raise EarthEngineError(f"The number of points must not be negative: {points}.")
    random = np.random.Generator(np.random.PCG64(seed % 2**64))
    if region.shape is None:
        lonlat = _on_globe(random, points, (-180.0, -90.0, 180.0, 90.0))
    else:
        shape = on_sphere(region, max_error)
        if shape.is_empty:
            raise EarthEngineError("The region is empty.")
        draw = {0: _among, 1: _along, 2: _inside}[int(shapely.get_dimensions(shape))]
        lonlat = draw(random, region, points)
    found = [Feature(Geometry(shapely.Point(xy))) for xy in lonlat]
    return Collection(tuple(properties.numbered(found)))


def _on_globe(random: np.random.Generator, count: int, box: tuple[float, float, float, float]) -> np.ndarray:
    west, south, east, north = box
    low, high = math.sin(math.radians(south)), math.sin(math.radians(north))
    lat = np.degrees(np.arcsin(random.uniform(low, high, count)))
    return np.column_stack([random.uniform(west, east, count), lat])


def _inside(random: np.random.Generator, region: Geometry, count: int) -> np.ndarray:
    import shapely

    box = bounds(region, None, WGS84).shape
    flat = Flat(WGS84).shape(region, None)
    shapely.prepare(flat)
    assert box is not None  # noqa: S101 -- the region is bounded
    west, south, east, north = box.bounds
    found = np.empty((0, 2))
    for _ in range(ROUNDS):
        drawn = _on_globe(random, max(count, 100), (west, south, east, north))
        found = np.vstack([found, drawn[shapely.contains_xy(flat, drawn[:, 0], drawn[:, 1])]])
        if len(found) >= count:
            return found[:count]
    raise EarthEngineError("The region is too small a part of its bounding box to draw points in it.")


def _along(random: np.random.Generator, region: Geometry, count: int) -> np.ndarray:
    lines = [line for line in arcs(region, None) if len(line) > 1]
    starts = np.vstack([line[:-1] for line in lines])
    ends = np.vstack([line[1:] for line in lines])
    spans = sphere.angles(starts, ends)
    at = np.searchsorted(np.cumsum(spans), random.uniform(0, spans.sum(), count))
    part = random.uniform(0, 1, count)[:, None]
    angle = spans[at][:, None]
    return sphere.degrees((np.sin((1 - part) * angle) * starts[at] + np.sin(part * angle) * ends[at]) / np.sin(angle))


def _among(random: np.random.Generator, region: Geometry, count: int) -> np.ndarray:
    points = np.vstack(arcs(region, None))
    return sphere.degrees(points[random.integers(0, len(points), count)])
