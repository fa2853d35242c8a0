"""What a request for pixels means: which image, which bands, which grid, and whether it is too much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.evaluation.coercion import coerce
from gee.local.evaluation.evaluator import Context, Evaluation
from gee.local.pixels import Grid, Image
from gee.local.regions.output_grid import output_grid
from gee.local.rendering.dtypes import dtype_of
from gee.local.values import Function

BANDS = 1024
SIDE, BYTES = 32768, 48 * 2**20  # of computePixels and getPixels
DOWNLOAD_SIDE, DOWNLOAD_BYTES = 10_000, 32 * 2**20
WEB_MERCATOR = "EPSG:3857"
WORLD = 20037508.342789244  # metres from the middle of the Web Mercator map to its edge
TILE = 256
DEEPEST_ZOOM = 24


def function(name: str, context: Context) -> Function:
    """An algorithm, to be called with values."""
    return Evaluation({"values": {}, "result": ""}, context).function(name)


def to_image(value: Any, context: Context, *, where: str = "Invalid argument") -> Image:
    """Image of what an expression gave; numbers become constant ones.

    Raises
    ------
    EarthEngineError
        If it cannot be an image.
    """
    image: Image = coerce(value, "Image", where=where, call=lambda name: function(name, context))
    return image


def chosen(image: Image, body: Mapping[str, Any], context: Context) -> Image:
    """Image with the bands and colours that a request asks for.

    Raises
    ------
    EarthEngineError
        If a band is not there, or an option is wrong.
    """
    names = body.get("bandIds") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise EarthEngineError("Invalid argument: 'bandIds' must be a list of texts.")
    if names:
        image = image.with_bands([_band(image, name) for name in names])
    options = body.get("visualizationOptions")
    return _visualized(image, options, context) if options else image


def grid_of(body: Mapping[str, Any], image: Image) -> Grid:
    """Grid that a request names, else the image's own.

    Raises
    ------
    EarthEngineError
        If it is incomplete.
    """
    grid = body.get("grid")
    if not grid:
        return output_grid(image)
    dimensions, affine = _mapping(grid, "dimensions"), _mapping(grid, "affineTransform")
    names = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
    a, b, c, d, e, f = (_number(affine.get(name, 0.0), name) for name in names)
    if a * e - b * d == 0:
        raise EarthEngineError("Invalid argument: the grid's affineTransform has no inverse.")
    crs = grid.get("crsCode") or grid.get("crsWkt")
    if not isinstance(crs, str):
        raise EarthEngineError("Invalid argument: the grid has neither 'crsCode' nor 'crsWkt'.")
    width, height = (_side(dimensions.get(name), name) for name in ("width", "height"))
    return Grid(crs, (a, b, c, d, e, f), width, height)


def tile_grid(zoom: int, column: int, row: int) -> Grid:
    """Grid of a map tile, column from the west and row from the north.

    Raises
    ------
    EarthEngineError
        If there is no such tile.
    """
    count = 2 ** min(max(zoom, 0), DEEPEST_ZOOM)
    if not 0 <= zoom <= DEEPEST_ZOOM or not 0 <= row < count:
        raise EarthEngineError(f"Invalid argument: there is no tile {zoom}/{column}/{row}.")
    side = 2 * WORLD / count
    pixel = side / TILE
    west, north = (column % count) * side - WORLD, WORLD - row * side
    return Grid(WEB_MERCATOR, (pixel, 0.0, west, 0.0, -pixel, north), TILE, TILE)


def check_limits(image: Image, grid: Grid, *, side: int = SIDE, size: int = BYTES) -> None:
    """Return, or refuse what is more than one request may ask for.

    Raises
    ------
    EarthEngineError
        In the service's words.
    """
    if not image.bands:
        raise EarthEngineError("The image has no bands.")
    if len(image.bands) > BANDS:
        raise EarthEngineError(f"Too many bands: {len(image.bands)}; at most {BANDS} can be asked for at once.")
    if max(grid.width, grid.height) > side:
        raise EarthEngineError(
            f"Pixel grid dimensions ({grid.width}x{grid.height}) must be less than or equal to {side}."
        )
    total = grid.width * grid.height * sum(dtype_of(band.type).itemsize for band in image.bands)
    if total > size:
        raise EarthEngineError(f"Total request size ({total} bytes) must be less than or equal to {size} bytes.")


def pixel_count(image: Image) -> int:
    """Pixels of an image's own grid."""
    grid = output_grid(image)
    return grid.width * grid.height


def _band(image: Image, name: str) -> Any:
    for band in image.bands:
        if band.name == name:
            return band
    raise EarthEngineError(f"Band '{name[:100]}' not found. Available bands: [{', '.join(image.band_names)}]")


def _visualized(image: Image, options: Any, context: Context) -> Image:
    if not isinstance(options, Mapping):
        raise EarthEngineError("Invalid argument: 'visualizationOptions' must be an object.")
    given: dict[str, Any] = {"image": image}
    ranges = options.get("ranges") or []
    if not isinstance(ranges, list) or not all(isinstance(one, Mapping) for one in ranges):
        raise EarthEngineError("Invalid argument: 'ranges' must be a list of objects.")
    if ranges:
        given |= {name: [_number(one.get(name, 0.0), name) for one in ranges] for name in ("min", "max")}
    if options.get("paletteColors"):
        given["palette"] = options["paletteColors"]
    if options.get("gamma"):
        given["gamma"] = _number(_mapping(options, "gamma").get("value"), "gamma")
    result: Image = function("Image.visualize", context).call(given)
    return result


def _mapping(given: Any, name: str) -> Mapping[str, Any]:
    value = given.get(name) if isinstance(given, Mapping) else None
    if not isinstance(value, Mapping):
        raise EarthEngineError(f"Invalid argument: '{name}' is missing or no object.")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise EarthEngineError(f"Invalid argument: '{name}' must be a number, not {str(value)[:40]!r}.")
    return float(value)


def _side(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**31 or value != int(value):
        raise EarthEngineError(f"Invalid argument: '{name}' must be a positive whole number, not {str(value)[:40]!r}.")
    return int(value)
