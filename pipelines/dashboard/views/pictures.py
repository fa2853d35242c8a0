"""Pictures of rasters, made when somebody looks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Response

from infra.errors import InputError, SarbatchError
from pipelines.dashboard.pages import DAYS
from pipelines.dashboard.products import KEEP, is_raster, product_id
from pipelines.dashboard.site import Site

if TYPE_CHECKING:
    from pipelines.registry.rows import ProductRow


def router(site: Site) -> APIRouter:
    """Its pictures and the fragments around them."""
    routes = APIRouter()

    def raster(run: str, product: str) -> ProductRow:
        row = site.product(run, product)
        if not is_raster(row):
            raise HTTPException(404, f"{row.name} is no raster.")
        return row

    @routes.get("/runs/{run}/products/{product}/preview.png")
    def picture(run: str, product: str) -> Response:
        try:
            made = site.previews.of(raster(run, product))
        except InputError as error:
            raise HTTPException(404, f"{error.message}. {error.remedy}") from error
        return Response(made.png, media_type="image/png", headers=KEEP)

    @routes.get("/runs/{run}/products/{product}/figure")
    def figure(run: str, product: str) -> Response:
        row = raster(run, product)
        made, trouble = None, ""
        try:
            made = site.previews.of(row)
        except SarbatchError as error:
            trouble = error.message
        return site.pages.show(
            "figure.html",
            id=product_id(row),
            row=row,
            label=" ".join(filter(None, (row.name, row.polarization, row.date, row.period, row.orbit, row.zone))),
            picture=made,
            low=_value(made.low if made else None, row),
            high=_value(made.high if made else None, row),
            trouble=trouble,
        )

    return routes


def _value(value: float | None, row: ProductRow) -> str:
    """Number at an end of the colours, a day where the raster holds days."""
    if value is None:
        return ""
    return str(date(1970, 1, 1) + timedelta(days=round(value))) if row.units == DAYS else f"{value:.3g}"
