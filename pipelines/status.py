"""Status: what every run, task and operation is doing, as `status --json` shows it. Reads the registry alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.backends.protocol import State
from pipelines.registry.rows import OperationRow, RunRow, TaskRow
from pipelines.spending import USED
from pipelines.standing import Standing, is_replaced

if TYPE_CHECKING:
    from pipelines.registry.registry import Registry

# A task is in the state that most needs attention among its operations.
ORDER = (
    State.FAILED,
    State.LOST,
    State.CANCELLING,
    State.CANCELLED,
    State.RUNNING,
    State.PUBLISHING,
    State.SUBMITTING,
    State.QUEUED,
    State.WAITING,
    State.DONE,
)


def status(registry: Registry, runs: Sequence[RunRow]) -> dict[str, Any]:
    """State of runs, in the schema of `status --json`."""
    return {"schema": 1, "runs": [_run(registry, run) for run in runs]}


def _run(registry: Registry, run: RunRow) -> dict[str, Any]:
    standing = Standing(registry.tasks(run.id), registry.operations(run=run.id))
    return {
        "run": run.id,
        "job": run.job,
        "state": run.state,
        "started": run.started.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "tasks": [_task(task, standing) for task in standing.tasks.values()],
    }


def _task(task: TaskRow, standing: Standing) -> dict[str, Any]:
    operations, latest = standing.operations(task.name), standing.latest(task.name)
    worst = min(latest, key=lambda row: ORDER.index(row.believed))
    errors = [
        row.error for row in sorted(operations, key=lambda row: row.attempt) if row.error and not is_replaced(row)
    ]
    # What failed says more than what was not begun because of it
    errors.sort(key=lambda error: error.get("class") != "cancelled")
    return {
        "task": task.name,
        "kind": task.kind,
        "backend": task.backend,
        "state": worst.believed,
        "engine_state": worst.engine_state,
        "attempt": worst.attempt,
        "progress": sum(row.progress or 0.0 for row in latest) / len(latest),
        "reason": task.reason,
        "error": _error(errors[-1]) if errors and worst.believed != State.DONE else None,
        "estimate": dict(task.estimate),
        "actual": _actual(operations),
        "operations": [_operation(row) for row in operations],
    }


def _actual(operations: list[OperationRow]) -> dict[str, float] | None:
    """What the operations took, attempts that failed included, added up; None while nothing has ended."""
    names = sorted({name for row in operations for name in row.usage} - {"advanced"})
    actual = {name: sum(row.usage.get(name, 0.0) for row in operations) for name in names}
    if USED in actual:
        actual["eecu_hours"] = actual[USED] / 3600
    spans = [(row.started, row.ended) for row in operations if row.started and row.ended]
    if "wall_seconds" in actual and len(operations) > 1 and spans:  # tiles are made side by side
        actual["wall_seconds"] = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
    return actual or None


def _operation(row: OperationRow) -> dict[str, Any]:
    return {
        "tile": row.tile,
        "attempt": row.attempt,
        "request_id": row.request_id,
        "wanted": row.wanted,
        "state": row.believed,
        "engine_state": row.engine_state,
        "progress": row.progress,
        "started": row.started.isoformat() if row.started else None,
        "ended": row.ended.isoformat() if row.ended else None,
        "error": _error(row.error) if row.error else None,
    }


def _error(error: Any) -> dict[str, str]:
    return {name: error.get(name, "") for name in ("class", "message", "remedy")}
