"""A published stack of gamma speckle, as `backscatter-stack` leaves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, Step
from dask_jobs.stack.schema import StackLayout, array_of, make_arrays, resize_time, seconds, write_frame
from dask_jobs.stack.store import MAIN, publish_tag, writable_repository
from infra.grid import Grid
from infra.storage import Location

TAG, BAND = "speckle", "VV"
LOOKS, MEAN = 4, 0.08


def make_stack(store: Location, *, dates: int, height: int, width: int, chunk: int = 512) -> None:
    """Speckle of `LOOKS` looks without gaps, every 12 days, float32, zstd, a chunk per date and `chunk` x `chunk` pixels."""
    import zarr

    grid = Grid(crs="EPSG:32611", left=250_000.0, top=3_830_000.0, dx=30.0, dy=30.0, height=height, width=width)
    layout = StackLayout(grid=grid, polarizations=(BAND,), chunk=chunk)
    times = [datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=12 * step) for step in range(dates)]
    repository = writable_repository(store, layout=layout)
    session = repository.writable_session(MAIN)
    root = zarr.open_group(session.store, mode="w")
    make_arrays(root, layout)
    resize_time(root, layout, steps=dates)
    write_frame(root, grid=layout.grid, attrs=layout.attrs)
    random, band = np.random.default_rng(dates * height * width), array_of(root, BAND)
    for step in range(dates):
        band[step] = random.standard_gamma(LOOKS, (height, width), dtype=np.float32) * np.float32(MEAN / LOOKS)
    array_of(root, "time")[:] = np.array([seconds(time) for time in times])
    array_of(root, "masked_fraction")[:] = 0.0
    steps = tuple(Step(time, ()) for time in times)
    root.attrs[ATTRIBUTE] = Ledger(grid=grid, polarizations=(BAND,), chunk=chunk, steps=steps).to_text()
    session.commit("speckle")
    publish_tag(store, TAG)
