"""What a step works on: a run, the engines that its tasks name, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.keys import request_id
from pipelines.orders import Order
from pipelines.registry.rows import Change, OperationRow, RunRow, TaskRow
from pipelines.standing import Standing

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend
    from pipelines.registry.registry import Registry


@dataclass
class Stepping:
    """A run at hand: its rows as this process knows them, changed here and in the registry at once.

    Attributes
    ----------
    engines : backend by name; all that the run's tasks name
    """

    registry: Registry
    run: RunRow
    settings: Settings
    engines: Mapping[str, Backend]
    _standing: Standing = field(default_factory=lambda: Standing([], []), init=False)
    _orders: dict[str, Order] = field(default_factory=dict, init=False)
    _nonce: str = field(default="", init=False)

    def _read(self) -> None:
        """Twice a step, whatever the number of tasks: a query for every task would make a step quadratic."""
        self._standing = Standing(self.registry.tasks(self.run.id), self.registry.operations(run=self.run.id))

    def _change(self, operation: OperationRow, *, event: str, **columns: Any) -> None:
        self._change_all([Change(operation=operation, event=event, columns=columns)])

    def _change_all(self, wanted: Iterable[Change | None]) -> list[OperationRow]:
        """Change rows, here and in the registry; those that were: what another process was first at, the next step sees."""
        changes = [change for change in wanted if change is not None]
        changed = [row for row in self.registry.change_all(changes) if row is not None] if changes else []
        for row in changed:
            self._standing.put(row)
        return changed

    def _task(self, operation: OperationRow) -> TaskRow:
        return self._standing.tasks[operation.task]

    def _order(self, task: str) -> Order:
        if task not in self._orders:
            self._orders[task] = Order.from_json(self._standing.tasks[task].document)
        return self._orders[task]

    def _request_id(self, operation: OperationRow, attempt: int, *, tile: str | None = None) -> str:
        root = self._order(operation.task).root
        self._nonce = self._nonce or nonce(root)
        return request_id(nonce=self._nonce, key=operation.key, tile=tile or operation.tile, attempt=attempt)


def nonce(root: Any) -> str:
    """Random word of an output, made once: request ids of two outputs never meet in one engine."""
    import secrets

    root.create(".sarbatch/nonce", secrets.token_hex(8).encode())
    word: bytes = root.read(".sarbatch/nonce")
    return word.decode()


def moment() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)
