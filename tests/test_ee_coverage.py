"""The coverage page and the command that reads a graph."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gee.local.cli import app
from gee.local.evaluation.signatures import signatures
from gee.local.implemented import needed, page
from gee.local.policies import Policies
from gee.local.table import implementations

ROOT = Path(__file__).parents[1]
GRAPH = {
    "result": "0",
    "values": {
        "0": {
            "functionInvocationValue": {
                "functionName": "Image.add",
                "arguments": {
                    "image1": {"functionInvocationValue": {"functionName": "Image.constant", "arguments": {}}},
                    "image2": {"valueReference": "1"},
                },
            }
        },
        "1": {"functionInvocationValue": {"functionName": "Image.constant", "arguments": {}}},
    },
}


def lacking() -> str:
    return sorted(set(signatures()) - set(implementations()))[0]


def test_every_algorithm_of_a_graph_is_found_once() -> None:
    assert needed(GRAPH).there == ("Image.add", "Image.constant")
    request = {"expression": GRAPH, "more": [{"functionName": lacking()}, {"functionName": "Image.fly"}]}
    assert needed(request).lacking == (lacking(),)
    assert needed(request).unknown == ("Image.fly",)


def test_the_page_names_every_algorithm_and_every_choice() -> None:
    """As it stands in the repository: whoever adds an algorithm writes the page anew."""
    text = (ROOT / "gee/local/COVERAGE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
    assert set(implementations()) <= named
    assert named == set(implementations()) | set(Policies.__dataclass_fields__)
    assert set(re.findall(r"`([^`]+)`", text.partition("## What is not here")[2])) == set(signatures()) - set(
        implementations()
    )


def test_the_page_counts_what_it_is_given() -> None:
    text = page([{"functions": ["Image.add", "Image.add", "Number.add"]}, {"functions": ["Image.add"]}], {"Image.abs"})
    assert "| `Image.add` | 2 |  |" in text
    assert "| `Image.abs` |  | yes |" in text
    assert f"{len(implementations())} of the {len(signatures())}" in text
    assert f"2 stand in documented results, 1 are called by tests, {len(implementations()) - 3} by neither" in text


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (json.dumps(GRAPH), 0, "2 of 2 algorithms are implemented here"),
        (json.dumps({"functionName": "Image.fly"}), 2, "? Image.fly: no algorithm"),
        ("{", 2, "is no JSON"),
    ],
)
def test_the_command_says_what_is_there(tmp_path: Path, content: str, code: int, words: str) -> None:
    path = tmp_path / "graph.json"
    path.write_text(content)
    done = CliRunner().invoke(app, ["coverage", str(path)])
    assert done.exit_code == code
    assert words in done.output
