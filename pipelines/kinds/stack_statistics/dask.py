"""`stack-statistics` on Dask: binds the parameters to the reduction of a stack. No science here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.errors import InputError, StateError
from infra.region import Region, read_polygons
from infra.storage import Location
from pipelines.cost import Work
from pipelines.keys import short
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.stack_statistics.spec import KIND, StackStatistics
from pipelines.orders import Order, Product
from pipelines.products import href, published

if TYPE_CHECKING:
    from dask_jobs.time_series import Zone

PIXELS_PER_SECOND = 40e6  # of one core: read, decode, reduce, all dates and polarizations
TASK_SECONDS = 4.0  # to start a driver and compile the kernels


def survey(request: Request) -> Survey:
    """What the stack's task found, and the zones."""
    parameters = request.parameters
    if not isinstance(parameters, StackStatistics):
        raise TypeError(type(parameters).__name__)
    stack = request.inputs["stack"].summary
    _check_smoothing(parameters, stack["groups"])
    zones = _read_zones(parameters, request) if parameters.zones else []
    digest = hashlib.sha256(repr([(zone["name"], zone["wkt"]) for zone in zones]).encode()).hexdigest()
    return Survey(
        grid=None,
        radiometry=stack["radiometry"],
        extra=digest if zones else None,
        document={
            "grid": stack["grid"],
            "groups": list(stack["groups"]),
            "polarizations": stack["polarizations"],
            "radiometry": stack["radiometry"],
            "start": stack["start"],
            "end": stack["end"],
            "zones": zones,
        },
        work=_work(stack, parameters),
        summary=stack,
    )


def continuation(order: Order, survey: Survey) -> Continuation:
    """Statistics are made anew for every key; blocks that an earlier attempt finished are kept."""
    del order
    return Continuation(notes=["its stack has changed"], work=survey.work)


def make(order: Order, driver: Driver) -> list[Product]:
    """Reduce every group of the stack to rasters and a table."""
    from dask_jobs.block_layout import BLOCK_BYTES
    from dask_jobs.reduce_stack import reduce_stack
    from dask_jobs.reduction import Reduction
    from dask_jobs.smoothing import Smoothing
    from dask_jobs.threshold import Threshold
    from dask_jobs.time_series import Zone

    parameters = StackStatistics.model_validate(order.parameters)
    stack = order.inputs["stack"]
    stores = [product for product in published(stack) if product.name == "stack"]
    if not stores:
        raise StateError(f"stack {short(stack.key)} is not published", "Run the job again: it is made first.")
    zones: list[Zone] = [
        Zone(name=zone["name"], region=Region(wkt=zone["wkt"], masks=True)) for zone in order.document["zones"]
    ]
    products: list[Product] = []
    driver.checkpoint("start", 0.0)
    for index, store in enumerate(stores):
        reduction = Reduction(
            store=Location(href(stack.home, store), order.s3),
            tag=short(stack.key),
            group=store.group,
            polarizations=tuple(order.document["polarizations"]),
            percentiles=tuple(parameters.percentiles),
            min_count=parameters.min_count,
            looks=parameters.looks,
            threshold=Threshold(**parameters.threshold.model_dump()) if parameters.threshold else None,
            smoothing=Smoothing(**parameters.smoothing.model_dump()) if parameters.smoothing else None,
            region=order.region,
            zones=tuple(zones),
        )
        written = reduce_stack(
            reduction,
            parts=driver.parts,
            client=driver.client,
            checkpoint=_checkpoint(driver, index, len(stores)),
            block_bytes=min(BLOCK_BYTES, driver.block_bytes),
        )
        products += [Product(**asdict(row), units=KIND.product(row.name).units) for row in written]
    return products


def _checkpoint(driver: Driver, index: int, total: int) -> Callable[[str, float], None]:
    """Progress over all groups; a block of the reduction is kept as soon as it is there."""
    names = dict.fromkeys(("block", "median", "quantile", "threshold"), "committed")
    return lambda point, fraction: driver.checkpoint(names.get(point, point), (index + fraction) / total)


def _check_smoothing(parameters: StackStatistics, groups: Mapping[str, Any]) -> None:
    """A window that was asked for, and is too short for every date, would make an empty column.

    The default is only taken where it fits: a stack of two dates has no smooth curve, and that is no fault.
    """
    smoothing = parameters.smoothing
    if smoothing is None or "smoothing" not in parameters.model_fields_set:
        return
    needed = smoothing.degree + 1
    for group in groups.values():
        days = sorted(datetime.fromisoformat(time).timestamp() / 86400 for time in group["times"])
        near = [sum(abs(other - day) < smoothing.window / 2 for other in days) for day in days]
        if max(near) < needed:
            raise InputError(
                f"smoothing: no window of {smoothing.window:g} days around a date holds the {needed} dates that a "
                f"polynomial of degree {smoothing.degree} needs; the {len(days)} dates are "
                f"{(days[-1] - days[0]) / max(len(days) - 1, 1):.3g} days apart on average",
                "Lengthen `smoothing.window`, lower `smoothing.degree`, or say `smoothing: null`.",
            )


def _read_zones(parameters: StackStatistics, request: Request) -> list[dict[str, str]]:
    """Polygons with their names, in the file's order."""
    table = read_polygons(Location.parse(str(parameters.zones), base=request.folder, s3=request.output.s3).url)
    named = parameters.zone_name in table.columns
    names = [str(name) for name in table[parameters.zone_name]] if named else [str(row) for row in range(len(table))]
    unique = [name if names.count(name) == 1 else f"{name} ({row})" for row, name in enumerate(names)]
    return [{"name": name, "wkt": shape.wkt} for name, shape in zip(unique, table.geometry, strict=True)]


def _work(stack: Mapping[str, Any], parameters: StackStatistics) -> Work:
    pixels = written = 0
    bands = len(stack["polarizations"])
    pixel_bytes = 4 * (9 + len(parameters.percentiles)) + (5 if parameters.threshold else 0)  # a mask has one byte
    for group in stack["groups"].values():
        pixels += sum(group["covered"]) * bands
        written += max(group["covered"]) * pixel_bytes * bands
    return Work(
        pixels=pixels,
        bytes_read=4 * pixels,
        bytes_written=written,
        core_seconds=pixels / PIXELS_PER_SECOND + written / 50e6,
        fixed_seconds=TASK_SECONDS,
    )
