"""Faults on demand: what a real service does on bad days, as often as is asked for, and the same again with the same seed."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any

from gee.local.errors import EarthEngineError

REFUSALS = {
    "too-many-requests": (429, "Too many concurrent aggregations."),
    "unavailable": (503, "The service is currently unavailable."),
    "internal": (500, "An internal error has occurred"),
    "forbidden": (403, "Caller does not have required permission to use project."),
}
QUEUE_FULL = "Too many tasks already in the queue ({limit}). Please wait for some of them to complete."
OUT_OF_MEMORY = "User memory limit exceeded."
TIMED_OUT = "Computation timed out."
RESTRICTED = {"x-earth-engine-quota-status": "parallelism_restricted=true"}
KINDS = {
    **{kind: f"answers {code}: {text}" for kind, (code, text) in REFUSALS.items()},
    "drop": "the connection ends without an answer, and nothing is done",
    "lost-answer": "the request is done, then the connection ends without an answer",
    "latency": "an answer comes `seconds` later",
    "queue-full": "exports are refused as if 3,000 were waiting",
    "memory": "fails with the text of the memory limit where more than `pixels` pixels are asked for",
    "time-out": "fails with the text of the time limit where more than `pixels` pixels are asked for",
    "restricted": "answers carry the header of restricted mode",
    "slow": "an export takes `seconds` longer",
    "stuck": "an export stays RUNNING until it is cancelled",
    "fails": "an export fails after `seconds` with `message`",
    "flaky": "an attempt of an export ends by an intermittent error, and is made again",
    "late-cancel": "an export that is cancelled finishes nevertheless",
}
SIZED = ("memory", "time-out")
OF_TASKS = ("slow", "stuck", "fails", "flaky", "late-cancel")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of fault, and when it happens.

    Attributes
    ----------
    kind : of KINDS
    on : methods (`value.compute`, `image.export`, `operations.*`); of exports, their descriptions
    probability : of each chance, 0 to 1
    count : how often it happens at most; without end where None
    skip : chances that are let pass first
    seconds, pixels, message : what some kinds take
    seed : of the draws
    """

    kind: str
    on: str = "*"
    probability: float = 1.0
    count: int | None = None
    skip: int = 0
    seconds: float = 1.0
    pixels: int = 0
    message: str = "Internal error."
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise EarthEngineError(f"there is no fault '{self.kind}'; there are {', '.join(KINDS)}.")
        if not 0 <= self.probability <= 1:
            raise EarthEngineError(f"the probability of a fault is 0 to 1, not {self.probability}.")


def fault_of(given: Mapping[str, Any]) -> Fault:
    """Fault from JSON.

    Raises
    ------
    EarthEngineError
        If a name is unknown or a value of another type.
    """
    known = {field.name: field for field in fields(Fault)}
    unknown = sorted(set(given) - set(known))
    if unknown or "kind" not in given:
        raise EarthEngineError(
            f"a fault has a kind and may have {', '.join(known)}; not {', '.join(unknown) or 'none'}."
        )
    values: dict[str, Any] = {}
    for name, value in given.items():
        wanted = str(known[name].type).partition(" ")[0]
        kinds: tuple[type[Any], ...] = {"str": (str,), "float": (int, float), "int": (int,)}[wanted]
        if value is None and name == "count":
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, kinds)
            or (not isinstance(value, str) and not 0 <= value < 1e12)
        ):
            raise EarthEngineError(f"'{name}' of a fault must be a {wanted}, not {str(value)[:40]!r}.")
        values[name] = value
    return Fault(**values)


def fault_of_text(text: str) -> Fault:
    """Fault from `kind` or `kind:on=image.export,probability=0.3,count=2,seed=7`.

    Raises
    ------
    EarthEngineError
        If it cannot be read.
    """
    kind, _, rest = text.partition(":")
    given: dict[str, Any] = {"kind": kind.strip()}
    for pair in filter(None, rest.split(",")):
        name, sign, value = pair.partition("=")
        if not sign:
            raise EarthEngineError(f"'{pair}' in the fault '{text}' must be NAME=VALUE.")
        given[name.strip()] = _number(value.strip()) if name.strip() not in ("on", "message") else value.strip()
    return fault_of(given)


class Faults:
    """Faults that are set, each with its draws; safe in threads."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._set: list[_Drawn] = []
        self.replace(faults)

    def replace(self, faults: Sequence[Fault]) -> None:
        """Set these alone; all counts and draws begin anew."""
        with self._lock:
            self._set = [_Drawn(fault) for fault in faults]

    def to_json(self) -> list[dict[str, Any]]:
        """Those that are set, and how often each has happened."""
        with self._lock:
            return [asdict(one.fault) | {"happened": one.happened} for one in self._set]

    def draw(self, kind: str, on: str, *, pixels: int | None = None) -> Fault | None:
        """A fault of a kind that happens now.

        Parameters
        ----------
        pixels : that are asked for, of kinds that depend on it
        """
        with self._lock:
            for one in self._set:
                sized = pixels is None or pixels > one.fault.pixels
                if one.fault.kind == kind and fnmatch.fnmatchcase(on, one.fault.on) and sized and one.happens():
                    return one.fault
        return None

    def has(self, *kinds: str) -> bool:
        """Whether a fault of one of these kinds is set."""
        with self._lock:
            return any(one.fault.kind in kinds for one in self._set)

    def check_size(self, on: str, pixels: int) -> None:
        """Return, or raise what a real service says where too much is asked for at once."""
        for kind, text in (("memory", OUT_OF_MEMORY), ("time-out", TIMED_OUT)):
            if self.draw(kind, on, pixels=pixels):
                raise EarthEngineError(text)


class _Drawn:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.happened = 0
        self._chances = 0
        self._random = Random(fault.seed)  # noqa: S311 -- repeatable draws, no secret

    def happens(self) -> bool:
        self._chances += 1
        if self._chances <= self.fault.skip or (self.fault.count is not None and self.happened >= self.fault.count):
            return False
        if self._random.random() >= self.fault.probability:
            return False
        self.happened += 1
        return True


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
