"""Attributes of MintPy's files: everything is a string, coordinates are those of the grid's CRS."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from dask_jobs.interferograms import Interferogram, Sensing
from dask_jobs.mintpy.kinds import Part, file_kind
from infra.errors import InputError
from infra.grid import Grid

RANGE_PIXEL, AZIMUTH_PIXEL = 2.3, 14.1  # m, of Sentinel-1 IW before looks are taken
SENSED, SPOKEN = re.compile(r"\d{8}T\d{6}"), "%Y-%m-%d %H:%M:%S.%f"
UTM_NORTH, UTM_SOUTH = range(32601, 32661), range(32701, 32761)  # EPSG codes, WGS 84


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What the attributes of all files of one analysis are made of.

    Attributes
    ----------
    first : the first interferogram, by its dates
    grid : of every raster
    dates : of the time series, ascending
    reference_pixel : row and column where displacement is 0
    reference_date : at which displacement is 0
    options : of the steps, as MintPy names them without "mintpy." ("networkInversion.weightFunc"), to their text
    """

    first: Interferogram
    grid: Grid
    dates: tuple[date, ...]
    reference_pixel: tuple[int, int]
    reference_date: date
    options: Mapping[str, str] = field(default_factory=dict)


def file_attributes(name: str, analysis: Analysis) -> dict[str, str]:
    """All attributes of a file ("velocity.h5") of an analysis.

    Raises
    ------
    InputError
        If MintPy has no file of that name, or cannot have one on that grid.
    """
    kind = file_kind(name)
    made = common_attributes(analysis.first.sensing, grid=analysis.grid, reference=analysis.first.reference)
    for part in kind.parts:
        made |= _part(part, analysis)
    if kind.type == "velocity" and "period" in kind.parts:
        made["DATE12"] = f"{analysis.dates[0]:%Y%m%d}_{analysis.dates[-1]:%Y%m%d}"  # of a fit it is the whole period
    made |= {"FILE_TYPE": kind.type, "DATA_TYPE": kind.data_type}
    made["NoDataValue"] = "0.0" if "first pair" in kind.parts else "None"
    if kind.no_data_value is not None:
        made["NO_DATA_VALUE"] = kind.no_data_value
    if kind.unit is not None:
        made["UNIT"] = kind.unit
    return made | {f"mintpy.{key}": text for key, text in analysis.options.items() if key.startswith(kind.options)}


def common_attributes(sensing: Sensing, *, grid: Grid, reference: datetime) -> dict[str, str]:
    """Attributes of every file: sensor, orbit, looks and place.

    Parameters
    ----------
    sensing : of the first interferogram; what it does not know is left out
    reference : start of sensing, UTC, where no granule says it

    Raises
    ------
    InputError
        If the grid's CRS has no EPSG code: MintPy would take it for degrees.
    """
    heading = sensing.heading % 360.0 - 360.0  # MintPy wants it negative
    ascending = _ascending(sensing, heading=heading)
    start, stop = _sensed(sensing.reference_granule, default=reference)
    made: dict[str, object] = {
        "PROCESSOR": "hyp3",
        "PLATFORM": "Sen",  # of every Sentinel-1
        "ANTENNA_SIDE": -1,  # looks to the right
        "ORBIT_DIRECTION": "ASCENDING" if ascending else "DESCENDING",
        "HEADING": heading,
        "HEIGHT": sensing.spacecraft_height,
        "EARTH_RADIUS": sensing.earth_radius,
        "STARTING_RANGE": f"{sensing.slant_range_near:.4f}",
        "WAVELENGTH": sensing.wavelength,
        "CENTER_LINE_UTC": sensing.centre_seconds,
        "startUTC": start,
        "stopUTC": stop,
        "RLOOKS": sensing.range_looks,
        "ALOOKS": sensing.azimuth_looks,
        "RANGE_PIXEL_SIZE": RANGE_PIXEL * sensing.range_looks,
        "AZIMUTH_PIXEL_SIZE": AZIMUTH_PIXEL * sensing.azimuth_looks,
        "beam_mode": sensing.mode,
        "beam_swath": sensing.swaths,
        "relative_orbit": sensing.relative_orbit,
        "unwrap_method": sensing.unwrapping,
        "BANDS": 1,
        "INTERLEAVE": "BSQ",
    }
    known = {name: str(value) for name, value in made.items() if value is not None}
    return known | _place(grid) | _corners(grid, ascending=ascending)


def _place(grid: Grid) -> dict[str, str]:
    from pyproj import CRS

    crs = CRS.from_user_input(grid.crs)
    code = crs.to_epsg()
    if code is None:
        raise InputError(
            f"MintPy's files need a CRS with an EPSG code, and {crs.name} has none",
            "Leave out MintPy's files, or give interferograms on a UTM grid.",
        )
    unit = "degrees" if crs.is_geographic else "meters"
    zone = {}
    if code in UTM_NORTH or code in UTM_SOUTH:
        zone["UTM_ZONE"] = f"{code % 100}{'N' if code in UTM_NORTH else 'S'}"
    return zone | {
        "EPSG": str(code),
        "LENGTH": str(grid.height),
        "FILE_LENGTH": str(grid.height),
        "WIDTH": str(grid.width),
        "X_FIRST": str(float(grid.left)),  # the outer corner of the first pixel
        "Y_FIRST": str(float(grid.top)),
        "X_STEP": str(float(grid.dx)),
        "Y_STEP": str(-float(grid.dy)),
        "X_UNIT": unit,
        "Y_UNIT": unit,
    }


def _corners(grid: Grid, *, ascending: bool) -> dict[str, str]:
    """Corners in the order of the acquisition: first line near and far, last line near and far.

    Who flies north and looks right sees the south first, and the west near.
    """
    left, bottom, right, top = grid.bounds
    lines, ranges = ((bottom, top), (left, right)) if ascending else ((top, bottom), (right, left))
    corners = [(y, x) for y in lines for x in ranges]
    made: dict[str, str] = {}
    for number, (y, x) in enumerate(corners, start=1):
        made |= {f"LAT_REF{number}": str(float(y)), f"LON_REF{number}": str(float(x))}
    return made


def _part(part: Part, analysis: Analysis) -> dict[str, str]:
    if part == "first pair":
        baseline = str(float(analysis.first.perpendicular_baseline))
        first, second = analysis.first.dates
        return {
            "P_BASELINE_TOP_HDR": baseline,
            "P_BASELINE_BOTTOM_HDR": baseline,
            "DATE12": f"{first:%y%m%d}-{second:%y%m%d}",
        }
    if part == "reference point":
        grid, (row, col) = analysis.grid, analysis.reference_pixel
        y, x = grid.top - (row + 0.5) * grid.dy, grid.left + (col + 0.5) * grid.dx  # a pixel's centre
        return {"REF_Y": str(row), "REF_X": str(col), "REF_LAT": str(float(y)), "REF_LON": str(float(x))}
    if part == "period":
        return {"START_DATE": f"{analysis.dates[0]:%Y%m%d}", "END_DATE": f"{analysis.dates[-1]:%Y%m%d}"}
    return {"REF_DATE": f"{analysis.reference_date:%Y%m%d}"}


def _ascending(sensing: Sensing, *, heading: float) -> bool:
    northward = math.cos(math.radians(heading)) > 0
    return {"ascending": True, "descending": False}.get(sensing.pass_direction or "", northward)


def _sensed(granules: str, *, default: datetime) -> tuple[str, str | None]:
    """Start and end of sensing as the names of granules say, parted by commas; a burst's says only the start."""
    times = [SENSED.findall(granule) for granule in granules.split(",")]
    starts, stops = sorted(t[0] for t in times if t), sorted(t[1] for t in times if len(t) > 1)
    start = _utc(starts[0]) if starts else default
    return f"{start:{SPOKEN}}", f"{_utc(stops[-1]):{SPOKEN}}" if stops else None


def _utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
