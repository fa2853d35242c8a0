"""What one core of a Dask worker filters in a second, beside the local Earth Engine and a plain loop over pixels.

    python tests/benchmarks/bench_speckle.py [--size 1500]

Seconds are of one processor, so that other work on the machine counts less: the better of three. Gamma speckle of 4.4
looks, float32, every tenth pixel without data where the name says so. Refined Lee is wanted at 4 Mpixel/s, and at four
times what the local Earth Engine does with the same filter (the graph of `gee.speckle`) and with the script that many
copy (of the notebook, where that is there).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]  # run as a file, from a checkout

DATES, TURNS, MARGIN = 8, 3, 16
LOOP_SIDE, GRAPH_SIDE = 80, 768  # pixels: the others are slower
WANTED, TIMES = 4.0, 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1500, help="side of the image, pixels")
    side = parser.parse_args().size
    print(f"{'':46}{'seconds':>10}{'Mpixel/s':>10}")
    rates = compiled_rates(side)
    plain = plain_rate()
    graphs = graph_rates()
    own = rates["refined_lee"]
    said = {"wanted": WANTED, "a plain loop": plain, **graphs}
    print("\nrefined_lee, compiled: " + ", ".join(f"{own / rate:.1f} times {name}" for name, rate in said.items()))
    slow = [name for name, rate in graphs.items() if own < TIMES * rate]
    if own < WANTED or slow:
        raise SystemExit(f"too slow: {own:.1f} Mpixel/s, {WANTED:g} are wanted, and {TIMES:g} times {', '.join(slow)}")


def compiled_rates(side: int) -> dict[str, float]:
    """Mpixel/s of every filter."""
    from dask_jobs.speckle.choice import Speckle
    from dask_jobs.speckle.despeckle import despeckle

    random = np.random.default_rng(0)
    power = random.gamma(4.4, 1 / 4.4, (1, side, side)).astype(np.float32)
    holes = np.where(random.random(power.shape) < 0.1, np.float32(np.nan), power)
    dates = np.repeat(power, DATES, axis=0)
    filters: dict[str, tuple[np.ndarray, Speckle]] = {
        "boxcar, 7 x 7": (power, Speckle(filter="boxcar")),
        "boxcar, 31 x 31": (power, Speckle(filter="boxcar", window=31)),
        "focal_median, 3 pixels": (power, Speckle(filter="focal_median")),
        "focal_median, 10 pixels": (power, Speckle(filter="focal_median", radius=10)),
        "lee, 7 x 7": (power, Speckle(filter="lee", looks=4.4)),
        "refined_lee": (power, Speckle(filter="refined_lee")),
        "refined_lee, 10 % without data": (holes, Speckle(filter="refined_lee")),
        "refined_lee, looks known": (power, Speckle(filter="refined_lee", looks=4.4)),
        "gamma_map, 7 x 7": (power, Speckle(filter="gamma_map", looks=4.4)),
        "lee_sigma, 9 x 9": (power, Speckle(filter="lee_sigma", window=9, looks=4.4, strong=4.0)),
        f"multi_temporal, 7 x 7, {DATES} dates": (dates, Speckle(filter="multi_temporal")),
    }
    rates = {}
    for name, (values, speckle) in filters.items():
        despeckle(values[:, :64, :64], speckle, "VV")  # compiled now
        rates[name] = told(name, values.size, timed(partial(despeckle, values, speckle, "VV")))
    return rates


def plain_rate() -> float:
    """Mpixel/s of a loop over pixels."""
    import plain_speckle

    power = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (LOOP_SIDE, LOOP_SIDE))
    return told("refined_lee, a plain loop", power.size, timed(lambda: plain_speckle.refined_lee(power), turns=1))


def graph_rates() -> dict[str, float]:
    """Mpixel/s of the local Earth Engine."""
    from ee_offline import TEN_METRES, computed, offline_client, raster_band, shelf
    from refined_lee_graph import NOTEBOOK
    from refined_lee_graph import refined_lee as script

    from gee.local.pixels import Grid, Image
    from gee.speckle.refined_lee import refined_lee

    shape = (GRAPH_SIDE + 2 * MARGIN, GRAPH_SIDE + 2 * MARGIN)
    power = np.random.default_rng(0).gamma(4.4, 1 / 4.4, shape)
    grid = Grid(TEN_METRES.crs, TEN_METRES.transform, *shape[::-1]).pad(-MARGIN, -MARGIN, -MARGIN, -MARGIN)
    context = shelf(scene=Image((raster_band("VV", power),)))
    rates = {}
    with offline_client() as ee:
        graphs: dict[str, Any] = {"the local Earth Engine": refined_lee(ee.Image("scene"))}
        if NOTEBOOK.is_file():
            graphs["the copied script there"] = script(ee, ee.Image("scene"))
        for name, graph in graphs.items():
            image = computed(graph, context)
            render(image, grid.pad(0, 0, 64 - GRAPH_SIDE, 64 - GRAPH_SIDE))  # loops are compiled
            seconds = timed(partial(render, image, grid), turns=2)
            rates[name] = told(f"refined_lee, {name}", GRAPH_SIDE**2, seconds)
    return rates


def render(image: Any, grid: Any) -> None:
    """All bands of an image, block by block, as exports are computed."""
    from gee.local.rendering.blocks import Work, blocks

    for _ in blocks(image.bands, grid, Work(threads=1)):
        pass


def told(name: str, pixels: int, seconds: float) -> float:
    """Print a line; Mpixel/s."""
    rate = pixels / seconds / 1e6
    print(f"{name:46}{seconds:10.3f}{rate:10.2f}", flush=True)
    return rate


def timed(call: Callable[[], object], *, turns: int = TURNS) -> float:
    """Seconds of processor time, the best of several."""
    found = []
    for _ in range(turns):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
