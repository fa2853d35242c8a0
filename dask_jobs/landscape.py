"""An invented landscape: what covers each pixel of a simulated scene, and what power it scatters back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from infra.grid import Grid, Window

CLEARED = 6  # index of the first date on which the clearing is bare


class Cover(IntEnum):
    """What a pixel is, in `truth_classes.npy`; a clearing was forest before its date."""

    FOREST = 1
    WATER = 2
    FARMLAND = 3
    CLEARING = 4
    SHADOW = 5
    LAYOVER = 6
    LAYOVER_AND_SHADOW = 7


MASK_VALUE = {Cover.SHADOW: 1, Cover.LAYOVER: 2, Cover.LAYOVER_AND_SHADOW: 3}  # as in OPERA's mask layer

# mean gamma nought in dB by polarization; order of magnitude of C-band over each cover
LEVEL_DB: Mapping[str, Mapping[Cover, float]] = {
    "VV": {
        Cover.FOREST: -7.5,
        Cover.WATER: -19.0,
        Cover.FARMLAND: -11.0,
        Cover.CLEARING: -11.5,
        Cover.SHADOW: -24.0,
        Cover.LAYOVER: 1.0,
        Cover.LAYOVER_AND_SHADOW: -2.0,
    },
    "VH": {
        Cover.FOREST: -13.0,
        Cover.WATER: -27.0,
        Cover.FARMLAND: -17.5,
        Cover.CLEARING: -19.0,
        Cover.SHADOW: -30.0,
        Cover.LAYOVER: -5.0,
        Cover.LAYOVER_AND_SHADOW: -8.0,
    },
}
SEASON_DB = {"VV": 2.5, "VH": 3.5}  # amplitude of farmland's yearly cycle, highest in the middle of July


def landscape(grid: Grid, *, window: Window) -> np.ndarray:
    """`Cover` of the pixels of `window`, dims (y, x), uint8: the same picture stretched over any `grid`."""
    v = ((np.arange(window.row, window.row + window.height) + 0.5) / grid.height)[:, np.newaxis]
    u = ((np.arange(window.col, window.col + window.width) + 0.5) / grid.width)[np.newaxis, :]

    def box(top: float, bottom: float, left: float, right: float) -> np.ndarray:
        inside: np.ndarray = (v >= top) & (v < bottom) & (u >= left) & (u < right)
        return inside

    cover = np.full((window.height, window.width), Cover.FOREST, dtype=np.uint8)
    cover[np.broadcast_to(u > 0.6, cover.shape)] = Cover.FARMLAND
    cover[abs(u - 0.5 - 0.05 * np.sin(3 * np.pi * v)) < 0.04] = Cover.WATER
    cover[((v - 0.25) / 0.1) ** 2 + ((u - 0.25) / 0.12) ** 2 < 1] = Cover.WATER
    cover[box(0.58, 0.72, 0.16, 0.36)] = Cover.CLEARING
    cover[box(0.78, 0.88, 0.18, 0.24)] = Cover.LAYOVER
    cover[box(0.78, 0.88, 0.24, 0.28)] = Cover.LAYOVER_AND_SHADOW
    cover[box(0.78, 0.88, 0.28, 0.36)] = Cover.SHADOW
    return cover


def footprint(grid: Grid, *, window: Window) -> np.ndarray:
    """Where a burst has data, dims (y, x), bool: a parallelogram, slanted against the grid as orbits are."""
    v = ((np.arange(window.row, window.row + window.height) + 0.5) / grid.height)[:, np.newaxis]
    u = ((np.arange(window.col, window.col + window.width) + 0.5) / grid.width)[np.newaxis, :]
    inside: np.ndarray = (u > 0.02 + 0.08 * v) & (u < 0.9 + 0.08 * v) & (v > 0.04 * (1 - u)) & (v < 1 - 0.04 * u)
    return inside


def class_power(polarization: str, *, times: tuple[datetime, ...]) -> np.ndarray:
    """Mean linear power, dims (date, class code), float64; NaN for code 0, which is no class."""
    level = LEVEL_DB[polarization]
    db = np.full((len(times), len(Cover) + 1), np.nan)
    for cover in Cover:
        db[:, cover] = level[cover]
    day = np.array([t.timetuple().tm_yday for t in times])
    db[:, Cover.FARMLAND] += SEASON_DB[polarization] * np.sin(2 * np.pi * (day - 105) / 365.25)
    db[:CLEARED, Cover.CLEARING] = level[Cover.FOREST]
    power: np.ndarray = 10 ** (db / 10)
    return power
