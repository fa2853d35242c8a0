"""A smooth curve through a series of dates that are not equally spaced: local polynomials in days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_DEGREE = 3
LEAST_RECIPROCAL = 1e-6  # of the condition number: beyond, the dates in a window are too few in truth


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """How a series is smoothed.

    Attributes
    ----------
    window : days, from one edge to the other
    degree : of the polynomial, 0 to 3
    """

    window: float = 90.0
    degree: int = 2

    def __post_init__(self) -> None:
        if not (np.isfinite(self.window) and self.window > 0):
            raise ValueError(f"a window is more than 0 days, not {self.window}")
        if not 0 <= self.degree <= MOST_DEGREE:
            raise ValueError(f"a degree is 0 to {MOST_DEGREE}, not {self.degree}")


def smooth(power: np.ndarray, *, days: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """Local polynomial regression of each series, evaluated at its dates.

    Parameters
    ----------
    power : dims (time, series), linear power; NaN where a date has none: it takes no part, but gets a smooth value
    days : dims (time,), in any order; fractions count

    Returns
    -------
    smooth : dims (time, series), float64, linear power
        NaN where fewer than degree + 1 dates with data lie within half a window, or lie so close together that they do
        not tell a polynomial of that degree. A polynomial may fall below zero between steep dates.

    Notes
    -----
    At each date the polynomial is fitted by weighted least squares, with tricube weights (1 - |d|³)³ of the distance d in
    half windows. The window is fixed in days, where Cleveland's spans a fixed number of neighbours: his stretches over a
    gap in the acquisitions, this one says that nothing is known there. Without his robustness iterations. A
    Savitzky-Golay filter is the same with equal weights, for equal spacing only.

    References
    ----------
    Cleveland (1979), Robust locally weighted regression and smoothing scatterplots, section 2,
    doi:10.1080/01621459.1979.10481038
    """
    made = np.full(power.shape, np.nan)
    half = smoothing.window / 2
    ok = np.isfinite(power)
    for t, day in enumerate(days):
        away = (np.asarray(days, dtype=np.float64) - day) / half
        near = np.flatnonzero(np.abs(away) < 1)
        root = np.sqrt((1 - np.abs(away[near]) ** 3) ** 3)
        columns = np.vander(away[near], smoothing.degree + 1, increasing=True) * root[:, None]
        made[t] = _fit(columns, root[:, None] * power[near], ok=ok[near])
    return made


def _fit(columns: np.ndarray, values: np.ndarray, *, ok: np.ndarray) -> np.ndarray:
    """The polynomial's value where it is evaluated, dims (series,): series with the same gaps are solved together."""
    found = np.full(values.shape[1], np.nan)
    patterns, which = np.unique(ok, axis=1, return_inverse=True)
    for index, pattern in enumerate(patterns.T):
        if pattern.sum() < columns.shape[1]:
            continue
        same = which.reshape(-1) == index
        solved, _, _, singular = np.linalg.lstsq(columns[pattern], values[np.ix_(pattern, same)])
        if singular[-1] > LEAST_RECIPROCAL * singular[0]:
            found[same] = solved[0]
    return found
