"""How fast a network is inverted on one core, beside batches of the same normal equations in numpy.linalg.solve.

    python tests/benchmarks/bench_inversion_kernel.py [--pixels 250000] [--connections 3] [--dates 30] [--rounds 5]

Phases and coherences in memory; one thread, of NumPy's library too. Prints for each weight pixels per second of core
time, of the best round, temporal coherence included, and the ratio to NumPy's; the same where 3.5 % of the pixels lack
pairs; the variance of a velocity; and a network of all dates with all. At last what a fresh process takes until its
first block is inverted: imports, and the kernel read as it was compiled before.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from dask_jobs.sbas.inversion import Inversion, combination_variance, invert
from dask_jobs.sbas.pairs import Pairs
from dask_jobs.sbas.weights import weights_of

LOOKS = 41
START = f"""
import time
began = time.perf_counter()
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from importlib import import_module
from pipelines.backends.first_imports import MODULES
import dask_jobs.displacement.blocks
for module in MODULES:
    import_module(module)
print(time.perf_counter() - began)
import numpy
import bench_inversion_kernel as bench
pairs = bench.network(30, 3)
phase, coherence = bench.observations(pairs, 4096, lacking=0.0)
bench.invert(phase, coherence, pairs=pairs, reference_phase=numpy.zeros(len(pairs)), setup=bench.Inversion(looks=bench.LOOKS))
print(time.perf_counter() - began)
"""
BATCH = 2000  # pixels of one call of numpy.linalg.solve
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def network(dates: int, connections: int) -> Pairs:
    """Each date with the following ones, 12 days apart."""
    days = [date(2018, 1, 6) + timedelta(days=12 * i) for i in range(dates)]
    both = [(i, j) for i in range(dates) for j in range(i + 1, min(i + connections, dates - 1) + 1)]
    return Pairs(
        reference=tuple(days[i] for i, _ in both),
        secondary=tuple(days[j] for _, j in both),
        perpendicular_baseline=(0.0,) * len(both),
    )


def observations(pairs: Pairs, pixels: int, *, lacking: float) -> tuple[np.ndarray, np.ndarray]:
    """Phases of a random walk with noise, and coherences; some pixels lack a tenth of the pairs."""
    random = np.random.default_rng(7)
    walk = random.normal(0, 1, (len(pairs.dates), pixels)).cumsum(axis=0)
    phase = (walk[pairs.second] - walk[pairs.first] + random.normal(0, 0.5, (len(pairs), pixels))).astype(np.float32)
    holes = (random.random((len(pairs), pixels)) < 0.1) & (random.random(pixels) < lacking)
    phase[holes] = np.nan
    return phase, random.uniform(0.05, 0.99, phase.shape).astype(np.float32)


def in_numpy(phase: np.ndarray, coherence: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Series (radians) and temporal coherence of pixels that lack nothing."""
    matrix = pairs.incidence[:, 1:]
    series, quality = np.empty((matrix.shape[1], phase.shape[1])), np.empty(phase.shape[1])
    for begin in range(0, phase.shape[1], BATCH):
        part = slice(begin, begin + BATCH)
        observed = phase[:, part].astype(np.float64)
        weight = weights_of(coherence[:, part], weight="var", looks=LOOKS)
        outer = (matrix[:, :, None] * matrix[:, None, :]).reshape(len(pairs), -1)
        normal = (weight.T @ outer).reshape(-1, matrix.shape[1], matrix.shape[1])
        solved = np.linalg.solve(normal, ((weight * observed).T @ matrix)[:, :, None])[:, :, 0].T
        series[:, part] = solved
        quality[part] = abs(np.exp(1j * (observed - matrix @ solved)).mean(axis=0))
    return series, quality


def rate(contender: Callable[[], object], *, pixels: int, rounds: int) -> float:
    """Pixels per second of core time, of the best round; the first, which compiles, is not one."""
    contender()
    took = []
    for _ in range(rounds):
        begin = time.process_time()
        contender()
        took.append(time.process_time() - begin)
    return pixels / min(took)


def show_start() -> None:
    """Seconds until a fresh process has imported all that a worker does, and until its first block is inverted."""
    imported, inverted = (float(part) for part in subprocess.check_output([sys.executable, "-c", START]).split())
    print(f"{'a fresh process: imports':<34}{imported:>12.2f} s")
    print(f"{'  and its first block, in all':<34}{inverted:>12.2f} s")


def main() -> None:
    """Time all and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--pixels", type=int, default=250_000)
    ask.add_argument("--dates", type=int, default=30)
    ask.add_argument("--connections", type=int, default=3)
    ask.add_argument("--rounds", type=int, default=5)
    given = ask.parse_args()
    pairs = network(given.dates, given.connections)
    phase, coherence = observations(pairs, given.pixels, lacking=0.0)
    few, fewer = phase[:, : given.pixels // 10], coherence[:, : given.pixels // 10]
    numpy_rate = rate(lambda: in_numpy(few, fewer, pairs), pixels=few.shape[1], rounds=2)
    print(f"{len(pairs)} pairs, {len(pairs.dates)} dates, {given.pixels} pixels; load {os.getloadavg()[0]:.1f}")
    print(f"{'numpy.linalg.solve, var':<34}{numpy_rate:>12,.0f} px/s")

    def show(name: str, contender: Callable[[], object], pixels: int) -> None:
        found = rate(contender, pixels=pixels, rounds=given.rounds)
        print(f"{name:<34}{found:>12,.0f} px/s{found / numpy_rate:>8.1f} times", flush=True)

    zero = np.zeros(len(pairs))
    for weight in ("var", "fim", "coh", "no"):
        setup = Inversion(looks=LOOKS, weight=weight)
        show(weight, lambda s=setup: invert(phase, coherence, pairs=pairs, reference_phase=zero, setup=s), given.pixels)
    setup = Inversion(looks=LOOKS)
    holed, _ = observations(pairs, given.pixels, lacking=0.035)
    show(
        "var, 3.5 % of pixels lack pairs",
        lambda: invert(holed, coherence, pairs=pairs, reference_phase=zero, setup=setup),
        given.pixels,
    )
    rows = (pairs.days - pairs.days.mean())[None] / ((pairs.days - pairs.days.mean()) ** 2).sum()
    valid = np.isfinite(phase)
    show(
        "variance of velocity",
        lambda: combination_variance(coherence, valid, pairs=pairs, rows=rows, setup=setup),
        given.pixels,
    )
    dense = network(given.dates, given.dates)
    phase, coherence = observations(dense, given.pixels // 10, lacking=0.0)
    zero = np.zeros(len(dense))
    show(
        f"var, all {len(dense)} pairs",
        lambda: invert(phase, coherence, pairs=dense, reference_phase=zero, setup=setup),
        given.pixels // 10,
    )
    show_start()


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():  # which NumPy reads once, when it is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
