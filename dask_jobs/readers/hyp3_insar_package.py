"""Which files make up a HyP3 interferogram, in folders or in the zips that ASF delivers."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE, SIGHT_ELEVATION, SIGHT_ORIENTATION
from dask_jobs.readers.archives import list_archives
from dask_jobs.readers.files import SourceFile
from dask_jobs.readers.hyp3_insar_name import InsarName, decode
from dask_jobs.scenes import Dropped

if TYPE_CHECKING:
    from infra.storage import S3Options

RASTERS = {"unw_phase": PHASE, "corr": COHERENCE, "conncomp": COMPONENTS}  # end of a file's name to layer
GEOMETRY = {
    "dem": "height",
    "lv_theta": SIGHT_ELEVATION,
    "lv_phi": SIGHT_ORIENTATION,
    "water_mask": "water_mask",
}
USED = {**RASTERS, **GEOMETRY}  # what else lies in a product is known, and not used
NEEDED = ("unw_phase", "corr")
TIFF = re.compile(r"(?P<name>S1.+_[0-9A-F]{4})_(?P<layer>[a-z0-9_]+?)(?P<clip>_clip)?\.tiff?")
TEXT = re.compile(r"(?P<name>S1.+_[0-9A-F]{4})(?P<readme>[._]README(?:\.md)?)?\.txt")


@dataclass(frozen=True, kw_only=True)
class Package:
    """One product where it lies: a folder or an archive.

    Attributes
    ----------
    place : URL of the folder or archive
    variants : whether clipped, to "unw_phase", "corr" … to file
    texts : the metadata file and the README, by "metadata" and "readme"
    """

    name: InsarName
    place: str
    variants: dict[bool, dict[str, SourceFile]] = field(default_factory=lambda: {True: {}, False: {}})
    texts: dict[str, SourceFile] = field(default_factory=dict)

    @property
    def clipped(self) -> bool:
        """Which variant is used: the clipped one, unless the other alone has phase and coherence."""
        complete = {clip: all(layer in files for layer in NEEDED) for clip, files in self.variants.items()}
        return complete[True] or (bool(self.variants[True]) and not complete[False])

    @property
    def layers(self) -> dict[str, SourceFile]:
        """Files that are used, by layer."""
        return self.variants[self.clipped]

    def chosen(self, layers: Container[str]) -> list[SourceFile]:
        """Files that are used of some layers."""
        return [file for layer, file in self.layers.items() if layer in layers]

    @property
    def lacking(self) -> list[str]:
        """Names of files without which the product is of no use."""
        clip = "_clip" if self.clipped else ""
        rasters = [f"{self.name.name}_{layer}{clip}.tif" for layer in NEEDED if layer not in self.layers]
        return rasters if "metadata" in self.texts else [*rasters, f"{self.name.name}.txt"]

    def drop(self, reason: str) -> Dropped:
        """All of it, left out."""
        file = next((self.layers[layer] for layer in USED if layer in self.layers), None)
        return Dropped(path=file.url if file else f"{self.place}/{self.name.name}", reason=reason)

    def unused(self) -> list[Dropped]:
        """Files of the variant that is not used."""
        word = "clipped" if self.clipped else "not clipped"
        return [
            Dropped(path=file.url, reason=f"of {self.name.name}, the files that are {word} are used")
            for _, file in sorted(self.variants[not self.clipped].items())
        ]


def packages_of(files: Sequence[SourceFile], *, s3: S3Options) -> tuple[list[Package], list[Dropped]]:
    """Every product in folders and archives; and the TIFFs and archives that are of none."""
    zips = [file for file in files if file.name.lower().endswith(".zip")]
    packages: dict[tuple[str, str], Package] = {}
    dropped = _collect([(file, file.url.rpartition("/")[0]) for file in files if file not in set(zips)], packages)
    for archive, members in list_archives(zips, s3=s3).items():
        before = len(packages)
        dropped += _collect([(member, archive) for member in members], packages)
        if len(packages) == before:
            dropped.append(Dropped(path=archive, reason="the archive holds no HyP3 interferogram"))
    return list(packages.values()), dropped


def _collect(files: Sequence[tuple[SourceFile, str]], packages: dict[tuple[str, str], Package]) -> list[Dropped]:
    """Add files to the package of their name and place; the TIFFs that are of none."""
    dropped: list[Dropped] = []
    for file, place in files:
        match = TIFF.fullmatch(file.name)
        name = decode(match["name"]) if match else None
        if match and name:
            package = packages.setdefault((name.name, place), Package(name=name, place=place))
            variant = package.variants[bool(match["clip"])]
            if match["layer"] in USED and variant.setdefault(match["layer"], file) is not file:
                dropped.append(Dropped(path=file.url, reason=f"the same file as {variant[match['layer']].url}"))
        elif file.name.lower().endswith((".tif", ".tiff")):
            dropped.append(Dropped(path=file.url, reason="the name is not that of a HyP3 interferogram's raster"))
    for file, place in files:
        text = TEXT.fullmatch(file.name)
        if text and (text["name"], place) in packages:
            packages[text["name"], place].texts.setdefault("readme" if text["readme"] else "metadata", file)
    return dropped


def complete_packages(packages: Sequence[Package]) -> tuple[list[Package], list[Dropped]]:
    """One package of each product that has all that is needed, a folder rather than an archive; why the others are not."""
    chosen: dict[str, Package] = {}
    dropped: list[Dropped] = []
    for package in sorted(packages, key=lambda p: (p.place.lower().endswith(".zip"), p.place, p.name.name)):
        if package.lacking:
            dropped.append(package.drop(f"the product lacks {', '.join(package.lacking)}"))
            continue
        first = chosen.setdefault(package.name.name, package)
        if first is not package:
            dropped.append(package.drop(f"the same product as in {first.place}"))
    return list(chosen.values()), dropped
