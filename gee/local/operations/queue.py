"""The queue of exports: two run at once, by priority and then by submission; everything can be asked for and cancelled."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gee.local.errors import EarthEngineError
from gee.local.faults import QUEUE_FULL, Faults
from gee.local.operations.attempt import Attempt
from gee.local.operations.ledger import OperationLedger
from gee.local.operations.operation import CANCELLED, METHODS, Exporter, ExportRequest, Operation, Wanted

ENDING_SECONDS = 5.0  # that running exports get to stop in


@dataclass(frozen=True, kw_only=True)
class QueueLimits:
    """How many operations run at once, and how many may be unfinished."""

    running: int = 2
    queued: int = 3000


class OperationQueue:
    """Takes requests to export and runs them in threads of its own.

    Parameters
    ----------
    measure : number of pixels of a request, for faults that depend on it
    """

    def __init__(
        self,
        exporter: Exporter,
        *,
        ledger: OperationLedger,
        faults: Faults,
        limits: QueueLimits,
        measure: Callable[[ExportRequest], int],
    ) -> None:
        self._exporter, self._faults, self._limits, self._measure = exporter, faults, limits, measure
        self._threads: list[threading.Thread] = []
        self.ledger = ledger

    def start(self) -> None:
        """Begin to run what is waiting; call where started threads have large stacks."""
        for number in range(self._limits.running):
            thread = threading.Thread(target=self._work, name=f"export-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """End: running exports are told to stop, and go on at the next start."""
        with self.ledger.changed:
            self.ledger.closing = True
            self.ledger.changed.notify_all()
        end = time.monotonic() + ENDING_SECONDS
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))
        self.ledger.close()

    def submit(self, wanted: Wanted) -> Operation:
        """The new operation, or the one that an earlier request with the same id started.

        Raises
        ------
        EarthEngineError
            If the queue is full, or the exporter refuses the request.
        """
        request = wanted.request
        if known := self.ledger.started_by(request.project, wanted.request_id):
            return known
        self._exporter.check(request)
        with self.ledger.changed:
            if known := self.ledger.started_by(request.project, wanted.request_id):
                return known
            full = self.ledger.unfinished() >= self._limits.queued
            if full or self._faults.draw("queue-full", METHODS[request.kind]):
                raise EarthEngineError(QUEUE_FULL.format(limit=self._limits.queued))
            name = f"{request.project}/operations/{secrets.token_hex(12).upper()}"
            operation = Operation(name=name, request=replace(request, operation=name), priority=wanted.priority)
            return self.ledger.add(operation, wanted.request_id)

    def cancel(self, name: str) -> None:
        """Ask an operation to end: at once where it waits, as soon as it looks where it runs, not at all where it is done.

        Raises
        ------
        EarthEngineError
            If there is none.
        """
        with self.ledger.changed:
            state = self.ledger.get(name).state
            if state == "PENDING":
                self.ledger.change(name, state="CANCELLED", error=CANCELLED, ended=time.time())
            elif state == "RUNNING":
                self.ledger.change(name, state="CANCELLING")

    def _work(self) -> None:
        while (operation := self._next()) is not None:
            attempt = Attempt(operation, ledger=self.ledger, faults=self._faults)
            request = replace(operation.request, attempt=operation.attempt)
            attempt.run(self._exporter, request, measure=self._measure)

    def _next(self) -> Operation | None:
        with self.ledger.changed:
            while not self.ledger.closing:
                if first := self.ledger.first_waiting():
                    started = first.started or time.time()
                    return self.ledger.change(first.name, state="RUNNING", started=started, progress=0.0)
                self.ledger.changed.wait()
        return None
