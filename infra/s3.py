"""An S3 store: how to reach it, where its keys come from, and what its refusals mean."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import (
    CredentialsError,
    EngineError,
    InputError,
    OutputError,
    QuotaError,
    SarbatchError,
    TransientError,
)

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

AWS_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
TOO_MANY_REQUESTS, SERVER_FAILED = 429, 500  # HTTP
METADATA_SERVICE = "169.254.169.254"  # where AWS machines find their role's keys
OTHER_KEY_SOURCES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True, kw_only=True)
class S3Options:
    """How to reach an S3 store; no secrets: keys come from the AWS_* environment or the shared credentials file.

    Attributes
    ----------
    endpoint : URL of an S3-compatible server; None for $AWS_ENDPOINT_URL or, without it, AWS
    region : None for $AWS_REGION, $AWS_DEFAULT_REGION or us-east-1
    anonymous : read public buckets without signing
    """

    endpoint: str | None = None
    region: str | None = None
    anonymous: bool = False

    @property
    def endpoint_url(self) -> str | None:
        """Endpoint in effect; None means AWS itself."""
        return self.endpoint or os.environ.get("AWS_ENDPOINT_URL") or None

    @property
    def region_name(self) -> str:
        """Region in effect."""
        return self.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"

    @property
    def server(self) -> str:
        """Where requests go, for messages."""
        return self.endpoint_url or f"AWS S3 ({self.region_name})"

    def to_json(self) -> dict[str, Any]:
        """Plain values; `S3Options(**value)` reads them back."""
        return asdict(self)


ENVIRONMENT = S3Options()  # whatever the AWS_* environment says


def s3_store(bucket: str, *, s3: S3Options, prefix: str = "") -> S3Store:
    """Client of one bucket, or of a prefix in it; sends nothing yet.

    Raises
    ------
    CredentialsError
        If there are no keys and the endpoint is not AWS itself, whose machines may have a role.
    """
    import obstore

    endpoint = s3.endpoint_url
    config: S3Config = {"region": s3.region_name, "skip_signature": s3.anonymous}
    if endpoint:
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    config |= profile_keys(s3)
    return obstore.store.S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={"allow_http": is_http(endpoint), "connect_timeout": "5s", "timeout": "120s"},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
    )


def profile_keys(s3: S3Options) -> S3Config:
    """Keys from the shared credentials file where the environment has none; every client reads the environment itself.

    Raises
    ------
    CredentialsError
        If there are no keys at all and the endpoint is not AWS itself.
    """
    named = os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")
    if s3.anonymous or named or any(os.environ.get(name) for name in OTHER_KEY_SOURCES):
        return {}
    found = _shared_credentials()
    if not found and s3.endpoint_url:
        # Only AWS's own machines have a metadata service: elsewhere asking it can but hang
        missing = next(k for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(k))
        raise CredentialsError(f"{missing} is not set: no keys for {s3.server}", f"Set {AWS_KEYS}, or AWS_PROFILE.")
    return found


def _shared_credentials() -> S3Config:
    from configparser import ConfigParser

    profile = os.environ.get("AWS_PROFILE") or "default"
    parser = ConfigParser(interpolation=None)
    parser.read(Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser())
    if not parser.has_option(profile, "aws_access_key_id"):
        return {}
    section = parser[profile]
    keys: S3Config = {
        "access_key_id": section["aws_access_key_id"],
        "secret_access_key": section.get("aws_secret_access_key", ""),
    }
    if "aws_session_token" in section:
        keys["session_token"] = section["aws_session_token"]
    return keys


def s3_error(url: str, said: str, *, s3: S3Options, writing: bool) -> SarbatchError:
    """What a refusal means to whoever catches it: `said` is the client's text, with the server's XML in it."""
    code = re.search(r"<Code>(\w+)</Code>", said)
    status = re.search(r"status code: (\d{3})", said)
    number = int(status[1]) if status else 0
    words = code[1] if code else (said.splitlines() or ["no reason given"])[0]
    if METADATA_SERVICE in said:
        return CredentialsError(f"AWS_ACCESS_KEY_ID is not set: no keys for {url}", f"Set {AWS_KEYS}, or AWS_PROFILE.")
    if "NoSuchBucket" in said or "BareRedirect" in said:
        return _bucket_error(url, said, s3=s3, writing=writing)
    if number in {401, 403} and s3.anonymous:
        return CredentialsError(
            f"{url}: {s3.server} does not let everyone read there ({number})",
            "It is not public: take `anonymous` out of the source's `s3`, and set keys that may read it.",
        )
    if number in {401, 403} or words in {"ExpiredToken", "InvalidToken"}:
        return CredentialsError(
            f"{url}: {s3.server} refuses {AWS_KEYS} ({words})",
            f"Check the keys (and AWS_SESSION_TOKEN), and that they may {'write' if writing else 'read'} there.",
        )
    if number == TOO_MANY_REQUESTS or words == "SlowDown":
        return QuotaError(f"{url}: {s3.server} asks for fewer requests ({words})", "Wait, then run again.")
    if number >= SERVER_FAILED or "HTTP error" in said:
        return TransientError(
            f"{url}: {s3.server} failed or cannot be reached ({words})", "Check the endpoint, then run again."
        )
    return EngineError(f"{url}: {s3.server} says {words}", "Run `sarbatch doctor` to see what can be reached.")


def _bucket_error(url: str, said: str, *, s3: S3Options, writing: bool) -> SarbatchError:
    kind = OutputError if writing else InputError
    bucket = url.removeprefix("s3://").partition("/")[0]
    if "NoSuchBucket" in said:
        return kind(f"{url}: there is no bucket {bucket!r} at {s3.server}", "Make the bucket, or name another.")
    return kind(f"{url}: the bucket is not in region {s3.region_name}", "Set AWS_REGION to the bucket's region.")


def is_http(url: str | None) -> bool:
    """Whether requests go unencrypted."""
    return url is not None and url.startswith("http://")
