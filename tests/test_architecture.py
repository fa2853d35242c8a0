"""The directions of imports hold, a wrong one is noticed, and importing does nothing but import."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("pipelines", "gee", "dask_jobs", "infra")
ROOT = Path(__file__).parents[1]

LAYERS = "pipelines over the two engines over infra; the engines ignore each other"
ENGINES = "only kinds/*/{dask,earth_engine}.py, backends and demo reach an engine"
SQL = "the registry alone speaks SQL"
TERMINAL = "the command line alone speaks to a terminal"
TESTS = "nothing imports tests, or what only tests need"
OWN_HOUSE = "the local Earth Engine is a house of its own"
PAGE = "the web page reads, and does nothing"
INSIDE = "inside pipelines: every module has its layer"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy of the four packages and their contracts, to be broken."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def in_function(statement: str) -> str:
    return f"\n\ndef _late() -> None:\n    {statement}\n"


def test_the_contracts_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    for contract in (LAYERS, ENGINES, SQL, TERMINAL, TESTS, OWN_HOUSE, PAGE, INSIDE):
        assert f"{contract} KEPT" in result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("gee/__init__.py", "import dask_jobs.scenes", LAYERS),
        ("dask_jobs/scenes.py", "import gee", LAYERS),
        ("dask_jobs/scenes.py", "import pipelines.plan", LAYERS),
        ("infra/grid.py", "import pipelines", LAYERS),
        ("infra/grid.py", "import dask_jobs.scenes", LAYERS),
        ("pipelines/plan.py", "import dask_jobs.scenes", ENGINES),
        ("pipelines/job.py", "import xarray", ENGINES),
        ("pipelines/kinds/backscatter_stack/spec.py", "import gee", ENGINES),
        ("pipelines/plan.py", "import sqlalchemy", SQL),
        ("dask_jobs/scenes.py", "import rich", TERMINAL),
        ("infra/grid.py", "import pytest", TESTS),
        ("gee/local/errors.py", "import infra.grid", OWN_HOUSE),
        ("pipelines/dashboard/app.py", "import pipelines.run", PAGE),
        ("pipelines/keys.py", "import pipelines.plan", INSIDE),
        ("pipelines/registry/rows.py", "import pipelines.cli", INSIDE),
    ],
)
def test_a_wrong_import_is_noticed_even_inside_a_function(
    copy: Path, module: str, statement: str, contract: str
) -> None:
    with (copy / module).open("a") as file:
        file.write(in_function(statement))
    result = lint_imports(copy)
    assert result.returncode != 0
    assert f"{contract} BROKEN" in result.stdout


def test_a_module_without_a_layer_is_noticed(copy: Path) -> None:
    (copy / "pipelines/newcomer.py").write_text("")
    result = lint_imports(copy)
    assert f"{INSIDE} BROKEN" in result.stdout
    assert "pipelines.newcomer" in result.stdout


def test_the_places_that_may_reach_an_engine_may(copy: Path) -> None:
    kind = copy / "pipelines/kinds/backscatter_stack"
    for path in (
        kind / "dask/__init__.py",
        kind / "dask/sources.py",
        kind / "earth_engine.py",
        copy / "pipelines/backends/protocol.py",
    ):
        with path.open("a") as file:
            file.write(in_function("import dask_jobs.scenes, xarray"))
    assert f"{ENGINES} KEPT" in lint_imports(copy).stdout


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_owns_our_names(name: str) -> None:
    owners = set(importlib.metadata.packages_distributions().get(name, []))
    assert owners <= {"sarbatch"}, f"{owners} install a package {name}: it would hide ours, or ours would hide it"


def test_pins_are_exact_hashed_and_name_no_place_to_fetch_from() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    pins = [p for p in text.replace("\\\n", "").splitlines() if p[:1].isalnum()]
    assert len(pins) > 100
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


WATCH = """
import json, logging, os, sys, threading, importlib
import urllib3  # others' doing, before the watch: it binds a socket to see whether there is IPv6
seen = []
def watch(event, args):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        seen.append([module, event, repr(args[1:])])
        raise OSError("no network while importing")
    if event in {"subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "os.mkdir", "os.remove", "os.rename"}:
        seen.append([module, event, repr(args)])
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append([module, event, repr(args)])
module, before = "", dict(os.environ)
sys.addaudithook(watch)
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
    ours = [h for n in ("pipelines", "gee", "dask_jobs", "infra", None) for h in logging.getLogger(n).handlers]
    if ours:
        seen.append([module, "logging handlers", repr(ours)])
    if threading.active_count() > 1:
        seen.append([module, "threads", repr(threading.enumerate())])
    if dict(os.environ) != before:
        seen.append([module, "environment", repr(set(os.environ.items()) ^ set(before.items()))])
print(json.dumps(seen))
"""


def modules() -> list[str]:
    """Every module of the four packages; Alembic's scripts are no modules, it alone runs them."""
    found = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations
        folder = Path(spec.submodule_search_locations[0])
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            if "migrations" not in parts:
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def watched(names: list[str], home: Path, *, path: Path | None = None) -> list[list[str]]:
    env = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    if path:
        env["PYTHONPATH"] = str(path)
    command = [sys.executable, "-W", "error", "-c", WATCH, json.dumps(names)]
    result = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_importing_any_module_touches_nothing(tmp_path: Path) -> None:
    names = modules()
    assert len(names) > 20
    assert watched(names, tmp_path) == []


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("open('left.txt', 'w').close()", "open"),
        ("import os; os.environ['LEFT'] = '1'", "environment"),
        ("import logging; logging.getLogger('infra').addHandler(logging.NullHandler())", "logging handlers"),
        ("import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()", "threads"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_the_watch_sees_what_an_import_does(tmp_path: Path, source: str, event: str) -> None:
    (tmp_path / "busy.py").write_text(source)
    assert event in {seen[1] for seen in watched(["busy"], tmp_path, path=tmp_path)}


def test_the_watch_stops_an_import_that_calls_out(tmp_path: Path) -> None:
    (tmp_path / "calls.py").write_text("import socket; socket.create_connection(('127.0.0.1', 9))")
    with pytest.raises(AssertionError, match="no network while importing"):
        watched(["calls"], tmp_path, path=tmp_path)
