"""A published stack for those who do not read Icechunk: a plain Zarr store, GeoTIFF files. Workers make both."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, utc
from dask_jobs.stack.schema import array_of, seconds
from dask_jobs.stack.store import icechunk_errors, read_ledger, readonly_session
from dask_jobs.written import Written
from infra.errors import InputError
from infra.storage import Location

if TYPE_CHECKING:
    from distributed import Client

    from dask_jobs.write import Layer
    from infra.grid import Window

METADATA = "zarr.json"
COPIES_PER_TASK = 256  # chunks; one task copies them
COPIES_AT_ONCE = 16  # chunks that a worker holds

Kind = Literal["power", "db"]


def export_zarr(store: Location, *, tag: str, group: str = "", target: Location, client: Client) -> int:
    """Copy a published stack to a plain Zarr v3 store; bytes written.

    Chunks are copied as they are, compressed, so the pixels are the same to the bit, and absent ones stay absent. The
    group's own metadata comes last: nothing can be opened before all is there.

    Raises
    ------
    InputError
        If there is no such store, tag or group.
    """
    _ledger(store, tag=tag, group=group)  # says so where there is no such stack
    session = readonly_session(store, tag=tag)
    with icechunk_errors(store):
        keys = _in_thread(lambda: _keys(session.store, group))
    keys.remove(METADATA)
    batches = [keys[i : i + COPIES_PER_TASK] for i in range(0, len(keys), COPIES_PER_TASK)]
    futures = client.map(_copy, batches, session=session, group=group, target=target, pure=False)
    total = sum(_gathered(client, futures))
    source = {"source": f"{store.url} {tag}", "source_snapshot": session.snapshot_id}
    arrays = sorted(key.removesuffix(f"/{METADATA}") for key in keys if key.endswith(f"/{METADATA}"))
    return int(total + _in_thread(lambda: _copy_group(session.store, group, target, arrays=arrays, extra=source)))


def export_geotiffs(
    store: Location, *, tag: str, group: str = "", target: Location, client: Client
) -> tuple[Written, ...]:
    """Write two Cloud Optimized GeoTIFFs per time step and polarization, linear power and dB; no-data NaN.

    Names are `20240113T120000_VV_power.tif` and `…_db.tif`, in the group's folder where it has a label.

    Raises
    ------
    InputError
        If there is no such store, tag or group.
    """
    ledger = _ledger(store, tag=tag, group=group)
    work = [(step, name) for step in range(len(ledger.steps)) for name in ledger.polarizations]
    futures = client.map(_write_pair, work, store=store, tag=tag, group=group, target=target, pure=False)
    return tuple(raster for pair in _gathered(client, futures) for raster in pair)


def _ledger(store: Location, *, tag: str, group: str) -> Ledger:
    ledger = read_ledger(store, tag=tag, group=group)
    if ledger is None:
        raise InputError(f"{store.url} has no stack of orbit {group!r} in {tag!r}", "Name an orbit that it has.")
    return ledger


def _write_pair(work: tuple[int, str], *, store: Location, tag: str, group: str, target: Location) -> list[Written]:
    """On a worker: both files of one time step and polarization, by way of the local disk."""
    import zarr

    from dask_jobs.write import COG_TYPE, write_cog

    step, polarization = work
    ledger = _ledger(store, tag=tag, group=group)
    session = readonly_session(store, tag=tag)
    array = array_of(zarr.open_group(session.store, path=group, mode="r"), polarization)

    def power(window: Window) -> np.ndarray:
        with icechunk_errors(store):
            return np.asarray(array[(step, *window.slices)])

    def decibel(window: Window) -> np.ndarray:
        values = power(window)
        ok = values > 0  # zero power has no logarithm: no data
        log: np.ndarray = np.log10(values, out=np.full_like(values, np.nan), where=ok)
        return log * np.float32(10)

    kinds: dict[Kind, Callable[[Window], np.ndarray]] = {"power": power, "db": decibel}
    time = utc(ledger.steps[step].time)
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind, read in kinds.items():
            path = Path(scratch) / "raster.tif"
            write_cog(path, grid=ledger.grid, layer=_layer(kind, polarization, time, source=store), read=read)
            name = _join(group, f"{time:%Y%m%dT%H%M%S}{_twin(ledger, step)}_{polarization}_{kind}.tif")
            target.upload(path, name)
            made.append(
                Written(
                    name=kind,
                    path=name,
                    media_type=COG_TYPE,
                    role="raster",
                    size=path.stat().st_size,
                    polarization=polarization,
                    date=time.isoformat(),
                )
            )
            path.unlink()
    return made


def _layer(kind: Kind, polarization: str, time: datetime, *, source: Location) -> Layer:
    from dask_jobs.write import Layer

    return Layer(
        dtype="float32",
        description=f"{polarization} backscatter, {'dB' if kind == 'db' else 'linear power'}",
        units="dB" if kind == "db" else "1",
        overview=kind,
        nodata=float("nan"),
        tags={"TIFFTAG_DATETIME": f"{time:%Y:%m:%d %H:%M:%S}", "source": source.url},
    )


def _twin(ledger: Ledger, step: int) -> str:
    """What tells steps of one second apart: products that carry no time of day share midnight."""
    before = sum(seconds(other.time) == seconds(ledger.steps[step].time) for other in ledger.steps[:step])
    return f"_{before + 1}" if before else ""


def _gathered(client: Client, futures: list[Any]) -> list[Any]:
    """Results; where one task fails, the others are not carried on."""
    try:
        return list(client.gather(futures))
    finally:
        client.cancel(futures)


async def _keys(store: Any, group: str) -> list[str]:
    """Keys of one group, relative to it; without those of other groups where it is the root."""
    prefix = f"{group}/" if group else ""
    found = [key[len(prefix) :] async for key in _listed(store, prefix)]
    members = {key.rpartition("/")[0] for key in found if key.endswith(f"/{METADATA}")}
    arrays = {m for m in members if "/" not in m and not _is_group(await _get(store, f"{prefix}{m}/{METADATA}"))}
    return [key for key in found if key == METADATA or key.partition("/")[0] in arrays]


async def _listed(store: Any, prefix: str) -> AsyncIterator[str]:
    async for key in store.list_prefix(prefix):
        yield str(key)


def _copy(keys: Sequence[str], *, session: Any, group: str, target: Location) -> int:
    """On a worker: copy keys as they are; bytes."""
    size: int = _in_thread(lambda: _copy_all(keys, session.store, group, target))
    return size


async def _copy_all(keys: Sequence[str], source: Any, group: str, target: Location) -> int:
    from asyncio import Semaphore, gather

    from zarr.core.buffer import default_buffer_prototype

    into, places = target.zarr_store(), Semaphore(COPIES_AT_ONCE)
    prototype = default_buffer_prototype()

    async def copy(key: str) -> int:
        async with places:
            data = await source.get(_join(group, key), prototype)
            if data is None:
                raise InputError(f"{_join(group, key)} vanished from the stack while it was copied", "Export it again.")
            await into.set(key, data)
            return len(data)

    sizes: list[int] = await gather(*(copy(key) for key in keys))
    return sum(sizes)


async def _copy_group(
    source: Any, group: str, target: Location, *, arrays: Sequence[str], extra: dict[str, str]
) -> int:
    from zarr.core.buffer import default_buffer_prototype

    value = json.loads(await _get(source, _join(group, METADATA)))
    attributes = {key: held for key, held in value["attributes"].items() if key != ATTRIBUTE}
    # One request opens the store, and xarray, which looks for this first, does not warn that it is missing
    members = {name: json.loads(await _get(source, _join(group, f"{name}/{METADATA}"))) for name in arrays}
    consolidated = {"kind": "inline", "must_understand": False, "metadata": members}
    whole = {**value, "attributes": {**attributes, **extra}, "consolidated_metadata": consolidated}
    data = json.dumps(whole).encode()
    await target.zarr_store().set(METADATA, default_buffer_prototype().buffer.from_bytes(data))
    return len(data)


async def _get(store: Any, key: str) -> bytes:
    from zarr.core.buffer import default_buffer_prototype

    data = await store.get(key, default_buffer_prototype())
    return bytes(data.to_bytes()) if data is not None else b"{}"


def _is_group(metadata: bytes) -> bool:
    return bool(json.loads(metadata).get("node_type") == "group")


def _join(group: str, key: str) -> str:
    return f"{group}/{key}" if group else key


def _in_thread(work: Callable[[], Any]) -> Any:
    """Result of a coroutine, in a thread of its own: a notebook's thread has a running loop already."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
