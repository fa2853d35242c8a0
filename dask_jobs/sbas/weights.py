"""How far a phase is to be trusted, given its coherence: variance of the phase, and weights of the inversion."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal, get_args

import numba
import numpy as np

from dask_jobs.compiled import compiled
from infra.errors import InputError

Weight = Literal["var", "fim", "coh", "no"]
WEIGHTS: tuple[Weight, ...] = get_args(Weight)

BINS = 200  # of coherence, and samples of the phase
BIN_WIDTH, FIRST_BIN = 0.005, 0.0025  # of coherence; in double precision, which decides on the edges of bins
LEAST_COHERENCE = 0.05  # a lower one, or none, counts as this: it is biased there
GREATEST_COHERENCE = 0.999  # of Fisher information, which has no bound
INDEPENDENT = 1.94  # looks of Sentinel-1 per independent look
MOST_LOOKS = 80  # beyond which the sums below lose their digits
VARIANCE, FISHER, COHERENCE, EQUAL = range(len(WEIGHTS))  # of `weigh`, in the order of WEIGHTS


def effective_looks(*, range_looks: int, azimuth_looks: int) -> int:
    """Number of independent looks of a Sentinel-1 interferogram, 1 to 80."""
    return min(max(round(range_looks * azimuth_looks / INDEPENDENT), 1), MOST_LOOKS)


@cache
def phase_variance_table(looks: int) -> np.ndarray:
    """Variance of the phase of a distributed scatterer at coherence 0.0025, 0.0075 to 0.9975.

    Parameters
    ----------
    looks : L, independent looks, 1 to 80

    Returns
    -------
    dims (coherence of 200,), float64, rad², read only
        The second moment of the phase's probability density, summed over 200 phases from -π to π, both included.

    Raises
    ------
    InputError
        If looks are not from 1 to 80.

    References
    ----------
    Tough et al. (1995), doi:10.1098/rspa.1995.0059: density of the phase of L looks; Yunjun et al. (2019),
    doi:10.1016/j.cageo.2019.104331: the sum as used for weights.
    """
    if not 1 <= looks <= MOST_LOOKS:
        raise InputError(f"{looks} independent looks", f"Give 1 to {MOST_LOOKS}.")
    coherence = (np.arange(BINS) + 0.5)[:, None] / BINS
    phase = np.linspace(-np.pi, np.pi, BINS)
    variance = (phase**2 * _phase_density(phase, coherence, looks)).sum(axis=1) * (2 * np.pi / BINS)
    variance = np.asarray(np.where(variance > 0, variance, variance[variance > 0].min()))
    variance.setflags(write=False)
    return variance


def _phase_density(phase: np.ndarray, coherence: np.ndarray, looks: int) -> np.ndarray:
    """Probability density of the phase, 1/rad (Tough et al. 1995), of arrays that broadcast."""
    beta = coherence * np.cos(phase)
    rest = 1.0 - beta**2
    factor = math.exp(math.lgamma(2 * looks - 1) - 2 * math.lgamma(looks) - 2 * (looks - 1) * math.log(2))
    tail = (2 * looks - 1) * beta / rest ** (looks + 0.5) * (np.pi / 2 + np.arcsin(beta))
    density = factor * (tail + rest ** float(-looks))
    for r in range(looks - 1):
        ratio = math.lgamma(looks - 0.5) - math.lgamma(looks - 0.5 - r) + math.lgamma(looks - 1 - r)
        share = math.exp(ratio - math.lgamma(looks - 1)) / (2 * (looks - 1))
        density = density + share * (1 + (2 * r + 1) * beta**2) / rest ** (r + 2)
    return np.asarray((1.0 - coherence**2) ** looks / (2 * np.pi) * density)


def weights_of(coherence: np.ndarray, *, weight: Weight, looks: int) -> np.ndarray:
    """Weights of phases in a least squares inversion.

    Parameters
    ----------
    coherence : any dims, 0 to 1
        NaN counts as 0, and what is below 0.05 as 0.05.
    weight : "var" is 1/σ² of the phase, 1/rad²; "fim" is Fisher information, 2L c²/(1 - c²), 1/rad², for coherence c; "coh" is
        the coherence itself; "no" is 1
    looks : L, independent looks, 1 to 80

    Returns
    -------
    dims of `coherence`, float64

    Raises
    ------
    InputError
        If looks are not from 1 to 80.

    References
    ----------
    Yunjun et al. (2019), doi:10.1016/j.cageo.2019.104331; Seymour and Cumming (1994), IGARSS,
    for Fisher information.
    """
    values = np.ascontiguousarray(coherence, dtype=np.float32).reshape(1, -1)
    made, bins = np.empty(values.shape), np.empty(values.size, dtype=np.uint8)
    compiled(weigh)(values, 0, weight_table(weight, looks), WEIGHTS.index(weight), 0, made, bins, values.size)
    return made.reshape(np.shape(coherence))


def weight_table(weight: Weight, looks: int) -> np.ndarray:
    """What `weigh` needs to know of the looks: 1/σ² per bin of coherence for "var", else 2L alone."""
    return 1.0 / phase_variance_table(looks) if weight == "var" else np.array([2.0 * looks])


# Bins are found as vector code and looked up one by one: a gather of both is slower than either. Rows are named by array
# and index: a view of a row would be counted in and out of memory, which costs as much as the row.
@numba.njit(nogil=True, error_model="numpy")
def weigh(coherence, begin, table, rule, k, weights, bins, width):  # type: ignore[no-untyped-def] # numba infers types
    """Weights of row k of float32 coherences, from column `begin` on.

    Parameters
    ----------
    coherence : dims (row, pixel)
    rule : index of WEIGHTS
    weights : what is made, its row k
    bins : uint8, to work in
    width : number of weights
    """
    if begin < 0:
        return  # never: it says to the compiler that no index counts from the end, which would not be vector code
    if rule == VARIANCE:
        for j in range(width):
            value = float(coherence[k, begin + j])
            value = value if value > LEAST_COHERENCE else LEAST_COHERENCE  # also of NaN
            value = value if value < 1.0 else 1.0  # which no product should exceed
            bins[j] = np.uint8((value - FIRST_BIN) / BIN_WIDTH)
        for j in range(width):
            weights[k, j] = table[bins[j]]
    elif rule == FISHER:
        for j in range(width):
            value = float(coherence[k, begin + j])
            value = value if value > LEAST_COHERENCE else LEAST_COHERENCE
            value = value if value < GREATEST_COHERENCE else GREATEST_COHERENCE
            weights[k, j] = table[0] * value * value / (1.0 - value * value)
    elif rule == COHERENCE:
        for j in range(width):
            value = float(coherence[k, begin + j])
            weights[k, j] = value if value > LEAST_COHERENCE else LEAST_COHERENCE
    else:
        for j in range(width):
            weights[k, j] = 1.0
