"""What every page is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import HTTPException

from pipelines.dashboard.pages import Pages

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.dashboard.products import Previews
    from pipelines.registry.registry import Registry
    from pipelines.registry.rows import ProductRow, RunRow


@dataclass(frozen=True, kw_only=True)
class Site:
    """The registry that is shown, and what shows it."""

    registry: Registry
    settings: Settings
    previews: Previews
    pages: Pages = field(default_factory=Pages.load)

    def run(self, name: str) -> RunRow:
        """Run of exactly this id; 404 where there is none."""
        found = self.registry.run(name)
        if found is None:
            raise HTTPException(404, f"There is no run “{name}” in this registry.")
        return found

    def product(self, run: str, name: str) -> ProductRow:
        """Product of a run by its id; 404 where there is none."""
        from pipelines.dashboard.products import find_product

        found = find_product(self.registry, self.run(run), name)
        if found is None:
            raise HTTPException(404, f"Run {run} has no product “{name}”.")
        return found
