"""What the registry gives and takes: frozen rows of plain values, times UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.backends.protocol import State

RunState = Literal["running", "done", "failed", "cancelled"]
Wanted = Literal["run", "cancel"]


def now() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run of a job.

    Attributes
    ----------
    id : "YYYYMMDD-HHMMSS-xxxx"
    job : name of the job
    output : folder or s3:// URL
    job_text : the job file as it was
    document : whatever the planner keeps, plain JSON values
    state : written when the run ends; until then "running"
    ended : None while it runs
    """

    id: str
    job: str
    output: str
    job_text: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    state: RunState = "running"
    started: datetime = field(default_factory=now)
    ended: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """One task of a run, as planned; what became of it is the sum of its operations.

    Attributes
    ----------
    position : order in the job file, from 0
    key, line : identity of what it makes; `line` is None where the kind appends nothing
    backend, reason : who makes it, and why
    needs : names of the tasks that must be done first
    estimate : as `plan --json` shows it
    document : the order
    """

    run: str
    name: str
    position: int
    kind: str
    key: str
    line: str | None = None
    backend: str
    reason: str = ""
    needs: tuple[str, ...] = ()
    estimate: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OperationRow:
    """One attempt at one tile of a task.

    Attributes
    ----------
    id : "run/task/tile/attempt" unless given
    tile : "whole" where the task is one operation
    attempt : from 1
    request_id : deterministic; two runs (or tasks) that want the same key share it, and so share the engine's operation
    handle : the engine's name of it, None before it is submitted
    wanted, believed, engine_state : what the user wants, what we believe, what the engine said last
    progress : 0 to 1, None where unknown
    usage : as `Report.usage`
    error : as `Failure.to_json`, None where there is none
    version : number of changes so far; `Registry.change` compares and swaps on it
    not_before : earliest time to submit it (back-off), None for at once
    """

    run: str
    task: str
    key: str
    request_id: str
    tile: str = "whole"
    attempt: int = 1
    id: str = ""
    handle: str | None = None
    wanted: Wanted = "run"
    believed: State = State.WAITING
    engine_state: str = ""
    progress: float | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    version: int = 0
    not_before: datetime | None = None
    started: datetime | None = None
    updated: datetime = field(default_factory=now)
    ended: datetime | None = None

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", f"{self.run}/{self.task}/{self.tile}/{self.attempt}")


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of an operation: the row as it was read, the kind of the event that records it, and the new values."""

    operation: OperationRow
    event: str
    columns: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ProductRow:
    """One product of a task. `name`, `role`, `media_type` and all labels together are unique within a task.

    Attributes
    ----------
    run, task : filled in by `Registry.add_products`
    role : "store", "raster", "table", "figure", "report" or "file"
    polarization, date, period, orbit, zone : labels, None where they do not apply
    href : absolute path or s3:// URL
    bytes : size, None where unknown
    units : None where the product has none
    key : of the task that made it
    """

    run: str = ""
    task: str = ""
    kind: str
    name: str
    role: str
    polarization: str | None = None
    date: str | None = None
    period: str | None = None
    orbit: str | None = None
    zone: str | None = None
    href: str
    media_type: str
    bytes: int | None = None
    units: str | None = None
    key: str
    created: datetime = field(default_factory=now)


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """One thing that happened; never changed, never removed.

    Attributes
    ----------
    id : grows; an event seen later has a higher one
    task, operation : None where the event is of the whole run
    kind : what happened ("submitted", "progress", "run-ended")
    payload : what it changed, plain JSON values
    """

    id: int
    run: str
    task: str | None
    operation: str | None
    time: datetime
    kind: str
    payload: Mapping[str, Any]
