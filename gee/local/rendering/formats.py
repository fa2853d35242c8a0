"""Pixels as one answer in memory: NPY, GeoTIFF, zipped GeoTIFFs, pictures."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.pixels import Grid, Image
from gee.local.rendering.blocks import blocks
from gee.local.rendering.dtypes import check_scalar, dtype_of, filled
from gee.local.rendering.geotiff import TiffOptions, write_geotiff
from gee.local.rendering.pictures import JPEG, PNG, picture

ZIP = "application/zip"
TIFF = "image/tiff"
ANY = "application/octet-stream"
ELSEWHERE = ("GIF", "TF_RECORD_IMAGE", "MULTI_BAND_IMAGE_TILE")  # formats of the service that are not made here

Rendered = tuple[bytes, str]


def check_format(name: object) -> str:
    """A format that pixels can be had in.

    Raises
    ------
    EarthEngineError
        If there is none of that name, or it is not made here.
    """
    if name in ELSEWHERE:
        raise NotImplementedHereError(f"this local Earth Engine does not implement the file format {name}.")
    if not isinstance(name, str) or name not in FORMATS:
        raise EarthEngineError(f"Invalid value at 'file_format': {str(name)[:40]!r}.")
    return name


def render(image: Image, grid: Grid, file_format: str, *, name: str = "") -> Rendered:
    """File of an image on a grid, and its media type.

    Parameters
    ----------
    name : of the files in an archive; `download` where empty

    Raises
    ------
    EarthEngineError
        If the format is not made here, or the image does not fit it.
    """
    if not image.bands:
        raise EarthEngineError("The image has no bands.")
    return FORMATS[check_format(file_format)](image, grid, name or "download")


def to_array(image: Image, grid: Grid) -> np.ndarray:
    """Structured array, dims (y, x), one field for each band; 0 where masked.

    Raises
    ------
    EarthEngineError
        If a band has arrays.
    """
    check_scalar(image.bands)
    dtypes = [(band.name, dtype_of(band.type)) for band in image.bands]
    whole = np.zeros((grid.height, grid.width), dtypes)
    with closing(blocks(image.bands, grid)) as made:
        for block in made:
            part = whole[block.row : block.row + block.grid.height, block.col : block.col + block.grid.width]
            for (band, dtype), pixels in zip(dtypes, block.pixels, strict=True):
                part[band] = filled(pixels, dtype, 0.0)
    return whole


def _npy(image: Image, grid: Grid, name: str) -> Rendered:
    del name
    file = io.BytesIO()
    np.save(file, to_array(image, grid), allow_pickle=False)
    return file.getvalue(), ANY


def _geotiff(image: Image, grid: Grid, name: str) -> Rendered:
    del name
    with tempfile.TemporaryDirectory(prefix="earth-engine-") as folder:
        path = Path(folder) / "image.tif"
        write_geotiff(path, image, grid, options=TiffOptions())
        return path.read_bytes(), TIFF


def _zipped(image: Image, grid: Grid, name: str) -> Rendered:
    content, _ = _geotiff(image, grid, name)
    return _archive({f"{_plain(name)}.tif": content}), ZIP


def _zipped_bands(image: Image, grid: Grid, name: str) -> Rendered:
    """One file for each band: `NAME.BAND.tif`; types may differ between bands."""
    files = {
        f"{_plain(name)}.{_plain(band.name)}.tif": _geotiff(image.with_bands([band]), grid, name)[0]
        for band in image.bands
    }
    return _archive(files), ZIP


def _archive(files: Mapping[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:  # what is in it is compressed already
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return held.getvalue()


def _plain(name: str) -> str:
    """Name without what leads out of a folder."""
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in name).lstrip(".") or "download"


def _png(image: Image, grid: Grid, name: str) -> Rendered:
    del name
    return picture(image, grid, PNG)


def _jpeg(image: Image, grid: Grid, name: str) -> Rendered:
    del name
    return picture(image, grid, JPEG)


def _either(image: Image, grid: Grid, name: str) -> Rendered:
    """JPEG where every pixel is opaque, else PNG."""
    del name
    return picture(image, grid, None)


FORMATS: Mapping[str, Callable[[Image, Grid, str], Rendered]] = {
    "NPY": _npy,
    "GEO_TIFF": _geotiff,
    "ZIPPED_GEO_TIFF": _zipped,
    "ZIPPED_GEO_TIFF_PER_BAND": _zipped_bands,
    "PNG": _png,
    "JPEG": _jpeg,
    "AUTO_JPEG_PNG": _either,
}
