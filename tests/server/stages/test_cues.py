"""How the voice ended, from frames made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks

from tandem_server.stages.cues import UNHEARD, Ending, ending, peaks_of


def syllable(frames: int, peak: float = 70.0, dip: float = 60.0) -> list[float | None]:
    """Loudness that rises to a peak in the middle and falls again."""
    half = frames // 2
    return [dip + (peak - dip) * (1.0 - abs(frame - half) / half) for frame in range(frames)]


def test_a_fall_is_the_last_voice_against_the_whole_turn() -> None:
    # 20 frames at 6 semitones and 20 at 4: the median of all is 5, of the last 20 it is 4.
    track = [6.0] * 20 + [None] * 7 + [4.0] * 20 + [None] * 3
    assert ending(track, ()).fall == -1.0
    assert ending([4.0] * 20 + [6.0] * 20, ()).fall == 1.0


def test_decay_is_the_last_voice_against_all_of_it_and_silence_is_no_voice() -> None:
    pitch = [6.0] * 60 + [None] * 10 + [6.0] * 20 + [None] * 10
    loudness = [70.0] * 60 + [30.0] * 10 + [62.0] * 20 + [20.0] * 10
    assert ending(pitch, loudness).decay == pytest.approx(62.0 - (60 * 70.0 + 20 * 62.0) / 80)


def test_lengthening_is_the_last_syllable_against_the_mean_one() -> None:
    # Three syllables of 20 frames and one of 40, all voiced: the mean is 25 frames; the last begins at its dip.
    loudness = [*syllable(20), *syllable(20), *syllable(20), *syllable(40)]
    assert ending([6.0] * 100, loudness).lengthening == pytest.approx(math.log(40 / 25), abs=0.03)
    even = [*syllable(20), *syllable(20), *syllable(20), *syllable(20), 60.0]
    assert ending([6.0] * 81, even).lengthening == pytest.approx(0.0, abs=0.06)


def test_ripples_of_less_than_two_decibels_are_no_syllables() -> None:
    loudness = [70.0 + 0.9 * (frame % 2) for frame in range(80)]
    assert ending([6.0] * 80, loudness).lengthening is None


def test_too_little_voice_has_no_ending() -> None:
    assert ending([5.0] * 39, [70.0] * 39) == UNHEARD
    assert ending([5.0] * 40, [70.0] * 40) == Ending(0.0, 0.0, None)
    assert ending([None] * 500, [30.0] * 500) == UNHEARD
    assert ending([], []) == UNHEARD


def test_frames_that_could_not_be_measured_are_left_out() -> None:
    loudness = [None] * 30 + [70.0] * 30
    assert ending([5.0] * 60, loudness) == Ending(0.0, 0.0, None)
    assert ending([5.0] * 60, [None] * 60) == Ending(0.0, None, None)


@given(st.lists(st.integers(0, 9), max_size=40))
def test_peaks_are_those_that_scipy_finds(heights: list[int]) -> None:
    curve = np.array(heights, dtype=float)
    assert peaks_of(curve, 2.0) == find_peaks(curve, prominence=2.0)[0].tolist()
