"""Wrong input: each case is told with file, value and remedy, the right exit code, and before anything is done."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from command_line import COMMAND, STATISTICS, Said, Sarbatch, opera_scenes, place, sarbatch, stack, tasks, write_job
from geotiffs import opera_name, write_tif
from rasterio.windows import Window

from infra.settings import load_settings
from pipelines import load_job, make_plan
from pipelines.registry import open_registry
from pipelines.run import record

__all__ = ["place", "sarbatch"]  # fixtures

COMMANDS = ("validate", "plan", "run")
SCENE = opera_name("VV", sensing="20211119T015859Z")
LATER = opera_name("VV", sensing="20211201T015859Z")
GEOTIFF = {"format": "geotiff", "path": "tiffs", "pattern": r"_(?P<polarization>[HV]{2})_(?P<date>\d{8})\.tif$"}
OPERA_TAG = "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER"
SQUARE = [[-119.2, 34.2], [-119.0, 34.2], [-119.0, 34.4], [-119.2, 34.4], [-119.2, 34.2]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something wrong with a job or what it names.

    Attributes
    ----------
    job : top-level keys of the job file, or its text
    arrange : what is wrong with the files around it
    says : parts of the message: the file, the value
    remedy : part of the remedy
    first : the first command that can know
    """

    says: tuple[str, ...]
    remedy: str
    job: dict[str, Any] | str = field(default_factory=dict)
    arrange: Callable[[Path], object] | None = None
    first: str = "validate"
    code: int = 2


def text(body: str) -> str:
    return f"name: try\noutput: products\n{body}\n"


def feature(kind: str, coordinates: Any) -> str:
    shape = {"type": kind, "coordinates": coordinates}
    return json.dumps(
        {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": shape}]}
    )


def without_crs(folder: Path) -> None:
    """Shapefile that lacks its .prj."""
    import geopandas
    from shapely.geometry import Polygon

    geopandas.GeoDataFrame(geometry=[Polygon(SQUARE)], crs="EPSG:4326").to_file(folder / "aoi.shp")
    (folder / "aoi.prj").unlink()


def cut(folder: Path) -> None:
    path = folder / "scenes" / LATER
    path.write_bytes(path.read_bytes()[:-200])


def huge(folder: Path) -> None:
    """GeoTIFF of one written block, whose stack would not fit on the disk."""
    free = shutil.disk_usage(folder).free
    side = int((free / 2) ** 0.5)
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "width": side, "height": side, "crs": "EPSG:32611"}
    options = {"SPARSE_OK": True, "BIGTIFF": "YES", "tiled": True, "blockxsize": 2048, "blockysize": 2048}
    transform = rasterio.Affine(0.1, 0, 300_000, 0, -0.1, 3_800_000)
    (folder / "tiffs").mkdir()
    with rasterio.open(
        folder / "tiffs" / "huge_VV_20240101.tif", "w", transform=transform, compress="deflate", **profile, **options
    ) as dataset:
        dataset.write(np.ones((1, 1), "float32"), 1, window=Window(0, 0, 1, 1))


def tif(name: str, **more: Any) -> Callable[[Path], object]:
    values = more.pop("values", np.full((12, 10), 0.1, "float32"))
    return lambda folder: write_tif(folder / "tiffs" / name, values, **more)


def several(*steps: Callable[[Path], object]) -> Callable[[Path], None]:
    def arrange(folder: Path) -> None:
        for step in steps:
            step(folder)

    return arrange


JOB_FILE = {
    "unknown key": Case(
        job={"outputt": "x"}, says=("job.yaml", "unknown key 'outputt'", "'output'"), remedy="sarbatch init"
    ),
    "unknown key of a task": Case(
        job={"tasks": tasks(polarisations=["VV"])},
        says=("job.yaml", "tasks.stack", "'polarisations'", "did you mean 'polarizations'"),
        remedy="sarbatch init backscatter-stack",
    ),
    "unknown key of a source": Case(
        job={"tasks": tasks(source={"format": "opera-rtc", "pth": "scenes"})},
        says=("job.yaml", "tasks.stack.source", "'pth'", "did you mean 'path'"),
        remedy="sarbatch init backscatter-stack",
    ),
    "key twice": Case(
        job=text("name: other\ntasks: {}"),
        says=("job.yaml", "line 3", "key 'name' stands twice"),
        remedy="Mend the line",
    ),
    "not YAML": Case(job="name: [try\noutput: x", says=("job.yaml", "line 2"), remedy="Mend the line"),
    "indented by a tab": Case(
        job="name: try\n\toutput: x", says=("job.yaml", "line 2", "a tab"), remedy="Mend the line"
    ),
    "a list, not a job": Case(
        job="- a\n- b\n", says=("job.yaml", "name, area, period, output, tasks"), remedy="sarbatch init"
    ),
    "empty": Case(job="", says=("job.yaml is empty",), remedy="sarbatch init"),
    "nested without end": Case(job="name: " + "[" * 700, says=("job.yaml", "too deeply"), remedy="levels"),
    "variable not set": Case(
        job={"output": "${NO_SUCH_PLACE}/x"},
        says=("job.yaml", "${NO_SUCH_PLACE}", "not set"),
        remedy="export NO_SUCH_PLACE=",
    ),
    "name": Case(
        job={"name": "Santa Barbara"},
        says=("job.yaml", "name", "'Santa Barbara'", "small letters"),
        remedy="sarbatch init",
    ),
    "name of a task": Case(
        job={"tasks": {"My stack": stack()}},
        says=("job.yaml", "tasks.My stack", "small letters"),
        remedy="another name",
    ),
    "kind misspelt": Case(
        job={"tasks": {"stack": {**stack(), "kind": "backscater-stack"}}},
        says=("job.yaml", "tasks.stack.kind", "'backscater-stack'"),
        remedy="Did you mean 'backscatter-stack'?",
    ),
    "kind left out": Case(
        job={"tasks": {"stack": {"source": 1}}},
        says=("job.yaml", "tasks.stack.kind", "missing"),
        remedy="backscatter-stack",
    ),
    "source left out": Case(
        job={"tasks": {"stack": {"kind": "backscatter-stack"}}},
        says=("job.yaml", "tasks.stack.source", "missing"),
        remedy="sarbatch init backscatter-stack",
    ),
    "format misspelt": Case(
        job={"tasks": tasks(source={"format": "opera", "path": "x"})},
        says=("job.yaml", "tasks.stack.source", "'opera'", "did you mean 'opera-rtc'"),
        remedy="sarbatch init backscatter-stack",
    ),
    "unknown task reference": Case(
        job={"tasks": {"stack": stack(), "statistics": {**STATISTICS, "stack": "stak"}}},
        says=("job.yaml", "tasks.statistics.stack", "no task 'stak'", "did you mean 'stack'"),
        remedy="Tasks of this job: stack, statistics",
    ),
    "reference to another kind": Case(
        job={"tasks": {"stack": stack(), "one": STATISTICS, "two": {**STATISTICS, "stack": "one"}}},
        says=("job.yaml", "tasks.two.stack", "'one' is a stack-statistics"),
        remedy="Name a task of kind backscatter-stack",
    ),
    "cycle": Case(
        job={"tasks": {"one": {**STATISTICS, "stack": "two"}, "two": {**STATISTICS, "stack": "one"}}},
        says=("job.yaml", "circle", "one → two → one"),
        remedy="another task",
    ),
    "empty period": Case(
        job={"period": {"start": "2022-01-01", "end": "2022-01-01"}},
        says=("job.yaml", "period", "empty", "2022-01-01"),
        remedy="sarbatch init",
    ),
    "a date that is none": Case(
        job=text("period: {start: 2021-13-01, end: 2022-01-01}\ntasks: {}"),
        says=("job.yaml", "line 3", "'2021-13-01' is not a date"),
        remedy="Mend the line",
    ),
    "a word as date": Case(
        job={"period": {"start": "yesterday", "end": "2022-01-01"}},
        says=("job.yaml", "period.start", "'yesterday'", "2021-11-01"),
        remedy="sarbatch init",
    ),
    "box with latitude first": Case(
        job={"area": {"bbox": [34.3, -119.9, 34.6, -119.6]}},
        says=("job.yaml", "area.bbox", "-119.9", "[west, south, east, north]"),
        remedy="sarbatch init",
    ),
    "box upside down": Case(
        job={"area": {"bbox": [-119.9, 34.6, -119.6, 34.3]}},
        says=("job.yaml", "area.bbox", "south 34.6"),
        remedy="sarbatch init",
    ),
    "box across ±180°": Case(
        job={"area": {"bbox": [179, -20, -179, -18]}},
        says=("job.yaml", "area.bbox", "±180°", "two jobs"),
        remedy="sarbatch init",
    ),
    "box of three numbers": Case(
        job={"area": {"bbox": [1, 2, 3]}},
        says=("job.yaml", "area.bbox", "four numbers", "[1, 2, 3]"),
        remedy="sarbatch init",
    ),
    "WKT of a point": Case(
        job={"area": {"wkt": "POINT (10 50)"}},
        says=("job.yaml", "area.wkt", "Point", "polygon"),
        remedy="sarbatch init",
    ),
    "no WKT": Case(job={"area": {"wkt": "here"}}, says=("job.yaml", "area.wkt", "not WKT"), remedy="sarbatch init"),
    "box and file": Case(
        job={"area": {"bbox": [1, 2, 3, 4], "file": "a.shp"}},
        says=("job.yaml", "area", "bbox, file"),
        remedy="sarbatch init",
    ),
    "wrong type": Case(
        job={"tasks": tasks(chunk="big")},
        says=("job.yaml", "tasks.stack.chunk", "whole number", "'big'"),
        remedy="sarbatch init",
    ),
    "wrong choice": Case(
        job={"tasks": tasks(extent="unionn")},
        says=("job.yaml", "tasks.stack.extent", "did you mean 'union'"),
        remedy="sarbatch init",
    ),
    "no polarization": Case(
        job={"tasks": tasks(polarizations=["VX"])}, says=("job.yaml", "'VX'", "VV, VH, HH, HV"), remedy="sarbatch init"
    ),
    "percentile above 100": Case(
        job={"tasks": {"stack": stack(), "statistics": {**STATISTICS, "percentiles": [5, 101]}}},
        says=("job.yaml", "tasks.statistics.percentiles.1", "100 or less", "101"),
        remedy="sarbatch init stack-statistics",
    ),
    "backend misspelt": Case(
        job={"tasks": tasks(backend="daks")},
        says=("job.yaml", "tasks.stack.backend", "did you mean 'dask'"),
        remedy="sarbatch init",
    ),
    "budget below zero": Case(
        job={"tasks": tasks(budget={"core_hours": -1})},
        says=("job.yaml", "tasks.stack.budget.core_hours", "-1"),
        remedy="sarbatch init",
    ),
    "deadline that is none": Case(
        job={"tasks": tasks(deadline="tomorrow")},
        says=("job.yaml", "tasks.stack.deadline", "P2D"),
        remedy="sarbatch init",
    ),
    "pattern without a date": Case(
        job={"tasks": tasks(source={**GEOTIFF, "pattern": "_(?P<polarization>VV)"})},
        says=("job.yaml", "tasks.stack.source.pattern", "no group named date"),
        remedy="sarbatch init",
    ),
    "pattern that is no regular expression": Case(
        job={"tasks": tasks(source={**GEOTIFF, "pattern": "(("})},
        says=("job.yaml", "tasks.stack.source.pattern", "'((' is no regular expression"),
        remedy="sarbatch init",
    ),
    "output of another kind": Case(
        job={"output": "ftp://host/x"}, says=("job.yaml", "output", "ftp://host/x"), remedy="sarbatch init"
    ),
    "several at once": Case(
        job={"name": "A A", "output": ""}, says=("job.yaml: name", "job.yaml: output: is empty"), remedy="sarbatch init"
    ),
}

FILES = {
    "backend that cannot": Case(
        job={"tasks": tasks(backend="earth-engine")},
        says=("job.yaml", "tasks.stack", "backend: earth-engine cannot"),
        remedy="backend: dask",
        first="plan",
    ),
    "path does not exist": Case(
        job={"tasks": tasks(source={"format": "opera-rtc", "path": "scnes"})},
        says=("job.yaml", "tasks.stack", "scnes is not there"),
        remedy="`path`",
        first="plan",
    ),
    "glob that matches nothing": Case(
        job={"tasks": tasks(source={"format": "opera-rtc", "path": "scenes/*_HH.tif"})},
        says=("job.yaml", "nothing matches", "*_HH.tif"),
        remedy="`path`",
        first="plan",
    ),
    "no scenes": Case(
        arrange=lambda folder: (folder / "empty").mkdir(),
        job={"tasks": tasks(source={"format": "opera-rtc", "path": "empty"})},
        says=("job.yaml", "no OPERA RTC-S1 raster", "empty"),
        remedy="OPERA_L2_RTC-S1",
        first="plan",
    ),
    "CSV, not TIFF": Case(
        arrange=lambda folder: (folder / "scenes.csv").write_text("date,VV\n"),
        job={"tasks": tasks(source={"format": "opera-rtc", "path": "scenes.csv"})},
        says=("job.yaml", "no OPERA RTC-S1 raster", "scenes.csv"),
        remedy="OPERA_L2_RTC-S1",
        first="plan",
    ),
    "text that calls itself TIFF": Case(
        arrange=lambda folder: (folder / "scenes" / SCENE).write_text("<html>Log in first</html>"),
        says=("job.yaml", SCENE, "no GeoTIFF"),
        remedy="Download",
        first="plan",
    ),
    "truncated file": Case(arrange=cut, says=("job.yaml", LATER, "truncated"), remedy="Download", first="plan"),
    "empty file": Case(
        arrange=lambda folder: (folder / "scenes" / SCENE).write_bytes(b""),
        says=("job.yaml", SCENE, "empty"),
        remedy="Download",
        first="plan",
    ),
    "GeoTIFF without CRS": Case(
        arrange=lambda folder: opera_scenes(folder / "scenes", crs=None),
        says=("job.yaml", "tasks.stack", "OPERA_L2_RTC-S1", "no CRS"),
        remedy="gdal_edit.py -a_srs",
        first="plan",
    ),
    "another lattice": Case(
        arrange=lambda folder: opera_scenes(folder / "scenes", sensings=("20211213T015859Z",), row=0.5),
        says=("job.yaml", "20211213T015859Z", "0.500 pixel"),
        remedy="reproject",
        first="plan",
    ),
    "mixed radiometry": Case(
        arrange=lambda folder: opera_scenes(
            folder / "scenes", sensings=("20211213T015859Z",), tags={f"{OPERA_TAG}_NORMALIZATION_CONVENTION": "sigma0"}
        ),
        says=("job.yaml", "radiometry", "20211213T015859Z", "is sigma0_terrain", "is gamma0_terrain"),
        remedy="one stack of each",
        first="plan",
    ),
    "two relative orbits": Case(
        arrange=lambda folder: opera_scenes(folder / "scenes", sensings=("20211125T015817Z",), burst="T064-135524-IW1"),
        says=("job.yaml", "orbits", "T064", "T137"),
        remedy="orbits: separate",
        first="plan",
    ),
    "polarization not there": Case(
        job={"tasks": tasks(polarizations=["HH"])},
        says=("job.yaml", "polarizations: HH is not there", "VH, VV"),
        remedy="Take HH out",
        first="plan",
    ),
    "area outside": Case(
        job={"area": {"bbox": [10, 50, 11, 51]}},
        says=("job.yaml", "area", "10.0000, 50.0000", "-119."),
        remedy="area",
        first="plan",
    ),
    "area file missing": Case(
        job={"area": {"file": "aoi.geojson"}},
        says=("job.yaml", "area.file", "aoi.geojson is not there"),
        remedy=".gpkg",
        first="plan",
    ),
    "area file without CRS": Case(
        arrange=without_crs,
        job={"area": {"file": "aoi.shp"}},
        says=("job.yaml", "aoi.shp", "no coordinate"),
        remedy=".prj",
        first="plan",
    ),
    "area file without polygon": Case(
        arrange=lambda folder: (folder / "aoi.geojson").write_text(feature("Point", [-119.1, 34.3])),
        job={"area": {"file": "aoi.geojson"}},
        says=("job.yaml", "aoi.geojson", "no polygon"),
        remedy="Give polygons",
        first="plan",
    ),
    "area file that is none": Case(
        arrange=lambda folder: (folder / "aoi.geojson").write_text("west, south"),
        job={"area": {"file": "aoi.geojson"}},
        says=("job.yaml", "aoi.geojson", "cannot be read as polygons"),
        remedy=".gpkg",
        first="plan",
    ),
    "no scene in the period": Case(
        job={"period": {"start": "2010-01-01", "end": "2011-01-01"}},
        says=("job.yaml", "period", "2010-01-01", "2021-11-19"),
        remedy="period",
        first="plan",
    ),
    "extent area without an area": Case(
        job={"tasks": tasks(extent="area")}, says=("job.yaml", "extent: area"), remedy="Add `area`", first="plan"
    ),
    "intersection empty": Case(
        arrange=lambda folder: opera_scenes(folder / "scenes", sensings=("20211213T015859Z",), row=100),
        job={"tasks": tasks(extent="intersection")},
        says=("job.yaml", "no pixel is common", "2021-12-13"),
        remedy="extent: union",
        first="plan",
    ),
    "mask layer that is not there": Case(
        job={"tasks": tasks(mask={"layover": True})},
        says=("job.yaml", "mask: layover", "T137-292320-IW1_20211119T015859Z"),
        remedy="Take layover out",
        first="plan",
    ),
    "pattern that matches nothing": Case(
        arrange=tif("alos-20200101.tif"),
        job={"tasks": tasks(source=GEOTIFF)},
        says=("job.yaml", "pattern", "alos-20200101.tif"),
        remedy="`pattern`",
        first="plan",
    ),
    "date in a name that does not parse": Case(
        arrange=tif("alos_HH_20209901.tif"),
        job={"tasks": tasks(source=GEOTIFF)},
        says=("job.yaml", "alos_HH_20209901.tif", "'20209901'"),
        remedy="date_format",
        first="plan",
    ),
    "two files of one scene and polarization": Case(
        arrange=several(tif("a_HH_20200101.tif"), tif("b_HH_20200101.tif")),
        job={"tasks": tasks(source=GEOTIFF)},
        says=("job.yaml", "a_HH_20200101.tif", "b_HH_20200101.tif"),
        remedy="scene",
        first="plan",
    ),
    "dB declared as power": Case(
        arrange=tif("a_HH_20200101.tif", values=np.linspace(-25, -5, 120, dtype="float32").reshape(12, 10)),
        job={"tasks": tasks(source=GEOTIFF)},
        says=("job.yaml", "a_HH_20200101.tif", "power"),
        remedy="scale: db",
        first="plan",
    ),
    "zones file missing": Case(
        job={"tasks": {"stack": stack(), "statistics": {**STATISTICS, "zones": "zones.shp"}}},
        says=("job.yaml", "tasks.statistics", "zones.shp is not there"),
        remedy=".gpkg",
        first="plan",
    ),
    "budget too small": Case(
        job={"tasks": tasks(budget={"core_hours": 1e-9})},
        says=("job.yaml", "tasks.stack", "budget", "core-hours are needed"),
        remedy="Raise the budget",
        first="plan",
    ),
    "disk too small": Case(
        arrange=huge,
        job={"tasks": tasks(source=GEOTIFF)},
        says=("job.yaml: output", "products", "GB free", "GB will be written"),
        remedy="free space",
        first="plan",
    ),
    "output is a file": Case(
        arrange=lambda folder: (folder / "products").write_text("a file"),
        says=("job.yaml: output", "products is a file"),
        remedy="another output",
        first="plan",
    ),
    "output below a file": Case(
        job={"output": "job.yaml/products"},
        says=("job.yaml: output", "job.yaml is a file"),
        remedy="another output",
        first="plan",
    ),
    "output where nobody may write": Case(
        job={"output": "/proc/sarbatch"},
        says=("job.yaml: output: /proc/sarbatch",),
        remedy="another output",
        first="plan",
    ),
    "output whose name is too long": Case(
        job={"output": "x" * 300}, says=("job.yaml", "xxx", "too long"), remedy="path in the job", first="plan"
    ),
    "S3 without credentials": Case(
        job={"output": "s3://bucket/prefix"},
        says=("s3://bucket/prefix",),
        remedy="AWS_ACCESS_KEY_ID",
        first="plan",
        code=3,
    ),
    "scenes on S3 without credentials": Case(
        job={"tasks": tasks(source={"format": "opera-rtc", "path": "s3://bucket/scenes"})},
        says=("s3://bucket/scenes",),
        remedy="AWS_ACCESS_KEY_ID",
        first="plan",
        code=3,
    ),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good scenes, made once; a case gets a copy to spoil."""
    return opera_scenes(tmp_path_factory.mktemp("good"))


@pytest.fixture
def folder(place: Path, scenes: Path) -> Path:
    shutil.copytree(scenes, place / "scenes")
    return place


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def runs_recorded() -> int:
    """Runs in the registry; none where there is no registry."""
    settings = load_settings()
    if not settings.state_dir.exists():
        return 0
    with open_registry(settings) as registry:
        return len(registry.runs())


def check(said: Said, case: Case) -> None:
    assert said.code == case.code, said
    message, _, remedy = said.err.partition("  → ")
    assert message.startswith("error: "), said.err
    for part in case.says:
        assert part in message
    assert case.remedy in remedy
    assert "Traceback" not in said.out + said.err
    assert "fault of sarbatch" not in said.err


@pytest.mark.parametrize("name", [*JOB_FILE, *FILES])
def test_wrong_input_is_told_before_anything_is_done(name: str, folder: Path, sarbatch: Sarbatch) -> None:
    case = {**JOB_FILE, **FILES}[name]
    if isinstance(case.job, str):
        (folder / "job.yaml").write_text(case.job, encoding="utf-8")
    else:
        write_job(folder, **case.job)
    if case.arrange is not None:
        case.arrange(folder)
    before = written(folder)
    for command in COMMANDS:
        said = sarbatch(command, "job.yaml")
        if COMMANDS.index(command) < COMMANDS.index(case.first):
            assert said.code == 0, said
        else:
            check(said, case)
    assert written(folder) == before
    assert runs_recorded() == 0


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that cannot do what it is asked."""

    argv: tuple[str, ...]
    says: tuple[str, ...]
    remedy: str
    arrange: Callable[[Path], object] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    code: int = 2


def newer_schema(folder: Path) -> None:
    """Registry that a later sarbatch has upgraded."""
    with open_registry(load_settings()):
        pass
    with sqlite3.connect(load_settings().state_dir / "registry.sqlite") as connection:
        connection.execute("UPDATE sarbatch_schema SET version_num = '9999'")
    connection.close()


def garbage(folder: Path) -> None:
    (folder / "garbage.sqlite").write_bytes(b"no database at all " * 300)


def one_run(folder: Path, *, name: str = "try") -> None:
    """A run in the registry that nobody carries out."""
    opera_scenes(folder / "scenes")
    plan = make_plan(load_job(write_job(folder, name=name)))
    with open_registry(load_settings()) as registry:
        record(plan, registry)


RUN_UNKNOWN = {"says": ("no run '1999'",), "remedy": "sarbatch status"}
TASK_UNKNOWN = {"says": ("no task 'stak'",), "remedy": "stack, statistics", "arrange": one_run}
COMMAND_LINE = {
    "job file missing": Command(
        argv=("plan", "nothing.yaml"), says=("nothing.yaml", "not there"), remedy="sarbatch init"
    ),
    "job file is a folder": Command(argv=("run", "scenes"), says=("scenes", "directory"), remedy="YAML"),
    "job file is no text": Command(
        argv=("validate", "job.yaml"),
        arrange=lambda folder: (folder / "job.yaml").write_bytes(b"\x8b\xff\x00name"),
        says=("job.yaml", "not text"),
        remedy="YAML",
    ),
    "init of an unknown kind": Command(
        argv=("init", "stack-statistic"), says=("'stack-statistic'", "did you mean 'stack-statistics'"), remedy="Kinds:"
    ),
    "init where there is a file": Command(
        argv=("init", "stack-statistics", "job.yaml"),
        arrange=write_job,
        says=("job.yaml is there already",),
        remedy="another name",
    ),
    "init where there is no folder": Command(
        argv=("init", "stack-statistics", "no/job.yaml"), says=("no/job.yaml", "No such file"), remedy="folder"
    ),
    "no run yet": Command(argv=("logs",), says=("no run yet",), remedy="sarbatch run"),
    "status of a run unknown": Command(argv=("status", "1999"), **RUN_UNKNOWN),
    "logs of a run unknown": Command(argv=("logs", "1999"), **RUN_UNKNOWN),
    "cancel of a run unknown": Command(argv=("cancel", "1999"), **RUN_UNKNOWN),
    "retry of a run unknown": Command(argv=("retry", "1999"), **RUN_UNKNOWN),
    "products of a run unknown": Command(argv=("products", "1999"), **RUN_UNKNOWN),
    "beginning of two runs": Command(
        argv=("status", "2"),
        arrange=several(one_run, lambda folder: one_run(folder, name="other")),
        says=("'2' is ambiguous",),
        remedy="more",
    ),
    "logs of a task unknown": Command(argv=("logs", "2", "stak"), **TASK_UNKNOWN),
    "cancel of a task unknown": Command(argv=("cancel", "2", "stak"), **TASK_UNKNOWN),
    "retry of a task unknown": Command(argv=("retry", "2", "stak"), **TASK_UNKNOWN),
    "adopt where nothing ran": Command(argv=("adopt", "scenes"), says=("scenes", "no run"), remedy="output"),
    "clean where nothing is": Command(
        argv=("clean", "nowhere"), says=("nowhere", "not there"), remedy="output of a job"
    ),
    "outline into no folder": Command(
        argv=("plan", "job.yaml", "--geojson", "no/outline.json"),
        arrange=write_job,
        says=("no/outline.json", "No such file"),
        remedy="folder",
    ),
    "unknown setting": Command(
        argv=("status",), environment={"SARBATCH_WORKRES": "3"}, says=("SARBATCH_WORKRES",), remedy="SARBATCH_WORKERS"
    ),
    "setting of a wrong type": Command(
        argv=("status",),
        environment={"SARBATCH_WORKERS": "two"},
        says=("SARBATCH_WORKERS", "'two'"),
        remedy="processes",
    ),
    "unknown setting in the file": Command(
        argv=("status",),
        arrange=lambda folder: (folder / "sarbatch.toml").write_text("workrs = 3"),
        says=("sarbatch.toml", "workrs"),
        remedy="workers",
    ),
    "newer registry schema": Command(
        argv=("run", "job.yaml"),
        arrange=several(write_job, newer_schema),
        says=("registry.sqlite", "newer", "9999"),
        remedy="Upgrade",
    ),
    "registry is no database": Command(
        argv=("run", "job.yaml"),
        arrange=several(write_job, garbage),
        environment={"SARBATCH_REGISTRY": "sqlite:///garbage.sqlite"},
        says=("garbage.sqlite", "not a database"),
        remedy="sarbatch adopt",
    ),
    "registry is no URL": Command(
        argv=("status",),
        environment={"SARBATCH_REGISTRY": "here"},
        says=("SARBATCH_REGISTRY", "URL"),
        remedy="sqlite:///",
    ),
    "state folder where nobody may write": Command(
        argv=("status",),
        environment={"SARBATCH_STATE_DIR": "/proc/sarbatch"},
        says=("/proc/sarbatch",),
        remedy="SARBATCH_REGISTRY",
    ),
}


@pytest.mark.parametrize("name", COMMAND_LINE)
def test_a_command_that_cannot_says_why(
    name: str, folder: Path, sarbatch: Sarbatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = COMMAND_LINE[name]
    if case.arrange is not None:
        case.arrange(folder)
    before = written(folder)
    for variable, value in case.environment.items():
        monkeypatch.setenv(variable, value)
    check(sarbatch(*case.argv), case)
    assert written(folder) == before


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Folder that nobody may write to, root neither."""
    folder.mkdir()
    folder.chmod(0o555)
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", folder], check=True, capture_output=True)
        folder.chmod(0o755)


def test_output_read_only(folder: Path, sarbatch: Sarbatch) -> None:
    write_job(folder)
    with read_only(folder / "products"):
        said = sarbatch("run", "job.yaml")
        assert written(folder / "products") == set()
    case = Case(says=("job.yaml: output", "products", "cannot be written"), remedy="another")
    check(said, case)
    assert runs_recorded() == 0


@pytest.mark.parametrize("name", ["unknown key", "area outside", "truncated file", "S3 without credentials"])
def test_the_installed_command_says_the_same(name: str, folder: Path) -> None:
    case = {**JOB_FILE, **FILES}[name]
    write_job(folder, **case.job)  # type: ignore[arg-type] -- these cases are mappings
    if case.arrange is not None:
        case.arrange(folder)
    result = subprocess.run([COMMAND, "run", "job.yaml"], cwd=folder, capture_output=True, text=True, check=False)
    check(Said(result.returncode, result.stdout, result.stderr), case)
    assert not (folder / "products").exists()


def test_there_are_enough_cases() -> None:
    assert len(JOB_FILE) + len(FILES) + len(COMMAND_LINE) >= 100
