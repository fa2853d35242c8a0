"""What of Earth Engine is implemented here, how it was checked, and what of it a graph needs.

    python -m gee.local.implemented cases.json called.json > gee/local/COVERAGE.md

`cases.json` are documented results (`gee.local.conformance`), `called.json` is what the test suite has called, without the suites
of random arguments, which know no expected result:
`pytest tests/test_ee_*.py -k "not any_arguments and not any_elements and not random" -p no:xdist --earth-engine-calls called.json`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gee.local.evaluation.signatures import signatures
from gee.local.policies import Policies
from gee.local.table import implementations


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Algorithms of a graph: those that are here, those that only the service has, and those that nobody knows."""

    there: tuple[str, ...]
    lacking: tuple[str, ...]
    unknown: tuple[str, ...]


def needed(expression: Any) -> Needed:
    """What a graph calls; any JSON in which expressions stand will do (a request's body, a saved export)."""
    names = sorted(set(_called(expression)))
    return Needed(
        there=tuple(name for name in names if name in implementations()),
        lacking=tuple(name for name in names if name in signatures() and name not in implementations()),
        unknown=tuple(name for name in names if name not in signatures()),
    )


def _called(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        name = node.get("functionName")
        if isinstance(name, str):
            yield name
        for value in node.values():
            yield from _called(value)
    elif isinstance(node, list):
        for value in node:
            yield from _called(value)


def page(cases: Sequence[Mapping[str, Any]], called: Collection[str]) -> str:
    """The coverage page, as Markdown.

    Parameters
    ----------
    cases : documented results; each names the algorithms (`functions`) that its expression calls
    called : algorithms that the project's own tests call
    """
    documented = Counter(name for case in cases for name in set(case["functions"]))
    table = implementations()
    known = len(signatures())
    neither = sum(name not in called and name not in documented for name in table)
    counts = (
        f"{len(table)} of the {known} algorithms that the installed client lists: {sum(n in documented for n in table)} "
        f"stand in documented results, {sum(n in called for n in table)} are called by tests, {neither} by neither."
    )
    lines = [
        "# What of Earth Engine is here",
        "",
        "Written by `python -m gee.local.implemented`; do not edit. *Documented* counts the printed results of Google's documentation",
        "whose expressions call the algorithm ([agreement](CONFORMANCE.md)); *tests* says whether tests of this project call it: golden cases by",
        "hand, NumPy or SciPy. Everything else of the list is answered by an error that names the algorithm.",
        "",
        counts,
        "",
        *_families(table, documented, called),
        "## Choices where the documentation is silent",
        "",
        "| policy | choice | also there | meaning |",
        "|---|---|---|---|",
        *(_policy_row(one) for one in fields(Policies)),
        "",
        "## What is not here",
        "",
        ", ".join(f"`{name}`" for name in sorted(set(signatures()) - set(table))),
    ]
    return "\n".join(lines) + "\n"


def _families(table: Mapping[str, Any], documented: Mapping[str, int], called: Collection[str]) -> Iterator[str]:
    families: dict[str, list[str]] = {}
    for name in sorted(table):
        families.setdefault(name.partition(".")[0], []).append(name)
    for family, names in families.items():
        yield f"## {family}"
        yield ""
        yield "| algorithm | documented | tests | choices |"
        yield "|---|---:|---|---|"
        for name in names:
            choices = ", ".join(f"`{one}`" for one in table[name].policies)
            yield f"| `{name}` | {documented.get(name) or ''} | {'yes' if name in called else ''} | {choices} |"
        yield ""


def _policy_row(one: Any) -> str:
    others = [choice for choice in _choices(one.type) if choice != one.default]
    return f"| `{one.name}` | `{one.default}` | {', '.join(f'`{o}`' for o in others)} | {one.metadata['why']} |"


def _choices(annotation: Any) -> list[str]:
    text = annotation if isinstance(annotation, str) else str(annotation)
    return [part.strip().strip("\"'") for part in text.partition("[")[2].rstrip("]").split(",")]


def _main() -> None:
    cases, called = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:3])
    sys.stdout.write(page(cases, called))


if __name__ == "__main__":
    _main()
