"""A picture of a raster to look at: a coarse overview, stretched and coloured. For looking, never for measuring."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.errors import InputError
from infra.storage import gdal_environment, gdal_path

if TYPE_CHECKING:
    import numpy as np

    from infra.s3 import S3Options

SIDE = 512  # pixels of the longer side at most
MOST_PIXELS = 64 * 2**20  # that are read of a raster without overviews
STRETCH = (2, 98)  # percentiles shown as the darkest and the brightest colour
VIRIDIS = "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1f9f88 27ad81 3dbc74 5cc863 81d34d aadc32 d5e21a fde725"  # 17 of its 256 colours
GREY = frozenset({"mean", "min", "max", "power"})  # and whatever is in dB: it looks like a radar image


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A picture.

    Attributes
    ----------
    png : RGBA, transparent where there is no data
    width, height : pixels
    low, high : values at the ends of the colours, in the raster's units; None where its colours are its own
    colours : "grey", "viridis", or "own" (a colour table, or red, green and blue)
    """

    png: bytes
    width: int
    height: int
    low: float | None
    high: float | None
    colours: str


def preview(href: str, *, name: str, units: str, s3: S3Options) -> Preview:
    """Picture of a GeoTIFF, at most 512 pixels a side.

    Parameters
    ----------
    href : absolute path or s3:// URL
    name, units : of the product; they choose between grey (backscatter) and viridis (everything else)

    Raises
    ------
    InputError
        If it cannot be read, has no data, or is large and has no overviews.
    """
    import rasterio

    try:
        # No other driver: a file of another kind may name further files, which nobody has asked for
        with (
            rasterio.Env(**gdal_environment(s3)),
            rasterio.open(gdal_path(href), driver="GTiff") as raster,
        ):
            return _picture(raster, name=name, units=units)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{href} cannot be read: {error}", "See whether it is there and whole.") from error


def _picture(raster: Any, *, name: str, units: str) -> Preview:
    import numpy as np

    step = max(1.0, max(raster.shape) / SIDE)
    shape = tuple(max(1, round(side / step)) for side in raster.shape)
    if not raster.overviews(1) and raster.height * raster.width > MOST_PIXELS:
        raise InputError(
            f"{raster.name} has {raster.height} x {raster.width} pixels and no overviews",
            "A picture would mean reading all of it: open it in a GIS.",
        )
    if raster.count >= 3 and raster.dtypes[0] == "uint8":
        bands = raster.read((1, 2, 3), out_shape=(3, *shape))
        alpha = raster.dataset_mask(out_shape=shape)
        return _preview(np.dstack([*bands, alpha]), low=None, high=None, colours="own")
    values = raster.read(1, out_shape=shape, masked=True)
    there = ~np.ma.getmaskarray(values) & np.isfinite(values.data)
    if not there.any():
        raise InputError(f"{raster.name} has no data", "There is nothing to show.")
    if raster.colorinterp[0].name == "palette":
        table = np.array([raster.colormap(1).get(index, (0, 0, 0, 0)) for index in range(256)], "uint8")
        rgba = table[np.where(there, values.data, 0).astype("uint8")]
        return _preview(_hidden(rgba, there), low=None, high=None, colours="own")
    low, high = (float(value) for value in np.percentile(values.data[there], STRETCH))
    colours = "grey" if units == "dB" or name in GREY or _is_percentile(name) else "viridis"
    shares = np.clip((values.data - low) / (high - low), 0, 1) if high > low else np.full(shape, 0.5)
    rgba = _table(colours)[(255 * np.where(there, shares, 0)).round().astype("uint8")]
    return _preview(_hidden(rgba, there), low=low, high=high, colours=colours)


def _is_percentile(name: str) -> bool:
    return name[:1] == "p" and name[1:].replace(".", "").isdigit()


def _table(colours: str) -> np.ndarray:
    """256 colours, RGBA, dims (step, channel), between the given ones by straight lines."""
    import numpy as np

    steps = "000000 ffffff" if colours == "grey" else VIRIDIS
    given = [bytes.fromhex(colour) for colour in steps.split()]
    places = np.linspace(0, 255, len(given))
    channels = [np.interp(np.arange(256), places, [colour[channel] for colour in given]) for channel in range(3)]
    return np.column_stack([*channels, np.full(256, 255)]).round().astype("uint8")


def _hidden(rgba: np.ndarray, there: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.where(there[..., None], rgba, np.zeros(4, "uint8"))


def _preview(rgba: np.ndarray, *, low: float | None, high: float | None, colours: str) -> Preview:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(stream, "PNG")
    height, width = rgba.shape[:2]
    return Preview(png=stream.getvalue(), width=width, height=height, low=low, high=high, colours=colours)
