"""A voice corpus, as the networks of a voice see it: frames of mel, F0 and energy, and what each phone has of them.

What is dear to compute is kept in a cache folder, one file an utterance; both recipes of a voice may share it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import parselmouth
import soundfile
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as arrays_to_bytes

from tandem_models.checkpoint import write_atomically
from tandem_models.mel import HOP, RATE, WINDOW, log_mel
from tandem_models.prosody import EXTRACTOR_VERSION, NAMES
from tandem_models.tts import VoiceConfig

Floats = NDArray[np.float32]
Split = Literal["train", "valid", "test"]

FLOOR: Final = 75.0
"""Hertz: F0 is looked for from here"""
CEILING: Final = 450.0
_QUIETEST: Final = 25.0
"""dB: all below it is silence"""
_REFERENCE: Final = 2e-5
"""Of decibels, as Praat has it"""


class CorpusError(ValueError):
    """The corpus cannot be used; the message names file and line."""


class Utterance(BaseModel):
    """One line of utterances.jsonl."""

    model_config = ConfigDict(frozen=True)

    id: str
    text: str
    split: Split
    audio: str
    phones: tuple[str, ...]
    ends: tuple[float, ...]
    """Seconds"""
    stress: tuple[int, ...]
    prosody: Mapping[str, float | None]
    extractor_version: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder that has been read."""

    folder: Path
    about: Mapping[str, Any]
    phones: tuple[str, ...]
    utterances: tuple[Utterance, ...]

    def split(self, name: Split) -> list[Utterance]:
        return [one for one in self.utterances if one.split == name]


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance of T frames and N phones."""

    utterance: Utterance
    mel: Floats
    """(80, T)"""
    hertz: Floats
    """(T,), 0 where there is no voice"""
    energy: Floats
    """(T,) dB"""
    durations: NDArray[np.int64]
    """(N,) frames; their sum is T"""
    phone_pitch: Floats
    """(N,) semitones re 100 Hz; between its neighbours' where a phone has no voice"""
    phone_voiced: NDArray[np.bool_]
    phone_energy: Floats
    """(N,) dB"""

    @property
    def frames(self) -> int:
        return int(self.mel.shape[1])


def read_corpus(folder: Path) -> Corpus:
    """The corpus in a folder. Raises CorpusError that names file and line."""
    try:
        about = json.loads((folder / "corpus.json").read_text("utf-8"))
        phones = about["phones"]
        lines = (folder / "utterances.jsonl").read_text("utf-8").splitlines()
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{folder} is not a voice corpus ({error}): make one with the recipe voice-corpus") from error
    utterances = []
    for number, line in enumerate(lines, 1):
        try:
            one = Utterance.model_validate_json(line)
        except ValidationError as error:
            raise CorpusError(f"{folder / 'utterances.jsonl'}, line {number}: {error}") from error
        if not len(one.phones) == len(one.ends) == len(one.stress) or not set(one.phones) <= set(phones):
            raise CorpusError(f"{folder / 'utterances.jsonl'}, line {number}: phones, ends and stress do not fit")
        if one.extractor_version != EXTRACTOR_VERSION:
            raise CorpusError(
                f"line {number} was measured by {one.extractor_version}, not {EXTRACTOR_VERSION}: make anew"
            )
        utterances.append(one)
    if missing := {"train", "valid", "test"} - {one.split for one in utterances}:
        raise CorpusError(f"{folder} has no utterances to {min(missing)} with: make it of more sentences")
    return Corpus(folder, about, tuple(phones), tuple(utterances))


def load_examples(
    corpus: Corpus, utterances: Sequence[Utterance], cache: Path, progress: Callable[[float], None] = lambda _: None
) -> list[Example]:
    """Frames of every utterance, from the cache where they are; `progress` is told the share done."""
    cache.mkdir(parents=True, exist_ok=True)
    found = []
    for place, one in enumerate(utterances):
        path = cache / f"{one.id}.safetensors"
        try:
            tracks = load_file(path)
        except (OSError, SafetensorError):
            tracks = measure(read_audio(corpus, one))
            write_atomically(path, arrays_to_bytes({**tracks, "mel": tracks["mel"].astype(np.float16)}))
        found.append(example(one, tracks))
        if place % 20 == 0:
            progress(place / len(utterances))
    return found


def read_audio(corpus: Corpus, one: Utterance, first: int = 0, count: int = -1) -> Floats:
    """Samples of an utterance. Raises CorpusError if its rate is not the voice's."""
    audio, rate = soundfile.read(corpus.folder / one.audio, frames=count, start=first, dtype="float32")
    if rate != RATE or audio.ndim != 1:
        raise CorpusError(f"{corpus.folder / one.audio} is not mono at {RATE} Hz")
    return np.asarray(audio, np.float32)


def measure(audio: Floats) -> dict[str, Any]:
    """mel (80, T), hertz (T,) with 0 for no voice, energy (T,) dB."""
    mel = log_mel(torch.from_numpy(audio).unsqueeze(0))[0].numpy()
    count = mel.shape[1]
    middles = (np.arange(count) + 0.5) * HOP
    pitch = parselmouth.Sound(audio.astype(np.float64), RATE).to_pitch_ac(
        HOP / RATE, pitch_floor=FLOOR, pitch_ceiling=CEILING
    )
    place = np.clip(np.round((middles / RATE - pitch.x1) / pitch.dx).astype(int), 0, pitch.nx - 1)
    hertz = np.asarray(pitch.selected_array["frequency"], np.float32)[place]
    padded = np.pad(audio[: count * HOP], (WINDOW - HOP) // 2)
    power = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])
    starts = np.arange(count) * HOP
    rms = np.sqrt(np.maximum(power[starts + WINDOW] - power[starts], 0.0) / WINDOW)
    energy = np.maximum(20.0 * np.log10(np.maximum(rms, 1e-9) / _REFERENCE), _QUIETEST)
    return {"mel": mel, "hertz": hertz, "energy": energy.astype(np.float32)}


def example(one: Utterance, tracks: Mapping[str, Any]) -> Example:
    """An utterance with its frames: each phone's share of them."""
    mel = np.asarray(tracks["mel"], np.float32)
    hertz, energy = tracks["hertz"], tracks["energy"]
    ends = np.minimum(np.round(np.array(one.ends) * RATE / HOP).astype(np.int64), mel.shape[1])
    ends[-1] = mel.shape[1]
    ends = np.maximum.accumulate(ends)
    begins = np.concatenate([[0], ends[:-1]])
    semitones = 12.0 * np.log2(np.maximum(hertz, 1.0) / 100.0)
    voice = hertz > 0.0
    sums = [np.concatenate([[0.0], np.cumsum(track)]) for track in (semitones * voice, voice, energy)]
    pitch, voiced, loud = (track[ends] - track[begins] for track in sums)
    has = voiced > 0
    middles = 0.5 * (begins + ends)
    known = pitch[has] / voiced[has]
    filled = np.interp(middles, middles[has], known) if has.any() else np.zeros(len(ends))
    level = np.where(ends > begins, loud / np.maximum(ends - begins, 1), _QUIETEST)
    return Example(
        one, mel, hertz, energy, ends - begins, filled.astype(np.float32), has, level.astype(np.float32)
    )  # fmt: skip


def voice_config(corpus: Corpus, examples: Sequence[Example]) -> VoiceConfig:
    """What the numbers of a voice mean, from the training split."""
    table = np.array([[one.utterance.prosody.get(name) for name in NAMES] for one in examples], np.float64)
    pitch = np.concatenate([one.phone_pitch[one.phone_voiced] for one in examples])
    energy = np.concatenate([one.phone_energy for one in examples])
    known = np.isfinite(table)
    if not known.any(axis=0).all() or not len(pitch):
        raise CorpusError("the corpus has a prosodic feature that was never measured: it cannot be controlled")
    sd = np.nanstd(table, axis=0)
    return VoiceConfig(
        corpus.phones,
        tuple(float(one) for one in np.nanmean(table, axis=0)),
        tuple(float(max(one, 1e-3)) for one in sd),
        EXTRACTOR_VERSION,
        float(pitch.mean()),
        float(pitch.std()),
        float(energy.mean()),
        float(energy.std()),
    )
