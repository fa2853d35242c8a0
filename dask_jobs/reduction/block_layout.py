"""How a stack is cut into blocks that one worker holds with all their dates: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.grid import Window

PIXEL_BYTES = 4  # float32
BLOCK_BYTES = 96 * 2**20  # of one block with all its dates and all that is made of them, per worker thread
SPARE_PLANES = 8  # of a block beside dates and results: indices, sums in double precision, histogram keys


@dataclass(frozen=True, kw_only=True)
class BlockLayout:
    """Blocks of a stack.

    Attributes
    ----------
    windows : of the blocks, rows first; they cover every pixel once
    tile : (height, width) of the chunks of what is made of the blocks: no two blocks share one
    """

    windows: tuple[Window, ...]
    tile: tuple[int, int]


def lay_out(
    shape: Sequence[int],
    *,
    chunk: int,
    results: int,
    block_bytes: int = BLOCK_BYTES,
    step_bytes: int = PIXEL_BYTES,
    spare_bytes: int = 0,
) -> BlockLayout:
    """Blocks of whole chunks side by side where several fit, else of rows of one chunk.

    Parameters
    ----------
    shape : (time, y, x) of the stack
    chunk : pixels of a chunk of the stack along y and x
    results : rasters that are made: where dates are few, these are most of the memory
    block_bytes : what a block may take; one row of one chunk may take more
    step_bytes : in memory, of a pixel on each of its dates
    spare_bytes : in memory, of a pixel beside dates, results and `SPARE_PLANES`

    Notes
    -----
    Rows of a chunk mean that the chunk is read once for every block that needs some of its rows.
    """
    steps, height, width = shape
    across, down = -(-width // chunk), -(-height // chunk)
    row_bytes = (steps * step_bytes + (results + SPARE_PLANES) * PIXEL_BYTES + spare_bytes) * chunk
    fitting = block_bytes // (row_bytes * chunk)
    rows = chunk
    while rows > 1 and rows * row_bytes > block_bytes:
        rows = (rows + 1) // 2
    wide = min(across, max(1, fitting))
    tall = min(down, max(1, fitting // across)) if wide == across else 1
    windows = tuple(
        Window(row, col, min(tall * rows, height - row), min(wide * chunk, width - col))
        for row in range(0, height, tall * rows)
        for col in range(0, width, wide * chunk)
    )
    return BlockLayout(windows=windows, tile=(min(rows, height), min(chunk, width)))
