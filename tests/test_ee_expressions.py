"""Expressions written as text, `where`, and pictures of the local Earth Engine (sections 3 and 9)."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import pytest
from ee_offline import computed, offline_client, values
from hypothesis import given, settings
from hypothesis import strategies as st

from gee.local.errors import EarthEngineError


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def types(image: Any) -> list[tuple[Any, ...]]:
    return [(band.type.precision, band.type.low, band.type.high) for band in computed(image).bands]


def names(image: Any) -> list[str]:
    return list(computed(image).band_names)


# -- where and expressions (section 9) --------------------------------------------------------------------------------


def test_where(ee: Any) -> None:
    image, gone = ee.Image(1).toByte(), ee.Image(9).updateMask(0)
    assert values(image.where(ee.Image(1), 2.5)) == [2.5]
    assert types(image.where(ee.Image(1), ee.Image(2.5).toFloat()))[0][0] == "float"
    assert values(image.where(ee.Image(0), 2.5)) == [1]
    assert values(image.where(gone, 2.5)) == [1]
    assert values(image.where(ee.Image(1), gone)) == [1]
    assert values(gone.where(ee.Image(1), 2)) == [None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b('a') / b('b')", [0]),  # whole numbers
        ("b('a') * 1.0 / b('b')", [0.5]),
        ("-7 / 2", [-4]),
        ("2 + 3 * 4 ** 2 % 7", [8]),
        ("2 ** 3 ** 2", [512]),
        ("-2 ** 2", [-4]),
        ("(2 + 3) * 4", [20]),
        ("b('a') > 5 && !(b('b') <= 5) ? 1 : 2", [1]),
        ("b('a') > 5 ^ b('b') > 5", [0]),
        ("1 == 2 || 2 != 3", [1]),
        ("max(b(0), b(1), 30)", [30]),
        ("sqrt(b('a') * 10)", [10]),
        ("b(0, 'c')", [10, 0.5]),
        ("i.c + i['b']", [20.5]),
        ("i[0]", [10]),
        ("i * 2", [20, 40, 1]),
        ("pow(2, 3)", [8]),
        ("toByte(300)", [255]),
        ("1e2 + .5", [100.5]),
    ],
)
def test_expressions(ee: Any, text: str, expected: list[float]) -> None:
    image = ee.Image([10, 20, 0.5]).rename("a", "b", "c")
    assert values(image.expression(text, {"i": image})) == expected


def test_names_of_expressions(ee: Any) -> None:
    image = ee.Image([10, 20]).rename("a", "b")
    assert names(image.expression("c = b('a') + b('b')")) == ["c"]
    assert names(image.expression("b('a') + b('b')")) == ["a"]
    assert names(image.expression("b()")) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("b('a'", "expected ','"),
        ("x + 1", "unknown variable 'x'"),
        ("b(0); 1", "unexpected ';'"),
        ("f(1)", "no function 'f'"),
        ("1 +", "ends too early"),
        ("c = b()", "names one band"),
        ("b('zz')", "did not match any bands"),
        ("(" * 300 + "1" + ")" * 300, "nested too deeply"),
    ],
)
def test_wrong_expressions_are_told(ee: Any, text: str, told: str) -> None:
    with pytest.raises(EarthEngineError, match=told.replace("(", r"\(")):
        values(ee.Image([10, 20]).rename("a", "b").expression(text))


def test_a_condition_that_is_masked_masks_the_choice(ee: Any) -> None:
    image = ee.Image(1).updateMask(0).addBands(2).rename("t", "v")
    assert values(image.expression("b('t') ? b('v') : b('v')")) == [None]
    assert values(image.expression("b('v') ? b('v') : b('t')")) == [2]  # what is not chosen does not mask


@settings(max_examples=60, deadline=None)
@given(
    left=st.lists(st.integers(-1000, 1000), min_size=1, max_size=5),
    right=st.integers(-50, 50),
    mark=st.sampled_from(["+", "-", "*"]),
)
def test_expressions_agree_with_python(ee: Any, left: list[int], right: int, mark: str) -> None:
    image = ee.Image.constant(left)
    function = {"+": operator.add, "-": operator.sub, "*": operator.mul}[mark]
    assert values(image.expression(f"i {mark} {right}", {"i": image})) == [function(one, right) for one in left]


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_visualize(ee: Any) -> None:
    image = ee.Image([0, 5, 20]).rename("a", "b", "c")
    assert values(image.visualize(min=0, max=10)) == [0, 128, 255]
    assert names(image.visualize(min=0, max=10)) == ["vis-red", "vis-green", "vis-blue"]
    assert types(image.visualize(min=0, max=10)) == [("int", 0, 255)] * 3
    assert names(image.visualize(bands=["b"], min=0, max=10)) == ["vis-gray"]
    assert values(image.visualize(bands=["b"], min=0, max=10, forceRgbOutput=True)) == [128] * 3
    assert values(image.visualize(bands="b", min=0, max=10, palette=["black", "FF8000"])) == [128, 64, 0]
    assert values(image.visualize(bands=["b"], min=0, max=10, gamma=2)) == [180]  # 255 * sqrt(0.5)
    assert values(image.visualize(bands=["b"], gain=20, bias=3)) == [103]
    assert values(image.visualize(bands=["b"], min=0, max=10, opacity=0.5).mask()) == [0.5]
    assert values(image.visualize(min=[0, 5, 0], max=[1, 10, 40])) == [0, 0, 128]


def test_visualize_refuses(ee: Any) -> None:
    image = ee.Image([0, 5, 20])
    for told, options in {
        "more than one band": {"palette": ["red", "blue"]},
        "Only one of": {"min": 0, "gain": 1},
        "must have one value or 3": {"min": [0, 1]},
        "CSS color": {"bands": [0], "palette": ["no-color"]},
    }.items():
        with pytest.raises(EarthEngineError, match=told):
            computed(image.visualize(**options))


def test_colour_spaces_go_forth_and_back(ee: Any) -> None:
    image = ee.Image([0.5, 1, 0.05])
    assert values(image.rgbToHsv().hsvToRgb()) == pytest.approx([0.5, 1, 0.05])
    assert values(ee.Image([1.0, 0, 0]).rgbToHsv()) == [0, 1, 1]
    assert values(ee.Image([0, 0, 1.0]).rgbToHsv()) == pytest.approx([2 / 3, 1, 1])
