"""Functions and casts of the local Earth Engine's images, one by one, against NumPy, SciPy and documented results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import TEN_METRES, answer, computed, offline_client, pixels, raster_band, shelf, values
from scipy import special

from gee.local.pixels import Image
from gee.local.values import PixelType


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def call(ee: Any, name: str, *arguments: Any) -> Any:
    """An algorithm by its name in the list: the client has no method of the old names."""
    return ee.apifunction.ApiFunction.call_(name, *arguments)


def raster(numbers: Any, **more: Any) -> Image:
    return Image((raster_band("b", np.asarray(numbers, float).reshape(3, 4), **more),))


# NumPy's and SciPy's own functions, on numbers within their domains
WITHIN = np.linspace(-0.95, 0.95, 12)
ABOVE = np.linspace(0.1, 7.3, 12)
AROUND = np.linspace(-3.3, 4.4, 12)
UNARY: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "abs": (np.abs, AROUND),
    "acos": (np.arccos, WITHIN),
    "asin": (np.arcsin, WITHIN),
    "atan": (np.arctan, AROUND),
    "cbrt": (np.cbrt, AROUND),
    "ceil": (np.ceil, AROUND),
    "cos": (np.cos, AROUND),
    "cosh": (np.cosh, AROUND),
    "digamma": (special.digamma, AROUND),
    "erf": (special.erf, AROUND),
    "erfInv": (special.erfinv, WITHIN),
    "erfc": (special.erfc, AROUND),
    "erfcInv": (special.erfcinv, WITHIN + 1),
    "exp": (np.exp, AROUND),
    "floor": (np.floor, AROUND),
    "gamma": (special.gamma, AROUND),
    "log": (np.log, ABOVE),
    "log10": (np.log10, ABOVE),
    "signum": (np.sign, AROUND),
    "sin": (np.sin, AROUND),
    "sinh": (np.sinh, AROUND),
    "sqrt": (np.sqrt, ABOVE),
    "tan": (np.tan, AROUND),
    "tanh": (np.tanh, AROUND),
    "trigamma": (lambda x: special.polygamma(1, x), ABOVE),
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_pixels_are_numpys_and_scipys(ee: Any, name: str) -> None:
    function, numbers = UNARY[name]
    (found,) = pixels(call(ee, f"Image.{name}", ee.Image("x")), context=shelf(x=raster(numbers)))
    np.testing.assert_allclose(found.data.ravel(), function(numbers), rtol=1e-11, atol=1e-13)
    assert found.mask.all()


def test_lanczos_sum_gives_gamma(ee: Any) -> None:
    """Gamma(x) = sqrt(2 pi) / x * (x + g + 1/2)^(x + 1/2) * e^-(x + g + 1/2) * lanczos(x), with Godfrey's g = 607/128."""
    (found,) = pixels(call(ee, "Image.lanczos", ee.Image("x")), context=shelf(x=raster(ABOVE)))
    base = ABOVE + 607 / 128 + 0.5
    gamma = np.sqrt(2 * np.pi) / ABOVE * base ** (ABOVE + 0.5) * np.exp(-base) * found.data.ravel()
    np.testing.assert_allclose(gamma, special.gamma(ABOVE), rtol=1e-12)


def test_what_has_no_result_is_masked(ee: Any) -> None:
    """Outside of the domain: acos beyond 1, erfInv beyond 1, gamma at 0."""
    for name, number in (("acos", 1.5), ("erfInv", -2), ("gamma", 0), ("tan", 0)):
        assert values(call(ee, f"Image.{name}", ee.Image(number))) == ([0] if name == "tan" else [None])


def test_the_incomplete_gamma_function_takes_x_first(ee: Any) -> None:
    shapes = np.linspace(0.5, 9, 12)
    both = shelf(x=raster(ABOVE), a=raster(shapes))
    (found,) = pixels(call(ee, "Image.gammainc", ee.Image("x"), ee.Image("a")), context=both)
    np.testing.assert_allclose(found.data.ravel(), special.gammainc(shapes, ABOVE), rtol=1e-11)


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("bitwiseAnd", 12, 10, 8),
        ("bitwise_and", 12, 10, 8),
        ("bitwiseOr", 12, 10, 14),
        ("bitwise_or", 12, 10, 14),
        ("bitwiseXor", 12, 10, 6),
        ("bitwise_xor", 12, 10, 6),
        ("leftShift", 3, 4, 48),
        ("left_shift", 3, 4, 48),
        ("rightShift", -48, 4, -3),
        ("right_shift", -48, 4, -3),
        ("firstNonZero", 0, 7, 7),
        ("first_nonzero", 0, 7, 7),
        ("first_nonzero", 5, 7, 5),
    ],
)
def test_whole_numbers_and_old_names(ee: Any, name: str, left: float, right: float, expected: float) -> None:
    assert values(call(ee, f"Image.{name}", ee.Image(left), ee.Image(right))) == [expected]


def test_inverted_bits_have_an_old_name(ee: Any) -> None:
    assert values(call(ee, "Image.bitwise_not", ee.Image(5))) == [-6]
    assert values(call(ee, "Image.bitwiseNot", ee.Image(5))) == [-6]


# -- casts (section 1): integers are clamped and lose their fraction --------------------------------------------------

SIGNED = {"int8": 8, "int16": 16, "short": 16, "int32": 32, "int": 32}
UNSIGNED = {"uint8": 8, "byte": 8, "uint16": 16, "uint32": 32}
CASTS = [
    *((name, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for name, bits in SIGNED.items()),
    *((name, 0, 2**bits - 1) for name, bits in UNSIGNED.items()),
]


@pytest.mark.parametrize(("name", "low", "high"), CASTS)
@pytest.mark.parametrize("spelled", ["{}", "to{}"])
def test_casts_to_whole_numbers(ee: Any, name: str, low: int, high: int, spelled: str) -> None:
    algorithm = "Image." + (name if spelled == "{}" else f"to{name.title()}")
    image = call(ee, algorithm, ee.Image("x"))
    numbers = [2.9, -2.9, 1e12, -1e12, high, low, high + 1.0, low - 1.0, 0, 0, 0, 0]
    (found,) = pixels(image, context=shelf(x=raster(numbers)))
    expected = [2, max(-2, low), high, low, high, low, high, low]
    assert found.data.ravel()[:8].tolist() == expected
    assert computed(image, shelf(x=raster(numbers))).bands[0].type == PixelType("int", low, high)


@pytest.mark.parametrize("name", ["int64", "long", "toInt64", "toLong"])
def test_casts_to_64_bits_keep_what_float64_holds(ee: Any, name: str) -> None:
    image = call(ee, f"Image.{name}", ee.Image("x"))
    (found,) = pixels(image, context=shelf(x=raster([2.9, -2.9, 2.0**52 + 1, -1e15, *[0] * 8])))
    assert found.data.ravel()[:4].tolist() == [2, -2, 2**52 + 1, -(10**15)]


@pytest.mark.parametrize("name", ["float", "toFloat"])
def test_casts_to_32_bit_floats_round_to_them(ee: Any, name: str) -> None:
    (found,) = pixels(call(ee, f"Image.{name}", ee.Image("x")), context=shelf(x=raster(WITHIN / 3)))
    np.testing.assert_array_equal(found.data.ravel(), (WITHIN / 3).astype(np.float32).astype(float))


# -- bands and properties ---------------------------------------------------------------------------------------------


def test_types_of_bands_as_a_dictionary(ee: Any) -> None:
    types = answer(ee.Image([1, 2.5]).rename(["a", "b"]).toByte().addBands(ee.Image(1.5).toFloat()).bandTypes())
    assert {name: (one["precision"], one.get("min"), one.get("max")) for name, one in types.items()} == {
        "a": ("int", 0, 255),
        "b": ("int", 0, 255),
        "constant": ("float", None, None),
    }


def test_images_one_after_the_other_are_one(ee: Any) -> None:
    both = ee.Image.cat(ee.Image(1).rename("a"), ee.Image([2, 3]).rename(["b", "a"]))
    assert computed(both).band_names == ["a", "b", "a_1"]
    assert values(both) == [1, 2, 3]
    assert values(call(ee, "Image.cat", [ee.Image(1).rename("a"), 2])) == [1, 2]


def test_copied_properties_leave_the_systems_behind(ee: Any) -> None:
    """Without a list those of the system stay where they are; a list takes what it names (section 3)."""
    source = ee.Image(1).set({"pass": "DESCENDING", "system:time_start": 7, "orbit": 58})
    assert computed(ee.Image(2).set("own", 1).copyProperties(source)).properties == {
        "own": 1,
        "pass": "DESCENDING",
        "orbit": 58,
    }
    assert computed(ee.Image(2).copyProperties(source, ["system:time_start"])).properties == {"system:time_start": 7}
    left = call(ee, "Image.copyProperties", ee.Image(2), source, None, ["orbit"])
    assert computed(left).properties == {"pass": "DESCENDING"}


def test_tiling_anew_changes_no_pixel(ee: Any) -> None:
    context = shelf(x=raster(AROUND))
    (found,) = pixels(call(ee, "Image.retile", ee.Image("x"), 64), context=context)
    np.testing.assert_array_equal(found.data, pixels(ee.Image("x"), TEN_METRES, context)[0].data)
