"""Where files of a source are, and how their bucket is reached: parameters that every kind with files has."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.storage import S3Options
from pipelines.kinds.model import Strict

Paths = Annotated[
    str | list[str], "a folder, file or glob, or a list of these; a local path relative to the job file, or s3://"
]
PATHS = (
    "where the files are: a folder, a file, a glob or a list of these; relative to the job file, or s3://bucket/prefix"
)


class SourceS3(Strict):
    """How the source's bucket is reached, where that is not how the output's is."""

    anonymous: bool = Field(default=False, description="read a public bucket without keys")
    endpoint: str | None = Field(None, description="URL of the S3 server; none: that of the settings")
    region: str | None = Field(None, description="none: that of the settings")

    def options(self, default: S3Options) -> S3Options:
        """Where and how, with what is not said here as in `default`."""
        return S3Options(
            endpoint=self.endpoint or default.endpoint,
            region=self.region or default.region,
            anonymous=self.anonymous,
        )
