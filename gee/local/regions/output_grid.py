"""Which pixels an image is computed on where a request names none: exports, thumbnails, computePixels (section 11)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gee.local.errors import EarthEngineError
from gee.local.geometry.shapes import shape_in
from gee.local.grids.reprojection import metres_per_unit, to_pixels
from gee.local.pixels import Grid, Image
from gee.local.values import Geometry, Projection, Transform

EDGE = 1e-6  # pixels: a bound nearer than this to a grid line lies on it
BEND = 0.01  # pixels: how far a bound may lie from a geodesic edge's true extreme


@dataclass(frozen=True, kw_only=True)
class BoundsRequest:
    """What `clipToBoundsAndScale` asks for; the sizes exclude each other.

    Attributes
    ----------
    geometry : None for the image's footprint
    width, height, max_dimension : pixels
    scale : metres
    """

    geometry: Geometry | None = None
    width: int | None = None
    height: int | None = None
    max_dimension: int | None = None
    scale: float | None = None


def output_grid(image: Image) -> Grid:
    """Grid of an image: what `clipToBoundsAndScale` fixed, else its footprint in its first band's projection.

    Lines of pixels go from north to south, also where the projection's transform counts them from south to north.

    Raises
    ------
    EarthEngineError
        If it has no bands, or neither a grid nor a bounded footprint.
    """
    if image.grid is not None:
        return image.grid
    if not image.bands:
        raise EarthEngineError("The image has no bands.")
    first = image.bands[0]
    if first.size is not None:
        return Grid(first.projection.crs, first.projection.transform, *first.size)
    return bounds_grid(image, BoundsRequest())


def bounds_grid(image: Image, request: BoundsRequest) -> Grid:
    """Grid that covers the bounds of a geometry in an image's projection.

    Raises
    ------
    EarthEngineError
        If sizes exclude each other, or the image is unbounded and no geometry is given.
    """
    _check(request)
    if not image.bands:
        raise EarthEngineError("The image has no bands.")
    projection = image.bands[0].projection
    if request.scale is not None:
        return _snapped(image, request, _north_up(projection.crs, request.scale / metres_per_unit(projection.crs)))
    if request.width is None and request.height is None and request.max_dimension is None:
        return _snapped(image, request, _top_down(projection))
    return _divided(image, request, projection)


def grid_shape(grid: Grid) -> Geometry:
    """Outline of a grid."""
    import shapely

    a, b, c, d, e, f = grid.transform
    corners = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
    ring = [(c + a * x + b * y, f + d * x + e * y) for x, y in corners]
    return Geometry(shapely.Polygon(ring), grid.crs, geodesic=False)


def _check(request: BoundsRequest) -> None:
    sides = request.width is not None or request.height is not None
    if sides + (request.max_dimension is not None) + (request.scale is not None) > 1:
        raise EarthEngineError("Only one of 'width' with 'height', 'maxDimension' and 'scale' can be given.")
    if sides and (request.width is None or request.height is None):
        raise EarthEngineError("'width' and 'height' must be given together.")
    for name in ("width", "height", "max_dimension", "scale"):
        value = getattr(request, name)
        if value is not None and not value > 0:
            raise EarthEngineError(f"'{name}' must be positive, not {value}.")


def _north_up(crs: str, size: float) -> Projection:
    return Projection(crs, (size, 0.0, 0.0, 0.0, -size, 0.0))


def _top_down(projection: Projection) -> Projection:
    a, b, c, d, e, f = projection.transform
    return Projection(projection.crs, (a, b, c, d, -e, f)) if b == d == 0 and e > 0 else projection


def _bounds(image: Image, request: BoundsRequest, projection: Projection) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of the geometry in pixels of a projection."""
    import shapely

    geometry = request.geometry or image.footprint
    if geometry is None or geometry.shape is None:
        raise EarthEngineError("Unable to export unbounded image.")
    shape = shape_in(geometry, projection.crs, tolerance=BEND * _pixel(projection.transform))
    if shape is None or shape.is_empty:
        raise EarthEngineError("The geometry for image clipping must not be empty.")
    xy = shapely.get_coordinates(shape)
    rows, cols = to_pixels(xy[:, 0], xy[:, 1], projection.transform)
    return float(cols.min()), float(rows.min()), float(cols.max()), float(rows.max())


def _pixel(transform: Transform) -> float:
    a, b, _, d, e, _ = transform
    return math.sqrt(abs(a * e - b * d))


def _settled(value: float) -> float:
    """A bound on a grid line exactly."""
    return round(value) if abs(value - round(value)) < EDGE else value


def _snapped(image: Image, request: BoundsRequest, projection: Projection) -> Grid:
    """Whole pixels of a projection that cover the bounds; an edge on a grid line adds none."""
    left, top, right, bottom = _bounds(image, request, projection)
    col, row = math.floor(left + EDGE), math.floor(top + EDGE)
    width, height = max(math.ceil(right - EDGE) - col, 1), max(math.ceil(bottom - EDGE) - row, 1)
    return Grid(projection.crs, projection.transform, 1, 1).pad(-col, -row, col + width - 1, row + height - 1)


def _divided(image: Image, request: BoundsRequest, projection: Projection) -> Grid:
    """The bounds in a number of pixels, which may be oblong where both sides are given."""
    whole = _top_down(projection)
    left, top, right, bottom = (_settled(one) for one in _bounds(image, request, whole))
    across, down = right - left, bottom - top
    if across <= 0 or down <= 0:
        raise EarthEngineError("The geometry for image clipping must have an area.")
    width, height = request.width or 1, request.height or 1
    if request.max_dimension is not None:
        longest = max(across, down)
        width, height = (max(math.floor(side / longest * request.max_dimension + 0.5), 1) for side in (across, down))
    a, b, c, d, e, f = whole.transform
    x, y = across / width, down / height
    transform = (a * x, b * y, c + a * left + b * top, d * x, e * y, f + d * left + e * top)
    return Grid(projection.crs, transform, width, height)
