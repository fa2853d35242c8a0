"""The same jobs with everything on S3: scenes, stack and products behind a custom endpoint, on a real S3 server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from jobs import SCENES, machine, opera, plan_job, run_job, sarbatch, sarbatch_json, statistics, write_job
from oracles import RASTERS, assert_series, opera_cube

from infra.settings import Settings
from infra.storage import Location, S3Options
from pipelines import Run, open_product

BURST = (SCENES / "opera-rtc-s1/T137-292320-IW1").resolve()
BUCKET = "sarbatch-runs"
DATES = 4
KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}
NOBODY = "http://127.0.0.1:9"  # the port of a service that no machine runs
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BURST.is_dir(), reason="the real OPERA scenes are not at ../shared/data"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rioxarray's way with affine
]
PICTURES = {"dates": "none", "animation": [], "animation_means": ["gif"]}
TASKS = {"statistics": statistics(zones="zones.geojson", figures=PICTURES, report=True)}


@pytest.fixture(scope="module")
def client(s3_server: str) -> Any:
    made = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    made.create_bucket(Bucket=BUCKET)
    return made


@pytest.fixture(scope="module")
def settings(s3_server: str, client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Endpoint and keys stand in the environment; the cluster is born with them."""
    with machine(tmp_path_factory.mktemp("state"), SARBATCH_S3_ENDPOINT=s3_server, **KEYS) as made:
        yield made


def upload(client: Any, prefix: str, *dates: int) -> str:
    """Dates of the burst as objects; their s3:// prefix."""
    files = sorted(BURST.glob("*_V[VH].tif"))
    for date in dates:
        for file in files[2 * date : 2 * date + 2]:
            client.upload_file(str(file), BUCKET, f"{prefix}/{file.name}")
    return f"s3://{BUCKET}/{prefix}"


def write_zones(folder: Path) -> None:
    ring = [[-120.71, 34.415], [-120.66, 34.415], [-120.66, 34.44], [-120.71, 34.44], [-120.71, 34.415]]
    zone = {"type": "Feature", "properties": {"name": "north"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))


@pytest.fixture(scope="module")
def job(settings: Settings, client: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    write_zones(folder)
    source = upload(client, "scenes", *range(DATES))
    export = {"zarr": True, "geotiff": "per-date"}
    return write_job(folder, {"stack": opera(source, export=export), **TASKS}, output=f"s3://{BUCKET}/out")


@pytest.fixture(scope="module")
def remote(settings: Settings, job: Path) -> Run:
    return run_job(job, settings)


@pytest.fixture(scope="module")
def local(settings: Settings, remote: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same job on a folder; its scenes are local copies."""
    folder = tmp_path_factory.mktemp("folder")
    write_zones(folder)
    (folder / "scenes").mkdir()
    for file in sorted(BURST.glob("*_V[VH].tif"))[: 2 * DATES]:
        (folder / "scenes" / file.name).write_bytes(file.read_bytes())
    export = {"zarr": True, "geotiff": "per-date"}
    return run_job(write_job(folder, {"stack": opera("scenes", export=export), **TASKS}, name="on-disk"), settings)


def labels(row: dict[str, Any]) -> tuple[str, ...]:
    names = ("task", "kind", "name", "role", "polarization", "date", "period", "orbit", "zone", "media_type", "units")
    return tuple(str(row[name]) for name in names)


def content(href: str, settings: Settings) -> bytes:
    folder, _, name = href.rpartition("/")
    return Location.parse(folder, s3=settings.s3).read(name)


def test_a_run_on_s3_gives_what_a_folder_gives(settings: Settings, remote: Run, local: Run) -> None:
    there, here = (sarbatch_json("products", run.id)["products"] for run in (remote, local))
    assert sorted(map(labels, there)) == sorted(map(labels, here))
    assert all(row["href"].startswith(f"s3://{BUCKET}/out/") for row in there)
    assert all((row["bytes"] is None) == (row["name"] == "stack") for row in there)
    cube = opera_cube(BURST)
    stacks = [open_product(run, task="stack", name="stack", settings=settings) for run in (remote, local)]
    for polarization, power in cube.power.items():
        for stack in stacks:
            got = stack[polarization].compute(scheduler="synchronous").values
            np.testing.assert_array_equal(got, power[:DATES])
    for row in there:
        if row["role"] in {"file", "figure"}:
            [twin] = [one for one in here if labels(one) == labels(row)]
            assert content(row["href"], settings) == Path(twin["href"]).read_bytes(), row["href"]
        if row["role"] in {"file", "figure", "report"}:
            continue
        wanted = {name: row[name] for name in ("task", "name", "polarization", "date", "media_type") if row[name]}
        first, second = (open_product(run, settings=settings, **wanted) for run in (remote, local))
        if row["role"] == "table":
            pd.testing.assert_frame_equal(first, second)
        else:
            xr.testing.assert_equal(first.load(scheduler="synchronous"), second.load(scheduler="synchronous"))
    assert {row["name"] for row in there if row["role"] == "raster" and row["task"] == "statistics"} == set(RASTERS)
    series = open_product(remote, task="statistics", name="time_series", settings=settings)
    assert set(series["zone"]) == {"area", "north"}
    expected = [cube.between("2021-11-01", "2021-12-08").series(name, "area") for name in ("VH", "VV")]
    assert_series(series[series["zone"] == "area"], pd.concat(expected))


def test_keys_do_not_depend_on_the_output(settings: Settings, remote: Run, tmp_path: Path) -> None:
    write_zones(tmp_path)
    export = {"zarr": True, "geotiff": "per-date"}
    job = write_job(tmp_path, {"stack": opera(f"s3://{BUCKET}/scenes", export=export), **TASKS})
    plan = sarbatch_json("plan", str(job))
    assert [task["state"] for task in plan["tasks"]] == ["new"] * 2
    made = {row["task"]: row["key"] for row in sarbatch_json("products", remote.id)["products"]}
    assert {task["task"]: task["key"] for task in plan["tasks"]} == made


def test_status_and_a_second_run_on_s3(settings: Settings, remote: Run, job: Path) -> None:
    (status,) = sarbatch_json("status", remote.id)["runs"]
    assert status["state"] == "done"
    assert all(task["actual"]["bytes_written"] > 0 for task in status["tasks"])
    assert [task["state"] for task in sarbatch_json("plan", str(job))["tasks"]] == ["done"] * 2
    again = run_job(job, settings)
    (status,) = sarbatch_json("status", again.id)["runs"]
    assert all(op["started"] is None for task in status["tasks"] for op in task["operations"])
    assert "published" in sarbatch("logs", remote.id, "statistics").stdout


def test_a_lost_registry_is_adopted_from_s3(settings: Settings, remote: Run, tmp_path: Path) -> None:
    before = sarbatch_json("products", remote.id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SARBATCH_REGISTRY", f"sqlite:///{tmp_path}/new.sqlite")
        assert f"adopted run {remote.id}" in sarbatch("adopt", remote.output).stdout
        assert sarbatch_json("products", remote.id) == before
        (status,) = sarbatch_json("status", remote.id)["runs"]
        assert status["state"] == "done"
        assert "already" in sarbatch("adopt", remote.output).stdout


def test_appending_and_cleaning_on_s3(settings: Settings, client: Any, s3_server: str, tmp_path: Path) -> None:
    prefix = "grown"
    source = upload(client, f"{prefix}/scenes", 0, 1)
    job = write_job(
        tmp_path, {"stack": opera(source), "statistics": statistics()}, output=f"s3://{BUCKET}/{prefix}/out"
    )
    first = run_job(job, settings)
    upload(client, f"{prefix}/scenes", 2)
    (why,) = plan_job(job, settings).tasks[0].why_stale
    assert why == "appends 1 of 3 dates: 2021-12-01"
    second = run_job(job, settings)
    power = opera_cube(BURST).power["VV"]
    for run, dates in ((first, 2), (second, 3)):
        data = open_product(run, task="stack", name="stack", settings=settings)
        np.testing.assert_array_equal(data["VV"].compute(scheduler="synchronous"), power[:dates])
    shown = sarbatch_json("clean", str(job), "--dry-run")["removable"]
    assert len(shown) == 2
    assert len(sarbatch_json("clean", str(job))["removed"]) == 2
    output = Location.parse(first.output, s3=S3Options(endpoint=s3_server))
    names = [entry.name for entry in output.list()]
    assert sum(name.endswith("/item.json") for name in names) == 2
    assert len({name.split("/")[1] for name in names if ".icechunk/" in name}) == 1
    assert not [name for name in names if "/parts/" in name]
    count = open_product(second, task="statistics", name="count", polarization="VV", settings=settings)
    assert (count == 3).all()


def refused(folder: Path, *, code: int, expect: list[str], command: str = "run", **top: Any) -> None:
    """A command that must end soon, with this exit code, naming what and what to do, without a traceback."""
    job = write_job(folder, {"stack": top.pop("stack", opera(BURST))}, **top)
    start = time.monotonic()
    said = sarbatch(command, str(job), check=False)
    took = time.monotonic() - start
    text = said.stderr
    assert said.returncode == code, (said.returncode, said.stdout, text)
    assert took < 20, text
    for word in (*expect, "  → "):
        assert word in text, text
    assert "Traceback" not in text + said.stdout


@pytest.mark.parametrize("where", ["output", "source"])
@pytest.mark.parametrize("command", ["plan", "run"])
def test_refusals_name_what_and_what_to_do(
    settings: Settings, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, command: str
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    there: dict[str, Any] = (
        {"output": f"s3://{BUCKET}/x"} if where == "output" else {"stack": opera(f"s3://{BUCKET}/scenes")}
    )
    wrong: dict[str, Any] = (
        {"output": "s3://no-such-bucket/x"} if where == "output" else {"stack": opera("s3://no-such-bucket/x")}
    )
    refused(tmp_path / "a", command=command, code=2, expect=["no-such-bucket", s3_server], **wrong)
    monkeypatch.setenv("SARBATCH_S3_ENDPOINT", NOBODY)
    refused(tmp_path / "b", command=command, code=3, expect=[NOBODY, "endpoint"], **there)
    monkeypatch.setenv("SARBATCH_S3_ENDPOINT", s3_server)
    for name in KEYS:
        monkeypatch.delenv(name)
    refused(tmp_path / "c", command=command, code=3, expect=["AWS_ACCESS_KEY_ID", "AWS_PROFILE"], **there)
