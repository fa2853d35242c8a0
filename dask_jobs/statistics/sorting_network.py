"""Batcher's merge-exchange sorting network: compare-exchanges that sort any n values, whatever their order.

A network does the same exchanges for every pixel, so a row of pixels is sorted along time by `min` and `max` of whole
rows, which the processor does several pixels at a time. A comparison sort must branch for each pixel.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=64)  # a few distinct n per process; 1000 values need 0.4 MB
def compare_exchanges(n: int) -> np.ndarray:
    """Pairs `(i, j)`, i < j, to be put in ascending order one after the other, dims (pair, 2), int32, read-only.

    Parameters
    ----------
    n : number of values, any number from 0 on (not only powers of two); about n log²n / 4 pairs

    References
    ----------
    Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M (merge exchange); Batcher (1968).
    """
    steps: list[np.ndarray] = []
    t = max(n - 1, 0).bit_length()
    p = 1 << t >> 1
    while p > 0:
        q, r, d = 1 << t >> 1, 0, p
        while True:
            i = np.arange(n - d, dtype=np.int32)
            i = i[(i & p) == r]
            steps.append(np.column_stack((i, i + np.int32(d))))
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    pairs = np.concatenate(steps) if steps else np.empty((0, 2), dtype=np.int32)
    pairs.setflags(write=False)
    return pairs
