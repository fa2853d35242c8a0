"""Parts of an answer: the query parameter `fields`, as in `name,metadata(state,progress),operations/name`."""

from __future__ import annotations

import re
from typing import Any

from gee.local.errors import EarthEngineError

Mask = dict[str, "Mask"]
DEEPEST = 50


def pick(value: Any, fields: str) -> Any:
    """What `fields` names of a value; lists are looked through, and an empty mask is all.

    Raises
    ------
    EarthEngineError
        If the text is not a field mask.
    """
    tokens = re.findall(r"[\w@*.-]+|[(),/]|\S", fields[:4000])
    mask, rest = _several(tokens, fields, 0)
    if rest:
        raise _wrong(fields)
    return _cut(value, mask)


def _several(tokens: list[str], fields: str, depth: int) -> tuple[Mask, list[str]]:
    mask: Mask = {}
    while True:
        tokens = _one(tokens, fields, mask, depth)
        if not tokens or tokens[0] != ",":
            return mask, tokens
        tokens = tokens[1:]


def _one(tokens: list[str], fields: str, mask: Mask, depth: int) -> list[str]:
    if not tokens or depth > DEEPEST or not re.fullmatch(r"[\w@*.-]+", tokens[0]):
        raise _wrong(fields)
    # a dot separates names of messages as a slash does
    for name in tokens[0].split("."):
        mask = mask.setdefault(name, {})
    tokens = tokens[1:]
    if tokens[:1] == ["/"]:
        return _one(tokens[1:], fields, mask, depth + 1)
    if tokens[:1] == ["("]:
        inner, tokens = _several(tokens[1:], fields, depth + 1)
        mask.update(inner)
        if tokens[:1] != [")"]:
            raise _wrong(fields)
        return tokens[1:]
    return tokens


def _cut(value: Any, mask: Mask) -> Any:
    if not mask or ("*" in mask and not mask["*"]):
        return value
    if isinstance(value, list):
        return [_cut(one, mask) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _cut(one, mask.get(key, mask.get("*", {}))) for key, one in value.items() if key in mask or "*" in mask
    }


def _wrong(fields: str) -> EarthEngineError:
    return EarthEngineError(f"Request contains an invalid argument: invalid field mask '{fields[:80]}'.")
