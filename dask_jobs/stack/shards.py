"""Shards: many chunks in one object, with an index at its end that says where each begins (Zarr v3, sharding_indexed 1.0).

An object costs about a millisecond to write to a disk, and a price on S3, whatever its size; a chunk is what a block
of pixels reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infra.errors import StateError

NOTHING = np.uint64(2**64 - 1)  # offset and length of a chunk that was not written
ENTRY = np.dtype("<u8")
CHECKSUM = np.dtype("<u4")


def index_size(chunks: int) -> int:
    """Bytes of the index of a shard: offset and length of each chunk, and a checksum."""
    return chunks * 2 * ENTRY.itemsize + CHECKSUM.itemsize


def parse_index(data: bytes, *, name: str) -> np.ndarray:
    """Offset and length of each chunk in its shard, dims (chunk, 2), int64; length 0 where it was not written.

    Raises
    ------
    StateError
        If the checksum says that the object was damaged.
    """
    from google_crc32c import value

    entries, checksum = data[: -CHECKSUM.itemsize], data[-CHECKSUM.itemsize :]
    if len(entries) % (2 * ENTRY.itemsize) or np.frombuffer(checksum, CHECKSUM)[0] != value(entries):
        raise StateError(f"the index of {name} is damaged", "Remove this store; a new one is made.")
    index = np.frombuffer(entries, ENTRY).reshape(-1, 2)
    return np.where(index == NOTHING, 0, index).astype(np.int64)


def shard_of(chunks: Sequence[bytes]) -> bytes:
    """Chunks, in row-major order, as one object; those of no bytes as not written."""
    from google_crc32c import value

    lengths = np.array([len(chunk) for chunk in chunks], dtype=ENTRY)
    index = np.stack([np.cumsum(lengths, dtype=ENTRY) - lengths, lengths], axis=-1)
    index[lengths == 0] = NOTHING
    entries = index.tobytes()
    return b"".join([*chunks, entries, np.array([value(entries)], dtype=CHECKSUM).tobytes()])
