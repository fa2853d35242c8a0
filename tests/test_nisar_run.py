"""Jobs on the NISAR GCOV sample, from job file to product, against its known truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gcov_files import GRIDS, SAMPLE, copied, edited, grid_of, on_grid, power
from jobs import machine, plan_job, run_job, sarbatch, statistics, write_job

from infra.errors import LatticeError
from infra.grid import Grid
from infra.settings import Settings
from pipelines import Run, open_product

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.is_dir(), reason="the GCOV sample is not at ../shared/data"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rioxarray's way with affine
]
FOREST, WATER, CLEARING = 0, 1, 3
HALF = 10.0  # metres


def gcov(path: str | Path, *, source: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    where = {"format": "nisar-gcov", "path": str(path), **(source or {})}
    return {"kind": "backscatter-stack", "source": where, **more}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first two dates and the last one, whose copy lies half a pixel further east and north."""
    folder = tmp_path_factory.mktemp("half")
    files = sorted(SAMPLE.glob("*P05023*.h5"))
    paths = [copied(files[n], folder) for n in (0, 1, -1)]
    with edited(paths[-1]) as file:
        for axis in "xy":
            file[f"{GRIDS}/frequencyA/{axis}Coordinates"][...] += HALF
    return paths


@pytest.fixture(scope="module")
def like(half: list[Path]) -> str:
    """Id of the first scene."""
    return (
        half[0]
        .name.replace("L2_PR_GCOV_", "")
        .replace("_DHDH_A_", "_DHDH_")[: len("NISAR_006_026_A_016_2005_DHDH_20260622T234739")]
    )


@pytest.fixture(scope="module")
def run(settings: Settings, half: list[Path], like: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    tasks = {
        "stack": gcov(SAMPLE, chunk=128),
        "statistics": statistics(),
        "to-one-grid": gcov(half[0].parent, grid={"like": like}, polarizations=["HH"]),
    }
    return run_job(write_job(tmp_path_factory.mktemp("job"), tasks), settings)


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    said: dict[str, Any] = json.loads((SAMPLE / "truth.json").read_text())
    return said


def opened(run: Run, task: str, name: str, settings: Settings, **labels: str) -> Any:
    return open_product(run, task=task, name=name, settings=settings, **labels).load(scheduler="synchronous")


def grid_of_stack(data: Any) -> Grid:
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    return Grid(crs="EPSG:32645", left=x[0] - 10, top=y[0] + 10, dx=20.0, dy=20.0, height=y.size, width=x.size)


def classes(grid: Grid) -> np.ndarray:
    return on_grid(np.load(SAMPLE / "truth_classes.npy").astype("f4"), grid_of(min(SAMPLE.glob("*.h5"))), grid)


def test_eight_dates_remain_and_two_files_are_left_out(run: Run, settings: Settings, tmp_path: Path) -> None:
    data = opened(run, "stack", "stack", settings)
    assert data.sizes["time"] == 8
    (task,) = plan_job(write_job(tmp_path, {"stack": gcov(SAMPLE)}), settings).tasks
    assert len(task.used) == 8
    said = {Path(row["path"]).name: row["reason"] for row in task.dropped}
    (beta,) = (why for name, why in said.items() if "X05010" in name)
    (older,) = (why for name, why in said.items() if "P05023" in name)
    assert "is beta: the provisional release of NISAR_007_026_A_016_2005_DHDH_20260704T234739 is used" in beta
    assert "release P05023_001 is superseded by P05023_002" in older


def test_every_date_lies_where_its_coordinates_say(run: Run, settings: Settings) -> None:
    data = opened(run, "stack", "stack", settings)
    grid = grid_of_stack(data)
    assert grid.shape == (320, 288)  # one date is shifted by 64 rows and -32 columns
    used = [p for p in sorted(SAMPLE.glob("*P05023*.h5")) if "_008_" not in p.name or p.name.endswith("_002.h5")]
    for number, path in enumerate(used):
        expected = on_grid(power(path, "HVHV"), grid_of(path), grid)
        np.testing.assert_array_equal(data["HV"].values[number], expected)


def test_stable_classes_have_their_true_mean_power(run: Run, settings: Settings, truth: dict[str, Any]) -> None:
    for number, polarization in enumerate(("HH", "HV")):
        mean = opened(run, "statistics", "mean", settings, polarization=polarization).squeeze()
        there = classes(grid_of_stack(mean))
        for code in (FOREST, WATER):
            expected = truth["classes"][str(code)][1 + number]
            assert float(np.nanmean(mean.values[there == code])) == pytest.approx(expected, rel=0.03)


def test_the_clearing_is_found(run: Run, settings: Settings, truth: dict[str, Any]) -> None:
    """Pixels that have fallen from the first to the last dates; the date on which they do; then all dates before and after it."""
    data = opened(run, "stack", "stack", settings)
    hv = data["HV"].values.astype(float)
    half_way = 0.38  # in dB, from 1 to 0.0065 / 0.045
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):  # pixels that no date covers
        fallen = np.nanmean(hv[-2:], axis=0) < half_way * np.nanmean(hv[:2], axis=0)
    series = np.nanmean(hv[:, fallen], axis=1)
    event = int(np.argmin(series[1:] / series[:-1])) + 1
    assert event == truth["k_event"]
    assert str(data["time"].values[event])[:19] == truth["files"][event]["time"]
    there = classes(grid_of_stack(data)) == CLEARING
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        ratio = np.nanmean(hv[event:], axis=0) / np.nanmean(hv[:event], axis=0)
    cleared, seen = ratio < half_way, np.isfinite(ratio)
    assert (cleared & there).sum() >= 0.99 * (seen & there).sum()
    assert (cleared & ~there).sum() <= 0.002 * (seen & ~there).sum()  # speckle: 32 looks over 32 looks below 0.38


def test_a_half_pixel_is_refused_without_a_grid(half: list[Path], settings: Settings, tmp_path: Path) -> None:
    job = write_job(tmp_path, {"stack": gcov(half[0].parent)})
    with pytest.raises(LatticeError) as refused:
        plan_job(job, settings)
    for path in (half[0], half[-1]):
        assert path.name in refused.value.message
    said = sarbatch("run", str(job), check=False)
    assert said.returncode == 2
    assert "off a whole number of pixels" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_half_pixel_is_right_with_a_grid(run: Run, settings: Settings, half: list[Path]) -> None:
    """Half a pixel off in x and y, the mean power under a pixel is that of the four around it."""
    data = opened(run, "to-one-grid", "stack", settings)
    grid = grid_of_stack(data)
    assert grid.lattice_difference(grid_of(half[0])) is None
    for number in (0, 1):  # on the lattice: bit by bit
        np.testing.assert_array_equal(
            data["HH"].values[number], on_grid(power(half[number]), grid_of(half[number]), grid)
        )
    source = power(half[-1]).astype(float)
    four = (
        source[:-1, :-1] + source[:-1, 1:] + source[1:, :-1] + source[1:, 1:]
    ) / 4  # around the corner of (0, 0) and (1, 1)
    corner = on_grid(np.pad(four, ((0, 1), (1, 0)), constant_values=np.nan), grid_of(half[0]), grid)
    inside = np.isfinite(corner)
    assert inside.sum() > 40_000
    np.testing.assert_allclose(data["HH"].values[2][inside], corner[inside], rtol=1e-5)
