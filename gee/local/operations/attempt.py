"""One attempt at one export: what runs it, watches it and notes how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.faults import OUT_OF_MEMORY, SIZED, Faults
from gee.local.operations.ledger import ATTEMPTS, OperationLedger
from gee.local.operations.operation import (
    CANCELLED,
    METHODS,
    RPC_CODES,
    ExportCancelled,
    Exporter,
    ExportRequest,
    Operation,
    State,
)
from gee.local.work.metering import Meter, metered

TRANSIENT = (429, 500, 503)
MEMORY_CODE = 8
UNKNOWN_CODE = 2

log = logging.getLogger(__name__)


class Attempt:
    """One attempt, in the thread that calls `run`."""

    def __init__(self, operation: Operation, *, ledger: OperationLedger, faults: Faults) -> None:
        self._operation, self._ledger, self._faults = operation, ledger, faults
        self._name = operation.name
        self._label = str(operation.request.body.get("description", ""))
        self._meter = Meter()
        self._base = operation.usage
        self._deaf: bool | None = None

    def run(self, exporter: Exporter, request: ExportRequest, *, measure: Callable[[ExportRequest], int]) -> None:
        """Export, and note the end.

        Parameters
        ----------
        measure : number of pixels of a request
        """
        try:
            self._suffer(request, measure)
            with metered() as self._meter:
                uris = exporter.run(request, progress=self.progress, cancelled=self.cancelled)
        except ExportCancelled:
            self._stopped()
        except EarthEngineError as error:
            self._failed(error)
        except MemoryError:
            self._end("FAILED", error={"code": MEMORY_CODE, "message": OUT_OF_MEMORY})
        except Exception:
            log.exception("%s failed", self._name)
            self._end("FAILED", error={"code": RPC_CODES[500], "message": "An internal error has occurred"})
        else:
            self._end("SUCCEEDED", uris=tuple(uris), progress=1.0)

    def progress(self, share: float) -> None:
        """Note what share is done (never less than before), and the CPU that it took."""
        with self._ledger.changed:
            before = self._ledger.get(self._name)
            self._ledger.change(self._name, progress=min(max(share, before.progress), 1.0), usage=self._usage())

    def cancelled(self) -> bool:
        """Whether to end now."""
        with self._ledger.changed:
            asked = self._ledger.get(self._name).state == "CANCELLING"
            if asked and self._deaf is None:
                self._deaf = self._faults.draw("late-cancel", self._label) is not None
            return (asked and not self._deaf) or self._ledger.closing

    def _suffer(self, request: ExportRequest, measure: Callable[[ExportRequest], int]) -> None:
        """The faults that were asked for."""
        if slow := self._faults.draw("slow", self._label):
            self._sleep(slow.seconds)
        if self._faults.draw("stuck", self._label):
            self._sleep(None)
        if fails := self._faults.draw("fails", self._label):
            self._sleep(fails.seconds)
            raise EarthEngineError(fails.message)
        if self._faults.draw("flaky", self._label):
            raise EarthEngineError("An internal error has occurred", code=500)
        if self._faults.has(*SIZED):
            self._faults.check_size(METHODS[request.kind], measure(request))

    def _sleep(self, seconds: float | None) -> None:
        with self._ledger.changed:
            if self._ledger.changed.wait_for(self.cancelled, timeout=seconds):
                raise ExportCancelled

    def _usage(self) -> float:
        return self._base + self._meter.seconds()

    def _failed(self, error: EarthEngineError) -> None:
        with self._ledger.changed:
            now = self._ledger.get(self._name)
            if error.code in TRANSIENT and now.attempt < ATTEMPTS and now.state == "RUNNING":
                again = {"state": "PENDING", "attempt": now.attempt + 1, "progress": 0.0, "usage": self._usage()}
                self._ledger.change(self._name, **again)
                return
        code = MEMORY_CODE if error.message == OUT_OF_MEMORY else RPC_CODES.get(error.code, UNKNOWN_CODE)
        self._end("FAILED", error={"code": code, "message": error.message})

    def _stopped(self) -> None:
        if self._ledger.get(self._name).state == "CANCELLING":
            self._end("CANCELLED", error=CANCELLED)
        elif self._ledger.closing:
            self._ledger.change(self._name, state="PENDING", progress=0.0, usage=self._usage())
        else:
            log.error("%s: the exporter ended as cancelled, and nobody had asked for it", self._name)
            self._end("FAILED", error={"code": RPC_CODES[500], "message": "An internal error has occurred"})

    def _end(self, state: State, **changes: Any) -> None:
        self._ledger.change(self._name, state=state, ended=time.time(), usage=self._usage(), **changes)
