"""Train a voice's acoustic model: phones and prosody in, mel out.

Prosodic features are hidden at random, each and all, so that the voice also speaks with what is known only. True
durations, pitch and energy stand behind the frames in training; in evaluation, mel is judged with the teacher's
durations (frames cannot be compared otherwise) and with predicted pitch and energy; Tacotrons are also told the frames
before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from tandem_models.checkpoint import Card, Format, half, load, save
from tandem_models.mel import HOP, RATE
from tandem_models.prosody import NAMES
from tandem_models.registry import build, config_type
from tandem_models.tts import MEL_CENTRE, MEL_SCALE, VoiceConfig
from tandem_training.job import Job
from tandem_training.loop import Progress, batches, load_best, train
from tandem_training.optimise import Average, Descent, schedule
from tandem_training.specs import Voice
from tandem_training.voice_data import Corpus, Example, load_examples, read_corpus, voice_config
from tandem_training.voice_export import ACOUSTIC_METHODS, about, export, onnx_acoustic

_HIDDEN: Final = 0.2
"""Probability that a feature is not told"""
_ALL_HIDDEN: Final = 0.1
"""And that none is"""
_WEIGHTS: Final = {"duration": 0.2, "pitch": 0.2, "energy": 0.2}
"""Of the losses of phones beside that of mel"""
_VALIDATED: Final = 96
"""Utterances; the test split has all of its own"""
_TIMED: Final = 10

Batch = Mapping[str, Tensor]


def run(spec: Voice, job: Job) -> None:
    """Train, evaluate on the test split, and write the folder `model`."""
    if spec.onnx and spec.model != "fastpros":
        raise ValueError(f"{spec.model} does not go into ONNX, only fastpros does: leave onnx out")
    corpus = read_corpus(spec.corpus)
    cache = spec.cache or job.folder / "features"
    splits = {}
    for name in ("train", "valid", "test"):
        job.progress(0.0, f"features of the {name} split")
        splits[name] = load_examples(corpus, corpus.split(name), cache)
    start = load(spec.start) if spec.start else None
    kind = config_type(spec.model)
    config = start.config(kind) if start else kind(voice_config(corpus, splits["train"]))
    if config.voice.phones != corpus.phones:
        raise ValueError(f"{spec.start} has other phones than {spec.corpus}: start anew")
    trainee = Trainee(config, spec, splits["train"], splits["valid"][:_VALIDATED])
    if start:
        for module in trainee.modules.values():
            module.load_state_dict(start.weights())
    outcome = train(trainee, schedule(spec.run), job)
    load_best(job.folder, trainee)
    finish(spec, job, corpus, config, trainee.average.model, splits["test"], outcome.progress)


def finish(
    spec: Voice, job: Job, corpus: Corpus, config: Any, model: nn.Module, test: Sequence[Example], progress: Progress
) -> None:
    """Evaluate a trained model on the test split, and write the folder `model`."""
    job.progress(1.0, "evaluating")
    figures = evaluate(model, config.voice, test)
    timed = [inputs(one, config.voice) for one in test[:_TIMED]]
    exported = export(model, ACOUSTIC_METHODS, timed, lambda found: int(found[1].sum()) * HOP / RATE)
    data, licences = about(corpus)
    card = Card(
        f"{corpus.about.get('teacher', 'Voice')}, acoustic model {spec.model}",
        "Phones and prosody to log-mel (22.05 kHz, 1024, 256, 80). Any English sentence, at a pitch, range, loudness, "
        "rate and voice quality that can be asked for; what is asked is met exactly only by the realiser that follows.",
        data,
        licences,
        {"best_step": progress.best_step, "batch": spec.batch, **spec.run.model_dump(mode="json")},
        {**figures, **exported.figures},
        "tandem train voice",
    )
    weights = half(model.state_dict())
    files: dict[Format, bytes] = {"torchscript": exported.content}
    if spec.onnx:
        files["onnx"] = onnx_acoustic(model, timed[0])
    save(job.folder / "model", spec.model, config, card, weights=weights, exported=files)
    job.progress(1.0, "done")
    job.result({"model": "model", "figures": dict(card.figures)})


class Trainee:
    """An acoustic model, for the loop."""

    def __init__(self, config: Any, spec: Voice, train: Sequence[Example], valid: Sequence[Example]) -> None:
        torch.manual_seed(spec.run.seed)
        self.spec, self.voice = spec, cast("VoiceConfig", config.voice)
        self.model: nn.Module = build(spec.model, config)
        self.average = Average(self.model)
        self.descent = Descent(self.model.parameters(), spec.run)
        self.modules: Mapping[str, nn.Module] = {"model": self.model, "average": self.average.model}
        self.optimisers = {"model": self.descent.optimiser}
        self.train, self.valid = train, valid
        self.lengths = [one.frames for one in train]

    def step(self, number: int) -> Mapping[str, float]:
        self.model.train()
        chosen = batches(self.lengths, self.spec.batch, self.spec.run.seed, number)
        batch = collate([self.train[place] for place in chosen], self.voice)
        told = (torch.rand_like(batch["known"]) > _HIDDEN) & (torch.rand(len(chosen), 1) > _ALL_HIDDEN)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.spec.run.bfloat16):
            found = losses(self.model, {**batch, "known": batch["known"] * told})
        norm = self.descent.step(number, found["loss"])
        self.average.update(self.model, number)
        return {name: value.item() for name, value in found.items()} | {"gradient": norm}

    def validate(self) -> Mapping[str, float]:
        return validate(self.average.model, self.voice, self.valid, self.spec.batch)


def collate(examples: Sequence[Example], voice: VoiceConfig) -> Batch:
    """Tensors of a batch, padded with zeros."""
    longest = max(len(one.durations) for one in examples)
    frames = max(one.frames for one in examples)
    ids = {phone: place + 1 for place, phone in enumerate(voice.phones)}
    batch = {
        "phones": torch.zeros(len(examples), longest, dtype=torch.int64),
        "stress": torch.zeros(len(examples), longest, dtype=torch.int64),
        "durations": torch.zeros(len(examples), longest, dtype=torch.int64),
        "pitch": torch.zeros(len(examples), longest),
        "voiced": torch.zeros(len(examples), longest),
        "energy": torch.zeros(len(examples), longest),
        "mel": torch.zeros(len(examples), frames, len(examples[0].mel)),
    }
    for row, one in enumerate(examples):
        count = len(one.durations)
        batch["phones"][row, :count] = torch.tensor([ids[phone] for phone in one.utterance.phones])
        batch["stress"][row, :count] = torch.tensor(one.utterance.stress)
        batch["durations"][row, :count] = torch.from_numpy(one.durations)
        batch["pitch"][row, :count] = torch.from_numpy((one.phone_pitch - voice.pitch_mean) / voice.pitch_sd)
        batch["voiced"][row, :count] = torch.from_numpy(one.phone_voiced)
        batch["energy"][row, :count] = torch.from_numpy((one.phone_energy - voice.energy_mean) / voice.energy_sd)
        batch["mel"][row, : one.frames] = torch.from_numpy((one.mel.T - MEL_CENTRE) / MEL_SCALE)
    batch["prosody"], batch["known"] = scores(examples, voice)
    return batch


def inputs(one: Example, voice: VoiceConfig) -> tuple[Tensor, ...]:
    """What the model is called with to speak an utterance's text with its prosody."""
    batch = collate([one], voice)
    return batch["phones"], batch["stress"], batch["prosody"], batch["known"], plain(batch)


def plain(batch: Batch) -> Tensor:
    """Overrides (B, N, 3) that change nothing."""
    overrides = torch.zeros(*batch["phones"].shape, 3)
    overrides[:, :, 0] = 1.0
    return overrides


def scores(examples: Sequence[Example], voice: VoiceConfig) -> tuple[Tensor, Tensor]:
    """Prosody of each utterance as z (B, 8), and which are known."""
    table = np.array([[one.utterance.prosody.get(name) for name in NAMES] for one in examples], np.float64)
    z = (table - np.array(voice.prosody_mean)) / np.array(voice.prosody_sd)
    known = np.isfinite(z)
    return torch.from_numpy(np.where(known, z, 0.0)).float(), torch.from_numpy(known).float()


def losses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """L1 of the normalised mel, squared errors of phones in their units' sd, and their sum."""
    truth = (batch["durations"], batch["pitch"], batch["energy"])
    inputs = (batch["phones"], batch["stress"], batch["prosody"], batch["known"])
    mel, mask, duration, pitch, energy, further = model.teach(*inputs, truth, batch["mel"])  # type: ignore[operator]
    phones = (batch["phones"] > 0).float()
    wanted = torch.log(torch.clamp(batch["durations"].float(), min=1.0))
    found = {
        "mel": ((mel - batch["mel"]).abs() * mask).sum() / (mask.sum() * mel.size(2)),
        "duration": ((duration - wanted) ** 2 * phones).sum() / phones.sum(),
        "pitch": ((pitch - batch["pitch"]) ** 2 * batch["voiced"]).sum() / batch["voiced"].sum(),
        "energy": ((energy - batch["energy"]) ** 2 * phones).sum() / phones.sum(),
    }
    return found | {"loss": found["mel"] + further + sum(weight * found[name] for name, weight in _WEIGHTS.items())}


@torch.no_grad()
def validate(model: nn.Module, voice: VoiceConfig, examples: Sequence[Example], size: int) -> dict[str, float]:
    """Losses with all of the prosody known, and errors in units for people."""
    model.eval()
    ordered = sorted(examples, key=lambda one: one.frames)
    totals: dict[str, float] = {}
    for first in range(0, len(ordered), size):
        part = ordered[first : first + size]
        for name, value in losses(model, collate(part, voice)).items():
            totals[name] = totals.get(name, 0.0) + value.item() * len(part) / len(ordered)
    return totals


@torch.no_grad()
def evaluate(model: nn.Module, voice: VoiceConfig, examples: Sequence[Example]) -> dict[str, float]:
    """On unseen utterances, told their prosody: mel L1 (ln) with the teacher's durations and predicted pitch and
    energy, mean errors of durations (ms) and F0 (semitones) of phones, and the error of the whole length (%)."""
    model.eval()
    sums = {"mel_l1": 0.0, "duration_ms": 0.0, "pitch_st": 0.0, "length_percent": 0.0}
    for one in examples:
        batch = collate([one], voice)
        inputs = (batch["phones"], batch["stress"], batch["prosody"], batch["known"])
        truth = (batch["durations"], batch["pitch"], batch["energy"])
        _, _, _, pitch, energy, _ = model.teach(*inputs, truth, batch["mel"])  # type: ignore[operator]
        truth = (batch["durations"], pitch, energy)
        mel = model.teach(*inputs, truth, batch["mel"])[0]  # type: ignore[operator]
        frames = model.plan(*inputs, plain(batch))[3].float()  # type: ignore[operator]
        sums["mel_l1"] += (mel - batch["mel"]).abs().mean().item() * MEL_SCALE
        sums["duration_ms"] += (frames - batch["durations"]).abs().mean().item() * 1000.0 * HOP / RATE
        error = (pitch - batch["pitch"]).abs() * batch["voiced"] * voice.pitch_sd
        sums["pitch_st"] += (error.sum() / batch["voiced"].sum().clamp(min=1.0)).item()
        sums["length_percent"] += 100.0 * abs(frames.sum().item() / one.frames - 1.0)
    return {f"test_{name}": total / max(len(examples), 1) for name, total in sums.items()}
