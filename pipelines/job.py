"""The job file: what a user asks for, as strict, typed values. Parsing opens no file that the job names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from infra.errors import JobError, UserError
from infra.region import Region
from infra.storage import Location
from pipelines.job_faults import NAME, NAME_RULE, job_error
from pipelines.job_text import read_values
from pipelines.kinds import all_kinds
from pipelines.kinds.model import KindSpec, Parameters, Strict, keys_of, nearest, unknown_key
from pipelines.period import Period

AREA_FILES = (".geojson", ".json", ".shp", ".gpkg")


class Area(Strict):
    """Where: a box, a polygon, or a file of polygons; longitude and latitude, WGS84."""

    bbox: tuple[float, float, float, float] | None = Field(None, description="[west, south, east, north], degrees")
    wkt: str | None = Field(None, description="POLYGON or MULTIPOLYGON, degrees")
    file: str | None = Field(None, description="polygons in a .geojson, .shp or .gpkg file")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [name for name in ("bbox", "wkt", "file") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of bbox, wkt, file; here: {', '.join(given) or 'none'}")
        if self.file is not None and Path(self.file).suffix.lower() not in AREA_FILES:
            raise ValueError(f"file '{self.file}' is none of {', '.join(AREA_FILES)}")
        return self

    @field_validator("bbox", mode="before")
    @classmethod
    def _four_numbers(cls, box: Any) -> Any:
        if box is not None and not (isinstance(box, list | tuple) and len(box) == 4):
            raise ValueError(f"must be four numbers, [west, south, east, north], not {box}")
        return box

    @field_validator("wkt")
    @classmethod
    def _polygon(cls, wkt: str | None) -> str | None:
        if wkt is not None:
            _fine(lambda: Region.from_wkt(wkt))
        return wkt

    @field_validator("bbox")
    @classmethod
    def _box(cls, box: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if box is None:
            return None
        west, south, east, north = box
        if not (-90 <= south <= 90 and -90 <= north <= 90):
            raise ValueError(
                f"latitudes {south:g} and {north:g} must lie in -90 to 90; the order is [west, south, east, north]"
            )
        if not (-180 <= west <= 180 and -180 <= east <= 180):
            raise ValueError(
                f"an area across ±180° is not supported (longitudes {west:g} to {east:g}); split it in two jobs"
            )
        if west >= east:
            raise ValueError(
                f"west {west:g} is not west of east {east:g}; an area across ±180° is not supported: split it in two jobs"
            )
        if south >= north:
            raise ValueError(
                f"south {south:g} is not south of north {north:g}; the order is [west, south, east, north]"
            )
        return box


class Budget(Strict):
    """What a task may cost; planning refuses more."""

    eecu_hours: float | None = Field(None, gt=0, description="Earth Engine compute, EECU-hours")
    core_hours: float | None = Field(None, gt=0, description="Dask compute, core-hours")


def _duration(value: Any) -> Any:
    """ISO 8601 alone: a bare number would be seconds, which nobody means."""
    if not isinstance(value, str | timedelta):
        raise ValueError(f"must be an ISO 8601 duration such as PT12H or P2D, not {value}")  # noqa: TRY004 -- pydantic's way to refuse
    return value


def _some(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError(f"must be longer than nothing, not {value}")
    return value


Deadline = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_some)]


def _fine(check: Callable[[], object]) -> None:
    """Our own errors as the ones that pydantic collects."""
    try:
        check()
    except UserError as error:
        message = error.message.removeprefix("area.wkt: ").removeprefix("area: ")
        raise ValueError(f"{message}. {error.remedy}") from None


class Task(BaseModel):
    """One task of a job: the reserved keys, and the kind's parameters."""

    model_config = {"frozen": True}

    name: str
    kind: str
    backend: Literal["auto", "earth-engine", "dask"] = "auto"
    budget: Budget | None = None
    deadline: Deadline | None = None
    parameters: Parameters

    @property
    def spec(self) -> KindSpec:
        """The task's kind."""
        return all_kinds()[self.kind]

    def references(self) -> dict[str, str]:
        """Parameter to the name of the task that it refers to; those that are left out refer to none."""
        named = {parameter: getattr(self.parameters, parameter) for parameter in self.spec.references()}
        return {parameter: name for parameter, name in named.items() if name is not None}


class Job(BaseModel):
    """What a user asks for.

    Attributes
    ----------
    tasks : in an order in which each stands after those that it needs
    folder : where relative paths start: the job file's folder
    file : the job file as it was named, for messages
    text : the job file as it was read
    """

    model_config = {"frozen": True}

    name: str
    area: Area | None = None
    period: Period | None = None
    output: str
    tasks: tuple[Task, ...]
    folder: Path
    file: str = "job"
    text: str = ""


RESERVED = ("kind", "backend", "budget", "deadline")
TOP = ("name", "area", "period", "output", "tasks")


class _Top(Strict):
    name: str = Field(pattern=NAME)
    area: Area | None = None
    period: Period | None = None
    output: str = Field(min_length=1)
    tasks: dict[str, dict[str, Any]] = Field(min_length=1)

    @field_validator("output")
    @classmethod
    def _place(cls, output: str) -> str:
        _fine(lambda: Location.parse(output))
        return output


class _Reserved(BaseModel):
    backend: Literal["auto", "earth-engine", "dask"] = "auto"
    budget: Budget | None = None
    deadline: Deadline | None = None


def load_job(path: str | Path) -> Job:
    """Job of a YAML file.

    Raises
    ------
    JobError
        For anything wrong with the file itself: unreadable, not YAML, an unknown key (with the nearest valid one), a
        wrong value, a missing `${VARIABLE}`, a reference to a task that is not there or goes in a circle.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise JobError(
            f"job file {file} is not there", "`sarbatch init stack-statistics job.yaml` writes one."
        ) from None
    except OSError as error:
        raise JobError(f"job file {file} cannot be read: {error.strerror}", "Give a YAML text file.") from error
    except UnicodeDecodeError as error:
        raise JobError(f"job file {file} is not text in UTF-8", "Give a YAML text file.") from error
    return parse_job(text, folder=file.resolve().parent, name=str(file))


def parse_job(text: str, *, folder: Path, name: str = "job") -> Job:
    """Job of YAML text; relative paths start at `folder`. Errors as `load_job`."""
    values = read_values(text, name=name, keys=TOP)
    try:
        top = _Top.model_validate(values)
    except ValidationError as error:
        raise job_error(error, name, value=values) from None
    tasks = [_task(task, value, name) for task, value in top.tasks.items()]
    return Job(
        name=top.name,
        area=top.area,
        period=top.period,
        output=top.output,
        tasks=_in_order(tasks, name),
        folder=folder,
        file=name,
        text=text,
    )


def _task(name: str, value: dict[str, Any], file: str) -> Task:
    where = f"tasks.{name}"
    if not re.fullmatch(NAME, name):
        raise JobError(f"{file}: {where}: the task's name {NAME_RULE} (here: {name!r})", "Give it another name.")
    kind = _kind(value, f"{file}: {where}.kind")
    model = all_kinds()[kind].parameters
    parameters = {key: item for key, item in value.items() if key not in RESERVED}
    reserved = {key: item for key, item in value.items() if key in RESERVED and key != "kind"}
    try:
        _check_keys(parameters, [*keys_of(model), *RESERVED])
        return Task(
            name=name,
            kind=kind,
            parameters=model.model_validate(parameters),
            **dict(_Reserved.model_validate(reserved)),
        )
    except ValidationError as error:
        raise job_error(error, file, value=value, prefix=where, kind=kind) from None


def _kind(value: Mapping[str, Any], where: str) -> str:
    kind, kinds = value.get("kind"), list(all_kinds())
    if kind is None:
        raise JobError(f"{where}: is missing", f"Kinds: {', '.join(kinds)}.")
    if not isinstance(kind, str) or kind not in kinds:
        hint = f"{nearest(str(kind), kinds)} Kinds: {', '.join(kinds)}.".strip()
        raise JobError(f"{where}: '{kind}' is not a task kind", hint[:1].upper() + hint[1:])
    return kind


def _check_keys(parameters: Mapping[str, Any], known: list[str]) -> None:
    """Refuse a key that is none of the kind's and none of the reserved ones."""
    unknown = [key for key in parameters if key not in known]
    if unknown:
        fault = unknown_key(str(unknown[0]), known)
        raise ValidationError.from_exception_data("task", [{"type": fault, "loc": (), "input": None}])


def _in_order(tasks: list[Task], file: str) -> tuple[Task, ...]:
    """Tasks so that each stands after those that it needs, otherwise as written."""
    by_name = {task.name: task for task in tasks}
    for task in tasks:
        _check_there(task, by_name, file)
    ordered: list[Task] = []
    waiting = list(tasks)
    while waiting:
        done = {task.name for task in ordered}
        ready = next((task for task in waiting if set(task.references().values()) <= done), None)
        if ready is None:
            raise JobError(
                f"{file}: tasks need each other in a circle: {' → '.join(_circle(waiting))}",
                "A task cannot need itself, not even by others: let one of them name another task.",
            )
        ordered.append(ready)
        waiting.remove(ready)
    for task in tasks:
        _check_kinds(task, by_name, file)
    return tuple(ordered)


def _circle(waiting: list[Task]) -> list[str]:
    """Names along one circle, the first also last; every one of `waiting` needs another of them."""
    needs = {task.name: set(task.references().values()) for task in waiting}
    path = [waiting[0].name]
    while path[-1] not in path[:-1]:
        path.append(next(name for name in needs[path[-1]] if name in needs))
    return path[path.index(path[-1]) :]


def _check_there(task: Task, tasks: Mapping[str, Task], file: str) -> None:
    for parameter, target in task.references().items():
        if target not in tasks:
            near = nearest(target, list(tasks))
            raise JobError(
                f"{file}: tasks.{task.name}.{parameter}: there is no task '{target}'{f'; {near}' if near else ''}",
                f"Tasks of this job: {', '.join(tasks)}.",
            )


def _check_kinds(task: Task, tasks: Mapping[str, Task], file: str) -> None:
    kinds = task.spec.references()
    for parameter, name in task.references().items():
        target, kind = tasks[name], kinds[parameter]
        if target.kind != kind:
            raise JobError(
                f"{file}: tasks.{task.name}.{parameter}: task '{target.name}' is a {target.kind}, but a {kind} is needed",
                f"Name a task of kind {kind}.",
            )
