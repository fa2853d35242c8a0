"""A closed terminal stops nothing; only `cancel` does, and what it stops publishes nothing."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path

import kills
import pytest
from jobs import machine, run_job, sarbatch, wait_until

from infra.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path, kills.Values]]:
    """A machine, scenes, and what an undisturbed run makes of them."""
    folder = tmp_path_factory.mktemp("detach")
    scenes = kills.make_scenes(folder / "simulated-scenes")
    with machine(folder / "state", **kills.SMALL) as settings:
        run = run_job(kills.kill_job(folder / "undisturbed", scenes), settings)
        yield settings, scenes, kills.values_of(settings, run.id)


def ends_by_itself(settings: Settings, output: Path) -> str:
    run = str(kills.newest_run(settings, output))
    wait_until(lambda: kills.state_of(settings, run) != "running", seconds=90)
    return run


def items(output: Path) -> list[str]:
    return sorted(path.parts[-3] for path in output.glob("*/*/item.json"))


def test_a_client_killed_after_detach_stops_nothing(place: tuple[Settings, Path, kills.Values], tmp_path: Path) -> None:
    settings, scenes, values = place
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    client = kills.start(job, "--detach")
    wait_until(lambda: (run := kills.newest_run(settings, output)) and kills.steward(settings, run))
    os.killpg(client.pid, signal.SIGKILL)  # the whole session, as when a machine logs its user out
    client.wait()
    assert items(output) == []
    run = ends_by_itself(settings, output)
    assert kills.state_of(settings, run) == "done"
    kills.assert_equal(kills.values_of(settings, run), values)


def test_detach_returns_before_anything_is_made(place: tuple[Settings, Path, kills.Values], tmp_path: Path) -> None:
    settings, scenes, values = place
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    said = sarbatch("run", str(job), "--detach").stdout
    run = str(kills.newest_run(settings, output))
    assert f"run {run} goes on by itself" in said
    assert ends_by_itself(settings, output) == run
    kills.assert_equal(kills.values_of(settings, run), values)


def test_a_closed_terminal_stops_nothing(place: tuple[Settings, Path, kills.Values], tmp_path: Path) -> None:
    settings, scenes, values = place
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv("/bin/sh", ["sh", "-c", f"exec {kills.SARBATCH} run {job}"])
    wait_until(lambda: (run := kills.newest_run(settings, output)) and kills.driver(output) and run)
    os.close(terminal)  # the kernel sends SIGHUP to the session
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGHUP
    assert kills.STATISTICS not in items(output)
    run = ends_by_itself(settings, output)
    assert kills.state_of(settings, run) == "done"
    kills.assert_equal(kills.values_of(settings, run), values)


def test_a_cancelled_driver_publishes_nothing(place: tuple[Settings, Path, kills.Values], tmp_path: Path) -> None:
    settings, scenes, values = place
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    assert kills.start(job, "--detach").wait(timeout=60) == 0
    run = str(kills.newest_run(settings, output))
    paused = kills.pause_driver(output)
    sarbatch("cancel", run)
    wait_until(lambda: list(output.glob(".sarbatch/*/cancel-0001")))
    os.kill(paused, signal.SIGCONT)
    assert ends_by_itself(settings, output) == run
    assert kills.state_of(settings, run) == "cancelled"
    assert items(output) == []
    wait_until(lambda: kills.driver(output) is None)  # it has let go of its lease: nothing more can come of it
    assert items(output) == []
    assert kills.values_of(settings, run) == {}
    again = run_job(job, settings)
    kills.assert_equal(kills.values_of(settings, again.id), values)


def test_one_that_dies_while_it_is_cancelled_is_not_taken_up_again(
    place: tuple[Settings, Path, kills.Values], tmp_path: Path
) -> None:
    settings, scenes, values = place
    job, output = kills.kill_job(tmp_path, scenes), tmp_path / "products"
    assert kills.start(job, "--detach").wait(timeout=60) == 0
    run = str(kills.newest_run(settings, output))
    paused = kills.pause_driver(output)
    sarbatch("cancel", run)
    wait_until(lambda: list(output.glob(".sarbatch/*/cancel-0001")))
    kills.kill(kills.cluster(settings), *kills.workers(settings), paused)
    assert ends_by_itself(settings, output) == run
    assert kills.state_of(settings, run) == "cancelled"
    assert items(output) == []
    again = run_job(job, settings)  # what the dead one was told does not hold for its successor
    kills.assert_equal(kills.values_of(settings, again.id), values)
