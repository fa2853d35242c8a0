"""The half of a step that gives engines work: what is ready, what the budget and the queue have room for, and what was begun."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from posixpath import commonprefix
from typing import Any

from infra import faults
from infra.errors import EngineError, QuotaError, SarbatchError, TransientError
from pipelines.backends.protocol import Failure, State, Submission
from pipelines.orders import WHOLE
from pipelines.registry.rows import Change, OperationRow
from pipelines.retry import resend
from pipelines.spending import Spending, spending
from pipelines.standing import SENT, is_given_up
from pipelines.stepping import Stepping, moment

HANDING_OVER = 20.0  # seconds of one step at most, give or take a batch
BATCH = 50  # operations whose intent is recorded in one transaction: each costs the disk a sync

logger = logging.getLogger("sarbatch.run")


@dataclass
class Submitting(Stepping):
    """Gives engines what is ready."""

    _closed: set[str] = field(default_factory=set, init=False)

    def _submit(self) -> None:
        """Give the engines what is ready, and finish submissions that a crash or a lost answer left half way."""
        room, allowed = self._room(), self._allowed()
        ready: list[OperationRow] = []
        begun: list[OperationRow] = []
        for operation in self._standing.latest():
            task = self._task(operation)
            if operation.wanted == "cancel":
                continue
            if operation.believed == State.WAITING:
                failed = self._failed_before(operation)
                if failed:
                    self._give_up(operation, failed)
                elif room[task.backend] > 0 and _is_due(operation) and self._may_begin(operation, allowed):
                    room[task.backend] -= 1
                    ready.append(operation)
            elif operation.believed == State.SUBMITTING and operation.handle is None and _is_due(operation):
                begun.append(operation)
        self._closed.clear()
        self._hand_over(begun, known=self._known(begun))
        until = time.monotonic() + HANDING_OVER
        for start in range(0, len(ready), BATCH):
            self._claim(ready[start : start + BATCH])
            if time.monotonic() > until:
                break  # whoever cancels, or waits for news of what runs, waits for this step

    def _failed_before(self, operation: OperationRow) -> str | None:
        """What an operation waits for in vain: a task, or tiles of its own."""
        task = self._task(operation)
        failed = next((name for name in task.needs if self._standing.hopeless(name)), None)
        if failed is None and operation.tile == WHOLE:
            tiles = self._standing.tiles(operation.task)
            lost = [row.tile for row in tiles if row.believed == State.CANCELLED or is_given_up(row)]
            # Not before every other tile has come to its end: they are kept, and a retry then needs fewer
            if lost and all(row.believed.final for row in tiles):
                return f"tile {lost[0]}" + (f" and {len(lost) - 1} more" if lost[1:] else "")
        return failed

    def _may_begin(self, operation: OperationRow, allowed: dict[str, int]) -> bool:
        """Whether all that an operation needs is there, and the budget has room for it: counted if so."""
        if not all(map(self._standing.done, self._task(operation).needs)):
            return False
        if operation.tile == WHOLE:
            return all(row.believed == State.DONE for row in self._standing.tiles(operation.task))
        if allowed.get(operation.task, 1) <= 0:
            return False
        if operation.task in allowed:
            allowed[operation.task] -= 1
        return True

    def _allowed(self) -> dict[str, int]:
        """How many more operations each task with a budget may begin; a task that can begin no more is stopped here."""
        room = {}
        for name, task in self._standing.tasks.items():
            budget = task.document.get("budget") or {}
            tiles = task.document.get("tiles") or []
            if not budget.get("eecu_hours") or not tiles:
                continue
            spent = spending(self._standing.operations(name), budget=budget, estimate=task.estimate, tiles=len(tiles))
            room[name] = spent.room
            if spent.exhausted or spent.exceeded:
                self._stop_spending(name, spent)
        return room

    def _stop_spending(self, task: str, spent: Spending) -> None:
        """Begin nothing more of a task, and stop what is under way where the budget is spent already."""
        error = {**spent.said(), "verdict": "the budget allows no more"}
        for row in self._standing.tiles(task):
            if row.believed == State.WAITING:
                self._change(row, event="budget", believed=State.FAILED, error=error, ended=moment())
            elif spent.exceeded and row.believed in SENT and row.handle and row.wanted != "cancel":
                self._change(row, event="budget: cancel wanted", wanted="cancel")

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
        intent = {"believed": State.SUBMITTING, "started": moment()}
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
            # What was too large to be taken is settled like what failed for it: by smaller tiles, where there are
            "error": failure if error.error_class == "resource" else {**failure, "verdict": decision.why},
            "ended": moment(),
        }
        if decision.again:
            columns = {
                "error": {**failure, "sent": str(sent)},
                "not_before": moment() + timedelta(seconds=decision.wait),
            }
        return Change(operation=operation, event=f"refused: {decision.why}", columns=columns)

    def _give_up(self, operation: OperationRow, needed: str) -> None:
        error = {
            "class": "cancelled",
            "message": f"needs {needed}, which was not made",
            "remedy": f"Mend {needed} first.",
        }
        self._change(operation, event="not started", believed=State.CANCELLED, error=error, ended=moment())


def _is_due(operation: OperationRow) -> bool:
    return operation.not_before is None or operation.not_before <= moment()
