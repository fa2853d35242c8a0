"""Regular expressions as the service writes them, for Python's `re`."""

from __future__ import annotations

import re

from gee.local.errors import EarthEngineError

POSIX = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def pattern(regex: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compiled pattern; classes such as [[:space:]] are written out.

    Raises
    ------
    EarthEngineError
        If it is no regular expression.
    """
    written = re.sub(r"\[:(\w+):\]", lambda match: POSIX.get(match[1], match[0]), regex)
    try:
        return re.compile(written, re.ASCII | (re.IGNORECASE if ignore_case else 0))
    except re.error as error:
        raise EarthEngineError(f"Invalid regular expression '{regex}': {error}.") from error
