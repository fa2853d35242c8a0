"""Chunks and shards are what Zarr says that they are: read and written by us and by zarr-python, either way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import zarr
from distributed import Client
from zarr.codecs import BloscCodec

from dask_jobs.insar_stack.grid import stack_grid
from dask_jobs.insar_stack.layout import PairLayout
from dask_jobs.insar_stack.steps import PairReader, in_order_of_arrival, step_of
from dask_jobs.interferograms import COHERENCE, PHASE
from dask_jobs.readers import hyp3_insar
from dask_jobs.simulate_insar import simulate_insar
from dask_jobs.stack.append import append_passes
from dask_jobs.stack.chunks import read_steps, write_step
from dask_jobs.stack.shards import index_size, parse_index, shard_of
from dask_jobs.stack.store import readonly_session
from infra.errors import StateError
from infra.grid import Window
from infra.storage import Location, S3Options

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


def test_a_store_that_has_no_shards_is_appended_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate_insar(tmp_path / "products", dates=5, size=(150, 101))
    pairs = hyp3_insar.find(str(tmp_path / "products"), s3=S3Options()).interferograms
    grid = stack_grid(pairs, extent="intersection")
    steps = in_order_of_arrival([step_of(pair) for pair in pairs], None)
    layout = PairLayout(grid=grid, polarizations=(PHASE, COHERENCE), chunk=CHUNK)
    old, new = (Location.parse(str(tmp_path / name)) for name in ("old", "new"))
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:

        def append(store: Location, *, until: int) -> None:
            append_passes(store, layout, steps[:until], read=PairReader(target=grid), client=client)

        with monkeypatch.context() as before:
            before.setattr(PairLayout, "chunks_along_shard", 1)
            append(old, until=4)
        append(old, until=len(steps))
        append(new, until=len(steps))
    layers = [zarr.open_array(readonly_session(store).store, path=PHASE, mode="r") for store in (old, new)]
    assert [layer.shards for layer in layers] == [None, (1, SHARD, SHARD)]
    np.testing.assert_array_equal(layers[0][:], layers[1][:])


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
