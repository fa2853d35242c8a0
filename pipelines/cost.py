"""What a task will cost, as numbers: pure arithmetic on how much there is to read, compute and write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much a task has to do.

    Attributes
    ----------
    pixels : pixels computed, all dates and polarizations
    bytes_read, bytes_written : on storage
    core_seconds : compute
    eecu_seconds : compute of Earth Engine
    fixed_seconds : wall time that more cores do not shorten
    """

    pixels: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    core_seconds: float = 0.0
    eecu_seconds: float = 0.0
    fixed_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a task will take, before it runs; zero where nothing has to be done."""

    pixels: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    core_hours: float = 0.0
    eecu_hours: float = 0.0
    wall_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` shows it."""
        return asdict(self)


def on_dask(work: Work, *, cores: int) -> Estimate:
    """Estimate of work on a Dask cluster of `cores`."""
    return Estimate(
        pixels=work.pixels,
        bytes_read=work.bytes_read,
        bytes_written=work.bytes_written,
        core_hours=work.core_seconds / 3600,
        wall_seconds=work.fixed_seconds + work.core_seconds / max(cores, 1),
    )


def on_earth_engine(work: Work, *, tasks: int) -> Estimate:
    """Estimate of work in Earth Engine, which runs `tasks` exports of a project at once."""
    return Estimate(
        pixels=work.pixels,
        bytes_read=work.bytes_read,
        bytes_written=work.bytes_written,
        core_hours=work.core_seconds / 3600,
        eecu_hours=work.eecu_seconds / 3600,
        wall_seconds=work.fixed_seconds + work.eecu_seconds / max(tasks, 1),
    )
