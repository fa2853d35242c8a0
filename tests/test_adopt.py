"""A lost registry is rebuilt from what the outputs say: the same answers, and nothing is made twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import kills
import pytest
from jobs import machine, run_job, sarbatch, sarbatch_json, wait_until

from infra.settings import Settings
from pipelines.registry import open_registry

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path, Path]]:
    """A machine, scenes, and an output with two runs: one that was cancelled, and one that goes on from it."""
    folder = tmp_path_factory.mktemp("adopt")
    scenes = kills.make_scenes(folder / "simulated-scenes")
    with machine(folder / "state", **kills.SMALL) as settings:
        job = kills.kill_job(folder / "job", scenes)
        cancelled = kills.record_job(job, settings)
        sarbatch("cancel", cancelled)
        assert kills.state_of(settings, cancelled) == "cancelled"
        run_job(job, settings)
        yield settings, scenes, folder / "job/products"


def lose_registry(settings: Settings) -> None:
    for path in settings.state_dir.glob("registry.sqlite*"):
        path.unlink()


def test_status_and_products_say_what_they_said(place: tuple[Settings, Path, Path]) -> None:
    settings, _, output = place
    before = sarbatch_json("status"), sarbatch_json("products")
    states = [run["state"] for run in before[0]["runs"]]
    assert states == ["done", "cancelled"]
    assert len(before[1]["products"]) == 16
    lose_registry(settings)
    assert sarbatch_json("status")["runs"] == []
    said = sarbatch("adopt", str(output)).stdout
    assert said.count("adopted run") == 2
    assert (sarbatch_json("status"), sarbatch_json("products")) == before
    assert "knew every run" in sarbatch("adopt", str(output)).stdout
    assert (sarbatch_json("status"), sarbatch_json("products")) == before
    job = output.parent / "job.yaml"
    assert {task["state"] for task in sarbatch_json("plan", str(job))["tasks"]} == {"done"}


def test_a_run_that_goes_on_is_adopted_and_not_begun_again(place: tuple[Settings, Path, Path], tmp_path: Path) -> None:
    settings, scenes, undisturbed = place
    with open_registry(settings) as registry:
        values = kills.values_of(settings, str(registry.newest_run(output=str(undisturbed)).id))
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    assert kills.start(job, "--detach").wait(timeout=60) == 0
    run = str(kills.newest_run(settings, output))
    wait_until(lambda: kills.driver(output))
    kills.kill(kills.steward(settings, run))
    wait_until(lambda: kills.steward(settings, run) is None)
    lose_registry(settings)
    assert f"adopted run {run}" in sarbatch("adopt", str(job)).stdout
    assert kills.tick_until_end(settings, run) == "done"
    kills.assert_equal(kills.values_of(settings, run), values)
    assert set(kills.attempts_of(settings, run).values()) == {1}
    # one driver for each of the two keys: none was submitted twice
    assert len(list(output.glob(".sarbatch/*/attempt-*.json"))) == 2
    assert len(list(output.glob(".sarbatch/leases/*/*.json"))) == 2


def test_without_adopting_the_same_job_finds_what_is_there(place: tuple[Settings, Path, Path], tmp_path: Path) -> None:
    settings, scenes, undisturbed = place
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    shutil.copytree(undisturbed, output)
    before = {path: path.stat().st_mtime_ns for path in output.glob("[!.]*/*/*")}
    lose_registry(settings)
    run = run_job(job, settings)
    assert len(kills.values_of(settings, run.id)) == 16
    assert {path: path.stat().st_mtime_ns for path in output.glob("[!.]*/*/*")} == before
