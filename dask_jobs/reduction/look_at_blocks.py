"""The blocks of a stack reduced in waves: what the first ones say of a date's middle value spares the later ones a second reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dask_jobs.reduction.reduce_block import expect_middles, reduce_block
from dask_jobs.reduction.task_runner import TaskRunner
from dask_jobs.reduction.work import Block

WAVES = 1 / 16, 1 / 4, 1.0  # shares of the blocks that are reduced when a wave ends
GOLDEN = 0.6180339887498949


def look_at_blocks(run: TaskRunner, blocks: Sequence[Sequence[Block]]) -> None:
    """Reduce every block that is not done yet; `blocks` of each polarization.

    What a block keeps near the expected middles depends on the blocks before it; what is made of it does not.
    """
    done = run.done("first-look")
    every = [block for row in blocks for block in row]
    todo = [block for block in every if block.first_look not in done]
    threads = sum(run.client.nthreads().values())
    left = len(todo)
    for wave in _waves(todo, least=threads):
        seen = {row[0].polarization: [block for block in row if block.first_look in done] for row in blocks}
        expected: dict[str, Any] = {name: run.submit(expect_middles, some) for name, some in seen.items() if some}
        left -= len(wave)
        near = [expected.get(block.polarization) for block in wave]
        run.each("block", reduce_block, wave, near, of=len(every), later=left)
        done |= {block.first_look for block in wave}


def _waves(todo: Sequence[Block], *, least: int) -> Iterator[list[Block]]:
    """Blocks in an order whose every beginning is spread over the area; no wave leaves one of `least` threads idle."""
    spread = sorted(todo, key=lambda block: (block.number * GOLDEN) % 1)
    first = 0
    for share in WAVES:
        last = max(round(share * len(spread)), first + least)
        if len(spread) - last < least:
            last = len(spread)
        if spread[first:last]:
            yield spread[first:last]
        first = last
