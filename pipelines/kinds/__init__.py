"""Task kinds, one folder each: `spec.py` says what it takes and makes, `dask.py` binds it to the engine.

A new kind is a new folder here and nothing else: `all_kinds` finds it. A folder without `spec.py` is what kinds share.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.kinds.model import KindSpec


@cache
def all_kinds() -> dict[str, KindSpec]:
    """Every kind by its name in the job file."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        name = f"{__name__}.{module.name}.spec"
        if module.ispkg and importlib.util.find_spec(name):
            spec: KindSpec = importlib.import_module(name).KIND
            found[spec.name] = spec
    return dict(sorted(found.items()))
