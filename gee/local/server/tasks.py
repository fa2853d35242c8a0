"""Answers about exports: start, list, look, cancel, wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.operations.operation import METHODS, wanted
from gee.local.server.exchange import Call
from gee.local.server.site import Site

PAGE, MOST = 500, 1000
WAIT_SECONDS = 60.0  # where a request to wait names no time
KINDS = {method: kind for kind, method in METHODS.items()}


def start(site: Site, call: Call) -> Mapping[str, Any]:
    """The operation of an export, new or known by its request id."""
    request = wanted(KINDS[call.method], call.project, call.body)
    return site.operations.submit(request).to_json()


def look(site: Site, call: Call) -> Mapping[str, Any]:
    """One operation."""
    return site.operations.ledger.get(call.names["name"]).to_json()


def list_operations(site: Site, call: Call) -> Mapping[str, Any]:
    """Operations of a project, newest first."""
    if call.query.get("filter"):
        raise NotImplementedHereError("this local Earth Engine does not implement 'filter' of operations.list.")
    size = call.page_size(most=MOST, default=PAGE)
    if site.queue is None:
        return {}
    found, rest = site.queue.ledger.page(call.names["name"], before=_before(call.query.get("pageToken")), size=size)
    answer: dict[str, Any] = {"operations": [one.to_json() for one in found]} if found else {}
    return answer if rest is None else answer | {"nextPageToken": f"before-{rest}"}


def cancel(site: Site, call: Call) -> Mapping[str, Any]:
    """Nothing, once an operation is told to end."""
    site.operations.cancel(call.names["name"])
    return {}


def wait(site: Site, call: Call) -> Mapping[str, Any] | None:
    """An operation that is done, or as it is after the time that the request names; None before."""
    operation = site.operations.ledger.get(call.names["name"])
    timeout = call.body.get("timeout", f"{WAIT_SECONDS}s")
    match = re.fullmatch(r"(\d{1,6}(\.\d{1,9})?)s", timeout) if isinstance(timeout, str) else None
    if match is None:
        raise EarthEngineError(f"Invalid value at 'timeout': {str(timeout)[:40]!r}.")
    late = call.age() >= float(match[1]) or site.operations.ledger.closing
    return operation.to_json() if operation.done or late else None


def _before(token: str | None) -> int | None:
    if not token:
        return None
    match = re.fullmatch(r"before-(\d{1,15})", token, re.ASCII)
    if match is None:
        raise EarthEngineError(f"Invalid page token: {token[:40]!r}.")
    return int(match[1])
