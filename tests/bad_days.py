"""Runs of tiles on bad days: their steps in threads or a process of their own, somebody who meddles, and what must hold in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tile_exports import (
    LocalEngine,
    Publisher,
    TileBackend,
    add_tile_run,
    engine_settings,
    expected,
    file_name,
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


@dataclass
class Day:
    """One run and what befalls it.

    Attributes
    ----------
    order : of the run's only task
    steppers : processes that take its steps, here each a thread with a registry, a backend and a step of its own
    meddles : how likely it is that somebody cancels an export at a look at the tasks; 0: nobody looks, and what hangs hangs
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


STEPS = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from bad_days import Day
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
