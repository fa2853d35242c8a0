"""Every algorithm on plain values, called with arguments of all sorts: a result or an error in words, nothing else."""

from __future__ import annotations

import contextlib
import json
import random
import re
from typing import Any

import pytest

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import evaluate
from gee.local.evaluation.signatures import Argument, signatures
from gee.local.table import implementations

FAMILIES = re.compile(
    r"(Number|String|Date|DateRange|ErrorMargin|ObjectType|If|IsEqual|Describe|PixelType|Dictionary|List|Array)\b"
)
NAMES = sorted(name for name in signatures() if FAMILIES.match(name))
CALLS = 25  # per algorithm
TEXTS = ["", "a", "abc", "2020-02-29", "day", "%d", "(", "yyyy-MM"]
NUMBERS = [0, 1, -1, 2.5, 10, 1e18, -1e300, float("nan"), float("inf")]
LISTS: list[Any] = [[], [1], [1, 2, 3], [[1, 2], [3, 4]], [[1], [2, 3]], ["a", "b"], [None]]
DICTIONARIES: list[Any] = [{}, {"a": 1}, {"a": [1], "b": None}]
ANYTHING: list[Any] = [*TEXTS, *NUMBERS, *LISTS, *DICTIONARIES, True, False, None]


def constant(value: Any) -> Any:
    return {"constantValue": value}


def called(name: str, **arguments: Any) -> Any:
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


ARRAYS = [
    *(called("Array", values=constant(one)) for one in ([1, 2], [[1.5, 2], [3, 4]], 0, [[1, 2, 3]], [[[1]]])),
    called("Array", values=constant([[]]), pixelType=called("PixelType.int8")),
]
FITTING: dict[str, list[Any]] = {
    "Array": ARRAYS,
    "Number": [constant(one) for one in NUMBERS],
    "Integer": [constant(one) for one in (0, 1, -1, 2, 5)],
    "Float": [constant(one) for one in NUMBERS],
    "String": [constant(one) for one in TEXTS],
    "List": [constant(one) for one in LISTS],
    "Dictionary": [constant(one) for one in DICTIONARIES],
    "Date": [constant(one) for one in (0, "2020-02-29", 1e15, -6e13)],
    "DateRange": [called("DateRange", start=constant(0), end=constant("2020"))],
    "PixelType": [called("PixelType.int8"), called("PixelType.float")],
    "Reducer": [called(f"Reducer.{name}") for name in ("sum", "minMax", "median", "count")],
    "Algorithm": [{"functionDefinitionValue": {"argumentNames": ["x"], "body": "1"}}],
    "Boolean": [constant(True), constant(False)],
}


def chosen(argument: Argument, dice: random.Random) -> Any:
    kind, _, inner = argument.type.rstrip(">").partition("<")
    if dice.random() < 0.1 or kind not in FITTING:
        return dice.choice([constant(dice.choice(ANYTHING)), dice.choice(ARRAYS)])
    if kind == "List" and inner in FITTING and dice.random() < 0.7:
        return {"arrayValue": {"values": dice.choices(FITTING[inner], k=dice.randint(0, 3))}}
    return dice.choice(FITTING[kind])


def test_all_of_these_families_are_there() -> None:
    assert [name for name in NAMES if name not in implementations()] == []
    assert len(NAMES) > 300


@pytest.mark.parametrize("family", sorted({name.split(".")[0] for name in NAMES}))
def test_results_or_errors_in_words(family: str) -> None:
    dice = random.Random(family)
    for name in (one for one in NAMES if one.split(".")[0] == family):
        for _ in range(CALLS):
            wanted = [one for one in signatures()[name].arguments if not one.optional or dice.random() < 0.5]
            node = called(name, **{one.name: chosen(one, dice) for one in wanted})
            with contextlib.suppress(EarthEngineError):
                found = encode(evaluate({"result": "0", "values": {"0": node, "1": constant(7)}}))
                json.dumps(found, allow_nan=False)
