"""Operations through the queue itself: order, idempotence, cancelling, attempts, and what a restart makes of them."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gee.local.errors import EarthEngineError
from gee.local.faults import Fault, Faults
from gee.local.operations.ledger import OperationLedger
from gee.local.operations.operation import ExportCancelled, Exporter, ExportRequest, Operation, Wanted, wanted
from gee.local.operations.queue import OperationQueue, QueueLimits
from gee.local.operations.store import OperationStore
from gee.local.work.metering import helping

PROJECT = "projects/local-demo"


class Gate:
    """An exporter whose exports wait until the test lets them go on; it notes in which order they began."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.most = 0
        self.go = threading.Event()
        self.fail: Callable[[ExportRequest], Exception | None] = lambda request: None
        self._running = 0
        self._lock = threading.Lock()

    def check(self, request: ExportRequest) -> None:
        if request.body.get("description") == "refuse":
            raise EarthEngineError("refused at once")

    def run(
        self, request: ExportRequest, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> Sequence[str]:
        with self._lock:
            self.began.append(request.body["description"])
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            progress(0.5)
            while not self.go.wait(0.005):
                if cancelled():
                    raise ExportCancelled
            if error := self.fail(request):
                raise error
            sum(range(200_000))  # some seconds of CPU
            return [f"file:///{request.body['description']}"]
        finally:
            with self._lock:
                self._running -= 1


_: type[Exporter] = Gate


@contextmanager
def queue(
    exporter: Exporter,
    *,
    folder: Path | None = None,
    faults: Sequence[Fault] = (),
    limits: QueueLimits | None = None,
    started: bool = True,
) -> Iterator[OperationQueue]:
    made = OperationQueue(
        exporter,
        ledger=OperationLedger(OperationStore(folder)),
        faults=Faults(faults),
        limits=limits or QueueLimits(),
        measure=lambda request: request.body["pixels"],
    )
    if started:
        made.start()
    try:
        yield made
    finally:
        made.close()


def request(name: str, *, kind: str = "EXPORT_IMAGE", **more: Any) -> Wanted:
    files = {"fileFormat": "GEO_TIFF", "driveDestination": {"folder": "s1", "filenamePrefix": name}}
    body = {"expression": {"result": "0", "values": {}}, "description": name, "fileExportOptions": files} | more
    return wanted(kind, PROJECT, body)


def until(made: OperationQueue, operation: Operation, *states: str) -> Operation:
    """The operation once it has one of the states."""
    with made.ledger.changed:
        assert made.ledger.changed.wait_for(lambda: made.ledger.get(operation.name).state in states, timeout=30)
        return made.ledger.get(operation.name)


def test_the_highest_priority_runs_first_and_then_the_earliest() -> None:
    gate = Gate()
    gate.go.set()
    with queue(gate, limits=QueueLimits(running=1), started=False) as made:
        names = {"a": 100, "b": 300, "c": 100, "d": 9999, "e": 0}
        sent = [made.submit(request(name, priority={"value": value})) for name, value in names.items()]
        made.start()
        for one in sent:
            until(made, one, "SUCCEEDED")
    assert "".join(gate.began) == "dbace"


def test_two_run_at_once() -> None:
    gate = Gate()
    with queue(gate) as made:
        sent = [made.submit(request(name)) for name in "abcd"]
        for one in sent[:2]:
            until(made, one, "RUNNING")
        assert [made.ledger.get(one.name).state for one in sent[2:]] == ["PENDING", "PENDING"]
        gate.go.set()
        for one in sent:
            until(made, one, "SUCCEEDED")
    assert gate.most <= 2


def test_an_operation_tells_its_story() -> None:
    gate = Gate()
    with queue(gate) as made:
        sent = made.submit(request("one"))
        told = sent.to_json()["metadata"]
        assert (told["state"], told["progress"], told["attempt"], told["priority"]) == ("PENDING", 0.0, 1, 100)
        assert "startTime" not in told
        assert "batchEecuUsageSeconds" not in told
        until(made, sent, "RUNNING")
        gate.go.set()
        answer = until(made, sent, "SUCCEEDED").to_json()
    told = answer["metadata"]
    assert answer["done"]
    assert "error" not in answer
    assert told["createTime"] <= told["startTime"] <= told["endTime"]
    assert told["createTime"][10] == "T"
    assert told["createTime"].endswith("Z")
    assert told["progress"] == 1.0
    assert told["destinationUris"] == ["file:///one"]
    assert told["batchEecuUsageSeconds"] > 0


def test_cpu_of_threads_that_compute_blocks_counts() -> None:
    spent: list[float] = []

    def work() -> None:
        with helping():
            begun = time.thread_time()
            sum(range(3_000_000))
            spent.append(time.thread_time() - begun)

    class Helped(Gate):
        def run(self, *args: Any, **more: Any) -> Sequence[str]:
            helpers = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(2)]
            for helper in helpers:
                helper.start()
            for helper in helpers:
                helper.join()
            return []

    with queue(Helped()) as made:
        done = until(made, made.submit(request("one")), "SUCCEEDED")
    assert done.usage >= sum(spent) > 0


def test_one_request_id_is_one_operation() -> None:
    with queue(Gate()) as made:
        first = made.submit(request("one", requestId="run-1-A"))
        assert made.submit(request("one", requestId="run-1-A")).name == first.name
        assert made.submit(request("one", requestId="run-1-B")).name != first.name
        assert made.submit(request("one")).name != made.submit(request("one")).name


def test_many_threads_with_one_request_id_start_one_operation() -> None:
    with queue(Gate()) as made:
        names: list[str] = []
        threads = [
            threading.Thread(target=lambda: names.append(made.submit(request("one", requestId="same")).name))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(names) == 16
    assert len(set(names)) == 1


@pytest.mark.parametrize("wrong", ["a b", "x" * 61, "ä", 5, "a_b"])
def test_request_ids_have_a_form(wrong: Any) -> None:
    with pytest.raises(EarthEngineError, match="requestId"):
        request("one", requestId=wrong)


@pytest.mark.parametrize("wrong", [-1, 10_000, "high", True, {"value": -1}, 1.5])
def test_priorities_have_bounds(wrong: Any) -> None:
    with pytest.raises(EarthEngineError, match="priority"):
        request("one", priority=wrong)


@pytest.mark.parametrize(
    "destination",
    [
        {"fileExportOptions": {"cloudStorageDestination": {"bucket": "ok", "filenamePrefix": "../up"}}},
        {"fileExportOptions": {"cloudStorageDestination": {"bucket": "bucket", "filenamePrefix": "a/../../b"}}},
        {"fileExportOptions": {"cloudStorageDestination": {"bucket": "../x", "filenamePrefix": "a"}}},
        {"fileExportOptions": {"cloudStorageDestination": {"bucket": "bucket", "filenamePrefix": "/etc/passwd"}}},
        {"fileExportOptions": {"cloudStorageDestination": {"bucket": "bucket", "filenamePrefix": "a\x00b"}}},
        {"fileExportOptions": {"cloudStorageDestination": {"bucket": "bucket", "filenamePrefix": "a\\..\\b"}}},
        {"fileExportOptions": {"driveDestination": {"folder": "..", "filenamePrefix": "a"}}},
        {"fileExportOptions": {"driveDestination": {"folder": "f", "filenamePrefix": ".."}}},
        {"fileExportOptions": {"driveDestination": {"folder": "f", "filenamePrefix": ""}}},
        {"fileExportOptions": {"driveDestination": {"folder": "f", "filenamePrefix": "x" * 300}}},
        {"fileExportOptions": {}},
        {"fileExportOptions": {"driveDestination": {"filenamePrefix": 5}}},
        {
            "fileExportOptions": None,
            "assetExportOptions": {"earthEngineDestination": {"name": "projects/p/assets/../x"}},
        },
        {"fileExportOptions": None, "assetExportOptions": {"earthEngineDestination": {"name": "/etc/passwd"}}},
        {"fileExportOptions": None, "assetExportOptions": {}},
        {"fileExportOptions": None},
    ],
)
def test_names_that_lead_elsewhere_are_refused(destination: dict[str, Any]) -> None:
    with pytest.raises(EarthEngineError) as told:
        request("one", **destination)
    assert told.value.code == 400


def test_the_queue_has_an_end() -> None:
    with queue(Gate(), limits=QueueLimits(queued=3), started=False) as made:
        for name in "abc":
            made.submit(request(name))
        with pytest.raises(EarthEngineError) as told:
            made.submit(request("d"))
        message = "Too many tasks already in the queue (3). Please wait for some of them to complete."
        assert told.value.message == message
        made.cancel(made.ledger.page(PROJECT, before=None, size=1)[0][0].name)
        made.submit(request("d"))


def test_what_the_exporter_refuses_is_no_operation() -> None:
    with queue(Gate()) as made:
        with pytest.raises(EarthEngineError, match="refused at once"):
            made.submit(request("refuse"))
        assert made.ledger.page(PROJECT, before=None, size=10) == ([], None)


def test_cancelling() -> None:
    gate = Gate()
    with queue(gate, limits=QueueLimits(running=1)) as made:
        running, waiting = made.submit(request("running")), made.submit(request("waiting"))
        until(made, running, "RUNNING")
        made.cancel(waiting.name)
        assert made.ledger.get(waiting.name).state == "CANCELLED"
        made.cancel(running.name)
        answer = until(made, running, "CANCELLED").to_json()
        assert answer["error"] == {"code": 1, "message": "Cancelled."}
        assert answer["done"]
        assert "batchEecuUsageSeconds" not in answer["metadata"]
        made.cancel(running.name)
        assert made.ledger.get(running.name).state == "CANCELLED"
        with pytest.raises(EarthEngineError) as told:
            made.cancel(f"{PROJECT}/operations/NOPE")
        assert told.value.code == 404
    assert gate.began == ["running"]


def test_a_cancelled_export_may_finish_nevertheless() -> None:
    gate = Gate()
    with queue(gate, faults=[Fault(kind="late-cancel")]) as made:
        sent = made.submit(request("one"))
        until(made, sent, "RUNNING")
        made.cancel(sent.name)
        until(made, sent, "CANCELLING")
        gate.go.set()
        assert until(made, sent, "SUCCEEDED", "CANCELLED").state == "SUCCEEDED"


def test_intermittent_errors_are_tried_five_times() -> None:
    gate = Gate()
    gate.go.set()
    gate.fail = lambda request: EarthEngineError("busy", code=503) if request.body["description"] == "bad" else None
    with queue(gate) as made:
        bad = until(made, made.submit(request("bad")), "FAILED")
        assert (bad.attempt, gate.began.count("bad")) == (5, 5)
        assert bad.to_json()["error"] == {"code": 14, "message": "busy"}
    gate = Gate()
    gate.go.set()
    with queue(gate, faults=[Fault(kind="flaky", count=2)]) as made:
        good = until(made, made.submit(request("good")), "SUCCEEDED")
        assert (good.attempt, gate.began) == (3, ["good"])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (EarthEngineError("no such band"), 3, "no such band"),
        (EarthEngineError("User memory limit exceeded."), 8, "User memory limit exceeded."),
        (MemoryError(), 8, "User memory limit exceeded."),
        (RuntimeError("a secret path"), 13, "An internal error has occurred"),
    ],
)
def test_failures_tell_what_a_client_may_know(error: Exception, code: int, message: str) -> None:
    gate = Gate()
    gate.go.set()
    gate.fail = lambda request: error
    with queue(gate) as made:
        answer = until(made, made.submit(request("one")), "FAILED").to_json()
    assert answer["error"] == {"code": code, "message": message}
    assert "batchEecuUsageSeconds" not in answer["metadata"]


def test_faults_of_exports() -> None:
    gate = Gate()
    gate.go.set()
    faults = [
        Fault(kind="memory", on="image.export", pixels=100),
        Fault(kind="fails", on="tile-7", seconds=0.0, message="Computation timed out."),
        Fault(kind="stuck", on="tile-8"),
    ]
    with queue(gate, faults=faults) as made:
        small, large = made.submit(request("small", pixels=100)), made.submit(request("large", pixels=101))
        assert until(made, small, "SUCCEEDED", "FAILED").state == "SUCCEEDED"
        assert until(made, large, "SUCCEEDED", "FAILED").error == {"code": 8, "message": "User memory limit exceeded."}
        seventh = made.submit(request("tile-7", pixels=1))
        assert until(made, seventh, "FAILED").error == {"code": 3, "message": "Computation timed out."}
        eighth = made.submit(request("tile-8", pixels=1))
        until(made, eighth, "RUNNING")
        time.sleep(0.05)
        assert made.ledger.get(eighth.name).state == "RUNNING"
        made.cancel(eighth.name)
        until(made, eighth, "CANCELLED")


def test_pages_hold_still_while_operations_come() -> None:
    with queue(Gate(), started=False) as made:
        sent = [made.submit(request(str(number))).name for number in range(5)]
        first, rest = made.ledger.page(PROJECT, before=None, size=2)
        made.submit(request("new"))
        second, rest = made.ledger.page(PROJECT, before=rest, size=2)
        third, end = made.ledger.page(PROJECT, before=rest, size=2)
        assert [one.name for one in (*first, *second, *third)] == sent[::-1]
        assert end is None
        assert made.ledger.page("projects/other", before=None, size=2) == ([], None)


def test_a_restart_runs_again_what_ran_and_knows_what_was_done(tmp_path: Path) -> None:
    gate = Gate()
    with queue(gate, folder=tmp_path, limits=QueueLimits(running=1)) as made:
        running = made.submit(request("running", requestId="r1"))
        waiting = made.submit(request("waiting", requestId="r2"))
        cancelled = made.submit(request("cancelled"))
        made.cancel(cancelled.name)
        until(made, running, "RUNNING")
    gate.go.set()
    with queue(gate, folder=tmp_path, limits=QueueLimits(running=1)) as made:
        assert made.submit(request("running", requestId="r1")).name == running.name
        assert until(made, running, "SUCCEEDED").attempt == 1  # it was told to stop in good order
        until(made, waiting, "SUCCEEDED")
        assert made.ledger.get(cancelled.name).state == "CANCELLED"
        newest = made.submit(request("newest"))
        assert newest.order == 4
        until(made, newest, "SUCCEEDED")
    assert gate.began == ["running", "running", "waiting", "newest"]


def test_a_server_that_was_killed_makes_a_new_attempt_and_fails_at_the_fifth(tmp_path: Path) -> None:
    gate = Gate()
    with queue(gate, folder=tmp_path) as made:
        sent = made.submit(request("one"))
        until(made, sent, "RUNNING")
        kept = next((tmp_path / "operations").glob("*.json")).read_text("utf-8")
        gate.go.set()
        until(made, sent, "SUCCEEDED")
    path = next((tmp_path / "operations").glob("*.json"))
    for attempt, state in ((1, "PENDING"), (4, "PENDING"), (5, "FAILED")):
        path.write_text(kept.replace('"attempt": 1', f'"attempt": {attempt}'), "utf-8")
        with queue(gate, folder=tmp_path, started=False) as made:
            found = made.ledger.get(sent.name)
            assert found.state == state
            assert found.attempt == min(attempt + 1, 5)


def test_one_state_folder_is_one_servers(tmp_path: Path) -> None:
    with (
        queue(Gate(), folder=tmp_path),
        pytest.raises(RuntimeError, match="another local Earth Engine"),
        queue(Gate(), folder=tmp_path),
    ):
        pass
    with queue(Gate(), folder=tmp_path):
        pass
