"""Pixels that hang together, distances to the nearest, the cheapest ways, derivatives (section 7)."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from gee.local.bands.masks import finite
from gee.local.bands.pixel_types import DOUBLE
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.geometry.sphere import RADIUS, angles, vectors
from gee.local.grids.reprojection import metres_per_unit, transformed
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import WGS84, PixelType
from gee.local.work.compiled import compiled

MOST_CONNECTED = 1024
MOST_WALKED = 2048  # pixels on each side
METRICS = ("squared_euclidean", "manhattan", "chebyshev")


@algorithm("Image.connectedPixelCount")
def connected_pixel_count(input_: Image, max_size: int, *, eight_connected: bool) -> Image:
    """How many pixels of one value hang together, each counting itself, up to `maxSize`."""
    if not 0 < max_size <= MOST_CONNECTED:
        raise EarthEngineError(f"Parameter 'maxSize' must be 1 to {MOST_CONNECTED}, not {max_size}.")

    def counted(band: Band, grid: Grid) -> Pixels:
        from gee.local.neighbourhoods.objects import component_sizes

        # a component that reaches further than this has maxSize pixels on the way
        margin = max_size
        pixels = band.pixels(grid.pad(margin, margin, margin, margin))
        sizes = np.zeros(pixels.mask.shape, np.int64)
        data, valid = np.ascontiguousarray(pixels.data), np.ascontiguousarray(pixels.mask > 0)
        compiled(component_sizes)(data, valid, eight_connected, sizes)
        inner = pixels.cut(margin, margin, grid.height, grid.width)
        part = sizes[margin : margin + grid.height, margin : margin + grid.width]
        return Pixels(np.minimum(part, max_size).astype(np.float64), inner.mask)

    type_ = PixelType("int", 0, max_size)
    return input_.with_bands([Band(band.name, type_, partial(counted, band), band.projection) for band in input_.bands])


@algorithm("Image.fastDistanceTransform", policies=("far_from_all",))
def fast_distance_transform(image: Image, neighborhood: int, units: str, metric: str) -> Image:
    """Band `distance` to the nearest pixel that is not 0, masks ignored; squared pixels unless another metric is chosen.

    Masked where there is none within the neighbourhood.
    """
    if units != "pixels":
        raise EarthEngineError(f"Unknown units '{units}': only 'pixels' are supported.")
    if metric not in METRICS:
        raise EarthEngineError(f"Unknown metric '{metric}'. Must be one of: {', '.join(METRICS)}.")
    if not 0 < neighborhood <= MOST_CONNECTED:
        raise EarthEngineError(f"Parameter 'neighborhood' must be 1 to {MOST_CONNECTED}, not {neighborhood}.")

    def distances(band: Band, grid: Grid) -> Pixels:
        from gee.local.neighbourhoods.objects import column_distances, row_distances

        n = neighborhood
        sources = np.ascontiguousarray(band.pixels(grid.pad(n, n, n, n)).data != 0)
        columns, found = (np.zeros(sources.shape) for _ in range(2))
        compiled(column_distances)(sources, columns)
        part = np.ascontiguousarray(columns[n : n + grid.height])
        found = np.zeros(part.shape)
        compiled(row_distances)(part, n, METRICS.index(metric), found)
        data = found[:, n : n + grid.width]
        limit = n * n if metric == "squared_euclidean" else n
        return Pixels(np.minimum(data, limit), np.where(data <= limit, 1.0, 0.0))

    first = image.bands[:1]
    return image.with_bands([Band("distance", DOUBLE, partial(distances, band), band.projection) for band in first])


@algorithm("Image.cumulativeCost", policies=("cost_of_steps", "cost_reach"))
def cumulative_cost(cost: Image, source: Image, max_distance: float, *, geodetic_distance: bool) -> Image:
    """Least cost of a way from a source (what is not 0) over pixels that are valid; masked where none leads."""
    if len(cost.bands) != 1:
        raise NotImplementedHereError("this local Earth Engine implements Image.cumulativeCost for one band of costs.")
    if len(source.bands) != 1:
        raise EarthEngineError("Image.cumulativeCost, argument 'source': must be a single-band image.")
    if not 0 <= max_distance < math.inf:
        raise EarthEngineError(f"Parameter 'maxDistance' must be positive, not {max_distance}.")
    costs, sources = cost.bands[0], source.bands[0]

    def walked(grid: Grid) -> Pixels:
        from gee.local.neighbourhoods.costs import cheapest

        margin = math.ceil(max_distance / float(_steps(grid, geodetic=geodetic_distance).min()))
        if margin > MOST_WALKED:
            raise EarthEngineError(f"maxDistance is {margin} pixels here; there may be {MOST_WALKED}.")
        whole = grid.pad(margin, margin, margin, margin)
        price, start = costs.pixels(whole), sources.pixels(whole)
        if bool((price.data[price.mask > 0] < 0).any()):
            raise EarthEngineError("Image.cumulativeCost: costs must not be negative.")
        found = np.zeros(price.mask.shape)
        data = np.ascontiguousarray(price.data)
        walkable = np.ascontiguousarray(price.mask > 0)
        steps = _steps(whole, geodetic=geodetic_distance)
        compiled(cheapest)(data, walkable, (start.data != 0) & (start.mask > 0), steps, max_distance, found)
        inner = found[margin : margin + grid.height, margin : margin + grid.width]
        there = np.isfinite(inner)
        return Pixels(np.where(there, inner, 0.0), there.astype(np.float64))

    return cost.with_bands([Band("cumulative_cost", DOUBLE, walked, costs.projection)])


def _steps(grid: Grid, *, geodetic: bool) -> np.ndarray:
    """Metres from each pixel to the one right of it, below it, below right, below left; dims (4, y, x)."""
    shape = (4, grid.height, grid.width)
    a, b, _, d, e, _ = grid.transform
    plane = np.hypot([a, b, a + b, b - a], [d, e, d + e, e - d]) * metres_per_unit(grid.crs)
    if not geodetic:
        return np.ascontiguousarray(np.broadcast_to(plane[:, None, None], shape))
    lonlat = np.column_stack([one.ravel() for one in transformed(*grid.pad(1, 0, 1, 1).centres(), grid.crs, WGS84)])
    centres = vectors(lonlat).reshape(grid.height + 1, grid.width + 2, 3)
    own = centres[:-1, 1:-1]
    others = (centres[:-1, 2:], centres[1:, 1:-1], centres[1:, 2:], centres[1:, :-2])
    return np.stack([RADIUS * angles(own, other) for other in others])


@algorithm("Image.derivative", policies=("derivative",))
def derivative(image: Image) -> Image:
    """Half the difference of the neighbours to the right and left, and below and above: `band_x`, `band_y`, per pixel."""

    def difference(band: Band, axis: int, grid: Grid) -> Pixels:
        block = band.pixels(grid.pad(1, 1, 1, 1))
        x, y = (1, 0) if axis == 0 else (0, 1)
        ahead = block.cut(1 + y, 1 + x, grid.height, grid.width)
        behind = block.cut(1 - y, 1 - x, grid.height, grid.width)
        mask = np.minimum(ahead.mask, behind.mask)
        return finite((ahead.data - behind.data) / 2, mask)

    return image.with_bands(
        [
            Band(f"{band.name}_{name}", DOUBLE, partial(difference, band, axis), band.projection)
            for band in image.bands
            for axis, name in enumerate("xy")
        ]
    )
