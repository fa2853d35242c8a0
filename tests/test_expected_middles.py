"""Medians without a second reading: exact whatever was expected, and really not read where it was right."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.reduction.block_layout import lay_out
from dask_jobs.reduction.reduce_block import expect_middles, find_medians, look_again, merge_first_looks, reduce_block
from dask_jobs.reduction.work import Block, Reduction, open_work, prepare
from dask_jobs.statistics.exact_median import (
    Counts,
    Near,
    expected_middles,
    lower_counts,
    medians,
    middles,
    upper_counts,
)
from infra.errors import SarbatchError
from infra.storage import Location


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), seen=st.integers(0, 4), blocks=st.integers(1, 5), odd=st.booleans())
def test_medians_are_exact_whatever_was_expected(seed: int, seen: int, blocks: int, odd: bool) -> None:
    """Rows that differ between blocks, with gaps, negative values, zeros of both signs and ties."""
    random = np.random.default_rng(seed)
    scale = random.choice([1.0, 1e-3, 40.0], (blocks, 3, 1))
    values = (random.normal(1.0, 2.0, (blocks, 3, 80 + odd)) * scale).round(2).astype(np.float32)
    values[random.random(values.shape) < 0.2] = np.nan
    values[random.random(values.shape) < 0.05] = np.float32(-0.0)
    values[:, 1] = np.nan  # a row without data

    def uppers(number: int) -> Any:
        return lambda: (upper_counts(block) for block in values[:number])

    def count(number: int) -> np.ndarray:
        return np.isfinite(values[:number]).sum(axis=(0, 2))

    near = [None] * blocks
    if 0 < seen < blocks:
        bucket = expected_middles(count(seen), blocks=uppers(seen))
        near = [None] * seen + [Near.from_bytes(Near.of(block, bucket=bucket).to_bytes()) for block in values[seen:]]
    found = middles(count(blocks), blocks=uppers(blocks))

    def lower() -> Any:
        for block, kept in zip(values, near, strict=True):
            held = np.zeros(3, dtype=bool) if kept is None else kept.hold(found)
            yield lower_counts([kept.row(r) if held[r] else block[r] for r in range(3)], found=found)

    flat = values.swapaxes(0, 1).reshape(3, -1).astype(np.float64)
    expected = [np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in flat]
    np.testing.assert_array_equal(medians(found, blocks=lambda: iter(list(lower()))), expected)


def test_what_was_expected_right_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    speckle = importlib.import_module("_speckle_stack")
    stack = tmp_path / "stack.icechunk"
    store = Location.parse(str(stack))
    speckle.make_stack(store, dates=5, height=64, width=256, chunk=64)
    reduction = Reduction(store=store, tag=speckle.TAG)
    work, ledger = open_work(reduction, place=Location.parse(str(tmp_path / "work")))
    layout = lay_out((5, 64, 256), chunk=64, results=len(reduction.layers), block_bytes=1 << 19)
    work = prepare(work, layout=layout, polarizations=ledger.polarizations)
    first, *others = [Block(speckle.BAND, *pair) for pair in enumerate(layout.windows)]
    assert len(others) == 3
    power = np.concatenate([work.pixels(block) for block in (first, *others)], axis=2)
    reduce_block(first, work=work)
    expected = expect_middles([first], work=work)
    for block in others:
        reduce_block(block, expected, work=work)
    looked = merge_first_looks([first, *others], work=work)
    shutil.rmtree(stack)
    for block in (first, *others):
        look_again(block, looked.found, work=work)
    found = find_medians(looked, work=work)
    np.testing.assert_array_equal(found, np.median(power.reshape(5, -1).astype(np.float64), axis=1))
    with pytest.raises(SarbatchError):
        work.pixels(first)


def test_only_the_dates_that_were_expected_wrong_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    speckle = importlib.import_module("_speckle_stack")
    store = Location.parse(str(tmp_path / "stack.icechunk"))
    speckle.make_stack(store, dates=4, height=32, width=32, chunk=32)
    reduction = Reduction(store=store, tag=speckle.TAG)
    work, ledger = open_work(reduction, place=Location.parse(str(tmp_path / "work")))
    layout = lay_out((4, 32, 32), chunk=32, results=len(reduction.layers))
    work = prepare(work, layout=layout, polarizations=ledger.polarizations)
    block = Block(speckle.BAND, 0, layout.windows[0])
    reduce_block(block, work=work)
    right = expect_middles([block], work=work)
    right[:, 2] = 3  # a bucket of tiny negative numbers
    reduce_block(block, right, work=work)
    looked = merge_first_looks([block], work=work)
    read: list[Any] = []
    whole = type(work).pixels

    def pixels(self: Any, block: Block, *, steps: Any = None) -> np.ndarray:
        read.append(steps.tolist())
        return whole(self, block, steps=steps)

    monkeypatch.setattr(type(work), "pixels", pixels)
    look_again(block, looked.found, work=work)
    assert read == [[2]]
    counts = Counts.from_bytes(work.place.read(block.second_look))
    assert counts.starts.size == 2 * 4 + 1
    found = find_medians(looked, work=work)
    monkeypatch.undo()
    np.testing.assert_array_equal(found, np.median(work.pixels(block).reshape(4, -1).astype(np.float64), axis=1))
