"""The files of a schedule, for each of the places that can keep the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import UserError
from pipelines.kinds.model import nearest
from pipelines.schedule.times import Times

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.job import Job

PLACES = ("cron", "github-actions")
LATER = ("kubernetes", "eventbridge")


@dataclass(frozen=True, kw_only=True)
class ScheduleFile:
    """One file: where it belongs, and what stands in it."""

    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where and how `sarbatch` runs now, which a schedule repeats.

    Attributes
    ----------
    command : absolute path of the command
    version : of sarbatch
    folder : current folder, absolute: sarbatch.toml is looked for there
    environment : variables of the process
    """

    command: str
    version: str
    folder: Path
    environment: Mapping[str, str]
    settings: Settings


def make_schedule(job: Job, *, cron: str, to: str, surroundings: Surroundings) -> tuple[ScheduleFile, ...]:
    """Files that run a job at the times of a cron expression.

    Parameters
    ----------
    cron : five fields, "0 6 * * MON"
    to : "cron" or "github-actions"

    Raises
    ------
    UserError
        If the expression is wrong, the place is none of these, or it cannot run this job.
    """
    if to not in PLACES:
        what = f"a schedule for {to} is not there yet" if to in LATER else f"'{to}' is no place for a schedule"
        near = nearest(to, PLACES)
        raise UserError(f"{what}{f'; {near}' if near else ''}", f"There are: {', '.join(PLACES)}.")
    times = Times.parse(cron)
    if to == "cron":
        from pipelines.schedule.crontab import crontab

        return (crontab(job, times=times, surroundings=surroundings),)
    from pipelines.schedule.github_actions import workflow

    return (workflow(job, times=times, surroundings=surroundings),)
