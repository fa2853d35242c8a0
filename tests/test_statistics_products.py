"""The statistics that are made when asked for: every pixel against its function, across blocks, deaths and empty ground."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio
from distributed import Client, LocalCluster
from rio_cogeo.cogeo import cog_validate
from test_reduce_stack import make_stack

from dask_jobs.reduction.reduce_stack import reduce_stack
from dask_jobs.reduction.work import Reduction
from dask_jobs.statistics.harmonic import harmonic
from dask_jobs.statistics.smoothing import Smoothing
from dask_jobs.statistics.threshold import Threshold
from dask_jobs.statistics.trend import trend
from dask_jobs.written import Written
from infra.errors import CancelledError
from infra.grid import Grid
from infra.storage import Location

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SMALL = 2**17  # bytes of a block: several rows of blocks
EXTRA = ["cov_mask", "cov_thresholded", "harmonic_amplitude", "harmonic_phase", "trend", "trend_p"]
Made = tuple[Location, list[Written]]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def power() -> dict[str, np.ndarray]:
    """Speckle of 4.4 looks with a cycle and a trend in a part of it, gaps, zeros, ships, and ground without data."""
    rng = np.random.default_rng(11)
    made = {}
    for name in ("VV", "VH"):
        values = 0.1 * rng.gamma(4.4, 1 / 4.4, (24, 70, 90))
        years = DAYS / 365.25
        values[:, :30, :30] *= (1 + 0.8 * np.cos(2 * np.pi * (years - 0.3)))[:, None, None]
        values[:, 40:, :30] *= (10 ** (-0.2 * (years - years[0])))[:, None, None]
        values[rng.random(values.shape) < 0.1] = np.nan
        values[:, 33:40, :] = np.nan
        values[:, 50:, 80:] = np.nan
        values[5, 60, 50:60] = 30.0
        values[3, :5, 40:50] = 0.0
        made[name] = values.astype(np.float32)
    return made


TIMES = [
    datetime(2021, 11, 19, 1, 58, 59, tzinfo=UTC) + timedelta(days=int(day))
    for day in np.cumsum(np.tile([12, 24, 12, 48], 6))
]
DAYS = np.array([(time - EPOCH) / timedelta(days=1) for time in TIMES])


@pytest.fixture(scope="module")
def reduction(power: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Reduction:
    store = Location.parse(str(tmp_path_factory.mktemp("stack") / "stack.icechunk"))
    grid = Grid(crs="EPSG:32611", left=250_000.0, top=3_830_000.0, dx=30.0, dy=30.0, height=70, width=90)
    make_stack(store, (power, TIMES, grid), chunk=16)
    return Reduction(
        store=store,
        tag="key",
        percentiles=(50.0,),
        threshold=Threshold(quantile=0.95, upper=1.5),
        smoothing=Smoothing(window=120, degree=1),
        harmonic_period=365.25,
        trend=True,
    )


@pytest.fixture(scope="module")
def made(reduction: Reduction, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Made:
    parts = Location.parse(str(tmp_path_factory.mktemp("made")))
    return parts, reduce_stack(reduction, parts=parts, client=client, block_bytes=SMALL)


def read(made: Made, polarization: str, name: str) -> np.ndarray:
    with rasterio.open(made[0].href(f"{polarization}_{name}.tif")) as file:
        return file.read(1)


def test_every_raster_is_what_its_function_makes_of_all_pixels(power: dict[str, np.ndarray], made: Made) -> None:
    for name, values in power.items():
        cov = read(made, name, "cov")
        bound = np.quantile(cov[np.isfinite(cov)].astype(np.float64), 0.95)
        kept = (cov >= bound) & (cov <= 1.5)
        cycle, line = harmonic(values, days=DAYS), trend(values, days=DAYS)
        expected = {
            "cov_mask": np.where(np.isnan(cov), 255, kept).astype(np.uint8),
            "cov_thresholded": np.where(kept, cov, np.nan),
            "harmonic_amplitude": cycle.amplitude,
            "harmonic_phase": cycle.phase,
            "trend": line.slope,
            "trend_p": line.significance,
        }
        assert [row.name for row in made[1] if row.polarization == name][-len(expected) :] == EXTRA
        for label, raster in expected.items():
            path = made[0].href(f"{name}_{label}.tif")
            assert cog_validate(path, strict=True)[0]
            got = read(made, name, label)
            assert got.dtype == raster.dtype
            np.testing.assert_array_equal(got, raster, err_msg=label)
        assert kept.any()
        assert (cov > 1.5).any()
        assert np.isnan(read(made, name, "harmonic_amplitude")[33:40]).all()


def test_a_cycle_and_a_trend_are_seen_where_they_are(made: Made) -> None:
    amplitude, slope, p = (
        np.nanmean(read(made, "VV", name)[:30, :30]) for name in ("harmonic_amplitude", "trend", "trend_p")
    )
    assert amplitude == pytest.approx(0.08, rel=0.1)
    assert np.nanmedian(read(made, "VV", "harmonic_phase")[:30, :30]) == pytest.approx(0.3 * 365.25, abs=8)
    assert np.nanmean(read(made, "VV", "trend")[40:, :30]) == pytest.approx(-2.0, abs=0.15)
    assert np.nanmean(read(made, "VV", "trend_p")[40:, :30]) < 0.2 < p
    assert abs(slope) < 2


def test_floor_threshold_and_what_was_left_out_are_said(power: dict[str, np.ndarray], made: Made) -> None:
    said = json.loads(made[0].read("cov_summary.json"))
    assert [(row.role, row.media_type) for row in made[1] if row.name == "cov_summary"] == [
        ("file", "application/json")
    ]
    for name in power:
        cov = read(made, name, "cov")
        values = cov[np.isfinite(cov)].astype(np.float64)
        found = said["polarizations"][name]
        bound = np.quantile(values, 0.95)
        assert found["pixels"] == values.size
        assert found["looks"] == pytest.approx(4.4, rel=0.15)
        assert found["looks_source"] == "estimated"
        assert found["speckle_floor"] == pytest.approx(1 / np.sqrt(found["looks"]))
        assert found["threshold"] == {
            "value": bound,
            "quantile": 0.95,
            "upper": 1.5,
            "pixels_kept": int(((values >= bound) & (values <= 1.5)).sum()),
            "pixels_above_upper": int((values > 1.5).sum()),
        }
        with rasterio.open(made[0].href(f"{name}_cov.tif")) as file:
            assert float(file.tags()["SPECKLE_FLOOR"]) == pytest.approx(found["speckle_floor"], rel=1e-5)
            assert file.tags()["LOOKS_SOURCE"] == "estimated"
            assert "THRESHOLD" not in file.tags()
        with rasterio.open(made[0].href(f"{name}_cov_mask.tif")) as file:
            assert float(file.tags()["THRESHOLD"]) == bound
            assert int(file.tags()["PIXELS_ABOVE_UPPER"]) == found["threshold"]["pixels_above_upper"]
            assert file.nodata == 255
            assert file.colormap(1)[1] == (200, 30, 30, 255)


def test_the_period_of_a_phase_stands_in_its_file(made: Made) -> None:
    with rasterio.open(made[0].href("VV_harmonic_phase.tif")) as file:
        assert (file.tags()["PERIOD_DAYS"], file.tags()["PHASE_ORIGIN"]) == ("365.25", "1970-01-01T00:00:00Z")
        assert file.tags()["POLARIZATION"] == "VV"
        assert file.units == ("d",)


def test_the_smooth_curve_says_how_it_was_made(made: Made) -> None:
    field = pq.read_schema(made[0].href("time_series.parquet")).field("smoothed_db")
    assert b"degree 1, window 120 days" in field.metadata[b"description"]
    table = pd.read_csv(made[0].href("time_series.csv"))
    assert set(table["smoothing_days"]) == {120.0}
    assert table["smoothed_db"].notna().all()
    assert table["smoothed_db"].std() < table["mean_db"].std()


@pytest.mark.parametrize(("phase", "after"), [("block", 2), ("quantile", 1), ("threshold", 3), ("write", 5)])
def test_a_stopped_reduction_goes_on_and_makes_the_same_bytes(
    reduction: Reduction, made: Made, client: Client, tmp_path: Path, phase: str, after: int
) -> None:
    said: list[str] = []

    def stop(name: str, _fraction: float) -> None:
        said.append(name)
        if said.count(phase) == after:
            raise CancelledError("the user cancelled")

    parts = Location.parse(str(tmp_path))
    with pytest.raises(CancelledError):
        reduce_stack(reduction, parts=parts, client=client, checkpoint=stop, block_bytes=SMALL)
    again: list[tuple[str, float]] = []
    written = reduce_stack(
        reduction, parts=parts, client=client, checkpoint=lambda *s: again.append(s), block_bytes=SMALL
    )
    assert [fraction for _, fraction in again] == sorted(fraction for _, fraction in again)
    assert phase == "block" or "block" not in [name for name, _ in again]
    assert written == made[1]
    for product in written:
        if product.media_type != "application/vnd.apache.parquet":
            assert parts.read(product.path) == made[0].read(product.path), product.path


def test_other_blocks_make_the_same_rasters(reduction: Reduction, made: Made, client: Client, tmp_path: Path) -> None:
    parts = Location.parse(str(tmp_path))
    for product in reduce_stack(reduction, parts=parts, client=client):
        if product.role in {"raster", "file"}:
            assert parts.read(product.path) == made[0].read(product.path), product.path


def test_what_is_not_asked_for_is_not_made(reduction: Reduction, client: Client, tmp_path: Path) -> None:
    plain = replace(reduction, threshold=None, harmonic_period=None, trend=False, smoothing=None, looks=9.0)
    parts = Location.parse(str(tmp_path))
    said: list[str] = []
    written = reduce_stack(plain, parts=parts, client=client, checkpoint=lambda phase, _: said.append(phase))
    assert not {row.name for row in written} & set(EXTRA)
    assert not set(said) & {"quantile", "threshold"}
    assert {entry.name for entry in (parts / "work").list() if entry.name.endswith("trend/zarr.json")} == set()
    found = json.loads(parts.read("cov_summary.json"))["polarizations"]["VV"]
    assert (found["looks"], found["looks_source"], found["threshold"]) == (9.0, "given", None)
    assert found["speckle_floor"] == pytest.approx(1 / 3)
    table = pd.read_csv(parts.href("time_series.csv"))
    assert table[["smoothed_db", "smoothing_days"]].isna().all().all()  # the columns stay, so that readers know them


def test_a_value_in_place_of_a_quantile_and_an_upper_bound_that_nothing_reaches(
    reduction: Reduction, client: Client, tmp_path: Path
) -> None:
    parts = Location.parse(str(tmp_path))
    lean = replace(reduction, threshold=Threshold(value=0.6), harmonic_period=None, trend=False, polarizations=("VH",))
    made = parts, reduce_stack(lean, parts=parts, client=client)
    cov = read(made, "VH", "cov")
    np.testing.assert_array_equal(read(made, "VH", "cov_mask") == 1, cov >= np.float64(0.6))
    found = json.loads(parts.read("cov_summary.json"))["polarizations"]["VH"]["threshold"]
    assert found == {
        "value": 0.6,
        "quantile": None,
        "upper": None,
        "pixels_kept": int((cov >= np.float64(0.6)).sum()),
        "pixels_above_upper": 0,
    }


def test_a_stack_without_any_data_has_no_threshold_and_no_floor(client: Client, tmp_path: Path) -> None:
    store = Location.parse(str(tmp_path / "stack.icechunk"))
    grid = Grid(crs="EPSG:32611", left=250_000.0, top=3_830_000.0, dx=30.0, dy=30.0, height=20, width=20)
    make_stack(store, ({"VV": np.full((5, 20, 20), np.nan, dtype=np.float32)}, TIMES[:5], grid))
    parts = Location.parse(str(tmp_path / "parts"))
    wanted = Reduction(store=store, tag="key", threshold=Threshold(quantile=0.9), harmonic_period=365.25, trend=True)
    made = parts, reduce_stack(wanted, parts=parts, client=client)
    found = json.loads(parts.read("cov_summary.json"))["polarizations"]["VV"]
    assert (found["pixels"], found["looks"], found["speckle_floor"], found["threshold"]["value"]) == (
        0,
        None,
        None,
        None,
    )
    assert (read(made, "VV", "cov_mask") == 255).all()
    assert np.isnan(read(made, "VV", "trend")).all()
