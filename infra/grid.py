"""The one georeference: a north-up pixel grid, and when two of them are the same lattice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.errors import LatticeError

if TYPE_CHECKING:
    import numpy as np
    from affine import Affine

OUTLINE = 64  # points per side: straight sides are curves in another projection
CONGRUENT = 0.001  # pixels: origins closer than this to a whole number of pixels share a lattice


class Window(NamedTuple):
    """Rows and columns of a grid, half open: `rows.start <= row < rows.stop`."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """`(rows, columns)` to index an array with."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def intersect(self, other: Window) -> Window:
        """Part that both windows cover; height or width 0 where they do not meet."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(row, col, max(0, bottom - row), max(0, right - col))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A north-up raster grid.

    Attributes
    ----------
    crs : authority code ("EPSG:32611") where there is one, else WKT
    left, top : outer corner of the first pixel, CRS units
    dx, dy : pixel size, CRS units, both positive; rows go south
    height, width : pixels
    """

    crs: str
    left: float
    top: float
    dx: float
    dy: float
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """`(height, width)`."""
        return self.height, self.width

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """`(left, bottom, right, top)`, outer edges, CRS units."""
        return self.left, self.top - self.height * self.dy, self.left + self.width * self.dx, self.top

    @property
    def affine(self) -> Affine:
        """Pixel to CRS transform, as rasterio wants it."""
        from affine import Affine

        return Affine(self.dx, 0.0, self.left, 0.0, -self.dy, self.top)

    @property
    def x(self) -> np.ndarray:
        """Pixel-centre x, dims (x,), float64, CRS units."""
        import numpy as np

        return np.asarray(self.left + (np.arange(self.width) + 0.5) * self.dx)

    @property
    def y(self) -> np.ndarray:
        """Pixel-centre y, dims (y,), float64, CRS units, descending."""
        import numpy as np

        return np.asarray(self.top - (np.arange(self.height) + 0.5) * self.dy)

    def lattice_difference(self, other: Grid) -> str | None:
        """Why `other` is not on this lattice, in words; None where it is."""
        if self.crs != other.crs:
            return f"CRS {_short(other.crs)} instead of {_short(self.crs)}"
        if not (math.isclose(self.dx, other.dx, rel_tol=1e-9) and math.isclose(self.dy, other.dy, rel_tol=1e-9)):
            return f"pixels of {other.dx:g} x {other.dy:g} instead of {self.dx:g} x {self.dy:g}"
        rows, cols = (self.top - other.top) / self.dy, (other.left - self.left) / self.dx
        off_y, off_x = abs(rows - round(rows)), abs(cols - round(cols))
        if off_x > CONGRUENT or off_y > CONGRUENT:
            return f"origins are {off_x:.3f} pixel (x) and {off_y:.3f} pixel (y) off a whole number of pixels"
        return None

    def window_of(self, other: Grid) -> Window:
        """Where `other` lies on this grid, by coordinates; may reach outside, row and column may be negative.

        Raises
        ------
        LatticeError
            If `other` does not share this grid's CRS, spacing and lattice.
        """
        difference = self.lattice_difference(other)
        if difference:
            raise LatticeError(
                f"two grids do not share a lattice: {difference}",
                "Stack scenes of one grid, or reproject them first; pixels are never shifted silently.",
            )
        row = round((self.top - other.top) / self.dy)
        col = round((other.left - self.left) / self.dx)
        return Window(row, col, other.height, other.width)

    def reach(self, other: Grid) -> Window:
        """Window of this grid's pixels that `other` touches, whatever its CRS; may reach outside, and be empty.

        Exact where both share a lattice, else the pixels around the bounds of `other`'s curved outline.
        """
        from pyproj import Transformer

        if self.lattice_difference(other) is None:
            return self.window_of(other)
        to_own = Transformer.from_crs(other.crs, self.crs, always_xy=True)
        left, bottom, right, top = to_own.transform_bounds(*other.bounds, densify_pts=OUTLINE)
        if not all(map(math.isfinite, (left, bottom, right, top))):
            return Window(0, 0, 0, 0)  # on the other side of the Earth, where this projection ends
        row, col = math.floor((self.top - top) / self.dy), math.floor((left - self.left) / self.dx)
        end = math.ceil((self.top - bottom) / self.dy), math.ceil((right - self.left) / self.dx)
        return Window(row, col, end[0] - row, end[1] - col)

    def crop(self, window: Window) -> Grid:
        """Grid of the pixels in `window`."""
        return Grid(
            crs=self.crs,
            left=self.left + window.col * self.dx,
            top=self.top - window.row * self.dy,
            dx=self.dx,
            dy=self.dy,
            height=window.height,
            width=window.width,
        )

    @property
    def full(self) -> Window:
        """Window of every pixel."""
        return Window(0, 0, self.height, self.width)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for orders and keys."""
        return asdict(self)


def earth_crs(text: str) -> str:
    """Authority code of a projected or geographic CRS on Earth, or its WKT where it has none.

    Raises
    ------
    ValueError
        If it is no CRS, of another planet, or neither projected nor geographic.
    """
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError, ProjError

    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise ValueError(f"'{text}' is no coordinate reference system: write it as EPSG:32611") from error
    if not (crs.is_projected or crs.is_geographic) or len(crs.axis_info) != 2:
        raise ValueError(f"'{text}' is {crs.type_name}: a map needs a projected or geographic one, as EPSG:32611")
    try:
        Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    except ProjError as error:
        raise ValueError(f"'{text}' ({crs.name}) cannot be reached from WGS84: {error}") from error
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


def union(grids: Sequence[Grid]) -> Grid:
    """Smallest grid of the first one's lattice that covers every grid."""
    windows = [grids[0].window_of(g) for g in grids]
    row, col = min(w.row for w in windows), min(w.col for w in windows)
    bottom = max(w.row + w.height for w in windows)
    right = max(w.col + w.width for w in windows)
    return grids[0].crop(Window(row, col, bottom - row, right - col))


def intersection(grids: Sequence[Grid]) -> Grid:
    """Largest grid that every grid covers; height or width 0 where they share no pixel."""
    window = grids[0].full
    for grid in grids[1:]:
        window = window.intersect(grids[0].window_of(grid))
    return grids[0].crop(window)


def _short(crs: str) -> str:
    return crs if len(crs) < 40 else crs[:37] + "..."
