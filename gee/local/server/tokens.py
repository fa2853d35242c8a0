"""What was created for a while, by a name that nobody can guess: maps and thumbnails."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from typing import Any

from gee.local.errors import EarthEngineError

MOST = 1000  # of a kind: the oldest go
SECONDS = 7200.0  # that one can be asked for


class Tokens:
    """Things of one kind ("maps"), safe in threads."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def keep(self, project: str, thing: Any) -> str:
        """Resource name of a thing that is now kept."""
        name = f"{project}/{self._kind}/{secrets.token_hex(16)}"
        with self._lock:
            self._kept[name] = (time.monotonic() + SECONDS, thing)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> Any:
        """What has a name.

        Raises
        ------
        EarthEngineError
            If there is none, or it has been too long.
        """
        with self._lock:
            end, thing = self._kept.get(name, (0.0, None))
        if time.monotonic() > end:
            raise EarthEngineError(f"Requested entity was not found: {name[:200]}.", code=404)
        return thing
