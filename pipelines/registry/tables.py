"""The tables, for SQLite and PostgreSQL alike. Imported only once a registry is open.

A change here needs a new file in `migrations/versions` and its revision at the end of `database.REVISIONS`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """Aware datetimes, UTC, microseconds. SQLite keeps no zone: there the naive UTC time is stored."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, refusing a time whose zone nobody said."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time without zone: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


run = Table(
    "run",
    metadata,
    Column("id", String, primary_key=True),
    Column("job", String, nullable=False),
    Column("output", String, nullable=False),
    Column("job_text", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("started", Utc, nullable=False),
    Column("ended", Utc),
    Index(None, "started"),
)

task = Table(
    "task",
    metadata,
    Column("run", String, ForeignKey("run.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),
    Column("line", String),
    Column("backend", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("needs", JSON, nullable=False),
    Column("estimate", JSON, nullable=False),
    Column("document", JSON, nullable=False),
)

operation = Table(
    "operation",
    metadata,
    Column("id", String, primary_key=True),
    Column("run", String, nullable=False),
    Column("task", String, nullable=False),
    Column("tile", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("key", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("handle", String),
    Column("wanted", String, nullable=False),
    Column("believed", String, nullable=False),
    Column("engine_state", Text, nullable=False),
    Column("progress", Float),
    Column("usage", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("version", Integer, nullable=False),
    Column("not_before", Utc),
    Column("started", Utc),
    Column("updated", Utc, nullable=False),
    Column("ended", Utc),
    ForeignKeyConstraint(["run", "task"], ["task.run", "task.name"]),
    UniqueConstraint("run", "task", "tile", "attempt"),
    UniqueConstraint("run", "task", "request_id"),
    Index(None, "believed"),
    Index(None, "key"),
)

event = Table(
    "event",
    metadata,
    # SQLite numbers rows by itself only where the column's type is exactly INTEGER
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("run", String, ForeignKey("run.id"), nullable=False),
    Column("task", String),
    Column("operation", String, ForeignKey("operation.id")),
    Column("time", Utc, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", JSON, nullable=False),
    Index(None, "run", "id"),
)

product = Table(
    "product",
    metadata,
    Column("run", String, primary_key=True),
    Column("task", String, primary_key=True),
    # SHA-256 over name, role, media type and labels: a unique constraint would let rows with a null label in twice
    Column("identity", String(64), primary_key=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("polarization", String),
    Column("date", String),
    Column("period", String),
    Column("orbit", String),
    Column("zone", String),
    Column("href", Text, nullable=False),
    Column("media_type", String, nullable=False),
    Column("bytes", BigInteger),
    Column("units", String),
    Column("key", String, nullable=False),
    Column("created", Utc, nullable=False),
    ForeignKeyConstraint(["run", "task"], ["task.run", "task.name"]),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("expires", Utc, nullable=False),
)
