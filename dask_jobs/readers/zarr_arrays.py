"""Arrays of a Zarr store (v2 or v3): found by listing, opened one by one, identified by the objects that hold them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import math
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask_jobs.readers.files import list_entries
from infra.errors import InputError, SarbatchError

if TYPE_CHECKING:
    import zarr

    from infra.grid import Grid
    from infra.storage import Entry, Location, S3Options

    ZarrArray = zarr.Array[Any]

Key = tuple[str, "int | None"]  # path of an array in its store, and time step where it has several
THREADS = 16  # metadata waits for storage, not for a processor
METADATA = ("zarr.json", ".zarray", ".zgroup")  # names of the objects that describe arrays and groups
ENCODING = ("dtype", "data_type", "fill_value", "compressor", "filters", "order", "codecs", "chunks", "chunk_grid")
VALUES = ("scale_factor", "add_offset", "_FillValue", "missing_value", "units")  # attributes that say what values mean
AGAIN = "Copy the store again, or take it out of `path`."


@dataclass(frozen=True, kw_only=True)
class Store:
    """A Zarr store, or a folder of stores.

    Attributes
    ----------
    place : where it is
    entries : every object, by its name relative to `place`
    arrays : by path relative to `place`
    groups : attributes of each group, by path; "" is the store's root
    """

    place: Location
    entries: Mapping[str, Entry]
    arrays: Mapping[str, ZarrArray]
    groups: Mapping[str, Mapping[str, Any]]

    def members(self, group: str) -> dict[str, ZarrArray]:
        """Arrays that lie in a group itself, by name."""
        return {name: self.arrays[path] for path, (parent, name) in self._split.items() if parent == group}

    @property
    def _split(self) -> dict[str, tuple[str, str]]:
        return {path: split(path) for path in self.arrays}


def split(path: str) -> tuple[str, str]:
    """Group that an array lies in, and its name there."""
    group, _, name = path.rpartition("/")
    return group, name


def open_store(given: Location) -> Store:
    """Arrays and groups below a folder, s3:// prefix or glob. Consolidated metadata are not used: they may be older than the store.

    Raises
    ------
    InputError
        If there is nothing, it is a file, or metadata cannot be read.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    if not given.is_s3 and Path(given.url).is_file():
        raise InputError(
            f"path: {given.url} is a file; a Zarr store is a folder", "Unpack it, or name another `format`."
        )
    place, listed = list_entries(given)
    entries = {entry.name: entry for entry in listed}
    if not entries:
        raise InputError(
            f"path: {given.url} is not there, or empty",
            "Mend `path` in the job: the folder or s3:// prefix of the store.",
        )
    nodes = {path: name for path, name in map(split, entries) if name in METADATA}
    arrays: dict[str, ZarrArray] = {}
    groups: dict[str, Mapping[str, Any]] = {}
    with ThreadPoolExecutor(THREADS, thread_name_prefix="metadata") as pool:
        opened = pool.map(lambda path: _open_node(place, path, kind=nodes[path]), nodes)
    import zarr

    for path, node in zip(nodes, opened, strict=True):
        if isinstance(node, zarr.Array):
            arrays[path] = node
        else:
            groups[path] = node.attrs.asdict()
    return Store(place=place, entries=entries, arrays=arrays, groups=groups)


def _open_node(place: Location, path: str, *, kind: str) -> Any:
    import zarr

    if kind == ".zarray":
        return open_array(place, path)
    with reading(place, path):
        if kind == ".zgroup":
            return zarr.open_group(place.zarr_store(), path=path, mode="r", zarr_format=2, use_consolidated=False)
        return zarr.open(place.zarr_store(), path=path, mode="r", zarr_format=3)


def open_array(place: Location, path: str) -> ZarrArray:
    """An array of a store; raises as `open_store` does."""
    import zarr

    with reading(place, path):
        return zarr.open_array(place.zarr_store(), path=path, mode="r")


@contextmanager
def reading(place: Location, path: str) -> Iterator[None]:
    """What Zarr and its codecs raise becomes ours."""
    import obstore

    from infra.s3 import s3_error

    try:
        yield
    except SarbatchError:
        raise
    except obstore.exceptions.BaseError as error:
        if place.is_s3:
            raise s3_error(place.href(path), str(error), s3=place.s3, writing=False) from error
        raise InputError(f"{place.href(path)} cannot be read: {error}", AGAIN) from error
    except Exception as error:  # codecs raise what they like: RuntimeError, ValueError, KeyError, zlib.error …
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{place.href(path)} cannot be read: {said}", AGAIN) from error


def dims_of(array: ZarrArray) -> tuple[str, ...]:
    """Names of an array's dimensions; empty where the store does not say."""
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    return tuple(str(name) for name in named) if isinstance(named, (list, tuple)) else ()


def no_data_of(array: ZarrArray) -> float | None:
    """Stored value that means no data: `_FillValue`, else `missing_value`, else Zarr's fill value; None for none or NaN."""
    for name in ("_FillValue", "missing_value"):
        if name in array.attrs:
            return _number(array.attrs[name])
    return _number(array.metadata.fill_value)


def _number(value: Any) -> float | None:
    if isinstance(value, str):  # xarray keeps floats in v3 attributes as base64 of a little-endian double
        try:
            value = struct.unpack("<d", base64.b64decode(value, validate=True))[0]
        except (binascii.Error, struct.error):
            return None
    number = float(value) if value is not None else math.nan
    return number if math.isfinite(number) else None


def stored_objects(store: Store, path: str, *, step: int | None) -> dict[str, Entry]:
    """Objects that hold an array, or one time step of it, by their place among them ("0.3"); those never written are not there."""
    array = store.arrays[path]
    extents = _object_shape(array)
    counts = [range(-(-size // extent)) for size, extent in zip(array.shape, extents, strict=True)]
    if step is not None:
        counts[0] = range(step // extents[0], step // extents[0] + 1)
    found: dict[str, Entry] = {}
    for index in itertools.product(*counts):
        name = f"{path}/{array.metadata.encode_chunk_key(index)}".lstrip("/")
        if name in store.entries:
            found[".".join(map(str, index[1:] if step is not None else index))] = store.entries[name]
    return found


def _object_shape(array: ZarrArray) -> tuple[int, ...]:
    """Pixels that one object holds: a shard where there are shards, else a chunk."""
    return tuple(array.shards or array.chunks)


def identities(
    store: Store, wanted: Mapping[Key, Grid], *, s3: S3Options, cache: Path | None
) -> dict[Key, tuple[int, str]]:
    """Bytes and hash of each `(array, step)`: over its grid, how values are encoded, and the objects that hold them.

    Objects count by content on disk and by ETag on S3, never by path or time. A chunk that spans steps counts for each.
    """
    from infra.fingerprints import fingerprint_many

    parts = {(path, step): stored_objects(store, path, step=step) for path, step in wanted}
    names = sorted({entry.name for part in parts.values() for entry in part.values()})
    if store.place.is_s3:
        known = {name: (store.entries[name].size, f"etag:{store.entries[name].etag}") for name in names}
    else:
        urls = [store.place.href(name) for name in names]
        known = dict(zip(names, fingerprint_many(urls, s3=s3, cache=cache), strict=True))
    found = {}
    for key, part in parts.items():
        array, step = store.arrays[key[0]], key[1]
        objects = [[index, *known[entry.name]] for index, entry in sorted(part.items())]
        within = 0 if step is None else step % _object_shape(array)[0]
        described = [wanted[key].to_json(), _meaning(array), within, objects]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()
        found[key] = (sum(known[entry.name][0] for entry in part.values()), digest)
    return found


def _meaning(array: ZarrArray) -> dict[str, Any]:
    """How stored bytes become values; the array's length is no part of it, for time steps are appended."""
    described = array.metadata.to_dict()
    attributes = array.attrs.asdict()
    return {
        **{name: described[name] for name in ENCODING if name in described},
        **{name: attributes[name] for name in VALUES if name in attributes},
    }
