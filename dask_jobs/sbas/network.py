"""Which pairs of a network are used, whether they connect all dates, and where the satellite was at each date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError


class DisconnectedNetworkError(InputError):
    """The pairs leave several groups of dates, between which nothing was measured."""


@dataclass(frozen=True, kw_only=True)
class NetworkCriteria:
    """Which pairs are used; None and empty ask for nothing. A pair that fails any of them is dropped.

    Attributes
    ----------
    max_temporal_baseline : days
    max_perpendicular_baseline : m, of its magnitude
    connections : pairs of a date with this many following dates of the stack, whether other criteria drop those or not
    exclude_pairs : (reference, secondary)
    exclude_dates : whose pairs are dropped
    start_date, end_date : first and last date that may be used
    min_coherence : least mean coherence of a pair, 0 to 1
    min_area_ratio : least share of pixels of a pair that are coherent enough, 0 to 1, as the caller measures it
    keep_minimum_spanning_tree : whether the most coherent tree that connects the dates outlives the last two: of the
        network that the other criteria leave, the spanning tree of least Σ 1/coherence

    Raises
    ------
    InputError
        If a value is out of its range.

    References
    ----------
    Yunjun et al. (2019), doi:10.1016/j.cageo.2019.104331; Perissin and Wang (2012),
    doi:10.1109/TGRS.2011.2160644 (minimum spanning tree).
    """

    max_temporal_baseline: float | None = None
    max_perpendicular_baseline: float | None = None
    connections: int | None = None
    exclude_pairs: tuple[tuple[date, date], ...] = ()
    exclude_dates: tuple[date, ...] = ()
    start_date: date | None = None
    end_date: date | None = None
    min_coherence: float | None = None
    min_area_ratio: float | None = None
    keep_minimum_spanning_tree: bool = True

    def __post_init__(self) -> None:
        for name in ("max_temporal_baseline", "max_perpendicular_baseline", "connections"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"network: {name} {value}", "Give a number above 0, or leave it out.")
        for name in ("min_coherence", "min_area_ratio"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"network: {name} {value}", "Give a number from 0 to 1, or leave it out.")
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise InputError(f"network: from {self.start_date} to {self.end_date}", "Give the earlier date first.")


class Selection(NamedTuple):
    """Indices of the pairs that are kept, ascending; and (index, reason) of those that are not."""

    kept: tuple[int, ...]
    dropped: tuple[tuple[int, str], ...]


def select_pairs(
    pairs: Pairs,
    criteria: NetworkCriteria,
    *,
    mean_coherence: Sequence[float] | np.ndarray | None = None,
    area_ratio: Sequence[float] | np.ndarray | None = None,
) -> Selection:
    """Pairs that meet the criteria; whether they connect all dates is for `check_connected` to say.

    Parameters
    ----------
    mean_coherence, area_ratio : of each pair, 0 to 1; asked for where a criterion needs it
        NaN meets no criterion. The spanning tree takes coherence also where the area ratio alone is asked for.

    Raises
    ------
    InputError
        If what a criterion needs is not there, or not one number per pair.
    """
    coherence = _measured(pairs, "mean_coherence", mean_coherence)
    ratio = _measured(pairs, "area_ratio", area_ratio)
    reasons = {k: reason for k in range(len(pairs)) if (reason := _by_geometry(pairs, criteria, k))}
    asked = [
        ("mean coherence", coherence, criteria.min_coherence),
        ("area ratio", ratio, criteria.min_area_ratio),
    ]
    failed: dict[int, str] = {}
    for name, values, least in asked:
        if least is None:
            continue
        if values is None:
            raise InputError(f"network: no {name} to hold against {least:g}", "Measure it of every pair first.")
        for k in range(len(pairs)):
            if k not in reasons and not values[k] >= least:
                failed.setdefault(k, f"{name} {values[k]:.3f} < {least:g}")
    if failed and criteria.keep_minimum_spanning_tree:
        if coherence is None:
            raise InputError(
                "network: no mean coherence to find the spanning tree by", "Measure it of every pair first."
            )
        for k in minimum_spanning_tree(pairs, coherence, among=[k for k in range(len(pairs)) if k not in reasons]):
            failed.pop(k, None)
    reasons |= failed
    return Selection(tuple(k for k in range(len(pairs)) if k not in reasons), tuple(sorted(reasons.items())))


def _measured(pairs: Pairs, name: str, values: Sequence[float] | np.ndarray | None) -> np.ndarray | None:
    if values is None:
        return None
    if np.shape(values) != (len(pairs),):
        raise InputError(f"network: {name} of dims {np.shape(values)} for {len(pairs)} pairs", "Give one per pair.")
    return np.asarray(values, dtype=np.float64)


def _by_geometry(pairs: Pairs, criteria: NetworkCriteria, k: int) -> str:
    """Why a pair is dropped for its dates or baselines; "" if it is not."""
    days = (pairs.secondary[k] - pairs.reference[k]).days
    across = abs(pairs.perpendicular_baseline[k])
    steps = int(pairs.second[k] - pairs.first[k])
    if criteria.max_temporal_baseline is not None and days > criteria.max_temporal_baseline:
        return f"temporal baseline {days} > {criteria.max_temporal_baseline:g} days"
    if criteria.max_perpendicular_baseline is not None and not across <= criteria.max_perpendicular_baseline:
        return f"perpendicular baseline {across:.1f} > {criteria.max_perpendicular_baseline:g} m"
    if criteria.connections is not None and steps > criteria.connections:
        return f"{steps} dates apart, of {criteria.connections} connections"
    if (pairs.reference[k], pairs.secondary[k]) in criteria.exclude_pairs:
        return "excluded pair"
    return _by_date(pairs, criteria, k)


def _by_date(pairs: Pairs, criteria: NetworkCriteria, k: int) -> str:
    for day in (pairs.reference[k], pairs.secondary[k]):
        if day in criteria.exclude_dates:
            return f"excluded date {day}"
        if criteria.start_date is not None and day < criteria.start_date:
            return f"{day} before {criteria.start_date}"
        if criteria.end_date is not None and day > criteria.end_date:
            return f"{day} after {criteria.end_date}"
    return ""


def minimum_spanning_tree(
    pairs: Pairs, coherence: Sequence[float] | np.ndarray, *, among: Iterable[int] | None = None
) -> tuple[int, ...]:
    """Pairs of the tree (or, where the network is not connected, of the trees) of least Σ 1/coherence, ascending.

    Parameters
    ----------
    coherence : of each pair; NaN is worse than any. Of equals the first is taken
    among : indices of the pairs to choose from; None for all

    References
    ----------
    Kruskal (1956), doi:10.1090/S0002-9939-1956-0078686-7
    """
    worth = np.nan_to_num(np.asarray(coherence, dtype=np.float64), nan=-np.inf)
    groups = _Groups(len(pairs.dates))
    # the least cost 1/coherence first is the greatest coherence first; sorting is stable
    order = sorted(range(len(pairs)) if among is None else among, key=lambda k: (-worth[k], k))
    return tuple(sorted(k for k in order if groups.join(int(pairs.first[k]), int(pairs.second[k]))))


class _Groups:
    """Things that are joined, two by two."""

    def __init__(self, number: int) -> None:
        self._above = list(range(number))

    def of(self, one: int) -> int:
        """The least of those that it is joined with."""
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, one: int, other: int) -> bool:
        """Whether they were apart."""
        one, other = sorted((self.of(one), self.of(other)))
        self._above[other] = one
        return one != other


def connected_components(pairs: Pairs) -> tuple[tuple[date, ...], ...]:
    """Dates that pairs connect, ascending; the components in the order of their first dates."""
    groups = _Groups(len(pairs.dates))
    for one, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        groups.join(one, other)
    found: dict[int, list[date]] = {}
    for number, day in enumerate(pairs.dates):
        found.setdefault(groups.of(number), []).append(day)
    return tuple(tuple(days) for days in found.values())


def check_connected(pairs: Pairs) -> None:
    """Raise unless the pairs connect all their dates.

    Raises
    ------
    DisconnectedNetworkError
        Naming the components, and the shortest pairs that would join them.
    InputError
        If there are no pairs.
    """
    if not len(pairs):
        raise InputError("a network of no pairs", "Loosen the criteria, or add interferograms.")
    parts = connected_components(pairs)
    if len(parts) == 1:
        return
    named = "; ".join(f"{days[0]} to {days[-1]} ({len(days)} dates)" for days in parts[:10])
    more = f"; and {len(parts) - 10} more" if len(parts) > 10 else ""
    joints = ", ".join(f"{one} with {other}" for one, other in _joints(parts)[:10])
    raise DisconnectedNetworkError(
        f"{len(pairs)} pairs leave {len(parts)} groups of dates that nothing connects: {named}{more}",
        f"Loosen the criteria of the network or add interferograms, for example {joints}; or set other dates.",
    )


def _joints(parts: tuple[tuple[date, ...], ...]) -> list[tuple[date, date]]:
    """The shortest pair between each component and those before it."""
    joined, found = set(parts[0]), []
    for days in parts[1:]:
        pair = min(((a, b) for a in joined for b in days), key=lambda two: (abs(two[1] - two[0]), two))
        found.append((min(pair), max(pair)))
        joined.update(days)
    return found


def perpendicular_baselines(pairs: Pairs) -> np.ndarray:
    """Perpendicular baseline of each date relative to the first, by least squares over the pairs.

    Returns
    -------
    dims (time,), float64, m; where the pairs are not connected, the solution of least norm

    References
    ----------
    Berardino et al. (2002), eq. 8, with baselines for phases; doi:10.1109/TGRS.2002.803792
    """
    solved, *_ = np.linalg.lstsq(pairs.incidence[:, 1:], np.array(pairs.perpendicular_baseline), rcond=None)
    return np.concatenate([[0.0], solved])
