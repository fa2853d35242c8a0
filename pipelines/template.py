"""The job file that `init` writes: every parameter of a kind with its unit, default and choices, from the spec."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipelines.kinds import all_kinds
from pipelines.kinds.model import KindSpec, TaskReference, keys_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

EXAMPLES: dict[str, Any] = {
    "path": "scenes/",
    "pattern": r"_(?P<polarization>[HV]{2})_(?P<date>\d{8})\.tif$",
    "polarization": "HH",
    "polarizations": ["VV", "VH"],
    "zones": "zones.geojson",
    "stack": "stack",
    "nodata": 0,
}
WIDTH = 110  # letters of a line
HEAD = """\
# A job of sarbatch: `sarbatch plan {file}` shows what it will do and cost, `sarbatch run {file}` does it.
# Lines that start with "# " and a key show a default: take the "# " away to change it.
name: {name}
{off}area: {{bbox: [-119.9, 34.3, -119.6, 34.6]}}   # longitude and latitude, WGS84; or {{wkt: "POLYGON((…))"}} or {{file: aoi.geojson}}
{off}period: {{start: 2021-11-01, end: 2025-02-01}} # UTC dates, the end exclusive; or {{last: 90d}} up to and with today
output: ./products                             # a folder, or s3://bucket/prefix
tasks:
"""


def job_template(kind: str, *, file: str = "job.yaml") -> str:
    """Commented job file for a kind and the kinds that it needs; valid as it stands once `path` exists."""
    kinds = all_kinds()
    spec = kinds[kind]
    required = [name for key, name in spec.references().items() if spec.parameters.model_fields[key].is_required()]
    needed = [kinds[name] for name in dict.fromkeys(required)]
    tasks = [_task(one, {other.name: _task_name(other.name) for other in needed}) for one in (*needed, spec)]
    # What Earth Engine holds is everywhere and of every year: there, area and period must be said
    off = "" if "earth-engine" in spec.backends else "# "
    return HEAD.format(file=file, name=kind, off=off) + "\n".join(tasks)


def _task_name(kind: str) -> str:
    return kind.rpartition("-")[2]


def _task(spec: KindSpec, names: dict[str, str]) -> str:
    lines = [f"  {_task_name(spec.name)}:", f"    kind: {spec.name}", *_comment(spec.summary, "    ")]
    for name, field in keys_of(spec.parameters).items():
        reference = next((mark for mark in field.metadata if isinstance(mark, TaskReference)), None)
        lines += _field(name, field, "    ", value=names.get(reference.kind) if reference else None)
    tiled = "earth-engine" in spec.backends
    costs = "EECU-hours of Earth Engine and Dask core-hours" if tiled else "Dask core-hours"
    budget = "eecu_hours: 10, core_hours: 10" if tiled else "core_hours: 10"
    lines += [
        *_comment("which engine makes it: auto, dask, earth-engine", "    "),
        "    # backend: auto",
        *_comment(f"what it may cost, {costs}; and how long it may take, ISO 8601 duration", "    "),
        f"    # budget: {{{budget}}}",
        "    # deadline: P1D",
    ]
    return "\n".join(lines) + "\n"


def _field(name: str, field: FieldInfo, indent: str, *, value: Any = None) -> list[str]:
    models = models_of(field.annotation)
    lines = _comment(_described(field), indent)
    if value is not None:
        return [*lines, f"{indent}{name}: {value}"]
    if models and field.is_required():
        lines.append(f"{indent}{name}:")
        for index, model in enumerate(models):
            lines += _model(model, indent + "  ", first=models[0] if index else None)
        return lines
    if models and isinstance(field.default, str):  # a word where a model may stand: its keys belong to another choice
        lines += [
            row
            for model in models
            for key, sub in model.model_fields.items()
            for row in _comment(f"{key}: {_said(sub)}", indent)
        ]
        return [*lines, f"{indent}# {name}: {shown(field.default)}"]
    if models:
        keys = models[0].model_fields
        given = {key: sub.examples[0] for key, sub in keys.items() if sub.examples}  # where no default can be shown
        values = given if field.default is None and given else {key: sub.default for key, sub in keys.items()}
        inside = _as_many_as_fit(values, room=WIDTH - len(f"{indent}# {name}: {{}}"))
        for key, sub in keys.items():
            hidden = f"; {shown(values[key])} by default" if values.get(key) is not None and key not in inside else ""
            lines += _comment(f"{key}: {_described(sub)}{hidden}", indent)
        return [*lines, f"{indent}# {name}: {{{', '.join(inside.values())}}}"]
    if field.is_required():
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else (EXAMPLES.get(name),)
        return [*lines, f"{indent}{name}: {shown(choices[0])}"]
    example = field.examples[0] if field.examples else EXAMPLES.get(name)
    return [*lines, f"{indent}# {name}: {shown(example if field.default is None else field.default)}"]


def _as_many_as_fit(values: dict[str, Any], *, room: int) -> dict[str, str]:
    """`key: value` of the first keys, on one line of `room` letters."""
    found: dict[str, str] = {}
    for key, value in values.items():
        text = f"{key}: {shown(value)}"
        if len(", ".join([*found.values(), text])) > room:
            break
        found[key] = text
    return found


def _model(model: type[BaseModel], indent: str, *, first: type[BaseModel] | None) -> list[str]:
    """Fields of one choice of source; those after the first are comments, and repeat nothing that the first explains."""
    lines = _comment((model.__doc__ or "").strip(), indent)
    for name, field in model.model_fields.items():
        known = first.model_fields.get(name) if first else None
        told = known is not None and known.description == field.description
        if told and not field.is_required():
            continue
        value = get_args(field.annotation)[0] if name == "format" else None
        rows = _field(name, field, indent, value=value)
        if name == "format" or told:
            rows = rows[-1:]
        lines += [f"{indent}# {row.strip()}" if first and not row.strip().startswith("#") else row for row in rows]
    return lines


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Models that a value may be: one, or the choices of a source."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        return [model for part in get_args(annotation) for model in models_of(part)]
    return []


def _said(field: FieldInfo) -> str:
    """Description of a key of a choice that is not taken: whether it must be given matters there alone."""
    return _described(field).removesuffix(" [required]")


def _described(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    among = f" ({' | '.join(map(str, choices))})" if choices else ""
    needed = "" if not field.is_required() else " [required]"
    left_out = "; left out by default" if field.default is None else ""
    return f"{field.description or ''}{among}{left_out}{needed}"


def shown(value: Any) -> str:
    """Value as YAML on one line."""
    if value is PydanticUndefined:
        return ""
    if isinstance(value, BaseModel):
        return "{" + ", ".join(f"{name}: {shown(item)}" for name, item in value) + "}"
    if isinstance(value, str) and not value.isidentifier() and not value.replace("-", "").isalnum():
        return "'" + value.replace("'", "''") + "'"
    return value if isinstance(value, str) else json.dumps(value)


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, WIDTH - len(indent))]
