"""Products: the file itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse

from infra.errors import InputError
from pipelines.dashboard.guard import SANDBOX
from pipelines.dashboard.products import (
    KEEP,
    SHOWN_AS_THEY_ARE,
    SHOWN_IN_A_SANDBOX,
    content,
    is_file,
    plain_type,
)
from pipelines.dashboard.site import Site

if TYPE_CHECKING:
    from pipelines.registry.rows import ProductRow


def router(site: Site) -> APIRouter:
    """Its files."""
    routes = APIRouter()

    @routes.get("/runs/{run}/products/{product}")
    def file(run: str, product: str) -> Response:
        row = site.product(run, product)
        if not is_file(row):
            raise HTTPException(404, f"{row.name} is a store, not a file: open_product opens it.")
        try:
            return _sent(row, content(row, site.settings))
        except FileNotFoundError:
            raise HTTPException(404, f"{row.href} is not there: it was removed since it was made.") from None
        except InputError as error:
            raise HTTPException(413, f"{error.message}. {error.remedy}") from error

    return routes


def _sent(row: ProductRow, body: bytes | Path) -> Response:
    """A response that a browser shows only where that is safe, and else offers to save."""
    kind, name = plain_type(row), row.href.rpartition("/")[2]
    shown = kind in SHOWN_AS_THEY_ARE | SHOWN_IN_A_SANDBOX
    headers = {**KEEP, "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=utf-8''{quote(name)}"}
    if kind in SHOWN_IN_A_SANDBOX:
        headers["content-security-policy"] = SANDBOX
    media_type = kind if shown else "application/octet-stream"
    if isinstance(body, Path):
        return FileResponse(body, media_type=media_type, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
