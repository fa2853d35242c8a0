"""A local Earth Engine for the demo: scenes that it makes up, and a server that lives as long as the demo does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import EngineError

if TYPE_CHECKING:
    from infra.grid import Grid

PIXEL = 10.0  # metres, of GRD scenes
PATIENCE = 60.0  # seconds until a server that was told to stop is made to
SERVE = "from gee.local.cli import app; app()"


def make_scenes(folder: Path, *, place: Grid, dates: int) -> None:
    """Simulated GRD scenes of two orbits at a place of a UTM zone, unless they are there."""
    from gee.local.catalogue.simulated import add_simulation
    from gee.local.folders import assets_of
    from gee.local.simulate import Simulation

    done = folder / "simulated"
    if done.exists():
        return
    left, _, right, top = place.bounds
    side = round((right - left) / PIXEL)
    plan = Simulation(
        west=left,
        north=top,
        crs=place.crs,
        width=side,
        height=side // 2,
        overlap=side // 16,
        dates=dates,
        start=datetime(2024, 1, 3, tzinfo=UTC),
    )
    add_simulation(assets_of(folder), plan, overwrite=True)
    done.write_text("the scenes in this folder are simulated\n", encoding="utf-8")


@contextmanager
def local_earth_engine(folder: Path) -> Iterator[str]:
    """URL of a server of a folder, a process of its own on any free port; stopped at the end.

    Raises
    ------
    EngineError
        If it does not start; what it said is in the message.
    """
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as errors:
        server = subprocess.Popen(  # noqa: S603 -- our own module, no shell
            [sys.executable, "-c", SERVE, "serve", str(folder), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        said = server.stdout.readline() if server.stdout else ""
        url = next((word for word in said.split() if word.startswith("http://")), None)
        if url is None:
            said += log.read_text(encoding="utf-8")
            raise EngineError(f"the local Earth Engine did not start: {said.strip()}", f"See {log}.")
        yield url
    finally:
        server.terminate()
        try:
            server.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
