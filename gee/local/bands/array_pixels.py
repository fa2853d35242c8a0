"""Shapes of per-pixel arrays changed: sliced, joined, repeated, reshaped, masked (section 8).

Blocks have dims (y, x, axis 0, axis 1 …); the memory order is free, and planes of bands stay whole in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gee.local.bands.masks import both
from gee.local.bands.ragged import aligned, belonging, grown, lengths_of, packed
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.pixels import Pixels

FIRST = 2  # axis of the block that is axis 0 of the arrays


def checked_axis(axis: int, dimensions: int, *, new: bool = False) -> int:
    """An axis of arrays, or with `new` the next one.

    Raises
    ------
    EarthEngineError
        If there is none.
    """
    if not 0 <= axis < dimensions + new:
        raise EarthEngineError(f"Axis {axis} is out of range for arrays of {dimensions} dimensions.")
    return axis


def expanded(pixels: Pixels, axis: int) -> Pixels:
    """Arrays with another axis of length 1 after the last, where `axis` is one beyond."""
    if axis < pixels.data.ndim - FIRST:
        return pixels
    lengths = pixels.lengths
    if lengths is not None:
        lengths = np.concatenate([lengths, np.ones((*lengths.shape[:2], 1), np.int64)], -1)
    return Pixels(pixels.data[..., None], pixels.mask, lengths)


def stacked(parts: Sequence[Pixels], axis: int) -> Pixels:
    """Numbers or arrays of several bands one after the other along an axis; masked where any is."""
    mask = both(*(one.mask for one in parts))
    if parts[0].data.ndim == FIRST:
        # bands stay planes in memory: reducing them later runs over whole planes
        return Pixels(np.moveaxis(np.stack([one.data for one in parts]), 0, -1), mask)
    found = expanded(parts[0], axis)
    for part in parts[1:]:
        found = concatenated(found, expanded(part, axis), axis)
    return found._replace(mask=mask)


def concatenated(first: Pixels, second: Pixels, axis: int) -> Pixels:
    """Arrays of two bands one after the other along an axis; masked where either is."""
    mask = both(first.mask, second.mask)
    others = [one for one in range(first.data.ndim - FIRST) if one != axis]
    _check_equal(first, second, mask, others)
    if first.lengths is None and second.lengths is None:
        one, other = _same_elsewhere(first, second, axis)
        return Pixels(np.concatenate([one, other], axis + FIRST), mask)
    one, other = _same_elsewhere(first, second, axis)
    block = np.concatenate([one, other], axis + FIRST)
    sizes = lengths_of(first)[..., axis], lengths_of(second)[..., axis]
    steps = np.arange(block.shape[axis + FIRST])
    index = np.where(steps < sizes[0][..., None], steps, first.data.shape[axis + FIRST] + steps - sizes[0][..., None])
    lengths = np.maximum(lengths_of(first), lengths_of(second))
    lengths[..., axis] = sizes[0] + sizes[1]
    return taken(Pixels(block, mask), axis, index, lengths)


def taken(pixels: Pixels, axis: int, index: np.ndarray, lengths: np.ndarray) -> Pixels:
    """Elements of each pixel's array by their positions along an axis.

    Parameters
    ----------
    index : dims (y, x, new length); what lies beyond the lengths may be anything
    lengths : of the result, dims (y, x, axis)
    """
    data = pixels.data
    if data.shape[axis + FIRST] == 0 or index.shape[-1] == 0:
        shape = [*data.shape]
        shape[axis + FIRST] = index.shape[-1]
        return blanked(Pixels(np.zeros(shape), pixels.mask, lengths))
    index = np.clip(index, 0, data.shape[axis + FIRST] - 1)
    at = index.reshape(*index.shape[:2], *[-1 if one == axis else 1 for one in range(data.ndim - FIRST)])
    return blanked(Pixels(np.take_along_axis(data, at, axis + FIRST), pixels.mask, lengths))


def blanked(pixels: Pixels) -> Pixels:
    """Arrays packed, with 0 beyond each pixel's lengths."""
    if pixels.lengths is None:
        return pixels
    found = packed(pixels.data, pixels.mask, pixels.lengths)
    inside = belonging(found)
    return found if inside is None else found._replace(data=np.where(inside, found.data, 0.0))


def single(pixels: Pixels | None) -> int | None:
    """Value of a band of one number everywhere, known without looking at each pixel; None otherwise."""
    if pixels is None or pixels.data.size == 0 or pixels.data.strides[:2] != (0, 0) or pixels.mask.strides != (0, 0):
        return None
    return int(pixels.data[0, 0]) if pixels.data.ndim == FIRST and pixels.mask[0, 0] > 0 else None


def sliced(pixels: Pixels, axis: int, bounds: tuple[Pixels | None, Pixels | None], step: int) -> Pixels:
    """Every `step`th element from start to before end along an axis; bounds may differ between pixels."""
    start, end = bounds
    fixed = single(start), single(end)
    plain = all((bound is None) == (value is None) for bound, value in zip(bounds, fixed, strict=True))
    if plain and pixels.lengths is None:
        at = [slice(None)] * pixels.data.ndim
        at[axis + FIRST] = slice(fixed[0], fixed[1], step)
        return pixels._replace(data=pixels.data[tuple(at)])
    own = lengths_of(pixels)[..., axis]
    first, last = _bound(start, own, np.zeros_like(own)), _bound(end, own, own)
    count = np.maximum(-((first - last) // step), 0)
    longest = int(count[pixels.mask > 0].max(initial=0))
    lengths = lengths_of(pixels).copy()
    lengths[..., axis] = count
    return taken(pixels, axis, first[..., None] + step * np.arange(longest), lengths)


def _bound(pixels: Pixels | None, own: np.ndarray, default: np.ndarray) -> np.ndarray:
    """Positions of a bound within each pixel's length; negative ones count from the end, masked ones are the default."""
    if pixels is None:
        return default
    at = np.trunc(pixels.data).astype(np.int64)
    at = np.clip(np.where(at < 0, at + own, at), 0, own)
    return np.asarray(np.where(pixels.mask > 0, at, default))


def picked(pixels: Pixels, position: Sequence[Pixels]) -> Pixels:
    """The element at a position of each pixel's array; masked where it has none there."""
    fixed = [single(one) for one in position]
    if pixels.lengths is None and all(
        at is not None and 0 <= at < size for at, size in zip(fixed, pixels.data.shape[FIRST:], strict=True)
    ):
        return Pixels(pixels.data[(slice(None), slice(None), *fixed)], pixels.mask)
    at = np.stack([np.trunc(one.data).astype(np.int64) for one in position], -1)
    inside: np.ndarray = np.all((at >= 0) & (at < lengths_of(pixels)), axis=-1)
    mask = np.where(inside, both(pixels.mask, *(one.mask for one in position)), 0.0)
    if 0 in pixels.data.shape:
        return Pixels(np.zeros(mask.shape), mask)
    at = np.where(inside[..., None], at, 0)
    rows, cols = np.ogrid[: mask.shape[0], : mask.shape[1]]
    return Pixels(pixels.data[(rows, cols, *np.moveaxis(at, -1, 0))], mask)


def projected(pixels: Pixels, axes: Sequence[int]) -> Pixels:
    """Arrays with the axes given only; masked where one of the others is empty.

    Raises
    ------
    EarthEngineError
        If one of the others is longer than 1.
    """
    dropped = [one for one in range(pixels.data.ndim - FIRST) if one not in axes]
    mask, lengths = pixels.mask, pixels.lengths
    for axis in dropped:
        size = pixels.data.shape[axis + FIRST]
        if size > 1 and (mask > 0).any():
            raise EarthEngineError(f"Axis {axis} is dropped, but has length {size}; it must be at most 1.")
        if size == 0:
            mask = np.zeros_like(mask)
        elif lengths is not None:
            mask = np.where(lengths[..., axis] == 0, 0.0, mask)
    shape = tuple(max(size, 1) if one in dropped else size for one, size in enumerate(pixels.data.shape[FIRST:]))
    block = grown(pixels.data, shape)[
        (slice(None), slice(None), *(0 if one in dropped else slice(None) for one in range(len(shape))))
    ]
    order = [sorted(axes).index(axis) + FIRST for axis in axes]
    data = block.transpose(0, 1, *order)
    return blanked(Pixels(data, mask, None if lengths is None else lengths[..., list(axes)]))


def kept(pixels: Pixels, by: Pixels) -> Pixels:
    """Elements where another array is not 0; it varies along one axis only, which becomes shorter."""
    axis = varying_axis(by)
    if by.data.ndim != pixels.data.ndim:
        raise EarthEngineError(f"The mask has {by.data.ndim - FIRST} dimensions, the array {pixels.data.ndim - FIRST}.")
    size = pixels.data.shape[axis + FIRST]
    flat = _line(by, axis)
    if flat.shape[-1] not in (1, size):
        raise EarthEngineError(f"The mask has length {flat.shape[-1]} along axis {axis}, the array {size}.")
    keep = np.broadcast_to(flat != 0, (*flat.shape[:2], size))
    keep = keep & (np.arange(size) < lengths_of(pixels)[..., axis, None])
    order = np.argsort(~keep, axis=-1, kind="stable")
    lengths = lengths_of(pixels).copy()
    lengths[..., axis] = keep.sum(axis=-1)
    return taken(pixels._replace(mask=both(pixels.mask, by.mask)), axis, order, lengths)


def ordered(pixels: Pixels, keys: Pixels) -> Pixels:
    """Elements by ascending keys, which vary along one axis only; equal ones stay in order."""
    axis = varying_axis(keys)
    own = keys is pixels
    if own and pixels.data.ndim == FIRST + 1 and pixels.lengths is None:
        return pixels._replace(data=np.sort(pixels.data, axis=-1))
    size = pixels.data.shape[axis + FIRST]
    flat = _line(keys, axis)
    if flat.shape[-1] != size:
        raise EarthEngineError(f"There are {flat.shape[-1]} keys for length {size} along axis {axis}.")
    inside = np.arange(size) < lengths_of(pixels)[..., axis, None]
    order = np.argsort(np.where(inside, flat, np.inf), axis=-1, kind="stable")
    mask = pixels.mask if own else both(pixels.mask, keys.mask)
    return taken(pixels._replace(mask=mask), axis, order, lengths_of(pixels))


def varying_axis(pixels: Pixels) -> int:
    """The one axis along which arrays have more than one element.

    Raises
    ------
    EarthEngineError
        If there are several.
    """
    longer = [axis for axis, size in enumerate(pixels.data.shape[FIRST:]) if size != 1]
    if len(longer) > 1:
        raise EarthEngineError("The keys or the mask may have more than one element along one axis only.")
    return longer[0] if longer else 0


def _line(pixels: Pixels, axis: int) -> np.ndarray:
    """Arrays that vary along one axis, as dims (y, x, that axis)."""
    shape = pixels.data.shape
    return pixels.data.reshape(*shape[:FIRST], shape[axis + FIRST])


def repeated(pixels: Pixels, axis: int, copies: Pixels) -> Pixels:
    """Each pixel's array several times along an axis."""
    pixels = expanded(pixels, axis)
    mask = both(pixels.mask, copies.mask)
    count = single(copies)
    if count is not None and pixels.lengths is None:
        times = [1] * pixels.data.ndim
        times[axis + FIRST] = max(count, 0)
        return Pixels(np.tile(pixels.data, times), mask)
    own = lengths_of(pixels)[..., axis]
    lengths = lengths_of(pixels).copy()
    lengths[..., axis] = own * np.maximum(np.trunc(copies.data).astype(np.int64), 0)
    longest = int(lengths[..., axis][mask > 0].max(initial=0))
    index = np.arange(longest) % np.maximum(own, 1)[..., None]
    return taken(pixels._replace(mask=mask), axis, index, lengths)


def reshaped(pixels: Pixels, shape: Sequence[int]) -> Pixels:
    """Arrays of another shape, elements in order with the last axis fastest; one length may be -1.

    Raises
    ------
    EarthEngineError
        If the number of elements differs.
    """
    if pixels.lengths is not None:
        if pixels.data.ndim == FIRST + 1 and list(shape) == [-1]:
            return pixels
        raise NotImplementedHereError("arrays whose lengths differ between pixels cannot be reshaped.")
    have = pixels.data.shape[FIRST:]
    try:
        target = np.empty(have).reshape(shape).shape
    except ValueError as error:
        raise EarthEngineError(f"Cannot reshape array of shape {list(have)} to {list(shape)}.") from error
    return pixels._replace(data=pixels.data.reshape(*pixels.data.shape[:FIRST], *target))


def padded(pixels: Pixels, lengths: Sequence[int], value: float) -> Pixels:
    """Arrays with a value appended along each axis up to a length."""
    shape = tuple(max(have, want) for have, want in zip(pixels.data.shape[FIRST:], lengths, strict=True))
    own = lengths_of(pixels)
    block = grown(pixels.data, shape)
    inside = belonging(Pixels(block, pixels.mask, own))
    data = block if inside is None else np.where(inside, block, value)
    return blanked(Pixels(data, pixels.mask, np.maximum(own, np.asarray(lengths, np.int64))))


def transposed(pixels: Pixels, axis1: int, axis2: int) -> Pixels:
    """Arrays with two axes exchanged."""
    lengths = pixels.lengths
    if lengths is not None:
        order = list(range(lengths.shape[-1]))
        order[axis1], order[axis2] = axis2, axis1
        lengths = lengths[..., order]
    return Pixels(np.swapaxes(pixels.data, axis1 + FIRST, axis2 + FIRST), pixels.mask, lengths)


def _same_elsewhere(first: Pixels, second: Pixels, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks grown to one shape but for an axis."""
    shapes = [one.data.shape[FIRST:] for one in (first, second)]
    common = [max(sizes) for sizes in zip(*shapes, strict=True)]
    grown_shapes = [tuple(shape[one] if one == axis else size for one, size in enumerate(common)) for shape in shapes]
    return grown(first.data, grown_shapes[0]), grown(second.data, grown_shapes[1])


def _check_equal(first: Pixels, second: Pixels, mask: np.ndarray, axes: Sequence[int]) -> None:
    if first.data.ndim != second.data.ndim:
        raise EarthEngineError(
            f"Arrays must have the same number of dimensions, not {first.data.ndim - FIRST} and {second.data.ndim - FIRST}."
        )
    (_, _), lengths = aligned(first, second)
    if lengths is None or not axes:
        return
    wrong = (lengths[0][..., axes] != lengths[1][..., axes]).any(axis=-1) & (mask > 0)
    if wrong.any():
        one, other = (each[wrong][0].tolist() for each in lengths)
        raise EarthEngineError(f"Arrays must have equal lengths on the other axes, but have {one} and {other}.")
