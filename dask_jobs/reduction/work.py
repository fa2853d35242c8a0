"""The work in progress of a reduction: where it lies, what every task needs to know, and what marks a block as done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dask_jobs.reduction.scratch_arrays import ScratchArrays
from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, utc
from dask_jobs.stack.store import icechunk_errors, readonly_session
from dask_jobs.statistics.layers import StatisticLayer, statistic_layers
from dask_jobs.statistics.smoothing import Smoothing
from dask_jobs.statistics.threshold import Threshold
from dask_jobs.statistics.time_series import Zone, members
from infra.errors import InputError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import Location

if TYPE_CHECKING:
    import icechunk
    import zarr

    from dask_jobs.reduction.block_layout import BlockLayout

ARRAYS = "arrays"  # plain Zarr group of the statistics, polarization/name
PLAN = "plan.json"
READERS = 8  # small objects fetched at once: on S3 each takes 20 ms or more
VERSION = 3  # of what lies in the work in progress


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What to make of which stack.

    Attributes
    ----------
    store, tag, group : a published stack and, where it has several, the orbit
    polarizations : None for all that the stack has
    percentiles : 0 to 100
    min_count : dates that a pixel needs for its coefficient of variation
    looks : equivalent number of looks of one scene; None to estimate it from the stack
    threshold : on the coefficient of variation; None for none
    harmonic_period : of the cycle that is fitted to each pixel, days; None for none
    trend : whether each pixel's trend is fitted
    smoothing : of the time series; None for none
    region : the area that the stack was cut to, None for none: its time series counts the pixels inside
    zones : parts of the area with time series of their own
    """

    store: Location
    tag: str
    group: str = ""
    polarizations: tuple[str, ...] | None = None
    percentiles: tuple[float, ...] = (5.0, 50.0, 95.0)
    min_count: int = 2
    looks: float | None = None
    threshold: Threshold | None = None
    harmonic_period: float | None = None
    trend: bool = False
    smoothing: Smoothing | None = None
    region: Region | None = None
    zones: tuple[Zone, ...] = ()

    @property
    def layers(self) -> tuple[StatisticLayer, ...]:
        """Rasters of every polarization."""
        return statistic_layers(
            self.percentiles,
            threshold=self.threshold is not None,
            period=self.harmonic_period,
            trend=self.trend,
        )


class Block(NamedTuple):
    """One block of one polarization; `number` is its place in the order of merging."""

    polarization: str
    number: int
    window: Window

    @property
    def first_look(self) -> str:
        """Marker: statistics are written; holds moments and histograms."""
        return f"first-look/{self.polarization}/{self.number:06d}.npz"

    @property
    def near(self) -> str:
        """Values near the expected middles; there before the marker `first_look` if the block has data."""
        return f"near/{self.polarization}/{self.number:06d}.npz"

    @property
    def second_look(self) -> str:
        """Marker: holds the histograms of the middle buckets."""
        return f"second-look/{self.polarization}/{self.number:06d}.npz"

    @property
    def cov_look(self) -> str:
        """Histogram of the coefficients of variation; there before the marker `first_look` if there are any."""
        return f"cov-look/{self.polarization}/{self.number:06d}.npz"

    @property
    def cov_second_look(self) -> str:
        """Marker: holds the histograms of the buckets in which the quantile lies."""
        return f"cov-second-look/{self.polarization}/{self.number:06d}.npz"

    @property
    def cov_tally(self) -> str:
        """Marker: holds what the threshold keeps."""
        return f"cov-tally/{self.polarization}/{self.number:06d}.json"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every task of one reduction needs.

    Attributes
    ----------
    store, session : the stack, and one commit of it for reading
    group : of the stack in the store
    days, times : dims (time,), days since 1970-01-01 00:00 UTC: int32, whole; float64, with their fraction
    place : work in progress
    tile : (height, width) of the chunks of the statistics' arrays (`prepare`)
    polarizations : that are reduced (`prepare`)
    """

    store: Location
    session: icechunk.Session
    group: str
    grid: Grid
    days: np.ndarray
    times: np.ndarray
    region: Region | None
    zones: tuple[Zone, ...]
    percentiles: tuple[float, ...]
    min_count: int
    looks: float | None
    threshold: Threshold | None
    harmonic_period: float | None
    trend: bool
    layers: tuple[StatisticLayer, ...]
    place: Location
    tile: tuple[int, int] = (0, 0)
    polarizations: tuple[str, ...] = ()

    def pixels(self, block: Block, *, steps: np.ndarray | None = None) -> np.ndarray:
        """Pixels of a block, dims (time, y, x), float32, linear power, NaN no data; of some time steps only."""
        import zarr

        from dask_jobs.stack.store import icechunk_errors

        with icechunk_errors(self.store):
            stack = zarr.open_array(self.session.store, path=f"{self.group}/{block.polarization}".strip("/"), mode="r")
            if steps is None:
                return np.asarray(stack[(slice(None), *block.window.slices)])
            return np.asarray(stack.get_orthogonal_selection((steps, *block.window.slices)))

    def members(self, block: Block) -> list[np.ndarray]:
        """Flat pixel indices of the area and of each zone in a block."""
        return members(self.grid.crop(block.window), region=self.region, zones=self.zones)

    @property
    def arrays(self) -> ScratchArrays:
        """Statistics, below their polarization."""
        layers = {raster.name: raster.layer for raster in self.layers if raster.array == raster.name}
        paths = {
            f"{polarization}/{name}": layer for polarization in self.polarizations for name, layer in layers.items()
        }
        return ScratchArrays(place=self.place / ARRAYS, shape=self.grid.shape, tile=self.tile, layers=paths)

    def array(self, polarization: str, name: str) -> zarr.Array[Any]:
        """One statistic of one polarization, dims (y, x)."""
        return self.arrays.open(f"{polarization}/{name}")

    def write(self, block: Block, made: Mapping[str, np.ndarray]) -> None:
        """Statistics of a block by name, each dims (y, x), to their arrays."""
        self.arrays.put(block.window, {f"{block.polarization}/{name}": values for name, values in made.items()})

    def fetch(self, names: Sequence[str]) -> Iterator[bytes]:
        """Contents of objects of the work in progress, in order, a few at a time."""
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(names), READERS):
                yield from pool.map(self.place.read, names[start : start + READERS])


def open_work(reduction: Reduction, *, place: Location) -> tuple[Work, Ledger]:
    """What every task needs, and what the stack holds.

    Raises
    ------
    InputError
        If the store, tag or group is not there.
    """
    import zarr

    session = readonly_session(reduction.store, tag=reduction.tag)
    with icechunk_errors(reduction.store):
        try:
            text = zarr.open_group(session.store, path=reduction.group, mode="r").attrs.get(ATTRIBUTE)
        except FileNotFoundError:
            text = None
    if text is None:
        raise InputError(f"{reduction.store.url} has no stack of orbit {reduction.group!r}", "Name one that it has.")
    ledger = Ledger.from_text(str(text))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    since = [utc(step.time) - epoch for step in ledger.steps]
    work = Work(
        store=reduction.store,
        session=session,
        group=reduction.group,
        grid=ledger.grid,
        days=np.array([span.days for span in since], dtype=np.int32),
        times=np.array([span / timedelta(days=1) for span in since]),
        region=reduction.region,
        zones=reduction.zones,
        percentiles=reduction.percentiles,
        min_count=reduction.min_count,
        looks=reduction.looks,
        threshold=reduction.threshold,
        harmonic_period=reduction.harmonic_period,
        trend=reduction.trend,
        layers=reduction.layers,
        place=place,
    )
    return work, ledger


def prepare(work: Work, *, layout: BlockLayout, polarizations: Sequence[str]) -> Work:
    """Same work in a place of its own for exactly this plan, with empty arrays unless an earlier attempt made them.

    A task of a stopped attempt that still runs can so never leave its mark in the work of another plan.
    """
    plan = _plan(work, layout=layout, polarizations=polarizations)
    name = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
    work = replace(work, place=work.place / name, tile=layout.tile, polarizations=tuple(polarizations))
    if work.place.exists(PLAN):
        return work
    work.arrays.make()
    work.place.write_json(PLAN, plan)  # last: without it the next attempt makes the arrays again
    return work


def _plan(work: Work, *, layout: BlockLayout, polarizations: Sequence[str]) -> dict[str, Any]:
    """Everything that the work in progress depends on, as plain values."""
    return {
        "version": VERSION,
        "snapshot": work.session.snapshot_id,
        "group": work.group,
        "grid": work.grid.to_json(),
        "polarizations": list(polarizations),
        "percentiles": list(work.percentiles),
        "min_count": work.min_count,
        "looks": work.looks,
        "threshold": asdict(work.threshold) if work.threshold else None,
        "harmonic_period": work.harmonic_period,
        "trend": work.trend,
        "region": work.region.wkt if work.region and work.region.masks else None,
        "zones": [[zone.name, zone.region.wkt] for zone in work.zones],
        "windows": [list(window) for window in layout.windows],
    }
