"""Arrays whose lengths differ between pixels: dense blocks with the lengths beside them."""

from __future__ import annotations

import numpy as np

from gee.local.pixels import Pixels


def lengths_of(pixels: Pixels) -> np.ndarray:
    """Length of each pixel's array along each axis: dims (y, x, axis), int64."""
    if pixels.lengths is not None:
        return pixels.lengths
    shape = pixels.data.shape
    return np.broadcast_to(np.asarray(shape[2:], np.int64), (*shape[:2], len(shape) - 2))


def belonging(pixels: Pixels) -> np.ndarray | None:
    """Which elements belong to their pixel's array: dims of `data`, boolean; None where all do."""
    if pixels.lengths is None:
        return None
    found = np.ones(pixels.data.shape, bool)
    axes = pixels.data.ndim - 2
    for axis in range(axes):
        steps = np.arange(pixels.data.shape[axis + 2]).reshape([-1 if one == axis else 1 for one in range(axes)])
        found &= steps < pixels.lengths[..., axis].reshape(*pixels.data.shape[:2], *[1] * axes)
    return found


def grown(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Arrays with zeros appended up to a shape (dims after y and x)."""
    if data.shape[2:] == shape:
        return data
    return np.pad(data, [(0, 0), (0, 0), *((0, want - have) for have, want in zip(data.shape[2:], shape, strict=True))])


def aligned(*several: Pixels) -> tuple[list[np.ndarray], list[np.ndarray] | None]:
    """Blocks of one common shape, and the lengths of each; lengths None where no pixel's array differs."""
    shapes = [one.data.shape[2:] for one in several]
    if len(set(shapes)) == 1 and all(one.lengths is None for one in several):
        return [one.data for one in several], None
    common = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    return [grown(one.data, common) for one in several], [lengths_of(one) for one in several]


def packed(data: np.ndarray, mask: np.ndarray, lengths: np.ndarray) -> Pixels:
    """Pixels with blocks cut to the longest valid array, and without lengths where all are equal."""
    counted = lengths[mask > 0]
    if counted.size == 0:
        counted = np.zeros((1, lengths.shape[-1]), np.int64)
    longest = counted.max(axis=0)
    data = data[(slice(None), slice(None), *(slice(int(size)) for size in longest))]
    if (counted == longest).all():
        return Pixels(data, mask)
    return Pixels(data, mask, np.minimum(lengths, longest))
