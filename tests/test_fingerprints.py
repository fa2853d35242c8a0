"""Fingerprints: the content decides, whatever the cache says."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from infra import fingerprints
from infra.errors import InputError
from infra.fingerprints import fingerprint, fingerprint_many
from infra.storage import Location, S3Options

NONE = S3Options()


def truth(data: bytes) -> tuple[int, str]:
    return len(data), "sha256:" + hashlib.sha256(data).hexdigest()


def test_content_decides_not_path_or_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    os.utime(tmp_path / "a", (1, 1))
    (tmp_path / "c").write_bytes(b"more")
    urls = [str(tmp_path / name) for name in "cab"]
    assert fingerprint_many(urls, s3=NONE, cache=None) == [truth(b"more"), truth(b"same"), truth(b"same")]


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "SETTLED_NS", 0)
    path, cache = tmp_path / "x", tmp_path / "state" / "cache.json"
    path.write_bytes(b"first")
    time.sleep(0.05)
    first = fingerprint(str(path), s3=NONE, cache=cache)
    read: list[str] = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: (read.append("x"), digest(*a))[1])
    assert fingerprint(str(path), s3=NONE, cache=cache) == first == truth(b"first")
    assert read == []
    path.write_bytes(b"other")  # the same size
    assert fingerprint(str(path), s3=NONE, cache=cache) == truth(b"other")
    assert read == ["x"]
    assert [p.name for p in cache.parent.iterdir()] == ["cache.json"]


def test_a_change_that_keeps_size_and_modification_time_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "SETTLED_NS", 0)
    path, cache = tmp_path / "x", tmp_path / "cache.json"
    path.write_bytes(b"first")
    os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.05)
    assert fingerprint(str(path), s3=NONE, cache=cache) == truth(b"first")
    path.write_bytes(b"other")
    os.utime(path, ns=(10**18, 10**18))  # as rsync --times does
    assert fingerprint(str(path), s3=NONE, cache=cache) == truth(b"other")


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    fingerprint(str(tmp_path / "x"), s3=NONE, cache=tmp_path / "cache.json")
    assert (tmp_path / "cache.json").read_text() == "{}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"x": 3}', b'{"x": [1]}', b"\xff\xfe"])
def test_a_broken_cache_is_ignored(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cache.json").write_bytes(content)
    (tmp_path / "x").write_bytes(b"1")
    assert fingerprint(str(tmp_path / "x"), s3=NONE, cache=tmp_path / "cache.json") == truth(b"1")


def test_missing_files_are_named(tmp_path: Path, s3_bucket: Location) -> None:
    for url in (str(tmp_path / "not there"), s3_bucket.href("not there")):
        with pytest.raises(InputError, match=r"not there cannot be read"):
            fingerprint(url, s3=s3_bucket.s3, cache=None)
    with pytest.raises(InputError, match="directory"):
        fingerprint(str(tmp_path), s3=NONE, cache=None)


def test_an_object_is_known_by_size_and_etag(s3_bucket: Location, tmp_path: Path) -> None:
    s3_bucket.write("x", b"content")
    (tmp_path / "y").write_bytes(b"local")
    expected = (7, "etag:" + hashlib.md5(b"content").hexdigest())  # S3's ETag of an object sent in one part
    urls = [s3_bucket.href("x"), str(tmp_path / "y")]
    assert fingerprint_many(urls, s3=s3_bucket.s3, cache=tmp_path / "c") == [expected, truth(b"local")]
