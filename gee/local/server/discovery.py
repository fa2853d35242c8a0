"""The discovery document: what the client builds its methods from, with every parameter that it passes."""

from __future__ import annotations

from typing import Any

from gee.local.server.methods import METHODS, PATTERNS, VERSION, Method

EVERYWHERE = {
    "$.xgafv": "string",
    "access_token": "string",
    "alt": "string",
    "callback": "string",
    "fields": "string",
    "key": "string",
    "oauth_token": "string",
    "prettyPrint": "boolean",
    "quotaUser": "string",
    "uploadType": "string",
    "upload_protocol": "string",
}
ANYTHING: dict[str, Any] = {"id": "Anything", "type": "object", "properties": {}}
# the client goes on to the next page only where the answer's schema names the token
PAGE: dict[str, Any] = {"id": "Page", "type": "object", "properties": {"nextPageToken": {"type": "string"}}}


def discovery_document(root: str) -> dict[str, Any]:
    """The document for a server at a URL (without slash at its end)."""
    document: dict[str, Any] = {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"earthengine:{VERSION}",
        "name": "earthengine",
        "version": VERSION,
        "revision": "0",
        "title": "Local Earth Engine",
        "description": "Protocol-compatible with Google Earth Engine's REST API, and not it.",
        "protocol": "rest",
        "rootUrl": f"{root}/",
        "baseUrl": f"{root}/",
        "servicePath": "",
        "basePath": "",
        "batchPath": "batch",
        "fullyEncodeReservedExpansion": True,
        "parameters": {name: {"type": kind, "location": "query"} for name, kind in EVERYWHERE.items()},
        "schemas": {"Anything": ANYTHING, "Page": PAGE},
        "resources": {"projects": {}},
    }
    for method in METHODS:
        place = document["resources"]["projects"]
        *resources, name = method.id.split(".")
        for resource in resources:
            place = place.setdefault("resources", {}).setdefault(resource, {})
        place.setdefault("methods", {})[name] = _description(method)
    return document


def _description(method: Method) -> dict[str, Any]:
    in_path = list(method.route.groupindex)
    parameters: dict[str, Any] = {
        name: {"type": "string", "location": "path", "required": True}
        | ({"pattern": f"^{PATTERNS[method.resource]}$"} if name == method.name else {})
        for name in in_path
    }
    parameters |= {name: {"type": kind, "location": "query"} for name, kind in method.query.items()}
    described: dict[str, Any] = {
        "id": f"earthengine.projects.{method.id}",
        "path": f"{VERSION}/{method.path}",
        "flatPath": f"{VERSION}/{method.path}",
        "httpMethod": method.verb,
        "parameters": parameters,
        "parameterOrder": in_path,
        "response": {"$ref": "Page" if method.paged else "Anything"},
    }
    if method.verb in ("POST", "PATCH"):
        described["request"] = {"$ref": "Anything"}
    return described
