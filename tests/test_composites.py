"""Composites of passes on a real cluster, against NumPy on whole arrays; filters and averages are tested on their own."""

from __future__ import annotations

import os
import re
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icechunk
import numpy as np
import pytest
import rasterio
import zarr
from distributed import Client, LocalCluster
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate
from shapely import Polygon

from dask_jobs.composites.compose_stack import compose_stack
from dask_jobs.composites.composition import Composition, Part
from dask_jobs.composites.measures import Measure
from dask_jobs.composites.reducers import reduce_passes
from dask_jobs.reprojection import Lattice, resample
from dask_jobs.speckle.choice import Speckle
from dask_jobs.speckle.despeckle import despeckle
from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, Step
from dask_jobs.written import Written
from infra.errors import CancelledError, InputError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import Location

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # odc-geo's way with affine
BURST = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1/T137-292320-IW1"
CHUNK = 32
SMALL = 1 << 20  # bytes of a block: several blocks
QUANTITIES = ("vv", "vh", "vv_db", "vh_db", "ratio", "ratio_db")
REDUCERS = ("median", "mean", "stdDev", "p05", "p95")
COUNT = Measure(reducer="count")
EVERY = (*(Measure(quantity=q, reducer=r) for q in QUANTITIES for r in REDUCERS), COUNT)
SOME = (*(one for one in EVERY if one.quantity == "ratio_db" or one.reducer in {"mean", "stdDev"}), COUNT)
BOTH = ("VV", "VH")
Powers = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@dataclass(frozen=True)
class Group:
    """Passes on one grid: `power` by polarization, dims (time, y, x), float32."""

    grid: Grid
    times: tuple[datetime, ...]
    power: Powers


def simulated(seed: int, *, steps: int = 7, shape: tuple[int, int] = (83, 71), row: int = 0) -> Group:
    """Passes with holes, of which some are in one polarization alone, and some powers that are not positive."""
    random = np.random.default_rng(seed)
    grid = Grid(
        crs="EPSG:32611", left=500_040.0, top=4_000_020.0 - 30 * row, dx=30.0, dy=30.0, height=shape[0], width=shape[1]
    )
    power = {}
    for name, level in (("VV", 0.2), ("VH", 0.04)):
        values = level * random.gamma(4.4, 1 / 4.4, (steps, *shape))
        values[:, :, shape[1] // 2 :] *= 5
        values[random.random(values.shape) < 0.04] = np.nan
        values[random.random(values.shape) < 0.01] = 0.0
        power[name] = values.astype(np.float32)
    for values in power.values():
        values[:, 5:15, 5:9] = np.nan
        values[2, 40:60, 20:50] = np.nan
        values[:, 70, 60], values[:, 71, 60] = np.nan, 0.0
    times = tuple(datetime(2024, 1, 5, 2, tzinfo=UTC) + timedelta(days=12 * t) for t in range(steps))
    return Group(grid, times, power)


def write_stack(store: Location, groups: Mapping[str, Group]) -> None:
    repository = icechunk.Repository.create(store.icechunk_storage())
    session = repository.writable_session("main")
    for label, group in groups.items():
        root = zarr.open_group(session.store, mode="a", path=label)
        for name, values in group.power.items():
            array = root.create_array(
                name, shape=values.shape, chunks=(1, CHUNK, CHUNK), dtype="float32", fill_value=float("nan")
            )
            array[:] = values
        steps = tuple(Step(time, ()) for time in group.times)
        ledger = Ledger(grid=group.grid, polarizations=tuple(group.power), chunk=CHUNK, steps=steps)
        root.attrs[ATTRIBUTE] = ledger.to_text()
    repository.create_tag("key", snapshot_id=session.commit("pixels"))


@pytest.fixture(scope="module")
def groups() -> dict[str, Group]:
    return {"035": simulated(1), "137": simulated(2, steps=6, row=9)}


@pytest.fixture(scope="module")
def stack(groups: dict[str, Group], tmp_path_factory: pytest.TempPathFactory) -> Location:
    store = Location.parse(str(tmp_path_factory.mktemp("stack") / "stack.icechunk"))
    write_stack(store, groups)
    return store


@pytest.fixture
def parts(tmp_path: Path) -> Location:
    return Location.parse(str(tmp_path / "parts"))


def all_of(group: Group) -> tuple[int, ...]:
    return tuple(range(len(group.times)))


# ------------------------------------------------------------------------------------------------- NumPy alone


def masked(group: Group, *, polarizations: Sequence[str] = BOTH) -> Powers:
    """Power where every polarization has data, float64."""
    ok = np.all([np.isfinite(group.power[name]) for name in polarizations], axis=0)
    return {name: np.where(ok, group.power[name].astype(np.float64), np.nan) for name in polarizations}


def expected(powers: Powers, measure: Measure) -> np.ndarray:
    """What a measure is, by NumPy's functions that pass over NaN."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of pixels without data
        db = {name: np.where(power > 0, 10 * np.log10(power), np.nan) for name, power in powers.items()}
        if measure.reducer == "count":
            return np.isfinite(powers["VV"]).sum(axis=0)
        name, _, is_db = measure.quantity.partition("_")
        if measure.reducer == "mean":
            means = {pol: np.nanmean(power, axis=0) for pol, power in powers.items()}
            made = (
                np.where(means["VH"] > 0, means["VV"] / means["VH"], np.nan) if name == "ratio" else means[name.upper()]
            )
            return np.where(made > 0, 10 * np.log10(made), np.nan) if is_db else made
        if name == "ratio":
            values = db["VV"] - db["VH"] if is_db else np.where(powers["VH"] > 0, powers["VV"] / powers["VH"], np.nan)
        else:
            values = (db if is_db else powers)[name.upper()]
        if measure.reducer is None:
            return values[0]
        if measure.reducer == "stdDev":
            return np.nanstd(values, axis=0)
        percentile = 50.0 if measure.reducer == "median" else float(measure.reducer[1:])
        return percentiles(values, percentile)


def percentiles(values: np.ndarray, percentile: float) -> np.ndarray:
    """As `np.nanpercentile` over time, which takes pixel by pixel: here those with as many values together."""
    count, ordered = np.isfinite(values).sum(axis=0), np.sort(values, axis=0)  # NaN last
    made = np.full(count.shape, np.nan)
    for n in np.unique(count[count > 0]):
        made[count == n] = np.percentile(ordered[:n, count == n], percentile, axis=0)
    return made


def read(parts: Location, product: Written) -> np.ndarray:
    with rasterio.open(parts.href(product.path)) as file:
        return file.read(1)


def hold(
    parts: Location, written: Sequence[Written], powers: Mapping[str, Powers], measures: Sequence[Measure]
) -> None:
    """Rasters of one part are what NumPy makes; `powers` by "filtered" and "raw"."""
    by_name = {product.name: product for product in written}
    assert set(by_name) == {one.name for one in measures}
    for one in measures:
        wanted = expected(powers["filtered" if one.filtered else "raw"], one)
        made = read(parts, by_name[one.name])
        if one.reducer == "count":
            assert made.dtype == np.int32
            assert np.array_equal(made, wanted), one.name
        else:
            assert made.dtype == np.float32
            assert np.array_equal(np.isnan(made), np.isnan(wanted)), one.name
            np.testing.assert_allclose(made, wanted, rtol=2e-6, atol=1e-6, err_msg=one.name)


# ---------------------------------------------------------------------------------------------- reducers alone


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 40])
def test_reducers_are_numpys(steps: int) -> None:
    powers = masked(simulated(steps, steps=max(steps, 3)))
    powers = {name: values[:steps, 50:75, 40:65] for name, values in powers.items()}
    made = reduce_passes(powers, EVERY)
    assert set(made) == {one.name for one in EVERY}
    for one in EVERY:
        np.testing.assert_allclose(made[one.name], expected(powers, one), rtol=1e-12, atol=1e-12, err_msg=one.name)


def test_what_a_mean_of_decibels_is() -> None:
    """10 log10 of mean power, and of the ratio of means: not the mean of decibels, nor the mean of ratios."""
    powers = {"VV": np.array([1.0, 3.0, 8.0]).reshape(3, 1, 1), "VH": np.array([0.5, 0.1, 0.6]).reshape(3, 1, 1)}
    made = reduce_passes(powers, [Measure(quantity=q, reducer="mean") for q in ("vv_db", "ratio", "ratio_db")])
    assert made["vv_db_mean"].item() == pytest.approx(10 * np.log10(4.0))
    assert made["ratio_mean"].item() == pytest.approx(10.0)
    assert made["ratio_db_mean"].item() == pytest.approx(10.0)


def test_names_of_products() -> None:
    assert Measure(quantity="ratio_db", reducer="median").name == "ratio_db_median"
    assert Measure(quantity="vh", reducer="p95", filtered=False).name == "vh_p95_unfiltered"
    assert Measure(quantity="vv_db", reducer="count", filtered=False).name == "count"
    assert Measure(quantity="vv_db").name == "vv_db"


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": "hh", "reducer": "mean"},
        {"quantity": "vv", "reducer": "mode"},
        {"quantity": "vv", "reducer": "p00"},
        {"quantity": "vv", "reducer": "p5"},
    ],
)
def test_what_is_no_measure(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match="there is no"):
        Measure(**wrong)


# ------------------------------------------------------------------------------------------------- whole stacks


def test_measures_of_two_groups(client: Client, groups: dict[str, Group], stack: Location, parts: Location) -> None:
    for (label, group), measures in zip(groups.items(), (SOME, SOME[-4:]), strict=True):
        composition = Composition(
            store=stack, tag="key", group=label, polarizations=BOTH, measures=measures,
            parts=(Part(steps=all_of(group), orbit=label),),
        )  # fmt: skip
        written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)
        assert [product.path for product in written] == [f"{label}_{one.name}.tif" for one in measures]
        assert {product.orbit for product in written} == {label}
        hold(parts, written, {"filtered": masked(group)}, measures)


FILTERS = [
    Speckle(filter="refined_lee"),
    Speckle(filter="focal_median", radius=3.5),
    Speckle(filter="lee_sigma", window=9, looks=4.4, strong={"VV": 1.0, "VH": 0.3}),
    Speckle(filter="multi_temporal", window=5),
]
TWINS = (
    *(Measure(quantity=q, reducer=r, filtered=f) for q in ("vv_db", "ratio_db") for r in ("median", "mean") for f in (True, False)),
    COUNT,
)  # fmt: skip


@pytest.mark.parametrize("speckle", FILTERS, ids=lambda one: one.filter)
def test_filtered_blocks_and_their_raw_twins(
    speckle: Speckle, client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group = groups["035"]
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=TWINS, speckle=speckle,
        parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)
    raw = masked(group)
    filtered = {name: despeckle(power, speckle, name) for name, power in raw.items()}
    hold(parts, written, {"filtered": filtered, "raw": raw}, TWINS)


def test_a_polarization_that_is_not_needed_hides_nothing(
    client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group = groups["137"]
    measures = (Measure(quantity="vv_db", reducer="median"), COUNT)
    composition = Composition(
        store=stack, tag="key", group="137", polarizations=("VV",), measures=measures,
        parts=(Part(steps=all_of(group)),), valid_range=(0.05, 2.0),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client)
    power = masked(group, polarizations=("VV",))
    power["VV"][~((power["VV"] >= 0.05) & (power["VV"] <= 2.0))] = np.nan
    hold(parts, written, {"filtered": power}, measures)


def test_a_valid_range_of_one_polarization_hides_the_other(
    client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    measures = (Measure(quantity="vh", reducer="mean"), COUNT)
    composition = Composition(
        store=stack, tag="key", group="137", polarizations=BOTH, measures=measures,
        parts=(Part(steps=(0, 3, 5)),), valid_range=(0.03, None),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client)
    power = {name: values[[0, 3, 5]] for name, values in masked(groups["137"]).items()}
    ok = (power["VV"] >= 0.03) & (power["VH"] >= 0.03)
    hold(parts, written, {"filtered": {name: np.where(ok, values, np.nan) for name, values in power.items()}}, measures)


def test_months_have_rasters_of_their_own(
    client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group = groups["035"]
    months: dict[str, list[int]] = {}
    for step, time in enumerate(group.times):
        months.setdefault(f"{time:%Y-%m}", []).append(step)
    assert {len(steps) for steps in months.values()} >= {2, 3}  # even and odd
    measures = (Measure(quantity="ratio_db", reducer="median"), COUNT)
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=measures,
        parts=tuple(Part(steps=tuple(steps), period=month) for month, steps in months.items()),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)
    assert len({product.path for product in written}) == len(written) == 2 * len(months)
    for month, steps in months.items():
        own = [product for product in written if product.period == month]
        hold(parts, own, {"filtered": {name: power[steps] for name, power in masked(group).items()}}, measures)
        with rasterio.open(parts.href(own[0].path)) as file:
            assert file.tags()["PASSES"] == str(len(steps))
            assert file.tags()["FIRST_DATE"] == f"{group.times[steps[0]]:%Y-%m-%d}"


@pytest.mark.parametrize("companions", [None, ((0, 2, 4, 6), (1, 3, 5))])
def test_a_series_of_passes_that_are_filtered_together(
    companions: tuple[tuple[int, ...], ...] | None,
    client: Client,
    groups: dict[str, Group],
    stack: Location,
    parts: Location,
) -> None:
    group, speckle = groups["035"], Speckle(filter="multi_temporal", window=7)
    measures = tuple(Measure(quantity=q, filtered=f) for q in ("vv_db", "ratio") for f in (True, False))
    series = tuple(Part(steps=(step,), date=f"{group.times[step]:%Y-%m-%dT%H:%M:%S}") for step in (1, 2, 6))
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=measures, speckle=speckle,
        companions=companions, parts=series,
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)
    raw = masked(group)
    filtered = {name: np.full(power.shape, np.nan) for name, power in raw.items()}
    for family in companions or ((1, 2, 6),):
        for name, power in raw.items():
            filtered[name][list(family)] = despeckle(power[list(family)], speckle, name)
    for part in series:
        own = [product for product in written if product.date == part.date]
        one = {"filtered": filtered, "raw": raw}
        hold(parts, own, {k: {n: p[list(part.steps)] for n, p in v.items()} for k, v in one.items()}, measures)


# -------------------------------------------------------------------------------------------------- other grids


def aligned(grid: Grid, *, factor: int) -> Grid:
    """Pixels of `factor` x `factor` of the grid's, from its corner on."""
    return replace(
        grid, dx=factor * grid.dx, dy=factor * grid.dy, height=grid.height // factor, width=grid.width // factor
    )


GRIDDED = (
    *(Measure(quantity=q, reducer=r, filtered=f) for q, r in (("vv_db", "median"), ("ratio", "stdDev"), ("vh", "mean")) for f in (True, False)),
    COUNT,
)  # fmt: skip


@pytest.mark.parametrize("factor", [2, 5])
def test_a_coarser_grid_holds_means_of_power(
    factor: int, client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group, speckle = groups["035"], Speckle(filter="refined_lee")
    coarse = aligned(group.grid, factor=factor)
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=GRIDDED, speckle=speckle, grid=coarse,
        parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)

    def means(power: np.ndarray) -> np.ndarray:
        height, width = coarse.shape
        cells = power[:, : height * factor, : width * factor].reshape(-1, height, factor, width, factor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cells without data
            return np.nanmean(cells, axis=(2, 4))

    raw = masked(group)
    filtered = {name: means(despeckle(power, speckle, name)) for name, power in raw.items()}
    hold(parts, written, {"filtered": filtered, "raw": {n: means(p) for n, p in raw.items()}}, GRIDDED)


def around(grid: Grid, *, crs: str, resolution: float) -> Grid:
    return Lattice.spaced(crs=crs, resolution=resolution).around(grid)


@pytest.mark.parametrize(("crs", "resolution"), [("EPSG:32610", 45.0), ("EPSG:4326", 0.0007), ("EPSG:3310", 400.0)])
def test_another_projection(
    crs: str, resolution: float, client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group, speckle = groups["035"], Speckle(filter="lee", window=5, looks=4.4)
    target = around(group.grid, crs=crs, resolution=resolution)
    measures = (*GRIDDED[:2], COUNT)
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=measures, speckle=speckle, grid=target,
        parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)

    def averaged(powers: np.ndarray) -> np.ndarray:
        return np.array([resample(p, grid=group.grid, target=target, resampling="average") for p in powers])

    raw = masked(group)
    filtered = {name: averaged(despeckle(power, speckle, name)) for name, power in raw.items()}
    assert np.isfinite(filtered["VV"]).any()
    hold(parts, written, {"filtered": filtered, "raw": {n: averaged(p) for n, p in raw.items()}}, measures)


@pytest.mark.parametrize("crs", ["EPSG:32611", "EPSG:32610"])
def test_it_does_not_matter_how_pixels_are_cut(
    crs: str, client: Client, groups: dict[str, Group], stack: Location, tmp_path: Path
) -> None:
    group = groups["035"]
    target = around(group.grid, crs=crs, resolution=12.0)  # several tiles
    measures = (Measure(quantity="vv_db", reducer="median"), COUNT)
    made = []
    for block_bytes in (1 << 18, 1 << 22, 1 << 28):
        parts = Location.parse(str(tmp_path / str(block_bytes)))
        composition = Composition(
            store=stack, tag="key", group="035", polarizations=BOTH, measures=measures, grid=target,
            speckle=Speckle(filter="gamma_map", window=7, looks=4.4), parts=(Part(steps=(0, 1)),),
        )  # fmt: skip
        said: list[tuple[str, float]] = []
        written = compose_stack(
            composition,
            parts=parts,
            client=client,
            block_bytes=block_bytes,
            checkpoint=lambda *s: said.append(s),  # noqa: B023 -- called in this turn alone
        )
        assert [fraction for _, fraction in said] == sorted(fraction for _, fraction in said)
        assert said[-1][1] == pytest.approx(1.0)
        made.append((len(said), [read(parts, product) for product in written]))
    assert made[0][0] > made[2][0]
    for other in made[1:]:
        for one, same in zip(made[0][1], other[1], strict=True):
            assert np.array_equal(one, same, equal_nan=True)


def test_another_extent_of_the_stacks_own_lattice(
    client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    """Pixels keep their values; the filter sees what lies beyond the extent, and there is none beyond the stack."""
    group, speckle = groups["137"], Speckle(filter="boxcar", window=5)
    extent = Window(-7, 20, 60, 70)
    measures = (Measure(quantity="vv", reducer="median"), COUNT)
    composition = Composition(
        store=stack, tag="key", group="137", polarizations=BOTH, measures=measures, speckle=speckle,
        grid=group.grid.crop(extent), parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)
    filtered = {name: despeckle(power, speckle, name) for name, power in masked(group).items()}
    wide = {name: np.pad(p, ((0, 0), (7, 0), (0, 30)), constant_values=np.nan) for name, p in filtered.items()}
    hold(parts, written, {"filtered": {name: p[:, :60, 20:90] for name, p in wide.items()}}, measures)


@pytest.mark.parametrize("factor", [1, 2])
def test_outside_of_the_region_there_is_no_data(
    factor: int, client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group = groups["035"]
    grid = aligned(group.grid, factor=factor)
    left, bottom, right, top = grid.bounds
    corners = [(left, bottom), (right, bottom), ((left + right) / 2, top)]
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    region = Region(wkt=Polygon([to_degrees.transform(*corner) for corner in corners]).wkt, masks=True)
    measures = (Measure(quantity="vv_db", reducer="mean"), COUNT)
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=measures, region=region, grid=grid,
        parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    free = compose_stack(replace(composition, region=None), parts=parts / "free", client=client, block_bytes=SMALL)
    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL)
    inside = region.inside(grid)
    assert 0.3 < inside.mean() < 0.7
    for product, whole in zip(written, free, strict=True):
        made, before = read(parts, product), read(parts / "free", whole)
        nothing = 0 if product.name == "count" else np.nan
        assert np.array_equal(made, np.where(inside, before, nothing), equal_nan=True)


# ------------------------------------------------------------------------------------------------ files, deaths


def test_files_say_what_they_are(client: Client, groups: dict[str, Group], stack: Location, parts: Location) -> None:
    measures = (Measure(quantity="vv_db", reducer="median"), Measure(quantity="vv_db", reducer="stdDev"), COUNT)
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=("VV",), measures=measures,
        speckle=Speckle(filter="lee", window=5, looks=4.4), parts=(Part(steps=(0, 1, 2), period="2024-01"),),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client)
    assert [product.path for product in written] == [
        "035_2024-01_vv_db_median.tif", "035_2024-01_vv_db_stdDev.tif", "035_2024-01_count.tif",
    ]  # fmt: skip
    for product, measure in zip(written, measures, strict=True):
        assert product.role == "raster"
        assert product.period == "2024-01"
        assert cog_validate(parts.href(product.path))[0]
        with rasterio.open(parts.href(product.path)) as file:
            assert file.units == (measure.layer.units,)
            assert file.descriptions == (measure.layer.description,)
            assert file.tags()["SPECKLE_FILTER"] == "lee"
            assert file.tags()["LAST_DATE"] == "2024-01-29"
            assert file.transform == groups["035"].grid.affine
    assert measures[0].layer.overview == "db"
    assert measures[1].layer.overview == "power"


def test_on_s3(groups: dict[str, Group], s3_bucket: Location, tmp_path: Path) -> None:
    store, parts = s3_bucket / "stack.icechunk", s3_bucket / "parts"
    write_stack(store, {"": groups["137"]})
    measures = (Measure(quantity="ratio_db", reducer="median"), COUNT)
    composition = Composition(
        store=store, tag="key", polarizations=BOTH, measures=measures, parts=(Part(steps=(0, 1, 2)),),
    )  # fmt: skip
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        written = compose_stack(composition, parts=parts, client=client)
    here = Location.parse(str(tmp_path))
    for product in written:
        parts.download(product.path, tmp_path / product.path)
    hold(here, written, {"filtered": {n: p[:3] for n, p in masked(groups["137"]).items()}}, measures)


class StoppedError(CancelledError):
    """What the driver's checkpoint raises here."""


@pytest.mark.parametrize(("phase", "after"), [("compose", 3), ("write", 1)])
def test_a_stopped_composition_goes_on_where_it_was(
    phase: str, after: int, client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group = groups["035"]
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=BOTH, measures=EVERY[:4], speckle=FILTERS[0],
        parts=tuple(Part(steps=steps, period=str(k)) for k, steps in enumerate(((0, 1, 2), (3, 4, 5, 6)))),
    )  # fmt: skip
    said: list[str] = []

    def stop(point: str, fraction: float) -> None:
        said.append(point)
        if said.count(phase) == after:
            raise StoppedError("stopped", "go on")

    with pytest.raises(StoppedError):
        compose_stack(composition, parts=parts, client=client, block_bytes=SMALL, checkpoint=stop)
    again: list[str] = []
    written = compose_stack(
        composition, parts=parts, client=client, block_bytes=SMALL, checkpoint=lambda point, _: again.append(point)
    )
    first = said.count("compose")
    assert again.count("compose") <= (0 if phase == "write" else 1000)
    whole: list[str] = []
    other = compose_stack(
        composition, parts=parts / "other", client=client, block_bytes=SMALL, checkpoint=lambda p, _: whole.append(p)
    )
    assert again.count("compose") <= whole.count("compose") - first
    for one, same in zip(written, other, strict=True):
        assert np.array_equal(read(parts, one), read(parts / "other", same), equal_nan=True)
    filtered = {name: despeckle(power, FILTERS[0], name) for name, power in masked(group).items()}
    late = {name: power[3:] for name, power in filtered.items()}
    hold(parts, [p for p in written if p.period == "1"], {"filtered": late}, EVERY[:4])


def test_a_killed_worker_costs_its_tasks_alone(
    client: Client, groups: dict[str, Group], stack: Location, parts: Location
) -> None:
    group = groups["137"]
    composition = Composition(
        store=stack, tag="key", group="137", polarizations=BOTH, measures=EVERY[:6],
        parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    said: list[str] = []

    def kill(point: str, fraction: float) -> None:
        said.append(point)
        if len(said) == 2:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    written = compose_stack(composition, parts=parts, client=client, block_bytes=SMALL, checkpoint=kill)
    hold(parts, written, {"filtered": masked(group)}, EVERY[:6])


# ---------------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"group": "999"}, "999"),
        ({"tag": "other"}, "other"),
        ({"polarizations": ("VV", "HH")}, "HH"),
    ],
)
def test_what_the_stack_does_not_have(
    change: dict[str, object], words: str, client: Client, stack: Location, parts: Location
) -> None:
    composition = Composition(
        store=stack, tag="key", group="035", polarizations=("VV",), parts=(Part(steps=(0,)),),
        measures=(Measure(quantity="vv", reducer="mean"),),
    )  # fmt: skip
    with pytest.raises(InputError, match=re.escape(words)):
        compose_stack(replace(composition, **change), parts=parts, client=client)  # type: ignore[arg-type] # each its own type


@pytest.mark.parametrize(
    "change",
    [
        {"parts": (Part(steps=(0,)), Part(steps=(1,)))},
        {"measures": (Measure(quantity="ratio", reducer="mean"),)},
        {"parts": (Part(steps=()),)},
        {"parts": (Part(steps=(0, 1)),), "measures": (Measure(quantity="vv"),)},
        {"parts": ()},
        {"speckle": Speckle(filter="multi_temporal"), "companions": ((1, 2),)},
    ],
)
def test_what_cannot_be_composed(change: dict[str, object], stack: Location) -> None:
    composition = Composition(
        store=stack, tag="key", polarizations=("VV",), parts=(Part(steps=(0,)),),
        measures=(Measure(quantity="vv", reducer="mean"),),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"."):
        replace(composition, **change)  # type: ignore[arg-type] # each its own type


# ------------------------------------------------------------------------------------------------------ real data


@pytest.mark.skipif(not BURST.is_dir(), reason="the real OPERA scenes are not at ../shared/data")
def test_a_real_burst(client: Client, tmp_path: Path) -> None:
    files = sorted(BURST.glob("*_VV.tif"))
    times = tuple(
        datetime.strptime(re.findall(r"_(\d{8}T\d{6})Z_", file.name)[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        for file in files
    )
    power = {}
    for name in BOTH:
        scenes = []
        for file in files:
            with rasterio.open(str(file).replace("_VV.tif", f"_{name}.tif")) as scene:
                scenes.append(scene.read(1))
                left, top, step = scene.bounds.left, scene.bounds.top, scene.transform.a
        power[name] = np.array(scenes)
    height, width = power["VV"].shape[1:]
    group = Group(
        Grid(crs="EPSG:32611", left=left, top=top, dx=step, dy=step, height=height, width=width), times, power
    )
    store = Location.parse(str(tmp_path / "stack.icechunk"))
    write_stack(store, {"": group})
    speckle, parts = Speckle(filter="refined_lee"), Location.parse(str(tmp_path / "parts"))
    composition = Composition(
        store=store, tag="key", polarizations=BOTH, measures=TWINS, speckle=speckle,
        parts=(Part(steps=all_of(group)),),
    )  # fmt: skip
    written = compose_stack(composition, parts=parts, client=client, block_bytes=1 << 21)
    raw = masked(group)
    filtered = {name: despeckle(values, speckle, name) for name, values in raw.items()}
    hold(parts, written, {"filtered": filtered, "raw": raw}, TWINS)
