"""Masks: combined, made for a grid, and set where results are not finite."""

from __future__ import annotations

from functools import reduce

import numpy as np

from gee.local.pixels import Grid, Pixels


def everywhere(grid: Grid) -> np.ndarray:
    """Mask of valid pixels: one value broadcast, dims (y, x), which `both` passes by."""
    return np.broadcast_to(np.float64(1), (grid.height, grid.width))


def nowhere(grid: Grid) -> np.ndarray:
    """Mask of invalid pixels: one value broadcast, dims (y, x)."""
    return np.broadcast_to(np.float64(0), (grid.height, grid.width))


def is_everywhere(mask: np.ndarray) -> bool:
    """Whether a mask is known to be 1 everywhere without looking at each pixel."""
    return mask.strides == (0, 0) and mask.size > 0 and mask[0, 0] == 1


def both(*masks: np.ndarray) -> np.ndarray:
    """Mask where all are valid; fractions combine by their minimum (policy `fractional_masks`, section 2)."""
    left = list({id(one): one for one in masks if not is_everywhere(one)}.values())  # bands often share one mask
    return reduce(np.minimum, left) if left else masks[0]


def finite(data: np.ndarray, mask: np.ndarray, lengths: np.ndarray | None = None) -> Pixels:
    """Pixels with what is not finite masked and 0 (policy `log_domain`); the arrays given are not changed."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.sum(data)):  # one pass: any NaN or infinity shows in the sum
            return Pixels(data, mask, lengths)
    good = np.isfinite(data)
    whole = good.all(axis=tuple(range(2, data.ndim))) if data.ndim > 2 else good
    return Pixels(np.where(good, data, 0.0), np.where(whole, mask, 0.0), lengths)
