"""Scenes grouped into passes, the checks that keep a stack pure, and the grid that it gets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Literal, TypeVar

from dask_jobs.scenes import Dropped, Found, Pass, Scene
from infra.errors import InputError, LatticeError
from infra.grid import Grid, Window, intersection, union
from infra.region import Region, geographic_bounds

Some = TypeVar("Some")
Orbits = Literal["single", "separate", "mixed"]
Extent = Literal["union", "intersection", "area"]
REVOLUTION = timedelta(hours=2)  # more than one of any SAR satellite
PASS_LENGTH = timedelta(minutes=30)  # a pass is under half a revolution of about 100 minutes


def group_passes(scenes: Iterable[Scene]) -> tuple[Pass, ...]:
    """Passes in time order, the scenes of each ordered by id.

    Scenes belong together when platform and absolute orbit (or, where one of them names no absolute orbit, the relative
    orbit and 30 minutes from the pass's first scene) are the same, and pass and look direction do not contradict. Two scenes on exactly the same grid never do: a pass sees a piece of ground once.
    """
    groups: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda s: (s.time, s.id)):
        recent = takewhile(lambda g: scene.time - g[0].time <= REVOLUTION, reversed(groups))  # noqa: B023 -- used at once
        home = next((g for g in recent if _belongs(scene, g)), None)
        if home is None:
            groups.append([scene])
        else:
            home.append(scene)
    return tuple(Pass(time=g[0].time, scenes=tuple(sorted(g, key=lambda s: s.id))) for g in groups)


def _belongs(scene: Scene, group: Sequence[Scene]) -> bool:
    first = group[0]
    if scene.platform != first.platform or any(scene.grid == s.grid for s in group):
        return False
    if not (_agree(scene.pass_direction, first.pass_direction) and _agree(scene.look_direction, first.look_direction)):
        return False
    if scene.absolute_orbit is not None and first.absolute_orbit is not None:
        return scene.absolute_orbit == first.absolute_orbit
    return scene.relative_orbit == first.relative_orbit and scene.time - first.time <= PASS_LENGTH


def _agree(a: str | None, b: str | None) -> bool:
    return a is None or b is None or a == b


def filter_period(found: Found, *, start: date | None = None, end: date | None = None) -> Found:
    """Scenes with start <= time < end (dates and naive times are UTC); the others dropped with the reason.

    Raises
    ------
    InputError
        If none is left.
    """
    first, last = _instant(start), _instant(end)
    left = _filter(found, lambda scene: outside_period(scene.time, start=first, end=last))
    if found.scenes and not left.scenes:
        times = sorted(s.time for s in found.scenes)
        raise InputError(
            f"period: no scene from {_day(first) or 'the beginning'} until before {_day(last) or 'the end'}; "
            f"the scenes are of {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}",
            "Give a period that the scenes cover.",
        )
    return left


def outside_period(moment: datetime, *, start: date | None = None, end: date | None = None) -> str | None:
    """Why a moment is not in start <= moment < end, in words; None where it is."""
    first, last = _instant(start), _instant(end)
    if first and moment < first:
        return f"{moment:%Y-%m-%d} is before the period, which starts on {first:%Y-%m-%d}"
    if last and moment >= last:
        return f"{moment:%Y-%m-%d} is after the period, which ends before {last:%Y-%m-%d}"
    return None


def filter_orbits(
    found: Found, *, relative_orbits: Sequence[int] | None = None, pass_direction: str | None = None
) -> Found:
    """Scenes of these relative orbits and this pass direction; the others dropped with the reason.

    Raises
    ------
    InputError
        If none is left.
    """

    def why_not(scene: Scene) -> str | None:
        if relative_orbits is not None and scene.relative_orbit not in relative_orbits:
            return f"relative orbit {scene.relative_orbit or 'unknown'} is not asked for"
        if pass_direction is not None and scene.pass_direction != pass_direction:
            return f"pass {scene.pass_direction or 'unknown'} is not asked for"
        return None

    left = _filter(found, why_not)
    if found.scenes and not left.scenes:
        there = ", ".join(sorted(label or "unknown" for label in by_orbit(found.scenes)))
        raise InputError(f"orbits: no scene is of the orbits asked for; there are {there}", "Ask for one of these.")
    return left


def drop_outside(found: Found, region: Region | None) -> Found:
    """Scenes that have a pixel in the region's extent; the others dropped with the reason.

    Raises
    ------
    InputError
        If none is left, with both extents in degrees.
    """
    if region is None or not found.scenes:
        return found
    inside = {grid: touches(region, grid) for grid in {s.grid for s in found.scenes}}
    left = _filter(found, lambda s: None if inside[s.grid] else f"{s.id} does not touch the area")
    if not left.scenes:
        covered = [geographic_bounds(g) for g in inside]
        raise InputError(
            f"area: {_degrees(region.geometry().bounds)} holds no pixel of the scenes, which cover {_degrees(_hull(covered))}",
            "Give an area that the scenes cover, or scenes of that area.",
        )
    return left


def touches(region: Region, grid: Grid) -> bool:
    """Whether the region has a pixel in the grid."""
    if not all(math.isfinite(edge) for edge in region.projected(grid.crs).bounds):
        return False  # on the other side of the Earth, where the scene's projection ends
    try:
        region.window(grid)
    except InputError:
        return False
    return True


def pairs_inside(
    pairs: Sequence[tuple[Some, Scene]], region: Region | None
) -> tuple[list[tuple[Some, Scene]], tuple[Dropped, ...]]:
    """`drop_outside` for scenes that come with something else, before what is outside costs more than its header."""
    left = drop_outside(Found(scenes=tuple(scene for _, scene in pairs)), region)
    kept = {id(scene) for scene in left.scenes}
    return [pair for pair in pairs if id(pair[1]) in kept], left.dropped


def check_one_radiometry(scenes: Sequence[Scene]) -> None:
    """Refuse scenes that mean different things by backscatter.

    Raises
    ------
    InputError
        If radiometry differs, naming two files.
    """
    for scene in scenes[1:]:
        if scene.radiometry != scenes[0].radiometry:
            raise InputError(
                f"radiometry: {_url(scene)} is {_words(scene)}, {_url(scenes[0])} is {_words(scenes[0])}",
                "Make one stack of each.",
            )


def check_lattice(scenes: Sequence[Scene]) -> None:
    """Refuse scenes whose pixels do not fall on one lattice.

    Raises
    ------
    LatticeError
        Naming two files and how they differ.
    """
    for scene in scenes[1:]:
        difference = scenes[0].grid.lattice_difference(scene.grid)
        if difference:
            raise LatticeError(
                f"{_url(scene)} does not lie on the lattice of {_url(scenes[0])}: {difference}",
                "Stack scenes of one grid, or reproject them first; pixels are never shifted silently.",
            )


def by_orbit(scenes: Iterable[Scene]) -> dict[str, tuple[Scene, ...]]:
    """Scenes by orbit label, sorted: "A137" or "D137" where the pass is known, else "T137"; "" where nothing is.

    A left look adds "-left". A scene without pass or look direction counts to the one known for its relative orbit.
    """
    scenes = tuple(scenes)
    known: dict[int | None, set[tuple[str | None, str | None]]] = defaultdict(set)
    for scene in scenes:
        if scene.pass_direction or scene.look_direction:
            known[scene.relative_orbit].add((scene.pass_direction, scene.look_direction))
    groups: dict[str, list[Scene]] = defaultdict(list)
    for scene in scenes:
        views = known[scene.relative_orbit] if scene.relative_orbit is not None else set()
        view = next(iter(views)) if len(views) == 1 else (scene.pass_direction, scene.look_direction)
        groups[_label(scene.relative_orbit, *view)].append(scene)
    return {label: tuple(groups[label]) for label in sorted(groups)}


def check_orbits(scenes: Sequence[Scene], *, policy: Orbits) -> None:
    """Refuse more than one relative orbit, pass or look direction, unless the policy is "separate" or "mixed".

    Raises
    ------
    InputError
        Naming the orbits and how many scenes each has.
    """
    groups = by_orbit(scenes)
    if policy == "single" and len(groups) > 1:
        counts = ", ".join(f"{label or 'unknown'} ({len(members)} scenes)" for label, members in groups.items())
        raise InputError(
            f"orbits: the scenes are of {len(groups)} orbits: {counts}; mixing them inflates every temporal statistic",
            "Say orbits: separate for products per orbit, orbits: mixed to mix them, or choose one orbit.",
        )


def stack_grid(scenes: Sequence[Scene], *, extent: Extent, region: Region | None = None) -> Grid:
    """Grid of a stack, on the lattice of the scenes.

    Parameters
    ----------
    extent : "union" of all scenes; "intersection", what every pass reaches (the bounds of its scenes); "area", the
        region's window even where no scene covers it
    region : cuts the grid in every case

    Raises
    ------
    InputError
        If no pixel is common or inside the region, or "area" is asked for without one.
    LatticeError
        If the scenes do not share a lattice.
    """
    check_lattice(scenes)
    if extent == "area":
        if region is None:
            raise InputError("extent: area needs an area, and the job has none", "Add `area`, or say extent: union.")
        around = canvas(scenes[0].grid, region)
        return around.crop(region.window(around))
    grid = _common(group_passes(scenes)) if extent == "intersection" else union(_distinct(scenes))
    return grid.crop(region.window(grid)) if region else grid


def _common(passes: Sequence[Pass]) -> Grid:
    grid = union(_distinct(passes[0].scenes))
    for later in passes[1:]:
        own = union(_distinct(later.scenes))
        common = intersection([grid, own])
        if not common.pixels:
            raise InputError(
                f"extent: no pixel is common to all passes: that of {later.time:%Y-%m-%d} covers "
                f"{_degrees(geographic_bounds(own))}, those before have {_degrees(geographic_bounds(grid))} in common",
                "Say extent: union, or take scenes of one frame.",
            )
        grid = common
    return grid


def _distinct(scenes: Iterable[Scene]) -> list[Grid]:
    return list(dict.fromkeys(s.grid for s in scenes))


def canvas(grid: Grid, region: Region) -> Grid:
    """Grid on the same lattice that covers the whole region, with a pixel to spare."""
    left, bottom, right, top = region.projected(grid.crs).bounds
    col, row = math.floor((left - grid.left) / grid.dx) - 1, math.floor((grid.top - top) / grid.dy) - 1
    width = math.ceil((right - grid.left) / grid.dx) + 1 - col
    height = math.ceil((grid.top - bottom) / grid.dy) + 1 - row
    return grid.crop(Window(row, col, height, width))


def _filter(found: Found, why_not: Callable[[Scene], str | None]) -> Found:
    reasons = [(scene, why_not(scene)) for scene in found.scenes]
    dropped = [
        Dropped(path=url, reason=why)
        for s, why in reasons
        if why
        for url in dict.fromkeys(r.url for r in s.rasters.values())
    ]
    return replace(found, scenes=tuple(s for s, why in reasons if not why), dropped=(*found.dropped, *dropped))


def _instant(day: date | None) -> datetime | None:
    if day is None:
        return None
    moment = day if isinstance(day, datetime) else datetime.combine(day, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _label(relative_orbit: int | None, direction: str | None, look: str | None) -> str:
    letter = {"ascending": "A", "descending": "D"}.get(direction or "", "T" if relative_orbit is not None else "")
    number = "" if relative_orbit is None else f"{relative_orbit:03d}"
    return letter + number + ("-left" if look == "left" else "")


def _url(scene: Scene) -> str:
    return next(iter(scene.rasters.values())).url


def _words(scene: Scene) -> str:
    """Radiometry as people say it."""
    said = scene.radiometry
    speckle = {True: "speckle-filtered", False: "not filtered", None: "perhaps filtered"}[said.speckle_filtered]
    water = {True: "water masked", False: "water kept", None: "perhaps without water"}[said.water_masked]
    return f"{said.quantity} ({speckle}, {water})"


def _hull(bounds: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    west, south, east, north = zip(*bounds, strict=True)
    return min(west), min(south), max(east), max(north)


def _degrees(bounds: tuple[float, ...]) -> str:
    return "[" + ", ".join(f"{v:.4f}" for v in bounds) + "]"
