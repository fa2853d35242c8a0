"""What is written to the registry: each function one step of a transaction, with its event."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, select, update

from infra.errors import StateError
from pipelines.backends.protocol import State
from pipelines.registry import queries, tables
from pipelines.registry.rows import Change, OperationRow, ProductRow, RunRow, RunState, TaskRow, now

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

CHANGEABLE = frozenset(
    {"handle", "wanted", "believed", "engine_state", "progress", "usage", "error", "not_before", "started", "ended"}
)
IDENTITY = ("name", "role", "media_type", "polarization", "date", "period", "orbit", "zone")


def add_run(
    connection: Connection, run: RunRow, *, tasks: Sequence[TaskRow], operations: Sequence[OperationRow]
) -> None:
    """Insert a run with its tasks and first operations."""
    if queries.run(connection, run.id) is not None:
        raise StateError(f"run {run.id} is in the registry already", "Give the new run another id.")
    check_request_ids(connection, operations)
    connection.execute(insert(tables.run), asdict(run))
    insert_all(connection, tables.task, [asdict(task) for task in tasks])
    insert_all(connection, tables.operation, [asdict(operation) for operation in operations])
    happened = [event_values(run.id, "run-added", {"job": run.job, "output": run.output})]
    happened += [_operation_event(operation, "operation-added", _birth(operation)) for operation in operations]
    insert_all(connection, tables.event, happened)


def change_all(connection: Connection, wanted: Sequence[Change]) -> list[OperationRow | None]:
    """Update operations whose version is still that which was read; the new rows, None where it is not."""
    after: list[OperationRow | None] = []
    happened = []
    for one in wanted:
        changed = _swap(connection, one.operation, one.columns)
        after.append(changed)
        if changed is not None:
            before = one.operation
            differs = {name: plain(value) for name, value in one.columns.items() if value != getattr(before, name)}
            happened.append(_operation_event(changed, one.event, differs))
    insert_all(connection, tables.event, happened)
    return after


def _swap(connection: Connection, operation: OperationRow, changes: Mapping[str, Any]) -> OperationRow | None:
    unknown = set(changes) - CHANGEABLE
    if unknown:
        raise TypeError(f"an operation has no column to change named {', '.join(sorted(unknown))}")
    changed = replace(operation, **changes, version=operation.version + 1, updated=now())
    values = {name: getattr(changed, name) for name in (*changes, "version", "updated")}
    same = and_(tables.operation.c.id == operation.id, tables.operation.c.version == operation.version)
    swapped = connection.execute(update(tables.operation).where(same).values(values)).rowcount == 1
    return changed if swapped else None


def add_attempt(
    connection: Connection, operation: OperationRow, *, request_id: str, event: str, not_before: datetime | None
) -> OperationRow | None:
    """Insert the attempt after `operation`; None where it is there already."""
    again = OperationRow(
        run=operation.run,
        task=operation.task,
        key=operation.key,
        request_id=request_id,
        tile=operation.tile,
        attempt=operation.attempt + 1,
        not_before=not_before,
    )
    o = tables.operation.c
    there = and_(o.run == again.run, o.task == again.task, o.tile == again.tile, o.attempt == again.attempt)
    if connection.execute(select(o.id).where(there)).first() is not None:
        return None
    check_request_ids(connection, [again])
    insert_all(connection, tables.operation, [asdict(again)])
    insert_all(connection, tables.event, [_operation_event(again, event, _birth(again))])
    return again


def split(
    connection: Connection, operation: OperationRow, *, into: Sequence[OperationRow], error: Mapping[str, str]
) -> bool:
    """Insert the operations that take the place of one, and mark it; whether nobody was first."""
    change = Change(operation=operation, event="split", columns={"believed": State.FAILED, "error": dict(error)})
    if change_all(connection, [change])[0] is None:
        return False
    o = tables.operation.c
    there = select(o.tile).where(o.run == operation.run, o.task == operation.task).distinct()
    known = {row.tile for row in connection.execute(there)}
    new = [row for row in into if row.tile not in known]
    check_request_ids(connection, new)
    insert_all(connection, tables.operation, [asdict(row) for row in new])
    insert_all(connection, tables.event, [_operation_event(row, "split", _birth(row)) for row in new])
    return True


def end_run(connection: Connection, run_id: str, *, state: RunState) -> bool:
    """End a run that has not ended; whether it was this call that did."""
    open_run = and_(tables.run.c.id == run_id, tables.run.c.ended.is_(None))
    result = connection.execute(update(tables.run).where(open_run).values(state=state, ended=now()))
    if result.rowcount == 1:
        insert_all(connection, tables.event, [event_values(run_id, "run-ended", {"state": state})])
    return result.rowcount == 1


def set_run_state(connection: Connection, run_id: str, *, state: RunState) -> bool:
    """Give a run another state ("running" opens it again); whether it had another one."""
    if queries.run(connection, run_id) is None:
        raise StateError(f"there is no run {run_id!r}", "`sarbatch status` lists them.")
    other = and_(tables.run.c.id == run_id, tables.run.c.state != state)
    ended = None if state == "running" else now()
    result = connection.execute(update(tables.run).where(other).values(state=state, ended=ended))
    if result.rowcount == 1:
        insert_all(connection, tables.event, [event_values(run_id, "run-state", {"state": state})])
    return result.rowcount == 1


def add_products(connection: Connection, *, run_id: str, task: str, products: Sequence[ProductRow]) -> int:
    """Insert the products that are not there yet; how many."""
    p = tables.product.c
    there = set(connection.scalars(select(p.identity).where(p.run == run_id, p.task == task)))
    rows: dict[str, ProductRow] = {}
    for product in products:
        identity = product_identity(product)
        if identity not in there:
            rows.setdefault(identity, replace(product, run=run_id, task=task))
    insert_all(connection, tables.product, [{**asdict(row), "identity": i} for i, row in rows.items()])
    happened = [
        event_values(run_id, "product-added", {"name": row.name, "role": row.role, "href": row.href}, task=task)
        for row in rows.values()
    ]
    insert_all(connection, tables.event, happened)
    return len(rows)


def product_identity(product: ProductRow) -> str:
    """SHA-256 of what tells the products of a task apart; an absent label equals an absent label."""
    labels = [getattr(product, name) for name in IDENTITY]
    wrong = [f"{n}={v!r}" for n, v in zip(IDENTITY, labels, strict=True) if not isinstance(v, str | None)]
    if wrong:
        raise TypeError(f"labels of a product are texts or None: {', '.join(wrong)}")
    return hashlib.sha256(json.dumps(labels).encode()).hexdigest()


def lease(connection: Connection, name: str, *, owner: str, seconds: float) -> bool:
    """Take, renew or take over an expired lease; whether `owner` holds it now."""
    c = tables.lease.c
    moment = now()
    values = {"owner": owner, "expires": moment + timedelta(seconds=seconds)}
    held = connection.execute(select(c.owner, c.expires).where(c.name == name)).first()
    if held is None:
        connection.execute(insert(tables.lease), {"name": name, **values})
        return True
    if held.owner != owner and held.expires > moment:
        return False
    unchanged = and_(c.name == name, c.owner == held.owner, c.expires == held.expires)
    return connection.execute(update(tables.lease).where(unchanged).values(values)).rowcount == 1


def release(connection: Connection, name: str, *, owner: str) -> bool:
    """Give a lease back; False where `owner` did not hold it."""
    c = tables.lease.c
    return connection.execute(delete(tables.lease).where(c.name == name, c.owner == owner)).rowcount == 1


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; none is fine."""
    if rows:
        connection.execute(insert(table), [dict(row) for row in rows])


def event_values(
    run_id: str, kind: str, payload: Mapping[str, Any], *, task: str | None = None, operation: str | None = None
) -> dict[str, Any]:
    """Row of the event table; the database numbers it."""
    return {"run": run_id, "task": task, "operation": operation, "time": now(), "kind": kind, "payload": dict(payload)}


def plain(value: object) -> object:
    """JSON value of a column: times in ISO 8601, lists for tuples."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, State) else value


def _operation_event(operation: OperationRow, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return event_values(operation.run, kind, payload, task=operation.task, operation=operation.id)


def _birth(operation: OperationRow) -> dict[str, Any]:
    names = ("tile", "attempt", "request_id", "believed", "not_before")
    return {name: plain(getattr(operation, name)) for name in names}


def check_request_ids(connection: Connection, operations: Sequence[OperationRow]) -> None:
    """A request id stands for one operation of a task: sent for two, the engine would join them.

    Across runs, and across tasks that make the same key, it is meant to: they share what the engine does.
    """
    given = [(operation.run, operation.task, operation.request_id) for operation in operations]
    doubled = {place[2] for place, times in Counter(given).items() if times > 1}
    o = tables.operation.c
    for run, task in {(run, task) for run, task, _ in given}:
        here = [request for r, t, request in given if (r, t) == (run, task)]
        for start in range(0, len(here), 500):  # databases limit the parameters of one statement
            same = and_(o.run == run, o.task == task, o.request_id.in_(here[start : start + 500]))
            doubled |= set(connection.scalars(select(o.request_id).where(same)))
    if doubled:
        raise StateError(
            f"request id {min(doubled)} belongs to another operation",
            "Count attempts on from the last operation of the same key and tile.",
        )
