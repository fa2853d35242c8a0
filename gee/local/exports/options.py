"""What a request to export an image asks for: format, tiles, parts, limits, pyramids; what is not made is refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.operations.destinations import Destination, destination_of

MAX_PIXELS = 100_000_000
TILE = 256
FILE_BYTES = 8 * 2**30  # of pixels in one file where no `fileDimensions` are given: beyond, there are several
TILE_STEP = 16  # what GeoTIFF asks of the side of a tile
POLICIES = ("MEAN", "SAMPLE", "MIN", "MAX", "MODE", "MEDIAN")
KNOWN = {
    "request": (
        "expression",
        "description",
        "fileExportOptions",
        "assetExportOptions",
        "maxPixels",
        "priority",
        "requestId",
        "workloadTag",
    ),
    "fileExportOptions": ("fileFormat", "driveDestination", "cloudStorageDestination", "geoTiffOptions"),
    "geoTiffOptions": ("cloudOptimized", "tileDimensions", "tileSize", "skipEmptyFiles", "noData"),
    "assetExportOptions": ("earthEngineDestination", "pyramidingPolicy", "pyramidingPolicyOverrides", "tileSize"),
}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """An export of an image.

    Attributes
    ----------
    part : width and height of each file in pixels, multiples of `tile`; None for one file as far as it goes
    skip_empty : whether files without valid pixels are left out
    pyramiding : policy by band, "" for the others; of assets
    """

    destination: Destination
    description: str = ""
    cloud_optimized: bool = False
    tile: int = TILE
    part: tuple[int, int] | None = None
    skip_empty: bool = False
    no_data: float | None = None
    max_pixels: int = MAX_PIXELS
    pyramiding: Mapping[str, str] = field(default_factory=dict)


def export_options(body: Mapping[str, Any]) -> ExportOptions:
    """Options of a request's body.

    Raises
    ------
    EarthEngineError
        If one is wrong, or not implemented here.
    """
    _check_known(body, "request")
    destination = destination_of("EXPORT_IMAGE", body)
    base: dict[str, Any] = {
        "destination": destination,
        "description": str(body.get("description") or ""),
        "max_pixels": _whole(body.get("maxPixels"), "maxPixels", default=MAX_PIXELS),
    }
    if destination.place == "asset":
        return ExportOptions(**base, **_asset(body["assetExportOptions"]))
    return ExportOptions(**base, **_file(body["fileExportOptions"]))


def _asset(given: Mapping[str, Any]) -> dict[str, Any]:
    _check_known(given, "assetExportOptions")
    overrides = given.get("pyramidingPolicyOverrides") or {}
    if not isinstance(overrides, Mapping):
        raise EarthEngineError("Invalid argument: 'pyramidingPolicyOverrides' must be an object.")
    policies = {"": given.get("pyramidingPolicy") or "MEAN", **overrides}
    for policy in policies.values():
        if policy not in POLICIES:
            raise EarthEngineError(f"Invalid pyramiding policy: {str(policy)[:40]!r}; one of {', '.join(POLICIES)}.")
    return {"pyramiding": policies, "tile": _tile(given)}


def _file(given: Mapping[str, Any]) -> dict[str, Any]:
    _check_known(given, "fileExportOptions")
    kind = given.get("fileFormat") or "GEO_TIFF"
    if kind != "GEO_TIFF":
        raise NotImplementedHereError(f"this local Earth Engine does not export the file format {str(kind)[:40]}.")
    options = given.get("geoTiffOptions") or {}
    if not isinstance(options, Mapping):
        raise EarthEngineError("Invalid argument: 'geoTiffOptions' must be an object.")
    _check_known(options, "geoTiffOptions")
    tile = _tile(options)
    return {
        "cloud_optimized": options.get("cloudOptimized") is True,
        "tile": tile,
        "part": _part(options.get("tileDimensions"), tile),
        "skip_empty": options.get("skipEmptyFiles") is True,
        "no_data": _no_data(options.get("noData")),
    }


def _check_known(given: Mapping[str, Any], where: str) -> None:
    strange = sorted(str(key) for key, value in given.items() if key not in KNOWN[where] and value is not None)
    if strange:
        raise NotImplementedHereError(
            f"this local Earth Engine does not implement {', '.join(strange)[:200]} of an export's {where}."
        )


def _tile(given: Mapping[str, Any]) -> int:
    side = _whole(given.get("tileSize"), "tileSize", default=TILE)
    if side % TILE_STEP:
        raise NotImplementedHereError(
            f"this local Earth Engine writes tiles whose side is a multiple of {TILE_STEP}, not {side}."
        )
    return side


def _part(given: Any, tile: int) -> tuple[int, int] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise EarthEngineError("Invalid argument: 'tileDimensions' must be an object.")
    width, height = (_whole(given.get(name), name, default=0) for name in ("width", "height"))
    if width <= 0 or height <= 0 or width % tile or height % tile:
        raise EarthEngineError(
            f"Invalid argument: the dimensions of files ({width}x{height}) must be multiples of the tile size {tile}."
        )
    return width, height


def _no_data(given: Any) -> float | None:
    if given is None:
        return None
    value = given.get("floatValue") if isinstance(given, Mapping) else None
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EarthEngineError("Invalid argument: 'noData' must have a number 'floatValue'.")
    return float(value)


def _whole(given: Any, name: str, *, default: int) -> int:
    """A whole number that may be wrapped and may be a text."""
    value = given.get("value") if isinstance(given, Mapping) else given
    if value is None:
        return default
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,18}", str(value)) or int(value) == 0:
        raise EarthEngineError(f"Invalid argument: '{name}' must be a positive whole number, not {str(value)[:40]!r}.")
    return int(value)
