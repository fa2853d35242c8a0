"""One version of a file, fetched in small pieces that are kept: what the HDF5 library walks through for its metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from infra.errors import InputError, SarbatchError
from infra.storage import Location

if TYPE_CHECKING:
    from infra.storage import S3Options

Answer = TypeVar("Answer")
BLOCK = 64 * 2**10  # bytes: little else comes along with the few hundred bytes that are wanted
AHEAD = 16  # blocks fetched at once at most, where reading goes on from block to block
AGAIN = "Download or copy the file again, or take it out of `path`."


class NotYetError(OSError):
    """A block is not here yet: the HDF5 library gives up, and is asked again when it is."""


def place_of(url: str, *, s3: S3Options) -> tuple[Location, str]:
    """Bucket or folder of a file, and its name there: one connection pool serves all files of a bucket."""
    if url.startswith("s3://"):
        bucket, _, name = url.removeprefix("s3://").partition("/")
        return Location.parse(f"s3://{bucket}", s3=s3), name
    folder, _, name = url.rpartition("/")
    return Location.parse(folder or "/", s3=s3), name


class RangedFile:
    """A file as the HDF5 library sees it (`seek`, `tell`, `read`, `readinto`), fetched block by block.

    The library holds one lock for the whole process while it waits for what it reads. So nothing is fetched meanwhile: a block
    that is missing ends the call, is fetched outside the lock, and the call is made again. Threads then wait for storage side by side.

    Parameters
    ----------
    place, name : folder or bucket, and the file in it (see `place_of`)

    Attributes
    ----------
    version : size in bytes and ETag; every block is of this version
    fetched, requests : bytes and requests so far

    Raises
    ------
    InputError
        If there is no such file.
    """

    def __init__(self, place: Location, name: str) -> None:
        self._place, self._name = place, name
        self.url = place.href(name)
        entry = place.stat(name)
        if entry is None:
            raise missing_file(self.url)
        self.version = entry.size, entry.etag
        self.fetched, self.requests = 0, 1
        self._size = entry.size
        self._blocks: dict[int, bytes] = {}
        self._missing: range | None = None
        self._span, self._next = 1, -1  # blocks fetched last, and the one after them
        self._position = 0

    def answer(self, question: Callable[[Any], Answer]) -> Answer:
        """What `question` makes of the open `h5py.File`; it may be asked several times, and must keep nothing open.

        Raises
        ------
        InputError
            If the file is no HDF5, truncated, damaged, or another one by now.
        CredentialsError, TransientError
            If storage refuses or does not answer.
        """
        import h5py

        while True:
            failure: Exception | None = None
            try:
                with h5py.File(self, mode="r") as file:
                    found = question(file)
            except Exception as error:  # noqa: BLE001 -- whatever the library makes of a missing block; raised again below
                failure = error
            if self._missing is not None:  # also after a success: h5py takes some failures for "is not there"
                self._fetch(self._missing)
            elif failure is None:
                return found
            elif isinstance(failure, (OSError, RuntimeError)) and not isinstance(failure, SarbatchError):
                raise _unreadable(self.url, self._size, str(failure)) from failure
            else:
                raise failure

    # -- what the HDF5 library calls -----------------------------------------------------------------------------------

    def seek(self, offset: int, whence: int = 0) -> int:
        """Position from the beginning, the current position or the end."""
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def tell(self) -> int:
        """Position, bytes."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Bytes from the position on; all that are left if `size` is negative."""
        stop = self._size if size < 0 else min(self._size, self._position + size)
        data = self._piece(self._position, stop)
        self._position = stop
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from the position on; how many bytes it was."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _piece(self, start: int, stop: int) -> bytes:
        if stop <= start:
            return b""
        wanted = range(start // BLOCK, -(-stop // BLOCK))
        absent = [block for block in wanted if block not in self._blocks]
        if absent:
            self._missing = range(absent[0], absent[-1] + 1)
            raise NotYetError(f"blocks {absent} of {self.url}")
        first = wanted.start * BLOCK
        return b"".join(self._blocks[block] for block in wanted)[start - first : stop - first]

    def _fetch(self, blocks: range) -> None:
        """Get blocks, and as many after them as twice the last time if reading goes on from there."""
        self._missing = None
        goes_on = 0 <= blocks.start - self._next <= self._span
        self._span = min(AHEAD, 2 * self._span) if goes_on else 1
        stop = min(max(blocks.stop, blocks.start + self._span), -(-self._size // BLOCK))
        start = blocks.start * BLOCK
        data = self._get(start, min(stop * BLOCK, self._size) - start)
        for number, block in enumerate(range(blocks.start, stop)):
            self._blocks[block] = data[number * BLOCK : (number + 1) * BLOCK]
        self._next = stop

    def _get(self, start: int, length: int) -> bytes:
        self.fetched, self.requests = self.fetched + length, self.requests + 1
        try:
            data = self._place.read_unchanged(self._name, start=start, length=length, etag=self.version[1])
        except FileNotFoundError as error:
            raise missing_file(self.url) from error
        if data is None or len(data) != length:
            raise changed_file(self.url)
        return data


def missing_file(url: str) -> InputError:
    """There is no such file."""
    return InputError(f"{url} is not there", "Restore the file, or mend `path` in the job.")


def changed_file(url: str) -> InputError:
    """Another version has taken the file's place."""
    return InputError(f"{url} has changed while it was read", "Plan and run again.")


def _unreadable(url: str, size: int, said: str) -> InputError:
    """What the HDF5 library's refusal means."""
    cut = re.search(r"stored_eof = (\d+)", said)
    if size == 0:
        return InputError(f"{url} is truncated: it is empty", AGAIN)
    if cut and int(cut[1]) > size:
        return InputError(f"{url} is truncated: it should have {cut[1]} bytes, and has {size}", AGAIN)
    if "signature not found" in said:
        return InputError(f"{url} is no HDF5 file", AGAIN)
    return InputError(f"{url} is damaged: {said}", AGAIN)
