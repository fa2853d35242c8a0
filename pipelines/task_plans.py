"""The plan of one task after the other: what each engine would make of it, which is chosen, and what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from infra.errors import InputError, SarbatchError
from infra.region import Region
from infra.storage import Location
from pipelines.candidates import ENGINES, EXPORT_WAIT, Candidate, Limits, Score, Standing, Way
from pipelines.choice import choose
from pipelines.cost import Estimate
from pipelines.job import Job, Task
from pipelines.keys import Identity, short
from pipelines.kinds.binding import Request, Survey
from pipelines.kinds.model import identity
from pipelines.looks import Failed, Look, Offer, difference, look
from pipelines.orders import Order
from pipelines.parity import engine_in_use, standing
from pipelines.products import is_published

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend
    from pipelines.cost import Work

TaskState = Literal["new", "done", "stale"]
Window = tuple[datetime, datetime]  # UTC, the end exclusive


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    """One task: what is made, by which engine, why, and at what cost.

    Attributes
    ----------
    state : done (the key is published), stale (its line is, with other scenes), new
    why_stale : in words, one line each
    estimate : of what is left to do; zero where the task is done
    scores : the table that the choice was made from
    used, dropped : scenes, and what was left out with its reason
    needs : names of the tasks that come before
    """

    task: str
    state: TaskState
    why_stale: tuple[str, ...]
    backend: str
    reason: str
    would_change: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    estimate: Estimate
    used: tuple[str, ...]
    dropped: tuple[Mapping[str, str], ...]
    needs: tuple[str, ...]
    order: Order

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` shows it."""
        return {
            "task": self.task,
            "kind": self.order.kind,
            "key": self.order.key,
            "state": self.state,
            "why_stale": list(self.why_stale),
            "backend": self.backend,
            "reason": self.reason,
            "would_change": list(self.would_change),
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "estimate": self.estimate.to_json(),
            "inputs": {"used": list(self.used), "dropped": [dict(row) for row in self.dropped]},
        }


@contextmanager
def told(where: str) -> Iterator[None]:
    """What is said to the user, with the place in the job file that leads there."""
    try:
        yield
    except SarbatchError as error:
        raise type(error)(f"{where}: {error.message}", error.remedy) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(
            f"{where}: {error.filename}: {error.strerror}", "Mend the path in the job, or the rights to it."
        ) from error


def resolved(job: Job, window: Window | None) -> Mapping[str, str] | None:
    """What a period that rolls is in this plan."""
    if job.period is None or job.period.rule is None or window is None:
        return None
    return {"rule": job.period.rule, "start": window[0].isoformat(), "end": window[1].isoformat()}


class Planner:
    """Plans tasks one after the other; each sees what was found for those that it needs."""

    def __init__(
        self,
        *,
        job: Job,
        settings: Settings,
        output: Location,
        region: Region | None,
        window: Window | None,
        compare: bool,
    ) -> None:
        self.job, self.settings, self.output, self.region, self.window = job, settings, output, region, window
        self.compare = compare
        self.surveys: dict[str, Survey] = {}
        self.orders: dict[str, Order] = {}

    def plan(self, task: Task) -> TaskPlan:
        """Plan of the next task; its errors name it."""
        with told(f"{self.job.file}: tasks.{task.name}"):
            return self._plan(task)

    def _plan(self, task: Task) -> TaskPlan:
        looks = {name: self._look(task, name) for name in ENGINES}
        offers = {name: self._offer(task, found) for name, found in looks.items() if isinstance(found, Look)}
        home = _home(task)
        candidates = _candidates(looks, offers, anchor=home if task.backend == "auto" else task.backend)
        choice = choose(
            candidates,
            wanted=task.backend,
            home=home,
            limits=_limits(task),
            certificate=self._certificate(task, offers),
        )
        offer = offers[choice.backend]
        self.surveys[task.name], self.orders[task.name] = offer.survey, offer.order
        return TaskPlan(
            task=task.name,
            state=offer.state,
            why_stale=offer.notes,
            backend=choice.backend,
            reason=choice.reason,
            would_change=choice.would_change,
            candidates=candidates,
            scores=choice.scores,
            estimate=offer.left,
            used=tuple(offer.survey.used),
            dropped=tuple(offer.survey.dropped),
            needs=tuple(dict.fromkeys(task.references().values())) if offer.survey.takes_inputs else (),
            order=offer.order,
        )

    def _look(self, task: Task, name: str) -> Look | Failed:
        asked_for_another = task.backend in task.spec.backends and task.backend != name
        if asked_for_another and not self.compare:
            return Failed(why=f"nobody looked, since the job asks for {task.backend}")
        return look(name, task, self._request(task), self.settings)

    def _offer(self, task: Task, found: Look) -> Offer:
        survey, engine = found.survey, found.engine
        identified = self._identity(task, survey)
        order = self._order(task, survey, identified, backend=engine.name)
        state, notes, left = self._state(order, survey, engine)
        way = self._way(task, found)
        return Offer(
            survey=survey,
            identity=identified,
            order=order,
            state=state,
            notes=notes,
            estimate=way.whole(engine.estimate(survey.work)),
            left=way.whole(left),
            way=way,
        )

    def _way(self, task: Task, found: Look) -> Way:
        survey, here = found.survey, found.engine.name == "dask"
        remote = self.output.is_s3 if task.references() else survey.remote  # products of other tasks lie in the output
        return Way(
            data=("in a bucket" if remote else "in files") if here else f"in Earth Engine ({survey.source})",
            fetches=here and remote,
            returns=not here,
            operations=max(len(survey.tiles), 1),
            parallel=found.engine.capabilities().parallel,
            wait=EXPORT_WAIT if survey.tiles and engine_in_use(self.settings) == "google" else 0.0,
        )

    def _certificate(self, task: Task, offers: Mapping[str, Offer]) -> Standing:
        covers = sorted({cover for offer in offers.values() for cover in offer.survey.covers})
        return standing(
            self.settings.state_dir,
            kind=task.kind,
            version=task.spec.version,
            covers=covers,
            against=engine_in_use(self.settings),
        )

    def _request(self, task: Task) -> Request:
        return Request(
            task=task.name,
            parameters=task.parameters,
            region=self.region,
            period=self.window,
            folder=self.job.folder,
            output=self.output,
            settings=self.settings,
            inputs={parameter: self.surveys[name] for parameter, name in task.references().items()},
        )

    def _identity(self, task: Task, survey: Survey) -> Identity:
        inputs = {parameter: self.orders[name] for parameter, name in task.references().items()}
        period = self.job.period
        files = {"files": survey.extra} if survey.extra is not None else {}
        return Identity(
            kind=task.kind,
            version=task.spec.version,
            parameters={**identity(task.parameters, line=False), **files},
            line_parameters={**identity(task.parameters, line=True), **files},
            area={"wkt": self.region.wkt, "masks": self.region.masks} if self.region else None,
            period=period.identity() if period else None,
            grid=survey.grid,
            radiometry=survey.radiometry,
            inputs={parameter: order.key for parameter, order in inputs.items()},
            input_lines={parameter: order.line for parameter, order in inputs.items()},
            scenes=survey.scenes,
            window=self._day(survey, inputs),
        )

    def _order(self, task: Task, survey: Survey, identified: Identity, *, backend: str) -> Order:
        return Order(
            job=self.job.name,
            task=task.name,
            kind=task.kind,
            key=identified.key,
            line=identified.line,
            output=self.output.url,
            s3=self.output.s3,
            parameters=task.parameters.model_dump(mode="json", by_alias=True),
            region=self.region,
            inputs={parameter: self.orders[name] for parameter, name in task.references().items()},
            document=survey.document,
            backend=backend,
            tiles=tuple(survey.tiles),
            budget=task.budget.model_dump(exclude_none=True) if task.budget else {},
        )

    def _day(self, survey: Survey, inputs: Mapping[str, Order]) -> list[str] | None:
        """Dates of a period that rolls, for the key of what no scene or input tells from the same of another day."""
        if resolved(self.job, self.window) is None or survey.scenes or inputs or self.window is None:
            return None
        return [moment.isoformat() for moment in self.window]

    def _rolled(self, survey: Survey, left: Work) -> list[str]:
        """Why all is made anew, where a scene may have left a period that rolls: the store only says that it vanished."""
        period = resolved(self.job, self.window)
        if period is None or not survey.scenes or left.pixels < survey.work.pixels:
            return []
        return [
            f"the period is the {period['rule']}, now from {period['start'][:10]} on: a scene that leaves it costs a new store of all dates"
        ]

    def _state(self, order: Order, survey: Survey, backend: Backend) -> tuple[TaskState, tuple[str, ...], Estimate]:
        if is_published(order):
            return "done", (), Estimate()
        continuation = backend.binding(order.kind).continuation(order, survey)
        estimate = backend.estimate(continuation.work)
        if self.output.list(f".sarbatch/lines/{short(order.line)}"):
            notes = [*continuation.notes, *self._rolled(survey, continuation.work)]
            return "stale", tuple(notes), estimate
        return "new", (), estimate


def _home(task: Task) -> str:
    """Engine beside the data: that of files where the task names some, else the only one, else Earth Engine."""
    if "earth-engine" not in task.spec.backends:
        return "dask"
    return "dask" if task.references() and "dask" in task.spec.backends else "earth-engine"


def _limits(task: Task) -> Limits:
    return Limits(
        eecu_hours=task.budget.eecu_hours if task.budget else None,
        core_hours=task.budget.core_hours if task.budget else None,
        wall_seconds=task.deadline.total_seconds() if task.deadline else None,
    )


def _candidates(
    looks: Mapping[str, Look | Failed], offers: Mapping[str, Offer], *, anchor: str
) -> tuple[Candidate, ...]:
    """Every engine, able or not; one that would make another product than the `anchor` is not able to make this one."""
    found = []
    for name, seen in looks.items():
        if isinstance(seen, Failed):
            found.append(Candidate(backend=name, able=False, why=seen.why, error=seen.error))
            continue
        compared = anchor in offers and name != anchor
        names = (anchor, name)
        other = difference([offers[one] for one in names], names=names) if compared else None
        found.append(offers[name].candidate(other))
    return tuple(found)
