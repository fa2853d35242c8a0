"""Which function answers which method; those that are not here are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gee.local.server import values
from gee.local.server.exchange import Answer, Call
from gee.local.server.site import Site


@dataclass(frozen=True)
class Route:
    """A function, and whether it computes (else it looks something up and is answered at once)."""

    answer: Callable[[Site, Call], Answer | Mapping[str, Any]]
    computes: bool = False


ROUTES: Mapping[str, Route] = {
    "algorithms.list": Route(values.list_algorithms),
    "value.compute": Route(values.compute_value, computes=True),
}
