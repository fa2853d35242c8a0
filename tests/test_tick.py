"""Steps of a run: nothing is submitted twice, whoever dies when; what fails is retried by class, what depends on it waits.

The engine is the fake of `fakes.py`; processes, registry and command line are real.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeBackend, add_fake_run, start

from infra.settings import Settings
from infra.storage import Location
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow
from pipelines.run import cancel, retry
from pipelines.status import status
from pipelines.step import Stepper
from pipelines.steward import LEASE, _resigned, held


@dataclass
class House:
    """A registry, an output and an engine in one folder."""

    folder: Path
    registry: Registry
    engine: FakeBackend
    settings: Settings

    def add(self, needs: dict[str, Sequence[str]], *, run: str = "r1") -> None:
        add_fake_run(self.registry, Location.parse(str(self.folder / "out")), needs, run=run)

    def step(self, *, run: str = "r1", times: int = 1) -> str:
        """State of the run after steps of a process that remembers nothing."""
        for _ in range(times):
            row = self.registry.find_run(run)
            Stepper(registry=self.registry, run=row, settings=self.settings, engines={"fake": self.engine}).step()
        return self.registry.find_run(run).state

    def finish(self, *, run: str = "r1", steps: int = 12) -> str:
        """State of the run when it has ended; no wait is waited for."""
        for _ in range(steps):
            self.hurry()
            if self.step(run=run) != "running":
                break
        return self.registry.find_run(run).state

    def hurry(self) -> None:
        """Let every back-off be over."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        for row in self.registry.operations():
            if row.not_before and row.not_before > past:
                self.registry.change(row, event="hurried", not_before=past)

    def last(self, task: str, *, run: str = "r1") -> OperationRow:
        return self.registry.operations(run=run, task=task)[-1]

    def states(self, *, run: str = "r1") -> dict[str, str]:
        return {t.name: str(self.last(t.name, run=run).believed) for t in self.registry.tasks(run)}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        environment["SARBATCH_REGISTRY"] = self.settings.registry_url
        return start(*arguments, engine=self.engine, state=self.folder / "state", **environment)

    def call(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return out


@contextmanager
def house_with(folder: Path, registry: str | None) -> Iterator[House]:
    settings = Settings(state_dir=folder / "state", registry=registry)
    with Registry.open(settings.registry_url) as opened:
        yield House(folder, opened, FakeBackend(folder / "engine.sqlite"), settings)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_with(tmp_path, None) as house:
        yield house


@pytest.fixture
def any_house(tmp_path: Path, registry_url: str) -> Iterator[House]:
    """A house for each kind of database: what processes at once must not break."""
    with house_with(tmp_path, registry_url) as house:
        yield house


# Once, whoever takes the steps


def test_ticks_and_looks_at_once_submit_each_of_a_thousand_operations_once(any_house: House) -> None:
    any_house.add({f"t{i:04d}": () for i in range(1000)})
    for _ in range(6):
        crowd = [any_house.start("tick"), any_house.start("status", "--json"), any_house.start("tick")]
        outputs = [process.communicate(timeout=200) for process in crowd]
        assert [process.returncode for process in crowd] == [0, 0, 0], [err for _, err in outputs]
        shown = json.loads(outputs[1][0])["runs"][0]
        assert len(shown["tasks"]) == 1000
        if any_house.registry.find_run("r1").state == "done":
            break
    assert set(any_house.states().values()) == {"done"}
    assert len(any_house.engine.operations()) == 1000
    assert set(any_house.engine.submissions().values()) == {1}
    assert len(any_house.registry.operations()) == 1000


def test_without_the_lease_the_registry_alone_lets_one_process_submit(any_house: House) -> None:
    """As on two machines whose lease has run out: rows change by compare-and-swap."""
    any_house.add({f"t{i:02d}": () for i in range(60)})
    script = (
        "import os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from fakes import FakeBackend; from infra.settings import Settings\n"
        "from pipelines.registry.registry import Registry; from pipelines.step import Stepper\n"
        "folder = Path(sys.argv[2]); settings = Settings(state_dir=folder / 'state', registry=sys.argv[3])\n"
        "with Registry.open(settings.registry_url) as registry:\n"
        "    engines = {'fake': FakeBackend(folder / 'engine.sqlite')}\n"
        "    stepper = Stepper(registry=registry, run=registry.find_run('r1'), settings=settings, engines=engines)\n"
        "    print('ready', flush=True); sys.stdin.readline()\n"
        "    while not stepper.step(): pass\n"
    )
    url = any_house.settings.registry_url
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(any_house.folder), url]
    crowd = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in crowd:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in crowd:
        process.communicate("go\n", timeout=100)
        assert process.returncode == 0
    assert any_house.states() == {f"t{i:02d}": "done" for i in range(60)}
    assert len(any_house.engine.operations()) == len(any_house.registry.operations()) == 60
    assert len(any_house.engine.submissions()) == 60


def test_of_two_that_saw_the_same_one_submits(any_house: House) -> None:
    any_house.add({"a": (), "b": ()})
    run = any_house.registry.find_run("r1")
    one, other = (
        Stepper(registry=any_house.registry, run=run, settings=any_house.settings, engines={"fake": any_house.engine})
        for _ in range(2)
    )
    one.poll()
    other.poll()
    one._submit()
    other._submit()  # what it read has changed
    assert list(any_house.engine.submissions().values()) == [1, 1]
    assert set(any_house.states().values()) == {"queued"}


@pytest.mark.parametrize("point", ["intent", "submit", "before-accept", "after-accept"])
def test_a_step_that_is_killed_is_finished_by_the_next(any_house: House, point: str) -> None:
    any_house.add({"a": (), "b": ("a",), "c": ()})
    faults = {}
    if point in {"intent", "submit"}:
        faults = {"SARBATCH_FAULT": point, "SARBATCH_FAULT_FILE": str(any_house.folder / "died")}
    else:
        any_house.engine.script("a", crash=point)
    killed = any_house.start("tick", **faults)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert any_house.last("a").believed == "submitting"
    assert any_house.last("a").handle is None

    began = time.monotonic()
    any_house.call("tick")
    assert time.monotonic() - began < LEASE / 2  # the dead one's lease is not waited for
    assert any_house.last("a").handle is not None
    assert any_house.finish() == "done"
    assert sorted(row["task"] for row in any_house.engine.operations()) == ["a", "b", "c"]
    assert len(any_house.registry.operations()) == 3
    first = any_house.last("a").request_id
    assert any_house.engine.submissions()[first] == (2 if point == "before-accept" else 1)  # what it has is adopted


def test_a_lost_answer_is_no_second_operation(house: House) -> None:
    house.add({"a": ()})
    house.engine.script("a", lose_answer=True)
    house.step()
    waiting = house.last("a")
    assert (waiting.believed, waiting.handle) == ("submitting", None)
    assert waiting.error is not None
    assert waiting.error["class"] == "transient"
    house.step()  # not before its time
    assert house.last("a").version == waiting.version
    assert house.finish() == "done"
    assert len(house.engine.operations()) == 1
    assert set(house.engine.submissions().values()) == {1}  # it was found, not sent again
    assert [row.attempt for row in house.registry.operations()] == [1]


def test_runs_that_want_the_same_key_share_the_operation(house: House) -> None:
    for run in ("r1", "r2"):
        house.add({"a": ()}, run=run)
        house.step(run=run)
    assert house.finish() == "done"
    assert house.finish(run="r2") == "done"
    assert len(house.engine.operations()) == 1


# Room


def test_never_more_is_unfinished_than_the_queue_takes(house: House) -> None:
    house.engine.queue = 3
    house.add({f"a{i}": () for i in range(8)})
    house.add({f"b{i}": () for i in range(4)}, run="r2")
    for _ in range(20):
        house.step()
        house.step(run="r2")
    assert house.engine.peak() == 3
    assert [house.registry.find_run(run).state for run in ("r1", "r2")] == ["done", "done"]
    assert set(house.engine.submissions().values()) == {1}  # none was even refused


def test_a_full_queue_uses_up_no_attempt(house: House) -> None:
    """Somebody else fills the engine: it is asked again later, ever later, and the reason stands on the record."""
    house.add({"a": (), "b": ()})
    house.engine.script("a", refuse="quota", times=5)
    waits = []
    for _ in range(5):
        house.hurry()
        house.step()
        row = house.last("a")
        assert row.error is not None
        assert row.error["class"] == "quota"
        assert row.not_before is not None
        waits.append((row.not_before - datetime.now(UTC)).total_seconds())
        assert house.last("b").believed in {"waiting", "submitting"}  # it is not asked twice in a step
    assert all(later > 1.5 * sooner for sooner, later in pairwise(waits)), waits
    assert house.finish() == "done"
    assert [row.attempt for row in house.registry.operations()] == [1, 1]


# Failures by class


@pytest.mark.parametrize("error_class", ["transient", "quota"])
def test_what_may_work_in_a_moment_is_tried_again_later_each_time(house: House, error_class: str) -> None:
    house.add({"a": ()})
    house.engine.script("a", fail=error_class, times=2)
    assert house.finish(steps=20) == "done"
    rows = house.registry.operations(task="a")
    assert [(row.attempt, str(row.believed)) for row in rows] == [(1, "failed"), (2, "failed"), (3, "done")]
    assert all(row.error and row.error["class"] == error_class and row.error["verdict"] for row in rows[:2])
    added = [event for event in house.registry.events("r1") if event.kind.startswith("retry")]
    waits = [(datetime.fromisoformat(event.payload["not_before"]) - event.time).total_seconds() for event in added]
    assert 0 < waits[0] < waits[1]
    assert len({row["request_id"] for row in house.engine.operations()}) == 3


@pytest.mark.parametrize(
    ("when", "error_class"),
    [
        *(("refuse", name) for name in ("user", "credentials", "resource", "engine")),
        *(("fail", name) for name in ("user", "credentials", "resource", "engine", "internal")),
    ],
)
def test_what_will_not_work_again_is_not_tried_again(house: House, error_class: str, when: str) -> None:
    house.add({"a": (), "b": ()})
    house.engine.script("a", **{when: error_class})
    assert house.finish() == "failed"
    assert house.states() == {"a": "failed", "b": "done"}
    row = house.last("a")
    assert row.attempt == 1
    assert row.error is not None
    assert row.error["class"] == error_class
    assert error_class in row.error["verdict"]
    assert row.ended is not None


def test_an_operation_is_given_up_after_its_last_attempt_and_says_so(house: House) -> None:
    house.add({"a": ()})
    house.engine.script("a", fail="transient", times=99)
    assert house.finish(steps=30) == "failed"
    assert [row.attempt for row in house.registry.operations()] == [1, 2, 3]
    assert "3 attempts" in (house.last("a").error or {})["verdict"]


def test_attempts_that_get_further_never_run_out(house: House) -> None:
    house.add({"a": ()})
    house.engine.script("a", fail="transient", advanced=True, times=7)
    assert house.finish(steps=40) == "done"
    assert house.last("a").attempt == 8


def test_a_lost_operation_is_a_new_attempt(house: House) -> None:
    house.add({"a": ()})
    house.engine.script("a", lose=True)
    assert house.finish() == "done"
    assert [str(row.believed) for row in house.registry.operations()] == ["lost", "done"]


def test_an_engine_that_does_not_answer_is_given_up_under_one_request_id(house: House) -> None:
    house.add({"a": ()})
    house.engine.script("a", refuse="transient", times=99)
    assert house.finish() == "failed"
    assert set(house.engine.submissions().values()) == {house.settings.max_attempts}
    assert house.engine.operations() == []


# What depends on it


def test_dependents_start_when_what_they_need_is_done(house: House) -> None:
    house.add({"a": (), "b": ("a",), "c": ("a", "b")})
    house.step()
    assert house.states() == {"a": "queued", "b": "waiting", "c": "waiting"}
    assert house.finish() == "done"
    assert [row["task"] for row in house.engine.operations()] == ["a", "b", "c"]


def test_dependents_of_a_failed_task_are_not_started_and_say_why(house: House) -> None:
    house.add({"a": (), "b": ("a",), "c": ("b",), "d": ()})
    house.engine.script("a", fail="user")
    assert house.finish() == "failed"
    assert house.states() == {"a": "failed", "b": "cancelled", "c": "cancelled", "d": "done"}
    assert [(house.last(name).error or {})["message"] for name in "bc"] == [
        "needs a, which was not made",
        "needs b, which was not made",
    ]
    assert sorted(row["task"] for row in house.engine.operations()) == ["a", "d"]


# Cancel and retry


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_cancel_waiting_submitted_and_running(house: House, steps: int) -> None:
    house.engine.polls = 9
    house.add({"a": (), "b": ("a",)})
    house.step(times=steps)
    assert house.states()["a"] == ["waiting", "queued", "running"][steps]
    assert cancel(house.registry, "r1") == 2
    if steps:
        house.step()
        assert house.states()["a"] == "cancelling"
    assert house.finish() == "cancelled"
    assert house.states() == {"a": "cancelled", "b": "cancelled"}
    assert not (house.folder / "out" / "fake").exists()  # nothing was published
    assert cancel(house.registry, "r1") == 0


def test_cancel_of_one_task_leaves_the_others(house: House) -> None:
    house.add({"a": (), "b": ("a",), "c": ()})
    assert cancel(house.registry, "r1", task="a") == 1
    assert house.finish() == "cancelled"
    assert house.states() == {"a": "cancelled", "b": "cancelled", "c": "done"}


def test_cancel_finds_what_was_submitted_by_one_who_died(house: House) -> None:
    house.engine.script("a", crash="after-accept")
    house.add({"a": ()})
    house.start("tick").communicate(timeout=60)
    assert house.last("a").handle is None
    cancel(house.registry, "r1")
    assert house.finish() == "cancelled"
    assert [row["state"] for row in house.engine.operations()] == ["cancelled"]


def test_retry_after_a_failure_makes_what_was_not_made(house: House) -> None:
    house.add({"a": (), "b": ("a",), "c": ("b",), "d": ()})
    house.engine.script("a", fail="user")
    house.finish()
    assert retry(house.registry, "r1", task="a") == 3
    assert house.registry.find_run("r1").state == "running"
    assert house.finish() == "done"
    assert {name: house.last(name).attempt for name in "abcd"} == {"a": 2, "b": 2, "c": 2, "d": 1}
    assert retry(house.registry, "r1") == 0


def test_retry_starts_the_count_of_attempts_anew(house: House) -> None:
    house.add({"a": ()})
    house.engine.script("a", fail="transient", times=5)
    assert house.finish(steps=30) == "failed"
    assert retry(house.registry, "r1") == 1
    assert house.finish(steps=30) == "done"
    assert house.last("a").attempt == 6


def test_retry_of_what_may_have_been_accepted_keeps_its_request_id(house: House) -> None:
    """Every answer was lost, and the last one given up: the engine has it all the same."""
    house.add({"a": ()})
    house.engine.script("a", refuse="transient", times=house.settings.max_attempts - 1)
    house.engine.script("a", lose_answer=True)
    assert house.finish() == "failed"
    assert len(house.engine.operations()) == 1
    assert retry(house.registry, "r1") == 1
    assert house.finish() == "done"
    assert len(house.engine.operations()) == 1


# One at a time, and the dead do not hold others up


def test_one_process_holds_a_run_at_a_time(any_house: House) -> None:
    with (
        held(any_house.registry, "r1") as mine,
        held(any_house.registry, "r1") as yours,
        held(any_house.registry, "r2") as other,
    ):
        assert (mine, yours, other) == (True, False, True)
    with held(any_house.registry, "r1") as again:
        assert again


def test_a_living_holder_is_left_alone_and_a_killed_one_passed_over_at_once(any_house: House) -> None:
    script = (
        "import sys; from pipelines.registry.registry import Registry; from pipelines.steward import held\n"
        "with Registry.open(sys.argv[1]) as registry, held(registry, 'r1') as mine:\n"
        "    print(mine, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, any_house.settings.registry_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with held(any_house.registry, "r1") as mine:
            assert not mine
        holder.kill()
        holder.wait()
        with held(any_house.registry, "r1") as mine:
            assert mine


def test_the_lease_of_another_machine_is_waited_for(any_house: House) -> None:
    owner = "another-machine/1 1 12345 abcd"
    assert any_house.registry.lease("run:r1", owner, 0.3)
    with held(any_house.registry, "r1") as mine:
        assert not mine
    time.sleep(0.35)
    with held(any_house.registry, "r1") as mine:
        assert mine


def test_a_steward_goes_only_if_the_run_was_not_opened_again(house: House) -> None:
    """Who opens it again sees that a steward lives, and starts none."""
    house.add({"a": ()})
    mark = house.settings.state_dir / "stewards" / "r1"
    mark.parent.mkdir()
    mark.write_text("1 1")
    assert not _resigned(house.registry, "r1", house.settings)
    assert mark.exists()
    house.finish()
    assert _resigned(house.registry, "r1", house.settings)
    assert not mark.exists()


# A step costs what its tasks cost


def test_the_queries_of_a_step_do_not_grow_with_the_tasks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for run, number in (("r1", 5), ("r2", 80)):
        house.add({f"{run}{i:02d}": () for i in range(number)}, run=run)
        house.step(run=run)
        seen = _counted(house.registry, monkeypatch)
        house.step(run=run)
        counts.append(len(seen))
        monkeypatch.undo()
    assert counts[0] == counts[1] > 0


def _counted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    for name in ("tasks", "operations", "operation", "change", "change_all", "find_run"):
        original = getattr(registry, name)

        def counted(*args: Any, _name: str = name, _original: Any = original, **kwargs: Any) -> Any:
            seen.append(_name)
            return _original(*args, **kwargs)

        monkeypatch.setattr(registry, name, counted)
    return seen


def test_status_tells_what_the_run_came_to(house: House) -> None:
    house.add({"a": (), "b": ("a",)})
    house.engine.script("a", fail="credentials")
    house.finish()
    [run] = status(house.registry, house.registry.runs())["runs"]
    assert run["state"] == "failed"
    assert [(task["task"], str(task["state"])) for task in run["tasks"]] == [("a", "failed"), ("b", "cancelled")]
    assert run["tasks"][0]["error"] == {
        "class": "credentials",
        "message": "failed: credentials",
        "remedy": "The script says so.",
    }
