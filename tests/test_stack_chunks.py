"""Chunks and shards are what Zarr says that they are: read and written by us and by zarr-python, either way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from dask_jobs.stack.chunks import read_steps, write_step
from dask_jobs.stack.shards import index_size, parse_index, shard_of
from infra.errors import StateError
from infra.grid import Window

STEPS, HEIGHT, WIDTH, CHUNK, SHARD = 3, 150, 101, 16, 64  # shards and chunks are cut by the edges
FILLS = {"float32": float("nan"), "uint16": 0}
LAYOUTS = pytest.mark.parametrize(
    "shards", [pytest.param(None, id="chunks"), pytest.param((1, SHARD, SHARD), id="shards")]
)
DTYPES = pytest.mark.parametrize("dtype", list(FILLS))


def session(folder: Path) -> icechunk.Session:
    storage = icechunk.local_filesystem_storage(str(folder / "store"))
    return icechunk.Repository.open_or_create(storage).writable_session("main")


def committed(folder: Path, writing: icechunk.Session) -> zarr.Array[Any]:
    writing.commit("written")
    storage = icechunk.local_filesystem_storage(str(folder / "store"))
    return zarr.open_array(icechunk.Repository.open(storage).readonly_session("main").store, path="layer", mode="r")


def empty(writing: icechunk.Session, *, dtype: str, shards: tuple[int, ...] | None) -> zarr.Array[Any]:
    return zarr.open_group(writing.store, mode="a").create_array(
        "layer",
        shape=(STEPS, HEIGHT, WIDTH),
        chunks=(1, CHUNK, CHUNK),
        shards=shards,
        dtype=dtype,
        fill_value=FILLS[dtype],
        compressors=BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
        config={"write_empty_chunks": False},
    )


def pixels(dtype: str) -> np.ndarray:
    """Steps with a hole of many chunks, an empty chunk here and there, and a step of nothing."""
    values = np.random.default_rng(3).integers(1, 999, (STEPS, HEIGHT, WIDTH)).astype(dtype)
    values[0, :SHARD, :SHARD] = FILLS[dtype]  # a whole object
    values[0, SHARD : SHARD + CHUNK, 2 * CHUNK : 3 * CHUNK] = FILLS[dtype]
    values[1] = FILLS[dtype]
    return values


@DTYPES
@LAYOUTS
def test_what_is_written_is_what_zarr_reads(tmp_path: Path, dtype: str, shards: tuple[int, ...] | None) -> None:
    writing, values = session(tmp_path), pixels(dtype)
    array = empty(writing, dtype=dtype, shards=shards)
    for step in range(STEPS):
        for window in (Window(0, 0, 2 * SHARD, WIDTH), Window(2 * SHARD, 0, HEIGHT - 2 * SHARD, WIDTH)):
            write_step(array, step, window, values[step][window.slices])
    np.testing.assert_array_equal(committed(tmp_path, writing)[:], values)


@DTYPES
@LAYOUTS
@pytest.mark.parametrize(
    "window",
    [
        Window(0, 0, HEIGHT, WIDTH),
        Window(CHUNK, 2 * CHUNK, CHUNK, CHUNK),
        Window(5, 60, 70, 30),
        Window(149, 100, 1, 1),
        Window(64, 64, 64, 37),
    ],
)
def test_what_zarr_writes_is_what_is_read(
    tmp_path: Path, dtype: str, shards: tuple[int, ...] | None, window: Window
) -> None:
    writing, values = session(tmp_path), pixels(dtype)
    array = empty(writing, dtype=dtype, shards=shards)
    array[:] = values
    order = [2, 0, 1]
    # not committed yet, so the same key may hold something else in a moment
    np.testing.assert_array_equal(read_steps(array, order, window), values[order][:, *window.slices])
    array[2] = values[0]
    values[2] = values[0]
    np.testing.assert_array_equal(read_steps(array, order, window), values[order][:, *window.slices])
    array = committed(tmp_path, writing)
    for _ in range(2):  # the second time indexes are known
        np.testing.assert_array_equal(read_steps(array, order, window), values[order][:, *window.slices])


def test_a_later_commit_is_not_read_by_the_indexes_of_an_earlier_one(tmp_path: Path) -> None:
    writing, values = session(tmp_path), pixels("float32")
    empty(writing, dtype="float32", shards=(1, SHARD, SHARD))[:] = values
    whole = Window(0, 0, HEIGHT, WIDTH)
    first = committed(tmp_path, writing)
    np.testing.assert_array_equal(read_steps(first, [0], whole), values[:1])
    writing = session(tmp_path)
    write_step(zarr.open_array(writing.store, path="layer", mode="r+"), 0, whole, values[2])
    second = committed(tmp_path, writing)
    np.testing.assert_array_equal(read_steps(second, [0], whole), values[2:])
    np.testing.assert_array_equal(read_steps(first, [0], whole), values[:1])


def test_a_window_that_begins_within_an_object_is_not_written(tmp_path: Path) -> None:
    array = empty(session(tmp_path), dtype="float32", shards=(1, SHARD, SHARD))
    with pytest.raises(ValueError, match="does not begin at an object"):
        write_step(array, 0, Window(CHUNK, 0, SHARD, SHARD), np.ones((SHARD, SHARD), dtype="float32"))


def test_an_index_says_where_chunks_lie() -> None:
    """By hand: 5 bytes, nothing, 2 bytes; then 3 x 16 bytes of index and 4 of checksum."""
    packed = shard_of([b"first", b"", b"3d"])
    assert len(packed) == 7 + index_size(3) == 7 + 52
    np.testing.assert_array_equal(parse_index(packed[7:], name="it"), [[0, 5], [0, 0], [5, 2]])
    for at in (7, len(packed) - 1):
        damaged = bytearray(packed)
        damaged[at] ^= 1
        with pytest.raises(StateError, match="index of it is damaged"):
            parse_index(bytes(damaged[7:]), name="it")
