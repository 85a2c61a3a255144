"""From wire audio to frames: the clock, the memory, and what is no audio."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, WIRE_RATE, Audio, Resampler, float_to_pcm16, pcm16_to_float
from tandem_server.audio import REMEMBERED, AudioInput, decode_base64, levels
from tandem_server.errors import ClientError

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
    for _ in range(9):
        hear(audio, SECOND)
    begin, kept = audio.since(0)
    assert len(kept) == REMEMBERED * VAD_FRAME <= 7 * SAMPLE_RATE
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
