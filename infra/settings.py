"""Where sarbatch runs and keeps its state: settings of the machine or team, never of a job.

From the environment (`SARBATCH_…`) and, below it, `sarbatch.toml` in the current folder.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from infra.errors import UserError
from infra.storage import S3Options

PREFIX = "SARBATCH_"
FAULT_PREFIX = "SARBATCH_FAULT"  # tests make a driver fail at a named point
FILE = "sarbatch.toml"
MEMORY = r"^(auto|[0-9]+(\.[0-9]+)? ?([kKMGT]i?)?B)$"


def _state_dir() -> Path:
    from platformdirs import user_state_path

    return user_state_path("sarbatch", appauthor=False)


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


Text = Annotated[str | None, BeforeValidator(_empty_is_none)]


class Settings(BaseModel):
    """Settings of this machine; `NAME` is set by `SARBATCH_NAME` or by `name = …` in sarbatch.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    registry: Text = Field(
        None,
        description="URL of the registry, postgresql://user:password@host/database or sqlite:////path; none: SQLite in the state folder",
    )
    state_dir: Path = Field(default_factory=_state_dir, description="folder of registry, logs and cluster record")
    scheduler: Text = Field(None, description="address of a Dask scheduler; none: a local cluster, made when needed")
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1, gt=0, description="processes of the local cluster"
    )
    threads_per_worker: int = Field(1, gt=0, description="threads of each of them")
    memory_limit: str = Field("auto", pattern=MEMORY, description="of each worker: auto, or a size such as 4GB")
    idle_timeout: float = Field(600.0, gt=0, description="seconds without work until the local cluster ends")
    lease_ttl: float = Field(30.0, gt=0, description="seconds of silence until another driver may take over")
    block_bytes: int = Field(
        2**30, gt=0, description="pixels that a driver works on until what it made is kept, bytes: what a death costs"
    )
    poll_interval: float = Field(1.0, gt=0, description="seconds between looks at the engines")
    max_attempts: int = Field(3, gt=0, description="attempts of an operation")
    earth_engine_project: Text = Field(None, description="Google Cloud project that Earth Engine is used under")
    earth_engine_url: Text = Field(
        None, description="URL of an Earth Engine, such as that of `sarbatch earth-engine serve`; none: Google's"
    )
    earth_engine_key_file: Text = Field(
        None, description="key of a service account, JSON; none: what `earthengine authenticate` left"
    )
    earth_engine_files: Text = Field(
        None,
        description="folder in which the exports of Earth Engine appear: Drive as a folder of this machine, or the folder of a local "
        "Earth Engine; none: files are read from the bucket only",
    )
    earth_engine_tasks: int = Field(2, gt=0, description="exports that the project runs at once, for estimates")
    earth_engine_queue: int = Field(
        2500, gt=0, le=3000, description="exports that may wait or run at once; Earth Engine takes 3000"
    )
    s3_endpoint: Text = Field(None, description="URL of an S3-compatible server; none: $AWS_ENDPOINT_URL, or AWS")
    s3_region: Text = Field(None, description="none: $AWS_REGION, $AWS_DEFAULT_REGION or us-east-1")
    s3_anonymous: bool = Field(default=False, description="read public buckets without keys")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")

    @property
    def s3(self) -> S3Options:
        """How S3 is reached."""
        return S3Options(endpoint=self.s3_endpoint, region=self.s3_region, anonymous=self.s3_anonymous)

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry in effect."""
        return self.registry or f"sqlite:///{self.state_dir / 'registry.sqlite'}"


def load_settings(*, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Settings in effect.

    Parameters
    ----------
    environment : variables; default: the process's own
    folder : where sarbatch.toml is looked for; default: the current one

    Raises
    ------
    UserError
        If a variable or a key of sarbatch.toml is unknown or its value is wrong; the message names it.
    """
    environment = os.environ if environment is None else environment
    path = (folder or Path()) / FILE
    values = _from_file(path)
    where = {name: f"{name} in {path}" for name in values}
    for variable, value in sorted(environment.items()):
        if variable.startswith(PREFIX) and not variable.startswith(FAULT_PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            _raise_if_unknown(name, variable, [PREFIX + known.upper() for known in Settings.model_fields])
            values[name], where[name] = value, variable
    if "s3_endpoint" not in values:
        values["s3_endpoint"], where["s3_endpoint"] = environment.get("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _as_user_error(error, where) from None
    state_dir = settings.state_dir.expanduser()
    return settings.model_copy(update={"state_dir": (folder or Path.cwd()) / state_dir})


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Mend or remove it.") from None
    flat: dict[str, Any] = {}
    for name, value in values.items():
        nested = (
            {f"s3_{key}": v for key, v in value.items()} if name == "s3" and isinstance(value, dict) else {name: value}
        )
        flat |= nested
    for name in flat:
        _raise_if_unknown(name, f"{name} in {path}", list(Settings.model_fields))
    return flat


def _raise_if_unknown(name: str, said: str, known: list[str]) -> None:
    if name in Settings.model_fields:
        return
    near = difflib.get_close_matches(said.partition(" ")[0], known, n=1, cutoff=0.0)
    raise UserError(f"{said} is not a setting", f"Did you mean {near[0]}? All are: {', '.join(known)}.")


def _as_user_error(error: ValidationError, where: Mapping[str, str]) -> UserError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    wanted = Settings.model_fields[name].description
    return UserError(f"{where.get(name, name)} = {first['input']!r}: {first['msg']}", f"It is: {wanted}.")
