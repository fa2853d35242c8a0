"""Arrays of the work in progress, an object for each block: written whole by one task, read by others in part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from infra.grid import Window
from infra.storage import Location


class ArraySpec(NamedTuple):
    """What an array holds: `depth` layers of dims (y, x) (dates, for one), and no data where a block was not written."""

    dtype: str
    depth: int
    nodata: float


@dataclass(frozen=True, kw_only=True)
class BlockArrays:
    """Arrays of dims (layer, y, x) of one shape, cut into blocks.

    Attributes
    ----------
    place : where the objects lie
    windows : of the blocks: a regular lattice that covers every pixel once
    arrays : what each holds, by its name

    Notes
    -----
    An object is the block's values as they are (row-major, little-endian): to read one date of a block is to read
    a range of it, which is what writing one raster for each date does.
    """

    place: Location
    windows: tuple[Window, ...]
    arrays: Mapping[str, ArraySpec]

    def put(self, name: str, window: Window, values: np.ndarray) -> None:
        """Write a block, dims (layer, y, x), or (y, x) where there is one layer."""
        spec = self.arrays[name]
        expected = (spec.depth, window.height, window.width)
        if values.size != np.prod(expected):
            raise ValueError(f"{name}: {values.shape} instead of {expected}")
        self.place.write(_object(name, window), np.ascontiguousarray(values, dtype=_little(spec.dtype)).tobytes())

    def get(self, name: str, window: Window) -> np.ndarray:
        """A whole block, dims (layer, y, x)."""
        spec = self.arrays[name]
        data = self.place.read(_object(name, window))
        return np.frombuffer(data, dtype=_little(spec.dtype)).reshape(spec.depth, window.height, window.width).copy()

    def plane(self, name: str, window: Window) -> np.ndarray:
        """A whole block of an array of one layer, dims (y, x)."""
        values: np.ndarray = self.get(name, window)[0]
        return values

    def read(self, name: str, window: Window, *, layer: int = 0) -> np.ndarray:
        """One layer of any window, dims (y, x)."""
        spec = self.arrays[name]
        found = np.full((window.height, window.width), spec.nodata, dtype=spec.dtype)
        for block, part in self._meeting(window):
            rows = slice(part.row - block.row, part.row - block.row + part.height)
            cols = slice(part.col - block.col, part.col - block.col + part.width)
            values = self._layer(name, block, layer, first_row=rows.start, rows=part.height)
            found[Window(part.row - window.row, part.col - window.col, part.height, part.width).slices] = values[
                :, cols
            ]
        return found

    def read_all(self, name: str, window: Window) -> np.ndarray:
        """All layers of any window, dims (layer, y, x)."""
        if window in self.windows:
            return self.get(name, window)
        spec = self.arrays[name]
        found = np.full((spec.depth, window.height, window.width), spec.nodata, dtype=spec.dtype)
        for block, part in self._meeting(window):
            inner = Window(part.row - block.row, part.col - block.col, part.height, part.width).slices
            outer = Window(part.row - window.row, part.col - window.col, part.height, part.width).slices
            found[(slice(None), *outer)] = self.get(name, block)[(slice(None), *inner)]
        return found

    def pixel(self, name: str, row: int, col: int) -> np.ndarray:
        """All layers of one pixel, dims (layer,)."""
        values: np.ndarray = self.read_all(name, Window(row, col, 1, 1))[:, 0, 0]
        return values

    def _layer(self, name: str, block: Window, layer: int, *, first_row: int, rows: int) -> np.ndarray:
        """Some rows of one layer of a block."""
        dtype = _little(self.arrays[name].dtype)
        start = (layer * block.height + first_row) * block.width * dtype.itemsize
        length = rows * block.width * dtype.itemsize
        data = self.place.read_range(_object(name, block), start=start, length=length)
        return np.frombuffer(data, dtype=dtype).reshape(rows, block.width)

    def _meeting(self, window: Window) -> Iterator[tuple[Window, Window]]:
        """Blocks that a window meets, each with the part that both cover."""
        for block in self.windows:
            part = block.intersect(window)
            if part.height and part.width:
                yield block, part


def _object(name: str, window: Window) -> str:
    return f"arrays/{name}/{window.row}-{window.col}"


def _little(dtype: str) -> np.dtype:
    return np.dtype(dtype).newbyteorder("<")
