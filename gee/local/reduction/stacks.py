"""Pixels of many bands or dates reduced to a few, in strips that bound the memory (sections 5 and 13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gee.local.bands.masks import everywhere, is_everywhere, nowhere
from gee.local.bands.pixel_types import union
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.policies import Policies
from gee.local.reduction.calling import Output
from gee.local.values import Collection, PixelType, Reducer

CACHED_BYTES = 2**20  # of values reduced at once: they stay in the second-level cache
HELD_BYTES = 2**28  # of pixels asked for at once: of more, rows are computed strip by strip
LEAST_ROWS = 16  # of a strip: neighbourhoods compute margins again for each


def reduced(reducer: Reducer, stacks: Sequence[Sequence[Band]], grid: Grid) -> list[Output]:
    """Outputs of a reducer over bands that lie on each other, masked where no band is valid.

    Parameters
    ----------
    stacks : per input of the reducer, bands in the order of its steps

    Returns
    -------
    data and mask per output, dims (y, x), the former with the axes of arrays after them
    """
    steps = max(sum(len(stack) for stack in stacks), 1)
    rows = max(HELD_BYTES // (16 * steps * max(grid.width, 1)), LEAST_ROWS)
    if rows >= grid.height:
        return _of_pixels(reducer, [[band.pixels(grid) for band in stack] for stack in stacks], grid)
    parts = []
    for top in range(0, grid.height, rows):
        part = grid.pad(0, -top, 0, min(top + rows, grid.height) - grid.height)
        parts.append(_of_pixels(reducer, [[band.pixels(part) for band in stack] for stack in stacks], part))
    return _joined(parts)


def _of_pixels(reducer: Reducer, stacks: Sequence[Sequence[Pixels]], grid: Grid) -> list[Output]:
    if len(stacks) == 1 and reducer.name in FOLDS and stacks[0]:
        return [FOLDS[reducer.name](stacks[0])]
    steps = max(sum(len(stack) for stack in stacks), 1)
    rows = max(CACHED_BYTES // (8 * steps * max(grid.width, 1)), 1)
    parts = []
    for top in range(0, grid.height, rows):
        part = slice(top, min(top + rows, grid.height))
        shape = (part.stop - top, grid.width)
        values = [_laid([one.data[part] for one in stack], shape) for stack in stacks]
        weights = [_laid([one.mask[part] for one in stack], shape) for stack in stacks]
        there = np.logical_or.reduce([(one > 0).any(axis=0) for one in weights])
        outputs = reducer.reduce(values, weights)
        parts.append([(data, np.where(there, mask, 0.0)) for data, mask in outputs])
    return _joined(parts)


def _laid(arrays: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    return np.stack(arrays) if arrays else np.zeros((0, *shape))


def _joined(parts: Sequence[list[Output]]) -> list[Output]:
    if len(parts) == 1:
        return list(parts[0])
    return [
        (np.concatenate([part[index][0] for part in parts]), np.concatenate([part[index][1] for part in parts]))
        for index in range(len(parts[0]))
    ]


# -- folds: one step after the other, without laying them side by side --------------------------------------------------


def _sum(stack: Sequence[Pixels]) -> Output:
    total = np.zeros(stack[0].data.shape)
    for pixels in stack:
        total += pixels.data if is_everywhere(pixels.mask) else pixels.data * pixels.mask
    return total, _any(stack)


def _mean(stack: Sequence[Pixels]) -> Output:
    total, mask = _sum(stack)
    if all(is_everywhere(one.mask) for one in stack):
        total /= len(stack)
        return total, mask
    weights = np.add.reduce([one.mask for one in stack])
    return np.divide(total, weights, out=np.zeros(total.shape), where=weights > 0), mask


def _extreme(fold: np.ufunc, nothing: float) -> Callable[[Sequence[Pixels]], Output]:
    def reduce(stack: Sequence[Pixels]) -> Output:
        found = np.full(stack[0].data.shape, nothing)
        for pixels in stack:
            data = pixels.data if is_everywhere(pixels.mask) else np.where(pixels.mask > 0, pixels.data, nothing)
            fold(found, data, out=found)
        mask = _any(stack)
        return (found if is_everywhere(mask) else np.where(mask > 0, found, 0.0)), mask

    return reduce


def _any(stack: Sequence[Pixels]) -> np.ndarray:
    for pixels in stack:
        if is_everywhere(pixels.mask):
            return pixels.mask
    found = stack[0].mask > 0
    for pixels in stack[1:]:
        found = found | (pixels.mask > 0)
    return found.astype(np.float64)


FOLDS: dict[str, Callable[[Sequence[Pixels]], Output]] = {
    "sum": _sum,
    "mean": _mean,
    "min": _extreme(np.minimum, np.inf),
    "max": _extreme(np.maximum, -np.inf),
}


# -- collections ------------------------------------------------------------------------------------------------------


def images_of(collection: Collection) -> list[Image]:
    """Images of a collection.

    Raises
    ------
    EarthEngineError
        If an element is none.
    """
    wrong = next((one for one in collection.elements if not isinstance(one, Image)), None)
    if wrong is not None:
        raise EarthEngineError(f"Expected a collection of images, but found a {type(wrong).__name__}.")
    return list(collection.elements)


def stacks_of(collection: Collection, policies: Policies) -> list[tuple[str, PixelType, list[Band]]]:
    """Per band of a collection its name, the type that holds all of its images, and these bands in order.

    Raises
    ------
    EarthEngineError
        If the images differ in names or number of bands, or in the precision or dimensions of their types; by policy
        `ranges` also if they differ in the range.
    """
    images = images_of(collection)
    if not images:
        return []
    first = images[0]
    for image in images[1:]:
        _check(first, image, policies)
    by_name = [{band.name: band for band in image.bands} for image in images]
    return [
        (band.name, union(*(one[band.name].type for one in by_name)), [one[band.name] for one in by_name])
        for band in first.bands
    ]


def _check(first: Image, image: Image, policies: Policies) -> None:
    if sorted(first.band_names) != sorted(image.band_names):
        raise _incompatible(
            f"First image type: {_bands_told(first)}. Current image type: {_bands_told(image)}. "
            f"Some bands might require explicit casts."
        )
    own = {band.name: band.type for band in image.bands}
    for band in first.bands:
        expected, actual = band.type, own[band.name]
        same = (expected.precision, expected.dimensions) == (actual.precision, actual.dimensions)
        if not same or (policies.ranges == "error" and expected != actual):
            raise _incompatible(
                f"Mismatched type for band '{band.name}':\nExpected type: {told(expected)}.\nActual type: {told(actual)}."
            )


def _incompatible(detail: str) -> EarthEngineError:
    return EarthEngineError(
        "Expected a homogeneous image collection, but an image with incompatible bands was encountered:\n" + detail
    )


def _bands_told(image: Image) -> str:
    return f"{len(image.bands)} bands ({image.band_names})"


def told(type_: PixelType) -> str:
    """Type as errors name it: `Float<0.0,255.0>`, `Integer<0,255>`, `Double`."""
    name = {"int": "Integer", "float": "Float", "double": "Double"}[type_.precision]
    limits = (
        "" if type_.low is None or type_.high is None else f"<{_limit(type_, type_.low)},{_limit(type_, type_.high)}>"
    )
    return name + limits + (f" ({type_.dimensions} dimensions)" if type_.dimensions else "")


def _limit(type_: PixelType, value: float) -> str:
    return str(int(value)) if type_.precision == "int" else str(float(value))


def over(stack: Iterable[Band], grid: Grid) -> Pixels:
    """Bands painted over each other, the last on top: `m * top + (1 - m) * below` where masks are fractions.

    What is hidden entirely is not computed.
    """
    data: np.ndarray | None = None
    mask = nowhere(grid)
    for band in reversed(list(stack)):
        below = band.pixels(grid)
        if data is None:
            data, mask = below.data, below.mask
        else:
            share = (1 - mask) * below.mask
            total = mask + share
            top = _like(mask, data)
            weight = np.divide(top, _like(total, data), out=np.zeros(top.shape), where=_like(total, data) > 0)
            data = np.where(weight == 1, data, weight * data + (1 - weight) * below.data)
            mask = total
        if is_everywhere(mask) or (mask == 1).all():
            mask = everywhere(grid)
            break
    return Pixels(np.zeros((grid.height, grid.width)) if data is None else data, mask)


def _like(mask: np.ndarray, data: np.ndarray) -> np.ndarray:
    return mask.reshape(mask.shape + (1,) * (data.ndim - 2))
