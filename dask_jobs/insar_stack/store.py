"""Reading a store of interferograms: lazily for people, by block for workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_jobs.stack.ledger import ATTRIBUTE
from dask_jobs.stack.store import icechunk_errors, readonly_session

if TYPE_CHECKING:
    import xarray as xr

    from infra.storage import Location


def open_interferograms(store: Location, *, tag: str | None = None) -> xr.Dataset:
    """Stack of interferograms as a lazy dataset, pairs in the order of their dates, dask chunks as in the store.

    Parameters
    ----------
    tag : of a published key; None for the newest commit

    Returns
    -------
    unwrapped_phase : dims (pair, y, x), radians, NaN no data; coherence : 0 to 1; connected_components where there are some
    reference_time, secondary_time : dims (pair,), datetime64, UTC; perpendicular_baseline : dims (pair,), m
    height, slant_range : dims (y, x), m; incidence_angle, azimuth_angle : degrees; land : 1 on land

    Raises
    ------
    InputError
        If there is no such store or tag.
    """
    import xarray as xr

    session = readonly_session(store, tag=tag)
    with icechunk_errors(store):
        data: xr.Dataset = xr.open_zarr(session.store, consolidated=False, chunks={}, decode_coords="all")
        data = data.set_coords(["reference_time", "secondary_time", "perpendicular_baseline"])
        data = data.sortby(["reference_time", "secondary_time"])
    data.attrs.pop(ATTRIBUTE, None)
    return data
