"""Simulated scenes: the speckle has the moments of its distribution, and what the truth says is in the pixels."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio

from dask_jobs.landscape import CLEARED, MASK_VALUE, Cover
from dask_jobs.readers import opera
from dask_jobs.simulate import OUTSIDE, Truth, simulate_rtc, simulate_scene_stack
from infra.errors import InputError
from infra.storage import S3Options

LOOKS = 4.4


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return simulate_rtc(tmp_path_factory.mktemp("scenes") / "simulated-rtc", dates=9, size=160, looks=LOOKS, seed=7)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def series(truth: Truth, burst: str, polarization: str) -> np.ndarray:
    """Pixels of one burst, dims (date, y, x)."""
    dates = range(len(truth.dates))
    return np.stack([read(truth.path(burst, date=d, layer=polarization)) for d in dates]).astype(np.float64)


def classes(truth: Truth, burst: str) -> np.ndarray:
    return truth.classes[truth.grid.window_of(truth.bursts[burst]).slices]


@pytest.mark.parametrize("polarization", ["VV", "VH"])
def test_pixels_over_their_mean_power_are_gamma_with_these_looks(truth: Truth, polarization: str) -> None:
    for burst in truth.bursts:
        power = truth.power[polarization][:, classes(truth, burst)]
        ratio = series(truth, burst, polarization) / power
        sample = ratio[np.isfinite(ratio)]
        n = sample.size
        assert n > 100_000
        assert abs(sample.mean() - 1) < 5 * np.sqrt(1 / LOOKS / n)
        assert abs(1 / sample.var() / LOOKS - 1) < 0.03  # five standard errors of the variance at this n
        # third central moment of gamma with shape L and mean 1: 2 / L², which a Gaussian would not have
        assert abs(((sample - 1) ** 3).mean() * LOOKS**2 / 2 - 1) < 0.15


def test_every_class_has_its_power_on_every_date(truth: Truth) -> None:
    burst = next(iter(truth.bursts))
    where, pixels = classes(truth, burst), series(truth, burst, "VV")
    checked = 0
    for cover in Cover:
        mine = pixels[:, where == cover]
        mine = mine[:, np.isfinite(mine).all(axis=0)]
        if mine.shape[1] < 50:
            continue
        expected = truth.power["VV"][:, cover]
        error = 5 * expected / np.sqrt(LOOKS * mine.shape[1])
        assert (abs(mine.mean(axis=1) - expected) < error).all(), cover.name
        checked += 1
    assert checked >= 3


def test_the_clearing_is_forest_until_its_date_and_bare_from_then_on(truth: Truth) -> None:
    assert truth.clearing_date == truth.dates[CLEARED]
    burst = list(truth.bursts)[1]
    where = classes(truth, burst)
    pixels = series(truth, burst, "VH")
    cleared, forest = pixels[:, where == Cover.CLEARING], pixels[:, where == Cover.FOREST]
    drop_db = 10 * np.log10(np.nanmean(cleared, axis=1) / np.nanmean(forest, axis=1))
    assert cleared.shape[1] > 400
    assert (abs(drop_db[:CLEARED]) < 0.6).all()
    assert (abs(drop_db[CLEARED:] + 6) < 0.6).all()


def test_farmland_has_a_year_and_forest_has_none(tmp_path: Path) -> None:
    truth = simulate_rtc(tmp_path, dates=24, size=32, bursts=1, interval_days=16)
    db = 10 * np.log10(truth.power["VV"])
    assert np.ptp(db[:, Cover.FOREST]) == pytest.approx(0)
    assert np.ptp(db[:, Cover.FARMLAND]) == pytest.approx(5, abs=0.2)
    assert truth.dates[int(db[:, Cover.FARMLAND].argmax())].month == 7


def test_neighbouring_bursts_share_lattice_and_mean_but_not_speckle(truth: Truth) -> None:
    (first, a), (second, b) = truth.bursts.items()
    assert a.lattice_difference(b) is None
    assert a.left != b.left  # placing by array index would be wrong
    window = a.window_of(b).intersect(a.full)
    assert window.height == 20
    assert window.width > 100
    x = read(truth.path(first, date=0, layer="VV"))[window.slices]
    y = read(truth.path(second, date=0, layer="VV"))[b.window_of(a.crop(window)).slices]
    both = np.isfinite(x) & np.isfinite(y)
    mean = truth.mean_power("VV", date=0)[truth.grid.window_of(a.crop(window)).slices][both]
    u, v = x[both] / mean - 1, y[both] / mean - 1
    assert both.sum() > 1000
    assert abs(np.corrcoef(u, v)[0, 1]) < 5 / np.sqrt(both.sum())
    assert 0 < (truth.sensing(second, date=0) - truth.sensing(first, date=0)).total_seconds() < 5


def test_bursts_together_leave_no_hole(truth: Truth) -> None:
    covered = np.zeros(truth.grid.shape, dtype=bool)
    for burst, grid in truth.bursts.items():
        covered[truth.grid.window_of(grid).slices] |= np.isfinite(read(truth.path(burst, date=0, layer="VV")))
    for row in covered[8:-8]:
        inside = np.flatnonzero(row)
        assert inside.size == inside[-1] - inside[0] + 1


def test_borders_are_slanted_no_data_and_the_mask_says_so(truth: Truth) -> None:
    for burst in truth.bursts:
        pixels, mask = read(truth.path(burst, date=3, layer="VV")), read(truth.path(burst, date=3, layer="mask"))
        np.testing.assert_array_equal(np.isnan(pixels), mask == OUTSIDE)
        starts = np.isfinite(pixels).argmax(axis=1)[10:-10]
        assert starts[-1] > starts[0] > 0


def test_layover_and_shadow_stand_in_the_mask(truth: Truth) -> None:
    burst = list(truth.bursts)[1]
    mask, where = read(truth.path(burst, date=0, layer="mask")), classes(truth, burst)
    for cover, value in MASK_VALUE.items():
        inside = mask[where == cover]
        assert (inside == value).sum() > 20
        assert np.isin(inside, [value, OUTSIDE]).all()
    assert (mask[(mask != OUTSIDE) & (where < Cover.SHADOW)] == 0).all()


def test_files_look_like_operas_and_say_that_they_are_simulated(truth: Truth) -> None:
    with rasterio.open(truth.path("T175-000001-IW1", date=0, layer="VV")) as file:
        assert file.name.endswith(
            "OPERA_L2_RTC-S1_T175-000001-IW1_20240103T053000Z_20240104T053000Z_S1A_30_v0.0_VV.tif"
        )
        assert file.dtypes == ("float32",)
        assert np.isnan(file.nodata)
        assert file.block_shapes == [(512, 512)]
        assert file.compression.name == "deflate"
        assert file.res == (30, 30)
        assert file.crs.to_epsg() == 32631
        tags = file.tags()
    assert tags["SIMULATED"].startswith("yes")
    assert (int(tags["ABSOLUTE_ORBIT_NUMBER"]) - 73) % 175 + 1 == int(tags["TRACK_NUMBER"]) == 175
    assert "SIMULATED" in (truth.folder / "README.txt").read_text()
    assert len(list(truth.folder.glob("*.tif"))) == 9 * 2 * 3
    assert not list(truth.folder.glob("*.part"))


def test_the_reader_of_opera_takes_them_all(truth: Truth) -> None:
    found = opera.find(str(truth.folder), s3=S3Options())
    assert found.dropped == ()
    assert len(found.scenes) == 9 * 2
    for scene in found.scenes:
        burst = scene.id.split("_")[0]
        assert scene.grid == truth.bursts[burst]
        assert scene.time in {truth.sensing(burst, date=d) for d in range(9)}
        assert set(scene.rasters) == {"VV", "VH"}
        assert scene.mask is not None
        assert (scene.relative_orbit, scene.pass_direction, scene.look_direction) == (175, "descending", "right")


def test_the_truth_on_disk_is_the_truth_returned(truth: Truth) -> None:
    stored = json.loads((truth.folder / "truth.json").read_text())
    assert stored["clearing_date"] == truth.dates[CLEARED].isoformat()
    assert stored["looks"] == LOOKS
    assert stored["power"]["VH"]["water"] == truth.power["VH"][:, Cover.WATER].tolist()
    np.testing.assert_array_equal(np.load(truth.folder / "truth_classes.npy"), truth.classes)


def test_a_seed_gives_the_same_pixels_and_another_seed_others(tmp_path: Path) -> None:
    one, again, other = (
        simulate_rtc(tmp_path / name, dates=2, size=64, seed=seed) for name, seed in [("a", 3), ("b", 3), ("c", 4)]
    )
    for burst in one.bursts:
        a, b, c = (read(t.path(burst, date=1, layer="VV")) for t in (one, again, other))
        np.testing.assert_array_equal(a, b)
        assert np.nanmax(abs(a - c)) > 0


def test_fewer_dates_are_the_beginning_of_more(tmp_path: Path) -> None:
    few, more = simulate_rtc(tmp_path / "a", dates=2, size=64), simulate_rtc(tmp_path / "b", dates=8, size=64)
    assert few.clearing_date is None
    for burst in few.bursts:
        name = few.path(burst, date=1, layer="VH").name
        assert (few.folder / name).read_bytes() == (more.folder / name).read_bytes()


def test_a_large_stack_is_written_tile_by_tile(tmp_path: Path) -> None:
    tracemalloc.start()
    truth = simulate_scene_stack(tmp_path, dates=1, height=2048, width=1024, polarizations=("VV",))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert truth.grid.shape == (2048, 1024)
    assert peak < 4 * 2048 * 1024  # bytes of one scene: no whole scene is ever held
    pixels = read(truth.path("T175-000001-IW1", date=0, layer="VV"))
    ratio = pixels / truth.mean_power("VV", date=0)
    inside = ratio[np.isfinite(ratio)]
    assert abs(inside.mean() - 1) < 5 / np.sqrt(LOOKS * inside.size)
    assert not np.array_equal(ratio[200:400, 200:400], ratio[712:912, 200:400])  # tiles do not repeat


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dates": 0}, "0 dates"),
        ({"size": 16}, "16 x 16"),
        ({"bursts": 0}, "0 bursts"),
        ({"looks": 0.0}, "0.0 looks"),
        ({"seed": -1}, "seed -1"),
        ({"start": "yesterday"}, "'yesterday'"),
    ],
)
def test_wrong_numbers_are_named_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        simulate_rtc(tmp_path / "scenes", **wrong)
    assert caught.value.remedy
    assert not (tmp_path / "scenes").exists()


def test_a_polarization_that_is_not_simulated_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'HH'"):
        simulate_scene_stack(tmp_path, polarizations=("VV", "HH"))
