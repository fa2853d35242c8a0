"""The plan: what will be made, by which engine and why, at what cost, and what is there already. Runs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from infra.errors import InputError, JobError, OutputError, SarbatchError
from infra.region import Region, read_region
from infra.storage import Location, S3Options
from pipelines.backends import load_backend
from pipelines.choice import ENGINES, Candidate, choose
from pipelines.cost import Estimate
from pipelines.job import Job, Task
from pipelines.keys import Identity, short
from pipelines.kinds.binding import Request, Survey
from pipelines.kinds.model import identity
from pipelines.orders import Order
from pipelines.products import is_published

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend
    from pipelines.cost import Work

TaskState = Literal["new", "done", "stale"]
Window = tuple[datetime, datetime]  # UTC, the end exclusive


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    """One task: what is made, by which engine, why, and at what cost.

    Attributes
    ----------
    state : done (the key is published), stale (its line is, with other scenes), new
    why_stale : in words, one line each
    estimate : of what is left to do; zero where the task is done
    used, dropped : scenes, and what was left out with its reason
    needs : names of the tasks that come before
    """

    task: str
    state: TaskState
    why_stale: tuple[str, ...]
    backend: str
    reason: str
    would_change: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    estimate: Estimate
    used: tuple[str, ...]
    dropped: tuple[Mapping[str, str], ...]
    needs: tuple[str, ...]
    order: Order

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` shows it."""
        return {
            "task": self.task,
            "kind": self.order.kind,
            "key": self.order.key,
            "state": self.state,
            "why_stale": list(self.why_stale),
            "backend": self.backend,
            "reason": self.reason,
            "would_change": list(self.would_change),
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "estimate": self.estimate.to_json(),
            "inputs": {"used": list(self.used), "dropped": [dict(row) for row in self.dropped]},
        }


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do; a frozen value that can be printed, compared and run.

    Attributes
    ----------
    output : absolute folder or s3:// URL
    period : where the job's period rolls, what it was when the plan was made: {"rule", "start", "end"}, UTC, the end
        exclusive; None otherwise
    problems : what stops a run before it starts (a disk too small), in words
    """

    job: str
    job_text: str
    output: Location
    tasks: tuple[TaskPlan, ...]
    period: Mapping[str, str] | None = None
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` shows it."""
        rolling = {"period": dict(self.period)} if self.period else {}
        return {"schema": 1, "job": self.job, **rolling, "tasks": [task.to_json() for task in self.tasks]}

    def geojson(self) -> dict[str, Any]:
        """Outline of each task's grid in WGS84, as a FeatureCollection to look at on a map."""
        from pipelines.products import footprint

        features = [
            {
                "type": "Feature",
                "geometry": footprint(task.order),
                "properties": {
                    "task": task.task,
                    "kind": task.order.kind,
                    "state": task.state,
                    "backend": task.backend,
                },
            }
            for task in self.tasks
        ]
        return {"type": "FeatureCollection", "features": features}


def make_plan(job: Job, *, settings: Settings | None = None, now: datetime | None = None) -> Plan:
    """Plan of a job: opens what the job names, reads headers and no pixel, runs nothing.

    Parameters
    ----------
    now : moment that a period such as `last: 90d` counts from, with its zone; default: this one

    Raises
    ------
    UserError
        For anything in the job's files that the user can mend: no scenes, an area outside, mixed radiometry…
    EngineError
        If a store or engine cannot be reached.
    """
    if settings is None:
        from infra.settings import load_settings

        settings = load_settings()
    s3 = settings.s3
    output = Location.parse(job.output, base=job.folder, s3=s3)
    with _told(f"{job.file}: area.file"):
        region = _region(job, s3)
    window = job.period.window(now or datetime.now(UTC)) if job.period else None
    planner = _Planner(job=job, settings=settings, output=output, region=region, window=window)
    tasks = tuple(planner.plan(task) for task in job.tasks)
    return Plan(
        job=job.name,
        job_text=job.text,
        output=output,
        tasks=tasks,
        period=_resolved(job, window),
        problems=_problems(job, output, tasks),
    )


def _resolved(job: Job, window: Window | None) -> Mapping[str, str] | None:
    """What a period that rolls is in this plan."""
    if job.period is None or job.period.rule is None or window is None:
        return None
    return {"rule": job.period.rule, "start": window[0].isoformat(), "end": window[1].isoformat()}


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What is said to the user, with the place in the job file that leads there."""
    try:
        yield
    except SarbatchError as error:
        raise type(error)(f"{where}: {error.message}", error.remedy) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(
            f"{where}: {error.filename}: {error.strerror}", "Mend the path in the job, or the rights to it."
        ) from error


def _region(job: Job, s3: S3Options) -> Region | None:
    area = job.area
    if area is None:
        return None
    if area.bbox is not None:
        west, south, east, north = area.bbox
        ring = f"{west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}"
        return Region(wkt=f"POLYGON (({ring}))", masks=False)
    if area.wkt is not None:
        return Region.from_wkt(area.wkt)
    return read_region(Location.parse(str(area.file), base=job.folder, s3=s3).url)


def _problems(job: Job, output: Location, tasks: tuple[TaskPlan, ...]) -> tuple[str, ...]:
    """What is known of the output without writing to it; the rest shows when the run begins."""
    if output.is_s3:
        return ()
    where = f"{job.file}: output: {output.url}"
    there = next(path for path in (Path(output.url), *Path(output.url).parents) if os.path.lexists(path))
    if not there.is_dir():
        return (f"{where} cannot be a folder: {there} is {'a file' if there.exists() else 'a broken link'}",)
    if not os.access(there, os.W_OK | os.X_OK):
        return (f"{where} cannot be written: {there} is read-only",)
    needed, free = sum(task.estimate.bytes_written for task in tasks), output.free_bytes()
    if free is not None and needed > free:
        return (f"{where} has {_size(free)} free, but about {_size(needed)} will be written",)
    return ()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"


class _Planner:
    """Plans tasks one after the other; each sees what was found for those that it needs."""

    def __init__(
        self, *, job: Job, settings: Settings, output: Location, region: Region | None, window: Window | None
    ) -> None:
        self.job, self.settings, self.output, self.region, self.window = job, settings, output, region, window
        self.surveys: dict[str, Survey] = {}
        self.orders: dict[str, Order] = {}

    def plan(self, task: Task) -> TaskPlan:
        with _told(f"{self.job.file}: tasks.{task.name}"):
            return self._plan(task)

    def _plan(self, task: Task) -> TaskPlan:
        engines = {name: load_backend(name, self.settings) for name in ENGINES if name in task.spec.backends}
        surveys = {name: backend.binding(task.kind).survey(self._request(task)) for name, backend in engines.items()}
        candidates = tuple(_candidate(name, task, engines, surveys) for name in ENGINES)
        choice = choose(candidates, wanted=task.backend)
        survey = surveys[choice.backend]
        order = self._order(task, survey, backend=choice.backend)
        state, notes, estimate = self._state(order, survey, engines[choice.backend])
        _check_budget(task, estimate)
        self.surveys[task.name], self.orders[task.name] = survey, order
        return TaskPlan(
            task=task.name,
            state=state,
            why_stale=notes,
            backend=choice.backend,
            reason=choice.reason,
            would_change=choice.would_change,
            candidates=candidates,
            estimate=estimate,
            used=tuple(survey.used),
            dropped=tuple(survey.dropped),
            needs=tuple(dict.fromkeys(task.references().values())) if survey.takes_inputs else (),
            order=order,
        )

    def _request(self, task: Task) -> Request:
        return Request(
            task=task.name,
            parameters=task.parameters,
            region=self.region,
            period=self.window,
            folder=self.job.folder,
            output=self.output,
            settings=self.settings,
            inputs={parameter: self.surveys[name] for parameter, name in task.references().items()},
        )

    def _order(self, task: Task, survey: Survey, *, backend: str) -> Order:
        inputs = {parameter: self.orders[name] for parameter, name in task.references().items()}
        period = self.job.period
        files = {"files": survey.extra} if survey.extra is not None else {}
        identified = Identity(
            kind=task.kind,
            version=task.spec.version,
            parameters={**identity(task.parameters, line=False), **files},
            line_parameters={**identity(task.parameters, line=True), **files},
            area={"wkt": self.region.wkt, "masks": self.region.masks} if self.region else None,
            period=period.identity() if period else None,
            grid=survey.grid,
            radiometry=survey.radiometry,
            inputs={parameter: order.key for parameter, order in inputs.items()},
            input_lines={parameter: order.line for parameter, order in inputs.items()},
            scenes=survey.scenes,
            window=self._day(survey, inputs),
        )
        return Order(
            job=self.job.name,
            task=task.name,
            kind=task.kind,
            key=identified.key,
            line=identified.line,
            output=self.output.url,
            s3=self.output.s3,
            parameters=task.parameters.model_dump(mode="json", by_alias=True),
            region=self.region,
            inputs=inputs,
            document=survey.document,
            backend=backend,
            tiles=tuple(survey.tiles),
            budget=task.budget.model_dump(exclude_none=True) if task.budget else {},
        )

    def _day(self, survey: Survey, inputs: Mapping[str, Order]) -> list[str] | None:
        """Dates of a period that rolls, for the key of what no scene or input tells from the same of another day."""
        if _resolved(self.job, self.window) is None or survey.scenes or inputs or self.window is None:
            return None
        return [moment.isoformat() for moment in self.window]

    def _rolled(self, survey: Survey, left: Work) -> list[str]:
        """Why all is made anew, where a scene may have left a period that rolls: the store only says that it vanished."""
        period = _resolved(self.job, self.window)
        if period is None or not survey.scenes or left.pixels < survey.work.pixels:
            return []
        return [
            f"the period is the {period['rule']}, now from {period['start'][:10]} on: a scene that leaves it costs a new store of all dates"
        ]

    def _state(self, order: Order, survey: Survey, backend: Backend) -> tuple[TaskState, tuple[str, ...], Estimate]:
        if is_published(order):
            return "done", (), Estimate()
        continuation = backend.binding(order.kind).continuation(order, survey)
        estimate = backend.estimate(continuation.work)
        if self.output.list(f".sarbatch/lines/{short(order.line)}"):
            notes = [*continuation.notes, *self._rolled(survey, continuation.work)]
            return "stale", tuple(notes), estimate
        return "new", (), estimate


def _candidate(name: str, task: Task, engines: Mapping[str, Backend], surveys: Mapping[str, Survey]) -> Candidate:
    if name not in engines:
        return Candidate(backend=name, able=False, why=f"{task.kind} is made on {', '.join(engines)} only")
    survey = surveys[name]
    return Candidate(
        backend=name,
        able=True,
        why="it makes this kind, and its inputs are files",
        estimate=engines[name].estimate(survey.work),
    )


def _check_budget(task: Task, estimate: Estimate) -> None:
    for name in ("core_hours", "eecu_hours"):
        allowed = getattr(task.budget, name) if task.budget else None
        if allowed is not None and getattr(estimate, name) > allowed:
            raise JobError(
                f"budget: about {getattr(estimate, name):.3g} {name.replace('_', '-')} are needed, {allowed:g} allowed",
                "Raise the budget, or take a smaller area or period.",
            )
    if task.deadline is not None and estimate.wall_seconds > task.deadline.total_seconds():
        raise JobError(
            f"deadline: about {estimate.wall_seconds:.0f} s are needed, {task.deadline.total_seconds():.0f} s allowed",
            "Give it longer, more workers (SARBATCH_WORKERS), or a smaller area or period.",
        )


def refuse(plan: Plan) -> None:
    """Stop before anything starts if the plan has problems.

    Raises
    ------
    OutputError
        With every problem.
    """
    if plan.problems:
        raise OutputError(
            "; ".join(plan.problems),
            "Nothing was started. Choose another output, free space there, or take a smaller area or period.",
        )
