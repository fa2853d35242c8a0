"""`earth-engine`: the commands of the local Earth Engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the group; its module imports nothing heavy."""
    from gee.local.cli import app as commands

    app.add_typer(commands)
