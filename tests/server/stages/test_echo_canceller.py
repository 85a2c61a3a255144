"""Echoes through a filter that is known; noise that swells like syllables stands for voices."""

from __future__ import annotations

import numpy as np
import pytest

from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_server.stages.echo_canceller import BLOCK, LATE, PARTITIONS, EchoCanceller

from .test_echo import power, voice


def through(agent: Audio, seconds: float = 0.1) -> Audio:
    """The agent's voice through a room that dies away by 60 dB in that time, a quarter as loud."""
    count = int(seconds * SAMPLE_RATE)
    room = np.random.default_rng(3).standard_normal(count) * 10.0 ** (-3.0 * np.arange(count) / count)
    return np.convolve(agent, 0.25 * room / np.sqrt(np.sum(np.square(room))))[: len(agent)].astype(np.float32)


def rest(canceller: EchoCanceller, agent: Audio, microphone: Audio) -> Audio:
    before = np.concatenate([np.zeros(BLOCK, np.float32), agent])
    return np.concatenate(
        [
            canceller.remove(before[begin : begin + 2 * BLOCK], microphone[begin : begin + BLOCK])
            for begin in range(0, len(agent) - BLOCK + 1, BLOCK)
        ]
    )


def test_of_an_echo_little_is_left_after_two_seconds_and_next_to_nothing_after_five() -> None:
    agent = voice(8.0, 1)
    echo = through(agent)
    left = rest(EchoCanceller(0.0625), agent, echo)
    two, five = 2 * SAMPLE_RATE, 5 * SAMPLE_RATE
    assert power(left[two:five]) < 0.003 * power(echo[two:five])  # 25 dB
    assert power(left[five:]) < 0.001 * power(echo[five:])


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_what_the_loudspeaker_is_turned_up_or_down_to_is_learnt_within_two_seconds(factor: float) -> None:
    agent, half = voice(8.0, 1), 4 * SAMPLE_RATE
    echo = through(agent)
    echo[half:] *= factor
    left = rest(EchoCanceller(0.0625), agent, echo)
    last = half + 2 * SAMPLE_RATE
    assert power(left[last:]) < 0.003 * power(echo[last:])


def test_whoever_speaks_while_the_agent_is_silent_is_heard_unchanged_4_ms_later() -> None:
    canceller, user = EchoCanceller(0.0625), voice(2.0, 5)
    agent = voice(2.0, 1)
    rest(canceller, agent, through(agent))
    silence = np.zeros_like(user)
    begin = (PARTITIONS + 1) * BLOCK  # until the last of the echo has passed
    left = rest(canceller, silence, user)
    np.testing.assert_array_equal(left[begin:], user[begin - LATE : -LATE][: len(left) - begin])
