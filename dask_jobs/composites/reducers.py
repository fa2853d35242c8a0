"""What a reducer makes of the passes of a composite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.composites.measures import COUNT, Measure, percentile_of
from dask_jobs.composites.quantities import decibel, quantity_of, ratio_of
from dask_jobs.statistics.sorting_network import compare_exchanges
from dask_jobs.statistics.temporal import sort_rows

STRIP_BYTES = 1 << 17  # of values of one strip of pixels: stays in the second-level cache while it is sorted
LEAST_STRIP, MOST_STRIP = 32, 1024  # pixels


def reduce_passes(powers: Mapping[str, np.ndarray], measures: Sequence[Measure]) -> dict[str, np.ndarray]:
    """Rasters of passes, by the measures' names.

    Parameters
    ----------
    powers : by polarization, dims (time, y, x), float64, linear power
        NaN where there is no data, which is so in all polarizations of a pass or in none.
    measures : of these passes; whether they are of filtered power makes no difference here

    Returns
    -------
    dims (y, x), float64, NaN where no pass has data; `count` int32
        Medians and percentiles are of the quantity of each pass, interpolated linearly between ranks, standard
        deviations the population's of the same. A mean is of power: of a ratio the mean VV over the mean VH, in dB that
        of the mean.
    """
    made: dict[str, np.ndarray] = {}
    for quantity in dict.fromkeys(one.quantity for one in measures if one.reducer != COUNT):
        own = [one for one in measures if one.quantity == quantity and one.reducer != COUNT]
        made |= _of_quantity(powers, quantity, own)
    for one in measures:
        if one.reducer == COUNT:
            made[one.name] = np.isfinite(next(iter(powers.values()))).sum(axis=0, dtype=np.int32)
    return made


def _of_quantity(powers: Mapping[str, np.ndarray], quantity: str, measures: Sequence[Measure]) -> dict[str, np.ndarray]:
    reducers = [one.reducer for one in measures]
    percentiles = {p: None for one in reducers if one and (p := percentile_of(one)) is not None}
    values = None
    if percentiles or "stdDev" in reducers or None in reducers:
        values = quantity_of(powers, quantity)
    found: dict[str | None, np.ndarray] = {}
    if values is not None and (percentiles or "stdDev" in reducers):
        ranks, deviation = ranks_and_deviation(values, percentiles=tuple(percentiles))
        by_percentile = dict(zip(percentiles, ranks, strict=True))
        found = {one: by_percentile[p] for one in reducers if one and (p := percentile_of(one)) is not None}
        found["stdDev"] = deviation
    if "mean" in reducers:
        found["mean"] = mean_of(powers, quantity)
    if values is not None and None in reducers:
        if len(values) != 1:
            raise ValueError(f"{len(values)} passes without a reducer")
        found[None] = values[0]
    return {one.name: found[one.reducer] for one in measures}


def mean_of(powers: Mapping[str, np.ndarray], quantity: str) -> np.ndarray:
    """Mean over passes of a quantity as it is defined on power, dims (y, x); parameters as in `quantity_of`."""

    def mean(polarization: str) -> np.ndarray:
        values = powers[polarization]
        ok = np.isfinite(values)
        total, count = np.where(ok, values, 0.0).sum(axis=0), ok.sum(axis=0)
        made: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        return made

    name = quantity.removesuffix("_db")
    found = ratio_of(mean("VV"), mean("VH")) if name == "ratio" else mean(name.upper())
    return decibel(found) if quantity.endswith("_db") else found


def ranks_and_deviation(values: np.ndarray, *, percentiles: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles over time, dims (percentile, y, x), and the population standard deviation, dims (y, x); float64.

    Parameters
    ----------
    values : dims (time, y, x), float64, not finite where there is no data
    percentiles : 0 to 100
    """
    steps, *shape = values.shape
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(steps, -1)
    ranks, deviation = np.empty((len(percentiles), flat.shape[1])), np.empty(flat.shape[1])
    strip = np.clip(STRIP_BYTES // (8 * max(steps, 1)), LEAST_STRIP, MOST_STRIP)
    fractions = np.asarray(percentiles, dtype=np.float64) / 100.0
    compiled(_reduce)(flat, fractions, compare_exchanges(steps), int(strip), ranks, deviation)
    return ranks.reshape(len(percentiles), *shape), deviation.reshape(shape)


@numba.njit(nogil=True)
def _reduce(values, fractions, network, strip, ranks, deviation):  # type: ignore[no-untyped-def] # numba infers types
    steps, pixels = values.shape
    rows, count, mean = np.empty((steps, strip)), np.empty(strip, dtype=np.int64), np.empty(strip)
    for start in range(0, pixels, strip):
        n = min(strip, pixels - start)
        _deviate(values, start, n, rows, count, mean, deviation[start : start + n])
        if fractions.size:
            sort_rows(rows, network, n)
            _rank(rows, count, fractions, n, ranks[:, start : start + n])


@numba.njit(nogil=True)
def _deviate(values, start, n, rows, count, mean, deviation):  # type: ignore[no-untyped-def] # numba infers types
    """Fill rows, infinite without data, which sorts to the end."""
    count[:], mean[:], deviation[:] = 0, 0.0, 0.0
    for t in range(rows.shape[0]):
        source, row = values[t, start : start + n], rows[t]
        for j in range(n):
            row[j] = source[j] if abs(source[j]) < np.inf else np.inf
        for j in range(n):
            count[j] += 1 if row[j] < np.inf else 0
            mean[j] += row[j] if row[j] < np.inf else 0.0
    for j in range(n):
        mean[j] /= max(count[j], 1)
    for t in range(rows.shape[0]):
        row = rows[t]
        for j in range(n):
            off = row[j] - mean[j] if row[j] < np.inf else 0.0
            deviation[j] += off * off
    for j in range(n):
        deviation[j] = np.sqrt(deviation[j] / count[j]) if count[j] > 0 else np.nan


@numba.njit(nogil=True)
def _rank(rows, count, fractions, n, ranks):  # type: ignore[no-untyped-def] # numba infers types
    for k in range(fractions.size):
        for j in range(n):
            if count[j] == 0:
                ranks[k, j] = np.nan
                continue
            rank = fractions[k] * (count[j] - 1)
            below = int(rank)
            above = min(below + 1, count[j] - 1)
            ranks[k, j] = rows[below, j] + (rows[above, j] - rows[below, j]) * (rank - below)
