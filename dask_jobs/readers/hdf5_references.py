"""Where the chunks of an HDF5 array lie in its file: read once per file and process, then no pixel needs the HDF5 library."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.readers.ranged_file import RangedFile, place_of
from infra.errors import InputError
from infra.grid import CONGRUENT, Grid

if TYPE_CHECKING:
    from infra.storage import Location, S3Options

TABLE_BYTES = 64 * 2**20  # of references kept in a process: 800 arrays of 5000 chunks
OPEN_FILES = 4  # whose metadata is kept besides: the other arrays of a file that is just being read
PACKINGS = {1: "zlib", 2: "shuffle"}  # filter numbers of the HDF5 library; as NISAR's products are packed
REMEDY = "Take the file out of `path`."
FRESH_SECONDS = 600.0  # after that storage is reached anew, with the keys of that moment


@dataclass(frozen=True, kw_only=True)
class ChunkTable:
    """Chunks of one array with dims (y, x).

    Attributes
    ----------
    offsets, lengths : dims (chunk row, chunk column), int64; bytes in the file; length 0 where a chunk was never written
    chunk, shape : pixels
    dtype : of the pixels, with byte order
    packing : "shuffle" and "zlib", in the order of writing
    fill : value of what was never written
    origin : first y and x coordinate; None where the array has none attached
    version : of the file: size and ETag
    """

    offsets: np.ndarray
    lengths: np.ndarray
    chunk: tuple[int, int]
    shape: tuple[int, int]
    dtype: str
    packing: tuple[str, ...]
    fill: float
    origin: tuple[float, float] | None
    version: tuple[int, str | None]

    def check_grid(self, url: str, grid: Grid) -> None:
        """Refuse a file that is not on the grid that it was planned with.

        Raises
        ------
        InputError
            If size or place differ.
        """
        moved = False
        if self.origin is not None:
            y, x = self.origin[0] + grid.dy / 2, self.origin[1] - grid.dx / 2
            moved = abs(y - grid.top) > CONGRUENT * grid.dy or abs(x - grid.left) > CONGRUENT * grid.dx
        if self.shape != grid.shape or moved:
            raise InputError(
                f"{url} has changed: it is not on the grid that it was planned with", "Plan and run again."
            )


def read_table(file: RangedFile, dataset: str) -> ChunkTable:
    """Chunks of an array of a file; metadata only.

    Raises
    ------
    InputError
        If there is no such array with dims (y, x) of real numbers in chunks, or it is packed in a way that is not known here.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    return file.answer(lambda opened: _table(file, opened, dataset))


def _table(file: RangedFile, opened: Any, dataset: str) -> ChunkTable:
    array = opened.get(dataset)
    _check_array(file.url, dataset, array)
    packing = _packing(file.url, dataset, array)
    counts = tuple(-(-n // side) for n, side in zip(array.shape, array.chunks, strict=True))
    offsets, lengths = np.zeros(counts, dtype=np.int64), np.zeros(counts, dtype=np.int64)
    odd: list[tuple[int, ...]] = []

    def note(chunk: Any) -> None:
        at = tuple(first // side for first, side in zip(chunk.chunk_offset, array.chunks, strict=True))
        offsets[at], lengths[at] = chunk.byte_offset, chunk.size
        if chunk.filter_mask:
            odd.append(chunk.chunk_offset)

    array.id.chunk_iter(note)
    if odd:
        raise InputError(f"{file.url}: the chunk of {dataset} at {odd[0]} is not packed as the others are", REMEDY)
    scales = [list(dim.values()) for dim in array.dims]
    return ChunkTable(
        offsets=offsets,
        lengths=lengths,
        chunk=array.chunks,
        shape=array.shape,
        dtype=array.dtype.str,
        packing=packing,
        fill=float(array.fillvalue),
        origin=(float(scales[0][0][0]), float(scales[1][0][0])) if all(s and s[0].size for s in scales) else None,
        version=file.version,
    )


def _check_array(url: str, dataset: str, array: Any) -> None:
    if array is None or not hasattr(array, "chunks"):
        raise InputError(f"{url} has no array {dataset}", REMEDY)
    if array.ndim != len("yx") or array.dtype.kind not in "fiu":
        raise InputError(
            f"{url}: {dataset} has {array.ndim} dimensions of {array.dtype}, not 2 of real numbers", REMEDY
        )
    if array.chunks is None:
        raise InputError(
            f"{url}: {dataset} is not stored in chunks", "Write it in chunks: h5repack -l CHUNK=512x512 IN OUT"
        )


def _packing(url: str, dataset: str, array: Any) -> tuple[str, ...]:
    """Filters of an array, in the order of writing."""
    created = array.id.get_create_plist()
    filters = [created.get_filter(number) for number in range(created.get_nfilters())]
    unknown = [name.decode() or str(code) for code, _, _, name in filters if code not in PACKINGS]
    if unknown:
        raise InputError(
            f"{url}: {dataset} is packed with {unknown[0]}, which is not known here",
            "Pack it again: h5repack -f SHUF -f GZIP=1 IN OUT",
        )
    return tuple(PACKINGS[code] for code, *_ in filters)


class ReferenceCache:
    """Tables of chunks, and the files just read, of one process."""

    def __init__(self) -> None:
        self._tables: OrderedDict[Hashable, ChunkTable] = OrderedDict()
        self._files: OrderedDict[Hashable, tuple[Lock, RangedFile]] = OrderedDict()
        self._places: dict[Location, tuple[float, Location]] = {}
        self._lock = Lock()

    def table(self, url: str, dataset: str, *, s3: S3Options) -> ChunkTable:
        """Chunks of an array; from the file where they are not known yet.

        Raises
        ------
        InputError, CredentialsError, TransientError
            As `read_table`, and if there is no such file.
        """
        key = url, dataset, s3
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        lock, file = self._file(url, s3=s3)
        with lock:
            found = self._tables.get(key) or read_table(file, dataset)
        with self._lock:
            self._tables[key] = found
            while len(self._tables) > 1 and sum(t.offsets.nbytes * 2 for t in self._tables.values()) > TABLE_BYTES:
                self._tables.popitem(last=False)
        return found

    def forget(self, url: str) -> None:
        """Drop all that is known of a file."""
        with self._lock:
            for known in (self._tables, self._files):
                for key in [key for key in known if isinstance(key, tuple) and key[0] == url]:
                    del known[key]

    def place(self, url: str, *, s3: S3Options) -> tuple[Location, str]:
        """Bucket or folder of a file, and its name there; reached with keys that were read ten minutes ago at most."""
        place, name = place_of(url, s3=s3)
        now = time.monotonic()
        with self._lock:
            opened, kept = self._places.get(place, (now, place))
            if now - opened > FRESH_SECONDS:
                opened, kept = now, place
            self._places[place] = opened, kept
        return kept, name

    def _file(self, url: str, *, s3: S3Options) -> tuple[Lock, RangedFile]:
        key = url, s3
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
                return self._files[key]
        file = RangedFile(*self.place(url, s3=s3))
        with self._lock:
            held = self._files.setdefault(key, (Lock(), file))
            while len(self._files) > OPEN_FILES:
                self._files.popitem(last=False)
            return held


@lru_cache(maxsize=1)
def reference_cache() -> ReferenceCache:
    """The cache of this process."""
    return ReferenceCache()
