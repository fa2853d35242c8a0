"""Bands that come out of one computation: computed once for all of them in a rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gee.local.bands.masks import finite
from gee.local.pixels import Band, Grid, Pixels
from gee.local.reduction.calling import Output
from gee.local.values import PixelType, Projection


def bands_together(
    names: Sequence[str],
    types: Sequence[PixelType],
    compute: Callable[[Grid], Sequence[Output]],
    *,
    projection: Projection,
) -> list[Band]:
    """One band per output of a computation.

    Parameters
    ----------
    compute : data, dims (y, x) or with the axes of arrays after them, and mask, dims (y, x), of each output
    """
    if len(names) == 1:
        return [Band(names[0], types[0], lambda grid: finite(*compute(grid)[0]), projection)]
    if any(one.dimensions for one in types):
        return [
            Band(name, type_, lambda grid, index=index: finite(*compute(grid)[index]), projection)  # type: ignore[misc] # the index is bound
            for index, (name, type_) in enumerate(zip(names, types, strict=True))
        ]
    shared = Band("", types[0], lambda grid: _packed(compute(grid), grid), projection)
    return [
        Band(name, type_, _part(shared, index, len(names)), projection)
        for index, (name, type_) in enumerate(zip(names, types, strict=True))
    ]


def _packed(outputs: Sequence[Output], grid: Grid) -> Pixels:
    """All data and then all masks along a third axis, each contiguous."""
    found = np.stack([one for part in (0, 1) for one in [output[part] for output in outputs]])
    return Pixels(np.moveaxis(found, 0, -1), np.broadcast_to(1.0, (grid.height, grid.width)))


def _part(shared: Band, index: int, count: int) -> Callable[[Grid], Pixels]:
    def compute(grid: Grid) -> Pixels:
        data = shared.pixels(grid).data
        return finite(data[..., index], data[..., count + index])

    return compute
