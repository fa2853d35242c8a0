"""Pixels in NumPy's file format: a structured array with one field per band."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from gee.local.errors import NotImplementedHereError
from gee.local.pixels import Grid, Image, rendering
from gee.local.server.images import dtype_of

BLOCK = 512  # pixels on a side that are computed at once: bounds the memory of neighbourhoods


def to_npy(image: Image, grid: Grid) -> bytes:
    """File of an image, dims (y, x); masked pixels are 0.

    Raises
    ------
    NotImplementedHereError
        If a band holds arrays.
    """
    for band in image.bands:
        if band.type.dimensions:
            raise NotImplementedHereError(
                f"band '{band.name}' holds arrays, which this local Earth Engine gives no pixels of."
            )
    fields = [(band.name, dtype_of(band.type)) for band in image.bands]
    pixels = np.zeros((grid.height, grid.width), dtype=fields)
    for row, col, block in blocks(grid):
        with rendering():
            for band in image.bands:
                data, mask, _ = band.pixels(block)
                part = pixels[band.name][row : row + block.height, col : col + block.width]
                part[...] = np.where(mask > 0, data, 0)
    file = io.BytesIO()
    np.save(file, pixels, allow_pickle=False)
    return file.getvalue()


def blocks(grid: Grid) -> Iterator[tuple[int, int, Grid]]:
    """(row, column, grid) of the parts that a grid is computed in."""
    for row in range(0, grid.height, BLOCK):
        for col in range(0, grid.width, BLOCK):
            below, right = max(grid.height - row - BLOCK, 0), max(grid.width - col - BLOCK, 0)
            yield row, col, grid.pad(-col, -row, -right, -below)
