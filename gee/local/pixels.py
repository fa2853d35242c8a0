"""Images: bands that give their pixels on any grid that they are asked for (the pull model)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from time import thread_time
from typing import Any, NamedTuple

import numpy as np

from gee.local.values import Geometry, PixelType, Projection, Transform
from gee.local.work.interruption import go_on

CACHE_BYTES = 512 * 2**20  # pixels kept per rendering: beyond, they are computed again
SNAP = 1e-6  # pixels: grids closer than this to a whole number of pixels share a lattice


@dataclass(frozen=True)
class Grid:
    """Pixels to be computed: CRS (code or WKT), transform of the top-left pixel's top-left corner, size."""

    crs: str
    transform: Transform
    width: int
    height: int

    @property
    def projection(self) -> Projection:
        """CRS and transform alone."""
        return Projection(self.crs, self.transform)

    def pad(self, left: int, top: int, right: int, bottom: int) -> Grid:
        """Grid with more pixels on each side (fewer where negative)."""
        a, b, c, d, e, f = self.transform
        return replace(
            self,
            transform=(a, b, c - left * a - top * b, d, e, f - left * d - top * e),
            width=self.width + left + right,
            height=self.height + top + bottom,
        )

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (x, y) of the pixel centres, dims (y, x) each, in the CRS."""
        col, row = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        a, b, c, d, e, f = self.transform
        return a * col + b * row + c, d * col + e * row + f

    def offset_in(self, other: Grid) -> tuple[int, int] | None:
        """(row, column) of this grid's first pixel in `other`, where both share a lattice; else None."""
        if (
            self.crs != other.crs
            or self.transform[0:2] != other.transform[0:2]
            or self.transform[3:5] != other.transform[3:5]
        ):
            return None
        a, b, c, d, e, f = other.transform
        det = a * e - b * d
        dx, dy = self.transform[2] - c, self.transform[5] - f
        col, row = (e * dx - b * dy) / det, (a * dy - d * dx) / det
        if abs(col - round(col)) > SNAP or abs(row - round(row)) > SNAP:
            return None
        return round(row), round(col)


class Pixels(NamedTuple):
    """Values and masks of a grid; never written into: they are shared, and constants are single values broadcast.

    Attributes
    ----------
    data : dims (y, x), float64; of array bands (y, x, axis 0, axis 1 …); finite everywhere
    mask : dims (y, x), float64, 0 (invalid) to 1
    lengths : dims (y, x, axis), int64: of arrays whose lengths differ between pixels, how much of `data` along each
        axis belongs to the pixel (the rest is 0); None where all arrays fill `data`
    """

    data: np.ndarray
    mask: np.ndarray
    lengths: np.ndarray | None = None

    def cut(self, row: int, col: int, height: int, width: int) -> Pixels:
        """Part of the pixels."""
        part = (slice(row, row + height), slice(col, col + width))
        return Pixels(self.data[part], self.mask[part], None if self.lengths is None else self.lengths[part])


@dataclass(frozen=True, eq=False)
class Band:
    """One band.

    Attributes
    ----------
    compute : pixels on a grid; call `pixels`, which remembers
    projection : native, or what composites and constants have by default
    size : width and height in pixels of `projection`, of bands that are stored rasters
    """

    name: str
    type: PixelType
    compute: Callable[[Grid], Pixels]
    projection: Projection = field(default_factory=Projection)
    size: tuple[int, int] | None = None

    def pixels(self, grid: Grid) -> Pixels:
        """Pixels on a grid; what this rendering has computed before is cut out of it."""
        go_on()
        memory = _memory.get()
        if memory is None:
            return self.compute(grid)
        found = memory.find(self, grid)
        if found is None:
            start = thread_time()
            found = _plainly_masked(self.compute(grid))
            memory.keep(self, grid, found, thread_time() - start)
        return found


@dataclass(frozen=True, eq=False)
class Image:
    """Bands and properties.

    Attributes
    ----------
    footprint : where it has data; None where it is unbounded
    grid : pixels that `clipToBoundsAndScale` asked for (`gee.local.regions.output_grid`)
    version : of an asset, microseconds since 1970 when it was written; None of what is computed
    """

    bands: tuple[Band, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    footprint: Geometry | None = None
    id: str | None = None
    grid: Grid | None = None
    version: int | None = None

    @property
    def band_names(self) -> list[str]:
        """Names in order."""
        return [band.name for band in self.bands]

    def with_bands(self, bands: Sequence[Band]) -> Image:
        """Same with other bands."""
        return replace(self, bands=tuple(bands))

    def with_properties(self, properties: Mapping[str, Any]) -> Image:
        """Same with other properties."""
        return replace(self, properties=dict(properties))


def _plainly_masked(pixels: Pixels) -> Pixels:
    """Same pixels; a mask of ones is one value broadcast, which spares whatever is computed of them the mask."""
    if pixels.mask.strides != (0, 0) and pixels.mask.size and pixels.mask.min() == 1:
        return pixels._replace(mask=np.broadcast_to(np.float64(1), pixels.mask.shape))
    return pixels


class _Memory:
    """Pixels of one rendering, per band; where they grow too many, those go that cost little time for their size.

    What was kept long ago counts less and less (GreedyDual-Size).

    References
    ----------
    Cao and Irani (1997), Cost-aware WWW proxy caching algorithms, USENIX Symposium on Internet Technologies and Systems
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._kept: dict[Band, list[tuple[Grid, Pixels]]] = {}
        self._order: list[tuple[float, int, Band, Grid]] = []  # heap: what goes first is first
        self._floor, self._count = 0.0, 0
        self._held: dict[int, int] = {}  # arrays that own their memory, and how many of the kept ones lie in each

    def find(self, band: Band, grid: Grid) -> Pixels | None:
        for held, pixels in self._kept.get(band, ()):
            at = grid.offset_in(held)
            if at == (0, 0) and (grid.width, grid.height) == (held.width, held.height):
                return pixels
            if at and min(at) >= 0 and at[0] + grid.height <= held.height and at[1] + grid.width <= held.width:
                return pixels.cut(*at, grid.height, grid.width)
        return None

    def keep(self, band: Band, grid: Grid, pixels: Pixels, seconds: float) -> None:
        self._kept.setdefault(band, []).append((grid, pixels))
        worth = self._floor + seconds / (pixels.data.nbytes + 1)
        self._count += 1
        heappush(self._order, (worth, self._count, band, grid))
        self._hold(pixels, 1)
        while self._size > self._limit and self._order:
            self._floor, _, old, at = heappop(self._order)
            rows = self._kept[old]
            index = next(i for i, (held, _) in enumerate(rows) if held is at)
            self._hold(rows.pop(index)[1], -1)

    def _hold(self, pixels: Pixels, step: int) -> None:
        """Count the blocks behind arrays, each once: neighbours and constants are views."""
        for array in pixels[:2]:
            block = array
            while isinstance(block.base, np.ndarray):
                block = block.base
            before = self._held.get(id(block), 0)
            self._held[id(block)] = before + step
            if min(before, before + step) == 0:
                self._size += step * block.nbytes
            if before + step == 0:
                del self._held[id(block)]


_memory: ContextVar[_Memory | None] = ContextVar("rendering", default=None)


@contextmanager
def rendering(*, limit: int = CACHE_BYTES) -> Iterator[None]:
    """Block within which bands remember what they computed; one per request and thread."""
    token = _memory.set(_Memory(limit))
    try:
        yield
    finally:
        _memory.reset(token)
