"""A pixel drawn at random from all that may be the reference, the same one however the scene is cut into blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

BITS = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


class Candidate(NamedTuple):
    """A pixel that may be the reference, by its row and column in the whole scene; the greatest priority is drawn."""

    priority: int
    row: int
    col: int


def candidate(mask: np.ndarray, window_row: int, window_col: int, *, seed: int) -> Candidate | None:
    """The pixel of a block that would be drawn if there were no other block; None if the mask has none.

    Each pixel's priority is a hash of seed, row and column, so that each of the scene's candidates is as likely to have
    the greatest.

    Parameters
    ----------
    mask : dims (y, x), bool, True for a candidate
    window_row, window_col : of the block's first pixel, in the whole scene
    seed : any integer; another one is another draw

    References
    ----------
    Steele, Lea and Flood (2014), doi:10.1145/2660193.2660195 (SplitMix64)
    """
    rows, cols = np.nonzero(mask)
    if not rows.size:
        return None
    rows, cols = rows + window_row, cols + window_col
    start = _mixed(np.array([seed & BITS], dtype=np.uint64))
    priority = _mixed(_mixed(start + rows.astype(np.uint64)) + cols.astype(np.uint64))
    among = np.flatnonzero(priority == priority.max())  # of equals, the last row, then the last column
    chosen = int(max(among, key=lambda k: (rows[k], cols[k])))
    return Candidate(int(priority[chosen]), int(rows[chosen]), int(cols[chosen]))


def best(candidates: Iterable[Candidate | None]) -> Candidate | None:
    """The one that is drawn among those of all blocks; None if none has any."""
    return max((one for one in candidates if one is not None), default=None)


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's next number from each state, uint64; sums and products leave out what is past 64 bits."""
    mixed = values + np.uint64(GOLDEN)
    for shift, factor in STEPS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
