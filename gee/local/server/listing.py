"""Answers about assets from a catalogue: one, or those below another, filtered and in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Catalogue
from gee.local.operations.destinations import check_parts
from gee.local.server.listing_filters import accepted

PUBLIC = "projects/earthengine-public"
PAGES = {"BASIC": 10_000, "FULL": 1_000}  # assets in one page at most
BASIC = ("type", "name", "id")
CREATED = ("FOLDER", "IMAGE_COLLECTION")


def describe_asset(catalogue: Catalogue | None, name: str) -> Mapping[str, Any]:
    """JSON of an asset by its resource name.

    Raises
    ------
    EarthEngineError
        If there is none, or that is no name.
    """
    return _there(catalogue, name).describe(check_parts(name, "asset name"))


def list_assets(
    catalogue: Catalogue | None, parent: str, query: Mapping[str, str], *, size: int | None = None
) -> dict[str, Any]:
    """JSON of one page of the assets directly below another.

    Parameters
    ----------
    query : `filter`, `view` and `pageToken`
    size : assets in the page; all that a page may hold where None

    Raises
    ------
    EarthEngineError
        If there is no such parent, or a parameter is wrong.
    """
    view = query.get("view") or "FULL"
    if view not in (*PAGES, "EARTH_ENGINE_ASSET_VIEW_UNSPECIFIED"):
        raise EarthEngineError(f"Invalid value at 'view': {view[:40]!r}.")
    most = PAGES.get(view, PAGES["FULL"])
    wanted = accepted(query.get("filter") or "")
    found = _there(catalogue, parent).describe_children(check_parts(parent, "asset name"))
    rest = [one for one in found if wanted(one)]
    token = query.get("pageToken") or ""
    if token:
        last = _after(token, parent)
        rest = [one for one in rest if one["name"] > last]
    count = min(size or most, most)
    page = rest[:count]
    answer: dict[str, Any] = {"assets": [_seen(one, view) for one in page]} if page else {}
    if len(rest) > count:
        answer["nextPageToken"] = str(page[-1]["name"]).encode().hex()
    return answer


def create_asset(catalogue: Catalogue | None, parent: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """JSON of a new folder or collection.

    Raises
    ------
    EarthEngineError
        If it is something else, or the catalogue refuses it.
    """
    kind, properties = body.get("type"), body.get("properties") or {}
    if kind not in CREATED:
        raise EarthEngineError(f"assets.create makes {' and '.join(CREATED)}, not {str(kind)[:40]!r}.")
    if not isinstance(properties, Mapping) or not all(
        isinstance(one, int | float | str) for one in properties.values()
    ):
        raise EarthEngineError("Invalid argument: 'properties' must be an object of texts and numbers.")
    asset = check_parts(f"{parent}/assets/{name}", "asset name")
    return _there(catalogue, asset).create(asset, kind=str(kind), properties=properties)


def delete_asset(catalogue: Catalogue | None, name: str) -> dict[str, Any]:
    """Nothing, once an asset is removed.

    Raises
    ------
    EarthEngineError
        If there is none, or it is public.
    """
    if name.startswith(f"{PUBLIC}/"):
        raise EarthEngineError(f"Caller does not have required permission to delete '{name[:200]}'.", code=403)
    _there(catalogue, name).remove(check_parts(name, "asset name"))
    return {}


def _there(catalogue: Catalogue | None, name: str) -> Catalogue:
    if catalogue is None:
        raise EarthEngineError(
            f"Asset '{name[:200]}' not found (does not exist or caller does not have access).", code=404
        )
    return catalogue


def _seen(asset: Mapping[str, Any], view: str) -> Mapping[str, Any]:
    return {key: asset[key] for key in BASIC if key in asset} if view == "BASIC" else asset


def _after(token: str, parent: str) -> str:
    try:
        name = bytes.fromhex(token).decode()
    except ValueError:
        name = ""
    if not name.startswith(parent):
        raise EarthEngineError(f"Invalid page token: {token[:40]!r}.")
    return name
