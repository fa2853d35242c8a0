"""Neighbourhoods of pixels: reduced, laid side by side, convolved, focal filters (section 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np

from gee.local.algorithms.images.kernels import shaped
from gee.local.bands.masks import finite, is_everywhere
from gee.local.bands.pixel_types import DOUBLE, bounds
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.neighbourhoods.windows import (
    FAST,
    InputWeight,
    cells_of,
    count,
    modes_and_entropies,
    quantiles,
    reduce_window,
    window,
)
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.policies import Policies
from gee.local.reduction.bands_together import bands_together
from gee.local.reduction.calling import Output, mean_type, output_types
from gee.local.table import algorithm
from gee.local.values import Kernel, PixelType, Reducer

FOCAL_SHAPES = ("circle", "square", "cross", "plus", "octagon", "diamond")


@algorithm("Image.reduceNeighborhood")
def reduce_neighborhood(
    image: Image,
    reducer: Reducer,
    kernel: Kernel,
    input_weight: str,
    optimization: str | None,
    *,
    skip_masked: bool,
) -> Image:
    """Outputs of a reducer over the pixels under the weights that are not 0: `band_output`, or `output` of several inputs.

    `optimization` asks for the same result in another way, and changes nothing.
    """
    if input_weight not in ("kernel", "mask", "min"):
        raise EarthEngineError(f"Unknown input weight '{input_weight}'. Must be one of: mask, kernel, min.")
    if optimization not in (None, "boxcar", "window"):
        raise EarthEngineError(f"Unknown optimization '{optimization}'. Must be one of: boxcar, window.")
    weight = cast("InputWeight", input_weight)
    if reducer.inputs == 1:
        groups = [(f"{band.name}_", [band]) for band in image.bands]
    elif reducer.inputs == len(image.bands):
        groups = [("", list(image.bands))]
    else:
        raise EarthEngineError(f"Need {reducer.inputs} inputs for Reducer.{reducer.name}, got {len(image.bands)}.")
    bands: list[Band] = []
    for prefix, inputs in groups:
        bands += bands_together(
            [prefix + one for one in reducer.outputs],
            output_types(reducer, [one.type for one in inputs]),
            partial(_reduced, inputs, reducer, kernel, weight, skip_masked=skip_masked),
            projection=inputs[0].projection,
        )
    return Image(tuple(bands), image.properties, image.footprint, image.id)


def _reduced(
    inputs: Sequence[Band], reducer: Reducer, kernel: Kernel, weight: InputWeight, grid: Grid, *, skip_masked: bool
) -> list[Output]:
    cells = cells_of(kernel, grid)
    views = [window(band, grid, cells) for band in inputs]
    outputs = reduce_window(reducer, views, weight)
    if all(is_everywhere(view.mask) for view in views):
        return outputs
    centres = [view.inner(view.mask) > 0 for view in views]
    some = np.logical_or.reduce([count(view) > 0 for view in views]) if "count" in reducer.outputs else True
    keep = np.logical_and.reduce(centres) & some if skip_masked else some
    return outputs if keep is True or np.all(keep) else [(data, np.where(keep, mask, 0.0)) for data, mask in outputs]


@algorithm("Image.neighborhoodToBands")
def neighborhood_to_bands(image: Image, kernel: Kernel) -> Image:
    """One band per neighbour under a weight that is not 0: `band_x_y`, offsets from the focus, row by row."""
    if kernel.build is not None:
        raise EarthEngineError("Kernels in meters have no fixed number of pixels: use 'pixels'.")
    cells = cells_of(kernel, Grid("EPSG:4326", (1, 0, 0, 0, 1, 0), 1, 1))
    left, top, right, bottom = cells.margin

    def shifted(band: Band, x: int, y: int, grid: Grid) -> Pixels:
        # all neighbours are cut out of one block, which is computed once
        return band.pixels(grid.pad(left, top, right, bottom)).cut(top + y, left + x, grid.height, grid.width)

    places = list(zip(cells.x.tolist(), cells.y.tolist(), strict=True))
    return image.with_bands(
        [
            Band(f"{band.name}_{x}_{y}", band.type, partial(shifted, band, x, y), band.projection)
            for band in image.bands
            for x, y in places
        ]
    )


@algorithm("Image.neighborhoodToArray")
def neighborhood_to_array(image: Image, kernel: Kernel, default_value: float) -> Image:
    """Neighbourhoods as arrays, axis 0 along y, axis 1 along x; masked neighbours become `defaultValue`."""
    if any(band.type.dimensions for band in image.bands):
        raise EarthEngineError("The image must have scalar bands.")

    def stacked(band: Band, grid: Grid) -> Pixels:
        found = kernel.at(1.0) if kernel.build is None else cells_kernel(kernel, grid)
        height, width = found.weights.shape
        x, y = found.focus
        pixels = band.pixels(grid.pad(x, y, width - 1 - x, height - 1 - y))
        whole = band.type.precision == "int"
        filler = np.clip(np.trunc(default_value) if whole else default_value, *bounds(band.type))
        data = np.where(pixels.mask > 0, pixels.data, filler)
        inner = pixels.mask[y : y + grid.height, x : x + grid.width]
        return Pixels(np.lib.stride_tricks.sliding_window_view(data, (height, width)), inner)

    return image.with_bands(
        [
            Band(
                band.name,
                PixelType(band.type.precision, band.type.low, band.type.high, 2),
                partial(stacked, band),
                band.projection,
            )
            for band in image.bands
        ]
    )


def cells_kernel(kernel: Kernel, grid: Grid) -> Kernel:
    """Kernel in metres on the pixels of a grid."""
    from gee.local.grids.reprojection import nominal_scale

    return kernel.at(nominal_scale(grid.projection))


@algorithm("Image.convolve", policies=("convolve",))
def convolve(image: Image, kernel: Kernel) -> Image:
    """Sum of the pixels under the kernel times its weights, not flipped; a masked neighbour masks the result."""

    def weighted(band: Band, grid: Grid) -> Pixels:
        view = window(band, grid, cells_of(kernel, grid))
        (data, _), *_ = FAST["sum"](view, "kernel")
        return finite(data, (count(view) == view.cells.x.size).astype(np.float64))

    return _each(image, weighted, lambda _: DOUBLE)


@algorithm("Image.entropy")
def entropy(image: Image, kernel: Kernel) -> Image:
    """Entropy in bits of the values under the kernel; for integers."""
    wrong = [band.name for band in image.bands if band.type.precision != "int"]
    if wrong:
        raise EarthEngineError(f"The bands {wrong} must be integers.")

    def information(band: Band, grid: Grid) -> Pixels:
        _, (data, mask) = modes_and_entropies(window(band, grid, cells_of(kernel, grid)))
        return Pixels(data, mask)

    return _each(image, information, lambda _: DOUBLE)


# -- focal filters ----------------------------------------------------------------------------------------------------


def _focal(
    name: str, image: Image, radius: float, kernel_type: str, units: str, iterations: int, kernel: Kernel | None,
    policies: Policies,
) -> Image:  # fmt: skip
    if kernel is None:
        if kernel_type not in FOCAL_SHAPES:
            raise EarthEngineError(f"Unknown kernel type '{kernel_type}'. Must be one of: {', '.join(FOCAL_SHAPES)}.")
        kernel = shaped(kernel_type, radius=radius, units=units, normalize=True)
    around = kernel

    def filtered(band: Band, grid: Grid) -> Pixels:
        view = window(band, grid, cells_of(around, grid))
        (data, mask), *_ = quantiles(view, [0.5]) if name == "median" else FAST[name](view, "kernel")
        centre = view.inner(view.mask) > 0
        return finite(data, mask if policies.focal_at_masked == "filled" else np.where(centre, mask, 0.0))

    def type_of(band: Band) -> PixelType:
        return mean_type([band.type])[0] if name in ("mean", "median") else band.type

    found = image
    for _ in range(iterations):
        found = _each(found, filtered, type_of)
    return found


@algorithm("Image.focal_min", "Image.focalMin", policies=("focal_at_masked",))
def focal_min(
    image: Image, radius: float, kernel_type: str, units: str, iterations: int, kernel: Kernel | None, context: Context
) -> Image:
    """Least value of the neighbourhood."""
    return _focal("min", image, radius, kernel_type, units, iterations, kernel, context.policies)


@algorithm("Image.focal_max", "Image.focalMax", policies=("focal_at_masked",))
def focal_max(
    image: Image, radius: float, kernel_type: str, units: str, iterations: int, kernel: Kernel | None, context: Context
) -> Image:
    """Greatest value of the neighbourhood."""
    return _focal("max", image, radius, kernel_type, units, iterations, kernel, context.policies)


@algorithm("Image.focal_mean", "Image.focalMean", policies=("focal_at_masked",))
def focal_mean(
    image: Image, radius: float, kernel_type: str, units: str, iterations: int, kernel: Kernel | None, context: Context
) -> Image:
    """Mean of the neighbourhood."""
    return _focal("mean", image, radius, kernel_type, units, iterations, kernel, context.policies)


@algorithm("Image.focal_median", "Image.focalMedian", policies=("focal_at_masked",))
def focal_median(
    image: Image, radius: float, kernel_type: str, units: str, iterations: int, kernel: Kernel | None, context: Context
) -> Image:
    """Median of the neighbourhood."""
    return _focal("median", image, radius, kernel_type, units, iterations, kernel, context.policies)


@algorithm("Image.focal_mode", "Image.focalMode", policies=("focal_at_masked",))
def focal_mode(
    image: Image, radius: float, kernel_type: str, units: str, iterations: int, kernel: Kernel | None, context: Context
) -> Image:
    """Most frequent value of the neighbourhood, of several the smallest."""
    return _focal("mode", image, radius, kernel_type, units, iterations, kernel, context.policies)


def _each(image: Image, compute: Callable[[Band, Grid], Pixels], type_of: Callable[[Band], PixelType]) -> Image:
    return image.with_bands(
        [Band(band.name, type_of(band), partial(compute, band), band.projection) for band in image.bands]
    )
