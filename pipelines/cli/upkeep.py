"""`clean`, `adopt`, `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.errors import InputError
from pipelines.cli import show

if TYPE_CHECKING:
    from infra.settings import Settings
    from infra.storage import Location

OUTPUT = Annotated[
    str | None,
    typer.Argument(
        help="a job file, or an output (folder or s3://); every output of the registry if left out", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (clean, adopt, demo):
        app.command()(command)


def clean(
    output: OUTPUT = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would go, remove nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Remove what no product needs: superseded keys, and work in progress that nobody has touched for a day.

    Example: sarbatch clean job.yaml --dry-run
    """
    from infra.settings import load_settings
    from pipelines.clean import removable, remove

    found = []
    for place in _outputs(output, load_settings()):
        rows = removable(place)
        if not dry_run:
            remove(place, rows)
        found += [{"path": place.href(row.path), "why": row.why, "bytes": row.size} for row in rows]
    if as_json:
        show.print_json({"schema": 1, "removed": [] if dry_run else found, "removable": found if dry_run else []})
        return
    if not found:
        typer.echo("nothing to remove")
        return
    rows_shown = [(str(row["path"]), str(row["why"]), show.size(int(str(row["bytes"])))) for row in found]
    show.console().print(
        show.table("would be removed" if dry_run else "removed", ("what", "why", "size"), rows_shown, right=("size",))
    )


def adopt(
    output: Annotated[str, typer.Argument(help="a job file, or an output (folder or s3://)", show_default=False)],
) -> None:
    """Rebuild a lost registry from what an output says, then ask the engines what has happened since.

    Example: sarbatch adopt job.yaml
    """
    from infra.settings import load_settings
    from pipelines.adopt import adopt as adopt_output
    from pipelines.registry import open_registry
    from pipelines.run import tick

    settings = load_settings()
    with open_registry(settings) as registry:
        for place in _outputs(output, settings):
            runs = adopt_output(registry, place)
            for run in runs:
                typer.echo(f"adopted run {run}")
            tick(registry, settings)
            if not runs:
                typer.echo("the registry knew every run already")


def demo(
    folder: Annotated[Path, typer.Option(help="where scenes, job file and products go")] = Path("demo"),
    dates: Annotated[
        int, typer.Option(help="dates to simulate; the clearing is made on the seventh", min=8, max=60)
    ] = 12,
) -> None:
    """Simulate scenes, run a job that uses both engines, Dask and a local Earth Engine, and one of displacement. Needs no account.

    Example: sarbatch demo --folder demo
    """
    from pipelines.cli.progress import Progress
    from pipelines.demo import run_demo

    with Progress() as progress:
        run_demo(folder, dates=dates, say=typer.echo, follow=progress.update)


def _outputs(output: str | None, settings: Settings) -> list[Location]:
    from infra.storage import Location
    from pipelines.job import load_job
    from pipelines.registry import open_registry

    if output is None:
        with open_registry(settings) as registry:
            return [Location(url, settings.s3) for url in sorted({run.output for run in registry.runs()})]
    if output.endswith((".yaml", ".yml")):
        job = load_job(output)
        return [Location.parse(job.output, base=job.folder, s3=settings.s3)]
    place = Location.parse(output, base=Path.cwd(), s3=settings.s3)
    if not place.is_s3 and not Path(place.url).is_dir():
        raise InputError(f"output {place.url} is not there", "Give a job file, or the output of a job.")
    return [place]
