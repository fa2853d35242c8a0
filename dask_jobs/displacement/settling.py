"""Decisions between the stages, from sums and single pixels: network, reference point, models, dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from dask_jobs.displacement.recipe import Recipe
from dask_jobs.displacement.settled import DateChoice, Motion, Network, PairCoherence, ReferencePixel
from dask_jobs.displacement.work import Work
from dask_jobs.insar_stack.layout import HEIGHT, INCIDENCE
from dask_jobs.sbas.closure import triplets
from dask_jobs.sbas.dem_error import DemErrorModel
from dask_jobs.sbas.least_squares import estimator
from dask_jobs.sbas.network import NetworkCriteria, check_connected, perpendicular_baselines, select_pairs
from dask_jobs.sbas.pairs import DAYS_PER_YEAR, Pairs
from dask_jobs.sbas.reference_point import Candidate
from dask_jobs.sbas.residual import noisy_dates, reference_date_index
from dask_jobs.sbas.time_functions import decimal_years, motion_columns
from infra.errors import InputError
from infra.grid import Window

MOTION_ORDER = 2  # of the polynomial whose misfit tells the noise of dates


def network_of(
    pairs: Pairs,
    criteria: NetworkCriteria,
    *,
    mean_coherence: np.ndarray | None = None,
    area_ratio: np.ndarray | None = None,
) -> Network:
    """The pairs that are used, which must connect all their dates.

    Raises
    ------
    DisconnectedNetworkError, InputError
        If they do not, or none is left.
    """
    selection = select_pairs(pairs, criteria, mean_coherence=mean_coherence, area_ratio=area_ratio)
    kept = pairs.take(selection.kept)
    check_connected(kept)
    return Network(
        kept=selection.kept,
        pairs=kept,
        dropped=selection.dropped,
        baselines=perpendicular_baselines(kept),
        triplets=triplets(kept),
    )


def settle_network(work: Work, *, coherence: PairCoherence | None) -> Network:
    """The pairs of a stack that are used."""
    return network_of(
        work.pairs,
        work.recipe.network,
        mean_coherence=None if coherence is None else coherence.mean,
        area_ratio=None if coherence is None else coherence.area_ratio,
    )


def reference_at(work: Work, network: Network, row: int, col: int) -> ReferencePixel:
    """A pixel as the reference.

    Raises
    ------
    InputError
        If it lies outside, on water, or lacks a phase of a pair that is used.
    """
    if not (0 <= row < work.grid.height and 0 <= col < work.grid.width):
        raise InputError(
            f"reference: row {row}, column {col} is outside of the stack, which has {work.grid.height} rows and "
            f"{work.grid.width} columns",
            "Give a pixel of the stack.",
        )
    found = _pixel(work, network, row, col)
    missing = np.flatnonzero(~np.isfinite(found.phase))
    if missing.size:
        pairs = network.pairs
        some = ", ".join(f"{pairs.reference[k]} to {pairs.secondary[k]}" for k in missing[:3])
        raise InputError(
            f"reference: row {row}, column {col} has no phase in {missing.size} of {len(pairs)} interferograms ({some})",
            "Choose a pixel on land that every interferogram covers, leave these out by `network`, or say reference: auto.",
        )
    return found


def draw_reference(work: Work, network: Network, candidates: Sequence[Candidate]) -> ReferencePixel:
    """The first of the candidates, in the order of the draw, that has a phase in every pair.

    Raises
    ------
    InputError
        If there is none.
    """
    for one in sorted(candidates, reverse=True):
        found = _pixel(work, network, one.row, one.col)
        if np.isfinite(found.phase).all():
            return found
    raise InputError(
        f"reference: no pixel on land has a mean coherence of {work.recipe.min_coherence:g} and a phase in every "
        f"interferogram ({len(candidates)} were looked at)",
        "Lower `min_coherence`, or name a reference.",
    )


def _pixel(work: Work, network: Network, row: int, col: int) -> ReferencePixel:
    window = Window(row, col, 1, 1)
    phase = work.phase(window, pairs=network.kept, coherence=None)[:, 0, 0].astype(np.float64)
    if not work.land(window)[0, 0]:
        phase[:] = np.nan
    return ReferencePixel(
        row=row,
        col=col,
        phase=phase,
        height=float(work.geometry(HEIGHT, window)[0, 0]),
        incidence=float(work.geometry(INCIDENCE, window)[0, 0]),
    )


def dem_error_model(recipe: Recipe, network: Network) -> DemErrorModel | None:
    """Model of the height's error at the dates of a network; None where it is not asked for.

    Raises
    ------
    InputError
        If the dates are too few for it.
    """
    setup = recipe.dem_error
    if setup is None:
        return None
    days = network.pairs.dates
    years = network.pairs.days / DAYS_PER_YEAR
    steps = [(step - days[0]).days / DAYS_PER_YEAR for step in setup.steps]
    used = None if recipe.exclude_dates is None else np.array([day not in recipe.exclude_dates for day in days])
    return DemErrorModel.of(
        years,
        network.baselines,
        poly_order=setup.poly_order,
        steps=steps,
        periods=setup.periods,
        phase_velocity=setup.phase_velocity,
        used=used,
    )


def motion_model(network: Network) -> Motion | None:
    """Polynomial whose misfit tells the noise of dates; None where dates are too few to leave a misfit."""
    days = network.pairs.dates
    if len(days) <= MOTION_ORDER + 1:
        return None
    design = motion_columns(decimal_years(days) - decimal_years(days)[0], polynomial=MOTION_ORDER)
    return Motion(design=design, rows=estimator(design, used=np.ones(len(days), dtype=bool), model="noise of dates"))


def choose_dates(recipe: Recipe, network: Network, *, rms: np.ndarray | None) -> DateChoice:
    """Noisy dates, dates that the time function is fitted to, and the date of no displacement.

    Raises
    ------
    InputError
        If a date that the job names is none of the network's.
    """
    days = network.pairs.dates
    nothing = np.zeros(len(days), dtype=bool)
    known = rms is not None and bool(np.isfinite(rms).any())
    noisy = noisy_dates(rms) if known and rms is not None else nothing
    used = ~noisy if recipe.exclude_dates is None else np.array([day not in recipe.exclude_dates for day in days])
    if recipe.reference_date == "auto":
        reference = reference_date_index(rms) if known and rms is not None else 0
    else:
        reference = 0 if recipe.reference_date == "first" else _index(days, recipe.reference_date)
    return DateChoice(rms=rms, noisy=noisy, used=used, reference=reference)


def _index(days: Sequence[date], wanted: date) -> int:
    if wanted not in days:
        raise InputError(
            f"reference_date: {wanted} is no date of the interferograms that are used "
            f"({len(days)} dates, {days[0]} to {days[-1]})",
            "Name one of them, or say auto or first.",
        )
    return list(days).index(wanted)
