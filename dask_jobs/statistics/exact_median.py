"""Exact medians of pixels that nobody holds all at once: a radix selection in two looks.

Floats sort as their bits do, if negative ones are turned round. The first look counts the upper 16 bits of every value:
that says which bucket holds the middle value. The second look counts the lower 16 bits of the values in that bucket
alone. Blocks of pixels are looked at apart, only their counts are added up, and sums of integers know no order.
Where the first blocks tell about where the middle will be, later ones keep their values there (`Near`), and need not be
read a second time.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

RADIX = 1 << 16
SIGN = np.uint32(1 << 31)
LOW_BITS = np.uint32(RADIX - 1)
AROUND = 0.01  # share of the values on either side of the expected middle that blocks keep: 2 % of what they read
ROWS_AT_ONCE = 128  # dense rows of 65536 int64 in memory while counts are added up: 64 MB


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Sparse histograms: in row `r` the value `keys[i]` was seen `counts[i]` times, for starts[r] <= i < starts[r + 1].

    Attributes
    ----------
    starts : dims (row + 1,), int64
    keys : dims (entry,), uint16, ascending within a row
    counts : dims (entry,), int64
    """

    starts: np.ndarray
    keys: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[np.ndarray, np.ndarray]]) -> Counts:
        """Histograms from the keys of each row, ascending, below 65536, and how often each was seen."""
        keys, counts, starts = [np.zeros(0, dtype=np.uint16)], [np.zeros(0, dtype=np.int64)], [0]
        for seen, times in rows:
            keys.append(seen.astype(np.uint16, copy=False))
            counts.append(times.astype(np.int64, copy=False))
            starts.append(starts[-1] + seen.size)
        return cls(starts=np.asarray(starts), keys=np.concatenate(keys), counts=np.concatenate(counts))

    def add_to(self, dense: np.ndarray, *, first: int) -> None:
        """Add rows first, first + 1, ... to `dense`, dims (row, 65536), int64."""
        for row in range(dense.shape[0]):
            part = slice(self.starts[first + row], self.starts[first + row + 1])
            dense[row, self.keys[part]] += self.counts[part]

    def arrays(self) -> dict[str, np.ndarray]:
        """Fields by name, to be packed beside others; `Counts(**arrays)` restores them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def to_bytes(self) -> bytes:
        """NumPy's `.npz`; `from_bytes` restores it."""
        return pack(self.arrays())

    @classmethod
    def from_bytes(cls, data: bytes) -> Counts:
        """Histograms from what `to_bytes` gave."""
        return cls(**unpack(data))


@dataclass(frozen=True, kw_only=True)
class Middles:
    """Where the two middle values of each row stand (twice the same for an odd number of values), or two others.

    Attributes
    ----------
    bucket : dims (2, row), int32, upper 16 bits of the lower and the upper middle value; -1 where the row has no value
    rank : dims (2, row), int64, 0-based rank within that bucket
    """

    bucket: np.ndarray
    rank: np.ndarray


Blocks = Callable[[], Iterator[Counts]]
"""Counts of every block, from the start again at each call: they are read a few rows at a time, never all at once."""


def upper_counts(rows: Iterable[np.ndarray]) -> Counts:
    """Histograms of the upper 16 bits of each row's values (float32; those that are not finite are passed over)."""
    from dask_jobs.statistics.row_kernels import count_upper

    histogram = np.zeros(RADIX, dtype=np.int32)
    return Counts.of(count_upper(np.ascontiguousarray(values, dtype=np.float32), histogram) for values in rows)


def middles(count: np.ndarray, *, blocks: Blocks) -> Middles:
    """Buckets that hold the middle values.

    Parameters
    ----------
    count : dims (row,), int64, values of each row over all blocks
    blocks : `upper_counts` of each block
    """
    return places(count, wanted=np.stack([(count - 1) // 2, count // 2]), blocks=blocks)


def places(count: np.ndarray, *, wanted: np.ndarray, blocks: Blocks) -> Middles:
    """Buckets that hold the values of two wanted ranks; parameters as in `middles`.

    Parameters
    ----------
    wanted : dims (2, row), int64, 0-based, ascending, below `count` where that is not 0
    """
    bucket, rank = np.full(wanted.shape, -1, dtype=np.int32), np.zeros(wanted.shape, dtype=np.int64)
    for first, dense in _dense(blocks, rows=count.size):
        some = first + np.flatnonzero(count[first : first + len(dense)])
        for row in some:
            for k in range(2):
                bucket[k, row], rank[k, row] = _find(dense[row - first], wanted[k, row])
    return Middles(bucket=bucket, rank=rank)


@dataclass(frozen=True, kw_only=True)
class Near:
    """Values of a block that lie where the middle of each row was expected when the block was looked at.

    Attributes
    ----------
    bucket : dims (2, row), int32, first and last bucket of which all values are here; the last is -1 for none
    starts : dims (row + 1,), int64; row `r` is values[starts[r] : starts[r + 1]]
    values : dims (value,), float32
    """

    bucket: np.ndarray
    starts: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[np.ndarray], *, bucket: np.ndarray) -> Near:
        """What of each row (float32) lies in its buckets."""
        from dask_jobs.statistics.row_kernels import values_between

        found = [values_between(values, *where) for values, where in zip(rows, bucket.T.tolist(), strict=True)]
        starts = np.cumsum([0, *(values.size for values in found)], dtype=np.int64)
        return cls(bucket=bucket, starts=starts, values=np.concatenate([np.zeros(0, dtype=np.float32), *found]))

    def row(self, row: int) -> np.ndarray:
        """Values of one row."""
        return self.values[self.starts[row] : self.starts[row + 1]]

    def hold(self, found: Middles) -> np.ndarray:
        """Whether all values in the middle buckets of a row are here, dims (row,), bool; so where a row has no value."""
        inside = (self.bucket[0] <= found.bucket[0]) & (found.bucket[1] <= self.bucket[1])
        held: np.ndarray = inside | (found.bucket[0] < 0)
        return held

    def to_bytes(self) -> bytes:
        """NumPy's `.npz`, not compressed: what is here is mostly noise. `from_bytes` restores it."""
        packed = io.BytesIO()
        np.savez(packed, bucket=self.bucket, starts=self.starts, values=self.values)
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Near:
        """Values from what `to_bytes` gave."""
        return cls(**unpack(data))


def expected_middles(count: np.ndarray, *, blocks: Blocks) -> np.ndarray:
    """Buckets in which the middles of all blocks are expected by those that were seen, for `Near`; parameters as in `middles`.

    Whatever they are, medians stay exact: where the middle lies elsewhere, the block is read again.
    """
    last = np.maximum(count - 1, 0)
    around = np.stack([np.floor((0.5 - AROUND) * last), np.ceil((0.5 + AROUND) * last)]).astype(np.int64)
    return places(count, wanted=around, blocks=blocks).bucket


def lower_counts(rows: Iterable[np.ndarray], *, found: Middles) -> Counts:
    """Histograms of the lower 16 bits of the values in the middle buckets: rows 2r and 2r + 1 for row r.

    Row 2r + 1 is empty where both middle values of row r lie in one bucket.
    """
    from dask_jobs.statistics.row_kernels import values_between

    def keys(values: np.ndarray, *, bucket: int) -> tuple[np.ndarray, np.ndarray]:
        seen, times = np.unique(_ordered(values_between(values, bucket, bucket)) & LOW_BITS, return_counts=True)
        return seen, times

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nothing = np.zeros(0, dtype=np.float32)
        for values, (low, high) in zip(rows, found.bucket.T.tolist(), strict=True):
            ready = np.ascontiguousarray(values if low >= 0 else nothing, dtype=np.float32)
            yield keys(ready, bucket=low)
            yield keys(ready if high != low else nothing, bucket=high)

    return Counts.of(pairs())


def medians(found: Middles, *, blocks: Blocks) -> np.ndarray:
    """Median of each row, dims (row,), float64: the mean of the two middle values, as `np.median`; NaN without values.

    Parameters
    ----------
    blocks : `lower_counts` of each block
    """
    values = found_values(found, blocks=blocks)
    middle: np.ndarray = (values[0] + values[1]) / 2
    return middle


def found_values(found: Middles, *, blocks: Blocks) -> np.ndarray:
    """The two values of each row, dims (2, row), float64; NaN where the row has none. Parameters as in `medians`."""
    rows = found.bucket.shape[1]
    lower = np.zeros((2, rows), dtype=np.uint32)
    for first, dense in _dense(blocks, rows=2 * rows):
        for i in range(len(dense)):
            row, second = divmod(first + i, 2)
            same = found.bucket[0, row] == found.bucket[1, row]
            # the even row serves both middle values where they share a bucket
            for k in ((0, 1) if same else (0,)) if second == 0 else (() if same else (1,)):
                lower[k, row], _ = _find(dense[i], found.rank[k, row])
    upper = np.maximum(found.bucket, 0).astype(np.uint32) << np.uint32(16)
    values = _unordered(upper | lower).astype(np.float64)
    return np.where(found.bucket >= 0, values, np.nan)


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as NumPy's `.npz`, compressed."""
    packed = io.BytesIO()
    # not np.savez_compressed: its level 6 takes three times as long for a tenth less
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as members:
        for name, array in arrays.items():
            with members.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return packed.getvalue()


def unpack(data: bytes, *, only: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Arrays by name from what `pack` gave; `only` these where some are named."""
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        return {name: packed[name] for name in (only or packed)}


def _dense(blocks: Blocks, *, rows: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row and summed histograms of a few rows at a time, dims (row, 65536), int64."""
    for first in range(0, rows, ROWS_AT_ONCE):
        dense = np.zeros((min(ROWS_AT_ONCE, rows - first), RADIX), dtype=np.int64)
        for block in blocks():
            block.add_to(dense, first=first)
        yield first, dense


def _find(histogram: np.ndarray, rank: int) -> tuple[int, int]:
    """Key that holds the value of that rank, and the rank among the values of the key."""
    cumulative = np.cumsum(histogram)
    key = min(int(np.searchsorted(cumulative, rank, side="right")), RADIX - 1)
    return key, int(rank - cumulative[key] + histogram[key])


def _ordered(values: np.ndarray) -> np.ndarray:
    """Bits of float32 values, uint32, that sort as the values do."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _unordered(keys: np.ndarray) -> np.ndarray:
    return np.where(keys & SIGN, keys & ~SIGN, ~keys).astype(np.uint32).view(np.float32)
