"""One linear model fitted to every pixel of a series: its estimator is made once, and is the same for all of them."""

from __future__ import annotations

import numba
import numpy as np

from dask_jobs.compiled import compiled
from infra.errors import InputError

TOLD = 1e-9  # singular value over the largest, of columns of unit length, from which on columns are told apart
STRIP = 1024  # pixels whose sums stay in the cache


def estimator(design: np.ndarray, *, used: np.ndarray, model: str) -> np.ndarray:
    """Rows that, times the values of a pixel, are its parameters: (GᵀG)⁻¹ Gᵀ over the dates that are used.

    Parameters
    ----------
    design : G, dims (time, parameter), float64
    used : dims (time,), bool
    model : what is fitted, for messages

    Returns
    -------
    dims (parameter, time), float64; 0 at dates that are not used

    Raises
    ------
    InputError
        If there are fewer dates than parameters, or these dates do not tell the parameters apart.
    """
    dates, parameters = int(used.sum()), design.shape[1]
    if dates < parameters:
        raise InputError(
            f"{dates} dates are too few for the {parameters} parameters of the {model}",
            f"Use {parameters} dates or more, or fit fewer parameters.",
        )
    size = np.linalg.norm(design[used], axis=0)
    scaled = design[used] / np.where(size > 0, size, 1.0)
    if np.linalg.matrix_rank(scaled, tol=TOLD * np.sqrt(parameters)) < parameters:
        raise InputError(
            f"the {dates} dates do not tell the {parameters} parameters of the {model} apart",
            "A step needs dates on both sides, a period dates all over it: fit fewer parameters, or use more dates.",
        )
    rows = np.zeros((parameters, len(used)))
    rows[:, used] = np.linalg.pinv(scaled) / size[:, None]
    return rows


def estimates(series: np.ndarray, *, rows: np.ndarray) -> np.ndarray:
    """Parameters of each pixel, dims (parameter, y, x), float64.

    Parameters
    ----------
    series : dims (time, y, x), float32
    rows : dims (parameter, time), float64; dates with 0 are not looked at, another one without data makes NaN
    """
    found = np.zeros((rows.shape[0], series[0].size))
    compiled(_estimate)(_flat(series), np.ascontiguousarray(rows), found)
    return found.reshape(-1, *series.shape[1:])


def remainders(series: np.ndarray, *, design: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """What the model leaves of each pixel, dims (time, y, x), float32: the series minus design times parameters.

    Parameters
    ----------
    series : dims (time, y, x), float32
    design : dims (time, parameter), float64
    parameters : dims (parameter, y, x), float64
    """
    left = np.empty(series.shape, dtype=np.float32)
    flat = np.ascontiguousarray(parameters).reshape(parameters.shape[0], -1)
    compiled(_subtract)(_flat(series), np.ascontiguousarray(design), flat, left.reshape(series.shape[0], -1))
    return left


def squares(series: np.ndarray, *, design: np.ndarray, parameters: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Sum of squares of what the model leaves at the dates that are used, dims (y, x), float64.

    Parameters
    ----------
    series : dims (time, y, x), float32
    design : dims (time, parameter), float64
    parameters : dims (parameter, y, x), float64
    used : dims (time,), bool
    """
    total = np.zeros(series[0].size)
    flat = np.ascontiguousarray(parameters).reshape(parameters.shape[0], -1)
    compiled(_square)(_flat(series), np.ascontiguousarray(design), flat, np.flatnonzero(used), total)
    return total.reshape(series.shape[1:])


def _flat(series: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(series, dtype=np.float32).reshape(series.shape[0], -1)


# Each inner loop runs over the pixels of a strip and adds to one sum: so it becomes vector code.
@numba.njit(nogil=True)
def _estimate(series, rows, found):  # type: ignore[no-untyped-def] # numba infers types
    for start in range(0, series.shape[1], STRIP):
        for t in range(series.shape[0]):
            source = series[t, start : start + STRIP]
            for k in range(rows.shape[0]):
                weight, total = rows[k, t], found[k, start : start + STRIP]
                if weight != 0.0:
                    for j in range(source.size):
                        total[j] += weight * source[j]


@numba.njit(nogil=True)
def _subtract(series, design, parameters, left):  # type: ignore[no-untyped-def] # numba infers types
    rest = np.empty(STRIP)
    for start in range(0, series.shape[1], STRIP):
        for t in range(series.shape[0]):
            made = left[t, start : start + STRIP]
            _rest(series[t, start : start + STRIP], design[t], parameters[:, start : start + STRIP], rest)
            for j in range(made.size):
                made[j] = rest[j]


@numba.njit(nogil=True)
def _square(series, design, parameters, used, sums):  # type: ignore[no-untyped-def] # numba infers types
    rest = np.empty(STRIP)
    for start in range(0, series.shape[1], STRIP):
        total = sums[start : start + STRIP]
        for t in used:
            _rest(series[t, start : start + STRIP], design[t], parameters[:, start : start + STRIP], rest)
            for j in range(total.size):
                total[j] += rest[j] * rest[j]


@numba.njit(nogil=True)
def _rest(source, row, parameters, rest):  # type: ignore[no-untyped-def] # numba infers types
    for j in range(source.size):
        rest[j] = source[j]
    for k in range(row.size):
        weight, parameter = row[k], parameters[k]
        for j in range(source.size):
            rest[j] -= weight * parameter[j]
