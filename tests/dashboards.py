"""Registries to be shown on the page, and the page to show them."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.settings import Settings
from pipelines.backends.protocol import State
from pipelines.dashboard.app import create_app
from pipelines.dashboard.products import product_id
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow, ProductRow, RunRow, TaskRow

RUN = "20260102-030405-abcd"
ESTIMATE = {"pixels": 9, "wall_seconds": 75.0, "core_hours": 0.5, "bytes_read": 2e6, "bytes_written": 3e6}
EMPTY_TASK = {"kind": "stack-statistics", "key": "k" * 64, "backend": "dask", "estimate": ESTIMATE}


class Browser:
    """Asks an application for pages, in this process."""

    def __init__(self, registry: Registry, settings: Settings, *, host: str = "127.0.0.1") -> None:
        self._app: Any = create_app(registry, settings=settings, host=host)

    def get(self, path: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", path, headers=headers)

    def request(self, method: str, path: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())


def add_run(
    registry: Registry,
    *,
    run: str = RUN,
    job: str = "job",
    output: str | Path = "/out",
    tasks: dict[str, dict[str, Any]] | None = None,
) -> None:
    """A run whose tasks (name to what is different of its operation: state, error, …) are as they are given."""
    given = tasks or {"task": {}}
    rows = [
        TaskRow(run=run, name=name, position=i, reason=str(more.pop("reason", "it alone can")), **EMPTY_TASK)
        for i, (name, more) in enumerate(given.items())
    ]
    operations = [
        OperationRow(run=run, task=name, key="k", request_id=f"{name}-1", **{"believed": State.RUNNING, **more})
        for name, more in given.items()
    ]
    registry.add_run(RunRow(id=run, job=job, output=str(output)), rows, operations)


def add_product(registry: Registry, path: str | Path, *, run: str = RUN, task: str = "task", **more: Any) -> str:
    """Address of a product whose file is `path`."""
    values = {"kind": "stack-statistics", "name": "thing", "role": "figure", "media_type": "image/png", "key": "k"}
    row = ProductRow(**{**values, "href": str(path), **more})
    registry.add_products(run, task, [row])
    [kept] = [found for found in registry.products(run) if (found.href, found.name) == (row.href, row.name)]
    return f"/runs/{run}/products/{product_id(kept)}"


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Address of a `sarbatch dashboard` in a process of its own, on a free port, with the settings of the environment."""
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "dashboard", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, "it said no address"
            yield found[0].rstrip("/")
        finally:
            process.terminate()
