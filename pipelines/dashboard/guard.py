"""Whom the page answers, and what a browser may do with the answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 -- compared with, not bound to
ALLOWED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A report is somebody's document: it shows its own styles and pictures, runs nothing, and belongs to no origin
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:"
HEADERS = {
    "content-security-policy": ALLOWED,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, kw_only=True)
class Guard:
    """ASGI application that refuses other hosts, and adds strict headers where the inner one has not set its own.

    A page elsewhere can let its own name point to 127.0.0.1 and so read what answers there; its requests still carry
    that name as their Host.

    Attributes
    ----------
    inner : the application
    host : address or name that is listened on; "0.0.0.0" answers to any address, but to no name but localhost
    """

    inner: Application
    host: str

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
            await send(message)

        if self.answers_to(_host(scope)):
            await self.inner(scope, receive, strict)
        else:
            await _refuse(strict)

    def answers_to(self, name: str | None) -> bool:
        """Whether a Host header (without its port) is one of ours."""
        if name is None:
            return False
        if name in LOCAL or name == self.host.lower():
            return True
        return self.host in ANY and _is_address(name)


def _host(scope: Message) -> str | None:
    """Host of a request without its port; None where there is not exactly one."""
    given: list[str] = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(given) != 1:
        return None
    text = given[0].strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send) -> None:
    said = b"This page answers to localhost, and to the name given with: sarbatch dashboard --host NAME\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": said})
