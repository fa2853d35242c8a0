"""The Earth Engine client's one initialisation, and what its failures are called."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ee
import google.auth.exceptions
import pytest

from gee import session
from gee.errors import classified, translated
from gee.local.faults import Fault
from gee.local.server.serving import serving
from gee.local.server.site import Settings
from gee.session import Connection, initialize
from infra.errors import (
    CredentialsError,
    InputError,
    OutputError,
    QuotaError,
    ResourceError,
    SarbatchError,
    TransientError,
)


@pytest.fixture(autouse=True)
def _client() -> Iterator[None]:
    yield
    ee.Reset()


@pytest.fixture
def url() -> Iterator[str]:
    with serving() as found:
        yield found


def connection(url: str | None, project: str | None = "local-demo") -> Connection:
    return Connection(project=project, url=url, anonymous=True)


def test_a_client_that_is_initialised_computes_from_every_thread(url: str) -> None:
    def three(_: int) -> int:
        initialize(connection(url))
        return int(ee.Number(1).add(2).getInfo())

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(three, range(48))) == [3] * 48


def test_the_same_connection_asks_nothing_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Connection] = []
    inner = session._initialize
    monkeypatch.setattr(session, "_initialize", lambda one: (calls.append(one), inner(one)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: initialize(connection(url)), range(8)))
    assert len(calls) == 1
    ee.Reset()
    initialize(connection(url))
    assert len(calls) == 2
    assert ee.Number(1).getInfo() == 1


def test_another_connection_takes_the_place_of_the_first(url: str) -> None:
    initialize(connection(url))
    with serving() as other:
        initialize(connection(other))
        assert ee.Number(5).getInfo() == 5
    ee.data.setMaxRetries(0)
    with pytest.raises(TransientError), translated():  # the second server has ended
        ee.Number(6).getInfo()


def test_no_project() -> None:
    with pytest.raises(CredentialsError) as caught:
        initialize(connection("http://127.0.0.1:9", project=None))
    assert "SARBATCH_EARTH_ENGINE_PROJECT" in caught.value.remedy
    assert not ee.data.is_initialized()


def test_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # else the metadata server of a cloud machine is waited for
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(CredentialsError) as caught:
        initialize(Connection(project="my-project"))
    assert "earthengine authenticate" in caught.value.remedy
    assert "SARBATCH_EARTH_ENGINE_KEY_FILE" in caught.value.remedy


@pytest.mark.parametrize("text", [None, "{}", "no JSON"])
def test_a_key_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "key.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CredentialsError, match=r"SARBATCH_EARTH_ENGINE_KEY_FILE.*key\.json"):
        initialize(Connection(project="my-project", key_file=str(path)))


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_RETRIES", 0)
    with pytest.raises(TransientError, match="not reached"):
        initialize(connection("http://127.0.0.1:9"))
    assert not ee.data.is_initialized()


def test_who_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_RETRIES", 0)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransientError):
        initialize(connection(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_what_answers_is_no_earth_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_RETRIES", 0)
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            talk, _ = other.accept()
            with talk:
                talk.recv(65536)
                talk.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SarbatchError, match="Earth Engine"):
            initialize(connection(f"http://127.0.0.1:{other.getsockname()[1]}"))
        thread.join()


# -- what failures are called -----------------------------------------------------------------------------------------

KINDS: dict[str, type[SarbatchError]] = {
    "too-many-requests": QuotaError,
    "unavailable": TransientError,
    "internal": TransientError,
    "forbidden": CredentialsError,
    "drop": TransientError,
    "lost-answer": TransientError,
}


@pytest.mark.parametrize("kind", KINDS)
def test_faults_of_the_service(kind: str) -> None:
    with serving(Settings(faults=[Fault(kind=kind, on="value.compute")])) as url:
        initialize(connection(url))
        ee.data.setMaxRetries(0)
        with pytest.raises(KINDS[kind]), translated():
            ee.Number(1).add(1).getInfo()


def test_what_passes_is_tried_again_by_the_client() -> None:
    with serving(Settings(faults=[Fault(kind="unavailable", on="value.compute", count=1)])) as url:
        initialize(connection(url))
        with translated():
            assert ee.Number(1).add(1).getInfo() == 2


SAID: list[tuple[str, int | None, type[SarbatchError]]] = [
    ("User memory limit exceeded.", 400, ResourceError),
    ("Computation timed out.", 400, ResourceError),
    ("Execution failed; out of memory.", None, ResourceError),
    ("Total request size (71139328 bytes) must be less than or equal to 50331648 bytes.", 400, ResourceError),
    ("Image.reduceRegion: Too many pixels in the region. Found 123, but maxPixels allows only 10.", 400, ResourceError),
    ("Too many tasks already in the queue (3000). Please wait for some of them to complete.", 400, QuotaError),
    ("Too many concurrent aggregations.", 429, QuotaError),
    ("Quota exceeded for quota metric 'Read requests'.", 429, QuotaError),
    ("anything", 429, QuotaError),
    ("An internal error has occurred (request: 123)", 500, TransientError),
    ("An internal error has occurred", None, TransientError),
    ("Gateway timed out", 504, TransientError),
    ("Request had invalid authentication credentials.", 401, CredentialsError),
    ("Caller does not have required permission to use project p.", 403, CredentialsError),
    ("Earth Engine API has not been used in project 1 before or it is disabled.", 403, CredentialsError),
    ("Permission 'earthengine.exports.create' denied on resource 'projects/p'", 403, CredentialsError),
    ("Image.load: Image asset 'x' not found (does not exist or caller does not have access).", 400, InputError),
    ("Image.select: Band pattern 'VX' did not match any bands. Available bands: [VV, VH]", 400, InputError),
    ("Asset 'a' not found.", 404, InputError),
]


@pytest.mark.parametrize(("message", "status", "kind"), SAID)
def test_sentences_of_the_service(message: str, status: int | None, kind: type[SarbatchError]) -> None:
    found = classified(message, status=status)
    assert type(found) is kind
    assert message in found.message
    assert found.remedy


def test_an_expired_login() -> None:
    with pytest.raises(CredentialsError, match="Token has been expired") as caught, translated():
        raise google.auth.exceptions.RefreshError("invalid_grant: Token has been expired or revoked.")
    assert "earthengine authenticate" in caught.value.remedy


def test_errors_of_others_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        print(1 / 0)
    with pytest.raises(OutputError, match="full"), translated():
        raise OutputError("the disk is full", "")


def test_a_request_that_is_wrong_is_the_users(url: str) -> None:
    initialize(connection(url))
    with pytest.raises(InputError, match="not found"), translated():
        ee.ImageCollection("NO/SUCH").size().getInfo()
