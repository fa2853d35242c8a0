"""Which engine makes a task, why, and what would change that: pure.

Engines that cannot, exceed budget or deadline, or lack a certificate are left out; of the others the one that is done first
makes it. What would change a choice is found by making it again under other circumstances, so that it is true.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infra.errors import JobError, SarbatchError
from pipelines.amounts import seconds
from pipelines.candidates import NAMES, Candidate, Limits, Score, Standing, excess, scores

NO_CERTIFICATE = Standing(valid=False, words="there is no certificate of parity")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The engine of a task, the reason, what would change it, and the table that it was made from."""

    backend: str
    reason: str
    would_change: tuple[str, ...]
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """All that a choice depends on.

    Attributes
    ----------
    candidates : every engine, able or not
    wanted : "auto", or the engine that the job names
    home : engine beside the data, which needs no certificate
    certificate : whether both engines are known to make the same product
    """

    candidates: tuple[Candidate, ...]
    wanted: str
    home: str
    limits: Limits
    certificate: Standing

    @property
    def able(self) -> tuple[Candidate, ...]:
        """Engines that can make the task."""
        return tuple(candidate for candidate in self.candidates if candidate.able)

    @property
    def allowed(self) -> tuple[Candidate, ...]:
        """Engines that can and may: a task leaves its home only with a certificate, or where its home never could make it."""
        at_home = self.named(self.home)
        if self.certificate.valid or at_home is None or not (at_home.able or at_home.only_now):
            return self.able
        return tuple(candidate for candidate in self.able if candidate is at_home)

    @property
    def fitting(self) -> tuple[Candidate, ...]:
        """Those of them that keep within budget and deadline."""
        return tuple(candidate for candidate in self.allowed if not self.limits.exceeded(candidate))

    def named(self, backend: str) -> Candidate | None:
        """Candidate of an engine."""
        return next((candidate for candidate in self.candidates if candidate.backend == backend), None)

    def others(self, chosen: Candidate) -> tuple[Candidate, ...]:
        """The rest."""
        return tuple(candidate for candidate in self.candidates if candidate.backend != chosen.backend)


def choose(
    candidates: Sequence[Candidate],
    *,
    wanted: str,
    home: str,
    limits: Limits | None = None,
    certificate: Standing = NO_CERTIFICATE,
) -> Choice:
    """Engine for a task; arguments as in `Circumstances`.

    Raises
    ------
    SarbatchError
        If the job names an engine that cannot make the task, or none can: the engine's own error where there is one.
    JobError
        If all that may make it would exceed budget or deadline.
    """
    case = Circumstances(
        candidates=tuple(candidates), wanted=wanted, home=home, limits=limits or Limits(), certificate=certificate
    )
    chosen = _decide(case)
    return Choice(
        backend=chosen.backend,
        reason=_reason(case, chosen),
        would_change=tuple(dict.fromkeys(_changes(case, chosen))),
        scores=scores(case.candidates, home=home, limits=case.limits, certificate=certificate),
    )


# ------------------------------------------------------------------------------------------------------- decision


def _decide(case: Circumstances) -> Candidate:
    if case.wanted != "auto":
        return _wanted(case)
    if not case.able:
        raise _none_is_able(case)
    if not case.allowed:
        raise _not_moved(case)
    if not case.fitting:
        raise _none_fits(case)
    return min(case.fitting, key=lambda candidate: (candidate.wall, candidate.backend != case.home))


def _wanted(case: Circumstances) -> Candidate:
    found = case.named(case.wanted)
    if found is not None and found.error is not None:
        raise found.error
    if found is None or not found.able:
        why = found.why if found else "it is not installed"
        remedy = f"Write backend: auto{''.join(f', or backend: {c.backend}' for c in case.able)}."
        raise JobError(f"backend: {case.wanted} cannot make this task: {why}", remedy)
    if case.limits.exceeded(found):
        raise _too_much(case, [found])
    return found


def _none_is_able(case: Circumstances) -> SarbatchError:
    failed = [candidate for candidate in case.candidates if candidate.error is not None]
    if not failed:
        reasons = "; ".join(f"{c.backend} cannot: {c.why}" for c in case.candidates)
        return JobError(f"no engine can make this task: {reasons}", "`sarbatch doctor` says what is missing.")
    failed.sort(key=lambda candidate: candidate.backend != case.home)
    first = failed[0].error
    if first is None or len(failed) == 1:
        return first or JobError("no engine can make this task")
    message = "; ".join(f"{c.backend} cannot make it: {c.why}" for c in failed)
    remedies = [f"{c.backend}: {c.error.remedy}" for c in failed if c.error is not None and c.error.remedy]
    return type(first)(message, " ".join(remedies))


def _not_moved(case: Circumstances) -> SarbatchError:
    at_home = case.named(case.home)
    error = at_home.error if at_home else None
    if at_home is None or error is None:  # `allowed` is empty for no other reason
        raise AssertionError(case)
    others = " or ".join(f"backend: {c.backend}" for c in case.able)
    return type(error)(
        f"{at_home.backend} cannot make it now: {at_home.why}; and {case.certificate.words}",
        f"{error.remedy} Or {case.certificate.mends}; or write {others}.".strip(),
    )


def _none_fits(case: Circumstances) -> JobError:
    kept_back = [c for c in case.able if c not in case.allowed and not case.limits.exceeded(c)]
    return _too_much(case, case.allowed, kept_back=kept_back)


def _too_much(case: Circumstances, tried: Sequence[Candidate], *, kept_back: Sequence[Candidate] = ()) -> JobError:
    several = len(tried) > 1
    message = "; ".join(f"{f'{c.backend}: ' if several else ''}{excess(c, case.limits)}" for c in tried)
    late = any("wall_seconds" in case.limits.exceeded(c) for c in tried)
    costly = any(set(case.limits.exceeded(c)) - {"wall_seconds"} for c in tried)
    remedies = ["Raise the budget, or take a smaller area or period."] if costly else []
    remedies += (
        ["Give it longer, more workers (SARBATCH_WORKERS), or a smaller area or period."] if late and not costly else []
    )
    for other in kept_back:
        remedies.append(
            f"{other.backend} would keep within, but {case.certificate.words}: {case.certificate.mends}, or write backend: {other.backend}."
        )
    return JobError(message, " ".join(remedies))


# ------------------------------------------------------------------------------------------------------- reason


def _reason(case: Circumstances, chosen: Candidate) -> str:
    others = case.others(chosen)
    unable = [other for other in others if not other.able]
    if case.wanted != "auto":
        return "; ".join([f"the job asks for {case.wanted}", *_beside_the_word(case, chosen)])
    if unable:
        return f"it alone can make this: {'; '.join(f'{c.backend} cannot: {c.why}' for c in unable)}"
    if not others:
        return chosen.why
    (other,) = others
    if _nothing_left(case):
        return f"nothing is left to do; {_home_words(case)}"
    here, there = _told_apart(chosen.wall, other.wall)
    beside = f"about {here}, against about {there} in {other.backend}"
    if case.limits.exceeded(other):
        return f"{other.backend} would exceed its limits ({excess(other, case.limits)}){_certified(case, chosen)}"
    if other in case.allowed:
        return f"it makes this in {beside}{_certified(case, chosen)}"
    if other.wall < chosen.wall:
        return f"{_home_words(case)}, and {case.certificate.words}, so that it is not moved: it takes {beside}"
    return f"{_home_words(case)}, and it takes {beside}"


def _beside_the_word(case: Circumstances, chosen: Candidate) -> Iterator[str]:
    for other in case.others(chosen):
        if not other.able:
            continue
        if not _nothing_left(case):
            here, there = _told_apart(chosen.wall, other.wall)
            yield f"it takes about {here}, {other.backend} about {there}"
        if chosen.backend != case.home and not case.certificate.valid:
            yield f"of its own accord sarbatch would not move it from {other.backend}: {case.certificate.words}"


def _home_words(case: Circumstances) -> str:
    at_home = case.named(case.home)
    return f"its data lie {at_home.way.data}" if at_home and at_home.way.data else f"{case.home} is where its data lie"


def _told_apart(first: float, second: float) -> tuple[str, str]:
    """Two times in words, with tenths where they would read alike."""
    words = seconds(first), seconds(second)
    return words if words[0] != words[1] else (f"{first:.1f} s", f"{second:.1f} s")


def _certified(case: Circumstances, chosen: Candidate) -> str:
    return f"; both make the same: {case.certificate.words}" if chosen.backend != case.home else ""


def _nothing_left(case: Circumstances) -> bool:
    return not any(candidate.wall for candidate in case.able)


# ------------------------------------------------------------------------------------------------------- what would change it


def _changes(case: Circumstances, chosen: Candidate) -> Iterator[str]:
    for other in case.others(chosen):
        if not other.able:
            remedy = other.error.remedy if other.error else ""
            yield f"{other.backend}: {remedy}" if remedy else f"a version of this kind for {other.backend}"
            continue
        if case.wanted != "auto":
            yield from _without_the_word(case, chosen)
        else:
            yield from _steps_to(case, chosen, other)
        if not case.limits.exceeded(other):
            yield f"backend: {other.backend}"


def _without_the_word(case: Circumstances, chosen: Candidate) -> Iterator[str]:
    try:
        found = _decide(replace(case, wanted="auto"))
    except SarbatchError as error:
        yield f"backend: auto, which would stop: {error.message}"
    else:
        if found is not chosen:
            yield f"backend: auto, which would take {found.backend}"


def _steps_to(case: Circumstances, chosen: Candidate, other: Candidate) -> Iterator[str]:
    """A certificate, other limits, less time: what is lacking, that together leads to the other engine."""
    if _nothing_left(case):
        return
    certified = replace(case, certificate=replace(case.certificate, valid=True))
    exceeded = case.limits.exceeded(other)
    unlimited = replace(certified, limits=certified.limits.without(exceeded))
    steps = [] if other in case.allowed else [case.certificate.mends]
    if _leads_to(other, certified):
        yield from steps
        return
    steps += [f"{_limit(name)} of {_enough(name, other)}" for name in exceeded]
    if not _leads_to(other, unlimited):
        steps.append(f"{other.backend} in less than {seconds(chosen.wall)}")
    yield " and ".join(steps)


def _leads_to(other: Candidate, case: Circumstances) -> bool:
    return _decide(case) is other


def _limit(name: str) -> str:
    return "a deadline" if name == "wall_seconds" else "a budget"


def _enough(name: str, candidate: Candidate) -> str:
    """Amount of a limit that would do, rounded up so that it is true."""
    value = getattr(candidate.ahead, name)
    if name == "wall_seconds":
        return f"more than {seconds(value)}"
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / step) * step:.3g} {NAMES[name]}"
