"""From frames to a vector, with frames made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tandem_models.praat import BlockFeatures
from tandem_models.prosody import MISSING
from tandem_models.summary import TurnProsody, phonation, summarise


def half_second(pitch: object = 0.0, intensity: object = 70.0, **changes: object) -> BlockFeatures:
    """50 frames all alike, strength 0.9, jitter 2 % and shimmer 10 % of 50 periods."""
    given: dict[str, object] = {
        "start": 0,
        "length": 8000,
        "pitch": np.broadcast_to(np.asarray(pitch, np.float64), 50),
        "strength": np.full(50, 0.9),
        "intensity": np.broadcast_to(np.asarray(intensity, np.float64), 50),
        "periods": 50,
        "jitter": 1.0,
        "shimmer": 5.0,
        "energy": 80.0,
        "clipped": 0,
    }
    return BlockFeatures(**(given | changes))  # type: ignore[arg-type]


def test_a_turn_worked_by_hand() -> None:
    """Two halves an octave and 10 dB apart: energy mean of 70 and 60 dB is 70 + 10 log10(0.55)."""
    turn = summarise([half_second(0.0, 70.0), half_second(12.0, 60.0)], syllables=5, phonation=1.0)

    assert turn.prosody["pitch_mean"] == pytest.approx(6.0)
    assert turn.prosody["pitch_range"] == pytest.approx(12.0)
    assert turn.prosody["intensity_mean"] == pytest.approx(70.0 + 10.0 * math.log10(0.55))
    assert turn.prosody["intensity_range"] == pytest.approx(10.0)
    assert turn.prosody["jitter"] == pytest.approx(math.log(0.02))
    assert turn.prosody["shimmer"] == pytest.approx(math.log(0.1))
    assert turn.prosody["hnr"] == pytest.approx(10.0 * math.log10(9.0))
    assert turn.prosody["rate"] == pytest.approx(math.log(5.0))
    assert (turn.duration, turn.voiced, turn.flags) == (1.0, 1.0, ())
    assert turn.quartiles == pytest.approx((100.0, 200.0))


def test_frames_thirty_decibels_below_the_loudest_are_pauses() -> None:
    turn = summarise([half_second(0.0, 70.0), half_second(12.0, 39.9)], None, None)

    assert turn.prosody["pitch_mean"] == pytest.approx(0.0)
    assert turn.prosody["intensity_mean"] == pytest.approx(70.0)
    assert turn.voiced == 0.5
    assert turn.track[50:] == (None,) * 50
    assert turn.loudness == (70.0,) * 50 + (39.9,) * 50  # of pauses, too


def test_a_block_with_more_periods_weighs_more_in_jitter() -> None:
    turn = summarise([half_second(periods=90, jitter=0.9), half_second(periods=10, jitter=1.1)], None, None)

    assert turn.prosody["jitter"] == pytest.approx(math.log(0.02))


def test_a_loud_block_weighs_more_in_shimmer() -> None:
    """10 % with amplitude 3 and 30 % with amplitude 1 are 15 %."""
    turn = summarise([half_second(shimmer=5.0, amplitude=3.0), half_second(shimmer=15.0, amplitude=1.0)], None, None)

    assert turn.prosody["shimmer"] == pytest.approx(math.log(0.15))


@pytest.mark.parametrize(
    ("syllables", "seconds", "expected"),
    [
        (3, 0.4, math.log(7.5)),
        (2, 0.4, None),
        (3, 0.39, None),
        (None, 1.0, None),
        (5, None, None),
        (5, math.nan, None),
        (3, 60.0, None),  # a twentieth of a syllable per second is a mistake
        (40, 1.0, None),
    ],
)
def test_a_rate_needs_three_syllables_and_four_tenths_of_a_second(
    syllables: int | None, seconds: float | None, expected: float | None
) -> None:
    assert summarise([half_second()], syllables, seconds).prosody["rate"] == expected


def test_a_clipped_turn_has_no_loudness() -> None:
    turn = summarise([half_second(clipped=9)], None, None)  # more than 8 of 8000

    assert turn.flags == ("clipped",)
    assert turn.prosody["intensity_mean"] is turn.prosody["intensity_range"] is None
    assert turn.prosody["pitch_mean"] == 0.0
    assert not summarise([half_second(clipped=8)], None, None).flags


def test_nine_voiced_frames_are_chance() -> None:
    pitch = np.full(50, np.nan)
    pitch[:9] = 3.0
    turn = summarise([half_second(pitch=pitch)], None, None)

    assert turn.flags == ("unvoiced",)
    assert [turn.prosody[name] for name in ("pitch_mean", "pitch_range", "jitter", "shimmer", "hnr")] == [None] * 5
    assert turn.prosody["intensity_mean"] == pytest.approx(70.0)
    assert turn.quartiles is None


@pytest.mark.parametrize(
    ("block", "flag"),
    [
        (half_second(length=1599), "short"),
        (half_second(energy=7e-5), "silent"),
    ],
)
def test_of_a_short_or_silent_turn_nothing_is_measured(block: BlockFeatures, flag: str) -> None:
    turn = summarise([block], 5, 1.0)

    assert turn.prosody == MISSING
    assert turn.flags == (flag,)


def test_no_blocks_are_a_short_turn() -> None:
    assert summarise([], 5, 1.0).flags == ("short",)


def test_a_measurement_out_of_bounds_is_missing_and_not_cut() -> None:
    turn = summarise([half_second(pitch=40.0, jitter=25.0)], None, None)

    assert turn.prosody["pitch_mean"] is None
    assert turn.prosody["jitter"] is None
    assert turn.prosody["shimmer"] == pytest.approx(math.log(0.1))


def test_a_perfect_correlation_is_not_infinitely_harmonic() -> None:
    turn = summarise([half_second(strength=np.ones(50))], None, None)

    assert turn.prosody["hnr"] is None  # 60 dB: beyond any voice


def test_a_second_of_voice_is_a_full_turn() -> None:
    def turn(voiced: float) -> TurnProsody:
        return TurnProsody(MISSING, 5.0, voiced, (), (), None)

    assert [turn(voiced).weight for voiced in (0.0, 0.4, 1.0, 3.0)] == [0.0, 0.4, 1.0, 1.0]


def test_phonation_leaves_out_pauses_and_counts_overlap_once() -> None:
    assert phonation([]) == 0.0
    assert phonation([(2.0, 2.5), (0.0, 1.0), (0.5, 1.2), (0.6, 0.7)]) == pytest.approx(1.7)
