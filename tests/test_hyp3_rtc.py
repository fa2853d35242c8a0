"""HyP3 RTC: every letter of the name, folders and zips, scales, the layover-shadow map, and which product is used."""

from __future__ import annotations

import itertools
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from geotiffs import write_tif
from hyp3_products import SHAPE, Product, pack, write
from shapely import box

from dask_jobs.backscatter import read_mask, read_power
from dask_jobs.passes import check_lattice, check_one_radiometry, check_orbits, group_passes
from dask_jobs.readers import hyp3_rtc
from dask_jobs.readers.hyp3_name import decode
from dask_jobs.readers.sentinel1_orbits import absolute_orbit_of_granule, check_times_of_one_orbit, relative_orbit
from dask_jobs.scenes import Found, Scale, Scene
from infra import fingerprints
from infra.errors import InputError, LatticeError
from infra.region import Region, geographic_bounds
from infra.storage import S3Options

NONE = S3Options()
OPERA = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"
LETTERS = ("gs", "pad", "uw", "nf", "ec", "dm")
A = Product(absolute_orbit=52000)
LATER = A.but(start="20240117T015913", id="C9FE", absolute_orbit=52175)


def find(folder: Path, **more: Any) -> Found:
    return hyp3_rtc.find(folder, s3=NONE, **more)


def power(scene: Scene, band: str) -> np.ndarray:
    return read_power(scene.rasters[band], grid=scene.grid, target=scene.grid, window=scene.grid.full, s3=NONE)


def reasons(found: Found) -> dict[str, str]:
    return {Path(row.path).name: row.reason for row in found.dropped}


@pytest.mark.parametrize("letters", ["".join(some) for some in itertools.product(*LETTERS)])
def test_every_combination_of_letters(letters: str) -> None:
    for kind, orbit, spacing in itertools.product(("SV", "SH", "DV", "DH"), "PRO", (10, 20, 30)):
        text = Product(kind=kind, orbit=orbit, spacing=spacing, letters=letters).name
        said = decode(text)
        assert said is not None
        assert (said.name, said.platform, said.mode, said.id) == (text, "S1A", "IW", "9C40")
        assert said.start == datetime(2024, 1, 5, 1, 59, 12, tzinfo=UTC)
        assert len(said.polarizations) == {"S": 1, "D": 2}[kind[0]]
        assert said.polarizations[0] == 2 * kind[1]
        assert (said.orbit[0].upper(), said.spacing) == (orbit, spacing)
        # gpuned is: gamma nought, power, unmasked, not filtered, entire, dead reckoning
        facts = (
            said.radiometry.quantity == "gamma0_terrain",
            said.scale,
            said.radiometry.water_masked,
            said.radiometry.speckle_filtered,
            said.clipped,
            said.matched,
        )
        g, scale, water, speckle, area, matching = letters
        scales = {"p": Scale.POWER, "a": Scale.AMPLITUDE, "d": Scale.DB}
        assert facts == (g == "g", scales[scale], water == "w", speckle == "f", area == "c", matching == "m")


@pytest.mark.parametrize("platform", ["S1A", "S1B", "S1C", "S1D"])
@pytest.mark.parametrize("mode", ["IW", "EW", "S3"])
def test_platforms_and_modes(platform: str, mode: str) -> None:
    said = decode(Product(platform=platform, mode=mode).name)
    assert said is not None
    assert said.acquisition == f"{platform}_{mode}_20240105T015912Z"


@pytest.mark.parametrize(
    "name",
    [
        "S1A_IW_20240105T015912_DVP_RTC30_G_gpuned",
        "S1A_IW_20240105T015912_DVP_RTC30_G_gpuned_9c40",
        "S1A_IW_20240105_DVP_RTC30_G_gpuned_9C40",
        "OPERA_L2_RTC-S1_T137-292320-IW1_20211119T015859Z_20250830T120333Z_S1A_30_v1.0",
        "S1AA_20240105T015912_20240117T015913_VVP012_INT80_G_ueF_7A57",
    ],
)
def test_names_of_another_form_are_none_of_ours(name: str) -> None:
    assert decode(name) is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("_gpuned_", "_xpuned_", "'x' stands for the radiometry and is none of g, s"),
        ("_gpuned_", "_gxuned_", "'x' stands for the scale and is none of p, a, d"),
        ("_gpuned_", "_gpxned_", "'x' stands for the water and is none of u, w"),
        ("_gpuned_", "_gpuxed_", "'x' stands for the speckle and is none of n, f"),
        ("_gpuned_", "_gpunxd_", "'x' stands for the area and is none of e, c"),
        ("_gpuned_", "_gpunex_", "'x' stands for the matching and is none of d, m"),
        ("_DVP_", "_DXP_", "'DX' stands for the polarization and is none of SV, SH, DV, DH"),
        ("_DVP_", "_DVX_", "'X' stands for the orbit and is none of P, R, O"),
        ("_G_", "_I_", "'I' stands for the software and is none of G"),
        ("20240105", "20241305", "20241305T015912 is no date"),
    ],
)
def test_a_letter_that_means_nothing_is_told(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        decode(A.name.replace(old, new))


@pytest.mark.parametrize(
    ("granule", "orbit"),
    [  # real granules, with the relative orbit that ESA's mission performance centre gives for them
        ("S1A_IW_GRDH_1SDV_20170909T175748_20170909T175813_018302_01EC88_98A1", 30),
        ("S1B_IW_GRDH_1SDV_20170903T175659_20170903T175724_007231_00CBEF_874B", 30),
        ("S1A_IW_GRDH_1SDV_20191103T003105_20191103T003130_029739_03639C_FB5C", 92),
        ("S1A_IW_GRDH_1SDV_20200805T002754_20200805T002819_033764_03E9E5_716C", 92),
    ],
)
def test_relative_orbits_of_real_granules(granule: str, orbit: int) -> None:
    platform, time = granule[:3], datetime.strptime(granule[17:32], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    absolute = absolute_orbit_of_granule(f"made from {granule}.zip", platform=platform)
    assert absolute == int(granule[49:55])
    assert relative_orbit(platform, absolute, time=time) == orbit
    assert absolute_orbit_of_granule(granule, platform="S1D") is None


def test_relative_orbits_without_a_rule_are_not_guessed() -> None:
    assert relative_orbit("S1D", 1000, time=datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert relative_orbit("S1C", 1000, time=datetime(2025, 1, 1, tzinfo=UTC)) == (1000 - 172) % 175 + 1
    assert relative_orbit("S1C", 9000, time=datetime(2026, 8, 1, tzinfo=UTC)) is None


def test_a_folder_of_products(tmp_path: Path) -> None:
    for product in (A, LATER.but(row=-3, col=5)):
        write(product, tmp_path)
    found = find(tmp_path)
    assert found.dropped == ()  # dem, area, rgb … are no scenes, and no loss
    assert [scene.id for scene in found.scenes] == ["S1A_IW_20240105T015912Z", "S1A_IW_20240117T015913Z"]
    for scene, product in zip(found.scenes, (A, LATER), strict=True):
        assert (scene.platform, scene.absolute_orbit, scene.relative_orbit) == ("S1A", product.absolute_orbit, 128)
        assert (scene.pass_direction, scene.look_direction) == (None, None)
        assert scene.radiometry.quantity == "gamma0_terrain"
        for band in ("VV", "VH"):
            np.testing.assert_array_equal(power(scene, band), product.power(band).astype("float32"))
    assert len(group_passes(found.scenes)) == 2
    check_orbits(found.scenes, policy="single")
    check_lattice(found.scenes)
    assert find(tmp_path, polarizations=["vv"]).scenes[0].rasters.keys() == {"VV"}


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_is_the_same_product_as_its_folder(tmp_path: Path, method: int) -> None:
    place = write(A, tmp_path / "products")
    folder = find(tmp_path).scenes[0]
    images = {band: power(folder, band) for band in A.bands}
    pack(place, remove=True, method=method)
    cache = tmp_path / "cache.json"
    for _ in range(2):
        (packed,) = find(tmp_path, cache=cache).scenes
        assert (packed.id, packed.release, packed.size) == (folder.id, folder.release, folder.size)
        assert packed.fingerprint == folder.fingerprint
        assert packed.relative_orbit == 128
    for band in ("VV", "VH"):
        np.testing.assert_array_equal(power(packed, band), images[band])
    hidden = read_mask(packed, target=packed.grid, window=packed.grid.full, hide=frozenset({"layover"}), s3=NONE)
    np.testing.assert_array_equal(hidden, A.ls_map() & 4 != 0)


def test_of_a_folder_and_a_zip_the_folder_is_used(tmp_path: Path) -> None:
    place = write(A, tmp_path)
    pack(place)
    found = find(tmp_path)
    assert len(found.scenes) == 1
    assert all(".zip" not in raster.url for raster in found.scenes[0].rasters.values())
    assert reasons(found) == {f"{A.name}_{band}.tif": f"the same product as in {place}" for band in A.bands}
    assert all(".zip!/" in row.path for row in found.dropped)


def test_a_zip_replaces_a_folder_that_is_not_complete(tmp_path: Path) -> None:
    place = write(A, tmp_path)
    pack(place)
    (place / f"{A.name}_VH.tif").unlink()
    found = find(tmp_path, polarizations=["VV", "VH"])
    assert [".zip!/" in raster.url for raster in found.scenes[0].rasters.values()] == [True, True]
    assert reasons(found) == {f"{A.name}_VV.tif": "the scene lacks VH"}


@pytest.mark.parametrize("scale", "pad")
def test_values_of_every_scale_become_power(tmp_path: Path, scale: str) -> None:
    product = A.but(letters=f"g{scale}uned")
    write(product, tmp_path)
    scene = find(tmp_path).scenes[0]
    for band in product.bands:
        np.testing.assert_allclose(power(scene, band), product.power(band), rtol=1e-6, equal_nan=True)


def test_zero_is_no_data_in_power_and_a_measurement_in_decibel(tmp_path: Path) -> None:
    values = np.full(SHAPE, -12.0, "float32")
    values[5, 5] = 0.0
    decibel, amplitude = A.but(letters="gduned"), LATER.but(letters="gauned")
    for product, image in ((decibel, values), (amplitude, np.abs(values))):
        folder = tmp_path / product.letters
        for band in product.bands:
            write_tif(folder / f"{product.name}_{band}.tif", image)
    assert power(find(tmp_path / "gduned").scenes[0], "VV")[5, 5] == 1.0
    assert np.isnan(power(find(tmp_path / "gauned").scenes[0], "VV")[5, 5])


def test_what_a_file_declares_comes_before_what_products_use(tmp_path: Path) -> None:
    write(A, tmp_path, nodata=-9999.0)
    got = power(find(tmp_path).scenes[0], "VV")
    assert (got[:, :3] == 0).all()  # zeros are values here, by the file's own word
    decibel = A.but(letters="gduned")
    folder = tmp_path / "db"
    for band in decibel.bands:
        write_tif(folder / f"{decibel.name}_{band}.tif", np.nan_to_num(decibel.stored(band)), nodata=0.0)
    assert np.isnan(power(find(folder).scenes[0], "VV")[:, :3]).all()


@pytest.mark.parametrize("layer", ["layover", "shadow"])
def test_every_value_of_the_layover_shadow_map(tmp_path: Path, layer: str) -> None:
    place = write(A, tmp_path)
    values = np.resize(np.arange(256, dtype="uint8"), SHAPE)  # 31 is the largest documented; bits are bits
    write_tif(place / f"{A.name}_ls_map.tif", values, nodata=255)
    scene = find(tmp_path).scenes[0]
    hidden = read_mask(scene, target=scene.grid, window=scene.grid.full, hide=frozenset({layer}), s3=NONE)
    bit = {"layover": 0b00100, "shadow": 0b10000}[layer]
    np.testing.assert_array_equal(hidden, (values & bit != 0) & (values != 255))


def test_without_a_map_nothing_can_be_hidden(tmp_path: Path) -> None:
    place = write(A, tmp_path)
    (place / f"{A.name}_ls_map.tif").unlink()
    scene = find(tmp_path).scenes[0]
    assert scene.mask is None
    with pytest.raises(InputError, match="layover cannot be hidden"):
        read_mask(scene, target=scene.grid, window=scene.grid.full, hide=frozenset({"layover"}), s3=NONE)


@pytest.mark.parametrize("order", list(itertools.permutations("PRO", 2)))
def test_the_better_orbit_wins(tmp_path: Path, order: tuple[str, str]) -> None:
    for number, orbit in enumerate(order):
        write(A.but(orbit=orbit, id=f"000{number}"), tmp_path)
    found = find(tmp_path)
    best = min(order, key="PRO".index)
    words = {"P": "precise", "R": "restituted", "O": "original"}
    assert found.scenes[0].release == f"{words[best]}_000{order.index(best)}"
    (worst,) = set(order) - {best}
    better = A.but(orbit=best, id=f"000{order.index(best)}").name
    replaced = f"replaced by the {words[best]} one of {better}, of the same acquisition"
    assert set(reasons(found).values()) == {f"its orbit is {words[worst]}: {replaced}"}


def test_of_two_with_one_orbit_the_later_processed_wins(tmp_path: Path) -> None:
    old = A.but(id="0001", processed="2024-03-01T10:00:00+00:00")
    new = A.but(id="0002", processed="2024-03-01T11:30:00+02:00")  # half an hour before the old one
    for product in (old, new):
        place = write(product, tmp_path)
        write_tif(place / f"{product.name}_VV.tif", product.stored("VV") * (1 + int(product.id)))
    found = find(tmp_path)
    assert found.scenes[0].release == "precise_0001"
    assert set(reasons(found)) == {f"{new.name}_VV.tif", f"{new.name}_VH.tif"}


def test_of_two_with_equal_contents_either_will_do(tmp_path: Path) -> None:
    for number in (1, 2):
        write(Product(id=f"000{number}"), tmp_path)
    found = find(tmp_path)
    assert found.scenes[0].release == "precise_0001"
    assert set(reasons(found).values()) == {f"equal to {Product(id='0001').name}, of the same acquisition"}


def test_two_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        product = Product(id=f"000{number}")
        place = write(product, tmp_path)
        write_tif(place / f"{product.name}_VV.tif", product.stored("VV") * number)
    with pytest.raises(InputError, match="two products of one acquisition, with different pixels"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"letters": "spuned"}, "differ in radiometry"),
        ({"letters": "gauned"}, "differ in scale"),
        ({"letters": "gpufed"}, "differ in speckle filter"),
        ({"letters": "gpwned"}, "differ in water mask"),
        ({"letters": "gpunem"}, "differ in DEM matching"),
        ({"spacing": 10, "letters": "spwned"}, "differ in pixel spacing, radiometry, water mask"),
    ],
)
def test_products_of_one_acquisition_are_of_one_kind(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    write(A, tmp_path)
    write(A.but(id="0002", **change), tmp_path)
    with pytest.raises(InputError, match=says):
        find(tmp_path)


@pytest.mark.parametrize(
    ("letters", "what"), [("gpufed", "speckle-filtered"), ("gpwned", "water masked"), ("spuned", "sigma0")]
)
def test_dates_of_different_kinds_are_not_mixed(tmp_path: Path, letters: str, what: str) -> None:
    write(A, tmp_path)
    write(LATER.but(letters=letters), tmp_path)
    with pytest.raises(InputError, match=what):
        check_one_radiometry(find(tmp_path).scenes)


def test_dates_of_different_scales_are_one_stack(tmp_path: Path) -> None:
    write(A, tmp_path)
    write(LATER.but(letters="gduned"), tmp_path)
    scenes = find(tmp_path).scenes
    check_one_radiometry(scenes)
    np.testing.assert_allclose(power(scenes[1], "VV"), LATER.power("VV"), rtol=1e-6, equal_nan=True)


def test_pieces_of_one_acquisition_are_scenes_of_one_pass(tmp_path: Path) -> None:
    for number, row in enumerate((0, SHAPE[0])):
        write(A.but(letters="gpuncd", id=f"000{number}", row=row), tmp_path)
    scenes = find(tmp_path).scenes
    assert len({scene.id for scene in scenes}) == 2
    assert len(group_passes(scenes)) == 1


def test_spacings_lie_on_different_lattices(tmp_path: Path) -> None:
    write(A, tmp_path)
    fine = LATER.but(spacing=10)
    for band in fine.bands:
        transform = rasterio.Affine(10, 0, 300_000, 0, -10, 3_800_000)
        write_tif(tmp_path / f"{fine.name}_{band}.tif", fine.stored(band), transform=transform)
    with pytest.raises(LatticeError, match="pixels of 10 x 10 instead of 30 x 30"):
        check_lattice(find(tmp_path).scenes)


@pytest.mark.parametrize(
    ("platform", "after", "one"),
    [
        ("S1A", timedelta(days=12, seconds=3), True),
        ("S1A", timedelta(days=120, minutes=1), True),  # the next frame along the pass
        ("S1A", timedelta(days=6), False),
        ("S1A", timedelta(days=5, minutes=8), False),
        ("S1A", timedelta(days=12, hours=12), False),  # ascending and descending
        ("S1B", timedelta(days=6), True),
        ("S1B", timedelta(days=6, hours=12), False),
        ("S1B", timedelta(days=4, minutes=8), False),  # the neighbouring track
    ],
)
def test_without_a_readme_times_tell_whether_orbits_mix(
    tmp_path: Path, platform: str, after: timedelta, one: bool
) -> None:
    first = Product()
    time = datetime(2024, 1, 5, 1, 59, 12, tzinfo=UTC) + after
    write(first, tmp_path)
    write(Product(platform=platform, start=f"{time:%Y%m%dT%H%M%S}", id="0002"), tmp_path)
    scenes = find(tmp_path).scenes
    assert len(scenes) == 2
    if one:
        check_times_of_one_orbit(scenes)
    else:
        with pytest.raises(InputError, match="are of different relative orbits, by their times"):
            check_times_of_one_orbit(scenes)


def test_products_outside_the_period_are_not_opened(tmp_path: Path) -> None:
    write(A, tmp_path)
    place = write(LATER, tmp_path)
    for file in place.glob("*_V*.tif"):
        file.write_bytes(b"not even a TIFF")
    period = date(2024, 1, 1), date(2024, 1, 10)
    found = find(tmp_path, period=period)
    assert [scene.time.day for scene in found.scenes] == [5]
    assert set(reasons(found).values()) == {"2024-01-17 is after the period, which ends before 2024-01-10"}
    with pytest.raises(InputError, match="no GeoTIFF"):
        find(tmp_path)


def test_products_outside_the_area_are_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(A, tmp_path)
    write(LATER.but(col=4000), tmp_path)
    around = box(*geographic_bounds(find(tmp_path).scenes[0].grid))
    seen: list[str] = []
    many = fingerprints.fingerprint_many
    monkeypatch.setattr(
        fingerprints, "fingerprint_many", lambda urls, **more: (seen.extend(urls), many(urls, **more))[1]
    )
    found = find(tmp_path, region=Region(wkt=around.wkt, masks=False))
    assert seen
    assert not any(LATER.name in url for url in seen)
    assert [scene.time.day for scene in found.scenes] == [5]
    assert set(reasons(found).values()) == {"S1A_IW_20240117T015913Z does not touch the area"}


@pytest.mark.skipif(not OPERA.is_dir(), reason="the real OPERA scenes are not at ../shared/data")
@pytest.mark.parametrize(("letter", "refused"), [("p", True), ("a", True), ("d", False)])
def test_a_real_scene_in_decibel_is_caught_by_its_range(tmp_path: Path, letter: str, refused: bool) -> None:
    """Real backscatter is between -35 and 10 dB; hardly any power is below -1."""
    paths = sorted((OPERA / "T137-292320-IW1").glob("*_VV.tif"))
    for number, path in enumerate(paths[:3]):
        with rasterio.open(path) as file:
            values, transform = file.read(1), file.transform
        product = Product(
            platform=path.name.split("_")[6],
            start=path.name.split("_")[4][:-1],
            kind="SV",
            letters=f"g{letter}uned",
            id=f"000{number}",
        )
        stored = values if letter == "p" and number < 2 else 10 * np.log10(values)
        stored = np.sqrt(values) if letter == "a" and number < 2 else stored
        write_tif(tmp_path / f"{product.name}_VV.tif", stored.astype("float32"), transform=transform)
    if refused:  # the last of three
        with pytest.raises(InputError, match=r"0002_VV.tif is declared as (power|amplitude), yet .*negative") as caught:
            find(tmp_path)
        assert f"second letter ('{letter}')" in caught.value.message
    else:
        assert len(find(tmp_path).scenes) == 3


def test_what_is_foreign_is_named(tmp_path: Path) -> None:
    write(A, tmp_path)
    write_tif(tmp_path / "dem.tif", np.ones(SHAPE, "float32"))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    copy = tmp_path / "copies"
    copy.mkdir()
    (copy / "notes.txt").write_text("not a raster")
    found = find(tmp_path)
    assert reasons(found) == {
        "dem.tif": "the name is not that of a HyP3 RTC raster",
        "other.zip": "the archive holds no HyP3 RTC product",
    }


def test_scenes_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    pack(write(A, tmp_path), remove=True)
    scene = find(tmp_path).scenes[0]
    assert Scene.from_json(scene.to_json()) == scene
