"""Serves the page until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from infra.errors import UserError

if TYPE_CHECKING:
    from infra.settings import Settings

QUEUE = 128  # connections that wait while others are answered


def serve(settings: Settings, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the page of the registry that the settings name.

    Parameters
    ----------
    port : 0 for any that is free
    ready : called with the page's address once it can be opened

    Raises
    ------
    UserError
        If the address cannot be listened on.
    """
    import uvicorn

    from pipelines.dashboard.app import create_app
    from pipelines.registry import open_registry

    with listening(host, port) as bound, open_registry(settings) as registry:
        config = uvicorn.Config(
            create_app(registry, settings=settings, host=host),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        ready(address(bound, host))
        uvicorn.Server(config).run(sockets=[bound])


def listening(host: str, port: int) -> socket.socket:
    """Socket that listens: connections wait in it until they are served."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
            bound.listen(QUEUE)
        except OSError:
            bound.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{host}:{port} cannot be listened on: {reason}",
            "Give another --port (0 for any that is free), or an address of this machine as --host.",
        ) from error
    return bound


def address(bound: socket.socket, host: str) -> str:
    """URL to open in a browser on this machine."""
    name = host if host not in {"0.0.0.0", "::", ""} else "localhost"  # noqa: S104 -- compared with, not bound to
    return f"http://{f'[{name}]' if ':' in name else name}:{bound.getsockname()[1]}/"
