"""Frames between the server and a worker process: kind, utterance, length, payload.

Both sides import this file, and a worker must stay small: nothing heavy here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

_HEADER: Final = struct.Struct("!cII")

# What a process is started as.
NURSERY: Final = "nursery"
WORKER: Final = "worker"

# Server to nursery, and its answer; single bytes, not frames.
FORK: Final = b"f"
"""Make a worker; its end of a socket pair is attached."""
READY: Final = b"+"
"""Loaded."""

# Server to worker.
AUDIO: Final = b"a"
"""pcm16; opens the utterance if it is new. Answered by one PARTIAL, which is how the server knows the backlog."""
FINISH: Final = b"f"
"""Answered by FINAL."""
RESET: Final = b"r"
"""Drop the utterance; not answered."""

# Worker to server.
PARTIAL: Final = b"p"
"""The hypothesis so far, UTF-8; changed or not."""
FINAL: Final = b"t"
"""JSON: a list of [word, start, end] in seconds from the utterance's first sample."""


class Frame(NamedTuple):
    kind: bytes
    utterance: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    return _HEADER.pack(frame.kind, frame.utterance, len(frame.payload)) + frame.payload


def read(source: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream; None at its end, also when the end is in mid-frame."""
    header = source.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, utterance, length = _HEADER.unpack(header)
    payload = source.read(length)
    return Frame(kind, utterance, payload) if len(payload) == length else None


class FrameBuffer:
    """Bytes as they arrive -> whole frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._bytes += data
        while len(self._bytes) >= _HEADER.size:
            kind, utterance, length = _HEADER.unpack_from(self._bytes)
            end = _HEADER.size + length
            if len(self._bytes) < end:
                return
            payload = bytes(self._bytes[_HEADER.size : end])
            del self._bytes[:end]
            yield Frame(kind, utterance, payload)
