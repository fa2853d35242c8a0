"""Whether dates tell a cycle: how evenly they are spread over it."""

from __future__ import annotations

import numpy as np

LEAST_DATES = 4  # three are needed for three unknowns: they would fit anything
LEAST_SPREAD = 0.02  # below it a cycle's amplitude has five times the error that as many dates spread evenly give


def sampled_spread(days: np.ndarray, *, period: float) -> float:
    """Smallest variance, over all directions, of (cos, sin) of the cycle at the dates given.

    Parameters
    ----------
    days : dims (time,), at least one
    period : days

    Returns
    -------
    spread : 0.5 of dates spread evenly, 0.10 within half a period, 0.02 within a third, 0 at two places of the cycle
    """
    angle = 2 * np.pi * (np.asarray(days, dtype=np.float64) % period) / period
    return float(np.linalg.eigvalsh(np.cov(np.cos(angle), np.sin(angle), ddof=0))[0])
