"""Killing on purpose, and looking: who runs where, what readers see meanwhile, and whether the values are the same."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import rasterio
from jobs import opera, plan_job, statistics, wait_until, write_job

from dask_jobs.simulate import simulate_rtc
from infra.clusters import connect, find_local_cluster
from infra.local_cluster import read_record
from infra.processes import start_time
from infra.settings import Settings
from infra.storage import Location
from pipelines import open_product
from pipelines.keys import short
from pipelines.kinds import all_kinds
from pipelines.products import ITEM, href, products_of
from pipelines.registry import open_registry
from pipelines.registry.registry import Registry
from pipelines.registry.rows import ProductRow
from pipelines.run import record, tick

DATES = 7
SMALL = {"SARBATCH_BLOCK_BYTES": "70000"}  # one date of 128 x 128 pixels: a commit for each
SARBATCH = shlex.join([sys.executable, "-c", "from pipelines.cli import main; main()"])
STACK, STATISTICS = "backscatter-stack", "stack-statistics"

Values = dict[tuple[str, ...], Any]
"""What a product holds, as arrays or a table, by task kind, name, role, media type and labels."""


def make_scenes(folder: Path) -> Path:
    """Scenes so small that a run takes seconds, and in so many chunks that there is something to kill."""
    simulate_rtc(folder, dates=DATES, size=128, bursts=1)
    return folder


def kill_job(folder: Path, scenes: Path, **more: Any) -> Path:
    """Job of a stack and its statistics, with products of every role."""
    stack = opera(scenes, polarizations=["VV"], chunk=64)
    return write_job(folder, {"stack": stack, "statistics": statistics(**more)})


def with_stack_of(folder: Path, done: Path) -> None:
    """Put the finished stack of another output into this one, so that a run begins with the statistics."""
    shutil.copytree(done / STACK, folder / "products" / STACK)


# -- values -----------------------------------------------------------------------------------------------------------


def values_of(settings: Settings, run: str) -> Values:
    """Everything that `sarbatch products` lists of a run."""
    with open_registry(settings) as registry:
        rows = registry.products(run)
    return {_label(row.kind, row): _read_row(row, run, settings) for row in rows}


def _read_row(row: ProductRow, run: str, settings: Settings) -> Any:
    if row.role == "store":
        return _arrays(open_product(run, task=row.task, name=row.name, settings=settings))
    return _read_file(row.href, row.media_type)


def values_of_item(item: Mapping[str, Any], home: Location, kind: str) -> Values:
    """Everything that a published item names."""
    key = item["properties"]["sarbatch:key"]
    found: Values = {}
    for product in products_of(item):
        where = href(home, product)
        if product.role == "store":
            binding = import_module(all_kinds()[kind].backends["dask"])
            stack = binding.open_store(Location(where), media_type=product.media_type, key=key, group=product.group)
            found[_label(kind, product)] = _arrays(stack)
        else:
            found[_label(kind, product)] = _read_file(where, product.media_type)
    return found


def assert_equal(values: Values, expected: Values) -> None:
    """The same products with the same values, bit for bit."""
    assert sorted(values) == sorted(expected)
    for label, value in expected.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(values[label], value, check_exact=True)
            continue
        assert sorted(values[label]) == sorted(value)
        for name, array in value.items():
            np.testing.assert_array_equal(values[label][name], array, err_msg=f"{label} {name}")


def _label(kind: str, product: Any) -> tuple[str, ...]:
    names = ("name", "role", "media_type", "polarization", "date", "period", "orbit", "zone")
    return (kind, *(str(getattr(product, name)) for name in names))


def _arrays(stack: Any) -> dict[str, np.ndarray]:
    loaded = stack.compute(scheduler="synchronous")
    return {str(name): loaded[name].values for name in [*loaded.data_vars, *loaded.coords] if name != "spatial_ref"}


def _read_file(path: str, media_type: str) -> Any:
    if media_type == "text/csv":
        return pd.read_csv(path)
    if "parquet" in media_type:
        return pd.read_parquet(path)
    if "geotiff" not in media_type:
        return {"bytes": np.frombuffer(Path(path).read_bytes(), dtype=np.uint8)}
    with rasterio.open(path) as file:
        pixels = file.read(1)
        overviews = file.overviews(1)
        return {"pixels": pixels, "bounds": np.array(file.bounds), "overviews": np.array(overviews, dtype=int)}


# -- readers ----------------------------------------------------------------------------------------------------------


@dataclass
class Watcher:
    """A reader that never rests: opens all that is published or listed, again and again, while others are killed.

    Attributes
    ----------
    expected : what each product must hold from the first moment that it is seen
    looks : how often it has looked
    seen : published item to its bytes, which never change
    """

    output: Path
    settings: Settings
    expected: Values
    looks: int = 0
    seen: dict[Path, bytes] = field(default_factory=dict)
    failure: BaseException | None = None

    def look(self, registry: Registry) -> None:
        """Look once at the output and at the registry."""
        listed = [row for row in registry.products() if row.href.startswith(f"{self.output}/")]
        items = {path: path.read_bytes() for path in self.output.glob(f"*/*/{ITEM}")}
        for path, data in self.seen.items():
            assert items.get(path) == data, f"{path} was published again, or withdrawn"
        for path, data in items.items():
            self.seen.setdefault(path, data)
            kind = path.parts[-3]
            wanted = {label: value for label, value in self.expected.items() if label[0] == kind}
            home = Location(str(path.parent))
            assert_equal(values_of_item(json.loads(data), home, kind), wanted)
        published = {short(json.loads(data)["properties"]["sarbatch:key"]) for data in items.values()}
        for row in listed:
            assert short(row.key) in published, f"{row.href} is listed, but its item is not there"
        self.looks += 1

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Look from a thread until the block ends, which fails if a look did."""
        stop = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stop,))
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
        if self.failure is not None:
            raise self.failure
        assert self.looks > 0

    def _watch(self, stop: threading.Event) -> None:
        try:
            with open_registry(self.settings) as registry:
                began = time.monotonic()
                self.look(registry)
                while not stop.wait(0.1 + 2 * (time.monotonic() - began)):  # a third of a core at most
                    began = time.monotonic()
                    self.look(registry)
                self.look(registry)
        except BaseException as error:  # noqa: BLE001 -- told to the test in its own thread
            self.failure = error


# -- who runs where -----------------------------------------------------------------------------------------------------


def workers(settings: Settings) -> list[int]:
    """Process ids of the local cluster's workers; none where no cluster runs."""
    record = read_record(settings.state_dir)
    if record is None or not record.alive:
        return []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(record.pid).children(recursive=True)
        return [child.pid for child in children if "spawn_main" in _command(child.pid)]
    return []


def driver(output: Path) -> int | None:
    """Process id of the worker whose driver took a lease last; None where it has let go."""
    taken = sorted(output.glob(".sarbatch/leases/*/*.json"), key=lambda path: path.stat().st_mtime)
    if not taken or taken[-1].with_suffix(".released").exists():
        return None
    return int(json.loads(taken[-1].read_bytes())["pid"])


def steward(settings: Settings, run: str) -> int | None:
    """Process id of a run's steward."""
    try:
        pid = (settings.state_dir / "stewards" / run).read_text().partition(" ")[0]
    except FileNotFoundError:
        return None
    return int(pid) if pid.isdecimal() and f"pipelines.steward {run}" in _command(int(pid)) else None


def cluster(settings: Settings) -> int | None:
    """Process id of scheduler and nannies."""
    record = read_record(settings.state_dir)
    return record.pid if record and record.alive else None


def kill(*pids: int | None) -> int:
    """SIGKILL at once to all that live; how many."""
    count = 0
    for pid in pids:
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                count += 1
    return count


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


# -- runs ---------------------------------------------------------------------------------------------------------------


def start(job: Path, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """`sarbatch run JOB` in a session of its own, not waited for."""
    with (job.parent / "client.log").open("ab") as log:
        return subprocess.Popen(
            [*shlex.split(SARBATCH), "run", str(job), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **environment},
        )


def newest_run(settings: Settings, output: Path) -> str | None:
    """Run of an output, None before it is recorded."""
    with open_registry(settings) as registry:
        row = registry.newest_run(output=str(output))
        return row.id if row else None


def state_of(settings: Settings, run: str) -> str:
    """State of a run as the registry has it."""
    with open_registry(settings) as registry:
        return registry.find_run(run).state


def attempts_of(settings: Settings, run: str) -> dict[str, int]:
    """Number of attempts at each task."""
    with open_registry(settings) as registry:
        rows = registry.operations(run=run)
    return {row.task: max(other.attempt for other in rows if other.task == row.task) for row in rows}


def record_job(job: Path, settings: Settings) -> str:
    """Run of a job, recorded and not begun: nobody but `tick_until_end` works on it."""
    with open_registry(settings) as registry:
        return record(plan_job(job, settings), registry).id


def tick_until_end(settings: Settings, run: str, *, seconds: float = 90.0) -> str:
    """What cron does: a step now and then, until the run has ended; its state."""
    with open_registry(settings) as registry:

        def ended() -> bool:
            tick(registry, settings, runs=[registry.find_run(run)])
            time.sleep(0.1)
            return registry.find_run(run).state != "running"

        wait_until(ended, seconds=seconds)
        return registry.find_run(run).state


@contextmanager
def armed(settings: Settings, point: str, mark: Path) -> Iterator[None]:
    """Workers, and those that replace them, die at a point (`infra.faults`) while the block runs; `mark` says that one did."""
    _set_on_workers(settings, {"SARBATCH_FAULT": point, "SARBATCH_FAULT_FILE": str(mark)})
    try:
        yield
    finally:
        _set_on_workers(settings, {"SARBATCH_FAULT": "", "SARBATCH_FAULT_FILE": ""})


def _set_on_workers(settings: Settings, variables: Mapping[str, str]) -> None:
    address = find_local_cluster(settings)
    if address is not None:
        code = f"import os; os.environ.update({dict(variables)!r})"
        with connect(address) as client:
            client.run(exec, code)
            client.run(exec, code, nanny=True)  # workers are born with the environment of their nannies


def pids_of(settings: Settings, run: str | None, client: subprocess.Popen[bytes] | None) -> list[int | None]:
    """Everybody."""
    mine = client.pid if client is not None else None
    return [mine, steward(settings, run) if run else None, cluster(settings), *workers(settings)]


def pause_driver(output: Path) -> int:
    """Stop the worker that makes the stack in the midst of its work; its process id."""
    wait_until(lambda: driver(output))
    pid = driver(output)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert start_time(pid) is not None
    time.sleep(0.1)
    assert not list(output.glob("*/*/item.json"))
    return pid


# -- whoever dies -------------------------------------------------------------------------------------------------------

VICTIMS = ("driver", "workers", "client", "everything", "steward", "cluster", "worker")


@dataclass(frozen=True)
class Bench:
    """A machine, scenes, and what an undisturbed run makes of them.

    Attributes
    ----------
    undisturbed : its output
    job : makes the job file in a folder, of these scenes
    kinds : of its tasks
    span : seconds after its start in which a run is struck: about as long as it takes
    """

    settings: Settings
    scenes: Path
    undisturbed: Path
    values: Values
    job: Callable[[Path, Path], Path] = kill_job
    kinds: tuple[str, ...] = (STACK, STATISTICS)
    span: float = 7.0

    def watcher(self, output: Path) -> Watcher:
        return Watcher(output=output, settings=self.settings, expected=self.values)

    def check(self, run: str, watcher: Watcher) -> None:
        """The run has ended well, and all that it made is what the undisturbed one made."""
        assert state_of(self.settings, run) == "done"
        assert_equal(values_of(self.settings, run), self.values)
        assert sorted(path.parts[-3] for path in watcher.seen) == list(self.kinds)


def some(points: Iterable[str], *, always: Container[str]) -> list[Any]:
    """Points to die at, for `parametrize`: some in every run, the others when soaking."""
    return [pytest.param(point, marks=() if point in always else pytest.mark.soak) for point in points]


def dies_at(bench: Bench, folder: Path, point: str) -> None:
    job, output = bench.job(folder, bench.scenes), folder / "products"
    run = record_job(job, bench.settings)
    with bench.watcher(output).watching() as watcher, armed(bench.settings, point, folder / "died"):
        tick_until_end(bench.settings, run)
    assert (folder / "died").exists()
    bench.check(run, watcher)
    # Dask starts a driver again whose worker died: that costs no attempt
    assert set(attempts_of(bench.settings, run).values()) == {1}


def at_random(bench: Bench, folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    victims = [VICTIMS[seed % len(VICTIMS)], *chance.choices(VICTIMS, k=chance.randrange(2))]
    job, output = bench.job(folder, bench.scenes), folder / "products"
    with bench.watcher(output).watching() as watcher:
        client, began = start(job), time.monotonic()
        for victim, moment in zip(victims, sorted(chance.uniform(1, bench.span) for _ in victims), strict=True):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            strike(victim, bench.settings, output, client)
        if client.wait(timeout=120) == -signal.SIGKILL:
            run = newest_run(bench.settings, output)
            if run is not None and seed % 2:
                tick_until_end(bench.settings, run)
            else:
                client = start(job)  # `run` again goes on with the same run
                client.wait(timeout=120)
        assert client.returncode in {0, -signal.SIGKILL}, (folder / "client.log").read_text()
    bench.check(str(newest_run(bench.settings, output)), watcher)


def strike(victim: str, settings: Settings, output: Path, client: subprocess.Popen[bytes]) -> int:
    """Kill somebody; how many processes it hit."""
    run = newest_run(settings, output)
    everybody = {
        "driver": lambda: [driver(output)],
        "worker": lambda: workers(settings)[:1],
        "workers": lambda: workers(settings),
        "client": lambda: [client.pid],
        "steward": lambda: [steward(settings, run) if run else None],
        "cluster": lambda: [cluster(settings)],
        "everything": lambda: pids_of(settings, run, client),
    }
    return kill(*everybody[victim]())
