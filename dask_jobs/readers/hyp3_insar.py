"""HyP3 interferograms (GAMMA scenes, ISCE2 bursts): GeoTIFFs and a metadata file, in folders or in the zips of ASF."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.interferograms import PHASE, FoundInterferograms, Interferogram, Sensing
from dask_jobs.passes import outside_period, touches
from dask_jobs.readers.archives import read_text
from dask_jobs.readers.files import Paths, SourceFile, identify, list_files, reading_threads, told
from dask_jobs.readers.hyp3_insar_geometry import first_whole
from dask_jobs.readers.hyp3_insar_name import FORMS, InsarName
from dask_jobs.readers.hyp3_insar_package import GEOMETRY, NEEDED, RASTERS, Package, complete_packages, packages_of
from dask_jobs.readers.hyp3_insar_text import Metadata, granule_starts, parse
from dask_jobs.readers.raster_headers import RasterHeader, check_unpacked_size, read_headers, same_grid
from dask_jobs.readers.sentinel1_orbits import absolute_orbit_of_granule, relative_orbit_by_number
from dask_jobs.scenes import Dropped, Raster
from infra.errors import InputError, LatticeError
from infra.region import geographic_bounds

if TYPE_CHECKING:
    from infra.region import Region
    from infra.storage import S3Options

PROCESSED = re.compile(r"Processing Date/Time:\s*(\S+)")
EXPECTED = f"Expected are {FORMS[0]}_unw_phase.tif, …_corr.tif and ….txt, or …_clip.tif, or the zip; or {FORMS[1]}…"
RESTORE = "Restore the product: its files belong together as ASF delivers them."
FILL = {"unw_phase": 0.0, "conncomp": 0.0, "lv_theta": 0.0, "lv_phi": 0.0}  # no data where a file declares none
WATER_MASK = (0.0, 1.0)  # water, land: values, even where the file declares one to be no data
NEAR = timedelta(minutes=10)  # of a metadata file's time from the start of sensing: more is an error in the file


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What a product's texts say; `processed` (UTC) is None where no README tells."""

    url: str
    metadata: Metadata
    processed: datetime | None


def find(
    path: Paths,
    *,
    period: tuple[date, date] | None = None,
    region: Region | None = None,
    s3: S3Options,
    cache: Path | None = None,
) -> FoundInterferograms:
    """Interferograms of HyP3 products below `path`, one of each pair of acquisitions.

    Parameters
    ----------
    path : folder, s3:// prefix, glob, or a list of these; zip archives in them are looked into, and read in place
    period : days, start <= day < end, that both dates must be in; products outside are not opened
    region : that a product must have a pixel in
    cache : file that remembers fingerprints of unchanged local files

    Returns
    -------
    interferograms ordered by dates, then id, all of one track and lattice, their extents may differ; the first whose product
    has all of the geometry has it, the others have none. `dropped` names copies
    of a product, products that a newer one of the pair replaces, those outside or without phase, coherence or metadata,
    files beside clipped ones, archives without a product and foreign TIFFs.

    Raises
    ------
    InputError
        If no product can be used or is in the period and region, no product has the geometry, products are not of one
        track, one pair is there of two frames, a name, text or archive is not what it should be, or a file is damaged
        or on another grid than its product.
    LatticeError
        If pixels of two products do not fall on one lattice.
    """
    packages, dropped = packages_of(list_files(path, s3=s3), s3=s3)
    if not packages:
        raise InputError(f"path: no HyP3 interferogram in {told(path)}", EXPECTED)
    packages, outside = _in_period(packages, period)
    complete, incomplete = complete_packages(packages)
    if not complete:
        raise InputError(f"path: no product in {told(path)} can be used: {incomplete[0].reason}", EXPECTED)
    files = [file for package in complete for file in package.chosen(RASTERS)]
    headers = _headers(files, s3=s3)
    with ThreadPoolExecutor(reading_threads(files), thread_name_prefix="texts") as pool:
        texts = list(pool.map(lambda package: _texts(package, s3=s3), complete))
    bare = [_interferogram(package, headers, text) for package, text in zip(complete, texts, strict=True)]
    inside, elsewhere = _in_region(bare, region)
    check_one_track(inside)
    _check_lattice(inside)
    processed = {package.name.name: text.processed for package, text in zip(complete, texts, strict=True)}
    kept, replaced = _newest(inside, processed)
    kept = _with_geometry(kept, {package.name.name: package for package in complete}, s3=s3)
    unused = [row for package in complete for row in package.unused()]
    return FoundInterferograms(
        interferograms=_identified(kept, s3=s3, cache=cache),
        dropped=(*dropped, *outside, *incomplete, *unused, *elsewhere, *replaced),
    )


def check_one_track(interferograms: Sequence[Interferogram]) -> None:
    """Refuse interferograms that were seen from different places, or made in different ways.

    Raises
    ------
    InputError
        Naming two products, in what they differ, and both values.
    """
    for what, value in KINDS.items():
        known = [(one, value(one)) for one in interferograms if value(one) is not None]
        for other, there in known[1:]:
            first, here = known[0]
            if there != here:
                raise InputError(
                    f"{what}: {first.product} has {here}, {other.product} has {there}",
                    "Give `path` products of one track that were ordered with the same options: make one stack of each.",
                )


KINDS: dict[str, Callable[[Interferogram], object]] = {  # what must be the same in a stack; None where it is not known
    "processor": lambda one: one.sensing.processor,
    "relative orbit": lambda one: one.sensing.relative_orbit,
    "pass direction": lambda one: one.sensing.pass_direction,
    "bursts": lambda one: one.id[: -len("_YYYYMMDD_YYYYMMDD")] or None,
    "sub-swaths": lambda one: f"{one.sensing.mode}{one.sensing.swaths}",
    "polarization": lambda one: one.sensing.polarization,
    "looks": lambda one: f"{one.sensing.range_looks}x{one.sensing.azimuth_looks}",
    "pixel spacing": lambda one: f"{one.grid.dx:g} x {one.grid.dy:g}",
}


def _with_geometry(
    kept: Sequence[Interferogram], packages: Mapping[str, Package], *, s3: S3Options
) -> list[Interferogram]:
    """Interferograms by dates and id; the first that has all of the geometry gets it, no other's is looked at."""
    ordered = sorted(kept, key=lambda one: (one.dates, one.id))
    layers = [{GEOMETRY[layer] for layer in packages[one.product].layers if layer in GEOMETRY} for one in ordered]
    source = first_whole(layers, [one.product for one in ordered])
    one, package = ordered[source], packages[ordered[source].product]
    headers = _headers(package.chosen(GEOMETRY), s3=s3)
    for header in headers.values():
        if header.grid != one.grid:
            raise InputError(
                f"the rasters of {one.product} lie on different grids: {header.url} against {one.rasters[PHASE].url}: "
                f"bounds {header.grid.bounds} of {header.grid.shape} pixels instead of {one.grid.bounds} of {one.grid.shape}",
                RESTORE,
            )
    geometry = {
        GEOMETRY[layer]: _raster(headers[file.url], layer)
        for layer, file in package.layers.items()
        if layer in GEOMETRY
    }
    ordered[source] = replace(one, geometry=geometry)
    return ordered


def _in_period(packages: list[Package], period: tuple[date, date] | None) -> tuple[list[Package], list[Dropped]]:
    if period is None:
        return packages, []

    def reason(package: Package) -> str | None:
        moments = [datetime.combine(day, time(), UTC) for day in package.name.dates]
        return next(filter(None, (outside_period(m, start=period[0], end=period[1]) for m in moments)), None)

    reasons = [(package, reason(package)) for package in packages]
    inside = [package for package, why in reasons if why is None]
    if not inside:
        days = sorted(day for package in packages for day in package.name.dates)
        raise InputError(
            f"period: no interferogram has both dates from {period[0]:%Y-%m-%d} until before {period[1]:%Y-%m-%d}; "
            f"the dates are {days[0]} to {days[-1]}",
            "Give a period that the interferograms cover.",
        )
    return inside, [package.drop(why) for package, why in reasons if why]


def _headers(files: Sequence[SourceFile], *, s3: S3Options) -> dict[str, RasterHeader]:
    headers = read_headers(files, s3=s3)
    for file in files:
        check_unpacked_size(file, headers[file.url])
        if headers[file.url].bands != 1:
            raise InputError(f"{file.url} has {headers[file.url].bands} bands, HyP3's rasters have one", RESTORE)
    return headers


def _texts(package: Package, *, s3: S3Options) -> Texts:
    file, readme = package.texts["metadata"], package.texts.get("readme")
    said = PROCESSED.search(read_text(readme, s3=s3)) if readme else None
    metadata = parse(read_text(file, s3=s3), url=file.url)
    return Texts(url=file.url, metadata=metadata, processed=_moment(said[1]) if said else None)


def _moment(text: str) -> datetime | None:
    """A README's time of processing, UTC where it names no zone; None where it is none that can be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _interferogram(package: Package, headers: Mapping[str, RasterHeader], texts: Texts) -> Interferogram:
    name, metadata = package.name, texts.metadata
    used = {layer: headers[file.url] for layer, file in package.layers.items() if layer in RASTERS}
    reference, secondary = (_start(package, texts, which) for which in (0, 1))
    processed = f"_{texts.processed:%Y%m%dT%H%M%SZ}" if texts.processed else ""
    return Interferogram(
        id=name.pair,
        release=name.id + processed,
        product=name.name,
        reference=reference,
        secondary=secondary,
        grid=same_grid(list(used.values()), what=f"the rasters of {name.name}"),
        rasters={RASTERS[layer]: _raster(header, layer) for layer, header in used.items()},
        geometry={},
        perpendicular_baseline=metadata.perpendicular_baseline,
        sensing=_sensing(name, metadata, start=reference),
    )


def _start(package: Package, texts: Texts, which: int) -> datetime:
    """Start of sensing of the reference (0) or secondary (1): by the name, else by the granules, else by the day's seconds."""
    name, metadata = package.name, texts.metadata
    granule = (metadata.reference_granule, metadata.secondary_granule)[which]
    day, starts = name.dates[which], granule_starts(granule)
    of_day = [start for start in starts if start.date() == day]
    if starts and not of_day:
        raise InputError(
            f"{texts.url} is of another product: it names {granule}, where {name.name} is of {day}", RESTORE
        )
    if name.starts:
        return name.starts[which]
    if of_day:
        return of_day[0]
    if metadata.seconds is None:
        raise InputError(f"{texts.url} tells no time of day: it has neither granules nor 'UTC time'", RESTORE)
    return datetime.combine(day, time(), UTC) + timedelta(seconds=metadata.seconds)


def _sensing(name: InsarName, metadata: Metadata, *, start: datetime) -> Sensing:
    orbit, track = metadata.absolute_orbit, name.relative_orbit
    if name.platform:
        orbit = orbit or absolute_orbit_of_granule(metadata.reference_granule, platform=name.platform)
        track = relative_orbit_by_number(name.platform, orbit) if orbit else None
    return Sensing(
        processor=name.processor,
        platform=name.platform,
        mode=name.mode,
        swaths=name.swaths,
        polarization=name.polarization,
        pass_direction=metadata.pass_direction,
        relative_orbit=track,
        absolute_orbit=orbit,
        reference_granule=metadata.reference_granule,
        secondary_granule=metadata.secondary_granule,
        range_looks=metadata.range_looks,
        azimuth_looks=metadata.azimuth_looks,
        earth_radius=metadata.earth_radius,
        spacecraft_height=metadata.spacecraft_height,
        slant_range_near=metadata.slant_range_near,
        heading=metadata.heading,
        centre_seconds=_centre(metadata, start=start),
        unwrapping=metadata.unwrapping,
    )


def _centre(metadata: Metadata, *, start: datetime) -> float:
    """Seconds of the day; the start's where the file has none, or a wrong one: old products of bursts took hours for minutes."""
    seconds = (start - datetime.combine(start.date(), time(), UTC)).total_seconds()
    if metadata.seconds is None:
        return seconds
    day = timedelta(days=1).total_seconds()
    apart = abs((metadata.seconds - seconds + day / 2) % day - day / 2)
    return metadata.seconds if apart <= NEAR.total_seconds() else seconds


def _raster(header: RasterHeader, layer: str) -> Raster:
    if layer in NEEDED and np.dtype(header.dtype).kind != "f":
        raise InputError(f"{header.url} holds {header.dtype} values, HyP3's {layer} holds float32", RESTORE)
    nodata = FILL.get(layer) if header.nodata is None else header.nodata
    if layer == "water_mask" and nodata in WATER_MASK:
        nodata = None
    return Raster(url=header.url, nodata=nodata)


def _in_region(found: Sequence[Interferogram], region: Region | None) -> tuple[list[Interferogram], list[Dropped]]:
    if region is None:
        return list(found), []
    inside = {grid: touches(region, grid) for grid in {one.grid for one in found}}
    if not any(inside.values()):
        edges = [
            [f"{edge:.4f}" for edge in bounds]
            for bounds in (region.geometry().bounds, geographic_bounds(found[0].grid))
        ]
        raise InputError(
            f"area: [{', '.join(edges[0])}] holds no pixel of the interferograms; "
            f"{found[0].product} covers [{', '.join(edges[1])}]",
            "Give an area that the interferograms cover, or interferograms of that area.",
        )
    outside = [one for one in found if not inside[one.grid]]
    reasons = [Dropped(path=one.rasters[PHASE].url, reason=f"{one.product} does not touch the area") for one in outside]
    return [one for one in found if inside[one.grid]], reasons


def _check_lattice(interferograms: Sequence[Interferogram]) -> None:
    first = interferograms[0]
    for other in interferograms[1:]:
        difference = first.grid.lattice_difference(other.grid)
        if difference:
            raise LatticeError(
                f"{other.product} does not lie on the lattice of {first.product}: {difference}",
                "Stack products of one grid, or reproject them first; pixels are never shifted silently.",
            )


def _newest(
    found: Sequence[Interferogram], processed: Mapping[str, datetime | None]
) -> tuple[list[Interferogram], list[Dropped]]:
    """One product of each pair: the one processed last, of those that do not say it the last by name; why not the others."""
    groups: dict[str, list[Interferogram]] = defaultdict(list)
    for one in found:
        groups[one.id].append(one)
    kept, dropped = [], []
    for group in groups.values():
        _check_one_frame(group)
        never = datetime.min.replace(tzinfo=UTC)
        *losers, winner = sorted(group, key=lambda one: (processed[one.product] or never, one.product))
        kept.append(winner)
        for loser in losers:
            later = processed[winner.product] and processed[winner.product] != processed[loser.product]
            why = "processed later" if later else "the last by name, as nothing else tells which is newer"
            url = loser.rasters[PHASE].url
            dropped.append(Dropped(path=url, reason=f"replaced by {winner.product}, of the same pair: {why}"))
    return kept, dropped


def _check_one_frame(group: Sequence[Interferogram]) -> None:
    """Scenes of one pair of days that start at other times are neighbours along the track, not two of one thing.

    Bursts need no such check: their ids say which piece of ground they are.
    """
    scenes = [(one, " and ".join(f"{t:%H:%M:%S}" for t in (one.reference, one.secondary))) for one in group]
    first, start = scenes[0]
    for other, there in scenes[1:]:
        if first.sensing.processor == "gamma" and start != there:
            raise InputError(
                f"{first.product} and {other.product} are of the same dates and of two frames: "
                f"scenes of the one start at {start} UTC, of the other at {there}",
                "Give `path` the products of one frame, or an area that lies in one alone: make one stack of each.",
            )


def _identified(found: Sequence[Interferogram], *, s3: S3Options, cache: Path | None) -> tuple[Interferogram, ...]:
    """Interferograms with size and fingerprints filled."""
    sets = [
        {role: raster.url for role, raster in some.items()} for one in found for some in (one.rasters, one.geometry)
    ]
    known = identify(sets, s3=s3, cache=cache)
    return tuple(
        replace(one, size=size, fingerprint=fingerprint, geometry_fingerprint=geometry)
        for one, (size, fingerprint), (_, geometry) in zip(found, known[::2], known[1::2], strict=True)
    )
