"""From the stack's pixels to those of the result: the same lattice, or power averaged by area to another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dask_jobs.reprojection import TILE, WindowResampling
from infra.grid import Grid, Window

SOURCE_PIXELS = 1 << 20  # that a tile of the result may be made of: it is made at once
LEAST_SIDE = 8  # pixels of a tile


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Where the pixels of a result come from; it depends on the two grids alone, never on how they are cut.

    Attributes
    ----------
    source : of the stack
    target : of the result
    """

    source: Grid
    target: Grid

    @property
    def same_lattice(self) -> bool:
        """Whether pixels keep their values."""
        return self.source.lattice_difference(self.target) is None

    @cached_property
    def source_share(self) -> float:
        """Pixels of the source below one of the target, about."""
        if self.same_lattice:
            return 1.0
        reach = self.source.reach(self.target)
        return max(1.0, reach.height * reach.width / self.target.pixels)

    @cached_property
    def side(self) -> int:
        """Pixels of the tiles of the target that are averaged at once, fewer where each is made of many."""
        side = TILE
        while side > LEAST_SIDE and side * side * self.source_share > SOURCE_PIXELS:
            side //= 2
        return side

    @cached_property
    def whole_tiles(self) -> Window:
        """Pixels of the target, beyond its edges where these cut tiles: what blocks are cut of."""
        if self.same_lattice:
            return self.target.full
        row = round(-self.target.top / self.target.dy) % self.side
        col = round(self.target.left / self.target.dx) % self.side
        height, width = (
            -(-(n + off) // self.side) * self.side for n, off in zip(self.target.shape, (row, col), strict=True)
        )
        return Window(-row, -col, height, width)

    @cached_property
    def canvas(self) -> Grid:
        """Grid of whole tiles."""
        return self.target.crop(self.whole_tiles)

    def of(self, window: Window) -> PlacedWindow:
        """How a window of the canvas is made."""
        resampling = None
        if self.same_lattice:
            around = self.source.window_of(self.canvas.crop(window)).intersect(self.source.full)
        else:
            resampling = WindowResampling(
                source=self.source, target=self.canvas, window=window, resampling="average", side=self.side
            )
            around = resampling.around
        return PlacedWindow(placing=self, window=window, around=around, resampling=resampling)


@dataclass(frozen=True, kw_only=True)
class PlacedWindow:
    """One window of the canvas.

    Attributes
    ----------
    around : pixels of the source that it is made of; empty where there are none
    """

    placing: Placing
    window: Window
    around: Window
    resampling: WindowResampling | None

    def place(self, powers: np.ndarray) -> np.ndarray:
        """Power in the window, dims (time, y, x), float64, NaN where there is none.

        Parameters
        ----------
        powers : dims (time, y, x) of `around`, linear power, NaN where there is no data
        """
        made = np.full((len(powers), self.window.height, self.window.width), np.nan)
        if self.resampling is not None:
            for own, power in zip(made, powers, strict=True):
                own[:] = self.resampling.of(power.astype(np.float64, copy=False))
            return made
        place = self.placing.source.window_of(self.placing.canvas.crop(self.window))
        row, col = self.around.row - place.row, self.around.col - place.col
        made[:, row : row + self.around.height, col : col + self.around.width] = powers
        return made
