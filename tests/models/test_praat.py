"""One block: what Praat is asked, and what never reaches it."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import parselmouth
import pytest

from tandem_models.praat import HOP, MARGIN, UNKNOWN_RANGE, Block, PitchRange, analyse
from tandem_models.signal import SAMPLE_RATE, Audio


def block(audio: Audio, pitch_range: PitchRange = UNKNOWN_RANGE) -> Block:
    padded = np.pad(audio, MARGIN, mode="edge")
    return Block(padded, 0, len(audio), whole_peak(audio), pitch_range)


def whole_peak(audio: Audio) -> float:
    return float(np.abs(audio).max())


def test_the_range_of_a_known_speaker_is_de_looze_and_hirsts() -> None:
    assert PitchRange.adapted(100.0, 120.0) == PitchRange(75.0, 180.0)


@pytest.mark.parametrize(
    ("q25", "q75", "expected"),
    [
        (60.0, 70.0, PitchRange(50.0, 105.0)),  # not below 50
        (100.0, 100.0, PitchRange(75.0, 150.0)),  # an octave at least
        (500.0, 550.0, PitchRange(300.0, 600.0)),  # not above 600, and still an octave
    ],
)
def test_an_adapted_range_stays_sane(q25: float, q75: float, expected: PitchRange) -> None:
    assert PitchRange.adapted(q25, q75) == expected


@pytest.mark.parametrize(("floor", "ceiling"), [(0.0, 500.0), (300.0, 200.0), (75.0, 9000.0), (float("nan"), 500.0)])
def test_what_is_no_range_is_refused(floor: float, ceiling: float) -> None:
    with pytest.raises(ValueError, match="no pitch range"):
        PitchRange(floor, ceiling)


def test_a_block_without_its_margins_is_refused() -> None:
    with pytest.raises(ValueError, match="a block of 100 samples needs 8100"):
        Block(np.zeros(100, np.float32), 0, 100, 0.0, UNKNOWN_RANGE)


def test_every_ten_milliseconds_get_a_number(voice: Callable[..., Audio]) -> None:
    found = analyse(block(voice(0.5)))

    assert found.pitch.shape == found.strength.shape == found.intensity.shape == (50,)
    assert np.isfinite(found.intensity).all()
    assert np.isfinite(found.pitch).mean() > 0.9
    assert found.length // HOP == 50


@pytest.mark.parametrize("floor", [50.0, 60.0, 61.0, 75.0, 88.0, 100.0])
def test_no_frame_is_lost_whatever_the_length_of_praats_window(voice: Callable[..., Audio], floor: float) -> None:
    found = analyse(block(voice(1.0), PitchRange(floor, 400.0)))

    assert np.isfinite(found.intensity).all()
    assert np.isfinite(found.pitch[2:-2]).all()


def test_the_pitch_is_where_it_was_put(voice: Callable[..., Audio]) -> None:
    found = analyse(block(voice(0.5, pitch=7.0, swing=2.0)))
    time = (np.arange(50) + 0.5) / 100.0
    expected = 7.0 + 2.0 * np.sin(2.0 * np.pi * 1.5 * time)

    np.testing.assert_allclose(found.pitch[2:-2], expected[2:-2], atol=0.05)


@pytest.mark.parametrize("floor", [50.0, 60.0, 75.0, 83.0, 100.0])
@pytest.mark.parametrize("length", [1600, 1681, 7999, 8000])
def test_frames_are_in_the_middle_of_their_ten_milliseconds(
    voice: Callable[..., Audio], floor: float, length: int
) -> None:
    """Two blocks of one turn agree frame by frame where they overlap, or joined blocks would jump."""
    audio = voice(1.5)
    whole = analyse(block(audio, PitchRange(floor, 400.0)))
    part = Block(audio[4000 : 4000 + length + 2 * MARGIN], 8000, length, whole_peak(audio), PitchRange(floor, 400.0))
    found = analyse(part)

    np.testing.assert_allclose(found.pitch, whole.pitch[50 : 50 + len(found.pitch)], atol=0.01)
    np.testing.assert_allclose(found.intensity, whole.intensity[50 : 50 + len(found.pitch)], atol=0.1)


def test_the_pitch_is_what_praat_itself_finds_in_clean_speech(voice: Callable[..., Audio]) -> None:
    audio = voice(1.0)
    plain = parselmouth.Sound(audio.astype(np.float64), SAMPLE_RATE).to_pitch_ac(0.01, 75.0, pitch_ceiling=500.0)
    hertz = np.interp((np.arange(100) + 0.5) / 100.0, plain.xs(), plain.selected_array["frequency"])
    found = analyse(block(audio, PitchRange(75.0, 500.0)))

    np.testing.assert_allclose(found.pitch[5:-5], 12.0 * np.log2(hertz[5:-5] / 100.0), atol=0.03)


def test_the_intensity_of_a_full_scale_sine_is_praats() -> None:
    """91 dB: the mean square of a sine is a half, re (20 uPa)^2. 200 Hz is a tone, so it is given a wobble."""
    time = np.arange(8000) / SAMPLE_RATE
    sine = np.sin(2.0 * np.pi * 200.0 * time + 2.0 * np.sin(2.0 * np.pi * 3.0 * time)).astype(np.float32)
    found = analyse(block(sine))

    assert found.intensity[20:30].mean() == pytest.approx(10.0 * np.log10(0.5 / 4e-10), abs=0.1)


def test_jitter_and_shimmer_come_multiplied_by_their_weight(voice: Callable[..., Audio]) -> None:
    steady, rough = analyse(block(voice(0.5, swing=0.5))), analyse(block(voice(0.5, swing=0.5, jitter=0.03)))

    assert rough.jitter / rough.periods > 2.0 * steady.jitter / steady.periods
    assert 40 < steady.periods < 80  # 0.5 s at about 126 Hz


@pytest.mark.parametrize("pitch", [110.0, 220.0, 1000.0])
def test_a_tone_is_told_from_a_voice(pitch: float) -> None:
    time = np.arange(8000) / SAMPLE_RATE
    found = analyse(block((0.3 * np.sin(2.0 * np.pi * pitch * time)).astype(np.float32)))

    assert found.tone
    assert np.isnan(found.pitch).all()
    assert np.isnan(found.intensity).all()


def test_the_noise_of_a_pause_is_silence_once_the_turn_was_loud(voice: Callable[..., Audio]) -> None:
    quiet = voice(0.5, level=0.001)
    alone = block(quiet)
    after = Block(alone.samples, 0, alone.length, 0.5, UNKNOWN_RANGE)

    assert np.isfinite(analyse(alone).pitch).mean() > 0.9
    assert np.isnan(analyse(after).pitch).all()


def test_a_block_survives_the_way_to_another_process(voice: Callable[..., Audio]) -> None:
    here = analyse(block(voice(0.5)))
    there = pickle.loads(pickle.dumps(analyse(pickle.loads(pickle.dumps(block(voice(0.5)))))))

    np.testing.assert_array_equal(here.pitch, there.pitch)
    assert (here.jitter, here.energy) == (there.jitter, there.energy)
