"""One stateless step of a run: ask the engines, retry what may be retried, submit what is ready, end what has ended.

Any process may take a step at any time: rows change by compare-and-swap, intent is recorded before every call, and
request ids are deterministic, so that a step that died half way is finished by the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from json import dumps
from typing import TYPE_CHECKING, Any

from infra.errors import EngineError
from pipelines.backends import load_backend
from pipelines.backends.protocol import Failure, Report, State
from pipelines.orders import WHOLE, Order
from pipelines.products import published, to_json
from pipelines.registry.rows import Change, OperationRow, ProductRow, RunRow, RunState
from pipelines.retry import Ended, verdict
from pipelines.standing import is_given_up
from pipelines.stepping import moment
from pipelines.submitting import Submitting

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.registry import Registry

logger = logging.getLogger("sarbatch.run")

# Runs that want the same key share its driver: one of them cancelled it, and this one wants it still
OF_ANOTHER_RUN = Failure(
    error_class="stopped", message="another run cancelled what both were making", remedy="It is started again."
)


@dataclass
class Stepper(Submitting):
    """Takes steps of one run."""

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
        if state == State.DONE and operation.tile == WHOLE:
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
        ended = {"ended": moment()} if state.final or state == State.LOST else {}
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
                self._change(operation, event="cancelled", believed=State.CANCELLED, ended=moment())
                return
            engine.cancel(handle)
        except EngineError as error:
            logger.warning("%s cannot be cancelled yet: %s", operation.id, error.message)
            return
        self._change(operation, event="cancelling", believed=State.CANCELLING, handle=handle)

    def _retry(self, operation: OperationRow) -> None:
        if (operation.error or {}).get("class") == "resource" and self._split(operation):
            return
        ended = [_as_ended(row) for row in self._standing.attempts(operation)]
        decision = verdict(ended, most=self.settings.max_attempts)
        error = {**(operation.error or {}), "verdict": decision.why}
        if not decision.again:
            self._change(operation, event="given up", believed=State.FAILED, error=error, ended=moment())
            return
        # The new attempt first: a crash in between leaves the old one to be settled again, which adds nothing.
        again = self.registry.add_attempt(
            operation,
            request_id=self._request_id(operation, operation.attempt + 1),
            event=f"retry: {decision.why}",
            not_before=moment() + timedelta(seconds=decision.wait),
        )
        self._change(operation, event="superseded", error={**error, "again": "yes"})
        if again is not None:
            self._standing.put(again)

    def _split(self, operation: OperationRow) -> bool:
        """Smaller tiles in the place of one that was too large for its engine; False where it cannot be smaller."""
        tiles = self.engines[self._task(operation).backend].split(operation.tile)
        if not tiles:
            return False
        rows = [
            OperationRow(
                run=operation.run,
                task=operation.task,
                key=operation.key,
                tile=tile,
                request_id=self._request_id(operation, 1, tile=tile),
            )
            for tile in tiles
        ]
        error = {**(operation.error or {}), "split": " ".join(tiles)}
        self.registry.split(operation, rows, error=error)
        self._read()  # also where another process was first: its tiles are what counts now
        return True

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
            if (
                row.believed == State.DONE
                and row.tile == WHOLE
                and not self.registry.products(self.run.id, task=row.task)
            ):
                self._record_products(row)
        self.registry.end_run(self.run.id, outcome)
        return True

    def _note(self) -> None:
        """Keep with the output what the registry knows, so that `adopt` can restore it."""
        events = self.registry.events(self.run.id, after=self._last_event)
        if events:
            self._last_event = events[-1].id
            note_run(self.registry, self.run.id, self._order(next(iter(self._standing.tasks))))


def _as_ended(row: OperationRow) -> Ended:
    error = row.error or {}
    given_up = "verdict" in error and "again" not in error
    return Ended(
        error_class=error.get("class", "transient"),
        advanced=bool(row.usage.get("advanced", False)),
        by_user=given_up or row.believed == State.CANCELLED,
    )


def note_run(registry: Registry, run: str, order: Order) -> None:
    """Write a run as the registry knows it to its output."""
    value = registry.export_run(run)
    order.root.write(f".sarbatch/runs/{run}.json", dumps(value).encode())


def product_row(value: Mapping[str, Any]) -> ProductRow:
    """Registry row of a product as `products --json` shows it."""
    kept = {name: item for name, item in value.items() if name != "group"}
    return ProductRow(**{**kept, "created": datetime.fromisoformat(value["created"])})


def stepper(registry: Registry, run: RunRow, settings: Settings) -> Stepper:
    """Stepper of a run with the engines that its tasks name."""
    names = {task.backend for task in registry.tasks(run.id)}
    return Stepper(
        registry=registry, run=run, settings=settings, engines={name: load_backend(name, settings) for name in names}
    )
