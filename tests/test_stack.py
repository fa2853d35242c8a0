"""A stack holds what the scenes hold, where their coordinates say, and says what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from stack_scenes import (
    BASE,
    Reader,
    check,
    folder,
    layout_of,
    local_client,
    one,
    scene,
    series,
    size_of,
)

from dask_jobs.scenes import Raster
from dask_jobs.stack.append import append_passes
from dask_jobs.stack.ledger import continuation, obstacles
from dask_jobs.stack.schema import StackLayout
from dask_jobs.stack.store import (
    collect_garbage,
    groups,
    has_tag,
    open_stack,
    publish_tag,
    read_ledger,
    snapshot_id,
)
from infra.errors import InputError, LatticeError, StateError
from infra.grid import Window, union
from infra.storage import Location

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_client() as made:
        yield made


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray multiplies affines with *
def test_values_times_and_crs(client: Client, location: Location) -> None:
    passes = series()
    layout = layout_of(passes)
    store = location / "stack.icechunk"
    assert read_ledger(store) is None
    assert groups(store) == ()
    append_passes(store, layout, passes, read=Reader(layout.grid), client=client)
    check(store, passes, layout.grid)
    data = open_stack(store)
    import rioxarray  # noqa: F401 -- registers the accessor

    assert data["VV"].rio.crs.to_epsg() == 32611
    assert data["VV"].rio.transform() == layout.grid.affine
    assert data["VV"].attrs["units"] == "1"
    assert data["VV"].data.chunksize == (1, 16, 16)
    assert data.attrs["Conventions"] == "CF-1.10"
    assert data.attrs["title"] == "test"
    assert "sarbatch_ledger" not in data.attrs
    np.testing.assert_array_equal(data["masked_fraction"].values, np.float32(0.25))
    assert groups(store) == ("",)
    ledger = read_ledger(store)
    assert ledger is not None
    assert [s.fingerprint for s in ledger.steps] == [p.fingerprint for p in passes]
    assert ledger.grid == layout.grid


def test_one_by_one_is_as_all_at_once(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store, other = folder(tmp_path), folder(tmp_path, "at-once")
    for count in range(1, len(passes) + 1):
        append_passes(store, layout, passes[:count], read=Reader(layout.grid), client=client)
    append_passes(other, layout, passes, read=Reader(layout.grid), client=client)
    check(store, passes, layout.grid)
    xr.testing.assert_identical(open_stack(store).compute(), open_stack(other).compute())
    assert read_ledger(store) == read_ledger(other)
    before = snapshot_id(store)
    append_passes(store, layout, passes, read=Reader(layout.grid), client=client)  # nothing to do
    assert snapshot_id(store) == before


def test_groups_share_a_store(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, passes[:2], group="T137", **write)
    append_passes(store, layout, passes[2:], group="T064", **write)
    assert groups(store) == ("T064", "T137")
    assert read_ledger(store) is None
    check(store, passes[:2], layout.grid, group="T137")
    check(store, passes[2:], layout.grid, group="T064")
    with pytest.raises(InputError, match="T064, T137"):
        open_stack(store, group="T001")


def test_a_tag_is_published_once_and_stays(client: Client, location: Location) -> None:
    passes = series(2)
    layout = layout_of(series())
    store = location / "stack.icechunk"
    write = {"read": Reader(layout.grid), "client": client}
    assert not has_tag(store, "k1")
    with pytest.raises(StateError):
        publish_tag(store, "k1")
    append_passes(store, layout, passes, **write)
    assert publish_tag(store, "k1")
    assert not publish_tag(store, "k1")
    assert has_tag(store, "k1")
    append_passes(store, layout, series(3), **write)
    with pytest.raises(StateError, match="k1"):
        publish_tag(store, "k1")
    assert publish_tag(store, "k2")
    check(store, passes, layout.grid, tag="k1")
    check(store, series(3), layout.grid, tag="k2")
    assert snapshot_id(store, tag="k1") != snapshot_id(store, tag="k2") == snapshot_id(store)
    with pytest.raises(InputError, match="k3"):
        open_stack(store, tag="k3")


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    store = folder(tmp_path)
    assert (read_ledger(store), groups(store), has_tag(store, "k")) == (None, (), False)
    assert collect_garbage(store, datetime.now(UTC)) == 0
    with pytest.raises(InputError):
        open_stack(store)
    assert not Path(store.url).exists()


def test_why_a_stack_cannot_go_on(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    store = folder(tmp_path)
    append_passes(store, layout, passes[1:4], read=Reader(layout.grid), client=client)
    ledger = read_ledger(store)
    assert ledger is not None
    held = passes[1:4]
    newer = one(*(replace(s, release="2", fingerprint="new") if s.id.startswith("A") else s for s in held[0].scenes))
    touched = one(replace(held[1].scenes[0], fingerprint="else"))
    cases = [
        (held, 3, ()),
        (passes[1:], 3, ()),
        (held[:2], None, ("scene A_003 vanished", "scene B_003 vanished")),
        ([newer, *held[1:]], None, ("scene A_001 superseded by release 2",)),
        ([held[0], touched, held[2]], None, ("scene A_002 changed: same release, other content",)),
        (passes[:4], None, ("scene A_000 is older than the last in the stack (2024-02-06)",)),
        (
            [*held[:1], one(*held[1].scenes, scene(2, name="C")), held[2]],
            None,
            ("scene C_002 joins the pass of 2024-01-25 12:00 that is in the stack already",),
        ),
    ]
    for wanted, index, reasons in cases:
        assert continuation(ledger, wanted) == index
        assert obstacles(ledger, wanted) == reasons
        if index is None:
            with pytest.raises(StateError, match="cannot be appended"):
                append_passes(store, layout, wanted, read=Reader(layout.grid), client=client)
    larger = union([layout.grid, BASE.crop(Window(0, 0, 400, 50))])
    assert continuation(ledger, held, grid=larger) is None
    assert "the grid changes from" in obstacles(ledger, held, grid=larger)[0]


def test_bad_passes_are_refused(client: Client, tmp_path: Path) -> None:
    passes = series()
    layout = layout_of(passes)
    write = {"read": Reader(layout.grid), "client": client}
    with pytest.raises(InputError, match="at least one"):
        append_passes(folder(tmp_path), layout, [], **write)
    with pytest.raises(InputError, match="order of time"):
        append_passes(folder(tmp_path), layout, passes[::-1], **write)
    shifted = replace(passes[0].scenes[0], grid=replace(BASE, left=BASE.left + 7))
    with pytest.raises(LatticeError):
        append_passes(folder(tmp_path), layout, [one(shifted)], **write)
    assert not Path(folder(tmp_path).url).exists()


def test_real_bursts_of_one_pass_lie_where_their_coordinates_say(client: Client, tmp_path: Path) -> None:
    """Six OPERA bursts, two dates, against rasterio's own reading of each file, pasted by its transform."""
    import rasterio

    data = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"
    if not data.is_dir():
        pytest.skip(f"no real scenes at {data}")
    from dask_jobs.passes import group_passes, stack_grid
    from dask_jobs.readers import opera
    from dask_jobs.stack.append import MosaicReader
    from infra.storage import S3Options

    found = opera.find([str(p) for p in sorted(data.iterdir()) if p.is_dir()], s3=S3Options())
    passes = group_passes(found.scenes)[:2]
    grid = stack_grid(found.scenes, extent="union")
    layout = StackLayout(grid=grid, polarizations=("VH", "VV"))
    store = folder(tmp_path)
    append_passes(store, layout, passes, read=MosaicReader(target=grid), client=client)
    expected = np.full(grid.shape, np.nan, dtype="float32")
    for part in passes[1].scenes:
        with rasterio.open(part.rasters["VV"].url) as file:
            row, col = round((grid.top - file.transform.f) / 30), round((file.transform.c - grid.left) / 30)
            view = expected[row : row + file.height, col : col + file.width]
            view[...] = np.where(np.isnan(view), file.read(1), view)
    assert np.isfinite(expected).sum() > 10_000
    values = open_stack(store)["VV"].isel(time=1).compute(scheduler="synchronous").values
    np.testing.assert_array_equal(values, expected)
    print(f"\n{grid.height} x {grid.width}: {size_of(store)} bytes for {len(passes)} dates of {2 * 4 * grid.pixels}")


def test_the_mosaic_reader_hides_what_lies_outside_a_polygon(client: Client, tmp_path: Path) -> None:
    import rasterio
    from pyproj import Transformer
    from shapely import Point

    from dask_jobs.stack.append import MosaicReader
    from infra.region import Region

    values = np.random.default_rng(7).gamma(4.0, 0.025, BASE.shape).astype("float32")
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=40, width=50, count=1, dtype="float32", nodata=np.nan,
        crs=BASE.crs, transform=BASE.affine,
    ) as file:  # fmt: skip
        file.write(values, 1)
    part = replace(scene(0), rasters={"VV": Raster(url=str(tmp_path / "a.tif"))})
    centre = Point(*Transformer.from_crs(BASE.crs, "EPSG:4326", always_xy=True).transform(BASE.x[25], BASE.y[20]))
    reader = MosaicReader(target=BASE, region=Region(wkt=centre.buffer(0.004).wkt, masks=True))
    layout = StackLayout(grid=BASE, polarizations=("VV",), chunk=16)
    append_passes(folder(tmp_path), layout, [one(part)], read=reader, client=client)
    got = open_stack(folder(tmp_path))["VV"].isel(time=0).compute(scheduler="synchronous").values
    shown = np.isfinite(got)
    assert shown[20, 25]
    assert 100 < shown.sum() < 1000
    assert not shown[0].any()
    np.testing.assert_array_equal(got[shown], values[shown])
