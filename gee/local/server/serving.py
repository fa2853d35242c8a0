"""Running the server: in this process until it is told to end, or in a thread for a block."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gee.local.server.app import make_app
from gee.local.server.disturbance import ABORT
from gee.local.server.site import Settings, Site, opened

HOST = "127.0.0.1"
READY_SECONDS = 30.0
BACKLOG = 2048  # connections that wait to be accepted
GRACE_SECONDS = 2.0  # in which requests that are being answered may finish; then their computing is ended
END_SECONDS = 5  # and then their connections


def serve(settings: Settings, *, host: str = HOST, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` gets the URL when requests are answered."""
    with _bound(host, port) as listening, opened(settings) as site:
        server = _Server(site, lambda: ready(_url(listening)))
        server.run(sockets=[listening])


@contextmanager
def serving(settings: Settings | None = None) -> Iterator[str]:
    """URL of a server in a thread of this process, on a free port of this machine, for the block."""
    with _bound(HOST, 0) as listening, opened(settings or Settings()) as site:
        ready = threading.Event()
        server = _Server(site, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="earth-engine", daemon=True)
        thread.start()
        try:
            if not ready.wait(READY_SECONDS):
                raise RuntimeError("the local Earth Engine did not start; its log says why")
            yield _url(listening)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, site: Site, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                make_app(site),
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=END_SECONDS,
            )
        )
        self._ready, self._site = ready, site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in good order at the first signal, at once at the second; the signal goes no further."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._site.ending.set)
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """HTTP whose application may end the connection without an answer."""

    def connection_made(  # type: ignore[override]  # uvicorn's own signature
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[ABORT] = transport.abort
            await inner(scope, receive, send)

        self.app = app


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(place[:2], family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise OSError(f"{host}:{port} cannot be listened on: {getattr(error, 'strerror', None) or error}") from error
    with listening:
        yield listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    name = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 -- compared with, not bound to
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"
