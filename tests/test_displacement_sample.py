"""The sample that MintPy 1.6.4 was run on, as a job: the same numbers in files of the same names, and as near to the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import rasterio
from jobs import SCENES, displacement, insar, machine, run_job, write_job

from infra.settings import Settings
from pipelines import Run, open_product
from pipelines.registry import open_registry

SAMPLE = (SCENES / "hyp3-insar-sample").resolve()
REFERENCE = {"row": 7, "column": 26}
WAVELENGTH = 299_792_458.0 / 5.405e9
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of interferograms is not at ../shared/data"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def run(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The job with MintPy's settings."""
    tasks = {
        "stack": insar(SAMPLE / "products", chunk=64),
        "displacement": displacement(
            reference=REFERENCE,
            troposphere="height-correlation",
            mintpy_rules=True,
            report=True,
            figures=True,
            points=[{"name": "subsiding", "row": 72, "column": 66}, {"name": "north", "lat": 34.1455, "lon": -118.2}],
        ),
    }
    return run_job(write_job(tmp_path_factory.mktemp("sample"), tasks, name="sample"), settings)


@pytest.fixture(scope="module")
def mintpy() -> Any:
    """What MintPy made of it, by "file/dataset"."""
    with np.load(SAMPLE / "mintpy_outputs.npz") as arrays:
        return dict(arrays)


def path_of(run: Run, settings: Settings, name: str, **labels: Any) -> Path:
    with open_registry(settings) as registry:
        rows = [
            row
            for row in registry.products(run.id)
            if row.name == name and all(getattr(row, key) == value for key, value in labels.items())
        ]
    assert len(rows) == 1, (name, labels, rows)
    return Path(rows[0].href)


def dataset(run: Run, settings: Settings, product: str, name: str) -> np.ndarray:
    with h5py.File(path_of(run, settings, product)) as file:
        return np.asarray(file[name][:])


CLOSE = {  # product, dataset: as the arrays are called, and the largest difference
    ("mintpy_timeseries", "timeseries"): ("timeseries/timeseries", 1e-6),
    ("mintpy_timeseries_troposphere", "timeseries"): ("timeseries_tropHgt/timeseries", 1e-6),
    ("mintpy_timeseries_corrected", "timeseries"): ("timeseries_tropHgt_demErr/timeseries", 1e-6),
    ("mintpy_temporal_coherence", "temporalCoherence"): ("temporalCoherence/temporalCoherence", 1e-5),
    ("mintpy_mean_velocity", "velocity"): ("avgPhaseVelocity/velocity", 1e-7),
    ("mintpy_mean_coherence", "coherence"): ("avgSpatialCoh/coherence", 1e-6),
    ("mintpy_dem_error", "dem"): ("demErr/dem", 1e-3),
    ("mintpy_velocity", "velocity"): ("velocity/velocity", 5e-7),
    ("mintpy_velocity", "velocityStd"): ("velocity/velocityStd", 2e-8),
    ("mintpy_velocity", "intercept"): ("velocity/intercept", 5e-7),
    ("mintpy_velocity", "interceptStd"): ("velocity/interceptStd", 1e-8),
    ("mintpy_velocity", "residue"): ("velocity/residue", 5e-7),
    ("mintpy_geometry", "height"): ("geometryGeo/height", 0),
    ("mintpy_geometry", "incidenceAngle"): ("geometryGeo/incidenceAngle", 1e-5),
    ("mintpy_geometry", "azimuthAngle"): ("geometryGeo/azimuthAngle", 1e-4),
    ("mintpy_geometry", "slantRangeDistance"): ("geometryGeo/slantRangeDistance", 3),  # MintPy's is single precision
    ("mintpy_pairs", "bperp"): ("ifgramStack/bperp", 0),
}
EXACT = {
    ("mintpy_used_pairs", "mask"): "numInvIfgram/mask",
    ("mintpy_mask", "mask"): "maskTempCoh/mask",
    ("mintpy_closure", "mask"): "numTriNonzeroIntAmbiguity/mask",
    ("mintpy_pairs", "dropIfgram"): "ifgramStack/dropIfgram",
    ("mintpy_pairs", "date"): "ifgramStack/date",
    ("mintpy_timeseries", "date"): "timeseries/date",
    ("mintpy_geometry", "waterMask"): "geometryGeo/waterMask",
}


@pytest.mark.parametrize(("product", "name"), CLOSE)
def test_numbers_are_mintpys(run: Run, settings: Settings, mintpy: Any, product: str, name: str) -> None:
    expected, tolerance = CLOSE[product, name]
    made = dataset(run, settings, product, name)
    np.testing.assert_array_equal(np.isnan(made), np.isnan(mintpy[expected]))
    np.testing.assert_allclose(made, mintpy[expected], rtol=0, atol=tolerance)


def test_velocity_is_mintpys_but_for_its_single_precision(run: Run, settings: Settings, mintpy: Any) -> None:
    """MintPy solves in float32: where that costs it digits, a float64 solve of the same equations is as far from it."""
    made = dataset(run, settings, "mintpy_velocity", "velocity")
    off = np.abs(made - mintpy["velocity/velocity"])[mintpy["numInvIfgram/mask"] > 0]
    assert np.percentile(off, 99.5) <= 1e-7
    assert off.max() <= 5e-7
    made = dataset(run, settings, "mintpy_velocity", "velocityStd")
    off = np.abs(made - mintpy["velocity/velocityStd"])[mintpy["numInvIfgram/mask"] > 0]
    assert np.percentile(off, 99.9) <= 1e-8


@pytest.mark.parametrize(("product", "name"), EXACT)
def test_counts_and_masks_are_mintpys(run: Run, settings: Settings, mintpy: Any, product: str, name: str) -> None:
    np.testing.assert_array_equal(dataset(run, settings, product, name), mintpy[EXACT[product, name]])


def test_noise_of_dates_is_mintpys(run: Run, settings: Settings, mintpy: Any) -> None:
    table = open_product(run, task="displacement", name="dates", settings=settings)
    assert isinstance(table, pd.DataFrame)
    assert [day.replace("-", "") for day in table["date"]] == mintpy["rms/date"].tolist()
    np.testing.assert_allclose(table["rms"], mintpy["rms/rms"], rtol=0, atol=1e-7)
    assert table["date"][table["noisy"]].tolist() == ["2018-08-10"]
    assert table["date"][table["reference"]].tolist() == ["2018-11-26"]


def test_attributes_are_mintpys(run: Run, settings: Settings) -> None:
    expected = json.loads((SAMPLE / "mintpy_attributes.json").read_text())
    own = {"MODIFICATION_TIME", "__datasets__"}  # of the moment; of the study
    words = {
        "mintpy.timeFunc.excludeDate",
        "mintpy.topographicResidual.excludeDate",
    }  # MintPy names a file, we the dates
    for file in sorted(path_of(run, settings, "mintpy_velocity").parent.glob("*.h5")):
        with h5py.File(file) as opened:
            made = dict(opened.attrs)
        wanted = {key: value for key, value in expected[file.name].items() if key not in own | words}
        if file.name == "avgPhaseVelocity.h5":
            wanted["UNIT"] = "m/year"  # MintPy leaves it out there, and then shows metres
        assert {key: value for key, value in made.items() if key not in words} == wanted, file.name


def test_velocity_is_as_near_to_the_truth_as_mintpys(run: Run, settings: Settings, mintpy: Any) -> None:
    with np.load(SAMPLE / "truth.npz") as arrays:
        truth = dict(arrays)
    name = next(key for key in truth if "vel" in key)
    mask = mintpy["maskTempCoh/mask"]

    def error(velocity: np.ndarray) -> float:
        off = (velocity - truth[name])[mask]
        return float(np.sqrt(np.mean((off - np.median(off)) ** 2)))

    made = dataset(run, settings, "mintpy_velocity", "velocity")
    assert error(made) <= 1.001 * error(mintpy["velocity/velocity"])


def test_rasters_hold_what_the_files_hold(run: Run, settings: Settings, mintpy: Any) -> None:
    mask = mintpy["maskTempCoh/mask"]
    with rasterio.open(path_of(run, settings, "velocity")) as file:
        velocity = file.read(1)
        assert file.units == ("m/year",)
        assert file.tags()["REFERENCE_DATE"] == "2018-11-26"
    np.testing.assert_array_equal(np.isfinite(velocity), mask)
    np.testing.assert_allclose(velocity[mask], mintpy["velocity/velocity"][mask], rtol=0, atol=5e-7)
    with rasterio.open(path_of(run, settings, "velocity_unmasked")) as file:
        everywhere = file.read(1)
    np.testing.assert_array_equal(np.isfinite(everywhere), mintpy["numInvIfgram/mask"] > 0)
    with rasterio.open(path_of(run, settings, "displacement", date="2018-12-20")) as file:
        last = file.read(1)
    np.testing.assert_allclose(last[mask], mintpy["timeseries_tropHgt_demErr/timeseries"][-1][mask], rtol=0, atol=1e-6)
    with rasterio.open(path_of(run, settings, "displacement_wrapped", date="2018-12-20")) as file:
        wrapped, colours = file.read(1), file.colormap(1)
    np.testing.assert_array_equal(wrapped == 255, ~mask)
    turns = np.mod(last[mask].astype(float), WAVELENGTH / 2) / (WAVELENGTH / 2)
    off = np.abs(wrapped[mask] - turns * 255)
    assert (np.minimum(off, 255 - off) <= 1).all()
    assert colours[255][3] == 0  # transparent
    jump = max(abs(colours[0][band] - colours[254][band]) for band in range(3))
    assert jump <= 8  # no step where a cycle ends


def test_the_store_of_the_series_holds_every_stage(run: Run, settings: Settings, mintpy: Any) -> None:
    series = open_product(run, task="displacement", name="series", settings=settings)
    solved = mintpy["numInvIfgram/mask"] > 0
    stages = {
        "displacement_inverted": "timeseries",
        "displacement_troposphere": "timeseries_tropHgt",
        "displacement": "timeseries_tropHgt_demErr",
    }
    for name, file in stages.items():
        values = series[name].values
        assert series[name].dims == ("time", "y", "x")
        np.testing.assert_array_equal(np.isfinite(values[-1]), solved)
        np.testing.assert_allclose(values[:, solved], mintpy[f"{file}/timeseries"][:, solved], rtol=0, atol=1e-6)
    assert str(series["time"].values[0])[:10] == "2018-01-06"
    assert series["spatial_ref"].attrs["crs_wkt"].startswith('PROJCRS["WGS 84 / UTM zone 11N"')


def test_points_follow_the_series(run: Run, settings: Settings, mintpy: Any) -> None:
    table = open_product(run, task="displacement", name="point_series", settings=settings)
    assert isinstance(table, pd.DataFrame)
    rows = table[table["point"] == "subsiding"]
    series = mintpy["timeseries_tropHgt_demErr/timeseries"][:, 72, 66]
    np.testing.assert_allclose(rows["displacement"], series, rtol=0, atol=1e-6)
    years = (pd.to_datetime(rows["date"]) - pd.Timestamp("2018-01-01")).dt.days / 365.25
    slope = np.polyfit(years, rows["model"], 1)[0]
    np.testing.assert_allclose(slope, mintpy["velocity/velocity"][72, 66], rtol=0, atol=1e-6)
    assert (~rows["fitted"]).sum() == 1
    assert set(table["point"]) == {"subsiding", "north"}


def test_the_network_is_a_table(run: Run, settings: Settings, mintpy: Any) -> None:
    table = open_product(run, task="displacement", name="network", settings=settings)
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 84
    assert table["used"].all()
    assert table["mean_coherence"].between(0.7, 0.9).all()


def test_there_are_pictures_and_a_report(run: Run, settings: Settings) -> None:
    with open_registry(settings) as registry:
        rows = registry.products(run.id)
    figures = {row.name for row in rows if row.role == "figure"}
    assert figures == {
        *("figure_network", "figure_baselines", "figure_coherence", "figure_coherence_matrix", "figure_rms"),
        *("figure_velocity", "figure_velocity_std", "figure_temporal_coherence", "figure_mean_coherence"),
        *("figure_closure_count", "figure_dem_error", "figure_dates", "figure_points", "animation"),
    }
    page = path_of(run, settings, "report").read_text()
    assert "row 7, column 26" in page
    assert "2018-08-10" in page
    assert "delay by height" in page
