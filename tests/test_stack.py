"""A stack: what is written is what the scenes hold, whole blocks only, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from icechunk import ChunkType

from dask_jobs import stack as stack_module
from dask_jobs.ledger import continuation, obstacles
from dask_jobs.pieces import batches_of, blocks_of, pieces_of
from dask_jobs.scenes import Pass, Raster, Scene
from dask_jobs.stack import append_passes
from dask_jobs.stack_export import export_geotiffs, export_zarr
from dask_jobs.stack_schema import StackLayout
from dask_jobs.stack_store import (
    collect_garbage,
    groups,
    has_tag,
    open_stack,
    publish_tag,
    read_ledger,
    readonly_session,
    snapshot_id,
)
from infra.errors import CancelledError, InputError, LatticeError, LeaseLostError, StateError
from infra.grid import Grid, Window, union
from infra.storage import Location

BASE = Grid(crs="EPSG:32611", left=500_000.0, top=4_000_000.0, dx=30.0, dy=30.0, height=40, width=50)
POLARIZATIONS = ("VV", "VH")


KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}  # of `s3_bucket`, for workers


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, env=KEYS) as cluster,
        Client(cluster) as made,
    ):
        yield made


def scene(
    day: int, *, row: int = 0, col: int = 0, height: int = 40, width: int = 50, name: str = "A", release: str = "1"
) -> Scene:
    """A scene whose place on the base lattice starts at (row, col)."""
    return Scene(
        id=f"{name}_{day:03d}",
        release=release,
        time=datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=12 * day),
        grid=BASE.crop(Window(row, col, height, width)),
        rasters={name: Raster(url=f"/nowhere/{day}_{name}.tif") for name in POLARIZATIONS},
        size=1000 + day,
        fingerprint=f"{crc32(f'{name}{day}{release}'.encode()):08x}",
    )


def one(*scenes: Scene) -> Pass:
    return Pass(time=min(s.time for s in scenes), scenes=tuple(sorted(scenes, key=lambda s: s.id)))


def pixels(part: Scene, polarization: str) -> np.ndarray:
    """Oracle: what the scene's raster holds, with a border of no data on one side."""
    random = np.random.default_rng(crc32(f"{part.id}{part.release}{polarization}".encode()))
    values = random.gamma(4.0, 0.025, part.grid.shape).astype("float32")
    values[:, : part.grid.width // 10] = np.nan
    return values


def on_grid(pass_: Pass, polarization: str, grid: Grid) -> np.ndarray:
    """Oracle: the mosaic of a pass, placed by coordinates with plain arithmetic, the first scene winning."""
    out = np.full(grid.shape, np.nan, dtype="float32")
    for part in pass_.scenes:
        row, col = round((grid.top - part.grid.top) / grid.dy), round((part.grid.left - grid.left) / grid.dx)
        values = pixels(part, polarization)
        view = out[row : row + part.grid.height, col : col + part.grid.width]
        view[...] = np.where(np.isnan(view), values, view)
    return out


@dataclass(frozen=True)
class Reader:
    """Stands for the reader of files: same promise, pixels from a seed. May kill its own worker, once."""

    grid: Grid
    kill: Path | None = None

    def __call__(self, pass_: Pass, polarization: str, window: Window) -> tuple[np.ndarray, int, int]:
        if self.kill is not None and pass_.time.month == 2 and not self.kill.exists():
            self.kill.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        values = np.full(window[2:], np.nan, dtype="float32")
        covered = 0
        for part in pass_.scenes:
            place = self.grid.window_of(part.grid)
            shared = window.intersect(place)
            if shared.height <= 0 or shared.width <= 0:
                continue
            there = pixels(part, polarization)[
                shared.row - place.row : shared.row - place.row + shared.height,
                shared.col - place.col : shared.col - place.col + shared.width,
            ]
            view = values[
                shared.row - window.row : shared.row - window.row + shared.height,
                shared.col - window.col : shared.col - window.col + shared.width,
            ]
            view[...] = np.where(np.isnan(view), there, view)
            covered += shared.height * shared.width
        return values, covered, covered * 4


def series(count: int = 5) -> list[Pass]:
    """Passes whose extents wander over the lattice; some of two scenes that overlap."""
    return [
        one(
            scene(day, row=7 * day, col=-11 * day),
            *([scene(day, row=7 * day + 30, col=9, name="B")] if day % 2 else []),
        )
        for day in range(count)
    ]


def layout_of(passes: Sequence[Pass], *, chunk: int = 16) -> StackLayout:
    grid = union([part.grid for pass_ in passes for part in pass_.scenes])
    return StackLayout(
        grid=grid, polarizations=POLARIZATIONS, chunk=chunk, attrs={"title": "test", "radiometry": "gamma0_terrain"}
    )


def check(store: Location, passes: Sequence[Pass], grid: Grid, *, tag: str | None = None, group: str = "") -> None:
    """Every pixel, time and ledger entry of the stack is what the passes say."""
    data = open_stack(store, tag=tag, group=group)
    assert data["VV"].dims == ("time", "y", "x")
    np.testing.assert_array_equal(
        data["time"].values, [np.datetime64(p.time.replace(tzinfo=None), "ns") for p in passes]
    )
    np.testing.assert_array_equal(data["y"].values, grid.y)
    np.testing.assert_array_equal(data["x"].values, grid.x)
    for name in POLARIZATIONS:
        got = data[name].compute(scheduler="synchronous").values
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, np.stack([on_grid(p, name, grid) for p in passes]))


def folder(tmp_path: Path, name: str = "stack.icechunk") -> Location:
    return Location.parse(str(tmp_path / name))


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray multiplies affines with *
def test_values_times_and_crs(client: Client, location: Location) -> None:
    passes = series()
    layout = layout_of(passes)
    store = location / "stack.icechunk"
    assert read_ledger(store) is None
    assert groups(store) == ()
    append_passes(store, layout, passes, read=Reader(layout.grid), client=client)
    check(store, passes, layout.grid)
    data = open_stack(store)
    import rioxarray  # noqa: F401 -- registers the accessor

    assert data["VV"].rio.crs.to_epsg() == 32611
    assert data["VV"].rio.transform() == layout.grid.affine
    assert data["VV"].attrs["units"] == "1"
    assert data["VV"].data.chunksize == (1, 16, 16)
    assert data.attrs["Conventions"] == "CF-1.10"
    assert data.attrs["title"] == "test"
    assert "sarbatch_ledger" not in data.attrs
    np.testing.assert_array_equal(data["masked_fraction"].values, np.float32(0.25))
    assert groups(store) == ("",)
    ledger = read_ledger(store)
    assert ledger is not None
    assert [s.fingerprint for s in ledger.steps] == [p.fingerprint for p in passes]
    assert ledger.grid == layout.grid


def test_one_by_one_is_as_all_at_once(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store, other = folder(tmp_path), folder(tmp_path, "at-once")
    for count in range(1, len(passes) + 1):
        append_passes(store, layout, passes[:count], read=Reader(layout.grid), client=client)
    append_passes(other, layout, passes, read=Reader(layout.grid), client=client)
    check(store, passes, layout.grid)
    xr.testing.assert_identical(open_stack(store).compute(), open_stack(other).compute())
    assert read_ledger(store) == read_ledger(other)
    before = snapshot_id(store)
    append_passes(store, layout, passes, read=Reader(layout.grid), client=client)  # nothing to do
    assert snapshot_id(store) == before


def two_steps(layout: StackLayout) -> int:
    """Bytes that hold any two time steps of `series`, and no three."""
    sizes = [
        sum(p.size for p in pieces_of(p_, step=0, grid=layout.grid, polarizations=POLARIZATIONS, chunk=layout.chunk))
        for p_ in series()
    ]
    largest = max(a + b for a, b in pairwise(sizes))
    assert min(a + b + c for a, b, c in zip(sizes, sizes[1:], sizes[2:], strict=False)) > largest
    return largest


def stop_at(count: int) -> Callable[[str, float], None]:
    """A checkpoint that the user's cancellation meets at its n-th call."""
    calls = iter(range(1, 10_000))

    def checkpoint(phase: str, fraction: float) -> None:
        assert phase in {"writing", "block", "committed"}
        assert 0 <= fraction <= 1
        if next(calls) == count:
            raise CancelledError(f"at {phase} {fraction}")

    return checkpoint


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_stopped_anywhere_then_resumed(client: Client, tmp_path: Path, count: int) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client, "block_bytes": two_steps(layout)}
    with pytest.raises(CancelledError):
        append_passes(store, layout, passes, checkpoint=stop_at(count), **write)
    ledger = read_ledger(store)
    held = len(ledger.steps) if ledger else 0
    assert held in {0, 2, 4}
    if held:
        check(store, passes[:held], layout.grid)  # whole blocks, nothing half
    else:
        assert groups(store) == ()
    append_passes(store, layout, passes, **write)
    check(store, passes, layout.grid)


def test_progress_rises_to_one_and_every_block_is_checked(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store, seen, held = folder(tmp_path), [], []

    def checkpoint(phase: str, fraction: float) -> None:
        seen.append((phase, fraction))
        ledger = read_ledger(store)  # any reader, at any time
        held.append((phase, len(ledger.steps) if ledger else 0))
        if ledger:
            assert open_stack(store).sizes["time"] == len(ledger.steps)

    append_passes(
        store,
        layout,
        passes,
        read=Reader(layout.grid),
        client=client,
        block_bytes=two_steps(layout),
        checkpoint=checkpoint,
    )
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)
    assert seen[-1] == ("committed", 1.0)
    assert [h for h in held if h[0] != "writing"] == [
        ("block", 0), ("committed", 2), ("block", 2), ("committed", 4), ("block", 4), ("committed", 5)
    ]  # fmt: skip


def test_a_killed_worker_costs_nothing(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    flag = tmp_path / "killed"
    store = folder(tmp_path)
    append_passes(store, layout, passes, read=Reader(layout.grid, kill=flag), client=client)
    assert flag.exists()
    check(store, passes, layout.grid)


def test_another_committer_stops_this_one(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}

    def intrude(phase: str, fraction: float) -> None:
        if phase == "block":
            append_passes(store, layout, passes[:1], **write)

    with pytest.raises(LeaseLostError):
        append_passes(store, layout, passes, checkpoint=intrude, **write)
    check(store, passes[:1], layout.grid)


def test_groups_share_a_store(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, passes[:2], group="T137", **write)
    append_passes(store, layout, passes[2:], group="T064", **write)
    assert groups(store) == ("T064", "T137")
    assert read_ledger(store) is None
    check(store, passes[:2], layout.grid, group="T137")
    check(store, passes[2:], layout.grid, group="T064")
    with pytest.raises(InputError, match="T064, T137"):
        open_stack(store, group="T001")


def test_a_tag_is_published_once_and_stays(client: Client, location: Location) -> None:
    passes = series(2)
    layout = layout_of(series())
    store = location / "stack.icechunk"
    write = {"read": Reader(layout.grid), "client": client}
    assert not has_tag(store, "k1")
    with pytest.raises(StateError):
        publish_tag(store, "k1")
    append_passes(store, layout, passes, **write)
    assert publish_tag(store, "k1")
    assert not publish_tag(store, "k1")
    assert has_tag(store, "k1")
    append_passes(store, layout, series(3), **write)
    with pytest.raises(StateError, match="k1"):
        publish_tag(store, "k1")
    assert publish_tag(store, "k2")
    check(store, passes, layout.grid, tag="k1")
    check(store, series(3), layout.grid, tag="k2")
    assert snapshot_id(store, tag="k1") != snapshot_id(store, tag="k2") == snapshot_id(store)
    with pytest.raises(InputError, match="k3"):
        open_stack(store, tag="k3")


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    store = folder(tmp_path)
    assert (read_ledger(store), groups(store), has_tag(store, "k")) == (None, (), False)
    assert collect_garbage(store, datetime.now(UTC)) == 0
    with pytest.raises(InputError):
        open_stack(store)
    assert not Path(store.url).exists()


def test_why_a_stack_cannot_go_on(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    append_passes(store, layout, passes[1:4], read=Reader(layout.grid), client=client)
    ledger = read_ledger(store)
    assert ledger is not None
    held = passes[1:4]
    newer = one(*(replace(s, release="2", fingerprint="new") if s.id.startswith("A") else s for s in held[0].scenes))
    touched = one(replace(held[1].scenes[0], fingerprint="else"))
    cases = [
        (held, 3, ()),
        (passes[1:], 3, ()),
        (held[:2], None, ("scene A_003 vanished", "scene B_003 vanished")),
        ([newer, *held[1:]], None, ("scene A_001 superseded by release 2",)),
        ([held[0], touched, held[2]], None, ("scene A_002 changed: same release, other content",)),
        (passes[:4], None, ("scene A_000 is older than the last in the stack (2024-02-06)",)),
        (
            [*held[:1], one(*held[1].scenes, scene(2, name="C")), held[2]],
            None,
            ("scene C_002 joins the pass of 2024-01-25 12:00 that is in the stack already",),
        ),
    ]
    for wanted, index, reasons in cases:
        assert continuation(ledger, wanted) == index
        assert obstacles(ledger, wanted) == reasons
        if index is None:
            with pytest.raises(StateError, match="cannot be appended"):
                append_passes(store, layout, wanted, read=Reader(layout.grid), client=client)
    larger = union([layout.grid, BASE.crop(Window(0, 0, 400, 50))])
    assert continuation(ledger, held, grid=larger) is None
    assert "the grid changes from" in obstacles(ledger, held, grid=larger)[0]


def test_bad_passes_are_refused(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    write = {"read": Reader(layout.grid), "client": client}
    with pytest.raises(InputError, match="at least one"):
        append_passes(folder(tmp_path), layout, [], **write)
    with pytest.raises(InputError, match="order of time"):
        append_passes(folder(tmp_path), layout, passes[::-1], **write)
    shifted = replace(passes[0].scenes[0], grid=replace(BASE, left=BASE.left + 7))
    with pytest.raises(LatticeError):
        append_passes(folder(tmp_path), layout, [one(shifted)], **write)
    assert not Path(folder(tmp_path).url).exists()


def size_of(store: Location, prefix: str = "") -> int:
    return sum(entry.size for entry in store.list(prefix))


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
    read = pieces_of(far[0], step=0, grid=layout.grid, polarizations=("VV",), chunk=512)
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
    pieces = pieces_of(wide, step=4, grid=grid, polarizations=("VV",), chunk=512)
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


def test_garbage_goes_and_the_stack_stays(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, passes[:2], **write)
    publish_tag(store, "k")
    kept = len(store.list("chunks"))
    with pytest.raises(CancelledError):
        append_passes(store, layout, passes, checkpoint=stop_at(2), **write)
    assert len(store.list("chunks")) > kept
    assert collect_garbage(store, datetime.now(UTC) - timedelta(hours=1)) == 0  # it may be under way
    assert collect_garbage(store, datetime.now(UTC) + timedelta(seconds=1)) > 0
    assert len(store.list("chunks")) == kept
    check(store, passes[:2], layout.grid, tag="k")
    append_passes(store, layout, passes, **write)
    check(store, passes, layout.grid)


@pytest.mark.parametrize("group", ["", "T137"])
def test_plain_zarr_export_is_the_same_to_the_bit(client: Client, location: Location, group: str) -> None:
    passes = series(3)
    layout = layout_of(passes)
    store = location / "stack.icechunk"
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, passes, group=group, **write)
    append_passes(store, layout, passes[:1], group="other", **write)
    publish_tag(store, "k")
    target = location / "plain.zarr"
    assert export_zarr(store, tag="k", group=group, target=target, client=client) == size_of(target)
    data = xr.open_zarr(target.zarr_store(), consolidated=False).compute()
    xr.testing.assert_equal(data, open_stack(store, group=group).compute())
    assert data.attrs["source_snapshot"] == snapshot_id(store, tag="k")
    assert not target.exists("other/zarr.json")
    with pytest.raises(InputError, match="nowhere"):
        export_zarr(store, tag="k", group="nowhere", target=target, client=client)


def test_geotiff_export_is_what_gdal_shows(client: Client, tmp_path: Path) -> None:
    import rasterio

    passes = series(2)
    layout = layout_of(passes)
    store, target = folder(tmp_path), folder(tmp_path, "rasters")
    append_passes(store, layout, passes, group="T137", read=Reader(layout.grid), client=client)
    publish_tag(store, "k")
    made = export_geotiffs(store, tag="k", group="T137", target=target, client=client)
    assert len(made) == 2 * 2 * 2
    assert {entry.name: entry.size for entry in target.list()} == {raster.path: raster.size for raster in made}
    by_label = {(r.date, r.polarization, r.name): r.path for r in made}
    power = on_grid(passes[1], "VH", layout.grid)
    for kind, expected in (("power", power), ("db", 10 * np.log10(power))):
        with rasterio.open(target.href(by_label["2024-01-13T12:00:00+00:00", "VH", kind])) as file:
            assert file.crs.to_epsg() == 32611
            assert file.transform == layout.grid.affine
            assert np.isnan(file.nodata)
            assert "VH" in file.descriptions[0]
            assert file.units == ("dB" if kind == "db" else "1",)
            np.testing.assert_allclose(file.read(1), expected, rtol=1e-6)


DRIVER = """
import os, signal, sys
from distributed import Client, LocalCluster
from infra.storage import Location
from test_stack import Reader, append_passes, layout_of, series, two_steps

def checkpoint(phase, fraction):
    if phase == sys.argv[2] and fraction > 0.5:
        os.killpg(0, signal.SIGKILL)

if __name__ == "__main__":
    layout = layout_of(series())
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        append_passes(Location.parse(sys.argv[1]), layout, series(), read=Reader(layout.grid), client=client,
                      block_bytes=two_steps(layout), checkpoint=checkpoint)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "held"), [("writing", 2), ("block", 2), ("committed", 4)])
def test_driver_and_workers_killed_at_once(client: Client, tmp_path: Path, phase: str, held: int) -> None:
    import subprocess
    import sys

    store = folder(tmp_path)
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    died = subprocess.run(
        [sys.executable, str(script), store.url, phase],
        env=environment, start_new_session=True, check=False, capture_output=True, timeout=120,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    passes = series()
    layout = layout_of(passes)
    check(store, passes[:held], layout.grid)
    append_passes(store, layout, passes, read=Reader(layout.grid), client=client)
    check(store, passes, layout.grid)


def test_real_bursts_of_one_pass_lie_where_their_coordinates_say(client: Client, tmp_path: Path) -> None:
    """Six OPERA bursts, two dates, against rasterio's own reading of each file, pasted by its transform."""
    import rasterio

    data = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"
    if not data.is_dir():
        pytest.skip(f"no real scenes at {data}")
    from dask_jobs.passes import group_passes, stack_grid
    from dask_jobs.readers import opera
    from dask_jobs.stack import MosaicReader
    from infra.storage import S3Options

    found = opera.find([str(p) for p in sorted(data.iterdir()) if p.is_dir()], s3=S3Options())
    passes = group_passes(found.scenes)[:2]
    grid = stack_grid(found.scenes, extent="union")
    layout = StackLayout(grid=grid, polarizations=("VH", "VV"))
    store = folder(tmp_path)
    append_passes(store, layout, passes, read=MosaicReader(target=grid), client=client)
    expected = np.full(grid.shape, np.nan, dtype="float32")
    for part in passes[1].scenes:
        with rasterio.open(part.rasters["VV"].url) as file:
            row, col = round((grid.top - file.transform.f) / 30), round((file.transform.c - grid.left) / 30)
            view = expected[row : row + file.height, col : col + file.width]
            view[...] = np.where(np.isnan(view), file.read(1), view)
    assert np.isfinite(expected).sum() > 10_000
    values = open_stack(store)["VV"].isel(time=1).compute(scheduler="synchronous").values
    np.testing.assert_array_equal(values, expected)
    print(f"\n{grid.height} x {grid.width}: {size_of(store)} bytes for {len(passes)} dates of {2 * 4 * grid.pixels}")
