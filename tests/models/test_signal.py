"""Streaming resampling: the same signal at another rate, in time, however it is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.signal import Audio, Resampler

RATES = [(24_000, 16_000), (16_000, 24_000), (8_000, 24_000), (24_000, 8_000), (44_100, 24_000), (24_000, 48_000)]


def sine(rate: int, frequency: float, seconds: float = 0.5) -> Audio:
    """Of amplitude 1."""
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def resampled(audio: Audio, source: int, target: int) -> Audio:
    """In one piece."""
    stream = Resampler(source, target)
    return np.concatenate([stream.feed(audio), stream.flush()])


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_is_the_same_tone_at_the_same_time(source: int, target: int) -> None:
    heard = resampled(sine(source, 440.0), source, target)
    expected = sine(target, 440.0)[: len(heard)]

    assert len(heard) == -(-(source // 2) * target // source)
    inside = slice(target // 100, -target // 100)
    np.testing.assert_allclose(heard[: len(expected)][inside], expected[inside], atol=1e-4)


def test_what_the_lower_rate_cannot_carry_is_taken_out_and_does_not_come_back_as_another_tone() -> None:
    inside = slice(200, -200)
    assert np.abs(resampled(sine(24_000, 9_000.0), 24_000, 16_000)[inside]).max() < 1e-4
    assert np.abs(resampled(sine(24_000, 7_000.0), 24_000, 16_000)[inside]).max() == pytest.approx(0.975, abs=0.005)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_nothing_is_held_back_for_longer_than_three_milliseconds(source: int, target: int) -> None:
    stream, block, out = Resampler(source, target), source // 50, 0
    for number in range(1, 20):
        out += len(stream.feed(np.zeros(block, np.float32)))
        assert number * block / source - out / target <= 0.0031


@given(st.lists(st.integers(0, 700), max_size=30), st.sampled_from(RATES))
def test_how_the_stream_is_cut_changes_nothing(cuts: list[int], rates: tuple[int, int]) -> None:
    audio = np.random.default_rng(7).standard_normal(4_000).astype(np.float32)
    stream = Resampler(*rates)
    edges = [0, *np.minimum(np.cumsum(cuts), len(audio)).astype(int).tolist(), len(audio)]
    pieces = [stream.feed(audio[begin:end]) for begin, end in pairwise(edges)]

    np.testing.assert_allclose(np.concatenate([*pieces, stream.flush()]), resampled(audio, *rates), atol=1e-6)


def test_the_same_rate_passes_through() -> None:
    audio = sine(16_000, 100.0)
    stream = Resampler(16_000, 16_000)
    assert stream.feed(audio) is audio
    assert len(stream.flush()) == 0


def test_an_empty_stream_is_empty() -> None:
    assert len(resampled(np.zeros(0, np.float32), 24_000, 16_000)) == 0
