"""The steward: a process of its own that takes a run's steps until it has ended, whoever closes a laptop meanwhile.

One at a time: it holds a lease in the registry. When it dies, the lease runs out and `run` or `tick` takes over.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.registry import Registry

LEASE = 60.0  # seconds: longer than the longest step (starting a cluster)

logger = logging.getLogger("sarbatch.steward")


@contextmanager
def held(registry: Registry, run: str) -> Iterator[bool]:
    """Whether this process alone may take steps of a run now."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    mine = registry.lease(_lease(run), owner, LEASE)
    try:
        yield mine
    finally:
        if mine:
            registry.release(_lease(run), owner)


def ensure_steward(registry: Registry, run: str, settings: Settings) -> None:
    """Start a steward for a run unless one lives.

    Its process id stands in a file of the state folder, with the time it was started: a file whose process is gone is
    as good as none, so a killed steward is replaced at once on its own machine.
    """
    from infra.processes import is_alive, start_time

    mark = settings.state_dir / "stewards" / run
    with _locked(settings.state_dir / "stewards"):
        pid, _, started = mark.read_text().partition(" ") if mark.exists() else ("", "", "")
        if pid and is_alive(int(pid), started):
            return
        if registry.find_run(run).state != "running":
            return
        if pid:
            # The dead one's lease would hold the new one up for a minute; it was this machine's, and it is gone.
            owner = settings.state_dir / "stewards" / f"{run}.owner"
            if owner.exists():
                registry.release(_lease(run), owner.read_text())
        log = (settings.state_dir / "stewards" / f"{run}.log").open("ab")
        with log:
            process = subprocess.Popen(  # noqa: S603 -- our own module, no shell
                [sys.executable, "-m", "pipelines.steward", run],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        mark.write_text(f"{process.pid} {start_time(process.pid)}")


def serve(run: str, settings: Settings) -> None:
    """Take steps of a run until it has ended."""
    from pipelines.run import open_registry, stepper

    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    folder = settings.state_dir / "stewards"
    with open_registry(settings) as registry:
        steps = stepper(registry, registry.find_run(run), settings)
        while True:
            if registry.lease(_lease(run), owner, LEASE):
                (folder / f"{run}.owner").write_text(owner)
                if registry.find_run(run).state != "running" or steps.step():
                    break
            time.sleep(settings.poll_interval)
        registry.release(_lease(run), owner)
    for name in (run, f"{run}.owner"):
        (folder / name).unlink(missing_ok=True)


def _lease(run: str) -> str:
    return f"run:{run}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process of this machine at a time."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    from infra.settings import load_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    serve(sys.argv[1], load_settings())
