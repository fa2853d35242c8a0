"""The notebook of composites on a map: its code runs as it stands, up to the map that geemap draws."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ee_scenes import earth_engine, grid_of, read

from gee.local.simulate import Simulation

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/notebooks/composites-on-a-map.ipynb"
MAP = "middle = "  # where geemap takes over


def code() -> str:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") for cell in cells)
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_nothing_but_the_notebook_imports_geemap() -> None:
    imports = re.compile(r"^\s*(import|from) geemap", re.MULTILINE)
    assert imports.search(code())
    for package in ("pipelines", "gee", "dask_jobs", "infra"):
        for path in (ROOT / package).rglob("*.py"):
            assert not imports.search(path.read_text(encoding="utf-8")), path


def test_its_code_runs_up_to_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Simulation(width=48, height=64, overlap=8, dates=2)
    before, after = code().replace("import geemap\n", "").split(MAP)
    assert "geemap.Map" in after
    known: dict[str, Any] = {}
    with earth_engine(tmp_path, simulation=plan) as url:
        monkeypatch.setenv("SARBATCH_EARTH_ENGINE_URL", url)
        monkeypatch.setenv("SARBATCH_EARTH_ENGINE_PROJECT", "local-demo")
        grid = grid_of(plan)
        left, bottom, right, top = grid.bounds
        monkeypatch.setenv("AREA", _wkt(grid.crs, ((left, bottom), (right, bottom), (right, top), (left, top))))
        exec(compile(before, str(NOTEBOOK), "exec"), known)
        made = read(known["image"], grid)
    assert "8 scenes of 4 passes, orbits [58, 131]" in capsys.readouterr().out
    assert np.nanmin(made["ratio_db_median"]) > 0
    assert 5 < np.nanmedian(made["ratio_db_median"]) < 11  # what the simulated covers have


def _wkt(crs: str, corners: tuple[tuple[float, float], ...]) -> str:
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    ring = [to_degrees.transform(*corner) for corner in (*corners, corners[0])]
    return f"POLYGON (({', '.join(f'{x} {y}' for x, y in ring)}))"
