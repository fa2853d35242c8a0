"""The job file: what a user asks for, as strict, typed values. Parsing opens no file that the job names."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from infra.errors import JobError
from pipelines.kinds import all_kinds
from pipelines.kinds.model import KindSpec, Parameters, Strict, unknown_key

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
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


class Period(Strict):
    """When: UTC dates, the end exclusive."""

    start: datetime = Field(description="first date, UTC")
    end: datetime = Field(description="first date that is not part of it, UTC")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _utc(cls, value: Any) -> Any:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC)
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        raise ValueError(f"'{value}' is not a date; write it as 2021-11-01")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.start >= self.end:
            raise ValueError(
                f"is empty: start {self.start:%Y-%m-%d} is not before end {self.end:%Y-%m-%d}, which is exclusive"
            )
        return self


class Budget(Strict):
    """What a task may cost; planning refuses more."""

    eecu_hours: float | None = Field(None, gt=0, description="Earth Engine compute, EECU-hours")
    core_hours: float | None = Field(None, gt=0, description="Dask compute, core-hours")


class Task(BaseModel):
    """One task of a job: the reserved keys, and the kind's parameters."""

    model_config = {"frozen": True}

    name: str
    kind: str
    backend: Literal["auto", "earth-engine", "dask"] = "auto"
    budget: Budget | None = None
    deadline: timedelta | None = None
    parameters: Parameters

    @property
    def spec(self) -> KindSpec:
        """The task's kind."""
        return all_kinds()[self.kind]

    def references(self) -> dict[str, str]:
        """Parameter to the name of the task that it refers to."""
        return {parameter: getattr(self.parameters, parameter) for parameter in self.spec.references()}


class Job(BaseModel):
    """What a user asks for.

    Attributes
    ----------
    tasks : in an order in which each stands after those that it needs
    folder : where relative paths start: the job file's folder
    text : the job file as it was read
    """

    model_config = {"frozen": True}

    name: str
    area: Area | None = None
    period: Period | None = None
    output: str
    tasks: tuple[Task, ...]
    folder: Path
    text: str = ""


RESERVED = ("kind", "backend", "budget", "deadline")
TOP = ("name", "area", "period", "output", "tasks")


class _Top(Strict):
    name: str = Field(pattern=NAME)
    area: Area | None = None
    period: Period | None = None
    output: str = Field(min_length=1)
    tasks: dict[str, dict[str, Any]] = Field(min_length=1)


class _Reserved(BaseModel):
    backend: Literal["auto", "earth-engine", "dask"] = "auto"
    budget: Budget | None = None
    deadline: timedelta | None = None


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
            f"job file {file} is not there", "`sarbatch init backscatter-stack job.yaml` writes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"job file {file} cannot be read: {error}", "Give a YAML text file.") from error
    return parse_job(text, folder=file.resolve().parent, name=str(file))


def parse_job(text: str, *, folder: Path, name: str = "job") -> Job:
    """Job of YAML text; relative paths start at `folder`. Errors as `load_job`."""
    values = _substituted(_mapping(text, name), name)
    try:
        top = _Top.model_validate(values)
    except ValidationError as error:
        raise _job_error(error, name) from None
    tasks = [_task(task, value, name) for task, value in top.tasks.items()]
    return Job(
        name=top.name,
        area=top.area,
        period=top.period,
        output=top.output,
        tasks=_in_order(tasks, name),
        folder=folder,
        text=text,
    )


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a key stand twice, and the last one wins silently: here it is an error."""


def _unique(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, str | int | float | bool | None):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key '{key}' stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique)


def _mapping(text: str, name: str) -> dict[str, Any]:
    try:
        values = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 -- a SafeLoader that also refuses duplicate keys
    except yaml.YAMLError as error:
        raise JobError(f"{name} is not valid YAML: {error}", "Mend the line that it names.") from None
    if not isinstance(values, dict):
        raise JobError(
            f"{name} is not a job: a mapping with the keys {', '.join(TOP)} is expected", "`sarbatch init` writes one."
        )
    return values


def _substituted(value: Any, name: str) -> Any:
    """`${VAR}` in every string value, after parsing, so that a value can never change the structure."""
    if isinstance(value, dict):
        return {key: _substituted(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, name) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda match: _variable(match[1], name), value)
    return value


def _variable(variable: str, name: str) -> str:
    if variable not in os.environ:
        raise JobError(
            f"{name}: the environment variable {variable} is not set, but the job uses ${{{variable}}}",
            f"Set it: export {variable}=…",
        )
    return os.environ[variable]


def _task(name: str, value: dict[str, Any], file: str) -> Task:
    where = f"tasks.{name}"
    if not re.match(NAME, name):
        raise JobError(f"{file}: {where}: '{name}' is not a task name", f"Names match {NAME}.")
    kinds = all_kinds()
    kind = value.get("kind")
    if kind not in kinds:
        hint = str(unknown_key(str(kind), list(kinds))).partition("; ")[2]
        raise JobError(f"{file}: {where}.kind: '{kind}' is not a task kind", f"{hint} Kinds: {', '.join(kinds)}.")
    parameters = {key: item for key, item in value.items() if key not in RESERVED}
    reserved = {key: item for key, item in value.items() if key in RESERVED and key != "kind"}
    model = kinds[kind].parameters
    unknown = [key for key in parameters if key not in model.model_fields]
    try:
        if unknown:
            known = [*model.model_fields, *RESERVED]
            raise ValidationError.from_exception_data(
                name, [{"type": unknown_key(str(unknown[0]), known), "loc": (), "input": None}]
            )
        return Task(
            name=name,
            kind=str(kind),
            parameters=model.model_validate(parameters),
            **dict(_Reserved.model_validate(reserved)),
        )
    except ValidationError as error:
        raise _job_error(error, file, prefix=where) from None


def _in_order(tasks: list[Task], file: str) -> tuple[Task, ...]:
    """Tasks so that each stands after those that it needs, otherwise as written."""
    by_name = {task.name: task for task in tasks}
    for task in tasks:
        for parameter, kind in task.spec.references().items():
            _check_reference(task, parameter, kind, by_name, file)
    ordered: list[Task] = []
    waiting = list(tasks)
    while waiting:
        done = {task.name for task in ordered}
        ready = next((task for task in waiting if set(task.references().values()) <= done), None)
        if ready is None:
            circle = " → ".join(task.name for task in waiting)
            raise JobError(
                f"{file}: tasks need each other in a circle: {circle}", "A task cannot need itself, not even by others."
            )
        ordered.append(ready)
        waiting.remove(ready)
    return tuple(ordered)


def _check_reference(task: Task, parameter: str, kind: str, tasks: dict[str, Task], file: str) -> None:
    target = getattr(task.parameters, parameter)
    where = f"{file}: tasks.{task.name}.{parameter}"
    if target == task.name:
        raise JobError(f"{where}: tasks need each other in a circle: {target} needs itself", "Name another task.")
    if target not in tasks:
        hint = str(unknown_key(target, list(tasks))).partition("; ")[2]
        raise JobError(f"{where}: there is no task '{target}'", f"{hint} Tasks: {', '.join(tasks)}.")
    if tasks[target].kind != kind:
        raise JobError(
            f"{where}: task '{target}' is a {tasks[target].kind}, but a {kind} is needed",
            f"Name a task of kind {kind}.",
        )


def _job_error(error: ValidationError, file: str, *, prefix: str = "") -> JobError:
    """Every fault of the file in one error, one line each."""
    lines = []
    for fault in error.errors():
        where = ".".join([*([prefix] if prefix else []), *(str(part) for part in fault["loc"])])
        message = fault["msg"].removeprefix("Value error, ")
        value = fault.get("input")
        shown = (
            f" (here: {value!r})" if isinstance(value, str | int | float | bool) and fault["type"] != "missing" else ""
        )
        lines.append(f"{where}: {message}{shown}" if where else message)
    return JobError(
        f"{file}: " + f"\n{file}: ".join(lines), "`sarbatch init KIND` shows every key with its unit and choices."
    )
