"""One stateless step of a run: ask the engines, retry what may be retried, submit what is ready, end what has ended.

Any process may take a step at any time: rows change by compare-and-swap, intent is recorded before every call, and
request ids are deterministic, so that a step that died half way is finished by the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import dumps
from typing import TYPE_CHECKING, Any

from infra import faults
from infra.errors import EngineError, SarbatchError
from pipelines.backends.protocol import Failure, Report, State, Submission
from pipelines.keys import request_id
from pipelines.orders import Order
from pipelines.products import published, to_json
from pipelines.registry.rows import OperationRow, ProductRow, RunRow, RunState, TaskRow
from pipelines.retry import Ended, verdict

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend
    from pipelines.registry.registry import Registry

logger = logging.getLogger("sarbatch.run")


@dataclass
class Stepper:
    """Takes steps of one run.

    Attributes
    ----------
    engines : backend by name; all that the run's tasks name
    """

    registry: Registry
    run: RunRow
    settings: Settings
    engines: Mapping[str, Backend]
    _orders: dict[str, Order] = field(default_factory=dict, init=False)
    _nonce: str = field(default="", init=False)
    _last_event: int = field(default=0, init=False)

    def step(self) -> bool:
        """Take one step; whether the run has ended."""
        self.poll()
        self._settle()
        self._submit()
        ended = self._end()
        self._note()
        return ended

    def poll(self) -> None:
        """Ask each engine once about every operation that it was given, and record what it says."""
        by_engine: dict[str, list[OperationRow]] = {}
        for operation in self._latest():
            if operation.handle and not operation.believed.final and operation.believed != State.LOST:
                by_engine.setdefault(self._task(operation).backend, []).append(operation)
        for name, operations in by_engine.items():
            try:
                reports = self.engines[name].poll([str(operation.handle) for operation in operations])
            except EngineError as error:
                logger.warning("%s cannot be asked: %s", name, error.message)
                continue
            for operation in operations:
                self._believe(operation, reports[str(operation.handle)])

    def _believe(self, operation: OperationRow, report: Report) -> None:
        state = report.state
        if operation.wanted == "cancel":
            state = {State.LOST: State.CANCELLED, State.FAILED: State.CANCELLED}.get(state, state)
            state = state if state.final else State.CANCELLING
        if state == State.DONE:
            self._record_products(operation)
        columns: dict[str, Any] = {
            "believed": state,
            "engine_state": report.engine_state,
            "progress": report.progress,
            "usage": {**report.usage, "advanced": float(report.advanced)},
            "error": report.failure.to_json() if report.failure else None,
        }
        if any(getattr(operation, name) != value for name, value in columns.items()):
            ended = {"ended": _now()} if state.final or state == State.LOST else {}
            self.registry.change(operation, event=f"polled: {state}", **columns, **ended)

    def _record_products(self, operation: OperationRow) -> None:
        order = self._order(operation.task)
        rows = [to_json(order, product, run=self.run.id) for product in published(order)]
        self.registry.add_products(self.run.id, operation.task, [product_row(row) for row in rows])

    def _settle(self) -> None:
        """Cancel what is to be cancelled; try again, or give up, what failed or was lost."""
        attempts = self._attempts()
        for operation in self._latest():
            if operation.wanted == "cancel":
                self._cancel(operation)
            elif operation.believed in {State.FAILED, State.LOST} and not (operation.error or {}).get("verdict"):
                self._retry(operation, attempts[operation.task, operation.tile])

    def _cancel(self, operation: OperationRow) -> None:
        if operation.believed.final or operation.believed == State.CANCELLING:
            return
        if operation.handle is None or operation.believed == State.LOST:
            self.registry.change(operation, event="cancelled", believed=State.CANCELLED, ended=_now())
            return
        self.engines[self._task(operation).backend].cancel(operation.handle)
        self.registry.change(operation, event="cancelling", believed=State.CANCELLING)

    def _retry(self, operation: OperationRow, attempts: list[OperationRow]) -> None:
        ended = [
            Ended(
                error_class=(row.error or {}).get("class", "transient"), advanced=bool(row.usage.get("advanced", False))
            )
            for row in attempts
        ]
        decision = verdict(ended, most=self.settings.max_attempts)
        error = {**(operation.error or {}), "verdict": decision.why}
        if not decision.again:
            self.registry.change(operation, event="given up", believed=State.FAILED, error=error, ended=_now())
            return
        # The new attempt first: a crash in between leaves the old one to be settled again, which adds nothing.
        self.registry.add_attempt(
            operation,
            request_id=self._request_id(operation, operation.attempt + 1),
            event=f"retry: {decision.why}",
            not_before=_now() + timedelta(seconds=decision.wait),
        )
        self.registry.change(operation, event="superseded", error=error)

    def _submit(self) -> None:
        """Give the engines what is ready, and finish submissions that a crash left half way."""
        done = {task.name for task in self._tasks() if self._all(task, {State.DONE})}
        for operation in self._latest():
            if operation.wanted == "cancel":
                continue
            task = self._task(operation)
            if operation.believed == State.SUBMITTING and operation.handle is None:
                self._hand_over(operation, task)
            elif operation.believed == State.WAITING:
                failed = next((name for name in task.needs if self._hopeless(name)), None)
                if failed:
                    self._give_up(operation, failed)
                elif set(task.needs) <= done and self._due(operation):
                    claimed = self.registry.change(operation, event="intent", believed=State.SUBMITTING, started=_now())
                    if claimed is not None:
                        faults.reached("intent")
                        self._hand_over(claimed, task)

    def _hand_over(self, operation: OperationRow, task: TaskRow) -> None:
        """Submit under the recorded request id; the engine starts nothing twice for it."""
        engine = self.engines[task.backend]
        try:
            handle = engine.list(operation.request_id).get(operation.request_id) or engine.submit(
                Submission(
                    request_id=operation.request_id,
                    key=operation.key,
                    tile=operation.tile,
                    attempt=operation.attempt,
                    order=task.document,
                )
            )
        except SarbatchError as error:
            failure = Failure(error_class=error.error_class, message=error.message, remedy=error.remedy)
            self.registry.change(
                operation, event="refused", believed=State.FAILED, error=failure.to_json(), ended=_now()
            )
            return
        faults.reached("submit")
        self.registry.change(operation, event="submitted", believed=State.QUEUED, handle=handle)

    def _give_up(self, operation: OperationRow, needed: str) -> None:
        error = {
            "class": "cancelled",
            "message": f"needs {needed}, which was not made",
            "remedy": f"Mend {needed} first.",
        }
        self.registry.change(operation, event="not started", believed=State.CANCELLED, error=error, ended=_now())

    def _end(self) -> bool:
        latest = self._latest()
        if not all(operation.believed.final for operation in latest):
            return False
        if any(row.believed == State.FAILED and not (row.error or {}).get("verdict") for row in latest):
            return False
        states = {operation.believed for operation in latest}
        outcome: RunState = "done"
        if State.FAILED in states:
            outcome = "failed"
        elif State.CANCELLED in states:
            outcome = "cancelled"
        self.registry.end_run(self.run.id, outcome)
        return True

    def _note(self) -> None:
        """Keep with the output what the registry knows, so that `adopt` can restore it."""
        events = self.registry.events(self.run.id, after=self._last_event)
        if events:
            self._last_event = events[-1].id
            note_run(self.registry, self.run.id, next(iter(self._orders_of_run().values())))

    def _orders_of_run(self) -> dict[str, Order]:
        for task in self._tasks():
            self._order(task.name)
        return self._orders

    def _tasks(self) -> list[TaskRow]:
        return self.registry.tasks(self.run.id)

    def _task(self, operation: OperationRow) -> TaskRow:
        return next(task for task in self._tasks() if task.name == operation.task)

    def _order(self, task: str) -> Order:
        if task not in self._orders:
            row = next(row for row in self._tasks() if row.name == task)
            self._orders[task] = Order.from_json(row.document)
        return self._orders[task]

    def _request_id(self, operation: OperationRow, attempt: int) -> str:
        root = self._order(operation.task).root
        self._nonce = self._nonce or nonce(root)
        return request_id(nonce=self._nonce, key=operation.key, tile=operation.tile, attempt=attempt)

    def _attempts(self) -> dict[tuple[str, str], list[OperationRow]]:
        rows: dict[tuple[str, str], list[OperationRow]] = {}
        for operation in self.registry.operations(run=self.run.id):
            rows.setdefault((operation.task, operation.tile), []).append(operation)
        return {place: sorted(group, key=lambda row: row.attempt) for place, group in rows.items()}

    def _latest(self) -> list[OperationRow]:
        return [rows[-1] for rows in self._attempts().values()]

    def _all(self, task: TaskRow, states: set[State]) -> bool:
        return all(row.believed in states for row in self._latest() if row.task == task.name)

    def _hopeless(self, task: str) -> bool:
        """Whether a task can no longer be made by this run."""
        return any(
            row.believed == State.CANCELLED or (row.believed == State.FAILED and (row.error or {}).get("verdict"))
            for row in self._latest()
            if row.task == task
        )

    @staticmethod
    def _due(operation: OperationRow) -> bool:
        return operation.not_before is None or operation.not_before <= _now()


def note_run(registry: Registry, run: str, order: Order) -> None:
    """Write a run as the registry knows it to its output."""
    value = registry.export_run(run)
    order.root.write(f".sarbatch/runs/{run}.json", dumps(value).encode())


def nonce(root: Any) -> str:
    """Random word of an output, made once: request ids of two outputs never meet in one engine."""
    import secrets

    root.create(".sarbatch/nonce", secrets.token_hex(8).encode())
    word: bytes = root.read(".sarbatch/nonce")
    return word.decode()


def product_row(value: Mapping[str, Any]) -> ProductRow:
    """Registry row of a product as `products --json` shows it."""
    kept = {name: item for name, item in value.items() if name != "group"}
    return ProductRow(**{**kept, "created": datetime.fromisoformat(value["created"])})


def _now() -> datetime:
    return datetime.now(UTC)
