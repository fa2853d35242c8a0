"""Frames written one after the other as GIF and as MP4; never all of them in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from dask_jobs.figures.style import LINES, NO_DATA
from infra.errors import OutputError

if TYPE_CHECKING:
    import numpy as np

Format = Literal["gif", "mp4"]
MEDIA: dict[Format, str] = {"gif": "image/gif", "mp4": "video/mp4"}
CODEC = "vp09"  # VP9, which browsers play; OpenCV's wheels encode it by libvpx (BSD) through FFmpeg under the LGPL
GREYS = 210  # of a GIF's 256 colours


def write_film(
    frames: Iterable[np.ndarray], paths: dict[Format, Path], *, frames_per_second: float, colours: str | None = None
) -> int:
    """Write frames, dims (y, x, 3), uint8, of one even size, to a file of each format; their number.

    Parameters
    ----------
    colours : colour map of what is not grey (`dask_jobs.figures.map_marks.Shade.colours`), for a GIF, which has 256
        colours; None for films of greys

    Raises
    ------
    OutputError
        If a file cannot be written, or there is no frame.
    """
    number = 0
    with ExitStack() as stack:
        writers = [
            stack.enter_context(_writer(kind, path, frames_per_second=frames_per_second, colours=colours))
            for kind, path in paths.items()
        ]
        for number, frame in enumerate(frames, start=1):  # noqa: B007 -- the count is the result
            for writer in writers:
                writer.add(frame)
    if not number:
        raise OutputError("a film has no frame", "Give a stack with at least one date.")
    return number


def _writer(kind: Format, path: Path, *, frames_per_second: float, colours: str | None) -> _Writer:
    if kind == "mp4":
        return Mp4(path, frames_per_second=frames_per_second)
    if colours is None:
        return Gif(path, frames_per_second=frames_per_second, palette=Palette())
    from dask_jobs.figures.coloured_palette import ColouredPalette

    return Gif(path, frames_per_second=frames_per_second, palette=ColouredPalette(colours))


class _Writer(ABC):
    """A file that frames are appended to while it is open."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def add(self, frame: np.ndarray) -> None:
        """Append a frame."""

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...


class Gif(_Writer):
    """A GIF that repeats for ever, with one palette for all frames: greys do not flicker from date to date."""

    def __init__(self, path: Path, *, frames_per_second: float, palette: Palette) -> None:
        self._path, self._milliseconds = path, 1000 / frames_per_second
        self._file: BinaryIO | None = None
        self._colours = palette

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def add(self, frame: np.ndarray) -> None:
        """Append a frame."""
        from PIL import GifImagePlugin, Image

        if self._file is None:
            raise ValueError("not open")
        image = Image.fromarray(self._colours.indices(frame), mode="P")
        image.putpalette(self._colours.flat)
        if self._file.tell() == 0:
            header, _ = GifImagePlugin.getheader(image, info={"loop": 0})
            self._file.writelines(header)
        self._file.writelines(GifImagePlugin.getdata(image, duration=self._milliseconds))

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.write(b";")
            self._file.close()


class Mp4(_Writer):
    """An MP4 with VP9."""

    def __init__(self, path: Path, *, frames_per_second: float) -> None:
        self._path, self._rate = path, frames_per_second
        self._writer: Any = None

    def add(self, frame: np.ndarray) -> None:
        """Append a frame."""
        import cv2

        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*CODEC)
            self._writer = cv2.VideoWriter(str(self._path), code, self._rate, (frame.shape[1], frame.shape[0]))
            if not self._writer.isOpened():
                raise OutputError(
                    f"{self._path.name}: this OpenCV ({cv2.__version__}) cannot write VP9 video",
                    "Install opencv-python-headless from its wheels, or leave mp4 out of the animations.",
                )
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.release()


class Palette:
    """The colours of every GIF: greys, that of no data, and the lines' with paler ones for their soft edges."""

    def __init__(self) -> None:
        import numpy as np

        colours = [(round(255 * index / (GREYS - 1)),) * 3 for index in range(GREYS)]
        for line in (NO_DATA, *LINES[1:]):
            full = [int(line[place : place + 2], 16) for place in (1, 3, 5)]
            for share in (1, 0.8, 0.6, 0.4, 0.2):
                red, green, blue = (round(255 + (part - 255) * share) for part in full)
                colours.append((red, green, blue))
        self._table = np.array(colours)
        self._grey = np.rint(np.arange(256) / 255 * (GREYS - 1)).astype(np.uint8)
        cells = np.stack(np.meshgrid(*[np.arange(32)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 8 + 4
        slabs = np.split(cells[:, np.newaxis], 64)  # all at once would be 200 MB
        nearest = [np.square(self._table - slab).sum(axis=2).argmin(axis=1) for slab in slabs]
        self._coloured = np.concatenate(nearest).astype(np.uint8)
        for index in range(GREYS, len(colours)):  # what is drawn in a colour itself keeps it exactly
            red, green, blue = (part >> 3 for part in colours[index])
            self._coloured[red * 1024 + green * 32 + blue] = index

    @property
    def flat(self) -> list[int]:
        """Red, green, blue of each colour, one after the other."""
        return [int(part) for part in self._table.reshape(-1)]

    def indices(self, frame: np.ndarray) -> np.ndarray:
        """Nearest colour of each pixel of a frame, dims (y, x), uint8; greys are looked for among greys."""
        import numpy as np

        red, green, blue = (frame[..., part].astype(np.int32) for part in range(3))
        coloured = self._coloured[(red >> 3) * 1024 + (green >> 3) * 32 + (blue >> 3)]
        return np.where((red == green) & (green == blue), self._grey[red], coloured)
