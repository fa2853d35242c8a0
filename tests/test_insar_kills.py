"""Interferograms to displacement, whoever is killed: the values of an undisturbed run, and no pair loaded twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import kills
import pytest
from jobs import displacement, insar, machine, run_job, write_job

from dask_jobs.simulate_insar import simulate_insar

pytestmark = pytest.mark.slow

STACK, DISPLACEMENT = "insar-stack", "displacement"
STACK_POINTS = ("block:1", "block:2", "committed:3", "last-write", "before-publication", "after-publication")
DISPLACEMENT_POINTS = (
    *("committed:1", "committed:4", "committed:9", "write:1", "write:30"),
    *("last-write", "move:3", "before-publication", "after-publication"),
)
QUICK_POINTS = {"block:2", "committed:9"}  # in every run; the others when soaking
SEEDS = 30


def kill_job(folder: Path, scenes: Path) -> Path:
    """Job of a stack and its displacement, with products of every role but pictures."""
    tasks = {
        "stack": insar(scenes, chunk=64),
        "displacement": displacement(
            troposphere="height-correlation",
            deramp="linear",
            points=[{"name": "here", "row": 20, "column": 20}],
        ),
    }
    return write_job(folder, tasks)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kills.Bench]:
    folder = tmp_path_factory.mktemp("kills")
    scenes = folder / "simulated-interferograms"
    simulate_insar(scenes, dates=6, size=(96, 128), connections=2, seed=3)
    with machine(folder / "state", **kills.SMALL) as settings:
        run = run_job(kill_job(folder / "undisturbed", scenes), settings)
        values = kills.values_of(settings, run.id)
        yield kills.Bench(
            settings,
            scenes,
            folder / "undisturbed/products",
            values,
            job=kill_job,
            kinds=(DISPLACEMENT, STACK),
            span=12.0,
        )


@pytest.mark.parametrize("point", kills.some(STACK_POINTS, always=QUICK_POINTS))
def test_a_driver_of_a_stack_dies_at(bench: kills.Bench, tmp_path: Path, point: str) -> None:
    kills.dies_at(bench, tmp_path, point)


@pytest.mark.parametrize("point", kills.some(DISPLACEMENT_POINTS, always=QUICK_POINTS))
def test_a_driver_of_displacement_dies_at(bench: kills.Bench, tmp_path: Path, point: str) -> None:
    shutil.copytree(bench.undisturbed / STACK, tmp_path / "products" / STACK)
    kills.dies_at(bench, tmp_path, point)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(SEEDS))
def test_at_random(bench: kills.Bench, tmp_path: Path, seed: int) -> None:
    kills.at_random(bench, tmp_path, seed)
