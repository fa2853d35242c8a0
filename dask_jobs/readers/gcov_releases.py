"""Which files of a heap of GCOV releases make one stack: each step keeps some and says of every other one why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dask_jobs.passes import touches
from dask_jobs.readers.gcov_name import MATURITIES, GcovName, maturity
from dask_jobs.readers.hdf5_headers import RENAMED, GcovHeader, Layers
from dask_jobs.readers.polarizations import wanted_polarizations
from dask_jobs.scenes import Dropped
from infra.errors import InputError
from infra.region import Region

Frequency = Literal["A", "B"]
MaturityChoice = Literal["highest", "beta", "provisional", "validated"]


@dataclass(frozen=True, kw_only=True)
class Release:
    """One file: what its name and its header say, and how mature it is."""

    name: GcovName
    header: GcovHeader
    maturity: str

    @classmethod
    def of(cls, name: GcovName, header: GcovHeader) -> Release:
        """Release of a file.

        Raises
        ------
        InputError
            If name and file contradict each other: the name decides which release is used.
        """
        if (name.track, name.frame) != (header.track, header.frame):
            raise InputError(
                f"{header.url}: the name says track {name.track} frame {name.frame}, "
                f"the file track {header.track} frame {header.frame}",
                RENAMED,
            )
        return cls(name=name, header=header, maturity=maturity(name, doi=header.doi))

    @property
    def url(self) -> str:
        """Of the file."""
        return self.name.file.url

    @property
    def layers(self) -> Layers:
        """Rasters of the frequency that is used."""
        if self.header.layers is None:
            raise ValueError(f"{self.url} lacks the frequency")
        return self.header.layers

    def bandwidth(self, frequency: Frequency) -> str:
        """Of a frequency, MHz, by the mode: 2005 is 20 MHz in A and 5 MHz in B."""
        return str(int(self.name.mode[:2] if frequency == "A" else self.name.mode[2:]))


Left = tuple[list[Release], list[Dropped]]


def _keep(releases: Iterable[Release], why_not: Callable[[Release], str | None]) -> Left:
    reasons = [(release, why_not(release)) for release in releases]
    kept = [release for release, why in reasons if not why]
    return kept, [Dropped(path=release.url, reason=why) for release, why in reasons if why]


def with_frequency(releases: Sequence[Release], frequency: Frequency) -> Left:
    """Releases that have the frequency.

    Raises
    ------
    InputError
        If none has.
    """
    kept, dropped = _keep(
        releases,
        lambda r: None if r.header.layers else f"has no frequency {frequency} (it has {_listed(r.header.frequencies)})",
    )
    if not kept:
        there = sorted({f for r in releases for f in r.header.frequencies})
        raise InputError(
            f"frequency: no frame has frequency {frequency}; there is {_listed(there)}",
            "Ask for a frequency that is there, or give frames of another mode.",
        )
    return kept, dropped


def with_powers(releases: Sequence[Release], asked: Sequence[str] | None) -> Left:
    """Releases that have all polarizations that are asked for, or any where none is.

    Raises
    ------
    InputError
        If none has.
    """
    kept, dropped = _keep(releases, lambda r: _lacking(r.layers, asked))
    if not kept:
        there = sorted({p for r in releases for p in r.layers.polarizations})
        terms = sorted({t for r in releases for t in r.layers.terms})
        if not there:
            raise InputError(
                f"path: no frame has a power (HHHH, HVHV, VHVH or VVVV), only the terms {_listed(terms)}",
                "Give frames whose polarizations are linear.",
            )
        raise InputError(
            f"polarizations: no frame has {_listed(asked or ())}; there are {_listed(there)}",
            "Ask for polarizations that are there.",
        )
    return kept, dropped


def within(releases: Sequence[Release], region: Region | None) -> Left:
    """Releases whose grid touches the region; all where none does, for the caller to say so."""
    if region is None:
        return list(releases), []
    grids = {r.layers.grid for r in releases}
    near = {grid for grid in grids if touches(region, grid)} or grids
    return _keep(releases, lambda r: None if r.layers.grid in near else f"{r.name.scene} does not touch the area")


def of_one_maturity(releases: Sequence[Release], asked: MaturityChoice) -> Left:
    """Releases of one maturity: never a mixture, because calibration and bias differ.

    Parameters
    ----------
    asked : "highest": the highest that any of the releases has; frames that have none of it are left out

    Raises
    ------
    InputError
        If none has the one that is asked for.
    """
    counts = Counter(r.maturity for r in releases)
    used = max(counts, key=MATURITIES.index) if asked == "highest" else asked
    if not counts[used]:
        there = ", ".join(f"{m} ({counts[m]} of {len(releases)} files)" for m in MATURITIES if counts[m])
        raise InputError(
            f"maturity: no frame is {used}; there are {there}", "Ask for one that is there, or for highest."
        )
    scenes = {r.name.scene for r in releases if r.maturity == used}

    def why_not(release: Release) -> str | None:
        if release.maturity == used:
            return None
        is_ = f"{release.name.release} is {release.maturity}"
        if asked == used:
            return f"{is_}: the job asks for {used}"
        if release.name.scene in scenes:
            return f"{is_}: the {used} release of {release.name.scene} is used"
        return f"{is_}: the others are {used}, and the two are never mixed"

    return _keep(releases, why_not)


def with_most_polarizations(releases: Sequence[Release]) -> tuple[tuple[str, ...], Left]:
    """The polarizations that most releases have, and the releases that have all of them."""
    most = wanted_polarizations([frozenset(r.layers.polarizations) for r in releases], None)
    return most, _keep(releases, lambda r: _lacking(r.layers, most))


def newest(releases: Sequence[Release]) -> Left:
    """The best release of each scene."""
    best: dict[str, Release] = {}
    for release in sorted(releases, key=lambda r: (r.name.age, r.url), reverse=True):
        best.setdefault(release.name.scene, release)

    def why_not(release: Release) -> str | None:
        winner = best[release.name.scene]
        if winner is release:
            return None
        if winner.name.file.name == release.name.file.name:
            return f"the same frame as {winner.url}"
        return f"release {release.name.release} is superseded by {winner.name.release} of {winner.name.scene}"

    return _keep(releases, why_not)


def check_one_bandwidth(releases: Sequence[Release], frequency: Frequency) -> None:
    """Refuse frames of several bandwidths: resolution, looks and noise differ.

    Raises
    ------
    InputError
        Naming each mode, how many files have it, and one of them.
    """
    modes: dict[str, list[Release]] = {}
    for release in releases:
        modes.setdefault(release.name.mode, []).append(release)
    if len({r.bandwidth(frequency) for r in releases}) > 1:
        said = "; ".join(
            f"{rs[0].bandwidth(frequency)} MHz in mode {mode} ({len(rs)} files, as {rs[0].name.file.name})"
            for mode, rs in sorted(modes.items())
        )
        most = max(sorted(modes), key=lambda mode: len(modes[mode]))
        raise InputError(
            f"path: frames of different bandwidths in frequency {frequency}: {said}",
            f"Name those of one mode: path: FOLDER/*_{most}_*.h5",
        )


def _lacking(layers: Layers, wanted: Sequence[str] | None) -> str | None:
    if not layers.polarizations:
        return f"has no power, only the terms {_listed(layers.terms)}"
    lacking = [p for p in wanted or () if p not in layers.polarizations]
    return f"lacks {_listed(lacking)} (it has {_listed(sorted(layers.polarizations))})" if lacking else None


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
