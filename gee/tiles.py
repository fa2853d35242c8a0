"""Tiles of one stable grid: how a raster is cut, how tiles are named, and how one that is too large is split.

Nothing here asks Earth Engine anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

STEP = 64  # pixels: edges that a split makes lie on multiples of it, counted from the grid's first pixel
NAME = re.compile(r"p(?P<part>\d{3,})-x(?P<x>\d{6,})-y(?P<y>\d{6,})-w(?P<width>[1-9]\d*)-h(?P<height>[1-9]\d*)")

Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, kw_only=True, order=True)
class Tile:
    """A window of pixels of a part's grid.

    Attributes
    ----------
    part : which raster of several on the same grid (a month, an orbit, a date), from 0
    y, x : first row and column, from 0
    width, height : pixels
    """

    part: int
    y: int
    x: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.part, self.x, self.y) < 0 or min(self.width, self.height) < 1:
            raise ValueError(f"{self.part, self.x, self.y, self.width, self.height} is no window of a grid")

    @property
    def name(self) -> str:
        """Name that says everything; `parse` reads it."""
        return f"p{self.part:03d}-x{self.x:06d}-y{self.y:06d}-w{self.width}-h{self.height}"

    @classmethod
    def parse(cls, name: str) -> Tile:
        """Tile of a name.

        Raises
        ------
        ValueError
            If it is no tile's name.
        """
        found = NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"'{name}' is no tile's name, such as p000-x000000-y004096-w4096-h1024")
        return cls(**{key: int(value) for key, value in found.groupdict().items()})

    def transform(self, grid: Transform) -> Transform:
        """Affine transform of the tile's pixels, given that of the grid's (xScale, xShear, xOrigin, yShear, yScale, yOrigin)."""
        a, b, c, d, e, f = grid
        return a, b, c + a * self.x + b * self.y, d, e, f + d * self.x + e * self.y

    def split(self) -> tuple[Tile, ...]:
        """Up to four tiles that together are this one: each side in two where it is longer than `STEP`.

        They are cut at the multiple of `STEP` that is nearest to the middle, counted on the grid and not in the tile, so
        that splits of splits meet on the same lines; () where no side can be cut.
        """
        across, down = _halves(self.x, self.width), _halves(self.y, self.height)
        if len(across) == len(down) == 1:
            return ()
        return tuple(replace(self, x=x, y=y, width=width, height=height) for y, height in down for x, width in across)


def cut(width: int, height: int, *, part: int, size: int) -> tuple[Tile, ...]:
    """Tiles of `size` pixels a side that cover a grid once, row after row; the last of each are what is left.

    Raises
    ------
    ValueError
        If `size` is no positive multiple of `STEP`.
    """
    if size < STEP or size % STEP:
        raise ValueError(f"the side of tiles is a multiple of {STEP} pixels, not {size}")
    return tuple(
        Tile(part=part, y=y, x=x, width=min(size, width - x), height=min(size, height - y))
        for y in range(0, height, size)
        for x in range(0, width, size)
    )


def _halves(start: int, length: int) -> list[tuple[int, int]]:
    """`(start, length)` of one side's pieces: two, cut on a multiple of STEP, or the whole."""
    first, last = start // STEP + 1, (start + length - 1) // STEP  # multiples strictly inside
    if length <= STEP or first > last:
        return [(start, length)]
    middle = min(range(first, last + 1), key=lambda one: abs(2 * (one * STEP - start) - length)) * STEP
    return [(start, middle - start), (middle, start + length - middle)]
