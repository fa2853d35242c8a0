"""Figures say what is there, legibly: texts inside the sheet and apart, colours and numbers that agree with their legends."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_gallery import BURST, POLARIZATION, Scenes, masked, real_burst, sheets, speckle, studio_of, unlucky
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from dask_jobs.figures.bins import Histogram
from dask_jobs.figures.draw_figure import Studio
from dask_jobs.figures.draw_stack import FigureChoice, _steps
from dask_jobs.figures.footprints import outlines_of
from dask_jobs.figures.ground import ground_of, round_length, ticks
from dask_jobs.figures.histogram import CovLimits, draw_cov
from dask_jobs.figures.map import DrawnMap, Heading, draw_map
from dask_jobs.figures.map_marks import Shade
from dask_jobs.figures.picture import Averager, Picture
from dask_jobs.figures.quicklook import DB, stretch_of
from dask_jobs.figures.style import NO_DATA, Sheet, line_look, styled
from dask_jobs.stack.ledger import Ledger, Step
from infra.errors import InputError
from infra.grid import Grid, Window

UNLUCKY = unlucky()
SMALL = "zones"  # 21 dates, one of them empty, twelve zones
SHADE = Shade(low=-20.0, high=-4.0, label="VV (dB)", decibel=True)
HEADING = Heading(title="VV: mean", about="orbit 137")


@pytest.fixture(scope="module")
def studios(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Studio]:
    return {name: studio_of(scenes, tmp_path_factory.mktemp(name)) for name, scenes in UNLUCKY.items()}


# ------------------------------------------------------------------------------------------------------ legible


def texts(sheet: Sheet) -> Iterator[tuple[str, Any]]:
    """Every text that is drawn, with its place in pixels."""
    canvas: Any = sheet.figure.canvas
    canvas.draw()
    renderer = canvas.get_renderer()
    drawn: list[Text] = [*sheet.figure.texts]
    for legend in sheet.figure.legends:
        drawn += legend.get_texts()
    for axes in sheet.figure.axes:
        drawn += [*axes.texts, axes.title, axes._left_title]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                # only ticks within the axes are drawn, others stand by
                labels = [label for tick in axis._update_ticks() for label in (tick.label1, tick.label2)]
                drawn += [axis.label, axis.offsetText, *labels]
    for text in drawn:
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), text.get_window_extent(renderer)


@pytest.mark.parametrize("name", UNLUCKY)
def test_no_text_is_cut_off_or_on_another(studios: dict[str, Studio], name: str) -> None:
    with styled():
        for figure, sheet in sheets(studios[name]):
            found = list(texts(sheet))
            width, height = sheet.figure.bbox.width, sheet.figure.bbox.height
            for words, box in found:
                inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
                assert inside, f"{figure}: {words!r} is cut off"
            for (one, a), (other, b) in combinations(found, 2):
                assert not a.overlaps(b), f"{figure}: {one!r} is on {other!r}"


def test_texts_are_not_smaller_than_eight_points(studios: dict[str, Studio]) -> None:
    with styled():
        for _, sheet in sheets(studios[SMALL]):
            assert min(text.get_fontsize() for text in sheet.figure.findobj(Text)) >= 8


@pytest.mark.parametrize("name", ["all-masked", "wide", "one-date"])
def test_what_has_no_data_says_so(studios: dict[str, Studio], name: str) -> None:
    silent = {"footprints", "map_count"}  # 0 dates is what was measured
    with styled():
        said = {figure for figure, sheet in sheets(studios[name]) if _says_no_data(sheet)}
        every = {figure for figure, _ in sheets(studios[name])}
    assert said == {"all-masked": every - silent, "wide": set(), "one-date": {"map_cov", "cov_histogram"}}[name]


def _says_no_data(sheet: Sheet) -> bool:
    """Whether axes with a frame have the words inside; the legend's have none."""
    return any(text.get_text() == "no data" for axes in sheet.figure.axes if axes.axison for text in axes.texts)


# ------------------------------------------------------------------------------------------------------ maps


def picture_of(values: np.ndarray, *, longest: int = 1000, **place: Any) -> Picture:
    grid = Grid(**{"crs": "EPSG:32611", "left": 160_000.0, "top": 3_816_000.0, "dx": 30.0, "dy": 30.0, **place,
                   "height": values.shape[0], "width": values.shape[1]})  # fmt: skip
    averager = Averager(grid, longest=longest)
    averager.add(grid.full, values)
    return averager.picture()


def drawn(picture: Picture, *, shade: Shade = SHADE) -> tuple[DrawnMap, np.ndarray]:
    """A map, and its pixels as colours from 0 to 1."""
    with styled():
        made = draw_map(picture, shade=shade, heading=HEADING)
        canvas: Any = made.sheet.figure.canvas
        canvas.draw()
        return made, np.asarray(canvas.buffer_rgba())[..., :3] / 255


def colour_at(made: DrawnMap, pixels: np.ndarray, row: int, col: int, shape: tuple[int, int]) -> np.ndarray:
    """Colour in the middle of a pixel of the raster."""
    box: Any = made.image.axes.get_window_extent()
    x = box.x0 + box.width * (col + 0.5) / shape[1]
    y = box.y1 - box.height * (row + 0.5) / shape[0]
    found: np.ndarray = pixels[pixels.shape[0] - 1 - int(y), int(x)]
    return found


def test_grey_is_the_decibel_value_on_the_stretch_that_the_colour_bar_states() -> None:
    db = np.array([[-20.0, -16.0, -12.0], [-8.0, -4.0, np.nan], [-30.0, 3.0, -10.0]])
    made, pixels = drawn(picture_of((10 ** (db / 10)).astype("float32")))
    assert made.image.get_clim() == (-20.0, -4.0)
    for row, col in np.ndindex(3, 3):
        grey = np.clip((db[row, col] + 20) / 16, 0, 1)
        wanted = to_rgb(NO_DATA) if np.isnan(grey) else (grey,) * 3
        np.testing.assert_allclose(colour_at(made, pixels, row, col, (3, 3)), wanted, atol=0.006)


def test_no_data_has_the_colour_of_its_legend_and_no_legend_where_there_is_none() -> None:
    values = np.full((30, 40), 0.05, dtype="float32")
    made, _ = drawn(picture_of(values))
    assert "no data" not in [words for words, _ in texts(made.sheet)]
    values[:, :10] = np.nan
    made, pixels = drawn(picture_of(values))
    legend = next(axes for axes in made.sheet.figure.axes if [text.get_text() for text in axes.texts] == ["no data"])
    patch: Any = legend.patches[0]
    np.testing.assert_allclose(patch.get_facecolor()[:3], to_rgb(NO_DATA))
    np.testing.assert_allclose(colour_at(made, pixels, 5, 5, (30, 40)), to_rgb(NO_DATA), atol=0.003)


def test_the_stretch_of_a_stack_is_that_of_its_pixels_and_stands_on_every_figure(studios: dict[str, Studio]) -> None:
    studio = studios[SMALL]
    power = UNLUCKY[SMALL].power
    low, high = np.nanpercentile(10 * np.log10(power), [2, 98])
    assert studio.stretch[POLARIZATION] == pytest.approx((math.floor(low), math.ceil(high)), abs=1.01)
    shade = studio.shade(POLARIZATION)
    assert f"\u2212{-shade.low:g} to \u2212{-shade.high:g} dB" in shade.label
    with styled():
        for figure, sheet in sheets(studio):
            if figure in {"map_mean", "image", "histogram"}:
                assert any("dB in all" in words.replace("\n", " ") for words, _ in texts(sheet))
                images = [image for axes in sheet.figure.axes for image in axes.images]
                assert (shade.low, shade.high) in [image.get_clim() for image in images]


def test_pixels_are_averaged_in_power_over_those_with_data() -> None:
    values = np.full((64, 100), 0.01, dtype="float32")
    values[10, 20] = 100.0  # one bright target
    values[:4, :4] = np.nan
    values[0, 0] = 0.3
    small = picture_of(values, longest=25)  # 4 x 4 pixels in one
    assert small.values.shape == (16, 25)
    assert small.values[2, 5] == pytest.approx((100 + 15 * 0.01) / 16)
    assert small.values[0, 0] == pytest.approx(0.3)
    assert small.in_db().values[2, 5] == pytest.approx(10 * np.log10((100 + 15 * 0.01) / 16), abs=1e-5)
    again = small.at_most(
        7
    )  # 16 x 16 pixels in one: of all of them, though the small ones differ in what they stand for
    blocks = np.pad(values, ((0, 0), (0, 12)), constant_values=np.nan).reshape(4, 16, 7, 16)
    np.testing.assert_allclose(again.values, np.nanmean(blocks, axis=(1, 3)), rtol=1e-5)
    made, pixels = drawn(small)
    assert colour_at(made, pixels, 2, 5, (16, 25))[0] == 1  # 8 dB is white; the mean of dB would be 17 dB below zero


@pytest.mark.parametrize("block", [(1, 3), (5, 7), (13, 200)])
def test_a_picture_does_not_depend_on_the_blocks_that_it_came_in(block: tuple[int, int]) -> None:
    values = np.random.default_rng(3).gamma(4, 0.02, (53, 71)).astype("float32")
    values[values < 0.03] = np.nan
    whole = picture_of(values, longest=20)
    grid = Grid(crs="EPSG:32611", left=0, top=0, dx=1, dy=1, height=53, width=71)
    averager = Averager(grid, longest=20)
    for row in range(0, 53, block[0]):
        for col in range(0, 71, block[1]):
            part = values[row : row + block[0], col : col + block[1]]
            averager.add(Window(row, col, *part.shape), part)
    np.testing.assert_array_equal(averager.picture().count, whole.count)
    np.testing.assert_allclose(averager.picture().values, whole.values, rtol=1e-6)


@pytest.mark.parametrize("x", [200_000.0, 500_000.0, 800_000.0])
@pytest.mark.parametrize("crs", ["EPSG:32611", "EPSG:32711"])
def test_the_arrow_points_to_true_north(crs: str, x: float) -> None:
    from pyproj import CRS, Proj, Transformer

    y = 3_816_000.0
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    convergence = Proj(CRS.from_user_input(crs)).get_factors(lon, lat).meridian_convergence
    # PROJ counts from grid north anticlockwise to the meridian
    assert ground_of((x - 500, y - 500, x + 500, y + 500), crs=crs).north == pytest.approx(-convergence, abs=1e-3)
    central = -117
    by_hand = -math.degrees(math.atan(math.tan(math.radians(lon - central)) * math.sin(math.radians(lat))))
    assert ground_of((x - 500, y - 500, x + 500, y + 500), crs=crs).north == pytest.approx(by_hand, abs=0.02)


def test_a_scale_bar_is_as_long_as_it_says_on_the_ground() -> None:
    # at 60° north a degree of longitude is half of one at the equator; Web Mercator stretches everything twofold there
    degrees = ground_of((10.0, 59.9, 10.4, 60.1), crs="EPSG:4326")
    assert degrees.metres_x == pytest.approx(55_800, rel=1e-3)
    assert degrees.metres_y == pytest.approx(111_412, rel=1e-3)
    mercator = ground_of((1_113_194.0, 8_389_500.0, 1_123_194.0, 8_410_500.0), crs="EPSG:3857")
    assert mercator.metres_x == pytest.approx(0.5, rel=0.01)
    made, _ = drawn(picture_of(np.full((90, 120), 0.1, "float32")))
    bar = next(axes for axes in made.sheet.figure.axes if axes.texts and axes.texts[0].get_text().endswith("m"))
    inches = sum(patch.get_width() for patch in bar.patches)  # type: ignore[attr-defined] # rectangles
    map_inches = made.image.axes.get_position().width * made.sheet.width
    said = {"500 m": 500, "1 km": 1000}[bar.texts[0].get_text()]
    assert inches / map_inches * 120 * 30 == pytest.approx(said, rel=2e-3)


@pytest.mark.parametrize(("most", "length"), [(1.0, 1.0), (4.99, 2.0), (0.0499, 0.02), (7e5, 5e5)])
def test_round_lengths(most: float, length: float) -> None:
    assert round_length(most) == pytest.approx(length)


@pytest.mark.parametrize("most", [1, 2, 3, 8])
@pytest.mark.parametrize(("low", "high"), [(159.9, 162.9), (-1200.0, -1191.0), (0.000123, 0.000125), (3770.0, 3830.0)])
def test_ticks_are_few_round_and_inside(low: float, high: float, most: int) -> None:
    found, decimals = ticks(low, high, most=most)
    assert 1 <= len(found) <= most
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert [round(value, decimals) for value in found] == pytest.approx(found)
    assert len({f"{value:.{decimals}f}" for value in found}) == len(found)


def test_a_raster_without_a_place_on_earth_is_refused() -> None:
    with pytest.raises(InputError, match="nowhere"):
        ground_of((9e9, 9e9, 9.1e9, 9.1e9), crs="EPSG:32611")


# ------------------------------------------------------------------------------------------------------ numbers


def test_histograms_count_every_pixel(studios: dict[str, Studio]) -> None:
    power = UNLUCKY["degrees"].power[2]
    values = power[np.isfinite(power)].astype(float)
    look = studios["degrees"].gallery.look(2, POLARIZATION)
    assert look.power.total == look.db.total == values.size
    counts, _ = np.histogram(10 * np.log10(values), bins=look.db.edges)
    assert np.abs(look.db.counts - counts).sum() <= 2  # a value on an edge may fall to either side
    assert look.db.percentile(50) == pytest.approx(np.median(10 * np.log10(values)), abs=0.1)
    stretch = stretch_of([look, look])
    assert stretch == (math.floor(np.percentile(10 * np.log10(values), 2)), math.ceil(np.percentile(10 * np.log10(values), 98)))  # fmt: skip
    nothing = Histogram.empty(DB)
    assert nothing.percentile(50) is None


def test_values_beyond_the_bins_are_counted() -> None:
    found = Histogram.empty((0.0, 1.0, 0.1)).of(np.array([-3.0, 0.05, 0.95, 1.0, 7.0]))
    assert (found.below, found.above, found.total) == (1, 2, 5)
    assert found.plus(found).total == 10


def test_the_cumulative_curve_passes_the_threshold_at_its_quantile() -> None:
    values = np.random.default_rng(0).gamma(9, 0.06, 20_000)
    threshold = float(np.quantile(values, 0.95))
    limits = CovLimits(threshold=threshold, threshold_words="quantile 0.95", floor=0.4, floor_words="6 looks, given")
    with styled():
        sheet = draw_cov(Histogram.empty((0, 5, 0.002)).of(values), limits=limits, heading=HEADING)
        words = [word for word, _ in texts(sheet)]
    curve = sheet.figure.axes[1].lines[0]
    x, share = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    assert np.interp(threshold, x, share) == pytest.approx(95, abs=0.2)
    assert "speckle floor 0.4 (6 looks, given)" in words
    assert f"threshold {threshold:.3g} (quantile 0.95)" in words
    for axes in sheet.figure.axes:
        assert {0.4, threshold} <= {line.get_xdata()[0] for line in axes.lines}  # type: ignore[index] # of two values


def test_a_time_series_has_gaps_where_there_is_no_data_and_bars_of_the_standard_error(
    studios: dict[str, Studio],
) -> None:
    with styled():
        sheet = dict(sheets(studios[SMALL]))["time_series"]
    power, decibel = sheet.figure.axes[:2]
    line = power.lines[0]
    mean = np.asarray(line.get_ydata(), dtype=float)
    assert np.flatnonzero(np.isnan(mean)).tolist() == [5]
    step = UNLUCKY[SMALL].power[0]
    values = step[np.isfinite(step)].astype(float)
    assert mean[0] == pytest.approx(values.mean())
    first = power.containers[0].lines[2][0].get_segments()[0]  # type: ignore[attr-defined,index] # of an error bar
    assert np.ptp(first[:, 1]) == pytest.approx(2 * values.std() / math.sqrt(values.size))
    np.testing.assert_allclose(np.asarray(decibel.lines[0].get_ydata()), 10 * np.log10(mean))
    words = " ".join(word for word, _ in texts(sheet))
    assert "standard error" in words
    assert "(linear power)" in words
    assert "(dB)" in words


def test_lines_are_told_apart_by_colour_and_marker() -> None:
    looks = [tuple(sorted(line_look(index).items())) for index in range(31)]
    assert len(set(looks)) == 31


def test_outlines_of_one_place_are_one_and_lie_where_they_should() -> None:
    scenes = UNLUCKY["one-date"]
    (one,) = outlines_of([scenes.grid] * 21)
    assert one.scenes == 21
    assert one.ring[0] == one.ring[-1]
    assert one.ring[0] == pytest.approx((-120.70, 34.43), abs=0.02)  # 160 km east, 3816 km north in zone 11


# ------------------------------------------------------------------------------------------------------ style, choice


def test_the_users_own_settings_change_nothing() -> None:
    import matplotlib as mpl

    picture = picture_of(np.full((9, 9), 0.05, "float32"))
    before = drawn(picture)[1]
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "image.cmap": "jet"}):
        np.testing.assert_array_equal(drawn(picture)[1], before)
        assert mpl.rcParams["font.size"] == 30


def test_threads_draw_one_after_the_other() -> None:
    results: list[np.ndarray] = []
    picture = picture_of(np.full((9, 9), 0.05, "float32"))
    threads = [threading.Thread(target=lambda: results.append(drawn(picture)[1])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.array_equal(result, results[0]) for result in results)


def test_a_date_without_data_in_a_real_burst_is_sand_from_edge_to_edge(tmp_path: Path) -> None:
    if not BURST.is_dir():
        pytest.skip("the real OPERA scenes are not at ../shared/data")
    scenes = real_burst()
    few = Scenes(scenes.power[:2], scenes.times[:2], scenes.grid)
    studio = studio_of(masked(few, 1), tmp_path)
    _, pixels = drawn(studio.gallery.picture(1, POLARIZATION))
    full, _ = drawn(studio.gallery.picture(0, POLARIZATION))
    seen = np.asarray(full.image.get_array(), dtype=float)
    np.testing.assert_allclose(seen, 10 * np.log10(scenes.power[0]), atol=1e-4)
    assert np.all(np.isclose(pixels, to_rgb(NO_DATA), atol=0.003), axis=2).mean() > 0.4


def test_more_zones_than_fit_are_said_to_be_left_out(tmp_path: Path) -> None:
    studio = studio_of(replace(speckle(2, 6, 70), zones=40), tmp_path)
    with styled():
        sheet = dict(sheets(studio))["time_series"]
        words = [word for word, _ in texts(sheet)]
    assert any("the first 30 of 40 zones" in word for word in words)
    assert len(sheet.figure.axes[0].containers) == 30


@pytest.mark.parametrize(
    ("dates", "steps"),
    [
        ("first-and-last", [0, 4]),
        ("all", [0, 1, 3, 4]),
        ("none", []),
        (("2024-01-02",), [1, 3]),
        (("2024-01-09", "2024-01-01"), [0, 4]),
    ],
)
def test_the_dates_that_are_chosen(dates: Any, steps: list[int]) -> None:
    # two passes of one day are two dates; two of one second could not be told apart by their labels
    times = ["01T05:00:00", "02T05:00:00.1", "02T05:00:00.7", "02T17:00:00", "09T05:00:00"]
    ledger = Ledger(
        grid=UNLUCKY["few-pixels"].grid,
        polarizations=("VV",),
        chunk=64,
        steps=tuple(Step(datetime.fromisoformat(f"2024-01-{time}"), ()) for time in times),
    )
    assert _steps(FigureChoice(dates=dates), ledger) == steps
