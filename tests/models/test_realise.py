"""The realiser on espeak's speech, judged by the extractor and by a pitch tracker that shares nothing with it.

espeak speaks a sentence a little differently each time. The tolerances are 1.3 times the worst of twelve times six
sentences or more; the medians are a tenth of that (tests/bench/realiser.py prints them).
"""

from __future__ import annotations

import asyncio
import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tandem_models import psola, voice_quality
from tandem_models.extract import UNKNOWN_RANGE, PitchRange
from tandem_models.prosody import MISSING, NAMES, Prosody
from tandem_models.realise import REACH, Realised, measure, realise, voice_range
from tandem_models.signal import WIRE_RATE, Audio, resample
from tandem_models.text import syllables
from tandem_server.engines.espeak import EspeakVoice

TEXTS = (
    "Yes, I would like that very much, if you have the time.",
    "Where did you leave the keys to the garden shed?",
    "If you like, we can start with something easier, and come back to this one later.",
)
VOICES = ("en-us+f5", "en-us")
ALL = tuple((voice, text) for voice in VOICES for text in TEXTS)


@dataclass(frozen=True)
class Speech:
    """A sentence as the engine spoke it."""

    text: str
    audio: Audio
    sample_rate: int
    words: tuple[tuple[float, float], ...]
    pitch_range: PitchRange
    own: Prosody

    def moved(self, moves: dict[str, float], corrections: int = 0) -> tuple[Realised, Prosody]:
        """Realised with moves from its own (ranges as factors), and what the extractor hears then."""
        target: dict[str, float | None] = {}
        for name, move in moves.items():
            own = self.own[name]
            assert own is not None
            target[name] = own * move if name.endswith("range") else own + move
        realised = realise(
            self.audio,
            self.sample_rate,
            Prosody.from_dict(target),
            pitch_range=self.pitch_range,
            syllables=syllables(self.text),
            words=self.words,
            corrections=corrections,
        )
        heard = measure(realised.audio, WIRE_RATE, syllables(self.text), realised.words, pitch_range=self.pitch_range)
        return realised, heard.prosody


async def _spoken() -> dict[tuple[str, str], Speech]:
    found = {}
    for name in VOICES:
        engine = EspeakVoice(name)
        await engine.start()
        pitch = engine.calibration.mean["pitch_mean"]
        assert pitch is not None
        for text in TEXTS:
            async for piece in engine.speak(text, MISSING):
                words, looked = tuple((word.start, word.end) for word in piece.words), voice_range(pitch)
                own = measure(piece.audio, piece.sample_rate, syllables(text), words, pitch_range=looked).prosody
                found[name, text] = Speech(text, piece.audio, piece.sample_rate, words, looked, own)
        await engine.close()
    return found


@pytest.fixture(scope="module")
def speeches() -> dict[tuple[str, str], Speech]:
    return asyncio.run(_spoken())


@pytest.fixture
def speech(speeches: dict[tuple[str, str], Speech]) -> Speech:
    return speeches[ALL[1]]


def difference(wanted: Prosody, heard: Prosody, name: str) -> float:
    """Heard minus wanted; for ranges, heard over wanted minus 1."""
    want, hear = wanted[name], heard[name]
    assert want is not None
    assert hear is not None
    return hear / want - 1.0 if name.endswith("range") else hear - want


def yin(audio: Audio, sample_rate: int, floor: float, ceiling: float) -> NDArray[np.float64]:
    """F0 (Hz) every 10 ms by YIN (de Cheveigné & Kawahara 2002), NaN where not clearly voiced: no Praat in it."""
    shortest, longest = int(sample_rate / ceiling), int(sample_rate / floor)
    starts = range(0, len(audio) - 3 * longest, sample_rate // 100)
    frames = (audio[start : start + 3 * longest].astype(np.float64) for start in starts)
    loudest = float(np.abs(audio).max())
    return np.array(
        [
            sample_rate / _period(frame, shortest, longest) if np.abs(frame).max() > 0.1 * loudest else np.nan
            for frame in frames
        ]
    )


def _period(frame: NDArray[np.float64], shortest: int, longest: int) -> float:
    """Samples; the first clear dip of the cumulative mean normalised difference, else NaN. (3 longest,) samples."""
    size = 4 * longest
    head = np.fft.rfft(frame[: 2 * longest], size)
    product = np.fft.irfft(np.fft.rfft(frame, size) * head.conj(), size)[:longest]
    power = np.concatenate([[0.0], np.cumsum(frame**2)])
    lags = np.arange(longest)
    distance = power[2 * longest] + power[lags + 2 * longest] - power[lags] - 2.0 * product
    dips = distance[1:] * lags[1:] / np.maximum(np.cumsum(distance[1:]), 1e-12)
    clear = np.flatnonzero(dips[shortest - 1 :] < 0.2)
    if not clear.size:
        return math.nan
    at = shortest - 1 + int(clear[0])
    while at + 1 < len(dips) and dips[at + 1] < dips[at]:
        at += 1
    if at + 1 >= len(dips):
        return math.nan
    before, here, after = dips[at - 1 : at + 2]
    bend = before - 2.0 * here + after
    return float(at + 1 + 0.5 * (before - after) / bend) if here <= min(before, after) and bend > 0.0 else math.nan


def test_yin_hears_a_known_pitch() -> None:
    time = np.arange(WIRE_RATE // 2) / WIRE_RATE
    buzz = np.sum([np.sin(2 * np.pi * 140.0 * number * time) / number for number in range(1, 9)], axis=0)

    assert np.median(yin(buzz.astype(np.float32), WIRE_RATE, 60.0, 500.0)) == pytest.approx(140.0, rel=0.002)


# --- accuracy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ALL)
@pytest.mark.parametrize("shift", [-4.0, -1.5, 2.0, 4.0])
def test_pitch_is_moved_by_semitones(
    speeches: dict[tuple[str, str], Speech], which: tuple[str, str], shift: float
) -> None:
    realised, heard = speeches[which].moved({"pitch_mean": shift})

    assert difference(realised.requested, heard, "pitch_mean") == pytest.approx(0.0, abs=0.2)
    assert len(realised.audio) == pytest.approx(
        len(speeches[which].audio) / speeches[which].sample_rate * WIRE_RATE, abs=2
    )


@pytest.mark.parametrize("which", ALL)
@pytest.mark.parametrize("shift", [-4.0, 4.0])
def test_an_independent_tracker_hears_the_same_shift(
    speeches: dict[tuple[str, str], Speech], which: tuple[str, str], shift: float
) -> None:
    spoken = speeches[which]
    realised, _ = spoken.moved({"pitch_mean": shift})
    floor, ceiling = spoken.pitch_range.floor, 1.3 * spoken.pitch_range.ceiling

    before = yin(resample(spoken.audio, spoken.sample_rate, WIRE_RATE), WIRE_RATE, floor, ceiling)
    after = yin(realised.audio, WIRE_RATE, floor, ceiling)
    both = min(len(before), len(after))
    intervals = 12.0 * np.log2(after[:both] / before[:both])  # frame by frame: the rate is the same

    assert np.isfinite(intervals).sum() > 20
    assert np.nanmedian(intervals) == pytest.approx(shift, abs=0.15)


@pytest.mark.parametrize("which", ALL)
@pytest.mark.parametrize("factor", [0.65, 1.5])
def test_the_pitch_range_is_scaled(
    speeches: dict[tuple[str, str], Speech], which: tuple[str, str], factor: float
) -> None:
    realised, heard = speeches[which].moved({"pitch_range": factor})

    assert difference(realised.requested, heard, "pitch_range") == pytest.approx(0.0, abs=0.2)
    assert heard["pitch_mean"] == pytest.approx(speeches[which].own["pitch_mean"], abs=0.3)


@pytest.mark.parametrize("factor", [0.76, 1.28])
def test_the_rate_is_exact_and_the_words_move_with_it(speech: Speech, factor: float) -> None:
    realised, heard = speech.moved({"rate": math.log(factor)})

    assert difference(realised.requested, heard, "rate") == pytest.approx(0.0, abs=0.002)
    assert len(realised.audio) == pytest.approx(len(speech.audio) / speech.sample_rate / factor * WIRE_RATE, abs=2)
    assert realised.words[-1][1] == pytest.approx(speech.words[-1][1] / factor)
    assert heard["pitch_mean"] == pytest.approx(speech.own["pitch_mean"], abs=0.3)


@pytest.mark.parametrize("gain", [-9.0, -3.0, 5.0])
def test_the_level_is_moved_and_nothing_else(speech: Speech, gain: float) -> None:
    realised, heard = speech.moved({"intensity_mean": gain})

    assert difference(realised.requested, heard, "intensity_mean") == pytest.approx(0.0, abs=0.2)
    assert heard["pitch_mean"] == pytest.approx(speech.own["pitch_mean"], abs=0.02)
    assert heard["jitter"] == pytest.approx(speech.own["jitter"], abs=0.05)


@pytest.mark.parametrize("factor", [0.8, 1.15])
def test_the_level_range_is_moved(speech: Speech, factor: float) -> None:
    realised, heard = speech.moved({"intensity_range": factor}, corrections=1)

    assert difference(realised.requested, heard, "intensity_range") == pytest.approx(0.0, abs=0.08)


@pytest.mark.parametrize("which", ALL)
def test_harmonicity_is_lowered_by_breath(speeches: dict[tuple[str, str], Speech], which: tuple[str, str]) -> None:
    realised, heard = speeches[which].moved({"hnr": -5.0})

    assert difference(realised.requested, heard, "hnr") == pytest.approx(0.0, abs=1.8)


@pytest.mark.parametrize("which", ALL)
def test_roughness_is_raised_as_far_as_can_be_told(
    speeches: dict[tuple[str, str], Speech], which: tuple[str, str]
) -> None:
    """Jitter of one sentence depends by a tenth or two on where the extractor's blocks fall."""
    realised, heard = speeches[which].moved({"jitter": 0.4, "shimmer": 0.4}, corrections=2)

    assert difference(realised.requested, heard, "jitter") == pytest.approx(0.0, abs=0.3)
    assert difference(realised.requested, heard, "shimmer") == pytest.approx(0.0, abs=0.45)


@pytest.mark.parametrize("which", ALL)
def test_all_together(speeches: dict[tuple[str, str], Speech], which: tuple[str, str]) -> None:
    moves = {"pitch_mean": 2.0, "pitch_range": 1.2, "rate": 0.15, "intensity_mean": -4.0, "hnr": -2.0, "jitter": 0.3}
    tolerance = {
        "pitch_mean": 0.15,
        "pitch_range": 0.15,
        "rate": 0.002,
        "intensity_mean": 0.2,
        "hnr": 1.0,
        "jitter": 0.4,
    }
    realised, heard = speeches[which].moved(moves, corrections=1)

    assert realised.measured is not None
    assert realised.measured.prosody == heard
    for name, allowed in tolerance.items():
        assert difference(realised.requested, heard, name) == pytest.approx(0.0, abs=allowed), name


def test_a_correction_brings_voice_quality_closer(speeches: dict[tuple[str, str], Speech]) -> None:
    moves = {"pitch_mean": 3.0, "rate": -0.2, "jitter": 0.4, "shimmer": 0.3, "hnr": -4.0}

    def missed(corrections: int) -> float:
        both = [spoken.moved(moves, corrections) for spoken in speeches.values()]
        unit = {"jitter": 0.1, "shimmer": 0.1, "hnr": 0.5}
        return sum(abs(difference(one.requested, heard, name)) / unit[name] for one, heard in both for name in unit)

    assert missed(1) < 0.9 * missed(0)


# --- what is left alone, and what cannot be -------------------------------------------------------------------------


def test_asked_for_nothing_it_changes_nothing(speech: Speech) -> None:
    realised, heard = speech.moved({})

    np.testing.assert_allclose(realised.audio, resample(speech.audio, speech.sample_rate, WIRE_RATE), atol=2e-3)
    assert realised.words == speech.words
    assert realised.limits == ()
    assert realised.requested == MISSING
    assert heard["intensity_mean"] == pytest.approx(speech.own["intensity_mean"], abs=0.05)


def test_asked_for_its_own_voice_it_changes_nothing(speech: Speech) -> None:
    realised, _ = speech.moved({"pitch_mean": 0.0, "pitch_range": 1.0, "rate": 0.0, "intensity_mean": 0.0})

    np.testing.assert_allclose(realised.audio, resample(speech.audio, speech.sample_rate, WIRE_RATE), atol=5e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [0, 1])
def test_beyond_reach_is_clamped_and_said(speech: Speech, name: str, side: int) -> None:
    edge = REACH[name][side]
    wild = edge + (1.0 if side else -1.0) * 2.0
    own = speech.own[name]
    assert own is not None
    realised, _ = speech.moved({name: math.exp(wild) if name.endswith("range") else wild})

    (limit, *_) = realised.limits
    assert (limit.feature, limit.reason) == (name, "clamped")
    assert limit.granted == pytest.approx(own * math.exp(edge) if name.endswith("range") else own + edge, abs=1.0)
    assert limit.asked != limit.granted


def test_what_would_clip_is_limited_and_said(speech: Speech) -> None:
    loud = Speech(speech.text, speech.audio * 1.8, speech.sample_rate, speech.words, speech.pitch_range, speech.own)
    own = speech.own["intensity_mean"]
    assert own is not None
    realised, heard = loud.moved({"intensity_mean": 14.0})

    assert np.abs(realised.audio).max() <= voice_quality.CEILING
    assert [limit.feature for limit in realised.limits if limit.reason == "clipping"] == ["intensity_mean"]
    assert heard["intensity_mean"] == pytest.approx(realised.requested["intensity_mean"], abs=0.3)


def test_sentences_of_one_reply_come_at_one_level(speeches: dict[tuple[str, str], Speech]) -> None:
    levels = []
    for text in TEXTS:
        spoken = speeches[VOICES[0], text]
        target = Prosody.from_dict({"intensity_mean": 73.0, "pitch_mean": 9.0, "rate": 1.4})
        realised = realise(
            spoken.audio,
            spoken.sample_rate,
            target,
            pitch_range=spoken.pitch_range,
            syllables=syllables(text),
            words=spoken.words,
        )
        levels.append(measure(realised.audio, WIRE_RATE, pitch_range=spoken.pitch_range).prosody["intensity_mean"])

    assert levels == pytest.approx([73.0] * len(TEXTS), abs=0.3)


@pytest.mark.parametrize("moves", [{"pitch_mean": -4.0}, {"pitch_mean": 4.0}, {"rate": 0.25}, {"rate": -0.28}])
def test_there_are_no_clicks_and_no_holes(speech: Speech, moves: dict[str, float]) -> None:
    realised, _ = speech.moved(moves)
    before, after = resample(speech.audio, speech.sample_rate, WIRE_RATE), realised.audio

    # A click or a dropped sample is a jump in the slope beyond any in the source.
    assert np.abs(np.diff(after, 2)).max() < 1.6 * np.abs(np.diff(before, 2)).max()
    level, new = voice_quality.loudness(before), voice_quality.loudness(after)
    stretched = np.interp(np.linspace(0, 1, len(level)), np.linspace(0, 1, len(new)), new)
    spoken = level > level.max() - 20.0
    assert (stretched - level)[spoken].min() > -12.0
    assert abs(after[0]) < 0.01
    assert abs(after[-1]) < 0.01


# --- input that is no speech ----------------------------------------------------------------------------------------

EVERYTHING = Prosody((12.0, 5.0, 70.0, 20.0, -4.0, -2.0, 10.0, 1.5))
RANDOM = np.random.default_rng(0)
SECOND = np.arange(22_050) / 22_050


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(0), "short"),
        (np.ones(1), "short"),
        (RANDOM.standard_normal(2_000), "short"),
        (np.zeros(22_050), "silent"),
        (np.full(22_050, np.nan), "silent"),
        (1e-5 * RANDOM.standard_normal(22_050), "silent"),
        (0.1 * RANDOM.standard_normal(22_050), "unvoiced"),
        (np.full(22_050, 0.5), "unvoiced"),
    ],
)
def test_what_cannot_be_moved_comes_back_with_the_reason(audio: NDArray[np.float64], reason: str) -> None:
    realised = realise(audio.astype(np.float32), 22_050, EVERYTHING, pitch_range=UNKNOWN_RANGE, corrections=1)

    assert reason in {limit.reason for limit in realised.limits}
    assert len(realised.audio) == pytest.approx(len(audio) / 22_050 * WIRE_RATE, abs=2)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize(
    "audio",
    [
        np.where(SECOND < 0.5, np.inf, -np.inf),
        5_000.0 * np.sin(2 * np.pi * 150 * SECOND),
        0.5 * np.sin(2 * np.pi * 150 * SECOND),
        np.sign(np.sin(2 * np.pi * 90 * SECOND)),
        np.where(SECOND < 0.02, 1.0, 0.0),
        0.2 * np.sin(2 * np.pi * 5_000 * SECOND),
        0.3 * np.sin(2 * np.pi * (100 + 2_000 * SECOND) * SECOND),
        np.where(RANDOM.random(22_050) < 0.01, np.nan, 0.3 * np.sin(2 * np.pi * 200 * SECOND)),
    ],
)
def test_nothing_that_is_heard_makes_it_fail(audio: NDArray[np.float64], sample_rate: int) -> None:
    realised = realise(
        audio.astype(np.float32), sample_rate, EVERYTHING, pitch_range=UNKNOWN_RANGE, syllables=5, corrections=1
    )

    assert np.isfinite(realised.audio).all()
    assert np.abs(realised.audio).max() <= 1.0
    assert len(realised.audio) > 0


def test_a_whisper_is_moved_in_level_and_rate(speech: Speech) -> None:
    noise = RANDOM.standard_normal(len(speech.audio)).astype(np.float32)
    whisper = (np.abs(speech.audio) * noise * 0.5).astype(np.float32)
    target = Prosody.from_dict({"pitch_mean": 12.0, "intensity_mean": 60.0, "rate": 1.5})
    realised = realise(whisper, 22_050, target, pitch_range=UNKNOWN_RANGE, syllables=10, words=speech.words)

    assert realised.requested["intensity_mean"] == pytest.approx(60.0)
    assert realised.requested["rate"] == pytest.approx(1.5)
    assert {limit.feature for limit in realised.limits if limit.reason == "unvoiced"} <= {"pitch_mean"}


@pytest.mark.parametrize(("shape", "sample_rate"), [((100, 2), 16_000), ((100,), 0), ((100,), -1)])
def test_a_callers_mistake_is_said(shape: tuple[int, ...], sample_rate: int) -> None:
    with pytest.raises(ValueError, match="not mono audio"):
        realise(np.zeros(shape, np.float32), sample_rate, MISSING, pitch_range=UNKNOWN_RANGE)


def test_all_of_it_can_go_to_another_process_and_come_back(speech: Speech) -> None:
    realised, _ = speech.moved({"pitch_mean": 1.0}, corrections=1)
    function, back = pickle.loads(pickle.dumps((realise, realised)))

    assert function is realise
    np.testing.assert_array_equal(back.audio, realised.audio)
    assert (back.words, back.requested, back.limits) == (realised.words, realised.requested, realised.limits)


def test_the_same_request_gives_the_same_audio(speech: Speech) -> None:
    first, second = (speech.moved({"pitch_mean": 1.0, "jitter": 0.3, "hnr": -2.0})[0] for _ in range(2))

    np.testing.assert_array_equal(first.audio, second.audio)


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_the_windows_of_the_grains_add_up_to_one(rate: float) -> None:
    pulses: NDArray[np.float64] = 0.2 + 0.008 * np.arange(40.0)
    pitch: NDArray[np.float64] = np.full(40, 12.0 * math.log2(1.25))
    even = np.ones(psola.FINE_RATE, np.float32)
    source = psola.Source(even, 1.0, (pulses,), (pulses, pitch), {"pitch_mean": 3.9})

    out = psola.render(source, psola.Melody(rate=rate, shift=3.0))

    voiced = out[int(0.21 / rate * WIRE_RATE) : int(0.5 / rate * WIRE_RATE)]
    assert len(out) == round(WIRE_RATE / rate)
    np.testing.assert_allclose(voiced, 1.0, atol=1e-6)
    if rate == 1.0:  # else noise is added by power, and a constant is no noise
        np.testing.assert_allclose(out[1:-1], 1.0, atol=1e-6)


def test_loudness_is_on_praats_scale() -> None:
    tone = (0.1 * np.sin(2 * np.pi * 200 * np.arange(WIRE_RATE) / WIRE_RATE)).astype(np.float32)

    # 0.1 peak is 0.0707 Pa root mean square; 20 log10(0.0707 / 20e-6) = 70.97 dB
    assert voice_quality.mean_loudness(tone) == pytest.approx(70.97, abs=0.1)


def test_the_limiter_never_lets_a_sample_through_and_leaves_quiet_parts_alone() -> None:
    audio = np.full(WIRE_RATE, 0.3, np.float32)
    audio[12_000:12_010] = 1.9

    limited, _ = voice_quality.with_level(audio, voice_quality.mean_loudness(audio))

    assert np.abs(limited).max() <= voice_quality.CEILING
    np.testing.assert_allclose(limited[:11_000], 0.3, atol=1e-3)
    np.testing.assert_allclose(limited[13_000:], 0.3, atol=1e-3)


def test_a_voices_pitch_range_holds_all_that_it_can_be_moved_to() -> None:
    assert voice_range(0.0) == PitchRange(50.0, 250.0)
    assert voice_range(12.0) == PitchRange(100.0, 500.0)
    assert voice_range(24.0) == PitchRange(200.0, 600.0)
