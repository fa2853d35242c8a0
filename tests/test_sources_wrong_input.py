"""Wrong HyP3 products and Zarr stores: `plan` says in exact words what, which and what to do, and leaves nothing behind."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from command_line import Sarbatch, place, sarbatch, tasks, write_job
from geotiffs import write_tif
from hyp3_products import SHAPE, Product, pack
from hyp3_products import write as write_product
from zarr_stores import EPSG, LEFT, SCENES, TOP, image, power, times
from zarr_stores import write as write_zarr

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["place", "sarbatch"]  # fixtures

A = Product(absolute_orbit=52000)
LATER = A.but(start="20240117T015913", id="C9FE", absolute_orbit=52175)
HYP3 = {"format": "hyp3-rtc", "path": "in"}
GROUPS = {"format": "zarr", "path": "in", "layout": "groups", "pattern": r"(?P<date>\d{8})$", "date_format": "%Y%m%d"}
ARRAY = {"format": "zarr", "path": "in", "layout": "array"}
DAY = "20240105"
Arrange = Callable[[Path], object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something wrong with a source.

    Attributes
    ----------
    says : the message, word for word; "{}" stands for the folder of the source
    remedy : part of the remedy
    arrange : makes the source in the folder that it is given
    """

    says: str
    remedy: str
    arrange: Arrange
    source: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)
    code: int = 2


def products(*some: Product, **more: Any) -> Arrange:
    def arrange(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for product in some:
            write_product(product, folder, **more)

    return arrange


def packed(spoil: Callable[[Path], object]) -> Arrange:
    def arrange(folder: Path) -> None:
        spoil(pack(write_product(A, folder), remove=True))

    return arrange


def changed(change: Callable[[Path], object], *some: Product) -> Arrange:
    """Products, of which the first one's folder is then changed."""

    def arrange(folder: Path) -> None:
        products(*(some or (A,)))(folder)
        change(folder / (some or (A,))[0].name)

    return arrange


def replaced(layer: str, values: Any, **more: Any) -> Callable[[Path], object]:
    return lambda folder: write_tif(folder / f"{folder.name}_{layer}.tif", values, **more)


def member(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, b"x")

    return spoil


def store(made: xr.Dataset, *names: str, **more: Any) -> Arrange:
    def arrange(folder: Path) -> None:
        for name in names or (DAY,):
            write_zarr(made, folder, name, **more)

    return arrange


def several(*steps: Arrange) -> Arrange:
    def arrange(folder: Path) -> None:
        for step in steps:
            step(folder)

    return arrange


def damaged_chunk(folder: Path) -> None:
    store(image(power(0)))(folder)
    for path in (folder / DAY / "VV" / "c").rglob("*"):
        if path.is_file():
            path.write_bytes(b"no longer what it was")


def without_dimensions(folder: Path) -> None:
    zarr.open_group(str(folder), mode="a").create_group(DAY).create_array("VV", data=power(0), chunks=(16, 16))


def coordinates(**values: Any) -> xr.Dataset:
    return image(power(0)).assign_coords(**values)


NAME = f"{A.name}/{A.name}"
UNEVEN = TOP - 30 * np.arange(40.0) ** 1.01
CASES = {
    "no product at all": Case(
        source=HYP3,
        arrange=lambda folder: write_tif(folder / "x.tif", np.ones((4, 4), "float32")),
        says="path: no HyP3 RTC product in {}",
        remedy="Expected are S1A_IW_20170402T235525_DVP_RTC30_G_gpuned_9C40_VV.tif and the like, or",
    ),
    "a folder that is not there": Case(
        source=HYP3, arrange=lambda folder: None, says="path: {} is not there", remedy="Mend `path`"
    ),
    "only the map": Case(
        source=HYP3,
        arrange=lambda folder: write_tif(folder / f"{A.name}_ls_map.tif", np.ones((4, 4), "uint8")),
        says="path: only other layers of HyP3 products, no backscatter",
        remedy="Expected are",
    ),
    "a letter that means nothing": Case(
        source=HYP3,
        arrange=lambda folder: write_tif(folder / f"{A.but(letters='gquned').name}_VV.tif", A.stored("VV")),
        says=f"{A.but(letters='gquned').name}: 'q' stands for the scale and is none of p, a, d",
        remedy="Restore the product's original name",
    ),
    "filtered and unfiltered": Case(
        source=HYP3,
        arrange=products(A, LATER.but(letters="gpufed")),
        says=f"radiometry: {{}}/{LATER.but(letters='gpufed').name}/{LATER.but(letters='gpufed').name}_VH.tif is "
        f"gamma0_terrain (speckle-filtered, water kept), {{}}/{NAME}_VH.tif is gamma0_terrain (not filtered, water kept)",
        remedy="Make one stack of each",
    ),
    "masked and unmasked": Case(
        source=HYP3,
        arrange=products(A, LATER.but(letters="gpwned")),
        says=f"radiometry: {{}}/{LATER.but(letters='gpwned').name}/{LATER.but(letters='gpwned').name}_VH.tif is "
        f"gamma0_terrain (not filtered, water masked), {{}}/{NAME}_VH.tif is gamma0_terrain (not filtered, water kept)",
        remedy="Make one stack of each",
    ),
    "gamma and sigma nought": Case(
        source=HYP3,
        arrange=products(A, LATER.but(letters="spuned")),
        says=f"radiometry: {{}}/{LATER.but(letters='spuned').name}/{LATER.but(letters='spuned').name}_VH.tif is "
        f"sigma0_terrain (not filtered, water kept), {{}}/{NAME}_VH.tif is gamma0_terrain (not filtered, water kept)",
        remedy="Make one stack of each",
    ),
    "one acquisition in two scales": Case(
        source=HYP3,
        arrange=products(A, A.but(letters="gduned", id="0001")),
        says=f"{A.but(letters='gduned', id='0001').name} and {A.name} are of one acquisition and differ in scale",
        remedy="Give `path` products of one kind",
    ),
    "decibel that calls itself power": Case(
        source=HYP3,
        arrange=changed(replaced("VH", A.but(letters="gduned").stored("VH"))),
        says=r"scale: {}/" + NAME + "_VH.tif is declared as power, yet 100% of its values are negative (least ",
        remedy="Restore the product's original name",
    ),
    "orbits by their times": Case(
        source=HYP3,
        arrange=products(Product(), Product(start="20240111T140000", id="0001")),
        says="orbits: S1A_IW_20240105T015912Z and S1A_IW_20240111T140000Z are of different relative orbits, by their times; "
        "which ones is not known",
        remedy="or say orbits: mixed",
    ),
    "orbits by their READMEs": Case(
        source=HYP3,
        arrange=products(A, LATER.but(absolute_orbit=52176)),
        says="orbits: the scenes are of 2 orbits: T128 (1 scenes), T129 (1 scenes); mixing them inflates every temporal statistic",
        remedy="Say orbits: separate",
    ),
    "a map on another grid": Case(
        source=HYP3,
        arrange=changed(replaced("ls_map", np.ones((30, 20), "uint8"))),
        says=f"the rasters of {A.name} lie on different grids: {{}}/{NAME}_ls_map.tif against {{}}/{NAME}_VH.tif: bounds ",
        remedy="Take one of them out of `path`",
    ),
    "a map that is none": Case(
        source=HYP3,
        arrange=changed(replaced("ls_map", np.ones(SHAPE, "float32"))),
        says=f"{{}}/{NAME}_ls_map.tif holds float32 values, a layover-shadow map holds uint8",
        remedy="Restore the product's file",
    ),
    "three bands": Case(
        source=HYP3,
        arrange=changed(replaced("VV", np.ones((3, *SHAPE), "float32"))),
        says=f"{{}}/{NAME}_VV.tif has 3 bands, HyP3's backscatter has one",
        remedy="Restore the product",
    ),
    "a mask where there is no map": Case(
        source=HYP3,
        more={"mask": {"layover": True}},
        arrange=changed(lambda folder: (folder / f"{A.name}_ls_map.tif").unlink()),
        says="mask: layover cannot be hidden: S1A_IW_20240105T015912Z has no layer of it (it has no mask at all)",
        remedy="Take layover out of `mask`",
    ),
    "water, of which no map tells": Case(
        source=HYP3,
        more={"mask": {"water": True}},
        arrange=products(A),
        says="mask: water cannot be hidden: S1A_IW_20240105T015912Z has no layer of it (it has layover, shadow)",
        remedy="Take water out of `mask`",
    ),
    "a polarization that is not there": Case(
        source=HYP3,
        more={"polarizations": ["HH"]},
        arrange=products(A),
        says="polarizations: HH is not there; there are VH, VV",
        remedy="Take HH out of `polarizations`",
    ),
    "a zip cut short": Case(
        source=HYP3,
        arrange=packed(lambda path: path.write_bytes(path.read_bytes()[:-200])),
        says=f"{{}}/{A.name}.zip is no zip archive, or truncated: it has no directory at its end",
        remedy="Download the archive again",
    ),
    "a zip whose names lead out": Case(
        source=HYP3,
        arrange=packed(member("../../outside.tif")),
        says=f"{{}}/{A.name}.zip: the name '../../outside.tif' in it leads out of the archive",
        remedy="Do not use archives of unknown origin",
    ),
    "no Zarr store": Case(
        source=GROUPS,
        arrange=lambda folder: None,
        says="path: {} is not there, or empty",
        remedy="the folder or s3:// prefix of the store",
    ),
    "a file where a store should be": Case(
        source=GROUPS,
        arrange=lambda folder: folder.write_bytes(b"zip"),
        says="path: {} is a file; a Zarr store is a folder",
        remedy="Unpack it",
    ),
    "names that say nothing": Case(
        source={"format": "zarr", "path": "in", "layout": "groups"},
        arrange=store(image(power(0)), "first"),
        says="path: no scene in {}; a group there is {}/first, and its name is neither HyP3's nor OPERA's",
        remedy="or give `pattern`",
    ),
    "a date that is none": Case(
        source=GROUPS,
        arrange=store(image(power(0)), "20241305"),
        says="{}/20241305: the date '20241305' does not have the form '%Y%m%d'",
        remedy="Mend `date_format`",
    ),
    "two groups of one date": Case(
        source=GROUPS,
        arrange=store(image(power(0)), "a_20240105", "b_20240105"),
        says="{}/a_20240105/VV and {}/b_20240105/VV are both scene 20240105T000000Z_700000_2700000",
        remedy="pattern's group `scene`",
    ),
    "which variable is it": Case(
        source={**GROUPS, "pattern": r"(?P<polarization>VV)_(?P<date>\d{8})"},
        arrange=store(image({"a": power(0), "b": power(1)}), "VV_20240105"),
        says="{}/VV_20240105: which of a, b is VV?",
        remedy="Say variables: {VV: a}",
    ),
    "no CRS": Case(
        source=GROUPS,
        arrange=store(image(power(0), attrs={})),
        says="{}/20240105/VV names no CRS",
        remedy="Say it in the job: crs: EPSG:…",
    ),
    "two CRS": Case(
        source={**GROUPS, "crs": "EPSG:32646"},
        arrange=store(image(power(0))),
        says=f"crs: {{}}/20240105/VV is in EPSG:{EPSG}, the job says EPSG:32646",
        remedy="Take `crs` out of the job",
    ),
    "a CRS that is none": Case(
        source=GROUPS,
        arrange=store(image(power(0), attrs={"epsg": 999999})),
        says="{}/20240105/VV: 'EPSG:999999' is no coordinate reference system: write it as EPSG:32611",
        remedy="say `crs` in the job",
    ),
    "uneven coordinates": Case(
        source=GROUPS,
        arrange=store(coordinates(y=UNEVEN)),
        says=f"{{}}/20240105/VV: the coordinates y are not evenly spaced (from 2.7e+06 to {UNEVEN[-1]:g})",
        remedy="coordinates of pixel centres",
    ),
    "no coordinates": Case(
        source=GROUPS,
        arrange=store(image(power(0)).drop_vars("x")),
        says="{}/20240105/VV has no coordinate 'x'",
        remedy="coordinates of pixel centres",
    ),
    "columns that go west": Case(
        source=GROUPS,
        arrange=store(coordinates(x=LEFT - 30 * np.arange(50.0))),
        says="{}/20240105/VV: x falls from west to east",
        remedy='dataset.sortby("x")',
    ),
    "columns before rows": Case(
        source=GROUPS,
        arrange=store(image(power(0)).transpose("x", "y")),
        says="{}/20240105/VV has the dimensions (x, y)",
        remedy="dataset.transpose(…)",
    ),
    "dimensions without names": Case(
        source=GROUPS,
        arrange=without_dimensions,
        says="{}/20240105/VV does not name its dimensions",
        remedy="Write it with xarray",
    ),
    "complex values": Case(
        source=GROUPS,
        arrange=store(image(power(0).astype("complex64"))),
        says="{}/20240105/VV holds complex64 values",
        remedy="Give detected images",
    ),
    "a damaged chunk": Case(
        source=GROUPS, arrange=damaged_chunk, says="{}/20240105/VV cannot be read: ", remedy="Copy the store again"
    ),
    "polarizations apart": Case(
        source=GROUPS,
        arrange=several(
            store(image(power(0)), "a/20240105"),
            store(image(power(0, "VH"), name="VH", row=1), "b/20240105"),
        ),
        more={"polarizations": ["VV", "VH"]},
        says="polarizations: no scene has all of VH, VV",
        remedy="Ask for the polarizations of one kind of scene",
    ),
    "decibel read as power": Case(
        source=GROUPS,
        arrange=store(image(10 * np.log10(power(0)))),
        says="scale: {}/20240105/VV is declared as power, yet 100% of its values are negative (least ",
        remedy="They look like dB: say scale: db.",
    ),
    "HyP3 numbers taken for ALOS's": Case(
        source={"format": "zarr", "path": "in", "layout": "groups", "scale": "amplitude", "calibration_db": -83},
        arrange=store(image(power(0), name="backscatter"), f"{SCENES[0]}_VV"),
        says=f"calibration_db: {{}}/{SCENES[0]}_VV/backscatter is calibrated already, by its name; the job adds -83 dB",
        remedy="Take `calibration_db` out of the job",
    ),
    "power by the name, decibel by the job": Case(
        source={"format": "zarr", "path": "in", "layout": "groups", "scale": "db"},
        arrange=store(image(power(0), name="backscatter"), f"{SCENES[0]}_VV"),
        says=f"scale: the job says db, {{}}/{SCENES[0]}_VV/backscatter says power, by its name",
        remedy="Take `scale` out of the job",
    ),
    "groups called an array": Case(
        source=ARRAY,
        arrange=store(image(power(0))),
        says="path: no variable VV, VH, HH or HV with dims (time, y, x) in {}",
        remedy="layout: groups",
    ),
    "steps without times": Case(
        source=ARRAY,
        arrange=store(image(power(0)[None]), ""),
        says="{}/VV has no coordinate 'time'",
        remedy="Give the store the time of each step",
    ),
    "times without units": Case(
        source=ARRAY,
        arrange=store(image(power(0)[None], coords={"time": [20240105]}), ""),
        says="{}/VV: time has units '' and calendar '', which tell no date",
        remedy="seconds since 1970-01-01",
    ),
    "one time twice": Case(
        source=ARRAY,
        arrange=store(image(np.stack([power(0)] * 2), coords={"time": times(1).repeat(2)}), ""),
        says="{}/VV[0] and {}/VV[1] are both of 2024-01-05T01:59:12Z",
        remedy="Take one of them out of the store",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_source_is_told_by_plan(name: str, place: Path, sarbatch: Sarbatch) -> None:
    case = CASES[name]
    case.arrange(place / "in")
    write_job(place, tasks=tasks(source=case.source, **case.more))
    before = sorted(place.rglob("*"))
    assert sarbatch("validate", "job.yaml").code == 0
    said = sarbatch("plan", "job.yaml")
    flat = re.sub(r"\s+", " ", said.err)
    assert said.code == case.code, said
    assert case.says.replace("{}", str(place / "in")) in flat
    assert case.remedy in flat
    assert "Traceback" not in said.err
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({**GROUPS, "pattern": r"(?P<day>\d{8})"}, "has no group named date"),
        ({**GROUPS, "pattern": "("}, "is no regular expression"),
        ({**GROUPS, "crs": "EPSG:99999999"}, "is no coordinate reference system"),
        ({**GROUPS, "layout": "stack"}, "must be one of groups, array (here: 'stack')"),
        ({**GROUPS, "variables": {"VX": "a"}}, "VX"),
        ({"format": "zarr", "path": "in"}, "layout"),
        ({**HYP3, "s3": {"anon": True}}, "unknown key 'anon'"),
    ],
)
def test_a_wrong_source_is_told_by_validate(source: dict[str, Any], says: str, place: Path, sarbatch: Sarbatch) -> None:
    write_job(place, tasks=tasks(source=source))
    said = sarbatch("validate", "job.yaml")
    assert said.code == 2
    assert says in re.sub(r"\s+", " ", said.err)
