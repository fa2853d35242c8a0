"""What a stack looks like on disk: arrays, coordinates and CF attributes, so that any xarray or GDAL reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from dask_jobs.stack.ledger import utc
from infra.errors import StateError

if TYPE_CHECKING:
    import zarr

    from dask_jobs.scenes import Pass
    from infra.grid import Grid

COORDINATE_CHUNK = 4096
TIME_UNITS = "seconds since 1970-01-01"
CALENDAR = "proleptic_gregorian"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One number for each time step, along the first dimension.

    Attributes
    ----------
    attributes : CF's, of the array
    """

    name: str
    dtype: str
    fill: float
    attributes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """What a store looks like before it holds anything: layers of dims (step, y, x), and columns of dims (step,).

    Attributes
    ----------
    grid : of every time step
    polarizations : names of the layers
    chunk : pixels along y and x; a chunk holds one time step
    resampled : whether scenes of other lattices are brought to the grid as they are read
    attrs : JSON values, of the group: title, radiometry, orbit, pass; CF's `Conventions` is added
    """

    grid: Grid
    polarizations: tuple[str, ...]
    chunk: int = 512
    resampled: bool = False
    attrs: Mapping[str, Any] = field(default_factory=dict)

    dimension = "time"
    packing: ClassVar[tuple[Literal["zstd", "lz4"], int]] = (
        "zstd",
        3,
    )  # codec of Blosc, whose bytes are shuffled; level
    in_order = True  # whether steps stand in the order of their times; else in that of their arrival
    chunks_along_shard: ClassVar[int] = 1  # along y and x; with one there are no shards

    @property
    def object_side(self) -> int:
        """Pixels along y and x of what one object holds of a time step: a chunk, or a shard of chunks."""
        return self.chunk * self.chunks_along_shard

    @property
    def objects_per_step(self) -> int:
        """Objects of one time step of one polarization."""
        return -(-self.grid.height // self.object_side) * -(-self.grid.width // self.object_side)

    @abstractmethod
    def layer(self, name: str) -> tuple[str, float, Mapping[str, Any]]:
        """Dtype, value of no data and attributes of a layer."""

    @abstractmethod
    def columns(self) -> Sequence[Column]:
        """What is known of each time step beside its pixels."""

    @abstractmethod
    def column_values(
        self, steps: Sequence[Pass], *, masked: Sequence[int], covered: Sequence[int]
    ) -> Mapping[str, Sequence[float]]:
        """Values of the columns; `masked` and `covered` are pixels of each step."""


@dataclass(frozen=True, kw_only=True)
class StackLayout(Layout):
    """What a stack of backscatter looks like: a layer for each polarization, linear power."""

    def layer(self, name: str) -> tuple[str, float, Mapping[str, Any]]:
        """Dtype, value of no data and attributes of a layer."""
        return "float32", float("nan"), {"units": "1", "long_name": f"{name} backscatter, linear power"}

    def columns(self) -> Sequence[Column]:
        """Times, and how much of each scene is hidden."""
        share = {"units": "1", "long_name": "share of the covered pixels that the mask hides"}
        return (
            Column(
                name="time",
                dtype="int64",
                fill=0,
                attributes={"standard_name": "time", "units": TIME_UNITS, "calendar": CALENDAR},
            ),
            Column(name="masked_fraction", dtype="float32", fill=float("nan"), attributes=share),
        )

    def column_values(
        self, steps: Sequence[Pass], *, masked: Sequence[int], covered: Sequence[int]
    ) -> Mapping[str, Sequence[float]]:
        """Values of the columns."""
        return {
            "time": [seconds(step.time) for step in steps],
            "masked_fraction": [one / of if of else np.nan for one, of in zip(masked, covered, strict=True)],
        }


def make_arrays(group: zarr.Group, layout: Layout) -> None:
    """Empty arrays of a stack without time steps, in a new group."""
    from zarr.codecs import BloscCodec

    for name in layout.polarizations:
        dtype, fill, attributes = layout.layer(name)
        group.create_array(
            name,
            shape=(0, layout.grid.height, layout.grid.width),
            chunks=(1, layout.chunk, layout.chunk),
            shards=(1, layout.object_side, layout.object_side) if layout.chunks_along_shard > 1 else None,
            dtype=dtype,
            fill_value=fill,
            dimension_names=(layout.dimension, "y", "x"),
            # lossless; real scenes pack to 81 % with their bytes shuffled, to 88 % without
            compressors=BloscCodec(cname=layout.packing[0], clevel=layout.packing[1], shuffle="shuffle"),
            config={"write_empty_chunks": False},
            attributes={**attributes, "grid_mapping": "spatial_ref"},
        )
    for column in layout.columns():
        group.create_array(
            column.name,
            shape=(0,),
            chunks=(COORDINATE_CHUNK,),
            dtype=column.dtype,
            fill_value=column.fill,
            dimension_names=(layout.dimension,),
            attributes=dict(column.attributes),
        )


def resize_time(group: zarr.Group, layout: Layout, *, steps: int) -> None:
    """Make room for `steps` time steps in all."""
    for name in layout.polarizations:
        array_of(group, name).resize((steps, layout.grid.height, layout.grid.width))
    for column in layout.columns():
        array_of(group, column.name).resize((steps,))


def write_columns(
    group: zarr.Group, layout: Layout, steps: Mapping[int, Pass], *, masked: Counter[int], covered: Counter[int]
) -> None:
    """What is known of time steps (by their number, consecutive) beside their pixels."""
    start, stop = min(steps), max(steps) + 1
    values = layout.column_values(
        [steps[step] for step in range(start, stop)],
        masked=[masked[step] for step in range(start, stop)],
        covered=[covered[step] for step in range(start, stop)],
    )
    for column in layout.columns():
        array_of(group, column.name)[start:stop] = np.array(values[column.name], dtype=column.dtype)


def write_frame(group: zarr.Group, *, grid: Grid, attrs: Mapping[str, Any]) -> None:
    """Coordinates y and x, the CRS and the group's attributes: once, in a new group."""
    from pyproj import CRS

    crs = CRS.from_user_input(grid.crs)
    axes = {axis["axis"].lower(): axis for axis in crs.cs_to_cf() if axis.get("axis") in {"X", "Y"}}
    for name, values in (("y", grid.y), ("x", grid.x)):
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
    reference = group.create_array("spatial_ref", shape=(), dtype="int64", attributes={
        **_plain(crs.to_cf()),
        "spatial_ref": crs.to_wkt(),
        "GeoTransform": f"{grid.left!r} {grid.dx!r} 0.0 {grid.top!r} 0.0 {-grid.dy!r}",
    })  # fmt: skip
    reference[...] = 0
    group.attrs.update({**attrs, "Conventions": "CF-1.10", "coordinates": "spatial_ref"})


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
