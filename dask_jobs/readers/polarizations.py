"""Which polarizations the scenes of a stack have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from infra.errors import InputError


def wanted_polarizations(scenes: Collection[frozenset[str]], asked: Sequence[str] | None) -> tuple[str, ...]:
    """Polarizations that every scene must have: those asked for, else those of most scenes (of the richest where equal).

    Parameters
    ----------
    scenes : polarizations of each scene, at least one scene with at least one

    Raises
    ------
    InputError
        If one that is asked for is not there at all, or no scene has all of them.
    """
    if asked is None:
        counts = Counter(some for some in scenes if some)
        most = max(counts, key=lambda some: (counts[some], len(some), sorted(some)))
        return tuple(sorted(most))
    there = sorted(frozenset().union(*scenes))
    wanted = tuple(dict.fromkeys(name.upper() for name in asked))
    for name in wanted:
        if name not in there:
            raise InputError(
                f"polarizations: {name} is not there; there are {', '.join(there)}",
                f"Take {name} out of `polarizations`, or add its files to `path`.",
            )
    if not any(some.issuperset(wanted) for some in scenes):
        raise InputError(
            f"polarizations: no scene has all of {', '.join(wanted)}", "Ask for the polarizations of one kind of scene."
        )
    return wanted
