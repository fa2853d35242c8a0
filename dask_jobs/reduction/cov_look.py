"""The coefficients of variation of a whole stack: their speckle floor, their quantile, and what a threshold keeps.

Blocks count, as for the medians (`dask_jobs.statistics.exact_median`); the looks at the raster cost little beside those at all dates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dask_jobs.reduction.task_runner import TaskRunner
from dask_jobs.reduction.work import Block, Work
from dask_jobs.statistics.exact_median import RADIX, Counts, Middles, lower_counts, pack, unpack, upper_counts
from dask_jobs.statistics.speckle_floor import SpeckleFloor, speckle_floor
from dask_jobs.statistics.threshold import Bounds, Tally, Threshold, quantile_places, quantile_value, tally


@dataclass(frozen=True, kw_only=True)
class CovSummary:
    """What is known of the coefficients of variation of one polarization.

    Attributes
    ----------
    pixels : that have one
    threshold, bounds, tally : None where no threshold was asked for; bounds.lower is NaN where no pixel has a value
    """

    pixels: int
    floor: SpeckleFloor
    threshold: Threshold | None = None
    bounds: Bounds | None = None
    tally: Tally | None = None

    def floor_tags(self) -> dict[str, str]:
        """Metadata of every raster that shows the coefficient of variation."""
        if self.floor.looks is None:
            return {}
        return {
            "SPECKLE_FLOOR": f"{self.floor.value:.6g}",
            "LOOKS": f"{self.floor.looks:.6g}",
            "LOOKS_SOURCE": self.floor.source,
        }

    def threshold_tags(self) -> dict[str, str]:
        """Metadata of the rasters that a threshold makes."""
        if self.threshold is None or self.bounds is None or self.tally is None:
            return {}
        wanted = {"QUANTILE": self.threshold.quantile, "UPPER": self.threshold.upper}
        return {
            "THRESHOLD": repr(self.bounds.lower),
            **{name: repr(value) for name, value in wanted.items() if value is not None},
            "PIXELS_KEPT": str(self.tally.kept),
            "PIXELS_ABOVE_UPPER": str(self.tally.above_upper),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what is not known."""
        found: dict[str, Any] = {
            "pixels": self.pixels,
            "mode": self.floor.mode,
            "looks": self.floor.looks,
            "looks_source": self.floor.source,
            "speckle_floor": self.floor.value,
            "threshold": None,
        }
        if self.threshold is not None and self.bounds is not None and self.tally is not None:
            found["threshold"] = {
                "value": None if math.isnan(self.bounds.lower) else self.bounds.lower,
                "quantile": self.threshold.quantile,
                "upper": self.threshold.upper,
                "pixels_kept": self.tally.kept,
                "pixels_above_upper": self.tally.above_upper,
            }
        return found


def count_cov(block: Block, made: Mapping[str, np.ndarray], *, work: Work) -> None:
    """First look at the coefficients of variation of a block whose statistics were `made`."""
    ok = np.isfinite(made["cov"])
    counts = upper_counts([made["cov"][ok]])
    dates = np.array(made["count"][ok].sum(dtype=np.int64))
    work.place.write(block.cov_look, pack({**counts.arrays(), "dates": dates}))


def summarise_cov(run: TaskRunner, blocks: Sequence[Sequence[Block]]) -> list[CovSummary]:
    """What every polarization's coefficients of variation say; `blocks` of each, all of them reduced."""
    there = run.done("cov-look")
    filled = [[block for block in row if block.cov_look in there] for row in blocks]
    looks: list[_Look] = run.gather(_merge, filled)
    threshold = run.work.threshold
    if threshold is None:
        return [CovSummary(pixels=look.pixels, floor=look.floor) for look in looks]
    total = sum(map(len, filled))
    if threshold.quantile is not None:
        done = run.done("cov-second-look")
        todo = [
            (block, look.found)
            for row, look in zip(filled, looks, strict=True)
            for block in row
            if block.cov_second_look not in done
        ]
        run.each("quantile", _look_again, *zip(*todo, strict=True), of=total)
    bounds: list[Bounds] = run.gather(_bounds, filled, looks)
    done = run.done("cov-tally")
    left = [
        (block, bound)
        for row, bound in zip(filled, bounds, strict=True)
        for block in row
        if block.cov_tally not in done
    ]
    run.each("threshold", _tally, *zip(*left, strict=True), of=total)
    tallies: list[Tally] = run.gather(_add, filled)
    return [
        CovSummary(pixels=look.pixels, floor=look.floor, threshold=threshold, bounds=bound, tally=counted)
        for look, bound, counted in zip(looks, bounds, tallies, strict=True)
    ]


class _Look(NamedTuple):
    pixels: int
    floor: SpeckleFloor
    found: Middles | None


def _merge(blocks: Sequence[Block], *, work: Work) -> _Look:
    histogram = np.zeros((1, RADIX), dtype=np.int64)
    dates = 0
    for data in work.fetch([block.cov_look for block in blocks]):
        arrays = unpack(data)
        dates += int(arrays.pop("dates"))
        Counts(**arrays).add_to(histogram, first=0)
    pixels = int(histogram.sum())
    floor = speckle_floor(histogram[0], dates=dates / pixels if pixels else 0.0, looks=work.looks)
    if work.threshold is None or work.threshold.quantile is None:
        return _Look(pixels, floor, None)
    keys = np.flatnonzero(histogram[0])
    merged = Counts(
        starts=np.array([0, keys.size]), keys=keys.astype(np.uint16), counts=histogram[0, keys].astype(np.int64)
    )
    return _Look(
        pixels, floor, quantile_places(pixels, quantile=work.threshold.quantile, blocks=lambda: iter([merged]))
    )


def _look_again(block: Block, found: Middles, *, work: Work) -> None:
    counts = lower_counts([_values(block, work=work)], found=found)
    work.place.write(block.cov_second_look, counts.to_bytes())


def _bounds(blocks: Sequence[Block], look: _Look, *, work: Work) -> Bounds:
    threshold = work.threshold
    if threshold is None:
        raise ValueError("no threshold was asked for")
    upper = math.inf if threshold.upper is None else threshold.upper
    if threshold.quantile is None or look.found is None:
        return Bounds(lower=math.nan if threshold.value is None else threshold.value, upper=upper)

    def counts() -> Iterator[Counts]:
        return (Counts.from_bytes(data) for data in work.fetch([block.cov_second_look for block in blocks]))

    found = quantile_value(look.found, count=look.pixels, quantile=threshold.quantile, blocks=counts)
    return Bounds(lower=found, upper=upper)


def _tally(block: Block, bounds: Bounds, *, work: Work) -> None:
    counted = tally(_values(block, work=work), bounds=bounds)
    work.place.write_json(block.cov_tally, counted._asdict())


def _add(blocks: Sequence[Block], *, work: Work) -> Tally:
    parts = [Tally(**json.loads(data)) for data in work.fetch([block.cov_tally for block in blocks])]
    return Tally(*(sum(column) for column in zip(*parts, strict=True))) if parts else Tally(0, 0, 0)


def _values(block: Block, *, work: Work) -> np.ndarray:
    """Coefficients of variation of a block's pixels that have one."""
    values = np.asarray(work.array(block.polarization, "cov")[block.window.slices])
    finite: np.ndarray = values[np.isfinite(values)]
    return finite
