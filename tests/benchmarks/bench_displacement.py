"""How long displacement from interferograms takes, beside MintPy on the same products and the same machine.

    python tests/benchmarks/bench_displacement.py [--size 1000] [--dates 30] [--rounds 1]

Simulated HyP3 products (three connections: 84 pairs of 30 dates) in a scratch folder, or in the folder that
BENCH_INSAR names, where the next run finds them. MintPy runs as a program of its own (`make peers`), without
figures, on both of its ways to invert: one process, and Dask with two workers; the faster one counts. Compared are the
inversion alone, with reading and writing, and the chain from loading to velocity in one process; ours on a cluster of
two workers, first on a new one (whose workers have imported what the product has them import, and read or compiled
nothing), then again. A job of ours with every product but figures and report stands beside MintPy's chain too. Prints
seconds, core seconds, the largest process of each, and ratios. Without MintPy, only ours is timed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file, from a checkout

from _displacement_turns import turns
from peers.mintpy import LOADING, STEPS, MintpyRun, Took, continued, peer, run_mintpy

from dask_jobs.simulate_insar import InsarTruth, simulate_insar

KEPT = "BENCH_INSAR"  # environment variable: folder for products that stay
WORKERS = 2
CLUSTERS: tuple[Literal["none", "local"], ...] = ("none", "local")
INVERSION, CHAIN, NEW, JOB = "inversion", "chain", "chain on a new cluster", "job"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The products, a folder for what is made of them, and what each contender took, turn by turn."""

    truth: InsarTruth
    scratch: Path
    took: dict[str, list[Took]] = field(default_factory=dict)

    def turn(self, name: str, contender: Callable[[Path], Took]) -> None:
        """Let a contender run once in a folder of its own, which is gone before the next one begins."""
        work = self.scratch / "turn"
        work.mkdir()
        took = contender(work)
        shutil.rmtree(work, ignore_errors=True)  # a driver may still be tidying up after itself
        self.took.setdefault(name, []).append(took)
        print(
            f"  {name:<32}{took.wall:9.1f} s{took.cpu:9.1f} core seconds{took.peak / 1e6:8.0f} MB, "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )

    def median(self, name: str) -> tuple[float, float]:
        """Wall and core seconds of a contender."""
        turns = self.took[name]
        return statistics.median(t.wall for t in turns), statistics.median(t.cpu for t in turns)

    def fastest(self, what: str) -> str | None:
        """MintPy's faster way to do `what`; None where it did not run."""
        names = [name for name in self.took if name.startswith(f"MintPy, {what},")]
        return min(names, key=lambda name: self.median(name)[0]) if names else None

    # -- contenders ---------------------------------------------------------------------------------------------------

    def mintpy(self, work: Path, *, cluster: Literal["none", "local"], steps: Sequence[str] = STEPS) -> Took:
        """One process from the first of `steps` to the last."""
        run = run_mintpy(
            self.truth.folder,
            work,
            reference=self.truth.reference,
            cluster=cluster,
            workers=WORKERS,
            steps=steps,
            one_process=True,
        )
        return run.took["all"]

    def mintpy_inversion(self, loaded: MintpyRun, cluster: Literal["none", "local"]) -> Callable[[Path], Took]:
        """The inversion alone, of what MintPy has loaded."""

        def invert(work: Path) -> Took:
            return self.mintpy(continued(loaded, work / "inverted"), cluster=cluster, steps=["invert_network"])

        return invert

    def mintpy_chain(self, cluster: Literal["none", "local"]) -> Callable[[Path], Took]:
        """From loading to velocity."""
        return lambda work: self.mintpy(work, cluster=cluster)


def compare(bench: Bench, *, rounds: int) -> None:
    """Let everybody take turns."""
    loaded = None
    if peer():
        place = bench.scratch / "loaded"
        place.mkdir()
        print("MintPy loads the products")
        loaded = run_mintpy(bench.truth.folder, place, reference=bench.truth.reference, steps=LOADING)
    else:
        print("MintPy is not installed (make peers): ours alone")
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}")
        if loaded:
            for cluster in CLUSTERS:
                bench.turn(f"MintPy, {INVERSION}, {cluster}", bench.mintpy_inversion(loaded, cluster))
            fastest = str(bench.fastest(INVERSION)).rpartition(" ")[2]
            bench.turn(f"MintPy, {CHAIN}, {fastest}", bench.mintpy_chain("local" if fastest == "local" else "none"))
        with turns(bench.scratch / f"state-{number}", workers=WORKERS) as own:
            ours = {NEW: own.chain, CHAIN: own.chain, INVERSION: own.inversion, JOB: own.job}
            for what, turn in ours.items():
                bench.turn(f"sarbatch, {what}", lambda work, turn=turn: turn(bench.truth, work))


def show(bench: Bench) -> None:
    """Print medians and ratios."""
    print(f"\n{'':<34}{'seconds':>9}{'core seconds':>14}{'rounds':>8}")
    for name, took in bench.took.items():
        wall, cpu = bench.median(name)
        print(f"{name:<34}{wall:9.1f}{cpu:14.1f}{len(took):8d}")
    print()
    for theirs, ours in ((INVERSION, INVERSION), (CHAIN, CHAIN), (CHAIN, NEW), (CHAIN, JOB)):
        other, own = bench.fastest(theirs), f"sarbatch, {ours}"
        if other and own in bench.took:
            (wall, cpu), (base, base_cpu) = bench.median(other), bench.median(own)
            print(f"{other} / {own}: {wall / base:.1f} (core seconds {cpu / base_cpu:.1f})")


def main() -> None:
    """Make products, let everybody take turns, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=1000, help="pixels along y and x")
    options.add_argument("--dates", type=int, default=30)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--scratch", type=Path, help="folder for products and results")
    given = options.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="sarbatch-displacement-", dir=given.scratch))
    try:
        kept = os.environ.get(KEPT)
        folder = Path(kept) if kept else scratch
        truth = simulate_insar(folder / f"simulated-{given.size}-{given.dates}", dates=given.dates, size=given.size)
        print(f"{len(truth.pairs)} pairs of {given.dates} dates x {given.size} x {given.size}, {os.cpu_count()} cores")
        bench = Bench(truth=truth, scratch=scratch)
        compare(bench, rounds=given.rounds)
        show(bench)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
