"""Whisper's log mel against its definition, computed the slow way, and against numbers that OpenAI published."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_server.engines.log_mel import BANDS, HOP, WINDOW, log_mel


def noise(samples: int) -> Audio:
    rising = np.linspace(0.0, 0.3, samples) * np.random.default_rng(1).standard_normal(samples)
    return rising.astype(np.float32)


def hertz(mel: float) -> float:
    """Slaney's scale: 200/3 Hz a mel up to 15 mel, then 27 mel from 1 to 6.4 kHz."""
    return mel * 200.0 / 3.0 if mel < 15.0 else 1000.0 * 6.4 ** ((mel - 15.0) / 27.0)


def band_power(audio: Audio, frame: int, band: int) -> float:
    """One number of the picture before its logarithm, by the definition: mirrored ends, Hann, sum of a triangle."""
    values = [float(value) for value in audio]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values) + 1e-7)
    samples = []
    for place in range(frame * HOP - WINDOW // 2, frame * HOP + WINDOW // 2):
        mirrored = abs(place) if place < len(values) else 2 * (len(values) - 1) - place
        samples.append((values[mirrored] - mean) / deviation)
    top = 15.0 + 27.0 * math.log(8.0) / math.log(6.4)
    low, peak, high = (hertz(top * (band + edge) / (BANDS + 1)) for edge in range(3))
    total = 0.0
    for place in range(WINDOW // 2 + 1):
        at = place * SAMPLE_RATE / WINDOW
        weight = max(min((at - low) / (peak - low), (high - at) / (high - peak)), 0.0) * 2.0 / (high - low)
        if weight:
            wave = sum(
                (0.5 - 0.5 * math.cos(angle)) * sample * cmath.exp(-1j * place * angle)
                for angle, sample in ((2.0 * math.pi * n / WINDOW, sample) for n, sample in enumerate(samples))
            )
            total += weight * abs(wave) ** 2
    return total


@pytest.mark.parametrize(("frame", "band"), [(0, 3), (1, 40), (24, 0), (25, 20), (48, 61), (49, 79)])
def test_each_number_is_what_the_definition_says(frame: int, band: int) -> None:
    audio = noise(SAMPLE_RATE // 2)
    picture = log_mel(audio)

    assert picture.shape == (BANDS, 50)
    lowest = 4.0 * float(picture.min()) - 4.0  # eight powers of ten below the loudest
    expected = max(math.log10(band_power(audio, frame, band)), lowest)
    assert float(picture[band, frame]) == pytest.approx((expected + 4.0) / 4.0, abs=1e-4)


def test_a_tone_of_1000_hertz_is_loudest_in_the_band_whose_peak_is_nearest() -> None:
    tone = np.sin(2.0 * np.pi * 1000.0 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    # 45.25 mel in 81 steps: band 26 peaks at 27 steps, 15.08 mel.
    assert set(np.argmax(log_mel(tone)[:, 5:95], axis=0).tolist()) == {26}


def test_loudness_does_not_matter_and_nothing_is_more_than_80_decibels_below_the_loudest() -> None:
    audio = noise(SAMPLE_RATE)
    assert log_mel(audio * np.float32(0.1)) == pytest.approx(log_mel(audio), abs=1e-3)
    with_silence = log_mel(np.concatenate([np.zeros(SAMPLE_RATE, np.float32), audio]))
    assert float(with_silence.max() - with_silence.min()) == pytest.approx(2.0, abs=1e-5)


def test_silence_alone_is_a_picture_too() -> None:
    assert np.all(np.isfinite(log_mel(np.zeros(SAMPLE_RATE, np.float32))))
