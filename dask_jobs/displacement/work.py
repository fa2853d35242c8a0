"""What every task of a displacement needs: the stack, its pairs, and where results lie."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.displacement.block_arrays import ArraySpec, BlockArrays
from dask_jobs.displacement.recipe import Recipe
from dask_jobs.insar_stack.layout import LAND
from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE
from dask_jobs.reduction.block_layout import SPARE_PLANES, BlockLayout, lay_out
from dask_jobs.sbas.pairs import Pairs
from dask_jobs.stack.chunks import read_steps
from dask_jobs.stack.ledger import ATTRIBUTE, Ledger
from dask_jobs.stack.store import icechunk_errors, readonly_session
from infra.errors import InputError
from infra.grid import Grid, Window
from infra.storage import Location

if TYPE_CHECKING:
    import icechunk

NAN = float("nan")
DOUBLE, SINGLE = 8, 4  # bytes
PLANES = 24  # of a block in double precision, beside its pairs and dates: what fits leave behind
LEAST_ROWS = 64  # of a block
BLOCK_BYTES = 192 * 2**20  # of one block with all its pairs and dates: less would decode chunks more than once
VERSION = 2  # of what lies in the work in progress


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every task needs; picklable.

    Attributes
    ----------
    session : one commit of the stack, for reading
    pairs : all that the stack holds, by their dates
    places : of each pair in the store, which keeps them in the order of their arrival
    layers : of the stack
    arrays : results in the making
    place : of this work in progress
    tile : (height, width) of the largest chunks that no two blocks share
    """

    recipe: Recipe
    session: icechunk.Session
    grid: Grid
    pairs: Pairs
    places: tuple[int, ...]
    layers: tuple[str, ...]
    arrays: BlockArrays
    place: Location
    tile: tuple[int, int]

    @property
    def windows(self) -> tuple[Window, ...]:
        """Of the blocks."""
        return self.arrays.windows

    def layer(self, name: str, window: Window, *, pairs: Sequence[int]) -> np.ndarray:
        """A layer of some pairs (by their number in `pairs`), dims (pair, y, x)."""
        import zarr

        with icechunk_errors(self.recipe.store):
            array = zarr.open_array(self.session.store, path=name, mode="r")
            return read_steps(array, [self.places[pair] for pair in pairs], window)

    def geometry(self, name: str, window: Window) -> np.ndarray:
        """A layer of the geometry, dims (y, x)."""
        import zarr

        with icechunk_errors(self.recipe.store):
            return np.asarray(zarr.open_array(self.session.store, path=name, mode="r")[window.slices])

    def land(self, window: Window) -> np.ndarray:
        """Where there is land, dims (y, x), bool."""
        return np.asarray(self.geometry(LAND, window) != 0)

    def phase(self, window: Window, *, pairs: Sequence[int], coherence: np.ndarray | None) -> np.ndarray:
        """Unwrapped phase, dims (pair, y, x), float32, radians; NaN where an observation does not count."""
        phase = self.layer(PHASE, window, pairs=pairs)
        if self.recipe.observation == "coherence":
            if coherence is None:
                coherence = self.layer(COHERENCE, window, pairs=pairs)
            phase[~(coherence >= self.recipe.observation_coherence)] = np.nan
        elif self.recipe.observation == "components":
            phase[self.layer(COMPONENTS, window, pairs=pairs) == 0] = np.nan
        return phase

    def keep(self, folder: str, window: Window, value: Any) -> None:
        """Keep what a task found in a block: the task's last write, which marks it as done."""
        self.place.write(marker(folder, window), pickle.dumps(value))

    def kept(self, folder: str) -> list[Any]:
        """What the tasks of every block found, in the order of the blocks."""
        return [pickle.loads(self.place.read(marker(folder, window))) for window in self.windows]  # noqa: S301 -- our own


def marker(folder: str, window: Window) -> str:
    """Marker of a block that is done."""
    return f"{folder}/{window.row}-{window.col}"


def open_work(recipe: Recipe, *, place: Location, block_bytes: int) -> Work:
    """Work in a place of its own for exactly this stack and these blocks.

    Raises
    ------
    InputError
        If the store or tag is not there, or it holds no pair.
    """
    import zarr

    session = readonly_session(recipe.store, tag=recipe.tag)
    with icechunk_errors(recipe.store):
        root = zarr.open_group(session.store, mode="r")
        ledger = Ledger.from_text(str(root.attrs[ATTRIBUTE]))
        columns = {name: np.asarray(_array(root, name)[:]) for name in ("reference_time", "secondary_time")}
        baselines = np.asarray(_array(root, "perpendicular_baseline")[:])
    if not ledger.steps:
        raise InputError(f"{recipe.store.url} holds no interferogram", "Make the stack first.")
    names = [step.fingerprint[0][0] for step in ledger.steps]
    order = sorted(
        range(len(names)), key=lambda k: (columns["reference_time"][k], columns["secondary_time"][k], names[k])
    )
    pairs = Pairs(
        reference=tuple(_day(columns["reference_time"][k]) for k in order),
        secondary=tuple(_day(columns["secondary_time"][k]) for k in order),
        perpendicular_baseline=tuple(float(baselines[k]) for k in order),
    )
    layout = _lay_out(ledger, dates=len(pairs.dates), block_bytes=block_bytes)
    plan = {
        "version": VERSION,
        "snapshot": session.snapshot_id,
        "windows": [list(window) for window in layout.windows],
    }
    here = place / hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:16]
    arrays = BlockArrays(place=here, windows=layout.windows, arrays=array_specs(recipe, dates=len(pairs.dates)))
    return Work(
        recipe=recipe,
        session=session,
        grid=ledger.grid,
        pairs=pairs,
        places=tuple(order),
        layers=ledger.polarizations,
        arrays=arrays,
        place=here,
        tile=layout.tile,
    )


def _lay_out(ledger: Ledger, *, dates: int, block_bytes: int) -> BlockLayout:
    """Blocks of whole chunks, or of rows of one: at least `LEAST_ROWS`, so that no cell of averaged pixels is cut."""
    pairs, chunk = len(ledger.steps), ledger.chunk
    step_bytes = 3 * SINGLE  # phase, coherence, and one of them once more while it is masked or filled
    # stages that hold series, with what is made of them, do not hold pairs
    spare_bytes = max(0, dates * 4 * DOUBLE - pairs * step_bytes) + PLANES * DOUBLE
    least = LEAST_ROWS * chunk * (pairs * step_bytes + SPARE_PLANES * SINGLE + spare_bytes)
    return lay_out(
        (pairs, *ledger.grid.shape),
        chunk=chunk,
        results=0,
        block_bytes=max(block_bytes, least),
        step_bytes=step_bytes,
        spare_bytes=spare_bytes,
    )


def array_specs(recipe: Recipe, *, dates: int) -> Mapping[str, ArraySpec]:
    """Arrays in the making, by name; series have as many layers as the pairs that are used have dates, at most all."""
    single = ArraySpec("float32", 1, NAN)
    names = [raster.name for raster in recipe.time_function.rasters]
    return {
        **{stage: ArraySpec("float32", dates, NAN) for stage in (recipe.stages[0], recipe.stages[-1])},
        **dict.fromkeys(
            ("temporal_coherence", "mean_coherence", "mean_velocity", "closure_count", "dem_error"), single
        ),
        "used_pairs": ArraySpec("int16", 1, 0),
        **dict.fromkeys(names, single),
    }


def _array(group: Any, name: str) -> Any:
    from dask_jobs.stack.schema import array_of

    return array_of(group, name)


def _day(seconds: int) -> Any:
    return datetime.fromtimestamp(int(seconds), tz=UTC).date()
