"""What is installed, configured and reachable, and what each missing thing is for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata, util
from typing import Any

from infra.errors import SarbatchError
from infra.settings import Settings, load_settings
from pipelines.backends.reach import reached_earth_engine

PARTS = (
    ("dask", "distributed", "makes tasks, and puts together what Earth Engine exports"),
    ("icechunk", "icechunk", "the store of stacks"),
    ("rasterio", "rasterio", "reads and writes GeoTIFFs"),
    ("pg8000", "pg8000", "a registry on PostgreSQL, for teams (extra: postgresql)"),
    ("earthengine-api", "ee", "tasks in Earth Engine (extra: earth-engine)"),
    ("geemap", "geemap", "maps in notebooks (extra: maps)"),
    ("coiled", "coiled", "Dask clusters in the cloud (extra: coiled)"),
)


def examine(*, network: bool = True) -> list[dict[str, Any]]:
    """One row for each thing: what, ok, detail, for."""
    settings = load_settings()
    rows = [_row("Python", ok=sys.version_info >= (3, 11), detail=sys.version.split()[0], purpose="3.11 or newer")]
    for name, module, purpose in PARTS:
        there = util.find_spec(module) is not None
        rows.append(_row(name, ok=there, detail=metadata.version(name) if there else "not installed", purpose=purpose))
    rows.append(_tried("state folder", lambda: _state_folder(settings), "registry, logs, record of the local cluster"))
    rows.append(_tried("registry", lambda: _registry(settings), "runs, tasks and products"))
    rows.append(_tried("cluster", lambda: _cluster(settings, network=network), "where drivers run"))
    if util.find_spec("ee") is not None:
        ask = lambda: reached_earth_engine(settings, network=network)  # noqa: E731 -- as the rows above
        rows.append(_tried("Earth Engine", ask, "tasks with backend: earth-engine"))
    rows.append(
        _row(
            "S3",
            ok=True,
            detail=settings.s3_endpoint or "AWS (no endpoint set)",
            purpose="outputs and inputs by s3://; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile",
        )
    )
    return rows


def _row(what: str, *, ok: bool, detail: str, purpose: str) -> dict[str, Any]:
    return {"what": what, "ok": ok, "detail": detail, "for": purpose}


def _tried(what: str, check: Callable[[], str], purpose: str) -> dict[str, Any]:
    try:
        return _row(what, ok=True, detail=check(), purpose=purpose)
    except SarbatchError as error:
        return _row(what, ok=False, detail=f"{error.message} {error.remedy}".strip(), purpose=purpose)


def _state_folder(settings: Settings) -> str:
    from infra.storage import Location

    Location(str(settings.state_dir)).check_writable()
    return str(settings.state_dir)


def _registry(settings: Settings) -> str:
    from pipelines.registry import open_registry

    with open_registry(settings) as registry:
        return f"{registry.kind}, {registry.name}, {len(registry.runs())} runs"


def _cluster(settings: Settings, *, network: bool) -> str:
    from infra.clusters import connect, find_local_cluster

    address = settings.scheduler or find_local_cluster(settings)
    if address is None:
        return f"a local cluster of {settings.workers} workers is started when it is needed"
    if network:
        with connect(address) as client:
            return f"{address}, {len(client.scheduler_info()['workers'])} workers"
    return address
