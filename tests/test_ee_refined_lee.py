"""The graph of the Refined Lee script on the local Earth Engine, against the same filter written pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ee_offline import TEN_METRES, computed, offline_client, pixels, raster_band, shelf
from refined_lee_graph import NOTEBOOK, refined_lee

from gee.local.pixels import Image

pytestmark = pytest.mark.skipif(not NOTEBOOK.is_file(), reason=f"{NOTEBOOK} is not there")

SIDE = 30
RECTANGLE = np.array([[0] * 7] * 3 + [[1] * 7] * 4)
TRIANGLE = np.tril(np.ones((7, 7), int))


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def filtered(field: np.ndarray, row: int, col: int) -> float:
    """One pixel of the filter: the window's direction by means of 3 x 3, statistics of that half of 7 x 7."""
    window = field[row - 3 : row + 4, col - 3 : col + 4]
    squares = [field[row + y - 1 : row + y + 2, col + x - 1 : col + x + 2] for y in (-2, 0, 2) for x in (-2, 0, 2)]
    means, variances = np.array([one.mean() for one in squares]), np.array([one.var() for one in squares])
    pairs = ((1, 7), (6, 2), (3, 5), (0, 8))
    strongest = int(np.argmax([abs(means[one] - means[other]) for one, other in pairs]))
    one, other = pairs[strongest]
    opposite = not means[one] - means[4] > means[4] - means[other]
    turns, diagonal = divmod(strongest + 4 * opposite, 2)
    half = window[np.rot90(TRIANGLE if diagonal else RECTANGLE, -turns) == 1]
    noise = np.sort(variances / means**2)[:5].mean()
    signal = (half.var() - half.mean() ** 2 * noise) / (1 + noise)
    return float(half.mean() + signal / half.var() * (field[row, col] - half.mean()))


def test_every_pixel_is_the_filters(ee: Any) -> None:
    rng = np.random.default_rng(11)
    edges = np.where(np.add.outer(np.arange(SIDE), np.arange(SIDE)) > SIDE, 0.3, 0.05)
    field = edges * rng.gamma(4.4, 1 / 4.4, edges.shape)
    context = shelf(x=Image((raster_band("VV", field),)))
    grid = replace(TEN_METRES, width=SIDE, height=SIDE).pad(-4, -4, -4, -4)
    (found,) = pixels(refined_lee(ee, ee.Image("x")), grid, context)
    assert (found.mask == 1).all()
    expected = [[filtered(field, row, col) for col in range(4, SIDE - 4)] for row in range(4, SIDE - 4)]
    np.testing.assert_allclose(found.data, expected, rtol=1e-9)


def test_speckle_goes_and_the_mean_stays(ee: Any) -> None:
    field = 0.1 * np.random.default_rng(12).gamma(4.4, 1 / 4.4, (200, 200))
    context = shelf(x=Image((raster_band("VV", field),)))
    grid = replace(TEN_METRES, width=200, height=200).pad(-8, -8, -8, -8)
    (found,) = pixels(refined_lee(ee, ee.Image("x")), grid, context)
    assert found.data.mean() == pytest.approx(field.mean(), rel=0.01)
    looks = found.data.mean() ** 2 / found.data.var()
    assert looks > 4 * 4.4


def test_constant_areas_tie_in_all_directions(ee: Any) -> None:
    """All gradients are the greatest: the script adds up their codes, hits no direction, and masks the pixel."""
    context = shelf(x=Image((raster_band("VV", np.full((20, 20), 0.1)),)))
    grid = replace(TEN_METRES, width=20, height=20).pad(-5, -5, -5, -5)
    (found,) = pixels(refined_lee(ee, ee.Image("x")), grid, context)
    assert not found.mask.any()


def test_the_script_itself_leaves_arrays(ee: Any) -> None:
    found = computed(refined_lee(ee, ee.Image(0.1)))
    assert [band.type.dimensions for band in found.bands] == [0]
