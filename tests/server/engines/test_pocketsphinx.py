"""Against real worker processes: their weights are in the wheel."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile as sf

from tandem_server.engines.pocketsphinx import BYTES_PER_SECOND, PocketSphinx, PocketSphinxStream
from tandem_server.errors import EngineError, EngineTimeout
from tandem_server.stages.protocols import Recogniser, Transcript

SILENCE = bytes(BYTES_PER_SECOND)
DOOR = "is the garage door closed"


def nothing(_: str) -> None: ...


def nurseries() -> list[psutil.Process]:
    """Of this test; the servers of other tests are somebody else's."""
    return [child for child in psutil.Process().children() if "pocketsphinx_worker" in " ".join(child.cmdline())]


def workers() -> list[psutil.Process]:
    """The forked ones; the nursery, their parent, is not one."""
    return [worker for nursery in nurseries() for worker in nursery.children()]


def processes() -> list[psutil.Process]:
    """All of them."""
    return nurseries() + workers()


async def hear(stream: PocketSphinxStream, audio: bytes) -> Transcript:
    stream.feed(audio)
    return await stream.finish()


@pytest.fixture(scope="module")
def door(shared_data: Path) -> bytes:
    audio, _ = sf.read(shared_data / "speech/voxforge_rhasspy/is_the_garage_door_closed.flac", dtype="int16")
    return bytes(audio.tobytes())


@pytest.fixture
async def engine() -> AsyncIterator[PocketSphinx]:
    engine = PocketSphinx()
    yield engine
    await engine.close()
    assert processes() == []


def test_it_is_a_recogniser() -> None:
    _: Recogniser = PocketSphinx()


async def test_a_sentence_is_heard_with_the_times_of_its_words(engine: PocketSphinx, door: bytes) -> None:
    transcript = await hear(await engine.open(nothing), door)
    assert transcript.text == DOOR == " ".join(word.text for word in transcript.words)
    times = [time for word in transcript.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= len(door) / BYTES_PER_SECOND


async def test_word_times_count_from_the_first_sample_of_their_own_utterance(engine: PocketSphinx, door: bytes) -> None:
    stream = await engine.open(nothing)
    first, second = await hear(stream, door), await hear(stream, door)
    assert second.words[0].start == pytest.approx(first.words[0].start, abs=0.05)


async def test_partials_are_whole_hypotheses_and_come_only_when_they_change(engine: PocketSphinx, door: bytes) -> None:
    partials: list[str] = []
    ended = asyncio.Event()

    def note(text: str) -> None:
        partials.append(text)
        if text.endswith("closed"):
            ended.set()

    stream = await engine.open(note)
    stream.feed(door)
    async with asyncio.timeout(30):
        await ended.wait()
    assert (await stream.finish()).text == DOOR
    assert len(partials) > 3
    assert all(before != after for before, after in itertools.pairwise(partials))


async def test_utterances_follow_one_another_without_waiting(engine: PocketSphinx, door: bytes) -> None:
    stream = await engine.open(nothing)
    stream.feed(door)
    first = asyncio.create_task(stream.finish())
    await asyncio.sleep(0)  # lets the task begin; no time passes
    stream.feed(SILENCE)
    second = asyncio.create_task(stream.finish())
    await asyncio.sleep(0)
    stream.feed(door)
    assert [(await first).text, (await second).text, (await stream.finish()).text] == [DOOR, "", DOOR]


async def test_callers_do_not_hear_one_another(engine: PocketSphinx, door: bytes) -> None:
    one, other = await engine.open(nothing), await engine.open(nothing)
    texts = [transcript.text for transcript in await asyncio.gather(hear(one, door), hear(other, SILENCE))]
    assert texts == [DOOR, ""]


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.1, 3.0])
async def test_silence_is_an_empty_transcript(engine: PocketSphinx, seconds: float) -> None:
    stream = await engine.open(nothing)
    assert await hear(stream, bytes(2 * int(seconds * 16_000))) == Transcript("")


async def test_the_noise_of_a_quiet_room_is_an_empty_transcript(engine: PocketSphinx) -> None:
    # In louder white noise PocketSphinx does hear a word ("if"): that is for the voice activity detector to keep out.
    noise = np.random.default_rng(1).normal(0, 3, 32_000).astype("<i2").tobytes()
    assert await hear(await engine.open(nothing), noise) == Transcript("")


async def test_a_dropped_utterance_leaves_nothing_behind(engine: PocketSphinx, door: bytes) -> None:
    stream = await engine.open(nothing)
    stream.feed(door)
    stream.reset()
    assert await stream.finish() == Transcript("")
    assert (await hear(stream, door)).text == DOOR


async def test_half_a_sample_is_refused(engine: PocketSphinx) -> None:
    stream = await engine.open(nothing)
    with pytest.raises(ValueError, match="16-bit"):
        stream.feed(b"123")


async def test_a_killed_worker_fails_its_utterance_and_no_other(engine: PocketSphinx, door: bytes) -> None:
    stream = await engine.open(nothing)
    await hear(stream, SILENCE)
    stream.feed(door)
    workers()[0].kill()
    with pytest.raises(EngineError, match="ended unexpectedly") as caught:
        await stream.finish()
    assert caught.value.stage == "asr"
    assert (await hear(stream, door)).text == DOOR


async def test_a_worker_killed_between_utterances_is_replaced(engine: PocketSphinx, door: bytes) -> None:
    stream = await engine.open(nothing)
    await hear(stream, SILENCE)
    link = stream._link
    assert link is not None
    workers()[0].kill()
    await link.lost
    assert (await hear(stream, door)).text == DOOR


async def test_a_killed_nursery_is_replaced_and_its_workers_go_on(engine: PocketSphinx, door: bytes) -> None:
    old = await engine.open(nothing)
    await hear(old, SILENCE)
    orphan = workers()[0]
    nursery = nurseries()[0]
    nursery.kill()
    nursery.wait(10)
    new = await engine.open(nothing)
    assert [transcript.text for transcript in await asyncio.gather(hear(old, door), hear(new, door))] == [DOOR, DOOR]
    await old.close()
    gone, alive = psutil.wait_procs([orphan], timeout=10)
    assert (len(gone), alive) == (1, [])


async def test_a_worker_that_does_not_keep_up_fails_the_utterance_and_is_replaced(door: bytes) -> None:
    engine = PocketSphinx(backlog_s=2.0)
    stream = await engine.open(nothing)
    await hear(stream, SILENCE)
    workers()[0].suspend()
    for _ in range(100):
        stream.feed(SILENCE)
    with pytest.raises(EngineError, match="3 s behind"):
        await stream.finish()
    assert (await hear(stream, door)).text == DOOR
    await engine.close()
    assert processes() == []


async def test_a_worker_that_does_not_answer_is_given_up(door: bytes) -> None:
    engine = PocketSphinx(finish_timeout_s=0.01)
    stream = await engine.open(nothing)
    stream.feed(door)
    with pytest.raises(EngineTimeout):
        await stream.finish()
    assert stream._link is None
    await engine.close()


async def test_workers_leave_an_interrupt_to_the_server(engine: PocketSphinx, door: bytes) -> None:
    stream = await engine.open(nothing)
    await hear(stream, SILENCE)
    for process in processes():
        process.send_signal(signal.SIGINT)
    assert (await hear(stream, door)).text == DOOR


async def test_close_is_idempotent_and_ends_the_worker(engine: PocketSphinx) -> None:
    stream = await engine.open(nothing)
    await hear(stream, SILENCE)
    gone = workers()
    stream.feed(SILENCE)
    waiting = asyncio.create_task(stream.finish())
    await asyncio.sleep(0)
    await stream.close()
    await stream.close()
    with pytest.raises(EngineError, match="closed"):
        await waiting
    stream.feed(SILENCE)
    assert await stream.finish() == Transcript("")
    assert psutil.wait_procs(gone, timeout=10)[1] == []


async def test_it_runs_where_there_is_no_fork(door: bytes) -> None:
    engine = PocketSphinx(fork=False)
    stream = await engine.open(nothing)
    assert (await hear(stream, door)).text == DOOR
    await engine.close()
    assert processes() == []


SERVER = """
import asyncio, sys
import psutil
from tandem_server.engines.pocketsphinx import PocketSphinx

async def main():
    engine = PocketSphinx()
    streams = [await engine.open(print) for _ in range(3)]
    for stream in streams:
        stream.feed(bytes(32000))
        await stream.finish()
    assert "pocketsphinx" not in sys.modules, "the decoder must not be in the server's process"
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_nothing_outlives_a_server_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
        assert len(processes) == 4
        server.kill()
    gone, alive = psutil.wait_procs(processes, timeout=20)
    assert (len(gone), alive) == (4, [])
