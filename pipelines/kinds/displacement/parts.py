"""Parts of the parameters of `displacement`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipelines.kinds.model import Strict

Pair = tuple[dt.date, dt.date]


def _off(value: Any) -> Any:
    """YAML reads the word `no` as false: where a choice is called so, that is what was meant."""
    return "no" if value is False else value


def _none(value: Any) -> Any:
    return "none" if value is False else value


Weight = Annotated[Literal["var", "fim", "coh", "no"], BeforeValidator(_off)]
Deramp = Annotated[Literal["none", "linear", "quadratic"], BeforeValidator(_none)]
Troposphere = Annotated[Literal["none", "height-correlation"], BeforeValidator(_none)]


class Network(Strict):
    """Which interferograms are used; every criterion that is left out keeps all."""

    max_temporal_baseline: float | None = Field(None, gt=0, description="longest time between two dates, days")
    max_perpendicular_baseline: float | None = Field(None, gt=0, description="largest perpendicular baseline, m")
    connections: int | None = Field(None, ge=1, description="only pairs of a date with this many of the next dates")
    only_pairs: list[Pair] | None = Field(
        None, description="only these pairs, as [[2018-01-06, 2018-01-18]]; all that are there if left out"
    )
    exclude_pairs: list[Pair] = Field([], description="pairs left out, as [[2018-01-06, 2018-01-18]]")
    exclude_numbers: list[int] = Field([], description="pairs left out by their number in order of dates, from 0")
    exclude_dates: list[dt.date] = Field([], description="dates whose pairs are all left out")
    start_date: dt.date | None = Field(None, description="first date that is used")
    end_date: dt.date | None = Field(None, description="last date that is used")
    min_coherence: float | None = Field(
        None, gt=0, lt=1, description="least mean coherence of a pair on land; those of the spanning tree stay"
    )
    min_area_ratio: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="least share of land that is more coherent than the mean on water; those of the spanning tree stay",
    )
    keep_minimum_spanning_tree: bool = Field(
        default=True,
        description="keep the most coherent tree that connects all dates, whatever the two criteria above say",
    )

    @field_validator("only_pairs", "exclude_pairs")
    @classmethod
    def _in_order(cls, value: list[Pair] | None) -> list[Pair] | None:
        for one, other in value or []:
            if not one < other:
                raise ValueError(f"[{one}, {other}] is no pair: the earlier date comes first")
        return None if value is None else sorted(set(value))

    @model_validator(mode="after")
    def _a_period(self) -> Network:
        if self.start_date and self.end_date and self.start_date >= self.end_date:
            raise ValueError(f"start_date {self.start_date} is not before end_date {self.end_date}")
        return self

    @property
    def asks_coherence(self) -> bool:
        """Whether pixels must be looked at to choose pairs."""
        return self.min_coherence is not None or self.min_area_ratio is not None


class ReferencePixel(Strict):
    """The reference point as a pixel of the stack."""

    row: int = Field(ge=0, description="row of the stack, from 0 at the north", examples=[7])
    column: int = Field(ge=0, description="column of the stack, from 0 at the west", examples=[26])


class ReferencePoint(Strict):
    """The reference point on the ground."""

    lat: float = Field(ge=-90, le=90, description="latitude, degrees", examples=[34.1])
    lon: float = Field(ge=-180, le=180, description="longitude, degrees", examples=[-118.2])


class Point(Strict):
    """A place whose series is written: by latitude and longitude, or by row and column."""

    name: str = Field(description="as the table and figures call it", examples=["dam"])
    lat: float | None = Field(None, ge=-90, le=90, description="latitude, degrees", examples=[34.1])
    lon: float | None = Field(None, ge=-180, le=180, description="longitude, degrees", examples=[-118.2])
    row: int | None = Field(None, ge=0, description="row of the stack")
    column: int | None = Field(None, ge=0, description="column of the stack")

    @model_validator(mode="after")
    def _one_place(self) -> Point:
        given = {name for name in ("lat", "lon", "row", "column") if getattr(self, name) is not None}
        if given not in ({"lat", "lon"}, {"row", "column"}):
            raise ValueError(f"point '{self.name}': give `lat` and `lon`, or `row` and `column`")
        return self


class Masks(Strict):
    """Which pixels and observations count."""

    temporal_coherence: float = Field(
        0.7, ge=0, le=1, description="least temporal coherence of pixels that are fitted, and shown in masked products"
    )
    observation: Literal["none", "coherence", "components"] = Field(
        "none",
        description="leave out a pair in pixels of low coherence, or outside of the connected components of the unwrapping",
    )
    coherence: float = Field(0.4, gt=0, lt=1, description="what `observation: coherence` calls low")


class HeightCorrelation(Strict):
    """Delay that grows with height, fitted to each date."""

    order: int = Field(1, ge=1, le=3, description="degree of the polynomial of height")
    min_correlation: float = Field(
        0.0, ge=0, le=1, description="least correlation with height; below, a date stays as it is"
    )
    looks: int = Field(
        8, ge=1, le=64, description="side of the cells that are averaged before the fit, pixels; divides 64"
    )

    @field_validator("looks")
    @classmethod
    def _divides(cls, looks: int) -> int:
        if 64 % looks:
            raise ValueError(f"{looks} does not divide 64: cells must not cross blocks; take 1, 2, 4, 8, 16, 32 or 64")
        return looks


class DemError(Strict):
    """Phase that grows with the perpendicular baseline, with a model of what moves meanwhile."""

    poly_order: int = Field(2, ge=1, le=4, description="degree of the polynomial of time")
    steps: list[dt.date] = Field([], description="dates of sudden displacement")
    periods: list[Annotated[float, Field(gt=0)]] = Field([], description="cycles in the displacement, years")
    phase_velocity: bool = Field(default=False, description="fit the changes from date to date instead of the series")


class TimeFunctions(Strict):
    """What is fitted to the series of each pixel, and how its error is estimated."""

    polynomial: int = Field(1, ge=1, le=4, description="degree; 1 is a constant velocity")
    periods: list[Annotated[float, Field(gt=0)]] = Field([], description="cycles, years; 1 is annual, 0.5 semi-annual")
    steps: list[dt.date] = Field([], description="dates of sudden displacement")
    error: Literal["residue", "covariance"] = Field(
        "residue",
        description="standard errors from the misfit of the series, or from the coherence of the interferograms",
    )

    @field_validator("periods")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        return sorted(set(value), reverse=True)

    @field_validator("steps")
    @classmethod
    def _in_order(cls, value: list[dt.date]) -> list[dt.date]:
        return sorted(set(value))
