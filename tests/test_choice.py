"""Which engine makes a task, in words that a person can check: a pure function of the candidates."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import JobError
from pipelines.choice import ENGINES, Candidate, choose
from pipelines.cost import Estimate, Work, on_dask


def able(backend: str, seconds: float) -> Candidate:
    return Candidate(backend=backend, able=True, why=f"{backend} can", estimate=Estimate(wall_seconds=seconds))


def unable(backend: str, why: str = "its inputs are files") -> Candidate:
    return Candidate(backend=backend, able=False, why=why)


def test_the_only_able_engine_is_taken_and_the_other_s_reason_told() -> None:
    choice = choose([able("dask", 9), unable("earth-engine", "its inputs are files")], wanted="auto")
    assert choice.backend == "dask"
    assert "earth-engine" in choice.reason
    assert "its inputs are files" in choice.reason
    assert any("earth-engine" in change for change in choice.would_change)


def test_the_faster_of_two_is_taken_and_what_would_change_it_told() -> None:
    for order in permutations([able("dask", 9), able("earth-engine", 4)]):
        choice = choose(order, wanted="auto")
        assert choice.backend == "earth-engine"
        assert choice.reason == "earth-engine can"
        assert any("dask" in change for change in choice.would_change)


@pytest.mark.parametrize("wanted", ENGINES)
def test_what_the_job_names_is_taken_if_it_can(wanted: str) -> None:
    choice = choose([able("dask", 1), able("earth-engine", 100)], wanted=wanted)
    assert choice.backend == wanted
    assert wanted in choice.reason
    assert any("auto" in change for change in choice.would_change)


def test_an_engine_that_cannot_is_an_error_that_says_why_and_which_can() -> None:
    with pytest.raises(JobError) as caught:
        choose([able("dask", 1), unable("earth-engine", "no such collection")], wanted="earth-engine")
    assert "earth-engine" in caught.value.message
    assert "no such collection" in caught.value.message
    assert "backend: auto" in caught.value.remedy
    assert "backend: dask" in caught.value.remedy


def test_an_engine_that_is_no_candidate_is_an_error_too() -> None:
    with pytest.raises(JobError, match="earth-engine"):
        choose([able("dask", 1)], wanted="earth-engine")


def test_none_that_can_is_an_error_that_says_why_for_each() -> None:
    with pytest.raises(JobError) as caught:
        choose([unable("dask", "no cluster"), unable("earth-engine", "no project")], wanted="auto")
    for word in ("dask", "no cluster", "earth-engine", "no project"):
        assert word in caught.value.message


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e6)), min_size=2, max_size=2))
def test_the_choice_is_able_and_no_able_one_is_faster(two: list[tuple[bool, float]]) -> None:
    candidates = [
        able(name, seconds) if can else unable(name) for name, (can, seconds) in zip(ENGINES, two, strict=True)
    ]
    if not any(can for can, _ in two):
        with pytest.raises(JobError):
            choose(candidates, wanted="auto")
        return
    choice = choose(candidates, wanted="auto")
    seconds = dict(zip(ENGINES, two, strict=True))
    assert seconds[choice.backend][0]
    assert seconds[choice.backend][1] == min(s for can, s in two if can)
    assert choice.reason
    assert choice.would_change


def test_candidates_show_their_estimate() -> None:
    shown = able("dask", 2.5).to_json()
    assert shown["estimate"]["wall_seconds"] == 2.5
    assert unable("dask").to_json() == {
        "backend": "dask",
        "able": False,
        "why": "its inputs are files",
        "estimate": None,
    }


@given(st.integers(0, 10**12), st.floats(0, 1e6), st.floats(0, 1e3), st.integers(1, 512))
def test_an_estimate_on_dask_is_work_over_cores(pixels: int, seconds: float, fixed: float, cores: int) -> None:
    work = Work(pixels=pixels, bytes_read=4 * pixels, bytes_written=pixels, core_seconds=seconds, fixed_seconds=fixed)
    estimate = on_dask(work, cores=cores)
    assert (estimate.pixels, estimate.bytes_read, estimate.bytes_written) == (pixels, 4 * pixels, pixels)
    assert estimate.core_hours == pytest.approx(seconds / 3600)
    assert estimate.wall_seconds == pytest.approx(fixed + seconds / cores)
    assert estimate.eecu_hours == 0
    assert on_dask(work, cores=cores + 1).wall_seconds <= estimate.wall_seconds
