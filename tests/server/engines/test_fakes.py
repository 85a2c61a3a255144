from __future__ import annotations

import numpy as np
import pytest

from tandem_models.signal import VAD_FRAME
from tandem_server.engines.fakes import FakeRecogniser, FakeVoiceActivity
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import Recogniser, Transcript, VoiceActivityEngine, Word

SECOND = bytes(32_000)


def nothing(_: str) -> None: ...


def test_the_fakes_are_what_they_stand_for() -> None:
    _: tuple[Recogniser, VoiceActivityEngine] = (FakeRecogniser(), FakeVoiceActivity())


async def test_loud_is_speech_and_silence_is_not() -> None:
    detector = await FakeVoiceActivity(threshold=0.01).open()
    assert detector.probability(np.zeros(VAD_FRAME, np.float32)) == 0.0
    assert detector.probability(np.full(VAD_FRAME, 0.01, np.float32)) == pytest.approx(0.5)
    assert detector.probability(np.full(VAD_FRAME, -0.09, np.float32)) == pytest.approx(0.9)


async def test_lent_counts_what_has_not_come_back() -> None:
    engine = FakeVoiceActivity()
    detector = await engine.open()
    await engine.open()
    engine.release(detector)
    assert engine.lent == 1


async def test_the_script_is_heard_line_by_line_then_nothing() -> None:
    stream = await FakeRecogniser(["one two", "three"]).open(nothing)
    heard = []
    for _ in range(3):
        stream.feed(SECOND)
        heard.append(await stream.finish())
    assert heard[0] == Transcript("one two", (Word("one", 0.0, 0.5), Word("two", 0.5, 1.0)))
    assert [transcript.text for transcript in heard] == ["one two", "three", ""]


async def test_a_repeated_script_starts_again() -> None:
    stream = await FakeRecogniser(["one", "two"], repeat=True).open(nothing)
    heard = []
    for _ in range(3):
        stream.feed(SECOND)
        heard.append((await stream.finish()).text)
    assert heard == ["one", "two", "one"]


async def test_a_partial_comes_as_each_word_does() -> None:
    partials: list[str] = []
    stream = await FakeRecogniser(["one two three"], words_per_second=1).open(partials.append)
    for _ in range(5):
        stream.feed(SECOND[:16_000])
    assert partials == ["one", "one two"]


async def test_a_dropped_utterance_does_not_use_up_its_line() -> None:
    stream = await FakeRecogniser(["one"]).open(nothing)
    stream.feed(SECOND)
    stream.reset()
    assert await stream.finish() == Transcript("")
    stream.feed(SECOND)
    assert (await stream.finish()).text == "one"


async def test_an_error_in_the_script_is_raised_in_its_turn() -> None:
    stream = await FakeRecogniser([EngineError("it broke", stage="asr"), "two"]).open(nothing)
    stream.feed(SECOND)
    with pytest.raises(EngineError, match="it broke"):
        await stream.finish()
    stream.feed(SECOND)
    assert (await stream.finish()).text == "two"


async def test_half_a_sample_is_refused() -> None:
    stream = await FakeRecogniser().open(nothing)
    with pytest.raises(ValueError, match="16-bit"):
        stream.feed(b"123")


async def test_close_is_idempotent() -> None:
    engine = FakeRecogniser()
    stream = await engine.open(nothing)
    await stream.close()
    await stream.close()
    assert engine.lent == 0
