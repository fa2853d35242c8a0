"""What readers find in folders and buckets, what they leave out, and what they refuse."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from datetime import UTC, datetime
from pathlib import Path

import boto3
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from geotiffs import PLACE, opera_name, write_tif

from dask_jobs.readers import geotiff, opera
from dask_jobs.readers.file_names import FileNames
from dask_jobs.readers.files import list_files
from dask_jobs.readers.geotiff import PixelValues
from dask_jobs.readers.raster_headers import open_raster, read_header
from dask_jobs.scenes import Radiometry, Scale, Scene
from infra.errors import InputError, JobError, UserError
from infra.grid import Grid
from infra.storage import Location, S3Options

S3 = S3Options()
DATA = Path(__file__).parents[1] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the reference data are not beside the project")
FLAT = np.full((8, 10), 0.1, dtype=np.float32)
NAMES = FileNames(pattern=r"(?P<polarization>HH|HV)_(?P<date>\d{8})")


def upload(folder: Path, bucket: Location) -> None:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        bucket.upload(path, path.relative_to(folder).as_posix())


# ---------------------------------------------------------------------------------------------- listing


def test_globs_mean_what_a_shell_means(tmp_path: Path) -> None:
    for name in ("a/x1.tif", "a/deep/x2.tif", "b/x3.tif", "b/x3.txt", "c[1]/x4.tif"):
        write_tif(tmp_path / name, FLAT)

    def found(*paths: str) -> list[str]:
        return [f.name for f in list_files([str(tmp_path / p) for p in paths], s3=S3)]

    assert found("a") == ["x2.tif", "x1.tif"]
    assert found("[ab]") == ["x2.tif", "x1.tif", "x3.tif", "x3.txt"]  # a folder that matches means all in it
    assert found("*/x?.tif") == ["x1.tif", "x3.tif", "x4.tif"]
    assert found("**/x2.tif") == ["x2.tif"]
    assert found("**/*.tif") == ["x2.tif", "x1.tif", "x3.tif", "x4.tif"]
    assert found("[!a]/*.txt") == ["x3.txt"]
    assert found("c[1]") == ["x4.tif"]  # a literal name wins over a pattern
    assert found("b/x3.tif", "b") == ["x3.tif", "x3.txt"]  # once each
    for nothing in ("z", "*.png", "a/z.tif"):
        with pytest.raises(InputError, match="path: "):
            found(nothing)
    with pytest.raises(InputError, match="the list is empty"):
        list_files([], s3=S3)


def test_a_bucket_is_read_as_a_folder_is(tmp_path: Path, s3_bucket: Location) -> None:
    write_tif(tmp_path / "one" / opera_name("VV"), FLAT)
    write_tif(tmp_path / "one" / opera_name("VH"), FLAT)
    write_tif(tmp_path / "two" / opera_name("VV", sensing="20211201T015859Z"), FLAT)
    upload(tmp_path, s3_bucket)
    local, remote = (opera.find(p, polarizations=["VV"], s3=s3_bucket.s3) for p in (tmp_path, s3_bucket.url))
    assert [s.id for s in remote.scenes] == [s.id for s in local.scenes]
    assert [s.grid for s in remote.scenes] == [s.grid for s in local.scenes]
    assert all(r.url.startswith("s3://") for s in remote.scenes for r in s.rasters.values())
    assert [s.size for s in remote.scenes] == [s.size for s in local.scenes]
    for path in (
        f"{s3_bucket.url}/t*",
        f"{s3_bucket.url}/two",
        f"{s3_bucket.url}/two/{opera_name('VV', sensing='20211201T015859Z')}",
    ):
        assert len(opera.find(path, s3=s3_bucket.s3).scenes) == 1
    with pytest.raises(InputError, match="three is not there"):
        opera.find(f"{s3_bucket.url}/three", s3=s3_bucket.s3)


# ---------------------------------------------------------------------------------------------- headers


def test_header_says_what_the_file_holds(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((2, 8, 10), "int16"), row=2, col=-1, nodata=-9999, tags={"TRACK": "7"})
    header = read_header(str(path), s3=S3)
    assert header.grid == Grid(crs="EPSG:32611", left=299_970, top=3_799_940, dx=30, dy=30, height=8, width=10)
    assert (header.bands, header.dtype, header.nodata, header.tags["TRACK"]) == (2, "int16", -9999.0, "7")
    assert header.size == path.stat().st_size
    assert read_header(str(write_tif(tmp_path / "n.tif", FLAT, nodata=np.nan)), s3=S3).nodata is None


def test_a_crs_without_code_is_its_wkt(tmp_path: Path) -> None:
    own = "+proj=laea +lat_0=12.3 +lon_0=45.6 +datum=WGS84 +units=m"
    crs = read_header(str(write_tif(tmp_path / "a.tif", FLAT, crs=own)), s3=S3).grid.crs
    assert rasterio.crs.CRS.from_wkt(crs) == rasterio.crs.CRS.from_string(own)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"crs": None}, "no CRS"),
        ({"transform": PLACE @ Affine.rotation(10)}, "rotated"),
        ({"transform": Affine(30, 0, 300_000, 0, 30, 3_800_000)}, "not north-up"),
        ({"values": FLAT.astype("complex64")}, "complex64"),
    ],
)
def test_rasters_that_cannot_be_placed_or_read_are_refused(tmp_path: Path, change: dict, says: str) -> None:
    path = write_tif(tmp_path / "bad.tif", change.pop("values", FLAT), **change)
    with pytest.raises(InputError, match=says) as error:
        read_header(str(path), s3=S3)
    assert str(path) in error.value.message
    assert error.value.remedy


def test_a_raster_without_georeference_is_refused_without_a_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write_tif(tmp_path / "bad.tif", FLAT, transform=Affine.identity())
    with pytest.raises(InputError, match="no georeference"):
        read_header(str(path), s3=S3)


def test_values_to_be_scaled_are_refused(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "scaled.tif", FLAT)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (0.01,)
    with pytest.raises(InputError, match=r"scaled by 0\.01"):
        read_header(str(path), s3=S3)


def test_missing_empty_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tif is not there"):
        read_header(str(tmp_path / "none.tif"), s3=S3)
    (tmp_path / "empty.tif").touch()
    with pytest.raises(InputError, match="truncated: it is empty"):
        read_header(str(tmp_path / "empty.tif"), s3=S3)
    (tmp_path / "page.tif").write_text("<html>503 Service Unavailable</html>")
    with pytest.raises(InputError, match=r"page\.tif is no GeoTIFF"):
        read_header(str(tmp_path / "page.tif"), s3=S3)


@pytest.mark.parametrize(
    "layout", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}, {"interleave": "pixel"}]
)
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, layout: dict) -> None:
    noise = np.random.default_rng(1).gamma(4, 0.1, (2, 64, 48)).astype(np.float32)
    whole = write_tif(tmp_path / "whole.tif", noise, **layout)
    assert read_header(str(whole), s3=S3).bands == 2
    rasterio.shutil.copy(whole, tmp_path / "cog.tif", driver="COG", blocksize=128)  # header first, pixels last
    _refuses_every_cut(whole)
    _refuses_every_cut(tmp_path / "cog.tif")


def _refuses_every_cut(whole: Path) -> None:
    data, cut = whole.read_bytes(), whole.with_name("cut.tif")
    for share in (0.001, 0.01, 0.2, 0.5, 0.9, 0.999):
        cut.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(InputError, match=r"cut\.tif is (truncated|no GeoTIFF, or truncated)|download it again"):
            read_header(str(cut), s3=S3)


def test_blocks_that_were_never_written_are_no_damage(tmp_path: Path) -> None:
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16, "SPARSE_OK": "TRUE"}
    values = np.zeros((64, 64), np.float32)
    nothing = write_tif(tmp_path / "nothing.tif", values, **tiles)
    values[20, 20] = 1
    path = write_tif(tmp_path / "sparse.tif", values, **tiles)
    with rasterio.open(path) as dataset:
        assert dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1) is None
    assert read_header(str(path), s3=S3).grid.shape == (64, 64)
    with pytest.raises(InputError, match="a header and no pixels"):
        read_header(str(nothing), s3=S3)


def test_damage_in_a_bucket_is_the_users_to_mend(tmp_path: Path, s3_bucket: Location) -> None:
    path = write_tif(tmp_path / "a.tif", np.random.default_rng(1).gamma(4, 0.1, (64, 48)).astype(np.float32))
    s3_bucket.write("cut.tif", path.read_bytes()[:6000])
    s3_bucket.write("page.tif", b"<html>503 Service Unavailable</html>")
    with pytest.raises(InputError, match="truncated"):
        read_header(s3_bucket.href("cut.tif"), s3=s3_bucket.s3)
    with pytest.raises(InputError, match="is no GeoTIFF"):
        read_header(s3_bucket.href("page.tif"), s3=s3_bucket.s3)
    with pytest.raises(InputError, match="is not there"):
        read_header(s3_bucket.href("none.tif"), s3=s3_bucket.s3)


# ---------------------------------------------------------------------------------------------- OPERA


@needs_data
def test_every_real_burst_is_found_as_rasterio_sees_it() -> None:
    found = opera.find(DATA / "opera-rtc-s1", s3=S3)
    assert len(found.scenes) == 6 * 21
    assert found.dropped == ()
    assert [s.time for s in found.scenes] == sorted(s.time for s in found.scenes)
    assert len({s.id for s in found.scenes}) == len({s.fingerprint for s in found.scenes}) == 126
    for scene in found.scenes:
        assert set(scene.rasters) == {"VV", "VH"}
        for polarization, raster in scene.rasters.items():
            assert scene.id in raster.url
            assert raster.url.endswith(f"_{scene.platform}_30_v1.0_{polarization}.tif")
            with rasterio.open(raster.url) as dataset:
                assert (dataset.bounds, dataset.shape) == (scene.grid.bounds, scene.grid.shape)
                assert dataset.crs.to_string() == scene.grid.crs == "EPSG:32611"
        assert scene.size == sum(Path(r.url).stat().st_size for r in scene.rasters.values())
    first = found.scenes[0]
    assert (first.id, first.release) == ("T137-292320-IW1_20211119T015859Z", "v1.0_20250830T120333Z")
    assert first.time == datetime(2021, 11, 19, 1, 58, 59, tzinfo=UTC)
    assert (first.platform, first.relative_orbit, first.absolute_orbit, first.pass_direction) == (
        "S1A",
        137,
        None,
        None,
    )
    assert first.radiometry == Radiometry(quantity="gamma0_terrain", speckle_filtered=False, water_masked=False)
    assert Scene.from_json(first.to_json()) == first


def test_tags_of_the_product_are_used(tmp_path: Path) -> None:
    tags = {
        "ABSOLUTE_ORBIT_NUMBER": "40651",
        "TRACK_NUMBER": "137",
        "ORBIT_PASS_DIRECTION": "Ascending",
        "LOOK_DIRECTION": "Right",
    }
    write_tif(tmp_path / opera_name(), FLAT, tags=tags)
    write_tif(tmp_path / opera_name("mask"), np.zeros((8, 10), np.uint8), nodata=255)
    (scene,) = opera.find(tmp_path, s3=S3).scenes
    assert (scene.absolute_orbit, scene.relative_orbit, scene.pass_direction, scene.look_direction) == (
        40651,
        137,
        "ascending",
        "right",
    )
    assert scene.mask is not None
    assert scene.mask.raster.url.endswith("_mask.tif")


def test_the_newest_release_wins_by_numbers(tmp_path: Path) -> None:
    old = opera_name(version="1.9", processing="20250901T000000Z")
    late = opera_name(version="1.10", processing="20240102T000000Z")
    early = opera_name(version="1.10", processing="20240101T000000Z")
    for name in (old, late, early):
        write_tif(tmp_path / name, FLAT)
    found = opera.find(tmp_path, s3=S3)
    assert [Path(s.rasters["VV"].url).name for s in found.scenes] == [late]
    assert found.scenes[0].release == "v1.10_20240102T000000Z"
    assert {Path(d.path).name for d in found.dropped} == {old, early}
    assert all("v1.10_20240102T000000Z" in d.reason for d in found.dropped)


def test_a_newer_release_that_is_not_complete_replaces_nothing(tmp_path: Path) -> None:
    for layer in ("VV", "VH"):
        write_tif(tmp_path / opera_name(layer), FLAT)
    half = opera_name("VV", version="1.1")
    write_tif(tmp_path / half, FLAT)
    found = opera.find(tmp_path, polarizations=["VV", "VH"], s3=S3)
    assert [s.release[:4] for s in found.scenes] == ["v1.0"]
    assert [(Path(d.path).name, d.reason) for d in found.dropped] == [(half, "the scene lacks VH")]
    assert opera.find(tmp_path, polarizations=["VV"], s3=S3).scenes[0].release.startswith("v1.1")


def test_foreign_files_are_named_or_ignored(tmp_path: Path) -> None:
    write_tif(tmp_path / opera_name(), FLAT)
    write_tif(tmp_path / "notes" / "dem.tif", FLAT)
    write_tif(tmp_path / "OPERA_L2_RTC-S1-STATIC_T137-292320-IW1_20140403_S1A_30_v1.0_incidence_angle.tif", FLAT)
    for name in ("a.h5", "b.iso.xml", "c_BROWSE.png"):
        (tmp_path / name).write_text("x")
    shutil.copytree(tmp_path, tmp_path / "zcopy")
    found = opera.find(tmp_path, s3=S3)
    assert len(found.scenes) == 1
    reasons = {str(Path(d.path).relative_to(tmp_path)): d.reason for d in found.dropped}
    assert set(reasons) == {"notes/dem.tif", "zcopy/notes/dem.tif", f"zcopy/{opera_name()}"}
    assert reasons["notes/dem.tif"].startswith("the name is not")
    assert reasons[f"zcopy/{opera_name()}"].startswith("the same file as")


def test_polarizations_that_are_not_there_are_named(tmp_path: Path) -> None:
    write_tif(tmp_path / opera_name("HH"), FLAT)
    write_tif(tmp_path / opera_name("HV", sensing="20211201T015859Z"), FLAT)
    with pytest.raises(InputError, match="VV is not there; there are HH, HV"):
        opera.find(tmp_path, polarizations=["VV"], s3=S3)
    with pytest.raises(InputError, match="no scene has all of HH, HV"):
        opera.find(tmp_path, polarizations=["HH", "HV"], s3=S3)
    with pytest.raises(InputError, match="no OPERA RTC-S1 raster"):
        opera.find(write_tif(tmp_path / "else" / "dem.tif", FLAT).parent, s3=S3)


def test_layers_of_one_burst_on_two_grids_are_refused(tmp_path: Path) -> None:
    write_tif(tmp_path / opera_name("VV"), FLAT)
    write_tif(tmp_path / opera_name("VH"), FLAT, col=1)
    with pytest.raises(InputError, match="different grids") as error:
        opera.find(tmp_path, s3=S3)
    assert opera_name("VV") in error.value.message
    assert opera_name("VH") in error.value.message


def test_identity_is_content_and_neither_path_nor_time(tmp_path: Path) -> None:
    for folder, value in (("a", 0.1), ("b", 0.1), ("c", 0.2)):
        write_tif(tmp_path / folder / opera_name(), np.full((8, 10), value, np.float32))
    one, same, other = (opera.find(tmp_path / f, s3=S3, cache=tmp_path / "cache").scenes[0] for f in "abc")
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == len(hashlib.sha256().hexdigest())
    assert one.size == other.size > 0
    write_tif(tmp_path / "HH_20211119.tif", FLAT)
    shutil.copy(tmp_path / "HH_20211119.tif", tmp_path / "HH_20211201.tif")
    early, late = geotiff.find(f"{tmp_path}/HH*", names=NAMES, s3=S3).scenes
    assert early.fingerprint == late.fingerprint


# ---------------------------------------------------------------------------------------------- GeoTIFF


@needs_data
def test_real_alos_scenes_are_found() -> None:
    names = FileNames(
        pattern=r"AP_(?P<absolute_orbit>\d{5})_FBD_(?P<scene>F\d+)_RT2_(?P<polarization>H[HV])_(?P<date>\d{8})\.tif$"
    )
    found = geotiff.find(DATA / "alos-palsar-thailand", names=names, s3=S3)
    assert [(s.time.date().isoformat(), s.absolute_orbit) for s in found.scenes] == [
        ("2007-07-20", 7915),
        ("2008-06-06", 12612),
    ]
    assert all(set(s.rasters) == {"HH", "HV"} for s in found.scenes)
    assert {s.grid for s in found.scenes} == {
        Grid(crs="EPSG:32647", left=440228.8125, top=937448.125, dx=30, dy=30, height=600, width=600)
    }
    assert found.scenes[0].radiometry == Radiometry()


@needs_data
def test_real_files_without_date_are_named_as_examples() -> None:
    with pytest.raises(InputError, match=r"matches no file in .*; a file there is alos_"):
        geotiff.find(DATA / "alos-palsar-gabon", names=NAMES, s3=S3)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(?P<date>\d{8}", "no regular expression"),
        (r"_(\d{8})", "no group `date`"),
        (r"(?P<date>\d+)_(?P<pol>VV)", "'pol'"),
    ],
)
def test_a_wrong_pattern_is_said_at_once(pattern: str, says: str) -> None:
    with pytest.raises(JobError, match=says):
        FileNames(pattern=pattern)


def test_a_date_of_another_form_is_refused(tmp_path: Path) -> None:
    write_tif(tmp_path / "HH_20211399.tif", FLAT)
    with pytest.raises(InputError, match=r"HH_20211399\.tif: the date '20211399' does not have the form '%Y%m%d'"):
        geotiff.find(tmp_path, names=NAMES, s3=S3)


def test_times_are_utc(tmp_path: Path) -> None:
    write_tif(tmp_path / "HH_20211119T233000+0900.tif", FLAT)
    names = FileNames(pattern=r"(?P<polarization>HH)_(?P<date>[^.]+)", date_format="%Y%m%dT%H%M%S%z")
    (scene,) = geotiff.find(tmp_path, names=names, s3=S3).scenes
    assert scene.time == datetime(2021, 11, 19, 14, 30, tzinfo=UTC)
    assert scene.time.tzinfo is UTC


def test_groups_fill_the_scene(tmp_path: Path) -> None:
    write_tif(tmp_path / "S1B_064_hh_20211119_tile3.tif", FLAT)
    write_tif(tmp_path / "notes.tif", FLAT)
    names = FileNames(
        pattern=r"^(?P<platform>S1.)_(?P<orbit>\d+)_(?P<polarization>hh)_(?P<date>\d{8})_(?P<scene>\w+)\."
    )
    found = geotiff.find(tmp_path, names=names, s3=S3)
    (scene,) = found.scenes
    assert (scene.platform, scene.relative_orbit, scene.absolute_orbit) == ("S1B", 64, None)
    assert set(scene.rasters) == {"HH"}
    assert scene.id == "20211119T000000Z_S1B_64_tile3_300000_3800000"
    assert [(Path(d.path).name, d.reason[:27]) for d in found.dropped] == [("notes.tif", "the name does not match the")]


def test_one_polarization_can_be_said_instead_of_named(tmp_path: Path) -> None:
    write_tif(tmp_path / "20211119.tif", FLAT)
    names = FileNames(pattern=r"(?P<date>\d{8})")
    (scene,) = geotiff.find(tmp_path, names=names, polarizations=["vv"], s3=S3).scenes
    assert set(scene.rasters) == {"VV"}
    for wrong in (None, ["VV", "VH"]):
        with pytest.raises(JobError, match="no group `polarization`"):
            geotiff.find(tmp_path, names=names, polarizations=wrong, s3=S3)


def test_twins_are_refused_and_tiles_are_scenes(tmp_path: Path) -> None:
    write_tif(tmp_path / "a_HH_20211119.tif", FLAT)
    write_tif(tmp_path / "b_HH_20211119.tif", FLAT, row=8)
    assert len(geotiff.find(tmp_path, names=NAMES, s3=S3).scenes) == 2
    write_tif(tmp_path / "c_HH_20211119.tif", FLAT)
    with pytest.raises(InputError, match=r"a_HH_20211119\.tif and .*c_HH_20211119\.tif are both HH of 2021-11-19"):
        geotiff.find(tmp_path, names=NAMES, s3=S3)


def test_polarizations_on_two_grids_are_refused_and_missing_ones_dropped(tmp_path: Path) -> None:
    write_tif(tmp_path / "HH_20211119.tif", FLAT)
    write_tif(tmp_path / "HV_20211119.tif", FLAT, col=0.5)
    with pytest.raises(InputError, match="different grids"):
        geotiff.find(tmp_path, names=NAMES, s3=S3)
    write_tif(tmp_path / "HV_20211119.tif", FLAT)
    write_tif(tmp_path / "HH_20211201.tif", FLAT)
    found = geotiff.find(tmp_path, names=NAMES, s3=S3)
    assert len(found.scenes) == 1
    assert [d.reason for d in found.dropped] == ["the scene lacks HV"]
    assert len(geotiff.find(tmp_path, names=NAMES, polarizations=["HH"], s3=S3).scenes) == 2
    with pytest.raises(InputError, match="VV is not there; there are HH, HV"):
        geotiff.find(tmp_path, names=NAMES, polarizations=["VV"], s3=S3)


def test_several_bands_are_refused(tmp_path: Path) -> None:
    write_tif(tmp_path / "HH_20211119.tif", np.ones((3, 8, 10), np.float32))
    with pytest.raises(InputError, match="3 bands"):
        geotiff.find(tmp_path, names=NAMES, s3=S3)


def test_what_the_user_says_of_values_reaches_the_raster(tmp_path: Path) -> None:
    write_tif(tmp_path / "HH_20211119.tif", np.full((8, 10), 4000, np.uint16), nodata=0)
    values = PixelValues(scale=Scale.AMPLITUDE, calibration_db=-83, radiometry=Radiometry(quantity="gamma0_terrain"))
    (scene,) = geotiff.find(tmp_path, names=NAMES, values=values, s3=S3).scenes
    raster = scene.rasters["HH"]
    assert (raster.scale, raster.calibration_db, raster.nodata) == (Scale.AMPLITUDE, -83, 0)
    assert scene.radiometry.quantity == "gamma0_terrain"


def test_db_declared_as_power_is_refused_and_the_reverse(tmp_path: Path) -> None:
    power = np.random.default_rng(3).gamma(4, 0.02, (40, 50)).astype(np.float32)
    cases = {"power": power, "db": 10 * np.log10(power), "noisy": power - np.float32(0.1)}
    for name, pixels in cases.items():
        write_tif(tmp_path / name / "HH_20211119.tif", pixels)

    def find(folder: str, scale: Scale) -> int:
        return len(geotiff.find(tmp_path / folder, names=NAMES, values=PixelValues(scale=scale), s3=S3).scenes)

    assert find("power", Scale.POWER) == find("db", Scale.DB) == find("noisy", Scale.POWER) == 1
    for scale in (Scale.POWER, Scale.AMPLITUDE):
        with pytest.raises(InputError, match=rf"declared as {scale}, yet 100% of its values are negative") as error:
            find("db", scale)
        assert "scale: db" in error.value.remedy
    with pytest.raises(InputError, match="declared as dB, yet none of its values is negative"):
        find("power", Scale.DB)


def test_undeclared_fill_values_are_named(tmp_path: Path) -> None:
    pixels = np.where(np.arange(80).reshape(8, 10) % 2, np.float32(0.1), np.float32(-9999))
    write_tif(tmp_path / "HH_20211119.tif", pixels)
    with pytest.raises(InputError, match=r"nodata: 50% of the values .* are -9999"):
        geotiff.find(tmp_path, names=NAMES, s3=S3)
    values = PixelValues(nodata=-9999)
    assert geotiff.find(tmp_path, names=NAMES, values=values, s3=S3).scenes[0].rasters["HH"].nodata == -9999


def test_a_folder_that_may_not_be_listed_says_so(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    assert boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").list_buckets()
    with pytest.raises(UserError):
        opera.find("s3://no-such-bucket-here/x", s3=S3Options(endpoint=s3_server))


def test_an_error_of_pixels_keeps_its_class_on_its_way_through_dask(tmp_path: Path) -> None:
    from distributed.core import clean_exception, error_message

    path = write_tif(tmp_path / "a.tif", FLAT, compress="deflate")
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read") as raised, open_raster(str(path), s3=S3) as dataset:
        dataset.read(1)
    sent = error_message(raised.value)
    kind, arrived, _ = clean_exception(sent["exception"].data, None)
    assert kind is InputError
    assert isinstance(arrived, InputError)
    assert str(path) in arrived.message
    assert "again" in arrived.remedy


def test_a_file_made_on_demand_may_be_normalised_otherwise(tmp_path: Path) -> None:
    tag = "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_NORMALIZATION_CONVENTION"
    for said, quantity in {"gamma0": "gamma0_terrain", "sigma0": "sigma0_terrain", "beta0": "beta0"}.items():
        write_tif(tmp_path / said / opera_name(), FLAT, tags={tag: said})
        assert opera.find(tmp_path / said, s3=S3).scenes[0].radiometry.quantity == quantity
