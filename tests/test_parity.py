"""Certificates of parity: what they hold, when they count, and how two engines' pixels are compared."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import InputError
from infra.s3 import S3Options
from infra.settings import load_settings
from pipelines.backends.comparison import compare_pixels, compare_rasters
from pipelines.candidates import Standing
from pipelines.certify import certify, samples
from pipelines.kinds import all_kinds
from pipelines.kinds.sentinel1.covers import covers
from pipelines.kinds.sentinel1.parameters import OPERA, Filter, Quantity
from pipelines.kinds.sentinel1_composite.spec import Sentinel1Composite, measures
from pipelines.parity import (
    RELATIVE,
    SHARE,
    Agreement,
    Certificate,
    certificate_path,
    engine_in_use,
    read_certificate,
    standing,
    total,
    write_certificate,
)

SAME = Agreement(pixels=4_000_000, largest=3e-7)
COVERS = ("filter lee", "quantity vv", "reducer median")
CERTIFICATE = Certificate(
    algorithms={"sentinel1-composite": 1},
    made=datetime(2026, 11, 20, 12, tzinfo=UTC),
    against="google",
    versions={"numpy": "2.3"},
    scenes="20 files",
    covers=dict.fromkeys(COVERS, SAME),
)


def asked(folder: Path, **changes: Any) -> Standing:
    usual = {"kind": "sentinel1-composite", "version": 1, "covers": COVERS, "against": "google"}
    return standing(folder, **{**usual, **changes})


# ---------------------------------------------------------------------------------------------- the file


def test_what_is_written_is_read_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = write_certificate(CERTIFICATE, state_dir=tmp_path)
    assert path == tmp_path / "parity" / "google.json" == certificate_path(tmp_path, "google")
    assert read_certificate(path) == CERTIFICATE
    later = replace(CERTIFICATE, scenes="other files")
    write_certificate(later, state_dir=tmp_path)
    assert read_certificate(path) == later
    assert [file.name for file in path.parent.iterdir()] == ["google.json"]  # nothing half written is left


def test_what_stands_in_the_file(tmp_path: Path) -> None:
    value = json.loads(write_certificate(CERTIFICATE, state_dir=tmp_path).read_text())
    assert value["schema"] == 1
    assert value["made"] == "2026-11-20T12:00:00+00:00"
    assert (value["against"], value["algorithms"]) == ("google", {"sentinel1-composite": 1})
    assert value["covers"]["filter lee"] == {
        "pixels": 4_000_000, "largest_relative_difference": 3e-7, "differing_pixels": 0,
        "share_of_differing_pixels": 0.0, "masks_identical": True, "certified": True,
    }  # fmt: skip


def test_a_certificate_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = write_certificate(CERTIFICATE, state_dir=tmp_path)
    broken = replace(CERTIFICATE, covers={"filter lee": replace(SAME, largest=float("nan"))})
    with pytest.raises(ValueError, match="JSON"):
        write_certificate(broken, state_dir=tmp_path)
    assert read_certificate(path) == CERTIFICATE
    assert len(list(path.parent.iterdir())) == 1


# ---------------------------------------------------------------------------------------------- when it counts


def test_a_valid_one_allows_a_move_and_says_so(tmp_path: Path) -> None:
    write_certificate(CERTIFICATE, state_dir=tmp_path)
    found = asked(tmp_path)
    assert found.valid
    assert (
        found.words == "the certificate of 2026-11-20 against Google's Earth Engine, largest relative difference 3e-07"
    )


def tamper(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


WRONG = {
    "changed by hand": ('"differing_pixels": 0', '"differing_pixels": 1', "has been changed since it was made"),
    "made to certify": ('"certified": true', '"certified": false', "has been changed since it was made"),
    "another date": ("2026-11-20", "2027-11-20", "has been changed since it was made"),
    "another schema": ('"schema": 1', '"schema": 2', "schema 2 is not 1"),
    "no Earth Engine": ('"against": "google"', '"against": "mars"', "'mars' is no Earth Engine"),
    "a key lost": ('"digest"', '"other"', "KeyError: 'digest'"),
}


@pytest.mark.parametrize(("old", "new", "says"), WRONG.values(), ids=list(WRONG))
def test_a_tampered_one_counts_for_nothing(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = write_certificate(CERTIFICATE, state_dir=tmp_path)
    tamper(path, old, new)
    found = asked(tmp_path)
    assert not found.valid
    assert f"the certificate {path} cannot be trusted" in found.words
    assert says in found.words
    assert "sarbatch certify" in found.mends


@given(st.integers(0, 2000))
def test_one_that_was_cut_short_counts_for_nothing(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = write_certificate(CERTIFICATE, state_dir=folder)
    text = path.read_text()
    path.write_text(text[: min(length, len(text) - 1)])
    assert not asked(folder).valid


def test_none_and_one_of_the_other_engine(tmp_path: Path) -> None:
    assert asked(tmp_path).words == "there is no certificate of parity against Google's Earth Engine"
    write_certificate(replace(CERTIFICATE, against="local-earth-engine"), state_dir=tmp_path)
    found = asked(tmp_path)
    assert not found.valid
    assert found.words.endswith("(the one against the local Earth Engine does not count for it)")
    assert asked(tmp_path, against="local-earth-engine").valid
    # a copy under the other name is still the same
    certificate_path(tmp_path, "google").write_bytes(certificate_path(tmp_path, "local-earth-engine").read_bytes())
    assert not asked(tmp_path).valid


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "is of version 1 of sentinel1-composite, and this is version 2"),
        ({"kind": "sentinel1-series"}, "is not about sentinel1-series"),
        ({"covers": (*COVERS, "filter boxcar", "grid native")}, "does not cover filter boxcar, grid native"),
        ({"covers": tuple("abcde")}, "does not cover a, b, c and 2 more"),
    ],
)
def test_it_counts_for_what_it_names(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    write_certificate(CERTIFICATE, state_dir=tmp_path)
    found = asked(tmp_path, **changes)
    assert not found.valid
    assert says in found.words


def test_what_differs_is_told_with_its_figures(tmp_path: Path) -> None:
    apart = Agreement(pixels=1000, largest=0.25, differing=7)
    write_certificate(replace(CERTIFICATE, covers={**CERTIFICATE.covers, "filter lee": apart}), state_dir=tmp_path)
    found = asked(tmp_path)
    assert not found.valid
    assert "filter lee (largest relative difference 0.2, 7 of 1000 pixels differ)" in found.words
    assert asked(tmp_path, covers=("quantity vv",)).valid


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        (None, "google"),
        ("https://earthengine.googleapis.com", "google"),
        ("https://earthengine-highvolume.googleapis.com", "google"),
        ("http://127.0.0.1:8085", "local-earth-engine"),
        ("https://googleapis.com.example.org", "local-earth-engine"),
    ],
)
def test_which_earth_engine_is_in_use(url: str | None, engine: str) -> None:
    environment = {"SARBATCH_EARTH_ENGINE_URL": url} if url else {}
    assert engine_in_use(load_settings(environment=environment)) == engine


# ---------------------------------------------------------------------------------------------- agreement


@pytest.mark.parametrize(
    ("agreement", "certified"),
    [
        (Agreement(), False),
        (Agreement(pixels=10, largest=RELATIVE), True),
        (Agreement(pixels=999_999, largest=0.5, differing=1), False),
        (Agreement(pixels=1_000_000, largest=0.5, differing=1), True),
        (Agreement(pixels=10**9, masks=False), False),
    ],
)
def test_what_is_certified(agreement: Agreement, certified: bool) -> None:
    assert agreement.certified == certified
    assert (agreement.share <= SHARE and agreement.masks and agreement.pixels > 0) == certified


def test_several_together_are_as_good_as_the_worst() -> None:
    parts = [Agreement(pixels=5, largest=1e-7), Agreement(pixels=5, largest=0.1, differing=2), Agreement(masks=False)]
    assert total(parts) == Agreement(pixels=10, largest=0.1, differing=2, masks=False)
    assert total([]) == Agreement()


def test_pixels_are_compared_relative_to_the_greater() -> None:
    nan, inf = float("nan"), float("inf")
    first = np.ma.MaskedArray([1.0, -100.0, 0.0, 5.0, nan, inf, 7.0], mask=[0, 0, 0, 1, 0, 0, 0])
    second = np.ma.MaskedArray([1.0, -100.0 * (1 - 5e-6), 0.0, 9.0, 1.0, inf, inf], mask=[0, 0, 0, 1, 1, 0, 0])
    found = compare_pixels(first, second)
    assert found == Agreement(pixels=5, largest=1.0, differing=1, masks=True)  # 7 is not infinity
    found = compare_pixels(first[:2], second[:2])
    assert found.largest == pytest.approx(5e-6)
    assert found.differing == 0
    spread = compare_pixels(np.ma.MaskedArray([0.0, 1e-6]), np.ma.MaskedArray([9e-16, 1.1e-6]))
    assert (spread.differing, spread.pixels) == (1, 2)  # rounding of a zero, and a small power that is another
    lacking = compare_pixels(np.ma.MaskedArray([1.0, nan]), np.ma.MaskedArray([1.0, 2.0]))
    assert lacking == Agreement(pixels=2, masks=False)


def test_rasters_on_other_grids_do_not_agree(tmp_path: Path) -> None:
    from geotiffs import write_tif

    values = np.random.default_rng(1).gamma(4, 0.1, (700, 9)).astype("float32")
    one = write_tif(tmp_path / "one.tif", values)
    again = write_tif(tmp_path / "again.tif", values)
    moved = write_tif(tmp_path / "moved.tif", values, row=1)
    values[699, 8] *= 1.1
    other = write_tif(tmp_path / "other.tif", values)
    s3 = S3Options()
    assert compare_rasters(str(one), str(again), s3=s3) == Agreement(pixels=6300)
    apart = compare_rasters(str(one), str(other), s3=s3)
    assert (apart.pixels, apart.differing, apart.masks) == (6300, 1, True)
    assert apart.largest == pytest.approx(0.1 / 1.1, rel=1e-6)
    assert not compare_rasters(str(one), str(moved), s3=s3).certified


# ---------------------------------------------------------------------------------------------- what is made


def test_the_samples_speak_for_all_that_a_task_can_ask_for() -> None:
    made = samples(crs="EPSG:32611", pixel=30.0)
    assert len({one.name for one in made}) == len(made)
    spoken = set()
    for one in made:
        asked = all_kinds()[one.kind].parameters.model_validate(one.asked)
        products = measures(asked) if isinstance(asked, Sentinel1Composite) else get_args(Quantity)
        for product in products:
            spoken |= set(one.spoken_for(product))
    for name in get_args(Filter):
        asked = Sentinel1Composite.model_validate(
            {
                "collection": OPERA,
                "quantities": list(get_args(Quantity)),
                "reducers": ["median", "mean", "stdDev", "count", "p17"],
                "speckle": {"filter": name, "looks": 4.4},
                "valid_range": {"min": 0.001},
                "grid": {"crs": "EPSG:32611", "resolution": 90},
            }
        )
        assert set(covers(asked, crs={"EPSG:32611"})) <= spoken
    assert "grid native" in covers(Sentinel1Composite.model_validate({"collection": OPERA}), crs=())
    assert "grid native" in spoken
    reprojected = asked.model_copy(update={"valid_range": None})
    assert set(covers(reprojected, crs={"EPSG:32611", "EPSG:32612"})) - spoken == {
        "grid reprojected"
    }  # nobody has compared it


def test_google_has_no_simulated_scenes(tmp_path: Path) -> None:
    settings = load_settings(environment={"SARBATCH_EARTH_ENGINE_PROJECT": "mine", "SARBATCH_STATE_DIR": str(tmp_path)})
    with pytest.raises(InputError, match="no simulated scenes"):
        certify(settings=settings, say=print)
    assert read_certificate(certificate_path(tmp_path, "google")) is None


def test_a_folder_without_scenes_is_told(tmp_path: Path) -> None:
    settings = load_settings(environment={"SARBATCH_STATE_DIR": str(tmp_path / "state")})
    with pytest.raises(InputError, match=r"there is no OPERA_L2_RTC-S1_\*\.tif"):
        certify(settings=settings, scenes=tmp_path, say=print)


def test_certificates_are_about_every_kind_of_both_engines() -> None:
    both = {name for name, kind in all_kinds().items() if len(kind.backends) > 1}
    assert {one.kind for one in samples(crs="EPSG:32611", pixel=30.0)} == both
