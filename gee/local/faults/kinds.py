"""Kinds of faults: what a real service does on bad days, in its words."""

from __future__ import annotations

from dataclasses import dataclass

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
