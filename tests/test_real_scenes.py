"""Whole jobs on real scenes, from job file to product, against what NumPy and rasterio alone make of the same files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import rioxarray  # noqa: F401 -- `.rio`
import xarray as xr
from jobs import SCENES, machine, opera, run_job, sarbatch_json, statistics, write_job
from oracles import (
    RASTERS,
    Cube,
    assert_power,
    assert_series,
    assert_statistics,
    opera_cube,
    opera_name,
    projected,
    read_cube,
)
from rio_cogeo.cogeo import cog_validate
from shapely import box

from infra.settings import Settings
from pipelines import Run, open_product

OPERA = (SCENES / "opera-rtc-s1").resolve()
ALOS = (SCENES / "alos-palsar-thailand").resolve()
BURSTS = [f"T137-{number}-{swath}" for number in (292320, 292322, 292324) for swath in ("IW1", "IW2")]
POLARIZATIONS = ("VH", "VV")
HOLES = "holes"  # a burst of which parts were cut out
needs_opera = pytest.mark.skipif(not OPERA.is_dir(), reason="the real OPERA scenes are not at ../shared/data")
needs_alos = pytest.mark.skipif(not ALOS.is_dir(), reason="the real ALOS scenes are not at ../shared/data")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rioxarray's way with affine
]


@dataclass(frozen=True)
class Done:
    """A run that has ended well, and how its products are opened."""

    run: Run
    settings: Settings
    rows: list[dict[str, Any]]

    @classmethod
    def of(cls, job: Path, settings: Settings) -> Done:
        run = run_job(job, settings)
        return cls(run, settings, sarbatch_json("products", run.id)["products"])

    def open(self, task: str, name: str, **labels: str) -> Any:
        return open_product(self.run, task=task, name=name, settings=self.settings, **labels)

    def of_task(self, task: str, **wanted: Any) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["task"] == task and all(row[k] == v for k, v in wanted.items())]

    def raster(self, task: str, name: str, polarization: str) -> np.ndarray:
        """As stored, by rasterio alone."""
        (row,) = self.of_task(task, name=name, polarization=polarization)
        with rasterio.open(row["href"]) as file:
            return file.read(1)

    def item(self, task: str) -> tuple[pystac.Item, Path]:
        """STAC item beside the task's products."""
        row = self.of_task(task)[0]
        (path,) = Path(self.run.output, row["kind"], row["key"][:16]).glob("item.json")
        return pystac.Item.from_dict(json.loads(path.read_text())), path.parent


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def bursts(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Six real bursts and one with holes: seven stacks, seven statistics, one run."""
    folder = tmp_path_factory.mktemp("bursts")
    with_holes(OPERA / BURSTS[0], folder / HOLES)
    tasks: dict[str, Any] = {}
    for name in (*BURSTS, HOLES):
        source = folder / HOLES if name == HOLES else OPERA / name
        export = {"zarr": True, "geotiff": "per-date"} if name == HOLES else {}
        tasks[name.lower()] = opera(source, export=export, chunk=64)
        tasks[f"of-{name.lower()}"] = statistics(name.lower())
    return Done.of(write_job(folder, tasks), settings)


def with_holes(source: Path, target: Path) -> None:
    """Copies of the first seven dates with no data in places: some pixels have 0, 1, 2 … 7 dates, one date has none."""
    target.mkdir()
    for number, file in enumerate(sorted(source.glob("*_V[VH].tif"))[:14]):
        date = number // 2
        shutil.copy(file, target)
        with rasterio.open(target / file.name, "r+") as dataset:
            values = dataset.read(1)
            values[: 10 * date, :50] = np.nan
            values[:, 90:] = np.nan
            values[40 + date, 60:80] = np.inf if date % 2 else -np.inf
            if date == 3:
                values[...] = np.nan
            dataset.write(values, 1)


def truth(name: str, done: Done) -> Cube:
    cube = opera_cube(OPERA / name if name != HOLES else Path(done.run.output).parent / HOLES)
    for values in cube.power.values():
        values[~np.isfinite(values)] = np.nan
    return cube


@needs_opera
@pytest.mark.parametrize("name", [*BURSTS, HOLES])
def test_a_burst_equals_plain_reads_of_its_files(bursts: Done, name: str) -> None:
    cube = truth(name, bursts)
    assert len(cube.times) == (7 if name == HOLES else 21)
    check_stack(bursts.open(name.lower(), "stack"), cube)
    check_task(bursts, f"of-{name.lower()}", cube)


@needs_opera
def test_all_six_bursts_are_one_mosaic(settings: Settings, tmp_path: Path) -> None:
    """Pixels placed by their coordinates; 99.4 % of the mosaic's box holds nothing."""
    (tmp_path / "data").symlink_to(SCENES.resolve())
    stack_task = opera("data/opera-rtc-s1", polarizations=["VV"])
    done = Done.of(write_job(tmp_path, {"stack": stack_task, "statistics": statistics()}), settings)
    cubes = [opera_cube(OPERA / name) for name in BURSTS]
    left, top = min(c.left for c in cubes), max(c.top for c in cubes)
    right, bottom = max(c.x[-1] for c in cubes) + 15, min(c.y[-1] for c in cubes) - 15
    shape = round((top - bottom) / 30), round((right - left) / 30)
    stack = done.open("stack", "stack")
    np.testing.assert_array_equal(stack["x"], left + 15 + 30 * np.arange(shape[1]))
    np.testing.assert_array_equal(stack["y"], top - 15 - 30 * np.arange(shape[0]))
    # one time step per pass: that of its first burst
    firsts = [min(times) for times in zip(*(cube.times for cube in cubes), strict=True)]
    assert [str(t)[:19] for t in stack["time"].values] == [f"{t:%Y-%m-%dT%H:%M:%S}" for t in firsts]
    windows = [
        (slice(r, r + 100), slice(c, c + 100))
        for r, c in ((round((top - cube.top) / 30), round((cube.left - left) / 30)) for cube in cubes)
    ]
    assert set(stack.data_vars) == {"VV", "masked_fraction"}
    for polarization in ("VV",):
        for cube, (rows, cols) in zip(cubes, windows, strict=True):
            got = stack[polarization].isel(y=rows, x=cols).compute(scheduler="synchronous").values
            np.testing.assert_array_equal(got, cube.power[polarization])
        for name in RASTERS:
            raster = done.raster("statistics", name, polarization)
            assert raster.shape == shape
            for cube, (rows, cols) in zip(cubes, windows, strict=True):
                assert_one(name, raster[rows, cols], cube.statistics(polarization)[name])
                raster[rows, cols] = nothing(name)
            # and nowhere else is anything
            assert not (raster != nothing(name)).any() if name in INTEGERS else np.isnan(raster).all()
    everywhere = Cube("EPSG:32611", 0, 0, 30, tuple(firsts), {"VV": np.hstack([c.power["VV"] for c in cubes])})
    expected = everywhere.series("VV", "area")
    expected["valid_fraction"] = expected["n_pixels"] / (shape[0] * shape[1])
    assert_series(done.open("statistics", "time_series"), expected)
    check_files(done, "statistics", "EPSG:32611")


INTEGERS = {"count", "min_date", "max_date"}


def nothing(name: str) -> float:
    return {"count": 0, "min_date": -1, "max_date": -1}.get(name, np.nan)


def assert_one(name: str, got: np.ndarray, expected: np.ndarray) -> None:
    if name in INTEGERS:
        np.testing.assert_array_equal(got, expected, err_msg=name)
    else:
        atol = {"mean_db": 4.3e-6, "std": 1e-7, "cov": 1e-7}.get(name, 0.0)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=atol, err_msg=name)


@needs_alos
def test_alos_palsar_through_geotiff(settings: Settings, tmp_path: Path) -> None:
    """HH and HV of two dates; frames on one grid, uncalibrated names, no orbit, no time of day."""
    source = {
        "format": "geotiff",
        "path": str(ALOS),
        "pattern": r"AP_\d{5}_FBD_F\d{4}_RT2_(?P<polarization>H[HV])_(?P<date>\d{8})",
        "scale": "power",
        "radiometry": "gamma0_terrain",
    }
    stack = {"kind": "backscatter-stack", "source": source}
    done = Done.of(write_job(tmp_path, {"stack": stack, "statistics": statistics()}), settings)
    cube = read_cube(sorted(ALOS.glob("*.tif")), name=alos_name)
    assert [f"{t:%Y-%m-%d}" for t in cube.times] == ["2007-07-20", "2008-06-06"]
    check_stack(done.open("stack", "stack"), cube)
    check_task(done, "statistics", cube)


def alos_name(file: Path) -> tuple[str, datetime]:
    match = re.search(r"_(H[HV])_(\d{8})\.tif$", file.name)
    assert match is not None
    return match[1], datetime.strptime(match[2], "%Y%m%d").replace(tzinfo=UTC)


BOX = (-120.695, 34.409, -120.673, 34.429)
TRIANGLE = "POLYGON ((-120.698 34.408, -120.670 34.411, -120.682 34.430, -120.698 34.408))"
ZONES = {
    "north": "POLYGON ((-120.72 34.417, -120.66 34.418, -120.66 34.44, -120.72 34.44, -120.72 34.417))",
    "east é": "POLYGON ((-120.683 34.40, -120.65 34.40, -120.65 34.44, -120.683 34.44, -120.683 34.40))",
    "elsewhere": "POLYGON ((-119 34, -118.9 34, -118.9 34.1, -119 34))",
}


@needs_opera
@pytest.mark.parametrize("kind", ["bbox", "wkt"])
def test_an_area_with_and_without_zones(settings: Settings, tmp_path: Path, kind: str) -> None:
    cube = opera_cube(OPERA / BURSTS[0])
    period = {"start": "2022-11-14", "end": "2023-11-21"}  # both are dates of scenes: the end is exclusive
    area: dict[str, Any] = {"bbox": list(BOX)} if kind == "bbox" else {"wkt": TRIANGLE}
    write_zones(tmp_path / "zones.geojson")
    tasks = {
        "stack": opera(OPERA / BURSTS[0]),
        "plain": statistics(),
        "zoned": statistics(zones="zones.geojson", zone_name="called"),
    }
    done = Done.of(write_job(tmp_path, tasks, area=area, period=period), settings)
    cut = cube.between(period["start"], period["end"])
    assert [f"{cut.times[i]:%Y-%m-%d}" for i in (0, -1)] == ["2022-11-14", "2023-11-09"]
    inside = None
    if kind == "bbox":
        cut = cut.within(*BOX)
    else:
        left, bottom, right, top = projected(TRIANGLE, cut.crs).bounds
        rows = np.flatnonzero((cut.y >= bottom) & (cut.y <= top))
        cols = np.flatnonzero((cut.x >= left) & (cut.x <= right))
        cut = cut.cut(slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
        inside = cut.inside(TRIANGLE)
        assert 0.2 < inside.mean() < 0.8
        for values in cut.power.values():
            values[:, ~inside] = np.nan
    assert 30 < min(cut.shape) < max(cut.shape) < 100
    check_stack(done.open("stack", "stack"), cut)
    check_task(done, "plain", cut, inside=inside)
    check_rasters(done, "zoned", cut)
    whole = np.ones(cut.shape, dtype=bool) if inside is None else inside
    regions = {"area": whole, **{name: cut.inside(wkt) & whole for name, wkt in ZONES.items()}}
    assert regions["north"].any()
    assert (regions["north"] & regions["east é"]).any()
    assert not regions["elsewhere"].any()
    expected = [cut.series(p, zone, where) for p in POLARIZATIONS for zone, where in regions.items()]
    assert_series(done.open("zoned", "time_series"), pd.concat(expected))


def write_zones(path: Path) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"called": name},
            "geometry": {"type": "Polygon", "coordinates": [[list(xy) for xy in ring(wkt)]]},
        }
        for name, wkt in ZONES.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def ring(wkt: str) -> Any:
    from shapely import from_wkt

    return from_wkt(wkt).exterior.coords


def check_stack(data: xr.Dataset, cube: Cube) -> None:
    """Pixels to the bit, coordinates, times, CRS."""
    assert set(data.data_vars) == {*cube.power, "masked_fraction"}
    np.testing.assert_array_equal(data["x"], cube.x)
    np.testing.assert_array_equal(data["y"], cube.y)
    assert [str(t)[:19] for t in data["time"].values] == [f"{t:%Y-%m-%dT%H:%M:%S}" for t in cube.times]
    assert data.rio.crs.to_string() == cube.crs
    for name, power in cube.power.items():
        got = data[name].compute(scheduler="synchronous")
        assert got.dims == ("time", "y", "x")
        assert got.dtype == np.float32
        assert got.attrs["units"] == "1"
        np.testing.assert_array_equal(got.values, power)


def check_task(done: Done, task: str, cube: Cube, *, inside: np.ndarray | None = None) -> None:
    """All that a statistics task made."""
    check_rasters(done, task, cube)
    check_files(done, task, cube.crs)
    expected = pd.concat([cube.series(name, "area", inside) for name in cube.power])
    assert_series(done.open(task, "time_series"), expected)
    (csv,) = done.of_task(task, media_type="text/csv")
    assert_series(pd.read_csv(csv["href"], dtype={"date": str}), expected)
    check_item(done, task)


def check_rasters(done: Done, task: str, cube: Cube) -> None:
    for name in cube.power:
        assert_statistics(lambda raster, name=name: done.raster(task, raster, name), cube, name)
        opened = done.open(task, "mean", polarization=name)
        assert_power(opened.values, cube.statistics(name)["mean"])
        np.testing.assert_array_equal(opened["x"], cube.x)
        np.testing.assert_array_equal(opened["y"], cube.y)
        count = done.open(task, "count", polarization=name)
        np.testing.assert_array_equal(count.values, cube.statistics(name)["count"])


def check_files(done: Done, task: str, crs: str) -> None:
    """What QGIS and GDAL see of every raster."""
    rows = done.of_task(task, role="raster")
    assert sorted({row["name"] for row in rows}) == sorted(RASTERS)
    for row in rows:
        valid, errors, warnings = cog_validate(row["href"], strict=True)
        assert valid, (row["href"], errors, warnings)
        assert Path(row["href"]).stat().st_size == row["bytes"]
        with rasterio.open(row["href"]) as file:
            assert file.crs.to_string() == crs
            assert file.descriptions[0].startswith(row["polarization"])
            assert file.units == (row["units"],)
            values = file.read(1, masked=True)
            if row["name"] == "count":
                assert file.nodata is None
            else:
                assert file.nodata == -1 if row["name"] in INTEGERS else np.isnan(file.nodata)
                values = np.ma.masked_invalid(values)
            tags, some = file.tags(1), values.compressed().astype(np.float64)
            told = [float(tags[f"STATISTICS_{key}"]) for key in ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV")]
            np.testing.assert_allclose(told, [some.min(), some.max(), some.mean(), some.std()], rtol=1e-6, atol=1e-9)


def check_item(done: Done, task: str) -> None:
    """The STAC item names every product, and what it names is there."""
    item, folder = done.item(task)
    hrefs = {str((folder / asset.href).resolve()) for asset in item.assets.values()}
    assert hrefs == {str(Path(row["href"]).resolve()) for row in done.of_task(task)}
    assert all(Path(href).exists() for href in hrefs)
    west, south, east, north = item.bbox
    assert box(west, south, east, north).buffer(1e-6).contains(pystac_shape(item))
    assert item.properties["sarbatch:key"] == done.of_task(task)[0]["key"]
    assert item.properties["proj:code"].startswith("EPSG:326")
    assert {"sarbatch", "numpy", "rasterio"} <= set(item.properties["sarbatch:versions"])


def pystac_shape(item: pystac.Item) -> Any:
    from shapely.geometry import shape

    return shape(item.geometry)


@needs_opera
def test_the_item_of_a_stack_names_every_scene_and_release(bursts: Done) -> None:
    item, folder = bursts.item(BURSTS[1].lower())
    files = sorted((OPERA / BURSTS[1]).glob("*_VV.tif"))
    scenes = item.properties["sarbatch:scenes"]
    assert [(name[-16:-1], release[-16:]) for name, release, *_ in scenes] == [
        (file.name.split("_")[4][:-1], file.name.split("_")[5]) for file in files
    ]
    assert item.properties["sarbatch:radiometry"]["quantity"] == "gamma0_terrain"
    assert item.common_metadata.start_datetime == opera_name(files[0])[1]
    end = item.common_metadata.end_datetime
    assert end is not None
    assert timedelta(0) <= end - opera_name(files[-1])[1] <= timedelta(seconds=1)
    (asset,) = item.assets.values()
    assert (folder / asset.href).is_dir()


@needs_opera
def test_exports_equal_the_stack_and_open_without_sarbatch(bursts: Done) -> None:
    cube = truth(HOLES, bursts)
    (plain,) = bursts.of_task(HOLES, name="stack_zarr")
    with xr.open_zarr(plain["href"], decode_coords="all") as data:
        check_stack(data, cube)
    check_stack(bursts.open(HOLES, "stack_zarr"), cube)
    rows = bursts.of_task(HOLES, role="raster")
    assert len(rows) == 2 * 2 * len(cube.times)
    for row in rows:
        assert cog_validate(row["href"], strict=True)[0]
        step = cube.times.index(datetime.fromisoformat(row["date"]))
        power = cube.power[row["polarization"]][step]
        with rasterio.open(row["href"]) as file:
            got = file.read(1)
            assert (file.crs.to_string(), file.transform.c, file.transform.f) == (cube.crs, cube.left, cube.top)
            assert file.units == (row["units"],)
        if row["name"] == "power":
            np.testing.assert_array_equal(got, power)
        else:
            expected = np.log10(power, where=power > 0, out=np.full_like(power, np.nan)) * 10
            np.testing.assert_allclose(got, expected, rtol=2e-7, atol=4.3e-6)
    check_item(bursts, HOLES)


PRODUCT_KEYS = "run task kind name role polarization date period orbit zone href media_type bytes units key created"
TASK_KEYS = "task kind key state why_stale backend reason would_change candidates estimate inputs"
ESTIMATE_KEYS = "pixels bytes_read bytes_written core_hours eecu_hours wall_seconds"
STATUS_KEYS = "task kind backend state engine_state attempt progress reason error estimate actual operations"
LABELS = ("polarization", "date", "period", "orbit", "zone")


@needs_opera
def test_json_is_as_promised(bursts: Done) -> None:
    listed = sarbatch_json("products", bursts.run.id)
    assert set(listed) == {"schema", "products"}
    assert listed["schema"] == 1
    assert all(set(row) == set(PRODUCT_KEYS.split()) for row in listed["products"])
    ids = [tuple(row[k] for k in ("task", "name", "role", "media_type", *LABELS)) for row in listed["products"]]
    assert len(ids) == len(set(ids)) == 14 + 7 * (24 + 3) - 7 + 1 + 28
    assert {row["role"] for row in listed["products"]} == {"store", "raster", "table", "file"}
    for row in listed["products"]:
        assert row["run"] == bursts.run.id
        assert all(row[label] is None or row[label] for label in LABELS)
        assert datetime.fromisoformat(row["created"]).tzinfo is not None
        assert (row["polarization"] is None) == (row["role"] != "raster")
        assert re.fullmatch(r"[0-9a-f]{64}", row["key"])
    assert [row["name"] for row in listed["products"] if row["task"] == BURSTS[0].lower()] == ["stack"]

    status = sarbatch_json("status", bursts.run.id)
    assert set(status) == {"schema", "runs"}
    (run,) = status["runs"]
    assert set(run) == {"run", "job", "state", "started", "ended", "tasks"}
    for task in run["tasks"]:
        assert set(task) == set(STATUS_KEYS.split())
        assert (task["state"], task["error"], task["progress"]) == ("done", None, 1.0)
        assert set(task["estimate"]) == set(ESTIMATE_KEYS.split())
        assert task["actual"]["wall_seconds"] > 0
        assert {operation["tile"] for operation in task["operations"]} == {"whole"}

    plan = sarbatch_json("plan", str(Path(bursts.run.output).parent / "job.yaml"))
    assert set(plan) == {"schema", "job", "tasks"}
    for task in plan["tasks"]:
        assert set(task) == set(TASK_KEYS.split())
        assert (task["state"], task["why_stale"]) == ("done", [])
        assert set(task["estimate"]) == set(ESTIMATE_KEYS.split())
        assert set(task["inputs"]) == {"used", "dropped"}
        assert all(set(row) == {"backend", "able", "why", "estimate"} for row in task["candidates"])
        assert all(
            row["estimate"] is None or set(row["estimate"]) == set(ESTIMATE_KEYS.split()) for row in task["candidates"]
        )
