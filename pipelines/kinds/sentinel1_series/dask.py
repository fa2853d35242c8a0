"""`sentinel1-series` on Dask: binds the parameters to the passes of a stack and their reduction. No science here."""

from __future__ import annotations

from functools import partial

from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.sentinel1.dask.compose import make_rasters
from pipelines.kinds.sentinel1.dask.survey import survey_stack
from pipelines.kinds.sentinel1.parts import series_parts
from pipelines.kinds.sentinel1_series.spec import KIND, Sentinel1Series
from pipelines.orders import Order, Product


def survey(request: Request) -> Survey:
    """Passes of the stack that are asked for, each a part of its own."""
    parameters = request.parameters
    if not isinstance(parameters, Sentinel1Series):
        raise TypeError(type(parameters).__name__)
    return survey_stack(
        request,
        parts_of=partial(series_parts, start=parameters.start, limit=parameters.limit),
        bands=tuple(parameters.quantities),
    )


def continuation(order: Order, survey: Survey) -> Continuation:
    """A series is made anew for every key."""
    del order
    return Continuation(notes=["its stack has changed"], work=survey.work)


def make(order: Order, driver: Driver) -> list[Product]:
    """Filter every pass and write one raster for each quantity."""
    from dask_jobs.composites.measures import Measure

    parameters = Sentinel1Series.model_validate(order.parameters)
    wanted = [Measure(quantity=quantity) for quantity in parameters.quantities]
    return make_rasters(order, driver, kind=KIND, parameters=parameters, measures=wanted)
