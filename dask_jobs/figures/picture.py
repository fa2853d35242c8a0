"""A raster made small enough to be drawn: averaged in power, or as whatever it is, over the pixels with data."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np

from infra.grid import Grid, Window

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A raster of few pixels, each the mean of those of a larger one.

    Attributes
    ----------
    values : dims (y, x), float32; NaN where no pixel has data
    count : dims (y, x), uint32, pixels with data in each mean
    grid : of `values`; the last row and column may reach over the raster's edge
    bounds : of the raster itself: (left, bottom, right, top), CRS units
    """

    values: np.ndarray
    count: np.ndarray
    grid: Grid
    bounds: Bounds

    @property
    def empty(self) -> bool:
        """Whether no pixel has data."""
        return not bool((self.count > 0).any())

    def in_db(self) -> Picture:
        """The same in dB: 10 log10 of each mean; no data where it is not positive."""
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(self.values > 0, 10 * np.log10(self.values), np.nan).astype(np.float32)
        return replace(self, values=values)

    def at_most(self, longest: int) -> Picture:
        """The same raster with at most `longest` pixels per side: the very means of all its pixels, weighted by count."""
        if max(self.values.shape) <= longest:
            return self
        averager = Averager(self.grid, longest=longest)
        averager.add(self.grid.full, self.values, weight=self.count)
        return replace(averager.picture(), bounds=self.bounds)

    def to_bytes(self) -> bytes:
        """NumPy's `.npz` of values and count; `from_bytes` restores the picture."""
        stream = io.BytesIO()
        np.savez_compressed(stream, values=self.values, count=self.count)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, *, grid: Grid, longest: int) -> Picture:
        """Picture that was made of a raster on `grid` with `longest` pixels at most."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            values, count = arrays["values"], arrays["count"]
        return cls(values=values, count=count, grid=coarser(grid, longest=longest), bounds=grid.bounds)


class Averager:
    """Sums of a raster that comes window by window, on the coarser grid of a picture.

    Parameters
    ----------
    grid : of the raster
    longest : pixels of the picture's longer side at most
    """

    def __init__(self, grid: Grid, *, longest: int) -> None:
        self._whole, self.grid = grid, coarser(grid, longest=longest)
        self._factor = _factor(grid, longest=longest)
        self._total = np.zeros(self.grid.shape, dtype=np.float64)
        self._count = np.zeros(self.grid.shape, dtype=np.uint32)

    def add(self, window: Window, values: np.ndarray, *, weight: np.ndarray | None = None) -> None:
        """Add the pixels of a window, dims (y, x); not finite is no data. `weight` is pixels that each stands for."""
        some = np.isfinite(values)
        n = some.astype(np.uint32) if weight is None else np.where(some, weight, 0).astype(np.uint32)
        total = np.where(some, values, 0).astype(np.float64)
        if weight is not None:
            total *= n
        rows, first_row = self._cuts(window.row, window.height)
        cols, first_col = self._cuts(window.col, window.width)
        for sums, add in ((self._total, total), (self._count, n)):
            part = np.add.reduceat(np.add.reduceat(add, rows, axis=0), cols, axis=1)
            sums[first_row : first_row + part.shape[0], first_col : first_col + part.shape[1]] += part

    def picture(self) -> Picture:
        """Means of what was added."""
        nothing = np.full(self.grid.shape, np.nan)
        mean = np.divide(self._total, self._count, out=nothing, where=self._count > 0)
        return Picture(values=mean.astype(np.float32), count=self._count, grid=self.grid, bounds=self._whole.bounds)

    def _cuts(self, start: int, length: int) -> tuple[np.ndarray, int]:
        """Where coarse pixels begin within a window, and the first of them."""
        first, last = start // self._factor, (start + length - 1) // self._factor
        begins = np.arange(first, last + 1) * self._factor - start
        return np.maximum(begins, 0), first


def coarser(grid: Grid, *, longest: int) -> Grid:
    """Grid whose pixels are the fewest whole squares of `grid`'s that leave at most `longest` per side."""
    factor = _factor(grid, longest=longest)
    return replace(
        grid,
        dx=grid.dx * factor,
        dy=grid.dy * factor,
        height=-(-grid.height // factor),
        width=-(-grid.width // factor),
    )


def _factor(grid: Grid, *, longest: int) -> int:
    return -(-max(grid.shape) // longest)
