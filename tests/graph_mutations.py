"""Expression graphs, and what chance makes of them: wrong names, types, references, cycles, depth."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

from gee.local.evaluation.signatures import signatures


def call(name: str, **arguments: Any) -> dict[str, Any]:
    """A node that calls an algorithm; plain values are constants."""
    nodes = {
        key: value
        if isinstance(value, dict) and next(iter(value), "").endswith(("Value", "Reference"))
        else {"constantValue": value}
        for key, value in arguments.items()
    }
    return {"functionInvocationValue": {"functionName": name, "arguments": nodes}}


def expression(node: Any, **values: Any) -> dict[str, Any]:
    """A graph whose result is a node."""
    return {"result": "0", "values": {"0": node, **values}}


IMAGE = call("Image.constant", value=[1, 2.5])
MAPPED = {"functionDefinitionValue": {"argumentNames": ["x"], "body": "body"}}
SEEDS: tuple[dict[str, Any], ...] = (
    expression(call("Number.add", left=1, right=call("Number.add", left=2, right=3))),
    expression(call("Image.bandNames", image=call("Image.add", image1=IMAGE, image2=IMAGE))),
    expression(call("Image.select", input=IMAGE, bandSelectors=["constant_0"])),
    expression(
        call("List.map", list=[1, 2, 3], baseAlgorithm=MAPPED),
        body=call("Number.add", left={"argumentReference": "x"}, right={"valueReference": "one"}),
        one={"constantValue": 1},
    ),
    expression(
        {"arrayValue": {"values": [{"constantValue": 1}, {"valueReference": "a"}]}}, a={"constantValue": "text"}
    ),
    expression({"dictionaryValue": {"values": {"k": call("Date", value="2020-01-01")}}}),
    expression(
        call(
            "Image.clipToBoundsAndScale",
            input=IMAGE,
            geometry=call(
                "GeometryConstructors.Polygon", coordinates=[[[14, -20], [14.1, -20], [14.1, -19.9], [14, -20]]]
            ),
            maxDimension=16,
        )
    ),
    expression(
        call(
            "Image.reduceNeighborhood",
            image=IMAGE,
            reducer=call("Reducer.mean"),
            kernel=call("Kernel.square", radius=2, units="pixels"),
        )
    ),
)
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**400, "", "\x00", "é" * 300, [], {}, [[]], {"constantValue": None}, {"a": {"b": 1}},
    {"valueReference": "0"}, {"valueReference": 7}, {"argumentReference": "nobody"}, {"argumentReference": []},
    {"functionDefinitionValue": {}}, {"functionDefinitionValue": {"argumentNames": [[]], "body": "0"}},
    {"functionInvocationValue": {"functionReference": "0"}}, {"functionInvocationValue": []}, {"integerValue": "x"},
    {"integerValue": {}}, {"bytesValue": "###"}, {"arrayValue": {"values": None}}, {"dictionaryValue": {"values": []}},
    {"constantValue": {"type": "Polygon", "coordinates": "no"}}, {"_reference": "0"}, {"call": {}}, "../../etc/passwd",
)  # fmt: skip


def mutated(random: Random) -> dict[str, Any]:
    """A graph with a few things changed."""
    graph = copy.deepcopy(random.choice(SEEDS))
    for _ in range(random.randint(1, 4)):
        _change(graph, random)
    return graph


def _change(graph: dict[str, Any], random: Random) -> None:
    places = list(_places(graph))
    if not places:
        return
    holder, key = random.choice(places)
    chance = random.random()
    if chance < 0.3:
        holder[key] = copy.deepcopy(random.choice(JUNK))
    elif chance < 0.45:
        del holder[key]
    elif chance < 0.6:
        other, there = random.choice(places)
        holder[key] = copy.deepcopy(other[there]) if _has(other, there) else None
    elif chance < 0.85:
        for node in _invocations(graph, random):
            node["functionName"] = random.choice(sorted(signatures()))
            break
    elif isinstance(holder, dict):
        holder[str(random.choice(("values", "result", "body", "arguments", "image", "0")))] = copy.deepcopy(
            random.choice(JUNK)
        )


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _places(value: Any) -> Any:
    """Everything in a graph, as (holder, key)."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def _invocations(graph: Any, random: Random) -> list[Any]:
    found = [
        holder[key]
        for holder, key in _places(graph)
        if key == "functionInvocationValue" and isinstance(holder[key], dict)
    ]
    random.shuffle(found)
    return found


def nested(depth: int) -> str:
    """JSON of a sum that is so deep, made without recursion."""
    inner = json.dumps({"constantValue": 0})
    left = '{"functionInvocationValue":{"functionName":"Number.add","arguments":{"left":{"constantValue":1},"right":'
    return '{"expression":{"result":"0","values":{"0":' + left * depth + inner + "}}}" * depth + "}}}"
