"""What a stack costs: bytes written and read, tasks, and what passes through the driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from icechunk import ChunkType
from stack_scenes import (
    BASE,
    Reader,
    check,
    folder,
    layout_of,
    local_client,
    one,
    pixels,
    scene,
    size_of,
)

from dask_jobs.stack import append as stack_module
from dask_jobs.stack.append import append_passes
from dask_jobs.stack.pieces import batches_of, blocks_of, pieces_of
from dask_jobs.stack.store import (
    open_stack,
    readonly_session,
)
from infra.grid import Window, union

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_client() as made:
        yield made


@pytest.mark.slow
def test_appending_costs_what_the_scene_holds(client: Client, tmp_path: Path) -> None:
    """Figure: bytes added to a store of five dates by one date of 1100 x 1300 pixels, over the pixels' bytes."""
    wide = [one(scene(day, row=90 * day, col=60 * day, height=1100, width=1300)) for day in range(6)]
    layout = layout_of(wide, chunk=512)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, wide[:5], **write)
    before = size_of(store)
    append_passes(store, layout, wide, **write)
    added = size_of(store) - before
    raw = 2 * 4 * 1100 * 1300
    print(f"\nadded {added / raw:.3f} of the pixels' bytes, {added - size_of(store, 'chunks') // 6} beside the chunks")
    assert added <= 1.2 * raw
    assert added <= 1.2 * size_of(store, "chunks") / 6


def read_bytes() -> int:
    """Bytes that this process has asked the kernel for."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes by Linux's /proc")
def test_opening_one_date_reads_one_date(client: Client, tmp_path: Path) -> None:
    wide = [one(scene(day, row=90 * day, col=60 * day, height=1100, width=1300)) for day in range(6)]
    layout = layout_of(wide, chunk=512)
    store = folder(tmp_path)
    append_passes(store, layout, wide, read=Reader(layout.grid), client=client)
    open_stack(store)["VV"].isel(time=0).compute(scheduler="synchronous")  # imports are read once
    before = read_bytes()
    values = open_stack(store)["VV"].isel(time=3).compute(scheduler="synchronous")
    got = read_bytes() - before
    print(f"\nread {got / (4 * 1100 * 1300):.3f} of the date's bytes")
    assert int(np.isfinite(values).sum()) == int(np.isfinite(pixels(wide[3].scenes[0], "VV")).sum())
    assert got <= 1.2 * 4 * 1100 * 1300
    assert got <= 1.2 * size_of(store, "chunks") / 12


def test_chunks_that_no_scene_touches_are_absent_and_cost_no_task(client: Client, tmp_path: Path) -> None:
    far = [one(scene(0, name="A"), scene(0, name="B", row=3000, col=3100))]
    layout = layout_of(far, chunk=512)
    read = pieces_of(far[0], step=0, grid=layout.grid, polarizations=("VV",), side=512)
    assert sum(p.window.height * p.window.width for p in read) <= 4 * 512 * 512
    store = folder(tmp_path)
    append_passes(store, layout, far, read=Reader(layout.grid), client=client)
    check(store, far, layout.grid)
    session = readonly_session(store)
    rows, cols = -(-layout.grid.height // 512), -(-layout.grid.width // 512)
    kinds = [session.chunk_type("/VV", [0, i, j]) for i in range(rows) for j in range(cols)]
    assert kinds.count(ChunkType.NATIVE) == 2
    assert kinds.count(ChunkType.UNINITIALIZED) == rows * cols - 2 == 40


def test_pieces_cover_touched_chunks_once_and_stay_small() -> None:
    wide = one(scene(0, row=100, col=100, height=7000, width=20_000), scene(0, name="B", row=9000, col=50))
    grid = union([BASE, *(s.grid for s in wide.scenes)])
    pieces = pieces_of(wide, step=4, grid=grid, polarizations=("VV",), side=512)
    count = np.zeros(grid.shape, dtype=np.uint8)
    for piece in pieces:
        assert piece.window.row % 512 == 0
        assert piece.window.col % 512 == 0
        assert piece.size <= 32 * 2**20
        count[piece.window.slices] += 1
    assert count.max() == 1
    for part in wide.scenes:
        assert (count[grid.window_of(part.grid).slices] == 1).all()
    assert len(pieces) < 40
    assert [p for batch in batches_of(pieces) for p in batch] == pieces
    tiny = [replace(pieces[0], window=Window(0, 0, 8, 8))] * 5000
    assert len(batches_of(tiny)) < 100
    assert blocks_of([5, 5, 20, 1, 1, 1], block_bytes=10) == [range(2), range(2, 3), range(3, 6)]
    assert blocks_of([], block_bytes=10) == []


def test_the_driver_sees_no_pixels(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = [one(scene(0, height=1500, width=1500))]
    layout = layout_of(wide, chunk=256)
    sizes = []
    merge = stack_module._Block.merge

    def measured(block: object, session: object, written: stack_module.BatchResult, **sums: object) -> object:
        sizes.append(len(written.changes))
        return merge(block, session, written, **sums)

    monkeypatch.setattr(stack_module._Block, "merge", measured)
    append_passes(folder(tmp_path), layout, wide, read=Reader(layout.grid), client=client)
    print(f"\n{len(sizes)} tasks sent back {sum(sizes)} bytes for {2 * 4 * 1500 * 1500} bytes of pixels")
    assert 0 < sum(sizes) < 50_000
