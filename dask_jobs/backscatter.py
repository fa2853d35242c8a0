"""Pixels of scenes as linear power, placed on the grid of a stack by their coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.readers.pixels import read_pixels
from dask_jobs.scenes import Pass, Raster, Scale, Scene
from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    from infra.storage import S3Options


def read_power(raster: Raster, *, grid: Grid, target: Grid, window: Window, s3: S3Options) -> np.ndarray:
    """Calibrated linear power of a window, dims (window.height, window.width), float32, NaN where there is no data.

    Parameters
    ----------
    raster : file, band, scale and calibration
    grid : the file's
    target, window : pixels of the grid `target`; only those that the file covers are read

    Returns
    -------
    power, dimensionless: NaN outside the file, at declared no-data, under the file's own mask, where not finite.
        Values of uncalibrated power files keep their bits. Zero and negative power (noise removed from
        dark water) stay: they are measurements, and dropping them biases a mean.

    Raises
    ------
    LatticeError
        If the file is not on the target's lattice.
    InputError, CredentialsError, TransientError
        If the file cannot be read.
    """
    power = np.full((window.height, window.width), np.nan, dtype=np.float32)
    for values, valid, slices in _read(raster, grid=grid, target=target, window=window, s3=s3):
        power[slices] = np.where(valid, to_power(values, raster), np.float32(np.nan))
    return power


def to_power(values: np.ndarray, raster: Raster) -> np.ndarray:
    """Linear power, float32, of a file's values; computed in float64, NaN where the result is not finite."""
    if raster.scale == Scale.POWER and raster.calibration_db == 0 and values.dtype == np.float32:
        return np.where(np.isfinite(values), values, np.float32(np.nan))
    wide = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not finite, hence NaN below
        if raster.scale == Scale.DB:
            wide = 10 ** ((wide + raster.calibration_db) / 10)
        else:
            wide = (wide**2 if raster.scale == Scale.AMPLITUDE else wide) * 10 ** (raster.calibration_db / 10)
        power = wide.astype(np.float32)
    # a float64 -inf in dB is zero power by the formula, and no measurement
    return np.where(np.isfinite(power) & np.isfinite(values), power, np.float32(np.nan))


def mask_layers(scene: Scene) -> frozenset[str]:
    """Which of "layover", "shadow" and "water" the scene's product has a layer of."""
    return frozenset(scene.mask.layers) if scene.mask else frozenset()


def check_mask_layers(scenes: Sequence[Scene], hide: frozenset[str]) -> None:
    """Refuse to hide what a scene has no layer of.

    Raises
    ------
    InputError
        Naming the layer and the scene.
    """
    for scene in scenes:
        lacking = sorted(hide - mask_layers(scene))
        if lacking:
            there = ", ".join(sorted(mask_layers(scene))) or "no mask at all"
            raise InputError(
                f"mask: {lacking[0]} cannot be hidden: {scene.id} has no layer of it (it has {there})",
                f"Take {lacking[0]} out of `mask`, or add the product's mask files to `path`.",
            )


def read_mask(scene: Scene, *, target: Grid, window: Window, hide: frozenset[str], s3: S3Options) -> np.ndarray:
    """Whether each pixel is hidden, dims (window.height, window.width), bool; what the product calls invalid always is.

    False outside the mask's file, and everywhere where the scene has none and nothing is to be hidden.

    Raises
    ------
    InputError
        If the scene has no layer of what is to be hidden.
    """
    check_mask_layers([scene], hide)
    hidden = np.zeros((window.height, window.width), dtype=bool)
    if scene.mask is None:
        return hidden
    codes = [*scene.mask.invalid, *(code for layer in hide for code in scene.mask.layers[layer])]
    for values, _, slices in _read(scene.mask.raster, grid=scene.grid, target=target, window=window, s3=s3):
        hidden[slices] = np.isin(values, codes)
    return hidden


def mosaic(
    pass_: Pass,
    polarization: str,
    *,
    target: Grid,
    window: Window,
    hide: frozenset[str] = frozenset(),
    inside: np.ndarray | None = None,
    s3: S3Options,
) -> tuple[np.ndarray, int, int]:
    """Power of one pass in a window, and how many of its pixels are masked; parameters as in `mosaic_layers`.

    Returns
    -------
    power : dims (window.height, window.width), float32, NaN where no scene has data, all are hidden, or outside
    masked : pixels that have data in some scene, all of it hidden
    covered : pixels that have data in some scene, hidden or not; masked / covered is the masked fraction
    """
    power, covered = mosaic_layers(pass_, polarization, target=target, window=window, hide=hide, inside=inside, s3=s3)
    return power, *masked_and_covered(power, covered)


def masked_and_covered(power: np.ndarray, covered: np.ndarray) -> tuple[int, int]:
    """Number of covered pixels without power, and of covered pixels."""
    return int(np.count_nonzero(covered & np.isnan(power))), int(np.count_nonzero(covered))


def mosaic_layers(
    pass_: Pass,
    polarization: str,
    *,
    target: Grid,
    window: Window,
    hide: frozenset[str] = frozenset(),
    inside: np.ndarray | None = None,
    s3: S3Options,
) -> tuple[np.ndarray, np.ndarray]:
    """Power of one pass in a window: each scene masked, then the first one (by id) with data gives the pixel.

    A scene is read only where it could still give a pixel.

    Parameters
    ----------
    window : pixels of `target`, on whose lattice every scene lies; may reach outside
    inside : dims (window.height, window.width), bool; pixels outside become no data and are not counted

    Returns
    -------
    power : dims (window.height, window.width), float32, NaN where no scene has data, all are hidden, or outside
    covered : same dims, bool, whether some scene has data, hidden or not
    """
    power = np.full((window.height, window.width), np.nan, dtype=np.float32)
    covered = np.zeros(power.shape, dtype=bool)
    wanted = np.ones(power.shape, dtype=bool) if inside is None else inside
    for scene in sorted(pass_.scenes, key=lambda s: s.id):
        reach = target.window_of(scene.grid).intersect(window)
        part = Window(reach.row - window.row, reach.col - window.col, reach.height, reach.width).slices
        if not (reach.height and reach.width and np.isnan(power[part][wanted[part]]).any()):
            continue
        own = read_power(scene.rasters[polarization], grid=scene.grid, target=target, window=reach, s3=s3)
        if scene.gain is not None:
            own *= read_power(scene.gain, grid=scene.grid, target=target, window=reach, s3=s3)
        covered[part] |= np.isfinite(own)
        own[read_mask(scene, target=target, window=reach, hide=hide, s3=s3)] = np.nan
        power[part] = np.where(np.isnan(power[part]), own, power[part])
    covered &= wanted
    power[~wanted] = np.nan
    return power, covered


def _read(
    raster: Raster, *, grid: Grid, target: Grid, window: Window, s3: S3Options
) -> list[tuple[np.ndarray, np.ndarray, tuple[slice, slice]]]:
    """Values of the file inside the window, whether they are data, and where they go; empty where they do not meet."""
    there = target.window_of(grid)
    part = there.intersect(window)
    if not (part.height and part.width):
        return []
    source = Window(part.row - there.row, part.col - there.col, part.height, part.width)
    values, valid = read_pixels(raster, grid=grid, window=source, s3=s3)
    return [(values, valid, Window(part.row - window.row, part.col - window.col, part.height, part.width).slices)]
