"""Images of the local Earth Engine against the documented rules: types, masks, arithmetic, bands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from ee_offline import TEN_METRES, at, computed, offline_client, pixels, raster_band, shelf, values

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import evaluate
from gee.local.pixels import Image, rendering
from gee.local.values import Date, Geometry, PixelType

ROWS = np.arange(12.0).reshape(3, 4)


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def types(image: Any) -> list[tuple[Any, ...]]:
    return [(band.type.precision, band.type.low, band.type.high) for band in computed(image).bands]


def names(image: Any) -> list[str]:
    return list(computed(image).band_names)


# -- constants and types (section 1) ----------------------------------------------------------------------------------


def test_constants_have_the_range_of_their_value(ee: Any) -> None:
    assert types(ee.Image(1)) == [("int", 1, 1)]
    assert types(ee.Image(math.pi)) == [("double", math.pi, math.pi)]
    band = computed(ee.Image(ee.Array([0, 0, 255]))).bands[0]
    assert band.type == PixelType("int", 0, 255, 1)


def test_a_constant_as_json() -> None:
    expression = {
        "result": "0",
        "values": {
            "0": {
                "functionInvocationValue": {
                    "functionName": "Image.constant",
                    "arguments": {"value": {"constantValue": 1}},
                }
            }
        },
    }
    assert encode(evaluate(expression)) == {
        "type": "Image",
        "bands": [
            {
                "id": "constant",
                "data_type": {"type": "PixelType", "precision": "int", "min": 1, "max": 1},
                "crs": "EPSG:4326",
                "crs_transform": [1, 0, 0, 0, 1, 0],
            }
        ],
    }


@pytest.mark.parametrize(
    ("cast", "value", "expected"),
    [
        ("toByte", 12600, 255),
        ("toByte", -12345, 0),
        ("toInt8", 12472, 127),
        ("toByte", 1.7, 1),
        ("toInt16", -1.7, -1),
        ("toUint16", 70000, 65535),
        ("toInt", 2.0**40, 2**31 - 1),
        ("toLong", 2.0**40, 2**40),
        ("toFloat", 0.1, float(np.float32(0.1))),
        ("toDouble", 0.1, 0.1),
    ],
)
def test_casts_clamp_and_drop_fractions(ee: Any, cast: str, value: float, expected: float) -> None:
    assert values(getattr(ee.Image(value), cast)()) == [expected]


def test_sums_do_not_wrap_and_know_their_range(ee: Any) -> None:
    total = ee.Image(200).toByte().add(ee.Image(100).toByte())
    assert values(total) == [300]
    assert types(total) == [("int", 0, 510)]


def test_cast_adds_missing_bands_masked_and_by_name(ee: Any) -> None:
    image = ee.Image(7).rename("VV").cast({"VX": "int8", "VH": "float", "VV": "double"})
    assert names(image) == ["VV", "VH", "VX"]
    assert values(image) == [7, None, None]
    assert types(image)[1:] == [("float", None, None), ("int", -128, 127)]
    assert names(ee.Image(7).rename("VV").cast({"VH": "float"}, ["VH", "VV"])) == ["VH", "VV"]
    with pytest.raises(EarthEngineError, match="bandOrder"):
        computed(ee.Image(7).rename("VV").cast({"VH": "float"}, ["VH"]))


# -- masks (section 2) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"), [(0, 1, 0), (1, 0, 0), (1, 1, 1), (0.4, 1, 0.4), (1, 0.4, 0.4), (0.4, 0.7, 0.4)]
)
def test_update_mask_is_the_minimum(ee: Any, old: float, new: float, expected: float) -> None:
    image = ee.Image(5).updateMask(old).updateMask(new)
    assert values(image.mask()) == [expected]


def test_where_the_new_mask_is_masked_nothing_is_valid(ee: Any) -> None:
    assert values(ee.Image(5).updateMask(ee.Image(1).updateMask(0))) == [None]


def test_setting_a_mask_replaces_it_and_fills_new_pixels(ee: Any) -> None:
    hidden = ee.Image(7).cast({"constant": ee.PixelType("int", 5, 9)}).updateMask(0)
    assert values(hidden.mask(1)) == [5]
    assert values(ee.Image(7).updateMask(0).mask(0.5)) == [7]  # its only value is the one nearest to 0
    assert values(ee.Image(7).updateMask(0.3).mask(0.5).mask()) == [0.5]


def test_one_mask_band_serves_all_else_the_counts_must_match(ee: Any) -> None:
    image = ee.Image([1, 2, 3])
    assert values(image.updateMask(0)) == [None, None, None]
    assert values(image.updateMask(ee.Image([1, 0, 1]))) == [1, None, 3]
    with pytest.raises(EarthEngineError, match="one band or as many as the image, 3, not 2"):
        computed(image.updateMask(ee.Image([1, 0])))


def test_self_mask(ee: Any) -> None:
    assert values(ee.Image([0, 7, 0.25]).selfMask()) == [None, 7, 0.25]
    assert values(ee.Image([0, 7, 0.25]).selfMask().mask()) == [0, 1, 0.25]


def test_unmask_acts_where_the_mask_is_exactly_zero(ee: Any) -> None:
    assert values(ee.Image(5).updateMask(0).unmask()) == [0]
    assert values(ee.Image(5).updateMask(0).unmask(-1)) == [-1]
    thin = ee.Image(5).updateMask(0.2).unmask(-1)
    assert (values(thin), values(thin.mask())) == ([5], [0.2])
    assert values(ee.Image(5).updateMask(0).unmask(ee.Image(3).updateMask(0.5)).mask()) == [0.5]


def test_unmask_keeps_to_the_footprint_unless_told(ee: Any) -> None:
    outline = Geometry(shapely.box(500000, 7999980, 500040, 8000000), "EPSG:32720", geodesic=False)
    context = shelf(n=Image((raster_band("n", ROWS[:2] + 1, mask=ROWS[:2] != 3),), {}, outline))
    found = pixels(ee.Image("n").unmask(-1), context=context)[0]
    assert found.data[0, 3] == -1
    assert found.mask.tolist() == [[1] * 4, [1] * 4, [0] * 4]
    assert pixels(ee.Image("n").unmask(-1, False), context=context)[0].mask.all()
    assert pixels(ee.Image("n").mask(1), context=context)[0].mask.tolist() == [[1] * 4, [1] * 4, [0] * 4]


def test_masks_keep_properties(ee: Any) -> None:
    image = ee.Image(5).set("system:time_start", 9)
    for changed in (image.updateMask(1), image.selfMask(), image.unmask(0), image.mask(1), image.where(1, 2)):
        assert computed(changed).properties == {"system:time_start": 9}


def test_both_sides_of_an_operator_must_be_valid(ee: Any) -> None:
    one = raster_band("VV", ROWS, mask=ROWS != 3)
    other = raster_band("VH", ROWS + 1, mask=ROWS != 4)
    context = shelf(a=Image((one,)), b=Image((other,)))
    found = pixels(ee.Image("a").subtract(ee.Image("b")), context=context)[0]
    np.testing.assert_array_equal(found.mask, (ROWS != 3) & (ROWS != 4))
    assert (found.data[found.mask > 0] == -1).all()


# -- arithmetic (section 3) -------------------------------------------------------------------------------------------


def test_bands_pair_by_position(ee: Any) -> None:
    first, second = ee.Image([1, 2]).rename("VV", "VH"), ee.Image([10, 20]).rename("VH", "VV")
    assert names(first.subtract(second)) == ["VV", "VH"]
    assert values(first.subtract(second)) == [-9, -18]
    assert names(ee.Image(1).add(first)) == ["VV", "VH"]
    assert values(ee.Image(1).add(first)) == [2, 3]
    assert names(ee.Image(10).subtract(ee.Image(3).rename("VV"))) == ["constant"]
    with pytest.raises(EarthEngineError, match=r"Image\.add: .* have 2 and 3"):
        computed(first.add(ee.Image([1, 2, 3])))


@pytest.mark.parametrize(
    ("method", "left", "right", "expected"),
    [
        ("divide", 5, 10, 0.5),
        ("divide", 10, 0, 0),
        ("mod", -12, 5, -2),
        ("mod", 1, -2, 1),
        ("mod", 7, 0, 0),
        ("pow", 2, 10, 1024),
        ("pow", 0, -1, None),
        ("pow", -8, 0.5, None),
        ("hypot", 3, 4, 5),
        ("first", 0, 7, 0),
        ("firstNonZero", 0, 7, 7),
        ("max", 3, 4, 4),
        ("min", 3, 4, 3),
        ("gt", 3, 2, 1),
        ("lte", 3, 2, 0),
        ("neq", 3, 2, 1),
        ("And", 3, 0.5, 1),
        ("Or", 0, 0, 0),
        ("bitwiseAnd", 12, 10, 8),
        ("leftShift", 3, 2, 12),
    ],
)
def test_binary_operators(ee: Any, method: str, left: float, right: float, expected: float | None) -> None:
    assert values(getattr(ee.Image(left), method)(ee.Image(right))) == [expected]


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("round", 10.5, 11),
        ("round", -2.5, -2),
        ("log10", 100, 2),
        ("log10", 0, None),
        ("log", -1, None),
        ("sqrt", -1, None),
        ("asin", 2, None),
        ("Not", 0.3, 0),
        ("Not", 0, 1),
        ("signum", -3, -1),
        ("exp", 1000, None),
    ],
)
def test_unary_operators(ee: Any, method: str, value: float, expected: float | None) -> None:
    assert values(getattr(ee.Image(value), method)()) == [expected]


def test_types_of_results(ee: Any) -> None:
    whole, single, double = ee.Image(3).toInt(), ee.Image(3).toFloat(), ee.Image(3).toDouble()
    precision = {
        "int": whole.add(whole),
        "float": whole.add(single),
        "double": single.multiply(double),
    }
    for expected, image in precision.items():
        assert types(image)[0][0] == expected
    assert types(whole.divide(whole))[0][0] != "int"
    assert types(whole.gt(single)) == [("int", 0, 1)]


def test_unary_operators_keep_properties_and_binary_ones_do_not(ee: Any) -> None:
    image = ee.Image(5).set("a", 1)
    assert computed(image.sqrt()).properties == {"a": 1}
    assert computed(image.add(1)).properties == {}


def test_clamp_and_unit_scale(ee: Any) -> None:
    assert values(ee.Image([-5, 5, 50]).clamp(0, 10)) == [0, 5, 10]
    assert types(ee.Image(200).toByte().clamp(0, 10)) == [("int", 0, 10)]
    assert values(ee.Image([15, 5]).unitScale(0, 10)) == [1.5, 0.5]
    assert types(ee.Image(5).toByte().unitScale(0, 255)) == [("double", 0, 1)]


@pytest.mark.parametrize(("behaviour", "expected"), [("extrapolate", 20), ("clamp", 10), ("mask", None), ("input", 2)])
def test_interpolation_beyond_its_ends(ee: Any, behaviour: str, expected: float | None) -> None:
    assert values(ee.Image(2).interpolate([0, 1], [0, 10], behaviour)) == [expected]
    assert values(ee.Image(0.25).interpolate([0, 1], [0, 10], behaviour)) == [2.5]


def test_remap(ee: Any) -> None:
    image = ee.Image(2).rename("a").set("p", 1)
    assert values(image.remap([1, 2], [5, 6])) == [6]
    assert values(image.remap([1], [5])) == [None]
    assert values(image.remap([1], [5], 9)) == [9]
    remapped = computed(image.remap([1], [5], 9))
    assert (remapped.band_names, remapped.properties) == (["remapped"], {"p": 1})
    assert remapped.bands[0].type == PixelType("int", 5, 9)


def test_normalized_difference(ee: Any) -> None:
    image = ee.Image([0.3, 0.1, -0.1]).rename("a", "b", "c").set("p", 1)
    assert values(image.normalizedDifference(["a", "b"])) == [pytest.approx(0.5)]
    assert values(image.normalizedDifference(["c", "a"])) == [None]
    assert values(ee.Image([0, 0]).normalizedDifference()) == [0]
    found = computed(image.normalizedDifference())
    assert (found.band_names, found.properties) == (["nd"], {})


def test_polynomial(ee: Any) -> None:
    assert values(ee.Image(3).polynomial([1, 0, 2])) == [19]


# -- bands (section 4) ------------------------------------------------------------------------------------------------


def test_names_of_constants(ee: Any) -> None:
    assert names(ee.Image([1, 2, 3])) == ["constant", "constant_1", "constant_2"]
    assert names(ee.Image.constant([1, 2])) == ["constant_0", "constant_1"]
    assert names(ee.Image()) == ["constant"]
    assert values(ee.Image()) == [None]


def test_select(ee: Any) -> None:
    image = ee.Image([0, 1, 2, 3]).rename("B1", "B10", "VV", "B2")
    assert names(image.select("B.*")) == ["B1", "B10", "B2"]
    assert names(image.select("B.")) == ["B1", "B2"]  # patterns match whole names
    assert names(image.select([2, "B1", "B1.*"])) == ["VV", "B1", "B1_1", "B10"]
    assert names(image.select(["VV", 0], ["x", "y"])) == ["x", "y"]
    assert values(image.select([3, 0])) == [3, 0]


def test_select_says_what_there_is(ee: Any) -> None:
    image = ee.Image([0, 1]).rename("a", "b")
    with pytest.raises(EarthEngineError) as error:
        computed(image.select("X"))
    assert error.value.message == ("Image.select: Band pattern 'X' did not match any bands. Available bands: [a, b]")
    with pytest.raises(EarthEngineError) as error:
        computed(image.select([]).select("X"))
    assert error.value.message == "Image.select: Band pattern 'X' was applied to an Image with no bands"
    with pytest.raises(EarthEngineError, match="out of range"):
        computed(image.select(2))
    with pytest.raises(EarthEngineError, match="look-around"):
        computed(image.select("(?=a)a"))


def test_rename(ee: Any) -> None:
    with pytest.raises(EarthEngineError, match=r"names \(1\) must match the number of bands \(2\)"):
        computed(ee.Image([1, 2]).rename(["a"]))
    with pytest.raises(EarthEngineError, match="Invalid band name"):
        computed(ee.Image(1).rename(["a b"]))
    with pytest.raises(EarthEngineError, match="already exists"):
        computed(ee.Image([1, 2]).rename(["a", "a"]))
    assert names(ee.Image([1, 2]).rename(["a_1", "b_1"]).regexpRename("_(\\d)$", ".$1")) == ["a.1", "b.1"]


def test_add_bands(ee: Any) -> None:
    one, other = ee.Image(1).rename("VV").set("a", 1), ee.Image([2, 3]).rename("VV", "VH").set("b", 2)
    assert names(one.addBands(other)) == ["VV", "VV_1", "VH"]
    assert names(one.addBands(other).addBands(one)) == ["VV", "VV_1", "VH", "VV_2"]
    assert names(one.addBands(other, ["VH"])) == ["VV", "VH"]
    replaced = one.addBands(other, None, True)
    assert (names(replaced), values(replaced)) == (["VV", "VH"], [2, 3])
    assert computed(one.addBands(other)).properties == {"a": 1}
    assert names(ee.Image.cat([one, other, 5])) == ["VV", "VV_1", "VH", "constant"]
    assert computed(ee.Image.cat([one, other])).properties == {"a": 1}


def test_slice(ee: Any) -> None:
    image = ee.Image([0, 1, 2]).rename("a", "b", "c")
    assert names(image.slice(-1)) == ["c"]
    assert names(image.slice(0, -1)) == ["a", "b"]
    assert names(image.slice(1, 99)) == ["b", "c"]


def test_metadata_and_date(ee: Any) -> None:
    image = ee.Image(1).set("system:time_start", 1_577_836_800_000).set("cloud", 3)
    assert values(image.metadata("cloud")) == [3]
    assert types(image.metadata("cloud")) == [("double", 3, 3)]
    assert names(image.metadata("cloud", "c")) == ["c"]
    assert computed(image.date()) == Date(1_577_836_800_000)
    with pytest.raises(EarthEngineError, match="Property 'x' is missing"):
        computed(image.metadata("x"))


def test_pixels_are_computed_once_per_rendering(ee: Any) -> None:
    calls = []
    band = raster_band("a", ROWS)
    counted = type(band)(band.name, band.type, lambda grid: calls.append(grid) or band.compute(grid), band.projection)
    context = shelf(a=Image((counted,)))
    image = ee.Image("a")
    found = computed(image.add(image).multiply(image.sqrt()), context)
    with rendering():
        result = found.bands[0].pixels(TEN_METRES)
    assert at(result, 1, 0) == pytest.approx(8 * 2)
    assert len(calls) == 1


# -- elementwise operations by hand, one value each --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "left", "right", "wanted"),
    [
        ("eq", 2, 2, 1),
        ("eq", 2, 3, 0),
        ("neq", 2, 3, 1),
        ("lt", 2, 3, 1),
        ("lt", 3, 3, 0),
        ("lte", 3, 3, 1),
        ("gt", 3, 2, 1),
        ("gte", 2, 3, 0),
        ("first", 0, 7, 0),
        ("firstNonZero", 0, 7, 7),
        ("bitwiseAnd", 12, 10, 8),
        ("bitwiseOr", 12, 10, 14),
        ("bitwiseXor", 12, 10, 6),
        ("leftShift", 3, 2, 12),
        ("rightShift", 12, 2, 3),
        ("atan2", 1, 0, math.atan2(0, 1)),
        ("hypot", 3, 4, 5),
        ("mod", -12, 5, -2),
        ("pow", 2, 0.5, math.sqrt(2)),
        ("max", 2, 3, 3),
        ("min", 2, 3, 2),
    ],
)
def test_two_images(ee: Any, name: str, left: float, right: float, wanted: float) -> None:
    assert values(getattr(ee.Image(left), name)(ee.Image(right))) == [pytest.approx(wanted, rel=1e-7)]


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("abs", -2.5, 2.5),
        ("abs", 3, 3),
        ("Not", 0.3, 0),
        ("Not", 0, 1),
        ("signum", -7, -1),
        ("ceil", 1.2, 2),
        ("floor", -1.2, -2),
        ("round", 10.5, 11),
        ("sqrt", 9, 3),
        ("cbrt", 27, 3),
        ("exp", 1, math.e),
        ("log", math.e, 1),
        ("log10", 1000, 3),
        ("sin", 0.5, math.sin(0.5)),
        ("cosh", 0.5, math.cosh(0.5)),
        ("atan", 1, math.pi / 4),
        ("bitwiseNot", 5, -6),
        ("bitCount", 7, 3),
    ],
)
def test_one_image(ee: Any, name: str, value: float, wanted: float) -> None:
    assert values(getattr(ee.Image(value), name)()) == [pytest.approx(wanted, rel=1e-7)]
