"""How numbers, tables and states look in a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 200  # columns where nobody looks: a table in a file or pipe is not cut
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
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> RenderableType:
    """Table whose named columns stand right."""
    from rich import box
    from rich.table import Table

    grid = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        grid.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def state(word: str) -> str:
    """State in its colour."""
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/{colour}]" if colour else word


def size(count: float | None) -> str:
    """Bytes as people read them."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def number(count: float) -> str:
    """Large count as people read it."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= factor:
            return f"{count / factor:.1f}{unit}"
    return f"{count:.0f}"


def seconds(value: float | None) -> str:
    """Duration as people read it."""
    if value is None:
        return "-"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def core_hours(value: float) -> str:
    """Compute as people read it: seconds of one core where it is little."""
    return f"{value * 3600:.0f} core-s" if value < 0.1 else f"{value:.1f} core-h"


def estimate(value: Mapping[str, float]) -> str:
    """Estimate in one line."""
    return (
        f"{number(value['pixels'])}px, reads {size(value['bytes_read'])}, writes {size(value['bytes_written'])}, "
        f"{core_hours(value['core_hours'])}, about {seconds(value['wall_seconds'])}"
    )
