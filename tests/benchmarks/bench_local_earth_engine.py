"""What one core of the local Earth Engine does in a second: the Refined Lee script, focal medians, composites.

    python tests/benchmarks/bench_local_earth_engine.py

Seconds are of one processor, so that other work on the machine counts less. Blocks as exports are computed in.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]  # run as a file, from a checkout

SIDE, SCENES, MARGIN = 1024, 20, 16


def main() -> None:
    from ee_offline import TEN_METRES, computed, offline_client, raster_band, shelf
    from refined_lee_graph import NOTEBOOK, focal_composite, refined_lee

    from gee.local.pixels import Grid, Image

    rng = np.random.default_rng(0)
    shape = (SIDE + 2 * MARGIN, SIDE + 2 * MARGIN)
    whole = Grid(TEN_METRES.crs, TEN_METRES.transform, *shape[::-1])
    grid = whole.pad(-MARGIN, -MARGIN, -MARGIN, -MARGIN)
    names = [f"s{index}" for index in range(SCENES)]

    def scene(holes: float = 0) -> Image:
        bands = [
            raster_band(name, rng.gamma(4.4, mean / 4.4, shape), mask=rng.random(shape) >= holes)
            for name, mean in (("VV", 0.1), ("VH", 0.02))
        ]
        return Image(tuple(bands))

    context = shelf(**{name: scene() for name in names}, holes=scene(0.1))
    with offline_client() as ee:
        scenes = [ee.Image(name) for name in names]
        cases: dict[str, Any] = {
            "focal median, 100 m": scenes[0].select("VV").focal_median(100, "circle", "meters"),
            "focal median, 10 % masked": ee.Image("holes").select("VV").focal_median(100, "circle", "meters"),
            "focal median, 3 x 3": scenes[0].select("VV").focal_median(),
            "focal mean, 100 m": scenes[0].select("VV").focal_mean(100, "circle", "meters"),
            "neighbourhood, variance 7 x 7": scenes[0]
            .select("VV")
            .reduceNeighborhood(ee.Reducer.variance(), ee.Kernel.square(3)),
            f"median of {SCENES} scenes": ee.ImageCollection(scenes).select("VV").median(),
            f"median of {SCENES} focal medians, VV VH ratio": focal_composite(ee, ee.ImageCollection(scenes)),
        }
        if NOTEBOOK.is_file():
            cases = {
                "Refined Lee": refined_lee(ee, scenes[0].select("VV")),
                "Refined Lee, 10 % masked": refined_lee(ee, ee.Image("holes").select("VV")),
            } | cases
        graphs = {name: computed(graph, context) for name, graph in cases.items()}
    print(f"{'':46}{'seconds':>10}{'Mpixel/s':>10}")
    for name, image in graphs.items():
        render(image, grid.pad(0, 0, 64 - SIDE, 64 - SIDE))  # loops are compiled
        seconds = timed(lambda image=image: render(image, grid))
        print(f"{name:46}{seconds:10.2f}{SIDE * SIDE / seconds / 1e6:10.2f}", flush=True)


def render(image: Any, grid: Any) -> None:
    """All bands of an image, block by block, as exports are computed."""
    from gee.local.rendering.blocks import Work, blocks

    drained: Iterator[Any] = blocks(image.bands, grid, Work(threads=1))
    for _ in drained:
        pass


def timed(call: Callable[[], None]) -> float:
    """Seconds of processor time, the better of two."""
    found = []
    for _ in range(2):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
