"""A stack reduced on a real cluster, against NumPy on the whole of it; and what a death in the middle costs: nothing."""

from __future__ import annotations

import os
import re
import signal
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icechunk
import numpy as np
import pandas as pd
import pytest
import rasterio
import zarr
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st
from rio_cogeo.cogeo import cog_validate

from dask_jobs.reduction.block_layout import PIXEL_BYTES, SPARE_PLANES, lay_out
from dask_jobs.reduction.reduce_stack import reduce_stack
from dask_jobs.reduction.work import Reduction
from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, Step
from dask_jobs.statistics.time_series import Zone
from dask_jobs.written import Written
from infra.errors import CancelledError, InputError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import Location

BURST = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1/T137-292320-IW1"
CHUNK = 32
PLANES = 21 + 11 + SPARE_PLANES  # dates and rasters of `reduction`
SMALL = PLANES * CHUNK * CHUNK * PIXEL_BYTES * 2  # two chunks side by side per block: many blocks
Data = tuple[dict[str, np.ndarray], list[datetime], Grid]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def burst() -> Data:
    """21 real dates of one burst, VV and VH, in the corner of a larger grid that is empty elsewhere."""
    if not BURST.is_dir():
        pytest.skip("the real OPERA scenes are not at ../shared/data")
    files = sorted(BURST.glob("*_VV.tif"))
    times = [datetime.strptime(re.findall(r"_(\d{8}T\d{6})Z_", f.name)[0], "%Y%m%dT%H%M%S") for f in files]  # noqa: DTZ007 -- UTC is set below
    with rasterio.open(files[0]) as first:
        left, top, step = first.bounds.left, first.bounds.top, first.transform.a
    grid = Grid(crs="EPSG:32611", left=left - 20 * step, top=top + 10 * step, dx=step, dy=step, height=170, width=130)
    power = {}
    for name in ("VV", "VH"):
        power[name] = np.full((len(files), *grid.shape), np.nan, dtype=np.float32)
        for t, file in enumerate(files):
            with rasterio.open(str(file).replace("_VV.tif", f"_{name}.tif")) as scene:
                power[name][t, 10:110, 20:120] = scene.read(1)
    return power, [time.replace(tzinfo=UTC) for time in times], grid


def make_stack(store: Location, data: Data, *, group: str = "", chunk: int = CHUNK) -> None:
    power, times, grid = data
    repository = icechunk.Repository.create(store.icechunk_storage())
    session = repository.writable_session("main")
    root = zarr.open_group(session.store, mode="w", path=group)
    for name, values in power.items():
        array = root.create_array(
            name, shape=values.shape, chunks=(1, chunk, chunk), dtype="float32", fill_value=float("nan")
        )
        array[:] = values
    steps = tuple(Step(time, ()) for time in times)
    root.attrs[ATTRIBUTE] = Ledger(grid=grid, polarizations=tuple(power), chunk=chunk, steps=steps).to_text()
    repository.create_tag("key", snapshot_id=session.commit("pixels"))


def polygon(grid: Grid, window: Window) -> Region:
    from pyproj import Transformer
    from shapely import Polygon

    part = grid.crop(window)
    x0, x1, y0, y1 = part.x[0] - 6, part.x[-1] + 6, part.y[-1] - 6, part.y[0] + 6
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    corners = [to_degrees.transform(x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return Region(wkt=Polygon(corners).wkt, masks=True)


@pytest.fixture(scope="module")
def stack(burst: Data, tmp_path_factory: pytest.TempPathFactory) -> Location:
    store = Location.parse(str(tmp_path_factory.mktemp("stack") / "stack.icechunk"))
    make_stack(store, burst)
    return store


@pytest.fixture(scope="module")
def reduction(burst: Data, stack: Location) -> Reduction:
    grid = burst[2]
    zones = (
        Zone(name="hill", region=polygon(grid, Window(40, 30, 41, 50))),
        Zone(name="overlap", region=polygon(grid, Window(0, 60, 90, 70))),
        Zone(name="elsewhere", region=polygon(grid, Window(5000, 5000, 9, 9))),
    )
    return Reduction(store=stack, tag="key", min_count=5, percentiles=(2.5, 50.0), zones=zones)


@pytest.fixture(scope="module")
def made(
    reduction: Reduction, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Location, list[Written], list[tuple[str, float]]]:
    parts = Location.parse(str(tmp_path_factory.mktemp("made")))
    said: list[tuple[str, float]] = []
    written = reduce_stack(
        reduction, parts=parts, client=client, checkpoint=lambda *s: said.append(s), block_bytes=SMALL
    )
    return parts, written, said


def test_every_raster_is_what_numpy_makes_of_the_real_stack(
    burst: Data, made: tuple[Location, list[Written], object]
) -> None:
    power, times, _ = burst
    parts, written, _ = made
    days = np.array([(time - datetime(1970, 1, 1, tzinfo=UTC)).days for time in times])
    for name, values in power.items():
        wide = values.astype(np.float64)
        count = np.isfinite(wide).sum(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pixels without data
            mean, std = np.nanmean(wide, axis=0), np.nanstd(wide, axis=0)
            expected = {
                "mean": mean,
                "mean_db": 10 * np.log10(mean),
                "std": std,
                "cov": np.where(count >= 5, std / mean, np.nan),
                "min": np.nanmin(wide, axis=0),
                "max": np.nanmax(wide, axis=0),
                "min_date": np.where(count > 0, days[np.where(np.isnan(wide), np.inf, wide).argmin(axis=0)], -1),
                "max_date": np.where(count > 0, days[np.where(np.isnan(wide), -np.inf, wide).argmax(axis=0)], -1),
                "count": count,
                "p02.5": np.nanpercentile(wide, 2.5, axis=0),
                "p50": np.nanpercentile(wide, 50, axis=0),
            }
        found = {product.name: product for product in written if product.polarization == name}
        assert list(found) == list(expected)
        for label, product in found.items():
            path = parts.href(product.path)
            assert cog_validate(path, strict=True)[0]
            with rasterio.open(path) as file:
                atol = 1e-5 if label == "mean_db" else 0
                np.testing.assert_allclose(file.read(1), expected[label], rtol=2e-6, atol=atol, err_msg=label)
                assert file.descriptions[0].startswith(f"{name} ")
                assert file.tags()["LAST_DATE"] == f"{times[-1]:%Y-%m-%d}"
            assert product.size == Path(path).stat().st_size


def test_the_time_series_is_what_numpy_makes_of_area_and_zones(
    burst: Data, made: tuple[Location, list[Written], object]
) -> None:
    power, times, grid = burst
    parts, written, _ = made
    assert [product.path for product in written if product.role == "table"] == [
        "time_series.csv",
        "time_series.parquet",
    ]
    table = pd.read_parquet(parts.href("time_series.parquet"))
    pd.testing.assert_frame_equal(table, pd.read_csv(parts.href("time_series.csv")))
    assert len(table) == 2 * len(times) * 4
    masks = {name: np.zeros(grid.shape, dtype=bool) for name in ("area", "hill", "overlap", "elsewhere")}
    masks["area"][:] = True
    masks["hill"][40:81, 30:80] = True
    masks["overlap"][0:90, 60:130] = True
    for row in table.itertuples():
        step = power[row.polarization][[f"{time:%Y-%m-%d}" for time in times].index(row.date)]
        mask = masks[row.zone]
        values = step[mask & np.isfinite(step)].astype(np.float64)
        assert row.n_pixels == values.size
        if not values.size:
            assert np.isnan([row.mean_power, row.median_db, row.std_power, row.looks]).all()
            continue
        assert row.mean_power == pytest.approx(values.mean(), rel=1e-12)
        assert row.median_db == pytest.approx(10 * np.log10(np.median(values)), rel=1e-14)
        assert row.std_power == pytest.approx(values.std(), rel=1e-10)
        assert row.valid_fraction == values.size / mask.sum()


def test_the_checkpoint_is_asked_after_every_task_and_the_fraction_grows_to_one(
    made: tuple[Location, list[Written], list[tuple[str, float]]],
) -> None:
    said = made[2]
    fractions = [fraction for _, fraction in said]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    counts = {phase: sum(p == phase for p, _ in said) for phase in ("block", "median", "write")}
    assert counts["block"] == 2 * 6 * 3  # polarizations, rows of chunks, pairs of chunks
    assert counts["write"] == 22
    assert 0 < counts["median"] < counts["block"]  # blocks without data are not looked at again


@pytest.mark.parametrize(("phase", "after"), [("block", 3), ("block", 36), ("median", 5), ("write", 4)])
def test_a_stopped_reduction_goes_on_where_it_was_and_makes_the_same_bytes(
    reduction: Reduction,
    made: tuple[Location, list[Written], list[tuple[str, float]]],
    client: Client,
    tmp_path: Path,
    phase: str,
    after: int,
) -> None:
    said: list[str] = []

    def stop(name: str, _fraction: float) -> None:
        said.append(name)
        if said.count(phase) == after:
            raise CancelledError("the user cancelled")

    parts = Location.parse(str(tmp_path / "parts"))
    with pytest.raises(CancelledError):
        reduce_stack(reduction, parts=parts, client=client, checkpoint=stop, block_bytes=SMALL)
    resumed: list[tuple[str, float]] = []
    written = reduce_stack(
        reduction, parts=parts, client=client, checkpoint=lambda *s: resumed.append(s), block_bytes=SMALL
    )
    assert resumed[0][1] >= made[2][len(said) - 1][1]  # the fraction goes on too
    again = [name for name, _ in resumed]
    for name in ("block", "median", "write"):  # nothing that was reported done is done again
        assert again.count(name) <= [p for p, _ in made[2]].count(name) - said.count(name)
    assert written == made[1]
    for product in written:
        if product.media_type != "application/vnd.apache.parquet":
            assert parts.read(product.path) == made[0].read(product.path), product.path


def test_a_killed_worker_costs_its_task_alone(
    reduction: Reduction, made: tuple[Location, list[Written], object], client: Client, tmp_path: Path
) -> None:
    said: list[str] = []

    def kill(name: str, _fraction: float) -> None:
        said.append(name)
        if len(said) in (4, 50):
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    parts = Location.parse(str(tmp_path))
    written = reduce_stack(reduction, parts=parts, client=client, checkpoint=kill, block_bytes=SMALL)
    assert len(said) > 50
    assert written == made[1]
    for product in written:
        if product.role == "raster":
            assert parts.read(product.path) == made[0].read(product.path), product.path


def test_other_blocks_make_the_same_pixels(
    reduction: Reduction, made: tuple[Location, list[Written], object], client: Client, tmp_path: Path
) -> None:
    """Blocks of four rows of one chunk, and the whole stack in one: chunks are read again, numbers stay."""
    for block_bytes in (PLANES * 4 * CHUNK * PIXEL_BYTES, 2**30):
        parts = Location.parse(str(tmp_path / str(block_bytes)))
        written = reduce_stack(
            Reduction(store=reduction.store, tag="key", polarizations=("VH",), min_count=5, percentiles=(50.0,)),
            parts=parts,
            client=client,
            block_bytes=block_bytes,
        )
        for product in written:
            if product.role == "raster":
                assert parts.read(product.path) == made[0].read(product.path), product.path
        ours, theirs = (
            pd.read_csv(place.href("time_series.csv")).query("polarization == 'VH' and zone == 'area'")
            for place in (parts, made[0])
        )
        np.testing.assert_allclose(ours["mean_power"], theirs["mean_power"], rtol=1e-13)
        np.testing.assert_array_equal(ours["median_db"], theirs["median_db"])


def test_what_another_plan_left_is_not_taken_for_ours(stack: Location, client: Client, tmp_path: Path) -> None:
    parts = Location.parse(str(tmp_path))
    one = Reduction(store=stack, tag="key", polarizations=("VV",), percentiles=(), min_count=1)
    reduce_stack(one, parts=parts, client=client)
    before = parts.read("VV_cov.tif")
    reduce_stack(
        Reduction(store=stack, tag="key", polarizations=("VV",), percentiles=(), min_count=22),
        parts=parts,
        client=client,
    )
    assert parts.read("VV_cov.tif") != before
    with rasterio.open(parts.href("VV_cov.tif")) as file:
        assert np.isnan(file.read(1)).all()  # nowhere 22 of 21 dates


def test_the_area_counts_the_pixels_inside_its_polygon(
    burst: Data, stack: Location, client: Client, tmp_path: Path
) -> None:
    area = Window(10, 20, 50, 100)
    parts = Location.parse(str(tmp_path))
    reduce_stack(
        Reduction(store=stack, tag="key", polarizations=("VV",), percentiles=(), region=polygon(burst[2], area)),
        parts=parts,
        client=client,
    )
    table = pd.read_csv(parts.href("time_series.csv"))
    inside = np.isfinite(burst[0]["VV"][(slice(None), *area.slices)])
    np.testing.assert_allclose(table["valid_fraction"], inside.mean(axis=(1, 2)))


def test_wrong_words_are_errors_that_name_them(reduction: Reduction, client: Client, tmp_path: Path) -> None:
    from dataclasses import replace

    parts = Location.parse(str(tmp_path))
    zone = reduction.zones[0]
    for wrong, words in (
        (replace(reduction, polarizations=("HH",)), "'HH' is not in the stack, which has VV, VH"),
        (replace(reduction, zones=(zone, zone)), "more than one is called 'hill'"),
        (replace(reduction, zones=(Zone(name="area", region=zone.region),)), "more than one is called 'area'"),
        (replace(reduction, tag="other"), "other"),
        (replace(reduction, group="T012"), "T012"),
    ):
        with pytest.raises(InputError, match=words):
            reduce_stack(wrong, parts=parts, client=client)
    assert parts.list() == []


@pytest.mark.parametrize("group", ["", "T137_descending"])
def test_a_stack_in_an_orbit_group_in_the_cloud_reduces_there(s3_bucket: Location, group: str) -> None:
    rng = np.random.default_rng(4)
    power = rng.gamma(4.0, 0.02, (3, 40, 50)).astype(np.float32)
    times = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=12 * k) for k in range(3)]
    grid = Grid(crs="EPSG:32611", left=250_000.0, top=3_830_000.0, dx=30.0, dy=30.0, height=40, width=50)
    make_stack(s3_bucket / "stack", ({"VV": power}, times, grid), group=group)
    # threads of this process as workers: they see the keys that the bucket put into the environment
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        written = reduce_stack(
            Reduction(store=s3_bucket / "stack", tag="key", group=group), parts=s3_bucket / "parts", client=client
        )
    assert {product.orbit for product in written} == {group or None}
    assert len({product.path for product in written}) == len(written)
    mean = next(product for product in written if product.name == "mean")
    with rasterio.MemoryFile((s3_bucket / "parts").read(mean.path)) as memory, memory.open() as file:
        np.testing.assert_allclose(file.read(1), power.mean(axis=0, dtype=np.float64), rtol=1e-6)


@given(
    steps=st.integers(1, 60_000),
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    chunk=st.sampled_from([256, 500, 512]),
)
def test_blocks_cover_every_pixel_once_fit_the_memory_and_share_no_tile(
    steps: int, height: int, width: int, chunk: int
) -> None:
    layout = lay_out((steps, height, width), chunk=chunk, results=12)
    seen = np.zeros((height, width), dtype=np.int8)
    tiles: set[tuple[int, int]] = set()
    for window in layout.windows[:4000]:
        seen[window.slices] += 1
        assert (steps + 12) * window.height * window.width * PIXEL_BYTES <= 96 * 2**20 or window.height == 1
        rows = range(window.row // layout.tile[0], (window.row + window.height - 1) // layout.tile[0] + 1)
        cols = range(window.col // layout.tile[1], (window.col + window.width - 1) // layout.tile[1] + 1)
        mine = {(row, col) for row in rows for col in cols}
        assert not mine & tiles
        tiles |= mine
    assert (seen == 1).all() or len(layout.windows) > 4000
