"""Images as GeoTIFFs: streamed in blocks, tiled BigTIFF, cloud-optimised where asked (section 18)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gee.local.pixels import Grid, Image
from gee.local.rendering.blocks import Block, Work, blocks
from gee.local.rendering.dtypes import check_no_data, common_dtype, filled
from gee.local.rendering.optimizing import CACHE_BYTES, optimize

TILE = 256
COMPUTED = 0.7  # share of the progress when the pixels are there and the cloud-optimised copy is still to be made


@dataclass(frozen=True, kw_only=True)
class TiffOptions:
    """How a file is laid out.

    Attributes
    ----------
    tile : side of a tile, pixels, a multiple of 16
    no_data : value of masked pixels; else NaN in files of floats, and 0, as valid zeros are, in those of integers
    keep_masks : whether masks are kept beside integers
    """

    cloud_optimized: bool = False
    tile: int = TILE
    no_data: float | None = None
    keep_masks: bool = False


def write_geotiff(
    path: Path, image: Image, grid: Grid, *, options: TiffOptions | None = None, work: Work | None = None
) -> bool:
    """Write an image on a grid to a file, and tell whether it has any valid pixel.

    The file appears when it is whole. Pixels are valid where their mask is above 0. Memory is that of a few blocks.

    Raises
    ------
    EarthEngineError
        If the bands have several types or are arrays, or the no-data value does not fit.
    RenderingCancelled
        If the work was cancelled.
    """
    options, work = options or TiffOptions(), work or Work()
    # a cloud-optimised file is a copy of another one
    parts = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.whole")
    try:
        if not options.cloud_optimized:
            found = _write(parts[0], image, grid, options, work)
            parts[0].replace(path)
            return found
        first = replace(work, progress=lambda share: work.progress(COMPUTED * share))
        found = _write(parts[0], image, grid, options, first)
        optimize(parts[0], parts[1], tile=options.tile, resampling=_resampling(image), cancelled=work.cancelled)
        parts[1].replace(path)
        work.progress(1.0)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return found


def _write(path: Path, image: Image, grid: Grid, options: TiffOptions, work: Work) -> bool:
    dtype = common_dtype(image.bands)
    fill, no_data = _fill(options, dtype)
    masks = options.keep_masks and dtype.kind in "iu"
    found = False
    side = -(-max(work.side, options.tile) // options.tile) * options.tile  # whole tiles
    work = replace(work, side=side)
    with (
        _created(path, image, grid, _layout(options, dtype, no_data)) as file,
        closing(blocks(image.bands, grid, work)) as made,
    ):
        for block in made:
            found |= any(bool((one.mask > 0).any()) for one in block.pixels)
            window = _window(block)
            file.write(np.stack([filled(one, dtype, fill) for one in block.pixels]), window=window)
            if masks:
                file.write_mask(block.pixels[0].mask > 0, window=window)
    return found


def _fill(options: TiffOptions, dtype: np.dtype[Any]) -> tuple[float, float | None]:
    """Value of masked pixels, and no-data value that the file tells."""
    if options.no_data is not None:
        value = check_no_data(options.no_data, dtype)
        return value, value
    return (np.nan, np.nan) if dtype.kind == "f" else (0.0, None)


def _layout(options: TiffOptions, dtype: np.dtype[Any], no_data: float | None) -> dict[str, Any]:
    packed: dict[str, Any] = {"compress": "deflate", "zlevel": 6, "predictor": 3 if dtype.kind == "f" else 2}
    if options.cloud_optimized:
        packed = {"compress": "zstd", "zstd_level": 1}  # for a moment only
    return {
        "driver": "GTiff",
        "dtype": dtype,
        "nodata": no_data,
        "tiled": True,
        "blockxsize": options.tile,
        "blockysize": options.tile,
        "interleave": "band",
        "BIGTIFF": "YES",
        "num_threads": 2,
        **packed,
    }


@contextmanager
def _created(path: Path, image: Image, grid: Grid, layout: Mapping[str, Any]) -> Iterator[Any]:
    import rasterio
    from rasterio.transform import Affine

    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES, GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path,
            "w",
            width=grid.width,
            height=grid.height,
            count=len(image.bands),
            crs=grid.crs,
            transform=Affine(*grid.transform),
            **layout,
        ) as file,
    ):
        for at, name in enumerate(image.band_names):
            file.set_band_description(at + 1, name)
        yield file


def _window(block: Block) -> Any:
    from rasterio.windows import Window

    return Window(block.col, block.row, block.grid.width, block.grid.height)


def _resampling(image: Image) -> str:
    """How overviews are made: means of measurements, samples of classes."""
    return "nearest" if all(band.type.precision == "int" for band in image.bands) else "average"
