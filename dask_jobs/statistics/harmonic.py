"""A yearly (or other) cycle fitted to each pixel: its amplitude and when it is highest."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from dask_jobs.compiled import compiled
from dask_jobs.statistics.cycle_sampling import LEAST_DATES, LEAST_SPREAD

YEAR = 365.25  # days
FLAT = 1e-6  # amplitude over mean below which single precision has no phase
STRIP = 512  # pixels whose sums stay in the cache


class Harmonic(NamedTuple):
    """Amplitude, dims (y, x), float32, linear power; phase, dims (y, x), float32, days."""

    amplitude: np.ndarray
    phase: np.ndarray


def harmonic(power: np.ndarray, *, days: np.ndarray, period: float = YEAR) -> Harmonic:
    """Least squares of power over time on a constant and one cycle: p(t) = m + a cos(2πt/T) + b sin(2πt/T).

    Parameters
    ----------
    power : dims (time, y, x), float32, linear power
        Not finite where there is no data. Zero and negative values are data.
    days : dims (time,), float64, days since 1970-01-01 00:00 UTC of each time step, in any order; fractions count
    period : T, days

    Returns
    -------
    amplitude : sqrt(a² + b²), linear power: half of the difference between the cycle's highest and lowest value
    phase : days from 0 to below T: t modulo T at which the fitted cycle is highest
        For a year of 365.25 days this is the time since 1 January 00:00 UTC, to within 0.75 days (leap years).
    Both are NaN where a pixel has fewer than 4 dates, or dates that do not tell a cycle (`cycle_sampling.sampled_spread`
    below 0.02: dates that all lie within three tenths of the period). Phase is NaN where the amplitude is below a
    millionth of the mean.

    Raises
    ------
    ValueError
        If the period is not more than 0, or `days` does not match the time steps.

    Notes
    -----
    In power, not in dB: the sum of speckled power has the right expectation, the mean of its logarithm has not. Time and
    memory grow with dates times pixels.

    References
    ----------
    Bloomfield (2000), Fourier Analysis of Time Series, 2nd ed., section 2.2; Lomb (1976), doi:10.1007/BF00648343, for
    uneven dates.
    """
    steps, height, width = power.shape
    if not (np.isfinite(period) and period > 0):
        raise ValueError(f"a period is more than 0 days, not {period}")
    if days.shape != (steps,):
        raise ValueError(f"{days.shape[0]} days for {steps} time steps")
    # whole periods away first: the angle of 19 000 days keeps fewer digits than that of one period
    angle = 2 * np.pi * (np.asarray(days, dtype=np.float64) % period) / period
    found = np.empty((2, height * width), dtype=np.float32)
    flat = np.ascontiguousarray(power, dtype=np.float32).reshape(steps, height * width)
    compiled(_fit)(flat, np.cos(angle), np.sin(angle), float(period), found)
    amplitude, phase = found.reshape(2, height, width)
    return Harmonic(amplitude, phase)


# Each inner loop runs over the pixels of a strip and adds to one sum: so it becomes vector code. No fastmath: it
# assumes no NaN.
@numba.njit(nogil=True)
def _fit(power, cosine, sine, period, found):  # type: ignore[no-untyped-def] # numba infers types
    sums = np.empty((8, STRIP), dtype=np.float64)
    row = np.empty(STRIP, dtype=np.float64)
    ok = np.empty(STRIP, dtype=np.float64)
    infinite = np.float32(np.inf)
    for start in range(0, power.shape[1], STRIP):
        n = min(STRIP, power.shape[1] - start)
        sums[:] = 0.0
        for t in range(power.shape[0]):
            source = power[t, start : start + n]
            for j in range(n):
                ok[j] = 1.0 if abs(source[j]) < infinite else 0.0
            for j in range(n):
                row[j] = np.float64(source[j]) if abs(source[j]) < infinite else 0.0
            _add(sums, ok, row, cosine[t], sine[t], n)
        _solve(sums, period, start, n, found)


@numba.njit(nogil=True)
def _add(sums, ok, row, c, s, n):  # type: ignore[no-untyped-def] # numba infers types
    for k, weight in ((0, 1.0), (1, c), (2, s), (3, c * c), (4, c * s)):
        total = sums[k]
        for j in range(n):
            total[j] += weight * ok[j]
    for k, weight in ((5, 1.0), (6, c), (7, s)):
        total = sums[k]
        for j in range(n):
            total[j] += weight * row[j]


@numba.njit(nogil=True)
def _solve(sums, period, start, n, found):  # type: ignore[no-untyped-def] # numba infers types
    for j in range(n):
        i, count = start + j, sums[0, j]
        found[0, i] = np.nan
        found[1, i] = np.nan
        if count < LEAST_DATES:
            continue
        c, s, p = sums[1, j] / count, sums[2, j] / count, sums[5, j] / count
        cc, cs = sums[3, j] / count - c * c, sums[4, j] / count - c * s
        ss = 1.0 - sums[3, j] / count - s * s  # cos² + sin² = 1
        away = np.sqrt((cc - ss) ** 2 / 4 + cs * cs)
        if (cc + ss) / 2 - away < LEAST_SPREAD:
            continue
        pc, ps = sums[6, j] / count - p * c, sums[7, j] / count - p * s
        determinant = cc * ss - cs * cs
        a, b = (ss * pc - cs * ps) / determinant, (cc * ps - cs * pc) / determinant
        amplitude = np.sqrt(a * a + b * b)
        found[0, i] = amplitude
        if amplitude > FLAT * abs(p):
            phase = np.float32(np.arctan2(b, a) / (2 * np.pi) * period)
            phase = phase + np.float32(period) if phase < 0 else phase
            found[1, i] = phase if phase < period else np.float32(0.0)
