"""Interferograms as the steps of a store: their order, their identity, and their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE, Interferogram
from dask_jobs.scenes import Pass, Raster, Scene
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import S3Options

if TYPE_CHECKING:
    from dask_jobs.stack.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class PairStep(Pass):
    """One interferogram as a step of a store; `time` is the secondary's.

    Attributes
    ----------
    reference : start of sensing of the reference, UTC
    perpendicular_baseline : m
    """

    reference: datetime
    perpendicular_baseline: float


def step_of(interferogram: Interferogram) -> PairStep:
    """The step that an interferogram makes."""
    scene = Scene(
        id=interferogram.id,
        release=interferogram.release,
        time=interferogram.secondary,
        grid=interferogram.grid,
        rasters=interferogram.rasters,
        size=interferogram.size,
        fingerprint=interferogram.fingerprint,
    )
    return PairStep(
        time=interferogram.secondary,
        scenes=(scene,),
        reference=interferogram.reference,
        perpendicular_baseline=interferogram.perpendicular_baseline,
    )


def in_order_of_arrival(steps: Sequence[PairStep], ledger: Ledger | None) -> tuple[PairStep, ...]:
    """Steps that a store holds in its order, then the others by their dates: a new pair may lie between old ones."""
    held = [step.fingerprint for step in ledger.steps] if ledger else []
    wanted = {step.fingerprint: step for step in steps}
    there = [wanted[fingerprint] for fingerprint in held if fingerprint in wanted]
    known = set(held)
    fresh = sorted(
        (step for step in steps if step.fingerprint not in known),
        key=lambda step: (step.time, step.reference, step.scenes[0].id),
    )
    return (*there, *fresh)


@dataclass(frozen=True, kw_only=True)
class PairReader:
    """Reads a layer of an interferogram on `target`: what `append_passes` sends to workers.

    Attributes
    ----------
    region : whose outside becomes no data, where it masks
    """

    target: Grid
    region: Region | None = None
    s3: S3Options = field(default_factory=S3Options)

    def __call__(self, step: Pass, layer: str, window: Window) -> tuple[np.ndarray, int, int]:
        """Pixels of a window, dims (y, x); no pixel is masked, and those with data are covered."""
        scene = step.scenes[0]
        values = read_layer(scene.rasters[layer], layer, grid=scene.grid, target=self.target, window=window, s3=self.s3)
        if self.region is not None and self.region.masks:
            values[~self.region.inside(self.target.crop(window))] = 0 if layer == COMPONENTS else np.nan
        covered = values != 0 if layer == COMPONENTS else np.isfinite(values)
        return values, 0, int(np.count_nonzero(covered))


def read_layer(raster: Raster, layer: str, *, grid: Grid, target: Grid, window: Window, s3: S3Options) -> np.ndarray:
    """Values of a window of `target`, placed by their coordinates.

    Returns
    -------
    values : dims (y, x). Connected components: uint16, 0 where there is none. Others: float32, NaN where the file has no
        data or does not reach; of the unwrapped phase also where it is exactly 0, which is HyP3's no data whether declared
        or not. A coherence of 0 is a value.

    Raises
    ------
    InputError, LatticeError, CredentialsError, TransientError
        If the file is gone, damaged, on another grid or lattice, or storage refuses.
    """
    from dask_jobs.readers.pixels import read_pixels

    there = target.window_of(grid)
    part = there.intersect(window)
    if not (part.height and part.width):
        return _nothing(layer, window)
    source = Window(part.row - there.row, part.col - there.col, part.height, part.width)
    if layer == COHERENCE:
        raster = replace(raster, nodata=None)  # HyP3 declares 0, which whoever averages takes for no data or not
    values, valid = read_pixels(raster, grid=grid, window=source, s3=s3)
    kept = _labels(values, valid) if layer == COMPONENTS else _numbers(values, valid, zero_is_data=layer != PHASE)
    if part == window:
        return kept
    found = _nothing(layer, window)
    found[Window(part.row - window.row, part.col - window.col, part.height, part.width).slices] = kept
    return found


def _nothing(layer: str, window: Window) -> np.ndarray:
    """A window of no data."""
    if layer == COMPONENTS:
        return np.zeros((window.height, window.width), dtype=np.uint16)
    return np.full((window.height, window.width), np.nan, dtype=np.float32)


def _labels(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(valid, values, 0).astype(np.uint16)


def _numbers(values: np.ndarray, valid: np.ndarray, *, zero_is_data: bool) -> np.ndarray:
    """Values as float32, in place where they are: this is most of the time beside decoding the file."""
    kept = values.astype(np.float32, copy=False)
    bad = ~np.isfinite(kept)
    bad |= ~valid
    if not zero_is_data:
        bad |= kept == 0
    np.copyto(kept, np.float32(np.nan), where=bad)
    return kept
