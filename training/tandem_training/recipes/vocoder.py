"""Train a voice's vocoder: log-mel in, audio out.

The network hears F0 and voicing in the mel (learnt from Praat's), and the two envelopes are learnt from how pulses and
noise at the true F0 sound through them: the magnitudes of five short-time spectra, from 6 to 93 ms.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from tandem_models.checkpoint import Card, Format, half, load, save
from tandem_models.mel import HOP, RATE, log_mel
from tandem_models.vocoder import LOWEST_PITCH, PITCH_BINS, PITCH_STEP, Vocoder, VocoderConfig, pitch_hertz
from tandem_training import specs
from tandem_training.copy_synthesis import compare
from tandem_training.job import Job
from tandem_training.loop import Progress, load_best, train
from tandem_training.optimise import Average, Descent, schedule
from tandem_training.voice_data import Corpus, Example, Floats, load_examples, read_audio, read_corpus
from tandem_training.voice_export import VOCODER_METHODS, about, export, onnx_vocoder

_SIZES: Final = (2048, 1024, 512, 256, 128)
"""Samples of each spectrum's window; it moves by a quarter"""
_WEIGHTS: Final = {"pitch": 0.1, "voicing": 0.2}
_VALIDATED: Final = 48
"""Segments"""
_TIMED: Final = 10
"""Utterances"""
_BLUR: Final = 1.0
"""Bins: the true pitch is a bell, not a peak"""

Batch = Mapping[str, Tensor]


def run(spec: specs.Vocoder, job: Job) -> None:
    """Train, evaluate by copy synthesis of the test split, and write the folder `model`."""
    corpus = read_corpus(spec.corpus)
    cache = spec.cache or job.folder / "features"
    splits = {}
    for name in ("train", "valid", "test"):
        job.progress(0.0, f"features of the {name} split")
        splits[name] = load_examples(corpus, corpus.split(name), cache)
    start = load(spec.start) if spec.start else None
    config = start.config(VocoderConfig) if start else VocoderConfig()
    trainee = Trainee(config, spec, corpus, splits["train"], splits["valid"])
    if start:
        for module in trainee.modules.values():
            module.load_state_dict(start.weights())
    outcome = train(trainee, schedule(spec.run), job)
    load_best(job.folder, trainee)
    finish(spec, job, corpus, config, trainee.average.model, splits["test"], outcome.progress)


def finish(
    spec: specs.Vocoder,
    job: Job,
    corpus: Corpus,
    config: VocoderConfig,
    model: nn.Module,
    test: Sequence[Example],
    progress: Progress,
) -> None:
    """Evaluate a trained vocoder by copy synthesis of the test split, and write the folder `model`."""
    job.progress(1.0, "evaluating")
    timed = [(torch.from_numpy(one.mel).unsqueeze(0),) for one in test[:_TIMED]]
    exported = export(model, VOCODER_METHODS, timed, lambda found: found.size(1) / RATE)
    scores = compare(corpus, test, torch.jit.load(io.BytesIO(exported.content)))
    data, licences = about(corpus)
    card = Card(
        f"{corpus.about.get('teacher', 'Voice')}, vocoder",
        "Log-mel (22.05 kHz, 1024, 256, 80) to audio: pulses at the F0 that it hears in the mel, and noise, through "
        "envelopes that it learnt. For voices like its teacher's.",
        data,
        licences,
        {"best_step": progress.best_step, "batch": spec.batch, **spec.run.model_dump(mode="json")},
        {**scores, **exported.figures},
        "tandem train voice",
    )
    weights = half(model.state_dict())
    files: dict[Format, bytes] = {"torchscript": exported.content}
    if spec.onnx:
        files["onnx"] = onnx_vocoder(model, timed[0][0])
    save(job.folder / "model", "vocoder", config, card, weights=weights, exported=files)
    job.progress(1.0, "done")
    job.result({"model": "model", "figures": dict(card.figures)})


class Trainee:
    """The vocoder, for the loop."""

    def __init__(
        self,
        config: VocoderConfig,
        spec: specs.Vocoder,
        corpus: Corpus,
        train: Sequence[Example],
        valid: Sequence[Example],
    ) -> None:
        torch.manual_seed(spec.run.seed)
        self.spec, self.corpus = spec, corpus
        self.model = Vocoder(config)
        self.average = Average(self.model)
        self.descent = Descent(self.model.parameters(), spec.run)
        self.modules: Mapping[str, nn.Module] = {"model": self.model, "average": self.average.model}
        self.optimisers = {"model": self.descent.optimiser}
        self.train = [one for one in train if one.frames >= spec.frames]
        unseen = [one for one in valid if one.frames >= spec.frames][:_VALIDATED]
        self.valid = [self.segments(unseen[first : first + 8], 0) for first in range(0, len(unseen), 8)]

    def step(self, number: int) -> Mapping[str, float]:
        self.model.train()
        random = np.random.default_rng((self.spec.run.seed, number))
        chosen = [self.train[int(place)] for place in random.integers(0, len(self.train), self.spec.batch)]
        found = losses(self.model, self.segments(chosen, number), self.spec.run.bfloat16)
        norm = self.descent.step(number, found["loss"])
        self.average.update(self.model, number)
        return {name: value.item() for name, value in found.items()} | {"gradient": norm}

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        totals: dict[str, float] = {}
        for batch in self.valid:
            for name, value in losses(self.average.model, batch).items():
                totals[name] = totals.get(name, 0.0) + value.item() / len(self.valid)
        return totals

    def segments(self, examples: Sequence[Example], number: int) -> Batch:
        """A stretch of each utterance, at a place drawn for step `number`."""
        random = np.random.default_rng((self.spec.run.seed, number, 1))
        count = self.spec.frames
        rows: dict[str, list[Floats]] = {"mel": [], "audio": [], "hertz": [], "voiced": []}
        for one in examples:
            first = int(random.integers(0, one.frames - count + 1))
            stretch = slice(first, first + count)
            rows["mel"].append(one.mel[:, stretch])
            rows["audio"].append(read_audio(self.corpus, one.utterance, first * HOP, count * HOP))
            rows["hertz"].append(steady(one.hertz)[stretch])
            rows["voiced"].append((one.hertz[stretch] > 0.0).astype(np.float32))
        return {name: torch.from_numpy(np.stack(row)) for name, row in rows.items()}


def steady(hertz: Floats) -> Floats:
    """F0 (T,) with straight lines where there is no voice."""
    voiced = np.flatnonzero(hertz > 0.0)
    if not len(voiced):
        return np.full(len(hertz), 150.0, np.float32)
    return np.asarray(np.interp(np.arange(len(hertz)), voiced, hertz[voiced]), np.float32)


def losses(model: nn.Module, batch: Batch, bfloat16: bool = False) -> dict[str, Tensor]:
    """Of spectra, of pitch (where there is voice) and of voicing, and their sum; spectra themselves need all bits."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        heard = model.hear(batch["mel"])  # type: ignore[operator]
    logits, voicing, harmonic, noisy = (one.float() for one in heard)
    audio = model.synthesise(batch["hertz"], batch["voiced"], harmonic, noisy, 0)  # type: ignore[operator]
    found = {
        "spectra": spectral_distance(audio, batch["audio"]),
        "pitch": _pitch_loss(logits, batch["hertz"], batch["voiced"]),
        "voicing": nn.functional.binary_cross_entropy_with_logits(voicing, batch["voiced"]),
    }
    with torch.no_grad():
        away = 12.0 * torch.log2(pitch_hertz(logits) / batch["hertz"]).abs() * batch["voiced"]
        errors = {
            "mel_l1": (log_mel(audio) - batch["mel"]).abs().mean(),
            "pitch_st": away.sum() / batch["voiced"].sum().clamp(min=1.0),
            "voicing_percent": 100.0 * ((voicing > 0.0) != (batch["voiced"] > 0.5)).float().mean(),
        }
    return found | errors | {"loss": found["spectra"] + sum(w * found[name] for name, w in _WEIGHTS.items())}


def spectral_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean over five resolutions of: spectral convergence, and L1 of log-magnitudes (Yamamoto 2020)."""
    total = torch.zeros(())
    for size in _SIZES:
        window = torch.hann_window(size)
        one, other = (
            torch.stft(x, size, size // 4, window=window, return_complex=True).abs().clamp(min=1e-5) + 1e-4
            for x in (found, wanted)
        )
        convergence = torch.linalg.norm(other - one, dim=(1, 2)) / torch.linalg.norm(other, dim=(1, 2)).clamp(min=0.1)
        total = total + convergence.mean() + (torch.log(other) - torch.log(one)).abs().mean()
    return total / len(_SIZES)


def _pitch_loss(logits: Tensor, hertz: Tensor, voiced: Tensor) -> Tensor:
    place = (12.0 * torch.log2(hertz / 100.0) - LOWEST_PITCH) / PITCH_STEP
    bell = torch.exp(-0.5 * ((torch.arange(PITCH_BINS) - place.unsqueeze(2)) / _BLUR) ** 2)
    bell = bell / bell.sum(dim=2, keepdim=True).clamp(min=1e-6)
    surprise = -(bell * torch.log_softmax(logits, dim=2)).sum(dim=2)
    return (surprise * voiced).sum() / voiced.sum().clamp(min=1.0)
