"""Quantities of each pass, made of its power."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def quantity_of(powers: Mapping[str, np.ndarray], quantity: str) -> np.ndarray:
    """One quantity of every pass.

    Parameters
    ----------
    powers : by polarization, any dims, float64, linear power, NaN where there is no data
    quantity : `vv vh` power; `vv_db vh_db` decibel; `ratio` VV / VH; `ratio_db` VV dB - VH dB

    Returns
    -------
    same dims, float64, NaN where there is none: power that is not positive has no dB, and a ratio needs VH > 0
        The power itself, not a copy, where that is the quantity.
    """
    if quantity == "ratio":
        return ratio_of(powers["VV"], powers["VH"])
    if quantity == "ratio_db":
        difference: np.ndarray = decibel(powers["VV"]) - decibel(powers["VH"])
        return difference
    power = powers[quantity.removesuffix("_db").upper()]
    return decibel(power) if quantity.endswith("_db") else power


def decibel(power: np.ndarray) -> np.ndarray:
    """10 log10 of power, dB, float64; NaN where it is not positive."""
    made = np.full(power.shape, np.nan)
    np.log10(power, out=made, where=power > 0)
    made *= 10.0
    return made


def ratio_of(power: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Ratio of a power to another, float64; NaN where `other` is not positive."""
    made = np.full(power.shape, np.nan)
    np.divide(power, other, out=made, where=other > 0)
    return made
