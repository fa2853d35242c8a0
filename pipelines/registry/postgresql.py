"""PostgreSQL through pg8000: URLs as PostgreSQL's own tools write them, connections that fail in bounded time, and what its errors mean."""

from __future__ import annotations

import os
import re
import socket
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from infra.errors import CredentialsError, EngineError, SarbatchError, StateError, TransientError

if TYPE_CHECKING:
    from sqlalchemy import URL

DRIVER = "postgresql+pg8000"
PORT = 5432
CONNECT_SECONDS = 10.0  # a host that swallows packets would otherwise hold a command for minutes
# session settings that a server's owner may have changed, and that pg8000 reads times by
SESSION = {"DateStyle": "ISO", "TimeZone": "UTC"}
# beside these, user, password, host and port may stand behind the question mark too
OPTIONS = frozenset({"application_name", "connect_timeout", "sslmode", "sslrootcert"})
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SECRET = ("password", "sslpassword")

_SERVER = "Check that the server runs, that SARBATCH_REGISTRY names it, and that this machine may reach it."
_AGAIN = "Another sarbatch process is writing to it, or the machine is overloaded: try again."
# beginning of the SQLSTATE, or else pattern in the message (lower case); the first that matches counts
_ERRORS: tuple[tuple[str, str, type[SarbatchError], str, str], ...] = (
    ("28", "authentication failed|no password", CredentialsError, "refuses user or password",
     "Check both in SARBATCH_REGISTRY, or set PGPASSWORD; the server's pg_hba.conf says who may come from where."),
    ("3D000", r"database .* does not exist", StateError, "is not there: the server has no such database",
     "Create the database (`createdb`); sarbatch makes the tables itself."),
    ("42501", "permission denied", StateError, "gives this user no right to its tables",
     "Grant them (`GRANT ALL ON SCHEMA public TO …`), or name another user."),
    ("25006", "read-only transaction", StateError, "is a read-only copy", "Name the primary server."),
    ("55P03", "lock timeout", TransientError, "is locked", _AGAIN),
    ("40", "deadlock|could not serialize", TransientError, "was changed by something else at this moment", "Try again."),
    ("no state", "refuses ssl", EngineError, "does not encrypt", "Leave sslmode out, or let the server encrypt."),
    ("53300", "too many clients", TransientError, "takes no more connections",
     "Raise max_connections, end what is not needed, or try again."),
    ("53", "no space left", TransientError, "is out of room", "Free disk or memory of the server."),
    ("57P03", "starting up", TransientError, "is just starting or stopping", "Try again in a moment."),
    ("57", "terminating connection", TransientError, "ended the connection", "Try again in a moment."),
    ("25P03", "idle-in-transaction", TransientError, "ended the connection: this process stood still too long", "Try again."),
)  # fmt: skip


def completed(url: URL) -> URL:
    """URL for pg8000: user, password, host and port in their places, wherever they stood; checked options in the query.

    Raises
    ------
    StateError
        If an option is not known, or several hosts are named.
    """
    query = dict(url.query)
    doubled = [name for name, value in query.items() if not isinstance(value, str)]
    unknown = sorted({*query} - OPTIONS - {"host", "port", "user", "password", "unix_sock"})
    if doubled or unknown or "," in str(query.get("host", url.host)):
        raise StateError(
            f"SARBATCH_REGISTRY has an option that is not known here: {[*doubled, *unknown, 'several hosts'][0]}",
            f"Leave it out. Known are host, port, user, password, {', '.join(sorted(OPTIONS))}.",
        )
    texts = {name: str(value) for name, value in query.items()}
    if texts.get("sslmode", "prefer") not in SSL_MODES:
        raise StateError(f"sslmode={texts['sslmode']} in SARBATCH_REGISTRY", f"It is one of {', '.join(SSL_MODES)}.")
    host, port = texts.pop("host", None) or unquote(url.host or "localhost"), str(texts.pop("port", url.port or PORT))
    if not port.isdecimal():
        raise StateError(
            f"port {port} in SARBATCH_REGISTRY is no number", f"PostgreSQL's is {PORT} unless set otherwise."
        )
    if "sslrootcert" in texts and not Path(texts["sslrootcert"]).is_file():
        raise StateError(f"sslrootcert={texts['sslrootcert']} is not there", "It names a file of certificates (PEM).")
    user = texts.pop("user", url.username) or os.environ.get("PGUSER") or _login()
    password = texts.pop("password", url.password) or os.environ.get("PGPASSWORD")
    place: dict[str, Any] = {"host": host, "port": int(port)}
    if "unix_sock" in texts or host.startswith("/"):
        place = {"host": None, "port": None}
        texts.setdefault("unix_sock", f"{host.rstrip('/')}/.s.PGSQL.{port}")
    return url.set(drivername=DRIVER, username=user, password=password, query=texts, **place)


def connect(url: URL, *, answer_seconds: float) -> Any:
    """Connection of pg8000 to what `completed` gave.

    Parameters
    ----------
    answer_seconds : how long the server may be silent before the connection counts as lost

    Raises
    ------
    TransientError
        If nobody answers there.
    EngineError
        If encryption fails, or something else than PostgreSQL answers.
    """
    from pipelines.registry.pg8000_connection import WatchedConnection

    name = shown(url)
    options = {name: str(value) for name, value in url.query.items()}
    try:
        opened = _socket(url, seconds=float(options.get("connect_timeout", CONNECT_SECONDS)))
    except OSError as error:
        raise TransientError(f"registry {name} cannot be reached: {error.strerror or error}", _SERVER) from error
    try:
        connection = WatchedConnection(
            url.username,
            host=url.host,
            password=url.password or "",
            database=url.database,
            application_name=options.get("application_name", "sarbatch"),
            ssl_context=False if "unix_sock" in options else _ssl_context(options),
            startup_params=SESSION,
            sock=opened,
        )
        connection.wait_for_answers(seconds=answer_seconds)
    except BaseException as error:
        opened.close()
        known = _of_greeting(error, name)
        if known is None:
            raise
        raise known from error
    return connection


def _of_greeting(error: BaseException, name: str) -> SarbatchError | None:
    """What to say of an error that is not pg8000's own, while it makes a connection."""
    if isinstance(error, ssl.SSLError):
        return EngineError(f"registry {name} cannot be trusted: {error.reason}", "Check sslmode and sslrootcert.")
    if isinstance(error, OSError):
        return TransientError(f"registry {name} does not answer: {error.strerror or error}", _SERVER)
    if isinstance(error, KeyError | ValueError | struct.error):
        return EngineError(f"{name} is no PostgreSQL server", "Check host and port in SARBATCH_REGISTRY.")
    return None


def shown(url: URL) -> str:
    """URL as its user wrote it, without its password."""
    name = "postgresql" if url.drivername == DRIVER else url.drivername
    return url.set(drivername=name).difference_update_query(SECRET).render_as_string(hide_password=True)


def explain(error: BaseException, name: str) -> SarbatchError | None:
    """What to say of an error of any driver of PostgreSQL, None where it is not about the database as a whole."""
    state, message = _said(error)
    for beginning, pattern, kind, what, remedy in _ERRORS:
        if state.startswith(beginning) if state else re.search(pattern, message.lower()):
            return kind(f"registry {name} {what} ({message})", remedy)
    # drivers have these classes (PEP 249) for what is no mistake of the program; pg8000 has no other for a lost connection
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if state.startswith("08") or (not state and kinds & {"OperationalError", "InterfaceError"}):
        return TransientError(f"registry {name} does not answer ({message})", _SERVER)
    return None


def _said(error: BaseException) -> tuple[str, str]:
    """SQLSTATE, empty where the driver itself speaks, and one line."""
    first = error.args[0] if error.args else ""
    if isinstance(first, dict):  # pg8000 hands over the fields of the server's message
        return str(first.get("C", "")), str(first.get("M", ""))
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    return str(state), (str(error).strip().splitlines() or ["no reason given"])[0]


def _socket(url: URL, *, seconds: float) -> socket.socket:
    path = url.query.get("unix_sock")
    if path is None:
        opened = socket.create_connection((url.host, url.port), seconds)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return opened
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(seconds)
    try:
        opened.connect(str(path))
    except OSError:
        opened.close()
        raise
    return opened


def _ssl_context(options: dict[str, Any]) -> ssl.SSLContext | bool | None:
    """As pg8000 takes it: False for never, None for where the server can, True for always, though whose it is is not checked."""
    mode = options.get("sslmode", "prefer")
    if mode in {"verify-ca", "verify-full"}:
        context = ssl.create_default_context(cafile=options.get("sslrootcert"))
        context.check_hostname = mode == "verify-full"
        return context
    return {"disable": False, "require": True}.get(mode)


def _login() -> str:
    import getpass

    return getpass.getuser()
