"""Asset ids and resource names, and the one folder that each stands for."""

from __future__ import annotations

import re
from pathlib import Path

from gee.local.errors import EarthEngineError

PUBLIC = "projects/earthengine-public/assets/"
LEGACY = "projects/earthengine-legacy/assets/"
ITEM = "asset.json"  # of an asset, in its folder
# no separator but the slash, and nothing that begins with a dot: such a name cannot leave its folder or hide in it
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
ID_LENGTH = 1000


def asset_id(name: str) -> str:
    """Id of an id or resource name: public assets without `projects/earthengine-public/assets/`.

    Raises
    ------
    EarthEngineError
        If it is not an asset's name.
    """
    short = name.removeprefix("/").removesuffix("/")
    for prefix in (PUBLIC, LEGACY):
        short = short.removeprefix(prefix)
    parts = short.split("/")
    if len(short) > ID_LENGTH or not all(PART.fullmatch(part) and part.lower() != ITEM for part in parts):
        raise EarthEngineError(f"Invalid asset ID: '{name[:200]}'.")
    return short


def asset_name(id_: str) -> str:
    """Resource name of an id: `projects/…/assets/…`."""
    if id_.startswith("projects/"):
        return id_
    return (LEGACY if id_.startswith("users/") else PUBLIC) + id_


def is_root(id_: str) -> bool:
    """Whether an id is a project's (or the public) top, which is always there."""
    return re.fullmatch(r"projects(/[^/]+(/assets)?)?", id_) is not None


def top(parent: str) -> str:
    """Id below which the assets of a project lie, where that is what a name means; "" for public ones."""
    project = re.fullmatch(r"(projects/[^/]+)(/assets)?/?", parent)
    if project is None:
        return parent
    name = f"{project[1]}/assets/"
    return "" if name in (PUBLIC, LEGACY) else name.removesuffix("/")


def asset_folder(root: Path, name: str) -> Path:
    """Folder of an asset below the catalogue's, also where links lie between.

    Raises
    ------
    EarthEngineError
        If it is not an asset's name, or lies elsewhere.
    """
    folder = root.joinpath(*asset_id(name).split("/")) if name else root
    if not folder.resolve().is_relative_to(root.resolve()):
        raise EarthEngineError(f"Invalid asset ID: '{name[:200]}'.")
    return folder
