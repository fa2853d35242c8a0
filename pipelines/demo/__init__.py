"""The demo: scenes with a known truth, a job that uses both engines, one of displacement, and where to look."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import OutputError, SarbatchError, UserError
from pipelines.demo.earth_engine import local_earth_engine, make_scenes

if TYPE_CHECKING:
    from infra.grid import Grid
    from pipelines.registry.registry import Registry

JOB = """\
# Made by `sarbatch demo`. The scenes are simulated: {truth} says what is in them.
name: demo
area: {{bbox: [{bbox}]}}
period: {{start: 2024-01-01, end: 2027-01-01}}
output: ./products
tasks:
  stack:
    kind: backscatter-stack
    source: {{format: opera-rtc, path: {scenes}}}
    mask: {{layover: true, shadow: true}}
  statistics:
    kind: stack-statistics
    stack: stack
  ratio:
    kind: sentinel1-composite
    collection: COPERNICUS/S1_GRD_FLOAT
    speckle: {{filter: refined_lee}}
    quantities: [ratio_db]
    reducers: [median, stdDev, count]
    composite: {{per_orbit: true}}
"""
DISPLACEMENT_JOB = """\
# Made by `sarbatch demo`. The interferograms are simulated, far from the scenes: {truth} says how their ground moves.
name: demo-displacement
output: ./products
tasks:
  interferograms:
    kind: insar-stack
    source: {{path: {products}}}
  displacement:
    kind: displacement
    stack: interferograms
    troposphere: height-correlation
"""
GRD_DATES = 4  # of each of two orbits
INSAR_DATES, INSAR_SIZE = 14, 240  # a noisy date is the twelfth; pixels along y and x
SHOWN = {
    "report": "everything on one page, for a browser",
    "stack": "the stack (open_product opens it)",
    "mean_db": "mean backscatter, for QGIS",
    "cov": "coefficient of variation: the clearing stands out",
    "time_series": "time series",
    "ratio_db_median": "median ratio of VV to VH from Earth Engine",
    "velocity": "velocity along the line of sight: a bowl subsides",
    "velocity_kmz": "the same for Google Earth",
    "mintpy_velocity": "the same for MintPy's tools",
}


def run_demo(folder: Path, *, dates: int, say: Callable[[str], None], follow: Callable[[Registry, str], None]) -> None:
    """Simulate scenes in `folder` (unless they are there), run a job on both engines and one of displacement, say where to look.

    Earth Engine is a local one that lives as long as the demo, whatever the settings say.

    Raises
    ------
    SarbatchError
        If a run did not end well.
    """
    from dask_jobs.simulate import simulate_rtc

    if find_spec("ee") is None:
        raise UserError(
            "the demo's job uses Earth Engine's client, which is not installed", "pip install 'sarbatch[earth-engine]'"
        )
    scenes, job = folder / "simulated-scenes", folder / "job.yaml"
    if not (scenes / "truth.json").exists():
        say(f"simulating {dates} dates of two neighbouring bursts in {scenes} …")
        shutil.rmtree(scenes, ignore_errors=True)
        try:
            scenes.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{scenes} cannot be made: {error.strerror}", "Give another --folder.") from error
        simulate_rtc(scenes, dates=dates)
    say("simulating Sentinel-1 GRD scenes for a local Earth Engine …")
    place = _place(scenes / "truth.json")
    make_scenes(folder / "earth-engine", place=place, dates=GRD_DATES)
    bbox = ", ".join(f"{degrees:.5f}" for degrees in _inside(place))
    job.write_text(JOB.format(scenes=scenes.name, truth=f"{scenes.name}/truth.json", bbox=bbox), encoding="utf-8")
    displacement, interferograms = _displacement(folder, say=say)
    simulated = {job: scenes, displacement: interferograms}
    with local_earth_engine(folder / "earth-engine") as url, _settings(url, folder / "earth-engine"):
        runs = {each: _run(each, say=say, follow=follow) for each in simulated}
    for each, run in runs.items():
        _where_to_look(each, run, truth=simulated[each] / "truth.json", say=say)


def _displacement(folder: Path, *, say: Callable[[str], None]) -> tuple[Path, Path]:
    """The job of displacement, and the folder of its interferograms."""
    from dask_jobs.simulate_insar import simulate_insar

    products, job = folder / "simulated-interferograms", folder / "displacement.yaml"
    say(f"simulating interferograms of {INSAR_DATES} dates in {products} …")
    simulate_insar(products, dates=INSAR_DATES, size=INSAR_SIZE)
    text = DISPLACEMENT_JOB.format(products=products.name, truth=f"{products.name}/truth.json")
    job.write_text(text, encoding="utf-8")
    return job, products


def _run(job: Path, *, say: Callable[[str], None], follow: Callable[[Registry, str], None]) -> str:
    from pipelines.job import load_job
    from pipelines.plan import make_plan
    from pipelines.run import run_plan

    say(f"running {job} …")
    run = run_plan(make_plan(load_job(job)), follow=follow)
    if run.state != "done":
        raise SarbatchError(
            f"the demo's run {run.id} {run.state}", f"`sarbatch status {run.id}` and `sarbatch logs {run.id}` say why."
        )
    return run.id


@contextmanager
def _settings(url: str, folder: Path) -> Iterator[None]:
    """Settings of this process and of the steward that it starts: the demo's own Earth Engine."""
    wanted = {"URL": url, "PROJECT": "demo", "FILES": str(folder.resolve()), "KEY_FILE": ""}
    before = dict(os.environ)
    os.environ.update({f"SARBATCH_EARTH_ENGINE_{name}": value for name, value in wanted.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _place(truth: Path) -> Grid:
    """Where the scenes of the stack lie."""
    import json

    from infra.grid import Grid

    return Grid(**json.loads(truth.read_text(encoding="utf-8"))["grid"])


def _inside(place: Grid) -> tuple[float, float, float, float]:
    """West, south, east and north of a box well inside of the northern half of a place, degrees."""
    from infra.region import geographic_bounds

    west, south, east, north = geographic_bounds(place)
    across, along = (east - west) / 8, (north - south) / 8
    return west + across, south + 5 * along, east - across, north - along


def _where_to_look(job: Path, run: str, *, truth: Path, say: Callable[[str], None]) -> None:
    from infra.settings import load_settings
    from pipelines.registry import open_registry

    with open_registry(load_settings()) as registry:
        rows = registry.products(run)
    say(f"done: {len(rows)} products of run {run}. Look at")
    for name, what in SHOWN.items():
        for row in rows:
            if row.name == name and row.role != "figure":
                say(f"  {what}: {row.href}")
    for folder in sorted({row.href.rpartition("/")[0] for row in rows if row.role == "figure"}):
        say(f"  figures and films: {folder}")
    say(f"  the truth: {truth}")
    say(f"  sarbatch status {run}; sarbatch products {run}; sarbatch plan {job} (all done now)")
