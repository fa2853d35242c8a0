"""What a stack holds, written in the stack itself: which scenes made each time step, and whether it can go on.

The ledger is committed together with the pixels that it names, so neither can be ahead of the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.errors import StateError
from infra.grid import Grid

if TYPE_CHECKING:
    from dask_jobs.scenes import Pass

ATTRIBUTE = "sarbatch_ledger"  # of the stack's group; a JSON string, so that a copy to netCDF keeps it
SCHEMA = 1

Fingerprint = tuple[tuple[str, str, int, str], ...]


class Step(NamedTuple):
    """One time step: `fingerprint` is its pass's, `(id, release, size, hash)` of each scene."""

    time: datetime
    fingerprint: Fingerprint

    @classmethod
    def of(cls, pass_: Pass) -> Step:
        """Step that `pass_` makes."""
        return cls(pass_.time, pass_.fingerprint)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What a group of a stack store holds.

    Attributes
    ----------
    grid, polarizations, chunk : its layout
    steps : in the order of its `time` axis
    """

    grid: Grid
    polarizations: tuple[str, ...]
    chunk: int
    steps: tuple[Step, ...]

    def to_text(self) -> str:
        """JSON text; `from_text` reads it back."""
        value = {
            "schema": SCHEMA,
            "grid": self.grid.to_json(),
            "polarizations": self.polarizations,
            "chunk": self.chunk,
            "steps": [[step.time.isoformat(), step.fingerprint] for step in self.steps],
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Ledger:
        """Ledger from its JSON text.

        Raises
        ------
        StateError
            If another version of sarbatch wrote it.
        """
        value: dict[str, Any] = json.loads(text)
        if value["schema"] != SCHEMA:
            raise StateError(
                f"the stack's ledger has schema {value['schema']}, this version reads {SCHEMA}",
                "Use the version of sarbatch that wrote it, or another output.",
            )
        return cls(
            grid=Grid(**value["grid"]),
            polarizations=tuple(value["polarizations"]),
            chunk=value["chunk"],
            steps=tuple(Step(datetime.fromisoformat(time), _tuples(scenes)) for time, scenes in value["steps"]),
        )


def continuation(ledger: Ledger, wanted: Sequence[Pass], *, grid: Grid | None = None) -> int | None:
    """Index of the first pass of `wanted` that the ledger lacks; `len(wanted)` where it is complete.

    None where the ledger is not the beginning of `wanted`, or `grid` (where given) is not its grid: the stack then
    needs a new store, and `obstacles` says why.
    """
    held = len(ledger.steps)
    if grid is not None and grid != ledger.grid:
        return None
    begins = [step.fingerprint for step in ledger.steps] == [pass_.fingerprint for pass_ in wanted[:held]]
    return held if begins else None


def obstacles(ledger: Ledger, wanted: Sequence[Pass], *, grid: Grid | None = None) -> tuple[str, ...]:
    """Why `wanted` cannot be appended, one sentence each; empty exactly where `continuation` gives an index."""
    if continuation(ledger, wanted, grid=grid) is not None:
        return ()
    held = {scene[0]: scene for step in ledger.steps for scene in step.fingerprint}
    now = {scene[0]: scene for pass_ in wanted for scene in pass_.fingerprint}
    reasons = [why for key, scene in held.items() if (why := _changed(scene, now.get(key)))]
    reasons += [why for pass_ in wanted for why in _too_late(ledger, pass_, held)]
    if grid is not None and grid != ledger.grid:
        reasons.append(_other_grid(ledger.grid, grid))
    return tuple(reasons) or ("the scenes are grouped into passes otherwise than in the stack",)


def _changed(was: tuple[str, str, int, str], now: tuple[str, str, int, str] | None) -> str | None:
    if now is None:
        return f"scene {was[0]} vanished"
    if now[1] != was[1]:
        return f"scene {was[0]} superseded by release {now[1] or '(none)'}"
    return f"scene {was[0]} changed: same release, other content" if now != was else None


def _too_late(ledger: Ledger, pass_: Pass, held: dict[str, tuple[str, str, int, str]]) -> list[str]:
    """New scenes of `pass_` that belong before the end of the stack."""
    fresh = [scene[0] for scene in pass_.fingerprint if scene[0] not in held]
    if len(fresh) < len(pass_.scenes):
        day = f"{pass_.time:%Y-%m-%d %H:%M}"
        return [f"scene {name} joins the pass of {day} that is in the stack already" for name in fresh]
    last = ledger.steps[-1].time
    return [
        f"scene {name} is older than the last in the stack ({last:%Y-%m-%d})" for name in fresh if pass_.time <= last
    ]


def _other_grid(was: Grid, now: Grid) -> str:
    difference = was.lattice_difference(now)
    if difference:
        return f"the grid changes: {difference}"
    row, col, height, width = was.window_of(now)
    return f"the grid changes from {was.height} x {was.width} to {height} x {width} pixels, origin by {row} rows, {col} columns"


def _tuples(scenes: list[list[Any]]) -> Fingerprint:
    return tuple((str(name), str(release), int(size), str(digest)) for name, release, size, digest in scenes)


def utc(time: datetime) -> datetime:
    """`time` in UTC; one without a zone is UTC already."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
