"""Images of where pixels are: coordinates, areas, and random numbers by place (section 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from gee.local.bands.masks import everywhere, finite
from gee.local.errors import EarthEngineError
from gee.local.grids.reprojection import places, to_pixels, transformed
from gee.local.pixels import SNAP, Band, Grid, Image
from gee.local.table import algorithm
from gee.local.values import WGS84, PixelType, Projection

SEMI_MAJOR = 6378137.0  # WGS84
ECCENTRICITY = 0.0818191908426215


def _band(name: str, compute: Callable[[Grid], np.ndarray], type_: PixelType) -> Band:
    return Band(name, type_, lambda grid: finite(compute(grid), everywhere(grid)))


@algorithm("Image.pixelLonLat")
def pixel_lon_lat() -> Image:
    """Bands `longitude` and `latitude` of the pixel centres, degrees."""

    def coordinate(axis: int) -> Callable[[Grid], np.ndarray]:
        return lambda grid: transformed(*grid.centres(), grid.crs, WGS84)[axis]

    return Image(
        (
            _band("longitude", coordinate(0), PixelType("double", -180.0, 180.0)),
            _band("latitude", coordinate(1), PixelType("double", -90.0, 90.0)),
        )
    )


@algorithm("Image.pixelCoordinates")
def pixel_coordinates(projection: Projection) -> Image:
    """Bands `x` and `y` of the pixel centres in pixels of a projection."""

    def x(grid: Grid) -> np.ndarray:
        return np.broadcast_to(places(grid, projection).cols, (grid.height, grid.width))

    def y(grid: Grid) -> np.ndarray:
        return np.broadcast_to(places(grid, projection).rows, (grid.height, grid.width))

    return Image((_band("x", x, PixelType("double")), _band("y", y, PixelType("double"))))


@algorithm("Image.pixelArea")
def pixel_area() -> Image:
    """Band `area`: square metres of each pixel of the grid that is computed, on the WGS84 ellipsoid.

    Corners are joined by straight lines in the cylindrical equal-area projection: exact for geographic grids, and to
    about 1e-9 for metric pixels.
    """
    return Image((_band("area", _areas, PixelType("double")),))


def _areas(grid: Grid) -> np.ndarray:
    col, row = np.meshgrid(np.arange(grid.width + 1.0), np.arange(grid.height + 1.0))
    a, b, c, d, e, f = grid.transform
    lon, lat = transformed(a * col + b * row + c, d * col + e * row + f, grid.crs, WGS84)
    sine = np.sin(np.radians(np.clip(lat, -90, 90)))
    y = SEMI_MAJOR / 2 * _authalic(sine)
    corners = [(slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None))]
    corners += [(slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1))]
    first = lon[corners[0]]
    xs = [SEMI_MAJOR * np.radians(_turned(lon[at] - first)) for at in corners]
    ys = [y[at] for at in corners]
    twice = sum(xs[i] * ys[(i + 1) % 4] - xs[(i + 1) % 4] * ys[i] for i in range(4))
    area: np.ndarray = np.abs(np.asarray(twice)) / 2
    return area


def _authalic(sine: np.ndarray) -> np.ndarray:
    """Snyder's q (1987, equation 3-12): a² q / 2 per radian of longitude is the area from the equator to a latitude."""
    part = ECCENTRICITY * sine
    q: np.ndarray = (1 - ECCENTRICITY**2) * (sine / (1 - part**2) + np.arctanh(part) / ECCENTRICITY)
    return q


def _turned(degrees: np.ndarray) -> np.ndarray:
    turned: np.ndarray = degrees - 360 * np.round(degrees / 360)
    return turned


@algorithm("Image.random", policies=("random_numbers",))
def random(seed: int, distribution: Literal["uniform", "normal"]) -> Image:
    """Band `random`: numbers by the place of each pixel in its grid's lattice, the same for the same place and seed.

    The service's generator is not documented: values differ from its values.
    """
    if distribution not in ("uniform", "normal"):
        raise EarthEngineError(f"Unknown distribution '{distribution}'; one of uniform, normal.")
    normal = distribution == "normal"

    def compute(grid: Grid) -> np.ndarray:
        first = _uniform(grid, 2 * seed)
        if not normal:
            return first
        radius: np.ndarray = np.sqrt(-2 * np.log1p(-first))
        return radius * np.cos(2 * np.pi * _uniform(grid, 2 * seed + 1))  # Box and Muller

    type_ = PixelType("double") if normal else PixelType("double", 0.0, 1.0)
    return Image((_band("random", compute, type_),))


def _uniform(grid: Grid, seed: int) -> np.ndarray:
    """Numbers from 0 to below 1 of the pixels' rows and columns, counted from the origin of the CRS."""
    row, col = to_pixels(np.zeros(1), np.zeros(1), grid.transform)
    rows = np.arange(grid.height)[:, None] - np.floor(row + SNAP).astype(np.int64)
    cols = np.arange(grid.width)[None, :] - np.floor(col + SNAP).astype(np.int64)
    mixed = _mix(np.uint64(seed % 2**64) + np.zeros(1, np.uint64))
    mixed = _mix(mixed ^ rows.astype(np.uint64))
    mixed = _mix(mixed ^ cols.astype(np.uint64))
    found: np.ndarray = (np.broadcast_to(mixed, (grid.height, grid.width)) >> np.uint64(11)) * 2.0**-53
    return found


def _mix(value: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = value ^ (value >> np.uint64(31))
    return mixed
