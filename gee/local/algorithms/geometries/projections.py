"""Projections: CRS and transform, their scale, their description (section 10)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.grids import reprojection
from gee.local.table import algorithm
from gee.local.values import IDENTITY, Projection, Transform

ELEMENTS = ("elt_0_0", "elt_0_1", "elt_0_2", "elt_1_0", "elt_1_1", "elt_1_2")


@algorithm("Projection")
def projection(crs: Any, transform: list[Any] | None, transform_wkt: str | None) -> Projection:
    """Projection of a code or WKT, with the identity transform unless one is given."""
    if transform is not None and transform_wkt is not None:
        raise EarthEngineError("Only one of 'transform' and 'transformWkt' can be given.")
    base = crs if isinstance(crs, Projection) else _of_text(crs)
    if transform is not None:
        return replace(base, transform=as_transform(transform))
    return base if transform_wkt is None else replace(base, transform=_from_wkt(transform_wkt))


@algorithm("Projection.crs")
def crs(projection: Projection) -> str | None:
    """Code of the authority ("EPSG:4326"); null where it has none."""
    return projection.crs if re.fullmatch(r"\w+:\w+", projection.crs) else None


@algorithm("Projection.wkt")
def wkt(projection: Projection) -> str:
    """Well-known text of the CRS, version 1."""
    return str(reprojection.parsed(projection.crs).to_wkt("WKT1_GDAL", pretty=True))


@algorithm("Projection.transform")
def transform(projection: Projection) -> str:
    """Transform as well-known text; elements of the identity are left out."""
    parts = [
        f'PARAMETER["{name}", {value!r}]'
        for name, value, same in zip(ELEMENTS, projection.transform, IDENTITY, strict=True)
        if value != same
    ]
    head = ['PARAMETER["num_row", 3]', 'PARAMETER["num_col", 3]']
    return 'PARAM_MT["Affine", \n  ' + ", \n  ".join([*head, *parts]) + "]"


@algorithm("Projection.nominalScale")
def nominal_scale(proj: Projection) -> float:
    """Metres of a pixel's side at the point of true scale."""
    return reprojection.nominal_scale(proj)


@algorithm("Projection.atScale")
def at_scale(projection: Projection, meters: float) -> Projection:
    """Projection with pixels of a size in metres; the directions of its axes stay."""
    return reprojection.at_scale(projection, meters)


@algorithm("Projection.scale")
def scale(projection: Projection, x: float, y: float) -> Projection:
    """Projection with pixels `x` and `y` times as long."""
    return reprojection.scaled(projection, x, y)


@algorithm("Projection.translate")
def translate(projection: Projection, x: float, y: float) -> Projection:
    """Projection with its origin moved by `x` and `y` pixels."""
    return reprojection.shifted(projection, x, y)


def as_transform(values: list[Any]) -> Transform:
    """Six numbers [xScale, xShearing, xTranslation, yShearing, yScale, yTranslation].

    Raises
    ------
    EarthEngineError
        If they are not six, or no pixels follow from them.
    """
    if len(values) != 6 or not all(isinstance(one, int | float) for one in values):
        raise EarthEngineError(f"A transform has six numbers, not {values!r}.")
    a, b, c, d, e, f = (float(one) for one in values)
    if a * e == b * d:
        raise EarthEngineError(f"The transform {values!r} cannot be inverted.")
    return a, b, c, d, e, f


def _of_text(text: Any) -> Projection:
    if not isinstance(text, str):
        raise EarthEngineError(f"A CRS is a code or well-known text, not {text!r}.")
    return Projection(reprojection.canonical(text))


def _from_wkt(text: str) -> Transform:
    found = {name: float(value) for name, value in re.findall(r'PARAMETER\["(elt_\d_\d)",\s*([-+.\deE]+)\]', text)}
    if not found or not set(found) <= set(ELEMENTS):
        raise EarthEngineError(f"The transform could not be parsed: '{text[:80]}'.")
    return as_transform([found.get(name, same) for name, same in zip(ELEMENTS, IDENTITY, strict=True)])
