"""Earth Engine as an engine of sarbatch, through the real client and a local server: what is sent, and only once."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
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
from gee.session import Connection, connection_of, initialize
from gee.tiles import Tile, cut
from infra.errors import CredentialsError, EngineError, QuotaError, TransientError
from infra.settings import Settings
from pipelines.backends.protocol import State
from pipelines.orders import Order

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


def exports_of(order: Order) -> Counter[str]:
    """How many operations the service has for each request id of an order."""
    listed = operations.listed().values()
    return Counter(one.description for one in listed if one.description.startswith(order.key[:16]))


# Sending


def test_a_tile_is_an_export_with_its_request_id_tag_and_priority(
    backend: TileBackend, engine: LocalEngine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[dict[str, Any]] = []
    send = requests.Session.request

    def noted(self: Any, method: str, url: str, **more: Any) -> Any:
        if url.partition("?")[0].endswith("image:export"):
            bodies.append(json.loads(more["data"]))
        return send(self, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", noted)
    sent = tile_submission(order, TILES[1])
    (report,) = watch(backend, backend.submit(sent))
    assert (report.state, report.engine_state, report.progress) == (State.DONE, "SUCCEEDED", 1.0)
    assert report.usage["eecu_seconds"] > 0
    assert bodies[0]["description"] == sent.request_id
    assert bodies[0]["workloadTag"] == f"sarbatch-{order.key[:16]}"
    assert bodies[0]["priority"] == {"value": 300}
    tile = Tile.parse(TILES[1])
    np.testing.assert_array_equal(engine.read(tile, name=file_name(order.key, tile.name)), expected(tile))


def test_a_poll_is_one_listing_however_many_exports(backend: TileBackend, order: Order, asked: list[str]) -> None:
    handles = [backend.submit(tile_submission(order, tile)) for tile in TILES]
    asked.clear()
    assert set(backend.poll(handles)) == set(handles)
    assert asked == ["GET operations"]


def test_only_the_first_submission_of_a_process_looks_at_what_is_there(
    backend: TileBackend, order: Order, asked: list[str]
) -> None:
    for tile in TILES:
        backend.submit(tile_submission(order, tile))
    assert Counter(asked) == {"GET operations": 1, "POST image:export": len(TILES)}


def test_nothing_is_imported_and_nobody_asked_before_there_is_work(tmp_path: Path) -> None:
    script = (
        "import sys; from infra.settings import Settings\n"
        "from pipelines.backends import load_backend\n"
        "from pipelines.cost import Work\n"
        "backend = load_backend('earth-engine', Settings(earth_engine_url='http://127.0.0.1:1'))\n"
        "backend.capabilities(), backend.estimate(Work()), backend.split('p000-x000000-y000000-w128-h128'), backend.poll([])\n"
        "print('ee' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


def test_threads_send_all_tiles_once(backend: TileBackend, engine: LocalEngine, order: Order) -> None:
    with ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(lambda tile: backend.submit(tile_submission(order, tile)), TILES * 2))
        reports = list(pool.map(lambda _: backend.poll(handles), range(8)))
    assert handles[: len(TILES)] == handles[len(TILES) :]
    assert {frozenset(one) for one in reports} == {frozenset(handles)}
    assert {one.state for one in watch(backend, *handles)} == {State.DONE}
    assert set(exports_of(order).values()) == {1}
    for tile in map(Tile.parse, TILES):
        np.testing.assert_array_equal(engine.read(tile, name=file_name(order.key, tile.name)), expected(tile))


def test_processes_that_send_the_same_start_it_once(engine: LocalEngine, order: Order) -> None:
    script = (
        f"import sys, json; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path; from pipelines.orders import Order\n"
        "from tile_exports import LocalEngine, TileBackend, engine_settings, tile_submission\n"
        f"backend = TileBackend(engine_settings(LocalEngine({engine.url!r}, Path({str(engine.files)!r}))))\n"
        "order = Order.from_json(json.load(sys.stdin))\n"
        f"print(json.dumps([backend.submit(tile_submission(order, tile)) for tile in {TILES!r}]))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    texts = [process.communicate(json.dumps(order.to_json()), timeout=120)[0] for process in running]
    first, second = (json.loads(text) for text in texts)
    assert first == second
    assert set(exports_of(order).values()) == {1}


# What the service knows already


def test_what_another_process_sent_is_adopted_though_the_service_forgets_request_ids(
    engine: LocalEngine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tile_submission(order, TILES[0])
    handle = TileBackend(engine_settings(engine)).submit(sent)
    # Were it not for the listing, this request id would start another
    monkeypatch.setattr("gee.exports.request_key", lambda description: f"other-{secrets.token_hex(4)}")
    later = TileBackend(engine_settings(engine))
    assert later.submit(sent) == handle
    assert later.list(sent.request_id) == {sent.request_id: handle}
    assert exports_of(order) == {sent.request_id: 1}


def test_a_lost_answer_is_a_transient_error_and_its_export_is_found(
    backend: TileBackend, engine: LocalEngine, order: Order
) -> None:
    sent = tile_submission(order, TILES[0])
    engine.set_faults({"kind": "lost-answer", "on": "image.export"})
    with pytest.raises(TransientError):
        backend.submit(sent)
    engine.set_faults()
    (handle,) = backend.list(sent.request_id).values()
    assert backend.submit(sent) == handle
    assert watch(backend, handle)[0].state == State.DONE
    assert exports_of(order) == {sent.request_id: 1}


def test_of_two_exports_with_one_description_the_older_counts(
    backend: TileBackend, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tile_submission(order, TILES[0])
    first = backend.submit(sent)
    monkeypatch.setattr("gee.exports.request_key", lambda description: f"other-{secrets.token_hex(4)}")
    assert backend.submit(sent) != first
    assert backend.list(sent.request_id) == {sent.request_id: first}


def test_exports_of_others_in_the_project_are_left_alone(backend: TileBackend, order: Order) -> None:
    from gee.exports import start

    export = backend.binding("tiles").export(order, TILES[0])
    for text in ("my-export", "0123456789abcdef-x"):
        start(export, description=text, workload_tag="mine")
    assert not {"my-export", "0123456789abcdef-x"} & set(backend.list(""))


# Refusals


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "queue-full"}, QuotaError),
        ({"kind": "too-many-requests"}, QuotaError),
        ({"kind": "unavailable"}, TransientError),
        ({"kind": "drop"}, TransientError),
        ({"kind": "forbidden"}, CredentialsError),
    ],
)
def test_a_refusal_is_of_its_class_and_the_next_try_goes_on(
    backend: TileBackend, engine: LocalEngine, order: Order, fault: dict[str, Any], error: type[EngineError]
) -> None:
    sent = tile_submission(order, TILES[0])
    engine.set_faults({**fault, "on": "image.export"})
    with pytest.raises(error) as caught:
        backend.submit(sent)
    assert caught.value.remedy
    assert not exports_of(order)
    engine.set_faults()
    assert watch(backend, backend.submit(sent))[0].state == State.DONE


def test_a_queue_that_is_full_refuses_and_takes_more_when_there_is_room(tmp_path: Path) -> None:
    order = tile_order(tmp_path / "out", TILES, name="queue")
    with local_engine(tmp_path, running=1, queued=3) as engine:
        backend = TileBackend(engine_settings(engine))
        engine.set_faults({"kind": "stuck", "count": 1})
        handles = [backend.submit(tile_submission(order, tile)) for tile in TILES[:3]]
        with pytest.raises(QuotaError, match="Too many tasks"):
            backend.submit(tile_submission(order, TILES[3]))
        for _ in range(500):
            if backend.poll(handles)[handles[0]].state == State.RUNNING:
                break
            time.sleep(0.02)
        backend.cancel(handles[0])
        assert [one.state for one in watch(backend, *handles)] == [State.CANCELLED, State.DONE, State.DONE]
        assert watch(backend, backend.submit(tile_submission(order, TILES[3])))[0].state == State.DONE


def test_a_server_that_is_gone_is_transient(tmp_path: Path, order: Order) -> None:
    with local_engine(tmp_path) as engine:
        backend = TileBackend(engine_settings(engine))
        handle = backend.submit(tile_submission(order, TILES[0]))
    with local_engine(tmp_path / "other"):
        for call in (lambda: backend.poll([handle]), lambda: backend.list(""), lambda: backend.cancel(handle)):
            with pytest.raises(TransientError):
                call()


# Which Earth Engine


def test_the_connection_is_what_the_settings_say() -> None:
    local = Settings(earth_engine_url="http://127.0.0.1:1", earth_engine_project="p")
    assert connection_of(local) == Connection(project="p", url="http://127.0.0.1:1", anonymous=True)
    google = Settings(earth_engine_project="p")
    assert connection_of(google) == Connection(project="p")
    keyed = Settings(earth_engine_url="http://127.0.0.1:1", earth_engine_key_file="key.json")
    assert connection_of(keyed) == Connection(project=None, url="http://127.0.0.1:1", key_file="key.json")
    volume = Settings(earth_engine_url="https://earthengine-highvolume.googleapis.com", earth_engine_project="p")
    assert not connection_of(volume).anonymous


def test_without_a_project_nothing_is_sent(engine: LocalEngine, order: Order, asked: list[str]) -> None:
    settings = engine_settings(engine, earth_engine_project=None)
    with pytest.raises(CredentialsError) as caught:
        TileBackend(settings).submit(tile_submission(order, TILES[0]))
    assert "SARBATCH_EARTH_ENGINE_PROJECT" in caught.value.remedy
    assert asked == []


def test_a_handle_names_its_engine_and_operation(backend: TileBackend, order: Order) -> None:
    handle = backend.submit(tile_submission(order, TILES[0]))
    assert json.loads(handle)["engine"] == "earth-engine"
    assert json.loads(handle)["operation"].startswith(f"projects/{PROJECT}/operations/")
