"""What simulated interferograms are made of: ground that moves, an atmosphere, a surface that loses coherence.

Everything is a function of the place in the image, of the seed, and of the number of a date or of a pair of dates:
twelve dates are the first twelve of thirteen, and any window of any one pair can be made by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dask_jobs.interferograms import SENTINEL1_WAVELENGTH
from dask_jobs.landscape import footprint
from dask_jobs.sbas.pairs import DAYS_PER_YEAR, Pairs
from dask_jobs.smooth_fields import places, smooth_field
from infra.errors import InputError
from infra.grid import Grid, Window

LOOKS = 41  # independent looks of 20 x 4: pixels are 1.94 times finer than the resolution
EARTH_RADIUS, SPACECRAFT_HEIGHT = 6_377_500.0, 700_500.0  # m
NEAR, FAR = np.deg2rad(36.0), np.deg2rad(43.0)  # incidence at the left and the right side
HEADING = -12.64  # degrees clockwise from north: ascending
NOISY_DATE = 11  # index
GAP = 8  # index of the last date before the gap that splits the network of some pixels
LACKING = 5  # index of the date that some pixels lack
STRIP = 512  # rows that one stream of random numbers makes
# what a stream of random numbers is for: behind the seed, so that no effect changes another
ORBIT, HEIGHT, ERROR, SURFACE, AIR, WEATHER, DECORRELATION, CYCLES, CLOUDS = range(9)


class Bell(NamedTuple):
    """A Gaussian bell: centre from the top and from the left, radius (both as a part of the image)."""

    v: float
    u: float
    radius: float


BOWL, UPLIFT, BREATHING, TOWN = Bell(0.42, 0.38, 0.1), Bell(0.7, 0.7, 0.07), Bell(0.3, 0.72, 0.1), Bell(0.12, 0.3, 0.05)
LAKE, MISTAKEN = Bell(0.62, 0.22, 0.08), Bell(0.2, 0.58, 0.07)  # here circles
SUBSIDENCE, RISE, SEASON = -0.060, 0.030, 0.012  # m/yr, m/yr, m
NO_BRIDGE, NO_DATE, NO_FIRST = (0.45, 0.51, 0.78, 0.86), (0.53, 0.58, 0.78, 0.86), (0.38, 0.43, 0.78, 0.86)  # boxes


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Which effects there are; without any, phases are the constants of the pairs.

    Attributes
    ----------
    velocity : a bowl that subsides by 60 mm/yr, and an uplift of 30 mm/yr
    season : an area that breathes by 12 mm every year
    dem_error : of 8 m (one standard deviation)
    stratified : a delay that grows with height, other on every date
    turbulence : of the troposphere, some millimetres
    noisy_date : much more turbulence on the twelfth date
    decorrelation : noise of phase and of the estimate of coherence, as of 41 looks
    unwrapping_errors : cycles too many or too few, in a patch, in some pairs
    water : a lake and a sea, without coherence
    missing : pixels that some pairs lack: one box splits into two islands of dates, one lacks a date, one the first
        date, and decorrelating ground is missing here and there
    borders : slanted edges without data, as of orbits
    constant : of each pair: unwrapping begins at the reference, whose phase is wrapped
    """

    velocity: bool = True
    season: bool = True
    dem_error: bool = True
    stratified: bool = True
    turbulence: bool = True
    noisy_date: bool = True
    decorrelation: bool = True
    unwrapping_errors: bool = True
    water: bool = True
    missing: bool = True
    borders: bool = True
    constant: bool = True

    @classmethod
    def only(cls, *names: str) -> Effects:
        """The named effects and no other.

        Raises
        ------
        InputError
            If there is no effect of that name.
        """
        known = [one.name for one in fields(cls)]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(f"there is no effect {unknown[0]!r}", f"Choose from {', '.join(known)}.")
        return cls(**{name: name in names for name in known})


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """What is true about simulated interferograms, as arrays of any window (None: the whole grid), dims (y, x).

    Distances along the line of sight are positive toward the satellite. float64 where nothing else is said.

    Attributes
    ----------
    times : sensing of each date, UTC
    pairs : indices of reference and secondary date
    """

    grid: Grid
    times: tuple[datetime, ...]
    pairs: tuple[tuple[int, int], ...]
    seed: int
    effects: Effects = field(default_factory=Effects)

    # -- dates --------------------------------------------------------------------------------------------------------

    @cached_property
    def years(self) -> np.ndarray:
        """Years of 365.25 days since the first date, dims (time,)."""
        return np.array([(time - self.times[0]).days for time in self.times]) / DAYS_PER_YEAR

    @cached_property
    def perpendicular_baseline(self) -> np.ndarray:
        """Of each date against the first, m, dims (time,)."""
        drawn = [np.random.default_rng([self.seed, ORBIT, date]).normal(0, 55) for date in range(len(self.times))]
        return np.round(np.array(drawn) - drawn[0], 4)

    @cached_property
    def network(self) -> Pairs:
        """The pairs, as inversions want them."""
        first, second = np.array(self.pairs).T
        baseline = self.perpendicular_baseline
        return Pairs(
            reference=tuple(self.times[date].date() for date in first),
            secondary=tuple(self.times[date].date() for date in second),
            perpendicular_baseline=tuple((baseline[second] - baseline[first]).tolist()),
        )

    @property
    def reference(self) -> tuple[int, int]:
        """Row and column of a pixel that stands still, keeps its coherence and is in every pair."""
        return int(TOWN.v * self.grid.height), int(TOWN.u * self.grid.width)

    # -- geometry -----------------------------------------------------------------------------------------------------

    def incidence(self, window: Window | None = None) -> np.ndarray:
        """Angle between the line of sight and the vertical, radians."""
        window = window or self.grid.full
        _, u = self._place(window)
        return np.broadcast_to(NEAR + (FAR - NEAR) * u, (window.height, window.width))

    def slant_range(self, window: Window | None = None) -> np.ndarray:
        """From the satellite to the ground of a spherical Earth, m: law of sines."""
        incidence = self.incidence(window)
        row = incidence[:1]  # all rows are alike
        look = np.arcsin(EARTH_RADIUS * np.sin(row) / (EARTH_RADIUS + SPACECRAFT_HEIGHT))
        return np.broadcast_to(EARTH_RADIUS * np.sin(row - look) / np.sin(look), incidence.shape)

    def height(self, window: Window | None = None) -> np.ndarray:
        """Of the ground, m: hills up to some 1500 m; water is at 0."""
        hills = 700 + 300 * self._smooth((HEIGHT,), window, slope=3.4)
        return np.where(self.water(window), 0.0, np.maximum(hills, 5.0))

    def water(self, window: Window | None = None) -> np.ndarray:
        """Lake and sea, bool."""
        v, u = self._place(window)
        shore = v > 0.9 + 0.02 * np.sin(6 * np.pi * u)
        return (_circle(LAKE, v, u) | shore) & self.effects.water

    def outside(self, window: Window | None = None) -> np.ndarray:
        """Where no pair has data, bool."""
        inside = footprint(self.grid, window=window or self.grid.full)
        return ~inside & self.effects.borders

    # -- motion and delay -----------------------------------------------------------------------------------------------

    def velocity(self, window: Window | None = None) -> np.ndarray:
        """Linear part of the motion along the line of sight, m/yr."""
        v, u = self._place(window)
        return self.effects.velocity * (SUBSIDENCE * _bell(BOWL, v, u) + RISE * _bell(UPLIFT, v, u))

    def season(self, window: Window | None = None) -> np.ndarray:
        """Amplitude of the yearly motion along the line of sight, m."""
        v, u = self._place(window)
        return self.effects.season * SEASON * _bell(BREATHING, v, u)

    def displacement(self, date: int, window: Window | None = None) -> np.ndarray:
        """Along the line of sight since the first date, m."""
        turn = 2 * np.pi * self.years[date] - 1.0
        cycle = np.sin(turn) - np.sin(-1.0)
        return np.asarray(self.velocity(window) * self.years[date] + self.season(window) * cycle)

    def displacement_series(self, window: Window | None = None) -> np.ndarray:
        """Displacement of every date, m, dims (time, y, x)."""
        return np.stack([self.displacement(date, window) for date in range(len(self.times))])

    def dem_error(self, window: Window | None = None) -> np.ndarray:
        """True height minus that of the elevation model, m."""
        if not self.effects.dem_error:
            return self._nothing(window)
        return 8.0 * self._smooth((ERROR,), window, slope=1.5)

    def delay(self, date: int, window: Window | None = None) -> np.ndarray:
        """Longer way through the troposphere along the line of sight, m: stratified and turbulent (positive: delayed).

        The turbulence has the spectrum of power -8/3 of Hanssen (2001), section 4.7, doi:10.1007/0-306-47633-9.
        """
        random = np.random.default_rng([self.seed, WEATHER, date])
        per_metre, spread = random.normal(0, 1.2e-5), random.gamma(4.0, 0.001)
        delay = self._nothing(window)
        if self.effects.stratified:
            delay = delay + self.height(window) * (per_metre / np.cos(self.incidence(window)[:1]))
        spread *= self.effects.turbulence
        if date == NOISY_DATE and self.effects.noisy_date:
            spread = 0.025
        if spread:
            delay = delay + spread * self._smooth((AIR, date), window, slope=8 / 3)
        return delay

    def apparent(self, date: int, window: Window | None = None) -> np.ndarray:
        """What interferograms take for displacement, m: that, minus the delay, plus what errors of height look like.

        Height: Berardino et al. (2002), eq. 4, doi:10.1109/TGRS.2002.803792.
        """
        moved = self.displacement(date, window) - self.delay(date, window)
        if self.effects.dem_error:
            aside = self.slant_range(window)[:1] * np.sin(self.incidence(window)[:1])
            moved = moved + self.perpendicular_baseline[date] * self.dem_error(window) / aside
        return np.asarray(moved)

    # -- pairs ----------------------------------------------------------------------------------------------------------

    def coherence(self, pair: tuple[int, int], window: Window | None = None) -> np.ndarray:
        """True magnitude of the complex coherence, 0 to 1: it decays to a level that it keeps; 0 on water."""
        v, u = self._place(window)
        town, plants = _bell(TOWN, v, u), self._plants(window)
        kept = np.clip(0.45 - 0.15 * plants, 0.05, 0.8)
        kept += (0.92 - kept) * town
        at_once = np.clip(0.9 - 0.06 * plants, 0.4, 0.97)
        at_once = np.maximum(at_once, kept)
        years = abs(self.years[pair[1]] - self.years[pair[0]])
        decay = np.exp(-years / np.exp(-0.5 - 0.8 * plants))
        return np.where(self.water(window), 0.0, kept + (at_once - kept) * decay)

    def phase(self, pair: tuple[int, int], window: Window | None = None) -> np.ndarray:
        """Of the pair before noise and unwrapping, radians: -4 pi / wavelength of the apparent displacement between."""
        moved = self.apparent(pair[1], window) - self.apparent(pair[0], window)
        return np.asarray(-4 * np.pi / SENTINEL1_WAVELENGTH * moved)

    def cycles(self, pair: tuple[int, int], window: Window | None = None) -> np.ndarray:
        """Cycles by which unwrapping is wrong, int64."""
        random = np.random.default_rng([self.seed, CYCLES, *pair])
        wrong = int(random.choice([-1, 0, 1], p=[0.07, 0.86, 0.07])) if self.effects.unwrapping_errors else 0
        return np.asarray(wrong * self.mistaken(window).astype(np.int64))

    def mistaken(self, window: Window | None = None) -> np.ndarray:
        """Patch in which unwrapping may be wrong, bool."""
        return _circle(MISTAKEN, *self._place(window)) & self.effects.unwrapping_errors

    def constant(self, pair: tuple[int, int]) -> float:
        """What the phase of a whole pair is off by, radians: its orbits' part, unwrapped from the reference on."""
        if not self.effects.constant:
            return 0.0
        level = [np.random.default_rng([self.seed, ORBIT, date, 1]).uniform(-30, 30) for date in pair]
        there = level[1] - level[0] + float(self.phase(pair, Window(*self.reference, 1, 1))[0, 0])
        return float(level[1] - level[0] - 2 * np.pi * np.round(there / (2 * np.pi)))

    def missing(self, pair: tuple[int, int], window: Window | None = None) -> np.ndarray:
        """Pixels that the pair lacks, bool; those of `outside` among them."""
        missing = self.outside(window)
        if not self.effects.missing:
            return missing
        v, u = self._place(window)
        boxes = ((NO_BRIDGE, pair[0] <= GAP < pair[1]), (NO_DATE, LACKING in pair), (NO_FIRST, 0 in pair))
        for (top, bottom, left, right), lacks in boxes:
            if lacks:
                missing = missing | ((v >= top) & (v < bottom) & (u >= left) & (u < right))
        clouds = self._smooth((CLOUDS, *pair), window, slope=2.0) > 1.2
        return np.asarray(missing | (clouds & (self._plants(window) > 1.2) & ~_circle(TOWN, v, u)))

    def observed(self, pair: tuple[int, int], window: Window | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Unwrapped phase and estimated coherence as a product holds them, float32: 0 is no data.

        Noise of both: a complex Wishart matrix of `LOOKS` looks, by Bartlett's decomposition; Lee et al. (1994), eq. 7
        and 14, doi:10.1109/36.312890, are its distributions.
        """
        window = window or self.grid.full
        outside, coherence = self.outside(window), self.coherence(pair, window)
        noise = np.zeros(coherence.shape, dtype=np.float32)
        if self.effects.decorrelation:
            noise, coherence = self._decorrelated(pair, window, coherence)
        phase = self.phase(pair, window) + noise + 2 * np.pi * self.cycles(pair, window) + self.constant(pair)
        stored = phase.astype(np.float32)
        stored[stored == 0] = np.float32(1e-9)  # a phase of exactly 0 would be no data
        stored[self.missing(pair, window)] = 0
        return stored, np.where(outside, 0, np.maximum(coherence, 1e-3)).astype(np.float32)

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _decorrelated(
        self, pair: tuple[int, int], window: Window, coherence: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Noise of the phase, and coherence as estimated, float32: `[[a, 0], [c, b]]` is Bartlett's triangle."""
        a, b, real, imaginary = self._draws(pair, window)
        true = coherence.astype(np.float32)
        rest = np.sqrt(1 - true**2)
        real, imaginary = true * a + rest * real, rest * imaginary
        square = real**2 + imaginary**2
        return np.arctan2(imaginary, real), np.sqrt(square / (square + (rest * b) ** 2))

    def _draws(self, pair: tuple[int, int], window: Window) -> list[np.ndarray]:
        """Elements of Bartlett's triangle: a, b, real and imaginary part of c; in whole strips, so that windows agree."""
        begin, end = window.row // STRIP, -(-(window.row + window.height) // STRIP)
        strips = []
        for number in range(begin, end):
            random = np.random.default_rng([self.seed, DECORRELATION, *pair, number])
            shape = (STRIP, self.grid.width)
            rows = slice(max(0, window.row - number * STRIP), window.row + window.height - number * STRIP)
            a, b = (np.sqrt(random.standard_gamma(LOOKS - i, shape, dtype=np.float32)) for i in range(2))
            c = random.standard_normal((2, *shape), dtype=np.float32) * np.float32(np.sqrt(0.5))
            strips.append([one[rows, window.col : window.col + window.width] for one in (a, b, *c)])
        return [np.concatenate(parts) for parts in zip(*strips, strict=True)]

    def _plants(self, window: Window | None) -> np.ndarray:
        """How much grows there: mean 0, standard deviation about 1."""
        return self._smooth((SURFACE,), window, slope=2.2)

    def _place(self, window: Window | None) -> tuple[np.ndarray, np.ndarray]:
        """Centres of pixels as parts of the image from the top, dims (y, 1), and from the left, dims (1, x)."""
        v, u = places(self.grid.shape, window=window or self.grid.full)
        return v[:, np.newaxis], u[np.newaxis, :]

    def _nothing(self, window: Window | None) -> np.ndarray:
        window = window or self.grid.full
        return np.zeros((window.height, window.width))

    def _smooth(self, stream: Sequence[int], window: Window | None, *, slope: float) -> np.ndarray:
        """Random field whose power falls with wavenumber to the power of `slope`; mean 0, standard deviation about 1."""
        return smooth_field((self.seed, *stream), slope=slope, shape=self.grid.shape, window=window or self.grid.full)


def _bell(bell: Bell, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """1 at its centre, dims (y, x)."""
    down, across = (v - bell.v) / bell.radius, (u - bell.u) / bell.radius
    return np.asarray(np.exp(-(down**2) / 2) * np.exp(-(across**2) / 2))


def _circle(bell: Bell, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray((v - bell.v) ** 2 + (u - bell.u) ** 2 < bell.radius**2)
