"""Images in Zarr stores: which arrays hold which polarization, what their values mean, and the scenes made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dask_jobs.passes import outside_period
from dask_jobs.readers.file_names import POLARIZATIONS
from dask_jobs.readers.geotiff import SAMPLE, PixelValues, check_scale
from dask_jobs.readers.zarr_arrays import Key, Store, identities, no_data_of, split
from dask_jobs.readers.zarr_grid import grid_of
from dask_jobs.readers.zarr_pixels import read_zarr
from dask_jobs.scenes import Container, Radiometry, Raster, Scale, Scene
from infra.errors import InputError
from infra.grid import Grid, Window

if TYPE_CHECKING:
    from dask_jobs.readers.zarr_arrays import ZarrArray
    from infra.region import Region
    from infra.storage import S3Options

Some = TypeVar("Some")
QUANTITIES = ("gamma0_terrain", "sigma0_ellipsoid", "sigma0_terrain", "beta0")
DECIBEL = ("db", "decibel")
SAID = {"True": True, "False": False}
QUARTERS = ((2, 2), (1, 1), (1, 3), (3, 1), (3, 3))  # where a sample is looked for: the middle, then quarters


@dataclass(frozen=True, kw_only=True)
class StoreValues:
    """What the job says of a store's values; None where it leaves that to names and attributes.

    Attributes
    ----------
    scale : power, amplitude or dB
    calibration_db : added in dB to reach calibrated power (ALOS digital numbers: amplitude and -83)
    nodata : stored value that means no data, beside what the store declares
    quantity : what backscatter is normalised by
    crs : where the store names none
    variables : polarization to the name of its variable
    date_format : of times that are text, as for strptime
    """

    scale: Scale | None = None
    calibration_db: float = 0.0
    nodata: float | None = None
    quantity: str | None = None
    crs: str | None = None
    variables: Mapping[str, str] | None = None
    date_format: str = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What `zarr_store.find` is asked, beside the stores."""

    values: StoreValues
    polarizations: Sequence[str] | None
    period: tuple[date, date] | None
    region: Region | None
    s3: S3Options
    cache: Path | None

    def in_period(
        self, found: Sequence[Some], time: Callable[[Some], datetime]
    ) -> tuple[list[Some], list[tuple[Some, str]]]:
        """What lies in the period, and what does not with the reason; all where nothing does."""
        if self.period is None:
            return list(found), []
        reasons = [(one, outside_period(time(one), start=self.period[0], end=self.period[1])) for one in found]
        inside = [one for one, reason in reasons if reason is None]
        return (inside, [(one, reason) for one, reason in reasons if reason]) if inside else (list(found), [])


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a group's name tells of its values; None where it does not."""

    scale: Scale | None = None
    radiometry: Radiometry | None = None
    nodata: float | None = None


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image: an array with dims (y, x), or one step of one with dims (time, y, x)."""

    store: Store
    path: str
    step: int | None = None

    @property
    def array(self) -> ZarrArray:
        """The array that holds it."""
        return self.store.arrays[self.path]

    @property
    def key(self) -> Key:
        """Which of its store's images it is."""
        return self.path, self.step

    @property
    def url(self) -> str:
        """Its array, for messages."""
        return self.store.place.href(self.path)

    @property
    def group(self) -> Mapping[str, Any]:
        """Attributes of the group that its array lies in."""
        return self.store.groups.get(split(self.path)[0], {})


def bands_of(
    store: Store, group: str, *, ndim: int, variables: Mapping[str, str] | None, polarization: str | None = None
) -> dict[str, str]:
    """Paths of the arrays of each polarization in a group; empty where there is none.

    Parameters
    ----------
    ndim : 2 for (y, x), 3 for (time, y, x)
    variables : names by polarization; None: variables named like one, in any case
    polarization : of the whole group, where its name tells it: then its one variable is that

    Raises
    ------
    InputError
        If two variables, or none that is named, could be a polarization, or values are complex.
    """
    images = {name: array for name, array in store.members(group).items() if array.ndim == ndim}
    images = {name: array for name, array in images.items() if array.dtype.kind in "iufc"}
    if variables is not None:
        found = {band: name for band, name in variables.items() if name in images and polarization in {None, band}}
    else:
        found = _by_name(store, group, list(images), polarization=polarization)
    for name in found.values():
        if images[name].dtype.kind == "c":
            raise InputError(
                f"{store.place.href(f'{group}/{name}')} holds {images[name].dtype} values",
                "Give detected images (power, amplitude or dB), not complex ones.",
            )
    return {band: f"{group}/{name}".lstrip("/") for band, name in found.items()}


def _by_name(store: Store, group: str, images: Sequence[str], *, polarization: str | None) -> dict[str, str]:
    if polarization is not None and len(images) == 1:
        return {polarization: images[0]}
    found: dict[str, str] = {}
    for name in images:
        band = name.upper()
        if band not in POLARIZATIONS or polarization not in {None, band}:
            continue
        if band in found:
            raise InputError(
                f"{store.place.href(group)}: {found[band]!r} and {name!r} are both {band}",
                f"Say variables: {{{band}: …}}",
            )
        found[band] = name
    if polarization is not None and images and not found:
        raise InputError(
            f"{store.place.href(group)}: which of {', '.join(images)} is {polarization}?",
            f"Say variables: {{{polarization}: {images[0]}}}",
        )
    return found


def raster_of(image: Image, *, values: StoreValues, known: Known, south_up: bool) -> Raster:
    """Raster of an image; raises InputError where job and name disagree about the scale, or it is calibrated already."""
    if known.scale is not None and values.calibration_db:
        raise InputError(
            f"calibration_db: {image.url} is calibrated already, by its name; the job adds {values.calibration_db:g} dB",
            "Take `calibration_db` out of the job.",
        )
    declared = no_data_of(image.array) if values.nodata is None else values.nodata
    return Raster(
        url=image.store.place.url,
        container=Container.ZARR,
        dataset=image.path,
        step=image.step,
        south_up=south_up,
        scale=_scale(image, values=values, known=known),
        calibration_db=values.calibration_db,
        nodata=known.nodata if declared is None else declared,
    )


def _scale(image: Image, *, values: StoreValues, known: Known) -> Scale:
    units = str(image.array.attrs.get("units", "")).strip().lower()
    said = known.scale or (Scale.DB if units in DECIBEL else None)
    if values.scale is not None and said is not None and values.scale != said:
        raise InputError(
            f"scale: the job says {values.scale}, {image.url} says {said}, by its {'name' if known.scale else 'units'}",
            "Take `scale` out of the job.",
        )
    return values.scale or said or Scale.POWER


def radiometry_of(image: Image, *, values: StoreValues, known: Known) -> Radiometry:
    """What the group's name says, else its attributes (as a plain copy of a stack has them), else the job.

    Raises
    ------
    InputError
        If job and store disagree.
    """
    said = known.radiometry or _attributed(image.group)
    if said is None:
        return Radiometry(quantity=values.quantity or "unknown")
    if values.quantity not in {None, said.quantity}:
        raise InputError(
            f"radiometry: the job says {values.quantity}, {image.url} says {said.quantity}",
            "Take `radiometry` out of the job.",
        )
    return said


def _attributed(attributes: Mapping[str, Any]) -> Radiometry | None:
    quantity = attributes.get("radiometry")
    if quantity not in QUANTITIES:
        return None
    return Radiometry(
        quantity=str(quantity),
        speckle_filtered=SAID.get(str(attributes.get("speckle_filtered"))),
        water_masked=SAID.get(str(attributes.get("water_masked"))),
    )


def shared_grid(images: Mapping[str, Image], *, crs: str | None) -> tuple[Grid, dict[str, bool]]:
    """Grid of a scene, and whether each polarization's rows go north.

    Raises
    ------
    InputError
        If polarizations lie on different grids, or a grid is not what it should be.
    """
    grids = {band: grid_of(image.store, image.path, crs=crs) for band, image in images.items()}
    (first, (grid, _)), *others = grids.items()
    for band, (other, _) in others:
        difference = grid.lattice_difference(other)
        if difference is None and grid.window_of(other) != grid.full:
            difference = f"bounds {other.bounds} instead of {grid.bounds}"
        if difference:
            raise InputError(
                f"the polarizations of one scene lie on different grids: {images[band].url} against "
                f"{images[first].url}: {difference}",
                "Take one of them out of the store, or ask for one polarization.",
            )
    return grid, {band: south_up for band, (_, south_up) in grids.items()}


def identified(
    scenes: Sequence[tuple[Scene, Mapping[str, Image]]], *, s3: S3Options, cache: Path | None
) -> list[Scene]:
    """Scenes with `size` (bytes of the objects that hold them) and `fingerprint` filled."""
    stores = {id(image.store): image.store for _, images in scenes for image in images.values()}
    known: dict[tuple[int, Key], tuple[int, str]] = {}
    for number, store in stores.items():
        wanted = {i.key: scene.grid for scene, images in scenes for i in images.values() if id(i.store) == number}
        known |= {(number, key): found for key, found in identities(store, wanted, s3=s3, cache=cache).items()}
    return [_identified(scene, {b: known[id(i.store), i.key] for b, i in images.items()}) for scene, images in scenes]


def _identified(scene: Scene, parts: Mapping[str, tuple[int, str]]) -> Scene:
    lines = "\n".join(f"{band} {size} {digest}" for band, (size, digest) in sorted(parts.items()))
    size = sum(size for size, _ in parts.values())
    return replace(scene, size=size, fingerprint=hashlib.sha256(lines.encode()).hexdigest())


def check_values(scene: Scene, *, s3: S3Options) -> None:
    """Refuse a scene whose values cannot be of the scale that they are read as, by a small sample.

    Raises
    ------
    InputError
        As `check_scale` does, and where pixels cannot be read.
    """
    raster = next(iter(scene.rasters.values()))
    values = PixelValues(scale=raster.scale, calibration_db=raster.calibration_db, nodata=raster.nodata)
    check_scale(_sample(raster, scene.grid, s3=s3), values, url=f"{raster.url}/{raster.dataset}")


def _sample(raster: Raster, grid: Grid, *, s3: S3Options) -> np.ndarray:
    height, width = min(SAMPLE, grid.height), min(SAMPLE, grid.width)
    for down, right in QUARTERS:
        window = Window((grid.height - height) * down // 4, (grid.width - width) * right // 4, height, width)
        block, valid = read_zarr(raster, grid=grid, window=window, s3=s3)
        sample: np.ndarray = block[np.isfinite(block) & valid].astype(np.float64)
        if sample.size:
            return sample
    return np.empty(0)
