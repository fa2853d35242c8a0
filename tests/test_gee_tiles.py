"""Tiles of a stable grid, and the limits of the service that are kept without asking it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gee.limits import (
    EXPRESSION_BYTES,
    EXPRESSION_WARN_BYTES,
    Pace,
    check_description,
    check_expression,
    check_priority,
    check_workload_tag,
)
from gee.tiles import STEP, Tile, cut
from infra.errors import InputError

GRID = (10.0, 0.0, 499_980.0, 0.0, -10.0, 8_000_040.0)
TILES = st.builds(
    Tile,
    part=st.integers(0, 2000),
    x=st.integers(0, 2_000_000),
    y=st.integers(0, 2_000_000),
    width=st.integers(1, 32768),
    height=st.integers(1, 32768),
)


def covered(tiles: tuple[Tile, ...], width: int, height: int) -> np.ndarray:
    """How many tiles hold each pixel of a grid, dims (y, x)."""
    count = np.zeros((height, width), int)
    for tile in tiles:
        assert tile.x + tile.width <= width
        assert tile.y + tile.height <= height
        count[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] += 1
    return count


@given(width=st.integers(1, 700), height=st.integers(1, 700), size=st.sampled_from([64, 128, 192, 512]))
def test_tiles_cover_a_grid_once(width: int, height: int, size: int) -> None:
    tiles = cut(width, height, part=3, size=size)
    assert (covered(tiles, width, height) == 1).all()
    assert {tile.part for tile in tiles} == {3}
    assert all(tile.x % size == tile.y % size == 0 for tile in tiles)
    assert list(tiles) == sorted(tiles)
    assert len({tile.name for tile in tiles}) == len(tiles)


@given(tile=TILES)
def test_a_name_says_everything(tile: Tile) -> None:
    assert Tile.parse(tile.name) == tile
    assert len(tile.name) <= 60


def test_names_are_those_of_the_registry() -> None:
    tile = Tile(part=1, x=4096, y=64, width=100, height=7)
    assert tile.name == "p001-x004096-y000064-w100-h7"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "whole",
        "p000-x000000-y000000-w0-h1",
        "p0-x0-y0-w1-h1",
        "p000-x000000-y000000-w1-h1-",
        "p000-x-00001-y000000-w1-h1",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no tile's name"):
        Tile.parse(name)


@given(tile=TILES)
def test_a_split_covers_the_tile_once_on_lines_of_the_grid(tile: Tile) -> None:
    pieces = tile.split()
    assert len(pieces) in (0, 2, 4)
    if not pieces:
        return
    assert sum(one.width * one.height for one in pieces) == tile.width * tile.height
    assert {one.part for one in pieces} == {tile.part}
    for lines, first, last in (
        ({one.x for one in pieces} | {one.x + one.width for one in pieces}, tile.x, tile.x + tile.width),
        ({one.y for one in pieces} | {one.y + one.height for one in pieces}, tile.y, tile.y + tile.height),
    ):
        assert min(lines) == first
        assert max(lines) == last
        assert all(line % STEP == 0 for line in lines - {first, last})
    assert all(one.width < tile.width or one.height < tile.height for one in pieces)


@given(width=st.integers(1, 300), height=st.integers(1, 300), x=st.integers(0, 130), y=st.integers(0, 130))
def test_splits_of_splits_end_and_still_cover_the_tile_once(width: int, height: int, x: int, y: int) -> None:
    whole = Tile(part=0, x=x, y=y, width=width, height=height)
    open_ones, ends = [whole], []
    while open_ones:
        tile = open_ones.pop()
        pieces = tile.split()
        open_ones.extend(pieces)
        if not pieces:
            ends.append(tile)
    found = covered(tuple(ends), x + width, y + height)
    assert (found[y:, x:] == 1).all()
    assert found.sum() == width * height
    assert all(tile.width <= 2 * STEP and tile.height <= 2 * STEP for tile in ends)


def test_small_tiles_are_not_split() -> None:
    assert Tile(part=0, x=64, y=128, width=64, height=64).split() == ()
    assert Tile(part=0, x=32, y=0, width=64, height=10).split() == ()
    halves = Tile(part=0, x=0, y=0, width=128, height=10).split()
    assert [(one.x, one.width, one.height) for one in halves] == [(0, 64, 10), (64, 64, 10)]


def test_the_first_pixel_of_a_tile_lies_where_the_grid_has_it() -> None:
    tile = Tile(part=0, x=3, y=2, width=5, height=5)
    assert tile.transform(GRID) == (10.0, 0.0, 500_010.0, 0.0, -10.0, 8_000_020.0)
    sheared = (2.0, 1.0, 0.0, -1.0, -2.0, 0.0)
    assert tile.transform(sheared) == (2.0, 1.0, 8.0, -1.0, -2.0, -7.0)


@pytest.mark.parametrize("size", [0, 32, 100, -64])
def test_tiles_have_a_side_on_the_lines_of_splits(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        cut(100, 100, part=0, size=size)


# Limits


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_pace_lets_a_burst_through_and_then_its_rate() -> None:
    clock = Clock()
    pace = Pace(rate=10.0, burst=5, now=lambda: clock.now, sleep=clock.sleep)
    for _ in range(5):
        pace.wait()
    assert clock.slept == []
    for _ in range(100):
        pace.wait()
    assert clock.now == pytest.approx(10.0)
    clock.now += 1000.0
    for _ in range(5):
        pace.wait()
    assert clock.now == pytest.approx(1010.0)  # however long nothing was sent: a burst and no more


def test_threads_share_one_pace() -> None:
    frozen = Clock()
    pauses: list[float] = []
    pace = Pace(rate=10.0, burst=8, now=lambda: frozen.now, sleep=pauses.append)
    threads = [threading.Thread(target=lambda: [pace.wait() for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pauses) == pytest.approx([number / 10.0 for number in range(1, 73)])


@pytest.mark.parametrize("values", [{"rate": 0.0}, {"burst": 0}, {"rate": -1.0}])
def test_a_pace_that_lets_nothing_through_is_none(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lets something through"):
        Pace(**values)  # type: ignore[arg-type] # a burst is whole here too


def test_texts_that_the_service_would_refuse() -> None:
    assert check_description("a" * 100) == "a" * 100
    for text in ("", "a b", "a" * 101, "ä", "a/b"):
        with pytest.raises(ValueError, match="no description"):
            check_description(text)
    for tag in ("sarbatch-0123456789abcdef", "a", "a" * 63):
        assert check_workload_tag(tag) == tag
    for tag in ("", "-a", "a-", "A", "a" * 64, "a.b"):
        with pytest.raises(ValueError, match="no workload tag"):
            check_workload_tag(tag)
    assert [check_priority(one) for one in (0, 9999)] == [0, 9999]
    for priority in (-1, 10_000):
        with pytest.raises(ValueError, match="0 to 9999"):
            check_priority(priority)


def test_a_graph_may_be_large_and_not_too_large() -> None:
    assert not check_expression(EXPRESSION_WARN_BYTES)
    assert check_expression(EXPRESSION_WARN_BYTES + 1)
    assert check_expression(EXPRESSION_BYTES)
    with pytest.raises(InputError) as caught:
        check_expression(EXPRESSION_BYTES + 1)
    assert "takes 4" in caught.value.message
    assert "period" in caught.value.remedy
