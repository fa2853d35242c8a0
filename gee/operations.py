"""Operations of Earth Engine, which exports are: one listing tells of all, and why one failed decides what is done next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import ee

from gee.errors import AGAIN, AUTHENTICATE, SMALLER, classified, http_status, translated
from infra.errors import CredentialsError, InputError, ResourceError, SarbatchError, TransientError

GONE = 404  # HTTP: the service does not know it, or no more


class Code(IntEnum):
    """Codes of google.rpc.Code by which operations fail and that say more than "unknown"."""

    DEADLINE_EXCEEDED = 4
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    ABORTED = 10
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


OUT_OF_ROOM = (Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED)
PASSING = (Code.ABORTED, Code.INTERNAL, Code.UNAVAILABLE)
REFUSED = (Code.PERMISSION_DENIED, Code.UNAUTHENTICATED)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation as a listing tells it.

    Attributes
    ----------
    name : resource name, "projects/P/operations/ID"
    description : what it was started with
    state : the service's word: PENDING RUNNING CANCELLING SUCCEEDED CANCELLED FAILED
    done : whether nothing changes any more
    progress : 0 to 1
    attempt : of the service's own, which tries again what fails by its fault
    priority : the greater the earlier
    created, started, ended : ISO 8601, UTC; None where it has not come to that
    eecu_seconds : compute so far; the service tells none of what failed or was cancelled
    uris : where its files or its asset are
    code, message : of what ended it, None where nothing did
    """

    name: str
    description: str
    state: str
    done: bool
    progress: float = 0.0
    attempt: int = 1
    priority: int = 100
    created: str = ""
    started: str | None = None
    ended: str | None = None
    eecu_seconds: float = 0.0
    uris: tuple[str, ...] = ()
    code: int | None = None
    message: str | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Operation:
        """Operation of the service's JSON."""
        told, error = answer.get("metadata", {}), answer.get("error", {})
        return cls(
            name=answer["name"],
            description=told.get("description", ""),
            state=told.get("state", "STATE_UNSPECIFIED"),
            done=bool(answer.get("done")),
            progress=float(told.get("progress", 0.0)),
            attempt=int(told.get("attempt", 1)),
            priority=int(told.get("priority", 100)),
            created=told.get("createTime", ""),
            started=told.get("startTime"),
            ended=told.get("endTime"),
            eecu_seconds=float(told.get("batchEecuUsageSeconds", 0.0)),
            uris=tuple(told.get("destinationUris", ())),
            code=error.get("code"),
            message=error.get("message"),
        )

    @property
    def wall_seconds(self) -> float:
        """From its start to its end, 0 before both."""
        if self.started is None or self.ended is None:
            return 0.0
        return max((datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)).total_seconds(), 0.0)

    @property
    def failure(self) -> SarbatchError | None:
        """Why it failed, as the error whose class decides what is done next; None where it did not."""
        return _failure(self.code, self.message or "it failed and did not say why") if self.state == "FAILED" else None


def listed() -> dict[str, Operation]:
    """Every operation of the project that the service remembers, by name, newest first: one listing, page by page.

    Raises
    ------
    EngineError
        As `gee.errors.translated`.
    """
    with translated():
        return {one.name: one for one in map(Operation.of, ee.data.listOperations())}


def find(name: str) -> Operation | None:
    """One operation by its name; None where the service does not know it.

    Raises
    ------
    EngineError
        As `gee.errors.translated`.
    """
    with translated():
        try:
            return Operation.of(ee.data.getOperation(name))
        except ee.EEException as error:
            if http_status(error) == GONE:
                return None
            raise


def cancel(name: str) -> None:
    """Ask that an operation ends; one that has ended or is forgotten is left as it is.

    Raises
    ------
    EngineError
        As `gee.errors.translated`.
    """
    try:
        with translated():
            ee.data.cancelOperation(name)
    except InputError:  # too late: the service refuses to cancel what has ended
        operation = find(name)
        if operation is not None and not operation.done:
            raise


def _failure(code: int | None, message: str) -> SarbatchError:
    """By its text, which says most, and where that says nothing by its code."""
    found = classified(message)
    if not isinstance(found, InputError):
        return found
    if code in OUT_OF_ROOM:
        return ResourceError(found.message, SMALLER)
    if code in PASSING:
        return TransientError(found.message, AGAIN)
    if code in REFUSED:
        return CredentialsError(found.message, AUTHENTICATE)
    return found
