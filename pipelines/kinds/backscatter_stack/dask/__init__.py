"""`backscatter-stack` on Dask: binds the parameters to the readers and the stack writer. No science here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.grid import Grid, union
from infra.storage import Location
from pipelines.keys import short
from pipelines.kinds.backscatter_stack.dask.grids import stack_grids
from pipelines.kinds.backscatter_stack.dask.lines import ordered_grids, ordered_passes, stack_obstacles
from pipelines.kinds.backscatter_stack.dask.sources import found_scenes, source_paths, source_s3
from pipelines.kinds.backscatter_stack.dask.work import covered_pixels, stacking_work
from pipelines.kinds.backscatter_stack.spec import KIND, BackscatterStack
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.lines.dask import held_ledger, line_generation, line_store
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    import xarray as xr

    from dask_jobs.scenes import Pass, Scene

MEDIA_TYPE = "application/vnd.icechunk"


def survey(request: Request) -> Survey:
    """Scenes of the source that lie in area and period, on one lattice; headers only."""
    from dask_jobs.backscatter import check_mask_layers
    from dask_jobs.passes import by_orbit, check_one_radiometry, check_orbits, group_passes

    parameters = _parameters(request.parameters)
    found = found_scenes(parameters, request)
    check_one_radiometry(found.scenes)
    check_orbits(found.scenes, policy=parameters.orbits)
    check_mask_layers(found.scenes, _hidden(parameters))
    groups = by_orbit(found.scenes) if parameters.orbits == "separate" else {"": found.scenes}
    passes = {label: group_passes(scenes) for label, scenes in groups.items()}
    grids = stack_grids(parameters, passes, request)
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
        remote=any(path.startswith("s3://") for path in source_paths(parameters)),
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
        work=stacking_work(passes, grids, polarizations, parameters, exported=passes),
        summary={
            "groups": {
                label: {
                    "grid": grids[label].to_json(),
                    "dates": len(passes[label]),
                    "times": [step.time.isoformat() for step in passes[label]],
                    "covered": [covered_pixels(step, grids[label]) for step in passes[label]],
                    "passes": [_described(step) for step in passes[label]],
                }
                for label in groups
            },
            "format": parameters.source.format,
            "masks": sorted(_hidden(parameters)),
            "resampled": parameters.grid is not None,
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
    generation, obstacles = line_generation(order, partial(stack_obstacles, order))
    store = line_store(order, generation)
    passes = ordered_passes(order)
    ledgers = {label: held_ledger(store, label) for label in passes}
    held = {label: len(ledger.steps) if ledger else 0 for label, ledger in ledgers.items()}
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
    work = stacking_work(left, ordered_grids(order), order.document["polarizations"], parameters, exported=passes)
    return Continuation(notes=notes, work=work)


def open_store(store: Location, *, media_type: str, key: str, group: str) -> xr.Dataset:
    """Lazy dataset, dims (time, y, x), of a stack as its key was published, or of its plain Zarr copy."""
    if media_type == MEDIA_TYPE:
        from dask_jobs.stack.store import open_stack

        return open_stack(store, tag=short(key), group=group)
    import xarray as xr

    dataset: xr.Dataset = xr.open_zarr(store.zarr_store(), chunks={})
    return dataset


def make(order: Order, driver: Driver) -> list[Product]:
    """Append what the line's store lacks, tag it with the key, and write the exports."""
    from dask_jobs.stack.append import MosaicReader, append_passes
    from dask_jobs.stack.schema import StackLayout
    from dask_jobs.stack.store import publish_tag

    parameters = BackscatterStack.model_validate(order.parameters)
    generation, _ = line_generation(order, partial(stack_obstacles, order))
    store = line_store(order, generation)
    grids, passes = ordered_grids(order), ordered_passes(order)
    driver.checkpoint("start", 0.0)
    for index, label in enumerate(passes):
        layout = StackLayout(
            grid=grids[label],
            polarizations=tuple(order.document["polarizations"]),
            chunk=ledger.chunk if (ledger := held_ledger(store, label)) else parameters.chunk,  # a store keeps its own
            resampled=parameters.grid is not None,
            attrs=_attributes(order, passes[label]),
        )
        append_passes(
            store,
            layout,
            passes[label],
            group=label,
            read=MosaicReader(
                target=grids[label],
                hide=_hidden(parameters),
                s3=source_s3(parameters, order.s3),
                region=order.region,
                resampling=parameters.grid.resampling if parameters.grid else None,
            ),
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
    from dask_jobs.stack.export import export_geotiffs, export_zarr

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


def _hidden(parameters: BackscatterStack) -> frozenset[str]:
    return frozenset(name for name, hidden in parameters.mask if hidden)


def _fingerprint(scene: Scene) -> list[Any]:
    return [scene.id, scene.release, scene.size, scene.fingerprint]


def _described(step: Pass) -> dict[str, Any]:
    """Which pass a time step is, and the scenes it is made of in their order, for tasks that choose among steps."""
    known = {
        name: next((value for scene in step.scenes if (value := getattr(scene, name)) is not None), None)
        for name in ("platform", "relative_orbit", "pass_direction")
    }
    return {**known, "scenes": [[scene.id, scene.release] for scene in step.scenes]}


def _whole(grids: Sequence[Grid]) -> Grid:
    """One grid for the outline: of all groups where they share a lattice, of the first where they do not."""
    same = all(grids[0].lattice_difference(grid) is None for grid in grids)
    return union(grids) if same else grids[0]


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
