"""Certificates of parity: that both engines made the same products of the same scenes, as far as somebody has looked.

`sarbatch certify` makes them; the plan asks for them before it moves a task from one engine to the other of its own accord. A
certificate counts for one Earth Engine, Google's or a local one, and for one version of a kind's algorithm.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from infra.errors import InputError
from pipelines.candidates import Standing

if TYPE_CHECKING:
    from infra.settings import Settings

Against = Literal["google", "local-earth-engine"]
SCHEMA = 1
RELATIVE = 1e-5  # two values differ where they are further apart than this share of the greater
SHARE = 1e-6  # of the pixels that may differ: near-ties of a filter's choices
NAMES: Mapping[str, str] = {"google": "Google's Earth Engine", "local-earth-engine": "the local Earth Engine"}
GOOGLE = (".googleapis.com", ".google.com")
SHOWN = 3  # covers that a sentence names
AGAIN = "a new certificate of parity: `sarbatch certify` makes one"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far products of one engine agree with those of the other.

    Attributes
    ----------
    pixels : that were compared, with data on at least one side
    largest : relative difference of any pixel at most: |a - b| / max(|a|, |b|)
    differing : pixels that differ by more than `RELATIVE`
    masks : whether both have data at the same pixels
    """

    pixels: int = 0
    largest: float = 0.0
    differing: int = 0
    masks: bool = True

    @property
    def share(self) -> float:
        """Share of the pixels that differ."""
        return self.differing / self.pixels if self.pixels else 0.0

    @property
    def certified(self) -> bool:
        """Whether this is the same product."""
        return self.pixels > 0 and self.masks and self.share <= SHARE

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            pixels=self.pixels + other.pixels,
            largest=max(self.largest, other.largest),
            differing=self.differing + other.differing,
            masks=self.masks and other.masks,
        )

    def __str__(self) -> str:
        if not self.pixels:
            return "nothing was compared"
        words = f"largest relative difference {self.largest:.1g}"
        if self.differing:
            words += f", {self.differing} of {self.pixels} pixels differ"
        return words if self.masks else f"{words}, and data are missing on one side"

    def to_json(self) -> dict[str, Any]:
        """As it stands in a certificate."""
        return {
            "pixels": self.pixels,
            "largest_relative_difference": self.largest,
            "differing_pixels": self.differing,
            "share_of_differing_pixels": self.share,
            "masks_identical": self.masks,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Agreement:
        """What `to_json` gave."""
        return cls(
            pixels=int(value["pixels"]),
            largest=float(value["largest_relative_difference"]),
            differing=int(value["differing_pixels"]),
            masks=bool(value["masks_identical"]),
        )


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was compared, when, against which Earth Engine, and how far it agrees.

    Attributes
    ----------
    algorithms : task kinds and the versions of their algorithms
    made : UTC
    versions : of the packages that computed
    scenes : what was looked at, in words
    covers : "filter refined_lee", "reducer median", … to how far both agree there
    """

    algorithms: Mapping[str, int]
    made: datetime
    against: Against
    versions: Mapping[str, str] = field(default_factory=dict)
    scenes: str = ""
    covers: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def certified(self) -> frozenset[str]:
        """Covers that are the same on both engines."""
        return frozenset(name for name, agreement in self.covers.items() if agreement.certified)

    def to_json(self) -> dict[str, Any]:
        """Plain values with a digest, which tells a file that was changed or cut short."""
        value = {
            "schema": SCHEMA,
            "algorithms": dict(self.algorithms),
            "made": self.made.isoformat(),
            "against": self.against,
            "versions": dict(self.versions),
            "scenes": self.scenes,
            "covers": {
                name: {**agreement.to_json(), "certified": agreement.certified}
                for name, agreement in self.covers.items()
            },
        }
        return {**value, "digest": _digest(value)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Certificate:
        """What `to_json` gave; ValueError, KeyError or TypeError where it is not that."""
        if value["schema"] != SCHEMA:
            raise ValueError(f"schema {value['schema']} is not {SCHEMA}")
        if value["against"] not in NAMES:
            raise ValueError(f"against {value['against']!r} is no Earth Engine")
        if value["digest"] != _digest({name: item for name, item in value.items() if name != "digest"}):
            raise ValueError("it has been changed since it was made")
        return cls(
            **{name: value[name] for name in ("algorithms", "against", "versions", "scenes")},
            made=datetime.fromisoformat(value["made"]),
            covers={name: Agreement.from_json(item) for name, item in value["covers"].items()},
        )


def engine_in_use(settings: Settings) -> Against:
    """Whether the settings lead to Google's Earth Engine or to another."""
    host = urlsplit(settings.earth_engine_url or "").hostname
    return "google" if host is None or f".{host}".endswith(GOOGLE) else "local-earth-engine"


def certificate_path(state_dir: Path, against: Against) -> Path:
    """Where the certificate against an Earth Engine lies."""
    return state_dir / "parity" / f"{against}.json"


def write_certificate(certificate: Certificate, *, state_dir: Path) -> Path:
    """File of a certificate: whole or, after a crash, the one before."""
    path = certificate_path(state_dir, certificate.against)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("x", encoding="utf-8") as file:
            json.dump(certificate.to_json(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path


def read_certificate(path: Path) -> Certificate | None:
    """Certificate of a file, None where there is no file.

    Raises
    ------
    InputError
        If it is not what `write_certificate` wrote.
    """
    try:
        return Certificate.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the certificate {path} cannot be trusted: {type(error).__name__}: {error}",
            "`sarbatch certify` makes it anew.",
        ) from error


def standing(state_dir: Path, *, kind: str, version: int, covers: Sequence[str], against: Against) -> Standing:
    """Whether a task may be moved between Dask and the Earth Engine in use, and why.

    Parameters
    ----------
    covers : what the task needs a certificate for (`pipelines.kinds.binding.Survey.covers`)
    """
    path = certificate_path(state_dir, against)
    try:
        found = read_certificate(path)
    except InputError as error:
        return Standing(valid=False, words=error.message, mends=AGAIN)
    if found is None or found.against != against:
        return _missing(state_dir, against)
    name = f"the certificate of {found.made:%Y-%m-%d} against {NAMES[against]}"
    if kind not in found.algorithms:
        return Standing(valid=False, words=f"{name} is not about {kind}", mends=AGAIN)
    if found.algorithms[kind] != version:
        words = f"{name} is of version {found.algorithms[kind]} of {kind}, and this is version {version}"
        return Standing(valid=False, words=words, mends=AGAIN)
    lacking = [cover for cover in covers if cover not in found.covers]
    if lacking:
        return Standing(valid=False, words=f"{name} does not cover {_listed(lacking)}", mends=AGAIN)
    apart = [cover for cover in covers if cover not in found.certified]
    if apart:
        words = f"{name} says that both differ: {_listed([f'{cover} ({found.covers[cover]})' for cover in apart])}"
        return Standing(valid=False, words=words, mends="engines that agree, and a new certificate: `sarbatch certify`")
    largest = max((found.covers[cover].largest for cover in covers), default=0.0)
    return Standing(valid=True, words=f"{name}, largest relative difference {largest:.1g}")


def _missing(state_dir: Path, against: Against) -> Standing:
    words = f"there is no certificate of parity against {NAMES[against]}"
    other: Against = "local-earth-engine" if against == "google" else "google"
    if certificate_path(state_dir, other).exists():
        words += f" (the one against {NAMES[other]} does not count for it)"
    return Standing(valid=False, words=words)


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return f"{', '.join(words[:SHOWN])}{more}"


def total(agreements: Iterable[Agreement]) -> Agreement:
    """Agreement of several products together."""
    return sum(agreements, Agreement())


def _digest(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
