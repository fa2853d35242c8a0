"""What a task kind is: its parameters, its products, and which engines can make it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Role = Literal["store", "raster", "table", "figure", "report", "file"]


class Strict(BaseModel):
    """A part of the job file: an unknown key is an error that names the key and the nearest valid one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        known = keys_of(cls)
        unknown = [key for key in value if key not in known]
        if unknown:
            raise unknown_key(str(unknown[0]), list(known))
        return value


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model by their key in the job file: a field whose name Python keeps to itself (`pass`) has an alias."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def unknown_key(key: str, valid: Sequence[str]) -> PydanticCustomError:
    """Error for `key`, with the nearest of `valid`, or all of them where none is near."""
    hint = nearest(key, valid) or "valid keys: " + ", ".join(valid)
    return PydanticCustomError("unknown_key", "unknown key '{key}'; {hint}", {"key": key, "hint": hint})


def nearest(word: str, valid: Sequence[str]) -> str:
    """Question that names the nearest of `valid`; "" where none is near."""
    found = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f"did you mean '{found[0]}'?" if found else ""


def not_in_key(default: Any = ..., *, description: str, **more: Any) -> Any:
    """Field that says where things are or how they are cut, not what they are: in neither key nor line."""
    return Field(default, description=description, json_schema_extra={"identity": "none"}, **more)


def not_in_line(default: Any = ..., *, description: str, **more: Any) -> Any:
    """Field that only adds products: in the key, but a change of it continues the same line."""
    return Field(default, description=description, json_schema_extra={"identity": "key"}, **more)


class Parameters(Strict):
    """Parameters of a task kind; every field's description gives its unit."""


@dataclass(frozen=True)
class TaskReference:
    """Annotation of a parameter that names another task: `Annotated[str, TaskReference("backscatter-stack")]`."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class ProductSpec:
    """One row of a kind's table of products.

    Attributes
    ----------
    name : as in `products --json`; `p*` in it stands for every percentile, any other `*` for a number, a date or a word
    units : "1" (linear power or ratio), "dB", "days since 1970-01-01", "m", "" where there is none
    dtype, nodata : of rasters; None for others
    overview : how coarser levels of a raster are made: averaged as power, averaged as power but kept in dB, or nearest
    """

    name: str
    role: Role
    long_name: str
    units: str = ""
    dtype: str | None = None
    nodata: float | None = None
    overview: Literal["power", "db", "nearest"] | None = None

    def describes(self, name: str) -> bool:
        """Whether this row is the one of product `name`."""
        if "*" not in self.name:
            return self.name == name
        percentile, word = r"p[0-9]+(\.[0-9]+)?", "[0-9A-Za-z.]+"
        pattern = re.escape(self.name).replace(r"p\*", percentile).replace(r"\*", word)
        return re.fullmatch(pattern, name) is not None


@dataclass(frozen=True, kw_only=True)
class KindSpec:
    """A task kind.

    Attributes
    ----------
    name : as in the job file ("backscatter-stack")
    version : of the algorithm; in the key, so that a change makes new products
    summary : one line for `init` and help
    parameters : strict model of the job file's keys
    products : table of what it makes
    backends : engines that can make it, with the module that binds it ("pipelines.kinds.backscatter_stack.dask")
    """

    name: str
    version: int
    summary: str
    parameters: type[Parameters]
    products: tuple[ProductSpec, ...]
    backends: Mapping[str, str]

    def product(self, name: str) -> ProductSpec:
        """Row of the product table.

        Raises
        ------
        KeyError
            If the kind declares no such product.
        """
        for row in self.products:
            if row.describes(name):
                return row
        raise KeyError(f"{self.name} declares no product {name!r}")

    def references(self) -> dict[str, str]:
        """Parameters that name another task, and the kind that each must be."""
        return {
            name: mark.kind
            for name, field in self.parameters.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, TaskReference)
        }


def identity(model: BaseModel, *, line: bool) -> dict[str, Any]:
    """Parameters that stand in the key (or in the line), defaults filled in, as plain JSON values."""
    kept: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        extra = field.json_schema_extra
        part_of = extra.get("identity", "line") if isinstance(extra, dict) else "line"
        if part_of == "none" or (line and part_of == "key"):
            continue
        value = getattr(model, name)
        plain = identity(value, line=line) if isinstance(value, BaseModel) else _plain(model, name)
        kept[field.alias or name] = plain
    return kept


def _plain(model: BaseModel, name: str) -> Any:
    return model.model_dump(mode="json", include={name})[name]
