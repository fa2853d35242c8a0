"""MintPy as a separate program: it is given HyP3 products, and what it wrote and took is handed back.

Nothing of it is imported: it runs in an environment of its own (`make_environment.sh`), step by step, without figures.
Products are linked into the work folder first, for MintPy writes beside them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

FOLDER = "PEER_MINTPY"  # environment variable: where `smallbaselineApp.py` is
OWN = Path(__file__).parents[2] / ".peers/mintpy/bin"
PROGRAM = "smallbaselineApp.py"
LOADING = ("load_data", "modify_network", "reference_point", "quick_overview")
CORRECTING = ("correct_troposphere", "deramp", "correct_topography", "residual_RMS", "reference_date", "velocity")
STEPS = (*LOADING, "invert_network", *CORRECTING)  # those left out only draw, export, or are off
INVERTED = ("timeseries.h5", "temporalCoherence.h5", "numInvIfgram.h5", "maskTempCoh.h5")
LAYERS = {
    "unwFile": "unw_phase",
    "corFile": "corr",
    "connCompFile": "conncomp",
    "demFile": "dem",
    "incAngleFile": "lv_theta",
    "azAngleFile": "lv_phi",
    "waterMaskFile": "water_mask",
}

Weight = Literal["var", "fim", "coh", "no"]


class MintpyFailedError(RuntimeError):
    """MintPy ended with an error; its last lines are in the message."""


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a process took: seconds of the clock, of all cores, and bytes of its largest process."""

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, kw_only=True)
class MintpyRun:
    """What MintPy wrote, and what each step took.

    Attributes
    ----------
    work : folder of its files
    took : step to `Took`; all steps together as "all" where they ran in one process
    """

    work: Path
    took: Mapping[str, Took] = field(default_factory=dict)

    def path(self, file: str) -> Path:
        """Of one of its files, as "timeseries.h5" or "ifgramStack.h5"."""
        inputs = self.work / "inputs" / file
        return inputs if inputs.is_file() else self.work / file

    def read(self, file: str, dataset: str) -> np.ndarray:
        """A dataset as it is stored."""
        import h5py

        with h5py.File(self.path(file), "r") as stored:
            return np.asarray(stored[dataset])

    def lines(self, file: str) -> list[str]:
        """Words of one of its text files that begin a line, without comments."""
        text = self.path(file).read_text() if self.path(file).is_file() else ""
        return [line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("#")]

    def seconds(self, *steps: str) -> float:
        """Of the clock, of some steps (none named: of all)."""
        return sum(took.wall for step, took in self.took.items() if not steps or step in steps)


def peer() -> Path | None:
    """Folder of MintPy's programs; None where it is not installed."""
    named = os.environ.get(FOLDER)
    for folder in [Path(named), Path(named) / "bin"] if named else [OWN]:
        if (folder / PROGRAM).is_file():
            return folder.absolute()
    return None


def run_mintpy(
    products: Path,
    work: Path,
    *,
    reference: tuple[int, int],
    weight: Weight = "var",
    min_norm_velocity: bool = True,
    troposphere: Literal["height_correlation", "no"] = "height_correlation",
    deramp: str = "no",
    cluster: Literal["none", "local"] = "none",
    workers: int = 2,
    steps: Sequence[str] = STEPS,
    one_process: bool = False,
    more: Mapping[str, str] | None = None,
) -> MintpyRun:
    """MintPy's results from HyP3 products.

    Parameters
    ----------
    products : folder of the products' folders
    work : for everything that is written; steps from `invert_network` on may go on in it, or in a copy of it
    reference : row and column of the pixel against which all is measured
    weight : of the inversion, by coherence
    cluster : "local" inverts with Dask on `workers` processes
    one_process : from the first to the last of `steps` in one process, which is how users run it, instead of one each
    more : further lines of the template, as `{"mintpy.topographicResidual.polyOrder": "1"}`

    Raises
    ------
    MintpyFailedError
        If a step fails, or MintPy is not installed.
    """
    linked = link_products(products, work / "products")
    template = work / "template.txt"
    lines = {
        "mintpy.load.processor": "hyp3",
        **{f"mintpy.load.{key}": f"{linked}/*/*_{layer}*.tif" for key, layer in _present(linked).items()},
        "mintpy.reference.yx": f"{reference[0]}, {reference[1]}",
        "mintpy.networkInversion.weightFunc": weight,
        "mintpy.networkInversion.minNormVelocity": "yes" if min_norm_velocity else "no",
        "mintpy.troposphericDelay.method": troposphere,
        "mintpy.deramp": deramp,
        "mintpy.compute.cluster": cluster,
        "mintpy.compute.numWorker": str(workers),
        "mintpy.plot": "no",
        **(more or {}),
    }
    template.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    if one_process:
        return MintpyRun(work=work, took={"all": _run(work, "--start", steps[0], "--end", steps[-1])})
    return MintpyRun(work=work, took={step: _run(work, "--dostep", step) for step in steps})


def continued(run: MintpyRun, work: Path) -> Path:
    """New folder with what MintPy has loaded, for another inversion of the same."""
    shutil.copytree(run.work, work, symlinks=True, ignore=shutil.ignore_patterns(*INVERTED, "products", "*.log"))
    return work


def link_products(products: Path, linked: Path) -> Path:
    """Folder with a link to every file of the products; where MintPy has written before, that is left out."""
    for text in sorted(products.glob("*/*.txt")):
        place = linked / text.parent.name
        place.mkdir(parents=True, exist_ok=True)
        for file in text.parent.iterdir():
            link = place / file.name
            if file.suffix != ".rsc" and not link.is_symlink():
                link.symlink_to(file.absolute())
    return linked.absolute()


def _present(linked: Path) -> dict[str, str]:
    return {key: layer for key, layer in LAYERS.items() if next(linked.glob(f"*/*_{layer}*.tif"), None)}


def _run(work: Path, *arguments: str) -> Took:
    """One process of MintPy, with all that it starts."""
    programs = peer()
    if programs is None:
        raise MintpyFailedError(f"MintPy is not installed: run `make peers`, or name its folder in {FOLDER}")
    command = [str(programs / "python"), str(programs / PROGRAM), "template.txt", *arguments]
    log = work / f"{'_'.join(arguments).replace('--', '')}.log"
    begin = time.perf_counter()
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, cwd=work, env=_environment(programs), stdout=out, stderr=subprocess.STDOUT
        ) as process,
    ):
        _, status, used = os.wait4(process.pid, 0)  # of the process and of those it waited for
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise MintpyFailedError(f"{' '.join(command)} in {work} ended with {process.returncode}:\n{last}")
    return Took(wall=time.perf_counter() - begin, cpu=used.ru_utime + used.ru_stime, peak=used.ru_maxrss * 1024)


def _environment(programs: Path) -> dict[str, str]:
    """The own environment without what would lead MintPy to other packages than its own."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    }
    return {**kept, "PATH": f"{programs}{os.pathsep}{kept.get('PATH', '')}", "MPLBACKEND": "Agg"}
