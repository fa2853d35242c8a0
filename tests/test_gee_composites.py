"""Composites in Earth Engine: against NumPy on real scenes, and on simulated ones with known truth."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
import rasterio
from ee_offline import offline_client
from ee_pixels import arrays, catalogue, lattice, stored
from ee_scenes import ABSENT, OPERA, OPERA_FILES, ask, earth_engine, grid_of, read

from gee.border_noise import BorderNoise
from gee.composites import Average, composite, per_pass
from gee.local.simulate import Cover, Orbit, Simulation, incidence, scenes, truth
from gee.measures import QUANTITIES, Measure
from gee.passes import PassInfo, group_passes, pass_image
from gee.scenes import GRD, GRD_FLOAT, SceneInfo
from gee.sentinel1 import find_scenes
from gee.speckle.choice import FILTERS, Speckle
from gee.speckle.despeckle import despeckle
from infra.errors import InputError
from infra.grid import Grid, Window

REDUCERS = ("median", "mean", "stdDev", "p05", "p50", "p95")
ALL = [Measure(quantity=q, reducer=r) for q, r in product(QUANTITIES, REDUCERS)]
COUNT = Measure(reducer="count")
Powers = dict[str, np.ndarray]


# -- NumPy's words for the same ---------------------------------------------------------------------------------------


def decibels(power: np.ndarray) -> np.ndarray:
    return np.where(power > 0, 10 * np.log10(np.where(power > 0, power, 1)), np.nan)


def over(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.where(other > 0, one / np.where(other > 0, other, 1), np.nan)


def quantity(powers: Powers, name: str) -> np.ndarray:
    if name == "ratio":
        return over(powers["VV"], powers["VH"])
    if name == "ratio_db":
        return decibels(powers["VV"]) - decibels(powers["VH"])
    power = powers[name[:2].upper()]
    return decibels(power) if name.endswith("_db") else power


def reduced(powers: Powers, measure: Measure) -> np.ndarray:
    """Raster of one measure of passes, dims (time, y, x), NaN where there are no data."""
    if measure.reducer == "count":
        return np.isfinite(powers["VV"]).sum(axis=0).astype(float)
    values = quantity(powers, measure.quantity)
    if measure.reducer == "mean":
        means = {name: np.nanmean(power, axis=0) for name, power in powers.items()}
        return quantity(means, measure.quantity)
    if measure.reducer == "stdDev":
        return np.nanstd(values, axis=0)
    percent = 50.0 if measure.reducer == "median" else float(str(measure.reducer)[1:])
    return np.nanpercentile(values, percent, axis=0)


def agree(made: dict[str, np.ndarray], powers: Powers, measures: Sequence[Measure], *, rtol: float) -> None:
    assert list(made) == [one.name for one in measures]
    with _quiet():
        for one in measures:
            wanted = reduced(powers, one)
            assert np.array_equal(np.isnan(made[one.name]), np.isnan(wanted)), one.name
            np.testing.assert_allclose(made[one.name], wanted, rtol=rtol, atol=1e-12, err_msg=one.name)


def _quiet() -> Any:
    """Where no pass has data NumPy warns, and says NaN, as is meant."""
    return warnings.catch_warnings(action="ignore", category=RuntimeWarning)


# -- made-up powers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def powers() -> Powers:
    """Eight passes with gaps, some power that is not positive, a corner that none has seen, and one that few have."""
    random = np.random.default_rng(1)
    made = {"VV": random.gamma(4, 0.05, (8, 17, 19)), "VH": random.gamma(4, 0.01, (8, 17, 19)) - 0.004}
    gaps = random.random((8, 17, 19)) < 0.3
    gaps[:, :4, :4] = True
    gaps[3:, 10:, 10:] = True
    made["VV"][5, 2:6, 8:12] = 0.0
    return {name: np.where(gaps, np.nan, power) for name, power in made.items()}


def passes_of(powers: Powers) -> tuple[Any, Any]:
    """Collection of the passes, and the catalogue that has them."""
    number = len(powers["VV"])
    context = catalogue(
        {
            f"a{n}": stored({name: power[n] for name, power in powers.items()}, **{"system:time_start": n})
            for n in range(number)
        }
    )
    return ee.ImageCollection.fromImages([ee.Image(f"a{n}") for n in range(number)]), context


def test_every_measure_is_numpys(powers: Powers) -> None:
    with offline_client():
        passes, context = passes_of(powers)
        made = arrays(composite(passes, measures=[*ALL, COUNT]), context, lattice(17, 19))
        agree(made, powers, [*ALL, COUNT], rtol=1e-12)
        assert (made["count"][:4, :4] == 0).all()
        assert np.isnan(made["vv_median"][:4, :4]).all()


@pytest.mark.parametrize("number", [1, 2, 3, 40])
def test_middles_of_few_and_of_many_passes(number: int) -> None:
    random = np.random.default_rng(number)
    made = {name: random.gamma(1, 1, (number, 3, 4)) for name in ("VV", "VH")}
    measures = [Measure(quantity="vv", reducer=one) for one in ("median", "p01", "p33", "p99", "stdDev")]
    with offline_client():
        passes, context = passes_of(made)
        agree(arrays(composite(passes, measures=measures), context, lattice(3, 4)), made, measures, rtol=1e-12)


def test_filtered_and_not_stand_beside_each_other_under_their_names(powers: Powers) -> None:
    speckle = Speckle(filter="boxcar", window=3)
    measures = [
        Measure(quantity="ratio_db", reducer="median"),
        Measure(quantity="ratio_db", reducer="median", filtered=False),
        COUNT,
        Measure(quantity="vv", reducer="p95", filtered=False),
    ]
    with offline_client():
        passes, context = passes_of(powers)
        smooth = despeckle(passes, speckle, polarizations=["VV", "VH"])
        made = arrays(composite(smooth, measures=measures, unfiltered=passes), context, lattice(17, 19))
        assert list(made) == ["ratio_db_median", "ratio_db_median_unfiltered", "count", "vv_p95_unfiltered"]
        with _quiet():
            np.testing.assert_allclose(made["ratio_db_median_unfiltered"], reduced(powers, measures[0]), rtol=1e-12)
            np.testing.assert_allclose(made["vv_p95_unfiltered"], reduced(powers, measures[3]), rtol=1e-12)
        alone = arrays(composite(smooth, measures=measures[:1]), context, lattice(17, 19))
        assert np.array_equal(alone["ratio_db_median"], made["ratio_db_median"], equal_nan=True)
        assert not np.array_equal(made["ratio_db_median"], made["ratio_db_median_unfiltered"], equal_nan=True)


def test_power_is_averaged_before_anything_else(powers: Powers) -> None:
    """Two by three pixels each: means of the powers with data; a ratio is of these means, not a mean of ratios."""
    high, wide = 8, 6
    blocks = {name: _block_means(power[:, : 2 * high, : 3 * wide]) for name, power in powers.items()}
    native = lattice(17, 19)
    side, _, west, _, _, north = native.transform
    average = Average(crs=native.crs, transform=(3 * side, 0.0, west, 0.0, -2 * side, north), most=64)
    coarse = type(native)(native.crs, average.transform, wide, high)
    with offline_client():
        passes, context = passes_of(powers)
        made = arrays(composite(passes, measures=[*ALL, COUNT], average=average), context, coarse)
        agree(made, blocks, [*ALL, COUNT], rtol=1e-12)


def _block_means(power: np.ndarray) -> np.ndarray:
    number, height, width = power.shape
    cut = power.reshape(number, height // 2, 2, width // 3, 3)
    with _quiet():
        return np.nanmean(cut, axis=(2, 4))


def test_one_pass_by_itself(powers: Powers) -> None:
    measures = [
        Measure(quantity="vv_db"),
        Measure(quantity="ratio"),
        Measure(quantity="vv_db", filtered=False),
    ]
    with offline_client():
        passes, context = passes_of(powers)
        image = ee.Image(passes.first())
        smooth = ee.Image(despeckle(passes, Speckle(filter="boxcar", window=3), polarizations=["VV", "VH"]).first())
        both = per_pass(smooth, measures=measures, unfiltered=image)
        made = arrays(both, context, lattice(17, 19))
        assert list(made) == ["vv_db", "ratio", "vv_db_unfiltered"]
        own = {name: power[0] for name, power in powers.items()}
        np.testing.assert_allclose(made["vv_db_unfiltered"], decibels(own["VV"]), rtol=1e-12)
        raw = arrays(per_pass(image, measures=measures[:2]), context, lattice(17, 19))
        np.testing.assert_allclose(raw["ratio"], over(own["VV"], own["VH"]), rtol=1e-12)


def test_what_cannot_be_made() -> None:
    with pytest.raises(InputError, match="p00"):
        Measure(quantity="vv", reducer="p00")
    with pytest.raises(InputError, match="frost"):
        Measure(quantity="frost", reducer="mean")
    with offline_client():
        passes = ee.ImageCollection.fromImages([ee.Image("a")])
        for wrong in ([], [Measure(quantity="vv")], [Measure(quantity="vv", reducer="mean", filtered=False)]):
            with pytest.raises(ValueError, match=r"composite|before the filter"):
                composite(passes, measures=wrong)
        with pytest.raises(ValueError, match="reducers"):
            per_pass(ee.Image("a"), measures=[Measure(quantity="vv", reducer="mean")])


def test_graphs_grow_by_the_names_of_the_scenes_alone() -> None:
    def size(number: int) -> int:
        passes = ee.ImageCollection.fromImages([ee.Image(f"a{n}") for n in range(number)])
        smooth = despeckle(passes, Speckle(filter="refined_lee", looks=4.4), polarizations=["VV", "VH"])
        return len(composite(smooth, measures=[*ALL, COUNT], unfiltered=passes).serialize(for_cloud_api=True))

    with offline_client():
        assert size(1) < 100_000
        assert size(200) - size(1) < 199 * 200


def test_graphs_are_built_without_asking() -> None:
    """There is no server here, and no login."""
    scene = SceneInfo(
        id=f"{GRD}/S1A_X",
        index="S1A_X",
        time=datetime(2020, 1, 1, tzinfo=UTC),
        platform="S1A",
        absolute_orbit=1,
        relative_orbit=1,
        pass_direction="ascending",
        polarizations=("VV", "VH"),
        crs="EPSG:32720",
        transform=(10.0, 0.0, 0.0, 0.0, -10.0, 0.0),
        width=10,
        height=10,
        resolution=10.0,
    )
    with offline_client():
        image = pass_image(
            PassInfo(scenes=(scene, scene)),
            collection_id=GRD,
            bands=["VV", "VH"],
            incidence_angle=(30, 45),
            border_noise=BorderNoise(below=1e-3, reach=100),
            valid_range=(None, 10),
        )
        for name in FILTERS:
            speckle = Speckle(filter=name, looks=4.4, strong=1.0)
            passes = despeckle(ee.ImageCollection.fromImages([image]), speckle, polarizations=["VV", "VH"])
            average = Average(crs="EPSG:4326", transform=(1e-4, 0, 0, 0, -1e-4, 0))
            assert composite(passes, measures=[*ALL, COUNT], average=average).serialize(for_cloud_api=True)


# -- simulated scenes -------------------------------------------------------------------------------------------------

COVERS = {
    name: Cover(vv=vv, vh=vh, slope=0.0) for name, vv, vh in (("a", 0.1, 0.02), ("b", 0.3, 0.05), ("c", 0.02, 0.01))
}
PLAN = Simulation(
    width=60,
    height=48,
    overlap=12,
    dates=3,
    repeat=6,
    looks=1e8,  # hardly any speckle: what comes out is what was put in
    noise=0.0,
    covers=COVERS,
    orbits=(Orbit(relative=131, direction="ASCENDING"), Orbit(relative=58, direction="DESCENDING")),  # on one UTC date
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with earth_engine(tmp_path_factory.mktemp("simulated"), simulation=PLAN) as found:
        yield found


@pytest.mark.parametrize("collection", [GRD, GRD_FLOAT])
def test_known_ground_comes_out(url: str, collection: str) -> None:
    """Two orbits on one date are two passes, overlapping slices one; a third of the orbits' swaths is masked by angle."""
    ask(url)
    limits = (30.0, 40.0)
    images = [
        pass_image(one, collection_id=collection, bands=["VV", "VH"], incidence_angle=limits)
        for one in group_passes(find_scenes(collection, region=None).scenes)
    ]
    measures = [
        Measure(quantity="ratio_db", reducer="median"),
        Measure(quantity="vv", reducer="mean"),
        Measure(quantity="vh_db", reducer="stdDev"),
        COUNT,
    ]
    whole = grid_of(PLAN)
    made = read(composite(ee.ImageCollection.fromImages(images), measures=measures), whole)
    known = truth(PLAN)
    ground = known.covers[0]
    vv, vh = (np.array([known.power[band][name] for name in known.names])[ground] for band in ("VV", "VH"))
    counts = np.zeros(PLAN.whole)
    for orbit in PLAN.orbits:
        kept = next(one for one in scenes(PLAN) if one.properties["relativeOrbitNumber_start"] == orbit.relative).angle
        half = np.repeat((kept[0] >= limits[0]) & (kept[0] <= limits[1]), PLAN.width // 2)
        assert half.sum() == PLAN.width // 2
        assert np.ptp(incidence(PLAN, orbit)) > 10
        counts += PLAN.dates * half[None, :]
    assert np.array_equal(made["count"], counts)
    assert (counts == PLAN.dates).all()  # each half is seen by one of the orbits
    np.testing.assert_allclose(made["ratio_db_median"], 10 * np.log10(vv / vh), atol=0.01)
    np.testing.assert_allclose(made["vv_mean"], vv, rtol=1e-3)
    assert (made["vh_db_stdDev"] < 0.01).all()


def test_threads_compute_blocks_of_one_composite(url: str) -> None:
    ask(url)
    images = [
        pass_image(one, collection_id=GRD_FLOAT, bands=["VV", "VH"])
        for one in group_passes(find_scenes(GRD_FLOAT, region=None).scenes)
    ]
    smooth = despeckle(ee.ImageCollection.fromImages(images), Speckle(filter="refined_lee"), polarizations=["VV", "VH"])
    whole, side = grid_of(PLAN), 30
    measures = [Measure(quantity="ratio_db", reducer="median"), COUNT]
    at_once = read(composite(smooth, measures=measures), whole)

    def block(place: tuple[int, int]) -> tuple[tuple[int, int], dict[str, np.ndarray]]:
        row, col = place
        ask(url)
        part = Grid(
            crs=whole.crs, left=whole.left + 10.0 * col, top=whole.top - 10.0 * row, dx=10.0, dy=10.0,
            height=min(side, whole.height - row), width=side,
        )  # fmt: skip
        return place, read(composite(smooth, measures=measures), part)

    places = list(product(range(0, whole.height, side), range(0, whole.width, side)))
    with ThreadPoolExecutor(6) as pool:
        for (row, col), made in pool.map(block, places):
            for name, values in made.items():
                wanted = at_once[name][row : row + side, col : col + side]
                np.testing.assert_allclose(values, wanted, rtol=1e-12)


# -- real scenes ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not OPERA_FILES.is_dir(), reason=ABSENT)
def test_real_scenes_are_numpys(tmp_path: Path) -> None:
    burst = "T137-292322-IW1"
    files = {name: sorted(OPERA_FILES.glob(f"{burst}/*_{name}.tif")) for name in ("VV", "VH")}
    powers: Powers = {}
    for name, own in files.items():
        layers = []
        for path in own:
            with rasterio.open(path) as file:
                layers.append(file.read(1).astype(float))
                grid = Grid(
                    crs=str(file.crs), left=file.transform.c, top=file.transform.f, dx=30.0, dy=30.0,
                    height=file.height, width=file.width,
                )  # fmt: skip
        powers[name] = np.array(layers)
    part = Window(15, 40, 40, 50)  # NumPy's percentiles take their time
    gaps = np.isnan(powers["VV"]) | np.isnan(powers["VH"])
    powers = {name: np.where(gaps, np.nan, power)[:, *part.slices] for name, power in powers.items()}
    with earth_engine(tmp_path, opera=burst):
        passes = group_passes(find_scenes(OPERA, region=None).scenes)
        assert len(passes) == len(files["VV"])
        images = [pass_image(one, collection_id=OPERA, bands=["VV", "VH"]) for one in passes]
        made = read(composite(ee.ImageCollection.fromImages(images), measures=[*ALL, COUNT]), grid.crop(part))
    agree(made, powers, [*ALL, COUNT], rtol=1e-9)
