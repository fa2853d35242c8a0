"""Composites: power of passes averaged to a grid, quantities of each pass, and what a reducer makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import ee

from gee.backscatter import decibels, positive
from gee.measures import COUNT, DEVIATION, MEAN, Measure

VV, VH, RATIO, DB = "VV", "VH", "ratio", "_db"


@dataclass(frozen=True, kw_only=True)
class Average:
    """Grid that power is averaged to before anything else is made of it.

    Attributes
    ----------
    crs : code or WKT
    transform : x scale, x shear, x of the corner, y shear, y scale, y of the corner; CRS units
    most : pixels of a pass that one pixel of the grid may touch
    """

    crs: str
    transform: tuple[float, ...]
    most: int = 1024


def composite(
    passes: ee.ImageCollection,
    *,
    measures: Sequence[Measure],
    unfiltered: ee.ImageCollection | None = None,
    average: Average | None = None,
) -> ee.Image:
    """Bands named as the measures are, float64, masked where no pass has data.

    Medians and percentiles are of the quantity of each pass, interpolated linearly between ranks, standard deviations the
    population's of the same. A mean is of power: of a ratio the mean VV over the mean VH, in dB that of the mean.
    `count` is how many passes have data: 0 where none has.

    Parameters
    ----------
    passes : linear power, bands of the polarizations that the measures need, each masked where one of them has no data
    measures : of these passes
    unfiltered : the same passes before the speckle filter, for measures that are not `filtered`
    average : grid to which power is averaged by area; None where the passes lie on the grid that is asked for

    Returns
    -------
    its pixels are those of the grid that it is asked for on: name CRS and transform then, its own projection means nothing

    Raises
    ------
    ValueError
        If there is no measure, one has no reducer, or one is of unfiltered passes and there are none.
    """
    if not measures or any(one.reducer is None for one in measures):
        raise ValueError(f"a composite of {[one.name for one in measures]}")
    if unfiltered is None and any(not one.filtered and one.reducer != COUNT for one in measures):
        raise ValueError("measures of passes before the filter, and there are none")
    powers = {
        filtered: source if average is None else source.map(partial(_average, average=average))
        for filtered, source in ((True, passes), (False, unfiltered))
        if source is not None
    }
    bands = []
    for own in dict.fromkeys((one.quantity, one.filtered) for one in measures if one.reducer != COUNT):
        quantity, filtered = own
        group = [one for one in measures if (one.quantity, one.filtered) == own and one.reducer != COUNT]
        bands += _reduced(powers[filtered], quantity, group)
    if any(one.reducer == COUNT for one in measures):
        bands.append(_count(powers[True]).rename(COUNT))
    names = list(dict.fromkeys(one.name for one in measures))
    found: ee.Image = ee.Image.cat(bands).select(names).toDouble()
    return found


def per_pass(
    image: ee.Image,
    *,
    measures: Sequence[Measure],
    unfiltered: ee.Image | None = None,
    average: Average | None = None,
) -> ee.Image:
    """Quantities of one pass, bands named as the measures are, float64, with the pass's properties.

    Parameters
    ----------
    image : linear power of the pass; the others as in `composite`
    measures : without reducer

    Raises
    ------
    ValueError
        If a measure has a reducer, or is of the unfiltered pass and there is none.
    """
    if any(one.reducer is not None for one in measures):
        raise ValueError(f"reducers for one pass: {[one.name for one in measures]}")
    if any(not one.filtered for one in measures) and unfiltered is None:
        raise ValueError("measures of the pass before the filter, and there is none")
    powers = {
        filtered: source if average is None else _average(source, average=average)
        for filtered, source in ((True, image), (False, unfiltered))
        if source is not None
    }
    bands = [quantity_of(powers[one.filtered], one.quantity).rename(one.name) for one in measures]
    described: ee.Image = ee.Image(ee.Image.cat(bands).toDouble().copyProperties(image, image.propertyNames()))
    return described


def quantity_of(power: ee.Image, quantity: str) -> ee.Image:
    """One quantity of a pass, one band of that name.

    Parameters
    ----------
    power : linear power, bands VV, VH
    quantity : `vv vh` power; `vv_db vh_db` decibel; `ratio` VV / VH; `ratio_db` VV dB - VH dB. Power that is not positive
        has no dB, and a ratio needs VH > 0.
    """
    if quantity == RATIO:
        found = ratio_of(power.select(VV), power.select(VH))
    elif quantity == RATIO + DB:
        found = decibels(power.select(VV)).subtract(decibels(power.select(VH)))
    else:
        one = power.select(quantity.removesuffix(DB).upper())
        found = decibels(one) if quantity.endswith(DB) else one
    return found.rename(quantity)


def ratio_of(power: ee.Image, other: ee.Image) -> ee.Image:
    """Ratio of powers, masked where `other` is not positive."""
    return power.divide(positive(other))


# -- inside -----------------------------------------------------------------------------------------------------------


def _average(power: ee.Image, *, average: Average) -> ee.Image:
    """Means over the pixels with data, weighted by area; data where any has.

    What is partly covered by data counts as any other pixel from here on.
    """
    mean = power.reduceResolution(reducer=ee.Reducer.mean(), maxPixels=average.most)
    coarse = mean.reproject(crs=average.crs, crsTransform=list(average.transform))
    whole = coarse.mask(coarse.mask().gt(0))
    described: ee.Image = ee.Image(whole.copyProperties(power, power.propertyNames()))
    return described


def _reduced(powers: ee.ImageCollection, quantity: str, measures: Sequence[Measure]) -> list[ee.Image]:
    """Bands of the measures of one quantity."""
    bands = []
    values = powers.map(lambda power: quantity_of(power, quantity))
    ranks = _Ranks(values)
    for one in measures:
        if one.reducer == MEAN:
            found = _mean(powers, quantity)
        elif one.reducer == DEVIATION:
            found = values.reduce(ee.Reducer.stdDev())
        else:
            found = ranks.at(one.percentile or 0.0)
        bands.append(found.rename(one.name))
    return bands


def _mean(powers: ee.ImageCollection, quantity: str) -> ee.Image:
    """Mean over passes of a quantity as it is defined on power."""
    name = quantity.removesuffix(DB)
    mean = powers.mean()
    found = ratio_of(mean.select(VV), mean.select(VH)) if name == RATIO else mean.select(name.upper())
    return decibels(found) if quantity.endswith(DB) else found


def _count(powers: ee.ImageCollection) -> ee.Image:
    """How many passes have data."""
    masks = powers.map(lambda power: power.select([0], [COUNT]).mask().gt(0))
    found: ee.Image = masks.sum().unmask(0, sameFootprint=False)
    return found


class _Ranks:
    """Percentiles of a collection of one band, exact and linear between ranks by construction.

    How the service's own reducers interpolate is not documented, and from some number of values on they make histograms.
    """

    def __init__(self, values: ee.ImageCollection) -> None:
        stacked = values.toArray()  # dims (pass, 1) per pixel; masked values are left out
        number = stacked.arrayLength(0)
        self._sorted = stacked.updateMask(number.gt(0)).arrayProject([0]).arraySort()
        self._last = number.subtract(1)

    def at(self, percentile: float) -> ee.Image:
        """One percentile, 0 to 100."""
        rank = self._last.multiply(percentile / 100)
        below = rank.floor()
        low = self._sorted.arrayGet(below.toInt())
        high = self._sorted.arrayGet(below.add(1).min(self._last).toInt())
        return low.add(high.subtract(low).multiply(rank.subtract(below)))
