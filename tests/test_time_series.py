"""Time series merged from blocks against NumPy on all pixels at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.statistics import exact_median
from dask_jobs.statistics.exact_median import Counts, medians, middles
from dask_jobs.statistics.time_series import (
    COLUMNS,
    Partial,
    Zone,
    first_look,
    members,
    merge,
    second_look,
    series_table,
)
from infra.grid import Grid, Window
from infra.region import Region

GRID = Grid(crs="EPSG:32611", left=250_000.0, top=3_830_000.0, dx=30.0, dy=30.0, height=60, width=80)


def box(grid: Grid, window: Window) -> Region:
    """Polygon in degrees around the pixels of a window, a fifth of a pixel wider than their centres."""
    from pyproj import Transformer
    from shapely import Polygon

    part = grid.crop(window)
    x0, x1, y0, y1 = part.x[0] - 6, part.x[-1] + 6, part.y[-1] - 6, part.y[0] + 6
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    corners = [to_degrees.transform(x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return Region(wkt=Polygon(corners).wkt, masks=True)


def from_blocks(
    power: np.ndarray, inside: Sequence[Sequence[np.ndarray]], cuts: list[slice]
) -> tuple[Partial, np.ndarray]:
    """Merged moments and medians (time * zone) of column blocks; everything goes through bytes, as between workers."""
    blocks = [np.ascontiguousarray(power[:, :, cut]) for cut in cuts]
    looks = [
        Partial.from_bytes(part.to_bytes(upper=upper))
        for part, upper in (first_look(block, inside=pixels) for block, pixels in zip(blocks, inside, strict=True))
    ]
    merged = merge(part for part, _ in looks)
    found = middles(merged.count.reshape(-1), blocks=lambda: (upper for _, upper in looks))
    again = [
        second_look(block, inside=pixels, found=found).to_bytes() for block, pixels in zip(blocks, inside, strict=True)
    ]
    return merged, medians(found, blocks=lambda: (Counts.from_bytes(data) for data in again))


def check(power: np.ndarray, cuts: list[slice], masks: np.ndarray) -> None:
    inside = [[np.flatnonzero(mask[:, cut]) for mask in masks] for cut in cuts]
    merged, median = from_blocks(power, inside, cuts)
    np.testing.assert_array_equal(merged.pixels, masks.sum(axis=(1, 2)))
    for t, step in enumerate(power):
        for z, mask in enumerate(masks):
            values = step[mask & np.isfinite(step)].astype(np.float64)
            assert merged.count[t, z] == values.size
            if values.size:
                assert merged.mean[t, z] == pytest.approx(values.mean(), rel=1e-12, abs=1e-15)
                std = np.sqrt(merged.squares[t, z] / values.size)
                assert std == pytest.approx(values.std(), rel=1e-9, abs=1e-12 * abs(values).max())
                assert median[t * len(masks) + z] == np.median(values)  # exact, whatever the blocks
            else:
                assert np.isnan(median[t * len(masks) + z])


@settings(max_examples=40, deadline=None)
@given(
    steps=st.integers(1, 4),
    width=st.integers(1, 50),
    cut=st.integers(1, 50),
    gaps=st.sampled_from([0.0, 0.3, 0.97, 1.0]),
    levels=st.sampled_from([None, 20, 2]),
    offset=st.sampled_from([0.0, 0.1, 1000.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_give_what_all_pixels_give(
    steps: int, width: int, cut: int, gaps: float, levels: int | None, offset: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    power = (rng.gamma(2.0, 0.05, (steps, 9, width)) + 1000 * offset * (offset > 1) - offset * (offset < 1)).astype(
        "f4"
    )
    if levels:
        power = np.round(power * levels).astype(np.float32) / np.float32(levels)  # ties, also across blocks
    power[rng.random(power.shape) < gaps] = np.nan
    masks = np.stack([np.ones((9, width), dtype=bool), rng.random((9, width)) < 0.5, np.zeros((9, width), dtype=bool)])
    check(power, [slice(start, start + cut) for start in range(0, width, cut)], masks)


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([1.0, 2.0], 1.5),  # the two middle values lie in buckets far apart
        ([0.5, -0.5], 0.0),  # and on both sides of zero
        ([1.0, np.nextafter(np.float32(1), np.float32(2))], 1.0 + 2**-24),  # or differ in the last bit
        ([0.0, -0.0, 0.0], 0.0),
        ([3e38, 1e-42, np.inf, np.nan, 7.0], 7.0),  # largest, denormal; infinite is no data
    ],
)
def test_the_median_is_exact_to_the_last_bit(values: list[float], median: float) -> None:
    power = np.array(values, dtype=np.float32).reshape(1, 1, -1)
    pixels = [[np.arange(1)] for _ in values]
    _, found = from_blocks(power, pixels, [slice(i, i + 1) for i in range(len(values))])
    assert found.item() == median


def test_more_rows_than_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_median, "ROWS_AT_ONCE", 3)
    power = np.random.default_rng(1).gamma(4.0, 0.02, (5, 8, 30)).astype(np.float32)
    check(power, [slice(0, 11), slice(11, 30)], np.stack([np.ones((8, 30), dtype=bool), np.eye(8, 30, dtype=bool)]))


def test_a_zone_is_the_pixels_whose_centre_is_inside_across_blocks() -> None:
    window = Window(10, 25, 20, 30)
    zones = [Zone(name="a", region=box(GRID, window)), Zone(name="far", region=box(GRID, Window(500, 500, 5, 5)))]
    expected = np.zeros(GRID.shape, dtype=bool)
    expected[window.slices] = True
    seen = np.zeros(GRID.shape, dtype=bool)
    for col in (0, 32, 64):
        block = Window(0, col, GRID.height, min(32, GRID.width - col))
        area, inside, far = members(GRID.crop(block), region=None, zones=zones)
        assert area.size == block.height * block.width
        assert far.size == 0
        part = np.zeros((block.height, block.width), dtype=bool)
        part.flat[inside] = True
        seen[block.slices] = part
    np.testing.assert_array_equal(seen, expected)


def test_zones_and_area_count_only_pixels_inside_the_polygon_of_the_area() -> None:
    area, zone = Window(0, 0, 60, 40), Window(0, 30, 60, 30)
    inside = members(GRID, region=box(GRID, area), zones=[Zone(name="z", region=box(GRID, zone))])
    assert [pixels.size for pixels in inside] == [60 * 40, 60 * 10]
    only_window = Region(wkt=box(GRID, area).wkt, masks=False)  # a box selects a window, it masks nothing
    assert members(GRID, region=only_window, zones=[])[0].size == GRID.pixels


def test_the_table_says_what_each_column_promises() -> None:
    power = np.array([[1.0, 2.0, 4.0, np.nan], [np.nan] * 4], dtype=np.float32).reshape(2, 1, 4)
    inside = [[np.arange(4), np.arange(0)]]
    merged, median = from_blocks(power, inside, [slice(0, 4)])
    table = series_table(
        merged, median=median, dates=["2021-11-19", "2021-11-25"], polarization="VV", zones=["area", "nothing"]
    )
    assert list(table.columns) == list(COLUMNS)
    assert table[["date", "zone", "n_pixels"]].values.tolist() == [
        ["2021-11-19", "area", 3],
        ["2021-11-19", "nothing", 0],
        ["2021-11-25", "area", 0],
        ["2021-11-25", "nothing", 0],
    ]
    row = table.iloc[0]
    std = np.std([1, 2, 4])
    assert row["mean_power"] == pytest.approx(7 / 3)
    assert row["mean_db"] == pytest.approx(10 * np.log10(7 / 3))
    assert row["median_db"] == pytest.approx(10 * np.log10(2))
    assert row["std_power"] == pytest.approx(std)
    assert row["valid_fraction"] == 0.75
    assert row["looks"] == pytest.approx((7 / 3) ** 2 / std**2)
    assert row["standard_error"] == pytest.approx(std / np.sqrt(3))
    empty = table.iloc[1:]
    assert list(empty["valid_fraction"].map(pd.isna)) == [True, False, True]  # no pixel at all; none with data
    assert empty[["mean_power", "mean_db", "median_db", "std_power", "looks", "standard_error"]].isna().all().all()


def test_looks_of_speckle_are_its_looks() -> None:
    """Gamma speckle of L looks over homogeneous ground has (mean / std)² = L."""
    power = np.random.default_rng(5).gamma(4.4, 0.1, (1, 200, 200)).astype(np.float32)
    merged, median = from_blocks(power, [[np.arange(40_000)]], [slice(0, 200)])
    table = series_table(merged, median=median, dates=["2021-11-19"], polarization="VV", zones=["area"])
    assert table["looks"].item() == pytest.approx(4.4, rel=0.05)
