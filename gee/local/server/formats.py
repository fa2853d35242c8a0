"""Formats of pixels that are answered."""

from __future__ import annotations

from typing import Any

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.pixels import Grid, Image
from gee.local.server.exchange import Answer
from gee.local.server.npy import to_npy

PICTURES = ("AUTO_JPEG_PNG", "JPEG", "PNG")
FORMATS = (
    "NPY",
    "GEO_TIFF",
    "ZIPPED_GEO_TIFF",
    "ZIPPED_GEO_TIFF_PER_BAND",
    "TF_RECORD_IMAGE",
    "MULTI_BAND_IMAGE_TILE",
    *PICTURES,
)
HERE = ("NPY",)


def check_format(name: Any) -> str:
    """A format that is implemented.

    Raises
    ------
    EarthEngineError
        If it is not, or there is no such format.
    """
    if name not in FORMATS:
        raise EarthEngineError(f"Invalid value at 'file_format': {str(name)[:40]!r}.")
    if name not in HERE:
        raise NotImplementedHereError(f"this local Earth Engine does not implement the file format {name}.")
    return str(name)


def render(image: Image, grid: Grid, format_: str, *, name: str = "") -> Answer:
    """File of an image's pixels on a grid."""
    check_format(format_)
    del name
    return Answer(content=to_npy(image, grid))
