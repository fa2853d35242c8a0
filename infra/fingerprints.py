"""What a file is, apart from where and when: its size and content hash, or its ETag on S3."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple, cast

from infra.errors import InputError
from infra.storage import Location, S3Options, archive_and_member

THREADS = 8  # of objects, which wait for storage; hashing waits for processors
SETTLED_NS = 2 * 10**9  # a file may change again within one step of its disk's clock (FAT: 2 s) and look the same


class _Version(NamedTuple):
    """What a file's folder entry says, all of which changes with its content: bytes, and times in ns."""

    size: int
    modified: int
    changed: int


class _Known(NamedTuple):
    """What is remembered: the version of the file (of the archive, where it is in one), hash and bytes of the content."""

    version: _Version
    hash: str
    size: int


def fingerprint(url: str, *, s3: S3Options, cache: Path | None) -> tuple[int, str]:
    """Size in bytes and hash of one file: "sha256:…" of a local file's content, "etag:…" of an S3 object.

    Parameters
    ----------
    url : local path or s3:// URL. "ARCHIVE.zip!/MEMBER" is a file in an archive: on disk the file itself counts, so that
        it is the same file packed or unpacked; on S3 the archive's size and ETag stand for it.
    cache : file that remembers hashes of unchanged files; None: every byte is read

    Raises
    ------
    InputError
        If there is no such file, it changed while it was read, or its archive is damaged.
    """
    return fingerprint_many([url], s3=s3, cache=cache)[0]


def fingerprint_many(urls: Sequence[str], *, s3: S3Options, cache: Path | None) -> list[tuple[int, str]]:
    """`fingerprint` of each URL, in order, by a few threads.

    Raises
    ------
    InputError
        If one of them is not there, or changed while it was read.
    """
    from concurrent.futures import ThreadPoolExecutor

    paths = {url: os.path.abspath(url) for url in urls if not url.startswith("s3://")}  # noqa: PTH100 -- a link's own name
    buckets = {bucket: Location(bucket, s3) for bucket in map(_bucket, urls) if bucket}
    known = _load(cache) if paths else {}

    def one(url: str) -> _Known:
        if url in paths:
            return _of_file(paths[url], known)
        return _of_object(url, buckets[_bucket(url)])

    threads = THREADS if len(paths) < len(urls) else min(THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        found = dict(zip(urls, pool.map(one, urls), strict=True))
    fresh = {paths[url]: now for url, now in found.items() if url in paths and known.get(paths[url]) != now}
    if cache and fresh:
        _save(cache, {**known, **fresh})
    return [(found[url].size, found[url].hash) for url in urls]


def _of_file(path: str, known: Mapping[str, _Known]) -> _Known:
    holder, _ = archive_and_member(path)
    try:
        version = _version(holder)
        if path in known and known[path].version == version:
            return known[path]
        with _opened(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        if _version(holder) != version:
            raise InputError(f"{holder} changed while it was read", "Wait until whoever writes it has ended.")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "Name a file that is there and can be read."
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path} is damaged: {error}", "Download the archive again.") from error
    return _Known(version, f"sha256:{digest}", size)


@contextmanager
def _opened(path: str) -> Iterator[BufferedIOBase]:
    """A file's content, unpacked where it lies in an archive; there its checksum is verified at the end."""
    holder, member = archive_and_member(path)
    if not member:
        with Path(path).open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(holder) as archive, archive.open(member) as packed:
        yield cast("BufferedIOBase", packed)  # the stubs know less than zipfile gives


def _of_object(url: str, bucket: Location) -> _Known:
    entry = bucket.stat(archive_and_member(url)[0].removeprefix(bucket.url))
    if entry is None:
        raise InputError(f"{url} cannot be read: there is no such object", "Name an object that is there.")
    return _Known(_Version(entry.size, 0, 0), f"etag:{entry.etag}", entry.size)


def _version(path: str) -> _Version:
    stat = Path(path).stat()
    return _Version(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _bucket(url: str) -> str:
    return "/".join(url.split("/")[:3]) if url.startswith("s3://") else ""


def _load(cache: Path | None) -> dict[str, _Known]:
    """Remembered hashes; none where there is no cache or it is not one: it can always be made again."""
    try:
        rows = json.loads(cache.read_bytes()) if cache else {}
        return {path: _Known(_Version(*map(int, row[:3])), str(row[3]), int(row[4])) for path, row in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return {}


def _save(cache: Path, known: Mapping[str, _Known]) -> None:
    settled = time.time_ns() - SETTLED_NS
    rows = {
        path: [*row.version, row.hash, row.size]
        for path, row in known.items()
        if max(row.version.modified, row.version.changed) < settled
    }
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_name(f".{cache.name}.{secrets.token_hex(4)}")
    try:
        partial.write_text(json.dumps(rows), encoding="utf-8")
        partial.replace(cache)
    finally:
        partial.unlink(missing_ok=True)
