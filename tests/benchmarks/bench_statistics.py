"""How fast a stack is reduced over time, beside a bare read of it and beside what one would type in xarray.

    python tests/benchmarks/bench_statistics.py [--size 4096] [--dates 30] [--rounds 5] [--slow-rounds 2]

Gamma speckle in a scratch folder, in the page cache. Two worker processes of one thread each, the same for everybody,
take turns: bare read (every chunk decoded once), the pass (statistics of every pixel as Zarr arrays, time series with
exact medians), the one-liners (the same numbers in memory, except that their quantiles may not meet a gap), then both
again with a Cloud Optimized GeoTIFF per statistic. Prints medians of seconds, of core seconds of all processes, and
ratios; then how time grows with area and dates, and where it goes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _one_liners
import _where_time_goes
from _speckle_stack import BAND, TAG, make_stack

from dask_jobs.reduction.reduce_stack import Reduced, reduce_pixels, reduce_stack
from dask_jobs.reduction.work import Reduction
from infra.clusters import connect, ensure_local_cluster, stop_local_cluster
from infra.settings import load_settings
from infra.storage import Location

if TYPE_CHECKING:
    from distributed import Client

    from dask_jobs.written import Written

PERCENTILES = (5.0, 50.0, 95.0)
WORKERS = 2


def core_seconds() -> float:
    """Of this process so far, in user and in system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One stack, the workers, and a folder for what is made.

    Attributes
    ----------
    took : of each contender, wall and core seconds of each turn
    """

    client: Client
    store: Location
    scratch: Path
    took: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def turn(self, name: str, contender: Callable[[], object]) -> None:
        """Let a contender run once and note what it took; what it writes has to be gone before the next one begins."""
        begin, used = time.perf_counter(), self._used()
        contender()
        took = time.perf_counter() - begin, self._used() - used
        self.took.setdefault(name, []).append(took)
        print(f"  {name:<22}{took[0]:9.2f} s{took[1]:9.2f} core seconds, load {os.getloadavg()[0]:.1f}", flush=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def median(self, name: str) -> tuple[float, float]:
        """Wall and core seconds of a contender."""
        walls, cores = zip(*self.took[name], strict=True)
        return statistics.median(walls), statistics.median(cores)

    def _used(self) -> float:
        return core_seconds() + sum(self.client.run(core_seconds).values())

    # -- contenders ---------------------------------------------------------------------------------------------------

    def bare_read(self) -> None:
        """Every chunk decoded once, by the two workers."""
        shares = self.client.map(decode, range(WORKERS), store=self.store, of=WORKERS, pure=False)
        self.client.gather(shares)

    def reduction(self) -> Reduction:
        """What is asked of the pass."""
        return Reduction(store=self.store, tag=TAG, percentiles=PERCENTILES)

    def our_pass(self) -> Reduced:
        """Statistics as arrays, and the time series."""
        return reduce_pixels(self.reduction(), parts=Location.parse(str(self.scratch)), client=self.client)

    def our_files(self) -> list[Written]:
        """Statistics as Cloud Optimized GeoTIFFs, and the time series as tables."""
        return reduce_stack(self.reduction(), parts=Location.parse(str(self.scratch)), client=self.client)

    def one_liners(self) -> None:
        """Statistics and time series in memory."""
        _one_liners.maps(self.store, percentiles=PERCENTILES)
        _one_liners.series(self.store)

    def one_liners_files(self) -> None:
        """The same, and the statistics as Cloud Optimized GeoTIFFs."""
        _one_liners.write_cogs(_one_liners.maps(self.store, percentiles=PERCENTILES), self.scratch)
        _one_liners.series(self.store)


def decode(share: int, *, store: Location, of: int) -> None:
    """Decode every `of`-th column of chunks, from number `share` on."""
    import zarr

    from dask_jobs.stack.store import readonly_session

    stack: Any = zarr.open_array(readonly_session(store, tag=TAG).store, path=BAND, mode="r")
    _, height, width = stack.shape
    side = stack.chunks[1]
    corners = [(row, col) for row in range(0, height, side) for col in range(0, width, side)]
    for row, col in corners[share::of]:
        stack[:, row : row + side, col : col + side]


@contextmanager
def workers(folder: Path) -> Iterator[Client]:
    """The product's own local cluster, with two workers of one thread."""
    settings = load_settings(
        environment={
            "SARBATCH_STATE_DIR": str(folder),
            "SARBATCH_WORKERS": str(WORKERS),
            "SARBATCH_MEMORY_LIMIT": "8GiB",  # the one-liners need it
        }
    )
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # workers are sent functions of this file and its neighbours
    try:
        with connect(ensure_local_cluster(settings)) as client, client.as_current():
            yield client
    finally:
        stop_local_cluster(settings)


def compare(bench: Bench, *, rounds: int, slow_rounds: int) -> None:
    """Let everybody take turns."""
    import dask

    for contender in (bench.bare_read, bench.our_pass):  # kernels are compiled, the cache is warm
        contender()
    shutil.rmtree(bench.scratch, ignore_errors=True)
    with dask.config.set(scheduler=bench.client):
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}")
            bench.turn("bare read", bench.bare_read)
            bench.turn("pass", bench.our_pass)
            if number < slow_rounds:
                bench.turn("one-liners", bench.one_liners)
            bench.turn("pass with COGs", bench.our_files)
            if number < slow_rounds:
                bench.turn("one-liners with COGs", bench.one_liners_files)


def show(bench: Bench, *, size: int) -> None:
    """Print medians and ratios; `size` of the pixels in bytes."""
    print(f"\n{'':<22}{'seconds':>9}{'core seconds':>14}{'rounds':>8}   each")
    for name, turns in bench.took.items():
        wall, cores = bench.median(name)
        each = " ".join(f"{turn[0]:.1f}" for turn in turns)
        print(f"{name:<22}{wall:9.2f}{cores:14.2f}{len(turns):8d}   {each}")
    read = bench.median("bare read")[0]
    print(f"\nbare read: {size / read / 1e9:.2f} GB/s")
    ratios = (
        ("pass", "bare read", "at most 3.0"),
        ("one-liners", "pass", "at least 5"),
        ("one-liners with COGs", "pass with COGs", "at least 3"),
    )
    for name, other, wanted in ratios:
        if name in bench.took:
            (wall, cores), (base, base_cores) = bench.median(name), bench.median(other)
            print(f"{name} / {other}: {wall / base:.2f} ({wanted}; core seconds {cores / base_cores:.2f})")


def show_growth(client: Client, folder: Path, *, dates: int, side: int) -> None:
    """Print how the pass grows with area and with dates."""
    cases = {
        "area x 1": (dates, side, side),
        "area x 2": (dates, side, 2 * side),
        "area x 4": (dates, 2 * side, 2 * side),
        "dates x 0.5": (dates // 2, side, side),
        "dates x 1": (dates, side, side),
        "dates x 2": (2 * dates, side, side),
    }
    print(f"\nThe pass over {dates} x {side} x {side}, and more and less of it (medians of 3)")
    first: dict[str, tuple[float, float]] = {}
    for name, (steps, height, width) in cases.items():
        store = Location.parse(str(folder / "growing.icechunk"))
        make_stack(store, dates=steps, height=height, width=width)
        bench = Bench(client=client, store=store, scratch=folder / "made")
        for _ in range(3):
            bench.turn("pass", bench.our_pass)
        store.delete_all()
        wall, cores = bench.median("pass")
        base = first.setdefault(name.split(" x")[0], (wall, cores))
        print(f"{name:<14}{wall:8.2f} s ({wall / base[0]:.2f}) {cores:8.2f} core seconds ({cores / base[1]:.2f})")


def main() -> None:
    """Make stacks, let everybody take turns, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=4096, help="pixels along y and x")
    options.add_argument("--dates", type=int, default=30)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--slow-rounds", type=int, default=2, help="of the one-liners")
    options.add_argument(
        "--growth", type=int, default=2048, help="side of the smallest area whose growth is shown; 0: none"
    )
    options.add_argument("--scratch", type=Path, help="folder for stacks and results (8 bytes per value)")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sarbatch-statistics-", dir=given.scratch))
    try:
        store = Location.parse(str(folder / "stack.icechunk"))
        print(
            f"{given.dates} dates x {given.size} x {given.size}, {WORKERS} workers of one thread, {os.cpu_count()} cores"
        )
        make_stack(store, dates=given.dates, height=given.size, width=given.size)
        with workers(folder / "state") as client:
            bench = Bench(client=client, store=store, scratch=folder / "made")
            compare(bench, rounds=given.rounds, slow_rounds=given.slow_rounds)
            show(bench, size=4 * given.dates * given.size**2)
            parts = client.submit(_where_time_goes.measure, bench.reduction(), str(bench.scratch), pure=False).result()
            _where_time_goes.show(parts, bench=bench.took, workers=WORKERS)
            shutil.rmtree(bench.scratch, ignore_errors=True)
            if given.growth:
                show_growth(client, folder, dates=given.dates, side=given.growth)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the cluster may write its last line yet


if __name__ == "__main__":
    main()
