"""What workers do to compose passes: read and filter a block, bring it to the grid, reduce it; write one raster.

A task's last write is its marker: whoever goes on after a death finds what is there. Tasks return no pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dask_jobs.composites.work import Block, CompositionWork, array_path
from dask_jobs.reduction.raster_file import upload_raster
from dask_jobs.speckle.choice import halo
from dask_jobs.speckle.despeckle import despeckle
from dask_jobs.write import Layer
from infra.grid import Window
from infra.storage import Location

Powers = dict[str, np.ndarray]


def compose_block(block: Block, *, work: CompositionWork) -> None:
    """Every measure of the block's parts, written to their arrays."""
    from dask_jobs.composites.reducers import reduce_passes

    composition = work.composition
    region = composition.region
    inside = region.inside(work.placing.canvas.crop(block.window)) if region and region.masks else None
    if inside is None or inside.any():
        steps, filtered, raw = passes_of(block, work=work)
        for number in block.parts:
            part = [steps.index(step) for step in composition.parts[number].steps]
            made: Powers = {}
            for powers, shown in ((filtered, True), (raw, False)):
                own = [one for one in composition.measures if composition.shows_filtered(one) == shown]
                if own:
                    made |= reduce_passes(_some(powers, part, of=len(steps)), own)
            _put(made, number, inside, block=block, work=work)
    work.place.write(block.marker, b"")


def passes_of(block: Block, *, work: CompositionWork) -> tuple[list[int], Powers, Powers]:
    """Passes of a block, and their filtered and raw power, dims (time, y, x), float64; empty where not wanted."""
    composition = work.composition
    source = work.placing.of(block.window)
    around, wide = source.around, _grown(source.around, by=halo(composition.speckle))
    wide = wide.intersect(work.placing.source.full)
    inner = Window(around.row - wide.row, around.col - wide.col, around.height, around.width).slices
    families = list(work.together(block, pixels=wide.height * wide.width))
    steps = [step for family in families for step in family]
    shape = (len(steps), block.window.height, block.window.width)
    variants = [
        {name: np.full(shape, np.nan) for name in composition.polarizations} if wanted else {}
        for wanted in (composition.wants_filtered, composition.wants_raw)
    ]
    filtered, raw = variants
    start = 0
    for family in families if around.height and around.width else ():
        part = slice(start, start + len(family))
        start = part.stop
        for name, powers in work.read(family, wide).items():
            if raw:
                raw[name][part] = source.place(powers[:, *inner])
            if filtered and composition.speckle is not None:
                made = despeckle(powers, composition.speckle, name)
                filtered[name][part] = source.place(made[:, *inner])
    return steps, filtered, raw


class CompositeRaster(NamedTuple):
    """One raster to be written: an array of the work in progress, to object `path`."""

    array: str
    layer: Layer
    path: str

    @property
    def marker(self) -> str:
        """Marker: the raster is where it belongs."""
        return f"written/{self.path}"


def write_composite(task: CompositeRaster, *, work: CompositionWork, parts: Location) -> int:
    """Size in bytes of the raster, uploaded to `parts`."""
    source = work.arrays.open(task.array)
    offset = work.placing.whole_tiles

    def read(window: Window) -> np.ndarray:
        shifted = Window(window.row - offset.row, window.col - offset.col, window.height, window.width)
        return np.asarray(source[shifted.slices])

    size = upload_raster(task.path, grid=work.placing.target, layer=task.layer, read=read, parts=parts)
    work.place.write(task.marker, b"")
    return size


def _some(powers: Powers, part: Sequence[int], *, of: int) -> Powers:
    """Power of a part's passes; not copied where these are all."""
    if list(part) == list(range(of)):
        return powers
    return {name: values[list(part)] for name, values in powers.items()}


def _put(
    made: Mapping[str, np.ndarray], number: int, inside: np.ndarray | None, *, block: Block, work: CompositionWork
) -> None:
    """Write what is data; the arrays say "no data" already."""
    layers = {one.name: one.layer for one in work.composition.measures}
    some = {}
    for name, values in made.items():
        nothing = 0 if layers[name].nodata is None else np.nan
        shown = values if inside is None else np.where(inside, values, nothing)
        if np.isfinite(shown).any() and (nothing != 0 or shown.any()):
            some[array_path(number, name)] = shown
    work.arrays.put(block.window, some)


def _grown(window: Window, *, by: int) -> Window:
    return Window(window.row - by, window.col - by, window.height + 2 * by, window.width + 2 * by)
