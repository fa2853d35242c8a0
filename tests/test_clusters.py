"""The local cluster: one per state folder, whatever is killed, and no process stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra import clusters
from infra.clusters import ask_scheduler, connect, ensure_local_cluster, find_local_cluster, stop_local_cluster
from infra.errors import EngineError, OutputError, TransientError
from infra.local_cluster import read_record, record_path
from infra.processes import start_time
from infra.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]


def settings_of(folder: Path, **changed: str) -> Settings:
    environment = {"STATE_DIR": str(folder / "state"), "WORKERS": "1", "IDLE_TIMEOUT": "60", **changed}
    return load_settings(environment={f"SARBATCH_{k}": v for k, v in environment.items()}, folder=folder)


def family(settings: Settings) -> list[int]:
    """Process ids of a cluster: itself, its workers, their helpers."""
    record = read_record(settings.state_dir)
    assert record is not None
    me = psutil.Process(record.pid)
    return [record.pid, *(child.pid for child in me.children(recursive=True))]


def gone(pids: list[int], *, within: float = 20.0) -> bool:
    deadline = time.monotonic() + within
    while any(start_time(pid) is not None for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return all(start_time(pid) is None for pid in pids)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    value = settings_of(tmp_path)
    yield value
    stop_local_cluster(value)


@pytest.mark.slow
def test_concurrent_callers_start_one_that_outlives_them(settings: Settings) -> None:
    code = f"""
from pathlib import Path
from infra.clusters import ensure_local_cluster
from infra.settings import Settings
print(ensure_local_cluster(Settings.model_validate_json({settings.model_dump_json()!r})), flush=True)
input()"""
    callers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         cwd=ROOT, start_new_session=True)
        for _ in range(3)
    ]  # fmt: skip
    addresses = {caller.stdout.readline().strip() for caller in callers if caller.stdout}
    for caller in callers:
        os.killpg(caller.pid, signal.SIGKILL)  # a closed terminal ends its whole session
        caller.communicate()
    assert addresses == {find_local_cluster(settings)}
    assert (settings.state_dir / "cluster.log").read_text().count("Scheduler at:") == 1
    assert len([p for p in family(settings) if "spawn_main" in " ".join(psutil.Process(p).cmdline())]) == 1
    with connect(addresses.pop()) as client:
        assert client.submit(sum, [1, 2]).result(timeout=20) == 3
    pids = family(settings)
    stop_local_cluster(settings)
    assert gone(pids, within=0)
    assert find_local_cluster(settings) is None
    assert not record_path(settings.state_dir).exists()


@pytest.mark.slow
def test_it_ends_when_idle_not_when_at_work(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, IDLE_TIMEOUT="1.5")
    with connect(ensure_local_cluster(settings)) as client:
        pids = family(settings)
        future = client.submit(time.sleep, 4)  # longer than it may be idle
        future.result(timeout=20)
        assert find_local_cluster(settings)
        before = time.monotonic()
        while find_local_cluster(settings) and time.monotonic() - before < 20:
            time.sleep(0.05)
        assert time.monotonic() - before > 1.2
    assert gone(pids)
    assert not record_path(settings.state_dir).exists()


@pytest.mark.slow
def test_a_killed_one_leaves_no_worker_and_is_replaced(settings: Settings) -> None:
    address = ensure_local_cluster(settings)
    pids = family(settings)
    assert len(pids) >= 2
    with connect(address) as client:
        busy = client.submit(time.sleep, 600)
        time.sleep(0.5)
        os.kill(pids[0], signal.SIGKILL)
        assert gone(pids)  # though a worker was at work
        busy.release()
    assert find_local_cluster(settings) is None
    again = ensure_local_cluster(settings)
    assert again != address
    assert family(settings)[0] != pids[0]


@pytest.mark.slow
def test_a_greeting_may_come_together_with_news(settings: Settings) -> None:
    address = ensure_local_cluster(settings)

    def tell_news(dask_scheduler: Any) -> None:
        import asyncio

        from distributed import SchedulerPlugin

        class News(SchedulerPlugin):
            name, greeted = "news", 0

            def add_client(self, scheduler: Any, client: str) -> None:
                self.greeted += 1
                if self.greeted <= 3:  # before the greeting is on its way
                    news = {"op": "cancelled-keys", "keys": ["another's"]}
                    asyncio.get_running_loop().call_soon(scheduler.report, news)

        dask_scheduler.add_plugin(News())

    ask_scheduler(address, tell_news)
    with connect(address) as client:
        assert client.submit(sum, [1, 2]).result(timeout=20) == 3
    assert ask_scheduler(address, lambda dask_scheduler: dask_scheduler.plugins["news"].greeted) == 4


@pytest.mark.slow
def test_what_fails_on_the_scheduler_is_told(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError):
        ask_scheduler(ensure_local_cluster(settings), lambda dask_scheduler: 1 / 0)


@pytest.mark.slow
def test_one_without_workers_ends(settings: Settings) -> None:
    with connect(ensure_local_cluster(settings)) as client:
        pids = family(settings)
        client.retire_workers(list(client.scheduler_info()["workers"]))  # their nannies go with them
        client.submit(sum, [1, 2])  # which would wait for ever, and keep the cluster from being idle
        assert gone(pids)
    assert find_local_cluster(settings) is None


@pytest.mark.slow
def test_one_that_does_not_answer_is_killed_and_replaced(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", 1.5)
    monkeypatch.setattr(clusters, "STOP_SECONDS", 0.5)
    address = ensure_local_cluster(settings)
    pids = family(settings)
    os.kill(pids[0], signal.SIGSTOP)
    assert ensure_local_cluster(settings) != address
    assert gone(pids)


@pytest.mark.slow
def test_workers_have_the_callers_keys_once_they_are_free(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    address = ensure_local_cluster(settings)
    assert ensure_local_cluster(settings) == address
    with connect(address) as client:
        assert client.submit(os.environ.get, "AWS_ACCESS_KEY_ID").result(timeout=20) == "first"
        folders = client.run(_folder)
        assert folders
        assert all(Path(p).is_relative_to(settings.state_dir) for p in folders.values())
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
        work = client.submit(time.sleep, 3)
        time.sleep(0.5)
        assert ensure_local_cluster(settings) == address  # at work: left alone
        work.result(timeout=20)
    with connect(ensure_local_cluster(settings)) as client:
        assert client.submit(os.environ.get, "AWS_ACCESS_KEY_ID").result(timeout=20) == "second"


def _folder(dask_worker: object) -> str:
    return str(getattr(dask_worker, "local_directory"))  # noqa: B009 -- distributed has no types


def test_a_record_of_a_dead_process_or_of_another_machine_is_none(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert find_local_cluster(settings) is None
    stop_local_cluster(settings)
    settings.state_dir.mkdir()
    for text in ("", "{", '{"address": "tcp://127.0.0.1:1"}'):
        record_path(settings.state_dir).write_text(text)
        assert find_local_cluster(settings) is None
    record = {"address": "tcp://127.0.0.1:1", "pid": os.getpid(), "process_started": start_time(os.getpid()),
              "machine": "another", "started": "", "fingerprint": ""}  # fmt: skip
    record_path(settings.state_dir).write_text(json.dumps(record))
    assert read_record(settings.state_dir) is not None
    assert find_local_cluster(settings) is None
    stop_local_cluster(settings)  # must not kill this process


def test_what_cannot_be_connected_to_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TransientError, match=address):
            connect(address, timeout=1.0)
        with pytest.raises(TransientError, match=address):
            ask_scheduler(address, str, timeout=1.0)
    with pytest.raises(EngineError, match="nonsense"):
        connect("nonsense://x", timeout=1.0)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(OutputError, match=r"state cannot be written: (File exists|Not a directory)"):
        ensure_local_cluster(settings_of(tmp_path))


@pytest.mark.slow
def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"(?s)did not start: .*a.?lot.*cluster\.log"):
        ensure_local_cluster(settings_of(tmp_path).model_copy(update={"memory_limit": "a lot"}))
