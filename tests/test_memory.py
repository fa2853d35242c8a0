"""A worker's memory is set by the block: not by dates, not by area. Takes minutes, so it runs with `make soak`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

CASES = {"thirty dates": (30, 4096, 4096), "sixty dates": (60, 4096, 4096), "twice the area": (30, 4096, 8192)}
MOST = 1536.0  # MiB


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_peak_memory_grows_neither_with_dates_nor_with_area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARBATCH_STATE_DIR", str(tmp_path))  # `measure` sets it for each case; this sets it back
    peaks = {}
    for name, (dates, height, width) in CASES.items():
        peaks[name], _ = bench().measure(tmp_path / name.replace(" ", "-"), dates=dates, height=height, width=width)
    assert max(peaks.values()) < MOST, peaks
    assert max(peaks.values()) < 1.10 * peaks["thirty dates"], peaks


def bench() -> ModuleType:
    """The benchmark of the same thing, which is a script."""
    path = Path(__file__).parent / "benchmarks/bench_memory.py"
    spec = importlib.util.spec_from_file_location("bench_memory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
