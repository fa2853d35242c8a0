"""What a NISAR GCOV file says of itself: grid from its coordinates, layers, orbit, radiometry; no pixel is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.readers.ranged_file import RangedFile, place_of
from infra.errors import InputError
from infra.grid import CONGRUENT, Grid, earth_crs

if TYPE_CHECKING:
    from infra.storage import Location, S3Options

BAND = "science/LSAR"
IDENTIFICATION = f"{BAND}/identification"
GRIDS = f"{BAND}/GCOV/grids"
PARAMETERS = f"{BAND}/GCOV/metadata/processingInformation/parameters"
CONVENTION = "outputBackscatterNormalizationConvention"
TERMS = {"HHHH": "HH", "HVHV": "HV", "VHVH": "VH", "VVVV": "VV"}  # diagonal of the covariance matrix: powers
MASK, FACTOR = "mask", "rtcGammaToSigmaFactor"
SAYS = (
    "absoluteOrbitNumber",
    "frameNumber",
    "lookDirection",
    "missionId",
    "orbitPassDirection",
    "platformName",
    "productDoi",
    "trackNumber",
    "zeroDopplerStartTime",
)
THREADS = 16  # headers wait for storage, not for a processor
RENAMED = "Restore the file's original name, or take it out of `path`."


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The rasters of one frequency.

    Attributes
    ----------
    grid : from the coordinates, which are those of pixel centres
    polarizations : "HH" to the path of its array in the file; empty where there are only complex terms
    terms : names of all covariance terms
    mask, factor : path of the mask and of gamma nought to sigma nought; None where there is none
    """

    grid: Grid
    polarizations: Mapping[str, str]
    terms: tuple[str, ...]
    mask: str | None
    factor: str | None


@dataclass(frozen=True, kw_only=True)
class GcovHeader:
    """Header of one GCOV file.

    Attributes
    ----------
    frequencies : there are: ("A", "B")
    layers : of the frequency that was asked for; None where the file does not have it
    start : of sensing, UTC
    doi : of the product, "" where the file has none
    platform, absolute_orbit, pass_direction, look_direction : None where the file does not say
    """

    url: str
    frequencies: tuple[str, ...]
    layers: Layers | None
    start: datetime
    track: int
    frame: int
    doi: str
    platform: str | None
    absolute_orbit: int | None
    pass_direction: str | None
    look_direction: str | None


def read_gcov_headers(urls: Iterable[str], *, frequency: str, s3: S3Options) -> dict[str, GcovHeader]:
    """Headers of GCOV files by URL, read in threads.

    Raises
    ------
    InputError
        If a file is missing, no HDF5, truncated, another product, not terrain-flattened gamma nought, or its grid is irregular,
        not north-up or without a known CRS.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    places: dict[Location, Location] = {}

    def opened(url: str) -> tuple[Location, str]:
        place, name = place_of(url, s3=s3)
        return places.setdefault(place, place), name  # one connection pool for all

    def header(place: Location, name: str) -> GcovHeader:
        file = RangedFile(place, name)
        return file.answer(lambda h5: _header(file.url, h5, frequency))

    with ThreadPoolExecutor(THREADS, thread_name_prefix="headers") as pool:
        return {h.url: h for h in pool.map(lambda at: header(*at), [opened(url) for url in urls])}


def _header(url: str, file: Any, frequency: str) -> GcovHeader:
    _check_product(url, file)
    _check_gamma_nought(url, file)
    there = file[IDENTIFICATION]
    said = {name: _text(there, name) for name in SAYS if name in there}
    frequencies = tuple(sorted(n.removeprefix("frequency") for n in _names(file, GRIDS) if n.startswith("frequency")))
    return GcovHeader(
        url=url,
        frequencies=frequencies,
        layers=_layers(url, file, frequency) if frequency in frequencies else None,
        start=_time(url, said.get("zeroDopplerStartTime", "")),
        track=_number(url, said, "trackNumber"),
        frame=_number(url, said, "frameNumber"),
        doi=said.get("productDoi", ""),
        platform=said.get("platformName") or said.get("missionId"),
        absolute_orbit=_number(url, said, "absoluteOrbitNumber") if "absoluteOrbitNumber" in said else None,
        pass_direction=_choice(said, "orbitPassDirection", ("ascending", "descending")),
        look_direction=_choice(said, "lookDirection", ("left", "right")),
    )


def _check_product(url: str, file: Any) -> None:
    if GRIDS in file and IDENTIFICATION in file:
        return
    others = [n for n in _names(file, BAND) if n not in ("identification", "GCOV")]
    what = f"it holds {', '.join(others)}" if others else f"it has no group /{GRIDS}"
    raise InputError(f"{url} is no NISAR GCOV product of L band: {what}", "Take it out of `path`.")


def _check_gamma_nought(url: str, file: Any) -> None:
    # Product specifications differ: the newer ones keep what concerns radiometry in a group of its own
    places = [f"{PARAMETERS}/rtc/{CONVENTION}", f"{PARAMETERS}/{CONVENTION}"]
    said = next((_text(file, place) for place in places if place in file), None)
    if said is None:
        raise InputError(
            f"{url} does not say what its backscatter is: there is no {CONVENTION}", "Take it out of `path`."
        )
    if said.strip().lower() != "gamma0":
        raise InputError(
            f"{url} holds {said}, not gamma0 ({CONVENTION})",
            "Take frames with radiometric terrain correction, as ASF delivers them.",
        )


def _layers(url: str, file: Any, frequency: str) -> Layers:
    group = f"{GRIDS}/frequency{frequency}"
    names = _names(file, group)
    terms = tuple(n for n in names if len(n) == 4 and set(n) <= set("HVRL"))
    powers = {TERMS[t]: f"{group}/{t}" for t in terms if t in TERMS and file[f"{group}/{t}"].dtype.kind == "f"}
    grid = _grid(url, file[group])
    layers = Layers(
        grid=grid,
        polarizations=powers,
        terms=terms,
        mask=f"{group}/{MASK}" if MASK in names else None,
        factor=f"{group}/{FACTOR}" if FACTOR in names else None,
    )
    for path in (*powers.values(), layers.mask, layers.factor):
        if path and file[path].shape != grid.shape:
            raise InputError(
                f"{url}: {path} has {_size(file[path].shape)} pixels, its coordinates {_size(grid.shape)}",
                "Download the file again, or take it out of `path`.",
            )
    return layers


def _grid(url: str, group: Any) -> Grid:
    for name in ("xCoordinates", "yCoordinates", "projection"):
        if name not in group:
            raise InputError(f"{url}: {group.name} has no {name}", "Download the file again, or take it out of `path`.")
    left, dx, width = _axis(url, group, "x")
    top, dy, height = _axis(url, group, "y")
    if dx <= 0 or dy >= 0:
        raise InputError(
            f"{url} is not north-up: pixels of {dx:g} (east) and {-dy:g} (south)",
            "Take the product as ASF delivers it, or reproject it: gdalwarp IN OUT writes north-up.",
        )
    return Grid(crs=_crs(url, group["projection"]), left=left, top=top, dx=dx, dy=-dy, height=height, width=width)


def _axis(url: str, group: Any, axis: str) -> tuple[float, float, int]:
    """Outer edge before the first pixel, signed spacing, number of pixels."""
    centres = np.asarray(group[f"{axis}Coordinates"][()], dtype=np.float64)
    told = group.get(f"{axis}CoordinateSpacing")
    if centres.ndim != 1 or not centres.size or (centres.size == 1 and told is None):
        raise InputError(f"{url}: {axis}Coordinates are no series of pixel centres", "Take the file out of `path`.")
    first, last, steps = float(centres[0]), float(centres[-1]), max(centres.size - 1, 1)
    spacing = (last - first) / steps if centres.size > 1 else float(told[()])
    if told is not None and abs(float(told[()]) - spacing) * steps <= CONGRUENT * abs(spacing):
        spacing = float(told[()])  # without the rounding of a division
    elif told is not None:
        raise InputError(
            f"{url}: {axis}CoordinateSpacing is {float(told[()]):g}, the {axis}Coordinates are {spacing:g} apart",
            "Take the file out of `path`: one of the two is wrong.",
        )
    off = np.abs(centres - (first + spacing * np.arange(centres.size))) / (abs(spacing) or 1.0)
    if not (np.isfinite(spacing) and spacing and float(off.max()) <= CONGRUENT):
        worst = int(np.argmax(off))
        raise InputError(
            f"{url}: {axis}Coordinates are not equally spaced: number {worst} is {float(off[worst]):.3f} pixel off",
            "Reproject the file to a regular grid, or take it out of `path`.",
        )
    return first - spacing / 2, spacing, int(centres.size)


def _crs(url: str, projection: Any) -> str:
    scalar = getattr(projection, "shape", None) == () and projection.dtype.kind in "iu"
    said = {int(projection[()])} if scalar else set()
    if "epsg_code" in projection.attrs:
        said.add(int(projection.attrs["epsg_code"]))
    remedy = "Take the file out of `path`."
    if len(said) != 1:
        raise InputError(f"{url}: projection names {sorted(said) or 'no'} EPSG codes instead of one", remedy)
    try:
        return earth_crs(f"EPSG:{said.pop()}")
    except ValueError as error:
        raise InputError(f"{url} has no CRS that is known: {error}", remedy) from error


def _time(url: str, text: str) -> datetime:
    """UTC, to the microsecond; the file writes nanoseconds."""
    try:
        return datetime.fromisoformat(text.removesuffix("Z")[:26]).replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"{url}: zeroDopplerStartTime is no time: {text!r}", "Take the file out of `path`.") from error


def _number(url: str, said: Mapping[str, str], name: str) -> int:
    text = said.get(name, "")
    if not text.isdecimal():
        raise InputError(f"{url}: {name} is no number: {text!r}", "Take the file out of `path`.")
    return int(text)


def _choice(said: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    text = said.get(name, "").strip().lower()
    return text if text in choices else None


def _text(file: Any, path: str) -> str:
    """A scalar as text."""
    value = file[path][()]
    return value.decode() if isinstance(value, bytes) else str(value)


def _names(file: Any, path: str) -> list[str]:
    return sorted(file[path]) if path in file else []


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
