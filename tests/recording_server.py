"""An S3 server that remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """One request: method, path, whether it was signed, and bytes of the answer."""

    method: str
    path: str
    signed: bool
    size: int


@contextmanager
def recording_server() -> Iterator[tuple[str, list[Asked]]]:
    """Endpoint of moto's S3 server on a free port, and each request so far."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    moto, seen = DomainDispatcherApplication(create_backend_app), []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        signed = "HTTP_AUTHORIZATION" in environ or "X-Amz-Signature" in environ.get("QUERY_STRING", "")
        answer = [b"".join(moto(environ, start_response))]
        seen.append(Asked(environ["REQUEST_METHOD"], environ["PATH_INFO"], signed, len(answer[0])))
        return answer

    server = make_server("127.0.0.1", 0, application, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
