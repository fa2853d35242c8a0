"""Every method of Earth Engine's REST v1 that the client knows, one row each: the discovery document and the routes are made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

VERSION = "v1"
PATTERNS = {
    "project": r"projects/[^/]+",
    "asset": r"projects/[^/]+/assets/.+",
    "operation": r"projects/[^/]+/operations/[^/]+",
    "map": r"projects/[^/]+/maps/[^/]+",
    "thumbnail": r"projects/[^/]+/thumbnails/[^/]+",
    "video thumbnail": r"projects/[^/]+/videoThumbnails/[^/]+",
    "filmstrip thumbnail": r"projects/[^/]+/filmstripThumbnails/[^/]+",
    "table": r"projects/[^/]+/tables/[^/]+",
    "config": r"projects/[^/]+/config",
}


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    id : as the client calls it, without the leading "projects."
    verb : of HTTP
    path : template without version; `{+name}` is the resource's name, which may hold slashes
    resource : which of PATTERNS the name has
    query : names and types of query parameters
    """

    id: str
    verb: str
    path: str
    resource: str
    query: Mapping[str, str]

    @property
    def name(self) -> str:
        """Parameter that names the resource."""
        found = re.search(r"\{\+(\w+)\}", self.path)
        return found[1] if found else ""

    @property
    def paged(self) -> bool:
        """Whether answers come in pages."""
        return "pageToken" in self.query

    @cached_property
    def route(self) -> re.Pattern[str]:
        """What the path of a request looks like."""
        parts = re.split(r"(\{\+?\w+\})", f"/{VERSION}/{self.path}")
        return re.compile("".join(self._part(part) for part in parts) + "$")

    def _part(self, part: str) -> str:
        if part.startswith("{+"):
            return f"(?P<{part[2:-1]}>{PATTERNS[self.resource]})"
        return f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)


_PAGES = {"pageSize": "integer", "pageToken": "string"}
_TAG = {"workloadTag": "string"}
_ASSETS = {**_PAGES, "filter": "string", "view": "string"}


def _method(name: str, request: str, resource: str, **query: str) -> Method:
    verb, path = request.split(" ")
    return Method(name, verb, path, resource, query)


METHODS = (
    _method("algorithms.list", "GET {+parent}/algorithms", "project"),
    _method("value.compute", "POST {+project}/value:compute", "project"),
    _method("image.computePixels", "POST {+project}/image:computePixels", "project"),
    _method("image.export", "POST {+project}/image:export", "project"),
    _method("image.import", "POST {+project}/image:import", "project"),
    _method("image.importExternal", "POST {+project}/image:importExternal", "project"),
    _method("imageCollection.computeImages", "POST {+project}/imageCollection:computeImages", "project"),
    _method("table.computeFeatures", "POST {+project}/table:computeFeatures", "project"),
    _method("table.export", "POST {+project}/table:export", "project"),
    _method("table.import", "POST {+project}/table:import", "project"),
    _method("video.export", "POST {+project}/video:export", "project"),
    _method("videoMap.export", "POST {+project}/videoMap:export", "project"),
    _method("map.export", "POST {+project}/map:export", "project"),
    _method("classifier.export", "POST {+project}/classifier:export", "project"),
    _method("operations.list", "GET {+name}/operations", "project", filter="string", **_PAGES),
    _method("operations.get", "GET {+name}", "operation"),
    _method("operations.cancel", "POST {+name}:cancel", "operation"),
    _method("operations.wait", "POST {+name}:wait", "operation"),
    _method("operations.delete", "DELETE {+name}", "operation"),
    _method("maps.create", "POST {+parent}/maps", "project", **_TAG),
    _method("maps.tiles.get", "GET {+parent}/tiles/{zoom}/{x}/{y}", "map"),
    _method("thumbnails.create", "POST {+parent}/thumbnails", "project", **_TAG),
    _method("thumbnails.getPixels", "GET {+name}:getPixels", "thumbnail"),
    _method("videoThumbnails.create", "POST {+parent}/videoThumbnails", "project", **_TAG),
    _method("videoThumbnails.getPixels", "GET {+name}:getPixels", "video thumbnail"),
    _method("filmstripThumbnails.create", "POST {+parent}/filmstripThumbnails", "project", **_TAG),
    _method("filmstripThumbnails.getPixels", "GET {+name}:getPixels", "filmstrip thumbnail"),
    _method("tables.create", "POST {+parent}/tables", "project", **_TAG),
    _method("tables.getFeatures", "GET {+name}:getFeatures", "table"),
    _method("featureView.create", "POST {+parent}/featureView", "project"),
    _method("listAssets", "GET {+parent}:listAssets", "project", **_ASSETS),
    _method("getConfig", "GET {+name}", "config"),
    _method("updateConfig", "PATCH {+name}", "config", updateMask="string"),
    _method("assets.search", "GET {+project}/assets:search", "project", query="string", **_PAGES),
    _method("assets.create", "POST {+parent}/assets", "project", assetId="string"),
    _method("assets.listAssets", "GET {+parent}:listAssets", "asset", **_ASSETS),
    _method(
        "assets.listImages",
        "GET {+parent}:listImages",
        "asset",
        startTime="string",
        endTime="string",
        region="string",
        **_ASSETS,
    ),
    _method("assets.listFeatures", "GET {+asset}:listFeatures", "asset", region="string", filter="string", **_PAGES),
    _method("assets.getPixels", "POST {+name}:getPixels", "asset"),
    _method("assets.copy", "POST {+sourceName}:copy", "asset"),
    _method("assets.move", "POST {+sourceName}:move", "asset"),
    _method("assets.link", "POST {+sourceName}:link", "asset"),
    _method("assets.getIamPolicy", "POST {+resource}:getIamPolicy", "asset"),
    _method("assets.setIamPolicy", "POST {+resource}:setIamPolicy", "asset"),
    _method("assets.testIamPermissions", "POST {+resource}:testIamPermissions", "asset"),
    _method("assets.get", "GET {+name}", "asset"),
    _method("assets.patch", "PATCH {+name}", "asset"),
    _method("assets.delete", "DELETE {+name}", "asset"),
)


def find_method(verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
    """Method that a request means, with the parameters in its path; the path may have a prefix before `/v1/`."""
    start = path.find(f"/{VERSION}/projects/")
    if start < 0:
        return None
    for method in METHODS:
        match = method.route.match(path, start) if method.verb == verb else None
        if match:
            return method, match.groupdict()
    return None
