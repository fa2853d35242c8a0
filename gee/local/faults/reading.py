"""Faults from JSON, and from the texts of a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.faults.kinds import Fault


def fault_of(given: Mapping[str, Any]) -> Fault:
    """Fault from JSON.

    Raises
    ------
    EarthEngineError
        If a name is unknown or a value of another type.
    """
    known = {field.name: field for field in fields(Fault)}
    unknown = sorted(set(given) - set(known))
    if unknown or "kind" not in given:
        raise EarthEngineError(
            f"a fault has a kind and may have {', '.join(known)}; not {', '.join(unknown) or 'none'}."
        )
    values: dict[str, Any] = {}
    for name, value in given.items():
        wanted = str(known[name].type).partition(" ")[0]
        kinds: tuple[type[Any], ...] = {"str": (str,), "float": (int, float), "int": (int,)}[wanted]
        if value is None and name == "count":
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, kinds)
            or (not isinstance(value, str) and not 0 <= value < 1e12)
        ):
            raise EarthEngineError(f"'{name}' of a fault must be a {wanted}, not {str(value)[:40]!r}.")
        values[name] = value
    return Fault(**values)


def fault_of_text(text: str) -> Fault:
    """Fault from `kind` or `kind:on=image.export,probability=0.3,count=2,seed=7`.

    Raises
    ------
    EarthEngineError
        If it cannot be read.
    """
    kind, _, rest = text.partition(":")
    given: dict[str, Any] = {"kind": kind.strip()}
    for pair in filter(None, rest.split(",")):
        name, sign, value = pair.partition("=")
        if not sign:
            raise EarthEngineError(f"'{pair}' in the fault '{text}' must be NAME=VALUE.")
        given[name.strip()] = _number(value.strip()) if name.strip() not in ("on", "message") else value.strip()
    return fault_of(given)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
