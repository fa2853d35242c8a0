"""Our numbers beside those that MintPy makes of the same products: other weights, other norms, islands, gaps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from peers.mintpy import LOADING, STEPS, MintpyRun, Weight, continued, peer, run_mintpy

from dask_jobs.insar_truth import GAP
from dask_jobs.sbas.inversion import Inversion, Inverted, invert
from dask_jobs.sbas.weights import effective_looks
from dask_jobs.simulate_insar import InsarTruth, simulate_insar

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(peer() is None, reason="MintPy is not installed: `make peers` does it"),
]
WEIGHTS: tuple[Weight, ...] = ("var", "fim", "coh", "no")
NEAR, FAR = 2e-6, 1e-5  # m: what 99 % of pixels, and what all may differ by; MintPy solves in single precision
RESIDUAL = 1e-4  # of temporal coherence
SAMPLE = Path(__file__).parents[2] / "../shared/data/hyp3-insar-sample"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of interferograms is not at ../shared/data")
def test_mintpy_here_makes_what_mintpy_made_of_the_sample(tmp_path: Path) -> None:
    made = run_mintpy(SAMPLE / "products", tmp_path, reference=(7, 26))
    with np.load(SAMPLE / "mintpy_outputs.npz") as stored:
        for file, dataset, apart in (
            ("timeseries", "timeseries", NEAR),
            ("timeseries_tropHgt_demErr", "timeseries", NEAR),
            ("velocity", "velocity", NEAR),
            ("velocity", "velocityStd", NEAR),
            ("demErr", "dem", 1e-3),
            ("numInvIfgram", "mask", 0),
            ("maskTempCoh", "mask", 0),
        ):
            np.testing.assert_allclose(
                made.read(f"{file}.h5", dataset).astype(np.float64), stored[f"{file}/{dataset}"], rtol=0, atol=apart
            )
        assert made.lines("exclude_date.txt") == stored["exclude_date"].tolist()
        assert made.lines("reference_date.txt") == stored["reference_date"].tolist()
    assert set(made.took) == set(STEPS)
    assert made.seconds() > made.seconds("invert_network") > 0


@dataclass(frozen=True, kw_only=True)
class Case:
    """Products, and what MintPy has loaded of them."""

    truth: InsarTruth
    loaded: MintpyRun
    phase: np.ndarray
    coherence: np.ndarray

    @property
    def reference_phase(self) -> np.ndarray:
        """Of each pair, radians."""
        return self.phase[:, *self.truth.reference].astype(np.float64)

    def ours(self, *, weight: Weight, min_norm_velocity: bool) -> Inverted:
        setup = Inversion(
            looks=effective_looks(range_looks=20, azimuth_looks=4),
            weight=weight,
            norm="velocity" if min_norm_velocity else "phase",
            count_first_date=False,
        )
        observed = np.where(self.phase == 0, np.float32(np.nan), self.phase)
        return invert(
            observed, self.coherence, pairs=self.truth.network, reference_phase=self.reference_phase, setup=setup
        )

    def theirs(self, work: Path, *, weight: Weight, min_norm_velocity: bool) -> MintpyRun:
        return run_mintpy(
            self.truth.folder,
            continued(self.loaded, work),
            reference=self.truth.reference,
            weight=weight,
            min_norm_velocity=min_norm_velocity,
            steps=["invert_network"],
        )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """24 dates, four connections and two long pairs, with clouds, islands, a date that some pixels lack."""
    folder = tmp_path_factory.mktemp("peers")
    truth = simulate_insar(
        folder / "simulated", dates=24, size=(150, 130), connections=4, more_pairs=((0, 20), (2, 23)), seed=5
    )
    (folder / "loaded").mkdir()
    loaded = run_mintpy(truth.folder, folder / "loaded", reference=truth.reference, steps=LOADING)
    phase, coherence = (
        np.stack([read(truth.path(pair, layer=layer)) for pair in truth.pairs]) for layer in ("unw_phase", "corr")
    )
    return Case(truth=truth, loaded=loaded, phase=phase, coherence=coherence)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def test_the_case_has_what_it_is_for(case: Case) -> None:
    missing = case.phase == 0
    bridges = np.array([first <= GAP < second for first, second in case.truth.pairs])
    islands = missing[bridges].all(axis=0) & ~missing[~bridges].any(axis=0)
    assert islands.sum() > 50
    some = missing.any(axis=0) & ~missing.all(axis=0)
    assert some.sum() > 1000
    assert len(np.unique(missing.reshape(len(missing), -1).T[some.ravel()], axis=0)) > 30
    assert len(case.truth.pairs) == 88


@pytest.mark.parametrize("min_norm_velocity", [True, False], ids=["velocity", "phase"])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_series_are_mintpys(case: Case, tmp_path: Path, weight: Weight, min_norm_velocity: bool) -> None:
    theirs = case.theirs(tmp_path / "work", weight=weight, min_norm_velocity=min_norm_velocity)
    ours = case.ours(weight=weight, min_norm_velocity=min_norm_velocity)
    used = theirs.read("numInvIfgram.h5", "mask")
    solved = (used > 0) & ~case.truth.water()
    solved[case.truth.reference] = False  # it is not inverted there
    np.testing.assert_array_equal(ours.used[solved], used[solved])
    assert (ours.used[~case.truth.water() & (used == 0)] == 0).all()
    assert solved.sum() > 10_000

    apart = abs(theirs.read("timeseries.h5", "timeseries") - ours.series)[:, solved].max(axis=0)
    print(f"{weight}: 99 % within {np.percentile(apart, 99):.2g} m, all within {apart.max():.2g} m")
    assert np.percentile(apart, 99) < NEAR
    assert apart.max() < FAR
    quality = theirs.read("temporalCoherence.h5", "temporalCoherence")
    assert abs(quality - ours.temporal_coherence)[solved].max() < RESIDUAL
