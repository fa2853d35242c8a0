"""`status`, `logs`, `cancel`, `retry`, `tick`."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.errors import StateError
from pipelines.cli import show

if TYPE_CHECKING:
    from rich.text import Text

    from infra.settings import Settings
    from pipelines.registry.registry import Registry
    from pipelines.registry.rows import RunRow

RUN = Annotated[
    str | None, typer.Argument(help="run, or the beginning of its id; the newest if left out", show_default=False)
]
TASK = Annotated[str | None, typer.Argument(help="one task; all if left out", show_default=False)]
JSON = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]
WATCH_EVERY = 2.0  # seconds


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (status, logs, cancel, retry, tick):
        app.command()(command)


def find_run(registry: Registry, run: str | None) -> RunRow:
    """Run by id or beginning of it; the newest where none is named.

    Raises
    ------
    StateError
        If there is none.
    """
    found = registry.find_run(run) if run else registry.newest_run()
    if found is None:
        raise StateError("there is no run yet", "`sarbatch run JOB` makes one.")
    return found


def status(
    run: RUN = None,
    watch: Annotated[bool, typer.Option("--watch", help="again every two seconds until the run has ended")] = False,
    no_poll: Annotated[bool, typer.Option("--no-poll", help="what the registry knows; asks no engine")] = False,
    as_json: JSON = False,
) -> None:
    """Show every task of a run (of all runs, if none is named): state, estimate beside actual, attempts, errors.

    Example: sarbatch status --watch
    """
    from infra.settings import load_settings
    from pipelines.registry import open_registry
    from pipelines.status import status as status_of

    settings = load_settings()
    with open_registry(settings) as registry:
        while True:
            runs = [find_run(registry, run)] if run else registry.runs()
            if not no_poll:
                runs = _polled(registry, runs, settings)
            value = status_of(registry, runs)
            if as_json:
                show.print_json(value)
            else:
                _print_status(value)
            if not watch or all(row["state"] != "running" for row in value["runs"]):
                return
            time.sleep(WATCH_EVERY)


def _polled(registry: Registry, runs: list[RunRow], settings: Settings) -> list[RunRow]:
    """Runs after each engine was asked once, unless a steward is doing so."""
    from pipelines.step import stepper
    from pipelines.steward import held

    for row in runs:
        if row.state == "running":
            with held(registry, row.id) as mine:
                if mine:
                    stepper(registry, row, settings).poll()
    return [registry.find_run(row.id) for row in runs]


def _print_status(value: dict[str, Any]) -> None:
    console = show.console()
    if not value["runs"]:
        console.print("no run yet; `sarbatch run JOB` makes one")
    for run in value["runs"]:
        rows = [_status_row(task) for task in run["tasks"]]
        columns = ("task", "kind", "backend", "state", "progress", "attempt", "estimate", "actual")
        title = show.with_state(f"{run['run']}  {run['job']}", run["state"])
        console.print(show.table(title, columns, rows, right=("progress", "attempt")))
        for task in run["tasks"]:
            if task["error"]:
                console.print(f"{task['task']}: {task['error']['class']}: {task['error']['message']}", markup=False)
                if task["error"]["remedy"]:
                    console.print(f"  → {task['error']['remedy']}", markup=False)


def _status_row(task: dict[str, Any]) -> tuple[str | Text, ...]:
    actual, estimate = task["actual"] or {}, task["estimate"]
    return (
        task["task"],
        task["kind"],
        task["backend"],
        show.state(task["state"]),
        f"{100 * task['progress']:.0f} %",
        str(task["attempt"]),
        show.taken(estimate),
        show.taken(actual) if "wall_seconds" in actual else "-",
    )


def logs(run: RUN = None, task: TASK = None) -> None:
    """Print what happened in a run, and what its drivers logged.

    Example: sarbatch logs 20261120-101500-3f2a statistics
    """
    from infra.settings import load_settings
    from pipelines.backends import load_backend
    from pipelines.registry import open_registry

    settings = load_settings()
    with open_registry(settings) as registry:
        found = find_run(registry, run)
        tasks = {row.name: row for row in registry.tasks(found.id)}
        _known(task, list(tasks), found.id)
        told = [event for event in registry.events(found.id) if event.task is None or task in {None, event.task}]
        for (name, kind), same in groupby(told, key=lambda event: (event.task, event.kind)):
            events = list(same)
            error = (events[-1].payload.get("error") or {}).get("message", "")
            times = f" x {len(events)}" if len(events) > 1 else ""
            typer.echo(f"{events[-1].time:%Y-%m-%d %H:%M:%S} {name or '-'}: {kind}{times} {error}".rstrip())
        for operation in registry.operations(run=found.id, task=task):
            if operation.handle:
                text = load_backend(tasks[operation.task].backend, settings).logs(operation.handle)
                typer.echo(f"--- {operation.task}, attempt {operation.attempt}\n{text}".rstrip())


def cancel(run: RUN = None, task: TASK = None) -> None:
    """Stop a run (one task of it): drivers stop at their next checkpoint and publish nothing after it.

    Example: sarbatch cancel 20261120-101500-3f2a
    """
    from infra.settings import load_settings
    from pipelines.registry import open_registry
    from pipelines.run import cancel as cancel_run
    from pipelines.run import tick

    settings = load_settings()
    with open_registry(settings) as registry:
        found = find_run(registry, run)
        count = cancel_run(registry, found.id, task=task)
        tick(registry, settings, runs=[found] if found.state == "running" else [])
    typer.echo(f"run {found.id}: {count} operations asked to stop" if count else f"run {found.id}: nothing to stop")


def retry(run: RUN = None, task: TASK = None) -> None:
    """Give what failed or was cancelled a new attempt; it goes on from what was kept.

    Example: sarbatch retry
    """
    from infra.settings import load_settings
    from pipelines.registry import open_registry
    from pipelines.run import retry as retry_run
    from pipelines.steward import ensure_steward

    settings = load_settings()
    with open_registry(settings) as registry:
        found = find_run(registry, run)
        count = retry_run(registry, found.id, task=task)
        if count:
            ensure_steward(registry, found.id, settings)
    typer.echo(f"run {found.id}: {count} operations tried again" if count else f"run {found.id}: nothing failed")


def tick(as_json: JSON = False) -> None:
    """One step of every unfinished run: poll, submit what is ready, retry what may be retried. For cron.

    Example: sarbatch tick
    """
    from infra.settings import load_settings
    from pipelines.registry import open_registry
    from pipelines.run import tick as tick_all

    settings = load_settings()
    with open_registry(settings) as registry:
        runs = tick_all(registry, settings)
    rows = [{"run": row.id, "job": row.job, "state": row.state} for row in runs]
    if as_json:
        show.print_json({"schema": 1, "runs": rows})
    else:
        for row in rows:
            typer.echo(f"{row['run']} {row['job']}: {row['state']}")


def _known(task: str | None, names: list[str], run: str) -> None:
    if task is not None and task not in names:
        raise StateError(f"run {run} has no task '{task}'", f"Its tasks: {', '.join(names)}.")
