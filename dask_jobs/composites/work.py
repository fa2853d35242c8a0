"""The composition in progress: where it lies, what every task needs to know, and what marks a block as done."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dask_jobs.composites.composition import Composition
from dask_jobs.composites.placing import Placing
from dask_jobs.reduction.block_layout import BlockLayout, lay_out
from dask_jobs.reduction.scratch_arrays import ScratchArrays
from dask_jobs.speckle.choice import halo
from dask_jobs.stack.ledger import Ledger
from dask_jobs.stack.store import icechunk_errors, read_ledger, readonly_session
from infra.errors import InputError
from infra.grid import Window
from infra.storage import Location

if TYPE_CHECKING:
    import icechunk

ARRAYS = "arrays"  # plain Zarr group of the results, part/measure
PLAN = "plan.json"
VERSION = 1  # of what lies in the work in progress
CHUNK = 512  # pixels along y and x of what is made on another lattice than the stack's
MOST_CUTS = 4  # blocks that share a tile of another lattice
READ_BYTES = 16 * 2**20  # of passes that are read and filtered at once, where the filter does not need more
FLOAT, SINGLE = 8, 4  # bytes
FILTER_PLANES = 6  # float64, of a pass: with its frame, and what a filter takes beside it


class Block(NamedTuple):
    """One block of some parts, made by one task; `number` is its window's."""

    parts: tuple[int, ...]
    number: int
    window: Window

    @property
    def marker(self) -> str:
        """Marker: its rasters are written to their arrays."""
        return f"composed/{self.parts[0]:05d}/{self.number:06d}"


@dataclass(frozen=True, kw_only=True)
class CompositionWork:
    """What every task of one composition needs.

    Attributes
    ----------
    session : one commit of the stack for reading
    placing : from the stack's grid to that of the result
    place : work in progress
    tile : (height, width) of the chunks of the results' arrays
    """

    composition: Composition
    session: icechunk.Session
    placing: Placing
    place: Location
    tile: tuple[int, int] = (0, 0)

    @property
    def arrays(self) -> ScratchArrays:
        """Results, dims those of the canvas, below the number of their part."""
        composition = self.composition
        layers = {
            array_path(number, one.name): one.layer
            for number in range(len(composition.parts))
            for one in composition.measures
        }
        return ScratchArrays(place=self.place / ARRAYS, shape=self.placing.canvas.shape, tile=self.tile, layers=layers)

    def read(self, steps: Sequence[int], window: Window) -> dict[str, np.ndarray]:
        """Power by polarization, dims (time, y, x), float32, NaN in all of them where one lacks data or is out of range."""
        import zarr

        composition = self.composition
        low, high = composition.valid_range
        powers: dict[str, np.ndarray] = {}
        with icechunk_errors(composition.store):
            for name in composition.polarizations:
                path = f"{composition.group}/{name}".strip("/")
                stack = zarr.open_array(self.session.store, path=path, mode="r")
                powers[name] = np.asarray(stack.get_orthogonal_selection((np.asarray(steps), *window.slices)))
        ok = np.ones(next(iter(powers.values())).shape, dtype=bool)
        for power in powers.values():
            ok &= np.isfinite(power)
            ok &= power >= (-math.inf if low is None else low)
            ok &= power <= (math.inf if high is None else high)
        for power in powers.values():
            power[~ok] = np.nan
        return powers

    def together(self, block: Block, *, pixels: int) -> Iterator[tuple[int, ...]]:
        """Passes of a block that are read and filtered at once, `pixels` of each."""
        composition = self.composition
        if composition.filters_together:
            yield from composition.families
            return
        steps = [step for number in block.parts for step in composition.parts[number].steps]
        each = pixels * (SINGLE + FLOAT) * len(composition.polarizations)
        several = max(1, READ_BYTES // max(each, 1))
        for start in range(0, len(steps), several):
            yield tuple(steps[start : start + several])


def array_path(part: int, name: str) -> str:
    """Path of the array of a part's measure."""
    return f"{part:05d}/{name}"


def open_composition(
    composition: Composition, *, place: Location, block_bytes: int
) -> tuple[CompositionWork, Ledger, list[Block]]:
    """Work in a place of its own for exactly this plan, what the stack holds, and the blocks.

    Empty arrays are made unless an earlier attempt did.

    Raises
    ------
    InputError
        If the store, tag, group or a polarization is not there.
    """
    ledger = read_ledger(composition.store, tag=composition.tag, group=composition.group)
    if ledger is None:
        raise InputError(
            f"{composition.store.url} has no stack of orbit {composition.group!r}", "Name one that it has."
        )
    for name in composition.polarizations:
        if name not in ledger.polarizations:
            raise InputError(
                f"polarization {name!r} is not in the stack, which has {', '.join(ledger.polarizations)}",
                "Take quantities of those that it has, or a stack that has more.",
            )
    beyond = {step for part in composition.parts for step in part.steps} - set(range(len(ledger.steps)))
    if beyond:
        raise ValueError(f"steps {sorted(beyond)} of a stack of {len(ledger.steps)}")
    session = readonly_session(composition.store, tag=composition.tag)
    placing = Placing(source=ledger.grid, target=composition.grid or ledger.grid)
    work = CompositionWork(composition=composition, session=session, placing=placing, place=place)
    layout = _lay_out(work, chunk=ledger.chunk, block_bytes=block_bytes)
    plan = _plan(work, windows=layout.windows)
    name = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
    work = replace(work, place=place / name, tile=layout.tile)
    if not work.place.exists(PLAN):
        work.arrays.make()
        work.place.write_json(PLAN, plan)  # last: without it the next attempt makes the arrays again
    every = tuple(range(len(composition.parts)))
    apart = [every] if composition.filters_together else [(number,) for number in every]
    return work, ledger, [Block(parts, *one) for parts in apart for one in enumerate(layout.windows)]


def _lay_out(work: CompositionWork, *, chunk: int, block_bytes: int) -> BlockLayout:
    """Blocks of the canvas that a task can hold with the passes of a part, or all that are filtered together."""
    composition, placing = work.composition, work.placing
    bands = len(composition.polarizations)
    steps = max(len(part.steps) for part in composition.parts)
    read = 1
    if composition.filters_together:
        steps = sum(map(len, composition.families))
        read = max(map(len, composition.families))
    variants = composition.wants_filtered + composition.wants_raw
    step_bytes = FLOAT * (bands * variants + 1)
    spare_bytes = math.ceil(
        placing.source_share * (read * (SINGLE * bands + FLOAT) + FILTER_PLANES * FLOAT) + READ_BYTES / CHUNK**2
    )
    if not placing.same_lattice:
        pixel_bytes, chunk = steps * step_bytes + spare_bytes, CHUNK
        while chunk > placing.side and chunk * chunk * pixel_bytes > block_bytes:
            chunk //= 2
        # blocks of a few rows of a tile would read and filter as much as the whole tile, each of them
        block_bytes = max(block_bytes, pixel_bytes * chunk * -(-placing.side // MOST_CUTS))
    return lay_out(
        (steps, *placing.canvas.shape),
        chunk=chunk,
        results=len(composition.measures),
        block_bytes=block_bytes,
        step_bytes=step_bytes,
        spare_bytes=spare_bytes,
    )


def _plan(work: CompositionWork, *, windows: Sequence[Window]) -> dict[str, Any]:
    """Everything that the work in progress depends on, as plain values."""
    composition, region = work.composition, work.composition.region
    speckle = composition.speckle
    return {
        "version": VERSION,
        "snapshot": work.session.snapshot_id,
        "group": composition.group,
        "grids": [work.placing.source.to_json(), work.placing.target.to_json()],
        "parts": [[part.prefix, list(part.steps)] for part in composition.parts],
        "measures": [one.name for one in composition.measures],
        "polarizations": list(composition.polarizations),
        "speckle": {**asdict(speckle), "halo": halo(speckle)} if speckle else None,
        "families": [list(family) for family in composition.families] if composition.filters_together else None,
        "valid_range": list(composition.valid_range),
        "region": region.wkt if region and region.masks else None,
        "windows": [list(window) for window in windows],
    }
