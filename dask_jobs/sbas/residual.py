"""Noise of each date, from what a model leaves of the series: which dates to leave out, and which to refer to."""

from __future__ import annotations

import numpy as np

from dask_jobs.sbas.ramps import RampMoments, fit_ramps, referenced
from infra.errors import InputError

NORMAL = 1.4826  # standard deviation over median absolute deviation, of normal noise


def residual_rms(moments: RampMoments, *, reference: tuple[int, int]) -> np.ndarray:
    """Root mean square of each date's residual without its ramp, over the pixels of the mask.

    Parameters
    ----------
    moments : of the whole raster, of the residual (m): the sum of its blocks' `ramp_moments`, of order 2 as MintPy has it
    reference : row and column of the reference pixel in the raster

    Returns
    -------
    dims (time,), float64, m; NaN where a date has no pixel
        The ramp is taken minus its value at the reference pixel. Pixels that are exactly 0 stay 0 and count.

    Notes
    -----
    No pixel is looked at again: the sum of squares of r - c.b is a quadratic form of the moments of r and the columns b.
    It loses (ramp / residual)² of its 16 digits.
    """
    fit = fit_ramps(moments)
    weights = np.concatenate([-referenced(fit, reference=reference), np.ones((len(fit.coefficients), 1))], axis=1)
    squares = np.einsum("ti,tij,tj->t", weights, moments.sums.products, weights)
    count = moments.sums.count
    rms = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count, 1.0))
    return np.asarray(np.where(count > 0, rms, np.nan))


def noisy_dates(rms: np.ndarray, *, cutoff: float = 3.0) -> np.ndarray:
    """Dates to leave out, dims (time,), bool: their RMS is above `cutoff` times 1.4826 times the median RMS.

    The deviation is about zero, not about the median. A date without RMS (NaN) has nothing to rely on: it is left out.

    Parameters
    ----------
    rms : dims (time,), m, as of `residual_rms`
    cutoff : above 0; MintPy's is 3

    Raises
    ------
    InputError
        If the cutoff is not above 0, or no date has an RMS.

    References
    ----------
    Rousseeuw and Hubert (2011), doi:10.1002/widm.2; Yunjun et al. (2019), doi:10.1016/j.cageo.2019.104331
    """
    if not cutoff > 0:
        raise InputError(f"a cutoff of {cutoff:g} leaves out every date", "Give one above 0; 3 is usual.")
    known = _known(rms)
    threshold = cutoff * NORMAL * np.median(np.abs(rms[known]))
    return np.array([not value <= threshold for value in rms], dtype=bool)


def reference_date_index(rms: np.ndarray) -> int:
    """Index of the quietest date, the first of those that are equal.

    Raises
    ------
    InputError
        If no date has an RMS.
    """
    return int(np.argmin(np.where(_known(rms), rms, np.inf)))


def _known(rms: np.ndarray) -> np.ndarray:
    known: np.ndarray = np.isfinite(rms)
    if not known.any():
        raise InputError(
            "no date has a residual within the mask",
            "Lower the coherence that a pixel needs, or look at the residuals.",
        )
    return known
