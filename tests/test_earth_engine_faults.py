"""Exports of forty tiles on bad days: whatever goes wrong, every tile is there once in the end, and nothing was paid twice.

Each seed draws faults of the local Earth Engine and what somebody does meanwhile (cancels tasks by hand, runs a second
process). The steps, the registry, the backend and the client are the real ones; what puts the tiles together is not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import ee
import numpy as np
import pytest
from tile_exports import (
    LocalEngine,
    Publisher,
    TileBackend,
    add_tile_run,
    engine_settings,
    expected,
    file_name,
    local_engine,
    tile_order,
)

from gee import operations
from gee.session import connection_of, initialize
from gee.tiles import Tile, cut
from infra.errors import SarbatchError
from infra.settings import Settings
from pipelines.backends.protocol import State
from pipelines.orders import WHOLE, Order
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow
from pipelines.standing import is_replaced
from pipelines.step import Stepper

WIDTH, HEIGHT, SIDE = 1240, 500, 128
TILES = cut(WIDTH, HEIGHT, part=0, size=SIDE)  # 40, the last of each row and column smaller
PATIENCE = 300.0  # seconds for one run of forty tiles
STUCK_SECONDS = 0.5  # after which somebody cancels what makes no progress
ON = {
    **dict.fromkeys(
        ("too-many-requests", "unavailable", "internal", "drop", "lost-answer", "latency"),
        ("image.export", "operations.list", "operations.*", "*"),
    ),
    **dict.fromkeys(("queue-full", "memory", "time-out"), ("image.export",)),
    **dict.fromkeys(("slow", "stuck", "fails", "flaky", "late-cancel"), ("*",)),
    "restricted": ("*",),
}
MESSAGES = ("Internal error.", "User memory limit exceeded.", "Quota exceeded.", "Computation timed out.")
QUICK, ALL = range(3), range(100)
SOAK = pytest.mark.soak


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalEngine]:
    with local_engine(tmp_path / "engine") as engine:
        yield engine


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.retry.FIRST_WAIT", 0.0)
    monkeypatch.setattr("pipelines.retry.WAITS", {})


@dataclass
class Day:
    """One run and what befalls it.

    Attributes
    ----------
    order : of the run's only task
    steppers : processes that take its steps, here each a thread with a registry, a backend and a step of its own
    """

    engine: LocalEngine
    settings: Settings
    order: Order
    steppers: int = 1
    meddles: float = 0.0
    random: Random = field(default_factory=lambda: Random(0))

    def start(self, *, eecu_hours: float = 0.0) -> None:
        with Registry.open(self.settings.registry_url) as registry:
            add_tile_run(registry, self.order, eecu_hours=eecu_hours)

    def finish(self) -> str:
        """State of the run in the end."""
        over = threading.Event()
        errors: list[BaseException] = []

        def take_steps() -> None:
            try:
                self._steps(over)
            except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
                errors.append(error)
                over.set()

        threads = [threading.Thread(target=take_steps) for _ in range(self.steppers)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if self.meddles:
                self.meddle()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        with Registry.open(self.settings.registry_url) as registry:
            return registry.find_run("r1").state

    def _steps(self, over: threading.Event) -> None:
        backend = TileBackend(self.settings)
        backend._dask = Publisher(self.settings)  # type: ignore[assignment] # what it is asked of the protocol
        deadline = time.monotonic() + PATIENCE * max(len(self.order.tiles) / len(TILES), 1.0)
        with Registry.open(self.settings.registry_url) as registry:
            run = registry.find_run("r1")
            step = Stepper(registry=registry, run=run, settings=self.settings, engines={"earth-engine": backend})
            while not over.is_set():
                assert time.monotonic() < deadline, Counter(str(row.believed) for row in registry.operations())
                if step.step() or registry.find_run("r1").state != "running":
                    over.set()
                time.sleep(0.01)

    def meddle(self) -> None:
        """Somebody looks at the project's tasks, ends what hangs, and now and then something else."""
        for record in self.records():
            hangs = record["state"] == "RUNNING" and time.time() - record["updated"] > STUCK_SECONDS
            if hangs or (record["state"] in ("PENDING", "RUNNING") and self.random.random() < self.meddles):
                with suppress(SarbatchError):  # faults meet this one too, and it looks again in a moment
                    operations.cancel(record["name"])

    def records(self) -> list[dict[str, Any]]:
        """Operations of the order as the server keeps them: all that was used, also of what failed."""
        found = []
        for path in (self.engine.files / "operations").glob("*.json"):
            record = json.loads(path.read_text())
            if record["request"]["body"]["description"].startswith(self.order.key[:16]):
                found.append(record)
        return found

    def rows(self) -> list[OperationRow]:
        with Registry.open(self.settings.registry_url) as registry:
            return [row for row in registry.operations(run="r1") if row.tile != WHOLE]


def day(
    engine: LocalEngine, folder: Path, *, name: str, tiles: Sequence[Tile] = TILES, queue: int = 2500, **more: Any
) -> Day:
    """A day with its own registry and output."""
    settings = engine_settings(engine, state_dir=folder / "state", max_attempts=30, earth_engine_queue=queue)
    settings.state_dir.mkdir(parents=True)
    initialize(connection_of(settings))
    order = tile_order(folder / "out", [tile.name for tile in tiles], name=name)
    return Day(engine=engine, settings=settings, order=order, **more)


def drawn(random: Random, *, key: str) -> list[dict[str, Any]]:
    """Three to six faults that come to an end."""
    kinds = random.sample(sorted(ON), random.randint(3, 6))
    if "stuck" in kinds and "late-cancel" in kinds:
        kinds.remove("late-cancel")  # what hangs and cannot be cancelled hangs for ever
    return [_fault(random, kind, key=key) for kind in kinds]


def _fault(random: Random, kind: str, *, key: str) -> dict[str, Any]:
    fault: dict[str, Any] = {
        "kind": kind,
        "on": random.choice(ON[kind]),
        "probability": random.choice([0.1, 0.3, 1.0]),
        "count": random.randint(1, 8),
        "skip": random.randint(0, 20),
        "seed": random.randint(0, 10**6),
        "seconds": random.uniform(0.0, 0.1),
    }
    if kind in ("memory", "time-out"):
        fault |= {"pixels": 64 * 64}
    if kind == "fails":
        fault |= {"message": random.choice(MESSAGES), "seconds": 0.0}
        if "memory" in fault["message"] or "timed" in fault["message"]:
            fault |= {"on": f"{key[:16]}-*-w{SIDE}-*"}  # what is too large can be smaller
    return fault


def check(one: Day, *, complete: bool) -> None:
    """Nothing is there twice, nothing is lost, and what the registry says is what the server and the files say."""
    rows, records = one.rows(), one.records()
    by_request = Counter(record["request"]["body"]["description"] for record in records)
    assert max(by_request.values()) == 1, "an operation was started twice"
    known = {json.loads(row.handle)["operation"] for row in rows if row.handle}
    assert {record["name"] for record in records} == known, "an operation is known to one side alone"
    succeeded = Counter(
        record["request"]["body"]["description"] for record in records if record["state"] == "SUCCEEDED"
    )
    last = {row.tile: row for row in sorted(rows, key=lambda row: row.attempt) if not is_replaced(row)}
    replaced = {row.tile for row in rows if is_replaced(row)}
    final = [row for tile, row in last.items() if tile not in replaced]
    done = [row for row in final if row.believed == State.DONE]
    assert set(succeeded) == {row.request_id for row in done}, "what was made is what counts as made"
    assert len({row.tile for row in done}) == len(done)
    together = np.zeros((HEIGHT, WIDTH))
    for tile in (Tile.parse(row.tile) for row in done):
        window = one.engine.read(tile, name=file_name(one.order.key, tile.name))
        np.testing.assert_array_equal(window, expected(tile))
        together[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] += 1
    assert together.max() == 1
    if complete:
        assert together.min() == 1
        assert len(done) == len(final)


def live(seed: int, engine: LocalEngine, folder: Path) -> None:
    """One seed's run, from its first step to its end."""
    random = Random(seed)
    one = day(engine, folder, name=f"seed {seed}", random=random)
    ee.data.setMaxRetries(random.choice([0, 0, 1, 5]))
    one.steppers = random.choice([1, 1, 2])
    one.meddles = random.choice([1e-9, 1e-9, 0.02])
    engine.set_faults(*drawn(random, key=one.order.key))
    try:
        one.start()
        assert one.finish() == "done"
        check(one, complete=True)
        assert one.order.home.exists("item.json")
    finally:
        engine.set_faults()


@pytest.mark.filterwarnings("ignore:Your project has exceeded")
@pytest.mark.parametrize("seed", QUICK)
def test_every_tile_is_exported_once_whatever_goes_wrong(seed: int, server: LocalEngine, tmp_path: Path) -> None:
    live(seed, server, tmp_path)


@SOAK
@pytest.mark.filterwarnings("ignore:Your project has exceeded")
@pytest.mark.parametrize("seed", ALL)
def test_every_tile_is_exported_once_a_hundred_times(seed: int, server: LocalEngine, tmp_path: Path) -> None:
    live(seed, server, tmp_path)


# A process that dies

STEPS = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_earth_engine_faults import Day
from tile_exports import LocalEngine
from infra.settings import Settings
from pipelines.orders import Order
settings, order, url, files = json.load(sys.stdin)
one = Day(engine=LocalEngine(url, Path(files)), settings=Settings(**settings), order=Order.from_json(order))
print(one.finish(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def process(one: Day, **environment: str) -> subprocess.Popen[str]:
    """Process of its own that takes the steps of a run and prints its end and how much memory it took at most, KiB."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SARBATCH_")}
    said = [one.settings.model_dump(mode="json"), one.order.to_json(), one.engine.url, str(one.engine.files)]
    started = subprocess.Popen(
        [sys.executable, "-c", STEPS, str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**variables, **environment},
        text=True,
    )
    assert started.stdin is not None
    with started.stdin as channel:
        channel.write(json.dumps(said))
    return started


@pytest.mark.parametrize(
    "fault", ["submit:7", pytest.param("intent:1", marks=SOAK), pytest.param("submit:40", marks=SOAK)]
)
def test_what_a_process_had_sent_when_it_died_is_adopted(
    fault: str, server: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = day(server, tmp_path, name=f"killed at {fault}")
    one.start()
    mark = tmp_path / "fault"
    with process(one, SARBATCH_FAULT=fault, SARBATCH_FAULT_FILE=str(mark)) as dies:
        assert dies.wait(PATIENCE) == -signal.SIGKILL
    assert mark.exists()
    unheard = {record["name"] for record in one.records()}
    assert len(unheard) == {"intent:1": 0, "submit:7": 7, "submit:40": 40}[fault]
    assert not any(row.handle for row in one.rows())
    # The service has forgotten the request ids: it would start everything anew
    monkeypatch.setattr("gee.exports.request_key", lambda description: f"later-{hash(description) & 0xFFFF}")
    assert one.finish() == "done"
    check(one, complete=True)
    assert unheard <= {json.loads(str(row.handle))["operation"] for row in one.rows()}


# A budget


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([], marks=SOAK),
        [{"kind": "fails", "seconds": 0.0, "message": "Internal error.", "count": 6, "skip": 2}],
        [{"kind": "memory", "on": "image.export", "pixels": 64 * 64, "count": 3, "skip": 2}],
        pytest.param([{"kind": "lost-answer", "on": "image.export", "count": 5}], marks=SOAK),
    ],
    ids=["none", "fails", "memory", "lost-answer"],
)
def test_a_budget_is_never_exceeded(
    faults: list[dict[str, Any]], server: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each attempt at an export takes one EECU-second, told or not: the service tells of none that failed
    monkeypatch.setattr("gee.local.work.metering.Meter.seconds", lambda self: 1.0)
    budget = 25.0
    one = day(server, tmp_path, name=f"budget {faults}")
    one.order = replace(one.order, budget={"eecu_hours": budget / 3600})
    server.set_faults(*faults)
    one.start(eecu_hours=len(TILES) / 3600)
    assert one.finish() == "failed"
    server.set_faults()
    check(one, complete=False)
    paid = sum(record["usage"] for record in one.records())
    assert budget - 2.0 <= paid <= budget
    classes = Counter((row.error or {}).get("class") for row in one.rows() if row.believed == State.FAILED)
    assert classes["budget"] >= 1
    assert not one.order.home.exists("item.json")


# Many tiles


def many(folder: Path, *, count: int, queue: int) -> int:
    """Memory that a process took at most, KiB, which exported so many tiles while the queue was full and stood still."""
    tiles = cut(64 * 50, 64 * (count // 50), part=0, size=64)
    assert len(tiles) == count
    with local_engine(folder / "engine", queued=queue + 500) as engine:
        one = day(engine, folder, name="many", tiles=tiles, queue=queue)
        engine.set_faults({"kind": "stuck", "count": 2})
        one.start()
        most = 0
        with process(one) as running:
            while running.poll() is None:
                states = engine.states()
                most = max(most, sum(states.get(name, 0) for name in ("PENDING", "RUNNING", "CANCELLING")))
                if most == queue:
                    one.meddle()  # it is as full as it may be: let somebody end what hangs
                time.sleep(0.2)
            assert running.stdout is not None
            state, memory = running.stdout.read().split()
        assert state == "done"
        assert most == queue
        assert Counter(record["state"] for record in one.records()) == {"SUCCEEDED": count, "CANCELLED": 2}
        return int(memory)


def test_a_plan_of_many_tiles_goes_through_a_short_queue(tmp_path: Path) -> None:
    many(tmp_path, count=50, queue=20)


@SOAK
def test_a_plan_of_3500_tiles_takes_hardly_more_memory_than_one_of_350(tmp_path: Path) -> None:
    few, lots = (many(tmp_path / str(count), count=count, queue=queue) for count, queue in ((350, 250), (3500, 2500)))
    assert lots < few + 100 * 1024
    assert lots < 500 * 1024
