"""Expressions of numbers written as text: `Number.expression`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from gee.local.algorithms.images.expressions import MARKS
from gee.local.algorithms.values.arithmetic import BINARY, CASTS, UNARY
from gee.local.algorithms.values.numbers import as_array, as_number, type_of
from gee.local.bands.pixel_types import cast
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.texts.expression_grammar import Bands, Call, Node, Number, Variable, parse

CONSTANTS = {"PI": math.pi, "E": math.e}


@algorithm("Number.expression", policies=("number_expression_division",))
def expression(expression: str, vars_: dict[str, Any] | None) -> float:
    """Number that an expression gives for named numbers; `a.b` is the entry `b` of the dictionary `a`."""
    parsed = parse(expression, "")
    if parsed.name is not None:
        raise EarthEngineError(f"Invalid expression '{expression}': '=' has no meaning for numbers.")
    found = _value(parsed.tree, {"Math": CONSTANTS} | (vars_ or {}))
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise EarthEngineError(f"Invalid expression '{expression}': the result is no number.")
    return found


def _value(tree: Node, names: Mapping[str, Any]) -> Any:
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Variable):
        return _entry(names, tree.name)
    if isinstance(tree, Bands):
        inner = _value(tree.image, names)
        if not isinstance(inner, Mapping) or len(tree.selectors) != 1:
            raise EarthEngineError(f"Only a dictionary has entries, such as {list(tree.selectors)}.")
        return _entry(inner, str(tree.selectors[0]))
    if tree.name == "?":
        return _value(tree.arguments[1 if _number(_value(tree.arguments[0], names)) else 2], names)
    return _called(tree, [_number(_value(one, names)) for one in tree.arguments])


def _entry(names: Mapping[str, Any], name: str) -> Any:
    if name not in names:
        raise EarthEngineError(f"Unknown variable '{name}'.")
    return names[name]


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise EarthEngineError(f"Expected type: Number. Actual value: {value!r}.")
    return int(value) if isinstance(value, bool) else value


def _called(tree: Call, values: list[float]) -> float:
    special = SPECIAL.get((tree.name, len(values)))
    if special is not None:
        return special(*values)
    name = MARKS.get(tree.name, tree.name)
    if len(values) == 1 and name in CASTS:
        return as_number(cast(as_array(values[0]), CASTS[name]), CASTS[name])
    operation = {1: UNARY, 2: BINARY}.get(len(values), {}).get(name)
    if operation is None:
        raise EarthEngineError(f"There is no function '{tree.name}' of {len(values)} arguments.")
    return as_number(operation(*(as_array(one) for one in values)), operation.result(*(type_of(one) for one in values)))


SPECIAL: Mapping[tuple[str, int], Callable[..., float]] = {
    ("-", 1): lambda value: -value,
    ("!", 1): lambda value: int(value == 0),
    ("^", 2): lambda one, other: int((one != 0) != (other != 0)),
}
