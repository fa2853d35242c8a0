"""How the radar sees each pixel: angles from HyP3's look vector, distance, and the line of sight as a unit vector.

HyP3 gives the direction from the ground to the satellite as two angles: `lv_theta`, its elevation above the horizontal,
and `lv_phi`, its orientation, counter-clockwise from east. Both in radians; 0 is no data.
"""

from __future__ import annotations

import numpy as np

from infra.errors import InputError


def incidence_angle(lv_theta: np.ndarray) -> np.ndarray:
    """Incidence angle, 90 degrees minus the elevation of the look vector.

    Parameters
    ----------
    lv_theta : dims (y, x), radians above the horizontal; 0 or NaN is no data

    Returns
    -------
    dims (y, x), float32, degrees from the vertical; NaN where there is no data
    """
    return np.asarray(90.0 - _degrees(lv_theta), dtype=np.float32)


def azimuth_angle(lv_phi: np.ndarray) -> np.ndarray:
    """Azimuth of the look vector from the ground to the satellite, as MintPy counts it.

    Parameters
    ----------
    lv_phi : dims (y, x), radians counter-clockwise from east; 0 or NaN is no data

    Returns
    -------
    dims (y, x), float32, degrees counter-clockwise from north, -180 to below 180; NaN where there is no data
    """
    turned = _degrees(lv_phi) - 90.0
    return np.asarray((turned + 180.0) % 360.0 - 180.0, dtype=np.float32)


def slant_range(incidence: np.ndarray, *, earth_radius: float, spacecraft_height: float) -> np.ndarray:
    """Distance from the satellite to the ground, over a sphere, by the law of sines.

    Parameters
    ----------
    incidence : dims (y, x), degrees from the vertical; NaN is no data
    earth_radius, spacecraft_height : at nadir, m, both above 0

    Returns
    -------
    dims (y, x), float32, m; NaN where there is no data

    Raises
    ------
    InputError
        If radius or height is not above 0.
    """
    for name, value in (("Earth radius", earth_radius), ("spacecraft height", spacecraft_height)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"the {name} is {value:g} m", "Look into the metadata file of the interferogram.")
    angle = np.deg2rad(np.asarray(incidence, dtype=np.float64))
    # Of the triangle of the Earth's centre, satellite and ground, sin(pi - incidence) = sin(incidence) is opposite to
    # the satellite's radius, and the look angle to the Earth's.
    look = np.arcsin(earth_radius / (earth_radius + spacecraft_height) * np.sin(angle))
    with np.errstate(invalid="ignore"):
        distance = (earth_radius + spacecraft_height) * np.sin(angle - look) / np.sin(angle)
    return np.asarray(np.where(angle == 0, spacecraft_height, distance), dtype=np.float32)


def line_of_sight(incidence: np.ndarray, *, azimuth: np.ndarray) -> np.ndarray:
    """Unit vector from the ground to the satellite: its product with a displacement is the displacement that is seen.

    Parameters
    ----------
    incidence : dims (y, x), degrees from the vertical, as of `incidence_angle`
    azimuth : dims (y, x), degrees counter-clockwise from north, as of `azimuth_angle`

    Returns
    -------
    dims (component, y, x), float32: east, north, up; NaN where either angle is missing
    """
    tilt = np.deg2rad(np.asarray(incidence, dtype=np.float64))
    turn = np.deg2rad(np.asarray(azimuth, dtype=np.float64))
    level = np.sin(tilt)
    return np.stack([-level * np.sin(turn), level * np.cos(turn), np.cos(tilt) + 0.0 * turn]).astype(np.float32)


def _degrees(angle: np.ndarray) -> np.ndarray:
    radians = np.asarray(angle, dtype=np.float64)
    return np.rad2deg(np.where(radians == 0, np.nan, radians))
