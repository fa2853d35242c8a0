"""What is made of passes: a quantity, a reducer, and whether the speckle filter comes first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.errors import InputError

QUANTITIES = ("vv", "vh", "vv_db", "vh_db", "ratio", "ratio_db")
REDUCER = re.compile(r"median|mean|stdDev|count|p(0[1-9]|[1-9]\d)")
COUNT, MEDIAN, MEAN, DEVIATION = "count", "median", "mean", "stdDev"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One band of a composite, or of one pass.

    Attributes
    ----------
    quantity : one of `QUANTITIES`; of no meaning for `count`
    reducer : median, mean, stdDev, count or a percentile p01 to p99; None where there is one pass, whose own quantity
        it is
    filtered : whether it is of the filtered passes, where there is a filter
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
        if self.reducer is not None and not REDUCER.fullmatch(self.reducer):
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
    def percentile(self) -> float | None:
        """0 to 100 for a median or percentile, None for another reducer."""
        if self.reducer == MEDIAN:
            return 50.0
        return float(self.reducer[1:]) if self.reducer and self.reducer[1:].isdecimal() else None
