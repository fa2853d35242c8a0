"""Chunks of a store read and written without zarr's detours: it takes three times as long to read, and twice to write.

Zarr asks for each chunk by itself and unpacks it into an array of its own, which costs more than reading and unpacking;
chunks of many steps are fetched here in one call and unpacked where they belong. An array that is packed otherwise than
ours are is read and written through zarr.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infra.grid import Window

if TYPE_CHECKING:
    import zarr

SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


def read_steps(array: zarr.Array[Any], steps: Sequence[int] | np.ndarray, window: Window) -> np.ndarray:
    """Some steps of an array of dims (step, y, x), in that order, within a window: dims (step, y, x).

    Parameters
    ----------
    array : of a store whose chunks hold one step
    """
    steps = np.asarray(steps, dtype=np.int64)
    if not steps.size or not _is_ours(array):
        return np.asarray(array.get_orthogonal_selection((steps, *window.slices)))
    from zarr.core.sync import sync

    return np.asarray(sync(_read(array, steps, window)))


def write_step(array: zarr.Array[Any], step: int, window: Window, values: np.ndarray) -> None:
    """Write a window of one step of an array of dims (step, y, x).

    Parameters
    ----------
    window : of whole chunks, but for those that the array's edges cut
    values : dims (y, x); a chunk of no data alone is not written
    """
    if not _is_ours(array):
        array[(step, *window.slices)] = values
        return
    from zarr.core.sync import sync

    sync(_write(array, step, window, values))


def _is_ours(array: zarr.Array[Any]) -> bool:
    """Whether chunks hold one step, of bytes that are little-endian and packed by Blosc."""
    from zarr.codecs import BloscCodec, BytesCodec

    codecs: Sequence[Any] = getattr(array.metadata, "codecs", ())
    return (
        _chunk_steps(array) == 1
        and len(codecs) == 2
        and isinstance(codecs[0], BytesCodec)
        and getattr(codecs[0].endian, "value", "little") == "little"
        and isinstance(codecs[1], BloscCodec)
        and getattr(array.metadata.chunk_key_encoding, "separator", "") == "/"  # type: ignore[union-attr] # of version 3
    )


def _chunk_steps(array: zarr.Array[Any]) -> int:
    chunks: Sequence[int] = array.chunks
    return chunks[0]


def _chunk_shape(array: zarr.Array[Any]) -> tuple[int, int]:
    """Height and width of a chunk."""
    chunks: Sequence[int] = array.chunks
    return chunks[1], chunks[2]


async def _read(array: zarr.Array[Any], steps: np.ndarray, window: Window) -> np.ndarray:
    from numcodecs import blosc

    height, width = _chunk_shape(array)
    found = np.full((len(steps), window.height, window.width), array.fill_value, dtype=array.dtype)
    chunk = np.empty((height, width), dtype=array.dtype)
    prefix = f"{array.path}/c" if array.path else "c"
    for row, col in _touched(window, height, width):
        packed = await _fetch(array.store, [f"{prefix}/{step}/{row}/{col}" for step in steps])
        part = Window(row * height, col * width, height, width).intersect(window)
        inner = Window(part.row - row * height, part.col - col * width, part.height, part.width).slices
        outer = Window(part.row - window.row, part.col - window.col, part.height, part.width).slices
        whole = (window.height, window.width) == (part.height, part.width) == (height, width)
        for place, content in zip(found, packed, strict=True):
            if content is None:  # nothing was ever written there
                continue
            blosc.decompress(content.as_numpy_array(), place if whole else chunk)
            if not whole:
                place[outer] = chunk[inner]
    return found


async def _fetch(store: Any, keys: list[str]) -> list[Any]:
    """Content of each key; None where nothing was written."""
    import asyncio

    from zarr.core.buffer import default_buffer_prototype

    prototype = default_buffer_prototype()
    try:
        found: list[Any] = await store.get_partial_values(prototype, [(key, None) for key in keys])
    except TypeError:  # Icechunk's way to say that one of them is not there; asked one by one it says which
        found = list(await asyncio.gather(*(store.get(key, prototype) for key in keys)))
    return found


def _touched(window: Window, height: int, width: int) -> Iterator[tuple[int, int]]:
    """(row, column) of every chunk that a window meets."""
    for row in range(window.row // height, (window.row + window.height - 1) // height + 1):
        for col in range(window.col // width, (window.col + window.width - 1) // width + 1):
            yield row, col


async def _write(array: zarr.Array[Any], step: int, window: Window, values: np.ndarray) -> None:
    import asyncio

    from numcodecs import blosc
    from zarr.core.buffer import default_buffer_prototype

    height, width = _chunk_shape(array)
    if window.row % height or window.col % width:
        raise ValueError(f"{window} does not begin at a chunk of {height} x {width}")
    codec: Any = array.metadata.codecs[1]  # type: ignore[union-attr] # of version 3, as `_is_ours` has seen
    buffer = default_buffer_prototype().buffer
    prefix = f"{array.path}/c/{step}" if array.path else f"c/{step}"
    writing = []
    for row, col in _touched(window, height, width):
        part = Window(row * height, col * width, height, width).intersect(window)
        inner = Window(part.row - window.row, part.col - window.col, part.height, part.width).slices
        chunk = np.asarray(values[inner], dtype=array.dtype)
        if _is_nothing(chunk, array.fill_value):
            continue
        if chunk.shape != (height, width):
            whole = np.full((height, width), array.fill_value, dtype=array.dtype)
            whole[: part.height, : part.width] = chunk
            chunk = whole
        packed = blosc.compress(
            np.ascontiguousarray(chunk), codec.cname.value.encode(), codec.clevel, SHUFFLES[codec.shuffle.value]
        )
        writing.append(array.store.set(f"{prefix}/{row}/{col}", buffer.from_bytes(packed)))
    await asyncio.gather(*writing)


def _is_nothing(chunk: np.ndarray, fill: Any) -> bool:
    nothing = np.isnan(chunk) if chunk.dtype.kind == "f" and np.isnan(fill) else chunk == fill
    return bool(nothing.all())
