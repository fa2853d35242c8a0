"""Which engine makes a task, in words that a person can check: a pure function of the candidates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import CredentialsError, InputError, JobError, SarbatchError, TransientError
from pipelines.candidates import ENGINES, NETWORK, Candidate, Limits, Standing, Way
from pipelines.choice import NO_CERTIFICATE, choose
from pipelines.cost import Estimate, Work, on_dask

MADE = "the certificate of 2026-11-20 against Google's Earth Engine, largest relative difference 3e-07"
CERTIFIED = Standing(valid=True, words=MADE)
FILES = Way(data="in files", parallel=4)
ASSETS = Way(data="in Earth Engine (OPERA/RTC/L2_V1/S1)", returns=True, parallel=2)
WAYS = {"dask": FILES, "earth-engine": ASSETS}
NO_PROJECT = CredentialsError("there is no project for Earth Engine", "Set SARBATCH_EARTH_ENGINE_PROJECT.")
NO_STACK = InputError("it has no scenes on disk", "Name a stack of OPERA's scenes in `stack`.")
NO_COLLECTION = InputError("it names no collection", "Write collection: OPERA/RTC/L2_V1/S1.")
NO_FILTER = InputError("speckle.filter: lee_sigma is not made on dask", "Choose another filter.")


def can(backend: str, seconds: float, *, core: float = 0.0, eecu: float = 0.0, operations: int = 1) -> Candidate:
    estimate = Estimate(wall_seconds=seconds, core_hours=core, eecu_hours=eecu)
    way = replace(WAYS[backend], operations=operations)
    return Candidate(backend=backend, able=True, why=f"{backend} can", estimate=estimate, way=way)


def cannot(backend: str, error: SarbatchError | str) -> Candidate:
    if isinstance(error, str):
        return Candidate(backend=backend, able=False, why=error)
    return Candidate(backend=backend, able=False, why=error.message, error=error)


# ---------------------------------------------------------------------------------------------- ten jobs


@dataclass(frozen=True, kw_only=True)
class Job:
    """Candidates and circumstances, and what must be chosen and said."""

    dask: Candidate
    earth_engine: Candidate
    chosen: str | type[SarbatchError]
    home: str = "dask"
    wanted: str = "auto"
    limits: Limits = field(default_factory=Limits)
    certificate: Standing = NO_CERTIFICATE
    reason: tuple[str, ...] = ()
    changes: list[str] | None = None
    table: dict[str, tuple[str, str]] = field(default_factory=dict)  # row to the words of Dask and Earth Engine


JOBS = {
    "data only in Earth Engine": Job(
        dask=cannot("dask", NO_STACK),
        earth_engine=can("earth-engine", 300, eecu=0.2),
        home="earth-engine",
        chosen="earth-engine",
        reason=("it alone can make this", "dask cannot: it has no scenes on disk"),
        changes=["dask: Name a stack of OPERA's scenes in `stack`."],
        table={"can make it": ("no", "yes"), "data": ("-", "in Earth Engine (OPERA/RTC/L2_V1/S1)")},
    ),
    "data only on disk": Job(
        dask=can("dask", 60, core=0.05),
        earth_engine=cannot("earth-engine", NO_COLLECTION),
        chosen="dask",
        reason=("it alone can make this", "earth-engine cannot: it names no collection"),
        changes=["earth-engine: Write collection: OPERA/RTC/L2_V1/S1."],
        table={"can make it": ("yes", "no"), "data": ("in files", "-"), "core-hours": ("0.05", "-")},
    ),
    "data in both, certified": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=can("earth-engine", 600, eecu=0.3),
        certificate=CERTIFIED,
        chosen="earth-engine",
        reason=("about 10 min 0 s, against about 2 h 0 min in dask", f"both make the same: {MADE}"),
        changes=["dask in less than 10 min 0 s", "backend: dask"],
        table={"certificate": ("home: none needed", "certified"), "wall time": ("2 h 0 min", "10 min 0 s")},
    ),
    "budget too small": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=can("earth-engine", 600, eecu=2.96),
        limits=Limits(eecu_hours=2.0),
        certificate=CERTIFIED,
        chosen="dask",
        reason=("earth-engine would exceed its limits", "budget: about 2.96 EECU-hours are needed, 2 allowed"),
        changes=["a budget of 3 EECU-hours"],
        table={"budget": ("keeps 2 EECU-hours", "exceeds 2 EECU-hours")},
    ),
    "area too large for one export": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=can("earth-engine", 90_000, eecu=30.0, operations=40),
        certificate=CERTIFIED,
        chosen="dask",
        reason=("about 2 h 0 min, against about 25 h 0 min in earth-engine",),
        changes=["earth-engine in less than 2 h 0 min", "backend: earth-engine"],
        table={"operations": ("1, 1 at once", "40, 2 at once")},
    ),
    "filter missing on one side": Job(
        dask=cannot("dask", NO_FILTER),
        earth_engine=can("earth-engine", 600, eecu=0.3),
        chosen="earth-engine",
        reason=("it alone can make this", "lee_sigma is not made on dask"),
        changes=["dask: Choose another filter."],
    ),
    "deadline": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=can("earth-engine", 9000, eecu=0.3),
        limits=Limits(wall_seconds=8000),
        certificate=CERTIFIED,
        chosen="dask",
        reason=("deadline: about 2 h 30 min are needed, 2 h 13 min allowed",),
        changes=["a deadline of more than 2 h 30 min and earth-engine in less than 2 h 0 min"],
        table={"deadline": ("keeps 2 h 13 min", "exceeds 2 h 13 min")},
    ),
    "user's word": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=can("earth-engine", 600, eecu=0.3),
        wanted="earth-engine",
        chosen="earth-engine",
        reason=(
            "the job asks for earth-engine",
            "it takes about 10 min 0 s, dask about 2 h 0 min",
            "of its own accord sarbatch would not move it from dask: there is no certificate of parity",
        ),
        changes=["backend: auto, which would take dask", "backend: dask"],
        table={"certificate": ("home: none needed", "not certified")},
    ),
    "no certificate": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=can("earth-engine", 600, eecu=0.3),
        certificate=Standing(valid=False, words="there is no certificate of parity against Google's Earth Engine"),
        chosen="dask",
        reason=(
            "its data lie in files, and there is no certificate of parity against Google's Earth Engine, so that it is not moved",
            "it takes about 2 h 0 min, against about 10 min 0 s in earth-engine",
        ),
        changes=["a certificate of parity: `sarbatch certify` makes one", "backend: earth-engine"],
        table={"certificate": ("home: none needed", "not certified")},
    ),
    "no credentials": Job(
        dask=can("dask", 7200, core=8.0),
        earth_engine=cannot("earth-engine", NO_PROJECT),
        chosen="dask",
        reason=("it alone can make this", "earth-engine cannot: there is no project"),
        changes=["earth-engine: Set SARBATCH_EARTH_ENGINE_PROJECT."],
        table={"can make it": ("yes", "not now")},
    ),
    "no credentials where the data are": Job(
        dask=can("dask", 60),
        earth_engine=cannot("earth-engine", NO_PROJECT),
        home="earth-engine",
        chosen=CredentialsError,
        reason=("there is no project", "no certificate of parity", "sarbatch certify", "backend: dask"),
    ),
    "no credentials where the data are, certified": Job(
        dask=can("dask", 60),
        earth_engine=cannot("earth-engine", NO_PROJECT),
        home="earth-engine",
        certificate=CERTIFIED,
        chosen="dask",
        reason=("it alone can make this",),
    ),
    "budget too small at home, and no certificate": Job(
        dask=can("dask", 60, core=3.0),
        earth_engine=can("earth-engine", 60, eecu=0.1),
        limits=Limits(core_hours=2.0),
        chosen=JobError,
        reason=(
            "budget: about 3 core-hours are needed, 2 allowed",
            "Raise the budget",
            "earth-engine would keep within, but there is no certificate",
            "write backend: earth-engine",
        ),
    ),
    "budget too small at home, certified": Job(
        dask=can("dask", 60, core=3.0),
        earth_engine=can("earth-engine", 600, eecu=0.1),
        limits=Limits(core_hours=2.0),
        certificate=CERTIFIED,
        chosen="earth-engine",
        reason=("dask would exceed its limits (budget: about 3 core-hours are needed, 2 allowed)", MADE),
        changes=["a budget of 3 core-hours"],
    ),
    "budget too small everywhere": Job(
        dask=can("dask", 60, core=3.0),
        earth_engine=can("earth-engine", 600, eecu=4.0),
        limits=Limits(core_hours=2.0, eecu_hours=1.0),
        certificate=CERTIFIED,
        chosen=JobError,
        reason=("dask: budget: about 3 core-hours", "earth-engine: budget: about 4 EECU-hours", "Raise the budget"),
    ),
    "the word cannot be kept": Job(
        dask=can("dask", 60, core=3.0),
        earth_engine=cannot("earth-engine", NO_PROJECT),
        wanted="earth-engine",
        chosen=CredentialsError,
        reason=("there is no project", "Set SARBATCH_EARTH_ENGINE_PROJECT."),
    ),
    "the word costs too much": Job(
        dask=can("dask", 60, core=3.0),
        earth_engine=can("earth-engine", 60),
        wanted="dask",
        limits=Limits(core_hours=1.0),
        chosen=JobError,
        reason=("budget: about 3 core-hours are needed, 1 allowed",),
    ),
    "slower and not certified": Job(
        dask=can("dask", 60),
        earth_engine=can("earth-engine", 600, eecu=5.0),
        limits=Limits(eecu_hours=1.0),
        chosen="dask",
        changes=[
            "a certificate of parity: `sarbatch certify` makes one and a budget of 5 EECU-hours and earth-engine in less than 1 min 0 s"
        ],
    ),
    "both fail": Job(
        dask=cannot("dask", NO_STACK),
        earth_engine=cannot("earth-engine", NO_PROJECT),
        home="earth-engine",
        chosen=CredentialsError,
        reason=("there is no project", "it has no scenes on disk", "SARBATCH_EARTH_ENGINE_PROJECT", "Name a stack"),
    ),
    "both fail, and the job is wrong": Job(
        dask=cannot("dask", NO_STACK),
        earth_engine=cannot("earth-engine", NO_COLLECTION),
        chosen=InputError,
        reason=("names no collection", "no scenes on disk"),
    ),
    "all is done": Job(
        dask=can("dask", 0),
        earth_engine=can("earth-engine", 0),
        chosen="dask",
        reason=("nothing is left to do",),
        changes=["backend: earth-engine"],
    ),
}


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_the_choice_and_its_words(job: Job) -> None:
    case = {"wanted": job.wanted, "home": job.home, "limits": job.limits, "certificate": job.certificate}
    if not isinstance(job.chosen, str):
        with pytest.raises(job.chosen) as caught:
            choose([job.dask, job.earth_engine], **case)
        assert type(caught.value) is job.chosen
        said = f"{caught.value.message} {caught.value.remedy}"
        assert all(words in said for words in job.reason), said
        return
    choice = choose([job.dask, job.earth_engine], **case)
    assert choice.backend == job.chosen
    assert all(words in choice.reason for words in job.reason), choice.reason
    if job.changes is not None:
        assert list(choice.would_change) == job.changes
    rows = {score.name: (score.words["dask"], score.words["earth-engine"]) for score in choice.scores}
    assert {name: rows[name] for name in job.table} == job.table


# ---------------------------------------------------------------------------------------------- what it says is true

SECONDS = st.floats(1, 1e6)
LIMIT = st.none() | st.floats(0.01, 100)


@given(
    seconds=st.tuples(SECONDS, SECONDS),
    hours=st.tuples(st.floats(0, 50), st.floats(0, 50)),
    allowed=st.tuples(LIMIT, LIMIT, st.none() | SECONDS),
    home=st.sampled_from(ENGINES),
    certified=st.booleans(),
)
def test_what_is_chosen_may_be_keeps_within_and_is_first(
    seconds: tuple[float, float],
    hours: tuple[float, float],
    allowed: tuple[float | None, float | None, float | None],
    home: str,
    certified: bool,
) -> None:
    limits = Limits(core_hours=allowed[0], eecu_hours=allowed[1], wall_seconds=allowed[2])
    both = [can("dask", seconds[0], core=hours[0]), can("earth-engine", seconds[1], eecu=hours[1])]
    certificate = CERTIFIED if certified else NO_CERTIFICATE
    within = [c for c in both if not limits.exceeded(c) and (certified or c.backend == home)]
    if not within:
        with pytest.raises(JobError, match=r"allowed"):
            choose(both, wanted="auto", home=home, limits=limits, certificate=certificate)
        return
    choice = choose(both, wanted="auto", home=home, limits=limits, certificate=certificate)
    taken = next(c for c in both if c.backend == choice.backend)
    assert taken in within
    assert all(taken.wall <= c.wall for c in within)
    assert choice.reason
    assert choice.would_change


@pytest.mark.parametrize(("seconds", "limited"), list(product([(60, 7200), (7200, 60)], [False, True])))
def test_what_would_change_it_does(seconds: tuple[float, float], limited: bool) -> None:
    """The words name a certificate, a budget and a time: with all of them, the other engine is taken, and without any it is not."""
    dask, engine = can("dask", seconds[0]), can("earth-engine", seconds[1], eecu=2.0)
    limits = Limits(eecu_hours=1.0 if limited else None)
    before = choose([dask, engine], wanted="auto", home="dask", limits=limits)
    assert before.backend == "dask"
    (steps, *_) = before.would_change
    said = (
        "certificate" in steps,
        "budget of 2 EECU-hours" in steps,
        "in less than" in steps,
    )
    assert said == (True, limited, seconds[0] < seconds[1])
    for done in product([False, True], repeat=3):
        if any(act and not named for act, named in zip(done, said, strict=True)):
            continue
        certificate, budget, faster = done
        now = choose(
            [dask, can("earth-engine", 30 if faster else seconds[1], eecu=2.0)],
            wanted="auto",
            home="dask",
            limits=Limits(eecu_hours=2.0) if budget else limits,
            certificate=CERTIFIED if certificate else NO_CERTIFICATE,
        )
        assert (now.backend == "earth-engine") == (done == said)


@pytest.mark.parametrize("wanted", ENGINES)
def test_what_the_job_names_is_taken_if_it_can(wanted: str) -> None:
    for home, order in product(ENGINES, permutations([can("dask", 1), can("earth-engine", 100)])):
        choice = choose(order, wanted=wanted, home=home)
        assert choice.backend == wanted
        assert choice.reason.startswith(f"the job asks for {wanted}")


def test_an_engine_that_is_no_candidate_is_an_error_that_says_which_can() -> None:
    for two in ([can("dask", 1)], [can("dask", 1), cannot("earth-engine", "it is made on dask only")]):
        with pytest.raises(JobError, match="earth-engine") as caught:
            choose(two, wanted="earth-engine", home="dask")
        assert "backend: auto, or backend: dask" in caught.value.remedy


def test_a_kind_of_one_engine_fails_as_that_engine_does() -> None:
    with pytest.raises(InputError) as caught:
        choose([cannot("dask", NO_STACK), cannot("earth-engine", "made on dask only")], wanted="auto", home="dask")
    assert caught.value is NO_STACK
    with pytest.raises(JobError, match="no engine can make this task: dask cannot: a; earth-engine cannot: b"):
        choose([cannot("dask", "a"), cannot("earth-engine", "b")], wanted="auto", home="dask")


def test_a_version_for_the_other_engine_would_change_it() -> None:
    choice = choose([can("dask", 9), cannot("earth-engine", "made on dask only")], wanted="auto", home="dask")
    assert choice.would_change == ("a version of this kind for earth-engine",)


def test_a_transient_failure_at_home_moves_nothing_without_a_certificate() -> None:
    gone = cannot("dask", TransientError("the bucket cannot be reached", "Try again."))
    with pytest.raises(TransientError, match=r"bucket cannot be reached.*no certificate"):
        choose([gone, can("earth-engine", 1)], wanted="auto", home="dask")
    assert choose([gone, can("earth-engine", 1)], wanted="auto", home="dask", certificate=CERTIFIED)


# ---------------------------------------------------------------------------------------------- candidates


def test_candidates_show_their_estimate() -> None:
    shown = can("dask", 2.5).to_json()
    assert shown["estimate"]["wall_seconds"] == 2.5
    assert cannot("dask", NO_STACK).to_json() == {
        "backend": "dask", "able": False, "why": "it has no scenes on disk", "estimate": None,
    }  # fmt: skip


def test_what_waits_and_what_moves_takes_time() -> None:
    estimate = Estimate(wall_seconds=100, bytes_read=10 * int(NETWORK), bytes_written=int(NETWORK))
    assert FILES.whole(estimate) == estimate
    assert FILES.moves(estimate) == 0
    assert replace(FILES, fetches=True).whole(estimate).wall_seconds == 110
    assert replace(ASSETS, operations=5, wait=60.0).whole(estimate).wall_seconds == 100 + 3 * 60 + 1
    assert replace(ASSETS, operations=5, wait=60.0).whole(Estimate()) == Estimate()


@given(st.integers(0, 10**12), st.floats(0, 1e6), st.floats(0, 1e3), st.integers(1, 512))
def test_an_estimate_on_dask_is_work_over_cores(pixels: int, seconds: float, fixed: float, cores: int) -> None:
    work = Work(pixels=pixels, bytes_read=4 * pixels, bytes_written=pixels, core_seconds=seconds, fixed_seconds=fixed)
    estimate = on_dask(work, cores=cores)
    assert (estimate.pixels, estimate.bytes_read, estimate.bytes_written) == (pixels, 4 * pixels, pixels)
    assert estimate.core_hours == pytest.approx(seconds / 3600)
    assert estimate.wall_seconds == pytest.approx(fixed + seconds / cores)
    assert estimate.eecu_hours == 0
    assert on_dask(work, cores=cores + 1).wall_seconds <= estimate.wall_seconds
