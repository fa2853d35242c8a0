"""Whether, when and how often something is tried again: by the class of its failure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import errors
from pipelines.retry import LONGEST_WAIT, PATIENT, Ended, resend, verdict

NEVER = ["user", "credentials", "engine", "internal", "resource", "cancelled"]


def ended(*classes: str, advanced: bool = False) -> list[Ended]:
    return [Ended(error_class=name, advanced=advanced) for name in classes]


def test_every_class_of_error_is_judged() -> None:
    def below(kind: type[errors.SarbatchError]) -> set[str]:
        return {kind.error_class}.union(*(below(child) for child in kind.__subclasses__()))

    assert below(errors.SarbatchError) == {*NEVER, *PATIENT}


@pytest.mark.parametrize("name", NEVER)
def test_what_waiting_does_not_mend_is_never_tried_again(name: str) -> None:
    decision = verdict(ended(name), most=5)
    assert not decision.again
    assert name in decision.why


@pytest.mark.parametrize("name", NEVER)
def test_it_is_not_tried_again_either_after_progress_or_after_patience(name: str) -> None:
    assert not verdict(ended(name, advanced=True), most=5).again
    assert not verdict(ended("transient", name), most=5).again


@pytest.mark.parametrize("name", sorted(PATIENT))
def test_waits_double_up_to_a_limit(name: str) -> None:
    waits = [verdict(ended(*[name] * count), most=100).wait for count in range(1, 40)]
    assert waits[0] > 0
    assert all(later == min(LONGEST_WAIT, 2 * sooner) for sooner, later in pairwise(waits))
    assert waits[-1] == LONGEST_WAIT


def test_a_full_queue_is_given_more_time_than_a_broken_line() -> None:
    assert verdict(ended("quota"), most=3).wait > verdict(ended("transient"), most=3).wait


@pytest.mark.parametrize("name", ["transient", "quota"])
@pytest.mark.parametrize("most", [1, 3])
def test_attempts_in_vain_run_out(name: str, most: int) -> None:
    assert all(verdict(ended(*[name] * count), most=most).again for count in range(1, most))
    last = verdict(ended(*[name] * most), most=most)
    assert not last.again
    assert str(most) in last.why


def test_waiting_for_another_driver_does_not_run_out() -> None:
    assert verdict(ended(*["stopped"] * 50), most=3).again


def test_an_attempt_that_got_further_is_followed_at_once_and_starts_the_count_anew() -> None:
    further = Ended(error_class="transient", advanced=True)
    assert verdict([further], most=1).again
    assert verdict([further], most=1).wait == 0
    history = [*ended("transient", "transient"), further]
    assert verdict([*history, *ended("transient", "transient")], most=3).again
    assert not verdict([*history, *ended("transient", "transient", "transient")], most=3).again


def test_the_user_who_asks_again_starts_the_count_anew() -> None:
    given_up = Ended(error_class="transient", advanced=False, by_user=True)
    history = [*ended("transient", "transient"), given_up]
    assert verdict([*history, *ended("transient", "transient")], most=3).again
    assert not verdict([*history, *ended("transient", "transient", "transient")], most=3).again


attempts = st.builds(
    Ended, error_class=st.sampled_from([*NEVER, *sorted(PATIENT)]), advanced=st.booleans(), by_user=st.booleans()
)


@given(st.lists(attempts, min_size=1, max_size=80), st.integers(1, 10))
def test_a_verdict_always_says_why_and_never_waits_too_long(history: list[Ended], most: int) -> None:
    decision = verdict(history, most=most)
    assert decision.why
    assert 0 <= decision.wait <= LONGEST_WAIT
    assert not (decision.again and history[-1].error_class not in PATIENT)
    assert decision.wait == 0 or decision.again


def test_a_full_queue_is_asked_for_ever_with_growing_waits() -> None:
    decisions = [resend("quota", sent=sent, most=3) for sent in range(1, 2000)]
    assert all(decision.again for decision in decisions)
    assert all(sooner.wait <= later.wait <= LONGEST_WAIT for sooner, later in pairwise(decisions))
    assert decisions[1].wait > decisions[0].wait > 0


def test_an_engine_that_does_not_answer_is_asked_a_few_times() -> None:
    decisions = [resend("transient", sent=sent, most=3) for sent in (1, 2, 3)]
    assert [decision.again for decision in decisions] == [True, True, False]
    assert 0 < decisions[0].wait < decisions[1].wait
    assert "3 times" in decisions[2].why


@pytest.mark.parametrize("name", NEVER)
def test_any_other_refusal_is_the_last(name: str) -> None:
    assert not resend(name, sent=1, most=9).again
