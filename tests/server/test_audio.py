"""From wire audio to frames: the clock, the memory, and what is no audio."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem_models.signal import (
    SAMPLE_RATE,
    VAD_FRAME,
    WIRE_RATE,
    Audio,
    Resampler,
    float_to_pcm16,
    pcm16_to_float,
    resample,
)
from tandem_server.audio import REMEMBERED, AudioInput, decode_base64, levels
from tandem_server.errors import ClientError
from tandem_server.formats import AudioFormat, Decoder, Encoder
from tandem_server.g711 import encode_alaw, encode_mulaw

SECOND = float_to_pcm16(0.5 * np.sin(2 * np.pi * 440 * np.arange(WIRE_RATE) / WIRE_RATE).astype(np.float32))


def hear(audio: AudioInput, pcm: bytes) -> list[Audio]:
    return list(audio.frames(pcm))


def test_frames_are_whole_and_the_clock_moves_with_each() -> None:
    audio = AudioInput()
    frames = hear(audio, SECOND)
    assert {frame.shape for frame in frames} == {(VAD_FRAME,)}
    assert audio.heard == len(frames) * VAD_FRAME
    # A second is 16000 samples: 31 frames of 512 and a rest, less the resampler's delay.
    assert len(frames) in (30, 31)


def test_the_clock_is_right_after_every_frame_and_not_only_after_all() -> None:
    audio = AudioInput()
    seen = [audio.heard for _ in audio.frames(SECOND)]
    assert seen == [VAD_FRAME * (number + 1) for number in range(len(seen))]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=30))
def test_how_the_audio_is_cut_into_messages_changes_nothing(cuts: list[int]) -> None:
    whole, parts = AudioInput(), AudioInput()
    expected = hear(whole, SECOND)
    rest, heard = SECOND, []
    for cut in cuts:
        piece, rest = rest[: 2 * cut], rest[2 * cut :]
        heard += hear(parts, piece)
    heard += hear(parts, rest)
    assert np.array_equal(np.concatenate(heard), np.concatenate(expected))


def test_frames_are_the_resampled_audio_and_nothing_is_lost() -> None:
    frames = np.concatenate(hear(AudioInput(), SECOND * 3))
    reference = Resampler(WIRE_RATE, SAMPLE_RATE).feed(pcm16_to_float(SECOND * 3))
    assert np.array_equal(frames, reference[: len(frames)])
    assert len(reference) - len(frames) < VAD_FRAME


def test_the_level_is_told_in_steps_of_8_ms() -> None:
    frame = np.concatenate([np.full(128, amplitude, np.float32) for amplitude in (1.0, 0.1, 0.5, 0.0)])
    assert levels(frame) == pytest.approx((0.0, -20.0, -6.0206, -120.0), abs=1e-3)


def test_recent_audio_is_given_from_the_frame_that_holds_a_sample() -> None:
    audio = AudioInput()
    frames = hear(audio, SECOND)
    for start, first in ((0, 0), (511, 0), (512, 1), (5000, 9)):
        begin, kept = audio.since(start)
        assert begin == first * VAD_FRAME
        assert np.array_equal(kept, np.concatenate(frames[first:]))


def test_the_present_and_the_future_hold_no_audio() -> None:
    audio = AudioInput()
    assert audio.since(0)[0] == 0
    hear(audio, SECOND)
    for start in (audio.heard, audio.heard + 1, audio.heard + 10_000):
        begin, kept = audio.since(start)
        assert (begin, len(kept)) == (audio.heard, 0)


def test_memory_is_bounded_and_what_is_too_old_begins_later() -> None:
    audio = AudioInput()
    for _ in range(10):
        hear(audio, SECOND)
    begin, kept = audio.since(0)
    assert len(kept) == REMEMBERED * VAD_FRAME <= 8 * SAMPLE_RATE
    assert begin == audio.heard - len(kept) > 0


def test_memory_outlasts_the_longest_padding_an_onset_and_a_pause() -> None:
    assert REMEMBERED * VAD_FRAME >= 5 * SAMPLE_RATE + SAMPLE_RATE


def test_base64_is_pcm() -> None:
    assert decode_base64(base64.b64encode(b"\x01\x02\x03\x04").decode()) == b"\x01\x02\x03\x04"
    assert decode_base64("") == b""
    assert hear(AudioInput(), b"") == []


@pytest.mark.parametrize("audio", ["AA", "A===", "not base64!", "AAA=\n", "ÄÖ==", "AQID"])
def test_anything_else_is_a_mistake_of_the_client(audio: str) -> None:
    with pytest.raises(ClientError) as error:
        decode_base64(audio)
    assert (error.value.code, error.value.param) == ("invalid_audio", "audio")


# Formats ------------------------------------------------------------------------------------------------------------
def test_a_telephones_second_is_a_second_and_the_same_sound() -> None:
    """440 Hz survives; what G.711 adds is below -30 dB of it."""
    wide = np.concatenate(hear(AudioInput(), SECOND))
    narrow = float_to_pcm16(resample(pcm16_to_float(SECOND), WIRE_RATE, 8000))
    for kind, encode in (("audio/pcmu", encode_mulaw), ("audio/pcma", encode_alaw)):
        heard = np.concatenate(list(AudioInput().frames(encode(narrow), kind)))  # type: ignore[arg-type]
        assert abs(len(heard) - len(wide)) <= VAD_FRAME
        middle = slice(2000, 14000)
        apart = heard[middle] - wide[middle]
        assert np.sqrt(np.mean(apart**2)) < 0.03 * np.sqrt(np.mean(wide[middle] ** 2))


def test_a_change_of_format_loses_no_sample_and_the_clock_goes_on() -> None:
    audio = AudioInput()
    telephone = encode_mulaw(float_to_pcm16(resample(pcm16_to_float(SECOND), WIRE_RATE, 8000)))
    heard = [frame for _ in range(3) for frame in [*audio.frames(SECOND), *audio.frames(telephone, "audio/pcmu")]]
    # Six seconds are 187.5 frames; only the last stream's filter (a few milliseconds) still holds anything.
    assert len(heard) in (186, 187)
    assert audio.heard == len(heard) * VAD_FRAME


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 3000), max_size=20))
def test_how_a_telephones_audio_is_cut_changes_nothing(cuts: list[int]) -> None:
    data = bytes(range(256)) * 40
    expected = np.concatenate(list(AudioInput().frames(data, "audio/pcma")))
    parts, heard, rest = AudioInput(), [], data
    for cut in [*cuts, len(data)]:
        piece, rest = rest[:cut], rest[cut:]
        heard += list(parts.frames(piece, "audio/pcma"))
    assert np.array_equal(np.concatenate(heard), expected)


def test_a_telephones_sample_is_one_byte() -> None:
    assert decode_base64("AQID", "audio/pcmu") == b"\x01\x02\x03"


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_what_is_encoded_is_a_third_of_the_samples_however_it_is_cut(kind: AudioFormat) -> None:
    whole, parts = Encoder(kind), Encoder(kind)
    expected = whole.feed(SECOND) + whole.flush()
    cut = b"".join(parts.feed(SECOND[begin : begin + 4800]) for begin in range(0, len(SECOND), 4800)) + parts.flush()
    assert len(expected) == 8000
    assert cut == expected
    again = Decoder(kind, WIRE_RATE)
    back = np.concatenate([again.feed(expected), again.flush()])
    assert len(back) == WIRE_RATE
    apart = (back - pcm16_to_float(SECOND))[2000:-2000]
    assert np.sqrt(np.mean(apart**2)) < 0.03 * np.sqrt(0.5) * 0.5


def test_pcm_goes_out_as_it_came() -> None:
    encoder = Encoder("audio/pcm")
    assert encoder.feed(SECOND) == SECOND
    assert encoder.flush() == b""
