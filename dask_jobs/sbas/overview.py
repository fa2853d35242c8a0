"""A first look at a stack: the mean velocity of its interferograms, which needs no inversion."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

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
    total, number = np.zeros(phase.shape[1:]), np.zeros(phase.shape[1:], dtype=np.int32)
    factors = -wavelength / (4 * math.pi) / pairs.years
    for layer, reference, factor in zip(phase, reference_phase, factors, strict=True):
        there = np.isfinite(layer)
        value = (np.where(there, layer, np.float32(0)).astype(np.float64) - reference) * factor
        if missing == "left_out":
            value[~there] = 0.0
            number += there
        else:
            number += 1
        total += value
    return np.where(number > 0, total / np.maximum(number, 1), np.nan).astype(np.float32)
