"""Parts that several tests stand on: real S3 and PostgreSQL servers, and a place to write on each kind of storage."""

from __future__ import annotations

import json
import logging
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import postgresql_server
import pytest

from infra.storage import Location, S3Options

hypothesis.settings.register_profile("sarbatch", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("sarbatch")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--earth-engine-calls", metavar="FILE", help="write which algorithms the tests have called, as JSON"
    )


@pytest.fixture(scope="session", autouse=True)
def earth_engine_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the coverage page of the local Earth Engine says of tests (`gee.local.implemented`)."""
    path = request.config.getoption("--earth-engine-calls")
    if not path:
        yield
        return
    from gee.local.evaluation.evaluator import Evaluation

    called: set[str] = set()
    call = Evaluation.call

    def noted(self: Evaluation, name: str, *arguments: Any, **more: Any) -> Any:
        result = call(self, name, *arguments, **more)
        called.add(name)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evaluation, "call", noted)
        yield
    Path(path).write_text(json.dumps(sorted(called)), encoding="utf-8")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Endpoint of moto's S3 server, in memory, on a free port; it honours conditional writes.

    moto looks whether an object is there and then writes it, in threads: two racing creates could both win. S3 does the
    two as one; so does moto here, a request at a time.
    """
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with turn:
            return [b"".join(moto(environ, start_response))]

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgresql_server.Server]:
    """PostgreSQL server of this test process; its folder is none of pytest's, which lets no other user in."""
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgresql-")))
            server = stack.enter_context(postgresql_server.running(folder))
        except Exception as error:  # noqa: BLE001 -- whatever keeps it from starting here, the other tests can run
            pytest.skip(f"PostgreSQL cannot be started here: {error!r}")
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a registry that is not there yet, in each kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state' / 'registry.sqlite'}"
        return
    server: postgresql_server.Server = request.getfixturevalue("postgresql")
    with server.database() as name:
        yield server.url(name)


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Location:
    """Empty bucket of its own, with keys in the environment."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    bucket = f"bucket-{secrets.token_hex(6)}"
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").create_bucket(Bucket=bucket)
    return Location.parse(f"s3://{bucket}/some/prefix", s3=S3Options(endpoint=s3_server))


@pytest.fixture(params=["folder", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Empty place to write: a folder that is not there yet, and a prefix on S3."""
    if request.param == "folder":
        return Location.parse(str(tmp_path / "out put é"))
    bucket: Location = request.getfixturevalue("s3_bucket")
    return bucket
