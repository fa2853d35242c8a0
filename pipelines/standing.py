"""How a run stands: its tasks and operations, read once and kept current with what this process changes.

A task is one operation, or many: tiles, and then the one that puts them together. A tile that was too large for its
engine is replaced by smaller ones; its row says so, and no longer counts for what the task still needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.backends.protocol import State
from pipelines.orders import WHOLE
from pipelines.registry.rows import OperationRow, TaskRow

SENT = frozenset({State.SUBMITTING, State.QUEUED, State.RUNNING, State.PUBLISHING, State.CANCELLING})


class Standing:
    """Tasks of a run in the job's order, and the attempts at each of their tiles.

    Parameters
    ----------
    tasks, operations : all of one run, in any order of attempts
    """

    def __init__(self, tasks: Sequence[TaskRow], operations: Iterable[OperationRow]) -> None:
        self.tasks = {task.name: task for task in tasks}
        self._attempts: dict[str, dict[str, dict[int, OperationRow]]] = {}
        for operation in operations:
            self.put(operation)

    def put(self, operation: OperationRow) -> None:
        """Take a row that was added or changed."""
        tiles = self._attempts.setdefault(operation.task, {})
        tiles.setdefault(operation.tile, {})[operation.attempt] = operation

    def attempts(self, operation: OperationRow) -> list[OperationRow]:
        """All attempts at the tile of an operation, oldest first."""
        rows = self._attempts[operation.task][operation.tile]
        return [rows[number] for number in sorted(rows)]

    def operations(self, task: str) -> list[OperationRow]:
        """Every attempt of a task, by tile."""
        return [tiles[number] for tiles in self._tiles(task) for number in sorted(tiles)]

    def latest(self, task: str | None = None) -> list[OperationRow]:
        """Newest attempt at each tile (of one task) that was not replaced by smaller ones, in the job's order."""
        rows = (tiles[max(tiles)] for name in ([task] if task else self.tasks) for tiles in self._tiles(name))
        return [row for row in rows if not is_replaced(row)]

    def tiles(self, task: str) -> list[OperationRow]:
        """Newest attempt at each tile of a task but the one that puts them together."""
        return [row for row in self.latest(task) if row.tile != WHOLE]

    def done(self, task: str) -> bool:
        """Whether a task is made."""
        return all(row.believed == State.DONE for row in self.latest(task))

    def hopeless(self, task: str) -> bool:
        """Whether a task can no longer be made by this run."""
        return any(row.believed == State.CANCELLED or is_given_up(row) for row in self.latest(task))

    def dependents(self, task: str) -> set[str]:
        """Tasks that need a task, or need one that does."""
        found: set[str] = set()
        for name, row in self.tasks.items():  # each stands after those that it needs
            if {task, *found} & set(row.needs):
                found.add(name)
        return found

    def _tiles(self, task: str) -> Iterable[dict[int, OperationRow]]:
        return self._attempts.get(task, {}).values()


def is_given_up(operation: OperationRow) -> bool:
    """Whether an operation has failed for good; one that failed without a verdict is still to be judged."""
    return operation.believed == State.FAILED and bool((operation.error or {}).get("verdict"))


def is_replaced(operation: OperationRow) -> bool:
    """Whether smaller tiles have taken an operation's place."""
    return bool((operation.error or {}).get("split"))
