"""What a report says, as plain values; how it looks is the page's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One figure: its file's content, and what a reader who cannot see it is told."""

    caption: str
    alt: str
    media_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under named columns; `note` says what is not shown."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class File:
    """One product: what it is, and where it lies seen from the page; `label` is its polarization, date, orbit or zone."""

    name: str
    what: str
    label: str
    units: str
    path: str
    size: int | None
    media_type: str


@dataclass(frozen=True, kw_only=True)
class Guide:
    """How to open products of one sort: sentence per program, and code where there is some."""

    sort: str
    steps: Sequence[tuple[str, str, str]]  # program, what to do, code or ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything on one page.

    Attributes
    ----------
    facts : label and value, in reading order
    used : ids of the scenes; dropped : path and reason
    parameters : YAML of the task's parameters, defaults filled in
    """

    job: str
    task: str
    kind: str
    summary: str
    key: str
    created: datetime
    facts: Sequence[tuple[str, str]]
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    used: Sequence[str] = ()
    dropped: Sequence[tuple[str, str]] = ()
    files: Sequence[File] = ()
    guides: Sequence[Guide] = ()
    parameters: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
