"""Simulated Sentinel-1 GRD scenes: statistics of speckle and noise, geometry of slices and passes, their truth."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.simulated import DECIBEL, POWER, add_simulation
from gee.local.regions.output_grid import output_grid
from gee.local.simulate import COVERS, Cover, Orbit, Simulation, incidence, scenes, speckle, truth

FLAT = {"grass": Cover(vv=0.08, vh=0.016, slope=0.0)}


@pytest.mark.parametrize("looks", [1.0, 4.4, 20.0])
def test_speckle_is_gamma(looks: float) -> None:
    found = speckle((300, 300), looks=looks, correlation=0, rng=np.random.default_rng(1))
    assert found.mean() == pytest.approx(1, abs=0.01)
    assert stats.kstest(found.ravel(), stats.gamma(looks, scale=1 / looks).cdf).pvalue > 1e-3
    neighbours = np.corrcoef(found[:, 1:].ravel(), found[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_correlated_speckle_keeps_its_marginals() -> None:
    """Intensities of a Gaussian field smoothed with width s correlate as exp(-d² / (2 s²)) at distance d."""
    found = speckle((512, 512), looks=4, correlation=1.2, rng=np.random.default_rng(2))
    assert found.mean() == pytest.approx(1, abs=0.02)
    assert found.mean() ** 2 / found.var() == pytest.approx(4, rel=0.1)
    for distance in (1, 2):
        expected = np.exp(-(distance**2) / (2 * 1.2**2))
        lagged = np.corrcoef(found[:, distance:].ravel(), found[:, :-distance].ravel())[0, 1]
        assert lagged == pytest.approx(expected, abs=0.04)


def test_power_is_ground_and_noise() -> None:
    plan = Simulation(width=200, height=200, slices=1, dates=1, covers=FLAT, noise=0.02)
    scene = scenes(plan)[0]
    assert scene.bands["VH"].mean() == pytest.approx(0.036, rel=0.01)
    assert scene.bands["VV"].mean() == pytest.approx(0.10, rel=0.01)
    vv = scene.bands["VV"].astype(float)
    assert vv.mean() ** 2 / vv.var() == pytest.approx(plan.looks, rel=0.03)


def test_kinds_of_ground_keep_their_power_at_38_degrees() -> None:
    plan = Simulation(
        width=300, height=300, slices=1, dates=6, noise=0, orbits=(Orbit(relative=1, direction="ASCENDING"),)
    )
    known = truth(plan)
    angle = incidence(plan, plan.orbits[0])
    mean = np.mean([one.bands["VV"] for one in scenes(plan)], 0)
    for number, name in enumerate(known.names):
        here = known.covers[0] == number
        assert here.mean() == pytest.approx(1 / len(COVERS), abs=0.01)
        level = mean[here] / 10 ** (COVERS[name].slope * (angle[here] - 38) / 10)
        assert level.mean() == pytest.approx(COVERS[name].vv, rel=0.02)


def test_incidence_rises_away_from_the_flight() -> None:
    """Looking right, a satellite that flies north sees the near range in the west."""
    plan = Simulation()
    up, down = (incidence(plan, orbit)[0] for orbit in plan.orbits)
    assert (np.diff(up) > 0).all()
    assert (np.diff(down) < 0).all()
    assert 30 < up.min() < up.max() < 46


def test_slices_overlap_and_follow_each_other() -> None:
    plan = Simulation(
        slices=3, height=100, width=80, overlap=20, dates=1, orbits=(Orbit(relative=9, direction="ASCENDING"),)
    )
    first, second, third = scenes(plan)
    assert [one.properties["sliceNumber"] for one in (first, second, third)] == [1, 2, 3]
    assert first.transform[5] < second.transform[5] < third.transform[5]  # northwards
    assert second.transform[5] - first.transform[5] == 800
    np.testing.assert_array_equal(second.bands["VV"][-20:], first.bands["VV"][:20])
    assert truth(plan).covers.shape == (1, *plan.whole) == (1, 260, 80)


def test_times_are_those_of_the_sun() -> None:
    plan = Simulation(crs="EPSG:32720", west=500_000)
    for scene in scenes(plan):
        when = datetime.fromtimestamp(scene.properties["system:time_start"] / 1000, UTC)
        local = (when.hour + when.minute / 60 - 63 / 15) % 24
        assert local == pytest.approx(18 if scene.properties["orbitProperties_pass"] == "ASCENDING" else 6, abs=0.05)


def test_properties_fit_each_other() -> None:
    found = scenes(Simulation(dates=4))
    assert len({one.index for one in found}) == len(found) == 16
    for scene in found:
        own = scene.properties
        offset = {"A": 73, "B": 27}[own["platform_number"]]
        assert (own["orbitNumber_start"] - offset) % 175 + 1 == own["relativeOrbitNumber_start"]
        assert own["transmitterReceiverPolarisation"] == ["VV", "VH"]
        assert own["synthetic"] == "true"
        assert scene.index.startswith(f"S1{own['platform_number']}_IW_GRDH_1SDV_")
    assert {one.properties["platform_number"] for one in found} == {"A", "B"}


def test_borders_are_weak_noise() -> None:
    plan = Simulation(border=9, slices=1, dates=1, width=100, height=60)
    vv = scenes(plan)[0].bands["VV"]
    assert (10 * np.log10(vv[:, :9])).max() < -30
    assert (10 * np.log10(vv[:, -9:])).max() < -30
    assert np.median(10 * np.log10(vv[:, 9:-9])) > -25


def test_a_change_is_in_the_truth() -> None:
    plan = Simulation(change=2, dates=4)
    known = truth(plan)
    changed = known.covers[1] != known.covers[2]
    forest = known.names.index("forest")
    assert changed.sum() == pytest.approx((known.covers[0] == forest).sum() / 4, rel=0.05)
    assert set(np.unique(known.covers[1][changed])) == {forest}
    assert set(np.unique(known.covers[3][changed])) == {known.names.index("grass")}
    np.testing.assert_array_equal(known.covers[0], known.covers[1])


def test_the_same_plan_gives_the_same_scenes() -> None:
    first, second, other = (scenes(Simulation(seed=seed, dates=1)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first[0].bands["VV"], second[0].bands["VV"])
    assert not np.array_equal(first[0].bands["VV"], other[0].bands["VV"])


@pytest.mark.parametrize(
    "wrong", [{"crs": "EPSG:4326"}, {"crs": "EPSG:32661"}, {"looks": 0}, {"overlap": 256}, {"dates": 0}, {"orbits": ()}]
)
def test_plans_that_make_no_scenes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Simulation(**wrong)


def test_scenes_are_assets(tmp_path: Path) -> None:
    catalogue = FolderCatalogue(tmp_path)
    plan = Simulation(width=90, height=70, dates=2)
    assert len(add_simulation(catalogue, plan)) == 16
    power, decibel = catalogue.load_collection(POWER), catalogue.load_collection(DECIBEL)
    assert power.properties == {"synthetic": "true"}
    known = {one.index: one for one in scenes(plan)}
    assert sorted(one.properties["system:index"] for one in power.elements) == sorted(known)
    for linear, logarithmic in zip(power.elements, decibel.elements, strict=True):
        scene = known[linear.properties["system:index"]]
        assert linear.band_names == logarithmic.band_names == ["VV", "VH", "angle"]
        assert [band.type.precision for band in logarithmic.bands] == ["double", "double", "float"]
        assert linear.properties["synthetic"] == "true"
        grid = output_grid(linear)
        values = linear.bands[0].pixels(grid).data
        np.testing.assert_array_equal(values, scene.bands["VV"])
        np.testing.assert_allclose(logarithmic.bands[0].pixels(grid).data, 10 * np.log10(values), rtol=1e-6)
        assert linear.bands[2].projection != linear.bands[0].projection
        assert linear.bands[2].pixels(grid).mask.all()
    catalogue.close()
    body = json.loads((tmp_path / POWER / "truth.json").read_text())
    covers = np.load(tmp_path / POWER / "truth.npy")
    assert covers.shape == (2, *plan.whole)
    assert body["names"] == list(COVERS)
    assert body["settings"]["synthetic"] is True
