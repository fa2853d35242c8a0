"""A run as plain JSON, to lie with the output and to rebuild a lost registry from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.errors import StateError
from pipelines.backends.protocol import State
from pipelines.registry import changes, queries, tables
from pipelines.registry.rows import EventRow, OperationRow, ProductRow, RunRow, TaskRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA = 1
TIMES = frozenset({"started", "ended", "updated", "not_before", "created", "time"})


def export_run(connection: Connection, run_id: str) -> dict[str, Any]:
    """Everything the registry knows of a run, plain JSON values; times in ISO 8601, UTC."""
    run = queries.run(connection, run_id)
    if run is None:
        raise StateError(f"there is no run {run_id!r}", "`sarbatch status` lists them.")
    return {
        "schema": SCHEMA,
        "run": _plain(run),
        "tasks": [_plain(row) for row in queries.tasks(connection, run_id)],
        "operations": [_plain(row) for row in queries.operations(connection, run_id=run_id)],
        "products": [_plain(row) for row in queries.products(connection, run_id=run_id)],
        # numbered again where they are imported
        "events": [
            {name: value for name, value in _plain(row).items() if name != "id"}
            for row in queries.events(connection, run_id=run_id)
        ],
    }


def import_run(connection: Connection, value: Mapping[str, Any]) -> bool:
    """Insert a run from what `export_run` gave; False where the registry holds it already."""
    if value.get("schema") != SCHEMA:
        raise StateError(
            f"a recorded run of schema {value.get('schema')!r}, this sarbatch reads {SCHEMA}", "Upgrade sarbatch."
        )
    try:
        run = RunRow(**_values(RunRow, value["run"]))
        tasks = [TaskRow(**_values(TaskRow, row)) for row in value["tasks"]]
        operations = [OperationRow(**_values(OperationRow, row)) for row in value["operations"]]
        products = [ProductRow(**_values(ProductRow, row)) for row in value["products"]]
        events = [_values(EventRow, row) for row in value["events"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"a recorded run is not readable: {error!r}", "Leave it out: remove or repair the file it was read from."
        ) from error
    if queries.run(connection, run.id) is not None:
        return False
    changes.check_request_ids(connection, operations)
    changes.insert_all(connection, tables.run, [asdict(run)])
    changes.insert_all(connection, tables.task, [asdict(row) for row in tasks])
    changes.insert_all(connection, tables.operation, [asdict(row) for row in operations])
    identified = [{**asdict(row), "identity": changes.product_identity(row)} for row in products]
    changes.insert_all(connection, tables.product, identified)
    changes.insert_all(connection, tables.event, events)
    return True


def _plain(row: RunRow | TaskRow | OperationRow | ProductRow | EventRow) -> dict[str, Any]:
    return {name: changes.plain(value) for name, value in asdict(row).items()}


def _values(row: queries.Row, value: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `row` from JSON: unknown ones are an error, later ones may be absent."""
    unknown = set(value) - {field.name for field in fields(row)}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)}")
    values: dict[str, Any] = {name: _time(v) if name in TIMES else v for name, v in value.items()}
    if "needs" in values:
        values["needs"] = tuple(values["needs"])
    if "believed" in values:
        values["believed"] = State(values["believed"])
    return values


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
