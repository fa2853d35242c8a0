"""`backscatter-stack` on Dask: binds the parameters to the readers and the stack writer. No science here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import StateError
from infra.grid import Grid, union
from infra.storage import Location
from pipelines.cost import Work
from pipelines.keys import short
from pipelines.kinds.backscatter_stack.spec import KIND, BackscatterStack, GeoTiff
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    import xarray as xr

    from dask_jobs.ledger import Ledger
    from dask_jobs.scenes import Found, Pass, Scene

MEDIA_TYPE = "application/vnd.icechunk"
PIXELS_PER_SECOND = 25e6  # of one core: read, decode, mosaic, encode, write
TASK_SECONDS = 6.0  # to start a cluster and a driver
PACKED = 0.87  # float32 speckle, shuffled and zstd-packed, over its raw size


def survey(request: Request) -> Survey:
    """Scenes of the source that lie in area and period, on one lattice; headers only."""
    from dask_jobs.backscatter import check_mask_layers
    from dask_jobs.passes import by_orbit, check_one_radiometry, check_orbits, group_passes, stack_grid

    parameters = _parameters(request.parameters)
    found = _found(parameters, request)
    check_one_radiometry(found.scenes)
    check_orbits(found.scenes, policy=parameters.orbits)
    check_mask_layers(found.scenes, _hidden(parameters))
    groups = by_orbit(found.scenes) if parameters.orbits == "separate" else {"": found.scenes}
    grids = {
        label: stack_grid(scenes, extent=parameters.extent, region=request.region) for label, scenes in groups.items()
    }
    passes = {label: group_passes(scenes) for label, scenes in groups.items()}
    polarizations = sorted(found.scenes[0].rasters)
    times = sorted(scene.time for scene in found.scenes)
    grid = _whole(list(grids.values()))
    dropped = [asdict(row) for row in found.dropped]
    return Survey(
        grid={label: grid.to_json() for label, grid in grids.items()},
        # Those used, not those asked for: left out, they are what the scenes have, and other scenes may have others
        radiometry={**asdict(found.scenes[0].radiometry), "polarizations": polarizations},
        scenes=[_fingerprint(scene) for scene in found.scenes],
        used=[scene.id for scene in found.scenes],
        dropped=dropped,
        document={
            "groups": {
                label: {"grid": grids[label].to_json(), "scenes": [scene.to_json() for scene in scenes]}
                for label, scenes in groups.items()
            },
            "grid": grid.to_json(),
            "polarizations": polarizations,
            "radiometry": asdict(found.scenes[0].radiometry),
            "start": times[0].isoformat(),
            "end": (times[-1] + timedelta(seconds=1)).isoformat(),
            "fingerprints": [_fingerprint(scene) for scene in found.scenes],
            "dropped": dropped,
        },
        work=_work(passes, grids, polarizations, parameters, exported=passes),
        summary={
            "groups": {
                label: {
                    "grid": grids[label].to_json(),
                    "dates": len(passes[label]),
                    "covered": [_covered(step, grids[label]) for step in passes[label]],
                }
                for label in groups
            },
            "grid": grid.to_json(),
            "polarizations": polarizations,
            "radiometry": asdict(found.scenes[0].radiometry),
            "start": times[0].isoformat(),
            "end": (times[-1] + timedelta(seconds=1)).isoformat(),
        },
    )


def continuation(order: Order, survey: Survey) -> Continuation:  # noqa: ARG001 -- the order says all that is needed here
    """How many dates the line's stores hold already, and what is left to append."""
    parameters = BackscatterStack.model_validate(order.parameters)
    generation, obstacles = _generation(order)
    store = _store(order, generation)
    passes = _passes(order)
    held = {label: len(_steps(_ledger(store, label))) for label in passes}
    left = {label: steps[held[label] :] for label, steps in passes.items()}
    # Why earlier generations cannot go on matters once: when the one after them is made
    notes = [] if any(held.values()) else obstacles
    for label, steps in left.items():
        if held[label] and steps:
            days = ", ".join(f"{step.time:%Y-%m-%d}" for step in steps[:5])
            more = f" and {len(steps) - 5} more" if len(steps) > 5 else ""
            notes = [*notes, f"appends {len(steps)} of {len(passes[label])} dates: {days}{more}"]
    if not any(left.values()):
        notes = ["the store holds every date already: only what is asked for beside it is made"]
    work = _work(left, _grids(order), order.document["polarizations"], parameters, exported=passes)
    return Continuation(notes=notes, work=work)


def open_store(store: Location, *, media_type: str, key: str, group: str) -> xr.Dataset:
    """Lazy dataset, dims (time, y, x), of a stack as its key was published, or of its plain Zarr copy."""
    if media_type == MEDIA_TYPE:
        from dask_jobs.stack_store import open_stack

        return open_stack(store, tag=short(key), group=group)
    import xarray as xr

    dataset: xr.Dataset = xr.open_zarr(store.zarr_store(), chunks={})
    return dataset


def make(order: Order, driver: Driver) -> list[Product]:
    """Append what the line's store lacks, tag it with the key, and write the exports."""
    from dask_jobs.stack import MosaicReader, append_passes
    from dask_jobs.stack_schema import StackLayout
    from dask_jobs.stack_store import publish_tag

    parameters = BackscatterStack.model_validate(order.parameters)
    generation, _ = _generation(order)
    store = _store(order, generation)
    grids, passes = _grids(order), _passes(order)
    driver.checkpoint("start", 0.0)
    for index, label in enumerate(passes):
        layout = StackLayout(
            grid=grids[label],
            polarizations=tuple(order.document["polarizations"]),
            chunk=ledger.chunk if (ledger := _ledger(store, label)) else parameters.chunk,  # a store keeps its own
            attrs=_attributes(order, passes[label]),
        )
        append_passes(
            store,
            layout,
            passes[label],
            group=label,
            read=MosaicReader(target=grids[label], hide=_hidden(parameters), s3=order.s3, region=order.region),
            client=driver.client,
            checkpoint=_checkpoint(driver, index, len(passes)),
            block_bytes=driver.block_bytes,
        )
    driver.checkpoint("block", 1.0)
    publish_tag(store, short(order.key))
    products = [
        Product(
            name="stack",
            role="store",
            path=f"../{store.url.rpartition('/')[2]}",
            media_type=MEDIA_TYPE,
            units=KIND.product("stack").units,
            orbit=label or None,
            group=label,
        )
        for label in passes
    ]
    return products + [product for label in passes for product in _exports(order, parameters, store, label, driver)]


def _checkpoint(driver: Driver, index: int, total: int) -> Callable[[str, float], None]:
    """Progress over all groups."""
    return lambda point, fraction: driver.checkpoint(point, (index + fraction) / total)


def _exports(
    order: Order, parameters: BackscatterStack, store: Location, label: str, driver: Driver
) -> Iterator[Product]:
    from dask_jobs.stack_export import export_geotiffs, export_zarr

    tag = short(order.key)
    if parameters.export.zarr:
        name = f"stack-{label}.zarr" if label else "stack.zarr"
        size = export_zarr(store, tag=tag, group=label, target=driver.parts / name, client=driver.client)
        driver.checkpoint("writing", 1.0)  # an export is made again where its driver died: nothing to go on from
        yield Product(
            name="stack_zarr",
            role="store",
            path=name,
            media_type="application/vnd.zarr",
            units="1",
            size=size,
            orbit=label or None,
        )
    if parameters.export.geotiff == "per-date":
        for written in export_geotiffs(store, tag=tag, group=label, target=driver.parts, client=driver.client):
            yield Product(**asdict(written), units=KIND.product(written.name).units)
        driver.checkpoint("writing", 1.0)


def _parameters(parameters: Any) -> BackscatterStack:
    if not isinstance(parameters, BackscatterStack):
        raise TypeError(type(parameters).__name__)
    return parameters


def _found(parameters: BackscatterStack, request: Request) -> Found:
    """What the reader of the source's format found, within area and period."""
    from dask_jobs.passes import drop_outside, filter_period

    source = parameters.source
    given = [source.path] if isinstance(source.path, str) else list(source.path)
    s3 = request.output.s3
    paths = [Location.parse(path, base=request.folder, s3=s3).url for path in given]
    cache = Path(request.settings.state_dir) / "fingerprints.json"
    if isinstance(source, GeoTiff):
        found = _geotiffs(source, paths, parameters, s3=s3, cache=cache)
    else:
        from dask_jobs.readers import opera

        found = opera.find(paths, polarizations=parameters.polarizations, s3=s3, cache=cache)
    if request.period is not None:
        found = filter_period(found, start=request.period[0], end=request.period[1])
    return drop_outside(found, request.region)


def _geotiffs(source: GeoTiff, paths: list[str], parameters: BackscatterStack, *, s3: Any, cache: Path) -> Found:
    from dask_jobs.readers import geotiff
    from dask_jobs.readers.file_names import FileNames
    from dask_jobs.scenes import Radiometry, Scale

    return geotiff.find(
        paths,
        names=FileNames(pattern=source.pattern, date_format=source.date_format),
        values=geotiff.PixelValues(
            scale=Scale(source.scale),
            calibration_db=source.calibration_db,
            nodata=source.nodata,
            radiometry=Radiometry(quantity=source.radiometry),
        ),
        polarizations=[source.polarization] if source.polarization else parameters.polarizations,
        s3=s3,
        cache=cache,
    )


def _hidden(parameters: BackscatterStack) -> frozenset[str]:
    return frozenset(name for name, hidden in parameters.mask if hidden)


def _fingerprint(scene: Scene) -> list[Any]:
    return [scene.id, scene.release, scene.size, scene.fingerprint]


def _whole(grids: Sequence[Grid]) -> Grid:
    """One grid for the outline: of all groups where they share a lattice, of the first where they do not."""
    same = all(grids[0].lattice_difference(grid) is None for grid in grids)
    return union(grids) if same else grids[0]


def _passes(order: Order) -> dict[str, tuple[Pass, ...]]:
    from dask_jobs.passes import group_passes
    from dask_jobs.scenes import Scene

    groups: Mapping[str, Any] = order.document["groups"]
    return {
        label: group_passes([Scene.from_json(scene) for scene in group["scenes"]]) for label, group in groups.items()
    }


def _grids(order: Order) -> dict[str, Grid]:
    return {label: Grid(**group["grid"]) for label, group in order.document["groups"].items()}


def _store(order: Order, generation: int) -> Location:
    return order.root / order.kind / f"{short(order.line)}-{generation}.icechunk"


def _ledger(store: Location, label: str) -> Ledger | None:
    from dask_jobs.stack_store import read_ledger

    return read_ledger(store, group=label)


def _steps(ledger: Ledger | None) -> Sequence[Any]:
    return ledger.steps if ledger else ()


def _generation(order: Order) -> tuple[int, list[str]]:
    """First generation of the line's store that these scenes can go on in, and why the ones before cannot."""
    from dask_jobs.ledger import obstacles

    notes: list[str] = []
    passes, grids = _passes(order), _grids(order)
    for generation in count(1):
        store = _store(order, generation)
        ledgers = {label: _ledger(store, label) for label in passes}
        reasons = [
            reason
            for label, ledger in ledgers.items()
            if ledger
            for reason in obstacles(ledger, passes[label], grid=grids[label])
        ]
        if not reasons:
            return generation, notes
        notes = [f"makes a new store, generation {generation + 1}, of all dates: {reason}" for reason in reasons[:5]]
    raise StateError("unreachable", "")


def _attributes(order: Order, passes: Sequence[Pass]) -> dict[str, Any]:
    first = passes[0].scenes[0]
    return {
        "title": f"{order.job}: backscatter time series",
        "sarbatch_line": order.line,
        "radiometry": order.document["radiometry"]["quantity"],
        "speckle_filtered": str(order.document["radiometry"]["speckle_filtered"]),
        "water_masked": str(order.document["radiometry"]["water_masked"]),
        "relative_orbit": first.relative_orbit if first.relative_orbit is not None else "unknown",
        "pass_direction": first.pass_direction or "unknown",
    }


def _inside(scene: Scene, grid: Grid) -> int:
    """Pixels of a scene that lie on the grid."""
    window = grid.full.intersect(grid.window_of(scene.grid))
    return window.height * window.width


def _covered(step: Pass, grid: Grid) -> int:
    """Pixels of a time step under a scene; overlaps of neighbours count once at most."""
    return min(grid.pixels, sum(_inside(scene, grid) for scene in step.scenes))


def _work(
    passes: Mapping[str, Sequence[Pass]],
    grids: Mapping[str, Grid],
    polarizations: Sequence[str],
    parameters: BackscatterStack,
    *,
    exported: Mapping[str, Sequence[Pass]],
) -> Work:
    """Pixels under a scene, once each: what no scene covers costs nothing. Copies are of all dates, new or not."""
    bands = len(polarizations)
    pixels = bands * sum(_covered(step, grids[label]) for label, steps in passes.items() for step in steps)
    read = sum(
        round(scene.size * _inside(scene, grids[label]) / scene.grid.pixels)
        for label, steps in passes.items()
        for step in steps
        for scene in step.scenes
    )
    copies = parameters.export.zarr + 2 * (parameters.export.geotiff == "per-date")
    copied = (
        bands * sum(_covered(step, grids[label]) for label, steps in exported.items() for step in steps)
        if copies
        else 0
    )
    return Work(
        pixels=pixels,
        bytes_read=read + round(4 * copied * PACKED),
        bytes_written=round(4 * (pixels + copied * copies) * PACKED),
        core_seconds=(pixels + copied * copies) / PIXELS_PER_SECOND,
        fixed_seconds=TASK_SECONDS if pixels or copied else 1.0,
    )
