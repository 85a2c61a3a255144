"""Tandem's own voice as an engine, of small random networks."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from tandem_models.mel import RATE
from tandem_models.prosody import MISSING, Prosody
from tandem_server.engines.tandem_voice import TandemVoice
from tandem_server.engines.voices import make_voice
from tandem_server.errors import ConfigurationError, EngineError, EngineUnavailable
from tandem_server.stages.protocols import Utterance, Voice

from ...models.small_voice import MEAN, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("voices") / "small")


async def said(voice: Voice, text: str, target: Prosody = MISSING) -> list[Utterance]:
    return [piece async for piece in voice.speak(text, target)]


async def test_the_words_are_those_of_the_text_and_within_the_audio(folder: Path) -> None:
    voice: Voice = TandemVoice(folder)
    await voice.start()
    text = "It costs $5.50, she said \u2013 😀 and then, after a while, she paid."
    spoken = await said(voice, text)
    await voice.close()

    assert " ".join(word.text for piece in spoken for word in piece.words) == text
    for piece in spoken:
        assert piece.sample_rate == RATE
        assert all(0.0 <= word.start <= word.end <= len(piece.audio) / RATE for word in piece.words)


async def test_it_starts_from_how_it_was_calibrated(folder: Path) -> None:
    voice = make_voice(f"tandem:{folder}")

    assert voice.name == "tandem (small)"
    assert voice.calibration.mean == Prosody(MEAN)


async def test_nothing_to_say_is_no_audio(folder: Path) -> None:
    voice = TandemVoice(folder)
    await voice.start()

    assert await said(voice, " 😀 ") == []
    await voice.close()


async def test_a_caller_who_leaves_in_the_middle_leaves_the_voice_to_others(folder: Path) -> None:
    voice = TandemVoice(folder)
    await voice.start()
    async with aclosing(voice.speak("One. Two. Three.", MISSING)) as pieces:
        await anext(pieces)
    assert len(await said(voice, "Four.")) == 1
    await voice.close()


async def test_a_voice_that_is_closed_or_not_started_says_so(folder: Path) -> None:
    voice = TandemVoice(folder)
    with pytest.raises(EngineError, match="not started"):
        await said(voice, "hello")
    await voice.start()
    await voice.close()
    with pytest.raises(EngineError, match="cannot speak"):
        await said(voice, "hello")


async def test_a_folder_that_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    for setting, message in (("tandem:nobody", "no such folder"), ("whisper", "choose one of")):
        with pytest.raises(ConfigurationError, match=message):
            make_voice(setting)
    with pytest.raises(EngineUnavailable, match=r"no voice: it has no voice\.json"):
        make_voice(f"tandem:{tmp_path}")
    damaged = make(tmp_path / "damaged")
    voice = TandemVoice(damaged)
    (damaged / "acoustic" / "model.ts").write_bytes(b"not a model")
    with pytest.raises(EngineUnavailable, match="is not the file that was saved"):
        await voice.start()
