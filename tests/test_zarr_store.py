"""Zarr stores as a source: groups and time steps, placed by coordinates, read chunk by chunk, known by their content."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import xarray as xr
import zarr
from pyproj import CRS, Transformer
from recording_server import Asked, recording_server
from zarr_stores import EPSG, LEFT, SCENES, SHAPE, STEP, TOP, image, opensarlab, power, times, write

from dask_jobs.backscatter import mosaic, read_power
from dask_jobs.passes import check_lattice, group_passes, stack_grid
from dask_jobs.readers import zarr_store
from dask_jobs.readers.file_names import FileNames
from dask_jobs.readers.zarr_store import StoreValues
from dask_jobs.scenes import Found, Radiometry, Scale, Scene
from infra.errors import CredentialsError, InputError
from infra.grid import Grid, Window
from infra.storage import S3Options

NONE = S3Options()
HYP3 = Radiometry(quantity="gamma0_terrain", speckle_filtered=False, water_masked=False)
CHUNK = re.compile(r"/backscatter/\d+\.\d+$")
DATES = FileNames(pattern=r"(?P<date>\d{8})", date_format="%Y%m%d")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as OpenSARlab keeps it; not to be changed."""
    store = tmp_path_factory.mktemp("opensarlab") / "bangladesh"
    opensarlab(store)
    return store


@pytest.fixture
def bangladesh(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the store to change."""
    return Path(shutil.copytree(pristine, tmp_path / "store"))


def groups(store: Path, **more: Any) -> Found:
    return zarr_store.find(store, layout="groups", s3=more.pop("s3", NONE), **more)


def steps(store: Path, **more: Any) -> Found:
    return zarr_store.find(store, layout="array", s3=more.pop("s3", NONE), **more)


def read(scene: Scene, band: str = "VV", window: Window | None = None, s3: S3Options = NONE) -> np.ndarray:
    window = window or scene.grid.full
    return read_power(scene.rasters[band], grid=scene.grid, target=scene.grid, window=window, s3=s3)


def one_scene(store: Path, **more: Any) -> Scene:
    (scene,) = groups(store, names=DATES, **more).scenes
    return scene


# -- a group for each scene -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings(
    "ignore:Consolidated metadata is currently not part"
)  # of the v3 specification: the point here
def test_opensarlab_keeps_a_group_for_each_scene_and_polarization(
    tmp_path: Path, zarr_format: int, consolidated: bool
) -> None:
    opensarlab(tmp_path / "bangladesh", zarr_format=zarr_format, consolidated=consolidated)
    found = groups(tmp_path / "bangladesh")
    assert found.dropped == ()
    assert [scene.time for scene in found.scenes] == [
        datetime(2017, 4, day, 23, 55, 25, tzinfo=UTC) for day in (2, 14, 26)
    ]
    for number, scene in enumerate(found.scenes):
        assert scene.grid == Grid(
            crs=f"EPSG:{EPSG}", left=LEFT - 2 * number * STEP, top=TOP - 3 * number * STEP, dx=STEP, dy=STEP, height=40, width=50
        )  # fmt: skip
        assert (scene.platform, scene.radiometry, scene.id) == ("S1A", HYP3, f"S1A_IW_{scene.time:%Y%m%dT%H%M%SZ}")
        for band in ("VV", "VH"):
            np.testing.assert_array_equal(read(scene, band), power(number, band))  # and 0 is no data
            assert scene.rasters[band].calibration_db == 0


def test_extents_wander_over_one_lattice(pristine: Path) -> None:
    scenes = groups(pristine).scenes
    check_lattice(scenes)
    grid = stack_grid(scenes, extent="union")
    assert grid.shape == (46, 54)
    for number, step in enumerate(group_passes(scenes)):
        got, _, _ = mosaic(step, "VV", target=grid, window=grid.full, s3=NONE)
        expected = np.full(grid.shape, np.nan, "float32")
        expected[3 * number : 3 * number + 40, 4 - 2 * number : 54 - 2 * number] = power(number)
        np.testing.assert_array_equal(got, expected)


def test_a_store_that_grew_after_its_metadata_were_consolidated(bangladesh: Path) -> None:
    write(
        image(power(7), name="backscatter"),
        bangladesh,
        "S1A_IW_20170508T235526_SVP_RTC30_G_gpuned_38D4_VV",
        zarr_format=2,
    )
    assert len(groups(bangladesh, polarizations=["VV"]).scenes) == 4


@pytest.mark.parametrize("nested", ["", "north/2024/"])
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_variables_named_like_polarizations(tmp_path: Path, case: Any, nested: str) -> None:
    both = {case("vv"): power(0), case("vh"): power(0, "VH"), "dem": power(1)}
    for day in ("20240105", "20240117"):
        write(image(both), tmp_path / "store", f"{nested}scene_{day}")
    found = groups(tmp_path / "store", names=DATES)
    assert [f"{scene.time:%Y%m%d}" for scene in found.scenes] == ["20240105", "20240117"]
    assert set(found.scenes[0].rasters) == {"VV", "VH"}
    np.testing.assert_array_equal(read(found.scenes[0], "VH"), power(0, "VH"))


def test_variables_named_by_the_job(tmp_path: Path) -> None:
    write(image({"gamma_co": power(0), "gamma_cross": power(0, "VH")}), tmp_path / "s", "20240105")
    values = StoreValues(variables={"VV": "gamma_co", "VH": "gamma_cross"})
    np.testing.assert_array_equal(read(one_scene(tmp_path / "s", values=values), "VH"), power(0, "VH"))


def test_a_pattern_tells_polarization_platform_and_orbit(tmp_path: Path) -> None:
    for band in ("hh", "hv"):
        write(image(power(0, band), name="amplitude"), tmp_path / "s", f"ALOS2_{band}_orbit042_20240105T101112")
    pattern = r"^(?P<platform>ALOS2)_(?P<polarization>h[hv])_orbit(?P<orbit>\d+)_(?P<date>\d{8}T\d{6})$"
    (scene,) = groups(tmp_path / "s", names=FileNames(pattern=pattern, date_format="%Y%m%dT%H%M%S")).scenes
    assert (scene.platform, scene.relative_orbit, set(scene.rasters)) == ("ALOS2", 42, {"HH", "HV"})
    assert scene.id == "20240105T101112Z_ALOS2_42_700000_2700000"


def test_a_folder_of_stores_and_a_list_of_them(tmp_path: Path) -> None:
    for name in SCENES:
        write(image(power(0)), tmp_path / "all" / f"{name}.zarr")
    single = [one for name in SCENES for one in groups(tmp_path / "all" / f"{name}.zarr").scenes]
    listed = zarr_store.find([tmp_path / "all" / f"{name}.zarr" for name in SCENES], layout="groups", s3=NONE).scenes
    assert [scene.id for scene in listed] == [scene.id for scene in single]
    assert [scene.fingerprint for scene in listed] == [scene.fingerprint for scene in single]


def test_a_glob_of_stores(tmp_path: Path) -> None:
    for name in (*SCENES, "other"):
        write(image(power(0)), tmp_path / "all" / f"{name}.zarr")
    found = zarr_store.find(f"{tmp_path}/all/S1A*.zarr", layout="groups", s3=NONE)
    assert (len(found.scenes), found.dropped) == (3, ())
    with pytest.raises(InputError, match=r"S1B\*.zarr is not there"):
        zarr_store.find(f"{tmp_path}/all/S1B*.zarr", layout="groups", s3=NONE)


def test_opera_names_and_their_releases(tmp_path: Path) -> None:
    name = "OPERA_L2_RTC-S1_T137-292320-IW1_20211119T015859Z_{}_S1A_30_v{}"
    for number, (processed, version) in enumerate((("20250830T120333Z", "1.9"), ("20240830T120333Z", "1.10"))):
        write(image(power(number)), tmp_path / "s", name.format(processed, version))
    found = groups(tmp_path / "s")
    (scene,) = found.scenes
    assert (scene.id, scene.relative_orbit) == ("T137-292320-IW1_20211119T015859Z", 137)
    assert scene.release == "v1.10_20240830T120333Z"
    (row,) = found.dropped
    assert row.reason == "release v1.9_20250830T120333Z is superseded by v1.10_20240830T120333Z of scene " + scene.id


def test_of_two_products_of_one_acquisition_the_better_orbit(tmp_path: Path) -> None:
    for number, name in enumerate((SCENES[0].replace("DVP", "DVR"), SCENES[0].replace("9C40", "0001"))):
        write(image(power(number)), tmp_path / "s", name)
    found = groups(tmp_path / "s")
    assert [scene.release for scene in found.scenes] == ["precise_0001"]
    assert "replaced by the precise one" in found.dropped[0].reason


def test_what_was_left_out_and_why(bangladesh: Path) -> None:
    store = bangladesh
    write(image(power(0)), store, "notes", zarr_format=2)
    write(image({"elevation": power(0)}), store, SCENES[0].replace("20170402", "20170508"), zarr_format=2)
    single = SCENES[0].replace("20170402", "20170520")
    write(image(power(0), name="backscatter"), store, f"{single}_VV", zarr_format=2)
    found = groups(store)
    assert {row.path.removeprefix(f"{store}/"): row.reason for row in found.dropped} == {
        "notes": "its name is neither HyP3's nor OPERA's",
        SCENES[0].replace("20170402", "20170508"): "none of its variables is a polarization: elevation",
        f"{single}_VV/backscatter": "the scene lacks VH",
    }
    assert len(found.scenes) == 3


def test_groups_outside_the_period_are_not_looked_into(bangladesh: Path) -> None:
    shutil.rmtree(bangladesh / f"{SCENES[2]}_VV" / "x")
    found = groups(bangladesh, within=((date(2017, 4, 10), date(2017, 4, 20)), None))
    assert [scene.time.day for scene in found.scenes] == [14]
    assert sorted({row.reason for row in found.dropped}) == [
        "2017-04-02 is before the period, which starts on 2017-04-10",
        "2017-04-26 is after the period, which ends before 2017-04-20",
    ]


# -- variables with a time dimension --------------------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chunks", [(1, 16, 16), (3, 16, 16), (2, 40, 50)])
def test_each_time_step_is_a_scene(tmp_path: Path, zarr_format: int, chunks: tuple[int, int, int]) -> None:
    cube = np.stack([power(number) for number in range(5)])
    made = image({"VV": cube, "VH": cube * 0.2}, coords={"time": times(5)})
    write(made, tmp_path / "s", zarr_format=zarr_format, encoding={name: {"chunks": chunks} for name in ("VV", "VH")})
    scenes = steps(tmp_path / "s").scenes
    assert [scene.time for scene in scenes] == [
        datetime(2024, 1, 5, 1, 59, 12, tzinfo=UTC) + timedelta(days=12 * n) for n in range(5)
    ]
    for number, scene in enumerate(scenes):
        np.testing.assert_array_equal(read(scene), cube[number])
        np.testing.assert_array_equal(
            read(scene, "VH", Window(13, 7, 9, 30)), cube[number, 13:22, 7:37] * np.float32(0.2)
        )


@pytest.mark.parametrize(
    "coordinate",
    [
        ("time", [8770, 8482], {"units": "hours since 2023-01-01", "calendar": "standard"}),
        ("time", [30000.0833333333333, 29988.0833333333333], {"units": "days since 1941-12-20T00:00:00"}),
        ("time", ["2024-01-01T10:00:00", "2023-12-20T11:00:00+01:00"], {}),
        ("time", ["20240101T100000", "20231220T100000"], {}),
    ],
)
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")  # strings in v3
def test_times_of_any_writing_are_utc(tmp_path: Path, coordinate: tuple[str, list[Any], dict[str, str]]) -> None:
    made = image(np.stack([power(0), power(1)]), coords={"time": coordinate})
    write(made, tmp_path / "s")
    scenes = steps(tmp_path / "s").scenes
    expected = datetime(2024, 1, 1, 10, tzinfo=UTC)
    if coordinate[1][0] != 30000.0833333333333:
        assert [s.time for s in scenes] == [expected - timedelta(days=12), expected]
    assert scenes[1].time - scenes[0].time == timedelta(days=12)
    np.testing.assert_array_equal(read(scenes[1]), power(0))  # in order of time, whatever the store's order


def test_a_plain_copy_of_a_stack_says_what_it_is(tmp_path: Path) -> None:
    attrs = {
        "radiometry": "gamma0_terrain", "speckle_filtered": "False", "water_masked": "None",
        "relative_orbit": 137, "pass_direction": "descending", "epsg": EPSG,
    }  # fmt: skip
    write(image(power(0)[None], coords={"time": times(1)}, attrs=attrs), tmp_path / "s")
    (scene,) = steps(tmp_path / "s").scenes
    assert scene.radiometry == Radiometry(quantity="gamma0_terrain", speckle_filtered=False, water_masked=None)
    assert (scene.relative_orbit, scene.pass_direction) == (137, "descending")
    with pytest.raises(InputError, match=r"the job says beta0, .* says gamma0_terrain"):
        steps(tmp_path / "s", values=StoreValues(quantity="beta0"))


# -- where pixels lie -----------------------------------------------------------------------------------------------------


def test_a_store_whose_rows_go_north_is_read_north_up(tmp_path: Path) -> None:
    made = image(power(0))
    write(made, tmp_path / "down", "20240105")
    write(made.isel(y=slice(None, None, -1)), tmp_path / "up", "20240105")
    down, up = one_scene(tmp_path / "down"), one_scene(tmp_path / "up")
    assert up.grid == down.grid
    assert (down.rasters["VV"].south_up, up.rasters["VV"].south_up) == (False, True)
    for window in (down.grid.full, Window(0, 0, 1, 50), Window(39, 4, 1, 3), Window(5, 6, 20, 7)):
        np.testing.assert_array_equal(read(up, window=window), power(0)[window.slices])
    assert Scene.from_json(up.to_json()) == up


def crs_variable(attributes: dict[str, Any], name: str = "spatial_ref") -> xr.Dataset:
    made = image(power(0), attrs={}, coords={name: ((), 0, attributes)})
    made["VV"].attrs["grid_mapping"] = name
    return made


WKT = CRS.from_epsg(EPSG).to_wkt()
CRS_PLACES = {
    "rioxarray": crs_variable({"crs_wkt": WKT, "spatial_ref": WKT, "GeoTransform": "700000 30 0 2700000 0 -30"}),
    "a grid mapping of another name": crs_variable({"crs_wkt": WKT}, "transverse_mercator"),
    "CF parameters alone": crs_variable(
        {k: v for k, v in CRS.from_epsg(EPSG).to_cf().items() if k != "crs_wkt" and not isinstance(v, np.ndarray)}
    ),
    "an EPSG attribute": image(power(0), attrs={"epsg": EPSG}),
    "an EPSG attribute as text": image(power(0), attrs={"epsg": str(EPSG)}),
    "a code": image(power(0), attrs={"proj:code": f"EPSG:{EPSG}"}),
    "an attribute of the variable": image(power(0), attrs={}).assign(
        VV=lambda made: made["VV"].assign_attrs(crs=f"epsg:{EPSG}")
    ),
}


@pytest.mark.parametrize("place", CRS_PLACES)
def test_the_crs_is_found_where_people_put_it(tmp_path: Path, place: str) -> None:
    write(CRS_PLACES[place], tmp_path / "s", "20240105")
    scene = one_scene(tmp_path / "s")
    if place == "CF parameters alone":  # no name: the same projection, in words
        x, y = Transformer.from_crs(scene.grid.crs, EPSG, always_xy=True).transform(LEFT, TOP)
        assert (x, y) == pytest.approx((LEFT, TOP), abs=1e-3)
    else:
        assert scene.grid.crs == f"EPSG:{EPSG}"
        assert one_scene(tmp_path / "s", values=StoreValues(crs=f"EPSG:{EPSG}")) == scene


def test_the_job_says_the_crs_where_the_store_does_not(tmp_path: Path) -> None:
    write(image(power(0), attrs={}), tmp_path / "s", "20240105")
    assert one_scene(tmp_path / "s", values=StoreValues(crs="EPSG:32645")).grid.crs == "EPSG:32645"


def test_the_crs_of_the_group_above(tmp_path: Path) -> None:
    write(image(power(0), attrs={}), tmp_path / "s", "north/20240105")
    zarr.open_group(str(tmp_path / "s"), mode="a").attrs["epsg"] = EPSG
    assert one_scene(tmp_path / "s").grid.crs == f"EPSG:{EPSG}"


# -- what values mean -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_alos_numbers(tmp_path: Path, zarr_format: int) -> None:
    """Power of ALOS digital numbers is DN² · 10^(-83/10)."""
    numbers = np.random.default_rng(5).integers(0, 9000, SHAPE).astype("uint16")
    write(image(numbers, name="HH"), tmp_path / "s", "20240105", zarr_format=zarr_format)
    scene = one_scene(tmp_path / "s", values=StoreValues(scale=Scale.AMPLITUDE, calibration_db=-83, nodata=0))
    expected = np.where(numbers == 0, np.nan, numbers.astype("float64") ** 2 * 10**-8.3)
    np.testing.assert_allclose(read(scene, "HH"), expected, rtol=1e-6)


def test_decibel_by_its_units_or_by_the_job(tmp_path: Path) -> None:
    decibel = 10 * np.log10(power(0))
    made = image(decibel)
    write(made, tmp_path / "plain", "20240105")
    made["VV"].attrs["units"] = "dB"
    write(made, tmp_path / "units", "20240105")
    for scene in (one_scene(tmp_path / "plain", values=StoreValues(scale=Scale.DB)), one_scene(tmp_path / "units")):
        np.testing.assert_allclose(read(scene), power(0), rtol=1e-6)
    with pytest.raises(InputError, match=r"is declared as power, yet .*negative"):
        one_scene(tmp_path / "plain")
    with pytest.raises(InputError, match=r"the job says power, .* says db, by its units"):
        one_scene(tmp_path / "units", values=StoreValues(scale=Scale.POWER))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_packed_values_are_unpacked(tmp_path: Path, zarr_format: int) -> None:
    """As xarray packs them: integers that stand for stored * scale_factor + add_offset, and one for no data."""
    encoding = {"VV": {"dtype": "int16", "scale_factor": 2e-5, "add_offset": 0.5, "_FillValue": -32768}}
    write(image(power(0)), tmp_path / "s", "20240105", zarr_format=zarr_format, encoding=encoding)
    with xr.open_zarr(tmp_path / "s", group="20240105", consolidated=False, chunks=None) as dataset:
        expected = dataset["VV"].to_numpy()
    assert np.isnan(expected[:, :4]).all()
    np.testing.assert_allclose(read(one_scene(tmp_path / "s")), expected, rtol=1e-6)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("declared", [-9999.0, 0.0, float("nan")])
def test_fill_values_as_xarray_writes_them(tmp_path: Path, zarr_format: int, declared: float) -> None:
    """Version 3 keeps the attribute as base64 of a double, version 2 in the array's own metadata."""
    write(
        image(power(0)), tmp_path / "s", "20240105", zarr_format=zarr_format, encoding={"VV": {"_FillValue": declared}}
    )
    np.testing.assert_array_equal(read(one_scene(tmp_path / "s")), power(0))


def test_no_data_by_the_job_counts_beside_what_the_store_declares(tmp_path: Path) -> None:
    values = np.nan_to_num(power(0), nan=-1.0)
    values[5, 10] = -9999
    write(image(values), tmp_path / "s", "20240105", encoding={"VV": {"_FillValue": -9999.0}})
    got = read(one_scene(tmp_path / "s", values=StoreValues(nodata=-1.0)))
    assert np.isnan(got[5, 10])
    np.testing.assert_array_equal(np.delete(got, 5, axis=0), np.delete(power(0), 5, axis=0))


def test_chunks_that_were_never_written_are_no_data(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "s"), mode="a").create_group("20240105", attributes={"epsg": EPSG})
    array = group.create_array("VV", shape=SHAPE, chunks=(16, 16), dtype="float32", dimension_names=("y", "x"))
    array[16:32, 16:32] = 0.25
    for name, size, first, step in (("y", SHAPE[0], TOP - 15, -STEP), ("x", SHAPE[1], LEFT + 15, STEP)):
        values = first + step * np.arange(size)
        group.create_array(name, data=values, dimension_names=(name,))
    expected = np.full(SHAPE, np.nan)
    expected[16:32, 16:32] = 0.25
    np.testing.assert_array_equal(read(one_scene(tmp_path / "s")), expected)


# -- identity -------------------------------------------------------------------------------------------------------------


def prints(found: Found) -> list[str]:
    return [scene.fingerprint for scene in found.scenes]


def test_content_counts_not_place_or_time(tmp_path: Path, pristine: Path, bangladesh: Path) -> None:
    for file in bangladesh.rglob("*"):
        os.utime(file, (1, 1))
    first, second = groups(pristine), groups(bangladesh, cache=tmp_path / "cache.json")
    assert prints(first) == prints(second)
    assert len(set(prints(first))) == 3
    scene = first.scenes[0]
    stored = [p for band in ("VV", "VH") for p in (pristine / f"{SCENES[0]}_{band}" / "backscatter").glob("[0-9]*")]
    assert scene.size == sum(path.stat().st_size for path in stored)


def test_one_changed_chunk_changes_its_scene_alone(bangladesh: Path) -> None:
    before = prints(groups(bangladesh))
    zarr.open_array(str(bangladesh), path=f"{SCENES[1]}_VH/backscatter", mode="r+")[39, 49] = 0.5
    after = prints(groups(bangladesh))
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_where_a_scene_lies_is_part_of_it(tmp_path: Path) -> None:
    for name, row in (("a", 0), ("b", 1)):
        write(image(power(0), row=row), tmp_path / name, "20240105")
    assert one_scene(tmp_path / "a").fingerprint != one_scene(tmp_path / "b").fingerprint


def test_appended_steps_leave_the_others_as_they_were(tmp_path: Path) -> None:
    cube = np.stack([power(number) for number in range(4)])
    write(image(cube[:3], coords={"time": times(4)[:3]}), tmp_path / "s")
    before = prints(steps(tmp_path / "s"))
    image(cube[3:], coords={"time": times(4)[3:]}).to_zarr(tmp_path / "s", append_dim="time", consolidated=False)
    after = steps(tmp_path / "s")
    assert prints(after)[:3] == before
    np.testing.assert_array_equal(read(after.scenes[3]), cube[3])


def test_steps_of_one_chunk_are_told_apart(tmp_path: Path) -> None:
    cube = np.stack([power(0), power(1), power(2)])
    write(image(cube, coords={"time": times(3)}), tmp_path / "s", encoding={"VV": {"chunks": (2, 40, 50)}})
    before = prints(steps(tmp_path / "s"))
    assert len(set(before)) == 3
    zarr.open_array(str(tmp_path / "s"), path="VV", mode="r+")[1, 0, 10] = 0.7
    after = prints(steps(tmp_path / "s"))
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, True]  # the chunk counts for both


def test_sharded_stores(tmp_path: Path) -> None:
    cube = np.stack([power(0), power(1)])
    made = image(cube, coords={"time": times(2)})
    write(made, tmp_path / "s", encoding={"VV": {"chunks": (1, 8, 8), "shards": (1, 16, 32)}})
    before = steps(tmp_path / "s")
    for number, scene in enumerate(before.scenes):
        np.testing.assert_array_equal(read(scene, window=Window(3, 5, 30, 41)), cube[number, 3:33, 5:46])
    zarr.open_array(str(tmp_path / "s"), path="VV", mode="r+")[1, 39, 49] = 0.7
    assert [a == b for a, b in zip(prints(before), prints(steps(tmp_path / "s")), strict=True)] == [True, False]


def test_a_store_that_changed_after_the_plan_is_refused(tmp_path: Path) -> None:
    write(image(power(0)), tmp_path / "s", "20240105")
    scene = one_scene(tmp_path / "s")
    with pytest.raises(InputError, match="has changed: it is not on the grid that it was planned with"):
        read(replace(scene, grid=scene.grid.crop(Window(0, 0, 39, 50))))
    with pytest.raises(InputError, match="has changed"):
        read(replace(scene, rasters={"VV": replace(scene.rasters["VV"], step=0)}))
    shutil.rmtree(tmp_path / "s" / "20240105")
    with pytest.raises(InputError, match="cannot be read"):
        read(scene)


# -- on S3 ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded() -> Iterator[tuple[str, list[Asked]]]:
    """Endpoint of an S3 server, and each request that it got."""
    with recording_server() as made:
        yield made


def upload(folder: Path, endpoint: str, bucket: str, prefix: str, *, public: bool = True) -> str:
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket=bucket)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = f"{prefix}/{path.relative_to(folder)}"
        client.upload_file(str(path), bucket, name, ExtraArgs={"ACL": "public-read"} if public else {})
    return f"s3://{bucket}/{prefix}"


def test_a_public_store_is_read_without_keys_and_chunk_by_chunk(
    pristine: Path, recorded: tuple[str, list[Asked]], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, seen = recorded
    url = upload(pristine, endpoint, "public-zarr", "zarr_test/bangladesh")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-output")  # keys that are there, and not for this bucket
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-output")
    s3 = S3Options(endpoint=endpoint, anonymous=True)
    seen.clear()
    found = zarr_store.find(url, layout="groups", s3=s3)
    pixels = [path for _, path, _, _ in seen if CHUNK.search(path)]
    assert len(pixels) == len(set(pixels)) == 3 * 12  # the sample by which the scale is judged, of one polarization
    seen.clear()
    window = Window(16, 16, 16, 32)  # two chunks of 16 x 16
    np.testing.assert_array_equal(read(found.scenes[1], window=window, s3=s3), power(1)[window.slices])
    assert sorted(path.rpartition("/")[2] for _, path, _, _ in seen if CHUNK.search(path)) == ["1.1", "1.2"]
    assert not any(signed for _, _, signed, _ in seen)
    assert prints(found) == prints(zarr_store.find(url, layout="groups", s3=s3))
    read(found.scenes[0], s3=S3Options(endpoint=endpoint))
    assert seen[-1].signed  # with the output's own keys, requests are signed


def test_keys_are_asked_for_where_a_store_is_not_public(
    recorded: tuple[str, list[Asked]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(image(power(0)), tmp_path / "s", "20240105")
    url = upload(tmp_path / "s", recorded[0], "private-zarr", "store", public=False)
    with pytest.raises(CredentialsError, match="does not let everyone read there") as caught:
        zarr_store.find(url, layout="groups", names=DATES, s3=S3Options(endpoint=recorded[0], anonymous=True))
    assert "not public" in caught.value.remedy
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID is not set"):
        zarr_store.find("s3://somewhere/store", layout="groups", s3=S3Options(endpoint=recorded[0]))
