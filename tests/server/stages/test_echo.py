"""The agent's voice in the microphone. Echoes are made here, so their delay and gain are known; noise that swells like
syllables stands for both voices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, WIRE_RATE, Audio, float_to_pcm16, resample
from tandem_server.stages.echo import EchoRemover, Loudspeaker
from tandem_server.stages.echo_canceller import LATE

SECOND = SAMPLE_RATE // VAD_FRAME
"""Frames (31)"""
WIRE_FRAME = 768
"""32 ms at 24 kHz"""


def voice(seconds: float, seed: int, level: float = 0.1) -> Audio:
    """(T,) at SAMPLE_RATE: noise in four swells a second."""
    count = int(seconds * SAMPLE_RATE)
    swell = 0.55 - 0.45 * np.cos(2.0 * np.pi * 4.0 * np.arange(count) / SAMPLE_RATE)
    noise = np.random.default_rng(seed).standard_normal(count + 1)
    return (level * swell * (noise[1:] + noise[:-1])).astype(np.float32)


def late(audio: Audio, milliseconds: float, gain: float = 0.25) -> Audio:
    """The same, so much later and softer."""
    before = np.zeros(round(milliseconds * SAMPLE_RATE / 1000), np.float32)
    return np.asarray(gain * np.concatenate([before, audio])[: len(audio)], np.float32)


def room(count: int, level: float = 1e-4) -> Audio:
    """The noise (-80 dB) that every microphone has."""
    return (level * np.random.default_rng(99).standard_normal(count)).astype(np.float32)


def judged(detector: EchoRemover, agent: Audio, microphone: Audio) -> list[bool]:
    """Of every frame: is it said to be nothing but echo, or 10 dB less when the echo is taken out? The agent's audio is
    sent at once when the first is heard."""
    detector.loudspeaker.play(float_to_pcm16(resample(agent, SAMPLE_RATE, WIRE_RATE)))
    heard = microphone + room(len(microphone))
    frames = [heard[begin : begin + VAD_FRAME] for begin in range(0, len(heard) - VAD_FRAME + 1, VAD_FRAME)]
    verdicts = [False]
    for frame in frames:
        rest = detector.hear(frame.astype(np.float32))
        gone = rest.echo and power(rest.audio) < 0.1 * power(frame)
        verdicts.append(rest.alone or gone or (power(frame) < 3e-7 and verdicts[-1]))  # what is silent is as before
    return verdicts[1:]


def power(audio: Audio) -> float:
    return float(np.mean(np.square(audio)))


def left(detector: EchoRemover, agent: Audio, microphone: Audio) -> Audio:
    """What voices are looked for in: silence where nobody else is said to be heard."""
    detector.loudspeaker.play(float_to_pcm16(resample(agent, SAMPLE_RATE, WIRE_RATE)))
    heard = microphone + room(len(microphone))
    frames = [detector.hear(heard[begin : begin + VAD_FRAME]) for begin in range(0, len(heard) - 511, VAD_FRAME)]
    return np.concatenate([frame.audio * (not frame.alone) for frame in frames])


def share(verdicts: list[bool]) -> float:
    return sum(verdicts) / len(verdicts)


# What is played -----------------------------------------------------------------------------------------------------
def test_the_loudspeaker_plays_what_it_was_given_in_order_and_then_silence() -> None:
    loudspeaker = Loudspeaker()
    sine = 0.5 * np.sin(2.0 * np.pi * 500.0 * np.arange(3 * WIRE_FRAME) / WIRE_RATE)
    pcm = float_to_pcm16(sine.astype(np.float32))
    for begin in range(0, len(pcm), 1000):  # however it is cut
        loudspeaker.play(pcm[begin : begin + 1000])
    played = np.concatenate([loudspeaker.frame() for _ in range(5)])

    assert loudspeaker.behind == 24  # the resampler holds back 24 periods of 16 kHz
    # The same sine at the other rate, 24 samples later.
    expected = np.sin(2.0 * np.pi * 500.0 * np.arange(3 * VAD_FRAME) / SAMPLE_RATE) / 2
    np.testing.assert_allclose(played[124 : 3 * VAD_FRAME - 100], expected[100 : 3 * VAD_FRAME - 124], atol=2e-3)
    assert np.abs(played[4 * VAD_FRAME :]).max() < 1e-6
    assert loudspeaker.quiet == 2


def test_what_was_stopped_is_not_played_and_what_comes_next_begins_at_once() -> None:
    loudspeaker = Loudspeaker()
    loudspeaker.play(b"\x00\x10" * 10 * WIRE_FRAME)
    loudspeaker.frame()
    loudspeaker.stop()
    loudspeaker.frame()
    assert loudspeaker.quiet == 1
    loudspeaker.play(b"\x00\x10" * WIRE_FRAME)
    loudspeaker.frame()
    assert loudspeaker.quiet == 0


# Where the echo is --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("milliseconds", [5, 20, 130, 600, 1400])
def test_the_delay_is_found_to_the_sample_pair(milliseconds: int) -> None:
    detector, agent = EchoRemover(), voice(4.0, 1)
    assert detector.delay is None
    judged(detector, agent, late(agent, milliseconds))
    assert detector.delay == pytest.approx(milliseconds * 16, abs=2)


@pytest.mark.parametrize("gain", [0.5, 0.1, 0.01])
def test_an_echo_is_known_within_the_160_ms_that_interrupt_and_from_then_on(gain: float) -> None:
    agent = voice(6.0, 2)
    verdicts = judged(EchoRemover(), agent, late(agent, 320, gain))
    assert not any(verdicts[:10])  # 320 ms: nothing has come back yet
    assert any(verdicts[10:15])
    assert share(verdicts[15:]) >= 0.97


def test_an_echo_through_a_room_is_known() -> None:
    agent = voice(6.0, 2)
    decay = 10.0 ** (-3.0 * np.arange(6400) / 6400)  # 60 dB in 0.4 s
    tail = np.random.default_rng(3).standard_normal(6400) * decay
    tail *= 1.0 / np.sqrt(np.sum(np.square(tail)))  # as strong as the direct sound
    through = (agent + np.convolve(agent, tail)[: len(agent)]).astype(np.float32)
    assert share(judged(EchoRemover(), agent, late(through, 200))[20:]) >= 0.95


@pytest.mark.parametrize(
    "loudspeaker",
    [
        pytest.param(lambda x: np.tanh(3.0 * x / 0.4) * 0.4 / 3.0, id="small"),
        pytest.param(lambda x: np.clip(x, -0.2, 0.2), id="clipped"),
    ],
)
def test_an_echo_that_is_not_linear_is_known(loudspeaker: Callable[[Audio], Audio]) -> None:
    agent = voice(6.0, 2)
    verdicts = judged(EchoRemover(), agent, late(loudspeaker(agent).astype(np.float32), 200, 0.5))
    assert share(verdicts[20:]) >= 0.9


# Who else speaks ----------------------------------------------------------------------------------------------------
def test_without_an_agent_nothing_is_echo() -> None:
    user = voice(3.0, 5)
    assert not any(judged(EchoRemover(), np.zeros(0, np.float32), user))


def test_while_nothing_is_played_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, agent = EchoRemover(), voice(3.0, 1)
    judged(detector, agent, late(agent, 200))
    judged(detector, np.zeros(0, np.float32), room(3 * SAMPLE_RATE))  # until no echo can come any more
    monkeypatch.setattr("tandem_server.stages.echo.spectrum", lambda _: pytest.fail("a spectrum was computed"))
    assert not any(judged(detector, np.zeros(0, np.float32), voice(3.0, 5)))


def test_noise_that_rose_while_the_agent_was_silent_is_no_user() -> None:
    detector, first, second = EchoRemover(), voice(2.0, 1), voice(2.0, 2)
    judged(detector, first, late(first, 200))
    judged(detector, np.zeros(0, np.float32), room(10 * SAMPLE_RATE, 3e-2))  # -80 dB before, now -30
    verdicts = judged(detector, second, late(second, 200) + room(len(second), 3e-2))
    assert share(verdicts[7 + 6 :]) >= 0.95


def test_a_user_with_headphones_is_no_echo() -> None:
    detector = EchoRemover()
    assert not any(judged(detector, voice(6.0, 1), voice(6.0, 5)))
    assert detector.delay is None


def test_silence_is_no_echo() -> None:
    assert not any(judged(EchoRemover(), voice(3.0, 1), np.zeros(3 * SAMPLE_RATE, np.float32)))


@pytest.mark.parametrize("louder_db", [6, 0])
def test_a_user_is_heard_over_the_first_echo_of_all_and_the_echo_is_known_again_afterwards(louder_db: int) -> None:
    agent = voice(6.0, 1)
    echo = late(agent, 200)
    user = np.zeros_like(echo)
    begin, end = 2 * SAMPLE_RATE, 3 * SAMPLE_RATE
    user[begin:end] = 0.25 * 10.0 ** (louder_db / 20.0) * voice(1.0, 5)
    verdicts = judged(EchoRemover(), agent, echo + user)

    first, last = begin // VAD_FRAME + 1, end // VAD_FRAME
    assert share(verdicts[40:first]) == 1.0
    assert not any(verdicts[first + 3 : first + 7])  # 128 ms that interrupt, after 96 to notice (the voice swells)
    assert share(verdicts[first:last]) <= 0.4
    assert share(verdicts[last + SECOND // 2 :]) >= 0.97


@pytest.mark.parametrize("louder_db", [6, 0, -6])
def test_once_the_echo_is_well_known_the_user_alone_is_left(louder_db: int) -> None:
    agent = voice(9.0, 1)
    echo = late(agent, 200)
    user = np.zeros_like(echo)
    begin, end = 5 * SAMPLE_RATE, 6 * SAMPLE_RATE
    user[begin:end] = 0.25 * 10.0 ** (louder_db / 20.0) * voice(1.0, 5)
    rest = left(EchoRemover(), agent, echo + user)

    assert power(rest[4 * SAMPLE_RATE : begin]) <= 0.003 * power(echo[4 * SAMPLE_RATE : begin])  # 25 dB less
    spoken, same = rest[begin + LATE : end + LATE], user[begin:end]  # from the first sample on
    assert np.corrcoef(spoken, same)[0, 1] >= 0.85
    assert 0.25 * power(same) <= power(spoken) <= 1.5 * power(same)
    assert power(rest[end + SAMPLE_RATE :]) <= 0.003 * power(echo[end + SAMPLE_RATE :])


def test_a_click_over_the_echo_does_not_let_the_echo_be_heard() -> None:
    agent = voice(9.0, 1)
    echo = late(agent, 200)
    click, begin = np.zeros_like(echo), 5 * SAMPLE_RATE
    click[begin : begin + 800] = voice(0.05, 5, 2.0)  # 50 ms, louder than the echo
    rest = left(EchoRemover(), agent, echo + click)
    after = slice(begin + 2 * VAD_FRAME, begin + SAMPLE_RATE)
    assert power(rest[after]) <= 0.01 * power(echo[after])


def test_the_end_of_an_echo_belongs_to_it_until_somebody_speaks() -> None:
    agent = np.concatenate([voice(4.0, 1), np.zeros(4 * SAMPLE_RATE, np.float32)])
    user = np.concatenate([np.zeros(5 * SAMPLE_RATE, np.float32), 0.25 * voice(3.0, 5)])
    verdicts = judged(EchoRemover(), agent, late(agent, 200) + user)
    assert share(verdicts[20 : 5 * SECOND]) >= 0.97  # detectors of voices hear one for a while after it has ended
    assert not any(verdicts[5 * SAMPLE_RATE // VAD_FRAME :])


# What changes -------------------------------------------------------------------------------------------------------
def test_a_new_gain_is_learnt() -> None:
    agent = voice(8.0, 1)
    echo = late(agent, 200)
    echo[4 * SAMPLE_RATE :] *= 3.0
    verdicts = judged(EchoRemover(), agent, echo)
    assert share(verdicts[5 * SECOND :]) >= 0.97


def test_a_new_delay_is_found() -> None:
    agent = voice(8.0, 1)
    half = 4 * SAMPLE_RATE
    detector = EchoRemover()
    verdicts = judged(detector, agent, np.concatenate([late(agent, 150)[:half], late(agent, 450)[half:]]))
    assert detector.delay == pytest.approx(450 * 16, abs=2)
    assert share(verdicts[5 * SECOND :]) >= 0.97


@pytest.mark.parametrize("ppm", [100, -100])
def test_clocks_that_drift_apart_are_followed(ppm: int) -> None:
    agent = voice(30.0, 1)
    finer = resample(agent, SAMPLE_RATE, 8 * SAMPLE_RATE)
    clock = 8.0 * np.arange(len(agent)) * (1.0 + ppm * 1e-6)
    drifting = np.interp(clock, np.arange(len(finer)), finer).astype(np.float32)
    assert share(judged(EchoRemover(), agent, late(drifting, 200))[SECOND:]) >= 0.97


def test_the_way_is_remembered_from_one_reply_to_the_next() -> None:
    detector, first, second = EchoRemover(), voice(3.0, 1), voice(3.0, 2)
    quiet = np.zeros(6 * SAMPLE_RATE, np.float32)
    judged(detector, first, np.concatenate([late(first, 200), quiet]))
    verdicts = judged(detector, second, late(second, 230))  # the client's buffer is never quite the same
    assert detector.delay == pytest.approx(230 * 16, abs=2)
    assert share(verdicts[7 + 4 :]) >= 0.97  # heard from frame 7 on, and known before 160 ms have passed


def test_after_a_reply_was_cut_off_the_next_is_in_step() -> None:
    detector, cut, following = EchoRemover(), voice(20.0, 1), voice(4.0, 2)
    heard = late(cut, 200)[: 4 * SAMPLE_RATE]
    judged(detector, cut, heard)
    detector.loudspeaker.stop()
    judged(detector, np.zeros(0, np.float32), np.zeros(3 * SAMPLE_RATE, np.float32))
    assert share(judged(detector, following, late(following, 200))[10:]) >= 0.97
