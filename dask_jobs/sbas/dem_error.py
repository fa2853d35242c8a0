"""Error of the elevation model, from how the displacement goes with the perpendicular baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from dask_jobs.sbas.least_squares import estimates, estimator, remainders
from dask_jobs.sbas.time_functions import motion_columns
from infra.errors import InputError

MODEL = "error of elevation and motion"


class DemError(NamedTuple):
    """What a block was found to hold, NaN where there is no data.

    dem_error : dims (y, x), float32, m, of the sign by which the displacement is b z / (R sin θ), as MintPy's
    corrected : dims (time, y, x), float32, m: the series without what the error of elevation brought into it
    residual : dims (time, y, x), float32, m: without the motion in time either
    """

    dem_error: np.ndarray
    corrected: np.ndarray
    residual: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class DemErrorModel:
    """Displacement as error of elevation z and motion: d(t) = b(t) z / (R sin θ) + polynomial, steps and periods in t.

    The range R and the incidence θ scale one column of the design and nothing else. So its coefficient
    k = z / (R sin θ) = (P b).d / (b.P b), with P the projector onto what motion cannot explain, is one product of the
    pixel's series with weights that all pixels share; and neither corrected series nor residual depend on R and θ.

    Attributes
    ----------
    design : dims (time, column), float64: perpendicular baseline (m); powers tⁱ / i!, cosines and sines, steps
    rows : dims (column, time), float64: the estimator, 0 at dates that are not used; its first row is P b / (b.P b)

    References
    ----------
    Fattahi and Amelung (2013), doi:10.1109/TGRS.2012.2227761; Frisch and Waugh (1933), for the closed form
    """

    design: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(
        cls,
        times_years: np.ndarray,
        perpendicular_baselines: np.ndarray,
        *,
        poly_order: int = 2,
        steps: Sequence[float] = (),
        periods: Sequence[float] = (),
        phase_velocity: bool = False,
        used: np.ndarray | None = None,
    ) -> Self:
        """Model of some dates.

        Parameters
        ----------
        times_years : dims (time,), years of 365.25 days since the first date
        perpendicular_baselines : dims (time,), m, relative to the first date
        poly_order : of the motion, 0 or more
        steps : times of sudden motion, years as the dates; a date at that very time is before it
        periods : years, above 0
        phase_velocity : fit velocities between dates that follow each other instead of displacements
            Differences do not tell the constant: it is the mean of what the other columns leave.
        used : dims (time,), bool, dates to fit to; all where None. The others are corrected alike.

        Raises
        ------
        InputError
            If an order or period makes no sense, or the dates are too few for the model or do not tell its columns apart.
        ValueError
            If times, baselines and `used` do not match, or times do not ascend.
        """
        t = np.asarray(times_years, dtype=np.float64)
        b = np.asarray(perpendicular_baselines, dtype=np.float64)
        kept = np.ones(t.shape, dtype=bool) if used is None else np.asarray(used, dtype=bool)
        if not t.shape == b.shape == kept.shape or np.any(np.diff(t) <= 0):
            raise ValueError(f"times {t.shape}, baselines {b.shape}, used {kept.shape}: they match, and times ascend")
        if poly_order < 0 or not all(np.isfinite(period) and period > 0 for period in periods):
            raise InputError(
                f"polynomial of order {poly_order}, periods {list(periods)}",
                "Orders are 0 or more, periods above 0 years.",
            )
        design = np.column_stack([b, motion_columns(t, polynomial=poly_order, periods=periods, steps=steps)])
        rows = estimator(design, used=kept, model=MODEL)
        return cls(design=design, rows=_velocity_estimator(design, t, kept) if phase_velocity else rows)

    def estimate(self, series: np.ndarray, *, slant_range: np.ndarray, incidence: np.ndarray) -> DemError:
        """Error of elevation and the series without it.

        Parameters
        ----------
        series : dims (time, y, x), float32, m
            A pixel without data (NaN) at a date that is used has none in the result; at another date, only there.
        slant_range : dims (y, x), m; 0 or NaN is no data
        incidence : dims (y, x), degrees from the vertical; 0 or NaN is no data

        Raises
        ------
        ValueError
            If shapes differ.
        """
        if not (len(self.design), *slant_range.shape) == series.shape == (len(series), *incidence.shape):
            raise ValueError(f"series {series.shape}, range {slant_range.shape}, incidence {incidence.shape} differ")
        lever = np.asarray(slant_range, dtype=np.float64) * np.sin(np.deg2rad(np.asarray(incidence, dtype=np.float64)))
        found = estimates(series, rows=self.rows)
        found[:, ~(np.abs(lever) > 0)] = np.nan
        return DemError(
            dem_error=np.asarray(found[0] * lever, dtype=np.float32),
            corrected=remainders(series, design=self.design[:, :1], parameters=found[:1]),
            residual=remainders(series, design=self.design, parameters=found),
        )


def _velocity_estimator(design: np.ndarray, t: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Estimator of the same columns from differences between used dates, over the time between them.

    Differences tell apart what displacements do, so that the other estimator has said already what is wrong.
    """
    differences = np.diff(np.eye(len(t))[used], axis=0) / np.diff(t[used])[:, None]
    others = np.delete(design, 1, axis=1)
    every = np.ones(len(differences), dtype=bool)
    found = estimator(differences @ others, used=every, model=MODEL) @ differences
    constant = used / used.sum() - others[used].mean(axis=0) @ found
    return np.insert(found, 1, constant, axis=0)
