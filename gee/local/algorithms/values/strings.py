"""Strings (section 15)."""

from __future__ import annotations

import json
import re
from typing import Any

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.table import algorithm
from gee.local.texts.numbers import text_of
from gee.local.texts.regexes import pattern
from gee.local.values import Date


@algorithm("String", policies=("number_text",))
def string(input_: Any) -> str:
    """Text of a text, number or boolean; of lists and dictionaries their JSON (not documented)."""
    if isinstance(input_, str):
        return input_
    if isinstance(input_, bool | int | float):
        return text_of(input_)
    if isinstance(input_, list | dict):
        return encode_json(input_)
    raise NotImplementedHereError(f"a {type(input_).__name__} as a text is not documented.")


@algorithm("String.cat")
def cat(string1: str, string2: str) -> str:
    """Both, one after the other."""
    return string1 + string2


@algorithm("String.compareTo")
def compare_to(string1: str, string2: str) -> int:
    """-1, 0 or 1."""
    return (string1 > string2) - (string1 < string2)


@algorithm("String.equals")
def equals(reference: str, target: Any) -> bool:
    """Whether the target is a text and the same."""
    return isinstance(target, str) and target == reference


@algorithm("String.index")
def index(target: str, pattern: str) -> int:
    """Position of the first occurrence, or -1."""
    return target.find(pattern)


@algorithm("String.rindex")
def rindex(target: str, pattern: str) -> int:
    """Position of the last occurrence, or -1."""
    return target.rfind(pattern)


@algorithm("String.length")
def length(string: str) -> int:
    """Number of characters."""
    return len(string)


@algorithm("String.slice")
def slice_(string: str, start: int, end: int | None) -> str:
    """Part from start to before end; negative positions count from the end."""
    return string[start:end]


@algorithm("String.toLowerCase")
def to_lower_case(string: str) -> str:
    """In lower case."""
    return string.lower()


@algorithm("String.toUpperCase")
def to_upper_case(string: str) -> str:
    """In upper case."""
    return string.upper()


@algorithm("String.trim")
def trim(string: str) -> str:
    """Without whitespace around it."""
    return string.strip()


@algorithm("String.decodeJSON")
def decode_json(string: str) -> Any:
    """Value that a JSON text says."""
    try:
        return json.loads(string)
    except ValueError as error:
        raise EarthEngineError(f"Invalid JSON: {error}.") from error


@algorithm("String.encodeJSON")
def encode_json(object_: Any) -> str:
    """JSON of a text, number, boolean, list or dictionary, without spaces."""
    if not _plain(object_):
        raise EarthEngineError("Only primitives, lists and dictionaries can be encoded as JSON.")
    return json.dumps(encode(object_), separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_plain(one) for one in value)
    if isinstance(value, dict):
        return all(_plain(one) for one in value.values())
    return value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Date))


def _flags(flags: str, allowed: str) -> set[str]:
    wrong = set(flags) - set(allowed)
    if wrong:
        raise EarthEngineError(
            f"Unknown regular expression flag '{min(wrong)}': one of {', '.join(allowed)} is needed."
        )
    return set(flags)


@algorithm("String.match")
def match(input_: str, regex: str, flags: str) -> list[str]:
    """What matches: with g each match, else the first one and its groups; empty without a match."""
    given = _flags(flags, "gi")
    found = pattern(regex, ignore_case="i" in given)
    if "g" in given:
        return [one[0] for one in found.finditer(input_)]
    first = found.search(input_)
    return [] if first is None else [first[0], *(group or "" for group in first.groups())]


@algorithm("String.replace", policies=("replacement_groups",))
def replace(input_: str, regex: str, replacement: str, flags: str) -> str:
    """Text with the first match replaced, with g each; `$1` is the first group (not documented)."""
    given = _flags(flags, "gi")
    found = pattern(regex, ignore_case="i" in given)

    def written(one: re.Match[str]) -> str:
        return re.sub(r"\$(\d)", lambda mark: _group(one, int(mark[1])), replacement)

    return found.sub(written, input_, count=0 if "g" in given else 1)


def _group(one: re.Match[str], number: int) -> str:
    if number > (one.re.groups or 0):
        raise EarthEngineError(f"The replacement names group {number}, but the regular expression has {one.re.groups}.")
    return one[number] or ""


@algorithm("String.split")
def split(string: str, regex: str, flags: str) -> list[str]:
    """Parts between the matches; empty ones at the end go, a match of no width at the start splits nothing."""
    found = pattern(regex, ignore_case="i" in _flags(flags, "i"))
    parts, start = [], 0
    for one in found.finditer(string):
        if one.end() == 0 or (one.end() == one.start() == len(string)):
            continue
        parts.append(string[start : one.start()])
        start = one.end()
    parts.append(string[start:])
    while len(parts) > 1 and parts[-1] == "":
        parts.pop()
    return parts
