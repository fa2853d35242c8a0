"""Graphs and the client on workers of a cluster: built on one, asked from all, in processes and threads at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster
from ee_scenes import earth_engine

from gee.local.simulate import Simulation
from gee.session import Connection

COLLECTION = "COPERNICUS/S1_GRD_FLOAT"


def mean_of(connection: Connection, looks: float) -> Callable[[str], tuple[int, float]]:
    """What a worker runs: from the id of a scene to its process and the filtered scene's mean."""

    def job(scene: str) -> tuple[int, float]:
        import os

        import ee

        from gee.session import initialize
        from gee.speckle.lee import lee

        initialize(connection)
        image = lee(ee.Image(scene).select(["VV"]).toDouble(), window=5, looks=looks)
        found = image.reduceRegion(ee.Reducer.mean(), image.geometry(), crs=image.projection()).getInfo()
        return os.getpid(), float(found["VV"])

    return job


def test_threads_of_several_workers_build_and_ask_at_once(tmp_path: Path) -> None:
    with (
        earth_engine(tmp_path, simulation=Simulation(width=32, height=40, overlap=8, dates=4)) as url,
        LocalCluster(n_workers=2, threads_per_worker=3, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        import ee

        scenes = [
            f"{COLLECTION}/{index}"
            for index in ee.ImageCollection(COLLECTION).aggregate_array("system:index").getInfo()
        ]
        job = mean_of(Connection(project="local-demo", url=url, anonymous=True), 4.4)
        here = {scene: job(scene)[1] for scene in scenes}
        found = client.gather(client.map(job, scenes * 3, pure=False))
    assert len(scenes) == 16
    assert len({process for process, _ in found}) == 2
    assert [mean for _, mean in found] == [here[scene] for scene in scenes * 3]
    assert len(set(here.values())) == len(scenes)
    assert np.all(np.asarray(list(here.values())) > 0)
