"""Backscatter in Zarr stores of any origin (v2 or v3): a group per scene, or variables with a time dimension."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dask_jobs.readers.file_names import FileNames
from dask_jobs.readers.files import Paths
from dask_jobs.readers.zarr_arrays import open_store
from dask_jobs.readers.zarr_groups import find_groups
from dask_jobs.readers.zarr_images import Asked, StoreValues
from dask_jobs.readers.zarr_steps import find_steps
from dask_jobs.scenes import Found
from infra.errors import InputError

if TYPE_CHECKING:
    from infra.region import Region
    from infra.storage import S3Options

__all__ = ["StoreValues", "find"]


def find(
    path: Paths,
    *,
    layout: Literal["groups", "array"],
    values: StoreValues | None = None,
    names: FileNames | None = None,
    polarizations: Sequence[str] | None = None,
    within: tuple[tuple[date, date] | None, Region | None] = (None, None),
    s3: S3Options,
    cache: Path | None = None,
) -> Found:
    """Scenes of Zarr stores.

    Parameters
    ----------
    path : folder, s3:// prefix or glob of a store (or of several), or a list of these
    layout : "groups": each group is a scene, its name tells which; "array": each step of the first dimension is one
    names : what the names of groups mean; None: HyP3's and OPERA's are known
    polarizations : that every scene must have; None for those of most
    within : period and region of the job; what is outside is not looked into. Where nothing is in the period, all is given:
        whoever filters says so
    cache : file that remembers fingerprints of unchanged local files

    Returns
    -------
    scenes in time order, placed by their coordinates; `dropped` names groups whose name or variables mean nothing, scenes
    without a polarization, and those that a better one replaces.

    Raises
    ------
    InputError
        If there is no scene, a grid or a time cannot be read, values are not of the scale that they should be, two scenes
        are the same, or the store is damaged.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    from infra.storage import Location

    given = [path] if isinstance(path, str | Path) else list(path)
    if not given:
        raise InputError("path: the list is empty", "Give the folder or s3:// prefix of a Zarr store.")
    values = values or StoreValues()
    stores = [open_store(Location.parse(str(one), s3=s3)) for one in given]
    asked = Asked(values=values, polarizations=polarizations, period=within[0], region=within[1], s3=s3, cache=cache)
    return find_steps(stores, asked) if layout == "array" else find_groups(stores, asked, names=names)
