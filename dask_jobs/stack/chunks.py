"""Chunks of a store read and written without zarr's detours: it takes three times as long to read, and twice to write.

Zarr asks for each chunk by itself and unpacks it into an array of its own, which costs more than reading and unpacking;
chunks of many steps are fetched here in one call and unpacked where they belong. An array that is packed otherwise than
ours are is read and written through zarr.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from dask_jobs.stack.shards import index_size, parse_index, shard_of
from infra.grid import Window

if TYPE_CHECKING:
    import zarr

SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
KNOWN_INDEXES = 16384  # of shards, in memory: a few megabytes


def read_steps(array: zarr.Array[Any], steps: Sequence[int] | np.ndarray, window: Window) -> np.ndarray:
    """Some steps of an array of dims (step, y, x), in that order, within a window: dims (step, y, x).

    Parameters
    ----------
    array : of a store whose chunks hold one step

    Raises
    ------
    StateError
        If the index of a shard is damaged.
    """
    steps = np.asarray(steps, dtype=np.int64)
    objects = _Objects.of(array)
    if objects is None or not steps.size:
        return np.asarray(array.get_orthogonal_selection((steps, *window.slices)))
    from zarr.core.sync import sync

    return np.asarray(sync(_read(array, objects, steps, window)))


def write_step(array: zarr.Array[Any], step: int, window: Window, values: np.ndarray) -> None:
    """Write a window of one step of an array of dims (step, y, x).

    Parameters
    ----------
    window : of whole shards (of whole chunks, where the array has no shards), but for those that the array's edges cut
    values : dims (y, x); a chunk of no data alone is not written

    Raises
    ------
    ValueError
        If the window begins within an object.
    """
    objects = _Objects.of(array)
    if objects is None:
        array[(step, *window.slices)] = values
        return
    from zarr.core.sync import sync

    sync(_write(array, objects, step, window, values))


class _Side(NamedTuple):
    """Pixels along y and x."""

    height: int
    width: int

    def touched(self, window: Window) -> Iterator[Window]:
        """Every tile of this size, on the lattice that begins at the first pixel, that a window meets."""
        for row in range(window.row // self.height, (window.row + window.height - 1) // self.height + 1):
            for col in range(window.col // self.width, (window.col + window.width - 1) // self.width + 1):
                yield Window(row * self.height, col * self.width, self.height, self.width)


@dataclass(frozen=True, kw_only=True)
class _Objects:
    """How an array lies in objects: each holds a chunk of one step, or a shard of many chunks with their index.

    Attributes
    ----------
    sharded : whether there is an index, though of one chunk
    codec : Blosc, of every chunk
    """

    prefix: str
    chunk: _Side
    shard: _Side
    sharded: bool
    codec: Any

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> Self | None:
        """None where chunks do not hold one step, of bytes that are little-endian and packed by Blosc."""
        from zarr.codecs import ShardingCodec

        chunk, codecs = tuple(array.chunks), tuple(getattr(array.metadata, "codecs", ()))
        shard, sharded = chunk, False
        if len(codecs) == 1 and isinstance(codecs[0], ShardingCodec) and _is_default(codecs[0]):
            shard, sharded, codecs = tuple(array.shards or chunk), True, tuple(codecs[0].codecs)
        separator = getattr(getattr(array.metadata, "chunk_key_encoding", None), "separator", "")
        if chunk[0] != 1 or shard[0] != 1 or separator != "/" or not _is_blosc(codecs):
            return None
        return cls(
            prefix=f"{array.path}/c" if array.path else "c",
            chunk=_Side(*chunk[1:]),
            shard=_Side(*shard[1:]),
            sharded=sharded,
            codec=codecs[1],
        )

    def key(self, step: int, shard: Window) -> str:
        """Of an object."""
        return f"{self.prefix}/{step}/{shard.row // self.shard.height}/{shard.col // self.shard.width}"

    def place(self, chunk: Window, shard: Window) -> int:
        """Number of a chunk in its shard."""
        row, col = (chunk.row - shard.row) // self.chunk.height, (chunk.col - shard.col) // self.chunk.width
        return row * (self.shard.width // self.chunk.width) + col

    @property
    def chunks(self) -> int:
        """Of a shard."""
        return (self.shard.height // self.chunk.height) * (self.shard.width // self.chunk.width)

    def pack(self, values: np.ndarray) -> bytes:
        """A chunk as it is stored."""
        from numcodecs import blosc

        packed: bytes = blosc.compress(
            np.ascontiguousarray(values),
            self.codec.cname.value.encode(),
            self.codec.clevel,
            SHUFFLES[self.codec.shuffle.value],
        )
        return packed


def _is_blosc(codecs: Sequence[Any]) -> bool:
    from zarr.codecs import BloscCodec, BytesCodec

    return (
        len(codecs) == 2
        and isinstance(codecs[0], BytesCodec)
        and getattr(codecs[0].endian, "value", "little") == "little"
        and isinstance(codecs[1], BloscCodec)
    )


def _is_default(sharding: Any) -> bool:
    """Whether the index is at the end, with a checksum."""
    from zarr.codecs import BytesCodec, Crc32cCodec

    kinds = tuple(type(codec) for codec in sharding.index_codecs)
    return sharding.index_location.value == "end" and kinds == (BytesCodec, Crc32cCodec)


async def _read(array: zarr.Array[Any], objects: _Objects, steps: np.ndarray, window: Window) -> np.ndarray:
    from numcodecs import blosc

    chunk = objects.chunk
    found = np.full((len(steps), window.height, window.width), array.fill_value, dtype=array.dtype)
    spare = np.empty(chunk, dtype=array.dtype)
    for shard in objects.shard.touched(window):
        keys = [objects.key(step, shard) for step in steps]
        indexes = await _indexes(array.store, keys, objects) if objects.sharded else None
        for _, row in groupby(chunk.touched(shard.intersect(window)), key=lambda tile: tile.row):
            tiles = {objects.place(tile, shard): tile for tile in row}
            async for step, place, content in _chunks(array.store, keys, indexes, list(tiles)):
                tile = tiles[place]
                part = tile.intersect(window)
                inner = Window(part.row - tile.row, part.col - tile.col, part.height, part.width).slices
                outer = Window(part.row - window.row, part.col - window.col, part.height, part.width).slices
                if (part.height, part.width) == tuple(chunk) and window.width == chunk.width:
                    blosc.decompress(content, found[(step, *outer)])  # its rows follow one another there too
                else:
                    blosc.decompress(content, spare)
                    found[(step, *outer)] = spare[inner]
    return found


class _Span(NamedTuple):
    """Bytes of an object that are read in one go, and the (place, offset, length) of each chunk in it."""

    object: int
    start: int
    end: int
    chunks: tuple[tuple[int, int, int], ...]


def _spans(number: int, index: np.ndarray, places: list[int]) -> list[_Span]:
    """Where chunks lie in a shard; those that follow one another lie in one span."""
    spans: list[_Span] = []
    for place in places:
        offset, length = (int(value) for value in index[place])
        if not length:
            continue
        one = (place, offset, length)
        if spans and spans[-1].end == offset:
            spans[-1] = spans[-1]._replace(end=offset + length, chunks=(*spans[-1].chunks, one))
        else:
            spans.append(_Span(number, offset, offset + length, (one,)))
    return spans


async def _chunks(
    store: Any, keys: list[str], indexes: list[np.ndarray | None] | None, places: list[int]
) -> AsyncIterator[tuple[int, int, np.ndarray]]:
    """`(number of the object, place in it, content)` of each of some chunks that was written."""
    from zarr.abc.store import RangeByteRequest

    if indexes is None:
        for number, content in enumerate(await _fetch(store, [(key, None) for key in keys])):
            if content is not None:
                yield number, places[0], content.as_numpy_array()
        return
    spans = [span for n, index in enumerate(indexes) if index is not None for span in _spans(n, index, places)]
    read = await _fetch(store, [(keys[span.object], RangeByteRequest(span.start, span.end)) for span in spans])
    for span, content in zip(spans, read, strict=True):
        data = content.as_numpy_array()
        for place, offset, length in span.chunks:
            yield span.object, place, data[offset - span.start : offset - span.start + length]


_KNOWN: dict[tuple[str, str], np.ndarray | None] = {}
"""Indexes of shards by the commit that they were read at and their key: blocks that share a shard read it once."""


async def _indexes(store: Any, keys: list[str], objects: _Objects) -> list[np.ndarray | None]:
    """Index of each shard; None where nothing was written."""
    from zarr.abc.store import SuffixByteRequest

    commit = _commit(store)
    known = {key: _KNOWN[commit, key] for key in keys if commit and (commit, key) in _KNOWN}
    unknown = [key for key in keys if key not in known]
    tail = SuffixByteRequest(index_size(objects.chunks))
    read = await _fetch(store, [(key, tail) for key in unknown]) if unknown else []
    for key, content in zip(unknown, read, strict=True):
        known[key] = None if content is None else parse_index(content.to_bytes(), name=key)
    if commit and unknown:
        if len(_KNOWN) + len(unknown) > KNOWN_INDEXES:
            _KNOWN.clear()
        _KNOWN.update({(commit, key): known[key] for key in unknown})
    return [known[key] for key in keys]


def _commit(store: Any) -> str | None:
    """What a store's content is known by; None where it may change."""
    session = getattr(store, "session", None)
    return str(session.snapshot_id) if session is not None and session.read_only else None


async def _fetch(store: Any, requests: list[tuple[str, Any]]) -> list[Any]:
    """Content of each (key, range); None where nothing was written."""
    import asyncio

    from zarr.core.buffer import default_buffer_prototype

    prototype = default_buffer_prototype()
    try:
        found: list[Any] = await store.get_partial_values(prototype, requests)
    except TypeError:  # Icechunk's way to say that one of them is not there; asked one by one it says which
        found = list(await asyncio.gather(*(store.get(key, prototype, part) for key, part in requests)))
    return found


async def _write(array: zarr.Array[Any], objects: _Objects, step: int, window: Window, values: np.ndarray) -> None:
    import asyncio

    from zarr.core.buffer import default_buffer_prototype

    if window.row % objects.shard.height or window.col % objects.shard.width:
        raise ValueError(f"{window} does not begin at an object of {objects.shard}")
    buffer = default_buffer_prototype().buffer
    writing = []
    for shard in objects.shard.touched(window):
        packed = [
            _packed(tile, window, values, fill=array.fill_value, dtype=array.dtype, objects=objects)
            for tile in objects.chunk.touched(shard)
        ]
        if any(packed):
            content = shard_of(packed) if objects.sharded else packed[0]
            writing.append(array.store.set(objects.key(step, shard), buffer.from_bytes(content)))
    await asyncio.gather(*writing)


def _packed(
    tile: Window, window: Window, values: np.ndarray, *, fill: Any, dtype: np.dtype[Any], objects: _Objects
) -> bytes:
    """A chunk as it is stored; nothing where there is no data in it."""
    part = tile.intersect(window)
    if not (part.height and part.width):
        return b""
    inner = Window(part.row - window.row, part.col - window.col, part.height, part.width).slices
    chunk = np.asarray(values[inner], dtype=dtype)
    if _is_nothing(chunk, fill):
        return b""
    if chunk.shape != tuple(objects.chunk):
        whole = np.full(objects.chunk, fill, dtype=dtype)
        whole[: part.height, : part.width] = chunk
        chunk = whole
    return objects.pack(chunk)


def _is_nothing(chunk: np.ndarray, fill: Any) -> bool:
    nothing = np.isnan(chunk) if chunk.dtype.kind == "f" and np.isnan(fill) else chunk == fill
    return bool(nothing.all())
