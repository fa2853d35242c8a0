"""The job file: what its text means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import JobError
from pipelines import load_job
from pipelines.job import Job, parse_job

STACK = {"kind": "backscatter-stack", "source": {"format": "opera-rtc", "path": "scenes"}}
STATISTICS = {"kind": "stack-statistics", "stack": "stack"}


def job(folder: Path = Path("/jobs"), **changes: Any) -> Job:
    values = {"name": "try", "output": "products", "tasks": {"stack": STACK, "statistics": STATISTICS}, **changes}
    return parse_job(yaml.safe_dump(values, sort_keys=False), folder=folder, name="job.yaml")


def test_the_example_of_the_design(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("""\
name: santa-barbara
area: {bbox: [-119.9, 34.3, -119.6, 34.6]}
period: {start: 2021-11-01, end: 2025-02-01}
output: ./products
tasks:
  stack:
    kind: backscatter-stack
    source: {format: opera-rtc, path: data/opera-rtc-s1/T137-292320-IW1}
  statistics:
    kind: stack-statistics
    stack: stack
    backend: auto
""")
    found = load_job(path)
    assert found.name == "santa-barbara"
    assert found.area is not None
    assert found.area.bbox == (-119.9, 34.3, -119.6, 34.6)
    assert found.period is not None
    assert (found.period.start, found.period.end) == (
        datetime(2021, 11, 1, tzinfo=UTC),
        datetime(2025, 2, 1, tzinfo=UTC),
    )
    assert found.folder == tmp_path
    assert found.text == path.read_text()
    assert [task.name for task in found.tasks] == ["stack", "statistics"]
    assert found.tasks[1].references() == {"stack": "stack"}


def test_what_is_left_out_has_its_default() -> None:
    stack, statistics = job().tasks
    assert (stack.backend, stack.budget, stack.deadline) == ("auto", None, None)
    assert stack.parameters.model_dump() == {
        "source": {"format": "opera-rtc", "path": "scenes", "s3": None},
        "polarizations": None,
        "mask": {"layover": False, "shadow": False, "water": False},
        "grid": None,
        "extent": "union",
        "orbits": "single",
        "chunk": 512,
        "export": {"zarr": False, "geotiff": "none"},
    }
    assert statistics.parameters.model_dump()["percentiles"] == [5, 50, 95]
    assert (job().area, job().period) == (None, None)


# ---------------------------------------------------------------------------------------------- order


def test_a_task_stands_after_what_it_needs_otherwise_as_written() -> None:
    tasks = {
        "late": {**STATISTICS, "stack": "second"},
        "other": STACK,
        "early": {**STATISTICS, "stack": "first"},
        "second": STACK,
        "first": STACK,
    }
    assert [task.name for task in job(tasks=tasks).tasks] == ["other", "second", "late", "first", "early"]


@given(st.permutations([f"stack-{n}" for n in range(3)] + [f"statistics-{n}" for n in range(3)]))
def test_no_order_of_writing_puts_a_task_before_what_it_needs(names: list[str]) -> None:
    tasks = {n: {**STATISTICS, "stack": n.replace("statistics", "stack")} if "stat" in n else STACK for n in names}
    made = [task.name for task in job(tasks=tasks).tasks]
    assert sorted(made) == sorted(names)
    assert all(made.index(f"stack-{n}") < made.index(f"statistics-{n}") for n in range(3))


@pytest.mark.parametrize(
    ("tasks", "circle"),
    [
        ({"a": {**STATISTICS, "stack": "a"}}, "a → a"),
        ({"a": {**STATISTICS, "stack": "b"}, "b": {**STATISTICS, "stack": "a"}}, "a → b → a"),
        (
            {"x": {**STATISTICS, "stack": "a"}, "a": {**STATISTICS, "stack": "b"}, "b": {**STATISTICS, "stack": "a"}},
            "a → b → a",
        ),
    ],
)
def test_a_circle_is_named_without_what_only_leads_to_it(tasks: dict[str, Any], circle: str) -> None:
    with pytest.raises(JobError) as raised:
        job(tasks=tasks)
    assert raised.value.message.endswith(f"circle: {circle}")


# ---------------------------------------------------------------------------------------------- ${VAR}


def test_variables_stand_in_values_after_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "a: b, {c} # d")
    monkeypatch.setenv("NAME", "burst")
    stack = {**STACK, "source": {"format": "opera-rtc", "path": ["${WHERE}/x", "${NAME}-${NAME}"]}}
    found = job(output="s3://bucket/${NAME}", tasks={"stack": stack})
    assert found.output == "s3://bucket/burst"
    assert found.tasks[0].parameters.model_dump()["source"]["path"] == ["a: b, {c} # d/x", "burst-burst"]


def test_a_variable_is_replaced_once_and_never_in_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER", "${INNER}")
    assert job(output="${OUTER}/x").output == "${INNER}/x"
    with pytest.raises(JobError, match=r"unknown key '\$\{OUTER\}'"):
        job(**{"${OUTER}": 1})


def test_a_dollar_alone_is_a_dollar() -> None:
    pattern = r"_(?P<date>\d{8})_(?P<polarization>VV)\.tif$"
    source = {"format": "geotiff", "path": "$HOME", "pattern": pattern}
    found = job(tasks={"stack": {**STACK, "source": source}}).tasks[0].parameters.model_dump()["source"]
    assert (found["path"], found["pattern"]) == ("$HOME", pattern)


@pytest.mark.parametrize("text", ["${NO_SUCH}", "a/${NO_SUCH}/b", "${NO-SUCH}", "${}"])
def test_a_missing_variable_is_an_error_not_a_folder_of_that_name(text: str) -> None:
    with pytest.raises(JobError, match="is not set"):
        job(output=text)


# ---------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-11-01", datetime(2021, 11, 1, tzinfo=UTC)),
        ("'2021-11-01'", datetime(2021, 11, 1, tzinfo=UTC)),
        ("2021-11-01T06:30:00", datetime(2021, 11, 1, 6, 30, tzinfo=UTC)),
        ("2021-11-01T06:30:00Z", datetime(2021, 11, 1, 6, 30, tzinfo=UTC)),
        ("2021-11-01T06:30:00+02:00", datetime(2021, 11, 1, 4, 30, tzinfo=UTC)),
        ("'2021-11-01T06:30:00+02:00'", datetime(2021, 11, 1, 4, 30, tzinfo=UTC)),
    ],
)
def test_dates_are_utc(text: str, moment: datetime) -> None:
    found = parse_job(
        f"name: a\noutput: o\nperiod: {{start: {text}, end: 2022-01-01}}\ntasks: {yaml.safe_dump({'s': STACK}, default_flow_style=True)}",
        folder=Path("/jobs"),
    )
    assert found.period is not None
    assert found.period.start == moment


@pytest.mark.parametrize("text", ["20211101", "2021", "yesterday", "2021-11", "[2021]", "true"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(JobError, match=r"period\.start: .*is not a date; write it as 2021-11-01"):
        parse_job(f"name: a\noutput: o\nperiod: {{start: {text}, end: 2022-01-01}}\ntasks: {{}}", folder=Path("/jobs"))


def test_a_period_needs_both_ends() -> None:
    with pytest.raises(JobError, match=r"period\.end: is missing"):
        job(period={"start": "2021-01-01"})


# ---------------------------------------------------------------------------------------------- budget, deadline


def test_budget_and_deadline_are_the_tasks_own() -> None:
    (task,) = job(tasks={"stack": {**STACK, "budget": {"core_hours": 2}, "deadline": "P1DT6H"}}).tasks
    assert task.budget is not None
    assert (task.budget.core_hours, task.budget.eecu_hours) == (2.0, None)
    assert task.deadline == timedelta(days=1, hours=6)


@pytest.mark.parametrize("deadline", [5, "tomorrow", "-P1D", "PT0S", True])
def test_a_deadline_is_a_duration_of_iso_8601(deadline: object) -> None:
    with pytest.raises(JobError, match=r"tasks\.stack\.deadline: must be"):
        job(tasks={"stack": {**STACK, "deadline": deadline}})


# ---------------------------------------------------------------------------------------------- strictness


def source(**more: Any) -> dict[str, Any]:
    return {"stack": {**STACK, "source": {**STACK["source"], **more}}}  # type: ignore[dict-item] -- a mapping


@pytest.mark.parametrize(
    ("changes", "place", "key", "nearest"),
    [
        ({"tasksx": {}}, "job.yaml", "tasksx", "tasks"),
        ({"area": {"bbx": [1, 2, 3, 4]}}, "area", "bbx", "bbox"),
        ({"period": {"startt": "2021-01-01"}}, "period", "startt", "start"),
        ({"tasks": {"stack": {**STACK, "extend": "union"}}}, "tasks.stack", "extend", "extent"),
        ({"tasks": {"stack": {**STACK, "backendd": "dask"}}}, "tasks.stack", "backendd", "backend"),
        ({"tasks": source(pathh="x")}, "tasks.stack.source", "pathh", "path"),
        ({"tasks": {"stack": {**STACK, "mask": {"shadoww": True}}}}, "tasks.stack.mask", "shadoww", "shadow"),
        ({"tasks": {"stack": {**STACK, "export": {"zarrr": True}}}}, "tasks.stack.export", "zarrr", "zarr"),
        ({"tasks": {"stack": {**STACK, "budget": {"core_hour": 1}}}}, "tasks.stack.budget", "core_hour", "core_hours"),
    ],
)
def test_an_unknown_key_names_the_nearest_at_every_level(
    changes: dict[str, Any], place: str, key: str, nearest: str
) -> None:
    with pytest.raises(JobError) as raised:
        job(**changes)
    assert f"{place}: unknown key '{key}'; did you mean '{nearest}'?" in raised.value.message


def test_where_nothing_is_near_all_keys_are_named() -> None:
    with pytest.raises(JobError, match=r"valid keys: layover, shadow, water"):
        job(tasks={"stack": {**STACK, "mask": {"zzzzzz": True}}})


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_numbers_are_finite(number: str) -> None:
    text = f"name: a\noutput: o\narea: {{bbox: [{number}, 1, 2, 3]}}\ntasks: {{}}"
    with pytest.raises(JobError, match=r"area\.bbox\.0: must be a finite number"):
        parse_job(text, folder=Path("/jobs"))


def test_a_merged_mapping_may_be_overridden_but_no_key_stands_twice() -> None:
    text = """\
name: a
output: o
tasks:
  one: &one
    kind: backscatter-stack
    source: {format: opera-rtc, path: one}
    chunk: 128
  two: {<<: *one, chunk: 256}
"""
    one, two = parse_job(text, folder=Path("/jobs")).tasks
    assert [task.parameters.model_dump()["chunk"] for task in (one, two)] == [128, 256]
    with pytest.raises(JobError, match="line 7, column 5: key 'kind' stands twice"):
        parse_job(text.replace("chunk: 128", "kind: x"), folder=Path("/jobs"))


def test_polarizations_are_a_set_in_any_case() -> None:
    (task,) = job(tasks={"stack": {**STACK, "polarizations": ["vv", "VH", "VV"]}}).tasks
    assert task.parameters.model_dump()["polarizations"] == ["VH", "VV"]


def test_parsing_opens_nothing_that_the_job_names(tmp_path: Path) -> None:
    source = {"format": "opera-rtc", "path": "/no/such/folder"}
    statistics = {**STATISTICS, "zones": "no-such-zones.shp"}
    found = job(tmp_path, area={"file": "no-such.shp"}, tasks={"stack": {**STACK, "source": source}, "s": statistics})
    assert found.area is not None
    assert found.area.file == "no-such.shp"
    assert list(tmp_path.iterdir()) == []
