"""Results that Earth Engine's documentation prints, against those of the local one."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gee.local import conformance
from gee.local.conformance import Outcome, agrees, page, reads_as, run

CASES = Path(__file__).parents[1] / "../shared/contracts/earth-engine-conformance.json"
PAGE = Path(conformance.__file__).parent / "CONFORMANCE.md"
NUMBERS_AND_LISTS, ALL = 0.985, 0.98


@cache
def outcomes() -> list[Outcome]:
    if not CASES.exists():
        pytest.skip(f"the documented results are not here: {CASES}")
    return run(json.loads(CASES.read_text()))


def test_most_documented_results_are_reached() -> None:
    rows = outcomes()
    machine = [one for one in rows if one.comparable]
    assert len(rows) >= 569
    assert sum(one.agrees for one in machine) / len(machine) >= NUMBERS_AND_LISTS
    assert sum(one.agrees for one in rows) / len(rows) >= ALL


def test_every_disagreement_has_a_reason() -> None:
    unexplained = [one.id for one in outcomes() if not one.agrees and one.id not in conformance.REASONS]
    assert unexplained == []
    healed = set(conformance.REASONS) & {one.id for one in outcomes() if one.agrees}
    assert healed == set()


def test_the_page_says_what_is_so_now() -> None:
    rows = outcomes()
    told = PAGE.read_text()
    # without the column of results here: their last digits are the linear algebra library's
    assert [line.split("|")[1:3] for line in told.splitlines() if line.startswith("| ee_")] == [
        line.split("|")[1:3] for line in page(rows).splitlines() if line.startswith("| ee_")
    ]
    assert told.splitlines()[:9] == page(rows).splitlines()[:9]


def test_no_case_fails_otherwise_than_with_an_answer() -> None:
    kinds = Counter(type(one.got) for one in outcomes())
    assert set(kinds) == {str}


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (1.5707963, 1.570796, True),  # cut off
        (1.570797, 1.570796, True),  # one unit of the last digit
        (1.5708, 1.570796, False),
        (6e-17, 0, True),
        (1e-6, 0, False),
        ("Infinity", "Infinity", True),
        ("Infinity", "-Infinity", False),
        ([0], 0, True),
        ([0, 1], 0, False),
        ([[1, 2]], [1, 2], False),
        ([1, 2], [1, 2, 3], False),
        (None, None, True),
        (None, 0, False),
        (True, 1, False),
        ("ab", "ab", True),
        ("1.2", 1.2, True),
        (9.332621544394410e155, 9.332621544e155, True),
    ],
)
def test_rules_of_comparison(got: Any, expected: Any, *, same: bool) -> None:
    assert agrees(got, expected) is same


def test_brackets_are_counted_apart() -> None:
    assert agrees([0], 0)
    assert not agrees([0], 0, brackets=True)
    assert agrees([[0]], [[0]], brackets=True)


@pytest.mark.parametrize(
    ("text", "plain", "told", "same"),
    [
        ("Integer", "Integer", 'The string "Integer"', True),
        ("Float", "Float", 'The string "Integer"', False),
        ("[-1.5707963]", [-1.5707963], "[-π/2]", True),
        ("[1.5707963]", [1.5707963], "[-π/2]", False),
        ("[0.999]", [0.999], "[~ 1]", True),
        ("[0.9]", [0.9], "[~ 1]", False),
        ("[1e-17]", [1e-17], "[Almost zero]", True),
        ("[1,1,1]", [1, 1, 1], 'Array of 3 "1" values', True),
        ("[1,1]", [1, 1], 'Array of 3 "1" values', False),
        ("14.5", 14.5, "1.5*3 + 2.5*4 = 14.5", True),
        ("14", 14, "1.5*3 + 2.5*4 = 14.5", False),
        ("[[],[]]", [[], []], "Empty [[], []]", True),
        ("int ∈ [0, 1]", {}, "int ∈ [0, 1]", True),
    ],
)
def test_prose_is_read(text: str, plain: Any, told: str, *, same: bool) -> None:
    assert reads_as(text, plain, told) is same
