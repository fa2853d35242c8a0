"""Dask clusters: find, start and stop the local one; connect to any."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import EngineError, OutputError, TransientError
from infra.local_cluster import ClusterPlan, ClusterRecord, is_busy, locked, read_record, record_path
from infra.processes import start_time
from infra.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 20.0  # of a local cluster, until it is taken for dead
START_SECONDS = 90.0
STOP_SECONDS = 15.0
LOG_BYTES = 10 * 2**20  # then the log of earlier clusters is moved aside
INHERITED = ("AWS_", "SARBATCH_FAULT", "EARTHDATA_")  # variables that change what a worker can do


def connect(address: str, *, timeout: float = CONNECT_SECONDS) -> Client:
    """Client of a scheduler; not made the default one. Close it after use.

    Raises
    ------
    TransientError
        If it does not answer within `timeout` seconds.
    EngineError
        If the address is none.
    """
    from infra.greeting import GreetedClient

    with _errors(address):
        _greet(address, timeout=timeout)
        return GreetedClient(address, timeout=timeout, set_as_default=False)


def ask_scheduler(address: str, function: Callable[..., Any], *, timeout: float = CONNECT_SECONDS) -> Any:
    """What `function(dask_scheduler)` says when it runs on a scheduler, whose client this process does not become.

    To look is then cheap, and nothing that the scheduler tells its clients comes in between.

    Raises
    ------
    TransientError
        If it does not answer within `timeout` seconds.
    EngineError
        If the address is none.
    """
    from distributed.core import clean_exception, rpc
    from distributed.protocol.pickle import dumps

    async def ask() -> Any:
        async with rpc(address, timeout=timeout, connection_args=_connection_args()) as scheduler:
            return await scheduler.run_function(function=dumps(function), args=dumps(()), kwargs=dumps({}), wait=True)

    with _errors(address):
        answer = _in_thread(lambda: asyncio.wait_for(ask(), timeout))
    if answer["status"] == "error":
        _, error, trace = clean_exception(**answer)
        raise error.with_traceback(trace)
    return answer["result"]


@contextlib.contextmanager
def _errors(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a time-out is one
        raise TransientError(
            f"the Dask scheduler at {address} does not answer ({str(error) or 'timed out'})",
            "Check that it runs, and SARBATCH_SCHEDULER, then run again.",
        ) from error
    except ValueError as error:
        raise EngineError(f"{address!r} is not a Dask address: {error}", "Write it as tcp://host:8786.") from error


def _greet(address: str, *, timeout: float) -> None:
    """Exchange greetings with a scheduler: one that listens and says nothing (stopped, swapped out) hangs `Client` for ever."""
    from distributed.comm import connect as open_comm

    async def greet() -> None:
        comm = await asyncio.wait_for(open_comm(address, timeout=timeout, **_connection_args()), timeout)
        await comm.close()

    _in_thread(greet)


def _connection_args() -> dict[str, Any]:
    """Keys and certificates for schedulers that want them, from Dask's own configuration."""
    from distributed.security import Security

    arguments: dict[str, Any] = Security().get_connection_args("client")
    return arguments


def _in_thread(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Result of a coroutine, run in a thread of its own: a notebook's has an event loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(call())).result()


def ensure_local_cluster(settings: Settings) -> str:
    """Address of this state folder's local cluster, started if none runs; of concurrent callers one starts it.

    One that does not answer is killed and replaced. So is an idle one whose workers were born with other settings
    or keys than the caller has now; a busy one is left at its work, and used.

    Raises
    ------
    OutputError
        If the state folder cannot be written.
    EngineError
        If the cluster does not start; with the end of its log.
    """
    folder = settings.state_dir
    try:
        (folder / "dask").mkdir(parents=True, exist_ok=True)
        with locked(folder, wait=True):
            plan = _plan(settings)
            record = read_record(folder)
            if record and record.alive:
                busy = _busy(record.address)
                if busy or (busy is False and record.fingerprint == plan.fingerprint):
                    record_path(folder).touch()  # the cluster then knows that it is wanted
                    return record.address
                _end(record)
            return _start(plan)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror}", "Set SARBATCH_STATE_DIR to a folder of yours."
        ) from error


def find_local_cluster(settings: Settings) -> str | None:
    """Address of this state folder's local cluster if its process runs; it is not asked anything."""
    record = read_record(settings.state_dir)
    return record.address if record and record.alive else None


def stop_local_cluster(settings: Settings) -> None:
    """End this state folder's local cluster, whatever it does; nothing if none runs."""
    if settings.state_dir.is_dir():
        with locked(settings.state_dir, wait=True):
            record = read_record(settings.state_dir)
            if record and record.alive:
                _end(record)
            record_path(settings.state_dir).unlink(missing_ok=True)


def _plan(settings: Settings) -> ClusterPlan:
    plan = ClusterPlan(
        folder=str(settings.state_dir),
        workers=settings.workers,
        threads=settings.threads_per_worker,
        memory_limit=settings.memory_limit,
        idle_timeout=settings.idle_timeout,
        fingerprint="",
    )
    inherited = sorted((name, value) for name, value in os.environ.items() if name.startswith(INHERITED))
    born_with = json.dumps([asdict(plan), inherited, sys.executable])
    return ClusterPlan(**{**asdict(plan), "fingerprint": hashlib.sha256(born_with.encode()).hexdigest()})


def _busy(address: str) -> bool | None:
    """Whether the cluster works; None if it does not answer."""
    try:
        return bool(ask_scheduler(address, is_busy, timeout=ANSWER_SECONDS))
    except TransientError:
        return None


def _start(plan: ClusterPlan) -> str:
    folder = Path(plan.folder)
    log = folder / "cluster.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(folder / "cluster.log.1")
    record_path(folder).unlink(missing_ok=True)
    command = [sys.executable, "-m", "infra.local_cluster", json.dumps(asdict(plan))]
    said = subprocess.run(  # noqa: S603 -- this interpreter, this module
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
        cwd=folder,
    )
    if said.returncode:
        raise EngineError(f"the local cluster did not start: {said.stderr.strip()}", "Run `sarbatch doctor`.")
    pid = int(said.stdout)
    deadline = time.monotonic() + START_SECONDS
    while start_time(pid) is not None:
        record = read_record(folder)
        if record and record.pid == pid:
            return record.address
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            raise EngineError(f"the local cluster did not start within {START_SECONDS:g} s", f"Its log is {log}.")
        time.sleep(0.05)
    last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    raise EngineError(f"the local cluster did not start: {last}", f"Its log is {log}.")


def _end(record: ClusterRecord) -> None:
    """Ask the process to end, then kill it and its workers."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while record.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        # A session of its own: whoever of it is left, its workers too, goes now, and is gone when this returns
        deadline = time.monotonic() + STOP_SECONDS
        while _members(record.pid) and time.monotonic() < deadline:
            os.killpg(record.pid, signal.SIGKILL)
            time.sleep(0.01)


def _members(group: int) -> list[int]:
    """Processes of a group that live; one that only waits to be collected does not."""
    import psutil  # type: ignore[import-untyped] # publishes no types

    members = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == group and start_time(pid) is not None:
                members.append(pid)
    return members
