"""The grid that an array of a Zarr store lies on, by its coordinates and CRS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.readers.zarr_arrays import Store, dims_of, reading, split
from infra.errors import InputError
from infra.grid import Grid, earth_crs

if TYPE_CHECKING:
    from dask_jobs.readers.zarr_arrays import ZarrArray

Y_NAMES = ("y", "lat", "latitude", "northing")
X_NAMES = ("x", "lon", "longitude", "easting")
UNEVEN = 0.01  # of a pixel: coordinates kept as float32 are rounded to this, a lattice that is none is farther off
CRS_ATTRIBUTES = ("crs_wkt", "spatial_ref", "proj:wkt2", "crs", "proj:code", "epsg", "proj:epsg", "epsg_code")
CENTRES = "Give the store coordinates of pixel centres, evenly spaced."


def grid_of(store: Store, path: str, *, crs: str | None) -> tuple[Grid, bool]:
    """North-up grid of an array's last two dimensions, and whether its rows go north (`Raster.south_up`).

    Parameters
    ----------
    crs : where the store names none

    Raises
    ------
    InputError
        If dimensions are not (…, y, x), coordinates are missing, uneven or of another length, x falls, or the CRS is
        missing, none, or not that of the job.
    """
    array, url = store.arrays[path], store.place.href(path)
    dims = dims_of(array)
    if len(dims) != array.ndim:
        raise InputError(f"{url} does not name its dimensions", "Write it with xarray, which names them.")
    y, x = dims[-2:]
    if x.lower() in Y_NAMES or y.lower() in X_NAMES:
        raise InputError(f"{url} has the dimensions ({', '.join(dims)})", "Turn it to (…, y, x): dataset.transpose(…)")
    top, dy = _axis(store, path, y, length=array.shape[-2])
    left, dx = _axis(store, path, x, length=array.shape[-1])
    if dx < 0:
        raise InputError(f"{url}: {x} falls from west to east", 'Turn it: dataset.sortby("x")')
    south_up = dy > 0
    if south_up:
        top += (array.shape[-2] - 1) * dy
    height, width = array.shape[-2:]
    return (
        Grid(
            crs=_crs(store, path, given=crs),
            left=left - dx / 2,
            top=top + abs(dy) / 2,
            dx=dx,
            dy=abs(dy),
            height=height,
            width=width,
        ),
        south_up,
    )


def coordinate(store: Store, path: str, dim: str) -> ZarrArray | None:
    """One-dimensional array of a dimension's name beside an array, or in a group above; None where there is none."""
    return next((a for a in _beside(store, path, dim) if a.ndim == 1), None)


def _beside(store: Store, path: str, name: str) -> Iterator[ZarrArray]:
    group, _ = split(path)
    while True:
        found = store.arrays.get(f"{group}/{name}".lstrip("/"))
        if found is not None:
            yield found
        if not group:
            return
        group, _ = split(group)


def _axis(store: Store, path: str, dim: str, *, length: int) -> tuple[float, float]:
    """First coordinate and step, CRS units."""
    array, url = coordinate(store, path, dim), store.place.href(path)
    if array is None:
        raise InputError(f"{url} has no coordinate {dim!r}", CENTRES)
    with reading(store.place, array.path):
        values = np.asarray(array[:], dtype=np.float64)
    if values.size != length:
        raise InputError(f"{url}: {dim} has {values.size} coordinates for {length} pixels", CENTRES)
    if length < 2:
        raise InputError(f"{url}: {dim} has one pixel, so that its size is not known", CENTRES)
    step = float(values[-1] - values[0]) / (length - 1)
    off = np.abs(values - (values[0] + step * np.arange(length)))
    if not np.isfinite(values).all() or step == 0 or float(off.max()) > UNEVEN * abs(step):
        raise InputError(
            f"{url}: the coordinates {dim} are not evenly spaced (from {values[0]:g} to {values[-1]:g})", CENTRES
        )
    return float(values[0]), step


def _crs(store: Store, path: str, *, given: str | None) -> str:
    url = store.place.href(path)
    own = next((text for attributes in _places(store, path) for text in _named(attributes)), None)
    try:
        found = earth_crs(own) if own is not None else None
    except ValueError as error:
        raise InputError(f"{url}: {error}", "Mend the store's CRS, or take it out and say `crs` in the job.") from error
    wanted = earth_crs(given) if given is not None else None
    if found is None and wanted is None:
        raise InputError(f"{url} names no CRS", "Say it in the job: crs: EPSG:…")
    if found is not None and wanted is not None and found != wanted:
        raise InputError(f"crs: {url} is in {found}, the job says {wanted}", "Take `crs` out of the job, or mend it.")
    return found or wanted or ""


def _places(store: Store, path: str) -> Iterator[Mapping[str, Any]]:
    """Attributes that may name the CRS: of the grid mapping, the usual variables, the array, and the groups around it."""
    array = store.arrays[path]
    named = array.attrs.get("grid_mapping")
    for name in (str(named).split(":")[0] if named else None, "spatial_ref", "crs", "projection"):
        if name:
            yield from (found.attrs.asdict() for found in _beside(store, path, name) if found.ndim == 0)
    yield array.attrs.asdict()
    group, _ = split(path)
    while True:
        yield store.groups.get(group, {})
        if not group:
            return
        group, _ = split(group)


def _named(attributes: Mapping[str, Any]) -> Iterator[str]:
    for name in CRS_ATTRIBUTES:
        value = attributes.get(name)
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            yield f"EPSG:{value}"
        elif isinstance(value, str) and value:
            yield value
    if "grid_mapping_name" in attributes:
        yield _from_cf(attributes)


def _from_cf(attributes: Mapping[str, Any]) -> str:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return str(CRS.from_cf(dict(attributes)).to_wkt())
    except (CRSError, KeyError) as error:
        raise InputError(
            f"grid mapping {attributes['grid_mapping_name']!r}: {error}", "Say `crs` in the job."
        ) from error
