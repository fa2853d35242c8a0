"""What the name of a HyP3 RTC product (GAMMA) says: every letter of it.

`S1x_yy_YYYYMMDDThhmmss_ppo_RTCzz_G_defklm_ssss`, as ASF's product guide and the README in each product describe it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dask_jobs.scenes import Radiometry, Scale
from infra.errors import InputError

FORM = "S1A_IW_20170402T235525_DVP_RTC30_G_gpuned_9C40"
NAME = re.compile(
    r"(?P<platform>S1[A-Z])_(?P<mode>[A-Z][A-Z0-9])_(?P<start>\d{8}T\d{6})_(?P<kind>[A-Z]{2})(?P<orbit>[A-Z])"
    r"_RTC(?P<spacing>\d{2,3})_(?P<software>[A-Z])_(?P<letters>[a-z]{6})_(?P<id>[0-9A-F]{4})"
)
POLARIZATIONS = {"SV": ("VV",), "SH": ("HH",), "DV": ("VV", "VH"), "DH": ("HH", "HV")}
ORBITS = {"P": "precise", "R": "restituted", "O": "original"}  # from the best to the worst
LETTERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("radiometry", {"g": "gamma nought", "s": "sigma nought"}),
    ("scale", {"p": "power", "a": "amplitude", "d": "decibel"}),
    ("water", {"u": "unmasked", "w": "water masked"}),
    ("speckle", {"n": "not filtered", "f": "filtered"}),
    ("area", {"e": "entire", "c": "clipped"}),
    ("matching", {"d": "dead reckoning", "m": "matched to the DEM"}),
)
SCALES = {"p": Scale.POWER, "a": Scale.AMPLITUDE, "d": Scale.DB}
QUANTITIES = {
    "g": "gamma0_terrain",
    "s": "sigma0_terrain",
}  # RTC products are terrain-corrected: never on the ellipsoid


@dataclass(frozen=True, kw_only=True)
class Hyp3Name:
    """A product's name, decoded.

    Attributes
    ----------
    name : the whole
    start : of sensing, UTC
    polarizations : that the product can have
    orbit : state vectors used: "precise", "restituted" or "original"
    spacing : of pixels, metres
    radiometry : gamma or sigma nought, of the terrain; speckle filter; water mask
    clipped : only part of the scene
    matched : coregistered to the DEM, instead of dead reckoning
    id : four hexadecimal digits, random
    """

    name: str
    platform: str
    mode: str
    start: datetime
    polarizations: tuple[str, ...]
    orbit: str
    spacing: int
    radiometry: Radiometry
    scale: Scale
    clipped: bool
    matched: bool
    id: str

    @property
    def acquisition(self) -> str:
        """The same for all products of one acquisition."""
        return f"{self.platform}_{self.mode}_{self.start:%Y%m%dT%H%M%SZ}"

    @property
    def release(self) -> str:
        """What tells products of one acquisition apart."""
        return f"{self.orbit}_{self.id}"

    @property
    def nodata(self) -> float | None:
        """Value that means no data where the file declares none: 0 in power and amplitude; in dB, 0 is a measurement."""
        return None if self.scale == Scale.DB else 0.0


def decode(name: str) -> Hyp3Name | None:
    """What a product's name says; None where it has another form.

    Raises
    ------
    InputError
        If the name has the form, but a letter or the date means nothing.
    """
    match = NAME.fullmatch(name)
    if match is None:
        return None
    _check_letters(match)
    try:
        start = datetime.strptime(match["start"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"{name}: {match['start']} is no date", "Restore the product's original name.") from error
    radiometry, scale, water, speckle, area, matching = list(match["letters"])
    return Hyp3Name(
        name=name,
        platform=match["platform"],
        mode=match["mode"],
        start=start,
        polarizations=POLARIZATIONS[match["kind"]],
        orbit=ORBITS[match["orbit"]],
        spacing=int(match["spacing"]),
        radiometry=Radiometry(
            quantity=QUANTITIES[radiometry], speckle_filtered=speckle == "f", water_masked=water == "w"
        ),
        scale=SCALES[scale],
        clipped=area == "c",
        matched=matching == "m",
        id=match["id"],
    )


def _check_letters(match: re.Match[str]) -> None:
    parts = [
        ("polarization", match["kind"], list(POLARIZATIONS)),
        ("orbit", match["orbit"], list(ORBITS)),
        ("software", match["software"], ["G"]),
        *((what, letter, list(known)) for (what, known), letter in zip(LETTERS, match["letters"], strict=True)),
    ]
    for what, said, known in parts:
        if said not in known:
            raise InputError(
                f"{match[0]}: {said!r} stands for the {what} and is none of {', '.join(known)}",
                f"Restore the product's original name, which is like {FORM}",
            )
