"""What is read from the registry: each function one query, rows in the order that `status` and `products` show."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from infra.errors import StateError
from pipelines.backends.protocol import FINAL, State
from pipelines.registry import tables
from pipelines.registry.rows import EventRow, OperationRow, ProductRow, RunRow, TaskRow

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, RowMapping, Select, Table

    Row = type[RunRow | TaskRow | OperationRow | ProductRow | EventRow]

SHOWN = 8  # candidates that an error names


def columns(table: Table, row: Row) -> list[Column[Any]]:
    """Columns of `table` that are fields of `row`."""
    return [table.c[field.name] for field in fields(row)]


def runs(connection: Connection, *, limit: int | None = None) -> list[RunRow]:
    """Runs, newest first."""
    return _runs(connection, _newest_first().limit(limit))


def newest_run(
    connection: Connection, *, job: str | None = None, output: str | None = None, unfinished: bool = False
) -> RunRow | None:
    """Newest run of a job name, of an output, that has not ended; None where there is none."""
    query = _newest_first().limit(1)
    if job is not None:
        query = query.where(tables.run.c.job == job)
    if output is not None:
        query = query.where(tables.run.c.output == output)
    if unfinished:
        query = query.where(tables.run.c.ended.is_(None))
    return next(iter(_runs(connection, query)), None)


def run(connection: Connection, run_id: str) -> RunRow | None:
    """Run of exactly this id, None where there is none."""
    return next(iter(_runs(connection, _newest_first().where(tables.run.c.id == run_id))), None)


def find_run(connection: Connection, prefix: str) -> RunRow:
    """Run whose id is or alone starts with `prefix`; StateError names the candidates where it is not one."""
    exact = run(connection, prefix)
    if exact is not None:
        return exact
    # not LIKE, which ignores case on SQLite and not on PostgreSQL
    starts = func.substr(tables.run.c.id, 1, len(prefix)) == prefix
    found = _runs(connection, _newest_first().where(starts).limit(SHOWN + 1))
    if len(found) == 1:
        return found[0]
    if found:
        raise StateError(f"run {prefix!r} is ambiguous: {_names(found)}", "Give more of the id.")
    there = runs(connection, limit=SHOWN + 1)
    known = f"The newest are {_names(there)}." if there else "The registry holds no run yet."
    raise StateError(f"there is no run {prefix!r}", f"{known} `sarbatch status` lists them.")


def tasks(connection: Connection, run_id: str) -> list[TaskRow]:
    """Tasks of a run in the job's order."""
    query = (
        select(*columns(tables.task, TaskRow))
        .where(tables.task.c.run == run_id)
        .order_by(tables.task.c.position, tables.task.c.name)
    )
    return [TaskRow(**{**row, "needs": tuple(row["needs"])}) for row in connection.execute(query).mappings()]


def operations(
    connection: Connection,
    *,
    run_id: str | None = None,
    task: str | None = None,
    unfinished: bool = False,
    backend: str | None = None,
    key: str | None = None,
) -> list[OperationRow]:
    """Operations, oldest run first, then in the job's order, by tile and attempt."""
    o, t, r = tables.operation.c, tables.task.c, tables.run.c
    query = (
        select(*columns(tables.operation, OperationRow))
        .join(tables.task, (o.run == t.run) & (o.task == t.name))
        .join(tables.run, o.run == r.id)
        .order_by(r.started, r.id, t.position, t.name, o.tile, o.attempt)
    )
    for column, value in ((o.run, run_id), (o.task, task), (t.backend, backend), (o.key, key)):
        if value is not None:
            query = query.where(column == value)
    if unfinished:
        query = query.where(o.believed.in_(sorted(set(State) - FINAL)))  # not `not_in`, for which no index helps
    return [_operation(row) for row in connection.execute(query).mappings()]


def operation(connection: Connection, operation_id: str) -> OperationRow | None:
    """Operation of this id, None where there is none."""
    query = select(*columns(tables.operation, OperationRow)).where(tables.operation.c.id == operation_id)
    row = connection.execute(query).mappings().first()
    return _operation(row) if row else None


def products(connection: Connection, *, run_id: str | None = None, task: str | None = None) -> list[ProductRow]:
    """Products, oldest run first, then in the job's order, by role, name and labels."""
    p, t, r = tables.product.c, tables.task.c, tables.run.c
    query = (
        select(*columns(tables.product, ProductRow))
        .join(tables.task, (p.run == t.run) & (p.task == t.name))
        .join(tables.run, p.run == r.id)
    )
    if run_id is not None:
        query = query.where(p.run == run_id)
    if task is not None:
        query = query.where(p.task == task)
    labels = (p.polarization, p.date, p.period, p.orbit, p.zone)
    # databases disagree on where nulls sort
    order = (p.role, p.name, *(func.coalesce(label, "") for label in labels), p.media_type, p.identity)
    query = query.order_by(r.started, r.id, t.position, t.name, *order)
    return [ProductRow(**row) for row in connection.execute(query).mappings()]


def events(
    connection: Connection, *, run_id: str | None = None, after: int = 0, limit: int | None = None
) -> list[EventRow]:
    """Events in the order they happened, those with an id above `after`."""
    e = tables.event.c
    query = select(*columns(tables.event, EventRow)).where(e.id > after).order_by(e.id).limit(limit)
    if run_id is not None:
        query = query.where(e.run == run_id)
    return [EventRow(**row) for row in connection.execute(query).mappings()]


def lease_owner(connection: Connection, name: str) -> str | None:
    """Who took a lease last and has not given it back."""
    owner: str | None = connection.scalar(select(tables.lease.c.owner).where(tables.lease.c.name == name))
    return owner


def _newest_first() -> Select[Any]:
    return select(*columns(tables.run, RunRow)).order_by(tables.run.c.started.desc(), tables.run.c.id.desc())


def _runs(connection: Connection, query: Select[Any]) -> list[RunRow]:
    return [RunRow(**row) for row in connection.execute(query).mappings()]


def _operation(row: RowMapping) -> OperationRow:
    return OperationRow(**{**row, "believed": State(row["believed"])})


def _names(found: list[RunRow]) -> str:
    more = " and more" if len(found) > SHOWN else ""
    return ", ".join(row.id for row in found[:SHOWN]) + more
