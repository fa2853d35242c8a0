"""OPERA L2 RTC-S1: Sentinel-1 bursts, terrain-flattened gamma nought, linear power, one GeoTIFF per polarization.

Product Specification Document JPL D-108758; names and codes as in the public product description.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dask_jobs.readers.files import Paths, SourceFile, list_files, told, with_fingerprints
from dask_jobs.readers.raster_headers import RasterHeader, read_headers, same_grid
from dask_jobs.scenes import Dropped, Found, Mask, Radiometry, Raster, Scene
from infra.errors import InputError

if TYPE_CHECKING:
    from infra.storage import S3Options

NAME = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst>T(?P<track>\d{3})-\d{6}-[IE]W\d)_(?P<sensing>\d{8}T\d{6}Z)_(?P<processing>\d{8}T\d{6}Z)"
    r"_(?P<platform>S1[A-Z])_\d+_v(?P<version>\d+(?:\.\d+)*)_(?P<layer>VV|VH|HH|HV|mask)\.tiff?"
)
STATIC = "OPERA_L2_RTC-S1-STATIC_"
MASK = "mask"
# values of the mask: 0 valid, 1 shadow, 2 layover, 3 both, 255 nothing measured
LAYERS = {"shadow": (1, 3), "layover": (2, 3)}
INVALID = (255,)
FORM = "OPERA_L2_RTC-S1_T137-292320-IW1_20211119T015859Z_20250830T120333Z_S1A_30_v1.0_VV.tif"


@dataclass(frozen=True, kw_only=True)
class Product:
    """Files of one release of one burst's acquisition, by layer ("VV", "mask"); orders from old to new releases."""

    burst: str
    track: int
    sensing: datetime
    platform: str
    version: tuple[int, ...]
    version_text: str
    processing: str
    layers: dict[str, SourceFile] = field(default_factory=dict)

    @property
    def scene(self) -> str:
        """Id that all releases of the acquisition share."""
        return f"{self.burst}_{self.sensing:%Y%m%dT%H%M%SZ}"

    @property
    def release(self) -> str:
        """What tells releases apart."""
        return f"v{self.version_text}_{self.processing}"

    @property
    def age(self) -> tuple[tuple[int, ...], str]:
        """Sorts releases: version as numbers (1.10 is newer than 1.9), then processing time."""
        return self.version, self.processing

    @property
    def polarizations(self) -> frozenset[str]:
        """Polarizations that are there."""
        return frozenset(self.layers) - {MASK}

    def drop(self, reason: str) -> list[Dropped]:
        """Every file of the product, left out."""
        return [Dropped(path=f.url, reason=reason) for f in self.layers.values()]


def find(path: Paths, *, polarizations: Sequence[str] | None = None, s3: S3Options, cache: Path | None = None) -> Found:
    """Scenes of OPERA RTC-S1 products below `path`, the newest complete release of each.

    Parameters
    ----------
    path : folder, s3:// prefix, glob, or a list of these
    polarizations : that every scene must have; None for those of most scenes
    cache : file that remembers fingerprints of unchanged local files

    Returns
    -------
    scenes in time order; `dropped` names older releases, scenes without a polarization, and foreign TIFFs.
    Orbit and look come from the files' tags; where those are stripped, the relative orbit from the burst's id.

    Raises
    ------
    InputError
        If there is no product, no scene has the polarizations, or a file is damaged or on another grid than its scene.
    """
    products, dropped = _products(list_files(path, s3=s3))
    if not products:
        raise InputError(f"path: no OPERA RTC-S1 raster in {told(path)}", f"Expected are files named like {FORM}")
    wanted = _wanted(products, polarizations)
    chosen, rejected = _newest(products, wanted)
    files = [p.layers[layer] for p in chosen for layer in _used(p, wanted)]
    headers = read_headers(files, s3=s3)
    scenes = with_fingerprints((_scene(p, wanted, headers) for p in chosen), s3=s3, cache=cache)
    return Found(scenes=tuple(sorted(scenes, key=lambda s: (s.time, s.id))), dropped=(*dropped, *rejected))


def _products(files: Iterable[SourceFile]) -> tuple[list[Product], list[Dropped]]:
    products: dict[tuple[str, str, str], Product] = {}
    dropped = []
    for file in files:
        match = NAME.fullmatch(file.name)
        if match is None:
            if file.name.lower().endswith((".tif", ".tiff")) and not file.name.startswith(STATIC):
                dropped.append(Dropped(path=file.url, reason="the name is not that of an OPERA RTC-S1 raster"))
            continue
        new = named_product(match)
        product = products.setdefault((new.scene, new.platform, new.release), new)
        first = product.layers.setdefault(match["layer"], file)
        if first is not file:
            dropped.append(Dropped(path=file.url, reason=f"the same file as {first.url}"))
    return list(products.values()), dropped


def named_product(match: re.Match[str]) -> Product:
    """Product without files that a match of `NAME` tells; InputError if its date is none."""
    try:
        sensing = datetime.strptime(match["sensing"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"{match[0]}: {match['sensing']} is no date", "Restore the file's original name.") from error
    return Product(
        burst=match["burst"],
        track=int(match["track"]),
        sensing=sensing,
        platform=match["platform"],
        version=tuple(int(n) for n in match["version"].split(".")),
        version_text=match["version"],
        processing=match["processing"],
    )


def _wanted(products: Sequence[Product], asked: Sequence[str] | None) -> tuple[str, ...]:
    there = sorted(frozenset().union(*(p.polarizations for p in products)))
    if asked is None:
        counts = Counter(p.polarizations for p in products if p.polarizations)
        if not counts:
            raise InputError("path: only masks, no backscatter", f"Expected are files named like {FORM}")
        most = max(counts, key=lambda some: (counts[some], len(some), sorted(some)))
        return tuple(sorted(most))
    wanted = tuple(dict.fromkeys(p.upper() for p in asked))
    for polarization in wanted:
        if polarization not in there:
            raise InputError(
                f"polarizations: {polarization} is not there; there are {', '.join(there)}",
                f"Take {polarization} out of `polarizations`, or add its files to `path`.",
            )
    if not any(p.polarizations.issuperset(wanted) for p in products):
        raise InputError(
            f"polarizations: no scene has all of {', '.join(wanted)}", "Ask for the polarizations of one kind of scene."
        )
    return wanted


def _newest(products: Sequence[Product], wanted: Sequence[str]) -> tuple[list[Product], list[Dropped]]:
    """Newest release of each scene that has all that is wanted; a release that is not complete replaces nothing."""
    winners: dict[tuple[str, str], Product] = {}
    dropped: list[Dropped] = []
    complete = []
    for product in products:
        lacking = [p for p in wanted if p not in product.polarizations]
        if lacking:
            dropped += product.drop(f"the scene lacks {', '.join(lacking)}")
        else:
            complete.append(product)
    for product in sorted(complete, key=lambda p: p.age):
        winners[product.scene, product.platform] = product
    for product in complete:
        winner = winners[product.scene, product.platform]
        if winner is not product:
            dropped += product.drop(
                f"release {product.release} is superseded by {winner.release} of scene {winner.scene}"
            )
    return list(winners.values()), dropped


def _used(product: Product, wanted: Sequence[str]) -> list[str]:
    return [*wanted, MASK] if MASK in product.layers else list(wanted)


def _scene(product: Product, wanted: Sequence[str], headers: Mapping[str, RasterHeader]) -> Scene:
    used = {layer: headers[product.layers[layer].url] for layer in _used(product, wanted)}
    grid = same_grid(list(used.values()), what=f"the rasters of {product.scene}")
    rasters = {layer: Raster(url=h.url, nodata=h.nodata) for layer, h in used.items()}
    mask = rasters.pop(MASK, None)
    tags = used[wanted[0]].tags
    return Scene(
        id=product.scene,
        release=product.release,
        time=product.sensing,
        grid=grid,
        mask=Mask(raster=mask, invalid=INVALID, layers=LAYERS) if mask else None,
        rasters=rasters,
        radiometry=Radiometry(quantity=_quantity(tags), speckle_filtered=False, water_masked=False),
        platform=product.platform,
        absolute_orbit=_number(tags, "ABSOLUTE_ORBIT_NUMBER"),
        relative_orbit=_number(tags, "TRACK_NUMBER") or product.track,
        pass_direction=_choice(tags, "ORBIT_PASS_DIRECTION", ("ascending", "descending")),
        look_direction=_choice(tags, "LOOK_DIRECTION", ("left", "right")),
    )


def _quantity(tags: Mapping[str, str]) -> str:
    """What the power is normalised by: terrain-flattened gamma nought, unless a file made on demand says another."""
    said = tags.get("PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_NORMALIZATION_CONVENTION", "gamma0").strip().lower()
    return {"gamma0": "gamma0_terrain", "sigma0": "sigma0_terrain", "beta0": "beta0"}.get(said, "unknown")


def _number(tags: Mapping[str, str], name: str) -> int | None:
    text = tags.get(name, "").strip()
    return int(text) if text.isdecimal() else None


def _choice(tags: Mapping[str, str], name: str, choices: Sequence[str]) -> str | None:
    text = tags.get(name, "").strip().lower()
    return text if text in choices else None
