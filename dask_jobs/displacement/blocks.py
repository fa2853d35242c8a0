"""What workers do with one block: look at coherence, invert, correct, fit. Its last write marks it as done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dask_jobs.displacement.corrections import last_correction, sight_height_of
from dask_jobs.displacement.settled import (
    BlockLook,
    DateChoice,
    Fits,
    Motion,
    Network,
    PairCoherence,
    ReferencePixel,
)
from dask_jobs.displacement.work import Work
from dask_jobs.insar_stack.layout import HEIGHT, INCIDENCE, SLANT_RANGE
from dask_jobs.interferograms import COHERENCE, PHASE
from dask_jobs.sbas.coherence import MeanCoherence, mean_coherence
from dask_jobs.sbas.reference_point import Candidate, candidate
from infra.grid import Window

if TYPE_CHECKING:
    from dask_jobs.sbas.moments import Moments
    from dask_jobs.sbas.ramps import RampMoments

CANDIDATES = 16  # of a block: some may lack a phase, which only then is looked at


class Inverted(NamedTuple):
    """What the inversion of a block found beside its pixels: coherence, pixels of the mask, and sums for a fit."""

    coherence: PairCoherence
    reliable: int
    solved: int
    height: Moments | None


def look_at_block(window: Window, *, work: Work, kept: tuple[int, ...], draw: bool, folder: str = "look") -> None:
    """Coherence of every pair over the block; with `draw`, its pixels that may be the reference too."""
    coherence = work.layer(COHERENCE, window, pairs=range(len(work.pairs)))
    land = work.land(window)
    candidates: list[Candidate] = []
    if draw:
        some = coherence[list(kept)]
        mean = _mean(some, land, work).pixel
        mask = land & (mean >= work.recipe.min_coherence) & (np.nan_to_num(some) > 0).all(axis=0)
        if work.recipe.height is not None or work.recipe.dem_error is not None:
            mask &= np.isfinite(work.geometry(HEIGHT, window)) & np.isfinite(work.geometry(INCIDENCE, window))
        while len(candidates) < CANDIDATES and (
            found := candidate(mask, window.row, window.col, seed=work.recipe.seed)
        ):
            candidates.append(found)
            mask[found.row - window.row, found.col - window.col] = False
    sums = PairCoherence.of(_mean(coherence, land, work))
    work.keep(folder, window, BlockLook(coherence=sums, candidates=tuple(candidates)))


def count_coherent(window: Window, *, work: Work, least: np.ndarray) -> None:
    """Pixels of land that are more coherent than `least`, dims (pair,)."""
    coherence = work.layer(COHERENCE, window, pairs=range(len(work.pairs)))
    inside = work.land(window) & np.isfinite(coherence)
    above = (inside & (coherence > least[:, None, None])).sum(axis=(1, 2))
    work.keep("coherent", window, above.astype(np.float64))


def invert_block(window: Window, *, work: Work, network: Network, reference: ReferencePixel) -> None:
    """Series of a block as inverted, how good it is, and a quick overview of its interferograms."""
    from dask_jobs.sbas.inversion import invert

    recipe = work.recipe
    coherence = work.layer(COHERENCE, window, pairs=network.kept)
    phase = work.phase(window, pairs=network.kept, coherence=coherence)
    land = work.land(window)
    mean = _mean(coherence, land, work)
    wanted = land & (mean.pixel > 0)
    blank(phase, ~wanted)
    _overview(window, phase, coherence, wanted=wanted, work=work, network=network, reference=reference)
    made = invert(phase, coherence, pairs=network.pairs, reference_phase=reference.phase, setup=recipe.inversion)
    reliable = made.temporal_coherence >= recipe.temporal_coherence
    moments = None
    if recipe.height is not None:
        from dask_jobs.sbas.troposphere import height_moments

        moments = height_moments(
            made.series,
            sight_height=sight_height_of(window, work=work, reference=reference),
            mask=reliable,
            window=window,
            order=recipe.height.order,
            looks=recipe.height.looks,
        )
    arrays = work.arrays
    arrays.put("inverted", window, made.series)
    arrays.put("temporal_coherence", window, made.temporal_coherence)
    arrays.put("used_pairs", window, made.used)
    arrays.put("mean_coherence", window, mean.pixel)
    found = Inverted(
        coherence=PairCoherence.of(mean),
        reliable=int(reliable.sum()),
        solved=int((made.used > 0).sum()),
        height=moments,
    )
    work.keep("inverted", window, found)


def _overview(
    window: Window,
    phase: np.ndarray,
    coherence: np.ndarray,
    *,
    wanted: np.ndarray,
    work: Work,
    network: Network,
    reference: ReferencePixel,
) -> None:
    """Stacked velocity and closure count, from the phases that are inverted, or as MintPy takes them."""
    from dask_jobs.sbas.closure import closure_counts
    from dask_jobs.sbas.overview import stacked_velocity

    rules = work.recipe.mintpy_rules
    if rules:
        # MintPy looks at water too, and takes HyP3's 0, where coherence is 0 as well, for a phase
        phase = work.layer(PHASE, window, pairs=network.kept)
        phase[~np.isfinite(phase) & (coherence == 0)] = 0.0
    velocity = stacked_velocity(
        phase, pairs=network.pairs, reference_phase=reference.phase, wavelength=work.recipe.inversion.wavelength
    )
    counts = closure_counts(phase, reference.phase, triplets=network.triplets, missing="mintpy" if rules else "triplet")
    if rules:
        counts[~wanted] = np.nan
    work.arrays.put("mean_velocity", window, velocity)
    work.arrays.put("closure_count", window, counts)


def ramp_block(window: Window, *, work: Work, fits: Fits, reference: ReferencePixel) -> None:
    """Sums over a block for the fit of ramps, after what comes before them is taken off."""
    from dask_jobs.sbas.ramps import ramp_moments

    if work.recipe.ramp is None:
        raise ValueError("no ramp is asked for")
    _, series = last_correction(window, work=work, fits=fits, reference=reference)
    moments = ramp_moments(
        series, mask=_reliable(window, work), window=window, shape=work.grid.shape, order=work.recipe.ramp
    )
    work.keep("ramp", window, moments)


def correct_block(
    window: Window, *, work: Work, fits: Fits, reference: ReferencePixel, residual: Motion | None
) -> None:
    """Series of a block after the last correction, and sums of what is left for the noise of the dates.

    Parameters
    ----------
    residual : whose misfit tells noise where no error of the height model is fitted; None where dates are too few
    """
    from dask_jobs.sbas.ramps import ramp_moments

    stage, series = last_correction(window, work=work, fits=fits, reference=reference)
    if stage != "inverted" and stage == work.recipe.stages[-1]:
        work.arrays.put(stage, window, series)
    left = None
    if fits.dem_error is not None:
        made = fits.dem_error.estimate(
            series,
            slant_range=work.geometry(SLANT_RANGE, window),
            incidence=work.geometry(INCIDENCE, window),
        )
        work.arrays.put("corrected", window, made.corrected)
        work.arrays.put("dem_error", window, made.dem_error)
        left = made.residual
    elif residual is not None:
        left = residual.remainder(series)
    moments: RampMoments | None = None
    if left is not None:
        moments = ramp_moments(left, mask=_reliable(window, work), window=window, shape=work.grid.shape, order=2)
    work.keep("corrected", window, moments)


def fit_block(window: Window, *, work: Work, network: Network, dates: DateChoice) -> None:
    """The time function of each pixel, fitted to the series after the last correction."""
    recipe = work.recipe
    days = network.pairs.dates
    function = recipe.time_function.at(days, used=dates.used, reference=dates.reference)
    made = function.fit(work.arrays.get(recipe.stages[-1], window))
    if recipe.error == "covariance":
        from dask_jobs.sbas.inversion import combination_variance

        coherence = work.layer(COHERENCE, window, pairs=network.kept)
        phase = work.phase(window, pairs=network.kept, coherence=coherence)
        land = work.land(window)
        blank(phase, ~(land & (_mean(coherence, land, work).pixel > 0)))
        variances = combination_variance(
            coherence, np.isfinite(phase), pairs=network.pairs, rows=function.rows, setup=recipe.inversion
        )
        made = function.with_variances(made, variances)
    for name, values in made.items():
        work.arrays.put(name, window, values)
    work.keep("fitted", window, None)


def _mean(coherence: np.ndarray, land: np.ndarray, work: Work) -> MeanCoherence:
    """HyP3's coherence of 0 is no data, for MintPy a value."""
    return mean_coherence(coherence, land, zero_is_data=work.recipe.mintpy_rules)


def blank(phase: np.ndarray, nothing: np.ndarray) -> None:
    """Set pixels, dims (y, x), of every pair to no data."""
    if nothing.any():
        for layer in phase:
            np.copyto(layer, np.float32(np.nan), where=nothing)


def _reliable(window: Window, work: Work) -> np.ndarray:
    """Pixels whose temporal coherence is enough, dims (y, x), bool."""
    return np.asarray(work.arrays.plane("temporal_coherence", window) >= work.recipe.temporal_coherence)
