"""Scenes of Earth Engine's catalogue as plain values, read from what it answers about an image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.errors import InputError

GRD, GRD_FLOAT, OPERA = "COPERNICUS/S1_GRD", "COPERNICUS/S1_GRD_FLOAT", "OPERA/RTC/L2_V1/S1"
COLLECTIONS = (GRD_FLOAT, GRD, OPERA)
POLARIZATIONS = ("VV", "VH", "HH", "HV")
Transform = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class SceneInfo:
    """One image of the catalogue: a slice of GRD, a burst of RTC.

    Attributes
    ----------
    id : of the asset, whole
    index : its last part
    time : UTC, of the beginning
    platform : "S1A"; None where the catalogue does not tell, as are the orbits
    pass_direction : "ascending" or "descending"
    polarizations : bands of backscatter
    crs : code or WKT
    transform : x scale, x shear, x of the corner, y shear, y scale, y of the corner; CRS units
    width, height : pixels of the bands of backscatter
    resolution : side of a pixel, CRS units
    footprint : GeoJSON, degrees; None where the catalogue has none
    version : number that grows when the asset is replaced; None where there is none
    size : bytes; None where unknown
    mode, spacing : of the instrument and in metres, as GRD's properties say; None elsewhere
    """

    id: str
    index: str
    time: datetime
    platform: str | None
    absolute_orbit: int | None
    relative_orbit: int | None
    pass_direction: str | None
    polarizations: tuple[str, ...]
    crs: str
    transform: Transform
    width: int
    height: int
    resolution: float
    footprint: Mapping[str, Any] | None = None
    version: int | None = None
    size: int | None = None
    mode: str | None = None
    spacing: float | None = None


def read_scene(image: Mapping[str, Any], collection_id: str) -> SceneInfo:
    """Scene that a description (`getInfo`) of an image tells of.

    The properties are those that Google's catalogue documents. Of OPERA's, `TRACK_NUMBER` and `ORBIT_PASS_DIRECTION` were
    seen in the local Earth Engine only, `ABSOLUTE_ORBIT_NUMBER` in neither; the platform comes from the granule's name or
    that of its input.

    Raises
    ------
    InputError
        If the image has no band of backscatter.
    """
    properties = image.get("properties", {})
    index = image["id"].rpartition("/")[2]
    bands = {band["id"]: band for band in image["bands"]}
    polarizations = tuple(name for name in POLARIZATIONS if name in bands)
    if not polarizations:
        raise InputError(
            f"{image['id']} has no backscatter, only the bands {', '.join(bands)}", "Take another collection."
        )
    grid = bands[polarizations[0]]
    opera = collection_id == OPERA
    names = (
        ("ABSOLUTE_ORBIT_NUMBER", "TRACK_NUMBER", "ORBIT_PASS_DIRECTION")
        if opera
        else ("orbitNumber_start", "relativeOrbitNumber_start", "orbitProperties_pass")
    )
    absolute, relative, direction = (properties.get(name) for name in names)
    return SceneInfo(
        id=image["id"],
        index=index,
        time=datetime.fromtimestamp(properties["system:time_start"] / 1000, UTC),
        platform=_platform(index, properties),
        absolute_orbit=None if absolute is None else int(absolute),
        relative_orbit=None if relative is None else int(relative),
        pass_direction=direction and str(direction).lower(),
        polarizations=polarizations,
        crs=grid.get("crs") or grid["crs_wkt"],
        transform=_six(grid["crs_transform"]),
        width=int(grid["dimensions"][0]),
        height=int(grid["dimensions"][1]),
        resolution=abs(float(grid["crs_transform"][0])),
        footprint=properties.get("system:footprint"),
        version=image.get("version"),
        size=properties.get("system:asset_size"),
        mode=properties.get("instrumentMode"),
        spacing=properties.get("resolution_meters"),
    )


def _platform(index: str, properties: Mapping[str, Any]) -> str | None:
    letter = properties.get("platform_number")
    if letter:
        return f"S1{letter}"
    granules = properties.get("INPUT_L1_SLC_GRANULES")
    for name in (index, *(granules if isinstance(granules, list) else [granules or ""])):
        if match := re.search(r"(?:^|_)(S1[A-D])(?:_|$)", str(name)):
            return match[1]
    return None


def _six(numbers: Sequence[float]) -> Transform:
    a, b, c, d, e, f = (float(one) for one in numbers)
    return a, b, c, d, e, f
