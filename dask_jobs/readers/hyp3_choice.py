"""Which of several HyP3 products of one acquisition is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from dask_jobs.readers.hyp3_name import ORBITS, Hyp3Name
from dask_jobs.scenes import Dropped, Scene
from infra.errors import InputError


class Product(Protocol):
    """A product wherever it lies."""

    @property
    def name(self) -> Hyp3Name:
        """Its name, decoded."""

    def drop(self, reason: str) -> list[Dropped]:
        """All of it, left out."""


SomeProduct = TypeVar("SomeProduct", bound=Product)
Candidate = tuple[SomeProduct, Scene, "str | None"]  # product, scene, time of processing where its README says it


def choose(candidates: Sequence[Candidate[SomeProduct]]) -> tuple[list[Candidate[SomeProduct]], list[Dropped]]:
    """One product of each acquisition (and extent, where clipped), and why the others are left out.

    The better orbit wins; then the later processing, where both say it; of products with equal contents the first.

    Raises
    ------
    InputError
        If two differ in spacing, radiometry, scale, filter, mask or DEM matching, or nothing tells which is newer.
    """
    groups: dict[str, list[Candidate[SomeProduct]]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate[1].id].append(candidate)
    kept, dropped = [], []
    for group in groups.values():
        winner = group[0]
        for other in group[1:]:
            _check_same_kind(winner[0], other[0])
            winner, loser, reason = _better(winner, other)
            dropped += loser[0].drop(f"{reason} {winner[0].name.name}, of the same acquisition")
        kept.append(winner)
    return kept, dropped


def _check_same_kind(one: Product, other: Product) -> None:
    a, b = one.name, other.name
    kinds = {
        "pixel spacing": (a.spacing, b.spacing),
        "radiometry": (a.radiometry.quantity, b.radiometry.quantity),
        "scale": (a.scale, b.scale),
        "speckle filter": (a.radiometry.speckle_filtered, b.radiometry.speckle_filtered),
        "water mask": (a.radiometry.water_masked, b.radiometry.water_masked),
        "DEM matching": (a.matched, b.matched),
    }
    different = [what for what, (x, y) in kinds.items() if x != y]
    if different:
        raise InputError(
            f"{a.name} and {b.name} are of one acquisition and differ in {', '.join(different)}",
            "Give `path` products of one kind.",
        )


def _better(
    one: Candidate[SomeProduct], other: Candidate[SomeProduct]
) -> tuple[Candidate[SomeProduct], Candidate[SomeProduct], str]:
    """Winner, loser, and why in words that the winner's name completes."""
    ranks = [list(ORBITS.values()).index(candidate[0].name.orbit) for candidate in (one, other)]
    if ranks[0] != ranks[1]:
        winner, loser = (one, other) if ranks[0] < ranks[1] else (other, one)
        return winner, loser, f"its orbit is {loser[0].name.orbit}: replaced by the {winner[0].name.orbit} one of"
    if one[1].fingerprint == other[1].fingerprint:
        return one, other, "equal to"
    times = [_time(candidate[2]) for candidate in (one, other)]
    if times[0] is None or times[1] is None or times[0] == times[1]:
        raise InputError(
            f"{one[0].name.name} and {other[0].name.name} are two products of one acquisition, with different pixels",
            "Take one out of `path`, or keep the README of each beside it: it tells which one is newer.",
        )
    winner, loser = (one, other) if times[0] > times[1] else (other, one)
    return winner, loser, f"processed {loser[2]}: replaced {winner[2]} by"


def _time(text: str | None) -> datetime | None:
    """A README's time of processing, UTC where it names no zone; None where there is none that can be read."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
