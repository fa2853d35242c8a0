"""`sentinel1-composite` on Dask: binds the parameters to the passes of a stack and their reduction. No science here."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.sentinel1.dask.compose import make_rasters
from pipelines.kinds.sentinel1.dask.survey import survey_stack
from pipelines.kinds.sentinel1.parts import composite_parts
from pipelines.kinds.sentinel1_composite.spec import KIND, Sentinel1Composite, measures
from pipelines.orders import Order, Product


def survey(request: Request) -> Survey:
    """Passes of the stack that are asked for, put together as the parameters say."""
    parameters = request.parameters
    if not isinstance(parameters, Sentinel1Composite):
        raise TypeError(type(parameters).__name__)
    together = parameters.composite
    return survey_stack(
        request,
        parts_of=partial(composite_parts, time=together.time, per_orbit=together.per_orbit),
        bands=tuple(measures(parameters)),
    )


def continuation(order: Order, survey: Survey) -> Continuation:
    """Composites are made anew for every key."""
    del order
    return Continuation(notes=["its stack has changed"], work=survey.work)


def make(order: Order, driver: Driver) -> list[Product]:
    """Reduce the passes of every part to one raster for each product."""
    from dask_jobs.composites.measures import Measure

    parameters = Sentinel1Composite.model_validate(order.parameters)
    wanted = [Measure(**asdict(measure)) for measure in measures(parameters).values()]
    return make_rasters(order, driver, kind=KIND, parameters=parameters, measures=wanted)
