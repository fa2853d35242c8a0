"""NISAR L2 GCOV: L-band frames, terrain-flattened gamma nought, linear power, one HDF5 file each.

Product Specification Document JPL D-102274; what it says is checked against each file, and the grid is its coordinates'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dask_jobs.passes import outside_period
from dask_jobs.readers.files import Paths, SourceFile, list_files, told, with_fingerprints
from dask_jobs.readers.gcov_name import FORM, GcovName, decode
from dask_jobs.readers.gcov_releases import (
    Frequency,
    MaturityChoice,
    Release,
    check_one_bandwidth,
    newest,
    of_one_maturity,
    with_frequency,
    with_most_polarizations,
    with_powers,
    within,
)
from dask_jobs.readers.hdf5_headers import FACTOR, read_gcov_headers
from dask_jobs.scenes import Container, Dropped, Found, Mask, Radiometry, Raster, Scene
from infra.errors import InputError

if TYPE_CHECKING:
    from infra.region import Region
    from infra.storage import S3Options

INVALID = (0, 255)  # of the mask: nothing measured, fill; 1 and more are numbers of sub-swaths, all of them data
QUALITY = "_QA_STATS.h5"  # beside each product, without pixels


@dataclass(frozen=True, kw_only=True)
class GcovChoice:
    """What of the frames is used.

    Attributes
    ----------
    frequency : "A" (10 or 20 m) or "B" (80 m)
    polarizations : that every scene must have; None for those of most scenes
    maturity : of the releases; "highest": the highest that the frames of area and period have
    radiometry : gamma nought as delivered, or sigma nought by the product's factor
    """

    frequency: Frequency = "A"
    polarizations: Sequence[str] | None = None
    maturity: MaturityChoice = "highest"
    radiometry: Literal["gamma0_terrain", "sigma0_terrain"] = "gamma0_terrain"


def find(
    path: Paths,
    *,
    choice: GcovChoice,
    period: tuple[date, date] | None = None,
    region: Region | None = None,
    s3: S3Options,
    cache: Path | None = None,
) -> Found:
    """Scenes of GCOV frames below `path`: the best release of each, all of one maturity.

    Parameters
    ----------
    path : folder, s3:// prefix, glob, or a list of these
    period, region : of the job. Frames outside are not looked into, and do not count for the highest maturity; where none is inside,
        all are given back, for the caller to say so.
    cache : file that remembers fingerprints of unchanged local files

    Returns
    -------
    scenes in time order; `dropped` names older releases, those of another maturity, frames that lack frequency or
    polarization, and foreign files. Partial frames are used like full ones.

    Raises
    ------
    InputError
        If there is no frame, none has what is asked for, frames have different bandwidths, or a file is damaged or another
        product.
    """
    names, foreign = _decoded(list_files(path, s3=s3))
    if not names:
        raise InputError(f"path: no NISAR GCOV frame in {told(path)}", f"Expected are files named like {FORM}")
    names, outside = _in_period(names, period)
    headers = read_gcov_headers([n.file.url for n in names], frequency=choice.frequency, s3=s3)
    releases, dropped = _chosen([Release.of(n, headers[n.file.url]) for n in names], choice, region)
    polarizations = tuple(dict.fromkeys(p.upper() for p in choice.polarizations or ()))
    if not polarizations:
        polarizations, (releases, lacking) = with_most_polarizations(releases)
        dropped += lacking
    releases, superseded = newest(releases)
    check_one_bandwidth(releases, choice.frequency)
    scenes = with_fingerprints((_scene(r, polarizations, choice) for r in releases), s3=s3, cache=cache)
    return Found(
        scenes=tuple(sorted(scenes, key=lambda s: (s.time, s.id))),
        dropped=(*foreign, *outside, *dropped, *superseded),
    )


def _decoded(files: Iterable[SourceFile]) -> tuple[list[GcovName], list[Dropped]]:
    names, foreign = [], []
    for file in files:
        name = decode(file)
        if name is not None:
            names.append(name)
        elif file.name.lower().endswith((".h5", ".hdf5")) and not file.name.endswith(QUALITY):
            foreign.append(Dropped(path=file.url, reason="the name is not that of a NISAR GCOV frame"))
    return names, foreign


def _in_period(names: list[GcovName], period: tuple[date, date] | None) -> tuple[list[GcovName], list[Dropped]]:
    if period is None:
        return names, []
    reasons = [(name, outside_period(name.start, start=period[0], end=period[1])) for name in names]
    inside = [name for name, why in reasons if not why]
    if not inside:
        return names, []
    return inside, [Dropped(path=name.file.url, reason=why) for name, why in reasons if why]


def _chosen(
    releases: Sequence[Release], choice: GcovChoice, region: Region | None
) -> tuple[list[Release], list[Dropped]]:
    """Releases that have what is asked for, of one maturity; the highest counts among those that could be used."""
    asked = [p.upper() for p in choice.polarizations] if choice.polarizations else None
    left, no_frequency = with_frequency(releases, choice.frequency)
    left, away = within(left, region)
    left, no_power = with_powers(left, asked)
    left, other_maturity = of_one_maturity(left, choice.maturity)
    return left, [*no_frequency, *away, *no_power, *other_maturity]


def _scene(release: Release, polarizations: Sequence[str], choice: GcovChoice) -> Scene:
    name, header, layers = release.name, release.header, release.layers

    def raster(path: str) -> Raster:
        return Raster(url=release.url, container=Container.HDF5, dataset=path)

    sigma = choice.radiometry == "sigma0_terrain"
    if sigma and layers.factor is None:
        raise InputError(
            f"radiometry: {release.url} has no {FACTOR}: sigma nought cannot be had from it",
            "Say radiometry: gamma0_terrain, or take the file out of `path`.",
        )
    return Scene(
        id=name.scene,
        release=name.release,
        time=header.start,
        grid=layers.grid,
        rasters={p: raster(layers.polarizations[p]) for p in polarizations},
        mask=Mask(raster=raster(layers.mask), invalid=INVALID) if layers.mask else None,
        gain=raster(layers.factor) if sigma and layers.factor else None,
        radiometry=Radiometry(quantity=choice.radiometry, speckle_filtered=False, water_masked=False),
        platform=header.platform,
        absolute_orbit=header.absolute_orbit,
        relative_orbit=header.track,
        pass_direction=header.pass_direction or {"A": "ascending", "D": "descending"}[name.direction],
        look_direction=header.look_direction,
    )
