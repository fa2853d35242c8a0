"""Earth Engine's failures in sarbatch's words, in one place: which class an error is decides whether work is tried again.

The service says what happened by an HTTP code and a sentence; of operations that failed there is the sentence alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import ee
import google.auth.exceptions
import googleapiclient.errors
import httplib2
import requests

from infra.errors import (
    CredentialsError,
    InputError,
    QuotaError,
    ResourceError,
    SarbatchError,
    TransientError,
)

PROJECT_SETTING = "SARBATCH_EARTH_ENGINE_PROJECT"
KEY_FILE_SETTING = "SARBATCH_EARTH_ENGINE_KEY_FILE"
AUTHENTICATE = (
    f"Run `earthengine authenticate`, or set {KEY_FILE_SETTING} to a service account's key file; "
    f"{PROJECT_SETTING} must be a project that this account may use Earth Engine in."
)
SMALLER = "Make each piece smaller: smaller tiles, fewer dates, a smaller filter window."
AGAIN = "It may work in a moment."

SERVER_FAULT = 500
UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS, REQUEST_TIMEOUT = 401, 403, 429, 408

# The order decides: a text is of the first class that it matches.
QUOTA = re.compile(
    r"too many (requests|tasks|concurrent|simultaneous)|quota|rate ?limit|resource_?exhausted|concurrent aggregations",
    re.IGNORECASE,
)
RESOURCES = re.compile(
    r"memory limit|out of memory|memory capacity|(computation|execution|evaluation|request|aggregation)s? timed out"
    r"|time limit|too many pixels|total request size|response size exceeds|output of image computation is too large",
    re.IGNORECASE,
)
CREDENTIALS = re.compile(
    r"authori[sz]e access|not registered|required permission to use project|has not been used in project"
    r"|no project found|permission '[^']*' denied on resource 'projects|invalid_grant|unauthenticated"
    r"|authentication credential|not signed up|is not authorized",
    re.IGNORECASE,
)
TRANSIENT = re.compile(
    r"internal (server )?error|currently unavailable|service unavailable|backend error|deadline exceeded|connection"
    r"|try again|intermittent|temporarily|broken pipe|bad gateway",
    re.IGNORECASE,
)
UNREACHED = (
    ConnectionError,
    TimeoutError,
    requests.exceptions.RequestException,
    httplib2.HttpLib2Error,
    google.auth.exceptions.TransportError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Block in which what the client, Google's login and the network raise becomes an error of `infra.errors`.

    Raises
    ------
    CredentialsError
        Login missing, wrong or expired, or a project that may not be used.
    QuotaError
        HTTP 429, too many requests or tasks, a quota used up.
    TransientError
        HTTP 5xx, a connection that could not be made or ended, no answer in time.
    ResourceError
        Memory or time of the service ran out: smaller pieces may work.
    InputError
        Everything else that the service refuses: the graph or an asset is wrong.
    """
    try:
        yield
    except SarbatchError:
        raise
    except Exception as error:
        found = as_error(error)
        if found is None:
            raise
        raise found from error


def as_error(error: BaseException) -> SarbatchError | None:
    """Error of ours that an exception of the client means; None where it is none of the client's, Google's or the network's."""
    if isinstance(error, UNREACHED):
        return TransientError(f"Earth Engine was not reached, or the connection ended: {_text(error)}", AGAIN)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return CredentialsError(f"Earth Engine's login was refused: {_text(error)}", AUTHENTICATE)
    if isinstance(error, googleapiclient.errors.HttpError):
        return classified(_text(error), status=int(error.resp.status))
    if isinstance(error, googleapiclient.errors.Error):  # what answered was no Earth Engine
        return TransientError(f"Earth Engine's answer was not understood: {_text(error)}", AGAIN)
    if isinstance(error, ee.EEException):
        return classified(_text(error), status=http_status(error))
    return None


def http_status(error: BaseException) -> int | None:
    """HTTP code behind an exception of the client; None where there was no answer.

    `EEException` has lost it, but it was raised while the answer's own exception was handled.
    """
    for one in (error, error.__cause__, error.__context__):
        if isinstance(one, googleapiclient.errors.HttpError):
            return int(one.resp.status)
    return None


def classified(message: str, *, status: int | None = None) -> SarbatchError:
    """Error for what the service said.

    Parameters
    ----------
    message : its sentence, of an answer or of an operation that failed
    status : HTTP code; None for operations
    """
    said = f"Earth Engine: {message}"
    if status == TOO_MANY_REQUESTS or QUOTA.search(message):
        return QuotaError(said, "Wait: others may be using the same project; sarbatch slows down by itself.")
    if RESOURCES.search(message):
        return ResourceError(said, SMALLER)
    if status == UNAUTHORIZED or CREDENTIALS.search(message):
        return CredentialsError(said, AUTHENTICATE)
    if status is not None and (status >= SERVER_FAULT or status == REQUEST_TIMEOUT):
        return TransientError(said, AGAIN)
    if status == FORBIDDEN:
        return CredentialsError(said, AUTHENTICATE)
    if status is None and TRANSIENT.search(message):
        return TransientError(said, AGAIN)
    return InputError(said, "Mend what the job names: the collection, an asset, the area or a parameter.")


def _text(error: BaseException) -> str:
    """What was said, on one line."""
    said = error.reason if isinstance(error, googleapiclient.errors.HttpError) else None
    return " ".join(str(said or error).split()) or type(error).__name__
