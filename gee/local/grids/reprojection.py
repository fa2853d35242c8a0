"""From pixels of one projection to pixels of another: exact, by PROJ, at pixel centres (section 10)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gee.local.bands.ragged import aligned
from gee.local.errors import EarthEngineError
from gee.local.pixels import SNAP, Grid, Pixels
from gee.local.values import WGS84, Projection, Transform

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

EARTH_RADIUS = 6378137.0
DEGREE = math.pi * EARTH_RADIUS / 180  # metres per degree at the equator
WINDOW_PIXELS = 2**24  # source pixels read at once: grids that need more are computed in parts
REMEMBERED = 8


class Places(NamedTuple):
    """Where each pixel of a grid lies in another projection's pixels.

    Attributes
    ----------
    rows, cols : fractional pixel coordinates of the centres, (0, 0) the top-left corner of the first pixel; dims
        (y, x), or (y, 1) and (1, x) where they are separable
    known : dims (y, x), boolean, where the coordinates can be transformed; None where all can
    """

    rows: np.ndarray
    cols: np.ndarray
    known: np.ndarray | None = None


@lru_cache(maxsize=256)
def parsed(crs: str) -> CRS:
    """CRS of a code or WKT.

    Raises
    ------
    EarthEngineError
        If there is no such CRS.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise EarthEngineError(f"The CRS of a map projection could not be parsed: '{crs[:80]}'.") from error


@lru_cache(maxsize=256)
def canonical(crs: str) -> str:
    """Code of a CRS where it has one ("EPSG:4326"), else the text as it is.

    Raises
    ------
    EarthEngineError
        If there is no such CRS.
    """
    authority = parsed(crs).to_authority(min_confidence=100)
    if authority is not None and authority[0] == "EPSG":
        return ":".join(authority)
    return WGS84 if crs.upper() in {"CRS:84", "OGC:CRS84"} else crs


@lru_cache(maxsize=256)
def metres_per_unit(crs: str) -> float:
    """Size in metres of a CRS's unit at the point of true scale: of a degree on a sphere of the equator's radius."""
    found = parsed(crs)
    factor = float(found.axis_info[0].unit_conversion_factor) if found.axis_info else 1.0
    return factor * EARTH_RADIUS if found.is_geographic else factor


def nominal_scale(projection: Projection) -> float:
    """Metres of a pixel's side at the point of true scale; of oblong pixels the root of their area."""
    a, b, _, d, e, _ = projection.transform
    return math.sqrt(abs(a * e - b * d)) * metres_per_unit(projection.crs)


def at_scale(projection: Projection, metres: float) -> Projection:
    """Projection with its pixels resized around its origin; axes keep their directions."""
    if not metres > 0:
        raise EarthEngineError(f"The scale must be positive, not {metres}.")
    factor = metres / nominal_scale(projection)
    return scaled(projection, factor, factor)


def scaled(projection: Projection, x: float, y: float) -> Projection:
    """Projection whose pixels are `x` and `y` times as long."""
    a, b, c, d, e, f = projection.transform
    return replace(projection, transform=(a * x, b * y, c, d * x, e * y, f))


def shifted(projection: Projection, x: float, y: float) -> Projection:
    """Projection whose origin lies `x` and `y` pixels further."""
    a, b, c, d, e, f = projection.transform
    return replace(projection, transform=(a, b, c + a * x + b * y, d, e, f + d * x + e * y))


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Transformer:
    """Coordinates (x, y) of one CRS to another, longitude before latitude."""
    from pyproj import Transformer

    return Transformer.from_crs(parsed(source), parsed(target), always_xy=True)


def transformed(x: np.ndarray, y: np.ndarray, source: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in another CRS; infinite where they have none."""
    if source == target:
        return x, y
    there: tuple[np.ndarray, np.ndarray] = transformer(source, target).transform(x, y)
    return there


def to_pixels(x: np.ndarray, y: np.ndarray, transform: Transform) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates as (rows, columns) of a transform's pixels."""
    a, b, c, d, e, f = transform
    det = a * e - b * d
    return (a * (y - f) - d * (x - c)) / det, (e * (x - c) - b * (y - f)) / det


@lru_cache(maxsize=REMEMBERED)
def places(grid: Grid, projection: Projection) -> Places:
    """Pixel centres of a grid in a projection's pixels; remembered, as the bands of an image share them."""
    if grid.crs == projection.crs and not any(_shear(one.transform) for one in (grid, projection)):
        a, _, c, _, e, f = grid.transform
        pa, _, pc, _, pe, pf = projection.transform
        rows = (e * (np.arange(grid.height) + 0.5) + (f - pf)) / pe
        cols = (a * (np.arange(grid.width) + 0.5) + (c - pc)) / pa
        return Places(rows[:, None], cols[None, :])
    x, y = transformed(*grid.centres(), grid.crs, projection.crs)
    rows, cols = to_pixels(x, y, projection.transform)
    known = np.isfinite(rows) & np.isfinite(cols)
    if known.all():
        return Places(rows, cols)
    return Places(np.where(known, rows, 0.0), np.where(known, cols, 0.0), known)


def _shear(transform: Transform) -> bool:
    return transform[1] != 0 or transform[3] != 0


def indices(grid: Grid, projection: Projection) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(rows, columns, known) of the projection's pixels that hold a grid's centres (policy `pixel_edges`)."""
    found = places(grid, projection)
    return _whole(found.rows), _whole(found.cols), found.known


def _whole(values: np.ndarray) -> np.ndarray:
    return np.floor(values + SNAP).astype(np.int64)


def lattice(projection: Projection) -> Grid:
    """The first pixel of a projection as a grid."""
    return Grid(projection.crs, projection.transform, 1, 1)


Read = Callable[[int, int, int, int], Pixels]


def nearest(grid: Grid, projection: Projection, read: Read) -> Pixels:
    """Nearest pixels of what is known in a projection only, on any grid.

    Parameters
    ----------
    read : `(row, column, height, width) -> Pixels` of any window of the projection's pixels, masked where it has none
    """
    offset = grid.offset_in(lattice(projection))
    if offset is not None:
        return read(*offset, grid.height, grid.width)
    rows, cols, known = indices(grid, projection)
    window = window_of(rows, cols, known)
    if window is None:
        return _blank(grid, read)
    if window[2] * window[3] > WINDOW_PIXELS and grid.width * grid.height > 1:
        return in_parts(grid, lambda part: nearest(part, projection, read))
    source = read(*window)
    rows, cols = rows - window[0], cols - window[1]
    if known is not None:
        rows, cols = np.where(known, rows, 0), np.where(known, cols, 0)
    mask = source.mask[rows, cols]
    return Pixels(
        source.data[rows, cols],
        mask if known is None else np.where(known, mask, 0.0),
        None if source.lengths is None else source.lengths[rows, cols],
    )


def _blank(grid: Grid, read: Read) -> Pixels:
    """No pixel at all, of the kind that `read` gives."""
    one = read(0, 0, 1, 1)
    return Pixels(
        np.broadcast_to(one.data[0, 0] * 0, (grid.height, grid.width, *one.data.shape[2:])),
        np.zeros((grid.height, grid.width)),
        None
        if one.lengths is None
        else np.broadcast_to(one.lengths[0, 0], (grid.height, grid.width, one.data.ndim - 2)),
    )


def interpolated(grid: Grid, projection: Projection, read: Read, *, cubic: bool) -> Pixels:
    """Pixels between those of a projection, bilinear from 2 x 2 or bicubic (Catmull-Rom) from 4 x 4; scalars only.

    A masked neighbour masks the result; fractional masks give their minimum.
    """
    offset = grid.offset_in(lattice(projection))
    if offset is not None:
        return read(*offset, grid.height, grid.width)
    found = places(grid, projection)
    rows, row_weights = _neighbours(found.rows, cubic=cubic)
    cols, col_weights = _neighbours(found.cols, cubic=cubic)
    reach = len(row_weights) - 1
    window = window_of(rows, cols, found.known)
    if window is None:
        return _blank(grid, read)
    window = (window[0], window[1], window[2] + reach, window[3] + reach)
    if window[2] * window[3] > WINDOW_PIXELS and grid.width * grid.height > 1:
        return in_parts(grid, lambda part: interpolated(part, projection, read, cubic=cubic))
    source = read(*window)
    rows, cols = rows - window[0], cols - window[1]
    if found.known is not None:
        rows, cols = np.where(found.known, rows, 0), np.where(found.known, cols, 0)
    data = np.zeros((grid.height, grid.width))
    mask = np.ones((grid.height, grid.width)) if found.known is None else found.known.astype(np.float64)
    for dy, down in enumerate(row_weights):
        for dx, across in enumerate(col_weights):
            weight = down * across
            data += weight * source.data[rows + dy, cols + dx]
            mask = np.minimum(mask, np.where(weight == 0, 1.0, source.mask[rows + dy, cols + dx]))
    return Pixels(data, mask)


def _neighbours(places: np.ndarray, *, cubic: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """Index of the first neighbour of fractional pixel coordinates along one axis, and the weights of all."""
    before = places - 0.5
    near = np.round(before)
    before = np.where(np.abs(before - near) < SNAP, near, before)
    first = np.floor(before)
    t = before - first
    index = first.astype(np.int64)
    if not cubic:
        return index, [1 - t, t]
    weights = [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
    return index - 1, weights


def window_of(rows: np.ndarray, cols: np.ndarray, known: np.ndarray | None) -> tuple[int, int, int, int] | None:
    """Smallest (row, column, height, width) that holds indices; None where none is known."""
    if known is not None:
        rows, cols = rows[known], cols[known]
    if rows.size == 0 or cols.size == 0:
        return None
    top, left = int(rows.min()), int(cols.min())
    return top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1


def in_parts(grid: Grid, compute: Callable[[Grid], Pixels]) -> Pixels:
    """Pixels of a grid computed in two halves."""
    if grid.width >= grid.height:
        half, axis = grid.width // 2, 1
        parts = [grid.pad(0, 0, half - grid.width, 0), grid.pad(-half, 0, 0, 0)]
    else:
        half, axis = grid.height // 2, 0
        parts = [grid.pad(0, 0, 0, half - grid.height), grid.pad(0, -half, 0, 0)]
    first, second = (compute(one) for one in parts)
    return joined(first, second, axis=axis)


def joined(first: Pixels, second: Pixels, *, axis: int) -> Pixels:
    """Pixels side by side (axis 1) or one below the other (axis 0)."""
    (one, other), lengths = aligned(first, second)
    return Pixels(
        np.concatenate([one, other], axis),
        np.concatenate([first.mask, second.mask], axis),
        None if lengths is None else np.concatenate(lengths, axis),
    )
