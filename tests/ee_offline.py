"""The real Earth Engine client without a server: it builds graphs, which the local evaluator computes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gee.local.encoding.answers import encode
from gee.local.evaluation.evaluator import Context, evaluate
from gee.local.evaluation.signatures import algorithms_json
from gee.local.grids.reprojection import nearest
from gee.local.pixels import Band, Grid, Image, Pixels, rendering
from gee.local.values import PixelType, Projection

TEN_METRES = Grid("EPSG:32720", (10.0, 0.0, 500000.0, 0.0, -10.0, 8000000.0), 4, 3)


@contextmanager
def offline_client() -> Iterator[Any]:
    """The `ee` module with its functions made from the installed list of algorithms; reset at the end."""
    import ee
    from ee import _cloud_api_utils, apifunction

    rows = _cloud_api_utils.convert_algorithms(json.loads(algorithms_json()))
    before = ee.data.getAlgorithms
    ee.data.getAlgorithms = lambda: rows
    try:
        apifunction.ApiFunction.reset()
        apifunction.ApiFunction.initialize()
        for kind in ee._DYNAMIC_CLASSES:
            kind.initialize()
        ee._InitializeGeneratedClasses()
        yield ee
    finally:
        ee.data.getAlgorithms = before
        ee.Reset()


def computed(value: Any, context: Context | None = None) -> Any:
    """What the evaluator makes of a client's object."""
    from ee import serializer

    return evaluate(serializer.encode(value, for_cloud_api=True), context)


def pixels(image: Any, grid: Grid = TEN_METRES, context: Context | None = None) -> list[Pixels]:
    """Pixels of each band of a client's image (or of the evaluator's)."""
    found: Image = image if isinstance(image, Image) else computed(image, context)
    with rendering():
        return [band.pixels(grid) for band in found.bands]


def values(image: Any, grid: Grid = TEN_METRES, context: Context | None = None) -> list[Any]:
    """One value of each band, for images that are the same everywhere; None where masked."""
    return [at(one, 0, 0) for one in pixels(image, grid, context)]


def at(found: Pixels, row: int, col: int) -> Any:
    """Value of one pixel as numbers and lists; None where masked."""
    if found.mask[row, col] == 0:
        return None
    block = np.asarray(found.data[row, col])
    if found.lengths is not None:
        block = block[tuple(slice(int(size)) for size in found.lengths[row, col])]
    return block.tolist()


def answer(value: Any, context: Context | None = None) -> Any:
    """What `getInfo()` of a client's object gives."""
    return encode(computed(value, context))


def raster_band(
    name: str,
    data: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    grid: Grid = TEN_METRES,
    type_: PixelType | None = None,
) -> Band:
    """Band of an array, dims (y, x), whose first pixel is the first of a grid; masked outside and where `mask` is 0."""
    height, width = data.shape
    valid = np.ones(data.shape) if mask is None else np.asarray(mask, np.float64)
    projection = Projection(grid.crs, grid.transform)

    def read(row: int, col: int, rows: int, cols: int) -> Pixels:
        found, known = np.zeros((rows, cols)), np.zeros((rows, cols))
        inside = (slice(max(row, 0), min(row + rows, height)), slice(max(col, 0), min(col + cols, width)))
        if inside[0].start < inside[0].stop and inside[1].start < inside[1].stop:
            there = tuple(slice(one.start - at, one.stop - at) for one, at in zip(inside, (row, col), strict=True))
            found[there], known[there] = data[inside], valid[inside]
        return Pixels(found, known)

    def compute(asked: Grid) -> Pixels:
        return nearest(asked, projection, read)

    return Band(name, type_ or PixelType("double"), compute, projection, (width, height))


@dataclass(frozen=True)
class Shelf:
    """Catalogue of a few images by id."""

    images: Mapping[str, Image]

    def load_image(self, asset: str) -> Image:
        """Image of an id."""
        return self.images[asset]

    def load_collection(self, asset: str) -> Any:
        """No collection is there."""
        raise KeyError(asset)


def shelf(**images: Image) -> Context:
    """Context whose catalogue has some images: `ee.Image("a")` is the one given as `a`."""
    return Context(catalogue=Shelf(images))
