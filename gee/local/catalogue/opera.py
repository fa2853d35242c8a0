"""Names of OPERA RTC-S1 files, and the properties that Earth Engine's `OPERA/RTC/L2_V1/S1` has (section 20)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BANDS = ("VV", "VH", "HV", "HH", "mask")
NAME = re.compile(
    r"(?P<granule>OPERA_L2_RTC-S1_(?P<burst>T(?P<track>\d{3})-\d{6}-IW\d)_(?P<start>\d{8}T\d{6})Z_\d{8}T\d{6}Z"
    r"_S1[A-Z]_\d+_v[\d.]+)_(?P<band>VV|VH|HV|HH|mask)\.tiff?"
)
NOON, MIDNIGHT = 12, 24


@dataclass(frozen=True, kw_only=True)
class Granule:
    """Files of one burst and date.

    Attributes
    ----------
    files : band to file, in the catalogue's order
    """

    index: str
    burst: str
    track: int
    start: datetime
    files: Mapping[str, Path]

    def properties(self, *, longitude: float, tags: Mapping[str, str]) -> dict[str, Any]:
        """Properties of the image.

        The pass comes from the file's tags; where they have none, from the sun: Sentinel-1 crosses the equator
        northwards at about 18 h local time, so whatever it sees between noon and midnight it sees ascending.

        Parameters
        ----------
        longitude : degrees, of the burst
        tags : metadata of one of the files
        """
        local = (self.start.hour + self.start.minute / 60 + longitude / 15) % MIDNIGHT
        direction = tags.get("ORBIT_PASS_DIRECTION") or ("ascending" if local >= NOON else "descending")
        absolute = tags.get("ABSOLUTE_ORBIT_NUMBER")
        return {
            **({} if absolute is None else {"ABSOLUTE_ORBIT_NUMBER": float(absolute)}),
            "system:time_start": round(self.start.timestamp() * 1000),
            "BURST_ID": self.burst,
            "ORBIT_PASS_DIRECTION": direction,
            "POLARIZATIONS": [band for band in self.files if band != "mask"],
            "TRACK_NUMBER": float(self.track),
        }


def granules(files: Sequence[Path]) -> list[Granule] | None:
    """Granules of files, in the order of their names; None where one of the files is no OPERA RTC-S1.

    Several processings of one burst and date are several granules.
    """
    found: dict[str, dict[str, tuple[Path, re.Match[str]]]] = {}
    for path in files:
        match = NAME.fullmatch(path.name)
        if match is None:
            return None
        found.setdefault(match["granule"], {})[match["band"]] = path, match
    return [_granule(found[name]) for name in sorted(found)]


def _granule(bands: Mapping[str, tuple[Path, re.Match[str]]]) -> Granule:
    match = next(iter(bands.values()))[1]
    return Granule(
        index=match["granule"],
        burst=match["burst"],
        track=int(match["track"]),
        start=datetime.strptime(match["start"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
        files={band: bands[band][0] for band in BANDS if band in bands},
    )
