"""What zip archives hold, found without unpacking: their directories are read, and tricks in them refused."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from dask_jobs.readers.files import SourceFile
from infra.errors import InputError

if TYPE_CHECKING:
    from infra.storage import Location, S3Options

THREADS = 16  # directories wait for storage, not for a processor
PART = 64 * 1024  # bytes of an object read at once: at its end they hold the directory of a few hundred files
ENCRYPTED = 0x1  # bit of a member's flags
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what GDAL reads in place
SMALL = 2**20  # bytes: no member of this size does harm, whatever it was packed to
MOST_PACKED = 1000  # deflate ends at 1032; pixels do not come near it
READABLE = 2**20  # bytes of a text that is read whole
AGAIN = "Download the archive again, or take it out of `path`."
FOREIGN = "Do not use archives of unknown origin: download it again from ASF, or take it out of `path`."


def list_archives(files: Iterable[SourceFile], *, s3: S3Options) -> dict[str, list[SourceFile]]:
    """Files in each zip archive, by the archive's URL: their URLs are "ARCHIVE.zip!/MEMBER", sizes unpacked bytes.

    Archives in archives are files like others.

    Raises
    ------
    InputError
        If an archive is truncated, encrypted or packed by an unknown method, or its directory lies: names that lead out
        of it, names that stand twice, links, files that overlap or unpack to more than pixels ever do.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    files = list(files)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="archives") as pool:
        found = pool.map(lambda file: _members(file, s3=s3), files)
        return {file.url: members for file, members in zip(files, found, strict=True)}


def read_text(file: SourceFile, *, s3: S3Options) -> str:
    """Text of a small file, in an archive or not; at most its first 1 MiB, bytes that are no UTF-8 replaced.

    Raises
    ------
    InputError
        If its archive is damaged.
    """
    from infra.storage import archive_and_member

    holder, member = archive_and_member(file.url)
    if member:
        with _archive(holder, s3=s3) as archive:
            try:
                with archive.open(member) as packed:
                    return packed.read(READABLE).decode(errors="replace")
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise InputError(f"{file.url} is damaged: {error}", AGAIN) from error
    folder, name = _place(holder, s3=s3)
    return folder.read_range(name, start=0, length=min(file.size, READABLE)).decode(errors="replace")


def _members(file: SourceFile, *, s3: S3Options) -> list[SourceFile]:
    with _archive(file.url, s3=s3) as archive:
        infos = archive.infolist()
    names: set[str] = set()
    for info in infos:
        _check_name(file.url, info, names)
        _check_content(file.url, info)
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, other in pairwise(ordered):
        if one.header_offset + one.compress_size > other.header_offset:
            raise InputError(f"{file.url}: its files {one.filename!r} and {other.filename!r} overlap", FOREIGN)
    return [SourceFile(f"{file.url}!/{info.filename}", info.file_size) for info in infos if not info.is_dir()]


def _check_name(url: str, info: zipfile.ZipInfo, names: set[str]) -> None:
    name = info.orig_filename
    leads_out = name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/")
    if leads_out or "\\" in name or "\0" in name or not name:
        raise InputError(f"{url}: the name {name!r} in it leads out of the archive", FOREIGN)
    if name in names:
        raise InputError(f"{url}: the name {name!r} stands in it twice", FOREIGN)
    names.add(name)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise InputError(f"{url}: {name!r} in it is a link", FOREIGN)


def _check_content(url: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & ENCRYPTED:
        raise InputError(f"{url}: {info.filename!r} in it is encrypted", "Unpack it, and name the folder in `path`.")
    if info.compress_type not in METHODS:
        raise InputError(
            f"{url}: {info.filename!r} in it is packed by method {info.compress_type}, not stored or deflated",
            "Unpack it, and name the folder in `path`.",
        )
    if info.file_size > SMALL and info.file_size > MOST_PACKED * info.compress_size:
        raise InputError(
            f"{url}: {info.filename!r} in it claims to unpack from {info.compress_size} to {info.file_size} bytes",
            FOREIGN,
        )


def _archive(url: str, *, s3: S3Options) -> zipfile.ZipFile:
    """The open archive; on S3 only its end, and what is asked for, is read."""
    try:
        if not url.startswith("s3://"):
            return zipfile.ZipFile(url)
        return zipfile.ZipFile(_RangedFile(url, s3=s3))
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        said = "it has no directory at its end" if "not a zip" in str(error) else str(error)
        raise InputError(f"{url} is no zip archive, or truncated: {said}", AGAIN) from error
    except FileNotFoundError as error:
        raise InputError(f"{url} is not there", "Restore the file, or mend `path` in the job.") from error
    except OSError as error:
        raise InputError(f"{url} cannot be read: {error.strerror or error}", AGAIN) from error


def _place(url: str, *, s3: S3Options) -> tuple[Location, str]:
    from infra.storage import Location

    folder, _, name = url.rpartition("/")
    return Location.parse(folder or "/", s3=s3), name


class _RangedFile(io.RawIOBase):
    """An object on S3 as a file to seek in: its end is read at once, other parts as they are asked for."""

    def __init__(self, url: str, *, s3: S3Options) -> None:
        self._folder, self._name = _place(url, s3=s3)
        entry = self._folder.stat(self._name)
        if entry is None:
            raise FileNotFoundError(url)
        self._size, self._position = entry.size, 0
        self._end = self._fetch(max(0, entry.size - PART), PART)
        self._last = self._end

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be sought in: yes."""
        return True

    def tell(self) -> int:
        """Position, bytes from the beginning."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; the new one."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the file's beginning")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Bytes from the position on; all where `size` is None or negative."""
        rest = max(0, self._size - self._position)
        length = rest if size is None or size < 0 else min(size, rest)
        part = next((p for p in (self._end, self._last) if p.holds(self._position, length)), None)
        if part is None:
            part = self._last = self._fetch(self._position, max(length, PART))
        data = part.data[self._position - part.start :][:length]
        self._position += length
        return data

    def _fetch(self, start: int, length: int) -> _Part:
        length = min(length, self._size - start)
        data = self._folder.read_range(self._name, start=start, length=length) if length else b""
        return _Part(start, data)


class _Part(NamedTuple):
    """Bytes of a file from `start` on."""

    start: int
    data: bytes

    def holds(self, start: int, length: int) -> bool:
        return self.start <= start and start + length <= self.start + len(self.data)
