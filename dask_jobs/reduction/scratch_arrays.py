"""Arrays of the work in progress: what blocks make of them, until rasters are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from infra.grid import Window
from infra.storage import Location

if TYPE_CHECKING:
    import zarr

    from dask_jobs.write import Layer

WRITERS = 8  # chunks written at once: each waits for the storage


@dataclass(frozen=True, kw_only=True)
class ScratchArrays:
    """Plain Zarr arrays, dims (y, x), of one shape; what no block wrote is no data.

    Attributes
    ----------
    place : of the group
    tile : (height, width) of their chunks; blocks are whole chunks, so no two write the same
    layers : what each holds, by its path in the group
    """

    place: Location
    shape: tuple[int, int]
    tile: tuple[int, int]
    layers: Mapping[str, Layer]

    def make(self) -> None:
        """Empty arrays, instead of any that are there."""
        import zarr

        root = zarr.open_group(self.place.zarr_store(), mode="w")
        for path, layer in self.layers.items():
            folder = PurePosixPath(path)
            group = root.require_group(str(folder.parent)) if len(folder.parts) > 1 else root
            group.create_array(
                folder.name,
                shape=self.shape,
                chunks=self.tile,
                dtype=layer.dtype,
                fill_value=_fill_value(layer),
                dimension_names=("y", "x"),
                compressors=None,  # what packs quickly does not pack speckle at all, and takes longer than writing it
            )

    def open(self, path: str) -> zarr.Array[Any]:
        """One of them."""
        import zarr

        return zarr.open_array(self.place.zarr_store(), path=path, mode="r+")

    def put(self, window: Window, made: Mapping[str, np.ndarray]) -> None:
        """Write a block of arrays by path, each dims (y, x), all at once.

        Chunks are not packed, so they are written as they are (Zarr 3: row-major, little-endian, padded to the full
        chunk): through zarr it takes twice as long.
        """

        def one(path: str) -> None:
            for row, col, chunk in _chunks(made[path], layer=self.layers[path], tile=self.tile):
                at = (window.row + row) // self.tile[0], (window.col + col) // self.tile[1]
                self.place.write(f"{path}/c/{at[0]}/{at[1]}", chunk)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(one, made))


def _chunks(values: np.ndarray, *, layer: Layer, tile: tuple[int, int]) -> Iterator[tuple[int, int, bytes]]:
    """First row, first column and content of each chunk of a block, dims (y, x)."""
    height, width = tile
    for row, col in product(range(0, values.shape[0], height), range(0, values.shape[1], width)):
        part = values[row : row + height, col : col + width]
        beyond = ((0, height - part.shape[0]), (0, width - part.shape[1]))
        if part.shape != tile:
            part = np.pad(part, beyond, constant_values=_fill_value(layer))
        yield row, col, part.astype(np.dtype(layer.dtype).newbyteorder("<"), copy=False).tobytes()


def _fill_value(layer: Layer) -> float:
    return 0 if layer.nodata is None else layer.nodata
