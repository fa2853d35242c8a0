"""Wrong input of the Sentinel-1 kinds: each is told with the value and the remedy, before anything is done; and keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from jobs import write_job
from sentinel1_jobs import OPERA, Place, composite, earth_engine, planning_settings, series, simulate

from gee.local.simulate import Simulation
from infra.errors import CredentialsError, InputError, JobError, SarbatchError, TransientError
from pipelines import load_job, make_plan
from pipelines.job import Job, parse_job
from pipelines.kinds.model import identity
from pipelines.kinds.sentinel1.covers import covers
from pipelines.kinds.sentinel1_composite.spec import KIND, Sentinel1Composite, measures
from pipelines.kinds.sentinel1_series.spec import KIND as SERIES

PLAN_OF_SCENES = Simulation(width=96, height=96, overlap=16, dates=2)
AREA = {"bbox": [-64.888, -18.08, -64.884, -18.076]}  # inside of the simulated scenes
YEAR = {"start": "2020-01-01", "end": "2021-01-01"}
STACK = {"kind": "backscatter-stack", "source": {"format": "opera-rtc", "path": "scenes"}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A task that is wrong, or a job around it, and what is said.

    Attributes
    ----------
    says : parts of the message: key and value
    remedy : part of the remedy
    task, top, settings : what differs from a job that is right
    """

    says: tuple[str, ...]
    remedy: str = "sarbatch init sentinel1-composite"
    task: Mapping[str, Any] = field(default_factory=dict)
    top: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str | None] = field(default_factory=dict)
    error: type[SarbatchError] = JobError


def speckle(filter_: str, **more: Any) -> dict[str, Any]:
    return {"speckle": {"filter": filter_, **more}}


VALIDATE = {
    "unknown filter": Case(
        task=speckle("lea"), says=("tasks.made.speckle.filter", "'lea'", "did you mean 'lee'", "refined_lee")
    ),
    "unknown key": Case(task={"speckel": None}, says=("unknown key 'speckel'", "did you mean 'speckle'")),
    "unknown reducer": Case(task={"reducers": ["mode"]}, says=("'mode' is no reducer", "median, mean, stdDev, count, p01")),
    "percentile of one digit": Case(task={"reducers": ["p5"]}, says=("'p5' is no reducer", "p01 to p99")),
    "no reducer": Case(task={"reducers": []}, says=("reducers", "at least 1")),
    "negative radius": Case(task=speckle("focal_median", radius=-10), says=("speckle.radius", "greater than 0", "-10")),
    "even window": Case(task=speckle("boxcar", window=6), says=("window 6 has no middle", "7")),
    "window of one pixel": Case(task=speckle("boxcar", window=1), says=("speckle.window", "3 or greater", "1")),
    "window of a disk": Case(task=speckle("focal_median", window=5), says=("focal_median takes `radius` in metres",)),
    "radius of a window": Case(task=speckle("lee", radius=50), says=("lee takes `window` in pixels",)),
    "refined Lee on another window": Case(task=speckle("refined_lee", window=9), says=("window of 7 pixels, not 9",)),
    "no looks": Case(
        task={**speckle("lee"), "stack": "stack"}, says=("lee needs `looks`", "equivalent number of looks")
    ),
    "looks of nothing": Case(task=speckle("lee", looks=0), says=("speckle.looks", "greater than 0", "0")),
    "sigma of everything": Case(task=speckle("lee_sigma", sigma=1), says=("speckle.sigma", "less than 1")),
    "dB where power is declared": Case(
        task={"valid_range": {"min": -25}}, says=("a power is never negative, and -25 is", "Write units: dB")
    ),
    "a range upside down": Case(
        task={"valid_range": {"min": 5, "max": -30, "units": "dB"}}, says=("min 5 is not below max -30",)
    ),
    "a range of nothing": Case(task={"valid_range": {"units": "dB"}}, says=("give `min`, `max` or both",)),
    "unknown quantity": Case(task={"quantities": ["vv_dB"]}, says=("'vv_dB'", "did you mean 'vv_db'")),
    "no quantity": Case(task={"quantities": []}, says=("quantities", "at least 1")),
    "a polarization left out": Case(
        task={"polarizations": ["VV"]}, says=("quantities need VH, which `polarizations` leaves out",)
    ),
    "an orbit too many": Case(task={"orbits": [58, 176]}, says=("relative orbits are 1 to 175, not 176",)),
    "no orbit": Case(task={"orbits": []}, says=("orbits", "is empty: leave it out to take all")),
    "another satellite": Case(task={"platforms": ["S2A"]}, says=("platforms", "S1A, S1B, S1C, S1D", "S2A")),
    "a direction of its own": Case(task={"pass": "up"}, says=("pass", "ascending, descending, both", "up")),
    "angles upside down": Case(task={"incidence_angle": [45, 31]}, says=("angles must rise", "45 to 31")),
    "angles of RTC": Case(
        task={"incidence_angle": [31, 45], "collection": OPERA}, says=("incidence_angle: is for GRD scenes",)
    ),
    "border noise of RTC": Case(
        task={"border_noise": {}, "stack": "stack"}, says=("border_noise: is for GRD scenes",)
    ),
    "another collection": Case(task={"collection": "COPERNICUS/S2"}, says=("collection", "'COPERNICUS/S2'", OPERA)),
    "sigma nought and gamma nought": Case(
        task={"collection": "COPERNICUS/S1_GRD", "stack": "stack"}, says=("never the same product", OPERA)
    ),
    "scale 0": Case(
        task={"grid": {"crs": "EPSG:32720", "resolution": 0}}, says=("grid.resolution", "greater than 0", "0")
    ),
    "no such CRS": Case(
        task={"grid": {"crs": "EPSG:9", "resolution": 10}}, says=("'EPSG:9' is no coordinate reference system",)
    ),
    "half a grid": Case(task={"grid": {"crs": "EPSG:32720"}}, says=("grid.resolution", "is missing")),
    "no bucket": Case(task={"export": {"to": "cloud-storage"}}, says=("cloud-storage needs `bucket`",)),
    "a bucket of Drive": Case(task={"export": {"to": "drive", "bucket": "mine"}}, says=("drive has no bucket",)),
    "no name of a bucket": Case(
        task={"export": {"to": "cloud-storage", "bucket": "gs://Mine"}}, says=("'gs://Mine' is no name of a bucket",)
    ),
    "a folder elsewhere": Case(task={"export": {"folder": "../mine"}}, says=("'../mine' is no folder",)),
    "a tile of its own": Case(task={"export": {"tile": 100}}, says=("export.tile", "64", "100")),
    "the twin of nothing": Case(task={"unfiltered": True}, says=("unfiltered: true is the twin", "no `speckle`")),
    "weeks": Case(task={"composite": {"time": "week"}}, says=("composite.time", "period, month, year", "week")),
    "a stack that is not there": Case(task={"stack": "stock"}, says=("stock", "stack"), remedy=""),
    "over the date line": Case(
        top={"area": {"bbox": [179, -18, -179, -17]}}, says=("±180°", "west 179 is not west of east -179"), remedy=""
    ),
    "beyond the pole": Case(top={"area": {"bbox": [10, 80, 12, 91]}}, says=("latitudes 80 and 91",), remedy=""),
}  # fmt: skip

PLAN = {
    "no area": Case(top={"area": None}, says=("area: is missing",), remedy="Add `area`"),
    "no period": Case(top={"period": None}, says=("period: is missing",), remedy="Add `period`"),
    "at the pole": Case(
        top={"area": {"bbox": [10, 83, 12, 89]}}, says=("area: latitudes 83 to 89 reach beyond UTM",),
        remedy="EPSG:3413", error=InputError,
    ),
    "around the Earth": Case(
        top={"area": {"bbox": [-179, -18, 179, -17]}}, says=("area: longitudes -179 to 179",), remedy="`grid`", error=InputError
    ),
    "a grid of another place": Case(
        task={"grid": {"crs": "EPSG:32611", "resolution": 30}}, says=("grid: EPSG:32611 is made for", "-64.888"),
        remedy="CRS of the area's place", error=InputError,
    ),
    "more pixels than can be meant": Case(
        task={"grid": {"crs": "EPSG:32720", "resolution": 0.0001}}, says=("grid:", "pixels of 0.0001"), remedy="coarser",
        error=InputError,
    ),
    "less than a pixel": Case(
        task={"grid": {"crs": "EPSG:32720", "resolution": 50000}}, says=("area: no pixel of 50000",), remedy="finer",
        error=InputError,
    ),
    "no scene of the area": Case(
        top={"area": {"bbox": [10, 50, 10.1, 50.1]}}, says=("area: it left no scene of COPERNICUS/S1_GRD_FLOAT",),
        remedy="Give an area", error=InputError,
    ),
    "no scene of the period": Case(
        top={"period": {"start": "2015-01-01", "end": "2016-01-01"}}, remedy="Give a period", error=InputError,
        says=("period: from 2015-01-01 until before 2016-01-01 left none of 4 scenes", "2020-01-03 to 2020-01-20"),
    ),
    "no scene of the orbits": Case(
        task={"orbits": [7]}, says=("orbits: [7] left none of 4 scenes", "58, 131"), remedy="Ask for one of these", error=InputError
    ),
    "no scene of the platform": Case(
        task={"platforms": ["S1D"]}, says=("platforms: S1D left none", "S1A, S1B"), remedy="Ask for", error=InputError
    ),
    "the filter that left nothing is the second": Case(
        task={"pass": "descending", "orbits": [131]}, says=("orbits: [131] left none of 2 scenes", "58"), remedy="Ask for",
        error=InputError,
    ),
    "no such collection here": Case(
        task={"collection": OPERA}, says=(OPERA, "not found"), remedy="the collection", error=InputError
    ),
    "a series that starts too late": Case(
        task={"kind": "sentinel1-series", "start": 9}, says=("start: 9 leaves out all passes, of which there are 4",),
        remedy="smaller", error=InputError,
    ),
    "only in Earth Engine": Case(
        task={"backend": "dask"}, says=("only in Earth Engine", "no `stack` is given"), remedy="name it in `stack`",
        error=InputError,
    ),
    "no project": Case(
        settings={"PROJECT": None}, says=("no project for Earth Engine",), remedy="SARBATCH_EARTH_ENGINE_PROJECT",
        error=CredentialsError,
    ),
    "no login": Case(
        settings={"URL": None}, says=("authorize access",), remedy="earthengine authenticate", error=CredentialsError
    ),
    "no key": Case(
        settings={"KEY_FILE": "nowhere.json"}, says=("SARBATCH_EARTH_ENGINE_KEY_FILE", "nowhere.json"), remedy="key of a service account",
        error=CredentialsError,
    ),
    "nobody there": Case(
        settings={"URL": "http://127.0.0.1:9"}, says=("not reached",), remedy="It may work in a moment", error=TransientError
    ),
    "no folder of exports": Case(
        settings={"FILES": None}, says=("export: to: folder",), remedy="SARBATCH_EARTH_ENGINE_FILES", error=InputError
    ),
    "a folder of exports that is not there": Case(
        settings={"FILES": "/nowhere/at/all"}, says=("/nowhere/at/all", "is no folder"), remedy="Set it to the folder",
        error=InputError,
    ),
    "assets of no project": Case(
        task={"export": {"to": "asset"}}, settings={"PROJECT": None}, says=("export: to: asset",),
        remedy="SARBATCH_EARTH_ENGINE_PROJECT", error=InputError,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Four passes of two orbits, two slices each."""
    folder = tmp_path_factory.mktemp("earth-engine")
    simulate(folder, PLAN_OF_SCENES)
    with earth_engine(folder) as found:
        yield found


def tasks_of(case: Case) -> dict[str, Any]:
    made = composite(**case.task) if "kind" not in case.task else dict(case.task)
    return ({"stack": STACK} if "stack" in made else {}) | {"made": made}


def check(case: Case, raised: SarbatchError) -> None:
    assert isinstance(raised, case.error)
    for part in case.says:
        assert part in raised.message
    assert case.remedy in raised.remedy
    assert raised.remedy


def test_the_job_around_the_cases_is_right(place: Place, tmp_path: Path) -> None:
    for task in (composite(), series()):
        job = load_job(write_job(tmp_path, {"made": task}, area=AREA, period=YEAR))
        (planned,) = make_plan(job, settings=planning_settings(place, tmp_path)).tasks
        assert planned.backend == "earth-engine"
        assert planned.order.tiles


@pytest.mark.parametrize("name", VALIDATE)
def test_what_the_job_file_alone_tells(name: str, tmp_path: Path) -> None:
    case = VALIDATE[name]
    with pytest.raises(JobError) as raised:
        load_job(write_job(tmp_path, tasks_of(case), **{"area": AREA, "period": YEAR, **case.top}))
    check(case, raised.value)
    assert "job.yaml" in raised.value.message


@pytest.mark.parametrize("name", PLAN)
def test_what_a_look_at_earth_engine_tells(
    name: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = PLAN[name]
    monkeypatch.setenv("HOME", str(tmp_path))  # without a login
    top = {key: value for key, value in {"area": AREA, "period": YEAR, **case.top}.items() if value is not None}
    job = load_job(write_job(tmp_path, tasks_of(case), **top))
    with pytest.raises(SarbatchError) as raised:
        make_plan(job, settings=planning_settings(place, tmp_path, **case.settings))
    check(case, raised.value)
    assert "tasks.made" in raised.value.message


class Refusing(BaseHTTPRequestHandler):
    """Google's login, to which a key says nothing any more."""

    def do_POST(self) -> None:
        body = json.dumps(
            {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        ).encode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def login() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


def test_expired_credentials(place: Place, login: str, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {"type": "service_account", "client_email": "a@b.example", "private_key": secret.decode(), "token_uri": login}
    (tmp_path / "key.json").write_text(json.dumps(key | {"project_id": "p", "private_key_id": "1", "client_id": "2"}))
    job = load_job(write_job(tmp_path, {"made": composite()}, area=AREA, period=YEAR))
    with pytest.raises(CredentialsError, match="expired or revoked") as raised:
        make_plan(job, settings=planning_settings(place, tmp_path, KEY_FILE=str(tmp_path / "key.json")))
    assert "earthengine authenticate" in raised.value.remedy
    assert raised.value.exit_code == 3


# -- products and keys ------------------------------------------------------------------------------------------------


def parameters(**more: Any) -> Sentinel1Composite:
    return Sentinel1Composite.model_validate(more)


def test_products_of_every_quantity_and_reducer_are_declared() -> None:
    every = parameters(
        quantities=["ratio", "ratio_db", "vh", "vv", "vh_db", "vv_db"],
        reducers=["p95", "count", "p05", "mean", "median", "stdDev"],
        speckle={"filter": "lee"},
        unfiltered=True,
    )
    names = list(measures(every))
    assert len(names) == len(set(names)) == 6 * 5 * 2 + 1
    assert names[-1] == "count"
    for name, measure in measures(every).items():
        row = KIND.product(name)
        assert row.role == "raster"
        assert row.units == ("dB" if "_db" in name else "1")
        assert name.endswith("_unfiltered") == (not measure.filtered)
    assert KIND.product("count").dtype == "int32"
    for name in every.quantities:
        assert SERIES.product(name).units == ("dB" if name.endswith("_db") else "1")


def test_a_twin_is_told_apart_and_a_composite_without_a_filter_has_none() -> None:
    plain = measures(parameters(quantities=["vv"], reducers=["median"]))
    assert list(plain) == ["vv_median"]
    twins = measures(parameters(quantities=["vv"], reducers=["median"], speckle={"filter": "boxcar"}, unfiltered=True))
    assert {name: one.filtered for name, one in twins.items()} == {"vv_median": True, "vv_median_unfiltered": False}


SAME = [
    ({}, {"collection": "COPERNICUS/S1_GRD_FLOAT"}),
    ({}, {"collection": None}),
    (speckle("lee"), speckle("lee", window=7)),
    (speckle("refined_lee"), speckle("refined_lee", window=7)),
    (speckle("focal_median"), speckle("focal_median", radius=50)),
    ({"quantities": ["vv", "ratio_db"]}, {"quantities": ["ratio_db", "vv", "vv"]}),
    ({"reducers": ["p95", "median", "count"]}, {"reducers": ["count", "median", "p95"]}),
    ({"orbits": [131, 58]}, {"orbits": [58, 131, 58]}),
    ({"platforms": ["S1B", "S1A"]}, {"platforms": ["S1A", "S1B"]}),
    ({}, {"export": {"to": "drive", "tile": 640, "priority": 7}}),
    ({"stack": "one"}, {"stack": "two"}),
    ({"stack": "one"}, {"stack": "one", "collection": OPERA}),
]
OTHER = [
    ({}, speckle("boxcar")),
    (speckle("lee"), speckle("lee", window=5)),
    (speckle("lee"), speckle("lee", looks=4)),
    ({}, {"pass": "ascending"}),
    ({}, {"reducers": ["median"]}),
    ({}, {"composite": {"time": "month"}}),
    ({}, {"grid": {"crs": "EPSG:32720", "resolution": 10}}),
    ({}, {"valid_range": {"min": -30, "units": "dB"}}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_the_same_has_one_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert identity(parameters(**one), line=False) == identity(parameters(**other), line=False)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_makes_other_pixels_has_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert identity(parameters(**one), line=False) != identity(parameters(**other), line=False)


def test_parameters_go_through_an_order_and_back() -> None:
    for given in (
        speckle("focal_median"),
        speckle("lee_sigma"),
        {"pass": "descending", "valid_range": {"max": 3}},
        {"stack": "one", **speckle("lee", looks=4)},
        {"stack": "one", "collection": OPERA},
    ):
        one = parameters(**given)
        assert Sentinel1Composite.model_validate(one.model_dump(mode="json", by_alias=True)) == one


def test_decibels_of_a_range_is_power_inside() -> None:
    given = parameters(valid_range={"min": -30, "max": 10, "units": "dB"}).valid_range
    assert given is not None
    assert given.power == pytest.approx((0.001, 10.0))


def test_looks_of_grd_are_known_where_a_filter_needs_them() -> None:
    assert parameters(**speckle("lee")).looks == 4.4
    assert parameters(**speckle("lee", looks=3)).looks == 3
    assert parameters(**speckle("refined_lee")).looks is None


def test_what_a_certificate_must_cover() -> None:
    assert {"filter lee", "quantity vv", "reducer p*", "reducer median", "grid native"} == set(
        covers(parameters(quantities=["vv"], reducers=["median", "p05", "p95"], **speckle("lee")))
    )


def parsed(task: Mapping[str, Any]) -> Job:
    return parse_job(json.dumps({"name": "a", "output": "o", "tasks": {"t": dict(task)}}), folder=Path("/"))


def test_a_series_takes_the_same_and_no_reducer() -> None:
    assert parsed(series(limit=3, **speckle("boxcar"))).tasks[0].kind == "sentinel1-series"
    with pytest.raises(JobError, match="unknown key 'reducers'"):
        parsed(series(reducers=["mean"]))
    with pytest.raises(JobError, match=r"limit: must be 1 or greater \(here: 0\)"):
        parsed(series(limit=0))
