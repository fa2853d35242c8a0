"""Whoever is killed, whenever: the run is carried to its end, with the values of an undisturbed one, and no reader sees half."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kills
import pytest
import rasterio
from jobs import machine, run_job, wait_until

from infra.clusters import ask_scheduler, connect, ensure_local_cluster
from pipelines.registry import open_registry
from pipelines.registry.registry import Registry

pytestmark = pytest.mark.slow

STACK_POINTS = ("block:2", "committed:3", "last-write", "before-publication", "after-publication")
STATISTICS_POINTS = ("committed:2", "write:3", "last-write", "move:3", "before-publication", "after-publication")
QUICK_POINTS = {"block:2", "committed:3", "before-publication", "committed:2", "move:3"}  # in every run
QUICK = 1  # seeds in every run; what else there is, when soaking


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kills.Bench]:
    folder = tmp_path_factory.mktemp("kills")
    scenes = kills.make_scenes(folder / "simulated-scenes")
    with machine(folder / "state", **kills.SMALL) as settings:
        run = run_job(kills.kill_job(folder / "undisturbed", scenes), settings)
        values = kills.values_of(settings, run.id)
        assert len(values) == 1 + 12 + 2 + 1
        yield kills.Bench(settings, scenes, folder / "undisturbed/products", values)


@pytest.mark.parametrize("point", kills.some(STACK_POINTS, always=QUICK_POINTS))
def test_a_driver_of_a_stack_dies_at(bench: kills.Bench, tmp_path: Path, point: str) -> None:
    kills.dies_at(bench, tmp_path, point)


@pytest.mark.parametrize("point", kills.some(STATISTICS_POINTS, always=QUICK_POINTS - {"before-publication"}))
def test_a_driver_of_statistics_dies_at(bench: kills.Bench, tmp_path: Path, point: str) -> None:
    kills.with_stack_of(tmp_path, bench.undisturbed)
    kills.dies_at(bench, tmp_path, point)


def test_a_driver_may_die_five_times_if_it_gets_further_each_time(bench: kills.Bench, tmp_path: Path) -> None:
    job, output, mark = kills.kill_job(tmp_path, bench.scenes), tmp_path / "products", tmp_path / "died"
    impatient = bench.settings.model_copy(update={"max_attempts": 1})  # not one attempt without progress is allowed
    run = kills.record_job(job, bench.settings)
    with (
        bench.watcher(output).watching() as watcher,
        kills.armed(bench.settings, "block:2*5", mark),  # one commit, and before the next it dies
    ):
        kills.tick_until_end(impatient, run)
    assert sorted(path.name for path in tmp_path.glob("died*")) == ["died", "died.2", "died.3", "died.4", "died.5"]
    bench.check(run, watcher)
    assert kills.attempts_of(bench.settings, run)["stack"] == 2  # Dask gives a task up at its fourth death


@pytest.mark.parametrize("seed", range(QUICK))
def test_at_random(bench: kills.Bench, tmp_path: Path, seed: int) -> None:
    kills.at_random(bench, tmp_path, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(QUICK, 200 + QUICK))
def test_at_random_for_long(bench: kills.Bench, tmp_path: Path, seed: int) -> None:
    kills.at_random(bench, tmp_path, seed)


def test_the_client_dies_before_it_could_list_what_is_there(bench: kills.Bench, tmp_path: Path) -> None:
    kills.with_stack_of(tmp_path, bench.undisturbed)
    job, output = kills.kill_job(tmp_path, bench.scenes), tmp_path / "products"
    with bench.watcher(output).watching() as watcher:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Registry, "add_products", _die)
            with pytest.raises(ZeroDivisionError):
                kills.record_job(job, bench.settings)
        run = str(kills.newest_run(bench.settings, output))
        assert kills.record_job(job, bench.settings) == run
        kills.tick_until_end(bench.settings, run)
    bench.check(run, watcher)


def _die(*_arguments: object, **_named: object) -> int:
    raise ZeroDivisionError


def test_the_steward_dies_between_intent_and_act(bench: kills.Bench, tmp_path: Path) -> None:
    job, output, mark = kills.kill_job(tmp_path, bench.scenes), tmp_path / "products", tmp_path / "died"
    with bench.watcher(output).watching() as watcher:
        client = kills.start(job, "--detach", SARBATCH_FAULT="intent", SARBATCH_FAULT_FILE=str(mark))
        assert client.wait(timeout=60) == 0
        wait_until(mark.exists)
        run = str(kills.newest_run(bench.settings, output))
        began = time.monotonic()
        kills.tick_until_end(bench.settings, run)
    assert time.monotonic() - began < 50  # and does not wait for the lease of the dead
    bench.check(run, watcher)
    assert set(kills.attempts_of(bench.settings, run).values()) == {1}


def test_the_steward_dies_after_it_submitted(bench: kills.Bench, tmp_path: Path) -> None:
    job, output, mark = kills.kill_job(tmp_path, bench.scenes), tmp_path / "products", tmp_path / "died"
    with bench.watcher(output).watching() as watcher:
        client = kills.start(job, SARBATCH_FAULT="submit", SARBATCH_FAULT_FILE=str(mark))
        assert client.wait(timeout=90) == 0, (tmp_path / "client.log").read_text()
    assert mark.exists()
    run = str(kills.newest_run(bench.settings, output))
    bench.check(run, watcher)
    # the operation that the dead one had submitted was found, and no second one started
    assert set(kills.attempts_of(bench.settings, run).values()) == {1}
    owners = [json.loads(path.read_bytes())["owner"] for path in output.glob(".sarbatch/leases/*/*.json")]
    assert len(owners) == len(set(owners)) == 2


def test_the_scheduler_talks_while_it_greets(bench: kills.Bench, tmp_path: Path) -> None:
    def tell_news(dask_scheduler: Any) -> None:
        import asyncio

        from distributed import SchedulerPlugin

        class News(SchedulerPlugin):
            name, greeted = "news", 0

            def add_client(self, scheduler: Any, client: str) -> None:
                self.greeted += 1
                if self.greeted % 2:
                    news = {"op": "cancelled-keys", "keys": ["another's"]}
                    asyncio.get_running_loop().call_soon(scheduler.report, news)

        dask_scheduler.add_plugin(News())

    def be_silent(dask_scheduler: Any) -> int:
        greeted: int = dask_scheduler.plugins["news"].greeted
        dask_scheduler.remove_plugin("news")
        return greeted

    job, output = kills.kill_job(tmp_path, bench.scenes), tmp_path / "products"
    address = ensure_local_cluster(bench.settings)
    run = kills.record_job(job, bench.settings)
    ask_scheduler(address, tell_news)
    with bench.watcher(output).watching() as watcher:
        kills.tick_until_end(bench.settings, run)
    bench.check(run, watcher)
    assert ask_scheduler(address, be_silent) >= 2 * (2 + 2)  # a submission and a driver for each task, each twice
    assert set(kills.attempts_of(bench.settings, run).values()) == {1}


@pytest.mark.soak
def test_a_cluster_without_workers_makes_room_for_another(bench: kills.Bench, tmp_path: Path) -> None:
    job, output = kills.kill_job(tmp_path, bench.scenes), tmp_path / "products"
    before = kills.cluster(bench.settings)
    address = ensure_local_cluster(bench.settings)
    with connect(address) as client:
        client.retire_workers(list(client.scheduler_info()["workers"]))  # their nannies go with them
    run = kills.record_job(job, bench.settings)
    with bench.watcher(output).watching() as watcher:
        kills.tick_until_end(bench.settings, run)
    bench.check(run, watcher)
    assert kills.cluster(bench.settings) != before


@pytest.mark.soak
def test_a_worker_that_dies_again_and_again_keeps_its_place(bench: kills.Bench) -> None:
    ensure_local_cluster(bench.settings)
    wait_until(lambda: len(kills.workers(bench.settings)) == 2)
    until = time.monotonic() + 20  # Dask looks 15 s after a death whether the worker is there
    while time.monotonic() < until:
        kills.kill(*kills.workers(bench.settings)[:1])
        time.sleep(0.2)
    wait_until(lambda: len(kills.workers(bench.settings)) == 2)


def test_the_reader_would_see_half_a_product(bench: kills.Bench, tmp_path: Path) -> None:
    output = tmp_path / "products"
    shutil.copytree(bench.undisturbed, output)
    watcher = bench.watcher(output)
    with open_registry(bench.settings) as registry:
        watcher.look(registry)
        assert len(watcher.seen) == 2
        raster = next(output.glob("stack-statistics/*/VV_mean.tif"))
        whole = raster.read_bytes()
        for half in (whole[: len(whole) // 2], None):
            raster.unlink()
            if half is not None:
                raster.write_bytes(half)
            with pytest.raises(rasterio.errors.RasterioIOError):
                watcher.look(registry)
            raster.write_bytes(whole)
        item = next(output.glob("stack-statistics/*/item.json"))
        item.write_text(item.read_text() + "\n")
        with pytest.raises(AssertionError, match="published again"):
            watcher.look(registry)
