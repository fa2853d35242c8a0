"""The local Dask cluster as a process of its own: `python -m infra.local_cluster PLAN`.

It outlives the terminal that started it, says in `<state>/cluster.json` where it is, and ends when it has had
nothing to do for a while, when told to (SIGTERM), or when its record is gone and nobody could find it any more.
Workers hang on a pipe to it and end when it does, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.processes import is_alive, machine, start_time

if TYPE_CHECKING:
    from distributed import LocalCluster

logger = logging.getLogger("sarbatch.cluster")

HOST = "127.0.0.1"  # Dask's protocol has no password: never listen further than this machine
BUSY_STATES = frozenset({"waiting", "no-worker", "queued", "processing"})
CLOSE_SECONDS = 10.0
DASK = {
    "distributed.scheduler.allowed-failures": 3,  # deaths of workers under one task until it is given up
    # Dask looks 15 s after a death whether the worker is there, and gives its place up for good if it happens to be
    # starting again after another one. Nannies restart workers; nobody need count them.
    "distributed.deploy.lost-worker-timeout": "1000 days",
    # Dask makes glibc give every freed buffer back at once. Pixels come in buffers of a megabyte, blocks of interferograms
    # in buffers of 50; to have each of them zeroed again by the kernel took more time than to decode them. What stays is at
    # most this much per worker.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 64 * 2**20,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 64 * 2**20,
    "distributed.worker.profile.enabled": False,  # a hundred looks a second at every stack, for a page that is not served
    "distributed.comm.timeouts.connect": "10s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """What the process is told.

    Attributes
    ----------
    folder : where record, lock and workers' temporary files lie
    workers, threads : processes, and threads of each
    memory_limit : of each worker, "auto" or a size
    idle_timeout : seconds
    fingerprint : of settings and environment that workers are born with
    """

    folder: str
    workers: int
    threads: int
    memory_limit: str
    idle_timeout: float
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class ClusterRecord:
    """What `cluster.json` says of a running cluster; `started` is UTC."""

    address: str
    pid: int
    process_started: str | None
    machine: str
    started: str
    fingerprint: str

    @property
    def alive(self) -> bool:
        """Whether that process still runs, on this machine."""
        here = self.machine == machine() and self.process_started is not None
        return here and is_alive(self.pid, str(self.process_started))


def record_path(folder: Path) -> Path:
    """Where a state folder's cluster says that it runs."""
    return folder / "cluster.json"


def read_record(folder: Path) -> ClusterRecord | None:
    """What the state folder says; None if there is no record, or one of another version."""
    try:
        return ClusterRecord(**json.loads(record_path(folder).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the state folder's cluster lock; False at once where another has it and `wait` is not wanted."""
    with (folder / "cluster.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_busy(dask_scheduler: Any) -> bool:
    """Whether a scheduler has a task that runs or waits; results that a client keeps are no work."""
    return any(task.state in BUSY_STATES for task in dask_scheduler.tasks.values())


async def serve(plan: ClusterPlan) -> None:
    """Run the cluster until it is idle, told to stop, or forgotten."""
    import dask
    from distributed import LocalCluster

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    folder = Path(plan.folder)
    with dask.config.set({**DASK, "temporary-directory": str(folder / "dask")}):
        cluster = await LocalCluster(
            n_workers=plan.workers,
            threads_per_worker=plan.threads,
            memory_limit=plan.memory_limit,
            processes=True,
            host=HOST,
            dashboard_address=f"{HOST}:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=False,
            asynchronous=True,
        )
        record = ClusterRecord(
            address=cluster.scheduler_address,
            pid=os.getpid(),
            process_started=start_time(os.getpid()),
            machine=machine(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            fingerprint=plan.fingerprint,
        )
        _write(record, folder)
        try:
            await _until_idle(cluster, plan=plan, record=record, stop=stop)
        finally:
            _forget(record, folder)
            await asyncio.wait_for(cluster.close(), CLOSE_SECONDS)


async def _until_idle(cluster: LocalCluster, *, plan: ClusterPlan, record: ClusterRecord, stop: asyncio.Event) -> None:
    folder = Path(plan.folder)
    last, before = time.monotonic(), None
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), min(1.0, plan.idle_timeout / 4))
        except TimeoutError:
            if not _has_workers(cluster):
                logger.warning("no worker is left: whoever has work starts another cluster")
                return
            known = read_record(folder) == record
            # Whoever asked for the cluster touches its record: work may come now
            now = (cluster.scheduler.transition_counter, record_path(folder).stat().st_mtime_ns if known else 0)
            if now != before or is_busy(cluster.scheduler):
                last, before = time.monotonic(), now
            elif (not known or time.monotonic() - last > plan.idle_timeout) and _forget(record, folder, seen=now[1]):
                return


def _has_workers(cluster: LocalCluster) -> bool:
    """Whether a nanny is left that keeps a worker alive; without one, tasks would wait for ever."""
    from distributed import Status

    return any(nanny.status not in {Status.closing, Status.closed, Status.failed} for nanny in cluster.workers.values())


def _forget(record: ClusterRecord, folder: Path, *, seen: int | None = None) -> bool:
    """Remove the record if it is ours, unless someone is asking for the cluster or has since it was `seen`."""
    if not folder.is_dir():
        return True
    with locked(folder, wait=False) as free:
        if seen is not None and not free:
            return False
        if read_record(folder) == record:
            if seen is not None and record_path(folder).stat().st_mtime_ns != seen:
                return False
            record_path(folder).unlink(missing_ok=True)
    return True


def _write(record: ClusterRecord, folder: Path) -> None:
    partial = folder / f".cluster.json.{secrets.token_hex(4)}"
    partial.write_text(json.dumps(asdict(record)), encoding="utf-8")
    partial.replace(record_path(folder))


def main() -> None:
    """Leave the caller's session and family, say the process id, and serve."""
    plan = ClusterPlan(**json.loads(sys.argv[1]))
    if pid := os.fork():
        # The caller waits for this process only, and never has a zombie to collect
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    log = os.open(Path(plan.folder) / "cluster.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    asyncio.run(serve(plan))


if __name__ == "__main__":
    main()
