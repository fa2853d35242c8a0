"""Compiled inversion of a block: batches of pixels, each read once, weighed, solved and compared with its observations."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from dask_jobs.sbas.islands import ground, join, join_transposed, label_components
from dask_jobs.sbas.laplacian import LANES, Network, assemble, assemble_right, factor, solve
from dask_jobs.sbas.phasors import cosine_and_sine
from dask_jobs.sbas.weights import VARIANCE, weigh

NEAR_BYTES = 512 * 2**10  # of observations brought near together: beside a batch's room, in the second level cache
UNSOLVED, CONNECTED, ISLANDS = np.int8(0), np.int8(1), np.int8(2)  # what a lane's network is


class Stack(NamedTuple):
    """Observations of a block.

    Attributes
    ----------
    phase : dims (pair, pixel), float32, radians; not finite where there is none
    reference : of each pair, what is taken away from it, dims (pair,), float64, radians
    coherence : dims (pair, pixel), float32; (pair, 0) where weights do not ask for it
    """

    phase: np.ndarray
    reference: np.ndarray
    coherence: np.ndarray


class Rule(NamedTuple):
    """How a pixel is solved.

    Attributes
    ----------
    weight : index of the weight, as `weights.weigh` takes it
    table : of that weight
    redundancy : pairs that each date needs
    first_too : whether the first date needs them too
    velocity : whether the velocity is minimal where the network is not connected; else the phase
    complete : whether a pixel without missing pairs is connected and has that redundancy
    """

    weight: int
    table: np.ndarray
    redundancy: float
    first_too: bool
    velocity: bool
    complete: bool


class Made(NamedTuple):
    """Results: metres per radian, and arrays of dims (time, pixel), (pixel,), (pixel,)."""

    scale: float
    series: np.ndarray
    coherence: np.ndarray
    used: np.ndarray


class Batch(NamedTuple):
    """Room for a batch of pixels: float64, dims (..., lane), but for the last six."""

    observed: np.ndarray
    weight: np.ndarray
    trust: np.ndarray
    matrix: np.ndarray
    pivots: np.ndarray
    series: np.ndarray
    sums: np.ndarray
    used: np.ndarray
    bins: np.ndarray  # uint8
    state: np.ndarray  # int8
    labels: np.ndarray  # dims (lane, time), int64
    room: np.ndarray  # dims (time + 1, time)
    phase: np.ndarray  # of some batches, dims (pair, pixel), float32
    coherence: np.ndarray  # of the same


def batch_of(network: Network) -> Batch:
    """Room for a network's pixels; made outside of compiled code, which takes seconds to compile what allocates."""
    pairs, dates = network.first.size, network.days.size
    near = np.empty((2, pairs, max(1, NEAR_BYTES // (8 * pairs * LANES)) * LANES), dtype=np.float32)
    return Batch(
        observed=np.zeros((pairs, LANES)),
        weight=np.ones((pairs, LANES)),
        trust=np.ones((pairs, LANES)),
        matrix=np.empty((network.size, LANES)),
        pivots=np.empty((dates - 1, LANES)),
        series=np.empty((dates - 1, LANES)),
        sums=np.empty((2, LANES)),
        used=np.empty(LANES),
        bins=np.empty(LANES, dtype=np.uint8),
        state=np.empty(LANES, dtype=np.int8),
        labels=np.empty((LANES, dates), dtype=np.int64),
        room=np.empty((dates + 1, dates)),
        phase=near[0],
        coherence=near[1],
    )


@numba.njit(nogil=True)
def invert_pixels(stack, network, rule, batch, made):  # type: ignore[no-untyped-def] # numba infers types
    """Series, temporal coherence and number of pairs of each pixel."""
    for begin in range(0, made.used.size, LANES):
        left = made.used.size - begin
        width = left if left < LANES else LANES
        _prepare(stack, network, rule, begin, width, batch)
        assemble_right(network, batch.weight, batch.observed, batch.series)
        solve(network, batch.matrix, batch.pivots, batch.series)
        _compare(network, batch)
        for lane in range(width):
            if batch.state[lane] == ISLANDS:
                join(network, batch.labels, rule.velocity, lane, batch.series, batch.room)
        _write(batch, begin, width, made)


@numba.njit(nogil=True)
def propagate_variance(stack, network, rule, batch, rows, variances, made):  # type: ignore[no-untyped-def] # numba infers types
    """Variance of linear combinations of the series, rad², dims (combination, pixel).

    Parameters
    ----------
    rows : dims (combination, time)
    variances : 1/σ² of the phase per bin of coherence
    """
    for begin in range(0, made.shape[1], LANES):
        left = made.shape[1] - begin
        width = left if left < LANES else LANES
        _prepare(stack, network, rule, begin, width, batch)
        near = begin % batch.coherence.shape[1]
        for k in range(network.first.size):
            weigh(batch.coherence, near, variances, VARIANCE, k, batch.trust, batch.bins, width)
        for n in range(rows.shape[0]):
            for i in range(batch.series.shape[0]):
                for lane in range(LANES):
                    batch.series[i, lane] = rows[n, i + 1]
            for lane in range(width):
                if batch.state[lane] == ISLANDS:
                    join_transposed(network, batch.labels, rule.velocity, lane, batch.series, batch.room)
            solve(network, batch.matrix, batch.pivots, batch.series)
            _spread(network, batch)
            for lane in range(width):
                made[n, begin + lane] = np.nan if batch.state[lane] == UNSOLVED else batch.sums[0, lane]


@numba.njit(nogil=True)
def _prepare(stack, network, rule, begin, width, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Observations, weights, what each lane's network is, and factors of its normal equations."""
    _load(stack, rule, begin, width, batch)
    assemble(network, batch.weight, batch.matrix, batch.pivots)
    for lane in range(width):
        batch.state[lane] = CONNECTED
        if batch.used[lane] < network.first.size or not rule.complete:
            batch.state[lane] = _examine(network, rule, lane, batch)
    factor(network, batch.matrix, batch.pivots)


# Python counts indices below 0 from the end. A loop whose index might be one is not vector code, several times slower:
# where numba cannot see that it is none, a return says so.
@numba.njit(nogil=True)
def _load(stack, rule, begin, width, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Observations and weights, 0 where there is none; the lanes past the last pixel keep an earlier batch's."""
    phase, observed, weight, used = batch.phase, batch.observed, batch.weight, batch.used
    near = begin % phase.shape[1]
    if near < 0:
        return  # never
    if near == 0:
        _bring_near(stack, begin, batch)
    for lane in range(width):
        used[lane] = 0.0
    for k in range(stack.reference.size):
        weigh(batch.coherence, near, rule.table, rule.weight, k, weight, batch.bins, width)
        reference = stack.reference[k]
        for lane in range(width):
            value = np.float64(phase[k, near + lane]) - reference
            there = abs(value) < np.inf
            observed[k, lane] = value if there else 0.0
            weight[k, lane] = weight[k, lane] if there else 0.0
            used[lane] += 1.0 if there else 0.0


@numba.njit(nogil=True)
def _bring_near(stack, begin, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Observations of the next batches, each pair's in one go: a batch alone would ask memory for a few bytes of every pair."""
    if begin < 0:
        return  # never
    count = min(batch.phase.shape[1], stack.phase.shape[1] - begin)
    weighed = stack.coherence.shape[1] > 0
    for k in range(stack.reference.size):
        for j in range(count):
            batch.phase[k, j] = stack.phase[k, begin + j]
        if weighed:
            for j in range(count):
                batch.coherence[k, j] = stack.coherence[k, begin + j]


@numba.njit(nogil=True)
def _examine(network, rule, lane, batch):  # type: ignore[no-untyped-def] # numba infers types
    """What a lane's network is; the dates that would make its normal equations singular are grounded."""
    labels, number, dates = batch.labels, batch.room, network.days.size
    label_components(network, batch.weight, lane, labels)
    for i in range(dates):
        number[0, i] = 0.0
    for k in range(network.first.size):
        if batch.weight[k, lane] > 0.0:
            number[0, network.first[k]] += 1.0
            number[0, network.second[k]] += 1.0
    solved, islands = batch.used[lane] > 0, False
    for i in range(dates):
        solved = solved and (number[0, i] >= rule.redundancy or (i == 0 and not rule.first_too))
        islands = islands or labels[lane, i] != 0
    if islands:
        ground(labels, batch.pivots, lane)
    return UNSOLVED if not solved else (ISLANDS if islands else CONNECTED)


@numba.njit(nogil=True)
def _compare(network, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Sums of the phasors of the residuals, unweighted."""
    observed, weight, series, sums = batch.observed, batch.weight, batch.series, batch.sums
    for lane in range(sums.shape[1]):
        sums[0, lane], sums[1, lane] = 0.0, 0.0
    for k in range(network.first.size):
        share = 1.0 if network.first[k] > 0 else 0.0  # the first date's 0 has no row
        a, b = network.first[k] - np.int64(share), network.second[k] - 1
        for lane in range(batch.weight.shape[1]):
            cosine, sine = cosine_and_sine(observed[k, lane] - series[b, lane] + share * series[a, lane])
            sums[0, lane] += cosine if weight[k, lane] > 0.0 else 0.0
            sums[1, lane] += sine if weight[k, lane] > 0.0 else 0.0


@numba.njit(nogil=True, error_model="numpy")
def _spread(network, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Sum over pairs of σ² (w (y(second) - y(first)))², where y solves the normal equations for a combination."""
    weight, trust, series, sums = batch.weight, batch.trust, batch.series, batch.sums
    for lane in range(sums.shape[1]):
        sums[0, lane] = 0.0
    for k in range(network.first.size):
        share = 1.0 if network.first[k] > 0 else 0.0
        a, b = network.first[k] - np.int64(share), network.second[k] - 1
        for lane in range(sums.shape[1]):
            off = weight[k, lane] * (series[b, lane] - share * series[a, lane])
            sums[0, lane] += off * off / trust[k, lane]


@numba.njit(nogil=True, error_model="numpy")
def _write(batch, begin, width, made):  # type: ignore[no-untyped-def] # numba infers types
    series, state, sums, used = batch.series, batch.state, batch.sums, batch.used
    for lane in range(width):
        made.series[0, begin + lane] = np.nan if state[lane] == UNSOLVED else 0.0
    for i in range(series.shape[0]):
        for lane in range(width):
            value = made.scale * series[i, lane]
            made.series[i + 1, begin + lane] = np.nan if state[lane] == UNSOLVED else value
    for lane in range(width):
        length = np.sqrt(sums[0, lane] ** 2 + sums[1, lane] ** 2) / used[lane]
        made.coherence[begin + lane] = np.nan if state[lane] == UNSOLVED else length
        made.used[begin + lane] = 0 if state[lane] == UNSOLVED else used[lane]
