"""`sentinel1-series` on Earth Engine: binds the parameters to its catalogue, graphs and exports. No science here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.kinds.sentinel1.earth_engine.graph import series_export
from pipelines.kinds.sentinel1.earth_engine.products import make_products
from pipelines.kinds.sentinel1.earth_engine.survey import survey_collection
from pipelines.kinds.sentinel1.parts import series_parts
from pipelines.kinds.sentinel1_series.spec import KIND, Sentinel1Series
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    from gee.exports import Export


def survey(request: Request) -> Survey:
    """Passes of the collection in area and period, each a part of its own."""
    parameters = request.parameters
    if not isinstance(parameters, Sentinel1Series):
        raise TypeError(type(parameters).__name__)
    return survey_collection(
        request,
        parts_of=partial(series_parts, start=parameters.start, limit=parameters.limit),
        bands=tuple(parameters.quantities),
    )


def continuation(order: Order, survey: Survey) -> Continuation:
    """A series is made anew for every key."""
    del order
    return Continuation(notes=["its scenes have changed"], work=survey.work)


def export(order: Order, tile: str) -> Export:
    """Graph of a tile of a pass, with a band for each quantity."""
    return series_export(order, tile, Sentinel1Series.model_validate(order.parameters))


def make(order: Order, driver: Driver) -> list[Product]:
    """Put the tiles together, one raster for each quantity and pass."""
    bands = tuple(Sentinel1Series.model_validate(order.parameters).quantities)
    return make_products(order, driver, kind=KIND, bands=bands)
