"""The speckle filter in the words of the engines: pixels and linear power."""

from __future__ import annotations

from typing import Any

from infra.errors import InputError
from pipelines.kinds.sentinel1.parameters import RADIUS, WINDOW, Sentinel1


def filter_arguments(parameters: Sentinel1, *, spacing: float, crs: str) -> dict[str, Any] | None:
    """Arguments of either engine's `Speckle`; None without a filter.

    Parameters
    ----------
    spacing : side of a scene's pixel, units of `crs`

    Raises
    ------
    InputError
        If a radius in metres is given for pixels in degrees.
    """
    speckle = parameters.speckle
    if speckle is None:
        return None
    radius = 0.0
    if speckle.filter == "focal_median":
        radius = (speckle.radius or RADIUS) / (spacing * _metres(crs))
    return {
        "filter": speckle.filter,
        "window": speckle.window or WINDOW,
        "radius": radius,
        "looks": parameters.looks,
        "sigma": speckle.sigma,
        "strong": 10.0 ** (speckle.strong_db / 10.0) if speckle.filter == "lee_sigma" else None,
    }


def _metres(crs: str) -> float:
    """Metres of a CRS's unit."""
    from pyproj import CRS

    axes = CRS.from_user_input(crs)
    if not axes.is_projected:
        raise InputError(
            f"speckle: radius is in metres, and the scenes' pixels are in the degrees of {crs}",
            "Take a filter with a `window` in pixels.",
        )
    return float(axes.axis_info[0].unit_conversion_factor)
