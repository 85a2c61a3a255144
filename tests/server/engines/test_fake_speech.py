"""The fake voice speaks as it is asked to, by Praat's measure; the fake responder says what it was given."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import cast

import numpy as np
import pytest

from tandem_models.extract import extract_turn
from tandem_models.prosody import MISSING, NAMES, Prosody
from tandem_models.signal import SAMPLE_RATE
from tandem_models.text import syllables
from tandem_server.engines.fakes import FakeResponder, FakeVoice
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import Message, Utterance

SENTENCE = "Hello there, this is a nice long sentence about voices and music."
TOLERANCE = {"pitch_mean": 0.1, "pitch_range": 0.2, "intensity_mean": 0.6, "intensity_range": 0.6, "rate": 0.01}
"""How far the measured may lie from what was asked. Jitter, shimmer and harmonicity depend on one another."""


async def spoken(text: str, target: Prosody = MISSING, voice: FakeVoice | None = None) -> list[Utterance]:
    return [piece async for piece in (voice or FakeVoice()).speak(text, target)]


async def measured(asked: dict[str, float]) -> Prosody:
    """What Praat finds in a sentence spoken so."""
    (piece,) = await spoken(SENTENCE, Prosody.from_dict(asked))
    return extract_turn(piece.audio, syllables(SENTENCE), piece.words[-1].end).prosody


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"pitch_mean": 14.0}, {"pitch_mean": -1.0}, {"pitch_range": 10.0}, {"intensity_mean": 60.0},
        {"intensity_range": 20.0}, {"rate": math.log(6.5)}, {"rate": math.log(3.0)}, {"jitter": math.log(0.02)},
        {"shimmer": math.log(0.2)}, {"hnr": 20.0}, {"hnr": 8.0},
    ],
)  # fmt: skip
async def test_praat_measures_what_was_asked(asked: dict[str, float]) -> None:
    found = await measured(asked)
    expected = {**FakeVoice.calibration.mean.as_dict(), **asked}

    for name, tolerance in TOLERANCE.items():
        assert found[name] == pytest.approx(expected[name], abs=tolerance), name


@pytest.mark.parametrize(
    ("name", "values"), [("jitter", (0.004, 0.01, 0.03)), ("shimmer", (0.02, 0.09, 0.3)), ("hnr", (1e3, 1e6, 1e9))]
)
async def test_voice_quality_follows_in_its_order(name: str, values: tuple[float, ...]) -> None:
    found = [(await measured({name: math.log(value)}))[name] for value in values]

    assert None not in found
    assert found == sorted(found, key=lambda value: value or 0.0)
    assert (found[2] or 0.0) - (found[0] or 0.0) > 0.5


async def test_its_calibration_is_what_it_does_when_nothing_is_asked() -> None:
    found = await measured({})
    mean, sd = FakeVoice.calibration.mean, FakeVoice.calibration.sd

    assert all(abs((found[name] or 0.0) - (mean[name] or 0.0)) < 2 * (sd[name] or 0.0) for name in NAMES)


async def test_the_same_text_gives_the_same_samples() -> None:
    (first,), (second,) = await spoken("Good day."), await spoken("Good day.")

    assert np.array_equal(first.audio, second.audio)
    assert first.audio.dtype == np.float32
    assert np.abs(first.audio).max() < 1.0


async def test_words_cover_the_audio_evenly() -> None:
    (piece,) = await spoken("one two three four", Prosody.from_dict({"rate": math.log(4.0)}))

    assert piece.sample_rate == SAMPLE_RATE
    assert piece.audio.size == SAMPLE_RATE
    assert [(word.text, word.start, word.end) for word in piece.words] == [
        ("one", 0.0, 0.25), ("two", 0.25, 0.5), ("three", 0.5, 0.75), ("four", 0.75, 1.0),
    ]  # fmt: skip


async def test_a_phrase_may_come_in_pieces() -> None:
    voice = FakeVoice(words_per_piece=2)
    pieces = await spoken("one two three", voice=voice)

    assert [[word.text for word in piece.words] for piece in pieces] == [["one", "two"], ["three"]]
    assert all(piece.words[0].start == 0.0 for piece in pieces)
    assert voice.asked == [("one two three", MISSING)]


async def test_nothing_to_say_gives_no_audio() -> None:
    assert await spoken("  ") == []


async def test_a_voice_fails_when_told_to() -> None:
    with pytest.raises(EngineError, match="hoarse"):
        await spoken("one", voice=FakeVoice(failing=EngineError("hoarse", stage="voice")))


async def said(responder: FakeResponder, *messages: Message) -> list[str]:
    return [piece async for piece in responder.respond(messages)]


async def test_without_replies_it_says_back_what_it_heard() -> None:
    responder = FakeResponder()

    assert await said(responder, Message("user", "good day")) == ["You ", "said: ", "good ", "day"]
    assert "".join(await said(responder)) == "You said nothing."
    assert responder.asked == [(Message("user", "good day"),), ()]
    assert responder.cut_off == 0


async def test_replies_follow_the_conversation_and_not_the_calls() -> None:
    responder = FakeResponder(["one.", EngineError("no idea", stage="response")])

    assert await said(responder) == await said(responder) == ["one."]
    with pytest.raises(EngineError, match="no idea"):
        await said(responder, Message("assistant", "one."))
    assert await said(responder, *[Message("assistant", "x")] * 2) == ["one."]


async def test_a_reply_that_is_closed_early_is_counted() -> None:
    paused: list[int] = []

    async def pause() -> None:
        paused.append(1)

    responder = FakeResponder(["one two three"], pause)
    pieces = cast("AsyncGenerator[str, None]", responder.respond([]))
    assert await anext(pieces) == "one "
    await pieces.aclose()

    assert responder.cut_off == 1
    assert paused == [1]
