"""The espeak voice: what it says, when, and that its one global state never mixes two callers up."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from tandem_models.extract import UNKNOWN_RANGE
from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, NAMES, Prosody
from tandem_models.realise import measure
from tandem_models.text import syllables
from tandem_server.engines import calibration, espeak
from tandem_server.engines.calibrate import entry, sentences, vectors
from tandem_server.engines.calibration import NONE_YET
from tandem_server.engines.espeak import CALIBRATED, EspeakVoice, assemble, words_per_minute
from tandem_server.engines.spoken_text import LONGEST, clean, pieces
from tandem_server.errors import EngineError, EngineUnavailable
from tandem_server.stages.protocols import Utterance, Voice

SENTENCE = "The last bus leaves at ten minutes past eleven, I believe."


@pytest.fixture
async def voice() -> EspeakVoice:
    made = EspeakVoice()
    await made.start()
    return made


async def said(voice: Voice, text: str, target: Prosody = MISSING) -> list[Utterance]:
    return [piece async for piece in voice.speak(text, target)]


async def only(voice: Voice, text: str, target: Prosody = MISSING) -> Utterance:
    (piece,) = await said(voice, text, target)
    return piece


def seconds(piece: Utterance) -> float:
    return len(piece.audio) / piece.sample_rate


async def test_the_words_are_those_of_the_text_in_order_and_within_the_audio(voice: EspeakVoice) -> None:
    piece = await only(voice, SENTENCE)

    assert [word.text for word in piece.words] == SENTENCE.split()
    times = [time for word in piece.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= seconds(piece)


async def test_a_pause_after_a_comma_belongs_to_no_word(voice: EspeakVoice) -> None:
    words = (await only(voice, SENTENCE)).words

    assert words[8].text == "eleven,"
    assert words[9].start - words[8].end > 0.03


@pytest.mark.parametrize("text", ["At 7:45 it costs 20 dollars.", "Wait - really? Yes.", "This is one of the best."])
async def test_numbers_and_words_that_espeak_joins_keep_their_text(voice: EspeakVoice, text: str) -> None:
    heard = [word.text for word in (await only(voice, text)).words]

    assert heard == [word for word in text.split() if word != "-"]


async def test_the_first_sound_comes_at_once_and_the_edges_are_silent(voice: EspeakVoice) -> None:
    piece = await only(voice, SENTENCE)
    audible = np.flatnonzero(np.abs(piece.audio) > espeak.AUDIBLE)

    assert audible[0] <= 0.021 * piece.sample_rate
    assert len(piece.audio) - audible[-1] <= 0.021 * piece.sample_rate
    assert piece.audio[0] == 0.0
    assert np.abs(piece.audio).max() < 0.9


@pytest.mark.parametrize("text", ["", "  \n\t ", "\0\x01\x02", "...", "- - -", "\ud800"])
async def test_nothing_to_say_is_nothing_said(voice: EspeakVoice, text: str) -> None:
    assert await said(voice, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "日本語のテキスト",
        "مرحبا بالعالم",
        "Привет",
        "😀😀",
        "a\0b\ud800c",
        "<b>bold</b> & [[h@loU]]",
        "ö" * 40,
        "%s%n{}",
    ],
)
async def test_odd_text_is_spoken_or_left_out_but_never_a_crash(voice: EspeakVoice, text: str) -> None:
    for piece in await said(voice, text):
        assert np.isfinite(piece.audio).all()
        assert all(0.0 <= word.start <= word.end <= seconds(piece) for word in piece.words)


async def test_a_long_text_comes_in_pieces_and_no_word_is_lost(voice: EspeakVoice) -> None:
    text = "We walked along the river, and nobody said a word. " * 40
    spoken = await said(voice, text)

    assert len(spoken) > 5
    assert [word.text for piece in spoken for word in piece.words] == text.split()


async def test_ten_thousand_letters_without_a_space_come_in_pieces(voice: EspeakVoice) -> None:
    async with aclosing(voice.speak("x" * 10_000, MISSING)) as stream:
        first = await anext(stream)

    assert first.words[0].text == "x" * LONGEST


async def test_many_callers_at_once_each_get_their_own_words(voice: EspeakVoice) -> None:
    texts = [f"Number {count} is here, {' '.join(['indeed'] * (count % 7))}." for count in range(40)]
    alone = {text: await only(voice, text) for text in texts[:7]}

    together = await asyncio.gather(*(only(voice, text) for text in texts))

    for text, piece in zip(texts, together, strict=True):
        assert [word.text for word in piece.words] == [word for word in text.split() if any(map(str.isalnum, word))]
    for text, piece in zip(texts[:7], together[:7], strict=True):
        # What was said before moves an ending by some 20 ms; somebody else's words would by 300 at least.
        assert seconds(piece) == pytest.approx(seconds(alone[text]), abs=0.05)


async def test_two_voices_at_once_keep_their_own_pitch(voice: EspeakVoice) -> None:
    low = EspeakVoice("en-us")
    await low.start()

    found = await asyncio.gather(*(only(one, SENTENCE) for one in [voice, low] * 6))

    pitches = [
        measure(piece.audio, piece.sample_rate, pitch_range=UNKNOWN_RANGE).prosody["pitch_mean"] for piece in found
    ]
    for high, deep in zip(pitches[::2], pitches[1::2], strict=True):
        assert high == pytest.approx(voice.calibration.mean["pitch_mean"], abs=1.5)
        assert deep == pytest.approx(low.calibration.mean["pitch_mean"], abs=1.5)
    await low.close()


async def test_voices_that_start_at_once_share_one_library() -> None:
    espeak._loaded.cache_clear()
    voices = [EspeakVoice(name) for name in CALIBRATED]

    await asyncio.gather(*(voice.start() for voice in voices))

    assert espeak._loaded.cache_info().misses == 1
    assert [(await only(voice, "hello")).words[0].text for voice in voices] == ["hello"] * len(voices)


async def test_a_cancelled_caller_leaves_the_voice_as_it_was(voice: EspeakVoice) -> None:
    before = await only(voice, SENTENCE)
    tasks = [asyncio.create_task(said(voice, "This will never be heard. " * 30)) for _ in range(8)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    ended = await asyncio.gather(*tasks, return_exceptions=True)
    after = await only(voice, SENTENCE)

    assert all(isinstance(result, asyncio.CancelledError) for result in ended[::2])
    assert not any(isinstance(result, BaseException) for result in ended[1::2])
    assert after.words[-1].text == before.words[-1].text
    assert seconds(after) == pytest.approx(seconds(before), abs=0.02)


async def test_an_abandoned_job_is_not_spoken() -> None:
    job = espeak._Job(SENTENCE, espeak.NEUTRAL_RATE)
    job.abandoned.set()
    espeak._library().run(job, espeak.DEFAULT_VOICE)

    assert job.blocks == []


async def test_a_closed_voice_says_so_and_closes_twice(voice: EspeakVoice) -> None:
    await voice.close()
    await voice.close()

    with pytest.raises(EngineError, match="closed"):
        await said(voice, SENTENCE)


async def test_the_rate_of_a_target_is_followed_by_the_engine_itself(voice: EspeakVoice) -> None:
    usual = voice.calibration.mean["rate"]
    assert usual is not None
    slow, fast = [await only(voice, SENTENCE, Prosody.from_dict({"rate": usual + step})) for step in (-0.25, 0.25)]

    assert seconds(slow) / seconds(fast) == pytest.approx(np.exp(0.5), rel=0.1)


def test_words_per_minute_are_espeaks_own_without_a_target_and_stay_within_what_can_be_followed() -> None:
    own = Prosody.from_dict({"rate": 1.5})

    assert words_per_minute(MISSING, own) == espeak.NEUTRAL_RATE
    assert words_per_minute(own, MISSING) == espeak.NEUTRAL_RATE
    assert words_per_minute(own, own) == espeak.NEUTRAL_RATE
    assert words_per_minute(Prosody.from_dict({"rate": 99.0}), own) == espeak.FASTEST
    assert words_per_minute(Prosody.from_dict({"rate": -99.0}), own) == espeak.SLOWEST


async def test_a_voice_that_espeak_has_not_is_said_to_be_missing() -> None:
    with pytest.raises(EngineUnavailable, match="no voice"):
        await EspeakVoice("xx-nowhere", NONE_YET).start()


@pytest.mark.parametrize("name", ["zz", "en-us+zz", "en-us+"])
def test_to_calibrate_a_voice_that_does_not_exist_is_not_advised(name: str) -> None:
    with pytest.raises(EngineUnavailable, match="no voice") as refusal:
        EspeakVoice(name)
    assert all(known in str(refusal.value) for known in CALIBRATED)
    assert "tandem_server.engines.calibrate" not in str(refusal.value)


def test_a_voice_that_exists_and_is_not_calibrated_says_how_to() -> None:
    with pytest.raises(EngineUnavailable, match=r"not calibrated.*engines.calibrate espeak --voice en-us\+f3"):
        EspeakVoice("en-us+f3")


@pytest.mark.parametrize("failure", [ImportError("no module"), OSError("no such file")])
def test_without_the_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse() -> str:
        raise failure

    monkeypatch.setattr("espeakng_loader.get_library_path", refuse)
    with pytest.raises(EngineUnavailable, match="pip install espeakng-loader"):
        espeak._Library()


def test_words_end_where_their_sound_ends() -> None:
    rate = 1000
    audio = np.zeros(1000, np.float32)
    audio[100:200] = audio[500:900] = 0.5

    piece = assemble("ah, oh well", audio, rate, [(0, 90), (4, 480), (4, 600)])

    assert piece is not None
    shift = 0.1 - espeak.EDGE  # what was cut from the start
    assert [(word.text, round(word.start + shift, 3), round(word.end + shift, 3)) for word in piece.words] == [
        ("ah,", 0.09, 0.2),
        ("oh", 0.48, 0.62),  # "well" was not announced: the time of both, by their letters
        ("well", 0.62, 0.9),
    ]


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_shipped_calibrations_are_complete_and_of_this_extractor(name: str) -> None:
    own = EspeakVoice(name).calibration

    assert all(value is not None for value in own.mean.values)
    assert all(value is not None and value > 0.0 for value in own.sd.values)


async def test_the_shipped_calibration_is_what_the_voice_does(voice: EspeakVoice) -> None:
    texts = sentences()[::6]
    measured = entry(vectors([(text, await only(voice, text)) for text in texts]))["mean"]

    for name in NAMES:
        mean, sd = voice.calibration.mean[name], voice.calibration.sd[name]
        assert mean is not None
        assert sd is not None
        assert measured[name] == pytest.approx(mean, abs=1.3 * sd), name  # 10 sentences: standard error 0.3 sd


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ({"extractor": "another-1", "voices": {}}, "was measured by another-1"),
        ({"extractor": EXTRACTOR_VERSION, "voices": {"other": {}}}, "not calibrated"),
        ({"extractor": EXTRACTOR_VERSION, "voices": {"en-us": {"mean": {"pitch": 1.0}, "sd": {}}}}, "damaged"),
    ],
)
def test_a_calibration_that_cannot_be_used_says_how_to_make_one(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "calibration.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    with pytest.raises(EngineUnavailable, match=message) as refusal:
        calibration.load(path, "en-us")
    assert "tandem_server.engines.calibrate" in str(refusal.value)


def test_clean_keeps_what_can_be_spoken() -> None:
    assert clean(" a\0b\n\u200bc  e\u0301 \ue000") == "a b \u200bc é"


def test_pieces_are_cut_after_a_sentence_else_a_clause_else_a_word_else_anywhere() -> None:
    assert list(pieces("One two. Three four five", 16)) == ["One two.", "Three four five"]
    assert list(pieces("One two, three four five", 16)) == ["One two,", "three four five"]
    assert list(pieces("One two three four five", 16)) == ["One two three", "four five"]
    assert list(pieces("abcdefgh", 3)) == ["abc", "def", "gh"]
    assert list(pieces("short", 16)) == ["short"]
    assert list(pieces("", 16)) == []


def test_there_are_sixty_calibration_sentences_of_many_lengths() -> None:
    counts = [syllables(text) for text in sentences()]

    assert len(set(sentences())) == 60
    assert min(counts) >= 3
    assert min(counts) <= 5
    assert max(counts) >= 20
