"""Sentinel-1 in Earth Engine's catalogue: the scenes of a job as plain values, and what the filters left of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal, NamedTuple

import ee

from gee.errors import translated
from gee.scenes import COLLECTIONS, OPERA, SceneInfo, read_scene
from infra.errors import InputError

PAGE = 500  # scenes of one answer: some 5 KB each
MODE, RESOLUTION = "IW", 10.0  # the GRD collections hold other modes and coarser products too
Direction = Literal["ascending", "descending", "both"]
BOTH: Direction = "both"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one filter left: numbers of scenes."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """Scenes of a survey, in time order.

    Attributes
    ----------
    steps : the filters in the order in which they were applied
    superseded : of scenes that are there in several releases all but the newest
    """

    scenes: tuple[SceneInfo, ...]
    steps: tuple[Step, ...]
    superseded: tuple[SceneInfo, ...] = ()


def find_scenes(
    collection_id: str,
    *,
    region: str | None,
    start: date | None = None,
    end: date | None = None,
    pass_direction: Direction = BOTH,
    orbits: Sequence[int] | None = None,
    platforms: Sequence[str] | None = None,
    polarizations: Sequence[str] = (),
) -> Found:
    """Scenes of a collection, after `gee.session.initialize`: one request for every 500 in area and period.

    Area and period are Earth Engine's to filter; the rest is filtered here, from the same answer, so that every count is
    known and an empty result can say what there is instead.

    Parameters
    ----------
    region : WKT, longitude and latitude in degrees; None for everywhere
    start, end : UTC, end exclusive; None where open
    orbits : relative orbits, 1 to 175; None for all
    platforms : "S1A", "S1B" ...; None for all
    polarizations : that a scene must all have

    Raises
    ------
    InputError
        If the collection is not known, the region cannot be read, or nothing is left: naming the filter that left none,
        the numbers before and after, and what there is.
    CredentialsError, TransientError, QuotaError, ResourceError
        If Earth Engine does not answer.
    """
    if collection_id not in COLLECTIONS:
        raise InputError(f"collection: {collection_id!r} is not known", f"Take one of {', '.join(COLLECTIONS)}.")
    everywhere = ee.ImageCollection(collection_id)
    there = everywhere if region is None else everywhere.filterBounds(_geometry(region))
    images = _pages(_within(there, start, end))
    steps = [Step(name="area and period", before=len(images), after=len(images))]
    if not images:
        raise _nothing_there(collection_id, there, start, end)
    left = [read_scene(image, collection_id) for image in images]
    for one in _filters(
        collection_id, pass_direction=pass_direction, orbits=orbits, platforms=platforms, polarizations=polarizations
    ):
        kept = [scene for scene in left if one.passes(scene)]
        steps.append(Step(name=one.name, before=len(left), after=len(kept)))
        if not kept:
            raise InputError(
                f"{one.name}: {one.wanted} left none of {len(left)} scenes; "
                f"{one.there} there are {_listed(map(one.value, left))}",
                "Ask for one of these, or for another area or period.",
            )
        left = kept
    scenes, superseded = _newest(left)
    return Found(scenes=scenes, steps=tuple(steps), superseded=superseded)


# -- asking -----------------------------------------------------------------------------------------------------------


def _geometry(region: str) -> ee.Geometry:
    import shapely
    from shapely.geometry import mapping

    try:
        shape = shapely.from_wkt(region)
    except shapely.errors.ShapelyError as error:
        raise InputError(f"area: {region[:60]!r} is no WKT: {error}", "Give a polygon in degrees.") from error
    if shape.is_empty:
        raise InputError("area: it is empty", "Give a polygon in degrees.")
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InputError(
            f"area: {west:g} to {east:g} degrees east and {south:g} to {north:g} degrees north is not on the map",
            "Give longitudes of -180 to 180 and latitudes of -90 to 90; cut what crosses the date line in two.",
        )
    geometry: ee.Geometry = ee.Geometry(mapping(shape), "EPSG:4326", geodesic=False, evenOdd=True)
    return geometry


def _within(images: ee.ImageCollection, start: date | None, end: date | None) -> ee.ImageCollection:
    if start is not None:
        images = images.filter(ee.Filter.gte("system:time_start", _millis(start)))
    if end is not None:
        images = images.filter(ee.Filter.lt("system:time_start", _millis(end)))
    return images


def _millis(moment: date) -> int:
    return round(_utc(moment).timestamp() * 1000)


def _utc(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _pages(images: ee.ImageCollection) -> list[Mapping[str, Any]]:
    """Descriptions of all images, page by page."""
    found: list[Mapping[str, Any]] = []
    while True:
        page = ee.Dictionary({"count": images.size(), "images": images.toList(PAGE, len(found))})
        with translated():
            answer: Any = page.getInfo()
        found += answer["images"]
        if len(found) >= answer["count"] or not answer["images"]:
            return found


def _nothing_there(collection_id: str, there: ee.ImageCollection, start: date | None, end: date | None) -> InputError:
    """What is said when area and period left nothing; asks once more, for what there is in the area."""
    known = ee.Dictionary(
        {"count": there.size(), "times": there.aggregate_array("system:time_start").reduce(ee.Reducer.minMax())}
    )
    with translated():
        answer: Any = known.getInfo()
    if not answer["count"]:
        return InputError(
            f"area: it left no scene of {collection_id}", "Give an area that Sentinel-1 has seen, on land or coast."
        )
    first, last = (
        datetime.fromtimestamp(answer["times"][key] / 1000, UTC).strftime("%Y-%m-%d") for key in ("min", "max")
    )
    since = "" if start is None else f" from {_utc(start):%Y-%m-%d}"
    until = "" if end is None else f" until before {_utc(end):%Y-%m-%d}"
    return InputError(
        f"period:{since}{until} left none of {answer['count']} scenes of {collection_id} in the area; "
        f"they are of {first} to {last}",
        "Give a period that the scenes cover.",
    )


# -- filtering --------------------------------------------------------------------------------------------------------


class Filter(NamedTuple):
    """One filter: its name, what is asked for, which scenes pass, and what there is otherwise."""

    name: str
    wanted: str
    passes: Callable[[SceneInfo], bool]
    there: str
    value: Callable[[SceneInfo], object]


def _filters(
    collection_id: str,
    *,
    pass_direction: Direction,
    orbits: Sequence[int] | None,
    platforms: Sequence[str] | None,
    polarizations: Sequence[str],
) -> Iterable[Filter]:
    """Filters in the order in which they are applied."""
    if collection_id != OPERA:
        yield Filter("instrument mode", MODE, lambda one: one.mode == MODE, "the modes", lambda one: one.mode)
        yield Filter(
            "resolution",
            f"{RESOLUTION:g} m",
            lambda one: one.spacing in (None, RESOLUTION),
            "the resolutions",
            lambda one: one.spacing,
        )
    if pass_direction != BOTH:
        yield Filter(
            "pass",
            pass_direction,
            lambda one: one.pass_direction == pass_direction,
            "the passes",
            lambda one: one.pass_direction,
        )
    if orbits is not None:
        yield Filter(
            "orbits",
            str(list(orbits)),
            lambda one: one.relative_orbit in orbits,
            "the relative orbits",
            lambda one: one.relative_orbit,
        )
    if platforms is not None:
        yield Filter(
            "platforms",
            ", ".join(platforms),
            lambda one: one.platform in platforms,
            "the platforms",
            lambda one: one.platform,
        )
    if polarizations:
        yield Filter(
            "polarizations",
            " and ".join(polarizations),
            lambda one: set(polarizations) <= set(one.polarizations),
            "the polarizations",
            lambda one: "+".join(one.polarizations),
        )


def _listed(values: Iterable[object]) -> str:
    """Distinct values in order."""
    distinct = {value for value in values if value is not None}
    known = sorted(distinct, key=lambda one: (isinstance(one, str), one))
    return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in known) or "unknown"


def _newest(scenes: Sequence[SceneInfo]) -> tuple[tuple[SceneInfo, ...], tuple[SceneInfo, ...]]:
    """Scenes in time order, and those of which there is a newer release: same platform, moment and pixels."""
    releases: dict[tuple[object, ...], SceneInfo] = {}
    for scene in sorted(scenes, key=lambda one: (one.version or 0, one.id)):
        place = (scene.crs, scene.transform, scene.width, scene.height)
        releases[scene.platform, scene.time, *place] = scene
    kept = tuple(sorted(releases.values(), key=lambda one: (one.time, one.id)))
    ids = {one.id for one in kept}
    return kept, tuple(one for one in scenes if one.id not in ids)
