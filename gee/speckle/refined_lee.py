"""The linear estimate over the half of a window that lies on the pixel's own side of an edge (Lee 1981)."""

from __future__ import annotations

from collections.abc import Callable

import ee

from gee.speckle.minimum_error import drawn_to_pixel, noise_of
from gee.speckle.neighbourhood import cells, mean, mean_around, pinned, variance, variance_around

HALF = 3  # pixels on each side of the centre of the 7 x 7
STEP = 2  # pixels between the centres of the nine 3 x 3
Side = tuple[int, int]  # direction (x, y) as -1, 0, 1; y down
PAIRS: tuple[tuple[Side, Side], ...] = (
    ((0, -1), (0, 1)),
    ((-1, 1), (1, -1)),
    ((-1, 0), (1, 0)),
    ((-1, -1), (1, 1)),
)
QUIET = 5  # of the nine, those that vary least tell the speckle
MISSING, INFINITE = (
    1e200,
    1e100,
)  # in the place of what there is not, and of what is divided by 0: both beyond any ratio


def refined_lee(image: ee.Image, *, looks: float | None = None) -> ee.Image:
    """Estimate of least mean square error over one of eight half windows.

    Parameters
    ----------
    image : linear power, masked where there is no data
    looks : equivalent number of looks, above 0; without, speckle is taken from what varies least around each pixel

    Returns
    -------
    linear power, the same bands

    Raises
    ------
    InputError
        If looks are not positive.

    References
    ----------
    Lee (1981), doi:10.1016/S0146-664X(81)80018-4
    """
    noise = noise_of(looks) if looks is not None else _quietest(image)
    centre = mean(image, cells(_block(0, 0)))
    sides = {side: mean_around(image, cells(_block(*side))) for pair in PAIRS for side in pair}
    winners, seconds = _winners(sides), {pair: _second_is_nearer(sides, pair, centre) for pair in PAIRS}

    def chosen(statistic: Callable[[ee.Image, ee.Kernel], ee.Image]) -> ee.Image:
        """Statistic of the half window that each pixel gets."""
        halves = {side: statistic(image, cells(_half(*side))) for side in sides}
        found: ee.Image = ee.Image(0)
        for pair, wins in zip(reversed(PAIRS), reversed(winners), strict=True):
            own = halves[pair[0]].where(seconds[pair], halves[pair[1]])
            found = own if pair is PAIRS[-1] else found.where(wins, own)
        return found

    return pinned(drawn_to_pixel(image, chosen(mean), chosen(variance), noise), image)


def _block(x: int, y: int) -> list[list[int]]:
    """The 3 x 3 in a direction from the centre, as cells of the 7 x 7."""
    reach = range(-HALF, HALF + 1)
    return [[int(max(abs(col - STEP * x), abs(row - STEP * y)) <= 1) for col in reach] for row in reach]


def _half(x: int, y: int) -> list[list[int]]:
    """The half of the 7 x 7 in a direction, centre line or diagonal included: 28 cells."""
    reach = range(-HALF, HALF + 1)
    return [[int(col * x + row * y >= 0) for col in reach] for row in reach]


def _winners(sides: dict[Side, ee.Image]) -> list[ee.Image]:
    """Of each pair whether its gradient is as large as any; who is asked first wins ties."""
    gradients = [sides[one].subtract(sides[other]).abs().unmask(0, sameFootprint=False) for one, other in PAIRS]
    largest = gradients[0]
    for gradient in gradients[1:]:
        largest = largest.max(gradient)
    return [gradient.eq(largest) for gradient in gradients]


def _second_is_nearer(sides: dict[Side, ee.Image], pair: tuple[Side, Side], centre: ee.Image) -> ee.Image:
    first, second = (sides[side].subtract(centre).abs().unmask(MISSING, sameFootprint=False) for side in pair)
    return second.lt(first)


def _quietest(image: ee.Image) -> ee.Image:
    """Mean of the five smallest v/m² of the nine 3 x 3, of those that there are."""
    ratios = []
    for side in ((0, 0), *(side for pair in PAIRS for side in pair)):
        kernel = cells(_block(*side))
        m, v = mean_around(image, kernel), variance_around(image, kernel)
        squared = m.multiply(m)
        ratio = v.divide(squared.add(squared.eq(0))).where(squared.eq(0).And(v.gt(0)), INFINITE)
        ratios.append(ratio.unmask(MISSING, sameFootprint=False))
    least = ee.ImageCollection.fromImages(ratios).toArrayPerBand(0).arraySort().arraySlice(0, 0, QUIET)
    there = least.lt(MISSING)
    total, number = (one.arrayReduce(ee.Reducer.sum(), [0]).arrayGet([0]) for one in (least.multiply(there), there))
    mean: ee.Image = total.divide(number.max(1))
    return mean
