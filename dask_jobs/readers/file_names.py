"""What the names of GeoTIFFs mean, by a pattern that the user gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dask_jobs.readers.files import SourceFile
from dask_jobs.scenes import Dropped
from infra.errors import InputError, JobError

POLARIZATIONS = ("HH", "HV", "VH", "VV")
GROUPS = ("date", "polarization", "platform", "orbit", "absolute_orbit", "scene")


@dataclass(frozen=True, kw_only=True)
class FileNames:
    """What file names mean.

    Attributes
    ----------
    pattern : regular expression, searched in the name (without folders), with the group `date` and, optionally,
        `polarization`, `platform`, `orbit` (relative orbit), `absolute_orbit` and `scene` (tile or frame)
    date_format : of the group `date`, as for strptime; UTC

    Raises
    ------
    JobError
        If the pattern is no regular expression, lacks `date` or has a group of another name.
    """

    pattern: str
    date_format: str = "%Y%m%d"

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            raise JobError(
                f"pattern: {self.pattern!r} is no regular expression: {error}",
                r"For example _(?P<polarization>HH|HV)_(?P<date>\d{8})\.tif$",
            ) from error
        if "date" not in groups:
            raise JobError(
                f"pattern: {self.pattern!r} has no group `date`", r"Put (?P<date>\d{8}) where the date stands."
            )
        unknown = sorted(set(groups) - set(GROUPS))
        if unknown:
            raise JobError(f"pattern: no group may be called {unknown[0]!r}", f"Groups are {', '.join(GROUPS)}.")

    @property
    def names_polarization(self) -> bool:
        """Whether the pattern has a group `polarization`."""
        return "polarization" in re.compile(self.pattern).groupindex


@dataclass(frozen=True, kw_only=True)
class NamedFile:
    """A file and what its name says."""

    file: SourceFile
    time: datetime
    polarization: str
    platform: str | None = None
    relative_orbit: int | None = None
    absolute_orbit: int | None = None
    scene: str | None = None

    @property
    def acquisition(self) -> tuple[object, ...]:
        """The same for the polarizations and tiles of one acquisition."""
        return self.time, self.platform, self.relative_orbit, self.absolute_orbit, self.scene


def read_names(
    files: Iterable[SourceFile], names: FileNames, polarizations: Sequence[str] | None
) -> tuple[list[NamedFile], list[Dropped]]:
    """What each file's name says, and the files whose name does not match or has another kind of polarization.

    Raises
    ------
    JobError
        If neither the pattern nor `polarizations` says which polarization a file is.
    InputError
        If a date or an orbit cannot be read.
    """
    given = [p.upper() for p in polarizations or ()]
    if not names.names_polarization and len(given) != 1:
        raise JobError(
            f"pattern: {names.pattern!r} has no group `polarization`, and `polarizations` is {given or 'not given'}",
            "Add the group, or say the one polarization of all files: polarizations: [VV]",
        )
    pattern, named, dropped = re.compile(names.pattern), [], []
    for file in files:
        match = pattern.search(file.name)
        if match is None:
            dropped.append(Dropped(path=file.url, reason=f"the name does not match the pattern {names.pattern!r}"))
            continue
        says = match.groupdict()
        polarization = (says.get("polarization") or (given[0] if len(given) == 1 else "")).upper()
        if polarization in POLARIZATIONS:
            named.append(named_file(file, polarization, says, date_format=names.date_format))
        else:
            known = ", ".join(POLARIZATIONS)
            dropped.append(Dropped(path=file.url, reason=f"its polarization {polarization!r} is none of {known}"))
    return named, dropped


def named_file(file: SourceFile, polarization: str, says: Mapping[str, str | None], *, date_format: str) -> NamedFile:
    """What the groups of a pattern say of one file; raises as `read_names` does."""
    text = says["date"] or ""
    try:
        time = datetime.strptime(text, date_format)  # noqa: DTZ007 -- UTC is set below where the format names no zone
    except ValueError as error:
        raise InputError(
            f"{file.url}: the date {text!r} does not have the form {date_format!r}",
            "Mend `date_format` or the group `date`.",
        ) from error
    return NamedFile(
        file=file,
        time=time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC),
        polarization=polarization,
        platform=says.get("platform"),
        relative_orbit=_orbit(file, says.get("orbit")),
        absolute_orbit=_orbit(file, says.get("absolute_orbit")),
        scene=says.get("scene"),
    )


def _orbit(file: SourceFile, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise InputError(f"{file.url}: the orbit {text!r} is no number", r"Mend the pattern: (?P<orbit>\d+)")
    return int(text)
