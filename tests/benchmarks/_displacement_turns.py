"""Turns of sarbatch for the benchmark of displacement: the inversion, the chain to velocity, and a job with all its products."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.mintpy import Took

from dask_jobs.displacement.blocks import invert_block
from dask_jobs.displacement.displace import displace
from dask_jobs.displacement.recipe import DemErrorSetup, HeightSetup, Recipe
from dask_jobs.displacement.settling import reference_at, settle_network
from dask_jobs.displacement.work import BLOCK_BYTES, open_work
from dask_jobs.insar_stack.geometry import GeometryReader, ensure_geometry
from dask_jobs.insar_stack.grid import stack_grid
from dask_jobs.insar_stack.layout import PairLayout
from dask_jobs.insar_stack.steps import PairReader, in_order_of_arrival, step_of
from dask_jobs.interferograms import COHERENCE, PHASE, Sensing
from dask_jobs.readers import hyp3_insar
from dask_jobs.reduction.task_runner import TaskRunner
from dask_jobs.sbas.inversion import Inversion
from dask_jobs.sbas.network import NetworkCriteria
from dask_jobs.sbas.time_functions import TimeFunction
from dask_jobs.sbas.weights import effective_looks
from dask_jobs.simulate_insar import InsarTruth
from dask_jobs.stack.append import append_passes
from dask_jobs.stack.store import publish_tag
from infra.clusters import connect, ensure_local_cluster, stop_local_cluster
from infra.settings import Settings, load_settings
from infra.storage import Location, S3Options
from pipelines import load_job, make_plan, run_plan
from pipelines.backends.first_imports import FirstImports

if TYPE_CHECKING:
    from distributed import Client

TAG = "bench"
PEAK = "__import__('resource').getrusage(0).ru_maxrss * 1024"  # most resident memory of a process so far, bytes
JOB = """\
name: bench
output: ./products
tasks:
  stack:
    kind: insar-stack
    source: {{path: {products}}}
  displacement:
    kind: displacement
    stack: stack
    reference: {{row: {row}, column: {column}}}
    troposphere: height-correlation
    figures: false
    report: false
"""


@dataclass(frozen=True, kw_only=True)
class Turns:
    """A cluster of two workers, as the product starts it, and what is run on it."""

    settings: Settings
    client: Client

    def timed(self, doing: Callable[[], Any]) -> Took:
        """What it took: seconds, seconds of all workers and of this process, largest worker."""
        began, before = time.perf_counter(), self._seconds()
        doing()
        wall, after = time.perf_counter() - began, self._seconds()
        # no function of this file: workers do not have it
        peaks = self.client.run(eval, PEAK)
        return Took(wall=wall, cpu=after - before, peak=max([eval(PEAK), *peaks.values()]))

    def _seconds(self) -> float:
        return time.process_time() + sum(self.client.run(time.process_time).values())

    # -- turns --------------------------------------------------------------------------------------------------------

    def stack(self, truth: InsarTruth, work: Path) -> Sensing:
        """Read all products into a store."""
        interferograms = hyp3_insar.find(str(truth.folder), s3=S3Options()).interferograms
        grid = stack_grid(interferograms, extent="intersection")
        store = _store(work)
        layout = PairLayout(grid=grid, polarizations=(PHASE, COHERENCE), chunk=256)
        geometry = GeometryReader(source=interferograms[0], target=grid)
        ensure_geometry(store, layout, geometry, client=self.client, checkpoint=lambda: None)
        steps = in_order_of_arrival([step_of(one) for one in interferograms], None)
        append_passes(store, layout, steps, read=PairReader(target=grid), client=self.client)
        publish_tag(store, TAG)
        return interferograms[0].sensing

    def chain(self, truth: InsarTruth, work: Path) -> Took:
        """From the products on disk to velocity."""

        def run() -> None:
            displace(
                recipe(truth, self.stack(truth, work), work),
                parts=Location.parse(str(work / "parts")),
                client=self.client,
            )

        return self.timed(run)

    def inversion(self, truth: InsarTruth, work: Path) -> Took:
        """The inversion of a store that is there, with reading and writing."""
        asked = recipe(truth, self.stack(truth, work), work)

        def run() -> None:
            made = open_work(asked, place=Location.parse(str(work / "parts")), block_bytes=BLOCK_BYTES)
            network = settle_network(made, coherence=None)
            reference = reference_at(made, network, *truth.reference)
            runner = TaskRunner(client=self.client, work=made, checkpoint=lambda _phase, _fraction: None)
            windows = made.windows
            runner.each("invert", invert_block, windows, of=len(windows), network=network, reference=reference)

        return self.timed(run)

    def job(self, truth: InsarTruth, work: Path) -> Took:
        """A job with every product but figures and report, from its file to publication."""
        file = work / "job.yaml"
        row, column = truth.reference
        file.write_text(JOB.format(products=truth.folder.resolve(), row=row, column=column))

        def run() -> None:
            made = run_plan(make_plan(load_job(file), settings=self.settings), settings=self.settings)
            if made.state != "done":
                raise RuntimeError(made.state)

        return self.timed(run)


@contextmanager
def turns(state: Path, *, workers: int) -> Iterator[Turns]:
    """A cluster that is up while the block runs; its state is its own."""
    os.environ |= {"SARBATCH_STATE_DIR": str(state), "SARBATCH_WORKERS": str(workers)}
    settings = load_settings(folder=state.parent)
    try:
        with connect(ensure_local_cluster(settings)) as client, client.as_current():
            client.wait_for_workers(workers)
            client.register_plugin(FirstImports())  # as whoever submits a driver does
            yield Turns(settings=settings, client=client)
    finally:
        stop_local_cluster(settings)


def recipe(truth: InsarTruth, sensing: Sensing, work: Path) -> Recipe:
    """MintPy's settings, in our words."""
    return Recipe(
        store=_store(work),
        tag=TAG,
        sensing=sensing,
        network=NetworkCriteria(),
        reference=truth.reference,
        min_coherence=0.85,
        seed=0,
        inversion=Inversion(
            looks=effective_looks(range_looks=sensing.range_looks, azimuth_looks=sensing.azimuth_looks)
        ),
        observation="none",
        observation_coherence=0.4,
        temporal_coherence=0.7,
        height=HeightSetup(),
        ramp=None,
        dem_error=DemErrorSetup(),
        reference_date="auto",
        exclude_dates=None,
        time_function=TimeFunction(),
        error="residue",
        mintpy_rules=False,
    )


def _store(work: Path) -> Location:
    return Location.parse(str(work / "stack.icechunk"))
