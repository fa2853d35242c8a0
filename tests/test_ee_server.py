"""The server over plain HTTP: whatever comes, the answer is JSON in Earth Engine's form, and the server lives on."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from earth_engine import PROJECT, MemoryCatalogue, NpyExporter
from graph_mutations import SEEDS, call, expression, mutated, nested

from gee.local.errors import STATUS
from gee.local.server.discovery import discovery_document
from gee.local.server.fields import pick
from gee.local.server.methods import METHODS
from gee.local.server.serving import serving
from gee.local.server.site import Settings
from gee.local.work.interruption import go_on

BASE = f"/v1/projects/{PROJECT}"
SUM = {"expression": expression(call("Number.add", left=1, right=2))}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("exports")
    settings = Settings(catalogue=MemoryCatalogue(), exporter=lambda context: NpyExporter(context, folder))
    with serving(settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        yield http


def refusal(answer: httpx.Response, code: int = 400) -> str:
    """Message of an error in Earth Engine's form."""
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "status"}
    assert (error["code"], error["status"]) == (code, STATUS[code])
    assert "Traceback" not in error["message"]
    return str(error["message"])


def test_algorithms_are_the_clients_own_file_byte_for_byte(http: httpx.Client) -> None:
    own = (resources.files("ee") / "tests" / "algorithms.json").read_bytes()
    assert http.get(f"{BASE}/algorithms").content == own


def test_the_discovery_document_names_every_method_once(http: httpx.Client) -> None:
    document = http.get("/prefix/$discovery/rest?version=v1").json()
    assert document["rootUrl"] == f"{http.base_url}/prefix/".replace("//prefix", "/prefix")
    found = []

    def walk(place: dict[str, Any], path: str) -> None:
        found.extend(path + name for name in place.get("methods", {}))
        for name, inner in place.get("resources", {}).items():
            walk(inner, f"{path}{name}.")

    walk(document["resources"]["projects"], "")
    assert sorted(found) == sorted(method.id for method in METHODS)
    assert document == discovery_document(document["rootUrl"].rstrip("/"))
    refusal(http.get("/$discovery/rest?version=v2"), 404)


def test_values_are_computed_under_any_prefix(http: httpx.Client) -> None:
    assert http.post(f"{BASE}/value:compute", json=SUM).json() == {"result": 3}
    assert http.post(f"/a/b{BASE}/value:compute?key=some-key&alt=json", json=SUM).json() == {"result": 3}


def test_pretty_print(http: httpx.Client) -> None:
    assert http.post(f"{BASE}/value:compute?prettyPrint=false", json=SUM).text == '{"result":3}'
    assert http.post(f"{BASE}/value:compute", json=SUM).text == '{\n  "result": 3\n}'


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ("a", {"a": 1}),
        ("b/c", {"b": {"c": 2}}),
        ("b.c,a", {"a": 1, "b": {"c": 2}}),
        ("l(x)", {"l": [{"x": 1}, {}]}),
        ("*", {"a": 1, "b": {"c": 2, "d": 3}, "l": [{"x": 1}, {"y": 2}]}),
        ("nothing", {}),
    ],
)
def test_field_masks(fields: str, left: Any) -> None:
    assert pick({"a": 1, "b": {"c": 2, "d": 3}, "l": [{"x": 1}, {"y": 2}]}, fields) == left


# ---------------------------------------------------------------------------------------------- wrong requests


@pytest.mark.parametrize(
    ("verb", "path", "code"),
    [
        ("GET", "/", 404),
        ("NONSENSE", "/", 404),
        ("OPTIONS", f"{BASE}/value:compute", 404),
        ("GET", "/v1/projects/p/nothing", 404),
        ("GET", "/v2/projects/p/algorithms", 404),
        ("PUT", f"{BASE}/value:compute", 404),
        ("GET", f"{BASE}/operations/NOPE", 404),
        ("POST", f"{BASE}/operations/NOPE:cancel", 404),
        ("POST", f"{BASE}/operations/NOPE:wait", 404),
        ("GET", f"{BASE}/maps/nope/tiles/0/0/0", 404),
        ("GET", f"{BASE}/thumbnails/nope:getPixels", 404),
        ("GET", f"{BASE}/assets/..%2F..%2Fetc/passwd", 400),
        ("GET", f"{BASE}/assets/a//b", 400),
        ("GET", f"{BASE}/assets/%00", 400),
        ("GET", f"{BASE}/assets/{'x' * 300}", 400),
        ("DELETE", f"{BASE}/assets/a/%2e%2e/%2e%2e/b", 400),
        ("GET", f"{BASE}/operations?pageToken=zzz", 400),
        ("GET", f"{BASE}/operations?pageSize=many", 400),
        ("GET", f"{BASE}/operations?pageSize=-5", 400),
        ("GET", f"{BASE}/operations?filter=a", 400),
        ("GET", f"{BASE}:listAssets?pageToken=0g", 400),
        ("GET", f"{BASE}:listAssets?filter=a+OR+b", 400),
        ("GET", f"{BASE}:listAssets?view=SOME", 400),
        ("POST", f"{BASE}/map:export", 400),
        ("POST", f"{BASE}/assets/a:setIamPolicy", 400),
        ("GET", f"{BASE}/config", 400),
        ("GET", "/local/nothing", 404),
    ],
)
def test_wrong_paths(http: httpx.Client, verb: str, path: str, code: int) -> None:
    refusal(http.request(verb, path), code)


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"null", b"nan", b'"text"', b"\xff\xfe", b"{}", b'{"expression": 5}', b'{"expression": {}}', b"[" * 200_000,
     b'{"a":' * 100_000, b'{"expression": NaN}', b'{"expression": 1e999}', b'{"expression": 1' + b"0" * 5000 + b"}", b'{"expression": {"result": "0", "values": {"0": {"valueReference": "0"}}}}'],
    ids=range(15),
)  # fmt: skip
@pytest.mark.parametrize("method", ["value:compute", "image:computePixels", "image:export", "maps", "thumbnails"])
def test_wrong_bodies(http: httpx.Client, method: str, content: bytes) -> None:
    answer = http.post(f"{BASE}/{method}", content=content, headers={"content-type": "application/json"})
    assert refusal(answer)


def test_a_body_must_be_called_json(http: httpx.Client) -> None:
    for headers in (
        {"content-type": "text/plain"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {},
    ):
        answer = http.post(f"{BASE}/value:compute", content=json.dumps(SUM).encode(), headers=headers)
        assert "must be application/json" in refusal(answer)


def test_a_body_has_a_largest_size(http: httpx.Client) -> None:
    huge = json.dumps(SUM | {"more": "x" * 11 * 2**20}).encode()
    answer = http.post(f"{BASE}/value:compute", content=huge, headers={"content-type": "application/json"})
    assert refusal(answer) == "Request payload size exceeds the limit: 10485760 bytes."


def test_what_is_not_http_disturbs_nobody(http: httpx.Client) -> None:
    place = (http.base_url.host, http.base_url.port)
    for text in (b"\x00\x01\x02\r\n\r\n", b"GET", b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n{"):
        with socket.create_connection(place, timeout=5) as wire:
            wire.sendall(text)
    assert http.post(f"{BASE}/value:compute", json=SUM).json() == {"result": 3}


@pytest.mark.parametrize(("depth", "answered"), [(500, True), (1900, True), (20_000, False), (60_000, False)])
def test_depth(http: httpx.Client, depth: int, answered: bool) -> None:
    content = nested(depth).encode()
    answer = http.post(f"{BASE}/value:compute", content=content, headers={"content-type": "application/json"})
    if answered:
        assert answer.json() == {"result": depth}
    else:
        assert "nested too deeply" in refusal(answer) or "Invalid JSON" in refusal(answer)


def test_a_fault_of_our_own_is_an_answer_and_a_line_in_the_log(
    http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(MemoryCatalogue):
        def describe(self, asset: str) -> Any:
            raise RuntimeError("a secret path")

    with serving(Settings(catalogue=Broken())) as url, caplog.at_level(logging.ERROR):
        answer = httpx.get(f"{url}{BASE}/assets/a")
    assert "an internal error of this local Earth Engine has occurred (RuntimeError)" in refusal(answer)
    assert "a secret path" in caplog.text


def test_a_state_folder_that_is_taken_is_said_at_once(tmp_path: Path) -> None:
    settings = Settings(exporter=lambda context: NpyExporter(context, tmp_path), state=tmp_path)
    with serving(settings), pytest.raises(RuntimeError, match="another local Earth Engine"), serving(settings):
        pass


def test_the_server_ends_although_something_is_being_computed() -> None:
    begun = threading.Event()

    class Endless(MemoryCatalogue):
        def load_image(self, asset: str) -> Any:
            begun.set()
            while True:
                go_on()
                time.sleep(0.01)

    body = {"expression": expression(call("Image.load", id="a"))}
    with ThreadPoolExecutor(1) as threads:
        with serving(Settings(catalogue=Endless())) as url:
            answer = threads.submit(httpx.post, f"{url}{BASE}/value:compute", json=body, timeout=60)
            assert begun.wait(30)
        with contextlib.suppress(httpx.TransportError):
            refusal(answer.result(), 503)


def test_interactive_requests_end(http: httpx.Client) -> None:
    with serving(Settings(seconds=0.0)) as url:
        answer = httpx.post(f"{url}{BASE}/value:compute", json=SUM)
    assert refusal(answer) == "Computation timed out."


# ---------------------------------------------------------------------------------------------- random graphs


def send(http: httpx.Client, random: Random) -> tuple[int, str]:
    """Status and message of a mutated graph sent to a method; what is computed from it is bounded."""
    graph = mutated(random)
    grid = {
        "dimensions": {"width": 8, "height": 8},
        "affineTransform": {"scaleX": 1, "scaleY": -1},
        "crsCode": "EPSG:4326",
    }
    method, more = random.choice(
        [
            ("value:compute", {}),
            ("image:computePixels", {"fileFormat": "NPY", "grid": grid}),
            ("maps", {}),
            ("thumbnails", {"fileFormat": "PNG"}),
        ]
    )
    answer = http.post(
        f"{BASE}/{method}",
        content=json.dumps({"expression": graph, **more}),
        headers={"content-type": "application/json"},
    )
    if answer.status_code == 200:
        return 200, ""
    return answer.status_code, refusal(answer, answer.status_code)


def fuzz(http: httpx.Client, count: int) -> None:
    answers = {seed: send(http, Random(seed)) for seed in range(count)}
    assert {status for status, _ in answers.values()} == {200, 400}
    faults = {message: seed for seed, (_, message) in answers.items() if "internal error" in message}
    assert not faults, f"{len(faults)} kinds of internal errors, with the seed of one: {faults}"
    assert http.post(f"{BASE}/value:compute", json=SUM).json() == {"result": 3}


def test_seeds_of_the_random_graphs_are_valid_themselves(http: httpx.Client) -> None:
    answers = [http.post(f"{BASE}/value:compute", json={"expression": seed}) for seed in SEEDS]
    assert all(answer.status_code in (200, 400) for answer in answers)
    assert sum(answer.status_code == 200 for answer in answers) >= 3


def test_random_graphs(http: httpx.Client) -> None:
    fuzz(http, 200)


@pytest.mark.soak
def test_many_random_graphs(http: httpx.Client) -> None:
    fuzz(http, 10_000)


def test_many_at_once(http: httpx.Client) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: http.post(f"{BASE}/value:compute", json=SUM).json(), range(200)))
    assert answers == [{"result": 3}] * 200


# ---------------------------------------------------------------------------------------------- the command


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("sarbatch"), "earth-engine", "serve", tmp_path / "ee", "--port", "0"]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4]
        took = time.monotonic() - begun
        assert httpx.post(f"{url}{BASE}/value:compute", json=SUM).json() == {"result": 3}
        assert httpx.get(f"{url}/local/status").json()["operations"] == {}
        process.terminate()
        assert process.wait(timeout=30) == 0
    print(f"ready after {took:.2f} s")
    assert (tmp_path / "ee/assets").is_dir()
