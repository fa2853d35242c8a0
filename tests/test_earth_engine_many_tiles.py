"""Plans of many tiles: the queue is never fuller than it may be, and memory does not grow with the tiles."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from bad_days import day, process
from tile_exports import local_engine

from gee.tiles import cut


def many(folder: Path, *, count: int, queue: int) -> int:
    """Memory that a process took at most, KiB, which exported so many tiles while the queue was full and stood still."""
    tiles = cut(64 * 50, 64 * (count // 50), part=0, size=64)
    assert len(tiles) == count
    with local_engine(folder / "engine", queued=queue + 500) as engine:
        one = day(engine, folder, name="many", tiles=tiles, queue=queue)
        engine.set_faults({"kind": "stuck", "count": 2})
        one.start()
        most = 0
        with process(one) as running:
            while running.poll() is None:
                states = engine.states()
                most = max(most, sum(states.get(name, 0) for name in ("PENDING", "RUNNING", "CANCELLING")))
                if most == queue and states.get("CANCELLED", 0) < 2:
                    one.meddle()  # it is as full as it may be: let somebody end what hangs
                time.sleep(0.2)
            assert running.stdout is not None
            state, memory = running.stdout.read().split()
        assert state == "done"
        assert most == queue
        assert Counter(record["state"] for record in one.records()) == {"SUCCEEDED": count, "CANCELLED": 2}
        return int(memory)


def test_a_plan_of_many_tiles_goes_through_a_short_queue(tmp_path: Path) -> None:
    many(tmp_path, count=50, queue=20)


@pytest.mark.soak
def test_a_plan_of_3500_tiles_takes_hardly_more_memory_than_one_of_350(tmp_path: Path) -> None:
    few, lots = (many(tmp_path / str(count), count=count, queue=queue) for count, queue in ((350, 250), (3500, 2500)))
    assert lots < few + 100 * 1024
    assert lots < 500 * 1024
