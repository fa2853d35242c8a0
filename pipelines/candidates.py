"""The engines that may make a task, side by side: what each can do, what it would cost, and what speaks against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from infra.errors import EngineError, SarbatchError
from pipelines.amounts import seconds, size
from pipelines.cost import Estimate

ENGINES = ("dask", "earth-engine")
NAMES = {"eecu_hours": "EECU-hours", "core_hours": "core-hours", "wall_seconds": "wall time"}
NETWORK = 50e6  # bytes per second, assumed of whatever lies between an engine, a bucket and this machine
LITTLE = 0.001  # hours
EXPORT_WAIT = 60.0  # seconds, assumed, until Google starts an export that it has room for; it promises nothing


@dataclass(frozen=True, kw_only=True)
class Way:
    """How an engine goes about a task, as far as its own estimate does not know.

    Attributes
    ----------
    data : where what it reads lies, in words
    fetches, returns : whether what it reads, and what it makes, goes over a network
    operations, parallel : pieces that it makes the task of, and how many of them at once
    wait : seconds until a piece that there is room for begins
    """

    data: str = ""
    fetches: bool = False
    returns: bool = False
    operations: int = 1
    parallel: int = 1
    wait: float = 0.0

    def moves(self, estimate: Estimate) -> int:
        """Bytes that go over a network."""
        return self.fetches * estimate.bytes_read + self.returns * estimate.bytes_written

    def whole(self, estimate: Estimate) -> Estimate:
        """Estimate with the time that pieces wait for their place and bytes are on their way."""
        if not estimate.wall_seconds:  # nothing is left to do
            return estimate
        rounds = math.ceil(self.operations / max(self.parallel, 1))
        return replace(
            estimate, wall_seconds=estimate.wall_seconds + rounds * self.wait + self.moves(estimate) / NETWORK
        )


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One engine, whether it can make the task, why (not), and what it would cost.

    Attributes
    ----------
    error : what its look at the inputs ended with, where it cannot for that reason
    estimate : of the whole task
    left : of what is still to do; the same as `estimate` where it is left out
    way : how it goes about it
    """

    backend: str
    able: bool
    why: str
    error: SarbatchError | None = None
    estimate: Estimate | None = None
    left: Estimate | None = None
    way: Way = Way()

    @property
    def ahead(self) -> Estimate:
        """What is still to do."""
        return self.left or self.estimate or Estimate()

    @property
    def wall(self) -> float:
        """Seconds from now until it is made."""
        return self.ahead.wall_seconds

    @property
    def only_now(self) -> bool:
        """Whether what hinders it may pass by itself or by a login: network, credentials, engine."""
        return isinstance(self.error, EngineError)

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` shows it."""
        return {
            "backend": self.backend,
            "able": self.able,
            "why": self.why,
            "estimate": self.estimate.to_json() if self.estimate else None,
        }


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a task may take; None where nothing is said."""

    eecu_hours: float | None = None
    core_hours: float | None = None
    wall_seconds: float | None = None

    def exceeded(self, candidate: Candidate) -> tuple[str, ...]:
        """Names of the limits that a candidate would exceed."""
        found = []
        for name in NAMES:
            allowed = getattr(self, name)
            if allowed is not None and getattr(candidate.ahead, name) > allowed:
                found.append(name)
        return tuple(found)

    def without(self, names: Sequence[str]) -> Limits:
        """Limits as if some had not been given."""
        return replace(self, **dict.fromkeys(names))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known of both engines making the same product.

    Attributes
    ----------
    valid : whether it allows a move from one engine to the other
    words : why (not)
    mends : what would make it valid, in words
    """

    valid: bool
    words: str
    mends: str = "a certificate of parity: `sarbatch certify` makes one"


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of the table that a choice is made from: a word for each engine, and a note where a word is not enough."""

    name: str
    words: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def needed(name: str, value: float) -> str:
    """Amount of a limit in words: "2.5 core-hours", "3 min 20 s"."""
    return f"about {seconds(value)}" if name == "wall_seconds" else f"about {value:.3g} {NAMES[name]}"


def scores(candidates: Sequence[Candidate], *, home: str, limits: Limits, certificate: Standing) -> tuple[Score, ...]:
    """Table of scores, one row each; `-` where there is nothing to say of an engine."""
    able = [candidate for candidate in candidates if candidate.able]

    def row(name: str, words: Mapping[str, str]) -> Score:
        return Score(name=name, words={c.backend: words.get(c.backend, "-") for c in candidates})

    def of_able(name: str, text: Any) -> Score:
        return row(name, {c.backend: text(c) for c in able})

    rows = [
        row("can make it", {c.backend: "yes" if c.able else "not now" if c.only_now else "no" for c in candidates}),
        of_able("data", lambda c: c.way.data or "-"),
        of_able("reads", lambda c: size(c.ahead.bytes_read)),
        of_able("over a network", lambda c: size(c.way.moves(c.ahead))),
        of_able("operations", lambda c: f"{c.way.operations}, {min(c.way.parallel, c.way.operations)} at once"),
        of_able("EECU-hours", lambda c: _hours(c.ahead.eecu_hours)),
        of_able("core-hours", lambda c: _hours(c.ahead.core_hours)),
        of_able("wall time", lambda c: seconds(c.ahead.wall_seconds)),
        of_able("budget", lambda c: _verdict(c, limits, ("eecu_hours", "core_hours"))),
        of_able("deadline", lambda c: _verdict(c, limits, ("wall_seconds",))),
    ]
    if len(able) > 1:
        moved = "certified" if certificate.valid else "not certified"
        row_of_certificate = of_able("certificate", lambda c: "home: none needed" if c.backend == home else moved)
        rows.append(replace(row_of_certificate, note=certificate.words))
    return tuple(rows)


def _hours(value: float) -> str:
    return f"{value:.3g}" if value >= LITTLE else "under 0.001" if value else "0"


def _verdict(candidate: Candidate, limits: Limits, names: Sequence[str]) -> str:
    given = [name for name in names if getattr(limits, name) is not None]
    if not given:
        return "none"
    exceeded = limits.exceeded(candidate)
    words = [f"{'exceeds' if name in exceeded else 'keeps'} {_allowed(name, getattr(limits, name))}" for name in given]
    return ", ".join(words)


def _allowed(name: str, value: float) -> str:
    return seconds(value) if name == "wall_seconds" else f"{value:g} {NAMES[name]}"


def excess(candidate: Candidate, limits: Limits) -> str:
    """What a candidate would exceed, in words; "" where it fits."""
    found = []
    for name in limits.exceeded(candidate):
        what = "deadline" if name == "wall_seconds" else "budget"
        allowed = seconds(getattr(limits, name)) if name == "wall_seconds" else f"{getattr(limits, name):g}"
        found.append(f"{what}: {needed(name, getattr(candidate.ahead, name))} are needed, {allowed} allowed")
    return "; ".join(found)
