"""A registry on PostgreSQL: URLs as people write them, what is said when it cannot be used, and a server that goes and comes back."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Sarbatch, place, sarbatch
from jobs import wait_until
from postgresql_server import PASSWORD, USER, Server
from sqlalchemy import make_url
from test_registry import RUN, a_run, start

from infra.errors import CredentialsError, EngineError, SarbatchError, StateError, TransientError
from pipelines.backends.protocol import State
from pipelines.registry import database
from pipelines.registry.database import Database
from pipelines.registry.registry import Registry

__all__ = ["place", "sarbatch"]  # fixtures
ROOT = Path(__file__).parents[1]


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    with postgresql.database() as name:
        yield postgresql.url(name)


def runs_at(url: str) -> int:
    with Registry.open(url) as registry:
        return len(registry.runs())


# Ways to write it


def test_every_way_to_write_a_url_reaches_the_same_registry(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as name:
        url = postgresql.url(name)
        with Registry.open(url) as registry:
            registry.add_run(*a_run())
        rest = url.partition("://")[2]
        quoted = make_url(url).render_as_string(hide_password=False).split(":")[2].split("@")[0]
        sockets = str(postgresql.sockets)
        ways = [
            f"postgres://{rest}",
            f"postgresql+pg8000://{rest}",
            postgresql.url(name, sslmode="prefer", application_name="test", connect_timeout="5"),
            f"postgresql://127.0.0.1/{name}?user={USER}&password={quoted}&port={postgresql.port}",
            postgresql.url(name, socket=True),
            f"postgresql://{USER}@{sockets.replace('/', '%2F')}:{postgresql.port}/{name}",
            f"postgresql://{USER}@/{name}?unix_sock={sockets}/.s.PGSQL.{postgresql.port}",
        ]
        assert [runs_at(way) for way in ways] == [1] * len(ways)
        monkeypatch.setenv("PGUSER", USER)
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        assert runs_at(f"postgresql://127.0.0.1:{postgresql.port}/{name}") == 1


def test_times_are_read_right_whatever_the_server_shows(postgresql: Server, url: str) -> None:
    name = make_url(url).database
    for setting in ("timezone = 'Asia/Kolkata'", "datestyle = 'German'", "default_transaction_read_only = on"):
        postgresql.execute(f"ALTER DATABASE {name} SET {setting}")
    with Registry.open(url) as registry:
        run, tasks, operations = a_run()
        registry.add_run(run, tasks, operations)
        assert registry.run(RUN) == run


# What is said when it cannot be used


@pytest.mark.parametrize(
    ("wrong", "kind", "what"),
    [
        ("{good}?sslmode=require", EngineError, "does not encrypt"),
        ("{good}?sslmode=perhaps", StateError, "sslmode=perhaps"),
        ("{good}?sslcert=mine", StateError, "sslcert"),
        ("{good}?host=a&host=b", StateError, "host"),
        ("postgresql://{user}:wrong-secret@127.0.0.1:{port}/{name}", CredentialsError, "refuses user or password"),
        ("postgresql://{user}@127.0.0.1:{port}/{name}", CredentialsError, "refuses user or password"),
        ("postgresql://nobody:wrong-secret@127.0.0.1:{port}/{name}", CredentialsError, "refuses user or password"),
        ("postgresql://127.0.0.1:{port}/{name}?user=x&password=wrong-secret", CredentialsError, "refuses user"),
        ("{good}_not", StateError, "the server has no such database"),
        ("postgresql://me:wrong-secret@127.0.0.1:1/name", TransientError, r"127\.0\.0\.1:1/name cannot be reached: Conn"),
        ("postgresql://me:wrong-secret@no-such-host.invalid/name", TransientError, "no-such-host.invalid.*cannot be reached"),
        ("postgresql://me:wrong-secret@/name?host=/not/there", TransientError, "not%2Fthere.*cannot be reached"),
        ("postgresql://me:wrong-secret@localhost/name?port=first", StateError, "port first"),
        ("postgresql://me:wrong-secret@localhost:first/name", StateError, "not a database URL"),
        ("postgresql+psycopg://me:wrong-secret@localhost/name", StateError, r"driver of postgresql\+psycopg is not"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do_and_without_the_password(
    postgresql: Server, url: str, wrong: str, kind: type[SarbatchError], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fields = {"good": url, "user": USER, "port": postgresql.port, "name": make_url(url).database}
    with pytest.raises(kind, match=what) as caught:
        Registry.open(wrong.format(**fields))
    assert type(caught.value) is kind
    assert caught.value.remedy
    told = f"{caught.value} {caplog.text}"
    for secret in (PASSWORD, "s3cret", "wrong-secret"):
        assert secret not in told


def test_a_user_without_rights_is_told_so(postgresql: Server, url: str) -> None:
    postgresql.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    with pytest.raises(StateError, match="no right to its tables"):
        Registry.open(f"postgresql://guest:guest@127.0.0.1:{postgresql.port}/{make_url(url).database}")


def test_who_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TransientError, match=rf"127\.0\.0\.1:{port}/name\?.* does not answer: timed out"):
            Registry.open(f"postgresql://me:secret@127.0.0.1:{port}/name?connect_timeout=0.3")


def test_a_server_that_falls_silent_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a cable was pulled: no answer, and no end of the connection either."""
    monkeypatch.setattr(database, "SILENT_SECONDS", 0.3)
    impatient = Database(url, busy_seconds=0.3)
    with pytest.raises(TransientError, match="does not answer"), impatient.write() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(5)")
    impatient.close()


def test_without_the_driver_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['pg8000'] = None\n"
        "from infra.errors import StateError; from pipelines.registry.registry import Registry\n"
        "try: Registry.open('postgresql://me:secret@localhost/name')\n"
        "except StateError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "pip install 'sarbatch[postgresql]'" in said
    assert "secret" not in said


def test_the_command_line_ends_with_3_and_doctor_goes_on(
    place: Path, sarbatch: Sarbatch, postgresql: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = make_url(url).database
    shown = f"postgresql://{USER}:***@127.0.0.1:{postgresql.port}/{name}"
    for value, code, registry in (
        (url, 0, f"PostgreSQL, {shown}, 0 runs"),
        ("postgresql://me:wrong-secret@127.0.0.1:1/name", 3, "postgresql://me:***@127.0.0.1:1/name cannot be reached"),
        (f"postgresql://me:wrong-secret@127.0.0.1:{postgresql.port}/{name}", 3, "refuses user or password"),
    ):
        monkeypatch.setenv("SARBATCH_REGISTRY", value)
        status, doctor = sarbatch("status"), sarbatch("doctor", "--no-network", "--json")
        assert (status.code, doctor.code) == (code, 0)
        [row] = [row for row in json.loads(doctor.out)["checks"] if row["what"] == "registry"]
        assert row["ok"] == (code == 0)
        assert registry in row["detail"]
        told = status.out + status.err + doctor.out + doctor.err
        assert "secret" not in told
        assert PASSWORD not in told
    assert any(row["what"] == "pg8000" for row in json.loads(doctor.out)["checks"])


# Encryption


class Encrypted(socketserver.StreamRequestHandler):
    """What a server with a certificate does, before one that has none."""

    certificate: Path
    behind: int

    def handle(self) -> None:
        assert self.request.recv(8) == bytes.fromhex("0000000804d2162f")  # the client asks for encryption first
        self.request.sendall(b"S")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        try:
            outside = context.wrap_socket(self.request, server_side=True)
        except (ssl.SSLError, ConnectionError):
            return  # the client does not trust it
        with outside, socket.create_connection(("127.0.0.1", self.behind)) as inside:
            there = threading.Thread(target=pour, args=(outside, inside))
            there.start()
            pour(inside, outside)
            there.join()


def pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def encrypted(postgresql: Server, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Port that asks for encryption, and the certificate of 127.0.0.1 that it shows."""
    path = tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    alone = ["-addext", "subjectAltName = IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run([*make, *alone], check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())
    handler = type("Handler", (Encrypted,), {"certificate": path, "behind": postgresql.port})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], Path(f"{path}.crt")
        server.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes the certificate, is not there")
def test_encryption_as_the_url_asks_for_it(postgresql: Server, encrypted: tuple[int, Path]) -> None:
    port, certificate = encrypted
    with postgresql.database() as name:
        url = postgresql.url(name).replace(f":{postgresql.port}/", f":{port}/")
        assert runs_at(url) == 0  # encrypted where the server can
        assert runs_at(f"{url}?sslmode=require") == 0
        for mode in ("verify-ca", "verify-full"):
            with pytest.raises(EngineError, match="cannot be trusted: CERTIFICATE_VERIFY_FAILED"):
                Registry.open(f"{url}?sslmode={mode}")
            assert runs_at(f"{url}?sslmode={mode}&sslrootcert={certificate}") == 0
        named = url.replace("127.0.0.1", "localhost")  # the certificate is another name's
        assert runs_at(f"{named}?sslmode=verify-ca&sslrootcert={certificate}") == 0
        with pytest.raises(EngineError, match="cannot be trusted"):
            Registry.open(f"{named}?sslmode=verify-full&sslrootcert={certificate}")
        with pytest.raises(StateError, match="sslrootcert"):
            Registry.open(f"{url}?sslmode=verify-ca&sslrootcert=/not/there.pem")


# A connection that is lost


def write_while(registry: Registry, last: str | None, happens: Callable[[], object]) -> None:
    """A transaction in whose middle something happens, with a last statement or without."""
    with registry._database.write() as connection:
        happens()
        if last is not None:
            connection.exec_driver_sql(last)


def test_a_lost_connection_is_an_error_and_the_next_call_makes_another(
    postgresql: Server, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = make_url(url).database
    with Registry.open(url) as registry:
        registry.add_run(*a_run())
        assert postgresql.disconnect(name) > 0
        row = registry.operations()[0]  # an idle connection is replaced unseen
        for last in ("SELECT 1", None):  # None: at the commit
            with pytest.raises(TransientError, match="does not answer"):
                write_while(registry, last, lambda: postgresql.disconnect(name))
        assert registry.operations() == [row]
        assert registry.change(row, event="next", progress=0.5)
    assert caplog.text == ""  # and nobody meets the traceback of a pool


def test_a_server_that_is_restarted_is_found_again(postgresql: Server, url: str) -> None:
    with Registry.open(url) as registry:
        registry.add_run(*a_run())
        row = registry.operations()[0]
        try:
            with pytest.raises(TransientError, match="does not answer"):
                write_while(registry, "SELECT 1", postgresql.stop)
            with pytest.raises(TransientError, match="cannot be reached"):
                registry.change(row, event="lost", progress=0.1)
        finally:
            postgresql.start()
        assert registry.operations() == [row]
        assert registry.change(row, event="next", progress=0.5)


# Two at once


def test_defaults_of_the_server_do_not_decide_about_isolation(postgresql: Server, url: str, tmp_path: Path) -> None:
    """Under SERIALIZABLE, or with the snapshot of before its turn, a writer would fail or add the attempt twice."""
    name = make_url(url).database
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    with Registry.open(url) as registry:
        registry.add_run(*a_run())
        first = registry.operations()[0]
        with registry._database.write() as connection:
            level = connection.exec_driver_sql("SHOW transaction_isolation").scalar()
        with registry._database.read() as connection:
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        assert level == "read committed"
        script = (
            "r = Registry.open(url); row = r.operations()[0]; ready()\n"
            "for i in range(100):\n"
            "    while (new := r.change(row, event='counted', usage={'n': row.usage.get('n', 0) + 1})) is None:\n"
            "        row = r.operation(row.id)\n"
            "    row = new\n"
            "r.close()\n"
        )
        crowd = [start(script, url=url, me=str(i), go=tmp_path / "go") for i in range(3)]
        wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 3)
        (tmp_path / "go").touch()
        for process in crowd:
            assert process.communicate(timeout=100)[1] == ""
        assert registry.operation(first.id).usage == {"n": 300}
        assert registry.operation(first.id).version == 300


SLEEPER = """
from pipelines.registry.database import Database
d = Database(url, busy_seconds=1.0)
with d.write() as connection:
    print("writing", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    connection.exec_driver_sql("SELECT 1")
"""


def test_a_machine_that_goes_to_sleep_while_it_writes_does_not_keep_others_out(url: str, tmp_path: Path) -> None:
    with Registry.open(url) as registry:
        registry.add_run(*a_run())
        row = registry.operations()[0]
        process = start(SLEEPER, url=url, me="0", go=tmp_path / "go")
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        assert registry.change(row, event="next", progress=0.5)  # after half a second, not after 30
        os.kill(process.pid, signal.SIGCONT)
        assert "TransientError" in process.communicate(timeout=60)[1]
        assert process.returncode == 1


def test_a_thousand_rows_are_a_handful_of_statements(url: str) -> None:
    """Each statement is a journey to the server, for which every other writer waits."""
    from sqlalchemy import event

    with Registry.open(url) as registry:
        seen: list[str] = []
        event.listen(registry._database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
        registry.add_run(*a_run(tiles=1000))
        assert len(seen) < 20
        assert [row.tile for row in registry.operations()] == [f"{i:04d}" for i in range(1000)]
        assert [e.operation for e in registry.events()][1:] == [row.id for row in registry.operations()]


# The steward


def test_a_steward_waits_for_the_server_and_goes_on(postgresql: Server, url: str, tmp_path: Path) -> None:
    """The run ends though the server was gone, and each operation was submitted once."""
    from fakes import FakeBackend, add_fake_run

    from infra.storage import Location

    engine = FakeBackend(tmp_path / "engine.sqlite")
    engine.polls = 6
    with Registry.open(url) as registry:
        add_fake_run(registry, Location.parse(str(tmp_path / "out")), {"a": (), "b": ("a",), "c": ()})
    script = (
        "import sys, logging; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from fakes import FakeBackend; from infra.settings import Settings; from pipelines import step, steward\n"
        "logging.basicConfig(level=logging.INFO, stream=sys.stdout, format='%(message)s')\n"
        "folder = Path(sys.argv[2]); engine = FakeBackend(folder / 'engine.sqlite')\n"
        "step.load_backend = lambda name, settings: engine\n"
        "steward.serve('r1', Settings(state_dir=folder / 'state', registry=sys.argv[3], poll_interval=0.1))\n"
    )
    tests = str(Path(__file__).parent)
    with (tmp_path / "said").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", script, tests, str(tmp_path), url], cwd=ROOT, stdout=out)
    wait_until(lambda: len(engine.operations()) == 2)
    postgresql.stop()
    try:
        wait_until(lambda: "put off" in (tmp_path / "said").read_text())
    finally:
        postgresql.start()
    assert process.wait(timeout=60) == 0
    with Registry.open(url) as registry:
        assert registry.find_run("r1").state == "done"
        assert {row.believed for row in registry.operations()} == {State.DONE}
    assert list(engine.submissions().values()) == [1, 1, 1]
    assert PASSWORD not in (tmp_path / "said").read_text()
