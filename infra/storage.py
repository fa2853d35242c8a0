"""A place where files rest: a folder or an S3 prefix behind one small, picklable value.

Every write is atomic: a reader sees the old object, the new one or none, never half of one. `create` is conditional
("only if absent") on both, which is what fences (`infra.leases`) stand on. Both sides go through obstore.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from infra.errors import InputError, OutputError, SarbatchError, UserError
from infra.s3 import ENVIRONMENT, S3Options, is_http, profile_keys, s3_error, s3_store

if TYPE_CHECKING:
    import icechunk
    from obstore import GetOptions
    from obstore.store import LocalStore, S3Store
    from zarr.abc.store import Store

__all__ = ["Entry", "Location", "S3Options", "archive_and_member", "gdal_environment", "gdal_path"]

IN_ARCHIVE = ".zip!/"  # "FOLDER/NAME.zip!/MEMBER" names a file in an archive
STREAM_BYTES = 8 * 2**20  # bytes per piece of a streamed download
GDAL_CACHE_BYTES = 64 * 2**20  # per process; GDAL's default is 5 % of the machine's memory, times every worker


@dataclass(frozen=True)
class Entry:
    """One object: `name` relative to the Location, `size` in bytes, `modified` UTC, `etag` where the store has one."""

    name: str
    size: int
    modified: datetime
    etag: str | None


Entries = list[Entry]
Names = list[str]


@dataclass(frozen=True)
class Location:
    """A folder or an S3 prefix.

    Attributes
    ----------
    url : absolute folder path or "s3://bucket/prefix", without trailing slash
    s3 : how to reach the store, where `url` is on S3

    Raises
    ------
    OutputError, InputError
        From any method: the folder is read-only or full, the bucket is not there.
    CredentialsError, QuotaError, TransientError, EngineError
        From any method on S3: keys are missing or refused; the server slows down; cannot be reached; says anything else.
    """

    url: str
    s3: S3Options = ENVIRONMENT

    @classmethod
    def parse(cls, text: str, *, base: Path | None = None, s3: S3Options = ENVIRONMENT) -> Location:
        """Location that a user's words name: "s3://…", "file://…" or a folder relative to `base` (default: current).

        Raises
        ------
        UserError
            If it is empty, a URL of another kind, or an s3:// URL without bucket.
        """
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
        if not text.strip() or (scheme and scheme[1] not in {"s3", "file"}):
            raise UserError(f"{text!r} is not a place to store files", "Give a folder or s3://bucket/prefix.")
        if scheme and scheme[1] == "s3":
            parts = [part for part in text.removeprefix("s3://").split("/") if part]
            if not parts:
                raise UserError(f"{text!r} names no bucket", "Give s3://bucket/prefix.")
            return cls("s3://" + "/".join(parts), s3)
        folder = Path(unquote(urlsplit(text).path) if scheme else text).expanduser()
        # abspath, not resolve: a link that the user chose stays what products and messages name
        return cls(os.path.abspath((base or Path()) / folder), s3)  # noqa: PTH100 -- see above

    @property
    def is_s3(self) -> bool:
        """Whether this is an S3 prefix."""
        return self.url.startswith("s3://")

    def __truediv__(self, name: str) -> Location:
        child = Location(self.href(name), self.s3)
        if self.is_s3 and "_store" in self.__dict__:
            child.__dict__["_store"] = self._store  # one connection pool per bucket
        return child

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "s3": self.s3}

    def href(self, name: str) -> str:
        """Absolute path or s3:// URL of an object."""
        return f"{self.url.rstrip('/')}/{name.strip('/')}"

    # -- objects ----------------------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes:
        """Content of an object; FileNotFoundError if it is absent."""
        self._found_locally(name)
        with self._errors(name, writing=False):
            return bytes(self._store.get(self._key(name)).bytes())

    def read_range(self, name: str, *, start: int, length: int) -> bytes:
        """`length` bytes of an object from `start` on, in one request; FileNotFoundError if it is absent."""
        self._found_locally(name)
        with self._errors(name, writing=False):
            return bytes(self._store.get_range(self._key(name), start=start, length=length))

    def read_unchanged(self, name: str, *, start: int, length: int, etag: str | None) -> bytes | None:
        """`length` bytes of the version `etag` of an object; None where another version has taken its place.

        The store itself compares, so that pieces of two versions are never mixed, at no request more.
        """
        import obstore

        options: GetOptions = {"range": (start, start + length)}
        if etag:
            options["if_match"] = f'"{etag}"'
        self._found_locally(name)
        with self._errors(name, writing=False):
            try:
                return bytes(self._store.get(self._key(name), options=options).bytes())
            except obstore.exceptions.PreconditionError:
                return None

    def read_json(self, name: str) -> Any:
        """Parsed JSON of an object; FileNotFoundError if it is absent."""
        return json.loads(self.read(name))

    def write(self, name: str, data: bytes) -> None:
        """Put an object in place of whatever was there, atomically."""
        with self._errors(name, writing=True):
            self._store.put(self._key(name), data, use_multipart=False)

    def write_json(self, name: str, value: Any) -> None:
        """Put a value as UTF-8 JSON, atomically; NaN is refused: JSON has none."""
        self.write(name, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode())

    def create(self, name: str, data: bytes) -> bool:
        """Put an object only if none is there: True if this call made it. Of racing calls exactly one wins.

        On S3 a request that is sent again after a lost answer may say False of an object that it made itself: whoever
        must know compares the content with what it wrote.
        """
        import obstore

        with self._errors(name, writing=True):
            try:
                self._store.put(self._key(name), data, mode="create", use_multipart=False)
            except obstore.exceptions.AlreadyExistsError:
                return False
        return True

    def exists(self, name: str) -> bool:
        """Whether there is an object (a folder is none)."""
        return self.stat(name) is not None

    def stat(self, name: str) -> Entry | None:
        """Size, time and ETag of one object; None if it is absent."""
        try:
            self._found_locally(name)
            with self._errors(name, writing=False):
                meta = self._store.head(self._key(name))
        except FileNotFoundError:
            return None
        return Entry(name, meta["size"], meta["last_modified"], _bare(meta["e_tag"]))

    def list(self, prefix: str = "") -> Entries:
        """Objects below the folder `prefix`, recursive, sorted by name; empty if there is none.

        Writes in progress are not listed.
        """
        if not self.is_s3 and not Path(self.href(prefix)).is_dir():
            return []
        root = self._key("")
        with self._errors(prefix, writing=False):
            found = [meta for batch in self._store.list(self._key(prefix) or None) for meta in batch]
        entries = (
            Entry(m["path"][len(root) :].lstrip("/"), m["size"], m["last_modified"], _bare(m["e_tag"])) for m in found
        )
        return sorted(entries, key=lambda entry: entry.name)

    def folders(self, prefix: str = "") -> Names:
        """Names of the folders (on S3: common prefixes) right below the folder `prefix`, sorted; empty if there is none."""
        if not self.is_s3 and not Path(self.href(prefix)).is_dir():
            return []
        with self._errors(prefix, writing=False):
            found = self._store.list_with_delimiter(self._key(prefix) or None)["common_prefixes"]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; absent names are fine."""
        keys = [self._key(name) for name in names]
        if not keys or (not self.is_s3 and not Path(self.url).is_dir()):
            return
        with self._errors("", writing=True):
            if self.is_s3:
                self._store.delete(keys)
                return
            for key in keys:
                with suppress(FileNotFoundError):
                    self._store.delete(key)

    def delete_all(self) -> None:
        """Remove everything below, and the folder itself."""
        if self.is_s3:
            self.delete([entry.name for entry in self.list()])
        elif Path(self.url).exists():
            with self._errors("", writing=True):
                shutil.rmtree(self.url)
            self.__dict__.pop("_store", None)

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file here, streamed, in place of whatever was there; it appears whole or not at all."""
        with path.open("rb") as file, self._errors(name, writing=True):
            self._store.put(self._key(name), file)

    def download(self, name: str, path: Path) -> None:
        """Copy an object to a local file, streamed; the file appears whole or not at all."""
        self._found_locally(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with self._errors(name, writing=False), partial.open("wb") as file:
                for piece in self._store.get(self._key(name)).stream(min_chunk_size=STREAM_BYTES):
                    file.write(piece)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def rename(self, source: str, target: str) -> None:
        """Move one object within this Location, replacing `target`; on S3 a copy (at most 5 GB), then a delete."""
        self._found_locally(source)
        with self._errors(source, writing=True):
            self._store.rename(self._key(source), self._key(target))

    # -- the place --------------------------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Write, write again under condition, and delete: permission bits alone say nothing (root, read-only mounts).

        Raises
        ------
        OutputError
            If the folder is read-only, full or cannot be made, the bucket is not there, or the store ignores
            conditional writes: two drivers could then both believe that they hold a fence.
        """
        name = f".sarbatch-write-test-{secrets.token_hex(8)}"
        self.create(name, b"first")
        try:
            if self.create(name, b"second"):
                raise OutputError(
                    f"{self.url}: {self.s3.server} ignores conditional writes (If-None-Match), so nothing written there is safe",
                    "Use AWS S3 or a server that honours them.",
                )
        finally:
            self.delete([name])

    def free_bytes(self) -> int | None:
        """Free bytes of the disk that holds (or would hold) the folder; None on S3."""
        if self.is_s3:
            return None
        folder = Path(self.url)
        return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free

    def icechunk_storage(self) -> icechunk.Storage:
        """Icechunk storage of a repository here."""
        import icechunk

        if not self.is_s3:
            return icechunk.local_filesystem_storage(self.url)
        endpoint = self.s3.endpoint_url
        profile_keys(self.s3)  # says at once which key is missing; icechunk's own search takes its time
        return icechunk.s3_storage(
            bucket=self._bucket,
            prefix=self._key(""),
            region=self.s3.region_name,
            endpoint_url=endpoint,
            allow_http=is_http(endpoint),
            force_path_style=endpoint is not None,
            anonymous=self.s3.anonymous,
            from_env=not self.s3.anonymous,
        )

    def zarr_store(self) -> Store:
        """Zarr v3 store of a plain Zarr group here."""
        from zarr.storage import LocalStore, ObjectStore

        return (
            ObjectStore(s3_store(self._bucket, s3=self.s3, prefix=self._key("")))
            if self.is_s3
            else LocalStore(self.url)
        )

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def _bucket(self) -> str:
        return self.url.removeprefix("s3://").partition("/")[0]

    def _key(self, name: str) -> str:
        prefix = self.url.removeprefix("s3://").partition("/")[2] if self.is_s3 else ""
        return "/".join(part for part in (prefix, name.strip("/")) if part)

    @cached_property
    def _store(self) -> LocalStore | S3Store:
        import obstore  # whole, here and elsewhere: a part of it may be there before what it needs is

        return s3_store(self._bucket, s3=self.s3) if self.is_s3 else obstore.store.LocalStore(self.url, mkdir=True)

    def _found_locally(self, name: str) -> None:
        """Reading must not make the folder, which opening its store does."""
        if not self.is_s3 and not Path(self.url).is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such file", self.href(name))

    @contextmanager
    def _errors(self, name: str, *, writing: bool) -> Iterator[None]:
        import obstore

        try:
            yield
        except SarbatchError:
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise s3_error(self.url, str(error), s3=self.s3, writing=writing) from None
            raise FileNotFoundError(errno.ENOENT, "no such file", self.href(name)) from None
        except (obstore.exceptions.BaseError, OSError) as error:
            if self.is_s3:
                raise s3_error(self.url, str(error), s3=self.s3, writing=writing) from error
            raise _folder_error(self.url, str(error), writing=writing) from error


def gdal_path(url: str) -> str:
    """Path that GDAL opens: "/vsis3/bucket/key" for s3://…, "/vsizip/{…}/member" for "….zip!/member", else the path."""
    file, member = archive_and_member(url)
    path = f"/vsis3/{file.removeprefix('s3://')}" if file.startswith("s3://") else file
    held = path if "}" in path else f"{{{path}}}"  # GDAL takes the first brace for the end; without, the first .zip
    return f"/vsizip/{held}/{member}" if member else path


def archive_and_member(url: str) -> tuple[str, str]:
    """Archive and name in it of "ARCHIVE.zip!/MEMBER"; of any other URL itself, and ""."""
    archive, inside, member = url.partition(IN_ARCHIVE)
    return (archive + IN_ARCHIVE[:4], member) if inside else (url, "")


def gdal_environment(s3: S3Options) -> dict[str, str | int]:
    """GDAL options for `rasterio.Env(**…)`: the S3 server, a small cache, one thread, no listing of folders.

    Sidecar files are not looked for: on S3 every one is a request. Keys are GDAL's own business, from the same environment.
    """
    options: dict[str, str | int] = {
        "GDAL_CACHEMAX": GDAL_CACHE_BYTES,  # rasterio wants bytes, as a number, where GDAL's own option is in MB
        "GDAL_NUM_THREADS": "1",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_MAX_RETRY": "4",
        "GDAL_HTTP_RETRY_DELAY": "1",
        "GDAL_HTTP_CONNECTTIMEOUT": "10",
        "AWS_REGION": s3.region_name,
    }
    if s3.endpoint_url:
        options["AWS_S3_ENDPOINT"] = urlsplit(s3.endpoint_url).netloc
        options["AWS_HTTPS"] = "NO" if is_http(s3.endpoint_url) else "YES"
        options["AWS_VIRTUAL_HOSTING"] = "FALSE"
    if s3.anonymous:
        options["AWS_NO_SIGN_REQUEST"] = "YES"
    return options


def _folder_error(url: str, said: str, *, writing: bool) -> SarbatchError:
    """What the operating system's refusal means to whoever catches it."""
    number = re.search(r"os error (\d+)|Errno (\d+)", said)
    reason = os.strerror(int(number[1] or number[2])) if number else said.splitlines()[0]
    kind = OutputError if writing else InputError
    done = "written" if writing else "read"
    return kind(f"{url} cannot be {done}: {reason}", "Free space, mend its permissions, or give another folder.")


def _bare(etag: str | None) -> str | None:
    return etag.strip('"') if etag else None
