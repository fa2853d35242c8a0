"""`products`, `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli import show
from pipelines.cli.follow import JSON, RUN, find_run


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (products, doctor):
        app.command()(command)


def products(run: RUN = None, as_json: JSON = False) -> None:
    """List every product of a run (of all runs, if none is named).

    Example: sarbatch products --json
    """
    from infra.settings import load_settings
    from pipelines.registry import open_registry

    with open_registry(load_settings()) as registry:
        rows = registry.products(find_run(registry, run).id if run else None)
    if as_json:
        from pipelines.products import row_json

        show.print_json({"schema": 1, "products": [row_json(row) for row in rows]})
        return
    if not rows:
        typer.echo("no product yet; `sarbatch run JOB` makes some")
        return
    cells = [
        (
            row.run,
            row.task,
            row.name,
            row.role,
            " ".join(filter(None, (row.polarization, row.date, row.period, row.orbit, row.zone))),
            row.units or "",
            show.size(row.bytes),
            row.href,
        )
        for row in rows
    ]
    columns = ("run", "task", "name", "role", "of", "units", "size", "where")
    show.console().print(show.table("", columns, cells, right=("size",)))


def doctor(
    as_json: JSON = False,
    network: Annotated[bool, typer.Option("--network/--no-network", help="try to reach what is configured")] = True,
) -> None:
    """Say what is installed, configured and reachable, and what each missing thing is for.

    Example: sarbatch doctor
    """
    from pipelines.doctor import examine

    rows = examine(network=network)
    if as_json:
        show.print_json({"schema": 1, "checks": rows})
    else:
        cells = [(row["what"], show.there(row["ok"]), row["detail"], row["for"]) for row in rows]
        show.console().print(show.table("", ("what", "there", "detail", "what it is for"), cells))
