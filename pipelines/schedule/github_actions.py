"""A workflow for GitHub Actions: a machine that is there for one run and gone afterwards, its disk with it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import JobError, UserError
from infra.settings import PREFIX, Settings
from infra.storage import Location
from pipelines.job_text import VARIABLE
from pipelines.schedule.files import ScheduleFile, Surroundings

if TYPE_CHECKING:
    from pipelines.job import Job
    from pipelines.schedule.times import Times

SHORTEST = 5  # minutes: GitHub starts nothing more often
REPEATED = ("scheduler", "s3_endpoint", "s3_region", "s3_anonymous", "max_attempts", "lease_ttl", "block_bytes")
TEMPLATE = """\
# {job} on a schedule. Made by `sarbatch schedule`; belongs to the repository that holds the job file.
# Files that the job names have to be in the repository, or on s3://.
name: {title}
on:
  schedule:
    - cron: {cron} # UTC; GitHub may start it some minutes late
  workflow_dispatch: {{}}
permissions:
  contents: read
concurrency: # one at a time: a later one waits for the earlier one, and finds what it made
  group: {group}
  cancel-in-progress: false
env:
{environment}
jobs:
  run:
    runs-on: ubuntu-latest
    timeout-minutes: 360 # GitHub's limit; what was kept by then is gone on with by the next run
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: {install}
{adopt}      - run: {run}
"""
ADOPT = """\
      # Exit code 2: there is nothing to adopt yet. If the job file is wrong, the next step says so.
      - run: {run}
"""


def workflow(job: Job, *, times: Times, surroundings: Surroundings) -> ScheduleFile:
    """Workflow that runs the job while its runner waits.

    Raises
    ------
    UserError
        If the output is a folder of the runner, the job file lies outside the repository, or GitHub would not take
        the times.
    """
    settings = surroundings.settings
    output = Location.parse(job.output, base=job.folder, s3=settings.s3)
    if not output.is_s3:
        raise JobError(
            f"{job.file}: output: {job.output} is a folder, and a runner of GitHub has no disk left when it has ended",
            "Give an output on s3://bucket/prefix.",
        )
    _check(times)
    file = _in_repository(surroundings.folder / job.file)
    shared = settings.registry is not None and not settings.registry.startswith("sqlite")
    pinned = f"sarbatch{'[postgresql]' if shared else ''}=={surroundings.version}"
    # Without a registry that outlives the runner, the output itself says what there is; before the first run, nothing
    adopt = "" if shared else ADOPT.format(run=json.dumps(f"sarbatch adopt {shlex.quote(file)} || [ $? -eq 2 ]"))
    text = TEMPLATE.format(
        job=job.name,
        title=json.dumps(f"sarbatch {job.name}"),
        cron=json.dumps(times.text),
        group=json.dumps(f"sarbatch-{job.name}"),
        environment="\n".join(_environment(job, settings, shared=shared)),
        install=json.dumps(f"pip install {shlex.quote(pinned)}"),
        adopt=adopt,
        run=json.dumps(f"sarbatch run {shlex.quote(file)} --yes"),
    )
    return ScheduleFile(path=f".github/workflows/sarbatch-{job.name}.yml", text=text)


def _environment(job: Job, settings: Settings, *, shared: bool) -> list[str]:
    """Settings as they are, secrets and the job's own variables by their names."""
    lines = []
    for name in REPEATED:
        value = getattr(settings, name)
        if value is not None and value != Settings.model_fields[name].default:
            lines.append(f"  {PREFIX}{name.upper()}: {json.dumps(str(value).lower() if value is True else str(value))}")
    if settings.s3_region is None:
        lines.append(f"  AWS_REGION: {json.dumps(settings.s3.region_name)}")
    secrets = [] if settings.s3_anonymous else ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    lines += [f"  {name}: ${{{{ secrets.{name} }}}}" for name in [*secrets, *([f"{PREFIX}REGISTRY"] if shared else [])]]
    return [*lines, *(f"  {name}: ${{{{ vars.{name} }}}}" for name in sorted(set(VARIABLE.findall(job.text))))]


def _check(times: Times) -> None:
    if times.shortest_wait < SHORTEST:
        raise UserError(
            f"cron expression '{times.text}' comes every {times.shortest_wait} minutes, and GitHub takes {SHORTEST} or more",
            "Give fewer minutes, as in '*/15 * * * *'.",
        )
    if "7" in times.text.split()[4]:
        raise UserError(
            f"cron expression: day of the week '{times.text.split()[4]}': GitHub counts 0 to 6",
            "Write Sunday as 0 or SUN.",
        )


def _in_repository(file: Path) -> str:
    """Path of the job file from the root of its repository, or from its own folder where there is none."""
    root = next((folder for folder in file.parents if (folder / ".git").exists()), file.parent)
    path = file.relative_to(root).as_posix()
    if "${{" in path or "\n" in path:
        raise UserError(f"{path!r} means something else to GitHub", "Rename it.")
    return path
