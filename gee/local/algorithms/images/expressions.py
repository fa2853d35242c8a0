"""Expressions written as text: `Image.parseExpression`, behind the client's `Image.expression` (section 9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from gee.local.algorithms.images.bands import constant_band
from gee.local.algorithms.images.masks import chosen
from gee.local.algorithms.images.types import converted
from gee.local.algorithms.values import arithmetic
from gee.local.bands.arithmetic import combined, mapped, paired, served
from gee.local.bands.masks import both
from gee.local.bands.names import checked, selected
from gee.local.bands.pixel_types import BOOLEAN, bounds, ranged, union
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.texts.expression_grammar import Bands, Call, Node, Number, Variable, parse
from gee.local.values import Function, PixelType

MARKS = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "mod", "**": "pow", "==": "eq", "!=": "neq", "<": "lt",
    "<=": "lte", ">": "gt", ">=": "gte", "&&": "and", "||": "or",
}  # fmt: skip
FOLDED = ("max", "min")  # functions that take any number of arguments, as in JavaScript


@algorithm("Image.parseExpression", policies=("fractional_masks", "log_domain"))
def parse_expression(
    expression: str, arg_name: str, vars_: list[str], *, map_free_vars_to_default_image_bands: bool
) -> Function:
    """Function of images, one per variable, that computes an expression.

    Whole numbers are divided with the remainder dropped downward; `^` is the exclusive or of conditions. The result has
    the names and the projection that operators give it: a constant on the left names it `constant`.
    """
    parsed = parse(expression, arg_name)
    for name in _variables(parsed.tree):
        if name not in vars_ and not map_free_vars_to_default_image_bands:
            raise EarthEngineError(f"Invalid expression '{expression}': unknown variable '{name}'.")

    def call(given: Mapping[str, object]) -> Image:
        images = {}
        for name in vars_:
            value = given.get(name)
            if not isinstance(value, Image):
                raise EarthEngineError(f"Image.parseExpression: Parameter '{name}' must be an Image.")
            images[name] = value
        result = _value(parsed.tree, images, arg_name)
        return result if parsed.name is None else _named(result, parsed.name)

    return Function(tuple(vars_), call, "Image.parseExpression")


def _named(image: Image, name: str) -> Image:
    if len(image.bands) != 1:
        raise EarthEngineError(f"Image.parseExpression: '=' names one band, but there are {len(image.bands)}.")
    return image.with_bands([replace(image.bands[0], name=checked(name))])


def _variables(tree: Node) -> list[str]:
    if isinstance(tree, Variable):
        return [tree.name]
    if isinstance(tree, Bands):
        return _variables(tree.image)
    if isinstance(tree, Call):
        return [name for one in tree.arguments for name in _variables(one)]
    return []


def _value(tree: Node, images: Mapping[str, Image], default: str) -> Image:
    if isinstance(tree, Number):
        return Image((constant_band("constant", tree.value),))
    if isinstance(tree, Variable):
        if tree.name in images:
            return images[tree.name]
        return images[default].with_bands(selected(images[default], [tree.name]))
    if isinstance(tree, Bands):
        image = _value(tree.image, images, default)
        return image.with_bands(selected(image, tree.selectors)) if tree.selectors else image
    return _called(tree.name, [_value(one, images, default) for one in tree.arguments])


def _called(name: str, arguments: Sequence[Image]) -> Image:
    count = len(arguments)
    special = SPECIAL.get((name, count))
    if special is not None:
        return special(*arguments)
    name = MARKS.get(name, name)
    if name in FOLDED and count > 1:
        return reduce(lambda one, other: _pairwise(one, other, arithmetic.BINARY[name]), arguments)
    if count == 1 and name in arithmetic.UNARY:
        return _each(arguments[0], arithmetic.UNARY[name])
    if count == 1 and name in arithmetic.CASTS:
        return arguments[0].with_bands([converted(band, arithmetic.CASTS[name]) for band in arguments[0].bands])
    if count == 2 and name in arithmetic.BINARY:
        return _pairwise(arguments[0], arguments[1], arithmetic.BINARY[name])
    raise EarthEngineError(f"Image.parseExpression: there is no function '{name}' of {count} arguments.")


def _each(image: Image, operation: arithmetic.Operation) -> Image:
    def formula(data: np.ndarray) -> np.ndarray:
        return np.asarray(operation(data), np.float64)

    return image.with_bands([mapped(band, formula, operation.result(band.type)) for band in image.bands])


def _pairwise(image1: Image, image2: Image, operation: arithmetic.Operation) -> Image:
    def formula(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(operation(left, right), np.float64)

    return _joined(image1, image2, lambda one, other: (formula, operation.result(one, other)))


def _joined(
    image1: Image,
    image2: Image,
    rule: Callable[[PixelType, PixelType], tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], PixelType]],
) -> Image:
    bands = [combined(one, other, *rule(one.type, other.type)) for one, other in paired(image1, image2)]
    return Image(tuple(bands), footprint=image1.footprint)


def _negative(image: Image) -> Image:
    def type_of(type_: PixelType) -> PixelType:
        low, high = bounds(type_)
        return ranged(type_.precision, -high, -low)

    return image.with_bands([mapped(band, np.negative, type_of(band.type)) for band in image.bands])


def _exclusive(image1: Image, image2: Image) -> Image:
    def formula(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray((left != 0) != (right != 0), np.float64)

    return _joined(image1, image2, lambda *_: (formula, BOOLEAN))


def _divided(image1: Image, image2: Image) -> Image:
    divide = arithmetic.BINARY["divide"]

    def plain(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return divide(left, right)

    def floored(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(np.floor(divide(left, right)))

    def rule(one: PixelType, other: PixelType) -> tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], PixelType]:
        if one.precision == other.precision == "int":
            most = max(abs(end) for end in bounds(one))
            return floored, ranged("int", -most if bounds(one)[0] < 0 or bounds(other)[0] < 0 else 0, most)
        return plain, divide.result(one, other)

    return _joined(image1, image2, rule)


def _ternary(test: Image, yes: Image, no: Image) -> Image:
    longest = max((test, yes, no), key=lambda image: len(image.bands))
    if not longest.bands:
        return longest
    rows = zip(*(served(longest, image, "condition and its values") for image in (test, yes, no)), strict=True)
    like = yes if len(yes.bands) == len(longest.bands) else longest
    bands = [replace(_either(*row), name=name) for row, name in zip(rows, like.band_names, strict=True)]
    return Image(tuple(bands), footprint=yes.footprint)


def _either(test: Band, yes: Band, no: Band) -> Band:
    def compute(grid: Grid) -> Pixels:
        asked = test.pixels(grid)
        found = chosen(asked.data != 0, yes.pixels(grid), no.pixels(grid))
        return found._replace(mask=both(found.mask, asked.mask))

    return replace(yes, type=union(yes.type, no.type), compute=compute, size=None)


SPECIAL: Mapping[tuple[str, int], Callable[..., Image]] = {
    ("-", 1): _negative,
    ("!", 1): lambda image: _each(image, arithmetic.UNARY["not"]),
    ("^", 2): _exclusive,
    ("/", 2): _divided,
    ("?", 3): _ternary,
}
