"""What is wrong with a job's values, in the words of its file: where, which value, what is expected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infra.errors import JobError
from pipelines.kinds.model import nearest

if TYPE_CHECKING:
    from pydantic import ValidationError

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
NAME_RULE = "must be small letters, digits and '-' alone, at most 63, and not begin with '-'"

# pydantic's fault to what is expected, in plain words; `{…}` is the fault's context
EXPECTED = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "is empty",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list in brackets, [one, two]",
    "tuple_type": "must be a list in brackets, [one, two]",
    "dict_type": "must be a mapping, key: value",
    "model_type": "must be a mapping, key: value",
    "model_attributes_type": "must be a mapping, key: value",
    "too_short": "must have at least {min_length}, and has {actual_length}",
    "too_long": "must have at most {max_length}, and has {actual_length}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be {ge:g} or greater",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "time_delta_parsing": "must be an ISO 8601 duration such as PT12H or P2D",
    "union_tag_not_found": "must say its {discriminator}",
}


def job_error(
    error: ValidationError, file: str, *, value: Any, prefix: str = "", kind: str = "stack-statistics"
) -> JobError:
    """Every fault in one error, one line each.

    Parameters
    ----------
    value : what was validated: tells the steps that stand in the file from those that pydantic adds
    prefix : where in the file it stands, "tasks.stack"
    kind : whose template the remedy names
    """
    said: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False):
        where = ".".join([*([prefix] if prefix else []), *_steps(fault, value)])
        said.setdefault(f"{where} {_shown(fault)}".strip(), []).append(_expected(fault))
    # Where a value may be one thing or another, each refuses it in its own words.
    lines = [_line(where, words) for where, words in said.items()]
    return JobError(
        f"{file}: " + f"\n{file}: ".join(lines), f"`sarbatch init {kind}` shows every key with its unit and choices."
    )


def _line(where: str, words: Sequence[str]) -> str:
    text = ", or ".join(dict.fromkeys(words))
    place, _, here = where.partition(" ")
    return " ".join(filter(None, (f"{place}:" if place else "", text, here)))


def _steps(fault: Any, value: Any) -> list[str]:
    """Steps of a fault's place that stand in the file: not the names of unions and their choices."""
    steps = []
    for step in fault["loc"]:
        listed = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if listed or (isinstance(value, Mapping) and step in value):
            value = value[step]
        elif not (fault["type"] == "missing" and step == fault["loc"][-1]):
            continue
        steps.append(str(step))
    return steps


def _expected(fault: Any) -> str:
    kind, context = str(fault["type"]), fault.get("ctx", {})
    if kind == "literal_error":
        return _one_of(re.findall(r"'([^']*)'", context["expected"]), fault["input"])
    if kind == "union_tag_invalid":
        choices = re.findall(r"'([^']*)'", context["expected_tags"])
        return (
            f"{context['discriminator'].strip(chr(39))}: {_one_of(choices, context['tag'])} (here: '{context['tag']}')"
        )
    if kind == "string_pattern_mismatch" and context.get("pattern") == NAME:
        return NAME_RULE
    if kind in EXPECTED:
        return EXPECTED[kind].format(**context)
    return str(fault["msg"]).removeprefix("Value error, ")


def _one_of(choices: list[str], given: Any) -> str:
    near = nearest(str(given), choices)
    return f"must be one of {', '.join(choices)}{f'; {near}' if near else ''}"


def _shown(fault: Any) -> str:
    """The value itself, where it is short enough to stand in a line."""
    value = fault.get("input")
    plain = isinstance(value, str | int | float | bool) and fault["type"] not in {"missing", "value_error"}
    return f"(here: {_as_written(value)})" if plain else ""


def _as_written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
