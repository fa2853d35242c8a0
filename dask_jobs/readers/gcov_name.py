"""What the name of a NISAR GCOV frame says, and which of two releases of it is the better one.

Names as in the NISAR naming conventions (ASF); environment, major, minor and patch of a CRID as in isce-framework/nisarqa.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dask_jobs.readers.files import SourceFile
from infra.errors import InputError

NAME = re.compile(
    r"NISAR_L2_(?P<processing>[A-Z]{2})_GCOV_(?P<cycle>\d{3})_(?P<track>\d{3})_(?P<direction>[AD])_(?P<frame>\d{3})"
    r"_(?P<mode>\d{4})_(?P<polarizations>[A-Z]{4})_(?P<acquisition>[A-Z])_(?P<start>\d{8}T\d{6})_\d{8}T\d{6}"
    r"_(?P<crid>[A-Z]\d{5})_(?P<accuracy>[A-Z])_(?P<coverage>[FP])_[A-Z]_(?P<counter>\d{3})\.h5"
)
FORM = "NISAR_L2_PR_GCOV_006_026_A_016_2005_DHDH_A_20260622T234739_20260622T234814_P05023_N_F_J_001.h5"
MATURITIES = ("beta", "provisional", "validated")  # from the lowest on
FIRST_PROVISIONAL = 5023  # P05006 was still beta
DOI = re.compile(r"NIL2GCOV-(?P<maturity>[BPV])\d", re.IGNORECASE)
COLLECTION = re.compile(r"/NISAR_L2_GCOV_(?:(?P<maturity>BETA|PROVISIONAL|VALIDATED)_)?V\d+/")
PROCESSING = ("UR", "OD", "PR")  # urgent, on demand, nominal: from the poorest on
ACCURACY = "FNMP"  # orbit: forecast, near real time, medium, precise


@dataclass(frozen=True, kw_only=True)
class GcovName:
    """A frame's name, decoded.

    Attributes
    ----------
    cycle, track, frame : numbers; the track is the relative orbit (1 to 173)
    direction : "A" or "D"
    mode : bandwidths of frequency A and B, MHz: "2005"
    polarizations : codes of frequency A and B: "DHDH"
    start : of sensing, UTC, whole seconds
    crid : environment letter, major (2 digits), minor (2), patch (1): "P05023"
    processing : "PR" nominal, "UR" urgent, "OD" on demand
    accuracy : of the orbit: "P", "M", "N" or "F"
    coverage : "F" full frame, "P" part of it
    counter : of the product, from 1
    """

    file: SourceFile
    processing: str
    cycle: int
    track: int
    direction: str
    frame: int
    mode: str
    polarizations: str
    start: datetime
    crid: str
    accuracy: str
    coverage: str
    counter: int

    @property
    def scene(self) -> str:
        """Id that all releases of one acquisition of the frame share."""
        place = f"{self.cycle:03d}_{self.track:03d}_{self.direction}_{self.frame:03d}"
        return f"NISAR_{place}_{self.mode}_{self.polarizations}_{self.start:%Y%m%dT%H%M%S}"

    @property
    def release(self) -> str:
        """What tells releases apart, as far as people read it: "P05023_002"; "UR" before it is an urgent one."""
        nominal = f"{self.crid}_{self.counter:03d}"
        return nominal if self.processing == "PR" else f"{self.processing}_{nominal}"

    @property
    def age(self) -> tuple[int, int, int, bool, int]:
        """Sorts releases of one maturity from the poorest to the best.

        Nominal processing before urgent one, then the number of the CRID without its letter, then the counter; where all are
        equal, the full frame and the better orbit. Comparing CRIDs as text would put every X (beta) after every P.
        """
        processing = PROCESSING.index(self.processing) if self.processing in PROCESSING else -1
        return processing, int(self.crid[1:]), self.counter, self.coverage == "F", ACCURACY.find(self.accuracy)


def decode(file: SourceFile) -> GcovName | None:
    """What a file's name says; None where it is not the name of a GCOV frame.

    Raises
    ------
    InputError
        If the name has the form, but its start is no date.
    """
    match = NAME.fullmatch(file.name)
    if match is None:
        return None
    try:
        start = datetime.strptime(match["start"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"{file.url}: {match['start']} is no date", "Restore the file's original name.") from error
    return GcovName(
        file=file,
        processing=match["processing"],
        cycle=int(match["cycle"]),
        track=int(match["track"]),
        direction=match["direction"],
        frame=int(match["frame"]),
        mode=match["mode"],
        polarizations=match["polarizations"],
        start=start,
        crid=match["crid"],
        accuracy=match["accuracy"],
        coverage=match["coverage"],
        counter=int(match["counter"]),
    )


def maturity(name: GcovName, *, doi: str) -> str:
    """How mature a release is, one of `MATURITIES`.

    The product's own DOI says it (10.5067/NIL2GCOV-B1, -P1 or -V1); where it has none, the collection's folder in the URL
    (NISAR_L2_GCOV_BETA_V1, …_PROVISIONAL_V1, or NISAR_L2_GCOV_V1 for validated ones); where neither does, the CRID: environment P from
    05023 on is provisional, everything else beta. No CRID says "validated": none had been released when this was written.
    """
    by_letter = {"B": "beta", "P": "provisional", "V": "validated"}
    said = DOI.search(doi)
    if said:
        return by_letter[said["maturity"].upper()]
    folder = COLLECTION.search(name.file.url)
    if folder:
        return (folder["maturity"] or "validated").lower()
    return "provisional" if name.crid[0] == "P" and int(name.crid[1:]) >= FIRST_PROVISIONAL else "beta"
