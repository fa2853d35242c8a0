"""Relative orbits of Sentinel-1: from the absolute one, or what times of acquisition alone can tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dask_jobs.scenes import Scene
from infra.errors import InputError

ORBITS_PER_CYCLE = 175  # in 12 days
FIRST_ORBIT = {"S1A": 73, "S1B": 27, "S1C": 172}  # absolute orbits that are the first of a cycle
MOVED = {
    "S1C": datetime(2026, 6, 1, tzinfo=UTC)
}  # to another place in the constellation: its orbits count otherwise since
GRANULE = re.compile(r"(S1[A-Z])_\w\w_\w{4}_\w{4}_\d{8}T\d{6}_\d{8}T\d{6}_(\d{6})_[0-9A-F]{6}_[0-9A-F]{4}")
BY_NUMBER = {  # (absolute orbit, the first of a cycle) from that orbit on
    "S1A": ((0, 73),),
    "S1B": ((0, 27),),
    "S1C": ((0, 172), (8019, 99)),
    "S1D": ((0, 42),),
}
BURST_SECONDS = 2.758273  # between the starts of two bursts of a sub-swath in IW
PREAMBLE_SECONDS = 2.299849  # from an orbit's ascending node to its first burst
CYCLE = timedelta(days=12)
DAY = timedelta(days=1)
PASS_LENGTH = timedelta(minutes=30)  # less than a third of a revolution
NEIGHBOURS = timedelta(minutes=4)  # half of 8.2: adjacent tracks see a place at the same local time, 2.06 degrees apart


def relative_orbit(platform: str, absolute_orbit: int, *, time: datetime) -> int | None:
    """Relative orbit, 1 to 175, of Sentinel-1A and B, and of C until June 2026; None where no rule is known.

    References
    ----------
    (absolute - 73) mod 175 + 1 for S1A, (absolute - 27) mod 175 + 1 for S1B: Sentinel-1 Mission Performance Centre,
    https://forum.step.esa.int/t/sentinel-1-relative-orbit-from-filename/7042; 172 for S1C: open processors agree on it.
    """
    if platform not in FIRST_ORBIT or (platform in MOVED and time >= MOVED[platform]):
        return None
    return (absolute_orbit - FIRST_ORBIT[platform]) % ORBITS_PER_CYCLE + 1


def relative_orbit_by_number(platform: str, absolute_orbit: int) -> int | None:
    """Relative orbit, 1 to 175, by the absolute one alone; None for another satellite than Sentinel-1A to D.

    The rule of `relative_orbit`, and what InSAR processors count for the moved Sentinel-1C (99, from orbit 8019 on) and for
    Sentinel-1D (42): for metadata and to tell tracks apart, not to choose scenes by.
    """
    first = [first for start, first in BY_NUMBER.get(platform, ()) if absolute_orbit >= start]
    return (absolute_orbit - first[-1]) % ORBITS_PER_CYCLE + 1 if first else None


def relative_orbit_of_burst(burst: int) -> int:
    """Relative orbit, 1 to 175, of a burst by its ESA id, which counts bursts along a cycle from its first ascending node.

    References
    ----------
    Sentinel-1 Level 1 Detailed Algorithm Definition (S1-TN-MDA-52-7445), section 9.25, solved for the orbit.
    """
    seconds = (burst - 1) * BURST_SECONDS + PREAMBLE_SECONDS
    return int(seconds * ORBITS_PER_CYCLE // CYCLE.total_seconds()) % ORBITS_PER_CYCLE + 1


def absolute_orbit_of_granule(text: str, *, platform: str) -> int | None:
    """Absolute orbit that the first name of a Sentinel-1 granule of `platform` in a text tells; None where there is none."""
    found = (match for match in GRANULE.finditer(text) if match[1] == platform)
    return next((int(match[2]) for match in found), None)


def check_times_of_one_orbit(scenes: Sequence[Scene]) -> None:
    """Refuse Sentinel-1 scenes of unknown orbit whose times cannot be of one relative orbit.

    One platform comes back after 12 days to the second; different platforms see a place from one track at the same time of
    day. That finds every other orbit of one platform, and of several platforms all but those that share the time of day.

    Raises
    ------
    InputError
        Naming two scenes.
    """
    unknown = [s for s in scenes if s.relative_orbit is None and (s.platform or "").startswith("S1")]
    for scene in unknown[1:]:
        first = unknown[0]
        if not _may_be_one_orbit(first, scene):
            raise InputError(
                f"orbits: {first.id} and {scene.id} are of different relative orbits, by their times; which ones is not known",
                "Give `path` the scenes of one orbit, keep each product's README (it tells the orbit), or say orbits: mixed.",
            )


def _may_be_one_orbit(one: Scene, other: Scene) -> bool:
    same = one.platform == other.platform
    cycle, tolerance = (CYCLE, PASS_LENGTH) if same else (DAY, NEIGHBOURS)
    return _apart(one.time, other.time, cycle=cycle) <= tolerance


def _apart(one: datetime, other: datetime, *, cycle: timedelta) -> timedelta:
    """How far apart two times are within a cycle that repeats."""
    rest = (other - one) % cycle
    return min(rest, cycle - rest)
