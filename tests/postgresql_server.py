"""A real PostgreSQL for tests: its own data folder, a socket without a password and a port with one."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER, PASSWORD = "sarbatch", "s3cret/pass:word@"  # what a URL must quote
ACCESS = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
# durability against a power cut is not what is tested; a killed server loses nothing by this
FAST = "fsync = off\nmax_connections = 60\nshared_buffers = 32MB\n"


@dataclass(frozen=True)
class Server:
    """A server that can be stopped and started again at the same place."""

    data: Path
    sockets: Path
    port: int
    user: str | None  # of the operating system; the server does not run as root

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.sockets}"
        self._control("-w", "-o", options, "-l", str(self.data / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is as if it were killed."""
        self._control("-w", "-m", mode, "stop")

    def _control(self, *arguments: str) -> None:
        pg_server().pg_ctl(list(arguments), pgdata=self.data, user=self.user, timeout=60)

    def url(self, database: str, *, password: str = PASSWORD, socket: bool = False, **query: str) -> str:
        """As a user writes it."""
        from sqlalchemy import URL

        place: dict[str, Any] = {"password": password, "host": "127.0.0.1", "port": self.port, "query": query}
        if socket:
            place = {"query": {"host": str(self.sockets), "port": str(self.port), **query}}
        url = URL.create("postgresql", username=USER, database=database, **place)
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str, *, database: str = "postgres") -> list[Any]:
        """Rows of a statement, run by the server's master outside a transaction."""
        from pg8000.dbapi import connect

        path = self.sockets / f".s.PGSQL.{self.port}"
        connection = connect("postgres", database=database, unix_sock=str(path))
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Name of an empty database that goes with the block, whoever still uses it."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} OWNER {USER}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def disconnect(self, database: str) -> int:
        """End every connection to a database; how many there were."""
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname"
        return len(self.execute(f"{ended} = '{database}' AND pid <> pg_backend_pid()"))


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A new server with its data in `folder`, which is stopped at the end.

    Raises
    ------
    Exception
        Whatever keeps it from starting: no package for this machine, no right to make its user.
    """
    pgserver = pg_server()
    first = pgserver.get_server(folder / "data", cleanup_mode=None)  # makes the data folder; listens on a socket alone
    info = first.get_postmaster_info()
    user = first.system_user if os.geteuid() == 0 else None
    server = Server(data=first.pgdata, sockets=info.socket_dir, port=pgserver.utils.find_suitable_port(), user=user)
    server.stop()
    (server.data / "pg_hba.conf").write_text(ACCESS)
    with (server.data / "postgresql.conf").open("a") as configuration:
        configuration.write(FAST)
    server.start()
    try:
        server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop()


def pg_server() -> Any:
    """The package, which warns while it is loaded where no folder for sockets is set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver
    return pgserver
