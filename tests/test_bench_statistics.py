"""The benchmark of the statistics still runs, and its contenders make the same numbers; how fast they are is not asked."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio

from infra.storage import Location

FOLDER = Path(__file__).parent / "benchmarks"
DATES, HEIGHT, WIDTH = 9, 40, 70


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark's modules, for this process and for its workers."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))  # what `workers` sets is taken back
    names = {
        "bench": "bench_statistics",
        "stack": "_speckle_stack",
        "lines": "_one_liners",
        "where": "_where_time_goes",
    }
    return SimpleNamespace(**{short: importlib.import_module(name) for short, name in names.items()})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray of Affine
def test_all_contenders_make_the_same_numbers_and_the_tables_are_printed(
    scripts: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Location.parse(str(tmp_path / "stack.icechunk"))
    scripts.stack.make_stack(store, dates=DATES, height=HEIGHT, width=WIDTH, chunk=16)
    with scripts.bench.workers(tmp_path / "state") as client:
        bench = scripts.bench.Bench(client=client, store=store, scratch=tmp_path / "made")
        scripts.bench.compare(bench, rounds=1, slow_rounds=1)
        assert list(bench.took) == ["bare read", "pass", "one-liners", "pass with COGs", "one-liners with COGs"]
        scripts.bench.show(bench, size=4 * DATES * HEIGHT * WIDTH)
        parts = scripts.where.measure(bench.reduction(), str(bench.scratch))
        scripts.where.show(parts, bench=bench.took, workers=2)
        said = capsys.readouterr().out
        assert "one-liners with COGs / pass with COGs" in said
        assert "scheduling" in said

        reduced = bench.our_pass()
        lines = scripts.lines.maps(store, percentiles=scripts.bench.PERCENTILES, skipna=True)
        series = scripts.lines.series(store)
    work = reduced.run.work
    for ours, theirs in (("min_date", "first_min"), ("max_date", "first_max")):
        np.testing.assert_array_equal(work.array("VV", ours)[:], work.days[lines[theirs].values])
    same = set(lines.data_vars) - {"first_min", "first_max", "mean_db"}
    assert same == {"mean", "std", "cov", "min", "max", "count", "p05", "p50", "p95"}
    for name in same:
        np.testing.assert_allclose(work.array("VV", name)[:], lines[name].values, rtol=1e-5, err_msg=name)
    table = reduced.series
    np.testing.assert_allclose(table["mean_power"], series["mean"], rtol=1e-5)
    np.testing.assert_allclose(table["std_power"], series["std"], rtol=1e-5)
    np.testing.assert_allclose(10 ** (table["median_db"] / 10), series["median"], rtol=1e-6)

    scripts.lines.write_cogs(lines, tmp_path / "theirs")
    assert len(list((tmp_path / "theirs").glob("*.tif"))) == len(work.layers)
    with rasterio.open(tmp_path / "theirs" / "mean.tif") as file:
        np.testing.assert_array_equal(file.read(1), lines["mean"].values)
