"""What each engine finds when it looks at a task's inputs, or why it cannot make the task; and whether both mean the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from infra.errors import EngineError, InputError, SarbatchError, UserError
from pipelines.backends import load_backend
from pipelines.candidates import Candidate, Way
from pipelines.cost import Estimate
from pipelines.keys import Identity
from pipelines.kinds.binding import Request, Survey
from pipelines.orders import Order

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend
    from pipelines.job import Task

OURS = ("pipelines", "gee", "dask_jobs", "infra")
EXTRAS: Mapping[str, str] = {"earth-engine": "earth-engine"}  # engine to the extra that it needs
PARTS = ("parameters", "grid", "radiometry", "scenes")  # of an identity, that two engines may find otherwise


@dataclass(frozen=True, kw_only=True)
class Look:
    """What an engine found."""

    engine: Backend
    survey: Survey


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why an engine cannot make a task.

    Attributes
    ----------
    error : what its look ended with; None where it was not asked to look
    """

    why: str
    error: SarbatchError | None = None


def look(name: str, task: Task, request: Request, settings: Settings) -> Look | Failed:
    """What an engine finds; errors that belong to the engine or the job are its reason, all others pass."""
    backends = task.spec.backends
    if name not in backends:
        return Failed(why=f"{task.kind} is made on {', '.join(backends)} only")
    try:
        engine = load_backend(name, settings)
        return Look(engine=engine, survey=engine.binding(task.kind).survey(request))
    except (UserError, EngineError) as error:
        return Failed(why=error.message, error=error)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if name not in EXTRAS or not package or package in OURS:
            raise
        missing = EngineError(f"{package} is not installed", f"Install sarbatch[{EXTRAS[name]}].")
        return Failed(why=missing.message, error=missing)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an engine would make.

    Attributes
    ----------
    state, notes : whether it is there already, and why not, as in `pipelines.plan.TaskPlan`
    estimate, left : of the whole task, and of what is still to do
    """

    survey: Survey
    identity: Identity
    order: Order
    state: Literal["new", "done", "stale"]
    notes: tuple[str, ...]
    estimate: Estimate
    left: Estimate
    way: Way

    def candidate(self, other: InputError | None) -> Candidate:
        """For the choice; `other` says why it is not the product that counts."""
        name = self.order.backend
        if other is not None:
            return Candidate(backend=name, able=False, why=other.message, error=other)
        return Candidate(
            backend=name,
            able=True,
            why=f"it makes this kind, and its data lie {self.way.data}",
            estimate=self.estimate,
            left=self.left,
            way=self.way,
        )


def difference(offers: Sequence[Offer], *, names: Sequence[str]) -> InputError | None:
    """Why two engines would not make the same product; None where they would. The first is the one that counts."""
    surveys = [offer.survey for offer in offers]
    first, second = offers
    if first.survey.source != second.survey.source:
        said = [
            f"{survey.source or 'data of no named product'} on {name}"
            for name, survey in zip(names, surveys, strict=True)
        ]
        return InputError(
            f"not the same product: {said[1]}, {said[0]}", f"Give {names[1]} the product that {names[0]} has."
        )
    if first.identity.key == second.identity.key:
        return None
    one, other = asdict(first.identity), asdict(second.identity)
    words = [
        _scenes(surveys, names) if part == "scenes" else f"another {part}" for part in PARTS if one[part] != other[part]
    ]
    return InputError(
        f"not the same product: {', '.join(words) or 'another key'}",
        "Give both engines the same scenes, and a `grid` on which the products lie.",
    )


def _scenes(surveys: Sequence[Survey], names: Sequence[str]) -> str:
    counts = [f"{len(survey.scenes)} on {name}" for name, survey in zip(names, surveys, strict=True)]
    return f"other scenes ({', '.join(counts)})"
