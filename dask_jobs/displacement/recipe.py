"""What to make of which stack of interferograms, in the engine's own terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from dask_jobs.interferograms import Sensing
from dask_jobs.sbas.inversion import Inversion
from dask_jobs.sbas.network import NetworkCriteria
from dask_jobs.sbas.time_functions import TimeFunction
from infra.storage import Location

Observations = Literal["none", "coherence", "components"]


@dataclass(frozen=True, kw_only=True)
class HeightSetup:
    """How a delay that goes with height is fitted: degree, least correlation, and side of the averaged cells, pixels."""

    order: int = 1
    min_correlation: float = 0.0
    looks: int = 8


@dataclass(frozen=True, kw_only=True)
class DemErrorSetup:
    """How the error of the height model is told from motion; steps are dates, periods years."""

    poly_order: int = 2
    steps: tuple[date, ...] = ()
    periods: tuple[float, ...] = ()
    phase_velocity: bool = False


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to make of which stack.

    Attributes
    ----------
    store, tag : a published stack of interferograms
    sensing : of its first interferogram
    network : which pairs are used
    reference : row and column of the reference pixel; None to draw one of mean coherence `min_coherence` with `seed`
    observation : what leaves a pair out in a pixel: coherence below `observation_coherence`, or no connected component
    temporal_coherence : of pixels that are fitted and shown, at least
    height : fit of a delay to height; None for none
    ramp : 1 for planes, 2 for quadratic surfaces, taken off each date; None for none
    dem_error : None for none
    reference_date : date of no displacement: "auto" for the quietest, "first", or one by name
    exclude_dates : dates without which is fitted; None for those that are noisy, as far as motion goes
    error : whether standard errors of the time function come from what it leaves, or from coherence
    mintpy_rules : whether missing observations are treated as MintPy does
    """

    store: Location
    tag: str
    sensing: Sensing
    network: NetworkCriteria
    reference: tuple[int, int] | None
    min_coherence: float
    seed: int
    inversion: Inversion
    observation: Observations
    observation_coherence: float
    temporal_coherence: float
    height: HeightSetup | None
    ramp: Literal[1, 2] | None
    dem_error: DemErrorSetup | None
    reference_date: date | Literal["auto", "first"]
    exclude_dates: tuple[date, ...] | None
    time_function: TimeFunction
    error: Literal["residue", "covariance"]
    mintpy_rules: bool

    @property
    def stages(self) -> Sequence[str]:
        """Names of the series after each step, in their order."""
        made = ["inverted"]
        made += ["troposphere"] * (self.height is not None)
        made += ["deramped"] * (self.ramp is not None)
        made += ["corrected"] * (self.dem_error is not None)
        return made
