"""Every algorithm on elements, collections, filters and geometries, with arguments of all sorts: a result or words."""

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
    r"(Feature|Element|AggregateFeatureCollection|Collection|FeatureCollection|Filter|Join|Geometry)\b"
)
CONSTRUCTORS = re.compile(r"GeometryConstructors\b")
CALLS = 20  # per algorithm
SEED = 7


def constant(value: Any) -> Any:
    return {"constantValue": value}


def listed(*nodes: Any) -> Any:
    return {"arrayValue": {"values": list(nodes)}}


def called(name: str, /, **arguments: Any) -> Any:
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


def made(kind: str, coordinates: Any, **more: Any) -> Any:
    return called(f"GeometryConstructors.{kind}", coordinates=constant(coordinates), **more)


GEOMETRIES = [
    made("Point", [1, 2]),
    made("Polygon", [[0, 0], [2, 0], [2, 2]]),
    made("Polygon", [[0, 0], [2, 2], [2, 0], [0, 2]]),
    made("Polygon", [[-35, -10], [-35, 10], [35, 10], [35, -10]], evenOdd=constant(False)),
    made("Polygon", []),
    made("LineString", [[179, 0], [-179, 10], [0, -89]]),
    made("Rectangle", [[500000, 0], [500100, 100]], crs=constant("EPSG:32631"), geodesic=constant(False)),
    made("MultiPoint", [[0, 90], [0, -90]]),
    called("GeometryConstructors.BBox", **{side: constant(at) for side, at in zip(("west", "south", "east", "north"), (170, -91, -170, 91), strict=True)}),
    called("Image.geometry", feature=called("Image.constant", value=constant(1))),
]  # fmt: skip
PROPERTIES: list[dict[str, Any]] = [
    {},
    {"a": 1, "b": "x"},
    {"a": "x", "system:time_start": 5},
    {"a": [1, 2], "b": None},
]
FEATURES = [
    called("Feature", metadata=constant(properties), **({} if geometry is None else {"geometry": geometry}))
    for properties, geometry in zip(PROPERTIES, [None, *GEOMETRIES[:3]], strict=True)
]
COLLECTIONS = [
    called("Collection", features=listed()),
    called("Collection", features=listed(*FEATURES)),
    called("Collection", features=listed(called("Collection", features=listed(*FEATURES[1:])))),
    called("ImageCollection.fromImages", images=listed(called("Image.constant", value=constant(1)))),
]
FILTERS = [
    called("Filter.eq", leftField=constant("a"), rightValue=constant(1)),
    called("Filter.lt", leftField=constant("a"), rightField=constant("a")),
    called("Filter.maxDifference", difference=constant(3), leftField=constant("a"), rightField=constant("a")),
    called("Filter.intersects", leftField=constant(".geo"), rightField=constant(".geo")),
]
TEXTS = ["a", "b", ".geo", "system:index", "", "a > 1", "(", "EPSG:4326", "normal", "month"]
ANYTHING = [
    *(constant(one) for one in (*TEXTS, 0, -1, 2.5, 1e300, True, [], [1, "x"], [[0, 0], [1, 1]], {}, {"a": 1})),
    *FEATURES, *COLLECTIONS, *GEOMETRIES, called("Date", value=constant(0)),
    called("DateRange", start=constant(0), end=constant(9)),
]  # fmt: skip
FITTING: dict[str, list[Any]] = {
    "Geometry": GEOMETRIES,
    "Element": [*FEATURES, *COLLECTIONS[1:], called("Image.constant", value=constant(1))],
    "Feature": FEATURES,
    "FeatureCollection": COLLECTIONS,
    "Filter": FILTERS,
    "Join": [called("Join.simple"), called("Join.inner"), called("Join.saveAll", matchesKey=constant("m"))],
    "String": [constant(one) for one in TEXTS],
    "Integer": [constant(one) for one in (0, 1, 3, -1)],
    "Long": [constant(one) for one in (0, 1, -1)],
    "Float": [constant(one) for one in (0, 1.5, -20, 1000)],
    "Boolean": [constant(True), constant(False)],
    "Projection": [constant("EPSG:4326"), constant("EPSG:32631"), constant("EPSG:3857")],
    "ErrorMargin": [constant(one) for one in (0, 1, 100)],
    "Reducer": [called(f"Reducer.{name}") for name in ("sum", "minMax", "linearFit", "toList")],
    "Algorithm": [
        {"functionDefinitionValue": {"argumentNames": ["x"], "body": "1"}},
        {"functionDefinitionValue": {"argumentNames": ["x", "y"], "body": "2"}},
    ],
    "Dictionary": [constant(one) for one in PROPERTIES],
}


def chosen(argument: Argument, dice: random.Random) -> Any:
    kind = argument.type.split("<")[0]
    if kind == "List" and dice.random() < 0.7:
        inner = argument.type[5:-1].split("<")[0]
        return listed(*dice.choices(FITTING.get(inner, ANYTHING), k=dice.randrange(3)))
    return dice.choice(FITTING[kind] if kind in FITTING and dice.random() < 0.9 else ANYTHING)


def invocation(name: str, dice: random.Random) -> Any:
    arguments = {}
    for argument in signatures()[name].arguments:
        if not argument.optional or dice.random() < 0.4:
            arguments[argument.name] = chosen(argument, dice)
    return called(name, **arguments)


def names(pattern: re.Pattern[str]) -> list[str]:
    return sorted(name for name in implementations() if pattern.match(name))


@pytest.mark.parametrize("family", ["Geometry", "GeometryConstructors", "Feature", "Filter", "Collection", "others"])
def test_results_or_errors_in_words(family: str) -> None:
    every = names(FAMILIES) + names(CONSTRUCTORS)
    known = {"Geometry", "GeometryConstructors", "Feature", "Filter", "Collection"}
    mine = [
        one for one in every if one.split(".")[0] == family or (family == "others" and one.split(".")[0] not in known)
    ]
    assert mine
    for name in mine:
        dice = random.Random(f"{SEED} {name}")
        for _ in range(CALLS):
            graph = {"result": "0", "values": {
                "0": invocation(name, dice),
                "1": called("Element.set", object={"argumentReference": "x"}, key=constant("z"), value=constant(1)),
                "2": {"argumentReference": "y"},
            }}  # fmt: skip
            if name.startswith("Filter."):
                graph["values"]["3"] = called(
                    "Collection.filter", collection=COLLECTIONS[1], filter=graph["values"]["0"]
                )
                graph["result"] = "3"
            try:
                with contextlib.suppress(EarthEngineError):
                    json.dumps(encode(evaluate(graph)), allow_nan=False)
            except Exception as error:
                raise AssertionError(f"{name}: {type(error).__name__}: {error}\n{json.dumps(graph)[:1500]}") from error
