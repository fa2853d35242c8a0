"""Answers that are values: the list of algorithms, and `value:compute`."""

from __future__ import annotations

from typing import Any

from gee.local.encoding.answers import encode
from gee.local.evaluation.signatures import algorithms_json
from gee.local.pixels import rendering
from gee.local.server.exchange import JSON_TYPE, Answer, Call
from gee.local.server.site import Site


def list_algorithms(site: Site, call: Call) -> Answer:
    """The list of the installed client, byte for byte."""
    del site, call
    return Answer(content=algorithms_json(), type=JSON_TYPE)


def compute_value(site: Site, call: Call) -> dict[str, Any]:
    """Value of an expression."""
    with rendering():
        return {"result": encode(site.value(call.body))}
