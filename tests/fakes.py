"""An engine that fails on demand: it does what `pipelines.backends.protocol` promises, with its state in one file.

Several processes share it by opening the same file. It remembers every call of `submit`, so that a test can count how
often an operation was sent, and how many operations there are; the two may differ, since a request id that it knows starts
nothing.

`python tests/fakes.py tick` is `sarbatch tick` with this engine, in the file that `FAKE_ENGINE` names, behind every name.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from infra.errors import (
    CredentialsError,
    EngineError,
    OutputError,
    QuotaError,
    ResourceError,
    SarbatchError,
    TransientError,
)
from infra.storage import Location
from pipelines.backends.protocol import Backend, Capabilities, Failure, Report, State, Submission
from pipelines.cost import Estimate, Work
from pipelines.keys import request_id
from pipelines.kinds.binding import Binding, Continuation, Driver, Request, Survey
from pipelines.orders import WHOLE, Order, Product
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow, RunRow, TaskRow
from pipelines.stepping import nonce

BUSY_SECONDS = 60.0
REFUSALS: dict[str, type[SarbatchError]] = {
    "quota": QuotaError,
    "transient": TransientError,
    "credentials": CredentialsError,
    "engine": EngineError,
    "resource": ResourceError,
    "user": OutputError,
}
SCHEMA = """
CREATE TABLE IF NOT EXISTS operation (
    number INTEGER PRIMARY KEY, request_id TEXT UNIQUE, task TEXT, attempt INTEGER, state TEXT, polls INTEGER,
    cancel INTEGER, behaviour TEXT, item TEXT);
CREATE TABLE IF NOT EXISTS submission (request_id TEXT, task TEXT, attempt INTEGER, process INTEGER, time REAL);
CREATE TABLE IF NOT EXISTS script (number INTEGER PRIMARY KEY, task TEXT, times INTEGER, behaviour TEXT);
CREATE TABLE IF NOT EXISTS peak (unfinished INTEGER);
"""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What happens to one submission.

    Attributes
    ----------
    polls : looks until it has ended; the last tells the end
    fail : class of the error that it ends with, None for a product
    advanced : whether something of it is kept when it fails
    refuse : class of the error with which `submit` refuses it
    lose_answer : it is taken, but `submit` raises TransientError
    lose : its driver dies: it is reported lost
    crash : the submitting process is killed before or after the engine has taken it
    eecu : EECU-seconds that it has used when it ends
    """

    polls: int = 2
    fail: str | None = None
    advanced: bool = False
    refuse: str | None = None
    lose_answer: bool = False
    lose: bool = False
    crash: Literal["before-accept", "after-accept"] | None = None
    eecu: float = 0.0


class FakeBackend:
    """The engine whose state lies in the SQLite file `path`.

    Parameters
    ----------
    polls : looks until an operation has ended, where no script says otherwise
    queue : operations that it takes before it refuses
    """

    name = "fake"

    def __init__(self, path: Path, *, polls: int = 2, queue: int = 1_000_000) -> None:
        self.path, self.polls, self.queue = path, polls, queue
        with self._open() as connection:
            connection.executescript(SCHEMA)

    # What an engine does

    def capabilities(self) -> Capabilities:
        return Capabilities(kinds=frozenset({"fake"}), parallel=2, queue=self.queue)

    def binding(self, kind: str) -> Binding:
        return {"fake": FakeBinding()}[kind]

    def estimate(self, work: Work) -> Estimate:
        return Estimate(
            pixels=work.pixels,
            bytes_read=work.bytes_read,
            bytes_written=work.bytes_written,
            core_hours=work.core_seconds / 3600,
            wall_seconds=work.fixed_seconds + work.core_seconds,
        )

    def submit(self, operation: Submission) -> str:
        task = str(operation.order["task"])
        with self._open() as connection:
            self._remember(connection, operation, task)
            known = self._number(connection, operation.request_id)
            behaviour = Behaviour(polls=self.polls) if known else self._next_behaviour(connection, task, operation.tile)
        if behaviour.refuse:
            raise REFUSALS[behaviour.refuse](f"refused: {behaviour.refuse}", "The script says so.")
        if behaviour.crash == "before-accept":
            os.kill(os.getpid(), signal.SIGKILL)
        number = known or self._accept(operation, task, behaviour)
        if behaviour.crash == "after-accept":
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour.lose_answer:
            raise TransientError("the answer was lost", "The script says so.")
        return f"operation/{number}"

    def poll(self, handles: Sequence[str]) -> Mapping[str, Report]:
        with self._open() as connection:
            rows = {f"operation/{row['number']}": row for row in connection.execute("SELECT * FROM operation")}
            return {handle: self._advance(connection, rows.get(handle)) for handle in handles}

    def list(self, prefix: str) -> Mapping[str, str]:
        with self._open() as connection:
            rows = connection.execute("SELECT number, request_id FROM operation ORDER BY number").fetchall()
        return {row["request_id"]: f"operation/{row['number']}" for row in rows if row["request_id"].startswith(prefix)}

    def cancel(self, handle: str) -> None:
        with self._open() as connection:
            connection.execute("UPDATE operation SET cancel = 1 WHERE number = ?", (handle.rpartition("/")[2],))

    def logs(self, handle: str) -> str:
        with self._open() as connection:
            row = connection.execute(
                "SELECT * FROM operation WHERE number = ?", (handle.rpartition("/")[2],)
            ).fetchone()
        return f"{row['task']}, attempt {row['attempt']}: {row['state']} after {row['polls']} looks\n" if row else ""

    def split(self, tile: str) -> tuple[str, ...]:
        """Two halves of a tile whose name has fewer than four letters."""
        return (f"{tile}l", f"{tile}r") if len(tile) < 4 else ()

    # What a test asks of it

    def script(self, task: str, *, times: int = 1, **behaviour: Any) -> None:
        """Let the next `times` new submissions of a task (of "task/tile") go so; scripts of one follow each other."""
        text = json.dumps(asdict(replace(Behaviour(polls=self.polls), **behaviour)))
        with self._open() as connection:
            connection.execute("INSERT INTO script (task, times, behaviour) VALUES (?, ?, ?)", (task, times, text))

    def submissions(self) -> dict[str, int]:
        """How often each request id was sent."""
        with self._open() as connection:
            rows = connection.execute("SELECT request_id, count(*) AS n FROM submission GROUP BY request_id")
            return {row["request_id"]: row["n"] for row in rows}

    def operations(self) -> Sequence[dict[str, Any]]:
        """Every operation that was started, oldest first."""
        with self._open() as connection:
            return [dict(row) for row in connection.execute("SELECT * FROM operation ORDER BY number")]

    def peak(self) -> int:
        """Most operations that were unfinished at once."""
        with self._open() as connection:
            return int(connection.execute("SELECT coalesce(max(unfinished), 0) FROM peak").fetchone()[0])

    # Inside

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the only writer."""
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        finally:
            connection.close()

    def _remember(self, connection: sqlite3.Connection, operation: Submission, task: str) -> None:
        row = (operation.request_id, task, operation.attempt, os.getpid(), time.time())
        connection.execute("INSERT INTO submission VALUES (?, ?, ?, ?, ?)", row)

    def _number(self, connection: sqlite3.Connection, request_id: str) -> int | None:
        row = connection.execute("SELECT number FROM operation WHERE request_id = ?", (request_id,)).fetchone()
        return int(row["number"]) if row else None

    def _next_behaviour(self, connection: sqlite3.Connection, task: str, tile: str) -> Behaviour:
        row = connection.execute(
            "SELECT number, behaviour FROM script WHERE task IN (?, ?) AND times > 0 ORDER BY number",
            (task, f"{task}/{tile}"),
        ).fetchone()
        if row is None:
            return Behaviour(polls=self.polls)
        connection.execute("UPDATE script SET times = times - 1 WHERE number = ?", (row["number"],))
        return Behaviour(**json.loads(row["behaviour"]))

    def _accept(self, operation: Submission, task: str, behaviour: Behaviour) -> int:
        order = Order.from_json(operation.order)
        item = f"{order.home.url}/item.json" if operation.tile == WHOLE else ""
        with self._open() as connection:
            unfinished = self._unfinished(connection)
            known = self._number(connection, operation.request_id)
            if known is not None:
                return known
            if unfinished >= self.queue:
                raise QuotaError(f"{unfinished} operations are in the queue already", "Wait until one has ended.")
            cursor = connection.execute(
                "INSERT INTO operation (request_id, task, attempt, state, polls, cancel, behaviour, item)"
                " VALUES (?, ?, ?, 'queued', 0, 0, ?, ?)",
                (operation.request_id, task, operation.attempt, json.dumps(asdict(behaviour)), item),
            )
            connection.execute("INSERT INTO peak VALUES (?)", (unfinished + 1,))
            return cast("int", cursor.lastrowid)

    def _unfinished(self, connection: sqlite3.Connection) -> int:
        query = "SELECT count(*) FROM operation WHERE state NOT IN ('done', 'failed', 'cancelled', 'lost')"
        return int(connection.execute(query).fetchone()[0])

    def _advance(self, connection: sqlite3.Connection, row: sqlite3.Row | None) -> Report:
        """One look further on the way of an operation: queued, running, and how it ends."""
        if row is None:
            return Report(state=State.LOST, engine_state="unknown", failure=GONE)
        behaviour, polls = Behaviour(**json.loads(row["behaviour"])), row["polls"] + 1
        state = State(row["state"])
        if not state.final and state != State.LOST:
            state = _next_state(behaviour, polls, cancel=bool(row["cancel"]))
            if state == State.DONE and row["item"]:
                _publish(Path(row["item"]))
            connection.execute(
                "UPDATE operation SET state = ?, polls = ? WHERE number = ?", (state, polls, row["number"])
            )
        failure = {State.FAILED: _failure(behaviour.fail or ""), State.LOST: GONE}.get(state)
        used = {"eecu_seconds": behaviour.eecu} if state in {State.DONE, State.FAILED} else {}
        progress = 1.0 if state == State.DONE else min(1.0, (polls - 1) / behaviour.polls)
        return Report(
            state=state,
            engine_state=f"fake-{state}",
            progress=progress,
            advanced=behaviour.advanced,
            usage={"wall_seconds": 0.5, "core_hours": 0.25, **used} if state == State.DONE else used,
            failure=failure,
        )


class FakeBinding:
    """A kind that needs nothing and makes nothing."""

    def survey(self, request: Request) -> Survey:
        return Survey(work=Work(pixels=1, core_seconds=1.0))

    def continuation(self, order: Order, survey: Survey) -> Continuation:
        return Continuation(notes=[], work=survey.work)

    def open_store(self, store: Any, *, media_type: str, key: str, group: str) -> Any:
        raise KeyError(key)

    def make(self, order: Order, driver: Driver) -> list[Product]:
        return []


GONE = Failure(error_class="transient", message="the driver is gone", remedy="It is started again.")


def _failure(error_class: str) -> Failure:
    return Failure(error_class=error_class, message=f"failed: {error_class}", remedy="The script says so.")


def _next_state(behaviour: Behaviour, polls: int, *, cancel: bool) -> State:
    if cancel:
        return State.CANCELLED
    if polls < behaviour.polls:
        return State.RUNNING
    if behaviour.lose:
        return State.LOST
    return State.FAILED if behaviour.fail else State.DONE


def _publish(item: Path) -> None:
    """What makes a key published: an item, here without products."""
    item.parent.mkdir(parents=True, exist_ok=True)
    item.write_text(json.dumps({"properties": {"created": "2026-01-01T00:00:00+00:00"}, "assets": {}}))


_: type[Backend] = FakeBackend


def add_fake_run(
    registry: Registry,
    root: Location,
    needs: Mapping[str, Sequence[str]],
    *,
    run: str = "r1",
    tiles: Sequence[str] = (),
    eecu_hours: float | None = None,
) -> RunRow:
    """Run of fake tasks: name to the names that it needs, each after those; of tiles, within a budget."""
    row = RunRow(id=run, job="fake", output=root.url)
    budget = {} if eecu_hours is None else {"eecu_hours": eecu_hours}
    orders = {name: replace(fake_order(root, name), tiles=tuple(tiles), budget=budget) for name in needs}
    tasks = [
        TaskRow(
            run=run,
            name=name,
            position=position,
            kind="fake",
            key=order.key,
            line=order.line,
            backend="fake",
            needs=tuple(needs[name]),
            estimate=Estimate().to_json(),
            document=order.to_json(),
        )
        for position, (name, order) in enumerate(orders.items())
    ]
    word = nonce(root)
    operations = [
        OperationRow(
            run=run,
            task=t.name,
            key=t.key,
            tile=tile,
            request_id=request_id(nonce=word, key=t.key, tile=tile, attempt=1),
        )
        for t in tasks
        for tile in (*tiles, WHOLE)
    ]
    registry.add_run(row, tasks, operations)
    return row


def fake_order(root: Location, name: str) -> Order:
    """Order of a kind that needs nothing; its key is its name's."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Order(
        job="fake",
        task=name,
        kind="fake",
        key=digest,
        line=digest[::-1],
        output=root.url,
        s3=root.s3,
        parameters={},
        region=None,
    )


def start(*arguments: str, engine: FakeBackend, state: Path, **environment: str) -> subprocess.Popen[str]:
    """The command line with the fake engine, as a process of its own."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SARBATCH_")}
    own = {"SARBATCH_STATE_DIR": str(state), "FAKE_ENGINE": str(engine.path), "FAKE_QUEUE": str(engine.queue)}
    return subprocess.Popen(
        [sys.executable, __file__, *arguments],
        env={**variables, **own, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def main() -> None:
    """The command line, with this engine behind every name."""
    from pipelines import cli, step

    engine = FakeBackend(Path(os.environ["FAKE_ENGINE"]), queue=int(os.environ["FAKE_QUEUE"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "load_backend", lambda name, settings: engine)
        cli.main()


if __name__ == "__main__":
    main()
