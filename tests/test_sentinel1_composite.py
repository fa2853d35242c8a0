"""Sentinel-1 jobs from job file to registered rasters: simulated GRD scenes and real OPERA scenes, against NumPy on the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import plain_speckle
import pytest
import rasterio
from jobs import opera, plan_job, run_job, sarbatch_json, write_job
from oracles import Cube, opera_cube
from rio_cogeo.cogeo import cog_validate
from sentinel1_jobs import (
    BURSTS,
    OPERA,
    area_of,
    composite,
    copied,
    earth_engine,
    machine_with,
    opera_files,
    planning_settings,
    register_opera,
    scene_grid,
    series,
    simulate,
)

from gee.local.faults import Fault
from gee.local.folders import assets_of
from gee.local.simulate import Orbit, Scene, Simulation
from infra.grid import Grid, union
from infra.settings import Settings
from pipelines import run_plan
from pipelines.orders import Product
from pipelines.plan import TaskPlan
from pipelines.products import ITEM, href, published

pytestmark = pytest.mark.slow
PLAN = Simulation(
    width=68,
    height=56,
    overlap=8,
    dates=3,
    noise=0.0,
    orbits=(Orbit(relative=131, direction="ASCENDING"), Orbit(relative=58, direction="DESCENDING")),  # on one UTC date
)
YEAR = {"start": "2020-01-01", "end": "2021-01-01"}
GRD = "COPERNICUS/S1_GRD_FLOAT"
Rasters = dict[tuple[str, str | None, str | None, str | None], np.ndarray]


@dataclass(frozen=True)
class Made:
    """A task that was carried out."""

    task: TaskPlan
    products: list[Product]

    @property
    def rasters(self) -> Rasters:
        """Pixels by name, period, orbit and date, float64, NaN where there are no data."""
        return {(one.name, one.period, one.orbit, one.date): read(self.href(one)) for one in self.products}

    def href(self, product: Product) -> str:
        return href(self.task.order.home, product)

    @property
    def grid(self) -> Grid:
        return Grid(**self.task.order.document["grid"])


def read(path: str) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1), np.float64)


def made(path: Path, settings: Settings) -> dict[str, Made]:
    plan = plan_job(path, settings)
    run_job(path, settings)
    return {task.task: Made(task, published(task.order)) for task in plan.tasks}


# -- NumPy's words ----------------------------------------------------------------------------------------------------


def positive(power: np.ndarray) -> np.ndarray:
    return np.where(power > 0, power, np.nan)


def decibels(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(positive(power))


def mosaics(scenes: Sequence[Scene], grid: Grid) -> dict[tuple[datetime, str], dict[str, np.ndarray]]:
    """Power of each pass on a grid, by the time of its first slice and its orbit; the first slice in time wins."""
    passes: dict[float, list[Scene]] = defaultdict(list)
    for scene in sorted(scenes, key=lambda one: one.properties["system:time_start"]):
        passes[scene.properties["orbitNumber_start"]].append(scene)
    found = {}
    for members in passes.values():
        powers = {band: np.full(grid.shape, np.nan) for band in ("VV", "VH")}
        for scene in members:
            window = grid.window_of(scene_grid(scene))
            inner = window.intersect(grid.full)
            cut = (slice(inner.row - window.row, inner.row - window.row + inner.height),
                   slice(inner.col - window.col, inner.col - window.col + inner.width))  # fmt: skip
            for band, whole in powers.items():
                part = whole[inner.slices]
                part[np.isnan(part)] = scene.bands[band][cut].astype(np.float64)[np.isnan(part)]
        first = members[0].properties
        time = datetime.fromtimestamp(first["system:time_start"] / 1000, UTC)
        letter = {"ASCENDING": "A", "DESCENDING": "D"}[first["orbitProperties_pass"]]
        found[time, f"{letter}{first['relativeOrbitNumber_start']:03.0f}"] = powers
    return found


def quantity(powers: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    plain, _, db = name.partition("_")
    value = powers["VV"] / positive(powers["VH"]) if plain == "ratio" else powers[plain.upper()]
    return decibels(value) if db else value


def reduced(passes: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    """Raster of a product's name."""
    if name == "count":
        return np.sum([np.isfinite(one["VV"]) for one in passes], axis=0).astype(np.float64)
    of, _, reducer = name.removesuffix("_unfiltered").rpartition("_")
    values = np.array([quantity(one, of) for one in passes])
    nothing = np.isnan(values).all(axis=0)
    values[:, nothing] = 0
    if reducer == "mean":  # of power, then what it is a quantity of
        means = {band: np.nanmean([np.where(nothing, 1, one[band]) for one in passes], axis=0) for band in ("VV", "VH")}
        found = quantity(means, of)
    elif reducer == "stdDev":
        found = np.nanstd(values, axis=0)
    else:
        found = np.nanpercentile(values, 50 if reducer == "median" else int(reducer[1:]), axis=0)
    return np.where(nothing, np.nan, found)


def agree(got: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6)


# -- simulated scenes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Simulated:
    """One run over all tasks; the northern slice of one descending pass is not there."""

    scenes: list[Scene]
    tasks: dict[str, Made]
    rows: list[dict[str, Any]]
    path: Path
    settings: Settings
    earth_engine: Path

    def passes(self, task: str) -> dict[tuple[datetime, str], dict[str, np.ndarray]]:
        return mosaics(self.scenes, self.tasks[task].grid)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    folder = tmp_path_factory.mktemp("grd")
    scenes = list(simulate(folder / "ee", PLAN))
    descending = [one for one in scenes if one.properties["relativeOrbitNumber_start"] == 58]
    gone = max(descending[2:4], key=lambda one: one.transform[5])
    assets_of(folder / "ee").remove(f"{GRD}/{gone.index}")
    scenes.remove(gone)
    area = area_of(union([scene_grid(one) for one in scenes]), margin=-6)
    tasks = {
        "whole": composite(
            quantities=["vv", "vv_db", "ratio", "ratio_db"],
            reducers=["median", "mean", "stdDev", "p95", "count"],
            export={"tile": 64},
        ),
        "months": composite(quantities=["vv_db"], reducers=["median", "count"], composite={"time": "month", "per_orbit": True}),
        "filtered": composite(
            quantities=["vv"], reducers=["median"], orbits=[131], unfiltered=True, speckle={"filter": "boxcar", "window": 3}
        ),
        "decibels": composite(collection="COPERNICUS/S1_GRD", quantities=["vv"], reducers=["median"], orbits=[131]),
        "coarse": composite(quantities=["vv"], reducers=["mean"], grid={"crs": "EPSG:32720", "resolution": 30}),
        "dates": series(quantities=["vv", "ratio_db"], start=1, limit=3, **{"pass": "both"}),
        "bucket": composite(
            quantities=["vv"], reducers=["p95"], export={"to": "cloud-storage", "bucket": "mine-1", "folder": "radar/tiles"}
        ),
        "asset": composite(quantities=["vv"], reducers=["p05", "count"], export={"to": "asset", "folder": "radar/2020"}),
    }  # fmt: skip
    with earth_engine(folder / "ee") as place, machine_with(place, folder / "state") as settings:
        path = write_job(folder / "job", tasks, area=area, period=YEAR)
        found = made(path, settings)
        yield Simulated(scenes, found, sarbatch_json("products")["products"], path, settings, folder / "ee")


def test_every_product_is_what_numpy_makes_of_the_scenes(simulated: Simulated) -> None:
    passes = list(simulated.passes("whole").values())
    rasters = simulated.tasks["whole"].rasters
    assert len(rasters) == 4 * 4 + 1
    assert len(simulated.tasks["whole"].task.order.tiles) == 2 * 2  # of 64 pixels at most, put together
    for (name, *labels), raster in rasters.items():
        assert labels == [None, None, None]
        agree(raster, reduced(passes, name))


def test_a_slice_edge_through_the_area_shows_in_the_count_and_nowhere_else(simulated: Simulated) -> None:
    grid = simulated.tasks["whole"].grid
    count = simulated.tasks["whole"].rasters["count", None, None, None]
    scenes = union([scene_grid(one) for one in simulated.scenes])
    inside = np.zeros(grid.shape, bool)
    inside[grid.window_of(scenes).slices] = True
    assert (~inside).any()
    assert (count[~inside] == 0).all()
    first = grid.window_of(scenes).row
    edge = first + PLAN.height - PLAN.overlap  # where the southern slice begins, of the pass whose northern one is gone
    assert (count[first:edge][inside[first:edge]] == 5).all()
    assert (count[edge:][inside[edge:]] == 6).all()


def test_two_orbits_on_one_date_are_two_passes(simulated: Simulated) -> None:
    passes = simulated.passes("whole")
    assert len(passes) == 6
    assert len({(time.date(), orbit) for time, orbit in passes}) == 6
    assert len({time.date() for time, _ in passes}) == 3


def test_months_and_orbits_have_products_of_their_own(simulated: Simulated) -> None:
    rasters = simulated.tasks["months"].rasters
    groups = defaultdict(list)
    for (time, orbit), powers in simulated.passes("months").items():
        groups[f"{time:%Y-%m}", orbit].append(powers)
    assert {(period, orbit) for _, period, orbit, _ in rasters} == set(groups)
    assert len(rasters) == 2 * len(groups)
    for (name, period, orbit, _), raster in rasters.items():
        agree(raster, reduced(groups[str(period), str(orbit)], name))


def test_the_filter_comes_first_and_its_twin_goes_without(simulated: Simulated) -> None:
    passes = [powers for (_, orbit), powers in simulated.passes("filtered").items() if orbit == "A131"]
    rasters = simulated.tasks["filtered"].rasters
    agree(rasters["vv_median_unfiltered", None, None, None], reduced(passes, "vv_median"))
    smooth = [{band: plain_speckle.boxcar(one[band], window=3) for band in one} for one in passes]
    agree(rasters["vv_median", None, None, None], reduced(smooth, "vv_median"))


def test_decibels_and_power_are_one_product(simulated: Simulated) -> None:
    ascending = [powers for (_, orbit), powers in simulated.passes("decibels").items() if orbit == "A131"]
    agree(simulated.tasks["decibels"].rasters["vv_median", None, None, None], reduced(ascending, "vv_median"))


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")  # blocks without data
def test_power_is_averaged_to_a_coarser_grid_before_it_is_reduced(simulated: Simulated) -> None:
    grid = simulated.tasks["coarse"].grid
    assert (grid.dx, grid.left % 30, grid.top % 30) == (30, 0, 0)
    fine = replace(grid, dx=10.0, dy=10.0, height=3 * grid.height, width=3 * grid.width)
    blocks = [
        {band: np.nanmean(np.where(np.isnan(one["VV"]), np.nan, values).reshape(grid.height, 3, grid.width, 3), axis=(1, 3))
         for band, values in one.items()}
        for one in mosaics(simulated.scenes, fine).values()
    ]  # fmt: skip
    raster = simulated.tasks["coarse"].rasters["vv_mean", None, None, None]
    agree(raster, reduced(blocks, "vv_mean"))


def test_a_series_has_every_pass_under_its_date(simulated: Simulated) -> None:
    rasters = simulated.tasks["dates"].rasters
    wanted = sorted(simulated.passes("dates").items())[1:4]
    assert {(name, orbit, date) for name, _, orbit, date in rasters} == {
        (name, orbit, f"{time:%Y-%m-%d}") for (time, orbit), _ in wanted for name in ("vv", "ratio_db")
    }
    for (time, orbit), powers in wanted:
        for name in ("vv", "ratio_db"):
            agree(rasters[name, None, orbit, f"{time:%Y-%m-%d}"], quantity(powers, name))
    names = [Path(one.path).name for one in simulated.tasks["dates"].products]
    assert all(("_S1A_" in name or "_S1B_" in name) and name[0] in "AD" for name in names)
    assert len(set(names)) == len(names)


def test_products_are_registered_and_named_once(simulated: Simulated) -> None:
    rows = simulated.rows
    assert len(rows) == sum(len(task.products) for task in simulated.tasks.values())
    labels = [tuple(row[key] for key in ("task", "name", "role", "period", "orbit", "date")) for row in rows]
    assert len(set(labels)) == len(rows)
    for row in rows:
        if row["task"] != "asset":
            assert Path(row["href"]).stat().st_size == row["bytes"]
        assert row["units"] == ("dB" if "_db" in row["name"] else "1")


def test_files_of_a_bucket_are_put_together_too(simulated: Simulated) -> None:
    passes = list(simulated.passes("bucket").values())
    agree(simulated.tasks["bucket"].rasters["vv_p95", None, None, None], reduced(passes, "vv_p95"))
    assert list((simulated.earth_engine / "exports/cloud-storage/mine-1/radar/tiles").glob("*.tif"))


def test_assets_are_products_where_they_are(simulated: Simulated) -> None:
    made_ = simulated.tasks["asset"]
    assert [one.name for one in made_.products] == ["vv_p05", "count"]
    for product in made_.products:
        start, _, name = made_.href(product).partition("?asset=")
        assert start == "https://code.earthengine.google.com/"
        assert [band.name for band in assets_of(simulated.earth_engine).get(name).bands] == ["vv_p05", "count"]


def test_rasters_are_cloud_optimized_and_say_what_they_are(simulated: Simulated) -> None:
    whole = simulated.tasks["whole"]
    for product in whole.products:
        assert cog_validate(whole.href(product))[0]
        with rasterio.open(whole.href(product)) as file:
            assert file.descriptions == (product.name,)
            assert file.dtypes == ("int32" if product.name == "count" else "float32",)
            tags = file.tags()
        assert (tags["PASSES"], tags["FIRST_DATE"], tags["RADIOMETRY"]) == ("6", "2020-01-03", "sigma0_ellipsoid")
    (month,) = [one for one in simulated.tasks["months"].products if one.path == "A131_2020-01_vv_db_median.tif"]
    with rasterio.open(simulated.tasks["months"].href(month)) as file:
        assert (file.tags()["PERIOD"], file.tags()["ORBIT"], file.units) == ("2020-01", "A131", ("dB",))


def test_the_item_names_scenes_parameters_and_radiometry(simulated: Simulated) -> None:
    item = simulated.tasks["whole"].task.order.home.read_json(ITEM)
    said = item["properties"]
    assert len(said["sarbatch:scenes"]) == len(simulated.scenes)
    assert all(name.startswith(GRD) for name, *_ in said["sarbatch:scenes"])
    assert said["sarbatch:radiometry"]["quantity"] == "sigma0_ellipsoid"
    assert said["sarbatch:parameters"]["reducers"] == ["median", "mean", "stdDev", "count", "p95"]
    assert said["proj:shape"] == list(simulated.tasks["whole"].grid.shape)


def test_what_is_there_is_not_made_again(simulated: Simulated) -> None:
    assert {task.state for task in plan_job(simulated.path, simulated.settings).tasks} == {"done"}


# -- real scenes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Real:
    """One job under three words, and what NumPy has of the same files."""

    tasks: dict[str, dict[str, Made]]  # by the job's word, then by task
    cube: Cube


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    if not BURSTS.is_dir():
        pytest.skip("the real scenes are not at ../shared/data")
    folder = tmp_path_factory.mktemp("opera")
    files = opera_files("T137-292320-IW1", dates=4)
    register_opera(folder / "ee", files)
    scenes = copied(files, folder / "scenes")
    # Inside of the scenes: the stack ends there, so that filters near its edge see fewer neighbours, on both engines
    area = {"bbox": [-120.6975, 34.407, -120.6695, 34.43]}
    both = {"stack": "stack", "collection": OPERA}
    tasks = {
        "months": composite(
            **both,
            quantities=["vv", "ratio_db"],
            reducers=["median", "mean", "p05", "count"],
            composite={"time": "month", "per_orbit": True},
            speckle={"filter": "refined_lee"},
            unfiltered=True,
        ),
        "dates": series(**both, quantities=["vv_db"], limit=2, speckle={"filter": "multi_temporal"}),
    }
    found = {}
    with earth_engine(folder / "ee") as place, machine_with(place, folder / "state") as settings:
        for word in ("dask", "earth-engine"):
            every = {"stack": opera(scenes), **{name: {**task, "backend": word} for name, task in tasks.items()}}
            found[word] = made(write_job(folder / word, every, name="real", area=area), settings)
        yield Real(found, opera_cube(scenes).within(*area["bbox"]))


def test_both_engines_make_the_same_products_under_the_same_names(real: Real) -> None:
    dask, earth = real.tasks["dask"], real.tasks["earth-engine"]
    for name in ("months", "dates"):
        assert dask[name].task.backend == "dask"
        assert earth[name].task.backend == "earth-engine"
        assert dask[name].task.order.key == earth[name].task.order.key

        def labels(task: Made) -> list[tuple[Any, ...]]:
            return sorted((one.name, one.path, one.period, one.orbit, one.date, one.units) for one in task.products)

        assert labels(dask[name]) == labels(earth[name])
        assert dask[name].grid == earth[name].grid


def test_pixels_of_both_engines_agree(real: Real) -> None:
    """Within 1e-5, but for a millionth of the pixels; data at the same places."""
    compared = apart = 0
    for name in ("months", "dates"):
        rasters = real.tasks["earth-engine"][name].rasters
        for label, wanted in real.tasks["dask"][name].rasters.items():
            np.testing.assert_array_equal(np.isfinite(rasters[label]), np.isfinite(wanted))
            ok = np.isfinite(wanted)
            scale = np.maximum(np.abs(rasters[label]), np.abs(wanted))[ok]
            compared += ok.sum()
            apart += (np.abs(rasters[label] - wanted)[ok] > 1e-5 * scale + 1e-12).sum()
    assert compared > 150_000
    assert apart <= 1e-6 * compared


def test_both_are_what_numpy_makes_of_the_files(real: Real) -> None:
    cube = real.cube
    months = defaultdict(list)
    for index, time in enumerate(cube.times):
        months[f"{time:%Y-%m}"].append({band: cube.power[band][index].astype(np.float64) for band in ("VV", "VH")})
    rasters = {engine: tasks["months"].rasters for engine, tasks in real.tasks.items()}
    for name, period, orbit, _ in rasters["dask"]:
        assert (period, orbit) in {("2021-11", "A137"), ("2021-12", "A137")}
        if name == "count" or name.endswith("_unfiltered"):
            wanted = reduced(months[str(period)], name)
            for found in rasters.values():
                agree(found[name, period, orbit, None], wanted)


def test_filtered_series_are_what_plain_loops_make_of_the_files(real: Real) -> None:
    power = real.cube.power["VV"][:2].astype(np.float64)
    wanted = decibels(plain_speckle.multi_temporal(power, window=7))
    for engine in ("dask", "earth-engine"):
        rasters = real.tasks[engine]["dates"].rasters
        for index, time in enumerate(real.cube.times[:2]):
            agree(rasters["vv_db", None, "A137", f"{time:%Y-%m-%d}"], wanted[index])


def test_earth_engine_needs_no_stack_to_be_made(real: Real) -> None:
    assert real.tasks["earth-engine"]["months"].task.needs == ()
    assert real.tasks["dask"]["months"].task.needs == ("stack",)


# -- what fails --------------------------------------------------------------------------------------------------------


def test_a_bucket_that_does_not_exist_is_told_once(tmp_path: Path) -> None:
    """The service says so when the export runs; trying again would change nothing."""
    said = "Google Cloud Storage bucket 'nowhere-at-all' does not exist."
    scenes = simulate(tmp_path / "ee", replace(PLAN, dates=1))
    task = composite(quantities=["vv"], reducers=["median"], export={"to": "cloud-storage", "bucket": "nowhere-at-all"})
    area = area_of(union([scene_grid(one) for one in scenes]))
    failing = Fault(kind="fails", seconds=0.0, message=said)
    with earth_engine(tmp_path / "ee", failing) as place, machine_with(place, tmp_path / "state") as settings:
        plan = plan_job(write_job(tmp_path / "job", {"made": task}, area=area, period=YEAR), settings)
        run = run_plan(plan, settings=settings)
        assert run.state == "failed"
        (row,) = sarbatch_json("status", run.id)["runs"][0]["tasks"]
    assert row["error"]["class"] == "user"
    assert "nowhere-at-all" in row["error"]["message"]
    assert row["error"]["remedy"]
    assert row["attempt"] == 1
    assert published(plan.tasks[0].order) == []


def test_a_driver_that_dies_between_rasters_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    scenes = simulate(tmp_path / "ee", replace(PLAN, dates=1))
    task = composite(quantities=["vv", "vh_db"], reducers=["median", "mean", "count"], export={"tile": 64})
    area, mark = area_of(union([scene_grid(one) for one in scenes])), tmp_path / "died"
    fault = {"SARBATCH_FAULT": "write:3", "SARBATCH_FAULT_FILE": str(mark)}
    with earth_engine(tmp_path / "ee") as place, machine_with(place, tmp_path / "state", **fault) as settings:
        whole = made(write_job(tmp_path / "job", {"made": task}, area=area, period=YEAR), settings)["made"]
    died = mark.stat().st_mtime
    written = [Path(whole.href(one)).stat().st_mtime for one in whole.products]
    assert sum(time <= died for time in written) >= 3  # kept
    assert any(time > died for time in written)
    assert len(written) == 5
    passes = list(mosaics(scenes, whole.grid).values())
    for (name, *_), raster in whole.rasters.items():
        agree(raster, reduced(passes, name))


# -- what is not the same product --------------------------------------------------------------------------------------


POLYGON = "POLYGON ((-120.70 34.37, -120.60 34.37, -120.70 34.42, -120.70 34.37))"
NOT_THE_SAME: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "masked": ({"mask": {"layover": True}}, {}, "it hides layover"),
    "resampled": ({"grid": {"crs": "EPSG:32611", "resolution": 60}}, {}, "resampled to its `grid`"),
    "one granule more": ({}, {"more": True}, r"Earth Engine lacks 1 of its granules: T137-292320-IW1_20211201"),
    "cut by a polygon before the filter": ({}, {"polygon": True}, "ends at the area's outline"),
}


def write_mask_layers(scenes: Path) -> None:
    """Mask layers, in which everything is valid."""
    for path in scenes.glob("*_VV.tif"):
        with rasterio.open(path) as file:
            profile, shape = file.profile, file.shape
        name = path.name.replace("_VV.tif", "_mask.tif")
        with rasterio.open(scenes / name, "w", **{**profile, "dtype": "uint8", "nodata": 255}) as mask:
            mask.write(np.zeros(shape, np.uint8), 1)


@pytest.mark.parametrize("name", NOT_THE_SAME)
def test_earth_engine_says_why_it_cannot_make_the_same(name: str, tmp_path: Path) -> None:
    if not BURSTS.is_dir():
        pytest.skip("the real scenes are not at ../shared/data")
    stack, more, said = NOT_THE_SAME[name]
    files = opera_files("T137-292320-IW1", dates=3)
    register_opera(tmp_path / "ee", files[: 4 if more.get("more") else None])
    scenes = copied(files, tmp_path / "scenes")
    if name == "masked":
        write_mask_layers(scenes)
    top = {"area": {"wkt": POLYGON}} if more.get("polygon") else {}
    task = composite(stack="stack", collection=OPERA, speckle={"filter": "boxcar"})
    with earth_engine(tmp_path / "ee") as place:
        settings = planning_settings(place, tmp_path)
        plan = plan_job(write_job(tmp_path, {"stack": opera(scenes, **stack), "made": task}, **top), settings)
    (candidate,) = [one for one in plan.tasks[-1].candidates if one.backend == "earth-engine"]
    assert not candidate.able
    assert plan.tasks[-1].backend == "dask"
    assert re.search(said, candidate.why)
