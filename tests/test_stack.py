"""A stack: what is written is what the scenes hold, whole blocks only, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from dask_jobs import stack as stack_module
from dask_jobs.ledger import continuation, obstacles
from dask_jobs.pieces import batches_of, blocks_of, pieces_of
from dask_jobs.scenes import Pass, Raster, Scene
from dask_jobs.stack import append_passes
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


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as made,
    ):
        yield made


def scene(day: int, *, row: int = 0, col: int = 0, height: int = 40, width: int = 50, name: str = "A", release: str = "1") -> Scene:
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
        return values, covered // 4, covered


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
    return StackLayout(grid=grid, polarizations=POLARIZATIONS, chunk=chunk, attrs={"title": "test", "radiometry": "gamma0_terrain"})


def check(store: Location, passes: Sequence[Pass], grid: Grid, *, tag: str | None = None, group: str = "") -> None:
    """Every pixel, time and ledger entry of the stack is what the passes say."""
    data = open_stack(store, tag=tag, group=group)
    assert data["VV"].dims == ("time", "y", "x")
    np.testing.assert_array_equal(data["time"].values, [np.datetime64(p.time.replace(tzinfo=None), "ns") for p in passes])
    np.testing.assert_array_equal(data["y"].values, grid.y)
    np.testing.assert_array_equal(data["x"].values, grid.x)
    for name in POLARIZATIONS:
        got = data[name].compute(scheduler="synchronous").values
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, np.stack([on_grid(p, name, grid) for p in passes]))


def folder(tmp_path: Path, name: str = "stack.icechunk") -> Location:
    return Location.parse(str(tmp_path / name))


def small_blocks(layout: StackLayout) -> int:
    """Bytes that hold about two time steps of `series`."""
    return 4 * 2 * 2 * 60 * 70


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
