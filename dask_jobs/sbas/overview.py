"""A first look at a stack: the mean velocity of its interferograms, which needs no inversion."""

from __future__ import annotations

import math
from typing import Literal

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.interferograms import SENTINEL1_WAVELENGTH
from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError

Missing = Literal["left_out", "zero"]


def stacked_velocity(
    phase: np.ndarray,
    *,
    pairs: Pairs,
    reference_phase: np.ndarray,
    wavelength: float = SENTINEL1_WAVELENGTH,
    missing: Missing = "left_out",
) -> np.ndarray:
    """Mean over pairs of displacement along the line of sight per time.

    Parameters
    ----------
    phase : dims (pair, ...), float32, radians; not finite where there is none
    reference_phase : of each pair at the reference pixel, dims (pair,), radians; taken away from its phases
    wavelength : m
    missing : "left_out" takes the mean over the pairs that a pixel has; with "zero" a missing phase is a phase of 0 as
        stored, before the reference is taken away (MintPy's way)

    Returns
    -------
    dims (...), float32, m/year of 365.25 days, positive toward the satellite; NaN where a pixel has no pair

    Raises
    ------
    InputError
        If dims do not fit.

    References
    ----------
    Sandwell and Price (1998), doi:10.1029/1998JB900008 (stacking of phase)
    """
    if phase.shape[0] != len(pairs) or np.shape(reference_phase) != (len(pairs),):
        raise InputError(
            f"phase of dims {phase.shape} and {np.shape(reference_phase)} reference phases for {len(pairs)} pairs",
            "Give one layer and one reference phase per pair.",
        )
    pixels = math.prod(phase.shape[1:])
    flat = np.ascontiguousarray(phase, dtype=np.float32).reshape(len(phase), pixels)
    total, number = np.zeros(pixels), np.zeros(pixels)
    factors = -wavelength / (4 * math.pi) / pairs.years
    reference = np.ascontiguousarray(reference_phase, dtype=np.float64)
    compiled(_add)(flat, reference, factors, missing == "zero", total, number)
    mean = np.divide(total, number, out=np.full(pixels, np.nan), where=number > 0)
    return np.asarray(mean, dtype=np.float32).reshape(phase.shape[1:])


@numba.njit(nogil=True)
def _add(phase, reference, factors, zero, total, number):  # type: ignore[no-untyped-def] # numba infers types
    infinite = np.float32(np.inf)
    for k in range(phase.shape[0]):
        row = phase[k]
        for x in range(row.size):
            there = abs(row[x]) < infinite
            value = np.float64(row[x]) if there else 0.0
            counts = there or zero
            total[x] += (value - reference[k]) * factors[k] if counts else 0.0
            number[x] += 1.0 if counts else 0.0
