"""Against two small real models, on real recordings; both are beside the checkout, not in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile as sf

from tandem_models.signal import SAMPLE_RATE, float_to_pcm16, resample
from tandem_server.engines.vosk import BYTES_PER_SECOND, Decoder, Vosk, VoskStream, check_model
from tandem_server.errors import ConfigurationError, EngineError, EngineTimeout, EngineUnavailable
from tandem_server.stages.protocols import Recogniser, Transcript, Word

SILENCE = bytes(BYTES_PER_SECOND)
DOOR = "is the garage door closed"


def nothing(_: str) -> None: ...


def pcm16(path: Path) -> bytes:
    audio, rate = sf.read(path, dtype="float32")
    return float_to_pcm16(resample(np.asarray(audio, np.float32), rate, SAMPLE_RATE))


async def hear(stream: VoskStream, audio: bytes) -> Transcript:
    stream.feed(audio)
    return await stream.finish()


@pytest.fixture(scope="module")
def door(shared_data: Path) -> bytes:
    return pcm16(shared_data / "speech/voxforge_rhasspy/is_the_garage_door_closed.flac")


@pytest.fixture
async def engine(shared_data: Path) -> AsyncIterator[Vosk]:
    engine = Vosk(shared_data / "vosk-5k")
    yield engine
    await engine.close()


def touch(folder: Path, *parts: str) -> None:
    for part in parts:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no Vosk model at .*give the folder that holds am/"):
        check_model(tmp_path / "nowhere")


def test_an_incomplete_folder_is_explained(tmp_path: Path) -> None:
    touch(tmp_path, "am/final.mdl", "conf/mfcc.conf")
    with pytest.raises(ConfigurationError, match=r"conf/model.conf, graph missing: unpack or download"):
        Vosk(tmp_path)


def test_the_folder_above_the_model_is_recognised(tmp_path: Path) -> None:
    touch(tmp_path / "model", "am/final.mdl")
    with pytest.raises(ConfigurationError, match=r"one folder further down: .*model$"):
        check_model(tmp_path)


def test_both_layouts_are_models(tmp_path: Path) -> None:
    touch(tmp_path / "new", "am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/HCLG.fst")
    touch(tmp_path / "old", "final.mdl", "mfcc.conf")
    check_model(tmp_path / "new")
    check_model(tmp_path / "old")


async def test_a_damaged_model_is_explained(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, "am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/HCLG.fst")
    engine = Vosk(tmp_path)
    with pytest.raises(EngineUnavailable, match="download it again"):
        await engine.start()
    await engine.close()
    capfd.readouterr()


async def test_the_name_says_which_model(engine: Vosk) -> None:
    assert cast(Recogniser, engine).name == "vosk (vosk-5k)"


async def test_a_sentence_is_heard_with_the_times_of_its_words(engine: Vosk, door: bytes) -> None:
    transcript = await hear(await engine.open(nothing), door)
    assert transcript.text == DOOR == " ".join(word.text for word in transcript.words)
    times = [time for word in transcript.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= len(door) / BYTES_PER_SECOND


async def test_kaldi_says_nothing_on_the_terminal(engine: Vosk, door: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    await hear(await engine.open(nothing), door)
    assert capfd.readouterr() == ("", "")


async def test_digits_are_heard(shared_data: Path) -> None:
    engine = Vosk(shared_data / "vosk-digits")
    stream = await engine.open(nothing)
    paths = {digit: sorted((shared_data / "digits").glob(f"{digit}_*.flac")) for digit in (7, 9)}
    heard = {
        digit: {(await hear(stream, SILENCE[:8000] + pcm16(path) + SILENCE[:16000])).text for path in paths[digit]}
        for digit in paths
    }
    await engine.close()
    assert heard == {7: {"seven"}, 9: {"nine"}}


async def test_word_times_count_from_the_first_sample_of_their_own_utterance(engine: Vosk, door: bytes) -> None:
    stream = await engine.open(nothing)
    first = await hear(stream, door)
    stream.feed(SILENCE)
    stream.reset()
    assert (await hear(stream, door)).words == first.words


async def test_words_before_an_end_that_vosk_sees_are_kept(engine: Vosk, door: bytes) -> None:
    # Each AcceptWaveform that returns true has ended something inside the utterance; the whole is still ours.
    stream = await engine.open(nothing)
    stream.feed(door)
    for _ in range(20):
        stream.feed(SILENCE[:9600])
    transcript = await hear(stream, door)
    assert transcript.text == f"{DOOR} {DOOR}"
    # Of ends, because the first word after a silence begins too early in this small model.
    again = len(door) / BYTES_PER_SECOND + 6.0
    assert transcript.words[5].end == pytest.approx(again + transcript.words[0].end, abs=0.1)


async def test_partials_are_whole_hypotheses_and_come_only_when_they_change(engine: Vosk, door: bytes) -> None:
    partials: list[str] = []
    ended = asyncio.Event()

    def note(text: str) -> None:
        partials.append(text)
        if text == DOOR:
            ended.set()

    stream = await engine.open(note)
    for start in range(0, len(door), 3200):
        stream.feed(door[start : start + 3200])
    async with asyncio.timeout(30):
        await ended.wait()
    assert (await stream.finish()).text == DOOR
    assert len(partials) > 3
    assert all(before != after for before, after in itertools.pairwise(partials))


async def test_utterances_follow_one_another_without_waiting(engine: Vosk, door: bytes) -> None:
    stream = await engine.open(nothing)
    stream.feed(door)
    first = asyncio.create_task(stream.finish())
    await asyncio.sleep(0)  # lets the task begin; no time passes
    stream.feed(SILENCE)
    stream.reset()
    stream.feed(door)
    assert [(await first).text, (await stream.finish()).text] == [DOOR, DOOR]


async def test_many_callers_share_the_threads_and_keep_their_order(engine: Vosk, door: bytes) -> None:
    streams = [await engine.open(nothing) for _ in range(6)]
    for start in range(0, len(door), 640):
        for stream in streams:
            stream.feed(door[start : start + 640])
    transcripts = await asyncio.gather(*(stream.finish() for stream in streams))
    assert {transcript.text for transcript in transcripts} == {DOOR}


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0])
async def test_silence_is_an_empty_transcript(engine: Vosk, seconds: float) -> None:
    assert await hear(await engine.open(nothing), bytes(2 * int(seconds * SAMPLE_RATE))) == Transcript("")


async def test_half_a_sample_is_refused(engine: Vosk) -> None:
    stream = await engine.open(nothing)
    with pytest.raises(ValueError, match="16-bit"):
        stream.feed(b"123")


class Scripted:
    """A Decoder that waits to be let go, and fails when it is told to."""

    def __init__(self, gate: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        self._gate, self._loop = gate, loop
        self.fail = False
        self.calls: list[str] = []

    def hear(self, audio: bytes) -> str:
        asyncio.run_coroutine_threadsafe(self._gate.wait(), self._loop).result()
        self.calls.append("hear")
        if self.fail:
            raise RuntimeError("Failed to process waveform")
        return ""

    def finish(self) -> list[Word]:
        self.calls.append("finish")
        return [Word("word", 0.0, 0.1)]


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


async def scripted(tmp_path: Path, gate: asyncio.Event, **limits: float) -> tuple[Vosk, VoskStream, Scripted]:
    touch(tmp_path, "final.mdl", "mfcc.conf")
    engine = Vosk(tmp_path, threads=1, backlog_s=limits.get("backlog_s", 30), finish_timeout_s=limits.get("wait_s", 30))
    decoder = Scripted(gate, asyncio.get_running_loop())
    return engine, VoskStream(engine, cast(Decoder, decoder), nothing), decoder


async def test_a_stream_that_does_not_keep_up_fails_its_utterance(tmp_path: Path, gate: asyncio.Event) -> None:
    engine, stream, decoder = await scripted(tmp_path, gate, backlog_s=2.0)
    for _ in range(10):
        stream.feed(SILENCE)
    gate.set()
    with pytest.raises(EngineError, match="3 s behind"):
        await stream.finish()
    assert (await hear(stream, SILENCE)).text == "word"
    assert decoder.calls == ["hear", "finish", "hear", "finish"]
    await stream.close()
    await engine.close()


async def test_a_decoder_that_does_not_answer_is_given_up(tmp_path: Path, gate: asyncio.Event) -> None:
    engine, stream, _ = await scripted(tmp_path, gate, wait_s=0.01)
    stream.feed(SILENCE)
    with pytest.raises(EngineTimeout) as caught:
        await stream.finish()
    assert caught.value.stage == "asr"
    gate.set()
    await stream.close()
    await engine.close()


async def test_a_failing_decoder_fails_its_utterance_and_no_other(tmp_path: Path, gate: asyncio.Event) -> None:
    engine, stream, decoder = await scripted(tmp_path, gate)
    gate.set()
    decoder.fail = True
    stream.feed(SILENCE)
    with pytest.raises(EngineError, match="Failed to process"):
        await stream.finish()
    decoder.fail = False
    assert (await hear(stream, SILENCE)).text == "word"
    await stream.close()
    await engine.close()


async def test_close_is_idempotent_and_fails_what_was_waited_for(tmp_path: Path, gate: asyncio.Event) -> None:
    engine, stream, _ = await scripted(tmp_path, gate)
    stream.feed(SILENCE)
    waiting = asyncio.create_task(stream.finish())
    await asyncio.sleep(0)
    gate.set()
    await stream.close()
    await stream.close()
    with pytest.raises(EngineError, match="closed"):
        await waiting
    await engine.close()
