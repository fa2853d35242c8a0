"""The server as an ASGI application: every request ends in an answer in Earth Engine's form, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.faults import OUT_OF_MEMORY
from gee.local.server.admin import ADMIN, administer
from gee.local.server.body import read_body
from gee.local.server.discovery import discovery_document
from gee.local.server.disturbance import Disturbance, Dropped
from gee.local.server.exchange import Answer, Call, parse, refused, to_json
from gee.local.server.methods import VERSION, find_method
from gee.local.server.routes import ROUTES, Route
from gee.local.server.site import Site

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

DISCOVERY = "/$discovery/rest"
ASK_AGAIN_SECONDS = 0.05  # between looks at what a client waits for

T = TypeVar("T")

log = logging.getLogger(__name__)


def make_app(site: Site) -> Starlette:
    """The application of a running server's parts."""

    async def any_request(scope: Scope, receive: Receive, send: Send) -> None:
        response = await respond(Request(scope, receive))
        await response(scope, receive, send)

    app = Starlette(routes=[Mount("", app=any_request)])
    app.state.site = site
    return app


async def respond(request: Request) -> Response:
    """Answer to any request."""
    site: Site = request.app.state.site
    disturbance = Disturbance(site.faults)
    try:
        answer = await _answer(request, site, disturbance)
    except Dropped:
        return disturbance.no_response()
    except ClientDisconnect:
        answer = Answer(content=b"", status=499)  # nobody listens any more
    except EarthEngineError as error:
        answer = refused(error)
    except MemoryError:
        answer = refused(EarthEngineError(OUT_OF_MEMORY))
    except Exception as error:
        log.exception("a request to %s failed", request.url.path)
        answer = refused(_internal(error))
    headers = dict(answer.headers) | disturbance.headers
    return Response(answer.content, answer.status, media_type=answer.type, headers=headers)


def _internal(error: Exception) -> EarthEngineError:
    """A fault of this program; not called 500, which the client would send again and again without a word."""
    inside = "".join(f"{name}: " for name in getattr(error, "__notes__", ())[-1:])
    what = f"an internal error of this local Earth Engine has occurred ({type(error).__name__}); its log says where."
    return EarthEngineError(f"{inside}{what}")


async def _answer(request: Request, site: Site, disturbance: Disturbance) -> Answer:
    path, query = request.scope["path"], dict(request.query_params)
    if path.startswith(ADMIN):
        return await administer(request, site)
    if path.endswith(DISCOVERY) and request.method == "GET":
        await disturbance.before("discovery")
        return _discovery(request, query)
    found = find_method(request.method, path)
    if found is None:
        raise EarthEngineError(f"Method not found: {request.method} {path[:200]}", code=404)
    method, names = found
    content = await read_body(request)
    await disturbance.before(method.id)
    route = ROUTES.get(method.id)
    if route is None:
        raise NotImplementedHereError(f"this local Earth Engine does not implement the method projects.{method.id}.")

    def parsed() -> Call:
        root = str(request.base_url).rstrip("/") + path[: path.find(f"/{VERSION}/projects/")]
        return Call(method=method.id, names=names, query=query, body=parse(content), root=root)

    answer = await _work(site, route, await _in_thread(site, parsed, computes=False))
    disturbance.after(method.id)
    return answer


async def _work(site: Site, route: Route, call: Call) -> Answer:
    """What a route answers, asked until it does."""

    def once() -> Answer | None:
        with site.limited():
            if route.computes:
                with site.usage.online(call.project, route.tag(site, call)):
                    result = route.answer(site, call)
            else:
                result = route.answer(site, call)
        return result if result is None or isinstance(result, Answer) else to_json(result, call.query)

    while (answer := await _in_thread(site, once, computes=route.computes)) is None:
        await asyncio.sleep(ASK_AGAIN_SECONDS)
    return answer


async def _in_thread(site: Site, work: Callable[[], T], *, computes: bool) -> T:
    pool = site.evaluators if computes else site.clerks
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def _discovery(request: Request, query: dict[str, Any]) -> Answer:
    version = query.get("version", VERSION)
    if version != VERSION:
        raise EarthEngineError(f"Unknown version of earthengine: {version[:40]}", code=404)
    root = str(request.base_url).rstrip("/") + request.scope["path"].removesuffix(DISCOVERY)
    return to_json(discovery_document(root), {"prettyPrint": query.get("prettyPrint", "true")})
