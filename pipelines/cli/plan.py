"""`init`, `validate`, `plan`, `run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.errors import JobError, OutputError
from pipelines.cli import show

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.plan import Plan, TaskPlan

JOB = Annotated[Path, typer.Argument(help="job file, YAML", show_default=False)]
JSON = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, validate, plan, run):
        app.command()(command)


def init(
    kind: Annotated[str, typer.Argument(help="task kind", show_default=False)],
    file: Annotated[Path | None, typer.Argument(help="file to write; standard output if left out")] = None,
) -> None:
    """Write a commented job file with every parameter of a kind, its unit, default and choices.

    Example: sarbatch init stack-statistics job.yaml
    """
    from pipelines.kinds import all_kinds
    from pipelines.kinds.model import nearest
    from pipelines.template import job_template

    if kind not in all_kinds():
        near = nearest(kind, list(all_kinds()))
        raise JobError(f"'{kind}' is not a task kind{f'; {near}' if near else ''}", f"Kinds: {', '.join(all_kinds())}.")
    text = job_template(kind, file=str(file or "job.yaml"))
    if file is None:
        typer.echo(text)
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise JobError(f"{file} is there already", "Give another name, or remove it first.") from None
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written: {error.strerror}", "Give a file in a folder that you may write to."
        ) from error
    typer.echo(f"wrote {file}; next: sarbatch plan {file}")


def validate(job: JOB) -> None:
    """Check the job file alone; opens nothing that it names, touches no network.

    Example: sarbatch validate job.yaml
    """
    from pipelines.job import load_job

    loaded = load_job(job)
    tasks = [task.name for task in loaded.tasks]
    typer.echo(f"{job} is valid: {len(tasks)} task{'' if len(tasks) == 1 else 's'} ({', '.join(tasks)})")


def plan(
    job: JOB,
    explain: Annotated[
        bool, typer.Option("--explain", help="the engines side by side, what hinders one, inputs left out")
    ] = False,
    as_json: JSON = False,
    geojson: Annotated[Path | None, typer.Option(help="write the outlines of the tasks' grids to this file")] = None,
) -> None:
    """Show each task with its backend, the reason, the cost, and what is there already; runs nothing.

    Example: sarbatch plan job.yaml --explain
    """
    from pipelines.job import load_job
    from pipelines.plan import make_plan, refuse

    made = make_plan(load_job(job), compare=True)
    if geojson is not None:
        try:
            geojson.write_text(json.dumps(made.geojson(), indent=2), encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"--geojson {geojson} cannot be written: {error.strerror}", "Give a file in a folder that is there."
            ) from error
    if as_json:
        show.print_json(made.to_json())
    else:
        print_plan(made, explain=explain)
    refuse(made)


def run(
    job: JOB,
    detach: Annotated[bool, typer.Option("--detach", help="return at once; the run goes on by itself")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before a run of more than ten minutes")] = False,
) -> None:
    """Plan, then run with live progress; Ctrl-C or a closed terminal stops only the looking.

    Example: sarbatch run job.yaml --detach
    """
    from pipelines.cli.progress import Progress
    from pipelines.job import load_job
    from pipelines.plan import make_plan
    from pipelines.run import run_plan

    made = make_plan(load_job(job))
    print_plan(made, explain=False)
    _confirm(made, yes=yes)
    with Progress() as progress:
        ended = run_plan(made, detach=detach, follow=None if detach else progress.update)
    if ended.state == "running":
        typer.echo(f"run {ended.id} goes on by itself; sarbatch status {ended.id} --watch follows it")
        return
    typer.echo(f"run {ended.id}: {ended.state}; sarbatch products {ended.id} lists what it made")
    if ended.state != "done":
        typer.echo(f"  → sarbatch status {ended.id} says why, sarbatch logs {ended.id} more", err=True)
        raise typer.Exit(1)


def _confirm(made: Plan, *, yes: bool) -> None:
    wall = sum(task.estimate.wall_seconds for task in made.tasks)
    if (
        wall > 600
        and not yes
        and typer.get_text_stream("stdin").isatty()
        and not typer.confirm(f"about {show.seconds(wall)}; run?")
    ):
        raise typer.Exit(0)


def _explain(task: TaskPlan, console: Console) -> None:
    """The engines side by side, the taken one marked, and what was left out."""
    names = [candidate.backend for candidate in task.candidates]
    console.print(
        show.table(
            "",
            ("", *(f"{name} (taken)" if name == task.backend else name for name in names)),
            [(score.name, *(score.words[name] for name in names)) for score in task.scores],
        )
    )
    for score in task.scores:
        if score.note:
            console.print(f"  {score.name}: {score.note}", markup=False)
    for candidate in task.candidates:
        if not candidate.able:
            console.print(f"  {candidate.backend} cannot: {candidate.why}", markup=False)
    console.print(f"  key {task.order.key[:16]}, line {task.order.line[:16]}", markup=False)
    for row in task.dropped:
        console.print(f"  left out {row['path'].rpartition('/')[2]}: {row['reason']}", markup=False)


def print_plan(made: Plan, *, explain: bool) -> None:
    """Plan as a table, and with `explain` everything that is known about it."""
    console = show.console()
    rows = [
        (
            task.task,
            task.order.kind,
            show.state(task.state),
            task.backend,
            show.estimate(task.estimate.to_json()) if task.state != "done" else "nothing to do",
            f"{len(task.used)} used, {len(task.dropped)} left out" if task.used or task.dropped else "",
        )
        for task in made.tasks
    ]
    console.print(
        show.table(
            f"plan of {made.job} → {made.output.url}", ("task", "kind", "state", "backend", "estimate", "scenes"), rows
        )
    )
    if made.period:
        rule, start, end = (made.period[name] for name in ("rule", "start", "end"))
        console.print(f"period: {rule}, which today is {start[:10]} to {end[:10]} (exclusive), UTC", markup=False)
    for task in made.tasks:
        console.print(f"{task.task}: {task.backend} because {task.reason}", markup=False)
        for change in task.would_change:
            console.print(f"  would change it: {change}", markup=False)
        for why in task.why_stale:
            console.print(f"  stale: {why}", markup=False)
        if explain:
            _explain(task, console)
    needed = sum(task.estimate.bytes_written for task in made.tasks)
    free = made.output.free_bytes()
    if free is not None:
        console.print(f"output: {show.size(needed)} will be written, {show.size(free)} are free", markup=False)
