"""Operations as the real client meets them on a local Earth Engine: what a listing tells, and every fault with its class."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from tile_exports import PROJECT, LocalEngine, export_of, local_engine

from gee import operations
from gee.exports import start
from gee.operations import Operation
from gee.tiles import Tile
from infra.errors import CredentialsError, InputError, QuotaError, ResourceError, TransientError

TILE = Tile(part=0, x=0, y=0, width=20, height=10)
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    with local_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def engine(server: LocalEngine) -> Iterator[LocalEngine]:
    server.set_faults()
    yield server
    server.set_faults()
    for one in operations.listed().values():
        if not one.done:
            operations.cancel(one.name)


def sent(name: str = "", **more: Any) -> Operation:
    return start(export_of(TILE), description=name or f"export-{next(NUMBERS)}", workload_tag="sarbatch-test", **more)


def until(name: str, condition: Callable[[Operation], bool]) -> Operation:
    deadline = time.monotonic() + 60
    while not condition(found := operations.listed()[name]):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def ended(name: str) -> Operation:
    return until(name, lambda one: one.done)


# A listing


def test_an_operation_tells_its_story(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "slow", "on": "story", "seconds": 0.3})
    begun = sent("story", priority=333)
    assert (begun.description, begun.priority, begun.done) == ("story", 333, False)
    assert begun.wall_seconds == 0.0
    running = until(begun.name, lambda one: one.state == "RUNNING")
    assert running.started is not None
    assert running.ended is None
    done = ended(begun.name)
    assert (done.state, done.progress, done.attempt, done.failure) == ("SUCCEEDED", 1.0, 1, None)
    assert done.created == begun.created
    assert 0.3 <= done.wall_seconds < 60
    assert done.eecu_seconds > 0
    assert done.uris[0].endswith(f"{TILE.name}.tif")
    assert operations.find(begun.name) == done


def test_one_listing_tells_of_all_page_by_page(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ee.data._TASKLIST_PAGE_SIZE", 10)
    names = [sent().name for _ in range(25)]
    asked: list[str] = []
    send = requests.Session.request

    def counted(self: Any, method: str, url: str, **more: Any) -> Any:
        asked.append(f"{method} {url.partition('/v1/')[2].partition('?')[0]}")
        return send(self, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", counted)
    listed = operations.listed()
    assert set(names) <= set(listed)
    assert asked == [f"GET projects/{PROJECT}/operations"] * -(-len(listed) // 10)


def test_what_nobody_knows_is_not_found(engine: LocalEngine) -> None:
    assert operations.find(f"projects/{PROJECT}/operations/NONE") is None
    operations.cancel(f"projects/{PROJECT}/operations/NONE")


def test_a_listing_of_nothing_known_is_read_all_the_same() -> None:
    bare = Operation.of({"name": "projects/p/operations/x"})
    assert (bare.state, bare.description, bare.done, bare.wall_seconds) == ("STATE_UNSPECIFIED", "", False, 0.0)


# Cancelling


def test_what_waits_and_what_runs_is_cancelled(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "stuck"})
    running = [sent(), sent()]
    for one in running:
        until(one.name, lambda found: found.state == "RUNNING")
    waiting = sent()
    for one in (waiting, *running):
        operations.cancel(one.name)
        operations.cancel(one.name)
        assert ended(one.name).state == "CANCELLED"
        assert ended(one.name).failure is None


def test_what_has_ended_stays_so(engine: LocalEngine) -> None:
    done = ended(sent().name)
    operations.cancel(done.name)
    assert operations.find(done.name) == done


def test_a_cancel_that_comes_too_late_is_a_success(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "late-cancel"}, {"kind": "slow", "seconds": 0.5})
    begun = sent()
    until(begun.name, lambda one: one.state == "RUNNING")
    operations.cancel(begun.name)
    assert ended(begun.name).state == "SUCCEEDED"


# Faults of requests: each is an error of ours when the client has given up


@pytest.mark.parametrize(
    ("kind", "on", "call", "error"),
    [
        (kind, on, call, error)
        for on, call in (
            ("image.export", sent),
            ("operations.list", operations.listed),
            ("operations.cancel", lambda: operations.cancel(f"projects/{PROJECT}/operations/X")),
            ("operations.get", lambda: operations.find(f"projects/{PROJECT}/operations/X")),
        )
        for kind, error in (
            ("too-many-requests", QuotaError),
            ("unavailable", TransientError),
            ("internal", TransientError),
            ("forbidden", CredentialsError),
            ("drop", TransientError),
            ("lost-answer", TransientError),
        )
        # The other two ask for what is not there, and are told so before an answer can be lost
        if kind != "lost-answer" or call in (sent, operations.listed)
    ],
)
def test_a_request_that_fails_for_good_is_of_its_class(
    engine: LocalEngine, kind: str, on: str, call: Callable[[], object], error: type[Exception]
) -> None:
    engine.set_faults({"kind": kind, "on": on})
    with pytest.raises(error) as caught:
        call()
    assert caught.value.remedy  # type: ignore[attr-defined] # every one of ours has one


def test_a_full_queue_is_a_quota(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "queue-full", "on": "image.export", "count": 1})
    with pytest.raises(QuotaError, match="Too many tasks already in the queue"):
        sent("queued-later")
    assert not [one for one in operations.listed().values() if one.description == "queued-later"]
    assert ended(sent("queued-later").name).state == "SUCCEEDED"


def test_latency_and_restricted_mode_change_nothing(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "latency", "seconds": 0.05}, {"kind": "restricted", "count": 1})
    with pytest.warns(UserWarning, match="restricted mode"):
        begun = sent()
    assert ended(begun.name).state == "SUCCEEDED"


# Faults of exports: each is a failure of its class


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "memory", "pixels": 100}, ResourceError),
        ({"kind": "time-out", "pixels": 100}, ResourceError),
        ({"kind": "fails", "seconds": 0.0, "message": "Internal error."}, TransientError),
        ({"kind": "fails", "seconds": 0.0, "message": "User memory limit exceeded."}, ResourceError),
        ({"kind": "fails", "seconds": 0.0, "message": "Execution timed out."}, ResourceError),
        ({"kind": "fails", "seconds": 0.0, "message": "Quota exceeded for quota metric 'x'."}, QuotaError),
        (
            {"kind": "fails", "seconds": 0.0, "message": "Image.select: Pattern 'x' did not match any bands."},
            InputError,
        ),
        (
            {"kind": "fails", "seconds": 0.0, "message": "Caller does not have required permission to use project."},
            CredentialsError,
        ),
        ({"kind": "flaky"}, TransientError),
    ],
)
def test_an_export_that_fails_is_of_its_class(
    engine: LocalEngine, fault: dict[str, Any], error: type[Exception]
) -> None:
    engine.set_faults(fault)
    begun = sent()
    found = ended(begun.name)
    assert found.state == "FAILED"
    assert type(found.failure) is error
    assert found.message is not None
    assert found.message in str(found.failure)
    assert found.failure.remedy


def test_what_the_service_tries_again_itself_succeeds(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "flaky", "count": 2})
    found = ended(sent().name)
    assert (found.state, found.attempt) == ("SUCCEEDED", 3)


def test_a_tile_small_enough_is_not_out_of_memory(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "memory", "pixels": TILE.width * TILE.height})
    assert ended(sent().name).state == "SUCCEEDED"


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (4, "it took long", ResourceError),
        (8, "something ran out", ResourceError),
        (10, "aborted", TransientError),
        (13, "something inside", TransientError),
        (14, "not there", TransientError),
        (7, "no", CredentialsError),
        (16, "who are you", CredentialsError),
        (3, "a parameter is wrong", InputError),
        (2, "nobody knows", InputError),
        (None, "", InputError),
        (3, "User memory limit exceeded.", ResourceError),
    ],
)
def test_where_the_text_says_nothing_the_code_does(code: int | None, message: str, error: type[Exception]) -> None:
    told = {"name": "projects/p/operations/x", "done": True, "metadata": {"state": "FAILED"}}
    found = Operation.of({**told, "error": {"code": code, "message": message}}).failure
    assert type(found) is error
