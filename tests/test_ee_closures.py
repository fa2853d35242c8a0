"""Functions of graphs: what does not depend on their arguments is evaluated once, what does is evaluated for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from ee_offline import computed, offline_client
from ee_pixels import stored

from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Image


@dataclass
class CountedShelf:
    """Catalogue of images of one pixel, which counts who is asked for."""

    asked: Counter[str] = field(default_factory=Counter)

    def load_image(self, asset: str) -> Image:
        self.asked[asset] += 1
        return stored({"b": np.ones((1, 1))}, number=len(asset))

    def load_collection(self, asset: str) -> Any:
        raise KeyError(asset)


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def test_what_a_function_only_encloses_is_evaluated_once(ee: Any) -> None:
    shelf = CountedShelf()
    found = ee.List([1, 2, 3]).map(lambda one: ee.Number(one).add(ee.Number(ee.Image("abc").get("number"))))
    assert computed(found, Context(catalogue=shelf)) == [4, 5, 6]
    assert shelf.asked == {"abc": 1}


def test_what_depends_on_an_argument_is_evaluated_for_each(ee: Any) -> None:
    shelf = CountedShelf()
    found = ee.List(["a", "bb", "a"]).map(lambda one: ee.Number(ee.Image(ee.String(one)).get("number")))
    assert computed(found, Context(catalogue=shelf)) == [1, 2, 1]
    assert shelf.asked == {"a": 2, "bb": 1}


def test_functions_within_functions(ee: Any) -> None:
    """The inner one's result depends on the outer one's argument: once for each of these."""
    shelf = CountedShelf()

    def outer(name: Any) -> Any:
        return ee.List([10, 20]).map(lambda one: ee.Number(one).add(ee.Number(ee.Image(ee.String(name)).get("number"))))

    found = ee.List(["a", "bb"]).map(outer)
    assert computed(found, Context(catalogue=shelf)) == [[11, 21], [12, 22]]
    assert shelf.asked["a"] in (1, 2)
    assert shelf.asked["bb"] in (1, 2)


def test_what_is_never_called_is_never_evaluated(ee: Any) -> None:
    shelf = CountedShelf()
    assert computed(ee.List([]).map(lambda one: ee.Image("abc").get("number")), Context(catalogue=shelf)) == []
    assert not shelf.asked
