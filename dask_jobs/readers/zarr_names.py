"""What the names of groups in a Zarr store say of the scenes in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dask_jobs.readers import opera
from dask_jobs.readers.file_names import POLARIZATIONS, FileNames, named_file
from dask_jobs.readers.files import SourceFile
from dask_jobs.readers.hyp3_name import Hyp3Name, decode
from dask_jobs.scenes import Radiometry, Scale

if TYPE_CHECKING:
    from collections.abc import Hashable

SUFFIX = re.compile(rf"(?P<name>.+)_(?P<polarization>{'|'.join(POLARIZATIONS)})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class GroupName:
    """What a group's name says.

    Attributes
    ----------
    product : the same for the groups of one product (one for each polarization)
    parts : of the scene's id; the place is added
    placed : whether the place is part of the id: the name does not tell pieces of ground apart
    polarization : None where the name tells none
    scale, radiometry, nodata : None where the name tells none
    hyp3 : the product's name, where it is HyP3's
    age : sorts releases of a scene, the newest last
    """

    product: Hashable
    parts: tuple[str, ...]
    time: datetime
    placed: bool = True
    polarization: str | None = None
    release: str = ""
    platform: str | None = None
    relative_orbit: int | None = None
    absolute_orbit: int | None = None
    scale: Scale | None = None
    radiometry: Radiometry | None = None
    nodata: float | None = None
    hyp3: Hyp3Name | None = None
    age: tuple[tuple[int, ...], str] = field(default=((), ""))


def read_group_name(path: str, *, names: FileNames | None, url: str) -> GroupName | None:
    """What a group's path in its store says: by the pattern if there is one, else as a HyP3 or OPERA name; None if neither.

    Raises
    ------
    InputError
        If a date, an orbit or a letter cannot be read.
    """
    if names is not None:
        return _by_pattern(path, names, url=url)
    last = path.rpartition("/")[2]
    suffix = SUFFIX.fullmatch(last)
    name, polarization = (suffix["name"], suffix["polarization"].upper()) if suffix else (last, None)
    hyp3 = decode(name)
    if hyp3 is not None:
        return _of_hyp3(hyp3, polarization)
    match = opera.NAME.fullmatch(f"{name}_{polarization or 'VV'}.tif")
    return _of_opera(opera.named_product(match), polarization) if match else None


def _by_pattern(path: str, names: FileNames, *, url: str) -> GroupName | None:
    match = re.search(names.pattern, path)
    if match is None:
        return None
    says = match.groupdict()
    polarization = (says.get("polarization") or "").upper() or None
    if polarization not in {*POLARIZATIONS, None}:
        return None
    named = named_file(SourceFile(url, 0), polarization or "", says, date_format=names.date_format)
    orbit = named.relative_orbit if named.absolute_orbit is None else named.absolute_orbit
    parts = (f"{named.time:%Y%m%dT%H%M%SZ}", named.platform, orbit, named.scene)
    return GroupName(
        product=(named.acquisition, path if polarization is None else None),
        parts=tuple(str(part) for part in parts if part is not None),
        time=named.time,
        polarization=polarization,
        platform=named.platform,
        relative_orbit=named.relative_orbit,
        absolute_orbit=named.absolute_orbit,
    )


def _of_hyp3(name: Hyp3Name, polarization: str | None) -> GroupName:
    return GroupName(
        product=name.name,
        parts=(name.acquisition,),
        time=name.start,
        placed=name.clipped,
        polarization=polarization,
        release=name.release,
        platform=name.platform,
        scale=name.scale,
        radiometry=name.radiometry,
        nodata=name.nodata,
        hyp3=name,
    )


def _of_opera(product: opera.Product, polarization: str | None) -> GroupName:
    return GroupName(
        product=(product.scene, product.platform, product.release),
        parts=(product.scene,),
        time=product.sensing,
        placed=False,
        polarization=polarization,
        release=product.release,
        platform=product.platform,
        relative_orbit=product.track,
        scale=Scale.POWER,
        radiometry=Radiometry(quantity="gamma0_terrain", speckle_filtered=False, water_masked=False),
        age=product.age,
    )
