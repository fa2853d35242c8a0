"""The table of MintPy's files: datasets, units, and which attributes each of them carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from infra.errors import InputError

Part = Literal["first pair", "reference point", "period", "reference date"]
PAIR: tuple[Part, ...] = ("first pair",)
PLACED: tuple[Part, ...] = (*PAIR, "reference point")
SPAN: tuple[Part, ...] = (*PLACED, "period")
SERIES: tuple[Part, ...] = (*SPAN, "reference date")

# Options of steps that a file went through, as the beginnings of their names
LOADED = ("troposphericDelay.method",)  # stands in every file that is made of interferograms, whatever was done
INVERTED = (
    *LOADED,
    *(f"networkInversion.{key}" for key in ("mask", "minNormVelocity", "minRedundancy", "numIfgram", "obs", "weight")),
)
MASKED = (*INVERTED, "networkInversion.minTempCoh", "networkInversion.shadowMask")
TROPOSPHERE, TOPOGRAPHY, RAMP = ("troposphericDelay.",), ("topographicResidual.",), ("deramp",)
CORRECTED = (*INVERTED, *TROPOSPHERE, *TOPOGRAPHY)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One raster, or stack of rasters, in a file.

    Attributes
    ----------
    unit : attribute of the dataset; None where it has none
    no_data : whether no data is 0 ("zero"), or stays NaN ("nan")
    packed : whether it is compressed (LZF, which h5py reads everywhere)
    grows : whether more can be appended along its first axis
    """

    dtype: Literal["float32", "bool", "int16"] = "float32"
    unit: str | None = None
    no_data: Literal["zero", "nan"] = "zero"
    packed: bool = False
    grows: bool = False


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """One kind of file.

    Attributes
    ----------
    type, unit : its FILE_TYPE and UNIT; None where it has no UNIT
    datasets : name to dataset; without dates and baselines
    parts : groups of attributes that it has beyond the common ones
    options : beginnings of the names of the steps' options in its attributes
    data_type : its DATA_TYPE; of masks mostly that of what they were made of
    no_data_value : its NO_DATA_VALUE; None where it has none
    """

    type: str
    unit: str | None
    datasets: Mapping[str, Dataset]
    parts: tuple[Part, ...] = ()
    options: tuple[str, ...] = ()
    data_type: str = "float32"
    no_data_value: str | None = "0.0"

    def dataset(self, name: str) -> Dataset:
        """Dataset of that name.

        Raises
        ------
        InputError
            If files of this kind have no such dataset.
        """
        if name in self.datasets:
            return self.datasets[name]
        if self.type == "velocity":
            for pattern, unit in TERMS:
                if re.fullmatch(pattern, name):
                    return Dataset(unit=unit)
        raise InputError(
            f"a file of type {self.type} has no dataset '{name}'", f"It may have {', '.join(self.datasets)}."
        )


TERMS = (  # further terms of a velocity file, by the functions of time that were fitted; with their standard deviations
    (r"acceleration(Std)?", "m/year^2"),
    (r"velocityPost\d{8}(Std)?", "m/year"),
    (r"(annual|semiAnnual|period[\d.]+Y)Amplitude(Std)?", "m"),
    (r"(annual|semiAnnual|period[\d.]+Y)Phase(Std)?", "radian"),
    (r"step\d{8}(Std)?", "m"),
    (r"(exp|log)\d{8}Tau[\d.]+D(Std)?", "m"),
)
PACKED, STACKED = Dataset(packed=True, no_data="nan"), Dataset(grows=True)
MASK, WATER = Dataset(dtype="bool"), Dataset(dtype="bool", packed=True)
NUMBERS = {"mask": Dataset()}


def _series(*options: str) -> FileKind:
    return FileKind(
        type="timeseries", unit="m", datasets={"timeseries": Dataset()}, parts=SERIES, options=(*INVERTED, *options)
    )


FILES: Mapping[str, FileKind] = {
    "ifgramStack.h5": FileKind(
        type="ifgramStack",
        unit=None,
        datasets={
            "unwrapPhase": STACKED,
            "coherence": STACKED,
            "connectComponent": Dataset(dtype="int16", grows=True),
            "unwrapPhase_bridging": STACKED,
            "unwrapPhase_phaseClosure": STACKED,
            "unwrapPhase_bridging_phaseClosure": STACKED,
        },
        parts=PLACED,
        options=LOADED,
    ),
    "geometryGeo.h5": FileKind(
        type="geometry",
        unit=None,
        datasets={
            "height": PACKED,  # m
            "incidenceAngle": PACKED,  # degrees from the vertical
            "azimuthAngle": PACKED,  # degrees from north, anticlockwise, from the ground to the satellite
            "slantRangeDistance": PACKED,  # m
            "waterMask": WATER,  # True is land
        },
        no_data_value="none",
    ),
    "waterMask.h5": FileKind(
        type="waterMask", unit="1", datasets={"waterMask": WATER}, data_type="bool", no_data_value="none"
    ),
    "maskConnComp.h5": FileKind(type="mask", unit="radian", datasets={"mask": MASK}, parts=PAIR, options=LOADED),
    "avgSpatialCoh.h5": FileKind(
        type="coherence", unit="1", datasets={"coherence": Dataset()}, parts=PAIR, options=LOADED
    ),
    "avgPhaseVelocity.h5": FileKind(
        type="velocity", unit="m/year", datasets={"velocity": Dataset()}, parts=PLACED, options=LOADED
    ),
    "numTriNonzeroIntAmbiguity.h5": FileKind(
        type="mask", unit="1", datasets={"mask": Dataset(no_data="nan")}, parts=SPAN, options=LOADED
    ),
    "temporalCoherence.h5": FileKind(
        type="temporalCoherence", unit="1", datasets={"temporalCoherence": Dataset()}, parts=SPAN, options=INVERTED
    ),
    "numInvIfgram.h5": FileKind(
        type="mask", unit="1", datasets=NUMBERS, parts=SPAN, options=INVERTED, no_data_value=None
    ),
    "maskTempCoh.h5": FileKind(type="mask", unit="1", datasets={"mask": MASK}, parts=SPAN, options=MASKED),
    "demErr.h5": FileKind(type="dem", unit="m", datasets={"dem": Dataset()}, parts=SERIES, options=CORRECTED),
    "velocity.h5": FileKind(
        type="velocity",
        unit=None,  # each dataset has its own
        datasets={
            "intercept": Dataset(unit="m"),
            "interceptStd": Dataset(unit="m"),
            "velocity": Dataset(unit="m/year"),
            "velocityStd": Dataset(unit="m/year"),
            "residue": Dataset(unit="m"),
        },
        parts=SERIES,
        options=(*CORRECTED, *RAMP, "timeFunc."),
    ),
}
STEPS = {"_ramp": RAMP, "_demErr": TOPOGRAPHY, "Residual": (*TROPOSPHERE, *TOPOGRAPHY)}


def file_kind(name: str) -> FileKind:
    """Kind of a file by its name ("velocity.h5"); of time series the name says which corrections were made.

    Raises
    ------
    InputError
        If MintPy has no file of that name.
    """
    series = re.fullmatch(r"timeseries(?P<residual>Residual)?(?P<steps>(_[A-Za-z0-9]+)*)\.h5", name)
    if series:
        words = re.findall(r"_[^_]+", series["steps"]) + ["Residual"] * bool(series["residual"])
        return _series(*(option for word in words for option in STEPS.get(word, TROPOSPHERE)))
    if name not in FILES:
        raise InputError(f"MintPy has no file '{name}'", f"It has timeseries*.h5, {', '.join(FILES)}.")
    return FILES[name]
