"""The server as an ASGI application: every request ends in an answer in Earth Engine's form, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Path

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.server.discovery import discovery_document
from gee.local.server.exchange import Answer, Call, parse, refused, to_json
from gee.local.server.methods import VERSION, find_method
from gee.local.server.routes import ROUTES
from gee.local.server.site import Settings, Site, opened

BODY_BYTES = 10 * 2**20
READ_BYTES = 100 * 2**20  # of a body that is too large: read and thrown away, so that the client gets its answer
DISCOVERY = "/$discovery/rest"
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

log = logging.getLogger(__name__)


def make_app(settings: Settings) -> Starlette:
    """The application; its threads start and end with its lifespan."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with opened(settings) as site:
            app.state.site = site
            yield

    return Starlette(routes=[Path("/{path:path}", respond, methods=VERBS)], lifespan=lifespan)


async def respond(request: Request) -> Response:
    """Answer to any request."""
    try:
        answer = await _answer(request)
    except ClientDisconnect:
        answer = Answer(content=b"", status=499)  # nobody listens any more
    except EarthEngineError as error:
        answer = refused(error)
    except Exception:
        log.exception("a request to %s failed", request.url.path)
        answer = refused(EarthEngineError("An internal error has occurred", code=500))
    return Response(answer.content, answer.status, media_type=answer.type, headers=dict(answer.headers))


async def _answer(request: Request) -> Answer:
    path, query = request.scope["path"], dict(request.query_params)
    site: Site = request.app.state.site
    if path.endswith(DISCOVERY) and request.method == "GET":
        return _discovery(request, query)
    found = find_method(request.method, path)
    if found is None:
        raise EarthEngineError(f"Method not found: {request.method} {path[:200]}", code=404)
    method, names = found
    route = ROUTES.get(method.id)
    if route is None:
        raise NotImplementedHereError(f"this local Earth Engine does not implement the method projects.{method.id}.")
    content = await _body(request)
    root = str(request.base_url).rstrip("/") + path[: path.find(f"/{VERSION}/projects/")]

    def work() -> Answer:
        call = Call(method=method.id, names=names, query=query, body=parse(content), root=root)
        result = route.answer(site, call)
        return result if isinstance(result, Answer) else to_json(result, query)

    return await _in_thread(site, work, computes=route.computes)


async def _in_thread(site: Site, work: Callable[[], Answer], *, computes: bool) -> Answer:
    pool = site.evaluators if computes else site.clerks
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def _discovery(request: Request, query: dict[str, Any]) -> Answer:
    version = query.get("version", VERSION)
    if version != VERSION:
        raise EarthEngineError(f"Unknown version of earthengine: {version[:40]}", code=404)
    root = str(request.base_url).rstrip("/") + request.scope["path"].removesuffix(DISCOVERY)
    return to_json(discovery_document(root), {"prettyPrint": query.get("prettyPrint", "true")})


async def _body(request: Request) -> bytes:
    """Body of a request.

    Raises
    ------
    EarthEngineError
        If it is too large, compressed, or not called JSON.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").lower()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= BODY_BYTES:
            parts.append(part)
        elif size > READ_BYTES:
            break
    if size > BODY_BYTES:
        raise EarthEngineError(f"Request payload size exceeds the limit: {BODY_BYTES} bytes.")
    if size and (kind not in ("application/json", "text/json") or coding != "identity"):
        raise EarthEngineError(f"Invalid content: a body must be application/json, not {kind[:80]} ({coding[:40]}).")
    return b"".join(parts)
