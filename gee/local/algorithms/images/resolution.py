"""Images in coarser pixels, and images over each other (sections 10 and 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gee.local.algorithms.images.grids import window_reader
from gee.local.bands.arithmetic import paired
from gee.local.bands.pixel_types import union
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.grids import reprojection
from gee.local.grids.overlaps import overlaps
from gee.local.pixels import Band, Grid, Image
from gee.local.reduction.bands_together import bands_together
from gee.local.reduction.calling import Output, output_types
from gee.local.reduction.stacks import over
from gee.local.table import algorithm
from gee.local.values import Reducer

PART = 2**22  # values reduced at once


@algorithm("Image.reduceResolution", policies=("fractional_masks",))
def reduce_resolution(image: Image, reducer: Reducer, *, best_effort: bool, max_pixels: int) -> Image:
    """Image whose pixels in another grid are reductions of its own, weighted by mask times the part they cover.

    A single output keeps the band's name, several are `band_output`; of reducers with several inputs `output`.
    """
    for band in image.bands:
        if band.type.dimensions:
            raise EarthEngineError(f"Band '{band.name}' holds arrays, where numbers are needed.")
    if reducer.inputs == 1:
        groups = [([band], _names(band.name, reducer)) for band in image.bands]
    elif reducer.inputs == len(image.bands):
        groups = [(list(image.bands), list(reducer.outputs))]
    else:
        raise EarthEngineError(f"Need {reducer.inputs} inputs for Reducer.{reducer.name}, got {len(image.bands)}.")
    bands: list[Band] = []
    for members, names in groups:
        reduction = _Reduction(members, reducer, best_effort=best_effort, max_pixels=max_pixels)
        types = output_types(reducer, [band.type for band in members])
        bands += bands_together(names, types, reduction, projection=members[0].projection)
    return image.with_bands(bands)


def _names(band: str, reducer: Reducer) -> list[str]:
    return [band] if len(reducer.outputs) == 1 else [f"{band}_{output}" for output in reducer.outputs]


class _Reduction:
    """Outputs of a reducer for the pixels that each pixel of a grid covers."""

    def __init__(self, bands: Sequence[Band], reducer: Reducer, *, best_effort: bool, max_pixels: int) -> None:
        self._bands, self._reducer = bands, reducer
        self._best_effort, self._max_pixels = best_effort, max_pixels

    def __call__(self, grid: Grid) -> list[Output]:
        projection = self._bands[0].projection
        if any(band.projection != projection for band in self._bands):
            raise EarthEngineError("The bands that are reduced together must have one projection.")
        found = overlaps(grid, projection)
        self._check(found.fractions)
        if found.fractions.size > PART and grid.height > 1:
            half = grid.height // 2
            parts = [self(grid.pad(0, 0, 0, half - grid.height)), self(grid.pad(0, -half, 0, 0))]
            return [
                (np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]]))
                for one, other in zip(*parts, strict=True)
            ]
        used = found.fractions > 0
        window = reprojection.window_of(found.rows, found.cols, used)
        if window is None:
            blank = np.zeros((grid.height, grid.width))
            return [(blank, blank)] * len(self._reducer.outputs)
        rows = np.where(used, found.rows - window[0], 0)
        cols = np.where(used, found.cols - window[1], 0)
        sources = [window_reader(band, projection)(*window) for band in self._bands]
        values = [source.data[rows, cols] for source in sources]
        weights = [source.mask[rows, cols] * found.fractions for source in sources]
        there = np.logical_or.reduce([(one > 0).any(axis=0) for one in weights])
        return [(data, np.where(there, mask, 0.0)) for data, mask in self._reducer.reduce(values, weights)]

    def _check(self, fractions: np.ndarray) -> None:
        most = int((fractions > 0).sum(axis=0).max(initial=0))
        if most <= self._max_pixels:
            return
        if self._best_effort:
            raise NotImplementedHereError(
                f"bestEffort needs pyramids, which this local Earth Engine has not: {most} pixels per output pixel."
            )
        raise EarthEngineError(
            f"Too many input pixels per output pixel: {most}, but only {self._max_pixels} allowed (maxPixels)."
        )


@algorithm("Image.blend")
def blend(bottom: Image, top: Image) -> Image:
    """Image painted over another: `m * top + (1 - m) * bottom` where masks are fractions."""

    def painted(below: Band, above: Band) -> Band:
        return replace(
            below,
            type=union(below.type, above.type),
            compute=lambda grid: over([below, above], grid),
            size=None,
        )

    return bottom.with_bands([painted(below, above) for below, above in paired(bottom, top)])


@algorithm("Image.retile")
def retile(image: Image, size: int) -> Image:
    """The same image: how it is cut while it is computed changes no result here."""
    if not 1 <= size <= 32768:
        raise EarthEngineError(f"The size must be from 1 to 32768, not {size}.")
    return image
