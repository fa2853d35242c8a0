"""Which objects of a stack its scenes touch, cut into pieces that one task reads and writes: all pure.

An object holds a square of one time step: a chunk, or a shard of chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from infra.grid import Window

if TYPE_CHECKING:
    from dask_jobs.scenes import Pass, Scene
    from infra.grid import Grid

PIXEL_BYTES = 4  # float32
PIECE_BYTES = 32 * 2**20  # pixels that a worker holds at once; a reader needs a few times that beside it
BATCH_BYTES = 16 * 2**20  # pixels per task at least: thousands of tiny objects must not become thousands of tasks
BATCH_PIECES = 64


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A window of whole objects of one time step and polarization (cut at the grid's edges)."""

    step: int
    polarization: str
    window: Window

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return self.window.height * self.window.width * PIXEL_BYTES


def pieces_of(
    pass_: Pass, *, step: int, grid: Grid, polarizations: Sequence[str], side: int, resampled: bool = False
) -> list[Piece]:
    """Pieces that cover every object that a scene of `pass_` touches, and no other; in reading order.

    Parameters
    ----------
    side : pixels along y and x of an object
    resampled : whether scenes may be of other lattices

    Raises
    ------
    LatticeError
        If a scene is on another lattice and may not be.
    """
    place = grid.reach if resampled else grid.window_of
    windows = [(scene, place(scene.grid).intersect(grid.full)) for scene in pass_.scenes]
    found = [
        Piece(step=step, polarization=name, window=window)
        for name in polarizations
        for window in _windows(_touched(windows, name, side=side), grid=grid, side=side)
    ]
    # polarizations of one window follow one another: they share the mask's file
    return sorted(found, key=lambda piece: (piece.window, piece.polarization))


def batches_of(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces gathered into tasks, in order."""
    batches: list[list[Piece]] = []
    size = BATCH_BYTES
    for piece in pieces:
        if size + piece.size > BATCH_BYTES or len(batches[-1]) >= BATCH_PIECES:
            batches.append([])
            size = 0
        batches[-1].append(piece)
        size += piece.size
    return batches


def blocks_of(sizes: Sequence[int], *, block_bytes: int) -> list[range]:
    """Consecutive time steps that are committed together: as many as fit `block_bytes`, at least one."""
    blocks: list[range] = []
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > block_bytes:
            blocks.append(range(start, index))
            start, total = index, 0
        total += size
    return [*blocks, range(start, len(sizes))] if sizes else []


def _touched(windows: Sequence[tuple[Scene, Window]], polarization: str, *, side: int) -> set[tuple[int, int]]:
    """(row, column) of every object that holds a pixel of a scene with that polarization."""
    found: set[tuple[int, int]] = set()
    for scene, window in windows:
        if polarization in scene.rasters and window.height > 0 and window.width > 0:
            rows = range(window.row // side, (window.row + window.height - 1) // side + 1)
            cols = range(window.col // side, (window.col + window.width - 1) // side + 1)
            found.update((row, col) for row in rows for col in cols)
    return found


def _windows(objects: set[tuple[int, int]], *, grid: Grid, side: int) -> Iterator[Window]:
    """Few rectangles that cover the objects exactly: runs along rows, joined downwards where they are alike."""
    limit = max(1, PIECE_BYTES // (side * side * PIXEL_BYTES))
    runs = sorted((start, stop, row) for row, start, stop in _runs(objects, limit))
    for (start, stop), group in groupby(runs, key=lambda run: run[:2]):
        tallest = max(1, limit // (stop - start))
        rows = [row for _, _, row in group]
        top = 0
        for index in range(1, len(rows) + 1):
            if index == len(rows) or rows[index] != rows[index - 1] + 1 or index - top == tallest:
                window = Window(rows[top] * side, start * side, (index - top) * side, (stop - start) * side)
                yield window.intersect(grid.full)
                top = index


def _runs(objects: set[tuple[int, int]], limit: int) -> Iterator[tuple[int, int, int]]:
    """`(row, first column, last column + 1)` of neighbouring objects, at most `limit` long."""
    for row, group in groupby(sorted(objects), key=lambda one: one[0]):
        cols = [col for _, col in group]
        first = 0
        for index in range(1, len(cols) + 1):
            if index == len(cols) or cols[index] != cols[index - 1] + 1 or index - first == limit:
                yield row, cols[first], cols[index - 1] + 1
                first = index
