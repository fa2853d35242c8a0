"""Backscatter of an area and of zones in it, per time step: moments and exact medians from many blocks of pixels.

Nobody holds all pixels: each block gives a `Partial`, and partials are merged in the order of the blocks, so that the
numbers do not depend on who finished first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.statistics.exact_median import Counts, Middles, lower_counts, pack, unpack, upper_counts
from dask_jobs.statistics.smoothing import Smoothing, smooth
from infra.region import Region

if TYPE_CHECKING:
    import pandas as pd

    from infra.grid import Grid

AREA = "area"  # the zone that is the whole area

COLUMNS: Mapping[str, tuple[str, str]] = {  # name: (units, meaning)
    "date": ("ISO 8601", "UTC date of the time step"),
    "polarization": ("", "transmit and receive polarization"),
    "zone": ("", f"zone of the row; '{AREA}' is the whole area"),
    "mean_power": ("1", "mean backscatter of the pixels with data, linear power"),
    "mean_db": ("dB", "10 log10 of mean_power"),
    "median_db": ("dB", "10 log10 of the exact median of the pixels with data"),
    "std_power": ("1", "population standard deviation over the pixels with data, linear power"),
    "n_pixels": ("1", "pixels with data"),
    "valid_fraction": ("1", "n_pixels over all pixels of the zone inside the area"),
    "looks": ("1", "moment estimate (mean / std)²: a lower bound over heterogeneous ground"),
    "standard_error": ("1", "std_power / sqrt(n_pixels), of independent pixels: neighbours that correlate enlarge it"),
    "smoothed_db": ("dB", "10 log10 of mean_power smoothed by a local polynomial in days"),
    "smoothing_days": ("d", "window of smoothed_db, from one edge to the other; no number where it was not asked for"),
}


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A named part of the area; pixels whose centre is inside belong to it. Zones may overlap."""

    name: str
    region: Region


@dataclass(frozen=True, kw_only=True)
class Partial:
    """What one block of pixels, or several merged, say of each time step and zone.

    Attributes
    ----------
    pixels : dims (zone,), int64, pixels of each zone, with data or without
    count : dims (time, zone), int64, pixels with data
    mean : dims (time, zone), float64, linear power, 0 where count is 0
    squares : dims (time, zone), float64, sum of squared differences from the mean
    """

    pixels: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    def to_bytes(self, *, upper: Counts) -> bytes:
        """NumPy's `.npz` of this and the block's histograms; `from_bytes` restores both."""
        moments = {"pixels": self.pixels, "count": self.count, "mean": self.mean, "squares": self.squares}
        return pack({**moments, **{f"upper_{name}": array for name, array in upper.arrays().items()}})

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[Partial, Counts]:
        """Partial and histograms from what `to_bytes` gave."""
        arrays = unpack(data)
        upper = {name: arrays.pop(f"upper_{name}") for name in ("starts", "keys", "counts")}
        return cls(**arrays), Counts(**upper)

    @classmethod
    def moments_from_bytes(cls, data: bytes) -> Partial:
        """Partial alone from what `to_bytes` gave: the histograms are most of it."""
        return cls(**unpack(data, only=[field.name for field in fields(cls)]))


def members(grid: Grid, *, region: Region | None, zones: Sequence[Zone]) -> list[np.ndarray]:
    """Pixels of the area (first) and of each zone: flat indices into a block, ascending.

    Parameters
    ----------
    grid : of the block
    region : the area; a box or None is every pixel
    zones : only their pixels inside the area count
    """
    area = np.ones(grid.shape, dtype=bool) if region is None else region.inside(grid)
    inside = (replace(zone.region, masks=True).inside(grid) & area for zone in zones)
    return [np.flatnonzero(mask) for mask in (area, *inside)]


def first_look(power: np.ndarray, *, inside: Sequence[np.ndarray]) -> tuple[Partial, Counts]:
    """Moments of one block, and histograms from which `exact_median.middles` finds the middle values.

    Parameters
    ----------
    power : dims (time, y, x), float32, linear power; not finite where there is no data
    inside : flat pixel indices of each zone (`members`)
    """
    from dask_jobs.statistics.row_kernels import row_moments

    shape = power.shape[0], len(inside)
    count, mean, squares = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(shape)

    def measured() -> Iterator[np.ndarray]:
        for row, values in enumerate(rows(power, inside=inside)):
            at = divmod(row, len(inside))
            count[at], mean[at], squares[at] = row_moments(values)
            yield values if count[at] else values[:0]

    upper = upper_counts(measured())  # row by row: a copy of all values would double the memory
    pixels = np.array([indices.size for indices in inside], dtype=np.int64)
    return Partial(pixels=pixels, count=count, mean=mean, squares=squares), upper


def second_look(power: np.ndarray, *, inside: Sequence[np.ndarray], found: Middles) -> Counts:
    """Histograms of one block from which `exact_median.medians` finds the medians; parameters as in `first_look`."""
    return lower_counts(rows(power, inside=inside), found=found)


def merge(partials: Iterable[Partial]) -> Partial:
    """Moments of all blocks, added up in the order given.

    References
    ----------
    Chan, Golub, LeVeque (1979), Updating formulae and a pairwise algorithm for computing sample variances, eq. 2.1.
    """
    merged: Partial | None = None
    for part in partials:
        if merged is None:
            merged = part
            continue
        n = merged.count + part.count
        share = np.divide(part.count, n, out=np.zeros_like(part.mean), where=n > 0)
        off = part.mean - merged.mean
        merged = replace(
            merged,
            pixels=merged.pixels + part.pixels,
            count=n,
            mean=np.where(merged.count > 0, merged.mean + off * share, part.mean),
            squares=merged.squares + part.squares + np.where(merged.count > 0, off * off * merged.count * share, 0.0),
        )
    if merged is None:
        raise ValueError("no partial to merge")
    return merged


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How the mean power of each zone is smoothed: at which days (fractions count), dims (time,), and how."""

    days: np.ndarray
    smoothing: Smoothing


def series_table(
    merged: Partial,
    *,
    median: np.ndarray,
    dates: Sequence[str],
    polarization: str,
    zones: Sequence[str],
    curve: Curve | None = None,
) -> pd.DataFrame:
    """Time series of one polarization, a row per time step and zone (time steps first, in the order given).

    Parameters
    ----------
    median : dims (time * zone,), linear power
    dates : ISO date of each time step
    zones : names; the area first
    curve : None for no smoothing

    Returns
    -------
    Columns as in `COLUMNS`; every statistic is over the pixels of the zone that have data on that date, NaN without any.
    """
    import pandas as pd

    n = merged.count
    some = n > 0
    mean = np.where(some, merged.mean, np.nan)
    std = np.sqrt(np.divide(merged.squares, n, out=np.full(n.shape, np.nan), where=some))
    middle = median.reshape(n.shape)
    total = np.broadcast_to(merged.pixels, n.shape)
    nothing = np.full(n.shape, np.nan)
    columns = {
        "mean_power": mean,
        "mean_db": to_db(mean),
        "median_db": to_db(middle),
        "std_power": std,
        "n_pixels": n,
        "valid_fraction": np.divide(n, total, out=np.full(n.shape, np.nan), where=total > 0),
        "looks": np.divide(mean**2, std**2, out=np.full(n.shape, np.nan), where=std > 0),
        "standard_error": np.divide(std, np.sqrt(n), out=np.full(n.shape, np.nan), where=some),
        "smoothed_db": to_db(smooth(mean, days=curve.days, smoothing=curve.smoothing)) if curve else nothing,
        "smoothing_days": np.full(n.shape, curve.smoothing.window) if curve else nothing,
    }
    labels = {
        "date": np.repeat(np.asarray(dates, dtype=object), len(zones)),
        "polarization": polarization,
        "zone": np.tile(np.asarray(zones, dtype=object), len(dates)),
    }
    return pd.DataFrame({**labels, **{name: values.reshape(-1) for name, values in columns.items()}})


def to_db(power: np.ndarray) -> np.ndarray:
    """10 log10 of linear power, dB; NaN where power is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decibel: np.ndarray = np.where(power > 0, 10.0 * np.log10(power), np.nan).astype(power.dtype)
    return decibel


def rows(power: np.ndarray, *, inside: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Values of each time step and zone (zones run fastest), with data or without; parameters as in `first_look`."""
    for step in np.ascontiguousarray(power, dtype=np.float32):
        flat = step.reshape(-1)
        for indices in inside:
            # ascending indices, each once: as many as pixels are all of them
            yield flat if indices.size == flat.size else flat[indices]
