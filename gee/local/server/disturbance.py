"""Faults of the wire: refusals, delays, connections that end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from gee.local.errors import EarthEngineError
from gee.local.faults import REFUSALS, RESTRICTED, Faults

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ABORT = "gee.abort"  # in a scope's extensions: what ends the connection


class Dropped(Exception):  # noqa: N818 -- not an error of anybody: the connection is to end
    """There is to be no answer."""


class Disturbance:
    """What is to go wrong with one request."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.headers: dict[str, str] = {}

    async def before(self, method: str) -> None:
        """Faults before anything is done.

        Raises
        ------
        Dropped
            If the connection is to end.
        EarthEngineError
            If the request is to be refused.
        """
        if self._faults.draw("restricted", method):
            self.headers |= RESTRICTED
        if late := self._faults.draw("latency", method):
            await asyncio.sleep(late.seconds)
        if self._faults.draw("drop", method):
            raise Dropped
        for kind, (code, text) in REFUSALS.items():
            if self._faults.draw(kind, method):
                raise EarthEngineError(text, code=code)

    def after(self, method: str) -> None:
        """Faults after everything is done.

        Raises
        ------
        Dropped
            If the answer is to be lost.
        """
        if self._faults.draw("lost-answer", method):
            raise Dropped

    def no_response(self) -> Response:
        """A response that ends the connection."""
        return _NoResponse()


class _NoResponse(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        scope["extensions"][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass
