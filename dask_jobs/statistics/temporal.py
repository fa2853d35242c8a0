"""Statistics of each pixel over time, in one pass over the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.statistics.percentile_name import percentile_name
from dask_jobs.statistics.sorting_network import compare_exchanges

NO_DATE = -1
STRIP_BYTES = 1 << 17  # of power of one strip of pixels: stays in the second-level cache while it is sorted
LEAST_STRIP, MOST_STRIP = 32, 1024  # pixels: rows long enough to fill vector registers, short enough for the cache


def temporal_statistics(
    power: np.ndarray,
    *,
    days: np.ndarray,
    percentiles: Sequence[float] = (5, 50, 95),
    min_count: int = 1,
) -> dict[str, np.ndarray]:
    """Statistics over time of each pixel.

    Parameters
    ----------
    power : dims (time, y, x), float32, linear power
        Not finite (NaN, infinite) where there is no data. Zero and negative values are data.
    days : dims (time,), int32, days since 1970-01-01 of each time step
    percentiles : 0 to 100
    min_count : values that a pixel needs for its coefficient of variation

    Returns
    -------
    mean, std, min, max, `percentile_name(p)` of each percentile : dims (y, x), float32, linear power, NaN where there is no data
        `std` is the population standard deviation (ddof 0); percentiles are interpolated linearly between ranks.
    cov : dims (y, x), float32, std / mean, 1
        NaN where count < min_count, or the mean is not positive.
    min_date, max_date : dims (y, x), int32, days of the first minimum and maximum, -1 where there is no data
    count : dims (y, x), int32, values that are data

    Raises
    ------
    ValueError
        If a percentile is outside 0 to 100, or `days` does not match the time steps.
    """
    steps, height, width = power.shape
    wanted = np.asarray(percentiles, dtype=np.float64)
    if wanted.size and not (wanted.min() >= 0 and wanted.max() <= 100):
        raise ValueError(f"percentiles are 0 to 100, not {list(percentiles)}")
    if days.shape != (steps,):
        raise ValueError(f"{days.shape[0]} days for {steps} time steps")
    pixels = height * width
    moments = np.empty((5, pixels), dtype=np.float32)
    dates = np.empty((3, pixels), dtype=np.int32)
    ranks = np.empty((wanted.size, pixels), dtype=np.float32)
    strip = np.clip(STRIP_BYTES // (4 * max(steps, 1)), LEAST_STRIP, MOST_STRIP)
    compiled(_reduce)(
        np.ascontiguousarray(power, dtype=np.float32).reshape(steps, pixels),
        np.ascontiguousarray(days, dtype=np.int32),
        wanted / 100.0,
        compare_exchanges(steps),
        int(min_count),
        int(strip),
        moments,
        dates,
        ranks,
    )
    names = ("mean", "std", "cov", "min", "max"), ("min_date", "max_date", "count"), map(percentile_name, percentiles)
    return {
        name: row.reshape(height, width)
        for group, rows in zip(names, (moments, dates, ranks), strict=True)
        for name, row in zip(group, rows, strict=True)
    }


# Loops rather than array expressions: each inner loop runs over the pixels of a strip and becomes vector code. The
# selections (`a if ok else b`) instead of branches are what makes that possible. No fastmath: it assumes no NaN.
@numba.njit(nogil=True)
def _reduce(power, days, fractions, network, min_count, strip, moments, dates, ranks):  # type: ignore[no-untyped-def] # numba infers types  # noqa: PLR0913 -- a kernel takes arrays
    steps, pixels = power.shape
    rows = np.empty((steps, strip), dtype=np.float32)
    sums = np.empty((2, strip), dtype=np.float64)
    whole = np.empty((3, strip), dtype=np.int32)
    ends = np.empty((2, strip), dtype=np.float32)
    for start in range(0, pixels, strip):
        n = min(strip, pixels - start)
        found = _first_pass(power, start, n, rows, sums, whole, ends)
        if found == 0:
            moments[:, start : start + n] = np.nan
            dates[:2, start : start + n] = NO_DATE
            dates[2, start : start + n] = 0
            ranks[:, start : start + n] = np.nan
            continue
        _write_moments(days, min_count, start, n, rows, sums, whole, ends, moments, dates)
        if fractions.size:
            sort_rows(rows, network, n)
            _write_ranks(rows, whole[2], fractions, start, n, ranks)


@numba.njit(nogil=True)
def _first_pass(power, start, n, rows, sums, whole, ends):  # type: ignore[no-untyped-def] # numba infers types
    sums[0], whole[:] = 0.0, 0
    ends[0], ends[1] = np.inf, -np.inf
    total, count, first_min, first_max, low, high = sums[0], whole[2], whole[0], whole[1], ends[0], ends[1]
    infinite = np.float32(np.inf)
    for t in range(power.shape[0]):
        source, row = power[t, start : start + n], rows[t]
        # one short loop per quantity: the compiler gives up on vectors where one loop writes many arrays
        for j in range(n):
            row[j] = source[j] if abs(source[j]) < infinite else infinite  # no data (NaN too) sorts to the end
        for j in range(n):
            total[j] += np.float64(row[j]) if row[j] < infinite else 0.0
        for j in range(n):
            count[j] += np.int32(1) if row[j] < infinite else np.int32(0)
        for j in range(n):
            first_min[j] = np.int32(t) if row[j] < low[j] else first_min[j]
        for j in range(n):
            low[j] = row[j] if row[j] < low[j] else low[j]
        for j in range(n):
            first_max[j] = np.int32(t) if (row[j] > high[j]) & (row[j] < infinite) else first_max[j]
        for j in range(n):
            high[j] = row[j] if (row[j] > high[j]) & (row[j] < infinite) else high[j]
    found = 0
    for j in range(n):
        found += count[j]
    return found


@numba.njit(nogil=True)
def _write_moments(days, min_count, start, n, rows, sums, whole, ends, moments, dates):  # type: ignore[no-untyped-def] # numba infers types  # noqa: PLR0913 -- a kernel takes arrays
    mean, squares, count = sums[0], sums[1], whole[2]
    squares[:] = 0.0
    infinite = np.float32(np.inf)
    for j in range(n):
        mean[j] = mean[j] / count[j] if count[j] > 0 else np.nan
    # the second look at the strip costs little, it is in the cache; one-pass formulas lose digits
    for t in range(rows.shape[0]):
        row = rows[t]
        for j in range(n):
            off = np.float64(row[j]) - mean[j] if row[j] < infinite else 0.0
            squares[j] += off * off
    for j in range(n):
        i, some = start + j, count[j] > 0
        std = np.sqrt(squares[j] / count[j]) if some else np.nan
        moments[0, i] = mean[j]
        moments[1, i] = std
        moments[2, i] = std / mean[j] if count[j] >= min_count and mean[j] > 0 else np.nan
        moments[3, i] = ends[0, j] if some else np.nan
        moments[4, i] = ends[1, j] if some else np.nan
        dates[0, i] = days[whole[0, j]] if some else NO_DATE
        dates[1, i] = days[whole[1, j]] if some else NO_DATE
        dates[2, i] = count[j]


@numba.njit(nogil=True)
def sort_rows(rows, network, n):  # type: ignore[no-untyped-def] # numba infers types
    """Sort the first `n` columns along the rows (`compare_exchanges`)."""
    for k in range(network.shape[0]):
        upper, lower = rows[network[k, 0]], rows[network[k, 1]]
        for j in range(n):
            a, b = upper[j], lower[j]
            upper[j] = a if a < b else b
            lower[j] = b if a < b else a


@numba.njit(nogil=True)
def _write_ranks(rows, count, fractions, start, n, ranks):  # type: ignore[no-untyped-def] # numba infers types
    for k in range(fractions.size):
        for j in range(n):
            if count[j] == 0:
                ranks[k, start + j] = np.nan
                continue
            rank = fractions[k] * (count[j] - 1)
            below = int(rank)
            above = min(below + 1, count[j] - 1)
            low, high = np.float64(rows[below, j]), np.float64(rows[above, j])
            ranks[k, start + j] = low + (high - low) * (rank - below)
