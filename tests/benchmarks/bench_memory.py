"""Peak memory of workers and wall time of a stack and its statistics: 30 dates, 60 dates, and twice the area.

Run: python tests/benchmarks/bench_memory.py [--size 4096]. Each case has a cluster of its own; the driver runs on one of its
workers, so its memory is among the peaks. Prints peaks in MiB and their ratios to the first case.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

from dask_jobs.simulate import simulate_scene_stack
from infra.clusters import connect, find_local_cluster, stop_local_cluster
from infra.settings import load_settings
from pipelines import load_job, make_plan, run_plan

JOB = """\
name: memory
output: ./products
tasks:
  stack:
    kind: backscatter-stack
    source: {format: opera-rtc, path: scenes}
  statistics:
    kind: stack-statistics
    stack: stack
"""


def peak() -> float:
    """Peak resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, *, dates: int, height: int, width: int) -> tuple[float, float]:
    """Peak of the largest worker (MiB) and wall time (s) of one case."""
    simulate_scene_stack(folder / "scenes", dates=dates, height=height, width=width)
    (folder / "job.yaml").write_text(JOB)
    settings = load_settings(environment={"SARBATCH_STATE_DIR": str(folder / "state"), "SARBATCH_POLL_INTERVAL": "0.5"})
    import os

    os.environ["SARBATCH_STATE_DIR"] = str(folder / "state")  # the steward reads it
    start = time.monotonic()
    run = run_plan(make_plan(load_job(folder / "job.yaml"), settings=settings), settings=settings)
    wall = time.monotonic() - start
    assert run.state == "done", run
    address = find_local_cluster(settings)
    assert address is not None
    with connect(address) as client:
        peaks = client.run(peak)
    stop_local_cluster(settings)
    return max(peaks.values()), wall


def main() -> None:
    """Measure the three cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--dates", type=int, default=30)
    arguments = parser.parse_args()
    size, dates = arguments.size, arguments.dates
    cases = {
        f"{dates} x {size} x {size}": (dates, size, size),
        f"{2 * dates} x {size} x {size}": (2 * dates, size, size),
        f"{dates} x {size} x {2 * size}": (dates, size, 2 * size),
    }
    first: tuple[float, float] | None = None
    for name, (count, height, width) in cases.items():
        folder = Path(tempfile.mkdtemp(prefix="sarbatch-memory-"))
        try:
            row = measure(folder, dates=count, height=height, width=width)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the steward may write its last line yet
        first = first or row
        print(
            f"{name:>20}: worker peak {row[0]:6.0f} MiB ({row[0] / first[0]:.2f}), {row[1]:6.1f} s ({row[1] / first[1]:.2f})"
        )


if __name__ == "__main__":
    main()
