"""The command line as its user meets it: help, tables, JSON, exit codes, Ctrl-C."""

from __future__ import annotations

import json
import re
import resource
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rasterio
import typer
from command_line import COMMAND, Sarbatch, opera_scenes, place, sarbatch, tasks, write_job
from jobs import machine, wait_until

from infra.settings import Settings, load_settings
from pipelines.cli import app
from pipelines.registry import open_registry

__all__ = ["place", "sarbatch"]  # fixtures

COMMANDS = tuple(sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined] -- a group has them
PRINT_TABLES = ("status", "products", "tick", "clean", "doctor")  # and plan, which needs a job
JOB = {"tasks": tasks(chunk=64)}


def command(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own, its output piped."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


# ---------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_a_real_example_that_the_command_line_understands(
    name: str, place: Path, sarbatch: Sarbatch
) -> None:
    said = sarbatch(name, "--help")
    assert said.code == 0
    example = re.search(rf"Example: (sarbatch {name}\b[^\n]*)", said.out)
    assert example, said.out
    words = shlex.split(example[1])[1:]
    group = typer.main.get_command(app)
    with group.make_context("sarbatch", words[:1]) as context:
        found = group.commands[name]  # type: ignore[attr-defined] -- as above
        found.make_context(name, words[1:], parent=context)  # raises where an option or argument is none


def test_every_option_and_argument_is_explained(place: Path, sarbatch: Sarbatch) -> None:
    for name in COMMANDS:
        for parameter in typer.main.get_command(app).commands[name].params:  # type: ignore[attr-defined] -- as above
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize("name", ["plan", "run", "status", "demo"])  # one of each module; all else is the same work
def test_help_takes_under_a_second(name: str, place: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert command(name, "--help", folder=place).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # processor time, not the clock: other tests share the machine
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_help_without_arguments(place: Path, sarbatch: Sarbatch) -> None:
    said = sarbatch()
    assert said.code == 2
    assert all(f"\n  {name} " in said.out + said.err for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["plan"], ["plan", "--nothing", "job.yaml"], ["demo", "--dates", "x"]]
)
def test_a_wrong_command_line_is_the_users_to_mend(arguments: list[str], place: Path, sarbatch: Sarbatch) -> None:
    said = sarbatch(*arguments)
    assert said.code == 2
    assert "Error" in said.err
    assert "Traceback" not in said.err


# ---------------------------------------------------------------------------------------------- before any run


@pytest.mark.parametrize("name", PRINT_TABLES)
def test_json_of_nothing(name: str, place: Path, sarbatch: Sarbatch) -> None:
    said = sarbatch(name, "--json")
    assert said.code == 0
    value = json.loads(said.out)
    assert value["schema"] == 1
    if name != "doctor":
        assert [rows for key, rows in value.items() if key != "schema"] in ([[]], [[], []])


def test_nothing_is_said_in_words(place: Path, sarbatch: Sarbatch) -> None:
    assert "no run yet" in sarbatch("status").out
    assert "no product yet" in sarbatch("products").out
    assert "nothing to remove" in sarbatch("clean").out


def test_plan_runs_nothing_and_its_json_is_whole(place: Path, sarbatch: Sarbatch) -> None:
    opera_scenes(place / "scenes")
    write_job(place)
    said = sarbatch("plan", "job.yaml", "--json", "--geojson", "outline.json")
    assert said.code == 0
    plan = json.loads(said.out)
    assert (plan["schema"], plan["job"]) == (1, "try")
    stack, statistics = plan["tasks"]
    assert (stack["task"], stack["state"], stack["backend"]) == ("stack", "new", "dask")
    assert stack["reason"]
    assert stack["would_change"]
    assert {candidate["backend"] for candidate in stack["candidates"]} == {"dask", "earth-engine"}
    assert stack["estimate"]["pixels"] == 2 * 2 * 12 * 10
    assert set(stack["estimate"]) == {
        "pixels", "bytes_read", "bytes_written", "core_hours", "eecu_hours", "wall_seconds",
    }  # fmt: skip
    assert len(stack["inputs"]["used"]) == 2
    assert statistics["key"] != stack["key"]
    outline = json.loads((place / "outline.json").read_text())
    assert [feature["properties"]["task"] for feature in outline["features"]] == ["stack", "statistics"]
    assert not (place / "products").exists()
    assert not json.loads(sarbatch("status", "--json").out)["runs"]


def test_plan_says_what_is_left_out_and_what_is_free(place: Path, sarbatch: Sarbatch) -> None:
    opera_scenes(place / "scenes")
    opera_scenes(place / "scenes", sensings=("20211213T015859Z",), polarizations=("VV",))
    write_job(place)
    said = sarbatch("plan", "job.yaml", "--explain")
    assert "2 used, 1 left out" in said.out
    assert "20211213T015859Z" in said.out
    assert "the scene lacks VH" in said.out
    assert "are free" in said.out


def test_init_prints_or_writes_but_never_over(place: Path, sarbatch: Sarbatch) -> None:
    printed = sarbatch("init", "stack-statistics")
    assert printed.code == 0
    assert sarbatch("init", "stack-statistics", "job.yaml").code == 0
    written = (place / "job.yaml").read_text()
    assert written.strip() == printed.out.strip()
    (place / "job.yaml").write_text("mine")
    said = sarbatch("init", "backscatter-stack", "job.yaml")
    assert said.code == 2
    assert "job.yaml is there already" in said.err
    assert (place / "job.yaml").read_text() == "mine"


def test_doctor_says_what_each_missing_thing_is_for(place: Path, sarbatch: Sarbatch) -> None:
    rows = {row["what"]: row for row in json.loads(sarbatch("doctor", "--json").out)["checks"]}
    assert all(row["for"] for row in rows.values())
    for name, extra in {"earthengine-api": "earth-engine", "geemap": "maps", "coiled": "coiled"}.items():
        assert f"extra: {extra}" in rows[name]["for"]
    assert rows["registry"]["ok"]
    table = sarbatch("doctor").out
    assert all(row["for"] in table for row in rows.values())


def test_doctor_goes_on_where_something_is_broken(
    place: Path, sarbatch: Sarbatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SARBATCH_STATE_DIR", "/proc/sarbatch")
    said = sarbatch("doctor", "--json")
    assert said.code == 0
    rows = {row["what"]: row for row in json.loads(said.out)["checks"]}
    assert not rows["state folder"]["ok"]
    assert not rows["registry"]["ok"]
    assert rows["rasterio"]["ok"]


def test_a_reader_that_closes_the_pipe_is_no_fault(place: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "init", "stack-statistics"], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) in {0, 1}


# ---------------------------------------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A machine for all runs of this file: one registry and one cluster, which ends with it."""
    with machine(tmp_path_factory.mktemp("machine") / "state") as found:
        yield found


@pytest.fixture(scope="module")
def done(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a job whose run was interrupted by Ctrl-C and went on to its end by itself."""
    folder = (
        tmp_path_factory.mktemp("job")
        / "a-name-as-long-as-those-of-real-projects-often-are"
        / ("very-" * 30 + "long [v1]")
    )
    folder.mkdir(parents=True)
    opera_scenes(folder / "scenes")
    write_job(folder, **JOB)
    process = subprocess.Popen(
        [COMMAND, "run", "job.yaml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("stack: ") and " because " not in line:  # the task, not the plan's reason
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on" in err
    assert "sarbatch status" in err
    assert "Traceback" not in err
    wait_until(lambda: state(folder) != "running", seconds=90)
    assert state(folder) == "done"
    return folder


def state(folder: Path) -> str:
    """State of the newest run, as the registry has it: only the steward carries it on."""
    with open_registry(load_settings()) as registry:
        newest = registry.newest_run()
        assert newest is not None
        return newest.state


def test_the_run_that_was_left_alone_made_everything(done: Path, sarbatch: Sarbatch) -> None:
    rows = json.loads(sarbatch("products", "--json").out)["products"]
    assert {row["name"] for row in rows} >= {"stack", "mean", "mean_db", "std", "cov", "p50", "count", "time_series"}
    assert {row["polarization"] for row in rows if row["name"] == "mean"} == {"VV", "VH"}
    for row in rows:
        assert Path(row["href"]).exists()
        assert set(row) == {
            "run", "task", "kind", "name", "role", "polarization", "date", "period", "orbit", "zone", "href",
            "media_type", "bytes", "units", "key", "created",
        }  # fmt: skip


@pytest.mark.parametrize("name", [*PRINT_TABLES, "plan"])
def test_json_has_a_schema(name: str, done: Path, sarbatch: Sarbatch) -> None:
    said = sarbatch(name, *([done / "job.yaml"] if name == "plan" else []), "--json")
    assert said.code == 0
    assert json.loads(said.out)["schema"] == 1
    assert said.err == ""


def test_a_piped_table_is_neither_cut_nor_folded_and_keeps_brackets(done: Path) -> None:
    rows = json.loads(command("products", "--json", folder=done).stdout)["products"]
    lines = command("products", folder=done).stdout.splitlines()
    for row in rows:
        assert len(row["href"]) > 200
        assert any(row["href"] in line and row["name"] in line and row["run"] in line for line in lines)


def test_a_job_that_is_done_ends_at_once_and_starts_nothing(done: Path, sarbatch: Sarbatch) -> None:
    before = set((done / "products").rglob("attempt-*"))
    start = time.perf_counter()
    said = sarbatch("run", done / "job.yaml")
    assert time.perf_counter() - start < 5
    assert said.code == 0
    assert said.out.splitlines()[0] == f"plan of try → {done / 'products'}"
    assert said.out.count("nothing to do") == 2
    assert ": done" in said.out
    assert set((done / "products").rglob("attempt-*")) == before


def test_status_is_a_table_of_tasks(done: Path, sarbatch: Sarbatch) -> None:
    said = sarbatch("status")
    assert said.code == 0
    assert re.search(r"^ *stack +backscatter-stack +dask +done +100 %", said.out, re.MULTILINE)
    value = json.loads(sarbatch("status", "--json").out)["runs"][-1]
    assert set(value) == {"run", "job", "state", "started", "ended", "tasks"}
    task = value["tasks"][0]
    assert task["state"] == "done"
    assert task["actual"]["wall_seconds"] > 0
    assert task["operations"][0]["attempt"] == 1


def test_logs_tell_the_story(done: Path, sarbatch: Sarbatch) -> None:
    first = json.loads(sarbatch("status", "--json").out)["runs"][-1]["run"]
    said = sarbatch("logs", first, "stack")
    assert said.code == 0
    assert "--- stack, attempt 1" in said.out
    assert "published 1 products" in said.out
    assert "statistics:" not in said.out


def test_a_task_that_fails_ends_with_one(settings: Settings, tmp_path: Path, sarbatch: Sarbatch) -> None:
    """Pixels that cannot be decoded: no header shows it, so the task runs and fails."""
    for path in sorted(opera_scenes(tmp_path / "scenes", compress="deflate").glob("*_VV.tif"))[:1]:
        with rasterio.open(path) as dataset:
            offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        data = bytearray(path.read_bytes())
        data[offset : offset + 40] = b"\xff" * 40
        path.write_bytes(data)
    write_job(tmp_path, name="spoilt", **JOB)
    result = command("run", "job.yaml", folder=tmp_path)
    assert result.returncode == 1
    assert "failed" in result.stdout
    assert "sarbatch status" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    run = json.loads(sarbatch("status", "--json").out)["runs"][0]
    assert run["state"] == "failed"
    stack, statistics = run["tasks"]
    assert stack["error"]["class"] == "user"
    assert path.name in stack["error"]["message"]
    assert stack["error"]["remedy"]
    assert statistics["state"] in {"cancelled", "failed"}
    assert stack["error"]["message"] in sarbatch("status", run["run"]).out
    assert not list(tmp_path.glob("products/*/*/item.json"))


def test_detach_returns_before_the_run_has_ended(settings: Settings, tmp_path: Path, sarbatch: Sarbatch) -> None:
    opera_scenes(tmp_path / "scenes")
    said = sarbatch("run", write_job(tmp_path, name="detached", **JOB), "--detach")
    assert said.code == 0
    assert "goes on by itself" in said.out
    watched = sarbatch("status", said.out.split("run ")[-1].split()[0], "--watch")
    assert watched.code == 0
    assert watched.out.rstrip().count("done") >= 3
    assert state(tmp_path) == "done"
