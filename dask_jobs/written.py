"""What a job wrote: a file or store, with the labels by which people find it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Written:
    """One product as it lies in the work in progress; labels that do not apply are None.

    Attributes
    ----------
    name : of the product table ("mean", "p05", "time_series")
    path : relative to the location that it was written to
    media_type : of the file
    date, period : ISO 8601
    orbit : label of the group of the stack
    size : bytes
    """

    name: str
    path: str
    media_type: str
    role: Literal["store", "raster", "table", "figure", "file"]
    size: int
    polarization: str | None = None
    date: str | None = None
    period: str | None = None
    orbit: str | None = None
    zone: str | None = None
