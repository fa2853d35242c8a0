"""One stateless step of a run: ask the engines, retry what may be retried, submit what is ready, end what has ended.

Any process may take a step at any time: rows change by compare-and-swap, intent is recorded before every call, and
request ids are deterministic, so that a step that died half way is finished by the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from json import dumps
from posixpath import commonprefix
from typing import TYPE_CHECKING, Any

from infra import faults
from infra.errors import EngineError, QuotaError, SarbatchError, TransientError
from pipelines.backends import load_backend
from pipelines.backends.protocol import Failure, Report, State, Submission
from pipelines.keys import request_id
from pipelines.orders import Order
from pipelines.products import published, to_json
from pipelines.registry.rows import Change, OperationRow, ProductRow, RunRow, RunState, TaskRow
from pipelines.retry import Ended, resend, verdict
from pipelines.standing import SENT, Standing, is_given_up

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend
    from pipelines.registry.registry import Registry

BATCH = 50  # operations whose intent is recorded in one transaction: each costs the disk a sync

logger = logging.getLogger("sarbatch.run")

# Runs that want the same key share its driver: one of them cancelled it, and this one wants it still
OF_ANOTHER_RUN = Failure(
    error_class="stopped", message="another run cancelled what both were making", remedy="It is started again."
)


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
    _standing: Standing = field(default_factory=lambda: Standing([], []), init=False)
    _orders: dict[str, Order] = field(default_factory=dict, init=False)
    _nonce: str = field(default="", init=False)
    _last_event: int = field(default=0, init=False)
    _closed: set[str] = field(default_factory=set, init=False)

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
        self._read()
        by_engine: dict[str, list[OperationRow]] = {}
        for operation in self._standing.latest():
            if operation.handle and not operation.believed.final and operation.believed != State.LOST:
                by_engine.setdefault(self._task(operation).backend, []).append(operation)
        for name, operations in by_engine.items():
            try:
                reports = self.engines[name].poll([str(operation.handle) for operation in operations])
            except EngineError as error:
                logger.warning("%s cannot be asked: %s", name, error.message)
                continue
            self._change_all([self._belief(operation, reports[str(operation.handle)]) for operation in operations])

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

    def _belief(self, operation: OperationRow, report: Report) -> Change | None:
        """What a report changes, None where it tells nothing new."""
        state = report.state
        if operation.wanted == "cancel":
            state = {State.LOST: State.CANCELLED, State.FAILED: State.CANCELLED}.get(state, state)
            if operation.believed == State.CANCELLING and not state.final:
                state = State.CANCELLING  # the engine was told: `_cancel` sets this after the call, nobody before it
        elif state == State.CANCELLED:
            report = replace(report, failure=OF_ANOTHER_RUN)
            state = State.LOST
        if state == State.DONE:
            self._record_products(operation)
        columns: dict[str, Any] = {
            "believed": state,
            "engine_state": report.engine_state,
            "progress": report.progress,
            "usage": {**report.usage, "advanced": float(report.advanced)},
            "error": report.failure.to_json() if report.failure else None,
        }
        if all(getattr(operation, name) == value for name, value in columns.items()):
            return None
        ended = {"ended": _now()} if state.final or state == State.LOST else {}
        return Change(operation=operation, event=f"polled: {state}", columns={**columns, **ended})

    def _record_products(self, operation: OperationRow) -> None:
        order = self._order(operation.task)
        rows = [product_row(to_json(order, product, run=self.run.id)) for product in published(order)]
        if rows:
            self.registry.add_products(self.run.id, operation.task, rows)

    def _settle(self) -> None:
        """Cancel what is to be cancelled; try again, or give up, what failed or was lost."""
        for operation in self._standing.latest():
            if operation.wanted == "cancel":
                self._cancel(operation)
            elif operation.believed in {State.FAILED, State.LOST} and not is_given_up(operation):
                self._retry(operation)

    def _cancel(self, operation: OperationRow) -> None:
        if operation.believed.final or operation.believed == State.CANCELLING:
            return
        engine, handle = self.engines[self._task(operation).backend], operation.handle
        try:
            if operation.believed == State.SUBMITTING and handle is None:
                # Whoever submitted it may have died before it could note the handle
                handle = engine.list(operation.request_id).get(operation.request_id)
            for row in self._standing.attempts(operation):
                if row.believed == State.LOST and row.handle is not None:
                    engine.cancel(row.handle)  # lost to our sight, and perhaps alive: it must not publish either
            if handle is None or operation.believed == State.LOST:
                self._change(operation, event="cancelled", believed=State.CANCELLED, ended=_now())
                return
            engine.cancel(handle)
        except EngineError as error:
            logger.warning("%s cannot be cancelled yet: %s", operation.id, error.message)
            return
        self._change(operation, event="cancelling", believed=State.CANCELLING, handle=handle)

    def _retry(self, operation: OperationRow) -> None:
        ended = [_as_ended(row) for row in self._standing.attempts(operation)]
        decision = verdict(ended, most=self.settings.max_attempts)
        error = {**(operation.error or {}), "verdict": decision.why}
        if not decision.again:
            self._change(operation, event="given up", believed=State.FAILED, error=error, ended=_now())
            return
        # The new attempt first: a crash in between leaves the old one to be settled again, which adds nothing.
        again = self.registry.add_attempt(
            operation,
            request_id=self._request_id(operation, operation.attempt + 1),
            event=f"retry: {decision.why}",
            not_before=_now() + timedelta(seconds=decision.wait),
        )
        self._change(operation, event="superseded", error={**error, "again": "yes"})
        if again is not None:
            self._standing.put(again)

    def _submit(self) -> None:
        """Give the engines what is ready, and finish submissions that a crash or a lost answer left half way."""
        room = self._room()
        ready: list[OperationRow] = []
        begun: list[OperationRow] = []
        for operation in self._standing.latest():
            task = self._task(operation)
            if operation.wanted == "cancel":
                continue
            if operation.believed == State.WAITING:
                failed = next((name for name in task.needs if self._standing.hopeless(name)), None)
                if failed:
                    self._give_up(operation, failed)
                elif room[task.backend] > 0 and _is_due(operation) and all(map(self._standing.done, task.needs)):
                    room[task.backend] -= 1
                    ready.append(operation)
            elif operation.believed == State.SUBMITTING and operation.handle is None and _is_due(operation):
                begun.append(operation)
        self._closed.clear()
        self._hand_over(begun, known=self._known(begun))
        for start in range(0, len(ready), BATCH):
            self._claim(ready[start : start + BATCH])

    def _room(self) -> dict[str, int]:
        """How many more operations each engine takes: its queue, less what runs of this registry have given it."""
        room = {}
        for name, engine in self.engines.items():
            rows = self.registry.operations(backend=name, unfinished=True)
            sent = {row.request_id for row in rows if row.believed in SENT}
            room[name] = engine.capabilities().queue - len(sent)
        return room

    def _known(self, begun: list[OperationRow]) -> dict[str, str]:
        """Request id to handle of what an engine was given before, though we never heard: one listing of each engine."""
        requests: dict[str, list[str]] = {}
        for operation in begun:
            requests.setdefault(self._task(operation).backend, []).append(operation.request_id)
        known: dict[str, str] = {}
        for name, ids in requests.items():
            try:
                known |= self.engines[name].list(commonprefix(ids))
            except EngineError as error:
                logger.warning("%s cannot be asked: %s", name, error.message)
                self._closed.add(name)
        return known

    def _claim(self, operations: list[OperationRow]) -> None:
        """Record the intent, then act; whoever records it first acts."""
        open_ones = [row for row in operations if self._task(row).backend not in self._closed]
        intent = {"believed": State.SUBMITTING, "started": _now()}
        claimed = self._change_all([Change(operation=row, event="intent", columns=intent) for row in open_ones])
        if claimed:
            faults.reached("intent")
        self._hand_over(claimed, known={})

    def _hand_over(self, operations: list[OperationRow], *, known: Mapping[str, str]) -> None:
        """Submit under the recorded request ids; an engine starts nothing twice for one."""
        self._change_all([self._sent(row, known) for row in operations])

    def _sent(self, operation: OperationRow, known: Mapping[str, str]) -> Change | None:
        """What became of sending an operation; None where its engine is not asked again before the next step."""
        task = self._task(operation)
        if task.backend in self._closed:
            return None
        submission = Submission(
            request_id=operation.request_id,
            key=operation.key,
            tile=operation.tile,
            attempt=operation.attempt,
            order=task.document,
        )
        try:
            handle = known.get(operation.request_id) or self.engines[task.backend].submit(submission)
        except SarbatchError as error:
            if isinstance(error, TransientError | QuotaError):
                self._closed.add(task.backend)
            return self._refused(operation, error)
        faults.reached("submit")
        columns = {"believed": State.QUEUED, "handle": handle, "error": None}
        return Change(operation=operation, event="submitted", columns=columns)

    def _refused(self, operation: OperationRow, error: SarbatchError) -> Change:
        """Send it again later under the same request id, as the engine may have it all the same; or give it up."""
        sent = int((operation.error or {}).get("sent", 0)) + 1
        decision = resend(error.error_class, sent=sent, most=self.settings.max_attempts)
        failure = Failure(error_class=error.error_class, message=error.message, remedy=error.remedy).to_json()
        columns: dict[str, Any] = {
            "believed": State.FAILED,
            "error": {**failure, "verdict": decision.why},
            "ended": _now(),
        }
        if decision.again:
            columns = {
                "error": {**failure, "sent": str(sent)},
                "not_before": _now() + timedelta(seconds=decision.wait),
            }
        return Change(operation=operation, event=f"refused: {decision.why}", columns=columns)

    def _give_up(self, operation: OperationRow, needed: str) -> None:
        error = {
            "class": "cancelled",
            "message": f"needs {needed}, which was not made",
            "remedy": f"Mend {needed} first.",
        }
        self._change(operation, event="not started", believed=State.CANCELLED, error=error, ended=_now())

    def _end(self) -> bool:
        if not all(operation.believed.final for operation in self._standing.latest()):
            return False
        self._read()  # someone may have asked for another attempt meanwhile
        latest = self._standing.latest()
        if not all(row.believed in {State.DONE, State.CANCELLED} or is_given_up(row) for row in latest):
            return False
        states = {operation.believed for operation in latest}
        outcome: RunState = "done"
        if State.FAILED in states:
            outcome = "failed"
        elif State.CANCELLED in states:
            outcome = "cancelled"
        for row in latest:
            # Not so only where whoever recorded it died before the products: those of a key that was there already
            if row.believed == State.DONE and not self.registry.products(self.run.id, task=row.task):
                self._record_products(row)
        self.registry.end_run(self.run.id, outcome)
        return True

    def _note(self) -> None:
        """Keep with the output what the registry knows, so that `adopt` can restore it."""
        events = self.registry.events(self.run.id, after=self._last_event)
        if events:
            self._last_event = events[-1].id
            note_run(self.registry, self.run.id, self._order(next(iter(self._standing.tasks))))

    def _task(self, operation: OperationRow) -> TaskRow:
        return self._standing.tasks[operation.task]

    def _order(self, task: str) -> Order:
        if task not in self._orders:
            self._orders[task] = Order.from_json(self._standing.tasks[task].document)
        return self._orders[task]

    def _request_id(self, operation: OperationRow, attempt: int) -> str:
        root = self._order(operation.task).root
        self._nonce = self._nonce or nonce(root)
        return request_id(nonce=self._nonce, key=operation.key, tile=operation.tile, attempt=attempt)


def _as_ended(row: OperationRow) -> Ended:
    error = row.error or {}
    given_up = "verdict" in error and "again" not in error
    return Ended(
        error_class=error.get("class", "transient"),
        advanced=bool(row.usage.get("advanced", False)),
        by_user=given_up or row.believed == State.CANCELLED,
    )


def _is_due(operation: OperationRow) -> bool:
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


def stepper(registry: Registry, run: RunRow, settings: Settings) -> Stepper:
    """Stepper of a run with the engines that its tasks name."""
    names = {task.backend for task in registry.tasks(run.id)}
    return Stepper(
        registry=registry, run=run, settings=settings, engines={name: load_backend(name, settings) for name in names}
    )
