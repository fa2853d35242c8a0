"""Whole jobs for tests: a machine of its own (state folder, registry, cluster), job files, and the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.clusters import stop_local_cluster
from infra.settings import Settings, load_settings
from pipelines import Plan, Run, load_job, make_plan, run_plan

SCENES = Path(__file__).parents[1] / "../shared/data"  # real scenes; tests skip where they are absent
FAST = {"WORKERS": "2", "POLL_INTERVAL": "0.2", "LEASE_TTL": "4", "IDLE_TIMEOUT": "120"}


@contextmanager
def machine(state: Path, **environment: str) -> Iterator[Settings]:
    """Settings of a machine of its own, in the environment while the block runs; its processes end with the block.

    `environment` are further variables, as they stand there ("SARBATCH_S3_ENDPOINT").
    """
    variables = {**{f"SARBATCH_{name}": value for name, value in FAST.items()}, **environment}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SARBATCH_")]:
            patch.delenv(name)
        patch.setenv("SARBATCH_STATE_DIR", str(state))
        for name, value in variables.items():
            patch.setenv(name, value)
        settings = load_settings(folder=state)
        try:
            yield settings
        finally:
            stop_stewards(settings)
            stop_local_cluster(settings)


def stop_stewards(settings: Settings) -> None:
    """End the stewards that a test left at work."""
    for mark in (settings.state_dir / "stewards").glob("*"):
        pid = mark.read_text().partition(" ")[0]
        if not mark.suffix and pid.isdecimal() and f"steward {mark.name}" in _command(int(pid)):
            os.kill(int(pid), signal.SIGKILL)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def write_job(folder: Path, tasks: Mapping[str, Any], *, file: str = "job.yaml", **top: Any) -> Path:
    """Job file in `folder`: `tasks` and, in `top`, area, period, output, name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_text(yaml.safe_dump({"name": "test", "output": "./products", **top, "tasks": dict(tasks)}))
    return path


def opera(path: str | Path, **more: Any) -> dict[str, Any]:
    """A `backscatter-stack` task of OPERA scenes."""
    return {"kind": "backscatter-stack", "source": {"format": "opera-rtc", "path": str(path)}, **more}


def statistics(stack: str = "stack", **more: Any) -> dict[str, Any]:
    """A `stack-statistics` task; without figures (they take longer than all else here) and report unless asked for."""
    return {"kind": "stack-statistics", "stack": stack, "figures": "none", "report": False, **more}


def insar(path: str | Path, **more: Any) -> dict[str, Any]:
    """An `insar-stack` task of HyP3 products."""
    return {"kind": "insar-stack", "source": {"path": str(path)}, **more}


def displacement(stack: str = "stack", **more: Any) -> dict[str, Any]:
    """A `displacement` task; without figures and report (they take longer than all else here) unless asked for."""
    return {"kind": "displacement", "stack": stack, "figures": False, "report": False, **more}


def plan_job(path: Path, settings: Settings) -> Plan:
    """Plan of a job file."""
    return make_plan(load_job(path), settings=settings)


def run_job(path: Path, settings: Settings) -> Run:
    """A job file carried out, which must succeed."""
    run = run_plan(plan_job(path, settings), settings=settings)
    assert run.state == "done", sarbatch("status", run.id, check=False).stdout
    return run


def sarbatch(*arguments: str, check: bool = True, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own; with `check` it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def sarbatch_json(*arguments: str, folder: Path | None = None) -> Any:
    """What a command prints with `--json`."""
    return json.loads(sarbatch(*arguments, "--json", folder=folder).stdout)


def wait_until(condition: Any, *, seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
