"""Sentinel-1 jobs for tests: a local Earth Engine with simulated or real scenes, and settings that name it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import SCENES, machine

from gee.local.catalogue.register import register
from gee.local.catalogue.simulated import add_simulation
from gee.local.faults import Fault
from gee.local.folders import assets_of, settings_of
from gee.local.server.serving import serving
from gee.local.simulate import Scene, Simulation, scenes
from infra.grid import Grid
from infra.settings import Settings, load_settings

OPERA = "OPERA/RTC/L2_V1/S1"
BURSTS = SCENES / "opera-rtc-s1"
SIMULATED = Simulation(width=96, height=96, overlap=16, dates=3)
YEAR = {"start": "2020-01-01", "end": "2021-01-01"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A local Earth Engine's folder and URL."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Settings that name it."""
        return {
            "SARBATCH_EARTH_ENGINE_URL": self.url,
            "SARBATCH_EARTH_ENGINE_PROJECT": "local-demo",
            "SARBATCH_EARTH_ENGINE_FILES": str(self.folder),
        }


@contextmanager
def earth_engine(folder: Path, *faults: Fault) -> Iterator[Place]:
    """A server on a folder, for the block."""
    with serving(settings_of(folder, threads=2, faults=faults)) as url:
        yield Place(folder=folder, url=url)


@contextmanager
def machine_with(place: Place, state: Path, **more: str) -> Iterator[Settings]:
    """A machine whose settings name a local Earth Engine."""
    with machine(state, **{**place.environment, **more}) as settings:
        yield settings


def planning_settings(place: Place, folder: Path, **more: str | None) -> Settings:
    """Settings that name a local Earth Engine, for plans alone; `more` replaces or removes some ("URL", "PROJECT")."""
    names = {f"SARBATCH_EARTH_ENGINE_{name}": value for name, value in more.items()}
    given = {"SARBATCH_STATE_DIR": str(folder / "state"), **place.environment, **names}
    return load_settings(environment={name: value for name, value in given.items() if value is not None}, folder=folder)


def simulate(folder: Path, plan: Simulation = SIMULATED) -> Sequence[Scene]:
    """Simulated scenes in power and dB, made assets of a folder."""
    add_simulation(assets_of(folder), plan)
    return scenes(plan)


def opera_files(*bursts: str, dates: int = 4) -> list[Path]:
    """Real OPERA files of the first dates of some bursts."""
    found: list[Path] = []
    for burst in bursts:
        files = sorted((BURSTS / burst).glob("*.tif"))
        days = sorted({path.name.split("_")[4] for path in files})[:dates]
        found += [path for path in files if path.name.split("_")[4] in days]
    return found


def register_opera(folder: Path, files: Sequence[Path]) -> None:
    """OPERA files as Earth Engine's collection."""
    register(assets_of(folder), OPERA, [path.resolve() for path in files])


def copied(files: Sequence[Path], folder: Path) -> Path:
    """Folder with copies of files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copy(path, folder)
    return folder


def area_of(grid: Grid, *, margin: int = 0) -> dict[str, list[float]]:
    """The job's `area` that holds a grid's pixels but for a margin, as a box in degrees."""
    from pyproj import Transformer

    left, bottom, right, top = grid.bounds
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    inset = margin * grid.dx
    west, south, east, north = to_degrees.transform_bounds(left + inset, bottom + inset, right - inset, top - inset)
    return {"bbox": [round(value, 7) for value in (west, south, east, north)]}


def scene_grid(scene: Scene) -> Grid:
    """Grid of a simulated scene."""
    height, width = scene.bands["VV"].shape
    a, _, c, _, e, f = scene.transform
    return Grid(crs=scene.crs, left=c, top=f, dx=a, dy=-e, height=height, width=width)


def composite(**more: Any) -> dict[str, Any]:
    """A `sentinel1-composite` task."""
    return {"kind": "sentinel1-composite", **more}


def series(**more: Any) -> dict[str, Any]:
    """A `sentinel1-series` task."""
    return {"kind": "sentinel1-series", **more}
