"""Whoever dies or is stopped, a reader sees whole blocks, and the next driver goes on where the ledger ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stack_scenes import (
    Reader,
    check,
    folder,
    layout_of,
    local_client,
    series,
    two_steps,
)

from dask_jobs.stack.append import append_passes
from dask_jobs.stack.store import (
    collect_garbage,
    groups,
    open_stack,
    publish_tag,
    read_ledger,
)
from infra.errors import CancelledError, LeaseLostError

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_client() as made:
        yield made


def stop_at(count: int) -> Callable[[str, float], None]:
    """A checkpoint that the user's cancellation meets at its n-th call."""
    calls = iter(range(1, 10_000))

    def checkpoint(phase: str, fraction: float) -> None:
        assert phase in {"writing", "block", "committed"}
        assert 0 <= fraction <= 1
        if next(calls) == count:
            raise CancelledError(f"at {phase} {fraction}")

    return checkpoint


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_stopped_anywhere_then_resumed(client: Client, tmp_path: Path, count: int) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client, "block_bytes": two_steps(layout)}
    with pytest.raises(CancelledError):
        append_passes(store, layout, passes, checkpoint=stop_at(count), **write)
    ledger = read_ledger(store)
    held = len(ledger.steps) if ledger else 0
    assert held in {0, 2, 4}
    if held:
        check(store, passes[:held], layout.grid)  # whole blocks, nothing half
    else:
        assert groups(store) == ()
    append_passes(store, layout, passes, **write)
    check(store, passes, layout.grid)


def test_progress_rises_to_one_and_every_block_is_checked(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store, seen, held = folder(tmp_path), [], []

    def checkpoint(phase: str, fraction: float) -> None:
        seen.append((phase, fraction))
        ledger = read_ledger(store)  # any reader, at any time
        held.append((phase, len(ledger.steps) if ledger else 0))
        if ledger:
            assert open_stack(store).sizes["time"] == len(ledger.steps)

    append_passes(
        store,
        layout,
        passes,
        read=Reader(layout.grid),
        client=client,
        block_bytes=two_steps(layout),
        checkpoint=checkpoint,
    )
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)
    assert seen[-1] == ("committed", 1.0)
    assert [h for h in held if h[0] != "writing"] == [
        ("block", 0), ("committed", 2), ("block", 2), ("committed", 4), ("block", 4), ("committed", 5)
    ]  # fmt: skip


def test_a_killed_worker_costs_nothing(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    flag = tmp_path / "killed"
    store = folder(tmp_path)
    append_passes(store, layout, passes, read=Reader(layout.grid, kill=flag), client=client)
    assert flag.exists()
    check(store, passes, layout.grid)


def test_another_committer_stops_this_one(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}

    def intrude(phase: str, fraction: float) -> None:
        if phase == "block":
            append_passes(store, layout, passes[:1], **write)

    with pytest.raises(LeaseLostError):
        append_passes(store, layout, passes, checkpoint=intrude, **write)
    check(store, passes[:1], layout.grid)


DRIVER = """
import os, signal, sys
from distributed import Client, LocalCluster
from infra.storage import Location
from dask_jobs.stack.append import append_passes
from stack_scenes import Reader, layout_of, series, two_steps

def checkpoint(phase, fraction):
    if phase == sys.argv[2] and fraction > 0.5:
        os.killpg(0, signal.SIGKILL)

if __name__ == "__main__":
    layout = layout_of(series())
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        append_passes(Location.parse(sys.argv[1]), layout, series(), read=Reader(layout.grid), client=client,
                      block_bytes=two_steps(layout), checkpoint=checkpoint)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "held"), [("writing", 2), ("block", 2), ("committed", 4)])
def test_driver_and_workers_killed_at_once(client: Client, tmp_path: Path, phase: str, held: int) -> None:
    import subprocess
    import sys

    store = folder(tmp_path)
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    died = subprocess.run(
        [sys.executable, str(script), store.url, phase],
        env=environment, start_new_session=True, check=False, capture_output=True, timeout=120,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    passes = series()
    layout = layout_of(passes)
    check(store, passes[:held], layout.grid)
    append_passes(store, layout, passes, read=Reader(layout.grid), client=client)
    check(store, passes, layout.grid)


def test_garbage_goes_and_the_stack_stays(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, passes[:2], **write)
    publish_tag(store, "k")
    kept = len(store.list("chunks"))
    with pytest.raises(CancelledError):
        append_passes(store, layout, passes, checkpoint=stop_at(2), **write)
    assert len(store.list("chunks")) > kept
    assert collect_garbage(store, datetime.now(UTC) - timedelta(hours=1)) == 0  # it may be under way
    assert collect_garbage(store, datetime.now(UTC) + timedelta(seconds=1)) > 0
    assert len(store.list("chunks")) == kept
    check(store, passes[:2], layout.grid, tag="k")
    append_passes(store, layout, passes, **write)
    check(store, passes, layout.grid)
