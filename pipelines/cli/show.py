"""How numbers, tables and states look in a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.amounts import core_hours, eecu_hours, number, seconds, size

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

__all__ = ["core_hours", "eecu_hours", "number", "seconds", "size"]
PIPE_WIDTH = 10_000  # columns where nobody looks: a table in a file or pipe is neither cut nor folded
COLOURS = {
    "done": "green",
    "failed": "red",
    "lost": "red",
    "running": "cyan",
    "publishing": "cyan",
    "stale": "yellow",
    "cancelled": "yellow",
}


def console() -> Console:
    """Console on standard output."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """Value as indented JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(
    title: str | Text,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
) -> RenderableType:
    """Table whose named columns stand right, below its title; text stays as it is, brackets too."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        grid.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return Group(Text(title) if isinstance(title, str) else title, grid) if title else grid


def state(word: str) -> Text:
    """State in its colour."""
    from rich.text import Text

    return Text(word, style=COLOURS.get(word, ""))


def with_state(title: str, word: str) -> Text:
    """Title and state in its colour."""
    from rich.text import Text

    return Text.assemble(title, "  ", state(word))


def there(ok: bool) -> Text:
    """Yes or no in its colour."""
    from rich.text import Text

    return Text("yes", style="green") if ok else Text("no", style="yellow")


def estimate(value: Mapping[str, float]) -> str:
    """Estimate in one line; compute of Earth Engine where there is some."""
    return (
        f"{number(value['pixels'])}px, reads {size(value['bytes_read'])}, writes {size(value['bytes_written'])}, "
        f"{compute(value)}, about {seconds(value['wall_seconds'])}"
    )


def taken(value: Mapping[str, float]) -> str:
    """Time, compute and bytes written in one line; of tiles under way nothing is known to be written yet."""
    written = f", {size(value['bytes_written'])}" if "bytes_written" in value else ""
    return f"{seconds(value['wall_seconds'])}, {compute(value)}{written}"


def compute(value: Mapping[str, float]) -> str:
    """Compute of an estimate, or of what was taken; that of Earth Engine first, where there is some."""
    eecu = f"{eecu_hours(value['eecu_hours'])}, " if value.get("eecu_hours") else ""
    return eecu + core_hours(value.get("core_hours", 0.0))
