"""Exports as long-running operations: what they are, and the seam to what makes files of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from gee.local.errors import EarthEngineError
from gee.local.operations.destinations import destination_of

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED"]
DONE: tuple[State, ...] = ("SUCCEEDED", "FAILED", "CANCELLED")
PRIORITY = 100
METADATA = "type.googleapis.com/google.earthengine.v1.OperationMetadata"
CANCELLED = {"code": 1, "message": "Cancelled."}
REQUEST_ID = re.compile(r"[a-zA-Z0-9-]{1,60}")
WORKLOAD_TAG = re.compile(r"[a-z0-9]|[a-z0-9][-_a-z0-9]{0,61}[a-z0-9]")
METHODS = {"EXPORT_IMAGE": "image.export", "EXPORT_FEATURES": "table.export"}  # that start each kind
# google.rpc.Code of what ended an operation
RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 501: 12, 503: 14, 504: 4}


class ExportCancelled(Exception):  # noqa: N818 -- not an error: what an exporter raises when it is told to end
    """An export has ended because `cancelled()` said so."""


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is to be exported.

    Attributes
    ----------
    kind : "EXPORT_IMAGE" or "EXPORT_FEATURES"
    project : resource name, "projects/ID"
    body : the request as the client sent it: expression, options, destination
    operation : resource name of the operation
    attempt : 1 at first
    """

    kind: str
    project: str
    body: Mapping[str, Any]
    operation: str = ""
    attempt: int = 1


class Exporter(Protocol):
    """Makes files or assets of expressions."""

    def check(self, request: ExportRequest) -> None:
        """Return, or raise `EarthEngineError`: the request is then refused at once and there is no operation."""
        ...

    def run(
        self, request: ExportRequest, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> Sequence[str]:
        """Do it, and give the URIs of what was made.

        Parameters
        ----------
        progress : to be told the share that is done, 0 to 1, now and then
        cancelled : whether to end; ask between blocks, then clean up and raise `ExportCancelled`

        Raises
        ------
        EarthEngineError
            Code 429, 500 or 503: tried again, up to five times; any other: the operation has failed.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One export and what has become of it; times are seconds since 1970.

    Attributes
    ----------
    order : of submission
    usage : seconds of CPU that its attempts took
    """

    name: str
    request: ExportRequest
    order: int = 0
    priority: int = PRIORITY
    state: State = "PENDING"
    created: float = 0.0
    updated: float = 0.0
    started: float | None = None
    ended: float | None = None
    progress: float = 0.0
    attempt: int = 1
    usage: float = 0.0
    uris: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in DONE

    @property
    def request_id(self) -> str | None:
        """What makes a repeated start the same operation."""
        return self.request.body.get("requestId") or None

    @property
    def tag(self) -> str:
        """Workload tag, "" where there is none: usage is counted by it, and operations do not show it."""
        return str(self.request.body.get("workloadTag") or "")

    def to_json(self) -> dict[str, Any]:
        """As the service answers it."""
        metadata: dict[str, Any] = {
            "@type": METADATA,
            "state": self.state,
            "description": self.request.body.get("description", ""),
            "type": self.request.kind,
            "priority": self.priority,
            "createTime": timestamp(self.created),
            "updateTime": timestamp(self.updated),
            "progress": self.progress,
            "attempt": self.attempt,
        }
        if self.started is not None:
            metadata["startTime"] = timestamp(self.started)
        if self.ended is not None:
            metadata["endTime"] = timestamp(self.ended)
        if self.uris:
            metadata["destinationUris"] = list(self.uris)
        if self.usage and self.state not in ("FAILED", "CANCELLED"):
            metadata["batchEecuUsageSeconds"] = self.usage
        answer = {"name": self.name, "metadata": metadata, "done": self.done}
        if self.state == "SUCCEEDED":
            answer["response"] = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        elif self.done:
            answer["error"] = dict(self.error or {})
        return answer

    def to_record(self) -> dict[str, Any]:
        """Everything, as JSON for the state folder."""
        return asdict(self) | {"uris": list(self.uris)}


def from_record(record: Mapping[str, Any]) -> Operation:
    """Operation of `to_record`."""
    values = dict(record)
    values |= {"request": ExportRequest(**values["request"]), "uris": tuple(values["uris"])}
    return Operation(**values)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request to export whose form was looked at.

    Attributes
    ----------
    priority : 0 to 9999
    request_id : None where the client gave none: every start is then a new operation
    """

    request: ExportRequest
    priority: int = PRIORITY
    request_id: str | None = None


def wanted(kind: str, project: str, body: Mapping[str, Any]) -> Wanted:
    """Request to export, from its body.

    Raises
    ------
    EarthEngineError
        If a part of it is wrong.
    """
    if not isinstance(body.get("expression"), Mapping):
        raise EarthEngineError("Invalid argument: the request has no 'expression'.")
    description = body.get("description", "")
    if not isinstance(description, str) or len(description) > 100:
        raise EarthEngineError("Invalid argument: 'description' must be a text of at most 100 characters.")
    destination_of(kind, body)
    request_id = body.get("requestId") or None
    if request_id is not None and not (isinstance(request_id, str) and REQUEST_ID.fullmatch(request_id)):
        raise EarthEngineError("Invalid argument: 'requestId' must be 1 to 60 characters of a-z, A-Z, 0-9 and '-'.")
    check_tag(body.get("workloadTag"))
    request = ExportRequest(kind=kind, project=project, body=body)
    return Wanted(request=request, priority=_priority(body), request_id=request_id)


def check_tag(tag: Any) -> str:
    """A workload tag; nothing is none.

    Raises
    ------
    EarthEngineError
        If it is not one.
    """
    if tag in ("", None):
        return ""
    if not isinstance(tag, str) or not WORKLOAD_TAG.fullmatch(tag):
        raise EarthEngineError(f"Invalid argument: {str(tag)[:80]!r} is no workload tag.")
    return tag


def _priority(body: Mapping[str, Any]) -> int:
    given = body.get("priority", PRIORITY)
    value = given.get("value", PRIORITY) if isinstance(given, Mapping) else given
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,4}", str(value)):
        raise EarthEngineError(f"Invalid argument: 'priority' must be 0 to 9999, not {str(value)[:40]}.")
    return int(value)


def timestamp(seconds: float) -> str:
    """RFC 3339 with microseconds, which is what the client can read."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
