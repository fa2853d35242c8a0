"""Templates, and how times, amounts and states look on a page. Everything is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.amounts import core_hours, eecu_hours, seconds, size

HERE = Path(__file__).parent
DAYS = "days since 1970-01-01"
# A state's shape and colour; a state of a later version looks like one that waits
MARKS = {
    "done": "done",
    "failed": "failed",
    "lost": "failed",
    "running": "running",
    "publishing": "running",
    "submitting": "waiting",
    "queued": "waiting",
    "waiting": "waiting",
    "cancelling": "cancelled",
    "cancelled": "cancelled",
}
AMOUNTS = (
    ("wall time", "wall_seconds", seconds),
    ("compute", "core_hours", core_hours),
    ("Earth Engine", "eecu_hours", eecu_hours),
    ("read", "bytes_read", size),
    ("written", "bytes_written", size),
)


@dataclass(frozen=True)
class Pages:
    """Renders templates."""

    environment: Environment

    @classmethod
    def load(cls) -> Pages:
        """Pages from the templates beside this file."""
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"size": size, "moment": moment, "ago": ago, "percent": percent, "mark": mark}
        environment.globals |= {"amounts": amounts, "took": took}
        return cls(environment)

    def show(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Page or fragment from a template."""
        return HTMLResponse(self.environment.get_template(template).render(values), status_code=status)


def instant(value: str | datetime) -> datetime:
    """Time from its ISO 8601 text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def moment(value: str | datetime | None) -> str:
    """Time to the second, UTC."""
    return f"{instant(value).astimezone(UTC):%Y-%m-%d %H:%M:%S}" if value else "-"


def ago(value: datetime, now: datetime) -> str:
    """How long ago, in words; a clock that is ahead of ours says now."""
    return f"{seconds(max(0.0, (now - value).total_seconds()))} ago"


def took(started: str, ended: str | None, now: datetime) -> str:
    """From start to end, or until now."""
    return seconds(max(0.0, ((instant(ended) if ended else now) - instant(started)).total_seconds()))


def percent(fraction: float) -> str:
    """Progress, rounded down: 100 % means done."""
    return f"{int(100 * fraction)} %"


def mark(state: str) -> str:
    """Which shape and colour a state has."""
    return MARKS.get(state, "waiting")


def amounts(estimate: dict[str, float], actual: dict[str, float] | None) -> list[tuple[str, str, str]]:
    """Rows of what was estimated and what it took, where there is either."""
    rows = []
    for label, name, shown in AMOUNTS:
        before, after = estimate.get(name), (actual or {}).get(name)
        if before or after:
            rows.append((label, "-" if before is None else shown(before), "-" if after is None else shown(after)))
    return rows
