"""What a stack looks like on disk: arrays, coordinates and CF attributes, so that any xarray or GDAL reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.stack.ledger import utc
from infra.errors import StateError

if TYPE_CHECKING:
    import zarr

    from infra.grid import Grid

COORDINATE_CHUNK = 4096
TIME_UNITS = "seconds since 1970-01-01"


@dataclass(frozen=True, kw_only=True)
class StackLayout:
    """What a stack looks like before it holds anything.

    Attributes
    ----------
    grid : of every time step
    polarizations : names of the variables
    chunk : pixels along y and x; a chunk holds one time step
    resampled : whether scenes of other lattices are brought to the grid as they are read
    attrs : JSON values, of the group: title, radiometry, orbit, pass; CF's `Conventions` is added
    """

    grid: Grid
    polarizations: tuple[str, ...]
    chunk: int = 512
    resampled: bool = False
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chunks_per_step(self) -> int:
        """Chunks of one time step of one polarization."""
        return -(-self.grid.height // self.chunk) * -(-self.grid.width // self.chunk)


def make_arrays(group: zarr.Group, layout: StackLayout) -> None:
    """Empty arrays of a stack without time steps, in a new group."""
    from zarr.codecs import BloscCodec

    for name in layout.polarizations:
        group.create_array(
            name,
            shape=(0, layout.grid.height, layout.grid.width),
            chunks=(1, layout.chunk, layout.chunk),
            dtype="float32",
            fill_value=float("nan"),
            dimension_names=("time", "y", "x"),
            # lossless; real scenes pack to 81 % with their bytes shuffled, to 88 % without
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
            config={"write_empty_chunks": False},
            attributes={"units": "1", "long_name": f"{name} backscatter, linear power", "grid_mapping": "spatial_ref"},
        )
    share: dict[str, Any] = {"units": "1", "long_name": "share of the covered pixels that the mask hides"}
    times: dict[str, tuple[str, float, dict[str, Any]]] = {
        "time": ("int64", 0, {"standard_name": "time", "units": TIME_UNITS, "calendar": "proleptic_gregorian"}),
        "masked_fraction": ("float32", float("nan"), share),
    }
    for name, (dtype, fill, attributes) in times.items():
        group.create_array(
            name,
            shape=(0,),
            chunks=(COORDINATE_CHUNK,),
            dtype=dtype,
            fill_value=fill,
            dimension_names=("time",),
            attributes=attributes,
        )


def resize_time(group: zarr.Group, layout: StackLayout, *, steps: int) -> None:
    """Make room for `steps` time steps in all."""
    for name in layout.polarizations:
        array_of(group, name).resize((steps, layout.grid.height, layout.grid.width))
    for name in ("time", "masked_fraction"):
        array_of(group, name).resize((steps,))


def write_frame(group: zarr.Group, layout: StackLayout) -> None:
    """Coordinates y and x, the CRS and the group's attributes: once, in a new group."""
    from pyproj import CRS

    crs = CRS.from_user_input(layout.grid.crs)
    axes = {axis["axis"].lower(): axis for axis in crs.cs_to_cf() if axis.get("axis") in {"X", "Y"}}
    for name, values in (("y", layout.grid.y), ("x", layout.grid.x)):
        attributes = {**axes.get(name, {"axis": name.upper()}), "long_name": f"{name} of the pixel's centre"}
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=(max(1, len(values)),),
            dtype="float64",
            fill_value=float("nan"),
            dimension_names=(name,),
            attributes=attributes,
        )
        array[:] = values
    grid = layout.grid
    reference = group.create_array("spatial_ref", shape=(), dtype="int64", attributes={
        **_plain(crs.to_cf()),
        "spatial_ref": crs.to_wkt(),
        "GeoTransform": f"{grid.left!r} {grid.dx!r} 0.0 {grid.top!r} 0.0 {-grid.dy!r}",
    })  # fmt: skip
    reference[...] = 0
    group.attrs.update({**layout.attrs, "Conventions": "CF-1.10", "coordinates": "spatial_ref"})


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Array of a group.

    Raises
    ------
    StateError
        If the store has something else under that name.
    """
    import zarr

    member = group.get(name)
    if not isinstance(member, zarr.Array):
        raise StateError(f"the stack has no array {name!r}", "Remove this store; a new one is made.")
    return member


def seconds(time: datetime) -> int:
    """Whole seconds since 1970-01-01 UTC: a pass's place on the time axis."""
    return int(utc(time).timestamp() // 1)


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values: pyproj gives numpy numbers and tuples in places."""
    return {key: np.asarray(value).tolist() for key, value in attributes.items()}
