"""Where a raster lies: the unit of its coordinates, metres on the ground, and true north. Computed, nothing drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra.errors import InputError

PROBE = 1e-3  # degrees: step to the north by which north is found


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a map says of its place; at the centre of the raster.

    Attributes
    ----------
    metres_x, metres_y : metres on the ellipsoid per unit of the CRS, along x and along y
    north : degrees clockwise from the top of the map to true north
    unit : CRS units per tick unit: 1000 where ticks are km of a CRS in metres
    x_label, y_label : of the axes, with unit
    """

    metres_x: float
    metres_y: float
    north: float
    unit: float
    x_label: str
    y_label: str


def ground_of(bounds: tuple[float, float, float, float], *, crs: str) -> Ground:
    """Facts of a raster with `bounds` (left, bottom, right, top; CRS units).

    Raises
    ------
    InputError
        If the CRS does not lead to longitude and latitude, or the raster is not on the Earth.
    """
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError, ProjError

    try:
        system = CRS.from_user_input(crs)
        to_degrees = Transformer.from_crs(system, system.geodetic_crs, always_xy=True)
    except (CRSError, ProjError) as error:
        raise InputError(f"no map of CRS {crs[:60]}: {error}", "Give scenes whose CRS leads to longitudes.") from error
    left, bottom, right, top = bounds
    x, y, half = (left + right) / 2, (bottom + top) / 2, max(right - left, top - bottom) / 200
    geod = system.get_geod()

    def metres(dx: float, dy: float) -> float:
        start, end = to_degrees.transform(x - dx, y - dy), to_degrees.transform(x + dx, y + dy)
        return float(geod.inv(*start, *end)[2]) / (2 * math.hypot(dx, dy))

    metres_x, metres_y = metres(half, 0), metres(0, half)
    lon, lat = to_degrees.transform(x, y)
    if not all(math.isfinite(value) for value in (metres_x, metres_y, lon, lat)):
        raise InputError(f"the raster's centre ({x:g}, {y:g}) is nowhere in {crs[:60]}", "Check the scenes' CRS.")
    step = PROBE if lat < 89 else -PROBE  # at the pole itself there is no step to the north
    there = to_degrees.transform(lon, lat + step, direction="INVERSE")
    north = math.degrees(math.atan2((there[0] - x) * step, (there[1] - y) * step))
    if system.is_geographic:
        return Ground(
            metres_x=metres_x, metres_y=metres_y, north=0.0, unit=1.0, x_label="Longitude (°)", y_label="Latitude (°)"
        )
    name, unit = _unit(system, span=max(right - left, top - bottom))
    return Ground(
        metres_x=metres_x, metres_y=metres_y, north=north, unit=unit, x_label=f"x ({name})", y_label=f"y ({name})"
    )


def _unit(system: object, *, span: float) -> tuple[str, float]:
    """Name of the tick unit, and CRS units in it: km where the raster is 1 km wide or more."""
    axis = system.axis_info[0]  # type: ignore[attr-defined] # pyproj has no types
    factor = float(axis.unit_conversion_factor or 1.0)
    if abs(factor - 1.0) > 1e-9:
        return str(axis.unit_name), 1.0
    return ("km", 1000.0) if span >= 1000 else ("m", 1.0)


def round_length(most: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is not above `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step for step in (power, 2 * power, 5 * power) if step <= most * (1 + 1e-9))


def ticks(low: float, high: float, *, most: int) -> tuple[list[float], int]:
    """At most `most` round values from `low` to `high` (one at least), and the decimals that they need."""
    exponent = math.floor(math.log10((high - low) / most)) - 1
    steps = [(digit * 10.0**power, max(0, -power)) for power in range(exponent, exponent + 4) for digit in (1, 2, 5)]
    found, decimals = [(low + high) / 2], 0
    for step, digits in steps:
        inside = [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if not inside:
            break  # this step strides over the whole span: the finer one has to do
        found, decimals = inside, digits
        if len(inside) <= most:
            break
    return found[:most], decimals
