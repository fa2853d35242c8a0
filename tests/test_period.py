"""A period that rolls: which days it is at a given moment, and what becomes of a stack as it moves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jobs import machine, opera, statistics, write_job
from oracles import opera_cube
from test_keys import GOLDEN

from dask_jobs.simulate import simulate_rtc
from infra.errors import JobError
from infra.settings import Settings
from pipelines import Plan, Run, load_job, make_plan, open_product, run_plan
from pipelines.job import parse_job
from pipelines.period import Period
from pipelines.plan import TaskPlan
from pipelines.registry import open_registry

AFTERNOON = datetime(2024, 2, 10, 15, 30, tzinfo=UTC)


def last(text: str) -> Period:
    return Period.model_validate({"last": text})


def job(text: str) -> Any:
    lines = f"name: a\noutput: o\nperiod: {text}\ntasks: {{s: {{kind: backscatter-stack, source: {{format: opera-rtc, path: x}}}}}}"
    return parse_job(lines, folder=Path("/jobs"))


# ------------------------------------------------------------------------------------------------ the rule alone


@pytest.mark.parametrize(("text", "days"), [("1d", 1), ("90d", 90), ("2w", 14), ("99999d", 99_999), ("12w", 84)])
def test_it_ends_with_today_and_is_as_long_as_it_says(text: str, days: int) -> None:
    start, end = last(text).window(AFTERNOON)
    assert end == datetime(2024, 2, 11, tzinfo=UTC)
    assert end - start == timedelta(days=days)


def test_any_moment_of_a_day_gives_the_same_days() -> None:
    midnight = datetime(2024, 2, 10, tzinfo=UTC)
    moments = [midnight, AFTERNOON, midnight + timedelta(hours=24, microseconds=-1)]
    assert len({last("90d").window(moment) for moment in moments}) == 1
    assert last("90d").window(midnight + timedelta(hours=24)) != last("90d").window(midnight)


def test_today_is_today_in_utc() -> None:
    samoa = timezone(timedelta(hours=13))
    early = datetime(2024, 2, 11, 9, tzinfo=samoa)  # still the tenth in UTC
    assert last("7d").window(early) == last("7d").window(AFTERNOON)
    with pytest.raises(ValueError, match="without zone"):
        last("7d").window(AFTERNOON.replace(tzinfo=None))


def test_two_dates_stay_what_they_are() -> None:
    period = job("{start: 2024-01-01, end: 2024-02-01}").period
    assert period.window(AFTERNOON) == (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
    assert period.rule is None
    assert period.identity() == ["2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00"]


@pytest.mark.parametrize("text", ["3m", "0d", "-5d", "90", "90 d", "90D", "1.5d", "d", "100000d", "٣d", "''", "[90d]"])
def test_what_is_no_number_of_days_or_weeks_is_refused(text: str) -> None:
    with pytest.raises(JobError, match=r"period\.last: .* write it as 90d or 12w") as caught:
        job(f"{{last: {text}}}")
    assert "period.start" not in caught.value.message  # one thing is wrong, one thing is said


@pytest.mark.parametrize("more", ["start: 2024-01-01", "end: 2024-01-01", "start: 2024-01-01, end: 2024-02-01"])
def test_a_rule_and_dates_together_are_refused(more: str) -> None:
    with pytest.raises(JobError, match=r"period: give start and end, or last"):
        job(f"{{last: 90d, {more}}}")


def test_a_period_says_what_it_lacks_and_knows_its_keys() -> None:
    with pytest.raises(JobError, match=r"(?s)period\.start: is missing.*period\.end: is missing"):
        job("{}")
    with pytest.raises(JobError, match="did you mean 'last'"):
        job("{lst: 90d}")


# ------------------------------------------------------------------------------------------------ keys


def test_a_window_that_no_scene_tells_is_in_the_key_and_not_in_the_line() -> None:
    monday, tuesday = (replace(GOLDEN, window=[day]) for day in ("2024-02-10", "2024-02-11"))
    assert len({GOLDEN.key, monday.key, tuesday.key}) == 3
    assert GOLDEN.line == monday.line == tuesday.line


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of 3, 15, 27 January and 8 February 2024."""
    folder = tmp_path_factory.mktemp("period") / "simulated-scenes"
    simulate_rtc(folder, dates=4, size=32, bursts=1)
    return folder


@pytest.fixture
def planned(tmp_path: Path, scenes: Path) -> Callable[..., Plan]:
    """Plan of a stack and its statistics with this period at that moment."""
    settings = Settings(state_dir=tmp_path / "state")

    def plan(period: dict[str, str], *, now: datetime = AFTERNOON) -> Plan:
        path = write_job(tmp_path, {"stack": opera(scenes), "statistics": statistics()}, period=period)
        return make_plan(load_job(path), settings=settings, now=now)

    return plan


def identities(plan: Plan) -> list[tuple[str, str]]:
    return [(task.order.key, task.order.line) for task in plan.tasks]


def test_the_same_scenes_have_the_same_keys_on_another_day(planned: Callable[..., Plan]) -> None:
    today = planned({"last": "30d"})
    tomorrow = planned({"last": "30d"}, now=AFTERNOON + timedelta(days=3))
    assert [len(plan.tasks[0].used) for plan in (today, tomorrow)] == [3, 3]
    assert identities(today) == identities(tomorrow)
    assert identities(planned({"last": "2w"})) == identities(planned({"last": "14d"}))


def test_other_scenes_in_the_window_are_another_key_of_the_same_line(planned: Callable[..., Plan]) -> None:
    today, later = planned({"last": "30d"}), planned({"last": "30d"}, now=AFTERNOON + timedelta(days=10))
    assert [len(plan.tasks[0].used) for plan in (today, later)] == [3, 2]
    for (key, line), (other_key, other_line) in zip(identities(today), identities(later), strict=True):
        assert (key != other_key, line == other_line) == (True, True)


def test_a_rule_is_a_line_of_its_own(planned: Callable[..., Plan]) -> None:
    same_days = {"start": "2024-01-12", "end": "2024-02-11"}
    plans = [planned(period) for period in ({"last": "30d"}, {"last": "31d"}, same_days)]
    assert len({tuple(plan.tasks[0].used) for plan in plans}) == 1
    assert len({plan.tasks[0].order.line for plan in plans}) == 3


def test_the_plan_records_which_days_it_was(planned: Callable[..., Plan]) -> None:
    plan = planned({"last": "30d"})
    expected = {"rule": "last 30d", "start": "2024-01-12T00:00:00+00:00", "end": "2024-02-11T00:00:00+00:00"}
    assert plan.to_json()["period"] == plan.period == expected
    assert "period" not in planned({"start": "2024-01-12", "end": "2024-02-11"}).to_json()


# ------------------------------------------------------------------------------------------------ a schedule's runs


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


def stack_of(plan: Plan) -> TaskPlan:
    return next(task for task in plan.tasks if task.task == "stack")


def dates(run: Run, settings: Settings) -> list[str]:
    stack = open_product(run, task="stack", name="stack", settings=settings)
    return [str(time)[:10] for time in stack["time"].values]


@pytest.mark.slow
def test_a_job_that_runs_every_few_days_does_what_each_day_needs(
    tmp_path: Path, scenes: Path, settings: Settings
) -> None:
    """Nothing where nothing has changed, an append where a scene has come, a new store where one has left."""
    path = write_job(tmp_path, {"stack": opera(scenes)}, period={"last": "30d"})

    def plan(day: str) -> Plan:
        return make_plan(load_job(path), settings=settings, now=datetime.fromisoformat(f"{day}T06:00+00:00"))

    first = plan("2024-01-28")
    ran = run_plan(first, settings=settings)
    assert dates(ran, settings) == ["2024-01-03", "2024-01-15", "2024-01-27"]
    with open_registry(settings) as registry:
        assert registry.find_run(ran.id).document["period"] == first.period

    assert stack_of(plan("2024-02-01")).state == "done"

    moved = stack_of(plan("2024-02-08"))  # 3 January has left, 8 February has come
    assert moved.state == "stale"
    assert any("vanished" in note and "new store" in note for note in moved.why_stale)
    assert any("last 30d, now from 2024-01-10 on" in note for note in moved.why_stale)
    assert moved.estimate.pixels == 2 * 3 * 32 * 32  # all three dates of two polarizations, not the new one alone

    again = run_plan(plan("2024-02-08"), settings=settings)
    assert again.state == "done"
    assert dates(again, settings) == ["2024-01-15", "2024-01-27", "2024-02-08"]
    assert dates(ran, settings) == ["2024-01-03", "2024-01-15", "2024-01-27"]  # who reads the old one keeps it
    values = open_product(again, task="stack", name="stack", settings=settings)["VV"].load(scheduler="synchronous")
    wanted = opera_cube(scenes).between("2024-01-10", "2024-02-09").power["VV"]
    assert (values.values == wanted).sum() + (values.isnull().values & (wanted != wanted)).sum() == wanted.size


@pytest.mark.slow
def test_a_scene_that_arrives_while_none_leaves_is_appended(tmp_path: Path, scenes: Path, settings: Settings) -> None:
    path = write_job(tmp_path, {"stack": opera(scenes)}, period={"last": "12w"}, output="./other")

    def plan(day: int) -> Plan:
        return make_plan(load_job(path), settings=settings, now=datetime(2024, 2, day, 6, tzinfo=UTC))

    assert run_plan(plan(7), settings=settings).state == "done"
    assert stack_of(plan(9)).why_stale == ("appends 1 of 4 dates: 2024-02-08",)
