"""The filter that was chosen, on the passes of one relative orbit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gee.speckle.boxcar import boxcar
from gee.speckle.choice import Speckle
from gee.speckle.focal_median import focal_median
from gee.speckle.gamma_map import gamma_map
from gee.speckle.lee import lee
from gee.speckle.lee_sigma import lee_sigma
from gee.speckle.multi_temporal import multi_temporal
from gee.speckle.refined_lee import refined_lee

if TYPE_CHECKING:
    import ee


def despeckle(images: Sequence[ee.Image], speckle: Speckle, *, polarizations: Sequence[str]) -> list[ee.Image]:
    """Filtered power of each pass, computed at the passes' own pixels.

    Parameters
    ----------
    images : linear power, masked where there is no data; for multi_temporal the passes of one relative orbit
    polarizations : names of the bands
    """
    if speckle.filter == "multi_temporal":
        return multi_temporal(images, window=speckle.window)
    return [_of_one_pass(image, speckle, polarizations) for image in images]


def _of_one_pass(image: ee.Image, speckle: Speckle, polarizations: Sequence[str]) -> ee.Image:
    if speckle.filter == "boxcar":
        return boxcar(image, window=speckle.window)
    if speckle.filter == "focal_median":
        return focal_median(image, radius=speckle.radius)
    if speckle.filter == "refined_lee":
        return refined_lee(image, looks=speckle.looks)
    if speckle.looks is None:
        raise ValueError(f"{speckle.filter} without looks")  # `Speckle` refuses that
    if speckle.filter == "lee_sigma":
        strong = {band: speckle.strong_power(band) for band in polarizations}
        return lee_sigma(image, window=speckle.window, looks=speckle.looks, sigma=speckle.sigma, strong=strong)
    known = {"lee": lee, "gamma_map": gamma_map}[speckle.filter]
    return known(image, window=speckle.window, looks=speckle.looks)
