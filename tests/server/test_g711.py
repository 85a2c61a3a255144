"""G.711 against libsndfile's tables, and against the corner values of the recommendation."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from tandem_server.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw

Convert = Callable[[bytes], bytes]
ALL = bytes(range(256))
EVERY = np.arange(-32768, 32768).astype("<i2")
LAWS = [("ULAW", decode_mulaw, encode_mulaw), ("ALAW", decode_alaw, encode_alaw)]


def reference_values(subtype: str) -> np.ndarray:
    """What libsndfile makes of every code."""
    found, _ = soundfile.read(
        io.BytesIO(ALL), dtype="int16", channels=1, samplerate=8000, format="RAW", subtype=subtype
    )
    return np.asarray(found, np.int64)


def reference_codes(subtype: str) -> np.ndarray:
    """What libsndfile makes of every sample."""
    file = io.BytesIO()
    soundfile.write(file, EVERY, 8000, format="RAW", subtype=subtype)
    return np.frombuffer(file.getvalue(), np.uint8)


def linear(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.int64)


@pytest.mark.parametrize(("subtype", "decode", "encode"), LAWS)
def test_every_code_means_what_libsndfile_says(subtype: str, decode: Convert, encode: Convert) -> None:
    assert np.array_equal(linear(decode(ALL)), reference_values(subtype))


@pytest.mark.parametrize(("subtype", "decode", "encode"), LAWS)
def test_every_sample_is_written_as_its_nearest_value(subtype: str, decode: Convert, encode: Convert) -> None:
    ours = np.abs(linear(decode(encode(EVERY.tobytes()))) - EVERY)
    nearest = np.abs(reference_values(subtype)[None, :] - EVERY.astype(np.int64)[:, None]).min(axis=1)
    assert np.array_equal(ours, nearest)


@pytest.mark.parametrize(("subtype", "decode", "encode"), LAWS)
def test_no_code_is_more_than_a_step_from_libsndfiles(subtype: str, decode: Convert, encode: Convert) -> None:
    values = reference_values(subtype)
    ours = np.frombuffer(encode(EVERY.tobytes()), np.uint8)
    theirs = reference_codes(subtype)
    apart = ours != theirs
    # Only beside the decision values: libsndfile drops the last bits of a sample before it decides.
    assert apart.mean() < 0.02
    steps = np.diff(np.unique(values)).max()
    assert np.abs(values[ours[apart]] - values[theirs[apart]]).max(initial=0) <= steps


@pytest.mark.parametrize(("subtype", "decode", "encode"), LAWS)
def test_a_code_survives_being_decoded_and_encoded(subtype: str, decode: Convert, encode: Convert) -> None:
    again = np.frombuffer(encode(decode(ALL)), np.uint8)
    different = [code for code in range(256) if again[code] != code]
    assert different == ([0x7F] if subtype == "ULAW" else [])  # µ-law has a zero too many


@pytest.mark.parametrize(
    ("encode", "sample", "code"),
    [
        (encode_mulaw, 0, 0xFF),
        (encode_mulaw, 32767, 0x80),
        (encode_mulaw, -32768, 0x00),
        (encode_alaw, 8, 0xD5),
        (encode_alaw, -8, 0x55),
        (encode_alaw, 32767, 0xAA),
        (encode_alaw, -32768, 0x2A),
    ],
)
def test_silence_and_full_scale_have_the_codes_of_the_recommendation(encode: Convert, sample: int, code: int) -> None:
    assert encode(np.array([sample], "<i2").tobytes()) == bytes([code])


def test_nothing_is_nothing() -> None:
    assert encode_mulaw(b"") == decode_mulaw(b"") == encode_alaw(b"") == decode_alaw(b"") == b""
