"""The filter that was chosen, on passes of one relative orbit or on one pass."""

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


def despeckle(passes: ee.ImageCollection, speckle: Speckle, *, polarizations: Sequence[str]) -> ee.ImageCollection:
    """Filtered power of each pass, computed at the passes' own pixels.

    The filter stands in the graph once, however many passes there are.

    Parameters
    ----------
    passes : linear power, masked where there is no data; for multi_temporal those of one relative orbit
    polarizations : names of the bands
    """
    if speckle.filter == "multi_temporal":
        return multi_temporal(passes, window=speckle.window)
    found: ee.ImageCollection = passes.map(lambda image: despeckle_pass(image, speckle, polarizations=polarizations))
    return found


def despeckle_pass(image: ee.Image, speckle: Speckle, *, polarizations: Sequence[str]) -> ee.Image:
    """Filtered power of one pass; parameters as in `despeckle`.

    Raises
    ------
    ValueError
        For multi_temporal, which needs several.
    """
    if speckle.filter == "boxcar":
        return boxcar(image, window=speckle.window)
    if speckle.filter == "focal_median":
        return focal_median(image, radius=speckle.radius)
    if speckle.filter == "refined_lee":
        return refined_lee(image, looks=speckle.looks)
    if speckle.filter == "multi_temporal" or speckle.looks is None:
        raise ValueError(f"{speckle.filter} of one pass, {speckle.looks} looks")
    if speckle.filter == "lee_sigma":
        strong = {band: speckle.strong_power(band) for band in polarizations}
        return lee_sigma(image, window=speckle.window, looks=speckle.looks, sigma=speckle.sigma, strong=strong)
    known = {"lee": lee, "gamma_map": gamma_map}[speckle.filter]
    return known(image, window=speckle.window, looks=speckle.looks)
