"""How fast a stack is reduced over time, beside what one would type in xarray.

    python tests/benchmarks/bench_statistics.py --size 512 --dates 21

One thread each, the same numbers out (checked). Prints seconds, and how many times longer xarray takes.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a file, from a checkout

PERCENTILES = (5, 50, 95)


def timed(function: Callable[[], object], *, repeats: int) -> float:
    """Best of several runs, seconds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    import xarray as xr

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=256, help="pixels along y and x")
    options.add_argument("--dates", type=int, default=21)
    options.add_argument("--gaps", type=float, default=0.05, help="share of values without data")
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()

    start = time.perf_counter()
    from dask_jobs.statistics import temporal_statistics

    rng = np.random.default_rng(0)
    power = rng.gamma(4.0, 0.02, (given.dates, given.size, given.size)).astype(np.float32)
    power[rng.random(power.shape) < given.gaps] = np.nan
    days = np.arange(given.dates, dtype=np.int32) * 12 + 18950
    imported = time.perf_counter()
    temporal_statistics(power[:, :4, :4], days=days)
    print(
        f"import and data {imported - start:.2f} s, compilation once per process {time.perf_counter() - imported:.2f} s"
    )

    stack = xr.DataArray(power, dims=("time", "y", "x"))
    made = temporal_statistics(power, days=days, percentiles=PERCENTILES)
    ours = timed(lambda: temporal_statistics(power, days=days, percentiles=PERCENTILES), repeats=given.repeats)
    lines: dict[str, Callable[[], xr.DataArray]] = {
        "mean": lambda: stack.mean("time"),
        "std": lambda: stack.std("time"),
        "min": lambda: stack.min("time"),
        "max": lambda: stack.max("time"),
        "count": lambda: stack.count("time"),
        "quantile": lambda: stack.quantile([p / 100 for p in PERCENTILES], "time"),
    }
    print(f"{given.dates} dates x {given.size} x {given.size}, {100 * given.gaps:g} % without data")
    print(f"{'all ten, one pass':<20}{ours:9.4f} s  {power.size / ours / 1e6:8.0f} million values/s")
    total = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xarray warns of pixels without data
        for name, line in lines.items():
            seconds = timed(line, repeats=1 if name == "quantile" else given.repeats)
            total += seconds
            print(f"xarray {name:<13}{seconds:9.4f} s  {seconds / ours:8.1f} x")
            if name != "quantile":
                np.testing.assert_allclose(made[name], line().values, rtol=1e-4)  # xarray sums in float32
    print(f"{'xarray, all six':<20}{total:9.4f} s  {total / ours:8.1f} x")
    np.testing.assert_allclose(made["p50"], lines["quantile"]().sel(quantile=0.5), rtol=1e-5)


if __name__ == "__main__":
    main()
