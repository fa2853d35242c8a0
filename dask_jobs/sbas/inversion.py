"""Displacement of each date from unwrapped interferograms: weighted least squares, pixel by pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.interferograms import SENTINEL1_WAVELENGTH
from dask_jobs.sbas.laplacian import Network, network_of
from dask_jobs.sbas.network import connected_components
from dask_jobs.sbas.pairs import Pairs
from dask_jobs.sbas.solver_kernel import Made, Rule, Stack, batch_of, invert_pixels, propagate_variance
from dask_jobs.sbas.weights import MOST_LOOKS, WEIGHTS, Weight, weight_table
from infra.errors import InputError

Norm = Literal["velocity", "phase"]


@dataclass(frozen=True, kw_only=True)
class Inversion:
    """How a network is inverted.

    Attributes
    ----------
    looks : independent looks, 1 to 80 (`weights.effective_looks`)
    weight : of a phase, by its coherence (`weights.weights_of`)
    norm : of what is minimal where the pairs that a pixel has leave several components of dates: "velocity" holds the
        pixel still across a gap, "phase" draws each component to the first date's 0
    min_redundancy : pairs that each date needs; a pixel with a date of fewer is not solved
    count_first_date : whether the first date needs them too (False is MintPy's way)
    wavelength : m

    Raises
    ------
    InputError
        If a value is none of its choices, or out of its range.
    """

    looks: int
    weight: Weight = "var"
    norm: Norm = "velocity"
    min_redundancy: float = 1.0
    count_first_date: bool = True
    wavelength: float = SENTINEL1_WAVELENGTH

    def __post_init__(self) -> None:
        for name, choices in (("weight", WEIGHTS), ("norm", get_args(Norm))):
            if getattr(self, name) not in choices:
                raise InputError(f"inversion: {name} {getattr(self, name)!r}", f"Choose from: {', '.join(choices)}.")
        if not 1 <= self.looks <= MOST_LOOKS:
            raise InputError(f"inversion: {self.looks} independent looks", f"Give 1 to {MOST_LOOKS}.")
        if not 0 <= self.min_redundancy < math.inf:
            raise InputError(f"inversion: min_redundancy {self.min_redundancy}", "Give a number of pairs, 0 or more.")
        if not 0 < self.wavelength < math.inf:
            raise InputError(f"inversion: wavelength {self.wavelength} m", "Give metres, above 0.")

    @property
    def scale(self) -> float:
        """Displacement toward the satellite per phase, m/rad: -λ/4π."""
        return -self.wavelength / (4 * math.pi)


class Inverted(NamedTuple):
    """Series, temporal coherence and number of pairs, as `invert` defines them."""

    series: np.ndarray
    temporal_coherence: np.ndarray
    used: np.ndarray


def invert(
    phase: np.ndarray,
    coherence: np.ndarray | None,
    *,
    pairs: Pairs,
    reference_phase: np.ndarray,
    setup: Inversion,
) -> Inverted:
    """Displacement of each date along the line of sight, from unwrapped interferograms.

    Minimizes Σ w (φ - (x(secondary) - x(reference)))² over the pairs that a pixel has, with x = 0 at the first date. Where
    they connect all dates, that is one solution; where they do not, the one of least norm among all (`Inversion.norm`).

    Parameters
    ----------
    phase : dims (pair, ...), float32, radians
        Not finite where a pair has none; that pair is left out for that pixel. Zero is a phase like any other.
    coherence : dims of `phase`, float32, 0 to 1; may be None for equal weights
        NaN counts as 0 and what is below 0.05 as 0.05: the phase alone tells whether there is an observation.
    reference_phase : of each pair at the reference pixel, dims (pair,), radians; taken away from its phases

    Returns
    -------
    series : dims (time, ...), float32, metres, positive toward the satellite; 0 at the first date; NaN where not solved
    temporal_coherence : dims (...), float32, 0 to 1: length of the mean of exp(i residual); NaN where not solved
    used : dims (...), int16, number of pairs; 0 where not solved
        A pixel is not solved where a date has fewer pairs than `min_redundancy`, or where it has no pair.

    Raises
    ------
    InputError
        If dims do not fit, weights need a coherence that is not there, or a reference phase is not finite.

    Notes
    -----
    In double precision. A pixel's result is the same, to the bit, in whatever block it comes. Time grows with pixels
    times pairs for short networks, and with the cube of the number of dates for dense ones.

    References
    ----------
    Berardino et al. (2002), eq. 8-14, doi:10.1109/TGRS.2002.803792; Yunjun et al. (2019),
    doi:10.1016/j.cageo.2019.104331; Pepe and Lanari (2006), doi:10.1109/TGRS.2006.873207 (temporal coherence).
    """
    stack = _stack(phase, coherence, reference_phase=reference_phase, pairs=pairs, setup=setup)
    shape, network = phase.shape[1:], network_of(pairs)
    pixels = stack.phase.shape[1]
    made = Made(
        scale=setup.scale,
        series=np.empty((len(pairs.dates), pixels), dtype=np.float32),
        coherence=np.empty(pixels, dtype=np.float32),
        used=np.empty(pixels, dtype=np.int16),
    )
    compiled(invert_pixels)(stack, network, _rule(pairs, network, setup), batch_of(network), made)
    return Inverted(
        made.series.reshape(len(pairs.dates), *shape), made.coherence.reshape(shape), made.used.reshape(shape)
    )


def combination_variance(
    coherence: np.ndarray, valid: np.ndarray, *, pairs: Pairs, rows: np.ndarray, setup: Inversion
) -> np.ndarray:
    """Variance of linear combinations of a series, from the variance of the phases by their coherence.

    The diagonal of R C Rᵀ with C = G⁺ diag(σ²) G⁺ᵀ, where G⁺ is what `invert` multiplies phases by, weights, missing
    pairs and least norm included. A row of R that fits a velocity gives the variance of that velocity.

    Parameters
    ----------
    coherence : dims (pair, ...), float32, 0 to 1
    valid : dims of `coherence`, whether a pair has a phase
    rows : R, dims (combination, time); what it says of the first date, where the series is 0, changes nothing

    Returns
    -------
    dims (combination, ...), float32, m² times the square of the units of `rows`; NaN where `invert` would not solve
        Phases are taken as independent of each other, and the reference pixel as free of noise.

    Raises
    ------
    InputError
        If dims do not fit.

    References
    ----------
    Yunjun et al. (2019), doi:10.1016/j.cageo.2019.104331
    """
    phase, rows = np.where(valid, np.float32(0), np.float32(np.nan)), np.ascontiguousarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(pairs.dates):
        raise InputError(
            f"combinations of dims {rows.shape}", f"Give (combination, time), of {len(pairs.dates)} dates."
        )
    if coherence.shape != phase.shape:
        raise InputError(f"coherence of dims {coherence.shape} for phase of dims {phase.shape}", "Give one per phase.")
    stack = _stack(phase, coherence, reference_phase=np.zeros(len(pairs)), pairs=pairs, setup=setup)
    stack = stack._replace(coherence=_flat(coherence, np.float32))
    network, made = network_of(pairs), np.empty((len(rows), stack.phase.shape[1]))
    rule, variances = _rule(pairs, network, setup), weight_table("var", setup.looks)
    compiled(propagate_variance)(stack, network, rule, batch_of(network), rows, variances, made)
    return np.asarray(made * setup.scale**2, dtype=np.float32).reshape(len(rows), *phase.shape[1:])


def _stack(
    phase: np.ndarray, coherence: np.ndarray | None, *, reference_phase: np.ndarray, pairs: Pairs, setup: Inversion
) -> Stack:
    """Observations as the kernel takes them."""
    if not len(pairs):
        raise InputError("a network of no pairs", "Loosen the criteria of the network, or add interferograms.")
    if phase.shape[0] != len(pairs) or np.shape(reference_phase) != (len(pairs),):
        raise InputError(
            f"phase of dims {phase.shape} and {np.shape(reference_phase)} reference phases for {len(pairs)} pairs",
            "Give one layer and one reference phase per pair.",
        )
    if not np.isfinite(reference_phase).all():
        missing = ", ".join(str(k) for k in np.flatnonzero(~np.isfinite(reference_phase))[:10])
        raise InputError(f"the reference pixel has no phase in pairs {missing}", "Choose one that has, or drop them.")
    if setup.weight == "no":
        coherence = np.empty((len(pairs), 0))
    elif coherence is None or coherence.shape != phase.shape:
        found = "no coherence" if coherence is None else f"coherence of dims {coherence.shape}"
        raise InputError(f'{found} for phase of dims {phase.shape} with weight "{setup.weight}"', "Give one per phase.")
    return Stack(
        phase=_flat(phase, np.float32),
        reference=np.ascontiguousarray(reference_phase, dtype=np.float64),
        coherence=_flat(coherence, np.float32),
    )


def _flat(values: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """Pixels in one dimension, (pair, pixel)."""
    pixels = math.prod(values.shape[1:])
    return np.ascontiguousarray(values, dtype=dtype).reshape(values.shape[0], pixels)


def _rule(pairs: Pairs, network: Network, setup: Inversion) -> Rule:
    """The setup as the kernel takes it."""
    number = np.bincount(np.concatenate([network.first, network.second]), minlength=len(pairs.dates))
    redundant = number[0 if setup.count_first_date else 1 :].min() >= setup.min_redundancy
    return Rule(
        weight=WEIGHTS.index(setup.weight),
        table=weight_table(setup.weight, setup.looks),
        redundancy=float(setup.min_redundancy),
        first_too=setup.count_first_date,
        velocity=setup.norm == "velocity",
        complete=bool(redundant) and len(connected_components(pairs)) == 1,
    )
