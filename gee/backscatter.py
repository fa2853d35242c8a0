"""Linear power and dB of images, which say which of the two they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.errors import InputError

if TYPE_CHECKING:
    import ee

Units = Literal["1", "dB"]
POWER: Units = "1"
DECIBEL: Units = "dB"
LN10 = 2.302585092994045684  # exp and not a power of 10: what a constant image is raised to would lose its projection


@dataclass(frozen=True, kw_only=True)
class Backscatter:
    """An image and what its values are.

    Attributes
    ----------
    image : any bands, masked where there is no data
    units : "1", linear power, or "dB"
    """

    image: ee.Image
    units: Units


def to_db(values: Backscatter) -> Backscatter:
    """10 log10 of power; power that is not positive has none and becomes no data.

    Raises
    ------
    InputError
        If the values are in dB already.
    """
    _check(values, POWER)
    return Backscatter(image=decibels(values.image), units=DECIBEL)


def to_power(values: Backscatter) -> Backscatter:
    """Power of dB.

    Raises
    ------
    InputError
        If the values are power already.
    """
    _check(values, DECIBEL)
    return Backscatter(image=values.image.multiply(LN10 / 10).exp(), units=POWER)


def ratio(over: Backscatter, under: Backscatter) -> Backscatter:
    """Ratio of the powers of two images, band by band; no data where one of them is not positive.

    Both in power give a ratio of power, both in dB their difference, which is the same in dB.

    Raises
    ------
    InputError
        If one is in power and the other in dB.
    """
    _check(under, over.units)
    if over.units == DECIBEL:
        return Backscatter(image=over.image.subtract(under.image), units=DECIBEL)
    both = positive(over.image).divide(positive(under.image))
    return Backscatter(image=both, units=POWER)


def decibels(power: ee.Image) -> ee.Image:
    """10 log10, masked where power is not positive: what Earth Engine's logarithm does there is not documented."""
    return positive(power).log10().multiply(10)


def positive(power: ee.Image) -> ee.Image:
    """Power, masked where it is not above 0; Earth Engine would divide by 0 without a word."""
    return power.updateMask(power.gt(0))


def _check(values: Backscatter, wanted: Units) -> None:
    if values.units != wanted:
        names = {POWER: "linear power", DECIBEL: "dB"}
        raise InputError(
            f"the image is in {names[values.units]}, and {names[wanted]} is needed", "Convert it once, and only once."
        )
