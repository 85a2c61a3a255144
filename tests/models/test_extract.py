"""Turns in pieces, whole turns, and what microphones do to both."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tandem_models.extract import (
    BLOCK,
    UNKNOWN_RANGE,
    IncrementalExtractor,
    PitchRange,
    SpeakerRange,
    TurnProsody,
    analyse,
    extract_reference,
    extract_turn,
)
from tandem_models.praat import MARGIN
from tandem_models.prosody import FEATURES, MISSING, NAMES
from tandem_models.signal import SAMPLE_RATE, Audio

Voice = Callable[..., Audio]


def in_pieces(audio: Audio, cuts: list[int]) -> TurnProsody:
    extractor = IncrementalExtractor()
    for piece in np.split(audio, cuts):
        for block in extractor.feed(piece):
            extractor.add(analyse(block))
    tail = extractor.pending()
    return extractor.result(6, 1.2, None if tail is None else analyse(tail))


def test_what_was_said_is_what_is_measured(voice: Voice) -> None:
    """A sinusoid spends its time so that q95 - q05 is 2 sin(0.45 pi) = 1.975 times its amplitude."""
    turn = extract_turn(voice(2.0, pitch=4.0, swing=3.0), syllables=8, phonation=2.0)

    assert turn.prosody["pitch_mean"] == pytest.approx(4.0, abs=0.1)
    assert turn.prosody["pitch_range"] == pytest.approx(1.975 * 3.0, abs=0.2)
    assert turn.prosody["rate"] == pytest.approx(np.log(4.0))
    assert turn.duration == 2.0
    assert turn.voiced > 1.9
    assert len(turn.track) == 200
    assert turn.flags == ()


def test_half_the_amplitude_is_six_decibels_less_and_nothing_else(voice: Voice) -> None:
    loud, soft = (extract_turn(voice(level=level)).prosody for level in (0.1, 0.05))
    change = {name: a - b for name in NAMES if (a := loud[name]) is not None and (b := soft[name]) is not None}

    assert change.pop("intensity_mean") == pytest.approx(6.02, abs=0.01)
    assert change == pytest.approx(dict.fromkeys(change, 0.0), abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 28_000), max_size=30).map(sorted))
def test_the_pieces_in_which_audio_comes_change_no_bit(cuts: list[int]) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.02, 28_000).astype(np.float32)
    time = np.arange(28_000) / SAMPLE_RATE
    audio = noise + (0.2 * np.sign(np.sin(800.0 * time + np.sin(9.0 * time)))).astype(np.float32)

    assert in_pieces(audio, cuts) == extract_turn(audio, 6, 1.2)


def test_features_may_come_back_in_any_order(voice: Voice) -> None:
    audio = voice(2.6)
    extractor = IncrementalExtractor()
    blocks = extractor.feed(audio)
    tail = extractor.pending()
    assert tail is not None
    last = analyse(tail)
    for block in reversed(blocks):
        extractor.add(analyse(block))

    assert len(blocks) == 4
    assert extractor.result(6, 1.2, last) == extract_turn(audio, 6, 1.2)


def test_a_result_before_its_blocks_says_which_is_missing(voice: Voice) -> None:
    extractor = IncrementalExtractor()
    _first, second = extractor.feed(voice(1.5))
    extractor.add(analyse(second))

    with pytest.raises(ValueError, match="the block at sample 0 has not been added yet"):
        extractor.result()


def test_a_tail_is_not_a_block(voice: Voice) -> None:
    extractor = IncrementalExtractor()
    extractor.feed(voice(0.6))
    tail = extractor.pending()
    assert tail is not None

    with pytest.raises(ValueError, match="was not handed out"):
        extractor.add(analyse(tail))


def test_a_guess_at_the_end_holds_although_feeding_went_on(voice: Voice) -> None:
    """The turn may be over: its tail is analysed at once, while silence is still being fed to make sure."""
    audio = voice(1.4)
    extractor = IncrementalExtractor()
    blocks = extractor.feed(audio)
    guess = extractor.pending()
    assert guess is not None
    blocks += extractor.feed(np.zeros(SAMPLE_RATE, np.float32))
    for block in blocks:
        extractor.add(analyse(block))

    assert extractor.result(6, 1.2, analyse(guess)) == extract_turn(audio, 6, 1.2)


def test_a_guess_that_was_wrong_leaves_no_trace(voice: Voice) -> None:
    audio = voice(2.2)
    extractor = IncrementalExtractor()
    for piece in np.split(audio, range(1000, len(audio), 1000)):
        for block in extractor.feed(piece):
            extractor.add(analyse(block))
        extractor.pending()
    tail = extractor.pending()
    assert tail is not None

    assert extractor.result(6, 1.2, analyse(tail)) == extract_turn(audio, 6, 1.2)


def test_audio_that_was_analysed_is_not_kept() -> None:
    extractor = IncrementalExtractor()
    sizes = set()
    for _ in range(60):
        extractor.feed(np.zeros(SAMPLE_RATE, np.float32))
        sizes.add(len(pickle.dumps(extractor)))

    assert max(sizes) < 4 * (BLOCK + 2 * MARGIN) + 1000


def test_the_tail_is_never_long(voice: Voice) -> None:
    extractor = IncrementalExtractor()
    lengths = []
    for piece in np.split(voice(3.0), range(160, 48_000, 160)):
        extractor.feed(piece)
        tail = extractor.pending()
        assert tail is not None
        lengths.append(tail.length)

    assert max(lengths) < BLOCK + MARGIN


TIME: NDArray[np.float64] = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
NOISE: NDArray[np.float64] = np.random.default_rng(0).standard_normal(len(TIME))


def tones(*hertz: float) -> NDArray[np.float64]:
    return np.asarray(0.1 * np.sum([np.sin(2.0 * np.pi * f * TIME) for f in hertz], axis=0))


@pytest.mark.parametrize(
    ("audio", "flags"),
    [
        (np.zeros(0), ("short",)),
        (np.full(1, 0.1), ("short",)),
        (0.1 * NOISE[:160], ("short",)),
        (0.1 * NOISE[:624], ("short",)),  # 39 ms: Praat wants 40
        (0.1 * NOISE[:1599], ("short",)),
        (np.zeros(len(TIME)), ("silent",)),
        (5e-5 * NOISE, ("silent",)),
        (np.full(len(TIME), 1e-40), ("silent",)),
        (np.full(len(TIME), 0.5), ("silent",)),  # only an offset
        (np.full(len(TIME), np.nan), ("repaired", "silent")),
        (np.full(len(TIME), -np.inf), ("repaired", "silent")),
        (0.1 * NOISE, ("unvoiced",)),
        (0.03 * NOISE * (1.0 + np.sin(18.0 * TIME)), ("unvoiced",)),  # whisper
        (np.eye(1, len(TIME), 9000)[0], ("unvoiced",)),  # a click
        (tones(200.0), ("unvoiced", "tonal")),
        (tones(1000.0), ("unvoiced", "tonal")),
        (tones(50.0), ("unvoiced",)),  # hum
        (tones(60.0, 180.0), ("unvoiced", "tonal")),
        (tones(220.0, 277.18, 329.63), ("unvoiced", "tonal")),  # a chord of a piano
        (np.where(np.arange(len(TIME)) % 100 == 0, 0.5, 0.0), ("unvoiced", "tonal")),  # too regular for a throat
        (np.where(np.arange(len(TIME)) % 2, 1.0, -1.0), ("clipped", "unvoiced", "tonal")),
    ],
)
def test_what_is_no_voice_is_flagged_and_not_measured_as_one(
    audio: NDArray[np.float64], flags: tuple[str, ...]
) -> None:
    turn = extract_turn(audio.astype(np.float32))

    assert turn.flags == flags
    assert [turn.prosody[name] for name in ("pitch_mean", "pitch_range", "jitter", "shimmer", "hnr")] == [None] * 5
    if flags != ("unvoiced",):
        assert turn.prosody == MISSING


@pytest.mark.parametrize(
    ("spoil", "flags"),
    [
        (lambda x: np.where(np.arange(len(x)) % 500 == 0, np.nan, x), ("repaired",)),
        (lambda x: x + 0.4, ()),  # an offset
        (lambda x: x + 0.01 * np.sin(2.0 * np.pi * 50.0 * np.arange(len(x)) / SAMPLE_RATE), ()),  # hum
        (lambda x: 20.0 * np.clip(x, -0.05, 0.05), ("clipped",)),
        (lambda x: np.concatenate([0.2 * np.sin(2000.0 * np.arange(16_000) / SAMPLE_RATE), x]), ("tonal",)),  # a beep
        (lambda x: np.concatenate([np.zeros(20_000), x, np.zeros(20_000)]), ()),
    ],
)
def test_a_spoilt_recording_still_tells_the_pitch(
    voice: Voice, spoil: Callable[[Audio], Audio], flags: tuple[str, ...]
) -> None:
    turn = extract_turn(spoil(voice(2.0)).astype(np.float32))

    assert turn.flags == flags
    assert turn.prosody["pitch_mean"] == pytest.approx(4.0, abs=0.2)
    assert (turn.prosody["intensity_mean"] is None) == ("clipped" in flags)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.array([0.1, -12_000.0], np.float32), "a sample is 12000; integers need scaling"),
        (np.zeros((100, 2), np.float32), r"mono, shape \(T,\), not \(100, 2\)"),
    ],
)
def test_audio_in_another_shape_or_scale_is_refused(audio: Audio, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IncrementalExtractor().feed(audio)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 12_000).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, 2**32 - 1))),
    st.sampled_from([0.0, 1e-6, 0.1, 1.0, 4.0, np.nan, np.inf]),
)
def test_no_audio_raises_and_every_number_is_in_bounds(shape: tuple[int, int], spice: float) -> None:
    size, seed = shape
    random = np.random.default_rng(seed)
    audio = random.uniform(-1.0, 1.0, size) * random.uniform(0.0, 1.0)
    audio[random.random(size) < 0.01] = spice
    turn = extract_turn(audio.astype(np.float32), 5, 1.0)

    for feature, value in zip(FEATURES, turn.prosody.values, strict=True):
        assert value is None or feature.low <= value <= feature.high


def test_a_speakers_range_is_learnt_from_turns_that_are_over(voice: Voice) -> None:
    first = extract_turn(voice(2.0, pitch=0.0, swing=0.5))
    known = SpeakerRange().updated(first)

    assert SpeakerRange().pitch_range == UNKNOWN_RANGE
    assert known.pitch_range.floor == pytest.approx(0.75 * 100.0, rel=0.05)
    assert known.pitch_range.ceiling == pytest.approx(1.5 * 100.0, rel=0.05)


def test_less_than_a_second_of_voice_is_not_believed(voice: Voice) -> None:
    known = SpeakerRange().updated(extract_turn(voice(0.6)))

    assert known.voiced > 0.5
    assert known.pitch_range == UNKNOWN_RANGE


def test_a_turn_without_voice_changes_no_range() -> None:
    known = SpeakerRange(100.0, 120.0, 5.0)

    assert known.updated(extract_turn(np.zeros(SAMPLE_RATE, np.float32))) == known


def test_the_running_quartiles_are_weighted_by_voice_and_remember_half_a_minute() -> None:
    def turn(low: float, high: float, voiced: float) -> TurnProsody:
        return TurnProsody(MISSING, voiced, voiced, (), (), (low, high))

    both = SpeakerRange().updated(turn(100.0, 150.0, 3.0)).updated(turn(200.0, 300.0, 1.0))
    long = SpeakerRange(100.0, 150.0, 29.0).updated(turn(100.0, 150.0, 5.0))

    assert both.q25 == pytest.approx(100.0 * 2.0**0.25)
    assert both.q75 == pytest.approx(150.0 * 2.0**0.25)
    assert both.voiced == 4.0
    assert long.voiced == 30.0


def test_a_range_survives_being_stored() -> None:
    known = SpeakerRange(100.0, 120.0, 5.0)

    assert SpeakerRange.from_dict(known.to_dict()) == known
    assert SpeakerRange.from_dict(SpeakerRange().to_dict()) == SpeakerRange()


@pytest.mark.parametrize(
    "stored",
    [{}, {"q25": 100.0, "q75": 50.0, "voiced": 1.0}, {"q25": 1.0, "q75": float("nan"), "voiced": 1.0}, {"q25": None}],
)
def test_a_damaged_range_is_refused(stored: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not a speaker's range"):
        SpeakerRange.from_dict(stored)


WITHIN = {  # feature: (median, 95th centile) of |blocks - one call|, in the feature's unit, on a range of 75-500 Hz
    "pitch_mean": (0.01, 0.3),
    "pitch_range": (0.02, 0.5),
    "intensity_mean": (0.01, 0.02),
    "intensity_range": (0.03, 0.15),
    "jitter": (0.05, 0.2),
    "shimmer": (0.05, 0.15),
    "hnr": (0.02, 0.3),
}


def test_real_speech_in_blocks_agrees_with_one_call_over_the_turn(real_turns: list[Audio]) -> None:
    known = PitchRange(75.0, 500.0)
    pairs = [(extract_turn(x, None, None, known), extract_reference(x, None, None, known)) for x in real_turns]

    assert len(pairs) > 40
    assert {turn.flags for pair in pairs for turn in pair} == {()}  # nobody is taken for a tone
    for name, (median, most) in WITHIN.items():
        found = [(a.prosody[name], b.prosody[name]) for a, b in pairs]
        apart = [abs(a - b) for a, b in found if a is not None and b is not None]
        assert len(apart) == len(pairs), name
        assert np.median(apart) <= median, name
        assert np.quantile(apart, 0.95) <= most, name
