"""What an area of NISAR GCOV frames on S3 costs: bytes and requests, beside the notebook's way.

    python tests/benchmarks/bench_nisar_s3.py

The same area of the same arrays of the same files from one server that counts, and the same values (checked). The notebook's way
is h5py over fsspec's block cache of 16 MB, as `s3fs.open(..., cache_type="background")` reads; a block cache of 4 MB is shown too.
sarbatch reads the mask besides, which the notebook does not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]  # run as a file, from a checkout

MB = 1e6


def main() -> None:
    from counted_s3 import counted_s3
    from gcov_files import SAMPLE
    from nisar_costs import compare, upload

    if not SAMPLE.is_dir():
        print("the GCOV sample is not at ../shared/data: nothing to measure")
        return
    os.environ.update(AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s")
    with counted_s3() as server:
        client = upload(server.endpoint)
        for side in (32, 256):
            costs = compare(server, client, side=side)
            print(f"\n{side} x {side} pixels of HH, {len(costs[0].values)} dates")
            print(f"{'':32}{'requests':>10}{'MB':>10}{'seconds':>10}{'of the notebook':>18}")
            for cost in costs:
                share = cost.bytes / costs[2].bytes
                print(f"{cost.way:32}{cost.requests:10}{cost.bytes / MB:10.2f}{cost.seconds:10.2f}{share:18.1%}")
                np.testing.assert_array_equal(cost.values, costs[2].values)


if __name__ == "__main__":
    main()
