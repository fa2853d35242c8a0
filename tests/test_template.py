"""What `init` writes: a valid job that names every parameter, and whose comments say the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml

from pipelines.job import Job, parse_job
from pipelines.kinds import all_kinds
from pipelines.kinds.backscatter_stack.spec import BackscatterStack
from pipelines.kinds.model import keys_of
from pipelines.template import job_template, models_of, shown

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

KINDS = tuple(all_kinds())
KEY = re.compile(r"^( *)# ([a-z_]+: \S.*?)( +#.*)?$")  # a default that is written as a comment


def parsed(text: str) -> Job:
    return parse_job(text, folder=Path("/jobs"))


def fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in keys_of(model).items():
        yield name, field
        for inner in models_of(field.annotation):
            yield from fields(inner)


def words(text: str) -> str:
    """Text of the comments in one line, as it was before it was wrapped."""
    return " ".join(line.strip().lstrip("# ") for line in text.splitlines())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_valid_as_it_stands(kind: str) -> None:
    found = parsed(job_template(kind))
    assert found.tasks[-1].kind == kind
    spec = all_kinds()[kind]
    needed = {other for key, other in spec.references().items() if spec.parameters.model_fields[key].is_required()}
    assert {task.kind for task in found.tasks} == {kind, *needed}
    assert (found.area is None, found.period is None) == (("earth-engine" not in spec.backends),) * 2


@pytest.mark.parametrize("kind", KINDS)
def test_it_changes_no_default(kind: str) -> None:
    for task in parsed(job_template(kind)).tasks:
        for name, field in all_kinds()[task.kind].parameters.model_fields.items():
            if not field.is_required():
                assert getattr(task.parameters, name) == field.get_default(call_default_factory=True)


@pytest.mark.parametrize("kind", KINDS)
def test_it_names_every_parameter_with_its_meaning(kind: str) -> None:
    text = job_template(kind)
    for name, field in fields(all_kinds()[kind].parameters):
        assert re.search(rf"\b{name}:", text), name
        if field.description:
            assert field.description in words(text), name


@pytest.mark.parametrize("kind", KINDS)
def test_it_shows_every_default(kind: str) -> None:
    lines, task = job_template(kind).splitlines(), parsed(job_template(kind)).tasks[-1]
    for name, field in keys_of(all_kinds()[kind].parameters).items():
        if not field.is_required() and field.default is not None:
            default = task.parameters.model_dump(mode="json", by_alias=True)[name]
            assert yaml.safe_load(shown(field.default)) == default
            # a key of a mapping before it may be called the same, and is told in words
            found = [line for line in lines if line.startswith(f"    # {name}: ") and not line.endswith(" default")]
            line = found[-1]
            there = yaml.safe_load(line.partition(f"# {name}: ")[2])
            if isinstance(
                default, dict
            ):  # of one too long for a line, the keys that are not on it tell theirs in words
                left = {key: value for key, value in default.items() if key not in there}
                assert {**there, **left} == default
                text = words("\n".join(lines))
                model: Any = field.default
                assert all(v is None or f"; {shown(getattr(model, k))} by default" in text for k, v in left.items())
            else:
                assert there == default


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_in_a_comment_is_valid_where_it_stands(kind: str) -> None:
    lines = job_template(kind).splitlines()
    tried = 0
    for index, line in enumerate(lines):
        match = KEY.match(line)
        key = match[2].partition(":")[0] if match else ""
        spec = all_kinds()[kind]
        # A task that is named must be there: the others can be tried alone
        known = {*keys_of(spec.parameters), "area", "period", "backend", "budget", "deadline"} - {*spec.references()}
        if match is None or key not in known or len(match[1]) > 4 or _is_prose(lines, index):
            continue
        tried += 1
        parsed("\n".join([*lines[:index], match[1] + match[2], *lines[index + 1 :]]))
    assert tried >= 5 + 2 * (kind == "backscatter-stack")


def _is_prose(lines: list[str], index: int) -> bool:
    """`area: the job's…`, a description that happens to begin like a key."""
    value = lines[index].partition(": ")[2]
    return not re.match(r"""^([\[{'"]|[\w.-]+$|[\w.-]+ +#)""", value)


def test_the_other_source_is_valid_when_it_replaces_the_first() -> None:
    before, _, after = job_template("backscatter-stack").partition("      # OPERA")
    block, _, rest = after.partition("      # Any GeoTIFFs")[2].partition("    # which to use")
    names = next(get_args(source) for source in [BackscatterStack.model_fields["source"].annotation])[-1].model_fields
    lines = [match[1] + match[2] for match in map(KEY.match, block.splitlines()) if match]
    keys = [line for line in lines if line.strip().partition(":")[0] in names]
    task = parsed(before + "\n".join(keys) + "\n    # which to use" + rest).tasks[0]
    found = task.parameters.model_dump()["source"]
    assert set(found) == set(names)
    assert (found["format"], found["scale"], found["radiometry"]) == ("geotiff", "power", "unknown")


def test_lines_fit_a_terminal() -> None:
    for kind in KINDS:
        for line in job_template(kind).splitlines():
            assert len(line) <= 140, line
