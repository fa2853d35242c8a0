"""The unmodified Earth Engine client on a local server: its state belongs to the process, so a block sets and resets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ee
from google.auth.credentials import AnonymousCredentials

from gee.local.server.serving import serving
from gee.local.server.site import Settings

PROJECT = "local-demo"


def initialize(url: str, **options: Any) -> None:
    """`ee.Initialize` without the list of deprecated assets, which the client would fetch from the network."""
    ee.Reset()
    ee.deprecation.deprecated_assets = {"-": None}
    given = {"credentials": AnonymousCredentials(), "project": PROJECT, "url": url} | options
    ee.Initialize(**given)  # noqa: TID251 -- here the client itself is what is looked at


@contextmanager
def client(settings: Settings | None = None, **options: Any) -> Iterator[str]:
    """Server for the block, and the client initialised on it; gives the URL."""
    with serving(settings) as url:
        initialize(url, **options)
        try:
            yield url
        finally:
            ee.Reset()
