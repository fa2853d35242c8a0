"""Reprojection: against exact positions, areas and means computed without GDAL, and as a user asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from geotiffs import PLACE, write_tif
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import SCENES, machine, opera, plan_job, run_job, sarbatch, write_job
from pyproj import Transformer

from dask_jobs.passes import group_passes
from dask_jobs.readers import geotiff
from dask_jobs.readers.file_names import FileNames
from dask_jobs.reprojection import Lattice, reproject_mosaic, resample, target_grid
from dask_jobs.scenes import Pass, Raster, Scene
from infra.errors import InputError, LatticeError
from infra.grid import Grid, Window
from infra.region import Region
from infra.settings import Settings
from infra.storage import S3Options
from pipelines import open_product

S3 = S3Options()
ZONE_11 = Grid(crs="EPSG:32611", left=300_000, top=3_800_000, dx=30, dy=30, height=300, width=280)
BURST = (SCENES / "opera-rtc-s1/T137-292320-IW1").resolve()
needs_opera = pytest.mark.skipif(not BURST.is_dir(), reason="the real OPERA scenes are not at ../shared/data")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # odc-geo's way with affine


def exact_indices(source: Grid, target: Grid) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) of the source, in pixels, at each target pixel's centre, by PROJ alone."""
    x, y = np.meshgrid(target.x, target.y)
    x, y = Transformer.from_crs(target.crs, source.crs, always_xy=True).transform(x, y)
    return (source.top - y) / source.dy - 0.5, (x - source.left) / source.dx - 0.5


def speckle(grid: Grid, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(4.4, 0.05, size=grid.shape).astype(np.float32)


# ------------------------------------------------------------------------------------------------------- positions


@pytest.mark.parametrize("resampling", ["bilinear", "cubic"])
@pytest.mark.parametrize("crs", ["EPSG:32610", "EPSG:4326", "EPSG:3310"])
def test_a_plane_comes_out_where_it_belongs(crs: str, resampling: Any) -> None:
    """A value that is its own column (row) reads the position that it was taken from."""
    resolution = 0.0003 if crs == "EPSG:4326" else 30
    target = Lattice.spaced(crs=crs, resolution=resolution).around(ZONE_11)
    rows, cols = np.indices(ZONE_11.shape).astype(np.float32)
    exact = exact_indices(ZONE_11, target)
    for values, wanted in zip((rows, cols), exact, strict=True):
        made = resample(values, grid=ZONE_11, target=target, resampling=resampling)
        inner = (exact[0] > 2) & (exact[0] < 297) & (exact[1] > 2) & (exact[1] < 277)
        assert inner.mean() > 0.6
        np.testing.assert_allclose(made[inner], wanted[inner], atol=0.01 if crs == "EPSG:4326" else 0.002)


def test_nearest_takes_the_pixel_that_holds_the_centre() -> None:
    target = Lattice.spaced(crs="EPSG:32610", resolution=30).around(ZONE_11)
    power = speckle(ZONE_11)
    row, col = exact_indices(ZONE_11, target)
    made = resample(power, grid=ZONE_11, target=target, resampling="nearest")
    off = np.maximum(abs(row - np.round(row)), abs(col - np.round(col)))
    clear = (off < 0.49) & (row > 1) & (row < 298) & (col > 1) & (col < 278)
    np.testing.assert_array_equal(
        made[clear], power[np.round(row[clear]).astype(int), np.round(col[clear]).astype(int)]
    )


@pytest.mark.parametrize("resampling", ["average", "bilinear"])
def test_half_a_pixel_off_is_the_mean_of_four(resampling: Any) -> None:
    shifted = replace(ZONE_11, left=ZONE_11.left + 15, top=ZONE_11.top + 15)
    power = speckle(ZONE_11)
    four = (power[1:, :-1] + power[:-1, :-1] + power[1:, 1:] + power[:-1, 1:]) / 4
    made = resample(power, grid=ZONE_11, target=shifted, resampling=resampling)
    np.testing.assert_allclose(made[1:, :-1], four, rtol=1e-5)


def test_average_is_the_mean_power_of_what_a_pixel_covers() -> None:
    """Three by three on one lattice, with holes, against a plain block mean."""
    target = Lattice.spaced(crs=ZONE_11.crs, resolution=90).around(replace(ZONE_11, top=3_799_980.0, height=299))
    source = replace(ZONE_11, top=target.top, left=target.left, height=3 * target.height, width=3 * target.width)
    power = speckle(source)
    power[np.random.default_rng(1).random(source.shape) < 0.3] = np.nan
    power[:30, :30] = np.nan
    blocks = power.reshape(target.height, 3, target.width, 3).swapaxes(1, 2).reshape(*target.shape, 9)
    some = np.isfinite(blocks).any(axis=2)
    mean = np.where(some, np.nansum(blocks, axis=2) / np.maximum(np.isfinite(blocks).sum(axis=2), 1), np.nan)
    made = resample(power, grid=source, target=target, resampling="average")
    np.testing.assert_allclose(made, mean, rtol=1e-5)
    assert not some[:10, :10].any()


@pytest.mark.parametrize("across", [0.0, 15.0, 37.5, 60.0])
@pytest.mark.parametrize("down", [0.0, 15.0, 50.0])
def test_a_pixel_that_hangs_over_the_edge_is_the_mean_of_what_lies_inside(across: float, down: float) -> None:
    """Against means by area, pixel by pixel; GDAL alone is off by up to a tenth there."""
    source = replace(ZONE_11, height=10, width=10)
    target = replace(
        source, left=source.left - 75 + across, top=source.top + 75 - down, dx=75, dy=75, height=6, width=6
    )
    power = speckle(source)
    found = resample(power, grid=source, target=target, resampling="average")

    def share(start: float, count: int) -> np.ndarray:
        """Parts of the source's pixels that lie under each of the target's, dims (target, source)."""
        first = start + 2.5 * np.arange(count)[:, None]
        pixels = np.arange(10)
        return np.clip(np.minimum(first + 2.5, pixels + 1) - np.maximum(first, pixels), 0, None)

    rows, cols = share((source.top - target.top) / 30, 6), share((target.left - source.left) / 30, 6)
    area = rows.sum(axis=1)[:, None] * cols.sum(axis=1)
    mean = np.full(target.shape, np.nan)
    np.divide(rows @ power.astype("float64") @ cols.T, area, out=mean, where=area > 1e-9)
    np.testing.assert_allclose(found, mean, rtol=1e-6)


@pytest.mark.parametrize("resampling", ["average", "bilinear", "cubic", "nearest"])
def test_a_constant_stays_and_holes_do_not_darken_their_neighbours(resampling: Any) -> None:
    target = Lattice.spaced(crs="EPSG:32610", resolution=70).around(ZONE_11)
    power = np.full(ZONE_11.shape, 0.1, np.float32)
    power[np.random.default_rng(2).random(ZONE_11.shape) < 0.4] = np.nan
    made = resample(power, grid=ZONE_11, target=target, resampling=resampling)
    assert np.isfinite(made).mean() > 0.4
    np.testing.assert_allclose(made[np.isfinite(made)], 0.1, rtol=1e-5)


# ------------------------------------------------------------------------------------------------ passes of scenes


def scene(folder: Path, name: str, values: np.ndarray, *, crs: str = "EPSG:32611", **place: float) -> Scene:
    path = write_tif(folder / f"{name}.tif", values, crs=crs, **place)
    height, width = values.shape
    t = PLACE @ Affine.translation(place.get("col", 0), place.get("row", 0))
    grid = Grid(crs=crs, left=t.c, top=t.f, dx=t.a, dy=-t.e, height=height, width=width)
    return Scene(
        id=name, release="", time=datetime(2024, 1, 1, tzinfo=UTC), grid=grid, rasters={"VV": Raster(url=str(path))}
    )


@pytest.fixture(scope="module")
def two_bursts(tmp_path_factory: pytest.TempPathFactory) -> Pass:
    """Two overlapping scenes of one lattice, the first with a hole, and a third one half a pixel off."""
    folder = tmp_path_factory.mktemp("bursts")
    values = [speckle(replace(ZONE_11, height=150, width=140), seed) for seed in range(3)]
    values[0][40:60, 20:50] = np.nan
    scenes = (
        scene(folder, "a", values[0]),
        scene(folder, "b", values[1], row=100, col=90),
        scene(folder, "c", values[2], row=50.5, col=200.5),
    )
    return Pass(time=scenes[0].time, scenes=scenes)


@given(st.data())
@settings(max_examples=20, deadline=None)
@pytest.mark.parametrize("resampling", ["average", "cubic"])
def test_every_window_is_a_cut_of_the_whole(two_bursts: Pass, resampling: Any, data: st.DataObject) -> None:
    lattice = Lattice.spaced(crs="EPSG:32610", resolution=50)
    target = target_grid([two_bursts], lattice=lattice, extent="union")
    whole, there = reproject_mosaic(two_bursts, "VV", target=target, window=target.full, resampling=resampling, s3=S3)
    row, col = data.draw(st.integers(0, target.height - 1)), data.draw(st.integers(0, target.width - 1))
    height = data.draw(st.integers(1, target.height - row))
    width = data.draw(st.integers(1, target.width - col))
    window = Window(row, col, height, width)
    part, covered = reproject_mosaic(two_bursts, "VV", target=target, window=window, resampling=resampling, s3=S3)
    np.testing.assert_array_equal(part, whole[window.slices])
    np.testing.assert_array_equal(covered, there[window.slices])


def test_scenes_of_one_lattice_are_one_image_before_they_are_resampled(two_bursts: Pass, tmp_path: Path) -> None:
    """The seam of two bursts gives what one file of both would give."""
    first, second, _ = two_bursts.scenes
    lattice = Lattice.spaced(crs="EPSG:32610", resolution=50)
    both = replace(two_bursts, scenes=(first, second))
    target = target_grid([both], lattice=lattice, extent="union")
    canvas = np.full((250, 230), np.nan, np.float32)
    for one, rows, cols in ((second, slice(100, 250), slice(90, 230)), (first, slice(0, 150), slice(0, 140))):
        own = speckle(one.grid, 0 if one is first else 1)
        if one is first:
            own[40:60, 20:50] = np.nan
        canvas[rows, cols] = np.where(np.isfinite(own), own, canvas[rows, cols])
    joined = replace(two_bursts, scenes=(scene(tmp_path, "joined", canvas),))
    made = [
        reproject_mosaic(one, "VV", target=target, window=target.full, resampling="bilinear", s3=S3)[0]
        for one in (both, joined)
    ]
    np.testing.assert_array_equal(*made)
    assert np.isfinite(made[0]).any()


def test_scenes_on_the_targets_lattice_keep_their_bits(two_bursts: Pass) -> None:
    first = replace(two_bursts, scenes=two_bursts.scenes[:1])
    target = target_grid([two_bursts], lattice=Lattice.of(first.scenes[0].grid), extent="union")
    made, _ = reproject_mosaic(first, "VV", target=target, window=target.full, resampling="cubic", s3=S3)
    at = target.window_of(first.scenes[0].grid)
    own = speckle(first.scenes[0].grid, 0)
    own[40:60, 20:50] = np.nan
    np.testing.assert_array_equal(made[at.slices], own)


def test_pixels_outside_the_area_are_neither_data_nor_counted(two_bursts: Pass) -> None:
    target = target_grid([two_bursts], lattice=Lattice.spaced(crs="EPSG:32610", resolution=50), extent="union")
    inside = np.zeros(target.shape, bool)
    inside[20:40] = True
    power, covered = reproject_mosaic(
        two_bursts, "VV", target=target, window=target.full, resampling="average", inside=inside, s3=S3
    )
    assert np.isfinite(power[20:40]).any()
    assert not np.isfinite(power[~inside]).any()
    assert not covered[~inside].any()


def test_extents_on_a_lattice(two_bursts: Pass) -> None:
    lattice = Lattice.spaced(crs="EPSG:32610", resolution=50)
    alone = [replace(two_bursts, scenes=(one,)) for one in two_bursts.scenes[:2]]
    whole, common = (target_grid(alone, lattice=lattice, extent=extent) for extent in ("union", "intersection"))
    assert whole.left % 50 == 0
    assert whole.top % 50 == 0
    assert whole.window_of(common).intersect(whole.full) == whole.window_of(common)
    assert common.pixels < whole.pixels / 2
    region = Region(
        wkt="POLYGON ((-119.16 34.30, -119.15 34.30, -119.15 34.31, -119.16 34.31, -119.16 34.30))", masks=False
    )
    cut = target_grid(alone, lattice=lattice, extent="area", region=region)
    assert 400 < cut.pixels < 1000
    far = replace(two_bursts, scenes=(replace(two_bursts.scenes[0], grid=replace(ZONE_11, left=2_000_000)),))
    with pytest.raises(InputError, match="no pixel is common"):
        target_grid([alone[0], far], lattice=lattice, extent="intersection")
    with pytest.raises(InputError, match="needs an area"):
        target_grid(alone, lattice=lattice, extent="area")


# ------------------------------------------------------------------------------------------------------ whole jobs


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as settings:
        yield settings


def dated(folder: Path, dates: int = 2, **place: float) -> Path:
    """Scenes of two dates, the second one `place` off the first."""
    for day in range(dates):
        values = speckle(replace(ZONE_11, height=120, width=130), day)
        write_tif(folder / f"scene_VV_2024010{day + 1}.tif", values, **(place if day else {}))
    return folder


def geotiffs(path: str, **more: Any) -> dict[str, Any]:
    pattern = r"_(?P<polarization>VV)_(?P<date>\d{8})\.tif$"
    return {"kind": "backscatter-stack", "source": {"format": "geotiff", "path": path, "pattern": pattern}, **more}


def test_half_a_pixel_is_refused_without_grid_and_right_with_it(here: Settings, tmp_path: Path) -> None:
    dated(tmp_path / "scenes", row=0.5, col=0.5)
    with pytest.raises(LatticeError, match=r"0\.500 pixel \(x\) and 0\.500 pixel \(y\)"):
        plan_job(write_job(tmp_path, {"stack": geotiffs("scenes")}), here)
    asked = geotiffs("scenes", grid={"like": "scenes/scene_VV_20240101.tif"})
    stack = open_product(run_job(write_job(tmp_path, {"stack": asked}), here), name="stack", settings=here).VV.load()
    first, second = (speckle(replace(ZONE_11, height=120, width=130), day) for day in (0, 1))
    np.testing.assert_array_equal(stack[0, :120, :130], first)
    four = (second[1:, 1:] + second[:-1, 1:] + second[1:, :-1] + second[:-1, :-1]) / 4
    np.testing.assert_allclose(stack[1, 1:120, 1:130], four, rtol=1e-5)


def test_decibels_are_averaged_as_power(here: Settings, tmp_path: Path) -> None:
    power = np.tile(np.float32([[0.01, 1.0], [1.0, 0.01]]), (20, 20))
    write_tif(tmp_path / "scenes/s_VV_20240101.tif", 10 * np.log10(power))
    task = geotiffs("scenes", grid={"crs": "EPSG:32611", "resolution": 60})
    task["source"]["scale"] = "db"
    run = run_job(write_job(tmp_path, {"stack": task}), here)
    stack = open_product(run, name="stack", settings=here).VV.values
    np.testing.assert_allclose(stack[np.isfinite(stack)], 0.505, rtol=1e-5)


@needs_opera
def test_a_real_burst_in_the_neighbouring_zone(here: Settings, tmp_path: Path) -> None:
    """Ground does not get brighter by a change of map: mean power within 1 %, and the same ground at known points."""
    area = {"bbox": [-120.69, 34.405, -120.67, 34.425]}
    period = {"start": "2023-12-01", "end": "2024-01-01"}
    grid = {"crs": "EPSG:32610", "resolution": 30, "resampling": "bilinear"}
    own, other = (
        open_product(
            run_job(
                write_job(
                    tmp_path / name,
                    {"stack": opera(BURST, polarizations=["VV"], grid=asked)},
                    name=name,
                    area=area,
                    period=period,
                ),
                here,
            ),
            name="stack",
            settings=here,
        ).VV.load()
        for name, asked in (("own", None), ("other", grid))
    )
    assert own.sizes["time"] == other.sizes["time"] >= 2
    assert float(other.mean()) == pytest.approx(float(own.mean()), rel=0.01)
    to_own = Transformer.from_crs("EPSG:32610", "EPSG:32611", always_xy=True)
    x, y = np.meshgrid(other.x, other.y)
    x, y = to_own.transform(x, y)
    oracle = own.interp(x=(("v", "u"), x), y=(("v", "u"), y)).values
    both = np.isfinite(oracle) & np.isfinite(other.values)
    assert both.mean() > 0.8
    np.testing.assert_allclose(other.values[both], oracle[both], atol=0.003 * float(own.max()))


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"like": "scene_VV_20240102"}, ["neither the id of a scene", "nor a raster"]),
        ({"like": "scenes/none.tif"}, ["scenes/none.tif", "is not there"]),
        ({"crs": "EPSG:3031", "resolution": 30}, ["EPSG:3031"]),
    ],
)
def test_a_grid_that_is_not_there(here: Settings, tmp_path: Path, grid: dict[str, Any], words: list[str]) -> None:
    dated(tmp_path / "scenes")
    job = write_job(tmp_path, {"stack": geotiffs("scenes", grid=grid)}, area={"bbox": [-119.2, 34.3, -119.1, 34.4]})
    done = sarbatch("plan", str(job), check=False)
    if grid.get("crs") == "EPSG:3031":  # odd, and possible: what lies north of the equator has a place there
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, ["grid", "give `like`, or `crs` and `resolution` together; here: none"]),
        ({"crs": "EPSG:32611"}, ["here: crs"]),
        ({"like": "x", "crs": "EPSG:32611", "resolution": 30}, ["here: like, crs, resolution"]),
        ({"crs": "EPSG:32611", "resolution": 0}, ["grid.resolution", "greater than 0"]),
        ({"crs": "EPSG:32611", "resolution": -30}, ["grid.resolution"]),
        ({"crs": "EPSG:99999", "resolution": 30}, ["EPSG:99999", "no coordinate reference system"]),
        ({"crs": "IAU_2015:30110", "resolution": 30}, ["IAU_2015:30110", "Moon"]),
        ({"crs": "EPSG:5773", "resolution": 30}, ["Vertical CRS", "projected or geographic"]),
        ({"crs": "EPSG:4978", "resolution": 30}, ["Geocentric"]),
        ({"crs": "EPSG:32611", "resolution": 30, "resampling": "mode"}, ["grid.resampling", "average", "nearest"]),
        ({"crs": "EPSG:32611", "resolutoin": 30}, ["resolutoin", "did you mean 'resolution'"]),
    ],
)
def test_a_wrong_grid_is_told_before_any_file_is_opened(tmp_path: Path, grid: dict[str, Any], words: list[str]) -> None:
    done = sarbatch("validate", str(write_job(tmp_path, {"stack": geotiffs("nowhere", grid=grid)})), check=False)
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr


def test_the_grid_is_part_of_what_a_stack_is(here: Settings, tmp_path: Path) -> None:
    dated(tmp_path / "scenes")
    plans = {
        text: plan_job(write_job(tmp_path, {"stack": geotiffs("scenes", grid=grid)}), here).tasks[0].order.key
        for text, grid in {
            "none": None,
            "metres": {"crs": "EPSG:32611", "resolution": 60},
            "finer": {"crs": "EPSG:32611", "resolution": 30},
            "nearest": {"crs": "EPSG:32611", "resolution": 60, "resampling": "nearest"},
            "like": {"like": "scenes/scene_VV_20240101.tif"},
            "same": {"like": "scenes/scene_VV_20240102.tif"},
        }.items()
    }
    assert plans["like"] == plans["same"]  # the path is not the grid
    assert len(set(plans.values())) == len(plans) - 1


def test_scenes_are_found_by_the_id_that_plan_lists(here: Settings, tmp_path: Path) -> None:
    folder = dated(tmp_path / "scenes")
    found = geotiff.find(folder, names=FileNames(pattern=r"_(?P<polarization>VV)_(?P<date>\d{8})"), s3=S3)
    name = group_passes(found.scenes)[0].scenes[0].id
    plan = plan_job(write_job(tmp_path, {"stack": geotiffs("scenes", grid={"like": name})}), here)
    assert plan.tasks[0].order.key
