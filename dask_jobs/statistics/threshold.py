"""A threshold on the coefficient of variation: its value, what lies above it, and what lies beyond what is believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dask_jobs.statistics.exact_median import Counts, Middles, found_values, places

NOT_KNOWN = 255  # no-data of the mask


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What is asked for: exactly one of quantile and value.

    Attributes
    ----------
    quantile : 0 to 1, of all pixels that have a coefficient of variation
    value : of the coefficient of variation
    upper : above it a pixel is left out (ships, radio interference)
    """

    quantile: float | None = None
    value: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        if (self.quantile is None) == (self.value is None):
            raise ValueError("a threshold is either a quantile or a value")


class Bounds(NamedTuple):
    """Pixels with lower <= value <= upper are kept; compared in double precision."""

    lower: float
    upper: float = math.inf


class Tally(NamedTuple):
    """Pixels with a value, those kept, and those left out because they lie above the upper bound."""

    pixels: int
    kept: int
    above_upper: int


def mask(values: np.ndarray, *, bounds: Bounds) -> np.ndarray:
    """1 where a value is kept, 0 where not, 255 where there is none; uint8, dims of `values` (float32, NaN no data)."""
    return np.where(np.isfinite(values), _kept(values, bounds), NOT_KNOWN).astype(np.uint8)


def thresholded(values: np.ndarray, *, bounds: Bounds) -> np.ndarray:
    """Values that are kept, unchanged; NaN elsewhere."""
    return np.where(_kept(values, bounds), values, np.float32(np.nan))


def tally(values: np.ndarray, *, bounds: Bounds) -> Tally:
    """How many values are there, kept, and above the upper bound."""
    return Tally(
        pixels=int(np.isfinite(values).sum()),
        kept=int(_kept(values, bounds).sum()),
        above_upper=int((values[np.isfinite(values)].astype(np.float64) > bounds.upper).sum()),
    )


def quantile_places(count: int, *, quantile: float, blocks: Callable[[], Iterator[Counts]]) -> Middles:
    """Where the two values between which a quantile lies stand; `exact_median.lower_counts` takes it on.

    Parameters
    ----------
    count : values in all blocks
    blocks : `exact_median.upper_counts` of each block, of one row
    """
    below = min(math.floor((count - 1) * quantile), max(count - 1, 0))
    wanted = np.array([[below], [min(below + 1, count - 1)]], dtype=np.int64)
    return places(np.array([count], dtype=np.int64), wanted=wanted, blocks=blocks)


def quantile_value(found: Middles, *, count: int, quantile: float, blocks: Callable[[], Iterator[Counts]]) -> float:
    """The quantile, by linear interpolation between two ranks, exactly as `np.quantile` of all values in double precision.

    Parameters
    ----------
    found : of `quantile_places`
    blocks : `exact_median.lower_counts` of each block

    Returns
    -------
    value : NaN of no values

    References
    ----------
    Hyndman, Fan (1996), Sample Quantiles in Statistical Packages, definition 7.
    """
    low, high = (float(value) for value in found_values(found, blocks=blocks)[:, 0])
    place = (count - 1) * quantile
    share, step = place - math.floor(place), high - low
    return low + step * share if share < 0.5 else high - step * (1 - share)  # so that both ends are met exactly


def _kept(values: np.ndarray, bounds: Bounds) -> np.ndarray:
    wide = values.astype(np.float64)  # a float32 value must not be compared with a bound rounded to float32
    kept: np.ndarray = (wide >= bounds.lower) & (wide <= bounds.upper) & np.isfinite(wide)
    return kept
