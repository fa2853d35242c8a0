"""`certify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(certify)


def certify(
    scenes: Annotated[
        Path | None,
        typer.Option(help="folder of OPERA RTC-S1 files; simulated ones if left out", exists=True, file_okay=False),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="folder that keeps scenes, jobs and products of both engines", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Make the same products on Earth Engine and on Dask, compare them, and write a certificate of parity.

    Example: sarbatch certify --keep ./parity
    """
    from infra.settings import load_settings
    from pipelines.certify import certify as make

    made = make(settings=load_settings(), scenes=scenes, keep=keep, say=lambda line: typer.echo(line, err=True))
    if as_json:
        show.print_json(made.to_json())
    else:
        rows = [
            (
                name,
                "yes" if agreement.certified else "no",
                f"{agreement.largest:.1e}",
                f"{agreement.differing} of {agreement.pixels}",
                "yes" if agreement.masks else "no",
            )
            for name, agreement in made.covers.items()
        ]
        columns = ("what", "certified", "largest difference", "pixels that differ", "same masks")
        title = f"parity of Dask and {made.against}, {made.made:%Y-%m-%d}: {made.scenes}"
        show.console().print(show.table(title, columns, rows, right=columns[2:4]))
    if len(made.certified) < len(made.covers):
        raise typer.Exit(1)
