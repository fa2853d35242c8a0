"""Parameters and products of `displacement`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from pipelines.kinds.displacement.parts import (
    DemError,
    Deramp,
    HeightCorrelation,
    Masks,
    Network,
    Point,
    ReferencePixel,
    ReferencePoint,
    TimeFunctions,
    Troposphere,
    Weight,
)
from pipelines.kinds.displacement.products_spec import PRODUCTS
from pipelines.kinds.model import KindSpec, Parameters, TaskReference, not_in_key, not_in_line


class Displacement(Parameters):
    """Parameters of `displacement`."""

    stack: Annotated[str, TaskReference("insar-stack")] = not_in_key(
        description="name of the insar-stack task whose interferograms are inverted"
    )
    network: Network = Field(Network(), description="which interferograms are used")
    reference: Literal["auto"] | ReferencePixel | ReferencePoint = Field(
        "auto",
        description="pixel that all displacement is relative to: {row, column}, {lat, lon}, or drawn among coherent ones",
    )
    min_coherence: float = Field(
        0.85, gt=0, lt=1, description="least mean coherence of a reference pixel that is drawn"
    )
    seed: int = Field(0, ge=0, description="of the draw of the reference pixel")
    weight: Weight = Field(
        "var",
        description="weight of an interferogram in a pixel: inverse of its phase variance, Fisher information, coherence, or none",
    )
    norm: Literal["velocity", "phase"] = Field(
        "velocity", description="what is least where a pixel's network falls apart: the velocity or the phase"
    )
    mask: Masks = Field(Masks(), description="which pixels and observations count")
    min_redundancy: float = Field(
        1.0, ge=0, description="interferograms that each date of a pixel needs; fewer are no data"
    )
    troposphere: Troposphere = Field("none", description="delay that is taken off")
    height_correlation: HeightCorrelation = Field(
        HeightCorrelation(), description="how `troposphere: height-correlation` is fitted"
    )
    deramp: Deramp = Field("none", description="ramp that is taken off each date")
    dem_error: DemError | bool = Field(
        default=DemError(), description="estimate and take off the error of the height model; false for not"
    )
    reference_date: Literal["auto", "first"] | dt.date = Field(
        "auto", description="date of no displacement: the quietest, the first, or one by name"
    )
    exclude_dates: Literal["auto"] | list[dt.date] = Field(
        "auto",
        description="dates that velocity is fitted without: those that are noisy (RMS above 3 x 1.4826 x median), or a list; "
        "a list counts for the height model's error too",
    )
    time_function: TimeFunctions = Field(TimeFunctions(), description="what is fitted to the series of each pixel")
    mintpy_rules: bool = Field(
        default=False,
        description="treat missing observations as MintPy 1.6.4 does in closure count, stacked velocity and redundancy",
    )
    points: list[Point] = not_in_line([], description="places whose series go into a table and a figure")
    mintpy: bool = not_in_line(default=True, description="HDF5 files that MintPy's tools open")
    kmz: bool = not_in_line(default=True, description="velocity for Google Earth")
    figures: bool = not_in_line(default=True, description="pictures of what is made")
    report: bool = not_in_line(
        default=True, description="one self-contained web page of what was made, from what, and how to open it"
    )

    @field_validator("dem_error")
    @classmethod
    def _said_or_not(cls, value: Any) -> Any:
        return DemError() if value is True else value

    @field_validator("exclude_dates")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        return sorted(set(value)) if isinstance(value, list) else value

    @field_validator("points")
    @classmethod
    def _each_once(cls, value: list[Point]) -> list[Point]:
        names = [point.name for point in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two points are called '{name}'")
        return value


KIND = KindSpec(
    name="displacement",
    version=1,
    summary="displacement of every date and velocity from a network of interferograms (SBAS), with files that MintPy opens",
    parameters=Displacement,
    products=PRODUCTS,
    backends={"dask": "pipelines.kinds.displacement.dask"},
)
