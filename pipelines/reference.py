"""The reference of the job file (`docs/job-file.md`), made from the specs: `python -m pipelines.reference > docs/job-file.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pipelines.kinds import all_kinds
from pipelines.kinds.model import keys_of
from pipelines.template import models_of, shown

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from pipelines.kinds.model import KindSpec

WORDS = {
    str: "text",
    float: "number",
    int: "whole number",
    bool: "true or false",
    date: "date",
    datetime: "date",
    timedelta: "days or weeks",
}
Row = tuple[str, str, str, str]  # key, value, default, what
REFERENCE_HEAD = """\
# The job file

Made from the task kinds by `pipelines.reference.job_reference`; a test compares. `sarbatch init KIND` writes the same as a
commented file. The file is strict: an unknown key is an error that names the nearest valid one, and no key may stand twice.
Paths are relative to the job file. `${VAR}` in a value is replaced by the environment variable; where there is none, that is an
error. No secret belongs in a job file: keys come from the environment.

```yaml
name: santa-barbara
area: {bbox: [-120.70, 34.40, -120.66, 34.44]}
period: {start: 2021-11-01, end: 2025-02-01}
output: ./products
tasks:
  stack:
    kind: backscatter-stack
    source: {format: opera-rtc, path: scenes/}
    mask: {layover: true, shadow: true}
  statistics:
    kind: stack-statistics
    stack: stack
    percentiles: [10, 50, 90]
```

## Top level

`area` takes one of its three keys and may be left out: then the scenes say where. `bbox` selects the pixels whose centre lies inside the
box and masks nothing; `wkt` and `file` also set pixels outside the polygon to no-data. An area across ±180° is refused. `period` may be left
out: then all scenes are taken. It takes `start` and `end`, or `last` alone, for jobs on a schedule: `{last: 90d}` is the 90 days up to and with
today, UTC. New scenes are appended; one that has left the period costs a new store of all dates, and `plan` says so. Tasks that look for
scenes in Earth Engine need both, area and period.
"""
RESERVED_HEAD = """\
## Keys of every task

A task that names another one (the key `stack` below) is made after it. All other keys belong to its kind.
"""


def job_reference() -> str:
    """Every key of a job file with its kind of value, default and meaning, as Markdown."""
    parts = [REFERENCE_HEAD, _rows(_top()), RESERVED_HEAD, _rows(_reserved())]
    for spec in all_kinds().values():
        parts += [f"## `{spec.name}`\n\n{_sentence(spec.summary)} Made on: {', '.join(spec.backends)}.\n"]
        parts += [_rows(_keys(spec.parameters)), f"Its products:\n\n{_products(spec)}"]
    return "\n".join(parts)


def _top() -> list[Row]:
    from pipelines.job import Area
    from pipelines.period import Period

    return [
        (
            "name",
            "small letters, digits and -",
            "required",
            "name of the job; with the output it says which run is resumed",
        ),
        *_under("area", Area),
        *_under("period", Period),
        ("output", "text", "required", "a folder, or s3://bucket/prefix"),
        ("tasks", "mapping", "required", "task name to the task's keys"),
    ]


def _reserved() -> list[Row]:
    from pipelines.job import Budget

    return [
        ("kind", " | ".join(all_kinds()), "required", "what the task makes"),
        ("backend", "auto | dask | earth-engine", "auto", "which engine makes it; auto: the plan chooses and says why"),
        *_under("budget", Budget),
        (
            "deadline",
            "ISO 8601 duration, P1D",
            "none",
            "what it may take from start to end; a plan that estimates more is refused",
        ),
    ]


def _under(key: str, model: type[BaseModel]) -> list[Row]:
    return [(f"{key}.{name}", value, default, what) for name, value, default, what in _keys(model)]


def _keys(model: type[BaseModel]) -> list[Row]:
    rows: list[Row] = []
    for name, field in keys_of(model).items():
        models = models_of(field.annotation)
        default = "required" if field.is_required() else _default(field)
        rows.append((name, _value(field, models), default, field.description or ""))
        for inner in models:
            said = _sentence((inner.__doc__ or "").strip()) if len(models) > 1 else ""
            choice = f"{name}[{_format(inner)}]" if "format" in inner.model_fields and len(models) > 1 else name
            rows += [(f"{choice}.{key}", value, stands, what or said) for key, value, stands, what in _keys(inner)]
    return rows


def _format(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["format"].annotation)[0])


def _default(field: FieldInfo) -> str:
    return "none" if field.default is None else shown(field.default)


def _value(field: FieldInfo, models: list[type[BaseModel]]) -> str:
    choices = _choices(field.annotation)
    if choices and get_origin(field.annotation) is list:
        return f"list of {' | '.join(choices)}"
    if choices:
        lists = [_words(part) for part in get_args(field.annotation) if get_origin(part) is list]
        return " | ".join([*(["mapping"] if models else []), *lists, *_plain(field), *choices])
    if models:
        return " | ".join(["mapping", *_plain(field)])
    return _words(field.annotation) + _limits(field)


def _plain(field: FieldInfo) -> list[str]:
    """Numbers, dates and the like that may stand instead of a choice or mapping."""
    return [WORDS[part] for part in get_args(field.annotation) if part in WORDS]


def _limits(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    limits = [
        f"{said} {getattr(mark, name):g}"
        for mark in field.metadata
        for name, said in words.items()
        if hasattr(mark, name)
    ]
    return f", {' and '.join(limits)}" if limits else ""


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for part in get_args(annotation) if get_origin(part) is Literal for choice in _choices(part)]


def _words(annotation: Any) -> str:
    """Type of a value in plain words."""
    origin, inside = get_origin(annotation), [part for part in get_args(annotation) if part is not type(None)]
    if origin is Annotated:
        return _words(inside[0])
    if origin is list:
        return f"list of {_words(inside[0])}"
    if origin is tuple:
        return f"list of {len(inside)} x {_words(inside[0])}"
    if inside:
        return " or ".join(_words(part) for part in inside)
    return WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _products(spec: KindSpec) -> str:
    rows = [
        (
            f"`{row.name}`",
            row.role,
            row.units,
            row.dtype or "",
            "" if row.nodata is None else f"{row.nodata:g}",
            row.long_name,
        )
        for row in spec.products
    ]
    return _markdown(("name", "role", "units", "type", "no-data (else NaN)", "what"), rows)


def _rows(rows: Sequence[Row]) -> str:
    cells = [
        (f"`{name}`", value, f"`{default}`" if default != "required" else default, what)
        for name, value, default, what in rows
    ]
    return _markdown(("key", "value", "default", "what"), cells)


def _markdown(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    escaped = (tuple(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


if __name__ == "__main__":
    sys.stdout.write(job_reference())
