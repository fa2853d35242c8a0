"""Backscatter in GeoTIFFs of any origin: a pattern says what the file names mean, the user what the values are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.readers.file_names import FileNames, NamedFile, read_names
from dask_jobs.readers.files import Paths, list_files, told, with_fingerprints
from dask_jobs.readers.raster_headers import RasterHeader, holds_data, open_raster, read_headers, same_grid
from dask_jobs.scenes import Dropped, Found, Radiometry, Raster, Scale, Scene
from infra.errors import InputError

if TYPE_CHECKING:
    from infra.grid import Grid
    from infra.storage import S3Options

SAMPLE = 256  # pixels on a side of the block that the scale is judged by
IMPOSSIBLE = 0.1  # share of values below -1: no linear power, noise-corrected or not, has so many


@dataclass(frozen=True, kw_only=True)
class PixelValues:
    """What the values of the files are.

    Attributes
    ----------
    scale : power, amplitude or dB
    calibration_db : added in dB to reach calibrated power (ALOS digital numbers: amplitude and -83)
    nodata : value that means no data, instead of what the files declare
    radiometry : what the power means
    """

    scale: Scale = Scale.POWER
    calibration_db: float = 0.0
    nodata: float | None = None
    radiometry: Radiometry = field(default_factory=Radiometry)


def find(
    path: Paths,
    *,
    names: FileNames,
    values: PixelValues | None = None,
    polarizations: Sequence[str] | None = None,
    s3: S3Options,
    cache: Path | None = None,
) -> Found:
    r"""Scenes of the GeoTIFFs below `path` whose names match.

    Parameters
    ----------
    path : folder, s3:// prefix, glob, or a list of these
    polarizations : that every scene must have; None for all that occur. Exactly one where the pattern names none.
    cache : file that remembers fingerprints of unchanged local files

    Returns
    -------
    scenes in time order, ids "date[_platform][_orbit][_scene]_left_top" (files of one date on different grids are
    separate scenes of one pass); `dropped` names TIFFs that do not match, and scenes without a polarization.

    Raises
    ------
    InputError
        If nothing matches, a date does not parse, two files are the same polarization of one scene, polarizations
        of a scene lie on different grids, a file is damaged, or the values cannot be of the declared scale.
    """
    values = values or PixelValues()
    files = [f for f in list_files(path, s3=s3) if f.name.lower().endswith((".tif", ".tiff"))]
    named, dropped = read_names(files, names, polarizations)
    if not named:
        example = f"a file there is {files[0].name}" if files else "there is no .tif file there"
        raise InputError(
            f"pattern: {names.pattern!r} matches no file in {told(path)}; {example}",
            "Mend `pattern`; it is searched in the name alone.",
        )
    wanted = _wanted(named, polarizations)
    named = [n for n in named if n.polarization in wanted]
    headers = read_headers([n.file for n in named], s3=s3)
    first = headers[named[0].file.url]
    check_scale(read_sample(first, values, s3=s3), values, url=first.url)
    scenes, incomplete = _scenes(named, wanted, headers, values)
    identified = with_fingerprints(scenes, s3=s3, cache=cache)
    return Found(scenes=tuple(sorted(identified, key=lambda s: (s.time, s.id))), dropped=(*dropped, *incomplete))


def _wanted(named: Sequence[NamedFile], asked: Sequence[str] | None) -> tuple[str, ...]:
    there = sorted({n.polarization for n in named})
    if asked is None:
        return tuple(there)
    wanted = tuple(dict.fromkeys(p.upper() for p in asked))
    for polarization in wanted:
        if polarization not in there:
            raise InputError(
                f"polarizations: {polarization} is not there; there are {', '.join(there)}",
                f"Take {polarization} out of `polarizations`, or add its files to `path`.",
            )
    return wanted


def _scenes(
    named: Sequence[NamedFile], wanted: Sequence[str], headers: Mapping[str, RasterHeader], values: PixelValues
) -> tuple[list[Scene], list[Dropped]]:
    acquisitions: dict[tuple[object, ...], list[NamedFile]] = {}
    for item in named:
        acquisitions.setdefault(item.acquisition, []).append(item)
    scenes, dropped = [], []
    for members in acquisitions.values():
        for tile in _tiles(members, wanted, headers):
            lacking = [p for p in wanted if p not in tile]
            if lacking:
                reason = f"the scene lacks {', '.join(lacking)}"
                dropped += [Dropped(path=n.file.url, reason=reason) for n in tile.values()]
            else:
                scenes.append(_scene(tile, wanted, headers, values))
    if not scenes:
        raise InputError(
            f"polarizations: no scene has all of {', '.join(wanted)}", "Ask for the polarizations of one kind of scene."
        )
    return scenes, dropped


def _tiles(
    members: Sequence[NamedFile], wanted: Sequence[str], headers: Mapping[str, RasterHeader]
) -> list[dict[str, NamedFile]]:
    """Files of one acquisition by grid, then polarization."""
    tiles: dict[Grid, dict[str, NamedFile]] = {}
    for item in members:
        tile = tiles.setdefault(headers[item.file.url].grid, {})
        twin = tile.setdefault(item.polarization, item)
        if twin is not item:
            raise InputError(
                f"{twin.file.url} and {item.file.url} are both {item.polarization} of {item.time:%Y-%m-%dT%H:%M:%SZ}",
                "Take one out of `path`, or tell them apart by the pattern's group `scene` or `platform`.",
            )
    one_each = len(members) == len(wanted) == len({n.polarization for n in members})
    if one_each and len(tiles) > 1:
        same_grid([headers[n.file.url] for n in members], what="the polarizations of one scene")
    return list(tiles.values())


def _scene(
    tile: Mapping[str, NamedFile], wanted: Sequence[str], headers: Mapping[str, RasterHeader], values: PixelValues
) -> Scene:
    first = tile[wanted[0]]
    grid = headers[first.file.url].grid
    orbit = first.relative_orbit if first.absolute_orbit is None else first.absolute_orbit
    parts = (
        f"{first.time:%Y%m%dT%H%M%SZ}",
        first.platform,
        orbit,
        first.scene,
        f"{grid.left:.10g}",
        f"{grid.top:.10g}",
    )
    return Scene(
        id="_".join(str(p) for p in parts if p is not None),
        release="",
        time=first.time,
        grid=grid,
        rasters={p: _raster(headers[tile[p].file.url], values) for p in wanted},
        radiometry=values.radiometry,
        platform=first.platform,
        absolute_orbit=first.absolute_orbit,
        relative_orbit=first.relative_orbit,
    )


def _raster(header: RasterHeader, values: PixelValues) -> Raster:
    if header.bands != 1:
        raise InputError(
            f"{header.url} has {header.bands} bands",
            "Give one band per file: gdal_translate -b 1 IN OUT, and name them apart.",
        )
    return Raster(
        url=header.url,
        scale=values.scale,
        calibration_db=values.calibration_db,
        nodata=header.nodata if values.nodata is None else values.nodata,
    )


def read_sample(header: RasterHeader, values: PixelValues, *, s3: S3Options) -> np.ndarray:
    """Values with data of one small block, dims (n,), float64: the middle of the file, or a quarter that has some."""
    from rasterio.windows import Window

    raster, grid = _raster(header, values), header.grid
    height, width = min(SAMPLE, grid.height), min(SAMPLE, grid.width)
    sample = np.empty(0)
    with open_raster(header.url, s3=s3) as dataset:
        for down, right in ((2, 2), (1, 1), (1, 3), (3, 1), (3, 3)):
            window = Window((grid.width - width) * right // 4, (grid.height - height) * down // 4, width, height)
            block = dataset.read(1, window=window)
            sample = block[np.isfinite(block) & holds_data(block, raster.nodata)].astype(np.float64)
            if sample.size:
                break
    return sample


def check_scale(sample: np.ndarray, values: PixelValues, *, url: str) -> None:
    """Refuse dB values that are declared as power or amplitude, and the reverse.

    Parameters
    ----------
    sample : dims (n,), values with data of the file `url`; none proves nothing

    Raises
    ------
    InputError
        If more than a tenth of power or amplitude values lie below -1, or no dB value is negative after calibration.
    """
    if not sample.size:
        return
    below = float(np.mean(sample < -1))
    if values.scale == Scale.DB:
        if float(sample.min()) + values.calibration_db >= 0:
            raise InputError(
                f"scale: {url} is declared as dB, yet none of its values is negative (least {sample.min():g})",
                "Say scale: power or scale: amplitude, or mend calibration_db.",
            )
    elif below > IMPOSSIBLE:
        low = np.unique(sample[sample < -1])
        if low.size == 1:
            raise InputError(
                f"nodata: {below:.0%} of the values of {url} are {low[0]:g}, and the file declares no such no-data value",
                f"Say nodata: {low[0]:g}",
            )
        raise InputError(
            f"scale: {url} is declared as {values.scale}, yet {below:.0%} of its values are negative (least {low[0]:g})",
            "They look like dB: say scale: db.",
        )
