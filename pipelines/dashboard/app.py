"""The application: its pages, its static files, and what it says when something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from infra.errors import EngineError, SarbatchError
from pipelines.dashboard.guard import Guard
from pipelines.dashboard.pages import HERE
from pipelines.dashboard.products import Previews
from pipelines.dashboard.site import Site
from pipelines.dashboard.views import logs, pictures, products, run, runs

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.registry import Registry


def create_app(registry: Registry, *, settings: Settings, host: str = "127.0.0.1") -> Guard:
    """ASGI application that shows a registry.

    Parameters
    ----------
    registry : open; its owner closes it
    settings : how S3 is reached
    host : what is listened on; besides localhost the only name that is answered to
    """
    site = Site(registry=registry, settings=settings, previews=Previews(settings))
    # No page of documentation: FastAPI's loads its scripts from elsewhere
    app = FastAPI(title="sarbatch", docs_url=None, redoc_url=None, openapi_url=None)
    for view in (runs, run, logs, pictures, products):
        app.include_router(view.router(site))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    def not_there(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, StarletteHTTPException) else 500
        said = error.detail if isinstance(error, HTTPException) else "There is nothing at this address."
        return site.pages.show("wrong.html", status=status, message=said, remedy="")

    def wrong(_request: Request, error: Exception) -> Response:
        message, remedy = (error.message, error.remedy) if isinstance(error, SarbatchError) else (str(error), "")
        status = 503 if isinstance(error, EngineError) else 500
        return site.pages.show("wrong.html", status=status, message=message, remedy=remedy)

    app.add_exception_handler(StarletteHTTPException, not_there)
    app.add_exception_handler(SarbatchError, wrong)
    return Guard(inner=app, host=host)
