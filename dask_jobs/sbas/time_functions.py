"""Motion as a function of time, fitted to each pixel's displacements: velocity, seasons and steps, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from dask_jobs.sbas.least_squares import estimates, estimator, squares
from dask_jobs.sbas.time_rasters import RESIDUE, TimeRaster, deviation, period_rasters, polynomial_raster, step_raster
from infra.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TimeFunction:
    """Displacement in time: d(t) = Σ aᵢ tⁱ / i! + Σ c cos(2πt/P) + s sin(2πt/P) + Σ h H(t > tₛ).

    Attributes
    ----------
    polynomial : highest power of t, 1 or more
    periods : P, years, each once
    steps : tₛ, each once, of sudden motion; a pass on that very day is before it
    """

    polynomial: int = 1
    periods: tuple[float, ...] = ()
    steps: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        if self.polynomial < 1:
            raise InputError(
                f"a polynomial of order {self.polynomial} has no velocity", "Give 1, or 2 for acceleration too."
            )
        if not all(np.isfinite(period) and period > 0 for period in self.periods):
            raise InputError(
                f"periods {list(self.periods)} are not all above 0", "Give periods in years: 1 for a year."
            )
        for name, texts in (
            ("period", [f"{one:g}" for one in self.periods]),
            ("step", [str(one) for one in self.steps]),
        ):
            if len(set(texts)) < len(texts):  # they would be rasters of one name
                raise InputError(f"a {name} is there twice: {', '.join(texts)}", f"Give each {name} once.")

    @property
    def parameters(self) -> int:
        """Number of columns: of the polynomial with its constant, two of each period, one of each step."""
        return self.polynomial + 1 + 2 * len(self.periods) + len(self.steps)

    @property
    def rasters(self) -> tuple[TimeRaster, ...]:
        """What a fit gives, in order: parameters, each with its standard error where it has one, and the residue."""
        powers = [polynomial_raster(power) for power in range(self.polynomial + 1)]
        found = [one for raster in powers for one in (raster, deviation(raster))]
        found += [one for period in self.periods for one in period_rasters(period)]
        found += [one for step in map(step_raster, self.steps) for one in (step, deviation(step))]
        return (*found, RESIDUE)

    def design(self, dates: Sequence[date], *, origin: date) -> np.ndarray:
        """Columns of the function at some dates, dims (time, parameter), float64, with t in years since the origin."""
        start = decimal_years([origin])
        steps = decimal_years(self.steps) - start
        return motion_columns(
            decimal_years(dates) - start, polynomial=self.polynomial, periods=self.periods, steps=steps
        )

    def at(self, dates: Sequence[date], *, used: np.ndarray | None = None, reference: int = 0) -> DatedFunction:
        """Function at the dates of a series, ready to be fitted.

        Parameters
        ----------
        dates : of the series, ascending
        used : dims (time,), bool, dates to fit to; all where None
        reference : index of the date at which displacement is 0, used or not

        Raises
        ------
        InputError
            If the dates that are used are too few, or do not tell the parameters apart.
        ValueError
            If `used` does not match the dates.
        """
        kept = np.ones(len(dates), dtype=bool) if used is None else np.asarray(used, dtype=bool)
        if kept.shape != (len(dates),):
            raise ValueError(f"{kept.shape} dates used, of {len(dates)}")
        origin = dates[int(np.argmax(kept))]
        design = self.design(dates, origin=origin)
        found = estimator(design, used=kept, model="function of time")
        return DatedFunction(function=self, design=design, used=kept, reference=reference, estimator=found)


@dataclass(frozen=True, kw_only=True, eq=False)
class DatedFunction:
    """A function at the dates of a series.

    Attributes
    ----------
    design : dims (time, parameter), float64
    used : dims (time,), bool
    reference : index of the date at which displacement is 0
    estimator : dims (parameter, time), float64, without the effect of the reference date
    """

    function: TimeFunction
    design: np.ndarray
    used: np.ndarray
    reference: int
    estimator: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Parameters as combinations of displacements, dims (parameter, time), with the effect of the reference date.

        The diagonal of rows C rowsᵀ, with C the covariance of a pixel's displacements relative to any date, is the
        variance of its parameters: `with_variances` takes it. Only the constant feels the reference: every other row
        sums to 0.
        """
        rows = self.estimator.copy()
        rows[0, self.reference] -= 1.0
        return rows

    def fit(self, series: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters of each pixel by least squares, with standard errors from what they leave.

        Parameters
        ----------
        series : dims (time, y, x), float32, m, relative to any date; NaN is no data

        Returns
        -------
        name of each of `function.rasters` to dims (y, x), float32; NaN where a date that is used, or for the intercept
        the reference date, has no data
            Standard errors are sqrt of the diagonal of (GᵀG)⁻¹ e² / (N - P), NaN where dates N equal parameters P. They
            take residuals to be independent and alike, and leave out the noise of the reference pixel.
            Amplitude sqrt(c² + s²) and phase atan2(c, s), radians: the cycle is amplitude times sin(2πt/P + phase).

        Raises
        ------
        ValueError
            If the series does not have these dates.
        """
        if len(series) != len(self.design):
            raise ValueError(f"a series of {len(series)} dates for a function at {len(self.design)}")
        found = estimates(series, rows=self.estimator)
        left = squares(series, design=self.design, parameters=found, used=self.used)
        found[0] -= series[self.reference]
        free = int(self.used.sum()) - self.function.parameters
        # diag((GᵀG)⁻¹) is that of G⁺G⁺ᵀ
        variances = (self.estimator**2).sum(axis=1)[:, None, None] * (left / free if free else left * np.nan)
        made = dict(zip(_names(self.function), self._values(found, variances, np.sqrt(left)), strict=True))
        return {name: np.asarray(value, dtype=np.float32) for name, value in made.items()}

    def with_variances(self, result: dict[str, np.ndarray], variances: np.ndarray) -> dict[str, np.ndarray]:
        """Result of `fit` with standard errors from variances that were propagated.

        Parameters
        ----------
        variances : dims (parameter, y, x): diagonal of rows C rowsᵀ of each pixel
        """
        errors = zip(_errors(self.function), variances[_single(self.function)], strict=True)
        return result | {name: np.sqrt(variance).astype(np.float32) for name, variance in errors}

    def _values(self, found: np.ndarray, variances: np.ndarray, residue: np.ndarray) -> list[np.ndarray]:
        """Rasters in the order of `TimeFunction.rasters`."""
        polynomial, periods = self.function.polynomial + 1, len(self.function.periods)
        made = []
        for k in range(polynomial):
            made += [found[k], np.sqrt(variances[k])]
        for k in range(polynomial, polynomial + 2 * periods, 2):
            made += [np.hypot(found[k], found[k + 1]), np.arctan2(found[k], found[k + 1])]
        for k in range(polynomial + 2 * periods, len(found)):
            made += [found[k], np.sqrt(variances[k])]
        return [*made, residue]


def motion_columns(
    t: np.ndarray, *, polynomial: int, periods: Sequence[float] = (), steps: Sequence[float] | np.ndarray = ()
) -> np.ndarray:
    """Columns of motion in time, dims (time, column): powers tⁱ / i! from 0 on, cosine and sine of each period, steps.

    Parameters
    ----------
    t : dims (time,), years
    periods, steps : years; what is at the time of a step is before it
    """
    columns = [np.ones_like(t)]
    for power in range(1, polynomial + 1):
        columns.append(columns[-1] * t / power)
    angles = [2 * np.pi * t / period for period in periods]
    columns += [wave(angle) for angle in angles for wave in (np.cos, np.sin)]
    columns += [np.where(t > step, 1.0, 0.0) for step in steps]
    return np.column_stack(columns)


def decimal_years(dates: Sequence[date]) -> np.ndarray:
    """Dates as MintPy counts them, year + (day of year - 1) / 365.25, dims (time,), float64.

    From a year's last day to the next year's first are thereby 0.25 days where it is a leap year, else 1.25. The time of
    day adds the same to every date of one orbit, and drops out of differences.
    """
    return np.array([day.year + (day.timetuple().tm_yday - 1) / 365.25 for day in dates])


def _names(function: TimeFunction) -> list[str]:
    return [raster.name for raster in function.rasters]


def _errors(function: TimeFunction) -> list[str]:
    return [name for name in _names(function) if name.endswith("_std")]


def _single(function: TimeFunction) -> list[int]:
    """Indices of the parameters that are rasters themselves: not cosines and sines."""
    waves = range(function.polynomial + 1, function.polynomial + 1 + 2 * len(function.periods))
    return [k for k in range(function.parameters) if k not in waves]
