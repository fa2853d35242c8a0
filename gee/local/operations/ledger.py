"""What is known of operations: one place, safe in threads, saved at every change of state."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.operations.operation import CANCELLED, RPC_CODES, Operation
from gee.local.operations.store import OperationStore

ATTEMPTS = 5
KEPT_SECONDS = 10 * 86400.0  # that finished operations are known after a restart


class OperationLedger:
    """Operations of one server.

    What a server that ended left RUNNING is PENDING again, as a new attempt, and FAILED after the fifth; CANCELLING
    becomes CANCELLED.

    Attributes
    ----------
    changed : the lock of everything here, which is notified at every change
    closing : whether running exports are to stop, and to wait for the next start
    """

    def __init__(self, store: OperationStore) -> None:
        self._store = store
        self._known: dict[str, Operation] = {}
        self._requests: dict[tuple[str, str], str] = {}
        self._order = 0
        self.changed = threading.Condition()
        self.closing = False
        for operation in store.load():
            self._recover(operation)

    def add(self, operation: Operation, request_id: str | None) -> Operation:
        """Keep a new operation, as the last of all."""
        with self.changed:
            now = time.time()
            operation = replace(operation, order=self._order + 1, created=now, updated=now)
            self._keep(operation, request_id)
            self.changed.notify_all()
            return operation

    def get(self, name: str) -> Operation:
        """An operation by its resource name.

        Raises
        ------
        EarthEngineError
            If there is none.
        """
        with self.changed:
            if name not in self._known:
                raise EarthEngineError(f'Operation "{name[:200]}" not found.', code=404)
            return self._known[name]

    def started_by(self, project: str, request_id: str | None) -> Operation | None:
        """Operation that an earlier request with the same id started."""
        with self.changed:
            name = self._requests.get((project, request_id or ""))
            return self._known[name] if name else None

    def unfinished(self) -> int:
        """How many are not done."""
        with self.changed:
            return sum(not one.done for one in self._known.values())

    def counts(self) -> dict[str, int]:
        """How many operations are in each state."""
        with self.changed:
            return dict(Counter(one.state for one in self._known.values()))

    def every(self) -> list[Operation]:
        """All that are known."""
        with self.changed:
            return list(self._known.values())

    def first_waiting(self) -> Operation | None:
        """What is to run next: the highest priority, and of these the earliest."""
        with self.changed:
            waiting = [one for one in self._known.values() if one.state == "PENDING"]
            return min(waiting, key=lambda one: (-one.priority, one.order), default=None)

    def page(self, project: str, *, before: int | None, size: int) -> tuple[list[Operation], int | None]:
        """Operations of a project, newest first, and where the next page goes on (None at the end)."""
        with self.changed:
            found = [one for one in self._known.values() if one.request.project == project]
        found = sorted((one for one in found if before is None or one.order < before), key=lambda one: -one.order)
        return found[:size], found[size - 1].order if len(found) > size else None

    def change(self, name: str, **changes: Any) -> Operation:
        """The operation with other values; saved where its state is another."""
        with self.changed:
            before = self._known[name]
            after = replace(before, **changes, updated=time.time())
            if (after.state, after.attempt) != (before.state, before.attempt):
                self._store.save(after)
            self._known[name] = after
            self.changed.notify_all()
            return after

    def close(self) -> None:
        """Let another server have the state."""
        self._store.close()

    def _recover(self, operation: Operation) -> None:
        now = time.time()
        changes: dict[str, Any] = {}
        if operation.done and (operation.ended or 0) < now - KEPT_SECONDS:
            self._store.forget(operation)
            return
        if operation.state == "RUNNING" and operation.attempt < ATTEMPTS:
            changes = {"state": "PENDING", "attempt": operation.attempt + 1, "progress": 0.0}
        elif operation.state == "RUNNING":
            error = {"code": RPC_CODES[500], "message": "The server ended while the export ran."}
            changes = {"state": "FAILED", "error": error, "ended": now}
        elif operation.state == "CANCELLING":
            changes = {"state": "CANCELLED", "error": CANCELLED, "ended": now}
        self._keep(replace(operation, **changes, updated=now) if changes else operation, operation.request_id)

    def _keep(self, operation: Operation, request_id: str | None) -> None:
        self._store.save(operation)
        self._known[operation.name] = operation
        self._order = max(self._order, operation.order)
        if request_id:
            self._requests[operation.request.project, request_id] = operation.name
