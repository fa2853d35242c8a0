"""What is settled for all blocks between one look at them and the next; small, picklable values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dask_jobs.sbas.coherence import LAND, WATER, MeanCoherence
from dask_jobs.sbas.dem_error import DemErrorModel
from dask_jobs.sbas.least_squares import estimates, remainders
from dask_jobs.sbas.pairs import Pairs
from dask_jobs.sbas.ramps import RampFit
from dask_jobs.sbas.reference_point import Candidate
from dask_jobs.sbas.troposphere import HeightFit


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCoherence:
    """Sums of coherence over the pixels of land and of water, for each pair, dims (pair,).

    Attributes
    ----------
    above : pixels of land that are more coherent than a threshold; None where nobody asked
    """

    land: np.ndarray
    land_pixels: np.ndarray
    water: np.ndarray
    water_pixels: np.ndarray
    above: np.ndarray | None = None

    @classmethod
    def of(cls, found: MeanCoherence) -> PairCoherence:
        """Sums of a block."""
        return cls(
            land=found.total[LAND],
            land_pixels=found.pixels[LAND],
            water=found.total[WATER],
            water_pixels=found.pixels[WATER],
        )

    def __add__(self, other: PairCoherence) -> PairCoherence:
        return PairCoherence(
            land=self.land + other.land,
            land_pixels=self.land_pixels + other.land_pixels,
            water=self.water + other.water,
            water_pixels=self.water_pixels + other.water_pixels,
            above=None if self.above is None or other.above is None else self.above + other.above,
        )

    @property
    def mean(self) -> np.ndarray:
        """Mean over land, NaN where there is none."""
        return _ratio(self.land, self.land_pixels)

    @property
    def water_mean(self) -> np.ndarray:
        """Mean over water, NaN where there is none."""
        return _ratio(self.water, self.water_pixels)

    @property
    def area_ratio(self) -> np.ndarray | None:
        """Share of land above the threshold."""
        return None if self.above is None else _ratio(self.above, self.land_pixels)


@dataclass(frozen=True, kw_only=True)
class BlockLook:
    """What a look at the coherence of a block found: sums, and pixels that may be the reference, the likeliest first."""

    coherence: PairCoherence
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The pairs that are used.

    Attributes
    ----------
    kept : their numbers among all pairs of the stack
    pairs : their dates and baselines
    dropped : number and reason of the others
    baselines : perpendicular baseline of each date, dims (time,), m
    triplets : dims (triplet, 3), of kept pairs
    """

    kept: tuple[int, ...]
    pairs: Pairs
    dropped: Sequence[tuple[int, str]]
    baselines: np.ndarray
    triplets: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferencePixel:
    """Where displacement is nought.

    Attributes
    ----------
    phase : of each kept pair there, dims (pair,), radians
    height, incidence : there, m and degrees; NaN where unknown
    """

    row: int
    col: int
    phase: np.ndarray
    height: float
    incidence: float

    @property
    def place(self) -> tuple[int, int]:
        """Row and column."""
        return self.row, self.col

    @property
    def sight(self) -> tuple[float, float]:
        """Height and incidence."""
        return self.height, self.incidence


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """What was fitted to the whole raster so far, and is taken off each block; None for what is not."""

    height: HeightFit | None = None
    ramp: RampFit | None = None
    dem_error: DemErrorModel | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """A polynomial of time whose misfit tells the noise of dates where no error of the height model is fitted.

    Attributes
    ----------
    design : dims (time, column)
    rows : dims (column, time), the estimator
    """

    design: np.ndarray
    rows: np.ndarray

    def remainder(self, series: np.ndarray) -> np.ndarray:
        """What the polynomial leaves of each pixel, dims (time, y, x), m."""
        return remainders(series, design=self.design, parameters=estimates(series, rows=self.rows))


@dataclass(frozen=True, kw_only=True, eq=False)
class DateChoice:
    """What is known of the dates.

    Attributes
    ----------
    rms : of the residual of each date, dims (time,), m; None where there are too few dates to tell
    noisy : dims (time,), bool
    used : dims (time,), bool: dates that the time function is fitted to
    reference : index of the date of no displacement
    """

    rms: np.ndarray | None
    noisy: np.ndarray
    used: np.ndarray
    reference: int


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(one, other, out=np.full(one.shape, np.nan), where=other > 0))
