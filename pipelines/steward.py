"""The steward: a process of its own that takes a run's steps until it has ended, whoever closes a laptop meanwhile.

One process takes steps at a time: it holds a lease in the registry. When it dies, `run` or `tick` takes over: at once on
its own machine, where its process is seen to be gone, and elsewhere when the lease has run out.
"""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import TransientError
from infra.processes import is_alive, machine, start_time

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.registry import Registry

MOST_FAILURES = 8  # steps in a row that fail, until the steward does; it waits twice as long after each
LEASE = 60.0  # seconds: longer than the longest step (starting a cluster)

logger = logging.getLogger("sarbatch.steward")


@contextmanager
def held(registry: Registry, run: str) -> Iterator[bool]:
    """Whether this process alone may take steps of a run now."""
    owner = _new_owner()
    mine = _take(registry, run, owner)
    try:
        yield mine
    finally:
        if mine:
            registry.release(_lease(run), owner)


def _take(registry: Registry, run: str, owner: str) -> bool:
    """Take or renew the lease of a run; that of a process of this machine that is gone is passed over at once."""
    if registry.lease(_lease(run), owner, LEASE):
        return True
    holder = registry.lease_owner(_lease(run))
    if holder is not None and not _is_gone(holder):
        return False
    if holder is not None:
        registry.release(_lease(run), holder)
    return registry.lease(_lease(run), owner, LEASE)


def _new_owner() -> str:
    """Who this is: machine, process and its start, so that others can see whether it lives; a new one each time."""
    return f"{machine()} {os.getpid()} {start_time(os.getpid())} {secrets.token_hex(4)}"


def _is_gone(owner: str) -> bool:
    """Whether the owner is a process of this machine that has ended."""
    where, pid, started, _ = owner.rsplit(" ", 3)
    return where == machine() and not is_alive(int(pid), started)


def ensure_steward(registry: Registry, run: str, settings: Settings) -> None:
    """Start a steward for a run unless one lives.

    Its process id stands in a file of the state folder, with the time it was started: a file whose process is gone is
    as good as none, so a killed steward is replaced at once on its own machine.
    """
    mark = settings.state_dir / "stewards" / run
    with _locked(mark.parent):
        pid, _, started = mark.read_text().partition(" ") if mark.exists() else ("", "", "")
        if pid and is_alive(int(pid), started):
            return
        if registry.find_run(run).state != "running":
            return
        with mark.with_suffix(".log").open("ab") as log:
            said = subprocess.run(  # noqa: S603 -- our own module, no shell
                [sys.executable, "-m", "pipelines.steward", run],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                check=True,
            )
        pid = said.stdout.strip()
        mark.write_text(f"{pid} {start_time(int(pid))}")


def serve(run: str, settings: Settings) -> None:
    """Take steps of a run until it has ended."""
    from pipelines.registry import open_registry
    from pipelines.step import stepper

    owner = _new_owner()
    with open_registry(settings) as registry:
        steps = stepper(registry, registry.find_run(run), settings)
        failures = 0
        while True:
            # Nobody may be there to start another steward: a step that fails is taken again
            try:
                if _take(registry, run, owner):
                    ended = registry.find_run(run).state != "running" or steps.step()
                    if ended and _resigned(registry, run, settings):
                        break
                failures = 0
            except TransientError as error:
                logger.warning("step of run %s put off: %s", run, error)
            except Exception:
                failures += 1
                if failures == MOST_FAILURES:
                    raise
                logger.exception("step of run %s failed", run)
            time.sleep(settings.poll_interval * 2**failures)
        registry.release(_lease(run), owner)


def _resigned(registry: Registry, run: str, settings: Settings) -> bool:
    """Whether this steward may go: not if the run was opened again meanwhile, by one who saw that a steward lives."""
    mark = settings.state_dir / "stewards" / run
    with _locked(mark.parent):
        if registry.find_run(run).state == "running":
            return False
        mark.unlink(missing_ok=True)
        return True


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


def main() -> None:
    """Leave the caller's session and family, say the process id, and serve."""
    from infra.settings import load_settings

    if pid := os.fork():
        # The caller waits for this process only, and never has a zombie to collect
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    os.dup2(2, 1)  # the caller waits for the end of this pipe
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    serve(sys.argv[1], load_settings())


if __name__ == "__main__":
    main()
