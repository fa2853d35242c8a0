"""Operations on disk: one file each, so that a restarted server knows them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from gee.local.operations.operation import Operation, from_record


class OperationStore:
    """A folder of operations that one server holds; in memory alone where there is no folder.

    Raises
    ------
    RuntimeError
        If another server holds the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / "operations" if folder else None
        self._lock: int | None = None
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _held(self._folder / "lock")

    def load(self) -> list[Operation]:
        """Everything that was saved, in the order of submission."""
        if self._folder is None:
            return []
        found = [from_record(json.loads(path.read_text("utf-8"))) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda operation: operation.order)

    def save(self, operation: Operation) -> None:
        """Write one operation; a reader sees it as it was before or as it is."""
        if self._folder is None:
            return
        path = self._path(operation)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(operation.to_record()), "utf-8")
        draft.replace(path)

    def forget(self, operation: Operation) -> None:
        """Remove what was saved."""
        if self._folder is not None:
            self._path(operation).unlink(missing_ok=True)

    def close(self) -> None:
        """Let another server have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _path(self, operation: Operation) -> Path:
        if self._folder is None:
            raise ValueError("operations are kept in memory alone")
        return self._folder / f"{operation.name.rpartition('/')[2]}.json"


def _held(path: Path) -> int:
    import fcntl

    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise RuntimeError(
            f"another local Earth Engine works in {path.parent}: give this one another state folder"
        ) from error
    return handle
