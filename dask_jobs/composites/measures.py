"""What is made of passes: a quantity, a reducer, and the raster that shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import nan

from dask_jobs.write import Layer, Overview
from infra.errors import InputError

QUANTITIES = {
    "vv": "VV backscatter",
    "vh": "VH backscatter",
    "vv_db": "VV backscatter in decibel",
    "vh_db": "VH backscatter in decibel",
    "ratio": "VV / VH backscatter",
    "ratio_db": "VV / VH backscatter in decibel",
}
REDUCER = re.compile(r"median|mean|stdDev|count|p(\d\d)")
COUNT = "count"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One raster of a composite, or of one pass.

    Attributes
    ----------
    quantity : one of `QUANTITIES`; of no meaning for `count`
    reducer : median, mean, stdDev, count or a percentile p01 to p99; None where there is one pass, whose own quantity
        it is
    filtered : whether the speckle filter is applied, where there is one
    """

    quantity: str = ""
    reducer: str | None = None
    filtered: bool = True

    def __post_init__(self) -> None:
        """Refuse what is not known.

        Raises
        ------
        InputError
            If there is no such quantity or reducer.
        """
        if self.reducer is not None and (not REDUCER.fullmatch(self.reducer) or self.reducer == "p00"):
            raise InputError(
                f"there is no reducer {self.reducer!r}", "Take median, mean, stdDev, count or p01 to p99, as p95."
            )
        if self.reducer != COUNT and self.quantity not in QUANTITIES:
            raise InputError(f"there is no quantity {self.quantity!r}", f"Take one of {', '.join(QUANTITIES)}.")

    @property
    def name(self) -> str:
        """Of the product: `ratio_db_median`, `vv_mean_unfiltered`, `count`, `vv_db` of one pass."""
        if self.reducer == COUNT:
            return COUNT
        return "_".join(
            [self.quantity, *([self.reducer] if self.reducer else []), *([] if self.filtered else ["unfiltered"])]
        )

    @property
    def polarizations(self) -> tuple[str, ...]:
        """That it is made of, whatever else must have data."""
        if self.reducer == COUNT:
            return ()
        name = self.quantity.removesuffix("_db")
        return ("VV", "VH") if name == "ratio" else (name.upper(),)

    @property
    def layer(self) -> Layer:
        """Of its raster. Coarser levels of decibel are averaged as power, but for a deviation, which is no power."""
        if self.reducer == COUNT:
            # no no-data value: 0 passes is what was measured
            return Layer(dtype="int32", description="passes with data", units="1", overview="nearest")
        db = self.quantity.endswith("_db")
        overview: Overview = "db" if db and self.reducer != "stdDev" else "power"
        words = [*([_words(self.reducer)] if self.reducer else []), QUANTITIES[self.quantity]]
        words += [] if self.filtered else ["(not filtered)"]
        return Layer(
            dtype="float32", description=" ".join(words), units="dB" if db else "1", overview=overview, nodata=nan
        )


def percentile_of(reducer: str) -> float | None:
    """0 to 100 for a median or percentile, None for another reducer."""
    if reducer == "median":
        return 50.0
    found = REDUCER.fullmatch(reducer)
    return float(found[1]) if found and found[1] else None


def _words(reducer: str) -> str:
    if reducer == "stdDev":
        return "temporal standard deviation (population) of"
    return f"temporal {reducer} of" if reducer in {"median", "mean"} else f"temporal percentile {int(reducer[1:])} of"
