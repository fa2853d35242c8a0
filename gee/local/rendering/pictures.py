"""Images of bytes as PNG and JPEG, and the grids of map tiles."""

from __future__ import annotations

import io
from contextlib import closing

import numpy as np

from gee.local.bands.pixel_types import smallest
from gee.local.errors import EarthEngineError
from gee.local.pixels import Grid, Image
from gee.local.rendering.blocks import blocks

PNG, JPEG = "image/png", "image/jpeg"
QUALITY = 90
PNG_LEVEL = 1  # a tile is looked at once
GRAY, RGB = 1, 3


def picture(image: Image, grid: Grid, kind: str | None) -> tuple[bytes, str]:
    """Picture of one band (gray) or three (red, green, blue) of bytes, and its media type.

    Parameters
    ----------
    kind : PNG, whose opacity is the lowest mask of the bands; JPEG, where masked pixels are black; None for JPEG where
        all is opaque, else PNG

    Raises
    ------
    EarthEngineError
        If the bands are others.
    """
    from PIL import Image as Pillow

    colours, opacity = to_bytes(image, grid)
    opaque = bool((opacity == 255).all())
    kind = kind or (JPEG if opaque else PNG)
    file = io.BytesIO()
    shown = colours[..., 0] if colours.shape[2] == GRAY else colours
    if kind == JPEG:
        shown = np.where((opacity > 0).reshape(opacity.shape + (1,) * (shown.ndim - 2)), shown, 0).astype(np.uint8)
        Pillow.fromarray(shown).save(file, "JPEG", quality=QUALITY)
    else:
        whole = shown if opaque else np.dstack([shown, opacity])
        Pillow.fromarray(whole).save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue(), kind


def to_bytes(image: Image, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Colours, dims (y, x, band), and opacity, dims (y, x), as bytes.

    Raises
    ------
    EarthEngineError
        If the image has neither one nor three bands of bytes.
    """
    if len(image.bands) not in (GRAY, RGB) or any(smallest(band.type) != "uint8" for band in image.bands):
        told = ", ".join(f"{band.name}: {smallest(band.type)}" for band in image.bands)
        raise EarthEngineError(
            f"Pictures need 1 or 3 bands of bytes (0 to 255), not [{told[:200]}]. Visualize the image first."
        )
    colours = np.zeros((grid.height, grid.width, len(image.bands)), np.uint8)
    opacity = np.zeros((grid.height, grid.width), np.uint8)
    with closing(blocks(image.bands, grid)) as made:
        for block in made:
            part = (
                slice(block.row, block.row + block.grid.height),
                slice(block.col, block.col + block.grid.width),
            )
            for at, pixels in enumerate(block.pixels):
                colours[(*part, at)] = np.clip(pixels.data, 0, 255)
            lowest = np.minimum.reduce([pixels.mask for pixels in block.pixels])
            opacity[part] = np.ceil(lowest * 255)
    return colours, opacity
