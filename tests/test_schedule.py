"""Schedules: expressions that are checked, cron lines that run as cron runs them, a workflow that GitHub can read."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jobs import machine, opera, sarbatch, wait_until, write_job

from dask_jobs.simulate import simulate_rtc
from infra.errors import UserError
from infra.settings import load_settings
from infra.storage import Location
from pipelines.job import load_job
from pipelines.registry import open_registry
from pipelines.schedule.files import ScheduleFile, Surroundings, make_schedule
from pipelines.schedule.times import FIELDS, Times

COMMAND = Path(__file__).parents[1] / "bin/sarbatch"  # named in files; only the test that runs it needs it to be there


# ------------------------------------------------------------------------------------------------ expressions


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("0 6 * * MON", 4, {1}),
        ("*/15 * * * *", 0, {0, 15, 30, 45}),
        ("5-20/5,40 * * * *", 0, {5, 10, 15, 20, 40}),
        ("0 0 1 jan-mar,DEC *", 3, {1, 2, 3, 12}),
        ("0 0 * * 5-7", 4, {0, 5, 6}),
        ("0 0 * * sun-tue", 4, {0, 1, 2}),
        ("0 0 29 2 *", 2, {29}),
        ("  0   6 * *  1 ", 1, {6}),
    ],
)
def test_an_expression_means_what_cron_means_by_it(text: str, field: int, values: set[int]) -> None:
    assert Times.parse(text).values[field] == values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("60 * * * *", "minute '60': '60' is not 0 to 59"),
        ("0 24 * * *", "hour '24'"),
        ("0 0 0 * *", "day of the month '0': '0' is not 1 to 31"),
        ("0 0 1 13 *", "month '13': '13' is not 1 to 12 or JAN to DEC"),
        ("0 6 * * MOM", "day of the week 'MOM': 'MOM' is not 0 to 7 or SUN to SAT"),
        ("0 6 * * MONDAY", "'MONDAY' is not"),
        ("0 6 * * 8", "day of the week '8'"),
        ("MON 6 * * *", "minute 'MON'"),
        ("10-5 * * * *", "'10-5' runs backwards"),
        ("*/0 * * * *", "step '0'"),
        ("*/x * * * *", "step 'x'"),
        ("5/10 * * * *", "a step needs"),
        ("1,,2 * * * *", "'' is neither"),
        ("-1 * * * *", "'-1' is neither"),
        ("٣ * * * *", "is neither"),
        ("0 6 * *", "has 4 fields, not five"),
        ("0 0 6 * * *", "has 6 fields"),
        ("@daily", "has 1 fields"),
        ("", "has 0 fields"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
        ("0 6 * * *; rm -rf x", "fields"),
    ],
)
def test_a_wrong_expression_names_the_field_and_its_value(text: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        Times.parse(text)
    assert says in caught.value.message
    assert caught.value.remedy


def test_a_day_that_no_month_has_may_still_be_a_weekday() -> None:
    assert Times.parse("0 0 31 2 MON")  # either of the two, where both are given


@given(st.tuples(*(st.lists(st.integers(f.least, f.most), min_size=1, max_size=4) for f in FIELDS[:4])))
def test_lists_are_the_values_in_them(lists: tuple[list[int], ...]) -> None:
    text = " ".join(",".join(map(str, values)) for values in lists) + " 1"
    assert [set(values) for values in Times.parse(text).values[:4]] == [set(values) for values in lists]


def test_the_shortest_wait_goes_over_the_hour() -> None:
    assert [Times.parse(f"{m} * * * *").shortest_wait for m in ("0", "*", "*/15", "58,1", "0,30")] == [60, 1, 15, 3, 30]


# ------------------------------------------------------------------------------------------------ files


Scheduled = Callable[..., ScheduleFile]


@pytest.fixture
def scheduled(tmp_path: Path) -> Scheduled:
    """File of a schedule for a job in a folder with an odd name."""

    def make(to: str, *, cron: str = "0 6 * * MON", output: str = "./products", **environment: str) -> ScheduleFile:
        folder = tmp_path / "it's 100 % odd; $(touch no)"
        job = write_job(folder, {"stack": opera("scenes")}, file="a job.yaml", output=output, name="weekly")
        variables = {"SARBATCH_STATE_DIR": str(tmp_path / "state"), **environment}
        settings = load_settings(environment=variables, folder=tmp_path)
        surroundings = Surroundings(
            command=str(COMMAND), version="1.2.3", folder=tmp_path, environment=variables, settings=settings
        )
        [file] = make_schedule(load_job(job), cron=cron, to=to, surroundings=surroundings)
        return file

    return make


def lines(file: ScheduleFile) -> list[str]:
    return [line for line in file.text.splitlines() if line and not line.startswith("#")]


def command_of(line: str) -> str:
    """What cron gives to the shell: all after the five fields, up to a plain %, `\\%` being a %."""
    command = line.split(None, 5)[5]
    return re.split(r"(?<!\\)%", command)[0].replace("\\%", "%")


def test_two_lines_a_run_at_its_time_and_a_tick(scheduled: Scheduled) -> None:
    run, tick = lines(scheduled("cron"))
    assert run.startswith("0 6 * * MON ")
    assert tick.startswith("*/5 * * * * ")
    assert "--detach" in run
    assert "flock" not in run


def test_the_shell_sees_paths_as_they_are(scheduled: Scheduled, tmp_path: Path) -> None:
    for line in lines(scheduled("cron", SARBATCH_S3_ENDPOINT="http://a b%c'd")):
        words = shlex.split(command_of(line).replace(";", " ; "))
        assert str(COMMAND) in words
        assert "SARBATCH_S3_ENDPOINT=http://a b%c'd" in words
    run = command_of(lines(scheduled("cron"))[0])
    said = subprocess.run(
        ["/bin/sh", "-c", run.replace(shlex.quote(str(COMMAND)), "/usr/bin/printf '%s\\n'")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh"},
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
    )
    assert (said.stdout, said.stderr) == ("", "")
    log = (tmp_path / "state/schedule-weekly.log").read_text().splitlines()
    assert log == ["run", str(tmp_path / "it's 100 % odd; $(touch no)" / "a job.yaml"), "--detach", "--yes"]
    assert not list(tmp_path.glob("**/no"))


def test_no_secret_stands_in_a_crontab(scheduled: Scheduled, tmp_path: Path) -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "key-1", "AWS_SECRET_ACCESS_KEY": "key-2", "AWS_SESSION_TOKEN": "key-3"}
    plain = {"AWS_PROFILE": "radar", "SARBATCH_WORKERS": "3", "OTHER": "not ours"}
    text = scheduled("cron", **secrets, **plain, SARBATCH_REGISTRY="postgresql://me:key-4@host/db").text
    assert "key-" not in text
    assert "not ours" not in text
    for name in (*secrets, "SARBATCH_REGISTRY"):
        assert name in text.partition("needed:")[2].splitlines()[0]
    for kept in ("AWS_PROFILE=radar", "SARBATCH_WORKERS=3", f"SARBATCH_STATE_DIR={tmp_path / 'state'}"):
        assert kept in text
    assert "postgresql://me@host/db" in scheduled("cron", SARBATCH_REGISTRY="postgresql://me@host/db").text
    assert "?password" not in scheduled("cron", SARBATCH_REGISTRY="postgresql://host/db?password=key-5").text


def test_secrets_are_read_from_their_file(scheduled: Scheduled, tmp_path: Path) -> None:
    command = command_of(lines(scheduled("cron"))[0]).replace(shlex.quote(str(COMMAND)), "/usr/bin/env")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/schedule.env").write_text("export AWS_SECRET_ACCESS_KEY='of mine'\n")
    command = command.replace(" run ", " #")  # `env` alone prints the environment; the rest of the line is left out
    command = command.partition(" #")[0] + f"; }} > {tmp_path}/out"
    subprocess.run(["/bin/sh", "-c", command], env={"PATH": "/usr/bin:/bin"}, cwd="/", check=True)
    assert "AWS_SECRET_ACCESS_KEY=of mine" in (tmp_path / "out").read_text()


def test_what_a_crontab_cannot_hold_is_refused(scheduled: Scheduled) -> None:
    with pytest.raises(UserError, match="cron takes 990"):
        scheduled("cron", SARBATCH_S3_ENDPOINT="http://" + "a" * 1000)
    with pytest.raises(UserError, match="line break"):
        scheduled("cron", SARBATCH_S3_ENDPOINT="http://a\n* * * * * evil")


@pytest.mark.slow
def test_the_cron_lines_run_as_cron_runs_them(tmp_path: Path) -> None:
    """In an empty environment, from another folder, by sh: the run is made, and a tick goes on with it."""
    simulate_rtc(tmp_path / "simulated-scenes", dates=2, size=32, bursts=1)
    folder = tmp_path / "odd % place"
    job = write_job(folder, {"stack": opera(tmp_path / "simulated-scenes")}, name="by-cron")
    with machine(tmp_path / "state") as settings:
        arguments = ("schedule", str(job), "--cron", "0 6 * * MON", "--to", "cron")
        [file] = json.loads(sarbatch(*arguments, "--json").stdout)["files"]
        assert sarbatch(*arguments).stdout.endswith(file["text"])
        text = file["text"]
        if "PYTHONPATH" in os.environ:  # where the tests are not of what is installed
            text = text.replace("&& env ", f"&& env PYTHONPATH={os.environ['PYTHONPATH']} ")
        for line in lines(ScheduleFile(path="", text=text)):
            subprocess.run(
                ["/bin/sh", "-c", command_of(line)],
                env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh", "LOGNAME": "me"},
                cwd=tmp_path,
                check=False,
            )
        log = settings.state_dir / "schedule-by-cron.log"
        with open_registry(settings) as registry:
            run = registry.newest_run(job="by-cron")
            assert run is not None, log.read_text()
            wait_until(lambda: registry.find_run(run.id).state != "running")
            assert registry.find_run(run.id).state == "done"
    said = log.read_text()
    assert f"run {run.id} goes on by itself" in said
    assert f"{run.id} by-cron:" in said  # the tick's


# ------------------------------------------------------------------------------------------------ GitHub


def workflow(file: ScheduleFile) -> dict[str, Any]:
    assert file.path == ".github/workflows/sarbatch-weekly.yml"
    value: dict[Any, Any] = yaml.safe_load(file.text)
    return {"on" if key is True else key: item for key, item in value.items()}  # YAML 1.1 takes `on` for true


def steps(value: dict[str, Any]) -> list[str]:
    return [step.get("uses") or step["run"] for step in value["jobs"]["run"]["steps"]]


def test_a_workflow_runs_the_job_and_waits_for_it(scheduled: Scheduled) -> None:
    value = workflow(scheduled("github-actions", output="s3://bucket/prefix"))
    assert value["on"] == {"schedule": [{"cron": "0 6 * * MON"}], "workflow_dispatch": {}}
    assert value["permissions"] == {"contents": "read"}
    assert value["concurrency"] == {"group": "sarbatch-weekly", "cancel-in-progress": False}
    checkout, python, install, adopt, run = steps(value)
    assert (checkout.partition("@")[0], python.partition("@")[0]) == ("actions/checkout", "actions/setup-python")
    assert shlex.split(install) == ["pip", "install", "sarbatch==1.2.3"]
    assert shlex.split(adopt)[:3] == ["sarbatch", "adopt", "a job.yaml"]
    assert shlex.split(run) == ["sarbatch", "run", "a job.yaml", "--yes"]  # a runner dies with its job: no --detach


def test_secrets_stand_there_by_their_names(scheduled: Scheduled) -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "key-1", "AWS_SECRET_ACCESS_KEY": "key-2"}
    registry = "postgresql+pg8000://me:key-3@host/db"
    file = scheduled(
        "github-actions", output="s3://bucket/x", SARBATCH_REGISTRY=registry, SARBATCH_S3_REGION="eu-north-1", **secrets
    )
    assert "key-" not in file.text
    value = workflow(file)
    for name in (*secrets, "SARBATCH_REGISTRY"):
        assert value["env"][name] == f"${{{{ secrets.{name} }}}}"
    assert value["env"]["SARBATCH_S3_REGION"] == "eu-north-1"
    assert [step for step in steps(value) if "adopt" in step] == []  # the registry outlives the runner
    assert "sarbatch[postgresql]==1.2.3" in steps(value)[2]


def test_settings_of_this_machine_stay_on_it(scheduled: Scheduled, tmp_path: Path) -> None:
    text = scheduled("github-actions", output="s3://bucket/x", SARBATCH_WORKERS="77").text
    assert str(tmp_path) not in text
    assert "77" not in text


def test_a_folder_is_no_output_for_a_runner(scheduled: Scheduled) -> None:
    with pytest.raises(UserError, match=r"\./products is a folder, and a runner of GitHub has no disk left") as caught:
        scheduled("github-actions")
    assert "s3://" in caught.value.remedy


@pytest.mark.parametrize(("cron", "says"), [("* * * * *", "GitHub takes 5"), ("0 0 * * 7", "GitHub counts 0 to 6")])
def test_what_github_does_not_take_is_refused(scheduled: Scheduled, cron: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        scheduled("github-actions", cron=cron, output="s3://bucket/x")


def test_the_job_file_is_named_from_the_root_of_its_repository(scheduled: Scheduled, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    run = steps(workflow(scheduled("github-actions", output="s3://bucket/x")))[-1]
    assert shlex.split(run)[2] == "it's 100 % odd; $(touch no)/a job.yaml"


@pytest.mark.slow
def test_the_workflow_makes_nothing_twice_on_machines_that_know_nothing(
    scheduled: Scheduled, s3_bucket: Location, tmp_path: Path
) -> None:
    """Its steps on two machines, one after the other, each without a registry: the second finds what the first made."""
    file = scheduled("github-actions", output=s3_bucket.url, SARBATCH_S3_ENDPOINT=str(s3_bucket.s3.endpoint))
    repository = tmp_path / "it's 100 % odd; $(touch no)"
    simulate_rtc(repository / "scenes", dates=2, size=32, bursts=1)
    commands = [step for step in steps(workflow(file)) if step.startswith("sarbatch ")]
    said = []
    for name in ("one", "two"):
        with machine(tmp_path / name, SARBATCH_S3_ENDPOINT=str(s3_bucket.s3.endpoint)):
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            for command in commands:
                done = subprocess.run(
                    ["bash", "-e", "-c", command],
                    env={**os.environ, "PATH": path},
                    cwd=repository,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
                said.append(done.stdout)
    first_adopt, first, second_adopt, second = said
    assert "adopted run" not in first_adopt
    assert "stack" in first
    assert "adopted run" in second_adopt
    assert "nothing to do" in second


# ------------------------------------------------------------------------------------------------ the command


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("kubernetes", "not there yet"),
        ("eventbridge", "not there yet"),
        ("githubactions", "did you mean 'github-actions'"),
        ("", "is no place"),
    ],
)
def test_places_that_there_are_not_say_which_there_are(tmp_path: Path, to: str, says: str) -> None:
    job = write_job(tmp_path, {"stack": opera("scenes")})
    done = sarbatch("schedule", str(job), "--cron", "0 6 * * 1", "--to", to, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "cron, github-actions" in done.stderr
