"""Images of arrays: made from bands, sliced, joined, reshaped, and taken apart into bands (section 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from gee.local.bands import array_pixels
from gee.local.bands.arithmetic import paired, served
from gee.local.bands.array_pixels import FIRST, checked_axis
from gee.local.bands.masks import everywhere
from gee.local.bands.names import checked
from gee.local.bands.pixel_types import INTEGERS, union
from gee.local.bands.ragged import lengths_of
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import PixelType

LENGTH = PixelType("int", 0, INTEGERS["int32"][1])


def arrays_only(image: Image) -> Sequence[Band]:
    """Bands of an image, all of arrays.

    Raises
    ------
    EarthEngineError
        If one has numbers.
    """
    for band in image.bands:
        if not band.type.dimensions:
            raise EarthEngineError(f"Band '{band.name}' holds numbers, where arrays are needed.")
    return image.bands


def changed(band: Band, function: Callable[[Pixels], Pixels], dimensions: int | None = None) -> Band:
    """Band of a function of its pixels, with another number of axes."""
    type_ = band.type if dimensions is None else replace(band.type, dimensions=dimensions)
    return replace(band, type=type_, compute=lambda grid: function(band.pixels(grid)))


@algorithm("Image.toArray", policies=("fractional_masks",))
def to_array(image: Image, axis: int) -> Image:
    """One band `array` of all bands' numbers or arrays along an axis; masked where any is."""
    if not image.bands:
        raise EarthEngineError("The image has no bands.")
    dimensions = image.bands[0].type.dimensions
    if any(band.type.dimensions != dimensions for band in image.bands):
        raise EarthEngineError("The bands must all hold numbers, or arrays of equally many dimensions.")
    checked_axis(axis, dimensions, new=True)

    def compute(grid: Grid) -> Pixels:
        return array_pixels.stacked([band.pixels(grid) for band in image.bands], axis)

    type_ = replace(union(*(band.type for band in image.bands)), dimensions=max(dimensions, axis + 1))
    return image.with_bands([Band("array", type_, compute, image.bands[0].projection)])


@algorithm("Image.arrayGet")
def array_get(image: Image, position: Image) -> Image:
    """Element at a position of each array; masked where there is none."""
    for band in arrays_only(image):
        if len(position.bands) != band.type.dimensions:
            raise EarthEngineError(
                f"The position has {len(position.bands)} bands for arrays of {band.type.dimensions} dimensions."
            )

    def got(band: Band) -> Band:
        def compute(grid: Grid) -> Pixels:
            return array_pixels.picked(band.pixels(grid), [one.pixels(grid) for one in position.bands])

        return replace(band, type=replace(band.type, dimensions=0), compute=compute)

    return image.with_bands([got(band) for band in image.bands])


@algorithm("Image.arraySlice")
def array_slice(input_: Image, axis: int, start: Image | None, end: Image | None, step: int) -> Image:
    """Every `step`th element from `start` to before `end`, which may differ between pixels."""
    if step < 1:
        raise EarthEngineError(f"The step must be positive, not {step}.")
    none: Sequence[Band | None] = [None] * len(input_.bands)
    starts = none if start is None else served(input_, start, "start")
    ends = none if end is None else served(input_, end, "end")

    def cut(band: Band, first: Band | None, last: Band | None) -> Band:
        checked_axis(axis, band.type.dimensions)

        def compute(grid: Grid) -> Pixels:
            bounds = tuple(None if one is None else one.pixels(grid) for one in (first, last))
            return array_pixels.sliced(band.pixels(grid), axis, (bounds[0], bounds[1]), step)

        return replace(band, compute=compute)

    rows = zip(arrays_only(input_), starts, ends, strict=True)
    return input_.with_bands([cut(band, first, last) for band, first, last in rows])


@algorithm("Image.arraySort")
def array_sort(image: Image, keys: Image | None) -> Image:
    """Elements by ascending value, or by keys that vary along one axis."""
    others = arrays_only(image) if keys is None else served(image, keys, "keys")

    def sort(band: Band, other: Band) -> Band:
        def compute(grid: Grid) -> Pixels:
            own = band.pixels(grid)
            return array_pixels.ordered(own, own if other is band else other.pixels(grid))

        return replace(band, compute=compute)

    return image.with_bands([sort(band, other) for band, other in zip(arrays_only(image), others, strict=True)])


@algorithm("Image.arrayMask")
def array_mask(input_: Image, mask: Image) -> Image:
    """Elements where the mask's are not 0; arrays become shorter."""

    def keep(band: Band, other: Band) -> Band:
        return replace(band, compute=lambda grid: array_pixels.kept(band.pixels(grid), other.pixels(grid)))

    others = served(input_, mask, "mask")
    return input_.with_bands([keep(band, other) for band, other in zip(arrays_only(input_), others, strict=True)])


@algorithm("Image.arrayProject")
def array_project(input_: Image, axes: list[int]) -> Image:
    """Arrays with the axes given only; masked where one of the others is empty."""
    for band in arrays_only(input_):
        for axis in axes:
            checked_axis(axis, band.type.dimensions)
    return input_.with_bands(
        [changed(band, lambda own: array_pixels.projected(own, axes), len(axes)) for band in input_.bands]
    )


@algorithm("Image.arrayCat")
def array_cat(image1: Image, image2: Image, axis: int) -> Image:
    """Arrays of two images one after the other along an axis, band by band."""

    def join(first: Band, second: Band) -> Band:
        checked_axis(axis, first.type.dimensions, new=True)
        type_ = replace(union(first.type, second.type), dimensions=max(first.type.dimensions, axis + 1))

        def compute(grid: Grid) -> Pixels:
            one, other = (array_pixels.expanded(band.pixels(grid), axis) for band in (first, second))
            return array_pixels.concatenated(one, other, axis)

        return replace(first, type=type_, compute=compute)

    arrays_only(image1)
    arrays_only(image2)
    return image1.with_bands([join(first, second) for first, second in paired(image1, image2)])


@algorithm("Image.arrayRepeat")
def array_repeat(input_: Image, axis: int, copies: Image) -> Image:
    """Each array several times along an axis, which may be a new one."""

    def repeat(band: Band, count: Band) -> Band:
        checked_axis(axis, band.type.dimensions, new=True)
        type_ = replace(band.type, dimensions=max(band.type.dimensions, axis + 1))
        return replace(
            band, type=type_, compute=lambda grid: array_pixels.repeated(band.pixels(grid), axis, count.pixels(grid))
        )

    counts = served(input_, copies, "copies")
    return input_.with_bands([repeat(band, count) for band, count in zip(arrays_only(input_), counts, strict=True)])


@algorithm("Image.arrayReshape")
def array_reshape(image: Image, lengths: Image, dimensions: int) -> Image:
    """Arrays of other lengths, which must be the same at all pixels."""
    if len(lengths.bands) != 1:
        raise EarthEngineError(f"The lengths must be one band of arrays, not {len(lengths.bands)} bands.")
    shapes = arrays_only(lengths)[0]

    def reshape(band: Band) -> Band:
        def compute(grid: Grid) -> Pixels:
            own = band.pixels(grid)
            return array_pixels.reshaped(own, _one_shape(shapes.pixels(grid), dimensions))

        return replace(band, type=replace(band.type, dimensions=dimensions), compute=compute)

    return image.with_bands([reshape(band) for band in arrays_only(image)])


def _one_shape(pixels: Pixels, dimensions: int) -> list[int]:
    rows = pixels.data.reshape(-1, pixels.data.shape[-1]).astype(np.int64)
    fixed = pixels.data.strides[:2] == (0, 0)
    rows = rows[:1] if fixed else np.unique(rows[pixels.mask.ravel() > 0], axis=0)
    if pixels.lengths is not None or len(rows) > 1:
        raise NotImplementedHereError("lengths that differ between pixels are not implemented.")
    if len(rows) and rows.shape[1] != dimensions:
        raise EarthEngineError(f"There are {rows.shape[1]} lengths for {dimensions} dimensions.")
    return rows[0].tolist() if len(rows) else [0] * dimensions


@algorithm("Image.arrayPad")
def array_pad(image: Image, lengths: list[int], pad: float) -> Image:
    """Arrays with a value appended along each axis up to a length."""
    for band in arrays_only(image):
        if band.type.dimensions != len(lengths):
            raise EarthEngineError(f"There are {len(lengths)} lengths for {band.type.dimensions} dimensions.")
    return image.with_bands([changed(band, lambda own: array_pixels.padded(own, lengths, pad)) for band in image.bands])


@algorithm("Image.arrayTranspose", "Image.matrixTranspose")
def array_transpose(input_: Image, axis1: int, axis2: int) -> Image:
    """Arrays with two axes exchanged."""
    for band in arrays_only(input_):
        for axis in (axis1, axis2):
            checked_axis(axis, band.type.dimensions)
    return input_.with_bands(
        [changed(band, lambda own: array_pixels.transposed(own, axis1, axis2)) for band in input_.bands]
    )


@algorithm("Image.arrayDimensions")
def array_dimensions(input_: Image) -> Image:
    """Number of axes of each band's arrays."""

    def count(band: Band) -> Band:
        def compute(grid: Grid) -> Pixels:
            number = np.float64(band.type.dimensions)
            return Pixels(np.broadcast_to(number, (grid.height, grid.width)), band.pixels(grid).mask)

        return replace(band, type=PixelType("int", 0, 255), compute=compute)

    return input_.with_bands([count(band) for band in input_.bands])


@algorithm("Image.arrayLength")
def array_length(input_: Image, axis: int) -> Image:
    """Length of each array along an axis."""

    def measured(band: Band) -> Band:
        checked_axis(axis, band.type.dimensions)

        def compute(grid: Grid) -> Pixels:
            own = band.pixels(grid)
            return Pixels(lengths_of(own)[..., axis].astype(np.float64), own.mask)

        return replace(band, type=LENGTH, compute=compute)

    return input_.with_bands([measured(band) for band in arrays_only(input_)])


@algorithm("Image.arrayLengths")
def array_lengths(input_: Image) -> Image:
    """Lengths of each array along all axes, as an array."""

    def measure(own: Pixels) -> Pixels:
        return Pixels(lengths_of(own).astype(np.float64), own.mask)

    bands = [changed(band, measure) for band in arrays_only(input_)]
    return input_.with_bands([replace(band, type=replace(LENGTH, dimensions=1)) for band in bands])


@algorithm("Image.arrayFlatten")
def array_flatten(image: Image, coordinate_labels: list[list[str]], separator: str) -> Image:
    """One band of numbers per element, named by the labels of its positions, the first axis slowest."""
    if len(image.bands) != 1:
        raise EarthEngineError(f"The image must have one band, not {len(image.bands)}.")
    band = arrays_only(image)[0]
    if band.type.dimensions != len(coordinate_labels):
        raise EarthEngineError(
            f"There are labels for {len(coordinate_labels)} axes, but arrays of {band.type.dimensions} dimensions."
        )
    shape = tuple(len(labels) for labels in coordinate_labels)
    # all elements come from the same array: it is checked once per grid
    whole = changed(band, lambda own: _of_shape(own, shape))

    def element(index: tuple[int, ...]) -> Band:
        name = separator.join(labels[at] for labels, at in zip(coordinate_labels, index, strict=True))

        def compute(grid: Grid) -> Pixels:
            own = whole.pixels(grid)
            picked: np.ndarray = np.moveaxis(own.data, (0, 1), (-2, -1))[index]
            return Pixels(picked, own.mask)

        return replace(band, name=checked(name), type=replace(band.type, dimensions=0), compute=compute, size=None)

    return image.with_bands([element(index) for index in product(*(range(size) for size in shape))])


def _of_shape(own: Pixels, shape: tuple[int, ...]) -> Pixels:
    if own.lengths is None and own.data.shape[FIRST:] == shape:
        return own
    wrong = (lengths_of(own) != np.asarray(shape)).any(axis=-1) & (own.mask > 0)
    if wrong.any():
        found = lengths_of(own)[wrong][0].tolist()
        raise EarthEngineError(f"Arrays must have the shape of the labels, {list(shape)}, but one has {found}.")
    return Pixels(np.zeros((*own.mask.shape, *shape)), own.mask)


@algorithm("Image.matrixIdentity")
def matrix_identity(size: int) -> Image:
    """Identity matrix everywhere, band `constant`."""
    block = np.eye(size)

    def compute(grid: Grid) -> Pixels:
        return Pixels(np.broadcast_to(block, (grid.height, grid.width, size, size)), everywhere(grid))

    return Image((Band("constant", PixelType("int", 0, 1, 2), compute),))
