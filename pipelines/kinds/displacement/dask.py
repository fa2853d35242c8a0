"""`displacement` on Dask: binds the parameters to the stages and files. No science here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from infra.errors import InputError, StateError
from infra.grid import Grid
from infra.storage import Location
from pipelines.cost import Work
from pipelines.keys import short
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.displacement.parts import Network, Point, ReferencePoint
from pipelines.kinds.displacement.spec import KIND, Displacement
from pipelines.orders import Order, Product
from pipelines.products import href, published
from pipelines.report.compose import compose
from pipelines.report.page import write_report

if TYPE_CHECKING:
    import xarray as xr

    from dask_jobs.displacement.recipe import Recipe
    from dask_jobs.sbas.network import NetworkCriteria
    from dask_jobs.sbas.pairs import Pairs

PAIRS_PER_SECOND = 12e6  # of one core: pixels of a pair that are read, decoded and inverted
DATES_PER_SECOND = 5e6  # pixels of a date that are corrected, fitted and written
TASK_SECONDS = 6.0  # to start a driver and read compiled kernels
FIGURE_SECONDS = 20.0  # of one core: mostly the film


def survey(request: Request) -> Survey:
    """What the stack's task found, the pairs that are used as far as dates tell, and places in pixels."""
    parameters = request.parameters
    if not isinstance(parameters, Displacement):
        raise TypeError(type(parameters).__name__)
    stack = request.inputs["stack"].summary
    grid = Grid(**stack["grid"])
    network = _checked_network(parameters, stack)
    _check_dates(parameters, network.dates)
    if parameters.mask.observation == "components" and "connected_components" not in stack["layers"]:
        raise InputError(
            "mask.observation: components needs connected components, and not every product has them",
            "Say coherence or none, or order products that have a *_conncomp.tif.",
        )
    reference = _reference(parameters, grid)
    points = [{"name": point.name, **_place(point, grid)} for point in parameters.points]
    return Survey(
        grid=None,
        radiometry=None,
        document={
            "grid": stack["grid"],
            "polarizations": stack["polarizations"],
            "start": stack["start"],
            "end": stack["end"],
            "sensing": stack["sensing"],
            "reference": reference,
            "points": points,
        },
        work=_work(stack, parameters),
        summary={"grid": stack["grid"], "dates": [day.isoformat() for day in network.dates]},
    )


def continuation(order: Order, survey: Survey) -> Continuation:
    """Displacement is made anew for every key; blocks that an earlier attempt finished are kept."""
    del order
    return Continuation(notes=["its stack has changed"], work=survey.work)


def open_store(store: Location, *, media_type: str, key: str, group: str) -> xr.Dataset:
    """Lazy dataset of the series, dims (time, y, x)."""
    import xarray as xr

    del media_type, key, group
    dataset: xr.Dataset = xr.open_zarr(store.zarr_store(), consolidated=False, chunks={}, decode_coords="all")
    return dataset


def make(order: Order, driver: Driver) -> list[Product]:
    """Series and velocity of the stack, and every file that is asked for."""
    from dask_jobs.displacement.displace import displace
    from dask_jobs.displacement.files import Wanted, write_files
    from dask_jobs.displacement.work import BLOCK_BYTES

    parameters = Displacement.model_validate(order.parameters)
    stack = order.inputs["stack"]
    stores = [product for product in published(stack) if product.name == "stack"]
    if not stores:
        raise StateError(f"stack {short(stack.key)} is not published", "Run the job again: it is made first.")
    driver.checkpoint("start", 0.0)
    checkpoint = _checkpoint(driver)
    made = displace(
        recipe(order, parameters, store=Location(href(stack.home, stores[0]), order.s3), tag=short(stack.key)),
        parts=driver.parts,
        client=driver.client,
        checkpoint=checkpoint,
        block_bytes=min(BLOCK_BYTES, driver.block_bytes),
    )
    wanted = Wanted(
        title=order.job,
        first=stack.document["interferograms"][0],
        points=tuple((point["name"], point["row"], point["column"]) for point in order.document["points"]),
        mintpy=parameters.mintpy,
        kmz=parameters.kmz,
        figures=parameters.figures,
        options=_mintpy_options(parameters),
    )
    written = write_files(made, wanted, parts=driver.parts, client=driver.client, checkpoint=checkpoint)
    products = [Product(**asdict(row), units=KIND.product(row.name).units) for row in written]
    if parameters.report:
        report = compose(order, products, kind=KIND, parts=driver.parts, created=dt.datetime.now(dt.UTC))
        products.append(write_report(report, parts=driver.parts))
    return products


def recipe(order: Order, parameters: Displacement, *, store: Location, tag: str) -> Recipe:
    """What the engine is to make of the stack in `store`."""
    from dask_jobs.displacement.recipe import DemErrorSetup, HeightSetup, Recipe
    from dask_jobs.interferograms import Sensing
    from dask_jobs.sbas.inversion import Inversion
    from dask_jobs.sbas.time_functions import TimeFunction
    from dask_jobs.sbas.weights import effective_looks

    sensing = Sensing(**order.document["sensing"])
    pairs = _pairs(order.inputs["stack"].document["interferograms"])
    height, dem, time = parameters.height_correlation, parameters.dem_error, parameters.time_function
    return Recipe(
        store=store,
        tag=tag,
        sensing=sensing,
        network=criteria(parameters.network, pairs),
        reference=tuple(order.document["reference"]) if order.document["reference"] else None,
        min_coherence=parameters.min_coherence,
        seed=parameters.seed,
        inversion=Inversion(
            looks=effective_looks(range_looks=sensing.range_looks, azimuth_looks=sensing.azimuth_looks),
            weight=parameters.weight,
            norm=parameters.norm,
            min_redundancy=parameters.min_redundancy,
            count_first_date=not parameters.mintpy_rules,
            wavelength=sensing.wavelength,
        ),
        observation=parameters.mask.observation,
        observation_coherence=parameters.mask.coherence,
        temporal_coherence=parameters.mask.temporal_coherence,
        height=HeightSetup(**height.model_dump()) if parameters.troposphere == "height-correlation" else None,
        ramp={"none": None, "linear": 1, "quadratic": 2}[parameters.deramp],
        dem_error=None
        if isinstance(dem, bool)
        else DemErrorSetup(
            poly_order=dem.poly_order,
            steps=tuple(dem.steps),
            periods=tuple(dem.periods),
            phase_velocity=dem.phase_velocity,
        ),
        reference_date=parameters.reference_date,
        exclude_dates=None if parameters.exclude_dates == "auto" else tuple(parameters.exclude_dates),
        time_function=TimeFunction(polynomial=time.polynomial, periods=tuple(time.periods), steps=tuple(time.steps)),
        error=time.error,
        mintpy_rules=parameters.mintpy_rules,
    )


def criteria(network: Network, pairs: Pairs) -> NetworkCriteria:
    """Criteria of the job in the engine's terms: what names pairs by number or by those that stay names those that go."""
    from dask_jobs.sbas.network import NetworkCriteria

    named = list(zip(pairs.reference, pairs.secondary, strict=True))
    beyond = [number for number in network.exclude_numbers if not -len(named) <= number < len(named)]
    if beyond:
        raise InputError(
            f"network.exclude_numbers: there is no pair {beyond[0]}; they are 0 to {len(named) - 1}", "Mend the number."
        )
    out = {*network.exclude_pairs, *(named[number] for number in network.exclude_numbers)}
    unknown = sorted({*network.exclude_pairs, *(network.only_pairs or ())} - set(named))
    if unknown:
        raise InputError(
            f"network: there is no interferogram of {unknown[0][0]} and {unknown[0][1]}",
            "Name pairs that the stack has: `sarbatch plan --json` lists them.",
        )
    if network.only_pairs is not None:
        out |= set(named) - set(network.only_pairs)
    return NetworkCriteria(
        max_temporal_baseline=network.max_temporal_baseline,
        max_perpendicular_baseline=network.max_perpendicular_baseline,
        connections=network.connections,
        exclude_pairs=tuple(sorted(out)),
        exclude_dates=tuple(network.exclude_dates),
        start_date=network.start_date,
        end_date=network.end_date,
        min_coherence=network.min_coherence,
        min_area_ratio=network.min_area_ratio,
        keep_minimum_spanning_tree=network.keep_minimum_spanning_tree,
    )


def _pairs(interferograms: Sequence[Mapping[str, Any]]) -> Pairs:
    from dask_jobs.sbas.pairs import Pairs

    days = [
        (dt.datetime.fromisoformat(one["reference"]).date(), dt.datetime.fromisoformat(one["secondary"]).date())
        for one in interferograms
    ]
    return Pairs(
        reference=tuple(day for day, _ in days),
        secondary=tuple(day for _, day in days),
        perpendicular_baseline=tuple(float(one["perpendicular_baseline"]) for one in interferograms),
    )


def _checked_network(parameters: Displacement, stack: Mapping[str, Any]) -> Pairs:
    """Pairs that are left by what dates and baselines say; coherence, where it is asked for, can only take some more."""
    from dask_jobs.displacement.settling import network_of

    network, pairs = parameters.network, _pairs(stack["pairs"])
    known = criteria(network.model_copy(update={"min_coherence": None, "min_area_ratio": None}), pairs)
    return network_of(pairs, known).pairs


def _check_dates(parameters: Displacement, days: Sequence[dt.date]) -> None:
    """Dates that are named must be there, and be enough: better said now than after the inversion."""
    named = {"reference_date": [parameters.reference_date], "exclude_dates": parameters.exclude_dates}
    for key, wanted in named.items():
        for day in wanted if not isinstance(wanted, str) else ():
            if isinstance(day, dt.date) and day not in days:
                near = ", ".join(map(str, sorted(sorted(days, key=lambda one: abs(one - day))[:3])))
                raise InputError(
                    f"{key}: {day} is no date of the interferograms that are used ({len(days)} dates); "
                    f"the nearest are {near}",
                    "Name dates that they have.",
                )
    left = len(days) - (0 if parameters.exclude_dates == "auto" else len(parameters.exclude_dates))
    time, dem = parameters.time_function, parameters.dem_error
    needs = {"time_function": time.polynomial + 1 + 2 * len(time.periods) + len(time.steps)}
    if not isinstance(dem, bool):
        needs["dem_error"] = dem.poly_order + 2 + 2 * len(dem.periods) + len(dem.steps)
    for key, least in needs.items():
        if left < least:
            raise InputError(
                f"{key}: needs {least} dates, and {left} are left of {len(days)}",
                "Fit fewer terms (`dem_error: false` for none), or take more interferograms.",
            )


def _reference(parameters: Displacement, grid: Grid) -> list[int] | None:
    given = parameters.reference
    if isinstance(given, str):
        return None
    if isinstance(given, ReferencePoint):
        row, col = _pixel(given.lat, given.lon, grid)
        where = f"latitude {given.lat:g}, longitude {given.lon:g}"
    else:
        row, col = given.row, given.column
        where = f"row {row}, column {col}"
    _check_inside(row, col, grid, what="reference", where=where)
    return [row, col]


def _place(point: Point, grid: Grid) -> dict[str, int]:
    if point.lat is not None and point.lon is not None:
        row, col = _pixel(point.lat, point.lon, grid)
        where = f"latitude {point.lat:g}, longitude {point.lon:g}"
    else:
        row, col = point.row or 0, point.column or 0
        where = f"row {row}, column {col}"
    _check_inside(row, col, grid, what=f"points: {point.name}", where=where)
    return {"row": row, "column": col}


def _pixel(lat: float, lon: float, grid: Grid) -> tuple[int, int]:
    """Row and column of the pixel that a place lies in; may be outside of the grid."""
    import math

    from pyproj import Transformer

    x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(lon, lat)
    if not (math.isfinite(x) and math.isfinite(y)):
        return -1, -1
    return math.floor((grid.top - y) / grid.dy), math.floor((x - grid.left) / grid.dx)


def _check_inside(row: int, col: int, grid: Grid, *, what: str, where: str) -> None:
    if not (0 <= row < grid.height and 0 <= col < grid.width):
        from infra.region import geographic_bounds

        west, south, east, north = geographic_bounds(grid)
        raise InputError(
            f"{what}: {where} is outside of the stack ({grid.height} rows, {grid.width} columns; "
            f"{west:.4f}, {south:.4f} to {east:.4f}, {north:.4f})",
            "Give a place inside.",
        )


def _checkpoint(driver: Driver) -> Callable[[str, float], None]:
    """Progress over all stages; what a task has made is kept as soon as it is there."""
    kept = ("coherence", "coherent", "invert", "ramp", "correct", "fit")
    names = {**dict.fromkeys(kept, "committed"), "file": "write", "drawing": "write"}
    return lambda point, fraction: driver.checkpoint(names.get(point, point), fraction)


def _mintpy_options(parameters: Displacement) -> dict[str, str]:
    """What MintPy's files say of how they were made, in MintPy's words, without their common beginning."""
    dem, time = parameters.dem_error, parameters.time_function
    method = {"none": "no", "height-correlation": "height_correlation"}[parameters.troposphere]
    options = {
        "networkInversion.weightFunc": parameters.weight,
        "networkInversion.minNormVelocity": str(parameters.norm == "velocity"),
        "networkInversion.minRedundancy": str(parameters.min_redundancy),
        "networkInversion.maskDataset": {"none": "False", "coherence": "coherence", "components": "connectComponent"}[
            parameters.mask.observation
        ],
        "networkInversion.maskThreshold": str(parameters.mask.coherence),
        "networkInversion.obsDatasetName": "unwrapPhase",
        "networkInversion.minTempCoh": str(parameters.mask.temporal_coherence),
        "networkInversion.shadowMask": "True",
        "troposphericDelay.method": method,
        "timeFunc.polynomial": str(time.polynomial),
        "timeFunc.periodic": str(time.periods),
        "timeFunc.stepDate": str([f"{step:%Y%m%d}" for step in time.steps]),
        "timeFunc.exp": "[]",
        "timeFunc.log": "[]",
        "timeFunc.uncertaintyQuantification": time.error,
        "timeFunc.startDate": "None",
        "timeFunc.endDate": "None",
        "timeFunc.timeSeriesCovFile": "None",
        "timeFunc.bootstrapCount": "400",
    }
    if parameters.troposphere == "height-correlation":
        options["troposphericDelay.polyOrder"] = str(parameters.height_correlation.order)
    if not isinstance(dem, bool):
        options |= {
            "topographicResidual.polyOrder": str(dem.poly_order),
            "topographicResidual.phaseVelocity": str(dem.phase_velocity),
            "topographicResidual.stepDate": str([f"{step:%Y%m%d}" for step in dem.steps]),
        }
    if parameters.deramp != "none":
        options["deramp"] = parameters.deramp
    return options


def _work(stack: Mapping[str, Any], parameters: Displacement) -> Work:
    grid = Grid(**stack["grid"])
    pairs = len(stack["pairs"])
    dates = len({pair[name] for pair in stack["pairs"] for name in ("reference", "secondary")})
    looks = 2 if parameters.reference == "auto" or parameters.network.asks_coherence else 1
    observed = grid.pixels * pairs
    series = grid.pixels * dates
    files = 2 + 2 * parameters.mintpy  # series in rasters and a store, and in HDF5
    copied = 8 * observed * parameters.mintpy
    return Work(
        pixels=observed + series,
        bytes_read=8 * observed * looks,
        bytes_written=4 * series * files + copied + 4 * 16 * grid.pixels,
        core_seconds=observed * looks / PAIRS_PER_SECOND
        + series * (1 + files) / DATES_PER_SECOND
        + FIGURE_SECONDS * parameters.figures,
        fixed_seconds=TASK_SECONDS,
    )
