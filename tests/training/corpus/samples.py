"""Small corpora made by hand, and speech that Praat can hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_training.corpus.folder import Corpus, Source
from tandem_training.corpus.manifest import Turn


def voice(seconds: float, hertz: float, rate: int = SAMPLE_RATE, seed: int = 0) -> Audio:
    """(T,) something like a voice: a pulse train with jitter through two resonances, louder and softer as syllables."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    pulses = np.zeros(count)
    at = 0.0
    while at < count:
        pulses[int(at)] = 1.0 + 0.05 * random.standard_normal()
        drift = 1.0 + 0.1 * np.sin(2 * np.pi * at / rate / 1.3)
        at += rate / (hertz * drift) * (1.0 + 0.01 * random.standard_normal())
    sound = pulses + 0.002 * random.standard_normal(count)
    for formant, width in ((500.0, 80.0), (1500.0, 120.0)):
        time = np.arange(rate // 20) / rate
        sound = np.convolve(sound, np.exp(-np.pi * width * time) * np.sin(2 * np.pi * formant * time))[:count]
    loudness = 0.6 + 0.4 * np.sin(2 * np.pi * 4.0 * np.arange(count) / rate)
    sound = sound * loudness
    return np.asarray(0.3 * sound / np.abs(sound).max(), dtype=np.float32)


def stereo(path: Path, rate: int = 8000, seconds: float = 8.0) -> Path:
    """Two voices in two channels, a low one in channel 0, both all the time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    low, high = voice(seconds, 110.0, rate, 1), voice(seconds, 210.0, rate, 2)
    soundfile.write(path, np.stack([low, high], axis=1), rate)
    return path


def turn(number: int, speaker: str, start: float, end: float, dialogue: str = "d1", **fields: object) -> Turn:
    """One line of source `made`; what is not given is unknown."""
    given = {"dialogue": dialogue, "turn": number, "speaker": speaker, "start": start, "end": end, "source": "made"}
    return Turn.model_validate({**given, **fields})


def corpus(folder: Path, turns: list[Turn], audio: Path | None = None) -> Corpus:
    """A corpus with these lines."""
    made = Corpus.open_or_make(folder)
    made.put("made", Source(importer="csv", audio=None if audio is None else str(audio)), turns)
    return made


def spoken_corpus(tmp_path: Path, names: tuple[str, ...] = ("d1", "d2")) -> Corpus:
    """Dialogues of four turns with audio, words and two channels."""
    turns = []
    for name in names:
        stereo(tmp_path / "audio" / f"{name}.wav")
        for number in range(4):
            start, channel = 0.2 + 1.9 * number, number % 2
            words = tuple(
                (word, start + 0.4 * i, start + 0.4 * i + 0.35) for i, word in enumerate(("one", "seven", "two"))
            )
            turns.append(
                turn(
                    number,
                    f"{name}:{'AB'[channel]}",
                    start,
                    start + 1.5,
                    name,
                    audio=f"{name}.wav",
                    channel=channel,
                    text="one seven two",
                    words=words,
                    lang="en",
                    role="AB"[channel],
                    overlap_prev=0.0,
                )
            )
    return corpus(tmp_path / "corpus", turns, tmp_path / "audio")
