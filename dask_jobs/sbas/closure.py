"""Triplets of interferograms whose unwrapped phases do not close: where unwrapping went wrong."""

from __future__ import annotations

import math
from typing import Literal

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError

Missing = Literal["triplet", "mintpy"]
STRIP = 256  # pixels whose phases of a hundred pairs stay in the second level cache
HALF_TURN = np.pi


def triplets(pairs: Pairs) -> np.ndarray:
    """Indices of the pairs (ij, jk, ik) of all dates i < j < k that have all three, dims (triplet, 3), int64.

    Ordered by dates. Of two pairs of the same dates the first counts.
    """
    index: dict[tuple[int, int], int] = {}
    for k, dates in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        index.setdefault(dates, k)
    after: dict[int, list[int]] = {}
    for i, j in sorted(index):
        after.setdefault(i, []).append(j)
    found = [
        (index[i, j], index[j, k], index[i, k])
        for i, following in after.items()
        for j in following
        for k in after.get(j, ())
        if (i, k) in index
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def closure_counts(
    phase: np.ndarray, reference_phase: np.ndarray, *, triplets: np.ndarray, missing: Missing = "triplet"
) -> np.ndarray:
    """Number of triplets that do not close: T_int of Yunjun et al. (2019).

    The closure C = φ(ij) + φ(jk) - φ(ik) is 0 but for what filtering and multilooking add; where it leaves [-π, π), its
    nearest multiple of 2π is not 0, and one of the three is unwrapped wrongly.

    Parameters
    ----------
    phase : dims (pair, ...), float32, radians; not finite where there is none
    reference_phase : of each pair at the reference pixel, dims (pair,), radians; taken away from its phases
    triplets : dims (triplet, 3), as `triplets` gives them
    missing : "triplet" leaves out a triplet that lacks a phase, and a pixel without any whole triplet is NaN. With "mintpy"
        a pixel that lacks a phase of any triplet, or of which no triplet closes, is NaN, and where a phase is 0 as stored,
        the reference is not taken away

    Returns
    -------
    dims (...), float32

    Raises
    ------
    InputError
        If dims do not fit.

    References
    ----------
    Yunjun et al. (2019), eq. 8-9, doi:10.1016/j.cageo.2019.104331
    """
    if np.shape(reference_phase) != phase.shape[:1] or (triplets.size and triplets.max() >= phase.shape[0]):
        raise InputError(
            f"phase of dims {phase.shape} for {np.shape(reference_phase)} reference phases and {len(triplets)} triplets",
            "Give one layer and one reference phase per pair.",
        )
    reference = np.asarray(reference_phase, dtype=np.float64)
    offsets = reference[triplets[:, 0]] + reference[triplets[:, 1]] - reference[triplets[:, 2]]
    shape = phase.shape[1:]
    flat = np.ascontiguousarray(phase, dtype=np.float32).reshape(phase.shape[0], math.prod(shape))
    if missing == "mintpy":
        flat = np.where(flat == 0, reference[:, None].astype(np.float32), flat)
    open_ones, whole = np.zeros(flat.shape[1], dtype=np.int32), np.zeros(flat.shape[1], dtype=np.int32)
    compiled(_count)(flat, triplets, offsets, open_ones, whole)
    number = len(triplets)
    counted = whole > 0 if missing == "triplet" else (whole == number) & (open_ones < number)
    return np.where(counted, open_ones, np.float32(np.nan)).astype(np.float32).reshape(shape)


@numba.njit(nogil=True)
def _count(phase, triplets, offsets, open_ones, whole):  # type: ignore[no-untyped-def] # numba infers types
    for begin in range(0, open_ones.size, STRIP):
        end = min(begin + STRIP, open_ones.size)
        # views, whose indices begin at 0: it is not vector code where one might be counted from the end
        wrong, there = open_ones[begin:end], whole[begin:end]
        for n in range(triplets.shape[0]):
            ij, jk, ik = (
                phase[triplets[n, 0], begin:end],
                phase[triplets[n, 1], begin:end],
                phase[triplets[n, 2], begin:end],
            )
            for x in range(wrong.size):
                closure = np.float64(ij[x]) + np.float64(jk[x]) - np.float64(ik[x]) - offsets[n]
                wrong[x] += np.int32(1) if (closure < -HALF_TURN) | (closure >= HALF_TURN) else np.int32(0)
                there[x] += np.int32(1) if abs(closure) < np.inf else np.int32(0)
