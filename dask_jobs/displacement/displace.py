"""From a stack of interferograms to series and velocity, stage after stage over all blocks, by a cluster.

What a stage finds in each block (sums, never pixels) settles what the next one does. Everything lies in the work in
progress, so a driver that follows a dead one goes on from there, with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.displacement.blocks import (
    correct_block,
    count_coherent,
    fit_block,
    invert_block,
    look_at_block,
    ramp_block,
)
from dask_jobs.displacement.recipe import Recipe
from dask_jobs.displacement.settled import DateChoice, Fits, Motion, Network, PairCoherence, ReferencePixel
from dask_jobs.displacement.settling import (
    choose_dates,
    dem_error_model,
    draw_reference,
    motion_model,
    reference_at,
    settle_network,
)
from dask_jobs.displacement.work import BLOCK_BYTES, Work, array_specs, marker, open_work
from dask_jobs.reduction.task_runner import Checkpoint, TaskRunner
from dask_jobs.sbas.ramps import fit_ramps
from dask_jobs.sbas.residual import residual_rms
from dask_jobs.sbas.troposphere import fit_height
from infra.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

    from infra.storage import Location


@dataclass(frozen=True, kw_only=True, eq=False)
class Displaced:
    """Series and rasters of a stack as they lie in the work in progress, and what they were made with.

    Attributes
    ----------
    coherence : of every pair of the stack where all were looked at, else of those that are used
    solved, reliable : pixels that were inverted, and those of the mask
    """

    work: Work
    network: Network
    reference: ReferencePixel
    fits: Fits
    dates: DateChoice
    coherence: np.ndarray
    solved: int
    reliable: int

    @property
    def place(self) -> Location:
        """Where markers lie."""
        return self.work.place


def displace(
    recipe: Recipe,
    *,
    parts: Location,
    client: Client,
    checkpoint: Checkpoint = lambda _phase, _fraction: None,
    block_bytes: int = BLOCK_BYTES,
) -> Displaced:
    """Invert, correct and fit a stack.

    Order: observations → network → reference point → inversion → troposphere → ramps → error of the height model →
    noise of dates → reference date → function of time.

    Parameters
    ----------
    parts : work in progress
    client : of the cluster whose workers do it; they reach store and parts
    checkpoint : called after every task; what it raises stops, and a later call goes on
    block_bytes : memory of one task

    Raises
    ------
    InputError
        If the network does not connect its dates, no pixel can be the reference, none is reliable, or dates are too few.
    """
    work = open_work(recipe, place=parts / "work", block_bytes=block_bytes)
    stages = _Stages(work, client=client, checkpoint=checkpoint)
    looked = stages.look()
    network = settle_network(work, coherence=looked)
    reference = _reference(work, network, stages)
    stages.work = work = replace(
        work, arrays=replace(work.arrays, arrays=array_specs(recipe, dates=len(network.pairs.dates)))
    )
    inverted = stages.each("invert", "inverted", invert_block, network=network, reference=reference)
    reliable, solved = sum(one.reliable for one in inverted), sum(one.solved for one in inverted)
    _check_reliable(work, reliable=reliable, solved=solved)
    coherence = np.full(len(work.pairs), np.nan)
    coherence[list(network.kept)] = reduce(add, (one.coherence for one in inverted)).mean
    if looked is not None:
        coherence = looked.mean
    fits = Fits()
    if recipe.height is not None:
        moments = reduce(add, (one.height for one in inverted))
        fits = replace(fits, height=fit_height(moments, min_correlation=recipe.height.min_correlation))
    if recipe.ramp is not None:
        found = stages.each("ramp", "ramp", ramp_block, fits=fits, reference=reference)
        fits = replace(fits, ramp=fit_ramps(reduce(add, found)))
    fits = replace(fits, dem_error=dem_error_model(recipe, network))
    motion: Motion | None = None if fits.dem_error is not None else motion_model(network)
    left = stages.each("correct", "corrected", correct_block, fits=fits, reference=reference, residual=motion)
    rms = None if left[0] is None else residual_rms(reduce(add, left), reference=reference.place)
    dates = choose_dates(recipe, network, rms=rms)
    stages.each("fit", "fitted", fit_block, network=network, dates=dates)
    return Displaced(
        work=work,
        network=network,
        reference=reference,
        fits=fits,
        dates=dates,
        coherence=coherence,
        solved=solved,
        reliable=reliable,
    )


class _Stages:
    """Runs a function on every block that is not done yet, and gives what all of them found."""

    def __init__(self, work: Work, *, client: Client, checkpoint: Checkpoint) -> None:
        self.work, self._client, self._checkpoint = work, client, checkpoint

    def each(self, phase: str, folder: str, function: Callable[..., None], **settled: Any) -> list[Any]:
        """What the blocks found, in their order."""
        run = TaskRunner(client=self._client, work=self.work, checkpoint=self._checkpoint)
        done = run.done(folder)
        todo = [window for window in self.work.windows if marker(folder, window) not in done]
        run.each(phase, function, todo, of=len(self.work.windows), **settled)
        return self.work.kept(folder)

    def look(self) -> PairCoherence | None:
        """Coherence of every pair where something is chosen by it; None where nothing is."""
        criteria, recipe = self.work.recipe.network, self.work.recipe
        by_coherence = criteria.min_coherence is not None or criteria.min_area_ratio is not None
        if not by_coherence:
            return None if recipe.reference is not None else self._sums(draw=True)
        sums = self._sums(draw=False)
        if criteria.min_area_ratio is not None:
            above = self.each("coherent", "coherent", count_coherent, least=sums.water_mean)
            sums = replace(sums, above=reduce(add, above))
        return sums

    def _sums(self, *, draw: bool) -> PairCoherence:
        kept = settle_network(self.work, coherence=None).kept if draw else ()
        self.looks = self.each("coherence", "look", look_at_block, kept=kept, draw=draw)
        sums: PairCoherence = reduce(add, (look.coherence for look in self.looks))
        return sums

    def candidates(self, network: Network) -> list[Any]:
        """Pixels that may be the reference, of all blocks."""
        criteria = self.work.recipe.network
        if criteria.min_coherence is not None or criteria.min_area_ratio is not None:
            self.looks = self.each("coherence", "candidates", look_at_candidates, kept=network.kept)
        return [one for look in self.looks for one in look.candidates]


def look_at_candidates(window: Any, *, work: Work, kept: tuple[int, ...]) -> None:
    """Pixels of a block that may be the reference, once it is known by coherence which pairs are used."""
    look_at_block(window, work=work, kept=kept, draw=True, folder="candidates")


def _reference(work: Work, network: Network, stages: _Stages) -> ReferencePixel:
    if work.recipe.reference is not None:
        return reference_at(work, network, *work.recipe.reference)
    return draw_reference(work, network, stages.candidates(network))


def _check_reliable(work: Work, *, reliable: int, solved: int) -> None:
    if reliable > 1 or reliable == solved == 1:  # the reference pixel alone says nothing: it agrees with itself
        return
    if not solved:
        raise InputError(
            f"no pixel of {work.recipe.store.url} has interferograms for every date",
            "Look at water mask, `mask.observation` and `min_redundancy`, or take other interferograms.",
        )
    raise InputError(
        f"of {solved} pixels none but the reference reaches a temporal coherence of {work.recipe.temporal_coherence:g}",
        "Lower `mask.temporal_coherence`, choose another reference, or drop interferograms that are unwrapped wrongly.",
    )
