"""The demo: scenes with a known truth, one job on them, and where to look."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import OutputError, SarbatchError

if TYPE_CHECKING:
    from pipelines.registry.registry import Registry

JOB = """\
# Made by `sarbatch demo`. The scenes are simulated: {truth} says what is in them.
name: demo
output: ./products
tasks:
  stack:
    kind: backscatter-stack
    source: {{format: opera-rtc, path: {scenes}}}
    mask: {{layover: true, shadow: true}}
  statistics:
    kind: stack-statistics
    stack: stack
"""


def run_demo(folder: Path, *, dates: int, say: Callable[[str], None], follow: Callable[[Registry, str], None]) -> None:
    """Simulate scenes in `folder` (unless they are there), run a stack and its statistics, and say where to look.

    Raises
    ------
    SarbatchError
        If the run did not end well.
    """
    from dask_jobs.simulate import simulate_rtc
    from pipelines.job import load_job
    from pipelines.plan import make_plan
    from pipelines.run import run_plan

    scenes, job = folder / "simulated-scenes", folder / "job.yaml"
    if not (scenes / "truth.json").exists():
        say(f"simulating {dates} dates of two neighbouring bursts in {scenes} …")
        shutil.rmtree(scenes, ignore_errors=True)
        try:
            scenes.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{scenes} cannot be made: {error.strerror}", "Give another --folder.") from error
        simulate_rtc(scenes, dates=dates)
    job.write_text(JOB.format(scenes=scenes.name, truth=f"{scenes.name}/truth.json"), encoding="utf-8")
    say(f"running {job} …")
    run = run_plan(make_plan(load_job(job)), follow=follow)
    if run.state != "done":
        raise SarbatchError(
            f"the demo's run {run.id} {run.state}", f"`sarbatch status {run.id}` and `sarbatch logs {run.id}` say why."
        )
    _where_to_look(folder, run.id, say)


def _where_to_look(folder: Path, run: str, say: Callable[[str], None]) -> None:
    from infra.settings import load_settings
    from pipelines.registry import open_registry

    with open_registry(load_settings()) as registry:
        rows = registry.products(run)
    say(f"done: {len(rows)} products of run {run}. Look at")
    shown = {
        "report": "everything on one page, for a browser",
        "stack": "the stack (open_product opens it)",
        "mean_db": "mean backscatter, for QGIS",
        "cov": "coefficient of variation: the clearing stands out",
        "time_series": "time series",
    }
    for name, what in shown.items():
        for row in rows:
            if row.name == name and row.role != "figure":
                say(f"  {what}: {row.href}")
    figures = [row for row in rows if row.role == "figure"]
    if figures:
        say(f"  {len(figures)} figures and films: {figures[0].href.rpartition('/')[0]}")
    say(f"  the truth: {folder / 'simulated-scenes' / 'truth.json'}")
    say(f"  sarbatch status {run}; sarbatch products {run}; sarbatch plan {folder / 'job.yaml'} (all done now)")
