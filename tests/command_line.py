"""The command line inside the test's own process, and small scenes that a job can name."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from geotiffs import opera_name, write_tif

from pipelines.cli import main

COMMAND = Path(sys.executable).with_name("sarbatch")
STACK = {"kind": "backscatter-stack", "source": {"format": "opera-rtc", "path": "scenes"}}
STATISTICS = {"kind": "stack-statistics", "stack": "stack"}
SENSINGS = ("20211119T015859Z", "20211201T015859Z")


@dataclass(frozen=True)
class Said:
    """Exit code and what stood on the two streams."""

    code: int
    out: str
    err: str


Sarbatch = Callable[..., Said]


@pytest.fixture
def sarbatch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Sarbatch:
    """`sarbatch …` as the installed command runs it, without the second that a new process takes."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["sarbatch", *map(str, arguments)])
        before = signal.getsignal(signal.SIGINT)
        capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        finally:
            signal.signal(signal.SIGINT, before)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty current folder, with a state folder, home and settings of its own."""
    for name in ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SARBATCH_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SARBATCH_WORKERS", "2")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def opera_scenes(
    folder: Path,
    *,
    sensings: tuple[str, ...] = SENSINGS,
    polarizations: tuple[str, ...] = ("VV", "VH"),
    row: float = 0,
    burst: str = "T137-292320-IW1",
    **more: Any,
) -> Path:
    """Scenes of 12 x 10 pixels in the form of OPERA RTC-S1; `more` goes to `write_tif`."""
    for number, sensing in enumerate(sensings):
        for polarization in polarizations:
            values = np.random.default_rng(number).gamma(4.0, 0.025, (12, 10)).astype("float32")
            name = opera_name(polarization, sensing=sensing, burst=burst)
            write_tif(folder / name, values, row=row, **more)
    return folder


def write_job(folder: Path, **changes: Any) -> Path:
    """Job file of a stack and its statistics; `changes` of top-level keys, None to leave one out."""
    job = {"name": "try", "output": "products", "tasks": {"stack": STACK, "statistics": STATISTICS}, **changes}
    path = folder / "job.yaml"
    text = yaml.safe_dump({key: value for key, value in job.items() if value is not None}, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def stack(**changes: Any) -> dict[str, Any]:
    """Task of a stack with other parameters."""
    return {**STACK, **changes}


def tasks(**stack_changes: Any) -> dict[str, Any]:
    """Tasks of the usual job, the stack with other parameters."""
    return {"stack": stack(**stack_changes), "statistics": STATISTICS}
