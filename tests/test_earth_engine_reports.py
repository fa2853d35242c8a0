"""What the Earth Engine engine says of exports: failures with their class, progress, logs; and the driver beside them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tile_exports import (
    PROJECT,
    LocalEngine,
    TileBackend,
    engine_settings,
    expected,
    file_name,
    local_engine,
    requests_noted,
    tile_order,
    tile_submission,
    watch,
)

from gee import operations
from gee.session import connection_of, initialize
from gee.tiles import Tile, cut
from pipelines.backends.protocol import Report, State
from pipelines.cost import Work
from pipelines.orders import WHOLE, Order

TILES = [tile.name for tile in cut(192, 128, part=0, size=64)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    with local_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def engine(server: LocalEngine) -> Iterator[LocalEngine]:
    server.set_faults()
    yield server
    server.set_faults()
    initialize(connection_of(engine_settings(server)))
    for one in operations.listed().values():
        if not one.done:
            operations.cancel(one.name)


@pytest.fixture
def backend(engine: LocalEngine) -> TileBackend:
    return TileBackend(engine_settings(engine))


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return tile_order(tmp_path / "out", TILES, name=secrets.token_hex(4))


@pytest.fixture
def asked() -> Iterator[list[str]]:
    with requests_noted() as found:
        yield found


# Failures


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "memory", "pixels": 100}, "resource"),
        ({"kind": "time-out", "pixels": 100}, "resource"),
        ({"kind": "flaky"}, "transient"),
        ({"kind": "fails", "seconds": 0.0, "message": "Internal error."}, "transient"),
        ({"kind": "fails", "seconds": 0.0, "message": "Image.load: Image asset 'x' not found."}, "user"),
        ({"kind": "fails", "seconds": 0.0, "message": "Quota exceeded."}, "quota"),
        (
            {"kind": "fails", "seconds": 0.0, "message": "Caller does not have required permission to use project."},
            "credentials",
        ),
    ],
)
def test_a_failure_has_class_message_and_remedy(
    backend: TileBackend, engine: LocalEngine, order: Order, fault: dict[str, Any], error_class: str
) -> None:
    engine.set_faults(fault)
    (report,) = watch(backend, backend.submit(tile_submission(order, TILES[0])))
    assert (report.state, report.engine_state) == (State.FAILED, "FAILED")
    assert report.failure is not None
    assert report.failure.error_class == error_class
    assert report.failure.message
    assert report.failure.remedy


def test_what_an_export_used_is_told_where_the_service_tells_it(
    backend: TileBackend, engine: LocalEngine, order: Order
) -> None:
    engine.set_faults({"kind": "memory", "pixels": 100, "count": 1}, {"kind": "stuck", "skip": 1, "count": 2})
    failed, *hanging, waiting = [backend.submit(tile_submission(order, tile)) for tile in TILES[:4]]
    (report,) = watch(backend, failed)
    assert "eecu_seconds" not in report.usage  # it ran, and nobody says how long: not the same as nothing
    for handle in (waiting, *hanging):
        backend.cancel(handle)
    reports = watch(backend, waiting, *hanging)
    assert {one.state for one in reports} == {State.CANCELLED}
    assert reports[0].usage == {"eecu_seconds": 0.0}
    good = watch(backend, backend.submit(tile_submission(order, TILES[4])))[0]
    assert good.usage["eecu_seconds"] > 0
    assert good.usage["wall_seconds"] > 0


def test_what_was_too_large_is_made_of_its_pieces(backend: TileBackend, engine: LocalEngine, order: Order) -> None:
    whole = Tile(part=0, x=0, y=0, width=192, height=128)
    engine.set_faults({"kind": "memory", "pixels": 64 * 64})
    open_ones, made = [whole.name], []
    while open_ones:
        name = open_ones.pop()
        (report,) = watch(backend, backend.submit(tile_submission(order, name)))
        if report.state == State.FAILED:
            assert report.failure is not None
            assert report.failure.error_class == "resource"
            pieces = backend.split(name)
            assert pieces
            open_ones.extend(pieces)
        else:
            made.append(Tile.parse(name))
    together = np.zeros((2, whole.height, whole.width))
    for tile in made:
        window = engine.read(tile, name=file_name(order.key, tile.name))
        together[:, tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = window
    np.testing.assert_array_equal(together, expected(whole))
    assert sum(tile.width * tile.height for tile in made) == 192 * 128


def test_only_tiles_are_split(backend: TileBackend) -> None:
    assert backend.split(WHOLE) == ()
    assert backend.split("p000-x000000-y000000-w64-h64") == ()
    assert len(backend.split("p002-x000000-y000000-w4096-h4096")) == 4


def test_an_export_that_is_not_listed_yet_is_not_lost(backend: TileBackend, order: Order) -> None:
    handle = json.loads(backend.submit(tile_submission(order, TILES[0])))
    name = f"{handle['operation'][:-4]}0000"
    young, old = (
        json.dumps({**handle, "operation": name, "created": created})
        for created in (handle["created"], "2020-01-01T00:00:00.000000Z")
    )
    reports = backend.poll([young, old])
    assert reports[young].state == State.QUEUED
    assert reports[old].state == State.LOST
    assert reports[old].failure is not None
    assert reports[old].failure.error_class == "transient"


# While it runs


def test_progress_is_told_and_a_stuck_export_can_be_cancelled(
    backend: TileBackend, engine: LocalEngine, order: Order
) -> None:
    engine.set_faults({"kind": "stuck"})
    handle = backend.submit(tile_submission(order, TILES[0]))
    deadline = time.monotonic() + 60
    while (report := backend.poll([handle])[handle]).state != State.RUNNING:
        assert time.monotonic() < deadline, report
        time.sleep(0.02)
    assert report.engine_state == "RUNNING"
    assert report.progress == 0.0
    assert "RUNNING, attempt 1, 0%" in backend.logs(handle)
    backend.cancel(handle)
    (report,) = watch(backend, handle)
    assert (report.state, report.engine_state, report.failure) == (State.CANCELLED, "CANCELLED", None)


def test_logs_say_what_the_service_says(backend: TileBackend, engine: LocalEngine, order: Order) -> None:
    good = backend.submit(tile_submission(order, TILES[0]))
    watch(backend, good)
    text = backend.logs(good)
    assert "SUCCEEDED, attempt 1, 100%" in text
    assert f"{file_name(order.key, TILES[0])}.tif" in text
    assert "EECU-seconds" in text
    engine.set_faults({"kind": "memory", "pixels": 100})
    bad = backend.submit(tile_submission(order, TILES[1]))
    watch(backend, bad)
    assert "error 8: User memory limit exceeded." in backend.logs(bad)
    gone = good.replace(json.loads(good)["operation"], f"projects/{PROJECT}/operations/NONE")
    assert "no longer knows it" in backend.logs(gone)


def test_capabilities_and_estimates_are_those_of_the_settings(engine: LocalEngine) -> None:
    backend = TileBackend(engine_settings(engine, earth_engine_tasks=5, earth_engine_queue=77))
    able = backend.capabilities()
    assert (able.parallel, able.queue) == (5, 77)
    estimate = backend.estimate(Work(eecu_seconds=3600.0, fixed_seconds=10.0))
    assert (estimate.eecu_hours, estimate.wall_seconds) == (1.0, 730.0)


# The driver beside the exports


class Driven:
    """A Dask engine that notes what it is asked; Dask's own is asked by the suite that every engine passes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def submit(self, operation: Any) -> str:
        self.asked.append(("submit", operation.tile))
        return '{"request_id": "w", "scheduler": "tcp://x"}'

    def poll(self, handles: Any) -> dict[str, Report]:
        self.asked.append(("poll", list(handles)))
        return {handle: Report(state=State.RUNNING, engine_state="processing") for handle in handles}

    def list(self, prefix: str) -> dict[str, str]:
        self.asked.append(("list", prefix))
        return {}

    def cancel(self, handle: str) -> None:
        self.asked.append(("cancel", handle))

    def logs(self, handle: str) -> str:
        self.asked.append(("logs", handle))
        return "driver"


def test_the_operation_that_puts_tiles_together_goes_to_dask(
    backend: TileBackend, order: Order, asked: list[str]
) -> None:
    backend._dask = driven = Driven()  # type: ignore[assignment] # what it is asked of the protocol
    whole = backend.submit(tile_submission(order, WHOLE))
    assert asked == []
    export = backend.submit(tile_submission(order, TILES[0]))
    reports = backend.poll([export, whole, "no handle"])
    assert list(reports) == [export, whole, "no handle"]
    assert reports[whole].engine_state == "processing"
    backend.cancel(whole)
    assert backend.logs(whole) == "driver"
    assert driven.asked == [
        ("submit", WHOLE),
        ("poll", [whole, "no handle"]),
        ("cancel", whole),
        ("logs", whole),
    ]


@pytest.mark.parametrize(
    ("tile", "exports", "drivers"),
    [("", 1, 1), ("p", 1, 0), ("p000-x0", 1, 0), ("w", 0, 1), ("whole", 0, 1), ("whole-0001-ab", 0, 1)],
)
def test_a_listing_asks_the_engine_that_may_know(
    backend: TileBackend, order: Order, asked: list[str], tile: str, exports: int, drivers: int
) -> None:
    backend._dask = driven = Driven()  # type: ignore[assignment] # as above
    prefix = f"{order.key[:16]}-{tile}"
    backend.list(prefix)
    assert asked == ["GET operations"] * exports
    assert driven.asked == [("list", prefix)] * drivers
