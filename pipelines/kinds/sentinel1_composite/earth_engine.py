"""`sentinel1-composite` on Earth Engine: binds the parameters to its catalogue, graphs and exports. No science here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.sentinel1.earth_engine.graph import composite_export
from pipelines.kinds.sentinel1.earth_engine.products import make_products
from pipelines.kinds.sentinel1.earth_engine.survey import survey_collection
from pipelines.kinds.sentinel1.parts import composite_parts
from pipelines.kinds.sentinel1_composite.spec import KIND, Sentinel1Composite, measures
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    from gee.exports import Export


def survey(request: Request) -> Survey:
    """Scenes of the collection in area and period, put together as the parameters say."""
    parameters = request.parameters
    if not isinstance(parameters, Sentinel1Composite):
        raise TypeError(type(parameters).__name__)
    together = parameters.composite
    return survey_collection(
        request,
        parts_of=partial(composite_parts, time=together.time, per_orbit=together.per_orbit),
        bands=tuple(measures(parameters)),
    )


def continuation(order: Order, survey: Survey) -> Continuation:
    """Composites are made anew for every key."""
    del order
    return Continuation(notes=["its scenes have changed"], work=survey.work)


def export(order: Order, tile: str) -> Export:
    """Graph of a tile, with a band for each product."""
    parameters = Sentinel1Composite.model_validate(order.parameters)
    return composite_export(order, tile, parameters, measures=measures(parameters))


def make(order: Order, driver: Driver) -> list[Product]:
    """Put the tiles together, one raster for each product and part."""
    bands = tuple(measures(Sentinel1Composite.model_validate(order.parameters)))
    return make_products(order, driver, kind=KIND, bands=bands)
