"""HyP3 interferograms: names of three kinds, metadata, folders and zips, one track, and which product is used."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from geotiffs import write_tif
from insar_products import FEW, LAYERS, Product, pack, write
from shapely import box

from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE, FoundInterferograms, Interferogram
from dask_jobs.readers import hyp3_insar
from dask_jobs.readers.hyp3_insar import check_one_track
from dask_jobs.readers.hyp3_insar_geometry import geometry_source
from dask_jobs.readers.hyp3_insar_name import FORMS, decode
from dask_jobs.readers.hyp3_insar_text import granule_starts, parse, pass_of_heading
from dask_jobs.readers.sentinel1_orbits import relative_orbit, relative_orbit_by_number, relative_orbit_of_burst
from infra import fingerprints
from infra.errors import InputError, LatticeError
from infra.region import Region, geographic_bounds
from infra.storage import Location, S3Options, gdal_path

NONE = S3Options()
SAMPLE = Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample"
GAMMA = Product()
BURST = Product(kind="INSAR_ISCE_BURST")
BURSTS = Product(kind="INSAR_ISCE_MULTI_BURST")
KINDS = pytest.mark.parametrize("product", [GAMMA, BURST, BURSTS], ids=lambda product: product.kind)
LATER = {"reference": "20200616", "secondary": "20200628", "id": "00A2"}


def find(folder: Path, **more: Any) -> FoundInterferograms:
    return hyp3_insar.find(folder, s3=NONE, **more)


def reasons(found: FoundInterferograms) -> dict[str, str]:
    return {Path(row.path).name: row.reason for row in found.dropped}


def products(found: FoundInterferograms) -> list[str]:
    return [one.product for one in found.interferograms]


def pixels(url: str) -> np.ndarray:
    with rasterio.open(gdal_path(url)) as dataset:
        values: np.ndarray = dataset.read(1)
    return values


# -- names ---------------------------------------------------------------------------------------------------------------


def test_a_name_of_a_pair_of_scenes() -> None:
    said = decode("S1BA_20171111T150004_20171117T145926_HHR006_INT40_G_wc2_4D09")
    assert said is not None
    assert (said.processor, said.platform, said.mode, said.swaths) == ("gamma", "S1B", "IW", "2")
    assert (said.polarization, said.spacing, said.id, said.relative_orbit) == ("HH", 40, "4D09", None)
    assert said.dates == (date(2017, 11, 11), date(2017, 11, 17))
    assert said.starts is not None
    assert said.starts[1] == datetime(2017, 11, 17, 14, 59, 26, tzinfo=UTC)
    assert (said.place, said.pair) == ("", "20171111_20171117")


def test_a_name_of_a_burst() -> None:
    said = decode(FORMS[1])
    assert said is not None
    assert (said.processor, said.platform, said.mode, said.swaths) == ("isce-burst", None, "IW", "2")
    assert (said.polarization, said.spacing, said.id, said.relative_orbit) == ("VV", 80, "663F", 64)
    assert (said.pair, said.starts) == ("136231_IW2_20200604_20200616", None)


def test_a_name_of_a_set_of_bursts() -> None:
    name = "S1_064_136229s1n03-136230s2n02-000000s3n00_IW_20200604_20200616_HH_INT20_77F1"
    said = decode(name)
    assert said is not None
    assert (said.processor, said.mode, said.swaths, said.relative_orbit) == ("isce-multi-burst", "IW", "12", 64)
    assert (said.polarization, said.spacing, said.id) == ("HH", 20, "77F1")
    assert said.pair == "064_136229s1n03-136230s2n02-000000s3n00_20200604_20200616"


@pytest.mark.parametrize(
    "name",
    [
        FORMS[0][:-5],
        FORMS[0].replace("CFB6", "cfb6"),
        FORMS[1].replace("IW2", "IW"),
        "S1A_064_E053_1_N27_3_E054_1_N27_8_20200604_20200616_VV_INT80_7EB5",  # of sets of bursts, until 2025
        "S1A_IW_20240105T015912_DVP_RTC30_G_gpuned_9C40",
    ],
)
def test_names_of_another_form_are_none_of_ours(name: str) -> None:
    assert decode(name) is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("VVP", "VVX", "'X' stands for the state vectors and is none of P, R, O"),
        ("_G_", "_I_", "'I' stands for the software and is none of G"),
        ("_ueF", "_xeF", "'x' stands for the water and is none of u, w"),
        ("_ueF", "_uxF", "'x' stands for the area and is none of e, c"),
        ("_ueF", "_ue4", "'4' stands for the sub-swath and is none of F, 1, 2, 3"),
        ("20180506", "20181306", "20181306T134300 is no date"),
        ("20180506", "20180518", "the reference, of 2018-05-18, is not before the secondary, of 2018-05-18"),
        ("20180506", "20190506", "the reference, of 2019-05-06, is not before the secondary, of 2018-05-18"),
    ],
)
def test_a_name_that_means_nothing_is_told(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        decode(FORMS[0].replace(old, new))


@pytest.mark.parametrize("form", FORMS[1:])
def test_of_bursts_too_the_reference_is_the_earlier(form: str) -> None:
    with pytest.raises(InputError, match="of 2020-06-16, is not before the secondary, of 2020-06-16"):
        decode(form.replace("20200604", "20200616"))
    with pytest.raises(InputError, match="20201304 is no date"):
        decode(form.replace("20200604", "20201304"))


# -- orbits and metadata -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("burst", "platform", "absolute"),
    [(136231, "S1A", 32861), (136232, "S1A", 33036), (372326, "S1B", 11575), (372326, "S1B", 17000)],
)
def test_bursts_and_orbits_tell_one_track(burst: int, platform: str, absolute: int) -> None:
    """Real products: ids of bursts, and absolute orbits in their metadata files."""
    assert relative_orbit_of_burst(burst) == relative_orbit_by_number(platform, absolute)


def test_relative_orbits_by_number() -> None:
    when = datetime(2025, 1, 1, tzinfo=UTC)
    for platform, absolute in (("S1A", 20035), ("S1B", 11575), ("S1C", 1000)):
        assert relative_orbit_by_number(platform, absolute) == relative_orbit(platform, absolute, time=when)
    assert relative_orbit_by_number("S1C", 8018) == (8018 - 172) % 175 + 1
    assert relative_orbit_by_number("S1C", 8019) == (8019 - 99) % 175 + 1
    assert relative_orbit_by_number("S1D", 42) == 1
    assert relative_orbit_by_number("S1E", 42) is None
    assert relative_orbit_of_burst(1) == 1
    assert relative_orbit_of_burst(375_887) == 175  # bursts in a cycle


@pytest.mark.parametrize(
    ("heading", "says"),
    [
        (-12.64, "ascending"),
        (347.36, "ascending"),
        (-167.44, "descending"),
        (193.29, "descending"),
        (12.0, "ascending"),
    ],
)
def test_the_heading_tells_the_pass(heading: float, says: str) -> None:
    assert pass_of_heading(heading) == says
    said = parse(BURST.but(heading=heading, changed=(("Reference Pass Direction", None),)).text, url="x")
    assert (said.heading, said.pass_direction) == (heading, says)


@pytest.mark.parametrize(
    "key",
    [
        "Baseline",
        "Heading",
        "Spacecraft height",
        "Earth radius at nadir",
        "Slant range near",
        "Range looks",
        "Azimuth looks",
        "Unwrapping type",
    ],
)
@pytest.mark.parametrize("value", [None, ""])
def test_a_key_that_nothing_else_tells_must_be_there(key: str, value: str | None) -> None:
    with pytest.raises(InputError, match=f"x.txt has no '{key}'") as caught:
        parse(GAMMA.but(changed=((key, value),)).text, url="x.txt")
    assert "Restore the file" in caught.value.remedy


def test_a_missing_key_is_told_with_its_file(tmp_path: Path) -> None:
    write(GAMMA.but(changed=(("Baseline", None),)), tmp_path)
    with pytest.raises(InputError, match=rf"{tmp_path}/.*/{GAMMA.name}\.txt has no 'Baseline'"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("Baseline", "many m", "'Baseline' is 'many m', not a number"),
        ("Baseline", "nan", "'Baseline' is 'nan', not a number"),
        ("Slant range near", "0", "'Slant range near' is '0', not a positive number"),
        ("Range looks", "20.5", "'Range looks' is '20.5', not a whole number above 0"),
        ("Azimuth looks", "0", "'Azimuth looks' is '0', not a whole number above 0"),
        ("Reference Pass Direction", "NORTH", "'Reference Pass Direction' is 'NORTH', not ASCENDING or DESCENDING"),
    ],
)
def test_a_value_that_cannot_be_is_told(key: str, value: str, says: str) -> None:
    with pytest.raises(InputError, match=f"x.txt: {re.escape(says)}"):
        parse(GAMMA.but(changed=((key, value),)).text, url="x.txt")


def test_keys_and_units_as_the_product_guide_writes_them() -> None:
    text = GAMMA.text.replace("UTC time: 8597.625425", "UTCTime: 54004.989128 seconds").replace("\n", "\r\n")
    assert parse(text.replace("Baseline: ", "baseline :"), url="x") == parse(GAMMA.text, url="x").__class__(
        **{**vars(parse(GAMMA.text, url="x")), "seconds": 54004.989128}
    )


def test_starts_of_granules_are_in_order() -> None:
    first, second = granule_starts(BURSTS.granule("20200604"))
    assert (f"{first:%H%M%S}", f"{second:%H%M%S}") == ("022312", "022315")
    assert granule_starts("") == ()


# -- products ------------------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_product_of_each_kind(tmp_path: Path, product: Product, clip: bool, packed: bool) -> None:
    product = product.but(clip=clip, layers=LAYERS, processed="2024-01-18T22:50:31+00:00")
    place = write(product, tmp_path)
    if packed:
        pack(place, remove=True)
    found = find(tmp_path)
    assert found.dropped == ()
    (one,) = found.interferograms
    prefix = {"INSAR_GAMMA": "", "INSAR_ISCE_BURST": "136231_IW2_"}
    prefix["INSAR_ISCE_MULTI_BURST"] = "064_000000s1n00-136231s2n02-000000s3n00_"
    assert one.id == prefix[product.kind] + "20200604_20200616"
    assert (one.release, one.product) == ("663F_20240118T225031Z", product.name)
    assert one.reference == datetime(2020, 6, 4, 2, 23, 12, tzinfo=UTC)
    assert one.secondary == datetime(2020, 6, 16, 2, 23, 12, tzinfo=UTC)
    assert one.dates == (date(2020, 6, 4), date(2020, 6, 16))
    assert (one.grid.left, one.grid.top, one.grid.dx, one.grid.shape) == (300_000, 3_800_000, 80, (16, 12))
    assert set(one.rasters) == {PHASE, COHERENCE, COMPONENTS}
    assert set(one.geometry) == {"height", "lv_theta", "lv_phi", "water_mask"}
    layers = zip((PHASE, COHERENCE, COMPONENTS), LAYERS, strict=False)
    geometry = zip(("height", "lv_theta", "lv_phi", "water_mask"), LAYERS[3:], strict=False)
    for name, layer in (*layers, *geometry):
        raster = {**one.rasters, **one.geometry}[name]
        np.testing.assert_array_equal(pixels(raster.url), product.values(layer))
    nodata = {name: raster.nodata for name, raster in {**one.rasters, **one.geometry}.items()}
    assert nodata == {
        PHASE: 0,
        COHERENCE: 0,
        COMPONENTS: 0,
        "height": None,
        "lv_theta": 0,
        "lv_phi": 0,
        "water_mask": None,
    }
    assert one.perpendicular_baseline == -66.10716474087386
    said = one.sensing
    assert (said.platform, said.mode) == ("S1A" if product.kind == "INSAR_GAMMA" else None, "IW")
    assert said.swaths == ("123" if product.kind == "INSAR_GAMMA" else "2")
    assert (said.pass_direction, said.relative_orbit, said.absolute_orbit) == ("descending", 64, 32861)
    assert (said.range_looks, said.azimuth_looks, said.polarization) == (20, 4, "VV")
    assert (said.earth_radius, said.spacecraft_height, said.slant_range_near) == (
        6337286.638938101,
        693000.0,
        845859.2465505999,
    )
    assert (said.heading, said.centre_seconds) == (-167.4428091316586, 8597.625425)
    assert said.reference_granule == product.granule("20200604")
    assert Interferogram.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_packed_or_not_a_product_is_the_same(tmp_path: Path) -> None:
    place = write(GAMMA.but(layers=LAYERS), tmp_path / "a")
    files = sum((place / f"{GAMMA.name}_{layer}.tif").stat().st_size for layer in LAYERS[:3])
    (one,) = find(tmp_path / "a").interferograms
    shutil.move(pack(place), tmp_path / "b.zip")
    (other,) = find(tmp_path / "b.zip").interferograms
    assert one.size == files
    assert len({one.fingerprint, one.geometry_fingerprint, ""}) == 3
    assert (one.size, one.fingerprint, one.geometry_fingerprint) == (
        other.size,
        other.fingerprint,
        other.geometry_fingerprint,
    )


@pytest.mark.parametrize(("layer", "changes"), [("corr", "fingerprint"), ("dem", "geometry_fingerprint")])
def test_the_fingerprints_are_of_the_pixels(tmp_path: Path, layer: str, changes: str) -> None:
    place = write(GAMMA, tmp_path)
    (before,) = find(tmp_path).interferograms
    path = place / f"{GAMMA.name}_{layer}.tif"
    with rasterio.open(path, "r+") as file:
        file.write(file.read(1) * 0.5, 1)
    (after,) = find(tmp_path).interferograms
    parts = ("fingerprint", "geometry_fingerprint")
    assert [part for part in parts if getattr(before, part) != getattr(after, part)] == [changes]


def test_without_geometry_there_is_no_fingerprint_of_it(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    write(GAMMA.but(layers=FEW[:2], **LATER), tmp_path)
    one, other = find(tmp_path).interferograms
    assert (set(other.rasters), other.geometry, other.geometry_fingerprint) == ({PHASE, COHERENCE}, {}, "")
    assert geometry_source((other, one)) is one


def test_a_bucket_is_read_as_a_folder_is(tmp_path: Path, s3_bucket: Location) -> None:
    pack(write(GAMMA, tmp_path), remove=True)
    write(GAMMA.but(**LATER), tmp_path)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            s3_bucket.upload(file, f"in/{file.relative_to(tmp_path)}")
    found = hyp3_insar.find(s3_bucket.href("in"), s3=s3_bucket.s3)
    local = find(tmp_path)
    for one, other in zip(found.interferograms, local.interferograms, strict=True):
        assert (one.id, one.release, one.grid, one.sensing) == (other.id, other.release, other.grid, other.sensing)
        assert one.rasters[PHASE].url.startswith("s3://")
        assert one.fingerprint
    assert found.interferograms[1].size == local.interferograms[1].size
    again = hyp3_insar.find(s3_bucket.href("in/*"), s3=s3_bucket.s3)
    assert again == found


def test_order_is_by_dates(tmp_path: Path) -> None:
    pairs = [("20200616", "20200628"), ("20200604", "20200628"), ("20200604", "20200616")]
    for number, (reference, secondary) in enumerate(pairs):
        write(GAMMA.but(reference=reference, secondary=secondary, id=f"000{number}"), tmp_path)
    assert [one.id for one in find(tmp_path).interferograms] == ["_".join(pair) for pair in reversed(pairs)]


@KINDS
def test_times_where_the_metadata_say_little(tmp_path: Path, product: Product) -> None:
    """Of bursts the day's seconds are all there is; a scene's name tells its start."""
    lacks = (("Reference Granule", None), ("Secondary Granule", None))
    write(product.but(changed=lacks), tmp_path)
    (one,) = find(tmp_path).interferograms
    seconds = 12 if product is GAMMA else 17.625425
    assert one.secondary == datetime(2020, 6, 16, 2, 23, tzinfo=UTC) + timedelta(seconds=seconds)
    assert (one.sensing.reference_granule, one.sensing.relative_orbit) == ("", 64)


def test_where_nothing_tells_the_time_the_file_is_told(tmp_path: Path) -> None:
    write(BURST.but(changed=(("Reference Granule", None), ("UTC time", None))), tmp_path)
    with pytest.raises(InputError, match=f"{BURST.name}.txt tells no time of day"):
        find(tmp_path)


@pytest.mark.parametrize("said", [None, "1493.625425"])  # what a real product says, whose burst starts at 02:23:12
def test_a_wrong_time_of_the_day_gives_way_to_the_granule(tmp_path: Path, said: str | None) -> None:
    write(BURST.but(changed=(("UTC time", said),)), tmp_path)
    (one,) = find(tmp_path).interferograms
    assert one.sensing.centre_seconds == (2 * 60 + 23) * 60 + 12


def test_around_midnight_times_are_near(tmp_path: Path) -> None:
    write(BURST.but(time="000002", changed=(("UTC time", "86399.5"),)), tmp_path)
    (one,) = find(tmp_path).interferograms
    assert one.sensing.centre_seconds == 86399.5


def test_the_orbit_is_in_the_granule_too(tmp_path: Path) -> None:
    write(GAMMA.but(changed=(("Reference Orbit Number", None),)), tmp_path)
    (one,) = find(tmp_path).interferograms
    assert (one.sensing.absolute_orbit, one.sensing.relative_orbit) == (32861, 64)


def test_metadata_of_another_product_are_told(tmp_path: Path) -> None:
    place = write(BURST, tmp_path)
    (place / f"{BURST.name}.txt").write_text(BURST.but(reference="20190101").text)
    with pytest.raises(InputError, match=r"\.txt is of another product: it names S1_136231_IW2_20190101T022312"):
        find(tmp_path)


# -- what is used --------------------------------------------------------------------------------------------------------


def test_clipped_files_are_used_and_the_others_said(tmp_path: Path) -> None:
    write(GAMMA.but(layers=LAYERS), tmp_path)
    write(GAMMA.but(clip=True, row=2, col=3, shape=(6, 5)), tmp_path)
    found = find(tmp_path)
    (one,) = found.interferograms
    assert (one.grid.shape, one.grid.left) == ((6, 5), 300_000 + 3 * 80)
    assert set(one.geometry) == {"height", "lv_theta", "lv_phi"}
    assert set(one.rasters) == {PHASE, COHERENCE}
    unused = [layer for layer in LAYERS if layer != "amp"]
    assert set(reasons(found)) == {f"{GAMMA.name}_{layer}.tif" for layer in unused}
    assert set(reasons(found).values()) == {f"of {GAMMA.name}, the files that are clipped are used"}


def test_clipped_files_without_coherence_are_not_used(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    write(GAMMA.but(clip=True, shape=(6, 5), layers=("unw_phase",)), tmp_path)
    found = find(tmp_path)
    assert found.interferograms[0].grid.shape == (16, 12)
    assert list(reasons(found).items()) == [
        (f"{GAMMA.name}_unw_phase_clip.tif", f"of {GAMMA.name}, the files that are not clipped are used")
    ]


def test_a_folder_goes_before_its_zip(tmp_path: Path) -> None:
    path = pack(write(GAMMA, tmp_path))
    found = find(tmp_path)
    assert products(found) == [GAMMA.name]
    assert ".zip" not in found.interferograms[0].rasters[PHASE].url
    assert reasons(found) == {f"{GAMMA.name}_unw_phase.tif": f"the same product as in {tmp_path / GAMMA.name}"}
    assert found.dropped[0].path.startswith(str(path))


@pytest.mark.parametrize(
    ("times", "kept", "why"),
    [
        (("2024-01-18T22:50:31+00:00", "2024-01-18T22:50:30+00:00"), "0001", "processed later"),
        (("2024-01-18T20:50:31+00:00", "2024-01-18T22:50:30+03:00"), "0001", "processed later"),
        (("2024-01-18T22:50:31", "2024-02-18T22:50:31Z"), "0002", "processed later"),
        (("2024-01-18T22:50:31", None), "0001", "processed later"),
        ((None, None), "0002", "the last by name, as nothing else tells which is newer"),
        (("2024-01-18T22:50:31", "2024-01-18T22:50:31"), "0002", "the last by name, as nothing else"),
        (("yesterday", None), "0002", "the last by name, as nothing else"),
    ],
)
def test_of_two_products_of_a_pair_the_newer_is_used(
    tmp_path: Path, times: tuple[str | None, str | None], kept: str, why: str
) -> None:
    both = [BURST.but(id=number, processed=time) for number, time in zip(("0001", "0002"), times, strict=True)]
    for product in both:
        write(product, tmp_path)
    found = find(tmp_path)
    winner, loser = (both[0], both[1]) if kept == "0001" else (both[1], both[0])
    assert products(found) == [winner.name]
    ((path, reason),) = reasons(found).items()
    assert path == f"{loser.name}_unw_phase.tif"
    assert reason.startswith(f"replaced by {winner.name}, of the same pair: {why}")


def test_a_pair_of_two_frames_is_refused(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    write(GAMMA.but(time="022337", id="0002", row=100), tmp_path)
    with pytest.raises(InputError, match="of two frames: scenes of the one start at 02:23:12 and 02:23:12 UTC"):
        find(tmp_path)
    around = box(*geographic_bounds(find(tmp_path / GAMMA.name).interferograms[0].grid))
    assert products(find(tmp_path, region=Region(wkt=around.wkt, masks=False))) == [GAMMA.name]


@KINDS
@pytest.mark.parametrize("lacks", ["unw_phase", "corr", "txt"])
def test_a_product_that_lacks_something_is_dropped(tmp_path: Path, product: Product, lacks: str) -> None:
    write(product, tmp_path)
    later = product.but(layers=tuple(layer for layer in FEW if layer != lacks), texts=lacks != "txt", **LATER)
    write(later, tmp_path)
    found = find(tmp_path)
    assert products(found) == [product.name]
    file = f"{later.name}.txt" if lacks == "txt" else f"{later.name}_{lacks}.tif"
    assert list(reasons(found).values()) == [f"the product lacks {file}"]
    with pytest.raises(InputError, match=f"can be used: the product lacks {file}") as caught:
        find(tmp_path / later.name)
    assert "_unw_phase.tif" in caught.value.remedy


def test_what_is_foreign_is_named(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    other = tmp_path / "other"
    write_tif(other / "dem.tif", np.ones((4, 4), "float32"))
    (other / "notes.txt").write_text("no metadata")
    pack(other, remove=True).rename(tmp_path / "other.zip")
    write_tif(tmp_path / "S1A_064_E053_1_N27_3_E054_1_N27_8_20200604_20200616_VV_INT80_7EB5_corr.tif", np.ones((4, 4)))
    found = find(tmp_path)
    assert [row.reason for row in found.dropped] == [
        "the name is not that of a HyP3 interferogram's raster",
        "the name is not that of a HyP3 interferogram's raster",
        "the archive holds no HyP3 interferogram",
    ]
    with pytest.raises(InputError, match="path: no HyP3 interferogram in") as caught:
        find(tmp_path / "other.zip")
    assert FORMS[0] in caught.value.remedy
    assert FORMS[1] in caught.value.remedy


def test_only_products_in_the_period_are_opened(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    place = write(GAMMA.but(**LATER), tmp_path)
    for file in place.glob("*.tif"):
        file.write_bytes(b"not even a TIFF")
    found = find(tmp_path, period=(date(2020, 6, 4), date(2020, 6, 28)))
    assert products(found) == [GAMMA.name]
    assert list(reasons(found).values()) == ["2020-06-28 is after the period, which ends before 2020-06-28"]
    with pytest.raises(InputError, match="until before 2020-06-28; the dates are 2020-06-04 to 2020-06-28"):
        find(tmp_path, period=(date(2020, 6, 5), date(2020, 6, 28)))
    with pytest.raises(InputError, match="no GeoTIFF"):
        find(tmp_path)


def test_products_outside_the_area_are_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(GAMMA, tmp_path)
    far = GAMMA.but(col=4000, **LATER)
    write(far, tmp_path)
    around = box(*geographic_bounds(find(tmp_path).interferograms[0].grid))
    seen: list[str] = []
    many = fingerprints.fingerprint_many
    monkeypatch.setattr(
        fingerprints, "fingerprint_many", lambda urls, **more: (seen.extend(urls), many(urls, **more))[1]
    )
    found = find(tmp_path, region=Region(wkt=around.wkt, masks=False))
    assert products(found) == [GAMMA.name]
    assert reasons(found) == {f"{far.name}_unw_phase.tif": f"{far.name} does not touch the area"}
    assert seen
    assert not any(far.name in url for url in seen)
    with pytest.raises(InputError, match=r"area: \[10.0000, 10.0000, 11.0000, 11.0000\] holds no pixel"):
        find(tmp_path, region=Region(wkt=box(10, 10, 11, 11).wkt, masks=False))


def test_bursts_of_a_pair_are_one_thing_whatever_their_times(tmp_path: Path) -> None:
    write(BURST, tmp_path)
    other = BURST.but(id="7777", changed=(("Reference Granule", None),))
    write(other, tmp_path)
    assert products(find(tmp_path)) == [other.name]


# -- one track, one lattice, sound files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "other", "says"),
    [
        (GAMMA, BURST, "processor: {a} has gamma, {b} has isce-burst"),
        (GAMMA, GAMMA.but(orbit=32862), "relative orbit: {a} has 64, {b} has 65"),
        (GAMMA, GAMMA.but(heading=-12.6), "pass direction: {a} has descending, {b} has ascending"),
        (GAMMA, GAMMA.but(letters="ue1"), "sub-swaths: {a} has IW123, {b} has IW1"),
        (GAMMA, GAMMA.but(polarization="HH"), "polarization: {a} has VV, {b} has HH"),
        (GAMMA, GAMMA.but(looks=(10, 2)), "looks: {a} has 20x4, {b} has 10x2"),
        (GAMMA, GAMMA.but(spacing=40), "pixel spacing: {a} has 80 x 80, {b} has 40 x 40"),
        (BURST, BURST.but(burst=136232), "bursts: {a} has 136231_IW2, {b} has 136232_IW2"),
        (BURST, BURST.but(swath=3), "bursts: {a} has 136231_IW2, {b} has 136231_IW3"),
        (BURSTS, BURSTS.but(count=3), "bursts: {a} has 064_000000s1n00-136231s2n02-000000s3n00, {b} has 064_"),
    ],
)
def test_products_of_different_kinds_are_not_mixed(tmp_path: Path, first: Product, other: Product, says: str) -> None:
    other = other.but(**LATER)
    for product in (first, other):
        write(product, tmp_path)
    with pytest.raises(InputError, match=re.escape(says.format(a=first.name, b=other.name))) as caught:
        find(tmp_path)
    assert "one track" in caught.value.remedy


def test_what_is_not_known_contradicts_nothing(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    write(GAMMA.but(platforms="EE", **LATER), tmp_path)
    found = find(tmp_path).interferograms
    assert [one.sensing.relative_orbit for one in found] == [64, None]
    check_one_track(tuple(reversed(found)))


def test_two_satellites_are_of_one_track(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    write(GAMMA.but(platforms="BA", orbit=27 + 63, **LATER), tmp_path)
    assert {one.sensing.relative_orbit for one in find(tmp_path).interferograms} == {64}


def test_extents_may_differ_and_lattices_not(tmp_path: Path) -> None:
    write(GAMMA, tmp_path)
    later = GAMMA.but(row=-3, col=5, shape=(9, 30), **LATER)
    write(later, tmp_path)
    assert [one.grid.shape for one in find(tmp_path).interferograms] == [(16, 12), (9, 30)]
    write(later.but(col=5.25), tmp_path)
    with pytest.raises(
        LatticeError, match=rf"{later.name} does not lie on the lattice of {GAMMA.name}: .*0\.250 pixel"
    ):
        find(tmp_path)


@pytest.mark.parametrize("layer", ["corr", "dem"])
def test_rasters_of_a_product_share_a_grid(tmp_path: Path, layer: str) -> None:
    write(GAMMA, tmp_path)
    write(GAMMA.but(row=1, layers=(layer,)), tmp_path)
    with pytest.raises(InputError, match=rf"the rasters of {GAMMA.name} lie on different grids: .*_{layer}.tif"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("lacks", "says", "option"),
    [
        ("dem", "lacks height$", "'include DEM'"),
        ("lv_phi", "lacks lv_phi$", "'include look vectors'"),
        ("dem lv_theta lv_phi", "lacks height, lv_theta, lv_phi$", "'include DEM' and 'include look vectors'"),
    ],
)
def test_without_geometry_the_order_is_told(tmp_path: Path, lacks: str, says: str, option: str) -> None:
    write(GAMMA.but(layers=tuple(layer for layer in FEW if layer not in lacks.split())), tmp_path)
    write(GAMMA.but(layers=FEW[:2], **LATER), tmp_path)
    with pytest.raises(InputError, match=f"(?m){GAMMA.name} {says}") as caught:
        find(tmp_path)
    assert f"order {GAMMA.name} again with {option}." in caught.value.remedy


def test_a_water_mask_is_not_needed_and_the_first_geometry_counts(tmp_path: Path) -> None:
    write(GAMMA.but(layers=FEW[:2]), tmp_path)
    write(GAMMA.but(**LATER), tmp_path)
    write(GAMMA.but(reference="20200628", secondary="20200710", id="0003"), tmp_path)
    found = find(tmp_path).interferograms
    assert geometry_source(reversed(found)).id == "20200616_20200628"


@pytest.mark.parametrize("layer", LAYERS[:7])
def test_a_file_that_is_cut_is_told(tmp_path: Path, layer: str) -> None:
    place = write(GAMMA.but(layers=LAYERS), tmp_path)
    path = place / f"{GAMMA.name}_{layer}.tif"
    path.rename(tmp_path / "plain")
    rasterio.shutil.copy(tmp_path / "plain", path, driver="COG")  # its header first: it opens, cut as it is
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=rf"_{layer}\.tif is truncated"):
        find(tmp_path)
    pack(place, remove=True)
    with pytest.raises(InputError, match=rf"\.zip!/.*_{layer}\.tif is truncated"):
        find(tmp_path)


def test_rasters_that_are_none_of_hyp3_are_told(tmp_path: Path) -> None:
    place = write(GAMMA, tmp_path)
    path = place / f"{GAMMA.name}_unw_phase.tif"
    write_tif(path, np.ones((2, 16, 12), "float32"))
    with pytest.raises(InputError, match=r"_unw_phase\.tif has 2 bands"):
        find(tmp_path)
    with rasterio.open(place / f"{GAMMA.name}_corr.tif") as file:
        write_tif(path, np.ones((16, 12), "uint8"), transform=file.transform)
    with pytest.raises(InputError, match=r"_unw_phase\.tif holds uint8 values"):
        find(tmp_path)


def test_declared_no_data_counts_and_water_stays_water(tmp_path: Path) -> None:
    place = write(GAMMA.but(layers=LAYERS), tmp_path, nodata=0)
    with rasterio.open(place / f"{GAMMA.name}_unw_phase.tif", "r+") as file:
        file.nodata = -9999
    (one,) = find(tmp_path).interferograms
    assert (one.rasters[PHASE].nodata, one.geometry["height"].nodata) == (-9999, 0)
    assert one.geometry["water_mask"].nodata is None
    write(GAMMA.but(layers=LAYERS), tmp_path, nodata=None)
    (one,) = find(tmp_path).interferograms
    assert (one.rasters[PHASE].nodata, one.rasters[COMPONENTS].nodata, one.rasters[COHERENCE].nodata) == (0, 0, None)


# -- the sample ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of interferograms is not at ../shared/data")
def test_the_sample_is_found_as_mintpy_loads_it() -> None:
    found = find(SAMPLE / "products")
    assert found.dropped == ()
    assert len(found.interferograms) == 84
    assert len({day for one in found.interferograms for day in one.dates}) == 30
    said = json.loads((SAMPLE / "mintpy_attributes.json").read_text())["velocity.h5"]
    first = found.interferograms[0]
    expected = {
        "ALOOKS": first.sensing.azimuth_looks,
        "RLOOKS": first.sensing.range_looks,
        "RANGE_PIXEL_SIZE": 2.3 * first.sensing.range_looks,
        "AZIMUTH_PIXEL_SIZE": 14.1 * first.sensing.azimuth_looks,
        "CENTER_LINE_UTC": first.sensing.centre_seconds,
        "EARTH_RADIUS": first.sensing.earth_radius,
        "HEIGHT": first.sensing.spacecraft_height,
        "STARTING_RANGE": first.sensing.slant_range_near,
        "HEADING": first.sensing.heading,
        "P_BASELINE_TOP_HDR": first.perpendicular_baseline,
        "WAVELENGTH": first.sensing.wavelength,
        "relative_orbit": first.sensing.relative_orbit,
        "beam_swath": first.sensing.swaths,
        "X_FIRST": first.grid.left,
        "Y_FIRST": first.grid.top,
        "X_STEP": first.grid.dx,
        "WIDTH": first.grid.width,
        "LENGTH": first.grid.height,
    }
    for key, value in expected.items():
        assert float(said[key]) == pytest.approx(float(value), rel=1e-12), key
    assert said["ORBIT_DIRECTION"].lower() == first.sensing.pass_direction
    assert (said["beam_mode"], said["unwrap_method"]) == (first.sensing.mode, first.sensing.unwrapping)
    assert {one.sensing.relative_orbit for one in found.interferograms} == {13}
    with np.load(SAMPLE / "mintpy_outputs.npz") as loaded:
        dates, baselines = loaded["ifgramStack/date"].astype(str), loaded["ifgramStack/bperp"]
    assert [one.id for one in found.interferograms] == ["_".join(pair) for pair in dates]
    np.testing.assert_allclose([one.perpendicular_baseline for one in found.interferograms], baselines, rtol=1e-6)
    assert geometry_source(found.interferograms) is first
    assert len({one.fingerprint for one in found.interferograms}) == 84
