"""`Registry`: what was asked for, what is believed, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipelines.registry.rows import Change, EventRow, OperationRow, ProductRow, RunRow, RunState, TaskRow

if TYPE_CHECKING:
    from pipelines.registry.database import Database


class Registry:
    """An open registry. `Registry.open` makes one.

    Every method is one transaction, and safe to call from several processes and threads at once: who loses a race
    is told so by None or False. A forked child may go on using it.

    Raises
    ------
    StateError
        By any method, where the database is damaged, read-only or full.
    TransientError
        By any method, where another writer holds the database for longer than 30 s, or the server is gone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> Registry:
        """Registry at a SQLAlchemy URL, its folder, file and tables made or upgraded where needed.

        Parameters
        ----------
        url : "sqlite:////home/me/registry.db" (a local disk) or "postgresql://user@host/name"

        Raises
        ------
        StateError
            If the schema is newer than this sarbatch, the file is on a network drive, is damaged, belongs to
            something else or cannot be opened.
        """
        from pipelines.registry.database import Database

        database = Database(url)
        try:
            database.prepare()
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def name(self) -> str:
        """Where it is: the URL without its password."""
        return self._database.name

    @property
    def kind(self) -> str:
        """Which database it is: "SQLite" or "PostgreSQL"."""
        return "PostgreSQL" if self._database.path is None else "SQLite"

    def close(self) -> None:
        """Close its connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_run(self, run: RunRow, tasks: Sequence[TaskRow], operations: Sequence[OperationRow] = ()) -> None:
        """Record a run with its tasks and first operations, all or nothing.

        Raises
        ------
        StateError
            If the run is there already, or a request id belongs to another operation of its task.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            changes.add_run(connection, run, tasks=tasks, operations=operations)

    def runs(self, *, limit: int | None = None) -> list[RunRow]:
        """Runs, newest first."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.runs(connection, limit=limit)

    def run(self, run: str) -> RunRow | None:
        """Run of exactly this id, None where there is none."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.run(connection, run)

    def find_run(self, prefix: str) -> RunRow:
        """Run whose id is, or alone starts with, `prefix`.

        Raises
        ------
        StateError
            If no run or more than one starts so; it names the candidates.
        """
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.find_run(connection, prefix)

    def newest_run(
        self, *, job: str | None = None, output: str | None = None, unfinished: bool = False
    ) -> RunRow | None:
        """Newest run (of this job name, of this output, not ended); None where there is none."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.newest_run(connection, job=job, output=output, unfinished=unfinished)

    def tasks(self, run: str) -> list[TaskRow]:
        """Tasks of a run in the job's order."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.tasks(connection, run)

    def operations(
        self,
        *,
        run: str | None = None,
        task: str | None = None,
        unfinished: bool = False,
        backend: str | None = None,
        key: str | None = None,
    ) -> list[OperationRow]:
        """Operations, oldest run first, then in the job's order, by tile and attempt.

        Parameters
        ----------
        run, task, backend, key : only those of it
        unfinished : only those that are not done, failed or cancelled
        """
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.operations(
                connection, run_id=run, task=task, unfinished=unfinished, backend=backend, key=key
            )

    def operation(self, operation: str) -> OperationRow | None:
        """Operation of this id as it is now, None where there is none."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.operation(connection, operation)

    def change(self, operation: OperationRow, *, event: str, **columns: Any) -> OperationRow | None:
        """Change an operation that nobody else has changed since `operation` was read, and record why.

        Parameters
        ----------
        operation : the row as it was read; its `version` is compared and swapped
        event : kind of the event that is written with it; its payload is what differs
        columns : new values of handle, wanted, believed, engine_state, progress, usage, error, not_before, started, ended

        Returns
        -------
        operation : the row as it is now; None where somebody else was first and nothing was written

        Raises
        ------
        TypeError
            If a column is none of these.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.change_all(connection, [Change(operation=operation, event=event, columns=columns)])[0]

    def change_all(self, wanted: Sequence[Change]) -> list[OperationRow | None]:
        """Change many operations in one transaction, each as `change` does; the rows as they are now, in the same order.

        None stands where somebody else was first; the others are changed all the same.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.change_all(connection, wanted)

    def add_attempt(
        self, operation: OperationRow, *, request_id: str, event: str, not_before: datetime | None = None
    ) -> OperationRow | None:
        """Add the attempt after `operation`; None where another process already did.

        Raises
        ------
        StateError
            If the request id belongs to another operation of the task.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.add_attempt(connection, operation, request_id=request_id, event=event, not_before=not_before)

    def split(self, operation: OperationRow, into: Sequence[OperationRow], *, error: Mapping[str, str]) -> bool:
        """Put smaller operations in the place of one that nobody has changed since it was read, all or nothing.

        Parameters
        ----------
        into : new operations of the same task; those that are there already stay as they are
        error : of the operation that is replaced; "split" in it names the tiles

        Returns
        -------
        ours : whether it was this call that did
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.split(connection, operation, into=into, error=error)

    def end_run(self, run: str, state: RunState) -> bool:
        """End a run, once: False where it had ended or is not there."""
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.end_run(connection, run, state=state)

    def set_run_state(self, run: str, state: RunState) -> bool:
        """Give a run another state, "running" to open an ended one again; False where it has that state.

        Raises
        ------
        StateError
            If there is no such run.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.set_run_state(connection, run, state=state)

    def add_products(self, run: str, task: str, products: Sequence[ProductRow]) -> int:
        """Record the products of a task, whose `run` and `task` are filled in; how many were new.

        One with the name, role, media type and labels of one that is there changes nothing.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.add_products(connection, run_id=run, task=task, products=products)

    def products(self, run: str | None = None, *, task: str | None = None) -> list[ProductRow]:
        """Products, oldest run first, then in the job's order, by role, name and labels."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.products(connection, run_id=run, task=task)

    def lease(self, name: str, owner: str, ttl: float) -> bool:
        """Take, renew or take over an expired lease of `ttl` seconds; whether `owner` holds it now.

        Times are the clients' clocks: a lease saves work, it protects nothing. Compare-and-swap does.
        """
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.lease(connection, name, owner=owner, seconds=ttl)

    def lease_owner(self, name: str) -> str | None:
        """Who took a lease last and has not given it back, also where it has run out; None where nobody did."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.lease_owner(connection, name)

    def release(self, name: str, owner: str) -> bool:
        """Give a lease back; False where `owner` does not hold it."""
        from pipelines.registry import changes

        with self._database.write() as connection:
            return changes.release(connection, name, owner=owner)

    def events(self, run: str | None = None, *, after: int = 0, limit: int | None = None) -> list[EventRow]:
        """Events in the order they happened, those with an id above `after`: call again with the last id to follow."""
        from pipelines.registry import queries

        with self._database.read() as connection:
            return queries.events(connection, run_id=run, after=after, limit=limit)

    def export_run(self, run: str) -> dict[str, Any]:
        """Everything that is known of a run, as plain JSON values.

        Raises
        ------
        StateError
            If there is no such run.
        """
        from pipelines.registry import archive

        with self._database.read() as connection:
            return archive.export_run(connection, run)

    def import_run(self, value: Mapping[str, Any]) -> bool:
        """Record a run from what `export_run` gave; False where it is there already.

        Raises
        ------
        StateError
            If it is of another schema or not readable, or if a request id stands twice in one of its tasks.
        """
        from pipelines.registry import archive

        with self._database.write() as connection:
            return archive.import_run(connection, value)
