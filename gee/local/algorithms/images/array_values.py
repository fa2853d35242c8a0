"""Numbers from the arrays of images: reductions, running ones, positions of maxima, dot products (section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gee.local.algorithms.images.arrays import LENGTH, arrays_only, changed
from gee.local.bands.arithmetic import matched, paired
from gee.local.bands.array_pixels import FIRST, checked_axis
from gee.local.bands.masks import both
from gee.local.bands.pixel_types import union
from gee.local.bands.ragged import belonging, lengths_of
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.reduction.calling import output_types
from gee.local.table import algorithm
from gee.local.values import PixelType, Reducer


@algorithm("Image.arrayReduce")
def array_reduce(input_: Image, reducer: Reducer, axes: list[int], field_axis: int | None) -> Image:
    """Arrays reduced along axes, which stay with length 1; several inputs or outputs lie along `fieldAxis`."""
    if field_axis is None and (reducer.inputs > 1 or len(reducer.outputs) > 1):
        raise EarthEngineError(
            f"fieldAxis is needed for a reducer with {reducer.inputs} inputs and {len(reducer.outputs)} outputs."
        )
    if field_axis is not None and field_axis in axes:
        raise EarthEngineError(f"fieldAxis {field_axis} is one of the axes to reduce.")

    def reduced(band: Band) -> Band:
        for axis in (*axes, *([] if field_axis is None else [field_axis])):
            checked_axis(axis, band.type.dimensions)
        scalar = replace(band.type, dimensions=0)
        type_ = union(*output_types(reducer, [scalar] * reducer.inputs))

        def compute(grid: Grid) -> Pixels:
            return reduce_arrays(band.pixels(grid), reducer, axes, field_axis)

        return replace(band, type=replace(type_, dimensions=band.type.dimensions), compute=compute)

    return input_.with_bands([reduced(band) for band in arrays_only(input_)])


def reduce_arrays(pixels: Pixels, reducer: Reducer, axes: Sequence[int], field_axis: int | None) -> Pixels:
    """Arrays with some axes reduced to length 1, and the reducer's outputs along another.

    Raises
    ------
    EarthEngineError
        If the length of the field axis is not the number of inputs, or outputs are no numbers.
    """
    inputs, weights = _steps(pixels, reducer, axes, field_axis)
    results = reducer.reduce(inputs, weights)
    data, masks = [], []
    for values, known in results:
        if values.dtype == object or values.ndim != weights[0].ndim - 1:
            raise NotImplementedHereError(f"Reducer.{reducer.name} of arrays does not give one number.")
        data.append(np.where(known > 0, values, 0.0))
        masks.append(np.broadcast_to(known, values.shape))
    if field_axis is not None:  # after y and x come the axes that are kept; the field axis is not one of them
        block, known = np.stack(data, -1), np.stack(masks, -1)
    else:
        block, known = data[0], masks[0]
    dimensions = pixels.data.ndim - FIRST
    rest = [axis for axis in range(dimensions) if axis not in axes and axis != field_axis]
    names = [*rest, *([] if field_axis is None else [field_axis])]
    order = [names.index(axis) + FIRST for axis in sorted(names)]
    block, known = block.transpose(0, 1, *order), known.transpose(0, 1, *order)
    block, known = (np.expand_dims(one, [axis + FIRST for axis in axes]) for one in (block, known))
    return _masked(pixels, block, known, (axes, field_axis))


def _masked(pixels: Pixels, block: np.ndarray, known: np.ndarray, gone: tuple[Sequence[int], int | None]) -> Pixels:
    """Result whose pixels are masked where an element that they hold is null."""
    lengths = pixels.lengths
    if lengths is not None:
        lengths = lengths.copy()
        for axis in (*gone[0], *([] if gone[1] is None else [gone[1]])):
            lengths[..., axis] = block.shape[axis + FIRST]
        lengths = None if (lengths == block.shape[FIRST:]).all() else lengths
    found = Pixels(block, pixels.mask, lengths)
    if known.all():
        return found
    inside = belonging(found)
    null = (known == 0) if inside is None else (known == 0) & inside
    return found._replace(mask=np.where(null.any(axis=tuple(range(FIRST, null.ndim))), 0.0, pixels.mask))


def _steps(
    pixels: Pixels, reducer: Reducer, axes: Sequence[int], field_axis: int | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Each input and its weights with dims (step, y, x, other axes …)."""
    inside = belonging(pixels)
    weights = np.broadcast_to(np.float64(1), pixels.data.shape) if inside is None else inside.astype(np.float64)
    if field_axis is None:
        parts, sizes = [pixels.data], [weights]
    else:
        size = pixels.data.shape[field_axis + FIRST]
        if size != reducer.inputs:
            raise EarthEngineError(
                f"The arrays have length {size} along fieldAxis {field_axis}, but the reducer has {reducer.inputs} inputs."
            )
        parts = [np.take(pixels.data, index, field_axis + FIRST) for index in range(size)]
        sizes = [np.take(weights, index, field_axis + FIRST) for index in range(size)]
    # without the field axis those after it count one less
    at = [axis + FIRST - (field_axis is not None and axis > field_axis) for axis in axes]
    return [_front(one, at) for one in parts], [_front(one, at) for one in sizes]


def _front(block: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    moved = np.moveaxis(block, axes, range(len(axes)))
    return moved.reshape(-1, *moved.shape[len(axes) :]) if len(axes) != 1 else moved


@algorithm("Image.arrayAccum")
def array_accum(input_: Image, axis: int, reducer: Reducer | None) -> Image:
    """Each element the reduction (default sum) of those up to it along an axis."""

    def running(own: Pixels) -> Pixels:
        if reducer is None or reducer.name == "sum":
            return own._replace(data=np.cumsum(own.data, axis + FIRST))
        steps = []
        mask = own.mask
        for count in range(1, own.data.shape[axis + FIRST] + 1):
            part = own.data[(*[slice(None)] * (axis + FIRST), slice(count))]
            found = reduce_arrays(Pixels(part, own.mask), reducer, [axis], None)
            mask = both(mask, found.mask)
            steps.append(found.data)
        return Pixels(np.concatenate(steps, axis + FIRST) if steps else own.data, mask, own.lengths)

    for band in arrays_only(input_):
        checked_axis(axis, band.type.dimensions)
    bands = [changed(band, running) for band in input_.bands]
    return input_.with_bands(
        [replace(band, type=PixelType("double", dimensions=band.type.dimensions)) for band in bands]
    )


@algorithm("Image.arrayArgmax")
def array_argmax(image: Image) -> Image:
    """Position of the greatest element, the first of several, as an array with one number per axis."""

    def find(own: Pixels) -> Pixels:
        inside = belonging(own)
        data = own.data if inside is None else np.where(inside, own.data, -np.inf)
        flat = data.reshape(*data.shape[:FIRST], -1)
        empty = (lengths_of(own) == 0).any(axis=-1)
        if flat.shape[-1] == 0:
            return Pixels(np.zeros((*empty.shape, data.ndim - FIRST)), np.zeros(empty.shape))
        at = np.unravel_index(flat.argmax(axis=-1), data.shape[FIRST:])
        return Pixels(np.stack(at, -1).astype(np.float64), np.where(empty, 0.0, own.mask))

    bands = [changed(band, find) for band in arrays_only(image)]
    return image.with_bands([replace(band, type=replace(LENGTH, dimensions=1)) for band in bands])


@algorithm("Image.arrayDotProduct", policies=("fractional_masks",))
def array_dot_product(image1: Image, image2: Image) -> Image:
    """Sum of the products of two 1-D arrays."""

    def dot(first: Band, second: Band) -> Band:
        if first.type.dimensions != 1 or second.type.dimensions != 1:
            raise EarthEngineError("Both images must hold arrays of 1 dimension.")

        def compute(grid: Grid) -> Pixels:
            one, other = first.pixels(grid), second.pixels(grid)
            left, right, _ = matched(one, other)  # beyond the lengths both are 0
            return Pixels(np.einsum("...n,...n->...", left, right), both(one.mask, other.mask))

        return replace(
            first, type=replace(union(first.type, second.type), dimensions=0, low=None, high=None), compute=compute
        )

    return image1.with_bands([dot(first, second) for first, second in paired(image1, image2)])
