"""The files that a source's path names, and the identity of the scenes made of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from infra.errors import InputError

if TYPE_CHECKING:
    from dask_jobs.scenes import Scene
    from infra.storage import Entry, Location, S3Options

Paths = str | Path | Sequence[str | Path]
WILDCARD = re.compile(r"[*?\[]")
THREADS = 16  # what is in a bucket waits for storage, not for a processor


@dataclass(frozen=True)
class SourceFile:
    """A file as storage lists it: `url` (absolute path or s3://), bytes."""

    url: str
    size: int

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.url).name


def list_files(paths: Paths, *, s3: S3Options) -> list[SourceFile]:
    """Every file below the folders, s3:// prefixes and globs, and each file named itself; once each, sorted by URL.

    `**` in a glob stands for any folders, `*` for part of a name; a glob that names folders means all that is in them.

    Raises
    ------
    InputError
        If a path, or everything a glob could mean, is not there.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise InputError("path: the list is empty", "Give a folder, an s3:// prefix or a glob.")
    found = {f.url: f for path in given for f in _list_one(str(path), s3=s3)}
    return [found[url] for url in sorted(found)]


def reading_threads(files: Iterable[SourceFile]) -> int:
    """Threads to read headers and small texts in; of files on a disk one, as several would wait for one another there."""
    return THREADS if any(file.url.startswith("s3://") for file in files) else 1


def told(paths: Paths) -> str:
    """Paths as a message names them."""
    return str(paths) if isinstance(paths, str | Path) else ", ".join(map(str, paths))


def _list_one(path: str, *, s3: S3Options) -> list[SourceFile]:
    from infra.storage import Location

    place = Location.parse(path, s3=s3)
    fixed, entries = list_entries(place)
    pattern = fixed.url != place.url
    files = [SourceFile(fixed.href(e.name), e.size) for e in entries]
    if not files and not pattern:
        folder, _, name = place.url.rpartition("/")
        entry = Location.parse(folder, s3=s3).stat(name) if name and not folder.endswith("/") else None
        files = [SourceFile(place.url, entry.size)] if entry else []
    if not files and (pattern or place.is_s3 or not Path(place.url).is_dir()):
        raise InputError(
            f"path: nothing matches {place.url}" if pattern else f"path: {place.url} is not there",
            "Mend `path` in the job: a folder, an s3:// prefix or a glob; relative ones start at the job file.",
        )
    return files


def list_entries(place: Location) -> tuple[Location, list[Entry]]:
    """Folder before the first wildcard (the place itself where there is none), and what lies below it and matches."""
    fixed, pattern = _split(place)
    entries = fixed.list()
    if pattern:
        wanted = _glob(pattern)
        entries = [entry for entry in entries if wanted.fullmatch(entry.name)]
    return fixed, entries


def _split(place: Location) -> tuple[Location, str]:
    """Folder before the first wildcard, and the rest; the rest is empty where there is no wildcard."""
    hit = WILDCARD.search(place.url)
    if not hit or (not place.is_s3 and Path(place.url).exists()):  # a name may hold brackets
        return place, ""
    cut = place.url.rfind("/", 0, hit.start())
    return replace(place, url=place.url[:cut] or "/"), place.url[cut + 1 :]


def _glob(pattern: str) -> re.Pattern[str]:
    """Glob as a regular expression on relative names; what lies below a matching folder matches too."""
    parts = []
    for token in re.findall(r"\*\*/?|\*|\?|\[[^\]]+\]|[^*?\[]+|\[", pattern):
        if token.startswith("**"):
            parts.append("(?:.*/)?" if token.endswith("/") else ".*")
        elif len(token) > 1 and token.startswith("["):
            parts.append(token.replace("[!", "[^"))
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token))
    return re.compile("".join(parts).rstrip("/") + "(?:/.*)?")


def with_fingerprints(scenes: Iterable[Scene], *, s3: S3Options, cache: Path | None) -> tuple[Scene, ...]:
    """Scenes with `size` (bytes of all files) and `fingerprint` filled.

    The fingerprint is sha256 over (polarization, "mask" or "gain", size, hash) of each file, sorted: path and time do not count.
    """
    scenes = tuple(scenes)
    found = identify([_roles(scene) for scene in scenes], s3=s3, cache=cache)
    return tuple(
        replace(scene, size=size, fingerprint=fingerprint)
        for scene, (size, fingerprint) in zip(scenes, found, strict=True)
    )


def identify(sets: Sequence[Mapping[str, str]], *, s3: S3Options, cache: Path | None) -> list[tuple[int, str]]:
    """Bytes and fingerprint of each set of files, given as role to URL; (0, "") of an empty one.

    The fingerprint is sha256 over (role, size, hash) of each file, sorted: path and time do not count.
    """
    from infra.fingerprints import fingerprint_many

    urls = sorted({url for roles in sets for url in roles.values()})
    known = dict(zip(urls, fingerprint_many(urls, s3=s3, cache=cache), strict=True))
    return [_identity(roles, known) for roles in sets]


def _roles(scene: Scene) -> dict[str, str]:
    roles = {polarization: raster.url for polarization, raster in scene.rasters.items()}
    if scene.mask:
        roles["mask"] = scene.mask.raster.url
    return roles | {"gain": scene.gain.url} if scene.gain else roles


def _identity(roles: Mapping[str, str], known: Mapping[str, tuple[int, str]]) -> tuple[int, str]:
    if not roles:
        return 0, ""
    lines = "\n".join(" ".join([role, *map(str, known[url])]) for role, url in sorted(roles.items()))
    size = sum({_stored(url): known[url][0] for url in roles.values()}.values())  # one file may hold several
    return size, hashlib.sha256(lines.encode()).hexdigest()


def _stored(url: str) -> str:
    """What `fingerprint_many` gives the size of: the file, in an archive or not; on S3 the archive."""
    from infra.storage import archive_and_member

    return archive_and_member(url)[0] if url.startswith("s3://") else url
