"""Geometry of a stack of interferograms: written once, before the first pair, in a commit of its own."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.insar_stack.layout import (
    AZIMUTH,
    GEOMETRY_ATTRIBUTES,
    HEIGHT,
    INCIDENCE,
    LAND,
    SLANT_RANGE,
    PairLayout,
)
from dask_jobs.insar_stack.steps import read_layer
from dask_jobs.interferograms import SIGHT_ELEVATION, SIGHT_ORIENTATION, Interferogram
from dask_jobs.stack.append import ledger_of
from dask_jobs.stack.ledger import ATTRIBUTE
from dask_jobs.stack.schema import array_of, make_arrays, write_frame
from dask_jobs.stack.store import MAIN, icechunk_errors, writable_repository
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import Location, S3Options

if TYPE_CHECKING:
    import zarr
    from distributed import Client

MARK = "sarbatch_geometry"  # attribute of the group: the product that the geometry is of, once it is there
STRIP_PIXELS = 2**19  # of one task: small products too are work for several


@dataclass(frozen=True, kw_only=True)
class GeometryReader:
    """Reads and derives the geometry of a window of `target`; sent to workers.

    Attributes
    ----------
    source : product whose files are read
    """

    source: Interferogram
    target: Grid
    region: Region | None = None
    s3: S3Options = field(default_factory=S3Options)

    def __call__(self, window: Window) -> dict[str, np.ndarray]:
        """Arrays of dims (y, x) by the names of `GEOMETRY_ATTRIBUTES`."""
        from dask_jobs.sbas.geometry import azimuth_angle, incidence_angle, slant_range

        sensing = self.source.sensing
        incidence = incidence_angle(self._read(SIGHT_ELEVATION, window))
        return {
            HEIGHT: self._read("height", window),
            INCIDENCE: incidence,
            AZIMUTH: azimuth_angle(self._read(SIGHT_ORIENTATION, window)),
            SLANT_RANGE: slant_range(
                incidence, earth_radius=sensing.earth_radius, spacecraft_height=sensing.spacecraft_height
            ),
            LAND: self._land(window),
        }

    def _read(self, layer: str, window: Window) -> np.ndarray:
        raster = self.source.geometry[layer]
        return read_layer(raster, layer, grid=self.source.grid, target=self.target, window=window, s3=self.s3)

    def _land(self, window: Window) -> np.ndarray:
        """Where the water mask says land; where there is no such file, everywhere."""
        land = np.ones((window.height, window.width), dtype=np.uint8)
        if "water_mask" in self.source.geometry:
            mask = self._read("water_mask", window)
            land = (np.isfinite(mask) & (mask != 0)).astype(np.uint8)
        if self.region is not None and self.region.masks:
            land[~self.region.inside(self.target.crop(window))] = 0
        return land


def ensure_geometry(
    store: Location, layout: PairLayout, read: GeometryReader, *, client: Client, checkpoint: Callable[[], None]
) -> None:
    """Bring a store to hold the geometry: makes the store where it is absent; does nothing where the geometry is there.

    Parameters
    ----------
    checkpoint : called before each commit; raises where the driver may not go on, and nothing is committed then
    """
    import zarr

    with icechunk_errors(store):
        repository = writable_repository(store, layout=layout)
        session = repository.writable_session(MAIN)
        root = zarr.open_group(session.store, mode="a")
        if ATTRIBUTE not in root.attrs:
            make_arrays(root, layout)
            write_frame(root, grid=layout.grid, attrs=layout.attrs)
            _make_geometry(root, layout)
            root.attrs[ATTRIBUTE] = ledger_of(layout, ()).to_text()
            checkpoint()
            session.commit("an empty stack")
            session = repository.writable_session(MAIN)
            root = zarr.open_group(session.store, mode="r+")
        if MARK in root.attrs:
            return
        fork = pickle.dumps(session.fork())
    strips = _strips(layout)
    futures = client.map(write_geometry_strip, strips, store=store, room=fork, read=read, pure=False)
    try:
        changes = client.gather(futures)
    finally:
        client.cancel(futures)
    with icechunk_errors(store):
        for change in changes:
            session.merge(pickle.loads(change))  # noqa: S301 -- our own worker made it
        zarr.open_group(session.store, mode="r+").attrs[MARK] = read.source.product
        checkpoint()
        session.commit("geometry")


def write_geometry_strip(window: Window, *, store: Location, room: bytes, read: GeometryReader) -> bytes:
    """On a worker: a pickled change set with the geometry of a strip of whole chunks."""
    import zarr

    fork = pickle.loads(room)  # noqa: S301 -- the driver made it
    made = read(window)
    with icechunk_errors(store):
        group = zarr.open_group(fork.store, mode="r+")
        for name, values in made.items():
            array_of(group, name)[window.slices] = values
    return pickle.dumps(fork)


def _make_geometry(group: zarr.Group, layout: PairLayout) -> None:
    from zarr.codecs import BloscCodec

    side = layout.chunk
    for name, (dtype, fill, attributes) in GEOMETRY_ATTRIBUTES.items():
        group.create_array(
            name,
            shape=layout.grid.shape,
            chunks=(side, side),
            dtype=dtype,
            fill_value=fill,
            dimension_names=("y", "x"),
            compressors=BloscCodec(cname=layout.packing[0], clevel=layout.packing[1], shuffle="shuffle"),
            attributes={**attributes, "grid_mapping": "spatial_ref"},
        )


def _strips(layout: PairLayout) -> Sequence[Window]:
    """Rows of whole chunks."""
    height, width = layout.grid.shape
    rows = max(1, STRIP_PIXELS // (layout.chunk * width)) * layout.chunk
    return [Window(row, 0, min(rows, height - row), width) for row in range(0, height, rows)]
