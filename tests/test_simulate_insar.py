"""Simulated interferograms: what the truth says is in the pixels, and nothing else where an effect is off."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from dask_jobs.insar_truth import EARTH_RADIUS, GAP, LACKING, LOOKS, NOISY_DATE, SPACECRAFT_HEIGHT, Effects
from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE, SENTINEL1_WAVELENGTH
from dask_jobs.readers import hyp3_insar
from dask_jobs.simulate_insar import InsarTruth, insar_truth, simulate_insar, write_product
from infra.errors import InputError
from infra.grid import Window
from infra.storage import S3Options

SAMPLE = Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample/products"
SMOOTH = ("velocity", "season", "dem_error", "stratified", "turbulence")
TO_METRES = -SENTINEL1_WAVELENGTH / (4 * np.pi)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> InsarTruth:
    """Every effect, six dates."""
    return simulate_insar(tmp_path_factory.mktemp("insar") / "simulated-insar", dates=6, size=(96, 80), seed=3)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> InsarTruth:
    """Nothing but what an inversion can take apart."""
    folder = tmp_path_factory.mktemp("insar") / "simulated-exact"
    return simulate_insar(folder, dates=5, size=64, connections=2, effects=Effects.only(*SMOOTH))


def planned(tmp_path: Path, effects: Effects | None = None, **more: Any) -> InsarTruth:
    """Truth without files."""
    return insar_truth(
        tmp_path, effects=effects or Effects(), **({"dates": 14, "size": 128, "connections": 3, "seed": 1} | more)
    )


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def layers(truth: InsarTruth, layer: str) -> np.ndarray:
    """Of every pair, dims (pair, y, x)."""
    return np.stack([read(truth.path(pair, layer=layer)) for pair in truth.pairs])


# -- the forward model ----------------------------------------------------------------------------------------------------


def test_without_noise_a_phase_is_what_moved_between_its_dates(exact: InsarTruth) -> None:
    assert len(exact.pairs) == 7
    for first, second in exact.pairs:
        moved = exact.displacement(second) - exact.displacement(first)
        delayed = exact.delay(second) - exact.delay(first)
        baseline = exact.perpendicular_baseline[second] - exact.perpendicular_baseline[first]
        lifted = baseline / (exact.slant_range() * np.sin(exact.incidence())) * exact.dem_error()
        expected = (moved - delayed + lifted) / TO_METRES
        stored = read(exact.path((first, second), layer="unw_phase"))
        np.testing.assert_allclose(stored, expected, rtol=2e-7, atol=1e-9)
        assert (stored != 0).all()
        assert np.ptp(stored) > 0.1


def test_without_noise_every_triangle_closes(exact: InsarTruth) -> None:
    phase = dict(zip(exact.pairs, layers(exact, "unw_phase").astype(np.float64), strict=True))
    for date in range(3):
        closure = phase[date, date + 1] + phase[date + 1, date + 2] - phase[date, date + 2]
        assert abs(closure).max() < 1e-5


def test_least_squares_find_the_displacement(tmp_path: Path) -> None:
    truth = simulate_insar(
        tmp_path, dates=6, size=48, more_pairs=[(0, 5)], effects=Effects.only("velocity", "season", "constant")
    )
    row, col = truth.reference
    phase = layers(truth, "unw_phase").astype(np.float64)
    assert abs(phase[:, row, col]).min() > 1e-3  # without a reference the series would be off
    referenced = phase - phase[:, row, col, np.newaxis, np.newaxis]
    design = truth.network.incidence[:, 1:]
    found = np.linalg.lstsq(design, TO_METRES * referenced.reshape(len(phase), -1), rcond=None)[0]
    expected = truth.displacement_series()
    expected = expected - expected[:, row, col, np.newaxis, np.newaxis]
    np.testing.assert_allclose(found.reshape(expected[1:].shape), expected[1:], atol=2e-8)
    assert (expected[0] == 0).all()
    assert abs(expected).max() > 0.005


def test_the_bowl_subsides_and_velocity_is_metres_per_year(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("velocity"), dates=62)
    assert truth.velocity().min() == pytest.approx(-0.060, abs=0.001)
    assert truth.velocity().max() == pytest.approx(0.030, abs=0.001)
    year = truth.displacement(61) / truth.years[61]
    np.testing.assert_allclose(year, truth.velocity(), atol=1e-12)
    assert truth.years[61] == pytest.approx(2.004, abs=0.001)


def test_displacement_toward_the_satellite_is_negative_phase(exact: InsarTruth) -> None:
    quiet = replace(exact, effects=Effects.only("velocity"))
    row, col = np.unravel_index(exact.velocity().argmin(), exact.grid.shape)
    assert quiet.phase((0, 1))[row, col] > 0.1  # it sinks: away from the satellite


@pytest.mark.parametrize("name", [one.name for one in fields(Effects)])
def test_every_effect_alone_changes_something_and_is_gone_when_off(tmp_path: Path, name: str) -> None:
    pairs = [(0, 1), (NOISY_DATE - 1, NOISY_DATE), (GAP, GAP + 1), (2, 4)]
    wrong = next(p for p in planned(tmp_path).pairs if planned(tmp_path).cycles(p).any())
    alone, none = planned(tmp_path, Effects.only(name)), planned(tmp_path, Effects.only())
    changes = False
    for pair in [*pairs, wrong]:
        (phase, coherence), (no_phase, no_coherence) = alone.observed(pair), none.observed(pair)
        assert (no_phase == np.float32(1e-9)).all()
        changes |= bool((phase != no_phase).any() or (coherence != no_coherence).any())
    assert changes


def test_effects_are_named_or_refused() -> None:
    assert Effects.only("velocity") == Effects(**{one.name: one.name == "velocity" for one in fields(Effects)})
    with pytest.raises(InputError, match="'speed'"):
        Effects.only("speed")


def test_noise_and_coherence_are_of_41_looks(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("decorrelation"), size=256)
    noise, estimate = truth.observed((0, 1))
    true = truth.coherence((0, 1))
    high = true > 0.8
    assert high.sum() > 10_000
    # variance of the phase for high coherence and many looks: Rosen et al. (2000), eq. 66, doi:10.1109/5.838084
    bound = (1 - true[high] ** 2) / (2 * LOOKS * true[high] ** 2)
    assert np.mean(noise[high] ** 2 / bound) == pytest.approx(1.03, abs=0.04)
    # standard deviation of the estimate: (1 - coherence²) / sqrt(2 looks), Touzi et al. (1999), doi:10.1109/36.739146
    spread = (1 - true[high] ** 2) / np.sqrt(2 * LOOKS)
    assert np.mean((estimate[high] - true[high]) / spread) == pytest.approx(0, abs=0.1)
    assert np.std((estimate[high] - true[high]) / spread) == pytest.approx(1, abs=0.05)


def test_water_has_no_coherence_and_any_phase(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("decorrelation", "water"), size=256)
    phase, coherence = (layer[truth.water()] for layer in truth.observed((0, 1)))
    assert phase.size > 4000
    assert np.histogram(phase, bins=8, range=(-np.pi, np.pi))[0] / phase.size == pytest.approx(1 / 8, abs=0.03)
    # of no coherence, the estimate's square is beta distributed with 1 and looks - 1: Touzi et al. (1999)
    assert np.mean(coherence**2) == pytest.approx(1 / LOOKS, rel=0.05)


def test_coherence_decays_with_time_and_stays_at_the_reference(truth: InsarTruth) -> None:
    soon, late = truth.coherence((0, 1)), truth.coherence((0, 5))
    land = ~truth.water()
    assert (late[land] <= soon[land]).all()
    assert late[land].mean() < soon[land].mean() - 0.02
    assert late[truth.reference] > 0.85


def test_the_noisy_date_is_the_twelfth(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("turbulence", "noisy_date"))
    spread = [truth.delay(date).std() for date in range(14)]
    assert np.argmax(spread) == NOISY_DATE
    assert max(spread) > 2 * sorted(spread)[-2]


def test_turbulence_falls_off_as_air_does(tmp_path: Path) -> None:
    """Of a spectrum of power -8/3 the structure function grows as distance to 2/3: four times as far, 2.5 times."""
    truth = planned(tmp_path, Effects.only("turbulence"), size=512, dates=10)
    near = far = 0.0
    for date in range(10):
        delay = truth.delay(date)
        near += np.mean((delay[:, 16:] - delay[:, :-16]) ** 2) / delay.var()
        far += np.mean((delay[:, 64:] - delay[:, :-64]) ** 2) / delay.var()
    assert 1.8 < far / near < 3.3


def test_delay_grows_with_height_over_the_cosine(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("stratified"))
    slope = truth.height() / np.cos(truth.incidence())
    for date in (0, 5):
        delay = truth.delay(date)
        np.testing.assert_allclose(delay, slope * (delay[0, 0] / slope[0, 0]), rtol=1e-9, atol=1e-15)
        assert abs(delay).max() > 1e-4


def test_slant_range_and_incidence_make_a_triangle_with_the_earth(truth: InsarTruth) -> None:
    across, up = truth.slant_range() * np.sin(truth.incidence()), truth.slant_range() * np.cos(truth.incidence())
    np.testing.assert_allclose(np.hypot(across, EARTH_RADIUS + up), EARTH_RADIUS + SPACECRAFT_HEIGHT, rtol=1e-12)


def test_unwrapping_errors_are_whole_cycles_in_the_patch(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("velocity", "unwrapping_errors"), dates=30)
    wrong = 0
    for pair in truth.pairs:
        cycles = (truth.observed(pair)[0] - truth.phase(pair)) / (2 * np.pi)
        np.testing.assert_allclose(cycles, np.round(cycles), atol=1e-6)
        assert (cycles[~truth.mistaken()] < 0.5).all()
        wrong += bool(abs(cycles).max() > 0.5)
    assert 4 <= wrong <= 25  # of 84, each with a chance of 0.14


def test_the_phase_of_the_reference_is_wrapped(truth: InsarTruth) -> None:
    phase = layers(truth, "unw_phase")[:, *truth.reference]
    assert (abs(phase) < np.pi + 1).all()  # noise may reach beyond
    assert np.ptp(phase) > 1


def test_missing_pixels_split_dates_into_islands_and_drop_dates(tmp_path: Path) -> None:
    truth = planned(tmp_path, Effects.only("missing"))
    there = np.stack([truth.observed(pair)[0] != 0 for pair in truth.pairs])
    patterns = {tuple(np.flatnonzero(~column)) for column in there.reshape(len(there), -1).T}
    bridges = tuple(k for k, (first, second) in enumerate(truth.pairs) if first <= GAP < second)
    lacking = tuple(k for k, pair in enumerate(truth.pairs) if LACKING in pair)
    begin = tuple(k for k, pair in enumerate(truth.pairs) if 0 in pair)
    assert {(), bridges, lacking, begin} <= patterns
    assert len(patterns) > 10  # clouds
    assert there[:, *truth.reference].all()
    assert 0.8 < there.all(axis=0).mean() < 0.98


# -- any part, any time -----------------------------------------------------------------------------------------------------


def test_windows_are_cut_out_of_the_whole(tmp_path: Path) -> None:
    truth = planned(tmp_path, size=(600, 40))
    whole = truth.observed((GAP, GAP + 1))
    for window in (Window(0, 0, 600, 40), Window(500, 3, 40, 30), Window(512, 0, 88, 40), Window(599, 39, 1, 1)):
        for part, of in zip(truth.observed((GAP, GAP + 1), window), whole, strict=True):
            np.testing.assert_array_equal(part, of[window.slices])


def test_a_seed_gives_the_same_and_another_seed_others(tmp_path: Path) -> None:
    one, again, other = (planned(tmp_path, seed=seed, size=64) for seed in (1, 1, 2))
    for pair in ((0, 1), (3, 5)):
        for a, b, c in zip(one.observed(pair), again.observed(pair), other.observed(pair), strict=True):
            np.testing.assert_array_equal(a, b)
            assert (a != c).mean() > 0.5
    assert (one.perpendicular_baseline != other.perpendicular_baseline)[1:].all()


def test_one_product_alone_is_the_one_of_the_stack(truth: InsarTruth, tmp_path: Path) -> None:
    pair = truth.pairs[7]
    alone = replace(truth, folder=tmp_path)
    place = write_product(alone, pair)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    for path in place.iterdir():
        assert path.read_bytes() == (truth.folder / place.name / path.name).read_bytes()


def test_more_dates_add_products_and_leave_the_others(tmp_path: Path) -> None:
    few = simulate_insar(tmp_path, dates=3, size=48, connections=2)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.glob("*/*")}
    more = simulate_insar(tmp_path, dates=5, size=48, connections=2, more_pairs=[(0, 4)])
    assert len(before) == 3 * 7
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert {path.name for path in tmp_path.iterdir()} - {"README.txt", "truth.json"} == {
        more.product(pair) for pair in more.pairs
    }
    assert set(few.pairs) < set(more.pairs)
    assert len(more.pairs) == 3 + 4 + 1


def test_an_interrupted_product_is_made_anew(tmp_path: Path) -> None:
    truth = planned(tmp_path, size=48)
    left = tmp_path / f".{truth.product((0, 1))}.part"
    left.mkdir()
    (left / "half.tif").write_bytes(b"II*")
    place = write_product(truth, (0, 1))
    assert not left.exists()
    assert not (place / "half.tif").exists()


# -- files ------------------------------------------------------------------------------------------------------------------


def test_the_reader_takes_them_all(truth: InsarTruth) -> None:
    found = hyp3_insar.find(str(truth.folder), s3=S3Options())
    assert found.dropped == ()
    assert len(found.interferograms) == len(truth.pairs) == 12
    for interferogram, (first, second) in zip(found.interferograms, truth.pairs, strict=True):
        assert interferogram.grid == truth.grid
        assert interferogram.dates == (truth.times[first].date(), truth.times[second].date())
        assert set(interferogram.rasters) == {PHASE, COHERENCE}
        baseline = truth.perpendicular_baseline[second] - truth.perpendicular_baseline[first]
        assert interferogram.perpendicular_baseline == pytest.approx(baseline, abs=1e-4)
        assert interferogram.sensing.relative_orbit == 175
        assert interferogram.sensing.pass_direction == "ascending"
    assert truth.network.dates == tuple(time.date() for time in truth.times)
    assert truth.network.perpendicular_baseline[0] == pytest.approx(found.interferograms[0].perpendicular_baseline)


def test_products_of_bursts_have_components(tmp_path: Path) -> None:
    truth = simulate_insar(tmp_path, dates=3, size=64, processor="isce-burst")
    found = hyp3_insar.find(str(tmp_path), s3=S3Options()).interferograms
    assert [one.sensing.processor for one in found] == ["isce-burst"] * 3
    assert all(COMPONENTS in one.rasters for one in found)
    labels, phase = (read(truth.path((0, 1), layer=layer)) for layer in ("conncomp", "unw_phase"))
    np.testing.assert_array_equal(labels == 0, truth.water() | (phase == 0))
    assert set(np.unique(labels)) == {0, 1, 2}


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of HyP3 products is not here")
def test_files_look_like_the_samples(truth: InsarTruth) -> None:
    sample = next(SAMPLE.iterdir())
    for layer in ("unw_phase", "corr", "dem", "lv_theta", "lv_phi", "water_mask"):
        with (
            rasterio.open(sample / f"{sample.name}_{layer}_clip.tif") as theirs,
            rasterio.open(truth.path((0, 1), layer=layer)) as own,
        ):
            for key in ("dtype", "nodata", "tiled", "blockxsize", "blockysize", "compress", "count"):
                assert own.profile.get(key) == theirs.profile.get(key), (layer, key)
            assert own.tags()["AREA_OR_POINT"] == theirs.tags()["AREA_OR_POINT"]
            assert own.transform == truth.grid.affine
    keys = [line.split(":")[0] for line in (sample / f"{sample.name}.txt").read_text().splitlines()]
    own_keys = [
        line.split(":")[0]
        for line in truth.path((0, 1), layer="x").with_name(f"{truth.product((0, 1))}.txt").read_text().splitlines()
    ]
    missing = set(keys) - set(own_keys)
    assert all("reference point" in key or key == "Unwrapping threshold" for key in missing), missing


def test_no_data_is_zero_and_only_outside_or_missing(truth: InsarTruth) -> None:
    for pair in truth.pairs:
        phase, coherence = (read(truth.path(pair, layer=layer)) for layer in ("unw_phase", "corr"))
        np.testing.assert_array_equal(phase == 0, truth.missing(pair))
        np.testing.assert_array_equal(coherence == 0, truth.outside())
        assert coherence.max() <= 1


def test_geometry_is_one_file_for_all_and_says_where_the_satellite_is(truth: InsarTruth) -> None:
    paths = [truth.path(pair, layer="dem") for pair in truth.pairs]
    assert len({path.stat().st_ino for path in paths}) == 1
    outside = truth.outside()
    np.testing.assert_allclose(read(paths[0]), truth.height() - truth.dem_error(), atol=1e-3)
    theta, phi = (read(truth.path((0, 1), layer=layer)) for layer in ("lv_theta", "lv_phi"))
    np.testing.assert_allclose(theta, np.where(outside, 0, np.pi / 2 - truth.incidence()), atol=1e-6)
    # it flies north-north-west and looks to the right: it stands in the west-south-west
    assert (np.cos(phi[~outside]) < -0.95).all()
    assert (np.sin(phi[~outside]) < -0.1).all()
    np.testing.assert_array_equal(read(truth.path((0, 1), layer="water_mask")), ~truth.water())


def test_geometry_is_copied_where_the_disk_cannot_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object, **__: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", no_link)
    truth = simulate_insar(tmp_path, dates=3, size=48, connections=1)
    a, b = (truth.path(pair, layer="lv_phi") for pair in truth.pairs)
    assert a.stat().st_ino != b.stat().st_ino
    assert a.read_bytes() == b.read_bytes()


def test_nobody_can_take_them_for_data(truth: InsarTruth) -> None:
    for layer in ("unw_phase", "corr", "dem", "lv_theta", "lv_phi", "water_mask"):
        with rasterio.open(truth.path((0, 1), layer=layer)) as file:
            assert file.tags()["SIMULATED"].startswith("yes")
    assert "SIMULATED" in (truth.folder / "README.txt").read_text()
    text = (truth.folder / truth.product((0, 1)) / f"{truth.product((0, 1))}.txt").read_text()
    assert "Simulated: yes" in text
    assert int(text.split("Reference Orbit Number: ")[1].split()[0]) < 30_000  # Sentinel-1A had 41 000 by 2022


def test_the_truth_on_disk_is_the_truth_returned(truth: InsarTruth) -> None:
    stored = json.loads((truth.folder / "truth.json").read_text())
    assert stored == json.loads(json.dumps(truth.to_json()))
    assert stored["pairs"][truth.product((2, 4))] == [2, 4]
    assert stored["reference"] == list(truth.reference)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dates": 1}, "1 dates"),
        ({"size": (200, 16)}, "200 x 16"),
        ({"connections": 0}, "0 connections"),
        ({"seed": -1}, "seed -1"),
        ({"dates": 4, "more_pairs": [(0, 4)]}, r"\(0, 4\)"),
        ({"more_pairs": [(3, 2)]}, r"\(3, 2\)"),
    ],
)
def test_wrong_numbers_are_named_before_anything_is_written(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        simulate_insar(tmp_path / "scenes", **wrong)
    assert caught.value.remedy
    assert not (tmp_path / "scenes").exists()


def test_a_folder_of_another_kind_is_not_mixed(tmp_path: Path) -> None:
    simulate_insar(tmp_path, dates=2, size=48)
    for other in ({"seed": 1}, {"size": 64}, {"processor": "isce-burst"}, {"effects": Effects.only()}):
        with pytest.raises(InputError, match=next(iter(other)) if "size" not in other else "grid"):
            simulate_insar(tmp_path, **{"dates": 2, "size": 48, **other})
