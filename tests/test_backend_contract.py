"""What every engine promises (`pipelines.backends.protocol.Backend`), asked of the fake, a real Dask cluster and Earth Engine.

The orders are those of a small job on simulated scenes, each with an output of its own; Earth Engine is the local one,
behind its real client, and exports a tile.
"""

from __future__ import annotations

import inspect
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fakes import FakeBackend, fake_order
from jobs import machine, opera, plan_job, write_job
from tile_exports import TileBackend, engine_settings, file_name, local_engine, tile_order

from dask_jobs.simulate import simulate_rtc
from infra.errors import SarbatchError
from infra.storage import Location
from pipelines.backends.dask import DaskBackend
from pipelines.backends.earth_engine import EarthEngineBackend
from pipelines.backends.protocol import Backend, Report, State, Submission
from pipelines.cost import Work
from pipelines.keys import request_id
from pipelines.orders import WHOLE, Order
from pipelines.products import is_published

PATIENCE = 90.0  # seconds
WAY = [State.QUEUED, State.RUNNING, State.PUBLISHING, State.DONE]


@dataclass(frozen=True)
class Engine:
    """One engine under test.

    Attributes
    ----------
    load : a new instance, as another process would make
    order : a new order, with an output of its own below the folder
    in_another_process : Python that binds `backend` to an instance
    tile : what is made of an order
    made : whether it is there
    """

    name: str
    kind: str
    load: Callable[[], Backend]
    order: Callable[[Path], Order]
    in_another_process: str
    tile: str = WHOLE
    made: Callable[[Order], bool] = is_published

    def submission(self, folder: Path, *, attempt: int = 1) -> Submission:
        order = self.order(folder)
        request = request_id(nonce=secrets.token_hex(4), key=order.key, tile=self.tile, attempt=attempt)
        return Submission(request_id=request, key=order.key, tile=self.tile, attempt=attempt, order=order.to_json())


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("fake") / "engine.sqlite"
    return Engine(
        name="fake",
        kind="fake",
        load=lambda: FakeBackend(path, polls=3),
        order=lambda folder: fake_order(Location.parse(str(folder / "out")), secrets.token_hex(4)),
        in_another_process=f"from fakes import FakeBackend; from pathlib import Path; backend = FakeBackend(Path({str(path)!r}))",
    )


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("dask")
    simulate_rtc(folder / "scenes", dates=2, size=64, bursts=1)
    with machine(folder / "state") as settings:
        plan = plan_job(write_job(folder, {"stack": opera(folder / "scenes")}), settings)
        order = plan.tasks[0].order

        yield Engine(
            name="dask",
            kind="backscatter-stack",
            load=lambda: DaskBackend(settings),
            order=lambda folder: replace(order, output=str(folder / "out")),
            in_another_process="from infra.settings import load_settings; from pipelines.backends import load_backend\n"
            "backend = load_backend('dask', load_settings())",
        )


@pytest.fixture(scope="module")
def earth_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder, tile = tmp_path_factory.mktemp("earth-engine"), "p000-x000064-y000000-w64-h32"

    def made(order: Order) -> bool:
        return (folder / "exports/drive/sarbatch" / f"{file_name(order.key, tile)}.tif").exists()

    with local_engine(folder) as local:
        settings = engine_settings(local)
        local.set_faults({"kind": "slow", "seconds": 0.4})  # so that there is something to cancel
        yield Engine(
            name="earth-engine",
            kind="tiles",
            load=lambda: TileBackend(settings),
            order=lambda folder: tile_order(folder / "out", [tile], name=secrets.token_hex(4)),
            in_another_process="from tile_exports import LocalEngine, TileBackend, engine_settings; from pathlib import Path\n"
            f"backend = TileBackend(engine_settings(LocalEngine({local.url!r}, Path({str(folder)!r}))))",
            tile=tile,
            made=made,
        )


@pytest.fixture(params=["fake", "dask", "earth_engine"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


def watch(backend: Backend, handle: str) -> list[Report]:
    """Every report until the end."""
    reports: list[Report] = []
    deadline = time.monotonic() + PATIENCE
    while not reports or not (reports[-1].state.final or reports[-1].state == State.LOST):
        assert time.monotonic() < deadline, reports[-1]
        reports.append(backend.poll([handle])[handle])
        time.sleep(0.02)
    return reports


def test_an_operation_goes_forward_to_its_end_and_is_published(engine: Engine, tmp_path: Path) -> None:
    operation = engine.submission(tmp_path)
    order = Order.from_json(operation.order)
    reports = watch(engine.load(), engine.load().submit(operation))
    places = [WAY.index(report.state) for report in reports]
    assert places == sorted(places)
    assert reports[-1].state == State.DONE
    assert engine.made(order)
    assert all(report.engine_state for report in reports)
    fractions = [report.progress for report in reports if report.progress is not None]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert reports[-1].progress == 1
    assert reports[-1].failure is None
    assert reports[-1].usage["wall_seconds"] > 0
    assert max(reports[-1].usage.get(name, -1.0) for name in ("core_hours", "eecu_seconds")) >= 0


def test_submitting_again_starts_nothing_and_gives_the_same_handle(engine: Engine, tmp_path: Path) -> None:
    operation = engine.submission(tmp_path)
    handle = engine.load().submit(operation)
    assert engine.load().submit(operation) == handle
    watch(engine.load(), handle)
    assert engine.load().submit(operation) == handle
    assert watch(engine.load(), handle)[-1].state == State.DONE
    assert dict(engine.load().list(operation.request_id)) == {operation.request_id: handle}


def test_the_end_stays_the_end(engine: Engine, tmp_path: Path) -> None:
    handle = engine.load().submit(engine.submission(tmp_path))
    last = watch(engine.load(), handle)[-1]
    assert engine.load().poll([handle])[handle].state == last.state == State.DONE
    engine.load().cancel(handle)  # too late
    assert engine.load().poll([handle])[handle].state == State.DONE


def test_list_finds_by_the_beginning_of_the_request_id_from_another_process(engine: Engine, tmp_path: Path) -> None:
    one, other = engine.submission(tmp_path / "one"), engine.submission(tmp_path / "other")
    handles = {operation.request_id: engine.load().submit(operation) for operation in (one, other)}
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{engine.in_another_process}\n"
        "print(backend.list(sys.argv[1])[sys.argv[1]])"
    )
    for request, handle in handles.items():
        found = subprocess.run(
            [sys.executable, "-c", script, request], capture_output=True, text=True, timeout=60, check=True
        )
        assert found.stdout == f"{handle}\n"
    backend = engine.load()
    everything = backend.list("")
    assert {request: everything[request] for request in handles} == handles
    assert one.request_id in backend.list(one.request_id[:-2])
    assert dict(backend.list("no-such-request")) == {}
    for handle in handles.values():
        watch(backend, handle)


def test_what_the_engine_does_not_know_is_lost(engine: Engine, tmp_path: Path) -> None:
    backend = engine.load()
    known = backend.submit(engine.submission(tmp_path / "known"))
    unknown = {"fake": _never_given, "dask": _of_another_output, "earth-engine": _forgotten}[engine.name](
        known, tmp_path
    )
    reports = backend.poll([known, unknown, "no handle at all"])
    assert set(reports) == {known, unknown, "no handle at all"}
    for handle in (unknown, "no handle at all"):
        assert reports[handle].state == State.LOST
        failure = reports[handle].failure
        assert failure is not None
        assert failure.error_class == "transient"
        assert failure.message
    assert reports[known].state != State.LOST
    watch(backend, known)


def _never_given(known: str, tmp_path: Path) -> str:
    return known.replace(known[-4:], "9999")


def _forgotten(known: str, tmp_path: Path) -> str:
    """A handle such as Earth Engine gives, of an operation that it knew long ago."""
    name, created = (json.loads(known)[word] for word in ("operation", "created"))
    return known.replace(name, f"{name[:-4]}9999").replace(created, "2020-01-01T00:00:00.000000Z")


def _of_another_output(handle: str, tmp_path: Path) -> str:
    """A handle such as Dask gives, of an operation that it was never given."""
    known = str(tmp_path / "known")
    assert known in handle
    request = handle.partition('"request_id":"')[2].partition('"')[0]
    return handle.replace(known, str(tmp_path / "unknown")).replace(request, "never-submitted")


def test_nothing_asked_is_nothing_answered(engine: Engine) -> None:
    assert dict(engine.load().poll([])) == {}


def test_a_cancelled_operation_ends_so_and_publishes_nothing(engine: Engine, tmp_path: Path) -> None:
    operation = engine.submission(tmp_path)
    handle = engine.load().submit(operation)
    engine.load().cancel(handle)
    engine.load().cancel(handle)  # twice is once
    reports = watch(engine.load(), handle)
    assert reports[-1].state == State.CANCELLED
    assert not engine.made(Order.from_json(operation.order))
    assert engine.load().poll([handle])[handle].state == State.CANCELLED


def test_what_was_cancelled_is_made_by_another_attempt(engine: Engine, tmp_path: Path) -> None:
    first = engine.submission(tmp_path)
    handle = engine.load().submit(first)
    engine.load().cancel(handle)
    assert watch(engine.load(), handle)[-1].state == State.CANCELLED
    again = replace(
        first, attempt=2, request_id=request_id(nonce=secrets.token_hex(4), key=first.key, tile=engine.tile, attempt=2)
    )
    assert watch(engine.load(), engine.load().submit(again))[-1].state == State.DONE


def test_a_failed_operation_says_class_message_and_remedy(engine: Engine, tmp_path: Path) -> None:
    operation = engine.submission(tmp_path)
    if engine.name == "fake":
        engine.load().script(operation.order["task"], fail="user")  # type: ignore[attr-defined] # the fake alone has scripts
    elif engine.name == "earth-engine":
        operation.order["document"]["bands"] = ["no-such-band"]
    else:
        for raster in _rasters(operation.order):  # the scenes of another output: nothing lies there
            raster["url"] = str(tmp_path / "gone.tif")
    last = watch(engine.load(), engine.load().submit(operation))[-1]
    assert last.state == State.FAILED
    assert last.failure is not None
    assert last.failure.error_class == "user"
    assert last.failure.message
    assert last.failure.remedy


def _rasters(value: object) -> Iterator[dict[str, object]]:
    """Every mapping with a `url`, however deep."""
    if isinstance(value, dict):
        if "url" in value:
            yield value
        for item in value.values():
            yield from _rasters(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _rasters(item)


def test_logs_are_readable_while_and_after_it_runs(engine: Engine, tmp_path: Path) -> None:
    handle = engine.load().submit(engine.submission(tmp_path))
    assert isinstance(engine.load().logs(handle), str)
    watch(engine.load(), handle)
    text = engine.load().logs(handle)
    assert "attempt 1" in text


def test_a_refusal_is_one_of_our_errors_and_starts_nothing(engine: Engine, tmp_path: Path) -> None:
    operation = engine.submission(tmp_path)
    if engine.name == "fake":
        engine.load().script(operation.order["task"], refuse="user")  # type: ignore[attr-defined] # as above
    elif engine.name == "earth-engine":
        operation.order["document"]["bucket"] = "NO BUCKET"
    else:
        (tmp_path / "out").write_text("a file where the output should be")
    with pytest.raises(SarbatchError) as caught:
        engine.load().submit(operation)
    assert caught.value.error_class == "user"
    assert caught.value.remedy
    assert dict(engine.load().list(operation.request_id)) == {}


def test_capabilities_are_those_of_its_bindings(engine: Engine) -> None:
    backend = engine.load()
    able = backend.capabilities()
    assert engine.kind in able.kinds
    assert 1 <= able.parallel <= able.queue
    for kind in able.kinds:
        binding = backend.binding(kind)
        assert all(callable(getattr(binding, name)) for name in ("survey", "continuation", "make"))
    with pytest.raises(KeyError):
        backend.binding("no-such-kind")


def test_an_estimate_grows_with_the_work(engine: Engine) -> None:
    backend = engine.load()
    nothing = backend.estimate(Work())
    assert (nothing.pixels, nothing.core_hours, nothing.eecu_hours, nothing.wall_seconds) == (0, 0, 0, 0)
    work = Work(pixels=10**6, bytes_read=4 * 10**6, bytes_written=10**6, core_seconds=60.0, eecu_seconds=60.0)
    work = replace(work, fixed_seconds=2.0)
    little, much = backend.estimate(work), backend.estimate(replace(work, core_seconds=600.0, eecu_seconds=600.0))
    assert (little.pixels, little.bytes_read, little.bytes_written) == (10**6, 4 * 10**6, 10**6)
    assert 0 < little.core_hours + little.eecu_hours < much.core_hours + much.eecu_hours
    assert 0 < little.wall_seconds < much.wall_seconds


@pytest.mark.parametrize("backend", [FakeBackend, DaskBackend, EarthEngineBackend])
def test_methods_take_what_the_protocol_says(backend: type[Backend]) -> None:
    for name, promised in inspect.getmembers(Backend, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(backend, name)) == inspect.signature(promised), name


# What the fake alone must do, or its tests would prove nothing


def test_the_fake_shares_its_state_and_counts_what_it_is_sent(tmp_path: Path) -> None:
    one, other = (FakeBackend(tmp_path / "engine.sqlite") for _ in range(2))
    order = fake_order(Location.parse(str(tmp_path / "out")), "a")
    operation = Submission(request_id="r", key=order.key, tile="whole", attempt=1, order=order.to_json())
    one.script("a", lose_answer=True)
    with pytest.raises(SarbatchError):
        one.submit(operation)
    assert other.submit(operation) == other.list("r")["r"]
    assert one.submissions() == {"r": 2}
    assert len(other.operations()) == one.peak() == 1
