"""A voice that can be told how to speak, and real turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tandem_models.signal import SAMPLE_RATE, Audio, resample

Voice = Callable[..., Audio]


def speak(
    seconds: float = 1.5, pitch: float = 4.0, swing: float = 3.0, level: float = 0.1, jitter: float = 0.0
) -> Audio:
    """Harmonics of a source whose pitch (st re 100 Hz) swings sinusoidally by `swing`, four syllables a second."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    contour = pitch + swing * np.sin(2.0 * np.pi * 1.5 * time)
    if jitter:
        periods = np.random.default_rng(7).normal(0.0, 12.0 * jitter, len(time) // 100 + 1)
        contour = contour + np.repeat(periods, 100)[: len(time)]
    phase = 2.0 * np.pi * np.cumsum(100.0 * 2.0 ** (contour / 12.0)) / SAMPLE_RATE
    source = np.sum([np.sin(h * phase) / h for h in range(1, 16)], axis=0)
    envelope = 0.6 + 0.4 * np.sin(2.0 * np.pi * 4.0 * time)
    return np.asarray(level * envelope * source, np.float32)


@pytest.fixture(scope="session")
def voice() -> Voice:
    return speak


@pytest.fixture(scope="session")
def real_turns(shared_data: Path) -> list[Audio]:
    """Every third read sentence and telephone turn, of at least a second, at SAMPLE_RATE."""
    turns = [
        np.asarray(soundfile.read(path, dtype="float32")[0]) for path in sorted(shared_data.glob("speech/*/*.flac"))
    ]
    woz = shared_data / "spokenwoz_sample"
    calls = {path.stem: soundfile.read(path, dtype="float32") for path in sorted(woz.glob("audio/*.wav"))}
    for line in (woz / "turns.jsonl").read_text("utf-8").splitlines():
        turn = json.loads(line)
        audio, rate = calls[turn["dialogue"]]
        side = audio[round(turn["start"] * rate) : round(turn["end"] * rate), int(turn["role"] == "agent")]
        turns.append(resample(np.ascontiguousarray(side), rate, SAMPLE_RATE))
    return [turn for turn in turns[::3] if len(turn) >= SAMPLE_RATE]
