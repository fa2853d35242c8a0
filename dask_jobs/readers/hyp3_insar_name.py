"""What the name of a HyP3 interferogram says: of a pair of scenes (GAMMA), of bursts, or of sets of bursts (ISCE2).

`S1AA_20180506T134300_20180518T134259_VVP012_INT80_G_ueF_CFB6`, `S1_136231_IW2_20200604_20200616_VV_INT80_663F` and
`S1_064_000000s1n00-136231s2n02-000000s3n00_IW_20200604_20200616_VV_INT80_77F1`, as ASF's product guides describe them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from dask_jobs.interferograms import Processor
from dask_jobs.readers.sentinel1_orbits import relative_orbit_of_burst
from infra.errors import InputError

FORMS = (
    "S1AA_20180506T134300_20180518T134259_VVP012_INT80_G_ueF_CFB6",
    "S1_136231_IW2_20200604_20200616_VV_INT80_663F",
    "S1_064_000000s1n00-136231s2n02-000000s3n00_IW_20200604_20200616_VV_INT80_77F1",
)
SCENES = re.compile(
    r"S1(?P<platforms>[A-Z]{2})_(?P<reference>\d{8}T\d{6})_(?P<secondary>\d{8}T\d{6})"
    r"_(?P<polarization>[HV]{2})(?P<orbit>[A-Z])\d{3}_INT(?P<spacing>\d{2,3})"
    r"_(?P<software>[A-Z])_(?P<water>[a-z])(?P<area>[a-z])(?P<swath>[A-Z0-9])_(?P<id>[0-9A-F]{4})"
)
DAYS = (
    r"(?P<reference>\d{8})_(?P<secondary>\d{8})_(?P<polarization>[HV]{2})_INT(?P<spacing>\d{2,3})_(?P<id>[0-9A-F]{4})"
)
BURST = re.compile(rf"S1_(?P<place>(?P<burst>\d{{6}})_(?P<mode>[A-Z]{{2}})(?P<swath>\d))_{DAYS}")
BURSTS = re.compile(
    rf"S1_(?P<place>(?P<track>\d{{3}})_(?P<bursts>\d{{6}}s1n\d\d-\d{{6}}s2n\d\d-\d{{6}}s3n\d\d))_(?P<mode>[A-Z]{{2}})_{DAYS}"
)
LETTERS = {  # of a pair of scenes: part of the name, and what it may be
    "orbit": ("state vectors", "PRO"),
    "software": ("software", "G"),
    "water": ("water", "uw"),
    "area": ("area", "ec"),
    "swath": ("sub-swath", "F123"),
}


@dataclass(frozen=True, kw_only=True)
class InsarName:
    """A product's name, decoded.

    Attributes
    ----------
    name : the whole
    dates : days of reference and secondary, UTC
    starts : of sensing, UTC; None for bursts, whose names hold days alone
    place : burst ("136231_IW2") or set of bursts with its relative orbit; "" for a pair of scenes, whose frame no name tells
    platform : of the reference ("S1A"); None for bursts
    mode, swaths : "IW", "123"
    relative_orbit : None for a pair of scenes
    spacing : of pixels, metres
    id : four hexadecimal digits, random
    """

    name: str
    processor: Processor
    dates: tuple[date, date]
    starts: tuple[datetime, datetime] | None
    place: str
    platform: str | None
    mode: str
    swaths: str
    polarization: str
    relative_orbit: int | None
    spacing: int
    id: str

    @property
    def pair(self) -> str:
        """The same for all products of one pair of acquisitions on one place."""
        days = "_".join(f"{day:%Y%m%d}" for day in self.dates)
        return f"{self.place}_{days}" if self.place else days


def decode(name: str) -> InsarName | None:
    """What a product's name says; None where it has another form.

    Raises
    ------
    InputError
        If the name has the form, but a letter or a date means nothing, or the reference is not before the secondary.
    """
    if match := SCENES.fullmatch(name):
        return _scenes(match)
    if match := BURST.fullmatch(name):
        swaths, orbit = match["swath"], relative_orbit_of_burst(int(match["burst"]))
        return _of_bursts(match, processor="isce-burst", swaths=swaths, relative_orbit=orbit)
    if match := BURSTS.fullmatch(name):
        parts = re.findall(r"\d{6}s(\d)n(\d\d)", match["bursts"])
        swaths = "".join(swath for swath, count in parts if int(count))
        return _of_bursts(match, processor="isce-multi-burst", swaths=swaths, relative_orbit=int(match["track"]))
    return None


def _scenes(match: re.Match[str]) -> InsarName:
    for part, (what, known) in LETTERS.items():
        if match[part] not in known:
            raise InputError(
                f"{match[0]}: {match[part]!r} stands for the {what} and is none of {', '.join(known)}",
                f"Restore the product's original name, which is like {FORMS[0]}",
            )
    reference, secondary = (_time(match, part, "%Y%m%dT%H%M%S") for part in ("reference", "secondary"))
    return InsarName(
        name=match[0],
        processor="gamma",
        dates=_ordered(match[0], reference.date(), secondary.date()),
        starts=(reference, secondary),
        place="",
        platform=f"S1{match['platforms'][0]}",
        mode="IW",
        swaths="123" if match["swath"] == "F" else match["swath"],
        polarization=match["polarization"],
        relative_orbit=None,
        spacing=int(match["spacing"]),
        id=match["id"],
    )


def _of_bursts(match: re.Match[str], *, processor: Processor, swaths: str, relative_orbit: int) -> InsarName:
    reference, secondary = (_time(match, part, "%Y%m%d").date() for part in ("reference", "secondary"))
    return InsarName(
        name=match[0],
        processor=processor,
        dates=_ordered(match[0], reference, secondary),
        starts=None,
        place=match["place"],
        platform=None,
        mode=match["mode"],
        swaths=swaths,
        polarization=match["polarization"],
        relative_orbit=relative_orbit,
        spacing=int(match["spacing"]),
        id=match["id"],
    )


def _time(match: re.Match[str], part: str, form: str) -> datetime:
    try:
        return datetime.strptime(match[part], form).replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(
            f"{match[0]}: {match[part]} is no date", "Restore the product's original name, or take it out of `path`."
        ) from error


def _ordered(name: str, reference: date, secondary: date) -> tuple[date, date]:
    if reference >= secondary:
        raise InputError(
            f"{name}: the reference, of {reference}, is not before the secondary, of {secondary}",
            "Order the pair with the earlier date as reference, or take it out of `path`.",
        )
    return reference, secondary
