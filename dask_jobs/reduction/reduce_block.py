"""What workers do to reduce a stack over time: read a block, reduce it, look for medians, write one raster.

Everything that a task makes goes to the work in progress, and a task's last write is its marker: whoever goes on after
a death finds what is there. Tasks return a few numbers, never pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from dask_jobs.reduction.cov_look import count_cov
from dask_jobs.reduction.raster_file import upload_raster
from dask_jobs.reduction.work import Block, Work
from dask_jobs.statistics.exact_median import (
    Blocks,
    Counts,
    Middles,
    Near,
    expected_middles,
    lower_counts,
    medians,
    middles,
)
from dask_jobs.statistics.threshold import Bounds, mask, thresholded
from dask_jobs.statistics.time_series import Partial, first_look, merge, rows, to_db
from dask_jobs.write import Layer
from infra.grid import Window
from infra.storage import Location

KEEP_BYTES = 128 * 2**20  # packed histograms that stay in memory while medians are found; beyond, read again
READERS = 8  # small objects fetched at once: on S3 each takes 20 ms or more


def reduce_block(block: Block, near: np.ndarray | None = None, *, work: Work) -> None:
    """Statistics of a block over time, and the first look at its time series.

    Parameters
    ----------
    near : buckets in which the middle of each time step and zone is expected (`expect_middles`); None: where this
        block's own are
    """
    from dask_jobs.statistics.temporal import temporal_statistics

    power = work.pixels(block)
    made = temporal_statistics(power, days=work.days, percentiles=work.percentiles, min_count=work.min_count)
    if made["count"].any():  # else the arrays say "no data" already
        work.write(block, {**made, **_fitted(power, work=work)})
        count_cov(block, made, work=work)
    inside = work.members(block)
    partial, upper = first_look(power, inside=inside)
    if partial.count.any():
        near = expected_middles(partial.count.reshape(-1), blocks=lambda: iter([upper])) if near is None else near
        work.place.write(block.near, Near.of(rows(power, inside=inside), bucket=near).to_bytes())
    work.place.write(block.first_look, partial.to_bytes(upper=upper))


def _fitted(power: np.ndarray, *, work: Work) -> dict[str, np.ndarray]:
    """What is fitted to each pixel where it was asked for: a cycle, a trend."""
    from dask_jobs.statistics.harmonic import harmonic
    from dask_jobs.statistics.trend import trend

    made: dict[str, np.ndarray] = {}
    if work.harmonic_period is not None:
        cycle = harmonic(power, days=work.times, period=work.harmonic_period)
        made |= {"harmonic_amplitude": cycle.amplitude, "harmonic_phase": cycle.phase}
    if work.trend:
        found = trend(power, days=work.times)
        made |= {"trend": found.slope, "trend_p": found.significance}
    return made


class Looked(NamedTuple):
    """What the first look at all blocks of one polarization says; `filled` are the blocks with data."""

    merged: Partial
    found: Middles
    filled: list[Block]


def merge_first_looks(blocks: Sequence[Block], *, work: Work) -> Looked:
    """Moments of every time step and zone, and where their middle values are."""
    names = [block.first_look for block in blocks]
    partials = [Partial.moments_from_bytes(data) for data in _fetch(names, place=work.place)]
    merged = merge(partials)
    filled = [index for index, partial in enumerate(partials) if partial.count.any()]
    found = middles(merged.count.reshape(-1), blocks=_uppers([names[index] for index in filled], place=work.place))
    return Looked(merged, found, [blocks[index] for index in filled])


def expect_middles(blocks: Sequence[Block], *, work: Work) -> np.ndarray:
    """Buckets in which the middles of the whole stack are expected by some of its blocks, dims (2, time * zone)."""
    names = [block.first_look for block in blocks]
    count = merge(Partial.moments_from_bytes(data) for data in _fetch(names, place=work.place)).count.reshape(-1)
    return expected_middles(count, blocks=_uppers(names, place=work.place))


def look_again(block: Block, found: Middles, *, work: Work) -> None:
    """Second look at a block, for the exact medians: at time steps again whose middles are not where they were expected."""
    counts = lower_counts(_middle_rows(block, found, work=work), found=found)
    work.place.write(block.second_look, counts.to_bytes())


def _middle_rows(block: Block, found: Middles, *, work: Work) -> Iterator[np.ndarray]:
    """Values of each time step and zone, those in the middle buckets at least."""
    inside = work.members(block)
    near = Near.from_bytes(work.place.read(block.near))
    held = near.hold(found)
    zones = len(inside)
    for step, kept in enumerate(held.reshape(-1, zones)):
        if kept.all():
            yield from (near.row(row) for row in range(step * zones, (step + 1) * zones))
        else:
            yield from rows(work.pixels(block, steps=np.array([step])), inside=inside)


def find_medians(looked: Looked, *, work: Work) -> np.ndarray:
    """Exact medians, dims (time * zone,), float64, linear power."""
    lower = _Kept([block.second_look for block in looked.filled], place=work.place)
    blocks: Blocks = lambda: (Counts.from_bytes(data) for data in lower)  # noqa: E731 -- the type is what says what it is
    return medians(looked.found, blocks=blocks)


class RasterTask(NamedTuple):
    """One raster to be written: statistic `array`, in dB if its layer's units say so, to object `path`.

    With `bounds` it is what they keep: the values, or 1 and 0 where the layer takes whole numbers.
    """

    polarization: str
    array: str
    layer: Layer
    path: str
    bounds: Bounds | None = None

    @property
    def marker(self) -> str:
        """Marker: the raster is where it belongs."""
        return f"written/{self.path}"


def write_raster(task: RasterTask, *, work: Work, parts: Location) -> int:
    """Size in bytes of the raster, uploaded to `parts`."""
    source = work.array(task.polarization, task.array)

    def read(window: Window) -> np.ndarray:
        return _shown(np.asarray(source[window.slices]), task=task)

    size = upload_raster(task.path, grid=work.grid, layer=task.layer, read=read, parts=parts)
    work.place.write(task.marker, b"")
    return size


def _shown(values: np.ndarray, *, task: RasterTask) -> np.ndarray:
    """A statistic as its raster shows it."""
    if task.bounds is not None:
        return (mask if task.layer.dtype == "uint8" else thresholded)(values, bounds=task.bounds)
    return to_db(values) if task.layer.units == "dB" else values


def _uppers(first_looks: Sequence[str], *, place: Location) -> Blocks:
    """Histograms of blocks, read as often as they are asked for."""
    kept = _Kept(first_looks, place=place)
    return lambda: (Partial.from_bytes(data)[1] for data in kept)


class _Kept:
    """Contents of objects in order, again at each iteration; small ones are read from the storage once."""

    def __init__(self, names: Sequence[str], *, place: Location) -> None:
        self._names, self._place = names, place
        self._contents: list[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        if self._contents is not None:
            yield from self._contents
            return
        kept: list[bytes] | None = []
        size = 0
        for data in _fetch(self._names, place=self._place):
            size += len(data)
            if kept is not None:
                kept = [*kept, data] if size <= KEEP_BYTES else None
            yield data
        self._contents = kept


def _fetch(names: Sequence[str], *, place: Location) -> Iterator[bytes]:
    with ThreadPoolExecutor(READERS) as pool:
        for start in range(0, len(names), READERS):
            yield from pool.map(place.read, names[start : start + READERS])
