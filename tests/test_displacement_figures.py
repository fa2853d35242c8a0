"""Figures of displacement: legible for every shape, colours and marks that mean what the numbers are.

`python tests/test_displacement_figures.py FOLDER` draws those of unlucky shapes, and of the sample, to be looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from test_figures import colour_at, picture_of, texts

from dask_jobs.figures.coherence_matrix import draw_coherence_matrix
from dask_jobs.figures.coloured_palette import ColouredPalette
from dask_jobs.figures.displacement_dates import displacement_film, draw_dates, tiling_of
from dask_jobs.figures.displacement_maps import KINDS, draw_kind, draw_wrapped
from dask_jobs.figures.displacement_series import draw_points, draw_rms
from dask_jobs.figures.displacement_shades import (
    CYCLE,
    DIVERGING,
    cyclic_colours,
    displacement_shade,
    limit_of,
    round_up,
    span_of,
    velocity_shade,
    wrapped_rgba,
    wrapped_shade,
)
from dask_jobs.figures.film_files import write_film
from dask_jobs.figures.map import DrawnMap, Heading, draw_map
from dask_jobs.figures.map_marks import Shade
from dask_jobs.figures.network import DROPPED, KnownNetwork, draw_baselines, draw_coherences, draw_network
from dask_jobs.figures.picture import Picture
from dask_jobs.figures.places import Place, reference_place
from dask_jobs.figures.style import INK, LINES, NO_DATA, Sheet, save_png, styled
from dask_jobs.figures.time_panel import EXCLUDED, REFERENCE
from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError, OutputError

SAMPLE = Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample"
HEADING = Heading(title="Displacement since 2020-01-05", about="orbit 13 ascending")
START = date(2020, 1, 5)


# ------------------------------------------------------------------------------------------------------ what is drawn


def days_of(number: int, *, every: int = 12) -> list[date]:
    return [START + timedelta(days=every * step) for step in range(number)]


def network_of(number: int, *, connections: int = 3, unknown: bool = False) -> KnownNetwork:
    """Sequential pairs, baselines of an unsteady orbit, coherence that fades with time; the weakest are dropped."""
    random, days = np.random.default_rng(number), days_of(number)
    baseline = np.round(60 * random.standard_normal(number), 1)
    index = [(i, i + step) for i in range(number) for step in range(1, connections + 1) if i + step < number]
    coherence = np.array([0.85 - 0.12 * (j - i) + 0.04 * random.standard_normal() for i, j in index])
    return KnownNetwork(
        pairs=Pairs(
            reference=tuple(days[i] for i, _ in index),
            secondary=tuple(days[j] for _, j in index),
            perpendicular_baseline=tuple(float(baseline[j] - baseline[i]) for i, j in index),
        ),
        kept=coherence > 0.5,
        coherence=np.full(len(index), np.nan) if unknown else coherence,
        baseline=baseline if index else np.empty(0),
        excluded=frozenset(days[number // 2 : number // 2 + 1]),
        reference_date=days[0] if index else None,
    )


def points_of(number: int, *, points: int = 3, empty: bool = False) -> pd.DataFrame:
    rows = []
    for point in range(points):
        for step, day in enumerate(days_of(number)):
            model = (point - 1) * 0.03 * step / max(1, number - 1)
            value = np.nan if empty else model + 0.004 * np.sin(1.7 * step + point)
            name = f"point {point} with a name that is rather long"
            rows.append((name, day, value, np.nan if empty else model, step == 1))
    table = pd.DataFrame(rows, columns=["point", "date", "displacement", "model", "excluded"])
    return table.assign(date=pd.to_datetime(table["date"]))


def bowl(height: int, width: int, *, deep: float = 0.08) -> np.ndarray:
    """A bowl that subsides by `deep` in m, with no data along the west."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((y - height / 2) / height, (x - width / 2) / width)
    values = -deep * np.exp(-((distance / 0.2) ** 2)).astype("float32")
    values[:, : width // 10] = np.nan
    return values


SHAPES = {"usual": (90, 110), "wide": (60, 1200), "tall": (1200, 60), "few-pixels": (3, 4)}


def pictures(shape: str, *, empty: bool = False) -> Picture:
    values = bowl(*SHAPES[shape])
    return picture_of(np.full_like(values, np.nan) if empty else values)


def maps(shape: str, *, empty: bool = False) -> Iterator[tuple[str, Sheet]]:
    picture = pictures(shape, empty=empty)
    place = [reference_place(picture.grid, row=1, col=1)]
    for kind in KINDS if shape == "usual" and not empty else ("velocity", "velocity_standard_error"):
        yield kind, draw_kind(kind, picture, about="orbit 13 ascending, 2020-01-05 to 2020-12-30", places=place)
    yield "wrapped", draw_wrapped(picture, heading=HEADING, places=place)


def dates(number: int, shape: str = "usual", *, empty: bool = False) -> Sheet:
    picture = pictures(shape, empty=empty)
    return draw_dates(days_of(number), lambda _: picture, shade=displacement_shade([picture]), heading=HEADING)


def over_time(number: int, *, empty: bool = False) -> Iterator[tuple[str, Sheet]]:
    network = network_of(1 if empty else number)
    yield "network", draw_network(network, heading=HEADING)
    yield "baselines", draw_baselines(network, heading=HEADING)
    yield "coherences", draw_coherences(network, heading=HEADING)
    yield "matrix", draw_coherence_matrix(network, heading=HEADING)
    yield "points", draw_points(points_of(number, empty=empty), heading=HEADING)
    rms = np.full(number, np.nan) if empty else 0.004 + 0.02 * (np.arange(number) == 1)
    more: dict[str, Any] = {"threshold": 0.013, "noisy": np.arange(number) == 1, "reference_date": START}
    yield "rms", draw_rms(days_of(number), rms, **more, heading=HEADING)


CASES: dict[str, Callable[[], Iterator[tuple[str, Sheet]]]] = {
    **{f"maps-{shape}": lambda shape=shape: maps(shape) for shape in SHAPES},  # type: ignore[misc] # bound here
    "maps-empty": lambda: maps("usual", empty=True),
    **{f"dates-{number}": lambda n=number: iter([("dates", dates(n))]) for number in (1, 2, 7)},  # type: ignore[misc]
    **{f"dates-{shape}": lambda shape=shape: iter([("dates", dates(13, shape))]) for shape in ("wide", "tall")},  # type: ignore[misc]
    "dates-1-wide": lambda: iter([("dates", dates(1, "wide"))]),
    "dates-empty": lambda: iter([("dates", dates(5, empty=True))]),
    **{f"time-{number}": lambda n=number: over_time(n) for number in (2, 30, 300)},  # type: ignore[misc]
    "time-empty": lambda: over_time(1, empty=True),
    "time-unknown": lambda: iter(
        [(draw.__name__, draw(network_of(9, unknown=True), heading=HEADING)) for draw in (draw_network, draw_coherences, draw_coherence_matrix)]
    ),
    "many-points": lambda: iter([("points", draw_points(points_of(5, points=35), heading=HEADING))]),
    "places": lambda: iter([("map", many_places())]),
}  # fmt: skip


def many_places() -> Sheet:
    picture = pictures("usual")
    names = ["reference pixel", *(f"a place with a name that is long, number {n}" for n in range(7)), "x" * 150]
    places = [Place(x=160_300 + 300 * n, y=3_815_000, name=name) for n, name in enumerate(names)]
    return draw_map(picture, shade=velocity_shade(picture), heading=HEADING, places=places).sheet


# ------------------------------------------------------------------------------------------------------ legible


def assert_legible(sheet: Sheet, figure: str) -> None:
    found = list(texts(sheet))
    width, height = sheet.figure.bbox.width, sheet.figure.bbox.height
    for words, box in found:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert inside, f"{figure}: {words!r} is cut off"
    for (one, a), (other, b) in combinations(found, 2):
        assert not a.overlaps(b), f"{figure}: {one!r} is on {other!r}"
    assert min(text.get_fontsize() for text in sheet.figure.findobj(Text)) >= 8


def says_no_data(sheet: Sheet) -> bool:
    return any(text.get_text() == "no data" for axes in sheet.figure.axes if axes.axison for text in axes.texts)


@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut_off_or_on_another_and_what_has_no_data_says_so(case: str) -> None:
    silent = {"time-unknown": {"draw_network", "draw_coherence_matrix"}}  # pairs and dates are there
    with styled():
        for figure, sheet in CASES[case]():
            assert_legible(sheet, figure)
            empty = case.endswith(("empty", "unknown")) and figure not in silent.get(case, set())
            assert says_no_data(sheet) == empty, figure


# ------------------------------------------------------------------------------------------------------ maps


def drawn(picture: Picture, *, shade: Shade, places: tuple[Place, ...] = ()) -> tuple[DrawnMap, np.ndarray]:
    with styled():
        made = draw_map(picture, shade=shade, heading=HEADING, places=places)
        canvas: Any = made.sheet.figure.canvas
        canvas.draw()
        return made, np.asarray(canvas.buffer_rgba())[..., :3] / 255


def test_velocity_away_is_red_toward_is_blue_and_zero_is_white_symmetrically() -> None:
    metres = np.array([[-0.05, -0.025, 0.0], [0.0125, 0.025, np.nan]], dtype="float32")
    shade = velocity_shade(picture_of(metres))
    assert (shade.low, shade.high) == (-5.0, 5.0)
    assert "cm/year" in shade.label
    assert "positive toward the satellite" in shade.label
    made, pixels = drawn(picture_of(metres), shade=shade)
    for row, col in np.ndindex(2, 3):
        value = float(metres[row, col])
        wanted = to_rgb(NO_DATA) if np.isnan(value) else mpl.colormaps[DIVERGING]((value + 0.05) / 0.1)[:3]
        np.testing.assert_allclose(colour_at(made, pixels, row, col, (2, 3)), wanted, atol=0.012)
    red, _, blue = colour_at(made, pixels, 0, 0, (2, 3))
    assert red > 2 * blue
    red, _, blue = colour_at(made, pixels, 1, 1, (2, 3))
    assert blue > 1.5 * red
    assert colour_at(made, pixels, 0, 2, (2, 3)).min() > 0.95


@pytest.mark.parametrize(("most", "unit", "limit"), [(0.0005, "mm/year", 1.0), (0.0173, "mm/year", 20.0), (0.021, "cm/year", 2.5), (0.33, "cm/year", 40.0)])  # fmt: skip
def test_velocity_has_the_unit_that_reads_better_and_a_round_stretch(most: float, unit: str, limit: float) -> None:
    picture = picture_of(np.array([[most, -most / 2]], dtype="float32"))
    shade = velocity_shade(picture)
    assert (shade.low, shade.high) == pytest.approx((-limit, limit))
    assert f"({unit})" in shade.label
    scale = {"mm/year": 1000, "cm/year": 100}[unit]
    np.testing.assert_allclose(shade.seen(picture), picture.values * scale, rtol=1e-6)


def test_a_stretch_holds_nearly_all_pixels_and_no_single_one_decides() -> None:
    values = np.full((100, 100), 0.011, dtype="float32")
    values[0, 0] = 9.0
    assert limit_of([picture_of(values)], least=1e-3) == pytest.approx(0.015)
    assert limit_of([], least=1e-3) == pytest.approx(1e-3)
    assert limit_of([picture_of(np.full((3, 3), np.nan, "float32"))], least=1.0) == 1.0
    assert round_up(0.03) == pytest.approx(0.03)  # in floating point too
    assert round_up(8.01) == 10.0
    one, other = picture_of(np.full((9, 9), 0.02, "float32")), picture_of(np.full((9, 9), -0.061, "float32"))
    shade = displacement_shade([one, other])
    assert (shade.low, shade.high) == pytest.approx((-8.0, 8.0))  # cm, of both


def test_both_coherences_have_the_same_colours() -> None:
    picture = picture_of(np.linspace(0.2, 0.6, 12, dtype="float32").reshape(3, 4))
    one, other = (KINDS[kind].shade(picture) for kind in ("temporal_coherence", "mean_coherence"))
    assert (one.low, one.high, one.colours) == (other.low, other.high, other.colours) == (0.0, 1.0, one.colours)


def test_the_reference_pixel_is_marked_where_it_is() -> None:
    values = np.zeros((120, 120), dtype="float32")
    picture = picture_of(values, left=380_000.0, top=3_780_000.0, dx=80.0, dy=80.0)
    place = reference_place(picture.grid, row=7, col=26)
    assert (place.x, place.y) == (380_000 + 26.5 * 80, 3_780_000 - 7.5 * 80)
    made, pixels = drawn(picture, shade=velocity_shade(picture), places=(place,))
    np.testing.assert_allclose(colour_at(made, pixels, 7, 26, (120, 120)), to_rgb(INK), atol=0.05)
    assert colour_at(made, pixels, 14, 26, (120, 120)).min() > 0.9
    assert "reference pixel" in [words for words, _ in texts(made.sheet)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stretch_is_not_empty_where_nothing_is_there_or_all_is_zero(kind: str) -> None:
    for value in (np.nan, 0.0):
        shade = KINDS[kind].shade(picture_of(np.full((3, 3), value, dtype="float32")))
        assert shade.low <= 0 < shade.high


# ------------------------------------------------------------------------------------------------------ one cycle


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of sRGB from 0 to 1, white D65."""
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    xyz = xyz / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


@pytest.mark.parametrize("n", [8, 64, 256])
def test_cyclic_colours_are_closed_even_and_unlike_no_data(n: int) -> None:
    table = cyclic_colours(n)
    assert table.shape == (n, 4)
    assert table.dtype == np.uint8
    assert (table[:, 3] == 255).all()
    seen = lab(table[:, :3] / 255)
    steps = np.linalg.norm(np.diff(seen, axis=0, append=seen[:1]), axis=1)  # the last is from the last to the first
    assert steps.max() < 3 * steps.mean()
    assert steps[-1] < 1.6 * steps.mean()
    assert seen[:, 0].max() - seen[0, 0] < 1  # the palest is 0
    assert np.linalg.norm(seen - lab(np.array(to_rgb(NO_DATA))), axis=1).min() > 10
    half = seen[n // 2]
    assert np.linalg.norm(half - seen[0]) > 50  # a quarter of the wavelength is as unlike as can be


def test_one_cycle_is_half_a_wavelength_whatever_the_number_of_cycles() -> None:
    assert pytest.approx(0.0277, abs=5e-5) == CYCLE
    phase = np.linspace(-np.pi, np.pi, 41)  # rad: one cycle of an interferogram
    displacement = -phase * 0.0554657646 / (4 * np.pi)
    first, again = wrapped_rgba(displacement), wrapped_rgba(displacement + 3 * CYCLE)
    np.testing.assert_array_equal(first[0], first[-1])
    assert np.abs(first.astype(int) - again).max() <= 6  # at most a colour beside it, by rounding
    np.testing.assert_array_equal(wrapped_rgba(np.array([0.0, CYCLE / 4, np.nan])), [*cyclic_colours()[[0, 64]], [0] * 4])  # fmt: skip
    np.testing.assert_array_equal(wrapped_rgba(np.array([[0.03]]), cycle=0.04)[0, 0], cyclic_colours()[192])


def test_the_wrapped_map_has_the_colours_of_the_table() -> None:
    metres = (CYCLE * np.array([[0.0, 0.2, 0.45], [0.55, 0.8, 1.2], [-0.3, 7.45, np.nan]])).astype("float32")
    made, pixels = drawn(picture_of(metres), shade=wrapped_shade())
    table = wrapped_rgba(metres)[..., :3] / 255
    for row, col in np.ndindex(3, 3):
        wanted = to_rgb(NO_DATA) if np.isnan(metres[row, col]) else table[row, col]
        np.testing.assert_allclose(colour_at(made, pixels, row, col, (3, 3)), wanted, atol=0.03)
    assert made.image.get_clim() == pytest.approx((-50 * CYCLE, 50 * CYCLE))
    assert "2.77 cm" in wrapped_shade().label


def test_pixels_are_averaged_before_they_are_wrapped() -> None:
    # the mean of 0.4 and 0.6 cycles is half a cycle; of the wrapped 0.4 and -0.4 it would be none
    fine = picture_of(np.tile(CYCLE * np.array([[0.4, 0.6]], dtype="float32"), (8, 4)))
    seen = wrapped_shade().seen(fine.at_most(4))
    np.testing.assert_allclose(np.abs(seen), 50 * CYCLE, rtol=1e-5)


# ------------------------------------------------------------------------------------------------------ all dates


@pytest.mark.parametrize("ratio", [0.05, 0.7, 1.0, 1.2, 20.0, 300.0])
@pytest.mark.parametrize("number", [1, 2, 7, 30, 121, 200, 1000])
def test_small_maps_have_the_raster_s_shape_and_fit(number: int, ratio: float) -> None:
    tiling = tiling_of(number, ratio=ratio)
    shown = -(-number // tiling.every)
    assert tiling.columns * tiling.rows >= shown > tiling.columns * (tiling.rows - 1)
    assert tiling.columns * tiling.cell[0] <= 11.01
    assert tiling.rows * tiling.cell[1] <= 10.01
    if 0.1 < ratio < 10:
        assert tiling.width / tiling.height == pytest.approx(ratio)
    assert number > 60 or tiling.every == 1


def test_two_hundred_dates_say_which_are_drawn_in_one_stretch() -> None:
    days = days_of(200)
    asked: list[int] = []

    def picture(n: int) -> Picture:
        asked.append(n)
        return picture_of(np.full((30, 40), 0.0004 * n, dtype="float32"))

    shade = displacement_shade([picture(0), picture(199)])
    asked.clear()
    with styled():
        sheet = draw_dates(days, picture, shade=shade, heading=HEADING)
        assert_legible(sheet, "dates")
        words = [word for word, _ in texts(sheet)]
    every = 199 - sorted(set(asked))[-2]
    assert every > 1
    assert any(f"every {every}{'nd' if every == 2 else 'rd'} of the 200 dates" in word for word in words)
    assert str(days[-1]) in words
    images = [image for axes in sheet.figure.axes for image in axes.images]
    assert {image.get_clim() for image in images} == {(shade.low, shade.high)}
    assert len(images) == len(set(asked))
    shown = [word for word in words if word[:2] == "20"]
    for image, name in zip(images, shown, strict=True):
        step = days.index(date.fromisoformat(name))
        np.testing.assert_allclose(image.get_array(), 0.04 * step, rtol=1e-5)  # cm


def test_few_dates_are_all_drawn_and_the_heading_is_silent() -> None:
    with styled():
        sheet = dates(9)
        words = [word for word, _ in texts(sheet)]
    assert [word for word in words if word[:2] == "20"] == [str(day) for day in days_of(9)]
    assert not any("every" in word for word in words)


# ------------------------------------------------------------------------------------------------------ network


def triangle() -> KnownNetwork:
    a, b, c, d = days_of(4)
    return KnownNetwork(
        pairs=Pairs(reference=(a, a, b, c), secondary=(b, c, c, d), perpendicular_baseline=(10.0, -20.0, -30.0, 5.0)),
        kept=np.array([True, True, False, False]),
        coherence=np.array([0.9, 0.4, 0.6, 0.3]),
        baseline=np.array([0.0, 10.0, -20.0, -15.0]),
        excluded=frozenset({b}),
        reference_date=a,
    )


def test_pairs_lie_between_their_dates_in_the_colour_of_their_coherence() -> None:
    from matplotlib.dates import date2num

    network = triangle()
    with styled():
        sheet = draw_network(network, heading=HEADING)
        words = [word for word, _ in texts(sheet)]
    kept, dropped = (found for found in sheet.figure.axes[0].collections)
    days = date2num(network.dates)
    ends = {(tuple(map(tuple, np.round(one, 6)))): colour for one, colour in zip(kept.get_segments(), kept.get_colors(), strict=True)}  # type: ignore[attr-defined]  # fmt: skip
    good, poor = ((days[0], 0.0), (days[1], 10.0)), ((days[0], 0.0), (days[2], -20.0))
    assert set(ends) == {good, poor}
    low, high = kept.get_clim()
    assert (low, high) == (0.4, 0.9)  # of the kept ones
    np.testing.assert_allclose(ends[good], mpl.colormaps["viridis"](1.0))
    np.testing.assert_allclose(ends[poor], mpl.colormaps["viridis"](0.0))
    assert len(dropped.get_segments()) == 2  # type: ignore[attr-defined]
    assert to_rgb(dropped.get_colors()[0][:3]) == to_rgb(DROPPED)  # type: ignore[attr-defined]
    assert dropped.get_linestyles()[0][1] is not None  # type: ignore[attr-defined]
    lines = {line.get_label(): line for line in sheet.figure.axes[0].lines}
    assert lines["date"].get_ydata().tolist() == [-20.0, -15.0]  # type: ignore[union-attr]
    assert lines["excluded date"].get_ydata().tolist() == [10.0]  # type: ignore[union-attr]
    assert lines["excluded date"].get_markerfacecolor() == "white"
    assert "2 of 4 pairs kept, 4 dates" in " ".join(words).replace("\n", " ")
    assert any(str(network.dates[0]) in word for word in words if word.startswith("reference date"))


def test_the_coherence_of_a_date_is_that_of_its_kept_pairs() -> None:
    low, mean, high = triangle().coherence_of_dates()
    np.testing.assert_allclose(low, [0.4, 0.9, 0.4, np.nan])
    np.testing.assert_allclose(mean, [0.65, 0.9, 0.4, np.nan])
    np.testing.assert_allclose(high, [0.9, 0.9, 0.4, np.nan])
    with styled():
        sheet = draw_coherences(triangle(), heading=HEADING)
    labels = [text.get_text() for text in sheet.figure.legends[0].get_texts()]
    assert "no kept pair" in labels
    assert span_of(np.array([0.651, 0.699])) == (0.6, 0.7)
    assert span_of(np.array([1.0])) == (0.9, 1.0)
    assert span_of(np.array([0.0])) == (0.0, 0.1)


def test_the_matrix_has_coherence_below_and_states_above_the_diagonal() -> None:
    network = triangle()
    with styled():
        sheet = draw_coherence_matrix(network, heading=HEADING)
        canvas: Any = sheet.figure.canvas
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3] / 255
    axes = sheet.figure.axes[0]
    box: Any = axes.get_window_extent()

    def at(row: int, col: int) -> np.ndarray:
        y, x = box.y1 - box.height * (row + 0.5) / 4, box.x0 + box.width * (col + 0.5) / 4
        found: np.ndarray = pixels[pixels.shape[0] - 1 - int(y), int(x)]
        return found

    for (row, col), coherence in {(1, 0): 0.9, (2, 0): 0.4, (2, 1): 0.6, (3, 2): 0.3}.items():
        np.testing.assert_allclose(at(row, col), mpl.colormaps["viridis"]((coherence - 0.3) / 0.6)[:3], atol=0.02)
    for (row, col), colour in {(0, 1): LINES[1], (0, 2): LINES[1], (1, 2): LINES[2], (2, 3): LINES[2]}.items():
        np.testing.assert_allclose(at(row, col), to_rgb(colour), atol=0.01)
    np.testing.assert_allclose(at(0, 3), 1.0)
    np.testing.assert_allclose(at(3, 0), 1.0)


def test_a_network_with_another_number_of_values_is_refused() -> None:
    network = triangle()
    with pytest.raises(InputError, match="baseline of a network has the shape"):
        KnownNetwork(pairs=network.pairs, kept=network.kept, coherence=network.coherence, baseline=np.zeros(3))


# ------------------------------------------------------------------------------------------------------ over time


def test_points_are_in_centimetres_hollow_where_excluded_with_their_function() -> None:
    table = points_of(8)
    with styled():
        sheet = draw_points(table, heading=HEADING)
        words = [word for word, _ in texts(sheet)]
    axes = sheet.figure.axes[0]
    rows = table[table["point"] == table["point"].iloc[0]]
    out = rows["excluded"].to_numpy()
    metres, model = rows["displacement"].to_numpy(), rows["model"].to_numpy()
    lines = [line for line in axes.lines if len(np.atleast_1d(line.get_xdata())) > 0]
    function, used, hollow = lines[1:4]  # the first is zero
    np.testing.assert_allclose(np.asarray(function.get_ydata()), 100 * model)
    np.testing.assert_allclose(np.asarray(used.get_ydata()), 100 * metres[~out])
    np.testing.assert_allclose(np.asarray(hollow.get_ydata()), 100 * metres[out])
    assert hollow.get_markerfacecolor() == "white"
    assert used.get_markerfacecolor() != "white"
    assert function.get_color() == used.get_color()
    assert {"fitted function", "excluded date"} <= set(words)
    assert any("positive toward the satellite" in word for word in words)


def test_more_points_than_fit_are_said_to_be_left_out() -> None:
    with styled():
        (_, sheet), *_ = CASES["many-points"]()
        assert any("the first 30 of 35 points" in word for word, _ in texts(sheet))


def test_bars_are_as_high_as_the_residual_and_coloured_by_what_the_date_is() -> None:
    rms = np.array([0.002, 0.004, 0.03, np.nan])
    noisy = np.array([False, False, True, False])
    with styled():
        sheet = draw_rms(days_of(4), rms, threshold=0.0178, noisy=noisy, reference_date=START, heading=HEADING)
        words = [word for word, _ in texts(sheet)]
    axes = sheet.figure.axes[0]
    bars = {found.get_label(): found for found in axes.collections}
    tops = {name: [one[1, 1] for one in found.get_segments()] for name, found in bars.items()}  # type: ignore[attr-defined]
    reference = f"reference date\n{START}"
    np.testing.assert_allclose(tops["noisy date"], [3.0])
    np.testing.assert_allclose(tops[reference], [0.2])
    assert tops["date"][0] == pytest.approx(0.4)
    for name, colour in (("noisy date", EXCLUDED), (reference, REFERENCE)):
        np.testing.assert_allclose(bars[name].get_edgecolor()[0][:3], to_rgb(colour))  # type: ignore[index]
    (line,) = axes.lines
    assert line.get_ydata()[0] == pytest.approx(1.78)  # type: ignore[index]
    assert "threshold 1.78 cm" in words
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 3.0


# ------------------------------------------------------------------------------------------------------ films


def test_a_film_shows_each_date_in_one_stretch_with_the_reference_on_every_frame(tmp_path: Path) -> None:
    from PIL import Image

    values = [0.0, 0.02, -0.04]
    stack = [picture_of(np.full((30, 40), value, dtype="float32")) for value in values]
    shade = displacement_shade(stack)
    place = reference_place(stack[0].grid, row=3, col=4)
    with styled():
        frames = list(displacement_film(days_of(3), lambda n: stack[n], shade=shade, about="", places=[place]))
        made = draw_map(stack[0], shade=shade, heading=Heading(title="Displacement on 2020-01-05"), dpi=100, places=[place])  # fmt: skip
        made.sheet.figure.canvas.draw()
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert all(side % 2 == 0 for side in frames[0].shape[:2])
    for value, frame in zip(values, frames, strict=True):
        wanted = mpl.colormaps[DIVERGING]((value + 0.04) / 0.08)[:3]
        np.testing.assert_allclose(colour_at(made, frame / 255, 20, 20, (30, 40)), wanted, atol=0.012)
        np.testing.assert_allclose(colour_at(made, frame / 255, 3, 4, (30, 40)), to_rgb(INK), atol=0.05)
    files: dict[Any, Path] = {"gif": tmp_path / "film.gif", "mp4": tmp_path / "film.mp4"}
    assert write_film(frames, files, colours=shade.colours, frames_per_second=2.0) == 3
    assert files["mp4"].stat().st_size > 1000
    with Image.open(files["gif"]) as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]
        for number, frame in enumerate(frames):
            film.seek(number)
            found = np.asarray(film.convert("RGB")).astype(int)
            assert np.abs(found - frame).mean() < 2
            np.testing.assert_allclose(found[60:70, 200], frame[60:70, 200], atol=6)


@pytest.mark.parametrize("colours", [DIVERGING, "twilight_shifted"])
def test_a_gif_keeps_the_colours_of_the_map(colours: str) -> None:
    palette = ColouredPalette(colours)
    table = np.array(palette.flat).reshape(-1, 3)
    assert len(table) <= 256
    wanted = np.rint(255 * mpl.colormaps[colours](np.linspace(0, 1, 256))[:, :3]).astype(np.uint8)[np.newaxis]
    assert np.abs(table[palette.indices(wanted)].astype(int) - wanted).max() <= 6
    exact = np.rint(255 * np.array([[to_rgb(NO_DATA), to_rgb(LINES[2]), (0, 0, 0), (1, 1, 1)]])).astype(np.uint8)
    np.testing.assert_array_equal(table[palette.indices(exact)], exact)


def test_a_film_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame"):
        write_film([], {"mp4": tmp_path / "film.mp4"}, colours=DIVERGING, frames_per_second=2.0)


# ------------------------------------------------------------------------------------------------------ the sample


def sample() -> dict[str, np.ndarray]:
    with np.load(SAMPLE / "mintpy_outputs.npz") as arrays:
        return {name: arrays[name] for name in ("velocity/velocity", "maskTempCoh/mask", "rms/rms", "rms/date")}


def sample_velocity() -> Picture:
    arrays = sample()
    values = np.where(arrays["maskTempCoh/mask"], arrays["velocity/velocity"], np.nan).astype("float32")
    return picture_of(values, left=380_000.0, top=3_780_000.0, dx=80.0, dy=80.0)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of interferograms is not at ../shared/data")
def test_the_bowl_of_the_sample_is_red_and_its_reference_white() -> None:
    picture = sample_velocity()
    row, col = np.unravel_index(np.nanargmin(picture.values), picture.values.shape)
    made, pixels = drawn(picture, shade=velocity_shade(picture))
    red, green, blue = colour_at(made, pixels, int(row), int(col), (120, 120))
    assert red > 2 * max(green, blue)
    assert colour_at(made, pixels, 7, 26, (120, 120)).min() > 0.9
    masked = np.argwhere(np.isnan(picture.values))[0]
    np.testing.assert_allclose(colour_at(made, pixels, *masked, (120, 120)), to_rgb(NO_DATA), atol=0.003)


def main(folder: Path) -> None:
    """Draw every case into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with styled():
        for case, make in CASES.items():
            for figure, sheet in make():
                save_png(sheet, folder / f"{case}-{figure}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
