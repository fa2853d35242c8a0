"""Whole jobs from simulated interferograms: the truth comes back, new pairs are appended, and nothing is made twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import kills
import numpy as np
import pandas as pd
import pytest
import rasterio
from jobs import displacement, insar, machine, plan_job, run_job, write_job

from dask_jobs.insar_truth import Effects
from dask_jobs.simulate_insar import InsarTruth, simulate_insar
from dask_jobs.stack.store import read_ledger
from infra.settings import Settings
from infra.storage import Location
from pipelines import Plan, Run, open_product
from pipelines.plan import TaskPlan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rioxarray's way with affine
]
SIZE = (70, 90)
LIGHT: dict[str, Any] = {"mintpy": False, "kmz": False}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


def job(folder: Path, scenes: Path, *, stack: dict[str, Any] | None = None, top: Any = None, **more: Any) -> Path:
    tasks = {"stack": insar(scenes, chunk=64, **(stack or {})), "displacement": displacement(**{**LIGHT, **more})}
    return write_job(folder, tasks, **(top or {}))


def of(plan: Plan, task: str) -> TaskPlan:
    return next(row for row in plan.tasks if row.task == task)


def raster(run: Run, settings: Settings, name: str, **labels: str) -> np.ndarray:
    values = open_product(run, task="displacement", name=name, settings=settings, **labels)
    return np.asarray(values.values)


def stores(run: Run) -> list[Path]:
    return sorted(Path(run.output, "insar-stack").glob("*.icechunk"))


def pairs_in_order_of_arrival(run: Run) -> list[str]:
    (store,) = stores(run)
    ledger = read_ledger(Location(str(store)))
    assert ledger is not None
    return [step.fingerprint[0][0] for step in ledger.steps]


# -- the truth ----------------------------------------------------------------------------------------------------------


def place(truth: InsarTruth) -> dict[str, int]:
    row, column = truth.reference
    return {"row": int(row), "column": int(column)}


@pytest.mark.soak
def test_without_noise_motion_and_height_error_come_back(settings: Settings, tmp_path: Path) -> None:
    effects = Effects.only("velocity", "dem_error", "stratified", "constant", "water")
    truth = simulate_insar(tmp_path / "simulated-insar", dates=9, size=SIZE, connections=2, seed=5, effects=effects)
    path = job(
        tmp_path,
        truth.folder,
        reference=place(truth),
        troposphere="height-correlation",
        reference_date="first",
        points=[{"name": "p", "row": 30, "column": 40}],
    )
    run = run_job(path, settings)
    row, column = truth.reference
    land = ~truth.water()
    velocity = raster(run, settings, "velocity_unmasked")
    np.testing.assert_array_equal(np.isfinite(velocity), land)
    # a delay that goes with height takes a little of motion that lies on slopes: millimetres per year, not centimetres
    expected = truth.velocity() - truth.velocity()[row, column]
    assert np.abs(velocity - expected)[land].max() < 0.012
    error = raster(run, settings, "dem_error")
    wanted = truth.dem_error() - truth.dem_error()[row, column]
    assert np.corrcoef(error[land], wanted[land])[0, 1] > 0.98


def test_without_delays_everything_comes_back_exactly(settings: Settings, tmp_path: Path) -> None:
    effects = Effects.only("velocity", "dem_error", "constant")
    truth = simulate_insar(tmp_path / "simulated-insar", dates=9, size=SIZE, connections=2, seed=5, effects=effects)
    row, column = truth.reference
    run = run_job(job(tmp_path, truth.folder, reference=place(truth), reference_date="first"), settings)
    velocity = truth.velocity() - truth.velocity()[row, column]
    np.testing.assert_allclose(raster(run, settings, "velocity"), velocity, rtol=0, atol=2e-6)
    lever = truth.slant_range() * np.sin(truth.incidence())
    # relative is the phase, not the height: the reference's own error counts as seen from each pixel
    error = truth.dem_error() - truth.dem_error()[row, column] * lever / lever[row, column]
    np.testing.assert_allclose(raster(run, settings, "dem_error"), error, rtol=0, atol=0.01)
    series = open_product(run, task="displacement", name="series", settings=settings)
    motion = truth.displacement_series()
    motion = motion - motion[:1] - (motion - motion[:1])[:, row, column][:, None, None]
    np.testing.assert_allclose(series["displacement"].values, motion, rtol=0, atol=2e-6)
    assert float(raster(run, settings, "temporal_coherence").min()) > 0.999999
    assert float(np.nanmax(raster(run, settings, "closure_count"))) == 0
    assert float(raster(run, settings, "used_pairs").min()) == len(truth.pairs)


@pytest.mark.soak
def test_standard_errors_by_coherence_are_those_of_the_noise(settings: Settings, tmp_path: Path) -> None:
    effects = Effects.only("velocity", "decorrelation")
    truth = simulate_insar(
        tmp_path / "simulated-insar", dates=12, size=(96, 96), connections=3, seed=2, effects=effects
    )
    fit = {"time_function": {"error": "covariance"}, "dem_error": False, "exclude_dates": []}
    run = run_job(job(tmp_path, truth.folder, reference=place(truth), reference_date="first", **fit), settings)
    off = raster(run, settings, "velocity_unmasked") - truth.velocity()
    expected = raster(run, settings, "velocity_std")
    score = (off - np.median(off)) / expected
    assert 0.7 < np.percentile(np.abs(score), 68.3) < 1.4


# -- choices ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> InsarTruth:
    """Interferograms with everything that can go wrong."""
    folder = tmp_path_factory.mktemp("noisy") / "simulated-insar"
    return simulate_insar(folder, dates=14, size=(130, 140), connections=3, seed=1)


def test_every_correction_is_a_stage_and_a_product(settings: Settings, noisy: InsarTruth, tmp_path: Path) -> None:
    path = job(
        tmp_path,
        noisy.folder,
        troposphere="height-correlation",
        deramp="quadratic",
        time_function={"polynomial": 2, "periods": [1.0], "steps": ["2022-03-20"]},
        mask={"temporal_coherence": 0.6, "observation": "coherence", "coherence": 0.3},
        weight=False,  # what YAML makes of `no`
        mintpy=True,
        kmz=True,
    )
    run = run_job(path, settings.model_copy(update={"block_bytes": 70_000}))
    series = open_product(run, task="displacement", name="series", settings=settings)
    stages = {
        "displacement_inverted": "timeseries.h5",
        "displacement_troposphere": "timeseries_tropHgt.h5",
        "displacement_deramped": "timeseries_tropHgt_ramp.h5",
        "displacement": "timeseries_tropHgt_ramp_demErr.h5",
    }
    for name, file in stages.items():
        assert series[name].dims == ("time", "y", "x")
        with h5py.File(next(Path(run.output).glob(f"displacement/*/mintpy/{file}"))) as hdf5:
            # the one is written block by block, the other in rows across blocks
            np.testing.assert_allclose(np.nan_to_num(series[name].values), hdf5["timeseries"][:], rtol=0, atol=1e-8)
    before, after = (series[name].values for name in list(stages)[1:3])
    assert np.nanmax(abs(after - before)) > 1e-4
    for name in ("acceleration", "annual_amplitude", "annual_phase", "step_20220320", "step_20220320_std", "residue"):
        assert np.isfinite(raster(run, settings, name)).any(), name
    assert list(Path(run.output).glob("displacement/*/velocity.kmz"))


def test_a_reference_that_is_drawn_is_the_same_again(settings: Settings, noisy: InsarTruth, tmp_path: Path) -> None:
    small = settings.model_copy(update={"block_bytes": 70_000})
    runs = [
        run_job(job(tmp_path / name, noisy.folder, seed=4), used) for name, used in (("one", settings), ("same", small))
    ]
    tags = []
    for run in runs:
        with rasterio.open(next(Path(run.output).glob("displacement/*/velocity.tif"))) as file:
            tags.append((file.tags()["REFERENCE_ROW"], file.tags()["REFERENCE_COLUMN"]))
    assert tags[0] == tags[1]
    first, again = (raster(run, settings, "velocity") for run in runs)
    np.testing.assert_array_equal(first, again)


def test_pairs_of_little_coherence_are_left_out_but_for_the_tree(
    settings: Settings, noisy: InsarTruth, tmp_path: Path
) -> None:
    run = run_job(job(tmp_path, noisy.folder, network={"min_coherence": 0.9, "max_temporal_baseline": 30}), settings)
    table = open_product(run, task="displacement", name="network", settings=settings)
    assert isinstance(table, pd.DataFrame)
    used = table[table["used"]]
    assert len(used) == 13  # the tree that 14 dates need: no pair is that coherent
    assert table["reason"][table["temporal_baseline"] > 30].str.contains("temporal baseline").all()
    assert table["reason"][~table["used"] & (table["temporal_baseline"] <= 30)].str.contains("coherence").all()


def test_one_interferogram_is_a_displacement(settings: Settings, tmp_path: Path) -> None:
    truth = simulate_insar(
        tmp_path / "simulated-insar", dates=2, size=(64, 64), connections=1, effects=Effects.only("velocity")
    )
    run = run_job(job(tmp_path, truth.folder, dem_error=False, reference=place(truth)), settings)
    moved = raster(run, settings, "displacement", date="2022-01-17")
    expected = truth.displacement(1) - truth.displacement(0)
    row, column = truth.reference
    np.testing.assert_allclose(moved, expected - expected[row, column], rtol=0, atol=1e-6)
    assert np.isnan(raster(run, settings, "velocity_std")).all()  # two dates leave nothing to judge a line by


# -- area ---------------------------------------------------------------------------------------------------------------


def test_an_area_cuts_and_a_polygon_masks(settings: Settings, noisy: InsarTruth, tmp_path: Path) -> None:
    grid = noisy.grid
    edges = [grid.left + 20 * grid.dx, grid.top - 110 * grid.dy, grid.left + 120 * grid.dx, grid.top - 10 * grid.dy]
    cut = run_job(
        job(tmp_path / "cut", noisy.folder, stack={"extent": edges}, reference=place_in(noisy, 10, 20)), settings
    )
    whole = run_job(job(tmp_path / "whole", noisy.folder, reference=place(noisy)), settings)
    inside = raster(whole, settings, "displacement", date="2022-03-18")[10:110, 20:120]
    part = raster(cut, settings, "displacement", date="2022-03-18")
    assert part.shape == inside.shape == (100, 100)
    inverted = open_product(cut, task="displacement", name="series", settings=settings)["displacement_inverted"].values
    every = open_product(whole, task="displacement", name="series", settings=settings)["displacement_inverted"].values
    reference = raster(whole, settings, "velocity").shape
    assert reference == (130, 140)
    # as inverted, nothing depends on what lies outside but the date of reference
    off = (inverted - inverted[:1]) - (every - every[:1])[:, 10:110, 20:120]
    assert np.nanmax(np.abs(off)) == 0


def place_in(truth: InsarTruth, row: int, column: int) -> dict[str, int]:
    """The reference pixel, counted from another corner."""
    whole = place(truth)
    return {"row": whole["row"] - row, "column": whole["column"] - column}


# -- appending ----------------------------------------------------------------------------------------------------------


def test_new_pairs_are_appended_wherever_they_lie(settings: Settings, tmp_path: Path) -> None:
    scenes = tmp_path / "simulated-insar"
    simulate_insar(scenes, dates=6, size=SIZE, connections=2, seed=9)
    path = job(tmp_path, scenes, reference_date="first")
    first = run_job(path, settings)
    before = pairs_in_order_of_arrival(first)
    assert [row.state for row in plan_job(path, settings).tasks] == ["done", "done"]

    # two more dates, and a pair between old ones
    truth = simulate_insar(scenes, dates=8, size=SIZE, connections=2, seed=9, more_pairs=[(0, 4)])
    plan = plan_job(path, settings)
    assert [row.state for row in plan.tasks] == ["stale", "stale"]
    assert (
        f"appends {len(truth.pairs) - len(before)} of {len(truth.pairs)} interferograms"
        in of(plan, "stack").why_stale[0]
    )
    second = run_job(path, settings)
    after = pairs_in_order_of_arrival(second)
    assert after[: len(before)] == before  # what was there stayed where it was
    assert sorted(after) == sorted(set(after))
    assert len(after) == len(truth.pairs)
    assert before != sorted(before) or after != sorted(after)  # the old pair came last

    fresh = run_job(job(tmp_path / "fresh", scenes, reference_date="first"), settings)
    assert pairs_in_order_of_arrival(fresh) != after
    values, expected = (kills.values_of(settings, run.id) for run in (second, fresh))
    one = {label: value for label, value in values.items() if label[0] == "displacement"}
    kills.assert_equal(one, {label: value for label, value in expected.items() if label[0] == "displacement"})
    assert [row.state for row in plan_job(path, settings).tasks] == ["done", "done"]


def test_a_product_that_changes_makes_a_new_store(settings: Settings, tmp_path: Path) -> None:
    scenes = tmp_path / "simulated-insar"
    simulate_insar(scenes, dates=4, size=SIZE, connections=1, seed=9)
    path = job(tmp_path, scenes, dem_error=False)
    run = run_job(path, settings)
    phase = sorted(scenes.glob("*/*_unw_phase.tif"))[-1]
    with rasterio.open(phase, "r+") as file:
        file.write(file.read(1) + np.float32(0.5) * (file.read(1) != 0), 1)
    plan = plan_job(path, settings)
    assert "makes a new store, generation 2" in of(plan, "stack").why_stale[0]
    assert "changed" in of(plan, "stack").why_stale[0]
    again = run_job(path, settings)
    assert len(stores(again)) == 2
    assert len(stores(run)) == 2


@pytest.mark.soak
def test_a_product_that_goes_makes_a_new_store(settings: Settings, tmp_path: Path) -> None:
    scenes = tmp_path / "simulated-insar"
    simulate_insar(scenes, dates=4, size=SIZE, connections=2, seed=9)
    path = job(tmp_path, scenes, dem_error=False)
    run_job(path, settings)
    gone = sorted(folder for folder in scenes.iterdir() if folder.is_dir())[-1]
    shutil.rmtree(gone)
    assert "vanished" in of(plan_job(path, settings), "stack").why_stale[0]
