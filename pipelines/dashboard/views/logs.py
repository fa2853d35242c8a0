"""What a task's driver logged, and what happened in a run: as `sarbatch logs` tells it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Response

from infra.errors import SarbatchError
from pipelines.backends import load_backend
from pipelines.dashboard.site import Site
from pipelines.status import status

if TYPE_CHECKING:
    from pipelines.registry.rows import OperationRow

LINES = 200  # of a log's end
EVENTS = 200


def router(site: Site) -> APIRouter:
    """Its fragments."""
    routes = APIRouter()

    @routes.get("/runs/{run}/tasks/{task}/log")
    def log(run: str, task: str) -> Response:
        found = site.run(run)
        [value] = status(site.registry, [found])["runs"]
        row = next((row for row in value["tasks"] if row["task"] == task), None)
        if row is None:
            raise HTTPException(404, f"Run {run} has no task “{task}”.")
        handed = [operation for operation in site.registry.operations(run=run, task=task) if operation.handle]
        text, trouble = _tail(site, row["backend"], handed[-1]) if handed else ("", "")
        attempt = handed[-1].attempt if handed else None
        going_on = found.state == "running" and row["state"] not in {"done", "failed", "cancelled"}
        return site.pages.show(
            "log.html", run=run, task=task, attempt=attempt, text=text, trouble=trouble, going_on=going_on
        )

    @routes.get("/runs/{run}/history")
    def history(run: str) -> Response:
        found = site.run(run)
        events = site.registry.events(found.id)
        rows: list[dict[str, Any]] = []
        for (task, kind), same in groupby(events, key=lambda event: (event.task, event.kind)):
            several = list(same)
            error = (several[-1].payload.get("error") or {}).get("message", "")
            rows.append({"time": several[-1].time, "task": task, "kind": kind, "times": len(several), "message": error})
        return site.pages.show("history.html", events=rows[-EVENTS:], left=len(rows[:-EVENTS]))

    return routes


def _tail(site: Site, backend: str, operation: OperationRow) -> tuple[str, str]:
    """End of what an operation logged, and why there is none."""
    try:
        lines = load_backend(backend, site.settings).logs(str(operation.handle)).splitlines()
    except SarbatchError as error:
        return "", f"{error.message}. {error.remedy}".strip()
    except KeyError:
        return "", f"This sarbatch knows no engine “{backend}”."
    left = [f"… {len(lines) - LINES} lines before"] if len(lines) > LINES else []
    return "\n".join([*left, *lines[-LINES:]]), ""
