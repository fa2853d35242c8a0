"""Numbers and strings of the local Earth Engine, built by the real client."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.special
from ee_offline import answer, offline_client
from hypothesis import given, settings
from hypothesis import strategies as st

from gee.local.algorithms.values import ranges, special
from gee.local.algorithms.values.arithmetic import BINARY, UNARY
from gee.local.bands.pixel_types import cast, named, of_number, union
from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import evaluate
from gee.local.values import PixelType

Made = Callable[[Any], Any]


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def call(name: str, **arguments: Any) -> Any:
    """Result of one algorithm for plain arguments."""
    given_ = {key: {"constantValue": value} for key, value in arguments.items()}
    invocation = {"functionInvocationValue": {"functionName": name, "arguments": given_}}
    return evaluate({"result": "0", "values": {"0": invocation}})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda ee: ee.Number(2**53).add(1), 2**53 + 1),  # integers have 64 bits, not the 53 of doubles
        (lambda ee: ee.Number(7).divide(2), 3.5),
        (lambda ee: ee.Number(10).divide(0), 0),
        (lambda ee: ee.Number(-7).mod(3), -1),
        (lambda ee: ee.Number(7).mod(0), 0),
        (lambda ee: ee.Number(-2.5).round(), -2),
        (lambda ee: ee.Number(0.49999999999999994).round(), 0),
        (lambda ee: ee.Number(-1.7).toInt(), -1),
        (lambda ee: ee.Number(1.7).toByte(), 1),
        (lambda ee: ee.Number(12600).toByte(), 255),
        (lambda ee: ee.Number(-12345).toByte(), 0),
        (lambda ee: ee.Number(0.1).toFloat(), float(np.float32(0.1))),
        (lambda ee: ee.Number(1e300).toInt64(), 2**63 - 1),
        (lambda ee: ee.Number(5).bitwiseAnd(3), 1),
        (lambda ee: ee.Number(5).leftShift(2), 20),
        (lambda ee: ee.Number(-20).rightShift(2), -5),
        (lambda ee: ee.Number(5).bitwiseNot(), -6),
        (lambda ee: ee.Number(3).atan2(4), math.atan2(4, 3)),  # of the vector [x, y]
        (lambda ee: ee.Number(0).firstNonZero(7), 7),
        (lambda ee: ee.Number(15).unitScale(0, 10), 1.5),
        (lambda ee: ee.Number(15).unitScale(3, 3), 0),
        (lambda ee: ee.Number(15).clamp(0, 10), 10),
        (lambda ee: ee.Number(0).log(), "-Infinity"),
        (lambda ee: ee.Number(-1).sqrt(), "NaN"),
        (lambda ee: ee.Number.parse("-1.5e2"), -150),
        (lambda ee: ee.Number.parse("ff", 16), 255),
        (lambda ee: ee.Number(1).eq(1.0), 1),
    ],
)
def test_numbers(ee: Any, made: Made, expected: Any) -> None:
    assert answer(made(ee)) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (3.4e10, "34000000000"),
        (2.0**60, "1.152921504606847e+18"),
        (math.nan, '"NaN"'),
    ],
)
def test_json_of_numbers(value: float, text: str) -> None:
    assert json.dumps(encode(value), allow_nan=False) == text


@pytest.mark.parametrize(
    ("number", "pattern", "text"),
    [
        (3.14159, "%.2f", "3.14"),
        (42, "%05d", "00042"),
        (-42, "%05d", "-0042"),
        (-42, "%(d", "(42)"),
        (1.7, "%d", "1"),
        (3, "%.1f", "3.0"),
        (1234567.891, "%,.2f", "1,234,567.89"),
        (255, "%x", "ff"),
        (255, "%#X", "0XFF"),
        (-1, "%x", "ffffffffffffffff"),
        (8, "%o", "10"),
        (12345.678, "%e", "1.234568e+04"),
        (0.00001, "%.2g", "1.0e-05"),
        (100, "%.3g", "100"),
        (99.99, "%.2g", "1.0e+02"),
        (0.5, "%.0f", "1"),  # halves away from 0
        (1.005, "%.2f", "1.01"),
        (1, "%a", "0x1.0p0"),
        (5, "S1_%+d.tif", "S1_+5.tif"),
        (5, "%-4d|", "5   |"),
        (2.0, "%s", "2"),
        (2.5, "%s", "2.5"),
        (1e-7, "%s", "1e-07"),
        (float("inf"), "%.1f", "Infinity"),
    ],
)
def test_formats(number: float, pattern: str, text: str) -> None:
    assert call("Number.format", number=number, pattern=pattern) == text


@pytest.mark.parametrize("pattern", ["", "12", "%d%d", "%q", "%"])
def test_wrong_formats_are_refused(pattern: str) -> None:
    with pytest.raises(EarthEngineError, match=r"Number\.format: Invalid format"):
        call("Number.format", number=1, pattern=pattern)


@pytest.mark.parametrize(("text", "radix"), [("", 10), ("abc", 10), ("1.5", 16), ("1_0", 2), ("9", 8)])
def test_texts_that_are_no_numbers_are_refused(text: str, radix: int) -> None:
    with pytest.raises(EarthEngineError, match="Cannot parse"):
        call("Number.parse", input=text, radix=radix)


def test_errors_name_the_algorithm_and_the_argument() -> None:
    with pytest.raises(EarthEngineError, match=r"Number.add: Parameter 'right' is required"):
        call("Number.add", left=1)
    with pytest.raises(EarthEngineError, match=r"Number\.toInt: nan is no whole number"):
        call("Number.toInt", input=float("nan"))


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("gamma", scipy.special.gamma),
        ("digamma", scipy.special.digamma),
        ("trigamma", lambda x: scipy.special.polygamma(1, x)),
        ("erf", scipy.special.erf),
        ("erfc", scipy.special.erfc),
        ("cbrt", np.cbrt),
    ],
)
def test_special_functions_are_those_of_scipy(name: str, oracle: Callable[..., Any]) -> None:
    x = np.linspace(0.01, 40, 2001)
    np.testing.assert_allclose(UNARY[name](x), oracle(x), rtol=1e-12, atol=1e-13)


def test_special_functions_of_negative_numbers() -> None:
    x = np.linspace(-20.3, -0.02, 999)
    np.testing.assert_allclose(special.gamma(x), scipy.special.gamma(x), rtol=1e-9)
    np.testing.assert_allclose(special.digamma(x), scipy.special.digamma(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(special.erfc(x), scipy.special.erfc(x), rtol=1e-13)


def test_inverse_error_functions_undo_them() -> None:
    x = np.linspace(-3, 3, 601)
    np.testing.assert_allclose(special.erf_inv(special.erf(x)), x, atol=1e-11)
    y = np.linspace(0, 26, 261)
    np.testing.assert_allclose(special.erfc_inv(special.erfc(y)), y, rtol=1e-12, atol=1e-12)


def test_incomplete_gamma_is_that_of_scipy() -> None:
    x, a = np.meshgrid(np.linspace(0, 60, 61), np.linspace(0.05, 50, 60))
    np.testing.assert_allclose(special.gammainc(x, a), scipy.special.gammainc(a, x), atol=1e-12)


WHOLE = st.integers(-(2**40), 2**40)
KINDS = st.tuples(WHOLE, WHOLE).map(lambda ends: PixelType("int", min(ends), max(ends)))


@settings(max_examples=25)
@given(first=KINDS, second=KINDS, data=st.data())
@pytest.mark.parametrize("name", sorted(set(BINARY) - {"pow", "atan2", "hypot", "gammainc"}))
def test_results_lie_in_the_range_of_their_type(name: str, first: PixelType, second: PixelType, data: Any) -> None:
    a = data.draw(st.integers(int(first.low or 0), int(first.high or 0)))
    b = data.draw(st.integers(int(second.low or 0), int(second.high or 0)))
    kind = BINARY[name].result(first, second)
    found = BINARY[name](np.int64(a), np.int64(b))
    if kind.precision == "int" and name not in {"leftShift", "left_shift"} and abs(a * b) < 2**62:
        assert float(found).is_integer()
    low, high = ranges.bounds(kind)
    if abs(a * b) < 2**62:
        assert low <= found <= high


@given(a=st.integers(-(2**31), 2**31), b=st.integers(-(2**31), 2**31))
def test_whole_numbers_stay_exact(a: int, b: int) -> None:
    for name, expected in (("add", a + b), ("subtract", a - b), ("multiply", a * b), ("bitwiseXor", a ^ b)):
        assert call(f"Number.{name}", left=a, right=b) == expected
    assert call("Number.bitCount", input=a) == bin(a % 2**64).count("1")
    assert call("Number.mod", left=a, right=b) == (math.fmod(a, b) if b else 0)


def test_types_of_results() -> None:
    byte, one = named("byte"), of_number(1)
    assert BINARY["add"].result(byte, byte) == PixelType("int", 0, 510)  # bytes do not wrap
    assert BINARY["multiply"].result(PixelType("float", 0, 25.5), of_number(9)) == PixelType("float", 0, 229.5)
    assert BINARY["divide"].result(byte, of_number(5)) == PixelType("float", 0, 51)
    assert BINARY["divide"].result(byte, byte) == PixelType("float")
    assert BINARY["gt"].result(byte, byte) == PixelType("int", 0, 1)
    assert BINARY["pow"].result(one, one).precision == "float"
    assert BINARY["add"].result(PixelType("float"), PixelType("double")).precision == "double"
    assert union(byte, PixelType("float")) == PixelType("float")
    assert UNARY["abs"].result(PixelType("int", -3, 2)) == PixelType("int", 0, 3)


def test_casts_clamp_and_cut() -> None:
    values = np.array([-300.7, -1.7, 1.7, 300.2])
    np.testing.assert_array_equal(cast(values, named("int8")), [-128, -1, 1, 127])
    np.testing.assert_array_equal(cast(values, named("byte")), [0, 0, 1, 255])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda ee: ee.String("abc").slice(-2), "bc"),
        (lambda ee: ee.String("abc").slice(1, 99), "bc"),
        (lambda ee: ee.String("aXbXXc").split("X"), ["a", "b", "", "c"]),
        (lambda ee: ee.String("a,b,,").split(","), ["a", "b"]),
        (lambda ee: ee.String("").split(","), [""]),
        (lambda ee: ee.String("abc").split(""), ["a", "b", "c"]),
        (lambda ee: ee.String(",a").split(","), ["", "a"]),
        (lambda ee: ee.String("S1A_IW_GRDH").match("S1(.)_(..)"), ["S1A_IW", "A", "IW"]),
        (lambda ee: ee.String("abc").match("x"), []),
        (lambda ee: ee.String("VV_1").replace("(V+)_(\\d)", "$2_$1"), "1_VV"),
        (lambda ee: ee.String("a1b22").replace("[[:digit:]]+", "#", "g"), "a#b#"),
        (lambda ee: ee.String("b").compareTo("a"), 1),
        (lambda ee: ee.String("abc").rindex("c"), 2),
        (lambda ee: ee.String(" \t x\n").trim(), "x"),
        (lambda ee: ee.String("a").cat("b").toUpperCase(), "AB"),
        (lambda ee: ee.String(ee.Number(5)), "5"),
        (
            lambda ee: ee.String.encodeJSON(ee.Dictionary({"a": [1, None, True], "b": "ü"})),
            '{"a":[1,null,true],"b":"ü"}',
        ),
        (lambda ee: ee.String('{"a": [1, 2.5]}').decodeJSON(), {"a": [1, 2.5]}),
    ],
)
def test_strings(ee: Any, made: Made, expected: Any) -> None:
    assert answer(made(ee)) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("String.match", {"input": "a", "regex": "("}, r"String.match: Invalid regular expression '\('"),
        ("String.match", {"input": "a", "regex": "a", "flags": "x"}, "Unknown regular expression flag 'x'"),
        ("String.replace", {"input": "a", "regex": "a", "replacement": "$3"}, "names group 3"),
        ("String.decodeJSON", {"string": "{"}, "Invalid JSON"),
    ],
)
def test_wrong_strings_are_refused(name: str, arguments: dict[str, str], words: str) -> None:
    with pytest.raises(EarthEngineError, match=words):
        call(name, **arguments)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_json_there_and_back(value: Any) -> None:
    if value is None:
        return
    text = call("String.encodeJSON", object=value)
    assert json.loads(text) == value
    assert call("String.decodeJSON", string=text) == value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [(0, False), (0.0, False), (2, True), ("", False), ("0", True), (None, False), (True, True), (False, False)],
)
def test_conditions(condition: Any, *, holds: bool) -> None:
    assert call("If", condition=condition, trueCase="yes", falseCase="no") == ("yes" if holds else "no")


def test_the_other_case_is_not_computed() -> None:
    failing = {"functionInvocationValue": {"functionName": "List.get", "arguments": {"list": {"constantValue": []}, "index": {"constantValue": 0}}}}  # fmt: skip
    arguments = {"condition": {"constantValue": 1}, "trueCase": {"constantValue": 7}, "falseCase": failing}
    node = {"functionInvocationValue": {"functionName": "If", "arguments": arguments}}
    assert evaluate({"result": "0", "values": {"0": node}}) == 7


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [(1, 1.0, True), (True, 1, False), ([1, {"a": 2}], [1.0, {"a": 2}], True), ("a", "b", False), ([1], [1, 2], False)],
)
def test_equality(left: Any, right: Any, *, equal: bool) -> None:
    assert call("IsEqual", left=left, right=right) is equal


def test_margins(ee: Any) -> None:
    assert answer(ee.ErrorMargin(-2)) == {"type": "ErrorMargin", "unit": "meters", "value": 2}
    assert answer(ee.ErrorMargin(2e7)) == {"type": "ErrorMargin", "unit": "infinite"}
    assert answer(ee.ErrorMargin(1e-4, "projected"))["value"] == 1e-4
    with pytest.raises(EarthEngineError, match=r"Invalid ErrorMargin value: 1.0E-4. When units are 'meters'"):
        answer(ee.ErrorMargin(1e-4))


def test_pixel_types(ee: Any) -> None:
    assert answer(ee.PixelType("int", 0, 1)) == {"type": "PixelType", "precision": "int", "min": 0, "max": 1}
    assert answer(ee.PixelType("double", None, None, 2)) == {
        "type": "PixelType",
        "precision": "double",
        "dimensions": 2,
    }
    assert answer(ee.PixelType.uint16().maxValue()) == 65535
    assert answer(ee.PixelType(ee.PixelType.int8()).precision()) == "int"
    with pytest.raises(EarthEngineError, match="Integer types need both"):
        answer(ee.PixelType("int"))
    with pytest.raises(EarthEngineError, match="Invalid precision: 'long'"):
        answer(ee.PixelType("long"))


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("1 + 2 * 3", {}, 7),
        ("-2 ** 2", {}, -4),
        ("7 / 2", {}, 3.5),
        ("7 % -3 + x", {"x": 0.5}, 1.5),
        ("a.b - a.c", {"a": {"b": 5, "c": 2}}, 3),
        ("x > 2 ? sqrt(x) : -1", {"x": 9}, 3),
        ("x > 2 ? nothing : -1", {"x": 1}, -1),  # the other case is not computed
        ("!(x > 2) || x == 9", {"x": 9}, 1),
        ("max(hypot(3, 4), Math.PI)", {}, 5),
        ("toByte(300.7)", {}, 255),
    ],
)
def test_expressions(text: str, names: dict[str, Any], expected: float) -> None:
    assert call("Number.expression", expression=text, vars=names) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x + 1", "Unknown variable 'x'"),
        ("1 +", "ends too early"),
        ("nosuch(1)", "no function 'nosuch' of 1"),
        ("y", "the result is no number"),
        ("y.z.a", "Only a dictionary has entries"),
        ("c = 1", "'=' has no meaning"),
    ],
)
def test_wrong_expressions_are_refused(text: str, words: str) -> None:
    with pytest.raises(EarthEngineError, match=words):
        call("Number.expression", expression=text, vars={"y": {"z": 1}})
