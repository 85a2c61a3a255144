from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tandem_models.signal import VAD_FRAME, Audio
from tandem_server.engines.silero import Silero, SileroDetector


def probabilities(detector: SileroDetector, audio: Audio) -> list[float]:
    count = len(audio) // VAD_FRAME
    return [detector.probability(frame) for frame in audio[: count * VAD_FRAME].reshape(count, VAD_FRAME)]


@pytest.fixture(scope="module")
def speech(shared_data: Path) -> Audio:
    audio, _ = sf.read(shared_data / "speech/voxforge_rhasspy/is_the_garage_door_closed.flac", dtype="float32")
    return np.asarray(audio, np.float32)


async def test_speech_is_likely_in_speech_and_unlikely_in_silence(speech: Audio) -> None:
    detector = await Silero().open()
    assert max(probabilities(detector, speech)) > 0.95
    detector.reset()
    assert max(probabilities(detector, np.zeros(16_000, np.float32))) < 0.1


async def test_a_detector_forgets_on_reset(speech: Audio) -> None:
    detector = await Silero().open()
    first = probabilities(detector, speech)
    detector.reset()
    assert probabilities(detector, speech) == first


async def test_a_detector_that_comes_back_is_used_again_and_has_forgotten(speech: Audio) -> None:
    engine = Silero()
    detector = await engine.open()
    first = probabilities(detector, speech)
    engine.release(detector)
    again = await engine.open()
    assert again is detector
    assert probabilities(again, speech) == first


async def test_two_callers_never_share_a_detector() -> None:
    engine = Silero()
    detector = await engine.open()
    engine.release(detector)
    engine.release(detector)
    assert await engine.open() is not await engine.open()


async def test_no_more_detectors_are_kept_than_asked_for() -> None:
    engine = Silero(keep=1)
    first, second = await engine.open(), await engine.open()
    engine.release(first)
    engine.release(second)
    assert await engine.open() is first
    assert await engine.open() is not second
    await engine.close()


async def test_read_only_and_strided_frames_are_heard_alike(speech: Audio) -> None:
    engine = Silero()
    frame = speech[8000 : 8000 + VAD_FRAME].copy()
    wide = np.zeros((VAD_FRAME, 2), np.float32)
    wide[:, 0] = frame
    locked = frame.copy()
    locked.setflags(write=False)
    heard = {(await engine.open()).probability(each) for each in (frame, wide[:, 0], locked)}
    assert len(heard) == 1


async def test_after_long_silence_speech_is_heard_as_soon_as_without_it(speech: Audio) -> None:
    """In silence the model is not asked; that must not make it deaf to what comes next."""
    detector = await Silero().open()
    faint = np.random.default_rng(5).normal(0.0, 1e-5, 64_000).astype(np.float32)  # -100 dB
    hum = np.random.default_rng(5).normal(0.0, 1e-3, 64_000).astype(np.float32)  # -60 dB: the model hears all of it
    onsets = []
    for silence in (faint, hum):
        detector.reset()
        heard = np.array(probabilities(detector, np.concatenate([silence, speech])))
        assert heard[:100].max() < 0.1
        onsets.append(int(np.flatnonzero(heard >= 0.5)[0]))
    assert abs(onsets[0] - onsets[1]) <= 2


async def test_the_model_rests_after_a_quarter_of_a_second_of_nothing(speech: Audio) -> None:
    detector = await Silero().open()
    heard = probabilities(detector, np.zeros(12 * VAD_FRAME, np.float32))
    assert all(heard[:8])
    assert heard[8:] == [0.0] * 4


async def test_a_frame_of_another_length_is_refused() -> None:
    detector = await Silero().open()
    with pytest.raises(ValueError, match="512"):
        detector.probability(np.zeros(480, np.float32))
