"""Passes, and how they are put together: one part for each raster of a quantity, with the labels that people find it by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from infra.errors import InputError

Time = Literal["period", "month", "year"]
LETTERS = {"ascending": "A", "descending": "D"}
PERIODS: Mapping[Time, str] = {"period": "", "month": "%Y-%m", "year": "%Y"}
NOON, MIDNIGHT = 12.0, 24.0  # hours, local solar time
DEGREES_PER_HOUR = 15.0


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One acquisition of one platform on one absolute orbit.

    Attributes
    ----------
    time : start of its first scene, UTC
    platform : "S1A"; None where unknown, as are the relative orbit and the direction
    scenes : what an engine calls its scenes, in the order in which they are mosaicked
    group, index : where a stack keeps it; "" and -1 without a stack
    """

    time: datetime
    platform: str | None
    relative_orbit: int | None
    direction: str | None
    scenes: tuple[str, ...] = ()
    group: str = ""
    index: int = -1

    @property
    def orbit(self) -> str:
        """Label of the orbit: "A131", "D058"; "T137" where the direction is unknown, "" where the orbit is."""
        number = "" if self.relative_orbit is None else f"{self.relative_orbit:03d}"
        return LETTERS.get(self.direction or "", "T" if number else "") + number

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` restores the pass."""
        return {**asdict(self), "time": self.time.isoformat(), "scenes": list(self.scenes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Pass:
        """Pass from what `to_json` gave."""
        time, scenes = datetime.fromisoformat(value["time"]), tuple(value["scenes"])
        return cls(**{**value, "time": time, "scenes": scenes})


@dataclass(frozen=True, kw_only=True)
class Part:
    """Passes that one raster of each product is made of.

    Attributes
    ----------
    period, orbit, date : labels of its products, None where they do not apply
    platform : of a part that is one pass; in the names of its files
    passes : in time order
    """

    passes: tuple[Pass, ...]
    period: str | None = None
    orbit: str | None = None
    date: str | None = None
    platform: str | None = None

    def file(self, product: str) -> str:
        """Name of a product's file: "A131_2022-05_ratio_db_median.tif", "D058_2022-05-01_S1A_vv_db.tif"."""
        date = self.date.replace(":", "-") if self.date else None
        return "_".join([*filter(None, (self.orbit, self.period, date, self.platform)), product]) + ".tif"

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` restores the part."""
        plain = {name: getattr(self, name) for name in ("period", "orbit", "date", "platform")}
        return {**plain, "passes": [one.to_json() for one in self.passes]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Part:
        """Part from what `to_json` gave."""
        return cls(**{**value, "passes": tuple(Pass.from_json(one) for one in value["passes"])})


def composite_parts(passes: Sequence[Pass], *, time: Time, per_orbit: bool) -> tuple[Part, ...]:
    """Parts of a composite: by period, then by orbit, each in order; only those that have a pass."""
    found: dict[tuple[str, str], list[Pass]] = {}
    for one in sorted(passes, key=_order):
        period = one.time.strftime(PERIODS[time])
        found.setdefault((period, one.orbit if per_orbit else ""), []).append(one)
    return tuple(
        Part(passes=tuple(members), period=period or None, orbit=orbit or None)
        for (period, orbit), members in sorted(found.items())
    )


def series_parts(passes: Sequence[Pass], *, start: int, limit: int | None) -> tuple[Part, ...]:
    """Parts of a series: a pass each, in time order.

    Parameters
    ----------
    start, limit : passes left out at the beginning, and passes at most

    Raises
    ------
    InputError
        If none is left.
    """
    ordered = sorted(passes, key=_order)
    chosen = ordered[start : None if limit is None else start + limit]
    if not chosen:
        raise InputError(
            f"start: {start} leaves out all passes, of which there are {len(ordered)}", "Give a smaller one."
        )
    days = Counter((one.orbit, f"{one.time:%Y-%m-%d}") for one in chosen)
    parts = []
    for one in chosen:
        day = f"{one.time:%Y-%m-%d}"
        # Two passes of one orbit on one date are of two platforms, or of none that is known: the time tells them apart
        date = day if days[one.orbit, day] == 1 else f"{one.time:%Y-%m-%dT%H:%M:%S}"
        parts.append(Part(passes=(one,), orbit=one.orbit or None, date=date, platform=one.platform))
    return tuple(parts)


def beside(part: Part, parts: Sequence[Part]) -> tuple[Pass, ...]:
    """Passes that a filter over time looks at for a part: its own, and those of the same orbit of a series."""
    if part.date is None:
        return part.passes
    return tuple(one for other in parts if other.orbit == part.orbit for one in other.passes)


def with_directions(passes: Sequence[Pass], *, longitude: float) -> tuple[Pass, ...]:
    """Passes with a direction where it was unknown: from the sun.

    Sentinel-1 crosses the equator northwards at about 18 h local solar time: what it sees between noon and midnight it
    sees ascending. Passes of one relative orbit have one direction, so one that is known speaks for the others.

    Parameters
    ----------
    longitude : degrees, of the area's middle
    """
    known: dict[int | None, str] = {one.relative_orbit: one.direction for one in passes if one.direction}
    known.pop(None, None)
    return tuple(
        replace(one, direction=one.direction or known.get(one.relative_orbit) or _by_the_sun(one.time, longitude))
        if one.platform is None or one.platform.startswith("S1")
        else one
        for one in passes
    )


def _by_the_sun(time: datetime, longitude: float) -> str:
    hour = (time.hour + time.minute / 60 + longitude / DEGREES_PER_HOUR) % MIDNIGHT
    return "ascending" if hour >= NOON else "descending"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which passes are asked for; None for all.

    Attributes
    ----------
    direction : "ascending", "descending" or "both"
    """

    direction: str = "both"
    orbits: tuple[int, ...] | None = None
    platforms: tuple[str, ...] | None = None

    def values(self, one: Pass) -> dict[str, tuple[str, bool]]:
        """Name of each filter to the pass's own value and whether it is asked for."""
        return {
            "pass": (one.direction or "unknown", self.direction in ("both", one.direction)),
            "orbits": (str(one.relative_orbit or "unknown"), self.orbits is None or one.relative_orbit in self.orbits),
            "platforms": (one.platform or "unknown", self.platforms is None or one.platform in self.platforms),
        }

    def said(self, name: str) -> str:
        """A filter as it stands in the job file."""
        asked = {"pass": self.direction, "orbits": self.orbits, "platforms": self.platforms}[name]
        return asked if isinstance(asked, str) else f"[{', '.join(map(str, asked or ()))}]"


def select_passes(passes: Sequence[Pass], wanted: Selection) -> tuple[tuple[Pass, ...], tuple[tuple[Pass, str], ...]]:
    """Passes that are asked for, and those that are not with the reason.

    Raises
    ------
    InputError
        If none is left: which filter left nothing of what those before it had left, and what there was.
    """
    left, dropped = list(passes), []
    for name in ("pass", "orbits", "platforms"):
        found = [(one, *wanted.values(one)[name]) for one in left]
        kept = [one for one, _, asked in found if asked]
        if left and not kept:
            there = Counter(value for _, value, _ in found)
            counts = ", ".join(f"{value} ({count} passes)" for value, count in sorted(there.items()))
            raise InputError(
                f"{name}: {wanted.said(name)} leaves no pass; there are {counts}", f"Change `{name}`, or leave it out."
            )
        dropped += [(one, f"{name}: {value} is not asked for") for one, value, asked in found if not asked]
        left = kept
    return tuple(left), tuple(dropped)


def _order(one: Pass) -> tuple[datetime, str, str]:
    return one.time, one.platform or "", one.orbit
