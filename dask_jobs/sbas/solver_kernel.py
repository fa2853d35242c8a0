"""Compiled inversion of a block: batches of pixels, each read once, weighed, solved and compared with its observations."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from dask_jobs.sbas.islands import ground, join, join_transposed, label_components
from dask_jobs.sbas.laplacian import LANES, Network, assemble, assemble_right, factor, solve
from dask_jobs.sbas.phasors import cosine_and_sine
from dask_jobs.sbas.weights import VARIANCE, weigh

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


class _Batch(NamedTuple):
    """A batch of pixels: dims (…, lane)."""

    observed: np.ndarray
    weight: np.ndarray
    matrix: np.ndarray
    pivots: np.ndarray
    series: np.ndarray
    sums: np.ndarray
    used: np.ndarray
    bins: np.ndarray
    state: np.ndarray
    labels: np.ndarray  # dims (lane, time)
    room: np.ndarray  # dims (time + 1, time)


@numba.njit(nogil=True)
def _batch_of(network):  # type: ignore[no-untyped-def] # numba infers types
    pairs, dates = network.first.size, network.days.size
    return _Batch(
        np.zeros((pairs, LANES)),
        np.ones((pairs, LANES)),
        np.empty((network.size, LANES)),
        np.empty((dates - 1, LANES)),
        np.empty((dates - 1, LANES)),
        np.empty((2, LANES)),
        np.empty(LANES),
        np.empty(LANES, dtype=np.uint8),
        np.empty(LANES, dtype=np.int8),
        np.empty((LANES, dates), dtype=np.int64),
        np.empty((dates + 1, dates)),
    )


@numba.njit(nogil=True)
def invert_pixels(stack: Stack, network: Network, rule: Rule, made: Made) -> None:
    """Series, temporal coherence and number of pairs of each pixel."""
    batch = _batch_of(network)
    for begin in range(0, made.used.size, LANES):
        width = min(LANES, made.used.size - begin)
        _prepare(stack, network, rule, begin, width, batch)
        assemble_right(network, batch.weight, batch.observed, batch.series)
        solve(network, batch.matrix, batch.pivots, batch.series)
        _compare(network, batch)
        for lane in range(width):
            if batch.state[lane] == ISLANDS:
                join(network, batch.labels[lane], rule.velocity, lane, batch.series, batch.room)
        _write(batch, begin, width, made)


@numba.njit(nogil=True)
def propagate_variance(stack, network, rule, rows, variances, made):  # type: ignore[no-untyped-def] # numba infers types
    """Variance of linear combinations of the series, rad², dims (combination, pixel).

    Parameters
    ----------
    rows : dims (combination, time)
    variances : 1/σ² of the phase per bin of coherence
    """
    batch, trust = _batch_of(network), np.ones((network.first.size, LANES))
    for begin in range(0, made.shape[1], LANES):
        width = min(LANES, made.shape[1] - begin)
        _prepare(stack, network, rule, begin, width, batch)
        for k in range(network.first.size):
            weigh(stack.coherence, begin, variances, VARIANCE, k, trust, batch.bins[:width])
        for n in range(rows.shape[0]):
            for i in range(batch.series.shape[0]):
                batch.series[i, :] = rows[n, i + 1]
            for lane in range(width):
                if batch.state[lane] == ISLANDS:
                    join_transposed(network, batch.labels[lane], rule.velocity, lane, batch.series, batch.room)
            solve(network, batch.matrix, batch.pivots, batch.series)
            _spread(network, batch, trust)
            for lane in range(width):
                made[n, begin + lane] = np.nan if batch.state[lane] == UNSOLVED else batch.sums[0, lane]


@numba.njit(nogil=True)
def _prepare(stack, network, rule, begin, width, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Observations, weights, what each lane's network is, and factors of its normal equations."""
    _load(stack, rule, begin, width, batch)
    assemble(network, batch.weight, batch.matrix, batch.pivots)
    batch.state[:] = CONNECTED
    for lane in range(width):
        if batch.used[lane] < network.first.size or not rule.complete:
            batch.state[lane] = _examine(network, rule, lane, batch)
    factor(network, batch.matrix, batch.pivots)


@numba.njit(nogil=True)
def _load(stack, rule, begin, width, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Observations and weights, 0 where there is none; of the lanes past the last pixel, observations of 0."""
    if width < LANES:
        batch.observed[:], batch.weight[:] = 0.0, 1.0
    batch.used[:] = 0
    phase, observed, weight, used, bins = stack.phase, batch.observed, batch.weight, batch.used, batch.bins[:width]
    for k in range(stack.reference.size):
        weigh(stack.coherence, begin, rule.table, rule.weight, k, weight, bins)
        reference = stack.reference[k]
        for lane in range(width):
            value = np.float64(phase[k, begin + lane]) - reference
            there = abs(value) < np.inf
            observed[k, lane] = value if there else 0.0
            weight[k, lane] = weight[k, lane] if there else 0.0
            used[lane] += 1.0 if there else 0.0


@numba.njit(nogil=True)
def _examine(network, rule, lane, batch):  # type: ignore[no-untyped-def] # numba infers types
    """What a lane's network is; the dates that would make its normal equations singular are grounded."""
    labels, number = batch.labels[lane], batch.room[0]
    label_components(network, batch.weight, lane, labels)
    number[:] = 0.0
    for k in range(network.first.size):
        if batch.weight[k, lane] > 0.0:
            number[network.first[k]] += 1.0
            number[network.second[k]] += 1.0
    solved, islands = batch.used[lane] > 0, False
    for i in range(labels.size):
        solved = solved and (number[i] >= rule.redundancy or (i == 0 and not rule.first_too))
        islands = islands or labels[i] != 0
    if islands:
        ground(labels, batch.pivots, lane)
    return UNSOLVED if not solved else (ISLANDS if islands else CONNECTED)


@numba.njit(nogil=True)
def _compare(network, batch):  # type: ignore[no-untyped-def] # numba infers types
    """Sums of the phasors of the residuals, unweighted."""
    batch.sums[:] = 0.0
    observed, weight, series, sums = batch.observed, batch.weight, batch.series, batch.sums
    for k in range(network.first.size):
        a, b = max(network.first[k] - 1, 0), network.second[k] - 1
        share = 1.0 if network.first[k] > 0 else 0.0
        for lane in range(batch.weight.shape[1]):
            cosine, sine = cosine_and_sine(observed[k, lane] - series[b, lane] + share * series[a, lane])
            sums[0, lane] += cosine if weight[k, lane] > 0.0 else 0.0
            sums[1, lane] += sine if weight[k, lane] > 0.0 else 0.0


@numba.njit(nogil=True, error_model="numpy")
def _spread(network, batch, trust):  # type: ignore[no-untyped-def] # numba infers types
    """Sum over pairs of σ² (w (y(second) - y(first)))², where y solves the normal equations for a combination."""
    total = batch.sums[0]
    total[:] = 0.0
    for k in range(network.first.size):
        a, weight, inverse = network.first[k], batch.weight[k], trust[k]
        later = batch.series[network.second[k] - 1]
        earlier = batch.series[max(a - 1, 0)]
        share = 1.0 if a > 0 else 0.0
        for lane in range(batch.weight.shape[1]):
            off = weight[lane] * (later[lane] - share * earlier[lane])
            total[lane] += off * off / inverse[lane]


@numba.njit(nogil=True, error_model="numpy")
def _write(batch, begin, width, made):  # type: ignore[no-untyped-def] # numba infers types
    state, sums, used = batch.state[:width], batch.sums, batch.used
    for i in range(made.series.shape[0]):
        row = made.series[i, begin : begin + width]
        values = batch.series[max(i - 1, 0)]
        scale = made.scale if i > 0 else 0.0
        for lane in range(width):
            row[lane] = np.nan if state[lane] == UNSOLVED else scale * values[lane]
    for lane in range(width):
        length = np.sqrt(sums[0, lane] ** 2 + sums[1, lane] ** 2) / used[lane]
        made.coherence[begin + lane] = np.nan if state[lane] == UNSOLVED else length
        made.used[begin + lane] = 0 if state[lane] == UNSOLVED else used[lane]
