"""The metadata file of a HyP3 interferogram, `NAME.txt`: lines "key: value", once made numbers with their units."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.errors import InputError

RESTORE = "Restore the file that came with the product's GeoTIFFs from ASF, or take the product out of `path`."
PASSES = ("ascending", "descending")
START = re.compile(r"_(\d{8}T\d{6})(?=_)")  # the first in a granule's name


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a metadata file says.

    Attributes
    ----------
    reference_granule, secondary_granule : names, of bursts several, parted by ", "; "" where the file has none
    absolute_orbit : of the reference; None where the file has none
    pass_direction : "ascending" or "descending"; where the file has none, by the heading
    perpendicular_baseline, spacecraft_height, earth_radius, slant_range_near : m
    heading : degrees clockwise from north, as in the file
    seconds : of the day, since 00:00 UTC; None where the file has none
    range_looks, azimuth_looks : numbers of looks
    unwrapping : method
    """

    reference_granule: str
    secondary_granule: str
    absolute_orbit: int | None
    pass_direction: str
    perpendicular_baseline: float
    heading: float
    spacecraft_height: float
    earth_radius: float
    slant_range_near: float
    seconds: float | None
    range_looks: int
    azimuth_looks: int
    unwrapping: str


def parse(text: str, *, url: str) -> Metadata:
    """Values of a metadata file's text; `url` is what messages call it.

    Keys count without regard to case and blanks ("UTC time", "UTCTime"), a unit after a number is passed over.

    Raises
    ------
    InputError
        If a key that nothing else tells is missing, or a value is no number, or none that it can be.
    """
    lines = _Lines(text, url)
    heading = lines.number("Heading")
    return Metadata(
        reference_granule=lines.get("Reference Granule") or "",
        secondary_granule=lines.get("Secondary Granule") or "",
        absolute_orbit=lines.count("Reference Orbit Number") if lines.get("Reference Orbit Number") else None,
        pass_direction=_pass_direction(lines, heading),
        perpendicular_baseline=lines.number("Baseline"),
        heading=heading,
        spacecraft_height=lines.number("Spacecraft height", positive=True),
        earth_radius=lines.number("Earth radius at nadir", positive=True),
        slant_range_near=lines.number("Slant range near", positive=True),
        seconds=lines.number("UTC time") if lines.get("UTC time") else None,
        range_looks=lines.count("Range looks"),
        azimuth_looks=lines.count("Azimuth looks"),
        unwrapping=lines.text("Unwrapping type"),
    )


def pass_of_heading(heading: float) -> str:
    """Pass direction by the heading, degrees clockwise from north: "ascending" where the satellite flies northwards."""
    return PASSES[0] if abs((heading + 180) % 360 - 180) < 90 else PASSES[1]


def granule_starts(granules: str) -> tuple[datetime, ...]:
    """Starts of sensing, UTC, ascending, that names of granules tell, parted by commas."""
    found = (START.search(f"_{granule.strip()}_") for granule in granules.split(","))
    return tuple(sorted(datetime.strptime(m[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) for m in found if m))


def _pass_direction(lines: _Lines, heading: float) -> str:
    said = lines.get("Reference Pass Direction")
    if said is None:
        return pass_of_heading(heading)
    if said.lower() not in PASSES:
        raise lines.wrong("Reference Pass Direction", "ASCENDING or DESCENDING")
    return said.lower()


class _Lines:
    """Values by key, as text and as numbers."""

    def __init__(self, text: str, url: str) -> None:
        self._url = url
        pairs = (line.partition(":") for line in text.splitlines())
        self._values = {_plain(key): value.strip() for key, colon, value in pairs if colon}

    def get(self, key: str) -> str | None:
        """Value; None where the key is missing or says nothing."""
        return self._values.get(_plain(key)) or None

    def text(self, key: str) -> str:
        """Value; InputError where it is missing."""
        value = self.get(key)
        if value is None:
            raise InputError(f"{self._url} has no {key!r}", RESTORE)
        return value

    def number(self, key: str, *, positive: bool = False) -> float:
        """Finite number."""
        text = self.text(key)
        try:
            value = float(text.split()[0])
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (positive and value <= 0):
            raise self.wrong(key, "a positive number" if positive else "a number")
        return value

    def count(self, key: str) -> int:
        """Whole number above 0."""
        value = self.number(key)
        if value < 1 or value != int(value):
            raise self.wrong(key, "a whole number above 0")
        return int(value)

    def wrong(self, key: str, expected: str) -> InputError:
        """Error of a value that is not what it should be."""
        return InputError(f"{self._url}: {key!r} is {self.get(key)!r}, not {expected}", RESTORE)


def _plain(key: str) -> str:
    return "".join(key.split()).lower()
