"""Dates that arrive one by one: appended where they can be, a new store where they cannot, and nothing old is lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kills
import numpy as np
import pytest
import rasterio
import xarray as xr
from jobs import SCENES, machine, opera, plan_job, run_job, sarbatch_json, statistics, wait_until, write_job
from oracles import assert_series, assert_statistics, opera_cube

from dask_jobs.simulate import simulate_scene_stack
from infra.settings import Settings
from infra.storage import Location
from pipelines import Plan, Run, open_product, run_plan
from pipelines.clean import removable, remove
from pipelines.plan import TaskPlan
from pipelines.registry import open_registry
from pipelines.run import await_end, cancel

BURST = (SCENES / "opera-rtc-s1/T137-292320-IW1").resolve()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BURST.is_dir(), reason="the real OPERA scenes are not at ../shared/data"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


def arrive(folder: Path, *dates: int) -> None:
    """Copy dates (numbers, the first is 0) of the burst to where the job looks."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(BURST.glob("*_V[VH].tif"))
    for date in dates:
        for file in files[2 * date : 2 * date + 2]:
            shutil.copy(file, folder)


def of(plan: Plan, task: str = "stack") -> TaskPlan:
    return next(row for row in plan.tasks if row.task == task)


def stores(run: Run) -> list[str]:
    """Icechunk stores in the output."""
    return sorted(path.name for path in Path(run.output, "backscatter-stack").glob("*.icechunk"))


def stack(run: Run, settings: Settings, task: str = "stack") -> xr.Dataset:
    return open_product(run, task=task, name="stack", settings=settings).load(scheduler="synchronous")


def raster(run: Run, name: str, polarization: str, settings: Settings) -> np.ndarray:
    with open_registry(settings) as registry:
        (href,) = [
            row.href for row in registry.products(run.id) if (row.name, row.polarization) == (name, polarization)
        ]
    with rasterio.open(href) as file:
        return file.read(1)


def check_run(run: Run, scenes: Path, settings: Settings) -> None:
    """Stack, statistics and time series are those of all scenes that lie there now."""
    cube = opera_cube(scenes)
    data = stack(run, settings)
    assert [str(t)[:19] for t in data["time"].values] == [f"{t:%Y-%m-%dT%H:%M:%S}" for t in cube.times]
    series = open_product(run, task="statistics", name="time_series", settings=settings)
    for name, power in cube.power.items():
        np.testing.assert_array_equal(data[name], power)
        assert_statistics(lambda raster_, name=name: raster(run, raster_, name, settings), cube, name)
        assert_series(series[series["polarization"] == name], cube.series(name, "area"))


def test_dates_one_by_one_equal_one_run_over_all(settings: Settings, tmp_path: Path) -> None:
    """Three dates, then one, then two: one store; every old key readable until `clean`, the newest after it."""
    scenes = tmp_path / "scenes"
    job = write_job(tmp_path, {"stack": opera("scenes"), "statistics": statistics()})
    runs: list[Run] = []
    counts: list[int] = []
    for dates in ((0, 1, 2), (3,), (4, 5)):
        arrive(scenes, *dates)
        plan = plan_job(job, settings)
        assert [task.state for task in plan.tasks] == (["stale"] * 2 if runs else ["new"] * 2)
        # the cost is that of the new dates alone
        assert of(plan).estimate.pixels == len(dates) * 2 * 100 * 100
        assert of(plan).estimate.bytes_written <= 1.2 * 4 * of(plan).estimate.pixels
        if runs:
            total = sum(counts) + len(dates)
            (why,) = of(plan).why_stale
            assert why.startswith(f"appends {len(dates)} of {total} dates: 2021-12-")
            assert of(plan, "statistics").why_stale == ("its stack has changed",)
        counts.append(len(dates))
        runs.append(run_job(job, settings))
        check_run(runs[-1], scenes, settings)
    again = run_job(job, settings)
    (status,) = sarbatch_json("status", again.id)["runs"]
    assert [task["state"] for task in status["tasks"]] == ["done", "done"]
    assert all(op["engine_state"] == "published" for task in status["tasks"] for op in task["operations"])
    assert all(op["started"] is None for task in status["tasks"] for op in task["operations"])
    assert [of(plan_job(job, settings), name).state for name in ("stack", "statistics")] == ["done", "done"]
    assert len(stores(runs[0])) == 1
    whole = write_job(
        tmp_path,
        {"stack": opera("scenes"), "statistics": statistics()},
        file="whole.yaml",
        name="whole",
        output="./whole",
    )
    once = run_job(whole, settings)
    for polarization in ("VV", "VH"):
        for name in ("mean", "std", "p05", "max_date", "count"):
            first, second = (raster(run, name, polarization, settings) for run in (once, runs[-1]))
            np.testing.assert_array_equal(first, second)
    everything = stack(runs[-1], settings)
    for run, size in zip(runs, (3, 4, 6), strict=True):
        old = stack(run, settings)
        xr.testing.assert_identical(old.drop_attrs(), everything.isel(time=slice(size)).drop_attrs())

    output = Location.parse(runs[0].output)
    rows = removable(output)
    keys = {row.path.rpartition("/")[2] for row in rows}
    with open_registry(settings) as registry:
        old_keys = {row.key[:16] for run in runs[:-1] for row in registry.tasks(run.id)}
    assert keys == old_keys
    assert len(keys) == 4
    shown = sarbatch_json("clean", str(job), "--dry-run")
    assert {row["path"] for row in shown["removable"]} == {output.href(row.path) for row in rows}
    assert sum(row["bytes"] for row in shown["removable"]) == sum(row.size for row in rows) > 0
    assert removable(output) == rows
    assert len(sarbatch_json("clean", str(job))["removed"]) == 4
    assert removable(output) == []
    assert not any(Path(run.output, row.path).exists() for row in rows)
    check_run(runs[-1], scenes, settings)
    assert [task.state for task in plan_job(job, settings).tasks] == ["done", "done"]
    # and it goes on from there
    arrive(scenes, 6)
    assert of(plan_job(job, settings)).why_stale == ("appends 1 of 7 dates: 2022-11-02",)
    check_run(run_job(job, settings), scenes, settings)
    assert len(stores(runs[0])) == 1


def test_what_cannot_be_appended_makes_a_new_store_of_the_line(settings: Settings, tmp_path: Path) -> None:
    """A superseded scene, an older one, a vanished one; then an append, and `clean` of the abandoned stores."""
    scenes = tmp_path / "scenes"
    job = write_job(tmp_path, {"stack": opera("scenes")})
    arrive(scenes, 1, 2, 3)
    first = run_job(job, settings)
    runs = [first]

    def expect(why: str, dates: int) -> None:
        plan = of(plan_job(job, settings))
        assert plan.state == "stale"
        assert len(plan.why_stale) == 1
        assert plan.why_stale[0].startswith(f"makes a new store, generation {len(runs) + 1}, of all dates: {why}")
        assert plan.estimate.pixels == dates * 2 * 100 * 100
        runs.append(run_job(job, settings))
        assert len(stores(first)) == len(runs)
        cube = opera_cube(scenes)
        data = stack(runs[-1], settings)
        assert data.sizes["time"] == dates == len(cube.times)
        np.testing.assert_array_equal(data["VV"], cube.power["VV"])

    before = stack(first, settings)
    newer = supersede(scenes, date=2)
    expect(f"scene T137-292320-IW1_20211201T015859Z superseded by release {newer}", 3)
    arrive(scenes, 0)
    expect("scene T137-292320-IW1_20211119T015859Z is older than the last in the stack (2021-12-07)", 4)
    for file in scenes.glob("*_20211125T015817Z_*"):
        file.unlink()
    expect("scene T137-292320-IW1_20211125T015817Z vanished", 3)
    assert stack(runs[-1], settings)["VV"].isel(time=1).mean() > 4 * before["VV"].isel(time=1).mean()
    xr.testing.assert_identical(before, stack(first, settings))

    arrive(scenes, 4)  # only the newest store can go on, and the reasons why the others cannot are no news
    assert of(plan_job(job, settings)).why_stale == ("appends 1 of 4 dates: 2021-12-13",)
    runs.append(run_job(job, settings))
    assert len(stores(first)) == 4

    output = Location.parse(first.output)
    young = removable(output)
    assert {row.why.partition(" ")[0] for row in young} == {"superseded"}
    assert len(young) == 4
    remove(output, young)
    assert removable(output) == []  # the stores have been touched within a day
    old = removable(output, now=datetime.now(UTC) + timedelta(hours=25))
    assert sorted(row.path for row in old if row.path.endswith(".icechunk")) == [
        f"backscatter-stack/{name}" for name in stores(first)[:3]
    ]
    remove(output, old)
    assert len(stores(first)) == 1
    np.testing.assert_array_equal(stack(runs[-1], settings)["VH"], opera_cube(scenes).power["VH"])
    assert of(plan_job(job, settings)).state == "done"
    arrive(scenes, 5)  # the fourth generation goes on, although those before it are gone
    assert len(of(plan_job(job, settings)).why_stale) == 1
    assert of(plan_job(job, settings)).why_stale[0].startswith("appends 1 of 5 dates")


def supersede(scenes: Path, *, date: int) -> str:
    """Replace one date by a newer release with five times the power; the release's name."""
    for file in sorted(scenes.glob("*_20211201T015859Z_*")):
        newer = file.with_name(file.name.replace("_20250830T", "_20260101T"))
        assert newer != file
        shutil.copy(file, newer)
        with rasterio.open(newer, "r+") as dataset:
            dataset.write(dataset.read(1) * 5, 1)
        file.unlink()
    assert date == 2
    return "v1.0_" + newer.name.split("_")[5]


def test_the_newer_of_two_releases_is_used_and_the_older_named(settings: Settings, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    arrive(scenes, 1, 2)
    supersede(scenes, date=2)
    arrive(scenes, 2)
    plan = of(plan_job(write_job(tmp_path, {"stack": opera("scenes")}), settings))
    assert len(plan.used) == 2
    assert {row["path"].rpartition("_")[2] for row in plan.dropped} == {"VV.tif", "VH.tif"}
    assert all("superseded by v1.0_20260101T" in row["reason"] for row in plan.dropped)
    assert not any("_20260101T" in row["path"] for row in plan.dropped)


def read_bytes() -> int:
    """Bytes that this process has asked the kernel for."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes by Linux's /proc")
def test_an_append_writes_and_a_date_reads_what_a_scene_holds(settings: Settings, tmp_path: Path) -> None:
    """Figures: bytes added to the output by one date of 1024 x 1024 pixels, bytes read for one date, for one pixel."""
    simulate_scene_stack(tmp_path / "made", dates=5, height=1024, width=1024, compress=True)
    files = sorted((tmp_path / "made").glob("*.tif"))
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for file in files[:4]:
        shutil.copy(file, scenes)
    job = write_job(tmp_path, {"stack": opera("scenes", chunk=256)})
    first = run_job(job, settings)
    output = Location.parse(first.output)
    before = {entry.name: entry.size for entry in output.list()}
    shutil.copy(files[4], scenes)
    run = run_job(job, settings)
    added = {entry.name: entry.size for entry in output.list() if entry.name not in before}
    rewritten = sum(e.size for e in output.list() if e.name in before and e.size != before[e.name])
    in_store = sum(size for name, size in added.items() if ".icechunk/" in name)
    pixels, file_bytes = 4 * 1024 * 1024, files[4].stat().st_size
    beside = sum(added.values()) + rewritten - in_store
    print(f"\nadded {in_store / pixels:.3f} of the pixels' bytes, {in_store / file_bytes:.3f} of the deflated file's;")
    print(f"{beside} bytes beside the store")
    assert in_store <= 1.2 * pixels
    assert in_store <= 1.2 * file_bytes
    assert beside < 0.02 * pixels
    assert len(stores(run)) == 1

    data = open_product(run, task="stack", name="stack", settings=settings)["VV"]
    assert data.shape == (5, 1024, 1024)
    data[0].compute(scheduler="synchronous")  # imports and metadata are read once
    start = read_bytes()
    image = data[4].compute(scheduler="synchronous").values
    one_date = read_bytes() - start
    chunks = [e.size for e in output.list() if ".icechunk/chunks/" in e.name]
    assert len(chunks) == 5 * 16 + 2  # and the two coordinates
    chunks = sorted(chunks)[2:]
    print(f"one date read {one_date / (sum(chunks) / 5):.3f} of its own bytes", end="; ")
    assert one_date <= 1.2 * sum(chunks) / 5
    with rasterio.open(files[4]) as file:
        np.testing.assert_array_equal(image, file.read(1))
    start = read_bytes()
    history = data[:, 700, 300].compute(scheduler="synchronous")
    one_pixel = read_bytes() - start
    print(f"a history of 5 dates {one_pixel / (sum(chunks) / len(chunks)):.2f} chunks")
    assert history.shape == (5,)
    assert one_pixel <= 5 * max(chunks) + 2**16
    assert one_pixel < 0.1 * sum(chunks)


def test_a_changed_job_cancels_its_unfinished_run(settings: Settings, tmp_path: Path) -> None:
    tasks: dict[str, Any] = {"stack": opera(BURST), "statistics": statistics()}
    job = write_job(tmp_path, tasks)
    first = run_plan(plan_job(job, settings), settings=settings, detach=True)
    assert first.state == "running"
    same = run_plan(plan_job(job, settings), settings=settings, detach=True)
    assert same.id == first.id
    tasks["statistics"] = statistics(percentiles=[5, 50, 90, 95])
    second = run_job(write_job(tmp_path, tasks), settings)
    assert second.id != first.id
    with open_registry(settings) as registry:
        await_end(registry, first.id, settings=settings)
        old = registry.find_run(first.id)
        assert old.state == "cancelled"
        assert {row.name for row in registry.products(second.id)} >= {"stack", "p90", "time_series"}
        assert "p90" not in {row.name for row in registry.products(first.id)}
    np.testing.assert_array_equal(stack(second, settings)["VV"], opera_cube(BURST).power["VV"])


def test_a_run_is_done_although_another_cancels_the_driver_that_they_share(settings: Settings, tmp_path: Path) -> None:
    tasks = {"stack": opera(BURST.parent, polarizations=["VV"])}
    jobs = [write_job(tmp_path, tasks, file=f"{name}.yaml", name=name) for name in ("fickle", "patient")]
    fickle, patient = (run_plan(plan_job(job, settings), settings=settings, detach=True) for job in jobs)
    output = tmp_path / "products"
    with open_registry(settings) as registry:
        paused = kills.pause_driver(output)  # so that it is not quicker than the word that it should stop
        wait_until(lambda: all(registry.operations(run=run.id)[-1].handle for run in (fickle, patient)))
        cancel(registry, fickle.id)
        wait_until(lambda: list(output.glob(".sarbatch/*/cancel-0001")))
        os.kill(paused, signal.SIGCONT)
        for run in (fickle, patient):
            await_end(registry, run.id, settings=settings)
        assert registry.find_run(fickle.id).state == "cancelled"
        assert registry.find_run(patient.id).state == "done"
        attempts = registry.operations(run=patient.id)
        assert [row.attempt for row in attempts] == [1, 2]
        assert "another run cancelled" in (attempts[0].error or {})["message"]
    assert stack(patient, settings).sizes["time"] == 21


def test_jobs_and_tasks_of_one_output_share_what_is_the_same(settings: Settings, tmp_path: Path) -> None:
    """Two jobs at once, one of which has a task twice: one stack is made, by one attempt."""
    twice = {"one": opera(BURST), "two": opera(BURST), "of-one": statistics("one"), "of-two": statistics("two")}
    jobs = [
        write_job(tmp_path, twice, file="a.yaml", name="job-a"),
        write_job(tmp_path, {"stack": opera(BURST), "statistics": statistics()}, file="b.yaml", name="job-b"),
    ]
    begun = [run_plan(plan_job(job, settings), settings=settings, detach=True) for job in jobs]
    assert begun[0].id != begun[1].id
    with open_registry(settings) as registry:
        for run in begun:
            await_end(registry, run.id, settings=settings)
            assert registry.find_run(run.id).state == "done"
        operations = [row for run in begun for row in registry.operations(run=run.id)]
        assert len({row.request_id for row in operations}) == len({row.key for row in operations}) == 2
        a, b = (registry.products(run.id) for run in begun)
    assert {(p.href, p.name) for p in a} == {(p.href, p.name) for p in b}
    assert len(a) == 2 * len(b) == 56
    for key in Path(begun[0].output, ".sarbatch").glob("*/"):
        if (key / "order.json").exists():
            assert [p.name for p in key.glob("attempt-*")] == ["attempt-0001.json"]
    removable_now = removable(Location.parse(begun[0].output))
    assert removable_now == []


def test_two_sets_of_scenes_on_one_line_keep_both_through_clean(settings: Settings, tmp_path: Path) -> None:
    """The path is not part of a line: folders of one burst with other dates take stores of their own, in one run."""
    arrive(tmp_path / "early", 0, 1, 2)
    arrive(tmp_path / "late", 3, 4)
    job = write_job(tmp_path, {"early": opera("early"), "late": opera("late")})
    run = run_job(job, settings)
    assert len(stores(run)) == 2
    assert removable(Location.parse(run.output), now=datetime.now(UTC) + timedelta(days=30)) == []
    for task, dates in (("early", 3), ("late", 2)):
        np.testing.assert_array_equal(stack(run, settings, task)["VV"], opera_cube(tmp_path / task).power["VV"])
        assert stack(run, settings, task).sizes["time"] == dates
    assert [row.state for row in plan_job(job, settings).tasks] == ["done", "done"]


def test_an_export_asked_for_later_adds_a_key_and_no_pixels(settings: Settings, tmp_path: Path) -> None:
    """Same store, new key; then other chunks: the same key; then a date: appended in the store's own chunks."""
    scenes = tmp_path / "scenes"
    arrive(scenes, 0, 1)
    first = run_job(write_job(tmp_path, {"stack": opera("scenes", chunk=64)}), settings)
    chunks = sorted(Path(first.output).glob("backscatter-stack/*.icechunk/chunks/*"))
    job = write_job(tmp_path, {"stack": opera("scenes", chunk=64, export={"zarr": True})})
    plan = of(plan_job(job, settings))
    assert plan.state == "stale"
    assert plan.why_stale == ("the store holds every date already: only what is asked for beside it is made",)
    assert plan.estimate.pixels == 0
    assert 0 < plan.estimate.bytes_written <= 1.2 * 2 * 2 * 4 * 100 * 100
    second = run_job(job, settings)
    assert sorted(Path(first.output).glob("backscatter-stack/*.icechunk/chunks/*")) == chunks
    assert len(stores(first)) == 1
    plain = open_product(second, task="stack", name="stack_zarr", settings=settings)
    xr.testing.assert_equal(plain.load(scheduler="synchronous"), stack(second, settings))
    xr.testing.assert_identical(stack(first, settings), stack(second, settings))

    other = write_job(tmp_path, {"stack": opera("scenes", chunk=128, export={"zarr": True})})
    assert of(plan_job(other, settings)).state == "done"
    arrive(scenes, 2)
    third = run_job(other, settings)
    assert len(stores(first)) == 1
    data = open_product(third, task="stack", name="stack", settings=settings)
    assert data["VV"].chunks == ((1, 1, 1), (64, 36), (64, 36))
    np.testing.assert_array_equal(data["VV"].compute(scheduler="synchronous"), opera_cube(scenes).power["VV"])
