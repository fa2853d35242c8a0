"""Storage: atomic, conditional, the same on a folder and on S3; refusals say what is wrong and what to do."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from infra.errors import CredentialsError, InputError, OutputError, TransientError, UserError
from infra.storage import Location, S3Options, gdal_environment, gdal_path

ROOT = Path(__file__).parents[1]
NAMES = ["item.json", "a/b/c.tif", "a/deep er/é ü%20~#x.txt", "a.b/0"]


def test_what_is_written_is_read_listed_and_deleted(location: Location) -> None:
    for i, name in enumerate(NAMES):
        location.write(name, b"x" * (i + 1))
    assert [(e.name, e.size) for e in location.list()] == sorted((n, i + 1) for i, n in enumerate(NAMES))
    assert [e.name for e in location.list("a")] == sorted(n for n in NAMES if n.startswith("a/"))  # not a.b/
    assert all(location.read(name) == b"x" * (i + 1) for i, name in enumerate(NAMES))
    assert location.folders() == ["a", "a.b"]
    assert location.folders("a") == ["b", "deep er"]
    assert location.folders("a/b") == location.folders("no/where") == []
    location.write(NAMES[0], b"other")
    assert location.read(NAMES[0]) == b"other"
    location.delete([NAMES[0], "never/there"])
    assert not location.exists(NAMES[0])
    assert location.exists(NAMES[1])
    assert not location.exists("a/b")  # a folder is no object
    location.delete_all()
    assert location.list() == []
    location.write("again", b"1")
    assert [e.name for e in location.list()] == ["again"]


def test_absence_is_empty_or_file_not_found_and_reading_makes_nothing(location: Location, tmp_path: Path) -> None:
    assert location.list() == location.list("x/y") == []
    assert not location.exists("x")
    location.delete(["x"])
    location.delete_all()
    for read in (
        lambda: location.read("x"),
        lambda: location.read_json("x"),
        lambda: location.download("x", tmp_path / "got"),
        lambda: location.rename("x", "y"),
    ):
        with pytest.raises(FileNotFoundError, match=r"/x"):
            read()
    assert not (tmp_path / "got").exists()
    assert location.is_s3 or not Path(location.url).exists()


def test_json_keeps_values_and_refuses_nan(location: Location) -> None:
    value = {"é": [1, 2.5, None, True], "b": {"c": "d"}}
    location.write_json("v.json", value)
    assert location.read_json("v.json") == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        location.write_json("v.json", {"x": float("nan")})
    assert location.read_json("v.json") == value


def test_of_racing_creates_exactly_one_wins(location: Location) -> None:
    gate = threading.Barrier(16)

    def create(i: int) -> bool:
        gate.wait()
        return location.create("fence/0001", b"%d" % i)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(create, range(16)))
    assert won.count(True) == 1
    assert location.read("fence/0001") == b"%d" % won.index(True)


def test_files_go_up_and_down_whole(location: Location, tmp_path: Path) -> None:
    data = os.urandom(23 * 2**20 + 7)  # several parts of a multi-part upload
    (tmp_path / "local").write_bytes(data)
    location.upload(tmp_path / "local", "big/one.bin")
    location.download("big/one.bin", tmp_path / "new folder" / "back")
    assert (tmp_path / "new folder" / "back").read_bytes() == data
    assert [e.size for e in location.list()] == [len(data)]
    location.write("two", b"old")
    location.rename("big/one.bin", "two")
    assert [(e.name, e.size) for e in location.list()] == [("two", len(data))]


def test_a_reader_of_a_rewritten_object_never_sees_half(location: Location) -> None:
    versions = {bytes([i]) * 300_000 for i in range(4)}
    location.write("x", bytes([0]) * 300_000)
    done = threading.Event()

    def rewrite() -> None:
        for _ in range(8):
            for version in versions:
                location.write("x", version)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    listed = set()
    while not done.is_set():
        assert location.read("x") in versions
        listed |= {e.name for e in location.list()}
    writer.join()
    assert listed == {"x"}  # nor the temporary files of a write in progress


def test_a_location_is_a_value(location: Location) -> None:
    location.write("sub/x", b"1")
    copy = pickle.loads(pickle.dumps(location))
    assert copy == location
    assert hash(copy) == hash(location)
    assert (copy / "sub").read("x") == b"1"
    assert (copy / "sub").href("x") == location.href("sub/x")


def test_parse_says_what_a_user_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert Location.parse("./p/../q/", base=tmp_path).url == str(tmp_path / "q")
    assert Location.parse("/a/b/").url == "/a/b"
    assert Location.parse("~/x").url == "/home/someone/x"
    assert Location.parse("file:///a/b%20c").url == "/a/b c"
    assert Location.parse("s3://bucket//a/b/").url == "s3://bucket/a/b"
    assert Location.parse("s3://bucket").href("k") == "s3://bucket/k"
    for bad in ("", "gs://b/p", "s3://", "https://x/y"):
        with pytest.raises(UserError, match=r"s3://bucket/prefix"):
            Location.parse(bad)


def test_a_whole_bucket_is_a_location(s3_bucket: Location) -> None:
    bucket = Location("s3://" + s3_bucket.url.split("/")[2], s3_bucket.s3)
    s3_bucket.write("x", b"1")
    assert [e.name for e in bucket.list()] == ["some/prefix/x"]


def test_a_writable_place_is_left_as_it_was(location: Location) -> None:
    location.write("x", b"1")
    location.check_writable()
    assert [e.name for e in location.list()] == ["x"]
    assert (location.free_bytes() is None) == location.is_s3


def test_a_folder_of_another_user_is_not_writable(tmp_path: Path) -> None:
    place = tmp_path / "theirs"
    place.mkdir()
    for folder in tmp_path.parents:
        if folder != Path("/tmp") and folder.is_relative_to("/tmp"):
            folder.chmod(0o755)
    place.chmod(0o555)
    # Root may write anywhere, whatever the bits say: become nobody, after the imports that root alone may read
    code = f"""
import os, obstore.store, obstore.exceptions
from infra.storage import Location
if os.geteuid() == 0:
    os.setuid(65534)
Location.parse({str(place)!r}).check_writable()"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert f"infra.errors.OutputError: {place} cannot be written: Permission denied" in done.stderr


@pytest.mark.parametrize(("folder", "reason"), [("/proc/sarbatch", "No such file"), ("{file}/x", "Not a directory")])
def test_a_folder_that_cannot_be_made_says_so(folder: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = Location.parse(folder.format(file=tmp_path / "file"))
    with pytest.raises(OutputError, match=rf"{place.url} cannot be written: {reason}"):
        place.check_writable()


def test_missing_keys_are_named_at_once(s3_bucket: Location, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="AWS_SECRET_ACCESS_KEY is not set"):
        Location(s3_bucket.url, s3_bucket.s3).check_writable()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    for use in (lambda p: p.list(), lambda p: p.icechunk_storage(), lambda p: p.zarr_store()):
        with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID is not set"):
            use(Location(s3_bucket.url, s3_bucket.s3))


def test_missing_keys_on_aws_itself_are_named_within_seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    start = time.monotonic()
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID"):
        Location.parse("s3://bucket/x").check_writable()
    assert time.monotonic() - start < 20


def test_keys_of_a_profile_are_used(s3_bucket: Location, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id = k\naws_secret_access_key = s%x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    Location(s3_bucket.url, s3_bucket.s3).check_writable()


def test_a_missing_bucket_is_named(s3_bucket: Location, tmp_path: Path) -> None:
    place = Location("s3://not-made/x", s3_bucket.s3)
    with pytest.raises(OutputError, match="no bucket 'not-made'"):
        place.check_writable()
    for read in (place.list, lambda: place.read("y"), lambda: place.download("y", tmp_path / "y")):
        with pytest.raises(InputError, match="no bucket 'not-made'"):
            read()


def test_a_server_that_is_not_there_is_transient_and_named(s3_bucket: Location) -> None:
    place = Location(s3_bucket.url, S3Options(endpoint="http://127.0.0.1:9"))
    start = time.monotonic()
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:9"):
        place.check_writable()
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "InvalidAccessKeyId", "CredentialsError"),
        (403, "SignatureDoesNotMatch", "CredentialsError"),
        (400, "ExpiredToken", "CredentialsError"),
        (503, "SlowDown", "QuotaError"),
        (500, "InternalError", "TransientError"),
        (301, "PermanentRedirect", "OutputError"),
        (400, "Odd", "EngineError"),
    ],
)
def test_what_a_server_refuses_has_a_class(
    status: int, code: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Refuse(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = f"<Error><Code>{code}</Code></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    server = HTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = Location("s3://b/p", S3Options(endpoint=f"http://127.0.0.1:{server.server_port}"))
    try:
        with pytest.raises(Exception, match=r"s3://b/p") as caught:
            place.write("x", b"1")
    finally:
        server.shutdown()
        server.server_close()
    assert type(caught.value).__name__ == expected
    assert caught.value.remedy


def test_icechunk_and_zarr_rest_there(location: Location) -> None:
    import icechunk
    import zarr

    repo = icechunk.Repository.create((location / "s.icechunk").icechunk_storage())
    session = repo.writable_session("main")
    zarr.create_array(session.store, name="a", data=np.arange(6.0))
    session.commit("six values")
    again = icechunk.Repository.open((location / "s.icechunk").icechunk_storage()).readonly_session("main")
    assert np.array_equal(zarr.open_array(again.store, path="a")[:], np.arange(6.0))
    zarr.create_array((location / "p.zarr").zarr_store(), name="a", data=np.arange(3.0))
    assert np.array_equal(zarr.open_array((location / "p.zarr").zarr_store(), path="a")[:], np.arange(3.0))
    assert {e.name.split("/")[0] for e in location.list()} == {"s.icechunk", "p.zarr"}


def test_gdal_reads_by_the_same_options(location: Location, tmp_path: Path) -> None:
    import rasterio

    truth = np.random.default_rng(1).random((64, 80), dtype="float32")
    with rasterio.open(tmp_path / "x.tif", "w", driver="GTiff", width=80, height=64, count=1, dtype="float32",
                       crs="EPSG:32611", transform=rasterio.Affine(30, 0, 500000, 0, -30, 3800000)) as out:  # fmt: skip
        out.write(truth, 1)
    location.upload(tmp_path / "x.tif", "r/x.tif")
    with rasterio.Env(**gdal_environment(location.s3)), rasterio.open(gdal_path(location.href("r/x.tif"))) as src:
        assert np.array_equal(src.read(1), truth)
        assert int(rasterio.env.get_gdal_config("GDAL_CACHEMAX")) == 64 * 2**20  # bytes: what GDAL itself says


def test_importing_storage_loads_nothing_heavy() -> None:
    code = "import sys, infra.storage, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"obstore", "icechunk", "zarr", "numpy", "rasterio"} & set(json.loads(done.stdout))


def test_a_thread_that_comes_second_waits_for_the_first_import() -> None:
    """Threads of one worker write at once; what is half imported by one is not used by the other."""
    code = """
import sys, tempfile, threading, time
from infra.storage import Location
half = threading.Event()
def slow(frame, event, _):
    if frame.f_code.co_filename.replace(chr(92), "/").endswith("obstore/__init__.py"):
        if "obstore.store" in sys.modules and not sys.modules["obstore.store"].__spec__._initializing:
            half.set()
            time.sleep(0.2)
        return slow
def first():
    sys.settrace(slow)
    Location.parse(tempfile.mkdtemp()).write("first", b"x")
def second():
    assert half.wait(30)
    Location.parse(tempfile.mkdtemp()).write("second", b"x")
    print("written")
threads = [threading.Thread(target=first), threading.Thread(target=second)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("written", "")
