"""The registry's database: engine, transactions, schema, and what is said when it cannot be used.

One writer at a time on both dialects (`BEGIN IMMEDIATE`; an advisory lock on PostgreSQL): the registry is written a
few times per second at most, and so the order of event ids is the order of commits, which a follower relies on. Neither
deadlocks nor failures to serialize can come about between writers, hence nothing is retried: on PostgreSQL a writer takes
the lock before it looks, and READ COMMITTED lets it see all that was committed before it had the lock; readers are
REPEATABLE READ and READ ONLY, which never fail. Both are said in each transaction, whatever the server's defaults are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import SarbatchError, StateError, TransientError
from pipelines.registry import postgresql
from pipelines.registry.drives import network_drive

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

REVISIONS = ("0001",)  # every revision in migrations/versions, oldest first
VERSION_TABLE = "sarbatch_schema"  # not Alembic's default name: another application may share a PostgreSQL database
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30.0
SILENT_SECONDS = 30.0  # beyond it
WRITER_LOCK = 0x7361726261746368  # "sarbatch": key of the advisory lock

_ADOPT = "Move the file away and run `sarbatch adopt`, which rebuilds a registry from the engines and the outputs."
_AGAIN = "Another sarbatch process is writing to it, or the machine is overloaded: try again."
_ACCESS = "Make the folder and the file readable and writable, or set SARBATCH_REGISTRY to another place."
_SPACE = "Free some space, or set SARBATCH_REGISTRY to another place."
# pattern in the driver's message (lower case): error, what is said, remedy; the first that matches counts
_SQLITE: tuple[tuple[str, type[SarbatchError], str, str], ...] = (
    ("locked", TransientError, "is locked", _AGAIN),
    ("not a database", StateError, "is not a database", _ADOPT),
    ("malformed", StateError, "is damaged", _ADOPT),
    ("unable to open", StateError, "cannot be opened", _ACCESS),
    ("readonly", StateError, "is read-only", _ACCESS),
    ("disk is full", StateError, "is on a full disk", _SPACE),
    ("disk i/o error", StateError, "is on a disk that fails", _SPACE),
)


class Database:
    """An engine that survives a fork, and transactions on it.

    Parameters
    ----------
    url : SQLAlchemy URL, `sqlite:///folder/registry.db` or `postgresql://user@host/name`
    busy_seconds : how long a writer waits for another one

    Raises
    ------
    StateError
        If the URL is no such URL, or names SQLite in memory or on a network drive.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._url = checked_url(url)
        self._busy_seconds = busy_seconds
        self._engine: Engine | None = None
        self._pid = os.getpid()
        # Engines of the parent process. They are kept: collecting one here would close SQLite files that the
        # parent still uses, which SQLite forbids.
        self._inherited: list[Engine] = []

    @property
    def name(self) -> str:
        """The URL without its password."""
        return postgresql.shown(self._url)

    @property
    def path(self) -> Path | None:
        """The SQLite file, None on a server."""
        return Path(self._url.database) if is_sqlite(self._url) and self._url.database else None

    @property
    def engine(self) -> Engine:
        """The engine of this process: a forked child makes its own."""
        if self._engine is not None and self._pid != os.getpid():
            self._inherited.append(self._engine)
            self._engine = None
        if self._engine is None:
            self._engine = make_engine(self._url, busy_seconds=self._busy_seconds)
            self._pid = os.getpid()
        return self._engine

    def close(self) -> None:
        """Close this process's connections; the next use opens them again."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def write(self, *, begin: str = "BEGIN IMMEDIATE") -> Iterator[Connection]:
        """Transaction of the only writer, committed at the end, rolled back by any exception.

        Parameters
        ----------
        begin : how it begins on SQLite
        """
        with self._explained(), self.engine.connect() as connection:
            connection.execution_options(sarbatch_begin=begin)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    self._take_turn(connection)
                yield connection

    def _take_turn(self, connection: Connection) -> None:
        """Be the only writer of a PostgreSQL database until the transaction ends.

        A machine that goes to sleep within a transaction would keep all others out: the server ends what stands still.
        """
        patience = int(self._busy_seconds * 1000)
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
        connection.exec_driver_sql(
            f"SELECT set_config('lock_timeout', '{patience}', true),"
            f" set_config('idle_in_transaction_session_timeout', '{patience // 2}', true)"
        )
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Snapshot: several queries see the same moment."""
        with self._explained(), self.engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    def prepare(self) -> None:
        """Make or upgrade the schema.

        Raises
        ------
        StateError
            If the schema is newer than this sarbatch, if the database belongs to something else, or if it is
            damaged or cannot be opened.
        """
        if self.path is not None:
            self._prepare_file(self.path)
        with self.read() as connection:
            revision = self._revision(connection)
        if revision != REVISIONS[-1]:
            self._upgrade()

    def _revision(self, connection: Connection) -> str | None:
        """Revision of the schema, None where there is none; StateError where it is none of ours."""
        revision = schema_revision(connection)
        if revision is not None and revision not in REVISIONS:
            raise StateError(
                f"newer registry schema: {self.name} is at revision {revision}, this sarbatch knows up to {REVISIONS[-1]}",
                "Upgrade sarbatch, or set SARBATCH_REGISTRY to a registry of this version.",
            )
        return revision

    def _upgrade(self) -> None:
        """Bring the schema to the newest revision; of processes that would at the same moment, one does.

        SQLite alters a table by making another one in its place, which takes all that refers to it along, unless foreign
        keys are off: they can be switched off outside a transaction only, and are checked at its end instead.
        """
        try:
            with self.write(begin="PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE") as connection:
                revision = self._revision(connection)
                if revision == REVISIONS[-1]:
                    return  # another process was faster
                if revision is None:
                    self._check_ours(connection)
                migrate(connection, REVISIONS[-1])
        finally:
            self.close()  # connections made anew have foreign keys on

    def _prepare_file(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"folder of the registry cannot be made: {path.parent} ({error.strerror})", _ACCESS
            ) from error
        if path.is_dir():
            raise StateError(f"registry {path} is a folder", "Name a file in SARBATCH_REGISTRY.")
        self._switch_to_wal()

    def _switch_to_wal(self) -> None:
        """Write-ahead log, once per file: it stays in the file. SQLite does not wait by itself when two switch at once."""
        import sqlite3

        deadline = time.monotonic() + self._busy_seconds
        with self._explained():
            while True:
                connection = self.engine.raw_connection()  # in a transaction the mode cannot change
                try:
                    connection.cursor().execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                else:
                    return
                finally:
                    connection.close()
                time.sleep(0.02)

    def _check_ours(self, connection: Connection) -> None:
        from sqlalchemy import inspect

        from pipelines.registry.tables import metadata

        there = set(inspect(connection).get_table_names())
        # a file is ours alone; a server's database may be shared with tables of other names
        foreign = there if is_sqlite(self._url) else there & set(metadata.tables)
        if foreign:
            raise StateError(
                f"{self.name} is the database of something else: it holds the table {min(foreign)}",
                "Set SARBATCH_REGISTRY to a database of its own.",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import sqlite3

        from sqlalchemy.exc import DBAPIError, StatementError

        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:  # bare where it comes from the pragmas
            known = explain(error.orig if isinstance(error, DBAPIError) else error, self)
            if known is None:
                raise
            raise known from error
        except StatementError as error:  # a value that no column takes: not every dialect lets it through
            if isinstance(error.orig, ValueError | TypeError):
                raise error.orig from error
            raise


def checked_url(url: str) -> URL:
    """URL with its driver, SQLite's path absolute.

    Raises
    ------
    StateError
        If it is not the URL of a SQLite file on a local disk or of PostgreSQL.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    example = "Give for example sqlite:////home/me/registry.db or postgresql://user:password@host/sarbatch."
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the latter of a port that is no number
        raise StateError("SARBATCH_REGISTRY is not a database URL", example) from error
    if parsed.drivername in {"postgresql", "postgres", postgresql.DRIVER}:
        return postgresql.completed(parsed)
    if not is_sqlite(parsed):
        if parsed.drivername.startswith("postgresql+"):  # a driver of the user's choice, whose URL is its own affair
            return parsed
        raise StateError(f"a registry cannot be kept in {parsed.drivername!r}", example)
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise StateError(f"a registry must be a plain file, not {url!r}", example)
    path = Path(parsed.database).expanduser().resolve()
    drive = network_drive(path)
    if drive:
        raise StateError(
            f"registry {path} is on a network drive ({drive}), where SQLite loses data",
            "Set SARBATCH_REGISTRY to a file on a local disk, or to a PostgreSQL URL.",
        )
    return parsed.set(database=str(path))


def is_sqlite(url: URL) -> bool:
    """Whether a URL names a SQLite file."""
    return url.drivername.split("+")[0] == "sqlite"


def make_engine(url: URL, *, busy_seconds: float) -> Engine:
    """Engine whose transactions begin as `Database` needs them."""
    from sqlalchemy import create_engine, event

    arguments: dict[str, Any] = {"json_serializer": strict_json}
    if not is_sqlite(url):
        return _server_engine(url, busy_seconds=busy_seconds, arguments=arguments)
    engine = create_engine(url, connect_args={"timeout": busy_seconds}, **arguments)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: object) -> None:  # noqa: ARG001 -- SQLAlchemy's signature
        connection.isolation_level = None  # the driver begins no transactions of its own: `_begin` does
        connection.execute("PRAGMA foreign_keys = ON")
        # an intent must survive a power cut before the engine is called (NORMAL would lose the last commits)
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        for statement in connection.get_execution_options().get("sarbatch_begin", "BEGIN").split(";"):
            connection.exec_driver_sql(statement)

    return engine


def _server_engine(url: URL, *, busy_seconds: float, arguments: dict[str, Any]) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError

    if url.drivername == postgresql.DRIVER:
        # The server itself says when a writer has waited too long; only who says nothing for longer is gone
        answer_seconds = busy_seconds + SILENT_SECONDS
        arguments["creator"] = lambda: postgresql.connect(url, answer_seconds=answer_seconds)
    try:
        engine = create_engine(url, pool_pre_ping=True, **arguments)
    except (ImportError, NoSuchModuleError) as error:
        if url.drivername == postgresql.DRIVER:
            remedy = "Run `pip install 'sarbatch[postgresql]'`."
        else:
            remedy = "Install it, or write postgresql:// alone for the one that comes with sarbatch[postgresql]."
        raise StateError(f"the driver of {url.drivername} is not installed", remedy) from error
    # A thousand rows in one statement: row by row each costs several journeys to the server, while all others wait
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def strict_json(value: object) -> str:
    """JSON that both dialects take: NaN is refused."""
    import json

    return json.dumps(value, allow_nan=False)


def schema_revision(connection: Connection) -> str | None:
    """Revision that the schema is at, None where there is none; needs no Alembic."""
    from sqlalchemy import column, inspect, select, table

    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema up or down to a revision, within the transaction of `connection`.

    Parameters
    ----------
    revision : one of `REVISIONS`, or "base": no table is left

    Raises
    ------
    StateError
        If rows would be left that refer to nothing; nothing has changed then.
    """
    from alembic import command
    from alembic.config import Config

    if revision == "base":
        _remove(connection)
        return

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    there = schema_revision(connection)
    up = there is None or REVISIONS.index(there) < REVISIONS.index(revision)
    (command.upgrade if up else command.downgrade)(config, revision)
    if connection.dialect.name == "sqlite" and (lost := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
        raise StateError(
            f"the registry cannot be brought to revision {revision}: rows of {lost[0][0]} refer to nothing in {lost[0][2]}",
            _ADOPT,
        )


def _remove(connection: Connection) -> None:
    """Drop every table; what was there before the first revision is nothing, and so that has no step back."""
    from pipelines.registry.tables import metadata

    metadata.drop_all(connection)
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {VERSION_TABLE}")


def explain(error: BaseException | None, database: Database) -> SarbatchError | None:
    """What to say of a driver's error, None where it is not about the database as a whole."""
    import sqlite3

    if error is not None and not isinstance(error, sqlite3.Error):
        return postgresql.explain(error, database.name)
    text = str(error).lower()
    for pattern, kind, what, remedy in _SQLITE:
        if pattern in text:
            return kind(f"registry {database.name} {what}", remedy)
    return None
