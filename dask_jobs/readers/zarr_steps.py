"""Zarr stores whose variables have dims (time, y, x): each time step is a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dask_jobs.passes import pairs_inside
from dask_jobs.readers.polarizations import wanted_polarizations
from dask_jobs.readers.zarr_arrays import Store, dims_of, reading, split
from dask_jobs.readers.zarr_grid import coordinate
from dask_jobs.readers.zarr_images import (
    Asked,
    Image,
    Known,
    StoreValues,
    bands_of,
    check_values,
    identified,
    radiometry_of,
    raster_of,
    shared_grid,
)
from dask_jobs.scenes import Dropped, Found, Scene
from infra.errors import InputError

Step = tuple[Scene, dict[str, Image]]  # a time step as a scene, and where its images are
CALENDARS = ("", "standard", "gregorian", "proleptic_gregorian")
DIRECTIONS = ("ascending", "descending")


def find_steps(stores: Sequence[Store], asked: Asked) -> Found:
    """Scenes of stores with dims (time, y, x); parameters and errors as of `zarr_store.find`."""
    cubes, dropped = _cubes(stores, values=asked.values)
    if not cubes:
        seen = f"; {dropped[0].path}: {dropped[0].reason}" if dropped else ""
        raise InputError(
            f"path: no variable VV, VH, HH or HV with dims (time, y, x) in {', '.join(s.place.url for s in stores)}{seen}",
            "Say `variables`, or layout: groups where each scene is a group.",
        )
    wanted = wanted_polarizations([frozenset(cube) for cube in cubes], asked.polarizations)
    steps: list[Step] = []
    for cube in cubes:
        lacking = [band for band in wanted if band not in cube]
        if lacking:
            dropped += [Dropped(path=i.url, reason=f"its group lacks {', '.join(lacking)}") for i in cube.values()]
        else:
            steps += _steps({band: cube[band] for band in wanted}, values=asked.values)
    if not steps:
        raise InputError(f"path: {cubes[0][wanted[0]].url} has no time step", "Give a store that holds scenes.")
    steps, outside = asked.in_period(steps, lambda step: step[0].time)
    dropped += [Dropped(path=f"{i.url}[{i.step}]", reason=why) for (_, images), why in outside for i in images.values()]
    inside, elsewhere = pairs_inside([(images, scene) for scene, images in steps], asked.region)
    steps = [(scene, images) for images, scene in inside]
    _check_ids(steps)
    scenes = identified(steps, s3=asked.s3, cache=asked.cache)
    check_values(scenes[0], s3=asked.s3)
    return Found(scenes=tuple(sorted(scenes, key=lambda s: (s.time, s.id))), dropped=(*dropped, *elsewhere))


def _cubes(stores: Sequence[Store], *, values: StoreValues) -> tuple[list[dict[str, Image]], list[Dropped]]:
    """Variables of each group that has some, by polarization; the groups whose variables mean nothing."""
    cubes: list[dict[str, Image]] = []
    dropped: list[Dropped] = []
    for store in stores:
        for group in sorted({split(path)[0] for path, array in store.arrays.items() if array.ndim == 3}):
            bands = bands_of(store, group, ndim=3, variables=values.variables)
            if bands:
                cubes.append({band: Image(store=store, path=path) for band, path in bands.items()})
            else:
                there = ", ".join(sorted(name for name, a in store.members(group).items() if a.ndim == 3))
                reason = f"none of its variables is a polarization: {there}"
                dropped.append(Dropped(path=store.place.href(group).rstrip("/"), reason=reason))
    return cubes, dropped


def _steps(cube: Mapping[str, Image], *, values: StoreValues) -> list[Step]:
    grid, south_up = shared_grid(cube, crs=values.crs)
    times = {band: times_of(image, date_format=values.date_format) for band, image in cube.items()}
    first = next(iter(cube))
    for band, own in times.items():
        if own != times[first]:
            raise InputError(
                f"{cube[band].url} and {cube[first].url} have different times",
                "Give all variables one time coordinate.",
            )
    about = cube[first].group
    found = []
    for step, time in enumerate(times[first]):
        images = {band: Image(store=i.store, path=i.path, step=step) for band, i in cube.items()}
        scene = Scene(
            id=f"{time:%Y%m%dT%H%M%SZ}_{grid.left:.10g}_{grid.top:.10g}",
            release="",
            time=time,
            grid=grid,
            rasters={
                band: raster_of(image, values=values, known=Known(), south_up=south_up[band])
                for band, image in images.items()
            },
            radiometry=radiometry_of(cube[first], values=values, known=Known()),
            relative_orbit=_orbit(about),
            pass_direction=_direction(about),
        )
        found.append((scene, images))
    return found


def _orbit(attributes: Mapping[str, Any]) -> int | None:
    value = attributes.get("relative_orbit")
    return value if isinstance(value, int) else None


def _direction(attributes: Mapping[str, Any]) -> str | None:
    value = attributes.get("pass_direction")
    return value if value in DIRECTIONS else None


def _check_ids(steps: Sequence[Step]) -> None:
    seen: dict[str, Image] = {}
    for scene, images in steps:
        image = next(iter(images.values()))
        twin = seen.setdefault(scene.id, image)
        if twin is not image:
            raise InputError(
                f"{twin.url}[{twin.step}] and {image.url}[{image.step}] are both of {scene.time:%Y-%m-%dT%H:%M:%SZ}",
                "Take one of them out of the store.",
            )


def times_of(image: Image, *, date_format: str) -> list[datetime]:
    """Times of an array's first dimension, UTC.

    Parameters
    ----------
    date_format : of times that are text and not ISO 8601, as for strptime

    Raises
    ------
    InputError
        If there is no such coordinate, it is of another length, or a time cannot be read.
    """
    dim = (dims_of(image.array) or ("time",))[0]
    array = coordinate(image.store, image.path, dim)
    if array is None:
        raise InputError(f"{image.url} has no coordinate {dim!r}", "Give the store the time of each step.")
    with reading(image.store.place, array.path):
        values = np.asarray(array[:])
    if values.size != image.array.shape[0]:
        raise InputError(
            f"{image.url}: {dim} has {values.size} times for {image.array.shape[0]} steps", "Mend the store."
        )
    if values.dtype.kind in "OUST":
        return [_from_text(str(value), image.url, date_format=date_format) for value in values]
    return _from_numbers(values, array.attrs.asdict(), url=f"{image.url}: {dim}")


def _from_text(text: str, url: str, *, date_format: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        try:
            time = datetime.strptime(text, date_format)  # noqa: DTZ007 -- UTC is set below where the format names no zone
        except ValueError as error:
            raise InputError(
                f"{url}: the time {text!r} is neither ISO 8601 nor of the form {date_format!r}", "Mend `date_format`."
            ) from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _from_numbers(values: np.ndarray, attributes: Mapping[str, Any], *, url: str) -> list[datetime]:
    """Times that numbers stand for by CF's `units` and `calendar` (CF 1.10, section 4.4)."""
    import xarray as xr

    units, calendar = str(attributes.get("units", "")), str(attributes.get("calendar", ""))
    if values.dtype.kind != "M":
        if " since " not in units or calendar not in CALENDARS:
            raise InputError(
                f"{url} has units {units!r} and calendar {calendar!r}, which tell no date",
                "Give it CF units, as `seconds since 1970-01-01`, and the standard calendar.",
            )
        said = {"units": units, "calendar": calendar or "standard"}
        try:
            values = xr.decode_cf(xr.Dataset({"t": ("t", values, said)}))["t"].to_numpy()
        except (ValueError, OverflowError) as error:
            raise InputError(f"{url}: {error}", "Mend the time coordinate.") from error
    if values.dtype.kind != "M" or np.isnat(values).any():
        raise InputError(f"{url} holds times that are none", "Mend the time coordinate.")
    return [time.replace(tzinfo=UTC) for time in values.astype("datetime64[us]").tolist()]
