"""A large grid in blocks: computed in threads, handed over in order, with a few in memory at a time."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from gee.local.pixels import Band, Grid, Pixels, rendering
from gee.local.work.metering import helping
from gee.local.work.threads import cores, evaluators

SIDE = 256  # pixels: what filters compute on the way then fits into CACHE_BYTES, several passes at once
CACHE_BYTES = 192 * 2**20  # of each thread's block: see `gee.local.pixels.rendering`


class RenderingCancelled(Exception):  # noqa: N818 -- not an error: somebody asked for it
    """Rendering has ended because `cancelled()` said so."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Part of a grid.

    Attributes
    ----------
    row, col : of its first pixel in the whole
    pixels : of each band
    """

    row: int
    col: int
    grid: Grid
    pixels: tuple[Pixels, ...]


@dataclass(frozen=True, kw_only=True)
class Work:
    """How blocks are computed.

    Attributes
    ----------
    side : of a block, pixels
    threads : as many as there are cores where None
    progress : is told the share that is done, 0 to 1, after each block
    cancelled : is asked before each block
    """

    side: int = SIDE
    threads: int | None = None
    progress: Callable[[float], None] = field(default=lambda _share: None)
    cancelled: Callable[[], bool] = field(default=lambda: False)


def block_grids(grid: Grid, side: int) -> list[tuple[int, int, Grid]]:
    """(row, column, grid) of the blocks that a grid is cut into, from the top left, row by row."""
    found = []
    for row in range(0, grid.height, side):
        for col in range(0, grid.width, side):
            right, bottom = min(col + side, grid.width), min(row + side, grid.height)
            found.append((row, col, grid.pad(-col, -row, right - grid.width, bottom - grid.height)))
    return found


def blocks(bands: Sequence[Band], grid: Grid, work: Work | None = None) -> Generator[Block, None, None]:
    """Blocks of bands on a grid, in order; close the iterator where it is not read to its end.

    Memory: the blocks in work, one for each thread, and as many that wait to be taken.

    Raises
    ------
    RenderingCancelled
        If the work was cancelled.
    EarthEngineError
        Whatever a band's pixels raise.
    """
    work = work or Work()
    cut = block_grids(grid, work.side)
    threads = min(work.threads or cores(), len(cut))
    with _runner(threads) as run:
        waiting: deque[Callable[[], Block]] = deque()
        rest = iter(cut)
        for done in range(len(cut)):
            if work.cancelled():
                raise RenderingCancelled
            for row, col, part in islice(rest, 2 * threads - len(waiting)):
                waiting.append(run(tuple(bands), row, col, part))
            yield waiting.popleft()()
            work.progress((done + 1) / len(cut))


Run = Callable[[tuple[Band, ...], int, int, Grid], Callable[[], Block]]


@contextmanager
def _runner(threads: int) -> Iterator[Run]:
    """How a block is begun and waited for: at once where there is one thread, which is then the caller's own."""
    if threads <= 1:
        yield lambda bands, row, col, grid: lambda: _compute(bands, row, col, grid)
        return
    pool = evaluators(threads)

    def run(bands: tuple[Band, ...], row: int, col: int, grid: Grid) -> Callable[[], Block]:
        # what ends a request from outside lives in the caller's context
        context = contextvars.copy_context()
        future: Future[Block] = pool.submit(context.run, _compute, bands, row, col, grid)
        return future.result

    try:
        yield run
    finally:
        _end(pool)


def _end(pool: ThreadPoolExecutor) -> None:
    pool.shutdown(wait=True, cancel_futures=True)


def _compute(bands: tuple[Band, ...], row: int, col: int, grid: Grid) -> Block:
    with helping(), rendering(limit=CACHE_BYTES):
        return Block(row=row, col=col, grid=grid, pixels=tuple(band.pixels(grid) for band in bands))
