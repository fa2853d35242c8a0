"""The registry: runs, tasks, operations, events, products and leases, in SQLite or PostgreSQL; the only state.

`registry` holds the class `Registry`, `rows` the plain values that it gives and takes. Neither loads SQLAlchemy
before a registry is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.registry import Registry


def open_registry(settings: Settings) -> Registry:
    """The registry that the settings name; SQLite in the user's state folder where they name none."""
    from pipelines.registry.registry import Registry

    return Registry.open(settings.registry_url)
