"""HyP3 RTC (GAMMA): Sentinel-1 frames, one GeoTIFF per polarization, in folders or in the zips that ASF delivers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.passes import outside_period, pairs_inside
from dask_jobs.readers.archives import list_archives, read_text
from dask_jobs.readers.files import Paths, SourceFile, list_files, reading_threads, told, with_fingerprints
from dask_jobs.readers.geotiff import PixelValues, check_scale, read_sample
from dask_jobs.readers.hyp3_choice import choose
from dask_jobs.readers.hyp3_name import FORM, Hyp3Name, decode
from dask_jobs.readers.polarizations import wanted_polarizations
from dask_jobs.readers.raster_headers import (
    RasterHeader,
    check_unpacked_size,
    holds_data,
    open_raster,
    read_headers,
    same_grid,
)
from dask_jobs.readers.sentinel1_orbits import absolute_orbit_of_granule, relative_orbit
from dask_jobs.scenes import Dropped, Found, Mask, Raster, Scene
from infra.errors import InputError

if TYPE_CHECKING:
    from infra.region import Region
    from infra.storage import S3Options

BANDS = ("VV", "VH", "HH", "HV")
LS_MAP = "ls_map"
OTHERS = ("inc_map", "dem", "area", "rgb", "water_mask")  # layers that no stack is made of
LAYER = re.compile(rf"(?P<name>.+)_(?P<layer>{'|'.join((*BANDS, LS_MAP, *OTHERS))})\.tiff?")
README = re.compile(r"(?P<name>.+)\.README(?:\.md)?\.txt")
PROCESSED = re.compile(r"Processing Date/Time:\s*(\S+)")
BITS = {"layover": 4, "shadow": 16}  # of the layover-shadow map, whose values are sums of bits
CODES = range(256)  # of a byte; documented are sums up to 31
SIDE = 32  # pixels on a side of an overview at least, to judge the scale by
THREADS = 16


@dataclass(frozen=True, kw_only=True)
class Package:
    """One product where it lies: a folder or an archive.

    Attributes
    ----------
    place : URL of the folder or archive
    layers : "VV", "ls_map" … to file
    """

    name: Hyp3Name
    place: str
    layers: dict[str, SourceFile] = field(default_factory=dict)
    readme: list[SourceFile] = field(default_factory=list)

    @property
    def bands(self) -> frozenset[str]:
        """Polarizations that are there."""
        return frozenset(self.layers) & frozenset(BANDS)

    def drop(self, reason: str) -> list[Dropped]:
        """Every file of backscatter, left out."""
        return [Dropped(path=self.layers[band].url, reason=reason) for band in sorted(self.bands)]


@dataclass(frozen=True, kw_only=True)
class Readme:
    """What a product's README adds to its name: absolute orbit, and time of processing (ISO 8601); None where it does not."""

    absolute_orbit: int | None = None
    processed: str | None = None


def find(
    path: Paths,
    *,
    polarizations: Sequence[str] | None = None,
    period: tuple[date, date] | None = None,
    region: Region | None = None,
    s3: S3Options,
    cache: Path | None = None,
) -> Found:
    """Scenes of HyP3 RTC products below `path`, one of each acquisition.

    Parameters
    ----------
    path : folder, s3:// prefix, glob, or a list of these; zip archives in them are looked into, and read in place
    polarizations : that every scene must have; None for those of most products
    period, region : of the job; products outside the period are not opened, of those outside the region the headers are read.
        Where none is in the period, all are given: whoever filters says so
    cache : file that remembers fingerprints of unchanged local files

    Returns
    -------
    scenes in time order; `dropped` names copies of a product, products that a better one replaces, those without a
    polarization, archives without a product, and foreign TIFFs. Radiometry, scale, speckle filter and water mask come from
    the name, the orbit from the README in each product; pass direction and look are not known.

    Raises
    ------
    InputError
        If there is no product, no scene has the polarizations, a name or an archive is not what it should be, values are
        not of the scale that the name says, two products of one acquisition differ in more than orbit and processing
        time, or a file is damaged or on another grid than its scene.
    """
    packages, dropped = _packages(list_files(path, s3=s3), s3=s3)
    if not packages:
        raise InputError(
            f"path: no HyP3 RTC product in {told(path)}", f"Expected are {FORM}_VV.tif and the like, or {FORM}.zip"
        )
    if not any(package.bands for package in packages):
        raise InputError("path: only other layers of HyP3 products, no backscatter", f"Expected are {FORM}_VV.tif …")
    packages, outside = _in_period(packages, period)
    wanted = wanted_polarizations([package.bands for package in packages], polarizations)
    complete, incomplete = _complete(packages, wanted)
    files = [package.layers[layer] for package in complete for layer in _used(package, wanted)]
    headers = read_headers(files, s3=s3)
    for file in files:
        check_unpacked_size(file, headers[file.url])
    readmes = _readmes(complete, s3=s3)
    bare = [(p, _scene(p, wanted, headers, readmes[p.place, p.name.name])) for p in complete]
    inside, elsewhere = pairs_inside(bare, region)
    scenes = with_fingerprints((scene for _, scene in inside), s3=s3, cache=cache)
    kept, replaced = choose(
        [
            (package, scene, readmes[package.place, package.name.name].processed)
            for (package, _), scene in zip(inside, scenes, strict=True)
        ]
    )
    _check_scales(kept, wanted[0], headers, s3=s3)
    ordered = tuple(sorted((scene for _, scene, _ in kept), key=lambda s: (s.time, s.id)))
    return Found(scenes=ordered, dropped=(*dropped, *outside, *incomplete, *elsewhere, *replaced))


def _packages(files: Sequence[SourceFile], *, s3: S3Options) -> tuple[list[Package], list[Dropped]]:
    zips = [file for file in files if file.name.lower().endswith(".zip")]
    packages: dict[tuple[str, str], Package] = {}
    dropped = _collect(((file, file.url.rpartition("/")[0]) for file in files if file not in set(zips)), packages)
    for archive, members in list_archives(zips, s3=s3).items():
        before = len(packages)
        dropped += _collect(((member, archive) for member in members), packages)
        if len(packages) == before:
            dropped.append(Dropped(path=archive, reason="the archive holds no HyP3 RTC product"))
    return list(packages.values()), dropped


def _collect(files: Iterable[tuple[SourceFile, str]], packages: dict[tuple[str, str], Package]) -> list[Dropped]:
    """Add files to the package of their name and place; the TIFFs that are of none."""
    dropped: list[Dropped] = []
    readmes: list[tuple[tuple[str, str], SourceFile]] = []
    for file, place in files:
        layer, readme = LAYER.fullmatch(file.name), README.fullmatch(file.name)
        name = decode(layer["name"]) if layer else None
        if layer and name:
            package = packages.setdefault((name.name, place), Package(name=name, place=place))
            first = package.layers.setdefault(layer["layer"], file)
            if first is not file:
                dropped.append(Dropped(path=file.url, reason=f"the same file as {first.url}"))
        elif file.name.lower().endswith((".tif", ".tiff")):
            dropped.append(Dropped(path=file.url, reason="the name is not that of a HyP3 RTC raster"))
        elif readme:
            readmes.append(((readme["name"], place), file))
    for key, file in readmes:
        if key in packages:
            packages[key].readme.append(file)
    return dropped


def _in_period(packages: list[Package], period: tuple[date, date] | None) -> tuple[list[Package], list[Dropped]]:
    if period is None:
        return packages, []
    reasons = [(p, outside_period(p.name.start, start=period[0], end=period[1])) for p in packages]
    inside = [package for package, reason in reasons if reason is None and package.bands]
    if not inside:
        return packages, []
    return inside, [row for package, reason in reasons if reason for row in package.drop(reason)]


def _complete(packages: Sequence[Package], wanted: Sequence[str]) -> tuple[list[Package], list[Dropped]]:
    """One package of each product that has all that is wanted, a folder rather than an archive; why the others are not."""
    chosen: dict[str, Package] = {}
    dropped: list[Dropped] = []
    for package in sorted(packages, key=lambda p: (p.place.lower().endswith(".zip"), p.place)):
        lacking = [band for band in wanted if band not in package.bands]
        if lacking:
            dropped += package.drop(f"the scene lacks {', '.join(lacking)}")
            continue
        first = chosen.setdefault(package.name.name, package)
        if first is not package:
            dropped += package.drop(f"the same product as in {first.place}")
    return list(chosen.values()), dropped


def _used(package: Package, wanted: Sequence[str]) -> list[str]:
    return [*wanted, LS_MAP] if LS_MAP in package.layers else list(wanted)


def _readmes(packages: Sequence[Package], *, s3: S3Options) -> dict[tuple[str, str], Readme]:
    threads = reading_threads(file for package in packages for file in package.readme)
    with ThreadPoolExecutor(threads, thread_name_prefix="readmes") as pool:
        said = list(pool.map(lambda package: _readme(package, s3=s3), packages))
    return {(p.place, p.name.name): readme for p, readme in zip(packages, said, strict=True)}


def _readme(package: Package, *, s3: S3Options) -> Readme:
    if not package.readme:
        return Readme()
    text = read_text(package.readme[0], s3=s3)
    processed = PROCESSED.search(text)
    return Readme(
        absolute_orbit=absolute_orbit_of_granule(text, platform=package.name.platform),
        processed=processed[1] if processed else None,
    )


def _scene(package: Package, wanted: Sequence[str], headers: Mapping[str, RasterHeader], readme: Readme) -> Scene:
    name = package.name
    used = {layer: headers[package.layers[layer].url] for layer in _used(package, wanted)}
    grid = same_grid(list(used.values()), what=f"the rasters of {name.name}")
    orbit = readme.absolute_orbit
    place = (
        f"_{grid.left:.10g}_{grid.top:.10g}" if name.clipped else ""
    )  # pieces of one acquisition are scenes of one pass
    return Scene(
        id=name.acquisition + place,
        release=name.release,
        time=name.start,
        grid=grid,
        rasters={band: _raster(used[band], name) for band in wanted},
        mask=_mask(used[LS_MAP]) if LS_MAP in used else None,
        radiometry=name.radiometry,
        platform=name.platform,
        absolute_orbit=orbit,
        relative_orbit=None if orbit is None else relative_orbit(name.platform, orbit, time=name.start),
    )


def _raster(header: RasterHeader, name: Hyp3Name) -> Raster:
    if header.bands != 1:
        raise InputError(f"{header.url} has {header.bands} bands, HyP3's backscatter has one", "Restore the product.")
    return Raster(url=header.url, scale=name.scale, nodata=name.nodata if header.nodata is None else header.nodata)


def _mask(header: RasterHeader) -> Mask:
    if np.dtype(header.dtype) != np.uint8:
        raise InputError(
            f"{header.url} holds {header.dtype} values, a layover-shadow map holds uint8", "Restore the product's file."
        )
    codes = [code for code in CODES if code != header.nodata]
    layers = {layer: tuple(code for code in codes if code & bit) for layer, bit in BITS.items()}
    return Mask(raster=Raster(url=header.url, nodata=header.nodata), layers=layers)


def _check_scales(
    kept: Sequence[tuple[Package, Scene, str | None]],
    polarization: str,
    headers: Mapping[str, RasterHeader],
    *,
    s3: S3Options,
) -> None:
    """Every product's values must be of the scale in its name: no other place says it."""

    def check(item: tuple[Package, Scene, str | None]) -> None:
        raster, header = item[1].rasters[polarization], headers[item[1].rasters[polarization].url]
        values = PixelValues(scale=raster.scale, nodata=raster.nodata)
        try:
            check_scale(_sample(header, values, s3=s3), values, url=raster.url)
        except InputError as error:
            letter = {"power": "p", "amplitude": "a", "db": "d"}[raster.scale]
            raise InputError(
                f"{error.message}; the scale is the second letter ({letter!r}) in the product's name",
                "Restore the product's original name, or convert it to what its name says.",
            ) from error

    with ThreadPoolExecutor(THREADS, thread_name_prefix="samples") as pool:
        list(pool.map(check, kept))


def _sample(header: RasterHeader, values: PixelValues, *, s3: S3Options) -> np.ndarray:
    """Values with data, dims (n,): of a small overview where there is one, else as `read_sample`.

    A packed file is inflated from its beginning, where a COG has its overviews: a window in the middle costs half the file.
    """
    with open_raster(header.url, s3=s3) as dataset:
        factor = max((f for f in dataset.overviews(1) if min(dataset.shape) >= f * SIDE), default=None)
        if factor is None:
            return read_sample(header, values, s3=s3)
        small = dataset.read(1, out_shape=(-(-dataset.height // factor), -(-dataset.width // factor)))
    sample: np.ndarray = small[np.isfinite(small) & holds_data(small, values.nodata)].astype(np.float64)
    return sample
