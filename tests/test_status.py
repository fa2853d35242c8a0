"""What `status --json` says of runs whose rows are known; and how a run stands, as its steps see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.backends.protocol import State
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow, RunRow, TaskRow
from pipelines.standing import Standing, is_given_up
from pipelines.status import ORDER, status

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ERROR = {"class": "transient", "message": "a worker died", "remedy": "It is tried again.", "verdict": "later"}


def task(name: str, *, needs: tuple[str, ...] = (), position: int = 0) -> TaskRow:
    return TaskRow(
        run="r",
        name=name,
        position=position,
        kind="backscatter-stack",
        key="k",
        backend="dask",
        reason="it alone can",
        needs=needs,
        estimate={"wall_seconds": 7.0},
    )


def operation(name: str, state: State, *, tile: str = "whole", attempt: int = 1, **more: Any) -> OperationRow:
    return OperationRow(
        run="r",
        task=name,
        key="k",
        request_id=f"{name}-{tile}-{attempt}",
        tile=tile,
        attempt=attempt,
        believed=state,
        **more,
    )


@pytest.fixture
def registry(registry_url: str) -> Iterator[Registry]:
    with Registry.open(registry_url) as opened:
        yield opened


def shown(registry: Registry, *operations: OperationRow, tasks: tuple[TaskRow, ...] = (task("a"),)) -> dict[str, Any]:
    registry.add_run(RunRow(id="r", job="job", output="/out", started=BEGAN), tasks, operations)
    value = json.loads(json.dumps(status(registry, registry.runs())))  # it must be plain JSON
    assert value["schema"] == 1
    [run] = value["runs"]
    return dict(run)


def test_a_run_has_every_key_of_the_schema(registry: Registry) -> None:
    run = shown(registry, operation("a", State.RUNNING, progress=0.25, engine_state="processing", started=BEGAN))
    assert {name: run[name] for name in ("run", "job", "state", "started", "ended")} == {
        "run": "r",
        "job": "job",
        "state": "running",
        "started": "2026-01-02T03:04:05+00:00",
        "ended": None,
    }
    [a] = run["tasks"]
    operations = a.pop("operations")
    assert a == {
        "task": "a",
        "kind": "backscatter-stack",
        "backend": "dask",
        "state": "running",
        "engine_state": "processing",
        "attempt": 1,
        "progress": 0.25,
        "reason": "it alone can",
        "error": None,
        "estimate": {"wall_seconds": 7.0},
        "actual": None,
    }
    assert operations == [
        {
            "tile": "whole",
            "attempt": 1,
            "request_id": "a-whole-1",
            "wanted": "run",
            "state": "running",
            "engine_state": "processing",
            "progress": 0.25,
            "started": "2026-01-02T03:04:05+00:00",
            "ended": None,
            "error": None,
        }
    ]


def test_a_run_that_has_ended_says_when(registry: Registry) -> None:
    shown(registry, operation("a", State.DONE))
    assert registry.end_run("r", "done")
    [run] = status(registry, registry.runs())["runs"]
    assert run["state"] == "done"
    assert datetime.fromisoformat(run["ended"]) - datetime.now(UTC) < timedelta(minutes=1)


def test_the_newest_attempt_counts_and_the_last_error_stays_until_it_is_done(registry: Registry) -> None:
    run = shown(registry, operation("a", State.FAILED, error=ERROR), operation("a", State.RUNNING, attempt=2))
    [a] = run["tasks"]
    assert (a["state"], a["attempt"]) == ("running", 2)
    assert a["error"] == {name: ERROR[name] for name in ("class", "message", "remedy")}
    assert [row["attempt"] for row in a["operations"]] == [1, 2]
    registry.change(registry.operations()[1], event="polled", believed=State.DONE)
    [done] = status(registry, registry.runs())["runs"][0]["tasks"]
    assert done["error"] is None
    assert done["operations"][0]["error"]["message"] == "a worker died"


def test_a_task_is_as_its_tile_that_most_needs_attention(registry: Registry) -> None:
    run = shown(
        registry,
        operation("a", State.DONE, tile="t1", progress=1.0, usage={"wall_seconds": 3.0, "advanced": 1.0}),
        operation("a", State.FAILED, tile="t2", error=ERROR),
        operation("a", State.RUNNING, tile="t2", attempt=2, progress=0.5),
        operation("a", State.WAITING, tile="t3"),
    )
    [a] = run["tasks"]
    assert a["state"] == "running"
    assert a["progress"] == pytest.approx(0.5)  # of three tiles
    assert a["actual"] == {"wall_seconds": 3.0}


def test_what_tiles_took_is_added_up(registry: Registry) -> None:
    run = shown(
        registry,
        *(operation("a", State.DONE, tile=f"t{i}", usage={"wall_seconds": 1.5, "core_hours": 0.25}) for i in range(4)),
    )
    assert run["tasks"][0]["actual"] == {"core_hours": 1.0, "wall_seconds": 6.0}


def test_every_state_has_its_place() -> None:
    assert set(ORDER) == set(State)
    assert ORDER[0] == State.FAILED
    assert ORDER[-1] == State.DONE


def test_no_run_is_no_error(registry: Registry) -> None:
    assert status(registry, registry.runs()) == {"schema": 1, "runs": []}


# How a run stands


def test_standing_knows_the_newest_attempts_and_takes_what_changed() -> None:
    standing = Standing([task("a"), task("b")], [operation("a", State.LOST), operation("b", State.DONE)])
    assert [row.believed for row in standing.latest()] == [State.LOST, State.DONE]
    standing.put(operation("a", State.WAITING, attempt=2))
    assert [row.believed for row in standing.latest()] == [State.WAITING, State.DONE]
    assert [row.attempt for row in standing.attempts(standing.latest("a")[0])] == [1, 2]
    assert (standing.done("a"), standing.done("b")) == (False, True)
    standing.put(operation("a", State.DONE, attempt=2))
    assert standing.done("a")


def test_a_task_is_hopeless_when_a_tile_of_it_is_cancelled_or_given_up() -> None:
    given_up = operation("a", State.FAILED, error=ERROR)
    unjudged = operation("a", State.FAILED, error={"class": "transient"})
    assert (is_given_up(given_up), is_given_up(unjudged)) == (True, False)
    for row, hopeless in ((given_up, True), (unjudged, False), (operation("a", State.CANCELLED), True)):
        standing = Standing([task("a")], [operation("a", State.DONE, tile="t1"), row])
        assert standing.hopeless("a") == hopeless
    again = Standing([task("a")], [given_up, operation("a", State.WAITING, attempt=2)])
    assert not again.hopeless("a")


def test_dependents_are_those_of_dependents_too() -> None:
    tasks = [task("a"), task("b", needs=("a",)), task("c", needs=("b",)), task("d"), task("e", needs=("d", "c"))]
    standing = Standing(tasks, [])
    assert standing.dependents("a") == {"b", "c", "e"}
    assert standing.dependents("d") == {"e"}
    assert standing.dependents("e") == set()
