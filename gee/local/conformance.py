"""How far this evaluator agrees with results that Earth Engine's documentation prints.

    python -m gee.local.conformance cases.json > gee/local/CONFORMANCE.md

A case is an expression with the result that the documentation prints for it (`expected`, its `kind`, and the text as
`printed`). Rules of comparison, the same for all cases:

- a printed decimal agrees within one unit of its last digit (the documentation cuts digits off as often as it rounds);
- a printed whole number agrees within 1e-9 of its size (sin π is printed as 0);
- one number and a list of that one number agree: the documentation prints `[0]` and `0` for the same call;
- texts agree without brackets, quotes and spaces; numbers told in words (`π/2`, `Almost zero`, `~ -1`) are read.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gee.local.encoding.answers import encode
from gee.local.encoding.printing import printed
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.evaluation.evaluator import evaluate
from gee.local.pixels import rendering

WHOLE_TOLERANCE = 1e-9
ROUGHLY = 0.01  # of "almost" and "~"
SYMBOLS = 1e-6  # of π: floats of 32 bits are π/2 as well
NAMED_NUMBERS = {"zero": 0.0, "one": 1.0, "Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}

# why a case disagrees, where that is known; nothing else looks at the ids
REASONS = {
    "ee_array_eigen#4": "the matrix has fewer eigenvectors than rows; what is printed beside the true one is no eigenvector",
    "ee_array_eigen#12": "the matrix has fewer eigenvectors than rows; what is printed beside the true one is no eigenvector",
    "ee_array_eigen#13": "the matrix has fewer eigenvectors than rows; what is printed beside the true one is no eigenvector",
    "ee_array_eigen#10": "the printed values, 1.62 and -0.62, belong to [[1, 1], [1, 0]]: paired with another expression",
    "ee_number_digamma#1": "the printed value is 3.6e-9 off the mathematical one, 0.70315664065; here it is exact",
    "ee_date_format#9": "Etc/GMT+8 is eight hours behind UTC all year; the printed hour is that of US summer time",
    "ee_date_format#13": "the sample prints another date than it was given: July 25, 1972 for July 23, 1975",
    "ee_projection#1": "a link to a description of the projection, no result",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One case and what became of it.

    Attributes
    ----------
    agrees : whether the result is the printed one
    loosely : whether that is so only because `[0]` and `0` count as the same
    got : result in printed form, or the error
    missing : whether it failed because something is not implemented
    """

    id: str
    kind: str
    agrees: bool
    got: str
    expected: str
    missing: bool = False
    loosely: bool = False

    @property
    def comparable(self) -> bool:
        """Whether a machine can compare it: prose it can only try to read."""
        return self.kind != "text"


def run(cases: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Every case evaluated and compared."""
    return [_outcome(case) for case in cases]


def _outcome(case: Mapping[str, Any]) -> Outcome:
    common = {"id": case["id"], "kind": case["kind"], "expected": str(case["printed"])}
    try:
        with rendering():
            value = evaluate(case["expression"])
            text, plain = printed(value), encode(value)
    except EarthEngineError as error:
        return Outcome(agrees=False, got=error.message, missing=isinstance(error, NotImplementedHereError), **common)
    if case["kind"] == "text":
        return Outcome(agrees=reads_as(text, plain, common["expected"]), got=text, **common)
    fits = agrees(plain, case["expected"])
    loosely = fits and not agrees(plain, case["expected"], brackets=True)
    return Outcome(agrees=fits, got=text, loosely=loosely, **common)


def agrees(got: Any, expected: Any, *, brackets: bool = False) -> bool:
    """Whether a result's JSON is the printed one, within the rules above; with `brackets`, `[0]` is not `0`."""
    if isinstance(expected, list) != isinstance(got, list):
        pair = _alone(got), _alone(expected)
        return not brackets and not any(isinstance(one, list) for one in pair) and agrees(*pair)
    if isinstance(expected, list):
        return len(got) == len(expected) and all(
            agrees(one, other, brackets=brackets) for one, other in zip(got, expected, strict=True)
        )
    if _is_number(expected) and _is_number(got):
        return close(_number(got), _number(expected), tolerance(expected))
    if _is_number(expected) and isinstance(got, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?", got):
        return agrees(float(got), expected)  # '1.2' of Number.format is printed without its quotes
    return type(got) is type(expected) and bool(got == expected)


def _alone(value: Any) -> Any:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value in {"NaN", "Infinity", "-Infinity"}
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return NAMED_NUMBERS[value] if isinstance(value, str) else float(value)


def tolerance(expected: Any) -> float:
    """Distance within which a number is the printed one: a unit of its last digit."""
    if isinstance(expected, str) or float(expected).is_integer():
        return WHOLE_TOLERANCE * max(1.0, abs(_number(expected)))
    mantissa, _, power = repr(expected).partition("e")
    digits = len(mantissa.partition(".")[2])
    return max(float(f"1e{int(power or 0) - digits}"), 1e-15 * abs(float(expected)))


def close(got: float, expected: float, margin: float) -> bool:
    """Whether two numbers are within a margin; NaN is NaN."""
    if math.isnan(expected) or math.isinf(expected):
        return str(got) == str(expected)
    return abs(got - expected) <= margin * (1 + 1e-6)


def reads_as(text: str, plain: Any, told: str) -> bool:
    """Whether a printed text is what the documentation says in words."""
    if _bare(text) == _bare(told):
        return True
    quoted = re.fullmatch(r'The string "(.*)"', told)
    if quoted:
        return text == quoted[1]
    many = re.fullmatch(r'Array of (\d+) "(.*)" values', told)
    if many:
        return agrees(plain, [float(many[2])] * int(many[1]))
    rough = re.search(r"almost|~", told, re.IGNORECASE) is not None
    found = _spoken(re.sub(r"almost|~|Empty", "", told.rpartition("=")[2], flags=re.IGNORECASE))
    value = _alone(plain)
    if found is None or not _is_number(value):
        return False
    exact = SYMBOLS if "π" in told else tolerance(found)
    return close(_number(value), found, ROUGHLY if rough else exact)


def _bare(text: str) -> str:
    return re.sub(r"""[\[\]"'\s]|^Empty""", "", text)


def _spoken(text: str) -> float | None:
    """Number told as `-π/2`, `zero` or `14.5`."""
    bare = _bare(text)
    if bare in NAMED_NUMBERS:
        return NAMED_NUMBERS[bare]
    match = re.fullmatch(r"(-?)(\d*\.?\d*)(π?)(?:/(\d+))?", bare)
    if match is None or not (match[2] or match[3]):
        return None
    return float(match[1] + "1") * float(match[2] or 1) * (math.pi if match[3] else 1) / float(match[4] or 1)


def _share(rows: Sequence[Outcome]) -> str:
    good = sum(one.agrees for one in rows)
    return f"{good} of {len(rows)} ({100 * good / max(len(rows), 1):.1f} %)"


def page(rows: Sequence[Outcome]) -> str:
    """Markdown page: counts, and every case that disagrees with the reason."""
    machine = [one for one in rows if one.comparable]
    lines = [
        "# Agreement with documented results",
        "",
        "Written by `python -m gee.local.conformance cases.json`; do not edit. The rules of comparison are in",
        "`gee/local/conformance.py` and are the same for all cases.",
        "",
        f"- numbers, lists and strings: {_share(machine)}",
        f"- with results told in prose: {_share(rows)}",
        f"- of these only without regard to brackets around a single number: {sum(one.loosely for one in rows)}",
        "",
        "| case | documented | here | why they differ |",
        "|---|---|---|---|",
    ]
    for one in rows:
        if not one.agrees:
            why = REASONS.get(one.id, "not implemented" if one.missing else "not explained")
            lines.append(f"| {one.id} | `{_cell(one.expected)}` | `{_cell(one.got)}` | {why} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "/").replace("`", "'")
    return flat if len(flat) <= 80 else flat[:77] + "..."


def _main() -> None:
    sys.stdout.write(page(run(json.loads(Path(sys.argv[1]).read_text()))))


if __name__ == "__main__":
    _main()
