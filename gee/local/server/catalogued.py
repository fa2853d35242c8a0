"""Answers about assets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gee.local.server import listing
from gee.local.server.exchange import Call
from gee.local.server.site import Site


def look(site: Site, call: Call) -> Mapping[str, Any]:
    """One asset."""
    return listing.describe_asset(site.context.catalogue, call.names["name"])


def list_assets(site: Site, call: Call) -> Mapping[str, Any]:
    """Assets directly below another."""
    size = call.page_size(most=10_000, default=0)
    return listing.list_assets(site.context.catalogue, call.names["parent"], call.query, size=size or None)


def list_images(site: Site, call: Call) -> Mapping[str, Any]:
    """Images directly below another; the older form, with parameters of its own."""
    given = [call.query.get("filter") or ""]
    for name, sign in (("startTime", ">="), ("endTime", "<")):
        given += [f'{name} {sign} "{call.query[name]}"'] if call.query.get(name) else []
    if call.query.get("region"):
        region = call.query["region"].replace('"', "'")
        given.append(f'intersects("{region}")')
    query = dict(call.query) | {"filter": " AND ".join(["type = IMAGE", *filter(None, given)])}
    size = call.page_size(most=10_000, default=0)
    found = listing.list_assets(site.context.catalogue, call.names["parent"], query, size=size or None)
    return {"images" if key == "assets" else key: value for key, value in found.items()}


def create(site: Site, call: Call) -> Mapping[str, Any]:
    """A new folder or collection."""
    name = call.query.get("assetId", "")
    return listing.create_asset(site.context.catalogue, call.names["parent"], name, call.body)


def delete(site: Site, call: Call) -> Mapping[str, Any]:
    """Nothing, once an asset is removed."""
    return listing.delete_asset(site.context.catalogue, call.names["name"])
