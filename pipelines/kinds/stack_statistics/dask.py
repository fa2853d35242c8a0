"""`stack-statistics` on Dask: binds the parameters to the reduction of a stack. No science here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.errors import InputError, StateError
from infra.grid import Grid
from infra.region import Region, read_polygons
from infra.storage import Location
from pipelines.cost import Work
from pipelines.keys import short
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.stack_statistics.figures_cost import figures_work
from pipelines.kinds.stack_statistics.spec import KIND, StackStatistics
from pipelines.orders import Order, Product
from pipelines.products import href, published
from pipelines.report.compose import compose
from pipelines.report.page import write_report

if TYPE_CHECKING:
    from dask_jobs.figures.draw_stack import FigureChoice, Subject
    from dask_jobs.statistics.time_series import Zone

PIXELS_PER_SECOND = 40e6  # of one core: read, decode, reduce, all dates and polarizations
HARMONIC_PER_SECOND = 300e6  # dates of pixels
PAIRS_PER_SECOND = 110e6  # pairs of dates of a pixel, for their slopes
TASK_SECONDS = 4.0  # to start a driver and compile the kernels
STATISTICS_SHARE = 0.6  # of the progress, where figures follow
SYMBOLS = {"gamma0_terrain": "γ⁰", "sigma0_ellipsoid": "σ⁰", "sigma0_terrain": "σ⁰", "beta0": "β⁰"}


def survey(request: Request) -> Survey:
    """What the stack's task found, and the zones."""
    parameters = request.parameters
    if not isinstance(parameters, StackStatistics):
        raise TypeError(type(parameters).__name__)
    stack = request.inputs["stack"].summary
    _check_smoothing(parameters, stack["groups"])
    _check_cycle_and_trend(parameters, stack["groups"])
    _check_dates(parameters, stack["groups"])
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
    from dask_jobs.figures.draw_stack import draw_stack
    from dask_jobs.reduction.block_layout import BLOCK_BYTES
    from dask_jobs.reduction.reduce_stack import reduce_stack
    from dask_jobs.reduction.work import Reduction
    from dask_jobs.statistics.smoothing import Smoothing
    from dask_jobs.statistics.threshold import Threshold
    from dask_jobs.statistics.time_series import Zone

    parameters = StackStatistics.model_validate(order.parameters)
    stack = order.inputs["stack"]
    stores = [product for product in published(stack) if product.name == "stack"]
    if not stores:
        raise StateError(f"stack {short(stack.key)} is not published", "Run the job again: it is made first.")
    zones: list[Zone] = [
        Zone(name=zone["name"], region=Region(wkt=zone["wkt"], masks=True)) for zone in order.document["zones"]
    ]
    choice = _figure_choice(parameters)
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
            harmonic_period=parameters.harmonic.period if parameters.harmonic else None,
            trend=parameters.trend,
            smoothing=Smoothing(**parameters.smoothing.model_dump()) if parameters.smoothing else None,
            region=order.region,
            zones=tuple(zones),
        )
        written = reduce_stack(
            reduction,
            parts=driver.parts,
            client=driver.client,
            checkpoint=_checkpoint(driver, index, len(stores), part=(0.0, STATISTICS_SHARE if choice else 1.0)),
            block_bytes=min(BLOCK_BYTES, driver.block_bytes),
        )
        if choice is not None:
            written += draw_stack(
                reduction,
                written,
                choice=choice,
                subject=_subject(order, group=store.group),
                parts=driver.parts,
                client=driver.client,
                checkpoint=_checkpoint(driver, index, len(stores), part=(STATISTICS_SHARE, 1.0)),
            )
        products += [Product(**asdict(row), units=KIND.product(row.name).units) for row in written]
    if parameters.report:
        report = compose(order, products, kind=KIND, parts=driver.parts, created=datetime.now(UTC))
        products.append(write_report(report, parts=driver.parts))
    return products


def _checkpoint(driver: Driver, index: int, total: int, *, part: tuple[float, float]) -> Callable[[str, float], None]:
    """Progress over all groups, of each of which this is a part; what a task has made is kept as soon as it is there."""
    kept = ("block", "median", "quantile", "threshold", "look")
    names = {**dict.fromkeys(kept, "committed"), "figure": "write"}
    start, end = part

    def checkpoint(point: str, fraction: float) -> None:
        driver.checkpoint(names.get(point, point), (index + start + (end - start) * fraction) / total)

    return checkpoint


def _figure_choice(parameters: StackStatistics) -> FigureChoice | None:
    """What to draw; None for nothing."""
    from dask_jobs.figures.draw_stack import FigureChoice

    if parameters.figures == "none":
        return None
    given = parameters.figures
    return FigureChoice(
        maps=given.maps,
        dates=given.dates if isinstance(given.dates, str) else tuple(map(str, given.dates)),
        cov_histogram=given.cov_histogram,
        time_series=given.time_series,
        footprints=given.footprints,
        animation=tuple(given.animation),
        animation_means=tuple(given.animation_means),
        stretch_db=given.stretch_db,
        frames_per_second=given.frames_per_second,
    )


def _check_dates(parameters: StackStatistics, groups: Mapping[str, Any]) -> None:
    """A date that was asked for by name must be there: better said now than after the statistics."""
    if parameters.figures == "none" or isinstance(parameters.figures.dates, str):
        return
    days = {datetime.fromisoformat(time).date() for group in groups.values() for time in group["times"]}
    for wanted in parameters.figures.dates:
        if wanted not in days:
            near = sorted(sorted(days, key=lambda day: abs(day - wanted))[:3])
            raise InputError(
                f"figures.dates: {wanted} is not in the stack ({len(days)} dates); "
                f"the nearest are {', '.join(map(str, near))}",
                "Name dates that it has, or say first-and-last, all or none.",
            )


def _subject(order: Order, *, group: str) -> Subject:
    """What the figures say of the stack, and where its scenes are."""
    from dask_jobs.figures.draw_stack import Subject
    from dask_jobs.figures.footprints import outlines_of

    scenes = order.inputs["stack"].document["groups"][group]["scenes"]
    quantity = order.document["radiometry"]["quantity"]
    orbits = sorted({label for scene in scenes if (label := _orbit_label(scene))})
    named = f"orbit {orbits[0]}" if len(orbits) == 1 else f"orbits {', '.join(orbits)}" if orbits else ""
    return Subject(
        quantity=SYMBOLS.get(quantity, "backscatter"),
        about=", ".join(words for words in (quantity if quantity in SYMBOLS else "", named) if words),
        outlines=outlines_of(Grid(**scene["grid"]) for scene in scenes),
    )


def _orbit_label(scene: Mapping[str, Any]) -> str:
    """Relative orbit and pass of a scene in words ("137 ascending"); "" where neither is known."""
    number, direction = scene["relative_orbit"], scene["pass_direction"]
    return " ".join(str(part) for part in (number, direction) if part is not None)


def _check_smoothing(parameters: StackStatistics, groups: Mapping[str, Any]) -> None:
    """A window that was asked for, and is too short for every date, would make an empty column.

    The default is only taken where it fits: a stack of two dates has no smooth curve, and that is no fault.
    """
    smoothing = parameters.smoothing
    if smoothing is None or "smoothing" not in parameters.model_fields_set:
        return
    needed = smoothing.degree + 1
    for group in groups.values():
        days = _days(group)
        near = [sum(abs(other - day) < smoothing.window / 2 for other in days) for day in days]
        if max(near) < needed:
            raise InputError(
                f"smoothing: no window of {smoothing.window:g} days around a date holds the {needed} dates that a "
                f"polynomial of degree {smoothing.degree} needs; the {len(days)} dates are "
                f"{(days[-1] - days[0]) / max(len(days) - 1, 1):.3g} days apart on average",
                "Lengthen `smoothing.window`, lower `smoothing.degree`, or say `smoothing: null`.",
            )


def _check_cycle_and_trend(parameters: StackStatistics, groups: Mapping[str, Any]) -> None:
    """What no pixel can have because of the stack's dates is refused, rather than made as rasters without data."""
    import numpy as np

    from dask_jobs.statistics.cycle_sampling import LEAST_DATES, LEAST_SPREAD, sampled_spread

    wanted = ["harmonic"] * (parameters.harmonic is not None) + ["trend"] * parameters.trend
    for group in groups.values():
        days = _days(group)
        if wanted and len(days) < LEAST_DATES:
            raise InputError(
                f"{wanted[0]}: needs {LEAST_DATES} dates, and the stack has {len(days)}",
                f"Leave `{wanted[0]}` out until there are more, or widen `period`.",
            )
        if parameters.harmonic is None:
            continue
        period = parameters.harmonic.period
        if sampled_spread(np.array(days), period=period) < LEAST_SPREAD:
            raise InputError(
                f"harmonic: the {len(days)} dates do not tell a cycle of {period:g} days: all of them fall into one "
                "part of it, less than a third, or at two places",
                "Leave `harmonic` out, widen `period`, or give a `harmonic.period` that the dates cover.",
            )


def _days(group: Mapping[str, Any]) -> list[float]:
    """Dates of a stack, days since 1970-01-01, ascending."""
    return sorted(datetime.fromisoformat(time).timestamp() / 86400 for time in group["times"])


def _read_zones(parameters: StackStatistics, request: Request) -> list[dict[str, str]]:
    """Polygons with their names, in the file's order."""
    table = read_polygons(Location.parse(str(parameters.zones), base=request.folder, s3=request.output.s3).url)
    named = parameters.zone_name in table.columns
    names = [str(name) for name in table[parameters.zone_name]] if named else [str(row) for row in range(len(table))]
    unique = [name if names.count(name) == 1 else f"{name} ({row})" for row, name in enumerate(names)]
    return [{"name": name, "wkt": shape.wkt} for name, shape in zip(unique, table.geometry, strict=True)]


def _work(stack: Mapping[str, Any], parameters: StackStatistics) -> Work:
    pixels = written = pairs = 0
    bands = len(stack["polarizations"])
    pixel_bytes = 4 * (9 + len(parameters.percentiles)) + (5 if parameters.threshold else 0)  # a mask has one byte
    pixel_bytes += 8 * bool(parameters.harmonic) + 8 * parameters.trend
    for group in stack["groups"].values():
        pixels += sum(group["covered"]) * bands
        pairs += sum(group["covered"]) * bands * (len(group["covered"]) - 1) // 2
        written += max(group["covered"]) * pixel_bytes * bands
    figures = Work()
    if parameters.figures != "none":
        figures = figures_work(parameters.figures, stack["groups"], bands=bands)
    return Work(
        pixels=pixels,
        bytes_read=4 * pixels + figures.bytes_read,
        bytes_written=written + figures.bytes_written,
        core_seconds=pixels / PIXELS_PER_SECOND
        + written / 50e6
        + pixels * bool(parameters.harmonic) / HARMONIC_PER_SECOND
        + pairs * parameters.trend / PAIRS_PER_SECOND
        + figures.core_seconds,
        fixed_seconds=TASK_SECONDS,
    )
