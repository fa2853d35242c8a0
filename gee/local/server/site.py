"""What one server works with: catalogue, policies, threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.evaluator import Catalogue, Context, evaluate
from gee.local.policies import Policies
from gee.local.server.work import deep_recursion, evaluators

CLERKS = 8  # threads for answers that take no computing


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a server is started with.

    Attributes
    ----------
    catalogue : where assets come from; there are none without
    policies : choices where the documentation is silent
    threads : that evaluate; as many as there are cores where None
    """

    catalogue: Catalogue | None = None
    policies: Policies = field(default_factory=Policies)
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Site:
    """One running server's parts.

    Attributes
    ----------
    evaluators : threads for what computes
    clerks : threads for what only looks up
    """

    settings: Settings
    evaluators: ThreadPoolExecutor
    clerks: ThreadPoolExecutor

    @property
    def context(self) -> Context:
        """What algorithms may need."""
        return Context(catalogue=self.settings.catalogue, policies=self.settings.policies)

    def value(self, body: Mapping[str, Any]) -> Any:
        """Value of the expression in a request's body.

        Raises
        ------
        EarthEngineError
            If there is none, or it cannot be evaluated.
        """
        expression = body.get("expression")
        if not isinstance(expression, Mapping):
            raise EarthEngineError("Invalid argument: the request has no 'expression'.")
        return evaluate(expression, self.context)


@contextmanager
def opened(settings: Settings) -> Iterator[Site]:
    """A server's parts, and their graceful end."""
    with deep_recursion(), evaluators(settings.threads) as pool, evaluators(CLERKS) as clerks:
        yield Site(settings=settings, evaluators=pool, clerks=clerks)
