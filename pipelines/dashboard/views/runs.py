"""The first page: every run, newest first."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from pipelines.dashboard.site import Site
from pipelines.registry.rows import RunRow
from pipelines.status import status

SHOWN = 50  # newest runs
KEPT = 500  # summaries of ended runs
QUICK, SLOW = 2, 10  # seconds between looks while a run goes on, and while none does


def router(site: Site) -> APIRouter:
    """Its page and its fragment."""
    routes = APIRouter()
    summaries = Summaries(site)

    @routes.get("/")
    def page() -> Response:
        return site.pages.show("runs.html", **summaries.newest())

    @routes.get("/live")
    def live(seen: str = "") -> Response:
        values = summaries.newest()
        # What has not changed is left alone: somebody may be selecting text in it
        return Response(status_code=204) if values["seen"] == seen else site.pages.show("runs_live.html", **values)

    return routes


class Summaries:
    """Runs with how many of their tasks are done; of those that have ended, counted once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended: OrderedDict[tuple[str, datetime], dict[str, Any]] = OrderedDict()

    def newest(self) -> dict[str, Any]:
        """Values of the templates."""
        found = self._site.registry.runs(limit=SHOWN + 1)
        rows = [self._summary(run) for run in found[:SHOWN]]
        every = QUICK if any(row["state"] == "running" for row in rows) else SLOW
        digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]
        more = len(found) > SHOWN
        return {"runs": rows, "more": more, "seen": digest, "every": every, "now": datetime.now(UTC)}

    def _summary(self, run: RunRow) -> dict[str, Any]:
        known = self._ended.get((run.id, run.ended)) if run.ended else None
        if known is not None:  # a run that is opened again ends at another time
            return known
        value: dict[str, Any] = status(self._site.registry, [run])["runs"][0]
        tasks = value.pop("tasks")
        value |= {
            "done": sum(task["state"] == "done" for task in tasks),
            "all": len(tasks),
            "progress": sum(task["progress"] for task in tasks) / max(1, len(tasks)),
            "output": run.output,
        }
        if run.ended is not None:
            self._ended[run.id, run.ended] = value
            while len(self._ended) > KEPT:
                self._ended.popitem(last=False)
        return value
