"""Live progress of a run: a bar for each task in a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

if TYPE_CHECKING:
    from pipelines.registry.registry import Registry


class Progress:
    """Shows what the registry says of a run; `update` is called again and again."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[state]}"),
            TimeElapsedColumn(),
            disable=not sys.stdout.isatty(),
        )
        self._rows: dict[str, Any] = {}
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def update(self, registry: Registry, run: str) -> None:
        """Show the run as it is now."""
        from pipelines.status import status

        for task in status(registry, [registry.find_run(run)])["runs"][0]["tasks"]:
            name, word = task["task"], str(task["state"])
            error = f": {task['error']['message']}" if task["error"] else ""
            if sys.stdout.isatty():
                row = self._rows.get(name)
                if row is None:
                    row = self._rows[name] = self._bars.add_task(name, total=1.0, state=word)
                self._bars.update(row, completed=task["progress"], state=word + error)
            elif self._said.get(name) != word + error:
                typer.echo(f"{name}: {word}{error}")
                self._said[name] = word + error
