"""The text of a job file: YAML that is stricter than YAML, and `${VAR}` from the environment, as plain values."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any

import yaml

from infra.errors import JobError

VARIABLE = re.compile(r"\$\{([^}]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML lets a key stand twice, and the last one wins silently: here it is an error."""


def _unique(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue  # `<<`: what it brings in is meant to be overridden
        key = loader.construct_object(key_node)
        if not isinstance(key, Hashable) or isinstance(key, tuple):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key '{key}' stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _date(loader: _Loader, node: yaml.ScalarNode) -> date:
    try:
        moment: date = loader.construct_yaml_timestamp(node)
    except ValueError as error:
        said = f"'{node.value}' is not a date: {error}"
        raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from None
    return moment


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def read_values(text: str, *, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Mapping that a job file's text holds, `${VAR}` replaced in its values.

    Parameters
    ----------
    name : of the file, for messages
    keys : that a job may have, for the message where the text is none

    Raises
    ------
    JobError
        If the text is not YAML or no mapping, if a key stands twice, or if a variable is not set.
    """
    try:
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader that also refuses duplicate keys
    except yaml.YAMLError as error:
        raise JobError(f"{name} is not valid YAML: {_said(error)}", "Mend the line that it names.") from None
    except RecursionError:
        raise JobError(f"{name} is not valid YAML: it is nested too deeply", "A job needs four levels.") from None
    if not isinstance(values, dict):
        held = "is empty" if values is None else "is not a job"
        raise JobError(
            f"{name} {held}: a mapping with the keys {', '.join(keys)} is expected",
            "`sarbatch init stack-statistics job.yaml` writes one.",
        )
    return {key: _substituted(value, name) for key, value in values.items()}


def _said(error: yaml.YAMLError) -> str:
    """Line, column and what is wrong there, in one line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    if "could not determine a constructor for the tag" in problem:
        problem = f"tags are not allowed ({problem.rpartition(' ')[2]})"
    if "cannot start any token" in problem and "\\t" in problem:
        problem = "a tab; indent with spaces"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


def _substituted(value: Any, name: str) -> Any:
    """`${VAR}` in every string value, after parsing, so that a value can never change the structure."""
    if isinstance(value, Mapping):
        return {key: _substituted(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, name) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: _variable(match[1], name), value)
    return value


def _variable(variable: str, name: str) -> str:
    if variable not in os.environ:
        raise JobError(
            f"{name}: the environment variable {variable} is not set, but the job uses ${{{variable}}}",
            f"Set it: export {variable}=…",
        )
    return os.environ[variable]
