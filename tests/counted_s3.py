"""An S3 server that counts what it sends, and files read from it as the notebooks do: whole blocks through fsspec's cache."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fsspec.spec import AbstractBufferedFile

NOTEBOOK_BLOCK = 16 * 2**20  # of s3fs.open(..., cache_type="background", block_size=16 MiB)


@dataclass
class Sent:
    """What a server has sent."""

    requests: int = 0
    bytes: int = 0


@dataclass
class CountedServer:
    """moto's S3 on a port of its own; all servers of a process share its buckets."""

    endpoint: str
    sent: Sent = field(default_factory=Sent)

    @contextmanager
    def counting(self) -> Iterator[Sent]:
        """What it sends while the block runs."""
        self.sent = Sent()
        yield self.sent


@contextmanager
def counted_s3() -> Iterator[CountedServer]:
    """Server that counts requests and bytes of bodies."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()
    counted = CountedServer("")

    def counting(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with turn:
            body = b"".join(moto(environ, start_response))
            counted.sent.requests += 1
            counted.sent.bytes += 0 if environ["REQUEST_METHOD"] == "HEAD" else len(body)
            return [body]

    server = make_server("127.0.0.1", 0, counting, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    counted.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield counted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class NotebookFile(AbstractBufferedFile):
    """An object as `s3fs.S3FileSystem.open` gives it, with fsspec's own cache of whole blocks."""

    def __init__(
        self, client: Any, bucket: str, key: str, *, cache_type: str, block_size: int = NOTEBOOK_BLOCK
    ) -> None:
        self.client, self.bucket, self.key = client, bucket, key
        size = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        super().__init__(None, key, "rb", block_size, cache_type=cache_type, size=size)

    def _fetch_range(self, start: int, end: int) -> bytes:
        span = f"bytes={start}-{min(end, self.size) - 1}"
        return bytes(self.client.get_object(Bucket=self.bucket, Key=self.key, Range=span)["Body"].read())
