"""Sentinel-1 of Earth Engine: scenes that are found, passes that they are of, masks and mosaics with known truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
import shapely
from ee_scenes import ABSENT, OPERA, OPERA_FILES, ask, earth_engine, grid_of, read
from pyproj import Transformer
from scipy import ndimage

from gee import sentinel1
from gee.backscatter import Backscatter, ratio, to_db, to_power
from gee.border_noise import BorderNoise
from gee.local.catalogue.simulated import add_simulation
from gee.local.folders import assets_of
from gee.local.simulate import Cover, Orbit, Scene, Simulation, scenes
from gee.passes import PassInfo, group_passes, pass_image
from gee.scenes import GRD, GRD_FLOAT, SceneInfo
from gee.sentinel1 import find_scenes
from infra.errors import InputError

PLAN = Simulation(
    width=60,
    height=48,
    overlap=12,
    dates=3,
    repeat=6,
    border=4,
    orbits=(Orbit(relative=131, direction="ASCENDING"), Orbit(relative=58, direction="DESCENDING")),  # on one UTC date
)
WHOLE = grid_of(PLAN)
LAND = Cover(vv=0.1, vh=0.02, slope=0.0)
LAKES = {"lake": Cover(vv=1e-4, vh=1e-5, slope=0.0), **{f"land {n}": LAND for n in range(5)}}
LOW = 10**-2.8


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with earth_engine(tmp_path_factory.mktemp("earth-engine"), simulation=PLAN) as found_:
        yield found_


@pytest.fixture
def server(url: str) -> str:
    """The server of this module, which the client asks again where a test has asked another."""
    ask(url)
    return url


@pytest.fixture(scope="module")
def simulated() -> list[Scene]:
    """Scenes as they were made, in the order of their times."""
    return scenes(PLAN)


def placed(scene: Scene, band: str, plan: Simulation = PLAN) -> np.ndarray:
    """Power of a slice on the pixels of the whole plan, dims (y, x), NaN outside."""
    canvas = np.full(plan.whole, np.nan)
    row = round((plan.north - scene.transform[5]) / 10)
    values = scene.bands[band]
    canvas[row : row + values.shape[0]] = values
    return canvas


def first_wins(layers: Sequence[np.ndarray]) -> np.ndarray:
    made = layers[0].copy()
    for layer in layers[1:]:
        made = np.where(np.isnan(made), layer, made)
    return made


def found(collection: str = GRD_FLOAT, **more: Any) -> sentinel1.Found:
    return find_scenes(collection, **{"region": None, **more})


# -- scenes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("collection", [GRD, GRD_FLOAT])
def test_scenes_are_plain_values(server: str, simulated: list[Scene], collection: str) -> None:
    made = found(collection).scenes
    assert [one.index for one in made] == [one.index for one in simulated]
    for one, known in zip(made, simulated, strict=True):
        properties = known.properties
        assert one.id == f"{collection}/{known.index}"
        assert one.time.timestamp() * 1000 == properties["system:time_start"]
        assert one.platform == f"S1{properties['platform_number']}"
        assert one.absolute_orbit == properties["orbitNumber_start"]
        assert one.relative_orbit == properties["relativeOrbitNumber_start"]
        assert one.pass_direction == properties["orbitProperties_pass"].lower()
        assert (one.crs, one.transform, one.width, one.height) == (PLAN.crs, known.transform, 60, 48)
        assert one.polarizations == ("VV", "VH")


def test_a_scene_that_is_written_again_is_of_a_later_version(tmp_path: Path) -> None:
    plan = replace(PLAN, dates=1, slices=1, overlap=0)
    with earth_engine(tmp_path, simulation=plan):
        before = found().scenes
        add_simulation(assets_of(tmp_path), plan, overwrite=True)
        after = found().scenes
    assert [one.id for one in after] == [one.id for one in before]
    for one, other in zip(before, after, strict=True):
        assert one.version is not None
        assert other.version is not None
        assert other.version > one.version


def test_filters_are_counted_one_after_the_other(server: str) -> None:
    made = found(
        start=date(2020, 1, 3),
        end=date(2020, 1, 15),
        pass_direction="ascending",
        orbits=[131, 58],
        platforms=["S1A", "S1C"],
        polarizations=["VV", "VH"],
    )
    steps = [(step.name, step.before, step.after) for step in made.steps]
    assert steps == [
        ("area and period", 8, 8),
        ("instrument mode", 8, 8),
        ("resolution", 8, 8),
        ("pass", 8, 4),
        ("orbits", 4, 4),
        ("platforms", 4, 2),
        ("polarizations", 2, 2),
    ]
    assert {(one.platform, one.relative_orbit) for one in made.scenes} == {("S1A", 131)}


def test_the_area_and_the_end_of_the_period_are_earth_engines_to_filter(server: str, simulated: list[Scene]) -> None:
    to_degrees = Transformer.from_crs(PLAN.crs, "EPSG:4326", always_xy=True).transform
    north_of_it = to_degrees(PLAN.west, PLAN.north - 10 * (PLAN.height + 5))[1]  # beyond the northern slices
    south = shapely.box(-65, -19, -64, north_of_it).wkt
    first, second = (
        {one.id.rpartition("/")[2] for one in found(region=region).scenes}
        for region in (south, "POLYGON((-65 -19, -64 -19, -64 -17, -65 -17, -65 -19))")
    )
    assert second == {one.index for one in simulated}
    assert first == {one.index for one in simulated if one.transform[5] != PLAN.north}
    moment = datetime.fromtimestamp(simulated[3].properties["system:time_start"] / 1000, UTC)
    assert len(found(end=moment).scenes) == 3
    assert len(found(start=moment).scenes) == 9


def test_many_scenes_come_page_by_page(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found().scenes
    for size in (1, 5, 12):
        monkeypatch.setattr(sentinel1, "PAGE", size)
        assert found().scenes == whole


AREA = "POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"orbits": [12]}, ["orbits: [12] left none of 12 scenes", "relative orbits there are 58, 131"]),
        ({"pass_direction": "ascending", "orbits": [58]}, ["orbits: [58] left none of 6", "there are 131"]),
        ({"platforms": ["S1C"]}, ["platforms: S1C left none of 12", "there are S1A, S1B"]),
        ({"polarizations": ["HH", "HV"]}, ["polarizations: HH and HV left none of 12", "there are VV+VH"]),
        ({"start": date(2021, 1, 1)}, ["period: from 2021-01-01 left none of 12", "2020-01-03 to 2020-01-15"]),
        ({"end": date(2019, 1, 1)}, ["period: until before 2019-01-01", "2020-01-03 to 2020-01-15"]),
        ({"region": AREA}, ["area: it left no scene of COPERNICUS/S1_GRD_FLOAT"]),
        ({"region": "POLYGON((0 0"}, ["area: 'POLYGON((0 0' is no WKT"]),
        ({"region": "POLYGON EMPTY"}, ["area: it is empty"]),
        ({"region": "POLYGON((179 0, 181 0, 181 1, 179 0))"}, ["179 to 181 degrees east"]),
        ({"region": "POLYGON((0 80, 1 80, 1 91, 0 80))"}, ["80 to 91 degrees north"]),
    ],
)
def test_who_finds_nothing_learns_which_filter_left_none(server: str, asked: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        found(**asked)
    for word in words:
        assert word in caught.value.message
    assert caught.value.remedy


def test_collections_that_are_not_known_or_not_there(server: str) -> None:
    with pytest.raises(InputError, match="COPERNICUS/S2"):
        found("COPERNICUS/S2")
    with pytest.raises(InputError, match="not found"):
        found(OPERA)


# -- passes -----------------------------------------------------------------------------------------------------------


def a_scene(**more: Any) -> SceneInfo:
    given = {
        "id": "a",
        "index": "a",
        "time": datetime(2020, 1, 1, 23, 59, 50, tzinfo=UTC),
        "platform": "S1A",
        "absolute_orbit": 1000,
        "relative_orbit": 10,
        "pass_direction": "ascending",
        "polarizations": ("VV", "VH"),
        "crs": "EPSG:32720",
        "transform": (10.0, 0.0, 0.0, 0.0, -10.0, 0.0),
        "width": 10,
        "height": 10,
        "resolution": 10.0,
    }
    return SceneInfo(**{**given, **more})


def grouped(*all_: SceneInfo) -> list[str]:
    return ["".join(one.id for one in found_.scenes) for found_ in group_passes(all_)]


def test_passes_are_of_one_platform_and_absolute_orbit_whatever_the_date() -> None:
    first = a_scene()
    after = {"time": first.time + timedelta(seconds=25)}  # after midnight
    assert grouped(replace(first, id="b", **after), first) == ["ab"]
    assert grouped(first, replace(first, id="b", **after, platform="S1B")) == ["a", "b"]
    assert grouped(first, replace(first, id="b", **after, absolute_orbit=1001)) == ["a", "b"]
    assert grouped(first, replace(first, id="b", time=first.time + timedelta(hours=12))) == ["a", "b"]


def test_without_absolute_orbits_the_relative_one_and_half_an_hour_count() -> None:
    first = a_scene(absolute_orbit=None)
    for minutes, wanted in ((29, ["ab"]), (31, ["a", "b"])):
        other = replace(first, id="b", time=first.time + timedelta(minutes=minutes))
        assert grouped(first, other) == wanted
    assert grouped(first, replace(first, id="b", relative_orbit=11)) == ["a", "b"]


def test_of_several_releases_the_newest_counts() -> None:
    old, new = a_scene(id="z", version=1), a_scene(id="a", version=2)
    kept, superseded = sentinel1._newest([old, new, a_scene(id="other", height=11)])
    assert {one.id for one in kept} == {"a", "other"}
    assert superseded == (old,)


def test_two_orbits_on_one_date_are_two_passes(server: str) -> None:
    passes = group_passes(found().scenes)
    assert [(one.relative_orbit, len(one.scenes)) for one in passes] == [(58, 2), (131, 2)] * 3
    assert [one.time.date() for one in passes][:2] == [date(2020, 1, 3)] * 2
    assert [one.platform for one in passes] == ["S1A"] * 2 + ["S1B"] * 2 + ["S1A"] * 2


# -- images of passes -------------------------------------------------------------------------------------------------


def a_pass(number: int, collection: str) -> PassInfo:
    return group_passes(found(collection).scenes)[number]


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("collection", [GRD, GRD_FLOAT])
def test_slices_are_laid_over_one_another_the_first_on_top(
    server: str, simulated: list[Scene], collection: str, number: int
) -> None:
    """Noise at the borders differs between slices where they overlap: it tells which one is on top."""
    made = read(pass_image(a_pass(number, collection), collection_id=collection, bands=["VV", "VH"]), WHOLE)
    own = simulated[2 * number : 2 * number + 2]
    assert list(made) == ["VV", "VH"]
    for band, values in made.items():
        layers = [placed(one, band) for one in own]
        wanted = first_wins(layers)
        assert (wanted != first_wins(layers[::-1])).any()
        np.testing.assert_allclose(values, wanted, rtol=1e-5)  # dB are kept as float32


def test_the_first_slices_pixels_are_the_passs_own(server: str) -> None:
    one = a_pass(1, GRD_FLOAT)
    info: Any = pass_image(one, collection_id=GRD_FLOAT, bands=["VV"]).getInfo()
    assert info["bands"][0]["crs"] == PLAN.crs
    assert info["bands"][0]["crs_transform"] == list(one.scenes[0].transform)
    assert info["bands"][0]["data_type"]["precision"] == "double"
    assert info["properties"] == {
        "system:time_start": round(one.time.timestamp() * 1000),
        "platform": "S1A",
        "absolute_orbit": one.absolute_orbit,
        "relative_orbit": 131,
        "pass_direction": "ascending",
    }


def test_incidence_angles_are_masked_at_both_ends(server: str, simulated: list[Scene]) -> None:
    angle = simulated[0].angle[0]
    assert angle.size == 2
    low, high = sorted(angle.tolist())
    for limits, wanted in (
        ((0, 90), (True, True)),
        ((low - 1, low), (True, False)),
        ((low + 0.1, high), (False, True)),
    ):
        made = read(pass_image(a_pass(0, GRD), collection_id=GRD, bands=["VV", "VH"], incidence_angle=limits), WHOLE)
        half = PLAN.width // 2
        there = [bool(np.isfinite(made["VH"][:, part]).all()) for part in (slice(half), slice(half, None))]
        gone = [bool(np.isnan(made["VH"][:, part]).all()) for part in (slice(half), slice(half, None))]
        known = wanted if angle[0] == low else wanted[::-1]
        assert there == list(known)
        assert gone == [not one for one in known]


def test_a_pixel_that_one_band_lacks_has_none(server: str, simulated: list[Scene]) -> None:
    own = [(placed(one, "VV"), placed(one, "VH")) for one in simulated[:2]]
    limits = (0.005, 0.3)

    def wanted(band: int, *, alone: bool) -> np.ndarray:
        layers = [
            [np.where((values >= limits[0]) & (values <= limits[1]), values, np.nan) for values in one] for one in own
        ]
        both = [first_wins([one[k] for one in layers]) for k in (0, 1)]
        return both[band] if alone else np.where(np.isnan(both[0]) | np.isnan(both[1]), np.nan, both[band])

    for bands in (["VV", "VH"], ["VH"]):
        image = pass_image(a_pass(0, GRD_FLOAT), collection_id=GRD_FLOAT, bands=bands, valid_range=limits)
        made = read(image, WHOLE)
        for band, values in made.items():
            known = wanted(["VV", "VH"].index(band), alone=len(bands) == 1)
            assert 0.1 < np.isnan(known).mean() < 0.9
            assert np.array_equal(values, known, equal_nan=True)
    open_ended = pass_image(a_pass(0, GRD_FLOAT), collection_id=GRD_FLOAT, bands=["VV"], valid_range=(None, 0.01))
    assert np.nanmax(read(open_ended, WHOLE)["VV"]) <= 0.01


def test_masks_that_rtc_has_not() -> None:
    for more in ({"incidence_angle": (30, 45)}, {"border_noise": BorderNoise(below=1e-3, reach=100)}):
        with pytest.raises(InputError, match=next(iter(more))):
            pass_image(PassInfo(scenes=(a_scene(),)), collection_id=OPERA, bands=["VV"], **more)


def test_a_pass_is_a_small_part_of_a_graph(server: str) -> None:
    def size(number: int) -> int:
        images = [
            pass_image(
                one,
                collection_id=GRD,
                bands=["VV", "VH"],
                incidence_angle=(31, 45),
                border_noise=BorderNoise(below=1e-3, reach=100),
                valid_range=(1e-4, 10),
            )
            for one in group_passes(found(GRD).scenes)[:number]
        ]
        return len(ee.ImageCollection.fromImages(images).serialize(for_cloud_api=True))

    assert size(6) - size(1) < 5 * 2500


# -- border noise -----------------------------------------------------------------------------------------------------


def test_noise_at_borders_goes_and_dark_lakes_stay(tmp_path: Path) -> None:
    """What is low hangs together with the border, or it does not: labels of connected pixels are the truth."""
    plan = replace(PLAN, slices=1, overlap=0, width=72, height=64, dates=1, noise=0.0, covers=LAKES, seed=3)
    whole = grid_of(plan)
    with earth_engine(tmp_path, simulation=plan):
        for scene, one in zip(scenes(plan), group_passes(found().scenes), strict=True):
            made = read(
                pass_image(
                    one, collection_id=GRD_FLOAT, bands=["VV", "VH"], border_noise=BorderNoise(below=LOW, reach=1200)
                ),
                whole,
            )
            power = placed(scene, "VV", plan)
            low = np.pad(power < LOW, 1, constant_values=True)  # outside of the scene there are no data
            labels, _ = ndimage.label(low, structure=np.ones((3, 3)))
            border = (labels == labels[0, 0])[1:-1, 1:-1]
            lakes = (power < LOW) & ~border
            assert border[:, : plan.border].all()
            assert border[:, -plan.border :].all()
            assert lakes.sum() > 50
            for band in ("VV", "VH"):
                assert np.array_equal(np.isnan(made[band]), border)
            # by VV also where VH alone is wanted, whose power is low on land too
            alone = pass_image(
                one, collection_id=GRD_FLOAT, bands=["VH"], border_noise=BorderNoise(below=LOW, reach=1200)
            )
            assert np.array_equal(np.isnan(read(alone, whole)["VH"]), border)


def test_noise_is_looked_for_within_reach_alone(server: str, simulated: list[Scene]) -> None:
    one = a_pass(0, GRD)
    for reach, columns in ((25.0, 2), (10.0, 1), (60.0, 4)):
        noise = BorderNoise(below=LOW, reach=reach)
        made = read(pass_image(one, collection_id=GRD, bands=["VV"], border_noise=noise), WHOLE)["VV"]
        inner = made[7:-7]  # further from the upper and lower edge than any reach
        gone = np.isnan(inner).all(axis=0)
        assert gone[:columns].all()
        assert gone[-columns:].all()
        assert not np.isnan(inner[:, columns:-columns]).any()


# -- power and dB -----------------------------------------------------------------------------------------------------


def test_power_and_db_are_converted_once(server: str) -> None:
    image = pass_image(a_pass(0, GRD_FLOAT), collection_id=GRD_FLOAT, bands=["VV", "VH"])
    power = Backscatter(image=image, units="1")
    there = to_db(power)
    back = to_power(there)
    before, decibel, after = (read(one.image, WHOLE) for one in (power, there, back))
    np.testing.assert_allclose(decibel["VH"], 10 * np.log10(before["VH"]), rtol=1e-12)
    np.testing.assert_allclose(after["VV"], before["VV"], rtol=1e-12)
    for wrong in (lambda: to_db(there), lambda: to_power(power), lambda: ratio(power, there)):
        with pytest.raises(InputError, match="dB"):
            wrong()


def test_ratios_are_of_powers_and_what_is_not_positive_has_none(server: str) -> None:
    image = pass_image(a_pass(0, GRD_FLOAT), collection_id=GRD_FLOAT, bands=["VV", "VH"])
    known = read(image, WHOLE)
    shift = float(np.median(known["VH"]))
    over = Backscatter(image=image.select("VV"), units="1")
    under = Backscatter(image=image.select("VH").subtract(shift), units="1")  # half of it is negative
    exact = Backscatter(image=image.select("VH").multiply(0), units="1")
    made = read(ratio(over, under).image, WHOLE)["VV"]
    less = known["VH"] - shift
    np.testing.assert_allclose(made, np.where(less > 0, known["VV"] / np.where(less > 0, less, 1), np.nan), rtol=1e-12)
    assert np.isnan(read(ratio(over, exact).image, WHOLE)["VV"]).all()
    assert np.isnan(read(to_db(exact).image, WHOLE)["VH"]).all()
    in_db = ratio(to_db(over), to_db(Backscatter(image=image.select("VH"), units="1")))
    assert in_db.units == "dB"
    np.testing.assert_allclose(read(in_db.image, WHOLE)["VV"], 10 * np.log10(known["VV"] / known["VH"]), rtol=1e-9)


# -- real scenes ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not OPERA_FILES.is_dir(), reason=ABSENT)
def test_real_bursts_are_found_and_grouped(tmp_path: Path) -> None:
    with earth_engine(tmp_path, opera="T137-*"):
        made = find_scenes(OPERA, region=None, orbits=[137], polarizations=["VV", "VH"])
        assert len(made.scenes) == len(list(OPERA_FILES.glob("T137-*/*_VV.tif")))
        assert {one.platform for one in made.scenes} == {"S1A", "S1B"}
        assert {one.pass_direction for one in made.scenes} == {"ascending"}
        assert {(one.width, one.height, one.resolution) for one in made.scenes} == {(100, 100, 30.0)}
        passes = group_passes(made.scenes)
        assert [len(one.scenes) for one in passes] == [6] * 21
        assert all(len({scene.index[17:32] for scene in one.scenes}) == 6 for one in passes)
