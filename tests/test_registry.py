"""The registry: schema, compare-and-swap between real processes, crashes, and the way out and back in.

Each on SQLite and on PostgreSQL, but for what is about SQLite's file; what is PostgreSQL's own stands in test_postgresql.py.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from pathlib import Path

import pytest

from infra.errors import StateError, TransientError
from pipelines.backends.protocol import State
from pipelines.registry.drives import network_drive
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow, ProductRow, RunRow, TaskRow

ROOT = Path(__file__).parents[1]
sqlite_only = pytest.mark.parametrize("registry_url", ["sqlite"], indirect=True)
RUN = "20261120-120000-abcd"


@pytest.fixture
def url(registry_url: str) -> str:
    return registry_url


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with Registry.open(url) as opened:
        yield opened


def a_run(run: str = RUN, *, tiles: int = 1, **columns: object) -> tuple[RunRow, list[TaskRow], list[OperationRow]]:
    tasks = [
        TaskRow(run=run, name="stack", position=0, kind="backscatter-stack", key="k1", line="l1", backend="dask"),
        TaskRow(
            run=run, name="mean", position=1, kind="stack-statistics", key="k2", backend="earth-engine",
            reason="cheaper", needs=("stack",), estimate={"pixels": 12, "core_hours": 0.25}, document={"order": [1, None]},
        ),
    ]  # fmt: skip
    operations = [
        OperationRow(run=run, task="stack", key="k1", tile=f"{i:04d}", request_id=f"{run}-k1-{i:04d}-1")
        for i in range(tiles)
    ]
    return (
        RunRow(**{"id": run, "job": "demo", "output": "/out", "job_text": "name: demo\n", **columns}),
        tasks,
        operations,
    )


def a_product(**columns: object) -> ProductRow:
    given = {
        "kind": "stack-statistics", "name": "mean", "role": "raster", "polarization": "VV", "href": "/out/mean.tif",
        "media_type": "image/tiff", "bytes": 5_000_000_000, "units": "1", "key": "k2",
    }  # fmt: skip
    return ProductRow(**{**given, **columns})


PRELUDE = """
import os, random, signal, sys, time
from pathlib import Path
from pipelines.backends.protocol import State
from pipelines.registry.registry import Registry
url, me, go = sys.argv[1], sys.argv[2], Path(sys.argv[3])
def ready():
    go.with_name(f"ready-{me}").touch()
    while not go.exists():
        time.sleep(0.001)
"""


def start(script: str, *, url: str, me: str, go: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", PRELUDE + script, url, me, str(go)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def race(script: str, *, url: str, processes: int, folder: Path) -> list[list[str]]:
    """Lines that each of the processes printed; all start at the same moment."""
    go = folder / "go"
    running = [start(script, url=url, me=str(i), go=go) for i in range(processes)]
    deadline = time.monotonic() + 60
    while len(list(folder.glob("ready-*"))) < processes and time.monotonic() < deadline:
        time.sleep(0.01)
    go.touch()
    ended = [(*process.communicate(timeout=120), process.returncode) for process in running]
    assert [code for *_, code in ended] == [0] * processes, "\n".join(err for _, err, _ in ended)
    return [out.split() for out, *_ in ended]


# --- schema


def test_importing_the_registry_loads_no_database() -> None:
    script = (
        "import sys, pipelines.registry, pipelines.registry.registry, pipelines.registry.rows\n"
        "print([m for m in ('sqlalchemy', 'alembic') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_new_registry_has_the_schema_of_the_tables(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from pipelines.registry import database, tables

    Registry.open(url).close()
    opened = database.Database(url)
    with opened.read() as connection:
        assert database.schema_revision(connection) == database.REVISIONS[-1]
        context = MigrationContext.configure(connection, opts={"version_table": database.VERSION_TABLE})
        assert compare_metadata(context, tables.metadata) == []
    opened.close()
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert tuple(r.revision for r in script.walk_revisions())[::-1] == database.REVISIONS
    assert len(script.get_heads()) == 1


def test_alembic_is_loaded_only_to_migrate(url: str, tmp_path: Path) -> None:
    script = "Registry.open(url).close(); print('alembic' in sys.modules)"
    (tmp_path / "go").touch()
    for expected in ("True", "False"):
        process = start(script, url=url, me="a", go=tmp_path / "go")
        out, err = process.communicate(timeout=60)
        assert out.strip() == expected, err


def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    from sqlalchemy import create_engine

    Registry.open(url).close()
    engine = create_engine(url.replace("postgresql:", "postgresql+pg8000:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sarbatch_schema SET version_num = '9876'")
    engine.dispose()
    with pytest.raises(StateError, match=r"newer registry schema.*9876.*0001") as caught:
        Registry.open(url)
    assert caught.value.exit_code == 2
    assert "SARBATCH_REGISTRY" in caught.value.remedy


def test_four_processes_may_make_the_same_registry_at_once(url: str, tmp_path: Path) -> None:
    script = "ready(); r = Registry.open(url); print(len(r.runs())); r.close()"
    assert race(script, url=url, processes=4, folder=tmp_path) == [["0"]] * 4


def test_a_database_of_something_else_is_refused(url: str) -> None:
    from sqlalchemy import create_engine

    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir()
    engine = create_engine(url.replace("postgresql:", "postgresql+pg8000:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE event (id INTEGER)")
    engine.dispose()
    with pytest.raises(StateError, match="something else: it holds the table event"):
        Registry.open(url)


# --- what can be wrong with a file


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + bytes(range(256)) * 64])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"registry .*registry\.db is (damaged|not a database)") as caught:
        Registry.open(f"sqlite:///{path}")
    assert "adopt" in caught.value.remedy
    assert path.read_bytes() == content


@sqlite_only
def test_a_page_damaged_later_is_an_error_too(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    with Registry.open(url) as registry:
        registry.add_run(*a_run(tiles=300))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(StateError, match="damaged"), Registry.open(url) as registry:
        registry.operations(run=RUN)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("sqlite://", "plain file"),
        ("sqlite:///:memory:", "plain file"),
        ("/home/me/registry.db", "not a database URL"),
        ("mysql://me@host/name", "mysql"),
        ("sqlite:////proc/nowhere/registry.db", "cannot be made"),
    ],
)
def test_a_url_that_cannot_hold_a_registry_is_refused(wrong: str, what: str) -> None:
    with pytest.raises(StateError, match=what):
        Registry.open(wrong)


def test_a_folder_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is a folder"):
        Registry.open(f"sqlite:///{tmp_path}")


MOUNTS = r"""
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/local ext4 rw 0 0
//nas/share /mnt/my\040share cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sda1 /mnt/usb fuseblk rw 0 0
systemd-1 /auto autofs rw 0 0
server:/auto /auto nfs rw 0 0
server:/old /again nfs rw 0 0
/dev/vdc /again xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "drive"),
    [
        ("/var/registry.db", None),
        ("/home/me/registry.db", "nfs4"),
        ("/homeless/registry.db", None),
        ("/home/me/local/registry.db", None),
        ("/mnt/my share/a/registry.db", "cifs"),
        ("/mnt/ssh/registry.db", "fuse.sshfs"),
        ("/mnt/usb/registry.db", None),
        ("/auto/registry.db", "nfs"),
        ("/again/registry.db", None),
    ],
)
def test_network_drives_are_known_by_the_deepest_and_latest_mount(path: str, drive: str | None) -> None:
    assert network_drive(Path(path), mounts=MOUNTS) == drive


def test_a_registry_on_a_network_drive_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pipelines.registry import drives

    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(drives, "MOUNTS", mounts)
    with pytest.raises(StateError, match=r"network drive.*nfs4"):
        Registry.open(f"sqlite:///{tmp_path}/registry.db")
    assert not (tmp_path / "registry.db").exists()


@sqlite_only
def test_sqlite_is_set_so_that_nothing_is_lost(registry: Registry) -> None:
    with registry._database.read() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        ]
    assert pragmas == ["wal", 1, 30_000, 2]


def test_a_writer_waits_its_time_for_another_and_a_reader_does_not(url: str) -> None:
    from pipelines.registry.database import Database

    with Registry.open(url) as registry:
        registry.add_run(*a_run())
        impatient = Database(url, busy_seconds=0.2)
        with registry._database.write():
            started = time.monotonic()
            with pytest.raises(TransientError, match="is locked"), impatient.write():
                pass
            assert 0.15 < time.monotonic() - started < 5
            assert [run.id for run in Registry(impatient).runs()] == [RUN]
        with impatient.write():
            pass
        impatient.close()


def test_foreign_keys_hold(registry: Registry) -> None:
    from sqlalchemy.exc import DatabaseError

    with pytest.raises(DatabaseError, match=r"(?i)foreign key constraint"):
        registry.add_products("no-such-run", "mean", [a_product()])


# --- rows in, rows out


def test_rows_come_back_as_they_went_in(registry: Registry) -> None:
    east = datetime(2026, 11, 20, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    run, tasks, operations = a_run(tiles=3, document={"a": [1, 2.5, None, "ü"]}, started=east)
    registry.add_run(run, tasks, operations)
    back = registry.run(RUN)
    assert back == run
    assert back is not None
    assert back.started.tzinfo is UTC
    assert registry.tasks(RUN) == tasks
    assert registry.operations(run=RUN) == operations
    assert registry.operation(operations[1].id) == operations[1]
    assert operations[1].id == f"{RUN}/stack/0001/1"
    kinds = [(event.kind, event.operation) for event in registry.events(RUN)]
    assert kinds == [("run-added", None), *(("operation-added", operation.id) for operation in operations)]


def test_a_time_without_a_zone_and_a_nan_are_refused(registry: Registry) -> None:
    run, tasks, operations = a_run()
    with pytest.raises(ValueError, match="time without zone"):
        registry.add_run(RunRow(id="x", job="j", output="o", started=datetime(2026, 1, 1)), [])  # noqa: DTZ001 -- the point
    registry.add_run(run, tasks, operations)
    with pytest.raises(ValueError, match="not JSON compliant"):
        registry.change(operations[0], event="polled", usage={"core_seconds": float("nan")})
    assert registry.operations(run=RUN) == operations


def test_a_run_is_added_whole_or_not_at_all(registry: Registry) -> None:
    registry.add_run(*a_run())
    with pytest.raises(StateError, match="in the registry already"):
        registry.add_run(*a_run())
    run, tasks, operations = a_run("other", tiles=2)
    doubled = OperationRow(run="other", task="stack", key="k1", tile="9", request_id=operations[0].request_id)
    with pytest.raises(StateError, match="request id other-k1-0000-1 belongs"):
        registry.add_run(run, tasks, [*operations, doubled])
    assert [row.id for row in registry.runs()] == [RUN]
    assert registry.tasks("other") == []
    assert registry.events("other") == []


def test_runs_and_tasks_that_want_the_same_key_share_its_request_id(registry: Registry) -> None:
    run, tasks, operations = a_run()
    registry.add_run(run, tasks, operations)
    shared = operations[0].request_id
    other, tasks, _ = a_run("other")
    rows = [OperationRow(run="other", task=task, key="k1", request_id=shared) for task in ("stack", "mean")]
    registry.add_run(other, tasks, rows)
    assert [(row.run, row.task, row.request_id) for row in registry.operations(key="k1")] == [
        (RUN, "stack", shared),
        ("other", "stack", shared),
        ("other", "mean", shared),
    ]
    with pytest.raises(StateError, match="belongs to another operation"):  # but not two attempts of one task
        registry.add_attempt(rows[0], request_id=shared, event="retried")


def test_runs_are_found_by_prefix_job_output_and_age(registry: Registry) -> None:
    day = datetime(2026, 11, 20, tzinfo=UTC)
    ids = ["20261120-000000-aaaa", "20261120-000000-aabb", "20261121-000000-AABB", "x%y"]
    for hours, run_id in enumerate(ids):
        registry.add_run(
            RunRow(id=run_id, job=f"job{hours % 2}", output=f"/{hours}", started=day + timedelta(hours=hours)), []
        )
    assert [run.id for run in registry.runs()] == ids[::-1]
    assert [run.id for run in registry.runs(limit=2)] == ids[:1:-1]
    assert registry.find_run("20261121").id == ids[2]
    assert registry.find_run("x%").id == "x%y"
    with pytest.raises(StateError, match="no run 'X'"):
        registry.find_run("X")
    with pytest.raises(StateError, match="no run '%'"):
        registry.find_run("%")
    with pytest.raises(StateError, match="ambiguous: 20261120-000000-aabb, 20261120-000000-aaaa"):
        registry.find_run("20261120")
    assert registry.newest_run().id == "x%y"
    assert registry.newest_run(job="job0").id == ids[2]
    assert registry.newest_run(job="job0", output="/0").id == ids[0]
    assert registry.newest_run(job="job0", output="/1") is None
    assert registry.end_run("x%y", "done")
    assert registry.newest_run(unfinished=True).id == ids[2]


def test_a_run_ends_once_and_can_be_opened_again(registry: Registry) -> None:
    registry.add_run(*a_run())
    assert registry.end_run(RUN, "failed")
    ended = registry.run(RUN)
    assert ended.state == "failed"
    assert ended.ended >= ended.started
    assert not registry.end_run(RUN, "done")
    assert registry.run(RUN) == ended
    assert not registry.end_run("nothing", "done")
    assert registry.set_run_state(RUN, "running")
    assert not registry.set_run_state(RUN, "running")
    assert registry.run(RUN).ended is None
    assert registry.end_run(RUN, "done")
    states = [event.payload.get("state") for event in registry.events(RUN) if event.kind.startswith("run-")]
    assert states == [None, "failed", "running", "done"]
    with pytest.raises(StateError, match="no run 'nothing'"):
        registry.set_run_state("nothing", "done")


def test_operations_are_chosen_by_task_backend_key_and_state(registry: Registry) -> None:
    run, tasks, operations = a_run(tiles=len(State))
    other = OperationRow(run=RUN, task="mean", key="k2", request_id="r")
    registry.add_run(run, tasks, [other, *operations])
    for operation, state in zip(operations, State, strict=True):
        assert registry.change(operation, event="set", believed=state)
    assert [row.task for row in registry.operations()] == ["stack"] * len(State) + ["mean"]  # the job's order
    assert registry.operations(backend="earth-engine") == [other]
    assert registry.operations(task="mean") == registry.operations(key="k2") == [other]
    open_states = {row.believed for row in registry.operations(backend="dask", unfinished=True)}
    assert open_states == set(State) - {State.DONE, State.FAILED, State.CANCELLED}


# --- compare and swap


def test_a_change_is_written_with_its_event_and_only_from_the_version_that_was_read(registry: Registry) -> None:
    registry.add_run(*a_run())
    read = registry.operations(run=RUN)[0]
    later = datetime(2026, 11, 20, tzinfo=UTC)
    error = {"class": "quota", "message": "too many", "remedy": ""}
    new = registry.change(read, event="refused", believed=State.WAITING, error=error, not_before=later)
    assert new == registry.operations(run=RUN)[0]
    assert (new.version, new.error, new.not_before, new.wanted) == (1, error, later, "run")
    assert new.updated >= read.updated
    event = registry.events(RUN)[-1]
    assert (event.kind, event.task, event.operation) == ("refused", "stack", read.id)
    assert event.payload == {"error": error, "not_before": "2026-11-20T00:00:00+00:00"}  # believed was waiting already
    assert registry.change(read, event="late", believed=State.RUNNING) is None
    assert registry.operations(run=RUN) == [new]
    assert registry.events(RUN)[-1] == event
    cleared = registry.change(new, event="cleared", error=None, not_before=None, believed=State.RUNNING, progress=0.5)
    assert (cleared.error, cleared.not_before) == (None, None)
    assert registry.operations(run=RUN) == [cleared]
    with pytest.raises(TypeError, match="version"):
        registry.change(cleared, event="cheat", version=9)


CLAIM = """
r = Registry.open(url)
rows = r.operations(unfinished=True)
random.Random(me).shuffle(rows)  # in step with each other, the first would win every one
ready()
for row in rows:
    if r.change(row, event="claimed", believed=State.SUBMITTING, engine_state=me):
        print(row.id)
    time.sleep(0.001)  # where the engine would be called; SQLite does not queue its writers
r.close()
"""


def test_two_processes_claim_a_thousand_operations_each_exactly_once(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        registry.add_run(*a_run(tiles=1000))
    first, second = race(CLAIM, url=url, processes=2, folder=tmp_path)
    assert len(first) + len(second) == 1000
    assert not set(first) & set(second)
    assert min(len(first), len(second)) > 0, "no race took place"
    with Registry.open(url) as registry:
        owner = {row.id: row.engine_state for row in registry.operations()}
        assert owner == {**dict.fromkeys(first, "0"), **dict.fromkeys(second, "1")}
        claims = Counter(event.operation for event in registry.events() if event.kind == "claimed")
        assert claims == Counter(owner.keys())
        assert {row.version for row in registry.operations()} == {1}


RETRY = """
r = Registry.open(url)
rows = r.operations()
ready()
for row in rows:
    if r.add_attempt(row, request_id=row.request_id[:-1] + "2", event="retried"):
        print(row.id)
r.close()
"""


def test_an_attempt_is_added_by_one_process_only(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        registry.add_run(*a_run(tiles=50))
        won = race(RETRY, url=url, processes=3, folder=tmp_path)
        assert sorted(chain(*won)) == [row.id for row in registry.operations() if row.attempt == 1]
        assert Counter(row.attempt for row in registry.operations()) == {1: 50, 2: 50}
        second = registry.operations()[1]
        assert (second.tile, second.attempt, second.believed, second.version) == ("0000", 2, State.WAITING, 0)
        with pytest.raises(StateError, match="belongs to another operation"):
            registry.add_attempt(second, request_id=second.request_id, event="retried")


LEASE = """
r = Registry.open(url)
ready()
for i in range(50):
    if r.lease(f"poll-{i}", me, 60.0):
        print(i)
r.close()
"""


def test_a_lease_is_taken_by_one_process(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        for i in range(0, 50, 2):  # half of them are expired ones to take over
            assert registry.lease(f"poll-{i}", "dead", 0.0)
    taken = race(LEASE, url=url, processes=4, folder=tmp_path)
    assert sorted(int(i) for i in chain(*taken)) == list(range(50))


def test_a_lease_is_renewed_given_back_and_runs_out(registry: Registry) -> None:
    assert registry.lease("poll", "a", 60.0)
    assert not registry.lease("poll", "b", 60.0)
    assert not registry.release("poll", "b")
    assert registry.lease("poll", "a", 0.05)
    time.sleep(0.1)
    assert registry.lease("poll", "b", 60.0)
    assert not registry.release("poll", "a")
    assert not registry.lease("poll", "a", 60.0)
    assert registry.release("poll", "b")
    assert registry.lease("poll", "a", 60.0)


# --- crashes


WRITE = """
r = Registry.open(url)
rows = r.operations(run="20261120-120000-abcd")
ready()
print("writing", flush=True)
while True:
    for i, row in enumerate(rows):
        rows[i] = r.change(row, event="progress", progress=(row.version % 100) / 100, usage={"n": row.version})
"""


def test_a_writer_killed_at_any_moment_leaves_rows_and_events_that_agree(url: str, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with Registry.open(url) as registry:
        registry.add_run(*a_run(tiles=5))
    for round_ in range(4):
        process = start(WRITE, url=url, me=str(round_), go=tmp_path / "go")
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n", process.communicate()[1]
        time.sleep(0.2 + 0.037 * round_)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        with Registry.open(url) as registry:
            changed = [event for event in registry.events() if event.kind == "progress"]
            versions = Counter(event.operation for event in changed)
            last = {event.operation: event.payload for event in changed}
            for row in registry.operations():
                assert row.version == versions[row.id] > 0
                assert row.usage == last[row.id]["usage"]
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


DIE = """
from pipelines.registry import changes
from pipelines.registry.rows import Change
r = Registry.open(url)
row = r.operations()[0]
with r._database.write() as connection:
    assert changes.change_all(connection, [Change(operation=row, event="lost", columns={"progress": 0.5})]) != [None]
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_within_a_transaction_has_written_nothing(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        registry.add_run(*a_run())
        before = registry.operations(), registry.events()
        process = start(DIE, url=url, me="0", go=tmp_path / "go")
        _, err = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, err
        assert (registry.operations(), registry.events()) == before
        assert registry.change(before[0][0], event="next", progress=1.0)  # the lock died with it


FORK = """
r = Registry.open(url)
rows = r.operations()
ready()
inherited = r._database.engine
child = os.fork()
assert (r._database.engine is inherited) == bool(child)  # SQLite forbids to carry a connection across a fork
mine = rows[0] if child else rows[1]
for _ in range(100):
    mine = r.change(mine, event="step", progress=0.5)
if not child:
    assert inherited in r._database._inherited  # nor may the child close it
    r.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print([row.version for row in r.operations()])
r.close()
"""


def test_parent_and_forked_child_may_both_go_on(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        registry.add_run(*a_run(tiles=2))
    assert race(FORK, url=url, processes=1, folder=tmp_path) == [["[100,", "100]"]]


# --- products, and the way out and in


def test_products_are_added_once_whatever_labels_are_absent(registry: Registry) -> None:
    registry.add_run(*a_run())
    given = [
        a_product(),
        a_product(href="/again"),
        a_product(polarization=None),
        a_product(polarization=None, href="/again"),
        a_product(polarization=None, orbit="VV"),
        a_product(media_type="text/csv"),
    ]
    assert registry.add_products(RUN, "mean", given) == 4
    assert registry.add_products(RUN, "mean", given[::-1]) == 0
    assert registry.add_products(RUN, "stack", given[:1]) == 1
    rows = registry.products(RUN)
    assert [(row.task, row.polarization, row.orbit, row.media_type) for row in rows] == [
        ("stack", "VV", None, "image/tiff"),
        ("mean", None, None, "image/tiff"),
        ("mean", None, "VV", "image/tiff"),
        ("mean", "VV", None, "image/tiff"),
        ("mean", "VV", None, "text/csv"),
    ]
    assert {row.href for row in rows} == {"/out/mean.tif"}
    assert rows[0].bytes == 5_000_000_000
    assert registry.products(task="stack") == rows[:1]
    assert registry.products() == rows
    assert sum(event.kind == "product-added" for event in registry.events(RUN)) == 5
    with pytest.raises(TypeError, match="orbit=137"):
        registry.add_products(RUN, "mean", [a_product(orbit=137)])


def test_events_can_be_followed(registry: Registry) -> None:
    registry.add_run(*a_run(tiles=3))
    registry.add_run(*a_run("other"))
    everything = registry.events()
    assert [event.id for event in everything] == sorted(event.id for event in everything)
    first = registry.events(limit=2)
    assert first + registry.events(after=first[-1].id) == everything
    assert {event.run for event in registry.events("other")} == {"other"}


def full_run(registry: Registry) -> None:
    registry.add_run(*a_run(tiles=2, document={"nested": {"x": [1.5]}}))
    row = registry.operations()[0]
    moment = datetime(2026, 11, 20, 1, 2, 3, 4, tzinfo=UTC)
    error = {"class": "resource", "message": "memory", "remedy": "split"}
    row = registry.change(
        row, event="failed", believed=State.FAILED, handle="h", engine_state="KILLED", progress=0.1,
        usage={"wall_seconds": 1.25}, error=error, started=moment, ended=moment + timedelta(seconds=1), wanted="cancel",
    )  # fmt: skip
    registry.add_attempt(row, request_id="again", event="retried", not_before=moment)
    registry.add_products(RUN, "mean", [a_product(), a_product(polarization=None, zone="1", date="2026-01-01")])
    registry.end_run(RUN, "failed")


def test_a_run_goes_out_and_comes_back_the_same(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        full_run(registry)
        exported = json.loads(json.dumps(registry.export_run(RUN), allow_nan=False))
        assert not registry.import_run(exported)

        def shown(r: Registry) -> list[object]:
            events = [(e.run, e.task, e.operation, e.time, e.kind, e.payload) for e in r.events(RUN)]
            return [r.runs(), r.tasks(RUN), r.operations(run=RUN), r.products(RUN), events]

        before = shown(registry)
        assert all(before)
    with Registry.open(f"sqlite:///{tmp_path}/new.db") as rebuilt:
        assert rebuilt.import_run(exported)
        assert not rebuilt.import_run(exported)
        assert shown(rebuilt) == before
        assert rebuilt.export_run(RUN) == exported
        open_row = rebuilt.operations(unfinished=True)[-1]
        assert rebuilt.change(open_row, event="goes on", believed=State.RUNNING)


def test_what_is_no_exported_run_is_refused_and_leaves_nothing(registry: Registry, url: str) -> None:
    full_run(registry)
    exported = registry.export_run(RUN)
    with pytest.raises(StateError, match="no run 'nothing'"):
        registry.export_run("nothing")
    for broken in (
        {**exported, "schema": 2},
        {**exported, "tasks": [{"run": RUN}]},
        {**exported, "run": {**exported["run"], "surprise": 1}},
        {"schema": 1},
    ):
        with pytest.raises(StateError, match="a recorded run"):
            registry.import_run(broken)
    assert registry.export_run(RUN) == exported
