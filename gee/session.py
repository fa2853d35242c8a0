"""The one place where the Earth Engine client is initialised: the client's state belongs to the whole process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import ee
import google.auth.credentials
import httplib2
import requests
import requests.adapters
from google.oauth2 import service_account

from gee.errors import KEY_FILE_SETTING, PROJECT_SETTING, translated
from infra.errors import CredentialsError

if TYPE_CHECKING:
    from infra.settings import Settings

HIGH_VOLUME_URL = "https://earthengine-highvolume.googleapis.com"
GOOGLE = ("googleapis.com", "google.com")
CONNECT_SECONDS = 20.0
ANSWER_SECONDS = 330.0  # the service itself ends interactive computing after five minutes
FIRST_RETRIES, RETRIES = 2, 5  # of the client, with growing pauses; a wrong URL should not take half a minute to show
POOL_SIZE = 40  # connections: as many as a project may have requests at once (contract of the service's quota page)
MARK = "sarbatch"  # user agent by which a client that is initialised here is known


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Which Earth Engine, and as whom.

    Attributes
    ----------
    project : Google Cloud project that requests are made in; may be None with a key file, which names its own
    url : of another Earth Engine than Google's, such as a local one
    key_file : JSON key of a service account; without, the login that `earthengine authenticate` has kept
    anonymous : no login at all, for a local Earth Engine
    high_volume : Google's address for many small requests; `url` goes before it
    """

    project: str | None
    url: str | None = None
    key_file: str | None = None
    anonymous: bool = False
    high_volume: bool = False


def connection_of(settings: Settings) -> Connection:
    """Connection that the settings name; an Earth Engine other than Google's has no login, unless there is a key."""
    url, key_file = settings.earth_engine_url, settings.earth_engine_key_file
    return Connection(
        project=settings.earth_engine_project,
        url=url,
        key_file=key_file,
        anonymous=_is_foreign(url) and key_file is None,
    )


class _Current:
    """The connection that this process's client has; only `initialize` touches it, under the lock."""

    lock = threading.Lock()
    connection: Connection | None = None


def initialize(connection: Connection) -> None:
    """Initialise the client, once per process: further calls with the same connection cost nothing.

    May be called from any thread, also from those of Dask's workers. Another connection resets the client first, so a
    process works with one Earth Engine at a time.

    Raises
    ------
    CredentialsError
        If there is no project, or no login, or it has expired.
    TransientError
        If Earth Engine cannot be reached.
    """
    with _Current.lock:
        if _Current.connection == connection and ee.data.is_initialized() and ee.data.getUserAgent() == MARK:
            return
        _Current.connection = None
        ee.Reset()
        try:
            with translated():
                _initialize(connection)
        except BaseException:
            ee.Reset()  # half initialised, the client would answer the next call with something else
            raise
        _Current.connection = connection


def _initialize(connection: Connection) -> None:
    credentials, project = _login(connection)
    if _is_foreign(connection.url):
        # The client would fetch Google's list of deprecated assets without a time-out; another server has none of them.
        ee.deprecation.deprecated_assets = {"-": None}  # type: ignore[dict-item]  # what is not empty is not fetched
    ee.data.setUserAgent(MARK)
    ee.data.setMaxRetries(FIRST_RETRIES)
    ee.Initialize(  # noqa: TID251 -- this is the one place
        credentials,
        url=connection.url or (HIGH_VOLUME_URL if connection.high_volume else None),
        project=project,
        http_transport=_Transport(),
    )
    ee.data.setMaxRetries(RETRIES)


def _login(connection: Connection) -> tuple[Any, str]:
    """Credentials as the client takes them, and the project."""
    key = None if connection.key_file is None else _key(Path(connection.key_file).expanduser())
    project = connection.project or getattr(key, "project_id", None)
    if not project:
        raise CredentialsError(
            "There is no project for Earth Engine", f"Set {PROJECT_SETTING} to the id of a Google Cloud project."
        )
    if connection.anonymous:
        return google.auth.credentials.AnonymousCredentials(), project  # type: ignore[no-untyped-call]  # not typed there
    return key or "persistent", project


def _key(path: Path) -> Any:
    try:
        return service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]  # not typed there
            str(path), scopes=ee.oauth.SCOPES
        )
    except (OSError, ValueError) as error:
        raise CredentialsError(
            f"{KEY_FILE_SETTING}: {path} cannot be used: {error}",
            "It is the JSON key of a service account that is registered for Earth Engine.",
        ) from error


def _is_foreign(url: str | None) -> bool:
    host = urlsplit(url or "").hostname
    return host is not None and not host.endswith(GOOGLE)


class _Transport:
    """How the client sends its requests: as httplib2's `Http` does, by a pool of connections, none waiting for ever.

    The client's own has ten connections and no time-out, which even `ee.data.setDeadline` does not change for the first
    requests of all.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        **ignored: Any,  # httplib2 knows more
    ) -> tuple[httplib2.Response, bytes]:
        """Answer and its body.

        Raises
        ------
        ConnectionError, TimeoutError
            Python's own, which the client's retries know.
        """
        del ignored
        try:
            answer = self._session.request(
                method, uri, data=body, headers=headers, timeout=(CONNECT_SECONDS, ANSWER_SECONDS)
            )
        except requests.exceptions.Timeout as error:
            raise TimeoutError(str(error)) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise ConnectionError(str(error)) from error
        return httplib2.Response({**answer.headers, "status": answer.status_code}), answer.content

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
