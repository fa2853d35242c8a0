"""`import pipelines` and `sarbatch --help` load nothing heavy, which is why they are quick."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = {
    "coiled", "dask", "distributed", "ee", "geemap", "geopandas", "icechunk", "numba", "pandas", "pyarrow", "rasterio", "rioxarray", "sqlalchemy", "xarray", "zarr",
}  # fmt: skip

IMPORT = "import pipelines"
HELP = """
import sys
sys.argv = ["sarbatch", "--help"]
from pipelines.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
LOADED = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"


def loaded(source: str) -> set[str]:
    """Top-level names of all modules that a new process has loaded after running `source`."""
    command = [sys.executable, "-c", source + LOADED]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


@pytest.mark.parametrize("source", [IMPORT, HELP], ids=["import pipelines", "sarbatch --help"])
def test_nothing_heavy_is_loaded(source: str) -> None:
    names = loaded(source)
    assert "pipelines" in names
    assert names & HEAVY == set()


def test_a_heavy_import_would_be_seen() -> None:
    assert loaded("import xarray") & HEAVY >= {"xarray", "pandas"}


def test_the_installed_command_helps_and_takes_this_long(capsys: pytest.CaptureFixture[str]) -> None:
    command = Path(sys.executable).with_name("sarbatch")
    took = []
    for _ in range(3):
        start = time.perf_counter()
        result = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
        took.append(time.perf_counter() - start)
        assert result.returncode == 0, result.stderr
        assert "Usage" in result.stdout
    with capsys.disabled():
        print(f"\nsarbatch --help: {min(took):.2f} s (best of {len(took)})")
