"""Whole runs with the registry on PostgreSQL: as on SQLite, also when the steward is killed; and a registry moved from one to the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kills
import pytest
from jobs import machine, run_job, sarbatch, sarbatch_json, wait_until
from postgresql_server import PASSWORD, Server

from infra.settings import Settings
from pipelines.registry import open_registry

pytestmark = pytest.mark.slow

OF_THE_RUN = ("run", "created", "href", "bytes")  # a GeoTIFF's tags tell the time: so its size may differ by a byte

NUMBERS = ("image/tiff", "text/csv", "application/vnd.apache.parquet", "application/x-parquet")


def told(output: Path) -> list[dict[str, Any]]:
    """What `products` says, but for what differs from run to run."""
    rows = sarbatch_json("products")["products"]
    assert all(row["href"].startswith(f"{output}/") for row in rows)
    return [{name: value for name, value in row.items() if name not in OF_THE_RUN} for row in rows]


def numbers(settings: Settings, run: str) -> kills.Values:
    """Pixels and tables of a run: what does not tell when it was made."""
    with open_registry(settings) as registry:
        rows = [row for row in registry.products(run) if row.role == "store" or row.media_type.startswith(NUMBERS)]
    return {kills._label(row.kind, row): kills._read_row(row, run, settings) for row in rows}


def test_a_run_whose_steward_is_killed_ends_as_on_sqlite(tmp_path: Path, postgresql: Server) -> None:
    scenes = kills.make_scenes(tmp_path / "simulated-scenes")
    sqlite, output = tmp_path / "sqlite/products", tmp_path / "postgresql/products"
    with machine(tmp_path / "state", **kills.SMALL) as settings:
        run = run_job(kills.kill_job(sqlite.parent, scenes), settings)
        values, products = numbers(settings, run.id), told(sqlite)
        assert len(values) >= 15
        before = sarbatch_json("status"), sarbatch_json("products")
    with (
        postgresql.database() as name,
        machine(tmp_path / "state-2", SARBATCH_REGISTRY=postgresql.url(name), **kills.SMALL) as settings,
    ):
        job = kills.kill_job(output.parent, scenes)
        assert kills.start(job, "--detach").wait(timeout=60) == 0
        run_id = str(kills.newest_run(settings, output))
        wait_until(lambda: kills.driver(output))
        kills.kill(kills.steward(settings, run_id))
        wait_until(lambda: kills.steward(settings, run_id) is None)
        assert kills.tick_until_end(settings, run_id) == "done"
        [shown] = sarbatch_json("status")["runs"]
        assert [(task["task"], task["state"], task["attempt"]) for task in shown["tasks"]] == [
            ("stack", "done", 1),
            ("statistics", "done", 1),
        ]
        assert told(output) == products
        kills.assert_equal(numbers(settings, run_id), values)
        assert not list((tmp_path / "state-2").glob("registry*"))
        files = [path for folder in (output, tmp_path / "state-2") for path in folder.rglob("*") if path.is_file()]
        assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]  # not even in a log
    with (
        postgresql.database() as name,
        machine(tmp_path / "state-3", SARBATCH_REGISTRY=postgresql.url(name)),
    ):
        assert "adopted run" in sarbatch("adopt", str(sqlite)).stdout
        assert (sarbatch_json("status"), sarbatch_json("products")) == before
