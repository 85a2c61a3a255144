"""How well a vocoder gives back speech from its mel: PESQ, STOI and mel distance, beside Griffin-Lim."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem_models.griffin_lim import griffin_lim
from tandem_models.mel import HOP, RATE, log_mel
from tandem_models.signal import SAMPLE_RATE, resample
from tandem_training.voice_data import Corpus, Example, read_audio

_UTTERANCES: Final = 40
"""PESQ takes a tenth of a second for each second"""


def compare(corpus: Corpus, test: Sequence[Example], vocoder: Callable[[Tensor], Tensor]) -> Mapping[str, float]:
    """Means over unseen utterances of the vocoder and of Griffin-Lim with 32 iterations; PESQ and STOI if installed."""
    found: dict[str, list[float]] = {}
    for one in test[:_UTTERANCES]:
        wanted = read_audio(corpus, one.utterance)[: one.frames * HOP]
        mel = torch.from_numpy(one.mel).unsqueeze(0)
        for name, synthesise in (("vocoder", vocoder), ("griffin_lim", griffin_lim)):
            begun = time.process_time()
            with torch.no_grad():
                audio = synthesise(mel)
            spent = time.process_time() - begun
            figures = {**scores(wanted, audio[0].numpy()), "rtf": spent * RATE / len(wanted)}
            figures["mel_l1"] = (log_mel(audio) - mel).abs().mean().item()
            for figure, value in figures.items():
                found.setdefault(f"{name}_{figure}", []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def scores(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> dict[str, float]:
    """PESQ (wide band, 1 to 4.6) and STOI (0 to 1) at 16 kHz; empty without the packages, which need a compiler."""
    try:
        from pesq import pesq
        from pystoi import stoi
    except ImportError:
        return {}
    one, other = (resample(audio, RATE, SAMPLE_RATE) for audio in (wanted, found))
    count = min(len(one), len(other))
    measured: dict[str, Any] = {
        "pesq": pesq(SAMPLE_RATE, one[:count], other[:count], "wb"),
        "stoi": stoi(one[:count], other[:count], SAMPLE_RATE),
    }
    return {name: float(value) for name, value in measured.items()}
