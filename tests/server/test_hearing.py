"""One open turn: which audio the recogniser and the extractor get, and what comes of it when either fails."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tandem_models.extract import BLOCK, UNKNOWN_RANGE, Block, BlockFeatures, analyse
from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, Audio, float_to_pcm16
from tandem_server.engines.fake_speech import buzz
from tandem_server.errors import EngineError
from tandem_server.hearing import HeardTurn
from tandem_server.stages.protocols import Transcript, Word

from .driver import USUAL

START = 10 * VAD_FRAME
VOICE = buzz(USUAL, 2.0, seed=1)


class Ears:
    """A recogniser stream that notes what it is fed and says its lines in turn."""

    def __init__(self, *lines: Transcript | Exception) -> None:
        self.lines = list(lines)
        self.fed = b""
        self.resets = 0

    def feed(self, audio: bytes) -> None:
        self.fed += audio

    async def finish(self) -> Transcript:
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line

    def reset(self) -> None:
        self.resets += 1

    async def close(self) -> None: ...


async def here(block: Block) -> BlockFeatures:
    return analyse(block)


async def broken(_: Block) -> BlockFeatures:
    raise EngineError("the worker died", stage="prosody")


def turn_with(*lines: Transcript | Exception) -> tuple[HeardTurn, Ears]:
    ears = Ears(*lines)
    return HeardTurn.begin(3, START, ears, UNKNOWN_RANGE), ears


def feed(turn: HeardTurn, audio: Audio, at: int = START) -> list[Block]:
    """Frame by frame, as the session does."""
    blocks = []
    for begin in range(0, len(audio) - VAD_FRAME + 1, VAD_FRAME):
        blocks += turn.feed(at + begin, audio[begin : begin + VAD_FRAME])
    return blocks


def said(text: str, start: float = 0.0) -> Transcript:
    """A word every half second."""
    words = text.split()
    return Transcript(text, tuple(Word(w, start + n / 2, start + n / 2 + 0.4) for n, w in enumerate(words)))


async def test_all_audio_goes_to_the_recogniser_and_in_blocks_to_the_extractor() -> None:
    turn, ears = turn_with(said("hello there"))
    blocks = feed(turn, VOICE)

    assert ears.fed == float_to_pcm16(VOICE[: len(VOICE) // VAD_FRAME * VAD_FRAME])
    assert [block.start for block in blocks] == [0, BLOCK, 2 * BLOCK]
    for block in blocks:
        turn.extractor.add(analyse(block))
    finalised = await turn.finalise(turn.pause(1), here)
    assert (finalised.turn, finalised.generation, finalised.error) == (3, 1, None)
    assert finalised.transcript == said("hello there")
    assert finalised.measured is not None and finalised.measured.prosody["pitch_mean"] == pytest.approx(6.0, abs=0.3)
    assert set(finalised.took_ms) == {"recogniser", "pause_to_final"}


async def test_after_a_finalised_pause_nothing_is_recognised_until_the_user_goes_on() -> None:
    turn, ears = turn_with(said("one"), said("two"))
    for block in feed(turn, VOICE[: 32 * VAD_FRAME]):
        turn.extractor.add(analyse(block))
    first = turn.pause(1)
    fed = len(ears.fed)
    turn.feed(START + 32 * VAD_FRAME, VOICE[:VAD_FRAME])
    assert len(ears.fed) == fed and not turn.recognising
    assert (await turn.finalise(first, here)).transcript == said("one")


async def test_what_the_recogniser_has_had_it_does_not_get_again() -> None:
    turn, ears = turn_with(said("one"), said("two"))
    feed(turn, VOICE[: 8 * VAD_FRAME])
    turn.pause(1).recognised.close()  # type: ignore[union-attr]
    before = len(ears.fed)
    # The user goes on at frame 9; the margin reaches back into what was recognised already.
    kept_from = START + 4 * VAD_FRAME
    turn.resume(START + 5 * VAD_FRAME, kept_from, VOICE[4 * VAD_FRAME : 10 * VAD_FRAME])
    assert len(ears.fed) - before == 2 * 2 * VAD_FRAME
    assert ears.fed[before:] == float_to_pcm16(VOICE[8 * VAD_FRAME : 10 * VAD_FRAME])
    assert (turn.segment_start, turn.recognised_to) == (START + 8 * VAD_FRAME, START + 10 * VAD_FRAME)


async def test_words_of_later_segments_count_from_the_start_of_the_turn() -> None:
    turn, _ = turn_with(said("one"), said("two three"))
    feed(turn, VOICE[: 8 * VAD_FRAME])
    await turn.finalise(turn.pause(1), here)
    at = START + SAMPLE_RATE
    turn.resume(at, at, VOICE[:VAD_FRAME])
    finalised = await turn.finalise(turn.pause(2), here)

    assert finalised.transcript is not None
    assert finalised.transcript.text == "one two three"
    assert [word.start for word in finalised.transcript.words] == [0.0, 1.0, 1.5]


async def test_a_pause_in_which_nothing_new_was_said_says_the_same_again() -> None:
    turn, ears = turn_with(said("one"), said("never asked"))
    feed(turn, VOICE[: 8 * VAD_FRAME])
    first = await turn.finalise(turn.pause(1), here)
    second = await turn.finalise(turn.pause(2), here)
    assert (second.generation, second.transcript) == (2, first.transcript)
    assert len(ears.lines) == 1


async def test_a_silent_segment_adds_no_space() -> None:
    turn, _ = turn_with(said("one"), said(""), said("two"))
    for generation in (1, 2, 3):
        turn.resume(turn.recognised_to, turn.recognised_to, VOICE[:VAD_FRAME])
        finalised = await turn.finalise(turn.pause(generation), here)
    assert finalised.transcript is not None and finalised.transcript.text == "one two"


async def test_a_recogniser_that_fails_has_heard_nothing_and_prosody_is_still_measured() -> None:
    turn, _ = turn_with(EngineError("deaf", stage="asr"))
    for block in feed(turn, VOICE):
        turn.extractor.add(analyse(block))
    finalised = await turn.finalise(turn.pause(1), here)
    assert (finalised.transcript, finalised.error) == (None, "deaf")
    assert finalised.measured is not None and finalised.measured.voiced > 1.0


async def test_a_recogniser_that_fails_later_keeps_what_it_had_heard() -> None:
    turn, _ = turn_with(said("one"), EngineError("deaf", stage="asr"))
    feed(turn, VOICE[: 8 * VAD_FRAME])
    await turn.finalise(turn.pause(1), here)
    turn.resume(START + SAMPLE_RATE, START + SAMPLE_RATE, VOICE[:VAD_FRAME])
    finalised = await turn.finalise(turn.pause(2), here)
    assert finalised.transcript is not None and finalised.transcript.text == "one"


async def test_measuring_that_fails_takes_no_words_away_and_silence_stays_silence() -> None:
    for line in ("hello", ""):
        turn, _ = turn_with(said(line))
        feed(turn, VOICE[: 8 * VAD_FRAME])
        turn.failure = "the worker died"  # of an earlier block
        finalised = await turn.finalise(turn.pause(1), broken)
        assert finalised.transcript is not None and finalised.transcript.text == line
        assert (finalised.measured, finalised.error) == (None, "the worker died")


async def test_a_block_that_was_never_measured_leaves_the_turn_unmeasured() -> None:
    turn, _ = turn_with(said("hello"))
    feed(turn, VOICE)  # its blocks are lost
    finalised = await turn.finalise(turn.pause(1), here)
    assert finalised.measured is None
    assert finalised.transcript == said("hello")
    assert finalised.error is not None and "has not been added" in finalised.error


async def test_the_vector_waits_for_blocks_that_are_still_being_measured() -> None:
    turn, _ = turn_with(said("hello"))
    gate = asyncio.Event()

    async def slowly(block: Block) -> None:
        await gate.wait()
        turn.extractor.add(analyse(block))

    for block in feed(turn, VOICE):
        task = asyncio.ensure_future(slowly(block))
        turn.analyses.add(task)
        task.add_done_callback(turn.analyses.discard)
    finalising = asyncio.ensure_future(turn.finalise(turn.pause(1), here))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not finalising.done()
    gate.set()
    assert (await finalising).measured is not None


async def test_pitch_is_told_on_the_clock_of_the_session() -> None:
    turn, _ = turn_with()
    blocks = feed(turn, VOICE)
    news = turn.track(analyse(blocks[1]))
    assert (news.turn, news.start_ms) == (3, (START + BLOCK) // 16)
    assert len(news.pitch) == 50
    silent = turn.track(analyse(Block(np.zeros_like(blocks[0].samples), 0, BLOCK, 0.0, UNKNOWN_RANGE)))
    assert set(silent.pitch) == {None}
