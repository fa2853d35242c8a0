"""`schedule`."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import UserError
from pipelines.cli import show
from pipelines.cli.plan import JOB


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schedule)


def schedule(
    job: JOB,
    cron: Annotated[str, typer.Option(help="when, as cron writes it: '0 6 * * MON' is Mondays at six")],
    to: Annotated[str, typer.Option(help="who keeps the time: cron | github-actions")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text")] = False,
) -> None:
    """Print the files that run a job at certain times; writes and installs nothing.

    Example: sarbatch schedule job.yaml --cron "0 6 * * MON" --to cron
    """
    from infra.settings import load_settings
    from pipelines.job import load_job
    from pipelines.schedule.files import Surroundings, make_schedule

    surroundings = Surroundings(
        command=_command(),
        version=metadata.version("sarbatch"),
        folder=Path.cwd(),
        environment=dict(os.environ),
        settings=load_settings(),
    )
    files = make_schedule(load_job(job), cron=cron, to=to, surroundings=surroundings)
    if as_json:
        show.print_json({"schema": 1, "files": [{"path": file.path, "text": file.text} for file in files]})
        return
    for file in files:
        typer.echo(f"# {file.path}")
        typer.echo(file.text, nl=False)


def _command() -> str:
    """Absolute path of the command beside this Python, else of the one that a shell finds."""
    beside = Path(sys.executable).with_name("sarbatch")
    found = str(beside) if beside.exists() else shutil.which("sarbatch")
    if found is None:
        raise UserError("the command sarbatch is not installed here", "Install it: pip install sarbatch.")
    return str(Path(found).absolute())
