"""What the figures of `stack-statistics` cost: measured on one core, with pictures of 0.7 megapixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.cost import Work
from pipelines.kinds.stack_statistics.figures_spec import Figures

PIXELS_PER_SECOND = 30e6  # read, averaged and counted
FIGURE_SECONDS, FIGURE_BYTES = 0.6, 200_000  # of one PNG
FRAME_SECONDS = {"gif": 0.05, "mp4": 0.35}  # VP9 takes its time
DRAW_SECONDS = 0.06  # of a frame, whatever its formats
FRAME_BYTES = {"gif": 180_000, "mp4": 65_000}


def figures_work(figures: Figures, groups: Mapping[str, Any], *, bands: int) -> Work:
    """Work of the figures of every group of a stack, with `bands` polarizations; beside that of the statistics."""
    dated = figures.dates != "none" or bool(figures.animation or figures.animation_means)
    looks = dated or (figures.maps and figures.stretch_db is None)
    seconds = pixels = written = 0.0
    for group in groups.values():
        dates = len(group["covered"])
        chosen = {"first-and-last": min(2, dates), "all": dates, "none": 0}
        shown = chosen[figures.dates] if isinstance(figures.dates, str) else min(len(figures.dates), dates)
        each = 3 * figures.maps + figures.cov_histogram + figures.time_series + 2 * shown
        drawn = bands * each + figures.footprints
        films = [formats for formats in (figures.animation, figures.animation_means) if formats]
        frames = bands * dates
        seconds += FIGURE_SECONDS * drawn
        seconds += frames * sum(DRAW_SECONDS + sum(FRAME_SECONDS[kind] for kind in formats) for formats in films)
        written += FIGURE_BYTES * drawn + frames * sum(FRAME_BYTES[kind] for formats in films for kind in formats)
        pixels += looks * bands * sum(group["covered"])
    return Work(
        bytes_read=int(4 * pixels),
        bytes_written=int(written),
        core_seconds=seconds + pixels / PIXELS_PER_SECOND,
    )
