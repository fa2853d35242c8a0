"""Passes of known pixels, the reader that stands for files, and the oracle: numpy alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
from distributed import Client, LocalCluster

from dask_jobs.scenes import Pass, Raster, Scene
from dask_jobs.stack.pieces import pieces_of
from dask_jobs.stack.schema import StackLayout
from dask_jobs.stack.store import (
    open_stack,
)
from infra.grid import Grid, Window, union
from infra.storage import Location

BASE = Grid(crs="EPSG:32611", left=500_000.0, top=4_000_000.0, dx=30.0, dy=30.0, height=40, width=50)


POLARIZATIONS = ("VV", "VH")


KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}  # of `s3_bucket`, for workers


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


def two_steps(layout: StackLayout) -> int:
    """Bytes that hold any two time steps of `series`, and no three."""
    sizes = [
        sum(
            p.size
            for p in pieces_of(p_, step=0, grid=layout.grid, polarizations=POLARIZATIONS, side=layout.object_side)
        )
        for p_ in series()
    ]
    largest = max(a + b for a, b in pairwise(sizes))
    assert min(a + b + c for a, b, c in zip(sizes, sizes[1:], sizes[2:], strict=False)) > largest
    return largest


def size_of(store: Location, prefix: str = "") -> int:
    return sum(entry.size for entry in store.list(prefix))


@contextmanager
def local_client() -> Iterator[Client]:
    """Two worker processes, with keys for the S3 server of `s3_bucket`."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", env=KEYS) as cluster,
        Client(cluster) as made,
    ):
        yield made
