"""Bodies of requests: JSON of a bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gee.local.errors import EarthEngineError

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_BYTES = 10 * 2**20
READ_BYTES = 100 * 2**20  # of a body that is too large: read and thrown away, so that the client gets its answer
TYPES = ("application/json", "text/json")


async def read_body(request: Request) -> bytes:
    """Body of a request; not parsed.

    Raises
    ------
    EarthEngineError
        If it is too large, compressed, or not called JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").lower()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= BODY_BYTES:
            parts.append(part)
        elif size > READ_BYTES:
            break
    if size > BODY_BYTES:
        raise EarthEngineError(f"Request payload size exceeds the limit: {BODY_BYTES} bytes.")
    # the type is asked for, so that no web page can send requests without the browser asking first
    if size and (kind not in TYPES or coding != "identity"):
        raise EarthEngineError(
            f"Invalid content: a body must be application/json, not {kind[:80] or 'without a type'} ({coding[:40]})."
        )
    return b"".join(parts)
