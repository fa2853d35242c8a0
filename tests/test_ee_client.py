"""The real client on the local server: what `ee` does and shows, in its own words."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ee
import httpx
import numpy as np
import pytest
from earth_engine import PROJECT, MemoryCatalogue, NpyExporter, client, initialize
from google.oauth2.credentials import Credentials

from gee.local.faults import Fault
from gee.local.server.serving import serving
from gee.local.server.site import Settings

# old calls are still called: the client says that they are deprecated
pytestmark = pytest.mark.filterwarnings(r"ignore:\w+\(\) is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    ee.Reset()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"credentials": None},
        {"credentials": Credentials(token="static")},
        {"credentials": Credentials(token="static", quota_project_id=PROJECT), "project": None},
        {"credentials": None, "cloud_api_key": "a-key"},
    ],
    ids=["anonymous", "none", "token", "project of the token", "key"],
)
@pytest.mark.parametrize("ending", ["", "/", "/some/prefix"], ids=["plain", "slash", "prefix"])
def test_every_way_to_initialize(url: str, options: dict[str, object], ending: str) -> None:
    initialize(url + ending, **options)
    assert ee.Number(1).add(2).getInfo() == 3


def test_the_old_name_of_the_url_works(url: str) -> None:
    initialize(url)
    ee.Reset()
    ee.deprecation.deprecated_assets = {"-": None}
    ee.Initialize(None, opt_url=url, project=PROJECT)  # noqa: TID251 -- the old spelling is what is looked at
    assert ee.Number(2).add(2).getInfo() == 4


def test_without_a_project_the_client_refuses(url: str) -> None:
    with pytest.raises(ee.EEException, match="no project found"):
        initialize(url, project=None)


def test_the_client_gets_its_own_list(url: str) -> None:
    initialize(url)
    assert len(ee.ApiFunction.allSignatures()) > 900


def test_errors_reach_the_client_word_for_word() -> None:
    with client(), pytest.raises(ee.EEException, match=r"^Unknown function name: Nothing\.$"):
        ee.ApiFunction("Nothing", {"name": "Nothing", "args": [], "returns": "Object"}).call().getInfo()


def test_deep_graphs_are_evaluated(url: str) -> None:
    initialize(url)
    total = ee.Number(0)
    for _ in range(900):
        total = ee.Number(1).add(total)
    assert total.getInfo() == 900


# ---------------------------------------------------------------------------------------------- exports


@pytest.fixture
def exporting(tmp_path: Path) -> Iterator[Path]:
    """Folder that exports go to, with the client on a server that makes them."""
    settings = Settings(catalogue=MemoryCatalogue(), exporter=lambda context: NpyExporter(context, tmp_path))
    with client(settings):
        yield tmp_path


def export(name: str, **options: Any) -> ee.batch.Task:
    region = ee.Geometry.Rectangle([500000, 7999900, 500200, 8000000], "EPSG:32733", geodesic=False)
    image = ee.Image("COPERNICUS/S1_GRD/IMG1")
    given = {"folder": "s1", "fileNamePrefix": name, "region": region, "scale": 10} | options
    return ee.batch.Export.image.toDrive(image, name, **given)


def finished(task: ee.batch.Task) -> dict[str, Any]:
    end = time.monotonic() + 30
    while (status := task.status())["state"] not in ("COMPLETED", "FAILED", "CANCELLED"):
        assert time.monotonic() < end, status
        time.sleep(0.02)
    return status


def test_an_export_from_start_to_file(exporting: Path) -> None:
    task = export("ratio", priority=200)
    task.start()
    status = finished(task)
    assert status["state"] == "COMPLETED", status
    assert (status["description"], status["task_type"], status["priority"], status["attempt"]) == (
        "ratio",
        "EXPORT_IMAGE",
        200,
        1,
    )
    assert status["batch_eecu_usage_seconds"] > 0
    assert status["creation_timestamp_ms"] <= status["start_timestamp_ms"] <= status["update_timestamp_ms"]
    assert status["destination_uris"] == [(exporting / "ratio.npy").as_uri()]
    assert np.load(exporting / "ratio.npy").shape == (10, 20)
    assert not task.active()
    assert [(one.id, one.state) for one in ee.batch.Task.list()] == [(task.id, "COMPLETED")]
    assert ee.data.getTaskStatus(task.id)[0]["state"] == "COMPLETED"


def test_a_failed_export_says_why(exporting: Path) -> None:
    image = ee.Image("COPERNICUS/S1_GRD/NOPE")
    task = ee.batch.Export.image.toCloudStorage(image, "bad", bucket="bucket", region=ee.Geometry.Point(1, 2).buffer(9))
    task.start()
    status = finished(task)
    assert status["state"] == "FAILED"
    assert "Image asset 'COPERNICUS/S1_GRD/NOPE' not found" in status["error_message"]
    assert "batch_eecu_usage_seconds" not in status


def test_what_is_not_there_is_refused_at_once(exporting: Path) -> None:
    table = ee.batch.Export.table.toDrive(ee.FeatureCollection([]), "table")
    with pytest.raises(ee.EEException, match="does not implement EXPORT_FEATURES"):
        table.start()
    video = ee.batch.Export.video.toDrive(ee.ImageCollection([ee.Image(1)]), "video", dimensions=16, framesPerSecond=1)
    with pytest.raises(ee.EEException, match=r"does not implement the method projects\.video\.export"):
        video.start()
    assert ee.data.listOperations() == []


def test_one_request_id_starts_one_operation(exporting: Path) -> None:
    body = export("once").config
    first = ee.data.exportImage("run-1-tile-2-attempt-3", dict(body))
    second = ee.data.exportImage("run-1-tile-2-attempt-3", dict(body))
    assert first["name"] == second["name"]
    assert len(ee.data.listOperations()) == 1


def test_an_unknown_operation(exporting: Path) -> None:
    assert ee.data.getTaskStatus("NOPE")[0]["state"] == "UNKNOWN"
    with pytest.raises(ee.EEException, match=r'Operation "projects/local-demo/operations/NOPE" not found\.'):
        ee.data.getOperation("projects/local-demo/operations/NOPE")


def test_an_export_is_cancelled(exporting: Path) -> None:
    with client(
        Settings(
            catalogue=MemoryCatalogue(),
            exporter=lambda context: NpyExporter(context, exporting),
            faults=[Fault(kind="stuck")],
        )
    ):
        tasks = [export(name) for name in ("one", "two", "waiting")]
        for task in tasks:
            task.start()
        tasks[2].cancel()
        assert tasks[2].status()["state"] == "CANCELLED"
        while tasks[0].status()["state"] != "RUNNING":
            time.sleep(0.01)
        ee.data.cancelOperation(f"projects/{PROJECT}/operations/{tasks[0].id}")
        status = finished(tasks[0])
        assert (status["state"], status["error_message"]) == ("CANCELLED", "Cancelled.")
        ee.data.cancelTask(tasks[1].id)
        assert finished(tasks[1])["state"] == "CANCELLED"


def test_all_pages_of_operations_come(exporting: Path) -> None:
    names = [f"task-{number}" for number in range(7)]
    for name in names:
        export(name).start()
    calls = ee.data._get_cloud_projects().operations()
    asked, seen = calls.list(name=f"projects/{PROJECT}", pageSize=3), []
    pages = 0
    while asked is not None:
        answer = asked.execute()
        pages += 1
        seen += [one["metadata"]["description"] for one in answer["operations"]]
        asked = calls.list_next(asked, answer)
    assert (pages, seen) == (3, names[::-1])
    assert len(ee.data.listOperations()) == 7


def test_waiting_for_an_operation(exporting: Path) -> None:
    task = export("awaited")
    task.start()
    name = f"projects/{PROJECT}/operations/{task.id}"
    answer = ee.data._get_cloud_projects().operations().wait(name=name, body={"timeout": "30s"}).execute()
    assert answer["metadata"]["state"] == "SUCCEEDED"


def test_fields_are_picked(exporting: Path) -> None:
    export("one").start()
    calls = ee.data._get_cloud_projects().operations()
    answer = calls.list(name=f"projects/{PROJECT}", fields="operations(name,metadata/description)").execute()
    (operation,) = answer["operations"]
    assert set(operation) == {"name", "metadata"}
    assert operation["metadata"] == {"description": "one"}
    with pytest.raises(ee.ee_exception.EEException, match="invalid field mask"):
        ee.data._execute_cloud_call(calls.list(name=f"projects/{PROJECT}", fields="a(b"))


# ---------------------------------------------------------------------------------------------- pixels and assets


def test_pixels_are_a_structured_array_with_a_field_per_band(exporting: Path) -> None:
    image = ee.Image("COPERNICUS/S1_GRD/IMG1").addBands(ee.Image.constant(0.5).rename("half"))
    grid = {
        "dimensions": {"width": 4, "height": 3},
        "affineTransform": {"scaleX": 10, "translateX": 500000, "scaleY": -10, "translateY": 8000000},
        "crsCode": "EPSG:32733",
    }
    pixels = ee.data.computePixels({"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid})
    assert pixels.dtype.names == ("VV", "half")
    assert pixels["VV"].dtype == "uint8"
    assert pixels.shape == (3, 4)
    assert len(set(pixels["VV"][0])) == 4
    np.testing.assert_array_equal(pixels["half"], 0.5)
    only = ee.data.computePixels(
        {"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid, "bandIds": ["half"]}
    )
    assert only.dtype.names == ("half",)
    whole = ee.data.getPixels({"assetId": "COPERNICUS/S1_GRD/IMG1", "fileFormat": "NUMPY_NDARRAY"})
    assert whole.shape == (48, 64)


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [
        (40_000, 1, r"Pixel grid dimensions \(40000x1\) must be less than or equal to 32768\."),
        (8_000, 8_000, r"Total request size \(64000000 bytes\) must be less than or equal to 50331648 bytes\."),
    ],
)
def test_pixels_have_limits(exporting: Path, width: int, height: int, message: str) -> None:
    grid = {
        "dimensions": {"width": width, "height": height},
        "affineTransform": {"scaleX": 10, "scaleY": -10},
        "crsCode": "EPSG:32733",
    }
    image = ee.Image("COPERNICUS/S1_GRD/IMG1")
    with pytest.raises(ee.EEException, match=message):
        ee.data.computePixels({"expression": image, "fileFormat": "NPY", "grid": grid})


def test_a_download_by_its_url(exporting: Path) -> None:
    image = ee.Image("COPERNICUS/S1_GRD/IMG1")
    region = ee.Geometry.Rectangle([500000, 7999900, 500200, 8000000], "EPSG:32733", geodesic=False)
    url = image.getDownloadURL({"format": "NPY", "region": region, "scale": 10, "filePerBand": False})
    answer = httpx.get(url)
    assert answer.status_code == 200, answer.text
    assert np.load(io.BytesIO(answer.content)).shape == (10, 20)


def test_assets_are_described_and_listed(exporting: Path) -> None:
    assert ee.data.getAsset("COPERNICUS/S1_GRD/IMG1")["properties"]["instrumentMode"] == "IW"
    assert ee.data.getInfo("COPERNICUS/S1_GRD/NOPE") is None
    with pytest.raises(ee.EEException, match="not found"):
        ee.data.getAsset("COPERNICUS/S1_GRD/NOPE")
    assert len(ee.data.listAssets("COPERNICUS/S1_GRD")["assets"]) == 2
    page = ee.data.listAssets({"parent": "COPERNICUS/S1_GRD", "pageSize": 1, "view": "BASIC"})
    assert [set(one) for one in page["assets"]] == [{"type", "name", "id"}]
    rest = ee.data.listAssets(
        {"parent": "COPERNICUS/S1_GRD", "pageSize": 1, "view": "BASIC", "pageToken": page["nextPageToken"]}
    )
    assert [one["id"] for one in rest["assets"]] == ["COPERNICUS/S1_GRD/IMG2"]
    assert "nextPageToken" not in rest


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"startTime": "2020-01-02T00:00:00Z"}, [2]),
        ({"endTime": "2020-01-02T00:00:00Z"}, [1]),
        ({"properties": ["relativeOrbitNumber_start>58"]}, [2]),
        ({"properties": ['instrumentMode="IW"', "relativeOrbitNumber_start<=58"]}, [1]),
        ({"properties": ["instrumentMode=EW"]}, []),
        ({"region": {"type": "Point", "coordinates": [14.5, -19.5]}}, [1, 2]),
        ({"region": "POINT (16 -19.5)"}, []),
    ],
)
def test_images_are_filtered(exporting: Path, options: dict[str, Any], found: list[int]) -> None:
    images = ee.data.listImages({"parent": "COPERNICUS/S1_GRD"} | options)["images"]
    assert [one["id"] for one in images] == [f"COPERNICUS/S1_GRD/IMG{day}" for day in found]


def test_folders_are_made_and_removed(exporting: Path) -> None:
    name = f"projects/{PROJECT}/assets/tiles"
    ee.data.createAsset({"type": "IMAGE_COLLECTION"}, name)
    assert [one["name"] for one in ee.data.listAssets(f"projects/{PROJECT}/assets")["assets"]] == [name]
    ee.data.deleteAsset(name)
    assert ee.data.getInfo(name) is None
    with pytest.raises(ee.EEException, match="permission"):
        ee.data.deleteAsset("COPERNICUS/S1_GRD/IMG1")


@pytest.mark.parametrize(
    ("ask", "method"),
    [
        (lambda: ee.data.listFeatures({"assetId": f"projects/{PROJECT}/assets/t"}), "assets.listFeatures"),
        (
            lambda: ee.data.computeFeatures({"expression": ee.FeatureCollection([]), "fileFormat": "PANDAS_DATAFRAME"}),
            "table.computeFeatures",
        ),
        (lambda: ee.data.copyAsset("a/b", f"projects/{PROJECT}/assets/t"), "assets.copy"),
        (lambda: ee.data.updateAsset(f"projects/{PROJECT}/assets/t", {"properties": {}}, []), "assets.patch"),
    ],
)
def test_methods_that_are_not_here_are_named(exporting: Path, ask: Callable[[], object], method: str) -> None:
    with pytest.raises(ee.EEException, match=rf"does not implement the method projects\.{method}\.$"):
        ask()


def test_workload_tags_are_counted_and_wrong_ones_refused(exporting: Path) -> None:
    """By tag and kind of computing, as the service tells Cloud Monitoring; its operations have no field for them."""
    image = ee.Image(1).toByte()
    with ee.data.workloadTagContext("run-1-tile-2"):
        assert ee.Number(1).add(1).getInfo() == 2
        (task := export("tagged")).start()
    with ee.data.workloadTagContext("map-3"):
        map_id = image.getMapId()
    with pytest.raises(ee.EEException), ee.data.workloadTagContext("failed"):
        ee.Number(1).divide(ee.Array([1, 2])).getInfo()
    map_id["tile_fetcher"].fetch_tile(0, 0, 0)
    status = finished(task)
    rows = httpx.get(f"{ee.data._get_state().cloud_api_base_url}/local/usage").json()["usage"]
    seconds = {(one["workloadTag"], one["computeType"]): one["eecuSeconds"] for one in rows}
    assert {("run-1-tile-2", "online"), ("run-1-tile-2", "batch"), ("map-3", "online")} <= set(seconds)
    assert seconds["run-1-tile-2", "batch"] == status["batch_eecu_usage_seconds"]
    assert all(one["project"] == f"projects/{PROJECT}" and one["eecuSeconds"] > 0 for one in rows)
    assert "failed" not in {tag for tag, _ in seconds}
    assert "workloadTag" not in ee.data.getOperation(task.name)["metadata"]
    expression = ee.serializer.encode(ee.Number(1), for_cloud_api=True)
    compute = ee.data._get_cloud_projects().value().compute
    body = {"expression": expression, "workloadTag": "Not A Tag"}
    with pytest.raises(ee.EEException, match="workload tag"):
        ee.data._execute_cloud_call(compute(project=f"projects/{PROJECT}", body=body))
