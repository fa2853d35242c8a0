"""What leaves a stack: plain Zarr the same to the bit, GeoTIFF as GDAL shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from stack_scenes import (
    Reader,
    folder,
    layout_of,
    local_client,
    on_grid,
    series,
    size_of,
)

from dask_jobs.stack.append import append_passes
from dask_jobs.stack.export import export_geotiffs, export_zarr
from dask_jobs.stack.store import (
    open_stack,
    publish_tag,
    snapshot_id,
)
from infra.errors import InputError
from infra.storage import Location

if TYPE_CHECKING:
    from distributed import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_client() as made:
        yield made


@pytest.mark.parametrize("group", ["", "T137"])
def test_plain_zarr_export_is_the_same_to_the_bit(client: Client, location: Location, group: str) -> None:
    passes = series(3)
    layout = layout_of(passes)
    store = location / "stack.icechunk"
    write = {"read": Reader(layout.grid), "client": client}
    append_passes(store, layout, passes, group=group, **write)
    append_passes(store, layout, passes[:1], group="other", **write)
    publish_tag(store, "k")
    target = location / "plain.zarr"
    assert export_zarr(store, tag="k", group=group, target=target, client=client) == size_of(target)
    data = xr.open_zarr(target.zarr_store(), consolidated=False).compute()
    xr.testing.assert_equal(data, open_stack(store, group=group).compute())
    assert data.attrs["source_snapshot"] == snapshot_id(store, tag="k")
    assert not target.exists("other/zarr.json")
    with pytest.raises(InputError, match="nowhere"):
        export_zarr(store, tag="k", group="nowhere", target=target, client=client)


def test_geotiff_export_is_what_gdal_shows(client: Client, tmp_path: Path) -> None:
    import rasterio

    passes = series(2)
    layout = layout_of(passes)
    store, target = folder(tmp_path), folder(tmp_path, "rasters")
    append_passes(store, layout, passes, group="T137", read=Reader(layout.grid), client=client)
    publish_tag(store, "k")
    made = export_geotiffs(store, tag="k", group="T137", target=target, client=client)
    assert len(made) == 2 * 2 * 2
    assert {entry.name: entry.size for entry in target.list()} == {raster.path: raster.size for raster in made}
    by_label = {(r.date, r.polarization, r.name): r.path for r in made}
    power = on_grid(passes[1], "VH", layout.grid)
    for kind, expected in (("power", power), ("db", 10 * np.log10(power))):
        with rasterio.open(target.href(by_label["2024-01-13T12:00:00+00:00", "VH", kind])) as file:
            assert file.crs.to_epsg() == 32611
            assert file.transform == layout.grid.affine
            assert np.isnan(file.nodata)
            assert "VH" in file.descriptions[0]
            assert file.units == ("dB" if kind == "db" else "1",)
            np.testing.assert_allclose(file.read(1), expected, rtol=1e-6)
