"""CPU by workload tag, which the real service gives to Cloud Monitoring: `GET /local/usage` here."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gee.local.operations.operation import Operation
from gee.local.work.metering import metered


class Usage:
    """CPU of interactive requests that were answered, by project and tag; safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    @contextmanager
    def online(self, project: str, tag: str) -> Iterator[None]:
        """Block whose CPU counts unless it fails: the service gives no figures of what failed."""
        with metered() as meter:
            yield
            seconds = meter.seconds()
        with self._lock:
            self._seconds[project, tag] += seconds

    def to_json(self, operations: Sequence[Operation]) -> list[dict[str, Any]]:
        """A row for each project, tag ("" is none) and kind of computing; of operations those that succeeded."""
        batch: defaultdict[tuple[str, str], float] = defaultdict(float)
        for one in operations:
            if one.state == "SUCCEEDED":
                batch[one.request.project, one.tag] += one.usage
        with self._lock:
            online = dict(self._seconds)
        return [
            {"project": project, "workloadTag": tag, "computeType": kind, "eecuSeconds": seconds}
            for kind, found in (("batch", batch), ("online", online))
            for (project, tag), seconds in sorted(found.items())
        ]
