"""What is written for people agrees with what the program does."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from infra.settings import PREFIX, Settings
from pipelines.cli import app
from pipelines.job import RESERVED, TOP, parse_job
from pipelines.kinds import all_kinds
from pipelines.kinds.model import keys_of
from pipelines.reference import job_reference
from pipelines.template import models_of

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GROUP: Any = typer.main.get_command(app)
COMMANDS = tuple(sorted(GROUP.commands))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def tracked() -> list[Path]:
    """Files that git knows; where there is no git (an unpacked archive), all text files of the project."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    return [path for pattern in ("*.md", "*/**/*.py", "*/**/*.md", "*.toml") for path in ROOT.glob(pattern)]


def written() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, (found, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
            if found == language:
                yield f"{page.name}-{number}", text


def test_the_pages_are_there() -> None:
    assert {page.name for page in PAGES} >= {"README.md", "commands.md", "job-file.md", "statistics.md"}


# ---------------------------------------------------------------------------------------------- commands, settings


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_written_down_with_an_example(name: str) -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^### `{name}[ `].*?(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, f"docs/commands.md has no section of {name}"
    for parameter in GROUP.commands[name].params:
        options = [option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
        assert not options or any(option in section[0] for option in options), options
    assert re.search(rf"^sarbatch {name}\b", section[0], re.MULTILINE)


def test_no_section_is_of_a_command_that_is_not_there() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### `([a-z-]+)", page, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize(("where", "text"), [pytest.param(*block, id=block[0]) for block in blocks("sh")])
def test_every_command_line_is_understood(where: str, text: str) -> None:
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["sarbatch"]:
            assert words[1] in COMMANDS, line
            GROUP.commands[words[1]].make_context(words[1], words[2:])  # raises where an option is none
        else:
            assert words[:1] == ["make"], f"{line}: neither sarbatch nor make"
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


def test_every_setting_is_written_down_with_its_default() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    rows = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| (.*)$", page, re.MULTILINE))
    assert list(rows) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        said, default = (cell.strip() for cell in rows[name.upper()].split(" |")[:2])
        assert said == field.description
        if field.default_factory is None:
            assert default == ("" if field.default is None else _plain(field.default))
        else:
            assert default  # what it is made from, in words


def _plain(value: object) -> str:
    return (
        f"{value:.0f}"
        if isinstance(value, float) and value == round(value)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


# ---------------------------------------------------------------------------------------------- job file


def test_the_reference_of_the_job_file_is_up_to_date() -> None:
    page = (ROOT / "docs/job-file.md").read_text(encoding="utf-8")
    assert page == job_reference(), "make it anew: .venv/bin/python -m pipelines.reference > docs/job-file.md"


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in keys_of(model).items():
        yield name
        for inner in models_of(field.annotation):
            yield from keys(inner)


@pytest.mark.parametrize("kind", all_kinds())
def test_every_kind_and_parameter_and_product_is_written_down(kind: str) -> None:
    spec = all_kinds()[kind]
    assert f"`{kind}`" in (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs/job-file.md").read_text(encoding="utf-8")
    section = page.split(f"## `{kind}`")[1].split("\n## ")[0]
    for key in keys(spec.parameters):
        assert re.search(rf"^\| `([\w\[\]-]+\.)*{key}` \|", section, re.MULTILINE), key
    for product in spec.products:
        assert f"| `{product.name}` |" in section


def test_every_reserved_key_is_written_down() -> None:
    page = (ROOT / "docs/job-file.md").read_text(encoding="utf-8")
    assert all(re.search(rf"^\| `{key}[`.]", page, re.MULTILINE) for key in (*TOP, *RESERVED))


@pytest.mark.parametrize(("where", "text"), [pytest.param(*block, id=block[0]) for block in blocks("yaml")])
def test_every_job_that_is_shown_is_valid(where: str, text: str) -> None:
    assert parse_job(text, folder=ROOT, name=where).tasks


@pytest.mark.parametrize(("where", "text"), [pytest.param(*block, id=block[0]) for block in blocks("python")])
def test_python_that_is_shown_imports_what_there_is(where: str, text: str) -> None:
    compile(text, where, "exec")
    for line in text.splitlines():
        if line.startswith(("import ", "from ")):
            exec(line, {})  # our own page


# ---------------------------------------------------------------------------------------------- links, places


@pytest.mark.parametrize("page", [path for path in tracked() if path.suffix == ".md"], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not target.startswith(("http://", "https://", "mailto:", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"


HOMES = ["/" + "root/", "/" + "Users/"]  # in pieces, so that this file does not find itself
MACHINE = re.compile("|".join(re.escape(place) for place in (str(ROOT), str(ROOT.parent / "shared"), *HOMES)))
HOSTS = re.compile("|".join([r"py" + r"pi\.org", "pythonh" + "osted", "artif" + "actory", "np" + r"mjs\.org"]))


def test_no_file_knows_this_machine_or_where_packages_come_from() -> None:
    files = tracked()
    assert len(files) > 50
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern in (MACHINE, HOSTS):
            found = pattern.search(text)
            assert found is None, f"{path.relative_to(ROOT)}: {found[0] if found else ''}"


def test_both_engines_define_the_filters_in_the_same_words() -> None:
    said = [(ROOT / f"{package}/speckle/__init__.py").read_text(encoding="utf-8") for package in ("gee", "dask_jobs")]
    definitions = [text[text.index("The definitions") : text.index("multi_temporal (")] for text in said]
    assert definitions[0] == definitions[1]
    assert len(definitions[0].splitlines()) > 30
