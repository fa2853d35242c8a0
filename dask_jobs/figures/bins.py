"""Values counted in bins of one width: what a histogram shows, and what a stretch is found from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Bins = tuple[float, float, float]
"""First edge, last edge and width."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often values occur.

    Attributes
    ----------
    start, width : of the first bin, in the unit of the values
    counts : dims (bin,), int64
    below, above : values outside of all bins
    """

    start: float
    width: float
    counts: np.ndarray
    below: int
    above: int

    @classmethod
    def empty(cls, bins: Bins) -> Histogram:
        """No values yet; `bins` is (first edge, last edge, width)."""
        number = round((bins[1] - bins[0]) / bins[2])
        return cls(start=bins[0], width=bins[2], counts=np.zeros(number, dtype=np.int64), below=0, above=0)

    @property
    def total(self) -> int:
        """Number of values, those outside of the bins included."""
        return int(self.counts.sum()) + self.below + self.above

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bins, one more than counts."""
        return self.start + self.width * np.arange(self.counts.size + 1)

    def of(self, values: np.ndarray) -> Histogram:
        """The same bins, these finite values added."""
        index = np.floor((values.astype(np.float64) - self.start) / self.width)
        inside = index[(index >= 0) & (index < self.counts.size)].astype(np.int64)
        counts = self.counts + np.bincount(inside, minlength=self.counts.size)
        below, above = int((index < 0).sum()), int((index >= self.counts.size).sum())
        return Histogram(
            start=self.start, width=self.width, counts=counts, below=self.below + below, above=self.above + above
        )

    def plus(self, other: Histogram) -> Histogram:
        """Both together; their bins are the same."""
        return Histogram(
            start=self.start,
            width=self.width,
            counts=self.counts + other.counts,
            below=self.below + other.below,
            above=self.above + other.above,
        )

    def percentile(self, percent: float) -> float | None:
        """Value below which that many per cent lie, to the width of a bin; None without values."""
        if not self.total:
            return None
        sums = self.below + np.cumsum(self.counts)
        index = int(np.searchsorted(sums, percent / 100 * self.total))
        return float(self.start + self.width * min(index + 0.5, self.counts.size))
