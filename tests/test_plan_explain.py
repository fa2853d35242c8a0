"""`plan --explain`: for jobs of all sorts the engine that is chosen and the words that say why, through the command line.

The two engines answer as a script says, the planner and everything before and after it is the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from command_line import Sarbatch, opera_scenes, place, sarbatch, stack, write_job

from infra.errors import CredentialsError, InputError, TransientError
from infra.settings import load_settings
from pipelines import load_job, looks, make_plan
from pipelines.backends import load_backend
from pipelines.backends.protocol import Backend, Capabilities
from pipelines.cost import Estimate, Work, on_dask, on_earth_engine
from pipelines.kinds import all_kinds
from pipelines.kinds.binding import Continuation, Request, Survey
from pipelines.orders import Order
from pipelines.parity import Against, Agreement, Certificate, write_certificate

__all__ = ["place", "sarbatch"]  # fixtures
KIND = "sentinel1-composite"
OPERA = "OPERA/RTC/L2_V1/S1"
COVERS = ("filter refined_lee", "quantity ratio_db", "reducer median")
COMPOSITE = {
    "kind": KIND, "stack": "stack", "collection": OPERA, "quantities": ["ratio_db"], "reducers": ["median"],
    "speckle": {"filter": "refined_lee"},
}  # fmt: skip
ONLY_ASSETS = {key: value for key, value in COMPOSITE.items() if key != "stack"}
ONLY_FILES = {key: value for key, value in COMPOSITE.items() if key != "collection"}
SLOW, FAST = 7200.0, 600.0  # seconds


@dataclass
class Scripted:
    """An engine whose look at a composite finds what it is told."""

    name: str
    finds: Survey | Exception
    asked: int = 0

    def capabilities(self) -> Capabilities:
        return Capabilities(kinds=frozenset(all_kinds()), parallel=2, queue=1000)

    def binding(self, kind: str) -> Any:
        return self

    def survey(self, request: Request) -> Survey:
        self.asked += 1
        if isinstance(self.finds, Exception):
            raise self.finds
        return self.finds

    def continuation(self, order: Order, survey: Survey) -> Continuation:
        return Continuation(notes=[], work=survey.work)

    def estimate(self, work: Work) -> Estimate:
        return on_dask(work, cores=1) if self.name == "dask" else on_earth_engine(work, tasks=2)


def found(seconds: float, *, eecu: float = 0.0, core: float = 0.0, **changes: Any) -> Survey:
    work = Work(
        pixels=10**6, bytes_read=4 * 10**6, bytes_written=10**6, eecu_seconds=eecu * 3600, core_seconds=core * 3600,
        fixed_seconds=seconds - core * 3600 - eecu * 1800,
    )  # fmt: skip
    scenes = [("scene-1", 1, "a"), ("scene-2", 1, "b")]
    usual = {"grid": {"crs": "EPSG:32611"}, "radiometry": "gamma0", "scenes": scenes, "source": OPERA, "covers": COVERS}
    document = {"grid": {"crs": "EPSG:32611"}}
    return Survey(**{**usual, "work": work, "document": document, **changes})


@pytest.fixture
def engines(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Scripted]]:
    """Let both engines answer for composites; stacks are looked at by the real one."""
    opera_scenes(place / "scenes")

    def answer(*, dask: Survey | Exception, earth_engine: Survey | Exception) -> dict[str, Scripted]:
        both = {"dask": Scripted("dask", dask), "earth-engine": Scripted("earth-engine", earth_engine)}

        def load(name: str, settings: Any) -> Any:
            return _OfKind(both[name], load_backend("dask", settings))

        monkeypatch.setattr(looks, "load_backend", load)
        return both

    return answer


@dataclass
class _OfKind:
    """The scripted engine for composites, the real one for all else."""

    scripted: Scripted
    real: Backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scripted, name)

    def binding(self, kind: str) -> Any:
        return self.scripted if kind == KIND else self.real.binding(kind)


def certify(place: Path, *, against: Against = "google", version: int = 1, covers: tuple[str, ...] = COVERS) -> None:
    agreement = Agreement(pixels=1000, largest=3e-7)
    certificate = Certificate(
        algorithms={KIND: version},
        made=datetime(2026, 11, 20, tzinfo=UTC),
        against=against,
        covers=dict.fromkeys(covers, agreement),
    )
    write_certificate(certificate, state_dir=load_settings().state_dir)


# ---------------------------------------------------------------------------------------------- jobs


@dataclass(frozen=True, kw_only=True)
class Job:
    """A task, what the engines find, and what is said of it."""

    dask: Survey | Exception
    earth_engine: Survey | Exception
    chosen: str
    task: dict[str, Any] = field(default_factory=lambda: COMPOSITE)
    prepare: Callable[[Path], None] | None = None
    says: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


NO_STACK = InputError(f"{OPERA} is read on Dask from files", "Name a stack of OPERA's scenes in `stack`.")
NO_ASSETS = InputError(
    "RTC scenes on disk cannot be read in Earth Engine", f"Write collection: {OPERA} beside `stack`."
)
NO_FILTER = InputError("speckle.filter: refined_lee is not made on Dask", "Choose another filter.")
NO_PROJECT = CredentialsError("There is no project for Earth Engine", "Set SARBATCH_EARTH_ENGINE_PROJECT.")
TOO_SLOW = "so that it is not moved: it takes about 2 h 0 min, against about 10 min 0 s in earth-engine"
SAME = (
    "both make the same: the certificate of 2026-11-20 against Google's Earth Engine, largest relative difference 3e-07"
)

JOBS = {
    "data only in Earth Engine": Job(
        task=ONLY_ASSETS,
        dask=NO_STACK,
        earth_engine=found(FAST, eecu=0.2),
        chosen="earth-engine",
        says=(
            f"composite: earth-engine because it alone can make this: dask cannot: {NO_STACK.message}",
            "would change it: dask: Name a stack of OPERA's scenes in `stack`.",
            "0.2 EECU-h",
            "can make it no yes",
            f"data - in Earth Engine ({OPERA})",
        ),
    ),
    "data only on disk": Job(
        task=ONLY_FILES,
        dask=found(SLOW, core=1.5),
        earth_engine=NO_ASSETS,
        chosen="dask",
        says=(
            f"composite: dask because it alone can make this: earth-engine cannot: {NO_ASSETS.message}",
            f"would change it: earth-engine: Write collection: {OPERA} beside `stack`.",
            "core-hours 1.5 -",
        ),
    ),
    "data in both, certified": Job(
        dask=found(SLOW),
        earth_engine=found(FAST, eecu=0.2),
        prepare=certify,
        chosen="earth-engine",
        says=(
            f"earth-engine because it makes this in about 10 min 0 s, against about 2 h 0 min in dask; {SAME}",
            "would change it: dask in less than 10 min 0 s",
            "would change it: backend: dask",
            "certificate home: none needed certified",
            "certificate: the certificate of 2026-11-20 against Google's Earth Engine, largest relative difference 3e-07",
        ),
    ),
    "budget too small": Job(
        task={**COMPOSITE, "budget": {"eecu_hours": 2}},
        dask=found(SLOW),
        earth_engine=found(3600, eecu=2.96),
        prepare=certify,
        chosen="dask",
        says=(
            "dask because earth-engine would exceed its limits (budget: about 2.96 EECU-hours are needed, 2 allowed)",
            "would change it: a budget of 3 EECU-hours",
            "budget keeps 2 EECU-hours exceeds 2 EECU-hours",
        ),
    ),
    "area too large for one export": Job(
        dask=found(SLOW),
        earth_engine=found(FAST, eecu=0.2, tiles=[f"tile-{number}" for number in range(240)]),
        prepare=certify,
        chosen="dask",
        says=(
            # 240 exports, two at once, each of which waits a minute for its place
            "dask because it makes this in about 2 h 0 min, against about 2 h 10 min in earth-engine",
            "operations 1, 1 at once 240, 2 at once",
            "would change it: earth-engine in less than 2 h 0 min",
        ),
    ),
    "filter missing on one side": Job(
        dask=NO_FILTER,
        earth_engine=found(FAST),
        chosen="earth-engine",
        says=(
            f"earth-engine because it alone can make this: dask cannot: {NO_FILTER.message}",
            "would change it: dask: Choose another filter.",
        ),
    ),
    "deadline": Job(
        task={**COMPOSITE, "deadline": "PT1H"},
        dask=found(SLOW),
        earth_engine=found(FAST),
        prepare=certify,
        chosen="earth-engine",
        says=(
            "earth-engine because dask would exceed its limits (deadline: about 2 h 0 min are needed, 1 h 0 min allowed)",
            SAME,
            "deadline exceeds 1 h 0 min keeps 1 h 0 min",
        ),
    ),
    "user's word": Job(
        task={**COMPOSITE, "backend": "earth-engine"},
        dask=found(SLOW),
        earth_engine=found(FAST),
        chosen="earth-engine",
        says=(
            "earth-engine because the job asks for earth-engine; it takes about 10 min 0 s, dask about 2 h 0 min",
            "of its own accord sarbatch would not move it from dask: there is no certificate",
            "would change it: backend: auto, which would take dask",
        ),
    ),
    "no certificate": Job(
        dask=found(SLOW),
        earth_engine=found(FAST),
        chosen="dask",
        says=(
            f"its data lie in files, and there is no certificate of parity against Google's Earth Engine, {TOO_SLOW}",
            "would change it: a certificate of parity: `sarbatch certify` makes one",
            "would change it: backend: earth-engine",
            "certificate home: none needed not certified",
        ),
    ),
    "no credentials": Job(
        dask=found(SLOW),
        earth_engine=NO_PROJECT,
        chosen="dask",
        says=(
            "dask because it alone can make this: earth-engine cannot: There is no project for Earth Engine",
            "would change it: earth-engine: Set SARBATCH_EARTH_ENGINE_PROJECT.",
            "can make it yes not now",
        ),
    ),
    "a certificate against the local Earth Engine": Job(
        dask=found(SLOW),
        earth_engine=found(FAST),
        prepare=lambda place: certify(place, against="local-earth-engine"),
        chosen="dask",
        says=(
            "there is no certificate of parity against Google's Earth Engine",
            f"(the one against the local Earth Engine does not count for it), {TOO_SLOW}",
        ),
    ),
    "a certificate against the local Earth Engine, which is in use": Job(
        dask=found(SLOW),
        earth_engine=found(FAST, tiles=["one", "two", "three"]),  # which wait for nobody there
        prepare=lambda place: certify(place, against="local-earth-engine"),
        environment={"SARBATCH_EARTH_ENGINE_URL": "http://127.0.0.1:8085"},
        chosen="earth-engine",
        says=("it makes this in about 10 min 0 s", "the certificate of 2026-11-20 against the local Earth Engine"),
    ),
    "a certificate against Google's Earth Engine, and a local one in use": Job(
        dask=found(SLOW),
        earth_engine=found(FAST),
        prepare=certify,
        environment={"SARBATCH_EARTH_ENGINE_URL": "http://127.0.0.1:8085"},
        chosen="dask",
        says=("the one against Google's Earth Engine does not count for it",),
    ),
    "an old certificate": Job(
        dask=found(SLOW),
        earth_engine=found(FAST),
        prepare=lambda place: certify(place, version=0),
        chosen="dask",
        says=(f"is of version 0 of {KIND}, and this is version 1, {TOO_SLOW}", "would change it: a new certificate"),
    ),
    "a certificate of another filter": Job(
        dask=found(SLOW),
        earth_engine=found(FAST),
        prepare=lambda place: certify(place, covers=("filter lee", *COVERS[1:])),
        chosen="dask",
        says=("against Google's Earth Engine does not cover filter refined_lee",),
    ),
    "another product": Job(
        dask=found(FAST, source="HyP3 RTC"),
        earth_engine=found(SLOW),
        prepare=certify,
        chosen="dask",
        says=(f"earth-engine cannot: not the same product: {OPERA} on earth-engine, HyP3 RTC on dask",),
    ),
    "other scenes": Job(
        dask=found(SLOW),
        earth_engine=found(FAST, scenes=[("scene-1", 1, "a")]),
        prepare=certify,
        chosen="dask",
        says=("earth-engine cannot: not the same product: other scenes (2 on dask, 1 on earth-engine)",),
    ),
    "another grid, and the user's word": Job(
        task={**COMPOSITE, "backend": "earth-engine"},
        dask=found(SLOW),
        earth_engine=found(FAST, grid={"crs": "EPSG:4326"}),
        chosen="earth-engine",
        says=("the job asks for earth-engine", "dask cannot: not the same product: another grid"),
    ),
}


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_the_choice_and_its_words(
    job: Job, engines: Callable[..., Any], place: Path, sarbatch: Sarbatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in job.environment.items():
        monkeypatch.setenv(name, value)
    engines(dask=job.dask, earth_engine=job.earth_engine)
    write_job(place, tasks={"stack": stack(), "composite": job.task})
    if job.prepare:
        job.prepare(place)
    said = sarbatch("plan", "job.yaml", "--explain")
    assert said.code == 0, said.err
    words = " ".join(said.out.split())
    for sentence in job.says:
        assert sentence in words, said.out
    plan = json.loads(sarbatch("plan", "job.yaml", "--json").out)
    (task,) = [task for task in plan["tasks"] if task["task"] == "composite"]
    assert task["backend"] == job.chosen
    assert task["reason"]
    assert task["would_change"]
    assert [candidate["backend"] for candidate in task["candidates"]] == ["dask", "earth-engine"]


# ---------------------------------------------------------------------------------------------- errors

ERRORS = {
    "credentials missing where the data are": (ONLY_ASSETS, NO_STACK, NO_PROJECT, 3, ("no project", NO_STACK.message)),
    "nothing found where the data are": (
        ONLY_ASSETS, NO_STACK, InputError("period: no scene", "Give another."), 2, ("period: no scene", "Give another."),
    ),
    "both cannot": (COMPOSITE, NO_FILTER, NO_PROJECT, 2, (NO_FILTER.message, "There is no project")),
    "the bucket is not there now": (
        COMPOSITE, TransientError("the bucket cannot be reached", "Try again."), found(FAST), 3,
        ("the bucket cannot be reached", "no certificate", "backend: earth-engine"),
    ),
    "the word, and no credentials": ({**COMPOSITE, "backend": "earth-engine"}, found(FAST), NO_PROJECT, 3, ("no project",)),
    "the word, and wrong input": ({**COMPOSITE, "backend": "dask"}, NO_FILTER, found(FAST), 2, (NO_FILTER.message,)),
    "an extra that is not installed": (
        {**COMPOSITE, "backend": "earth-engine"}, found(FAST), ModuleNotFoundError("No module named 'ee'", name="ee"), 3,
        ("ee is not installed", "Install sarbatch[earth-engine]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("task", "dask", "earth_engine", "code", "says"), ERRORS.values(), ids=list(ERRORS))
def test_what_nobody_can_make_says_why_by_every_engine(
    task: dict[str, Any],
    dask: Survey | Exception,
    earth_engine: Survey | Exception,
    code: int,
    says: tuple[str, ...],
    engines: Callable[..., Any],
    place: Path,
    sarbatch: Sarbatch,
) -> None:
    engines(dask=dask, earth_engine=earth_engine)
    write_job(place, tasks={"stack": stack(), "composite": task})
    said = sarbatch("plan", "job.yaml")
    assert said.code == code, said.err
    assert said.err.startswith("error: job.yaml: tasks.composite: ")
    assert all(words in said.err for words in says), said.err


def test_an_extra_that_is_not_installed_hinders_its_engine_alone(
    engines: Callable[..., Any], place: Path, sarbatch: Sarbatch
) -> None:
    engines(dask=found(FAST), earth_engine=ModuleNotFoundError("No module named 'ee'", name="ee"))
    write_job(place, tasks={"stack": stack(), "composite": COMPOSITE})
    said = sarbatch("plan", "job.yaml", "--explain")
    assert "earth-engine cannot: ee is not installed" in said.out
    assert "would change it: earth-engine: Install sarbatch[earth-engine]" in said.out


def test_a_fault_of_our_own_is_no_reason(engines: Callable[..., Any], place: Path) -> None:
    job = load_job(write_job(place, tasks={"stack": stack(), "composite": COMPOSITE}))
    for fault in (ModuleNotFoundError("No module named 'pipelines.x'", name="pipelines.x"), ZeroDivisionError("0")):
        engines(dask=found(FAST), earth_engine=fault)
        with pytest.raises(type(fault)):
            make_plan(job)


def test_a_run_does_not_ask_an_engine_that_the_job_does_not_want(engines: Callable[..., Any], place: Path) -> None:
    both = cast("dict[str, Scripted]", engines(dask=found(FAST), earth_engine=found(SLOW)))
    job = load_job(write_job(place, tasks={"stack": stack(), "composite": {**COMPOSITE, "backend": "dask"}}))
    plan = make_plan(job)
    assert (plan.tasks[1].backend, both["dask"].asked, both["earth-engine"].asked) == ("dask", 1, 0)
    assert make_plan(job, compare=True).tasks[1].order.key == plan.tasks[1].order.key
    assert both["earth-engine"].asked == 1


def test_three_words_make_one_key_and_three_explanations(engines: Callable[..., Any], place: Path) -> None:
    engines(dask=found(SLOW), earth_engine=found(FAST))
    certify(place)
    plans = []
    for word in ("dask", "earth-engine", "auto"):
        job = load_job(write_job(place, tasks={"stack": stack(), "composite": {**COMPOSITE, "backend": word}}))
        plans.append(make_plan(job, compare=True).tasks[1])
    assert [plan.backend for plan in plans] == ["dask", "earth-engine", "earth-engine"]
    assert len({plan.order.key for plan in plans}) == 1
    assert len({plan.reason for plan in plans}) == 3
    assert len({plan.would_change for plan in plans}) == 3
