"""The plan: what will be made, by which engine and why, at what cost, and what is there already. Runs nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import OutputError
from infra.region import Region, read_region
from infra.storage import Location, S3Options
from pipelines.job import Job
from pipelines.task_plans import Planner, TaskPlan, resolved, told

if TYPE_CHECKING:
    from infra.settings import Settings

__all__ = ["Plan", "TaskPlan", "make_plan", "refuse"]


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


def make_plan(
    job: Job, *, settings: Settings | None = None, now: datetime | None = None, compare: bool = False
) -> Plan:
    """Plan of a job: opens what the job names, reads headers and no pixel, runs nothing.

    Parameters
    ----------
    now : moment that a period such as `last: 90d` counts from, with its zone; default: this one
    compare : ask every engine, also where the job names one

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
    with told(f"{job.file}: area.file"):
        region = _region(job, s3)
    window = job.period.window(now or datetime.now(UTC)) if job.period else None
    planner = Planner(job=job, settings=settings, output=output, region=region, window=window, compare=compare)
    tasks = tuple(planner.plan(task) for task in job.tasks)
    return Plan(
        job=job.name,
        job_text=job.text,
        output=output,
        tasks=tasks,
        period=resolved(job, window),
        problems=_problems(job, output, tasks),
    )


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
