"""ITU-T G.711, the telephone's eight bits a sample: µ-law and A-law as tables, both ways."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Linear = NDArray[np.int16]


def _mulaw_values() -> Linear:
    """Code -> pcm16 (G.711, table 2): 14 bits, here shifted up to 16. All bits travel inverted."""
    code = ~np.arange(256, dtype=np.uint8)
    segment, step = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = (((step << 3) + 0x84) << segment) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _alaw_values() -> Linear:
    """Code -> pcm16 (G.711, table 1): 13 bits, here shifted up to 16. Even bits travel inverted."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment, step = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


def _codes(values: Linear) -> Codes:
    """pcm16 (as uint16) -> the code of its sign whose value is nearest; of two, the one nearer to zero."""
    sizes = np.abs(values[128:].astype(np.int32))  # the upper half are the positive ones
    order = np.argsort(sizes)
    between = (sizes[order][1:] + sizes[order][:-1]) / 2
    chosen = order[np.searchsorted(between, np.arange(32769))].astype(np.uint8)
    return np.concatenate([chosen[:32768] | 0x80, chosen[:0:-1]])


_MULAW_VALUES: Final = _mulaw_values()
_ALAW_VALUES: Final = _alaw_values()
_MULAW_CODES: Final = _codes(_MULAW_VALUES)
_ALAW_CODES: Final = _codes(_ALAW_VALUES)


def decode_mulaw(data: bytes) -> bytes:
    """One byte a sample -> pcm16."""
    return _decode(data, _MULAW_VALUES)


def decode_alaw(data: bytes) -> bytes:
    """One byte a sample -> pcm16."""
    return _decode(data, _ALAW_VALUES)


def encode_mulaw(pcm: bytes) -> bytes:
    """pcm16 -> one byte a sample."""
    return bytes(_MULAW_CODES[np.frombuffer(pcm, "<u2")])


def encode_alaw(pcm: bytes) -> bytes:
    """pcm16 -> one byte a sample."""
    return bytes(_ALAW_CODES[np.frombuffer(pcm, "<u2")])


def _decode(data: bytes, values: Linear) -> bytes:
    return values[np.frombuffer(data, np.uint8)].astype("<i2").tobytes()
