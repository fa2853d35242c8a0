"""`insar-stack` on Dask: binds the parameters to the reader and the store's writer. No science here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import InputError
from infra.grid import Grid
from infra.storage import Location, S3Options
from pipelines.cost import Work
from pipelines.keys import short
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.insar_stack.spec import KIND, InsarStack
from pipelines.kinds.lines.dask import held_ledger, line_generation, line_store
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    import xarray as xr

    from dask_jobs.insar_stack.steps import PairStep
    from dask_jobs.interferograms import Interferogram

MEDIA_TYPE = "application/vnd.icechunk"
PIXELS_PER_SECOND = 16e6  # of one core: read, decode, encode, write a pixel of a layer
TASK_SECONDS = 3.0  # to start a driver
PACKED = 0.85  # float32 phase and coherence, shuffled and zstd-packed, over their raw size


def survey(request: Request) -> Survey:
    """Interferograms of the source that lie in area and period, on one lattice; headers and metadata only."""
    from dask_jobs.insar_stack.grid import stack_grid
    from dask_jobs.interferograms import LAYERS
    from dask_jobs.readers import hyp3_insar
    from dask_jobs.readers.hyp3_insar_geometry import geometry_source

    parameters = request.parameters
    if not isinstance(parameters, InsarStack):
        raise TypeError(type(parameters).__name__)
    s3 = _source_s3(parameters, request.output.s3)
    given = parameters.source.path
    paths = [given] if isinstance(given, str) else list(given)
    found = hyp3_insar.find(
        [Location.parse(path, base=request.folder, s3=s3).url for path in paths],
        period=request.period,
        region=request.region,
        s3=s3,
        cache=Path(request.settings.state_dir) / "fingerprints.json",
    )
    interferograms = found.interferograms
    geometry = geometry_source(interferograms)
    grid = stack_grid(interferograms, extent=parameters.extent, region=request.region)
    if not grid.pixels:
        raise InputError("area: no pixel of the interferograms lies in it", "Give an area that they cover.")
    layers = [layer for layer in LAYERS if all(layer in one.rasters for one in interferograms)]
    dropped = [asdict(row) for row in found.dropped]
    document: dict[str, Any] = {
        "interferograms": [one.to_json() for one in interferograms],
        "geometry": geometry.to_json(),
        "layers": layers,
        "grid": grid.to_json(),
        "polarizations": [geometry.sensing.polarization],
        "start": min(one.reference for one in interferograms).isoformat(),
        "end": (max(one.secondary for one in interferograms) + timedelta(seconds=1)).isoformat(),
        "fingerprints": [_fingerprint(one) for one in interferograms],
        "dropped": dropped,
    }
    return Survey(
        grid=grid.to_json(),
        radiometry={
            "quantity": "interferometric_phase",
            "layers": layers,
            # the geometry is written once: another one makes another store
            "geometry": [geometry.id, geometry.release, geometry.geometry_fingerprint],
        },
        scenes=[_fingerprint(one) for one in interferograms],
        used=[one.product for one in interferograms],
        dropped=dropped,
        remote=any(path.startswith("s3://") for path in paths),
        document=document,
        work=_work(interferograms, grid, layers),
        summary={
            "grid": grid.to_json(),
            "layers": layers,
            "polarizations": document["polarizations"],
            "start": document["start"],
            "end": document["end"],
            "pairs": [
                {
                    "id": one.id,
                    "product": one.product,
                    "reference": one.reference.isoformat(),
                    "secondary": one.secondary.isoformat(),
                    "perpendicular_baseline": one.perpendicular_baseline,
                }
                for one in interferograms
            ],
            "sensing": asdict(interferograms[0].sensing),
        },
    )


def continuation(order: Order, survey: Survey) -> Continuation:  # noqa: ARG001 -- the order says all that is needed here
    """How many pairs the line's stores hold already, and what is left to append."""
    steps = _steps(order)
    generation, obstacles = line_generation(order, partial(_obstacles, order))
    ledger = held_ledger(line_store(order, generation))
    held = {step.fingerprint for step in ledger.steps} if ledger else set()
    left = [step for step in steps if step.fingerprint not in held]
    notes = [] if held else obstacles
    if held and left:
        names = ", ".join(step.scenes[0].id for step in left[:5])
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        notes = [*notes, f"appends {len(left)} of {len(steps)} interferograms: {names}{more}"]
    if not left:
        notes = ["the store holds every interferogram already"]
    fresh = {step.scenes[0].id for step in left}
    interferograms = [one for one in _interferograms(order) if one.id in fresh]
    return Continuation(
        notes=notes, work=_work(interferograms, Grid(**order.document["grid"]), order.document["layers"])
    )


def open_store(store: Location, *, media_type: str, key: str, group: str) -> xr.Dataset:
    """Lazy dataset, dims (pair, y, x), of a stack as its key was published."""
    from dask_jobs.insar_stack.store import open_interferograms

    del media_type, group
    return open_interferograms(store, tag=short(key))


def make(order: Order, driver: Driver) -> list[Product]:
    """Write the geometry where the store lacks it, append the pairs that it lacks, and tag it with the key."""
    from dask_jobs.insar_stack.geometry import GeometryReader, ensure_geometry
    from dask_jobs.insar_stack.layout import PairLayout
    from dask_jobs.insar_stack.steps import PairReader, in_order_of_arrival
    from dask_jobs.interferograms import Interferogram
    from dask_jobs.stack.append import append_passes
    from dask_jobs.stack.store import publish_tag

    parameters = InsarStack.model_validate(order.parameters)
    generation, _ = line_generation(order, partial(_obstacles, order))
    store = line_store(order, generation)
    ledger = held_ledger(store)
    grid = Grid(**order.document["grid"])
    geometry = Interferogram.from_json(order.document["geometry"])
    layout = PairLayout(
        grid=grid,
        polarizations=tuple(order.document["layers"]),
        chunk=ledger.chunk if ledger else parameters.chunk,  # a store keeps its own
        attrs=_attributes(order, geometry),
    )
    reading: dict[str, Any] = {
        "target": grid,
        "region": order.region,
        "s3": _source_s3(parameters, order.s3),
    }
    driver.checkpoint("start", 0.0)
    ensure_geometry(
        store,
        layout,
        GeometryReader(source=geometry, **reading),
        client=driver.client,
        checkpoint=lambda: driver.checkpoint("block", 0.0),
    )
    append_passes(
        store,
        layout,
        in_order_of_arrival(_steps(order), ledger),
        read=PairReader(**reading),
        client=driver.client,
        checkpoint=driver.checkpoint,
        block_bytes=driver.block_bytes,
    )
    driver.checkpoint("block", 1.0)
    publish_tag(store, short(order.key))
    return [
        Product(
            name="stack",
            role="store",
            path=f"../{store.url.rpartition('/')[2]}",
            media_type=MEDIA_TYPE,
            units=KIND.product("stack").units,
        )
    ]


def _steps(order: Order) -> list[PairStep]:
    from dask_jobs.insar_stack.steps import step_of

    return [step_of(one) for one in _interferograms(order)]


def _interferograms(order: Order) -> list[Interferogram]:
    from dask_jobs.interferograms import Interferogram

    return [Interferogram.from_json(one) for one in order.document["interferograms"]]


def _obstacles(order: Order, store: Location) -> list[str]:
    """Why a store cannot go on with the order's interferograms; none where it can."""
    from dask_jobs.insar_stack.steps import in_order_of_arrival
    from dask_jobs.stack.ledger import obstacles

    ledger = held_ledger(store)
    if ledger is None:
        return []
    wanted = in_order_of_arrival(_steps(order), ledger)
    return list(obstacles(ledger, wanted, grid=Grid(**order.document["grid"])))


def _source_s3(parameters: InsarStack, default: S3Options) -> S3Options:
    own = parameters.source.s3
    return own.options(default) if own else default


def _fingerprint(one: Interferogram) -> list[Any]:
    return [one.id, one.release, one.size, one.fingerprint]


def _attributes(order: Order, geometry: Interferogram) -> dict[str, Any]:
    sensing = geometry.sensing
    return {
        "title": f"{order.job}: interferograms",
        "sarbatch_line": order.line,
        "wavelength": sensing.wavelength,
        "relative_orbit": sensing.relative_orbit if sensing.relative_orbit is not None else "unknown",
        "pass_direction": sensing.pass_direction or "unknown",
    }


def _work(interferograms: Sequence[Interferogram], grid: Grid, layers: Sequence[str]) -> Work:
    pixels = len(interferograms) * grid.pixels * len(layers)
    return Work(
        pixels=pixels,
        bytes_read=sum(one.size for one in interferograms),
        bytes_written=round(4 * pixels * PACKED),
        core_seconds=pixels / PIXELS_PER_SECOND,
        fixed_seconds=TASK_SECONDS if pixels else 1.0,
    )
