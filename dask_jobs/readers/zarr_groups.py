"""Zarr stores with one group per scene, whose name tells what it is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dask_jobs.passes import pairs_inside
from dask_jobs.readers.file_names import FileNames
from dask_jobs.readers.hyp3_choice import choose
from dask_jobs.readers.hyp3_name import FORM, Hyp3Name
from dask_jobs.readers.polarizations import wanted_polarizations
from dask_jobs.readers.zarr_arrays import THREADS, Store, split
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
from dask_jobs.readers.zarr_names import GroupName, read_group_name
from dask_jobs.scenes import Dropped, Found, Scene
from infra.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Group:
    """A scene in a store: one group with a variable for each polarization, or a group for each."""

    said: GroupName
    images: dict[str, Image] = field(default_factory=dict)

    @property
    def name(self) -> Hyp3Name:
        """Its name, where it is HyP3's."""
        if self.said.hyp3 is None:
            raise TypeError("no HyP3 product")
        return self.said.hyp3

    def drop(self, reason: str) -> list[Dropped]:
        """Every array of it, left out."""
        return [Dropped(path=self.images[band].url, reason=reason) for band in sorted(self.images)]


def find_groups(stores: Sequence[Store], asked: Asked, *, names: FileNames | None) -> Found:
    """Scenes of stores with one group per scene; parameters and errors as of `zarr_store.find`."""
    groups, dropped = _groups(stores, values=asked.values, names=names)
    if not groups:
        seen = f"; a group there is {dropped[0].path}, and {dropped[0].reason}" if dropped else ""
        raise InputError(
            f"path: no scene in {', '.join(store.place.url for store in stores)}{seen}",
            f"Name groups like {FORM}, or give `pattern` (and `variables`); say layout: array where time is a dimension.",
        )
    groups, outside = asked.in_period(groups, lambda group: group.said.time)
    dropped += [row for group, reason in outside for row in group.drop(reason)]
    wanted = wanted_polarizations([frozenset(group.images) for group in groups], asked.polarizations)
    complete = []
    for group in groups:
        lacking = [band for band in wanted if band not in group.images]
        if lacking:
            dropped += group.drop(f"the scene lacks {', '.join(lacking)}")
        else:
            complete.append(group)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="coordinates") as pool:
        bare = list(pool.map(lambda group: _scene(group, wanted, values=asked.values), complete))
    inside, elsewhere = pairs_inside(list(zip(complete, bare, strict=True)), asked.region)
    parts = [(scene, {band: group.images[band] for band in wanted}) for group, scene in inside]
    scenes = identified(parts, s3=asked.s3, cache=asked.cache)
    kept, replaced = _one_of_each([group for group, _ in inside], scenes)
    named = any(group.said.scale is not None for group, _ in inside)  # by each one's own name: each may be wrong
    with ThreadPoolExecutor(THREADS, thread_name_prefix="samples") as pool:
        list(pool.map(lambda scene: check_values(scene, s3=asked.s3), kept if named else kept[:1]))
    return Found(scenes=tuple(sorted(kept, key=lambda s: (s.time, s.id))), dropped=(*dropped, *elsewhere, *replaced))


def _groups(
    stores: Sequence[Store], *, values: StoreValues, names: FileNames | None
) -> tuple[list[Group], list[Dropped]]:
    groups: dict[object, Group] = {}
    dropped: list[Dropped] = []
    for store in stores:
        for path in sorted({split(array)[0] for array, found in store.arrays.items() if found.ndim == 2}):
            url = store.place.href(path).rstrip("/")
            label = (path or url.rpartition("/")[2]).removesuffix(".zarr")
            said = read_group_name(label, names=names, url=url)
            if said is None:
                reason = f"its name does not match the pattern {names.pattern!r}" if names else UNKNOWN
                dropped.append(Dropped(path=url, reason=reason))
                continue
            bands = bands_of(store, path, ndim=2, variables=values.variables, polarization=said.polarization)
            if not bands:
                there = ", ".join(sorted(name for name, a in store.members(path).items() if a.ndim == 2))
                dropped.append(Dropped(path=url, reason=f"none of its variables is a polarization: {there}"))
                continue
            group = groups.setdefault(said.product, Group(said=said))
            for band, array in bands.items():
                image = Image(store=store, path=array)
                if band in group.images:
                    reason = f"the same as {group.images[band].url}"
                    dropped.append(Dropped(path=image.url, reason=reason))
                else:
                    group.images[band] = image
    return list(groups.values()), dropped


UNKNOWN = "its name is neither HyP3's nor OPERA's"


def _scene(group: Group, wanted: Sequence[str], *, values: StoreValues) -> Scene:
    said, images = group.said, {band: group.images[band] for band in wanted}
    grid, south_up = shared_grid(images, crs=values.crs)
    known = Known(scale=said.scale, radiometry=said.radiometry, nodata=said.nodata)
    place = (f"{grid.left:.10g}", f"{grid.top:.10g}") if said.placed else ()
    return Scene(
        id="_".join((*said.parts, *place)),
        release=said.release,
        time=said.time,
        grid=grid,
        rasters={
            band: raster_of(image, values=values, known=known, south_up=south_up[band])
            for band, image in images.items()
        },
        radiometry=radiometry_of(images[wanted[0]], values=values, known=known),
        platform=said.platform,
        absolute_orbit=said.absolute_orbit,
        relative_orbit=said.relative_orbit,
    )


def _one_of_each(groups: Sequence[Group], scenes: Sequence[Scene]) -> tuple[list[Scene], list[Dropped]]:
    """One product of each acquisition: HyP3's better one, OPERA's newest; of others there may be but one."""
    pairs = list(zip(groups, scenes, strict=True))
    best, dropped = choose([(group, scene, None) for group, scene in pairs if group.said.hyp3])
    kept = [scene for _, scene, _ in best]
    newest: dict[str, tuple[Group, Scene]] = {}
    for group, scene in sorted((p for p in pairs if not p[0].said.hyp3), key=lambda pair: pair[0].said.age):
        older = newest.get(scene.id)
        if older is not None:
            if older[1].release == scene.release:
                raise InputError(
                    f"{_url(older[0])} and {_url(group)} are both scene {scene.id}",
                    "Take one out of `path`, or tell them apart by the pattern's group `scene` or `platform`.",
                )
            dropped += older[0].drop(f"release {older[1].release} is superseded by {scene.release} of scene {scene.id}")
        newest[scene.id] = group, scene
    return kept + [scene for _, scene in newest.values()], dropped


def _url(group: Group) -> str:
    return next(iter(group.images.values())).url
