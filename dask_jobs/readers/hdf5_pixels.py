"""Pixels of a window of an HDF5 array by its chunks' places: only those that the window touches are fetched."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.readers.hdf5_references import ChunkTable, reference_cache
from dask_jobs.readers.ranged_file import AGAIN, changed_file, missing_file
from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    from dask_jobs.scenes import Raster
    from infra.storage import S3Options

GAP = (
    64 * 2**10
)  # bytes between two chunks that are read along rather than asking twice: what comes while a request travels
LONGEST = 8 * 2**20  # bytes of one request: more are asked for side by side
THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """One chunk that a window touches: chunk row and column, and where it lies in the file."""

    row: int
    col: int
    offset: int
    length: int


def read_hdf5(raster: Raster, *, grid: Grid, window: Window, s3: S3Options) -> tuple[np.ndarray, np.ndarray]:
    """Values of a window of `raster.dataset`, and whether each is data; contract as `pixels.read_pixels`."""
    for attempt in ("remembered", "fresh"):
        table = reference_cache().table(raster.url, raster.dataset, s3=s3)
        table.check_grid(raster.url, grid)
        values = _read(raster.url, table, window, s3=s3)
        if values is not None:
            valid = np.ones(values.shape, dtype=bool) if raster.nodata is None else np.asarray(values != raster.nodata)
            return values, valid
        if attempt == "remembered":  # by this process, of an older version of the file
            reference_cache().forget(raster.url)
    raise changed_file(raster.url)


def touched(table: ChunkTable, window: Window) -> list[Chunk]:
    """Chunks that a window touches and that were written, in the order of the file."""
    rows, cols = (
        range(start // side, -(-(start + size) // side))
        for start, size, side in zip(window[:2], window[2:], table.chunk, strict=True)
    )
    found = (
        Chunk(row=i, col=j, offset=int(table.offsets[i, j]), length=int(table.lengths[i, j]))
        for i in rows
        for j in cols
    )
    return sorted((chunk for chunk in found if chunk.length), key=lambda chunk: chunk.offset)


def runs(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks that are fetched together: neighbours in the file, `LONGEST` bytes at most.

    Parameters
    ----------
    chunks : in the order of the file
    """
    run: list[Chunk] = []
    for chunk in chunks:
        end = run[-1].offset + run[-1].length if run else 0
        if run and (chunk.offset - end > GAP or chunk.offset + chunk.length - run[0].offset > LONGEST):
            yield run
            run = []
        run.append(chunk)
    if run:
        yield run


def _read(url: str, table: ChunkTable, window: Window, *, s3: S3Options) -> np.ndarray | None:
    """Values of the window; None where the file is of another version than the table."""
    values = np.full((window.height, window.width), table.fill, dtype=table.dtype)
    groups = list(runs(touched(table, window)))
    place, name = reference_cache().place(url, s3=s3)

    def fetch(group: Sequence[Chunk]) -> bytes | None:
        start = group[0].offset
        length = group[-1].offset + group[-1].length - start
        try:
            return place.read_unchanged(name, start=start, length=length, etag=table.version[1])
        except FileNotFoundError as error:
            raise missing_file(url) from error

    for group, data in _fetched(groups, fetch, threads=THREADS if place.is_s3 else 1):
        if data is None:
            return None
        for chunk in group:
            start = chunk.offset - group[0].offset
            _put(values, window, chunk, _unpack(url, table, data[start : start + chunk.length]))
    return values


def _fetched(
    groups: Sequence[list[Chunk]], fetch: Callable[[Sequence[Chunk]], bytes | None], *, threads: int
) -> Iterator[tuple[list[Chunk], bytes | None]]:
    if threads == 1 or len(groups) < 2:
        yield from ((group, fetch(group)) for group in groups)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="chunks") as pool:
        yield from zip(groups, pool.map(fetch, groups), strict=True)


def _unpack(url: str, table: ChunkTable, data: bytes) -> np.ndarray:
    """Pixels of a chunk, dims (y, x)."""
    try:
        for packing in reversed(table.packing):
            data = zlib.decompress(data) if packing == "zlib" else _unshuffle(data, np.dtype(table.dtype).itemsize)
        return np.frombuffer(data, dtype=table.dtype).reshape(table.chunk)
    except (zlib.error, ValueError) as error:
        raise InputError(f"{url} is damaged: pixels cannot be unpacked: {error}", AGAIN) from error


def _unshuffle(data: bytes, size: int) -> bytes:
    """Bytes of each value side by side again: HDF5 writes all first bytes, then all second ones."""
    return np.frombuffer(data, dtype=np.uint8).reshape(size, -1).T.tobytes()


def _put(values: np.ndarray, window: Window, chunk: Chunk, pixels: np.ndarray) -> None:
    """What of a chunk lies in the window; chunks at the edge are padded beyond it."""
    here = Window(chunk.row * pixels.shape[0], chunk.col * pixels.shape[1], *pixels.shape)
    part = here.intersect(window)
    to = Window(part.row - window.row, part.col - window.col, part.height, part.width).slices
    values[to] = pixels[Window(part.row - here.row, part.col - here.col, part.height, part.width).slices]
