"""Faults on demand, as the real client meets them: each again the same with the same seed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ee
import httpx
import numpy as np
import pytest
from earth_engine import MemoryCatalogue, NpyExporter, initialize

from gee.local.errors import EarthEngineError
from gee.local.faults import KINDS, Fault, Faults, fault_of, fault_of_text
from gee.local.server.serving import serving
from gee.local.server.site import Settings


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("exports")
    with serving(Settings(catalogue=MemoryCatalogue(), exporter=lambda context: NpyExporter(context, folder))) as url:
        yield url


@pytest.fixture(autouse=True)
def _server(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client on the server; it waits for nothing between its attempts."""
    monkeypatch.setattr("googleapiclient.http.time", SimpleNamespace(sleep=lambda seconds: None))
    initialize(url)
    yield
    httpx.delete(f"{url}/local/faults")
    ee.Reset()


def set_faults(url: str, *faults: dict[str, Any]) -> None:
    answer = httpx.post(f"{url}/local/faults", json={"faults": faults})
    assert answer.status_code == 200, answer.text


def happened(url: str) -> list[int]:
    return [one["happened"] for one in httpx.get(f"{url}/local/faults").json()["faults"]]


def task(name: str) -> ee.batch.Task:
    region = ee.Geometry.Rectangle([500000, 7999900, 500200, 8000000], "EPSG:32733", geodesic=False)
    return ee.batch.Export.image.toDrive(ee.Image("COPERNICUS/S1_GRD/IMG1"), name, region=region, scale=10)


# ---------------------------------------------------------------------------------------------- draws


def test_the_same_seed_draws_the_same() -> None:
    def draws(seed: int) -> list[bool]:
        faults = Faults([Fault(kind="drop", probability=0.3, seed=seed)])
        return [faults.draw("drop", "value.compute") is not None for _ in range(200)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)
    assert 30 < sum(draws(7)) < 90


def test_counts_skips_methods_and_sizes() -> None:
    faults = Faults([Fault(kind="drop", on="image.*", count=2, skip=1)])
    assert faults.draw("drop", "value.compute") is None
    assert [faults.draw("drop", "image.export") is not None for _ in range(5)] == [False, True, True, False, False]
    sized = Faults([Fault(kind="memory", pixels=100)])
    sized.check_size("image.export", 100)
    with pytest.raises(EarthEngineError, match="User memory limit exceeded"):
        sized.check_size("image.export", 101)


def test_faults_are_written_in_one_line() -> None:
    assert fault_of_text("drop") == Fault(kind="drop")
    text = "unavailable:on=image.export,probability=0.3,count=2,seed=7"
    assert fault_of_text(text) == Fault(kind="unavailable", on="image.export", probability=0.3, count=2, seed=7)
    assert fault_of_text("fails:message=no 5,seconds=2") == Fault(kind="fails", message="no 5", seconds=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "nothing"},
        {"kind": "drop", "much": 1},
        {"kind": "drop", "probability": 2},
        {"kind": "drop", "count": -1},
        {"kind": "drop", "count": 1.5},
        {"kind": "drop", "on": 5},
        {"kind": "latency", "seconds": True},
        {"kind": "latency", "seconds": float("nan")},
    ],
)
def test_wrong_faults_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(EarthEngineError):
        fault_of(wrong)


def test_faults_are_set_and_seen_and_ended(url: str) -> None:
    set_faults(url, {"kind": "drop", "count": 0})
    told = httpx.get(f"{url}/local/faults").json()
    assert told["faults"][0] | {"kind": "drop", "count": 0, "happened": 0} == told["faults"][0]
    assert set(told["kinds"]) == set(KINDS)
    assert httpx.post(f"{url}/local/faults", json={"faults": [{"kind": "nothing"}]}).status_code == 400
    assert httpx.post(f"{url}/local/faults", json={}).status_code == 400
    assert httpx.delete(f"{url}/local/faults").json() == {"faults": []}


# ---------------------------------------------------------------------------------------------- seen by the client


@pytest.mark.parametrize("kind", ["too-many-requests", "unavailable", "internal", "drop"])
def test_the_client_tries_again(url: str, kind: str) -> None:
    set_faults(url, {"kind": kind, "on": "value.compute", "count": 2})
    assert ee.Number(1).add(2).getInfo() == 3
    assert happened(url) == [2]


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("too-many-requests", 429, "Too many concurrent aggregations."),
        ("unavailable", 503, "The service is currently unavailable."),
        ("internal", 500, "An internal error has occurred"),
    ],
)
def test_the_client_gives_up_after_five_more(url: str, kind: str, code: int, message: str) -> None:
    set_faults(url, {"kind": kind, "on": "value.compute"})
    with pytest.raises(ee.EEException) as told:
        ee.Number(1).add(2).getInfo()
    assert str(told.value) == message
    assert told.value.__context__.resp.status == code
    assert happened(url) == [6]


def test_what_is_forbidden_is_not_tried_again(url: str) -> None:
    set_faults(url, {"kind": "forbidden", "on": "value.compute"})
    with pytest.raises(ee.EEException, match="required permission"):
        ee.Number(1).add(2).getInfo()
    assert happened(url) == [1]


def test_a_lost_answer_starts_no_second_operation(url: str) -> None:
    before = len(ee.data.listOperations())
    set_faults(url, {"kind": "lost-answer", "on": "image.export", "count": 2})
    once = task("lost")
    once.start()
    assert happened(url) == [2]
    assert len(ee.data.listOperations()) == before + 1
    assert once.status()["description"] == "lost"


def test_a_full_queue(url: str) -> None:
    set_faults(url, {"kind": "queue-full", "on": "image.export", "count": 1})
    with pytest.raises(ee.EEException) as told:
        task("full").start()
    message = "Too many tasks already in the queue (3000). Please wait for some of them to complete."
    assert str(told.value) == message
    task("fits").start()


def test_the_header_of_restricted_mode_makes_the_client_warn(url: str) -> None:
    set_faults(url, {"kind": "restricted", "on": "value.compute", "count": 1})
    with pytest.warns(UserWarning, match="restricted mode"):
        assert ee.Number(1).add(2).getInfo() == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ee.Number(1).add(2).getInfo() == 3


def test_latency(url: str) -> None:
    set_faults(url, {"kind": "latency", "on": "value.compute", "seconds": 0.3, "count": 1})
    begun = time.monotonic()
    assert ee.Number(1).add(2).getInfo() == 3
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize(
    ("kind", "message"), [("memory", "User memory limit exceeded."), ("time-out", "Computation timed out.")]
)
def test_too_large_a_tile(url: str, kind: str, message: str) -> None:
    def pixels(side: int) -> Any:
        grid = {
            "dimensions": {"width": side, "height": side},
            "affineTransform": {"scaleX": 10, "scaleY": -10},
            "crsCode": "EPSG:32733",
        }
        image = ee.Image("COPERNICUS/S1_GRD/IMG1")
        return ee.data.computePixels({"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid})

    set_faults(url, {"kind": kind, "pixels": 64})
    assert np.shape(pixels(8)) == (8, 8)
    with pytest.raises(ee.EEException) as told:
        pixels(9)
    assert str(told.value) == message
    large = task("large")  # 20 by 10 pixels
    large.start()
    while (status := large.status())["state"] not in ("COMPLETED", "FAILED"):
        time.sleep(0.02)
    assert (status["state"], status["error_message"]) == ("FAILED", message)


def test_a_cancelled_export_that_finishes_nevertheless(url: str, tmp_path: Path) -> None:
    with serving(
        Settings(
            catalogue=MemoryCatalogue(),
            exporter=lambda context: NpyExporter(context, tmp_path),
            faults=[Fault(kind="slow", seconds=0.5), Fault(kind="late-cancel")],
        )
    ) as other:
        initialize(other)
        late = task("late")
        late.start()
        while late.status()["state"] == "READY":
            time.sleep(0.01)
        late.cancel()
        assert late.status()["state"] in ("CANCEL_REQUESTED", "COMPLETED")
        while (status := late.status())["state"] == "CANCEL_REQUESTED":
            time.sleep(0.02)
        assert status["state"] == "COMPLETED"
