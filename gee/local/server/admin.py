"""`/local/…`: what the real service has not, for tests: faults to be set and seen, usage, how the server is doing."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from gee.local.errors import EarthEngineError
from gee.local.faults import KINDS, fault_of
from gee.local.server.body import read_body
from gee.local.server.exchange import Answer, parse, to_json
from gee.local.server.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request

ADMIN = "/local/"


async def administer(request: Request, site: Site) -> Answer:
    """Answer to a request of this machine.

    Raises
    ------
    EarthEngineError
        If it comes from elsewhere, or there is no such thing.
    """
    if not _from_here(request):
        raise EarthEngineError("only this machine may ask for /local/.", code=403)
    what = (request.method, request.scope["path"])
    if what == ("GET", "/local/faults"):
        return _json({"faults": site.faults.to_json(), "kinds": KINDS})
    if what == ("POST", "/local/faults"):
        given = parse(await read_body(request)).get("faults")
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise EarthEngineError('the body must be {"faults": [{"kind": …}, …]}.')
        site.faults.replace([fault_of(one) for one in given])
        return _json({"faults": site.faults.to_json()})
    if what == ("DELETE", "/local/faults"):
        site.faults.replace([])
        return _json({"faults": []})
    if what == ("GET", "/local/status"):
        return _json(_status(site))
    if what == ("GET", "/local/usage"):
        return _json({"usage": site.usage.to_json(site.queue.ledger.every() if site.queue else [])})
    raise EarthEngineError(f"Method not found: {request.method} {request.scope['path'][:200]}", code=404)


def _status(site: Site) -> dict[str, Any]:
    counts = site.queue.ledger.counts() if site.queue else {}
    return {"operations": counts, "policies": vars(site.context.policies), "threads": site.settings.threads}


def _from_here(request: Request) -> bool:
    return request.client is not None and ip_address(request.client.host).is_loopback


def _json(value: Any) -> Answer:
    return to_json(value, {})
