"""Dates and pairs of a stack of interferograms, as numbers: what the equations of small baselines are written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from infra.errors import InputError

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of dates, each of which an interferogram was made of.

    Attributes
    ----------
    reference, secondary : of each pair, the reference earlier
    perpendicular_baseline : of each pair, m

    Raises
    ------
    InputError
        If there is not one of each per pair, or a reference is not earlier than its secondary.
    """

    reference: tuple[date, ...]
    secondary: tuple[date, ...]
    perpendicular_baseline: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = len(self.reference), len(self.secondary), len(self.perpendicular_baseline)
        if len(set(numbers)) != 1:
            raise InputError(f"pairs: {numbers} references, secondaries, baselines", "Give one of each per pair.")
        for one, other in zip(self.reference, self.secondary, strict=True):
            if one >= other:
                raise InputError(
                    f"pairs: reference {one}, secondary {other}", "Give the earlier date as the reference."
                )

    def __len__(self) -> int:
        return len(self.reference)

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """Every date of a pair, once, ascending."""
        return tuple(sorted({*self.reference, *self.secondary}))

    @cached_property
    def first(self) -> np.ndarray:
        """Index of each pair's reference in `dates`, dims (pair,), int64."""
        return self._index(self.reference)

    @cached_property
    def second(self) -> np.ndarray:
        """Index of each pair's secondary in `dates`, dims (pair,), int64."""
        return self._index(self.secondary)

    @cached_property
    def days(self) -> np.ndarray:
        """Days of each date since the first, dims (time,), float64."""
        return np.array([(day - self.dates[0]).days for day in self.dates], dtype=np.float64)

    @cached_property
    def years(self) -> np.ndarray:
        """Temporal baseline of each pair, years of 365.25 days, dims (pair,), float64."""
        return np.asarray((self.days[self.second] - self.days[self.first]) / DAYS_PER_YEAR)

    @cached_property
    def incidence(self) -> np.ndarray:
        """Matrix A of Berardino et al. (2002), eq. 9, dims (pair, time): -1 at the reference, +1 at the secondary."""
        matrix = np.zeros((len(self), len(self.dates)))
        rows = np.arange(len(self))
        matrix[rows, self.first] = -1.0
        matrix[rows, self.second] = 1.0
        return matrix

    def take(self, index: Sequence[int] | np.ndarray) -> Pairs:
        """Some of the pairs, in that order."""
        return Pairs(
            reference=tuple(self.reference[i] for i in index),
            secondary=tuple(self.secondary[i] for i in index),
            perpendicular_baseline=tuple(self.perpendicular_baseline[i] for i in index),
        )

    def _index(self, days: Sequence[date]) -> np.ndarray:
        place = {day: number for number, day in enumerate(self.dates)}
        return np.array([place[day] for day in days], dtype=np.int64)
