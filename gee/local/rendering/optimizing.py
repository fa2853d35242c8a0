"""Cloud-optimised copies of GeoTIFFs; large ones in a process of their own, which can be ended at any time.

    python -m gee.local.rendering.optimizing SOURCE TARGET BLOCK RESAMPLING

GDAL makes such a copy in one call that cannot be left before its end.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gee.local.rendering.blocks import RenderingCancelled
from gee.local.work.metering import count

SMALL_BYTES = 16 * 2**20  # of a source whose copy takes about as long as a process takes to begin
LEAST_BLOCK = 128  # of GDAL's driver
CACHE_BYTES = 256 * 2**20  # rasterio wants bytes
LOOK_SECONDS = 0.1


def optimize(source: Path, target: Path, *, tile: int, resampling: str, cancelled: Callable[[], bool]) -> None:
    """Copy a GeoTIFF as a cloud-optimised one.

    Parameters
    ----------
    tile : side of a tile, pixels
    resampling : of the overviews, by GDAL's name

    Raises
    ------
    RenderingCancelled
        If `cancelled()` said so.
    OSError
        If the copy could not be written.
    """
    block = max(tile, LEAST_BLOCK)
    if cancelled():
        raise RenderingCancelled
    if source.stat().st_size <= SMALL_BYTES:
        copy(source, target, block=block, resampling=resampling)
        return
    command = [sys.executable, "-m", __name__, str(source), str(target), str(block), resampling]
    with subprocess.Popen(  # noqa: S603 -- this Python and this module, with paths that were checked
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            said, complaints = _ended(process, cancelled)
        except BaseException:
            process.kill()
            process.communicate()
            for left in target.parent.glob(f"{target.name}.*"):  # what GDAL makes overviews in
                left.unlink()
            raise
    if process.returncode:
        raise OSError((complaints.strip().splitlines() or ["the copy ended without a word"])[-1])
    count(float(said))


def _ended(process: subprocess.Popen[str], cancelled: Callable[[], bool]) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if cancelled():
                raise RenderingCancelled from None


def copy(source: Path, target: Path, *, block: int, resampling: str) -> None:
    """Copy a GeoTIFF as a cloud-optimised one, in this process."""
    import rasterio
    from rasterio.shutil import copy as copied

    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        copied(
            source,
            target,
            driver="COG",
            BIGTIFF="YES",
            BLOCKSIZE=str(block),
            COMPRESS="DEFLATE",
            PREDICTOR="YES",
            OVERVIEW_RESAMPLING=resampling,
            NUM_THREADS="2",
        )


def _main() -> None:
    source, target, block, resampling = sys.argv[1:]
    copy(Path(source), Path(target), block=int(block), resampling=resampling)
    sys.stdout.write(str(time.process_time()))


if __name__ == "__main__":
    _main()
