"""What an area of NISAR GCOV frames on S3 costs by sarbatch and by the notebook, counted by one server in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from counted_s3 import CountedServer, NotebookFile
from gcov_files import GRIDS, SAMPLE

from dask_jobs.backscatter import mosaic
from dask_jobs.passes import group_passes
from dask_jobs.readers.hdf5_references import reference_cache
from dask_jobs.readers.nisar_gcov import GcovChoice, find
from infra.grid import Window
from infra.storage import S3Options

BUCKET = "nisar"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one way of reading cost."""

    way: str
    requests: int
    bytes: int
    seconds: float
    values: np.ndarray


def upload(endpoint: str, *, crid: str = "P05023") -> Any:
    """The sample's provisional files in a bucket; a client of the server."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket=BUCKET)
    for path in sorted(SAMPLE.glob(f"*{crid}*.h5")):
        client.upload_file(str(path), BUCKET, path.name)
    return client


def compare(server: CountedServer, client: Any, *, side: int) -> list[Cost]:
    """A square of `side` pixels of HH in the middle of the first grid, all dates that are on it."""
    found = find(f"s3://{BUCKET}", choice=GcovChoice(polarizations=["HH"]), s3=S3Options(endpoint=server.endpoint))
    scenes = [s for s in found.scenes if s.grid == found.scenes[0].grid]
    grid = scenes[0].grid
    window = Window((grid.height - side) // 2, (grid.width - side) // 2, side, side)
    s3 = S3Options(endpoint=server.endpoint)

    def ours(*, survey: bool) -> np.ndarray:
        reference_cache.cache_clear()
        if survey:
            find(f"s3://{BUCKET}", choice=GcovChoice(polarizations=["HH"]), s3=s3)
        passes = group_passes(scenes)
        return np.stack([mosaic(p, "HH", target=grid, window=window, s3=s3)[0] for p in passes])

    def theirs(cache_type: str, block_size: int) -> np.ndarray:
        keys = [s.rasters["HH"].url.rpartition("/")[2] for s in scenes]
        return np.stack([_read_like_the_notebook(client, key, window, cache_type, block_size) for key in keys])

    return [
        _counted("sarbatch, survey and pixels", server, lambda: ours(survey=True)),
        _counted("sarbatch, pixels of a worker", server, lambda: ours(survey=False)),
        _counted("notebook, background 16 MB", server, lambda: theirs("background", 16 * 2**20)),
        _counted("the same, block cache 4 MB", server, lambda: theirs("blockcache", 4 * 2**20)),
    ]


def _read_like_the_notebook(client: Any, key: str, window: Window, cache_type: str, block_size: int) -> np.ndarray:
    file = NotebookFile(client, BUCKET, key, cache_type=cache_type, block_size=block_size)
    with file, h5py.File(file, "r") as opened:
        group = opened[f"{GRIDS}/frequencyA"]
        group["xCoordinates"][()], group["yCoordinates"][()]  # to find the area
        return np.asarray(group["HHHH"][window.slices])


def _counted(way: str, server: CountedServer, read: Callable[[], np.ndarray]) -> Cost:
    start = time.perf_counter()
    with server.counting() as sent:
        values = read()
    return Cost(way=way, requests=sent.requests, bytes=sent.bytes, seconds=time.perf_counter() - start, values=values)
