"""Train an entrainment model as it is used: it listens to two people, or speaks for one of them and hears itself.

A growing share of the dialogues is without the agent's recorded turns: there the model learns from what a voice would
have made of its own predictions. Validation is always of that kind, on a Talk that holds none of the agent's turns, and
its L1 chooses the checkpoint. The loss is the pinball loss of five quantiles and the filters' log likelihood.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from tandem_models.checkpoint import Card, save
from tandem_models.entrainment import CONFIGURATIONS, QUANTILES, EntrainmentConfig, EntrainmentModel
from tandem_models.entrainment_text import read_vectors
from tandem_training.augment import Augmentation
from tandem_training.job import Job
from tandem_training.loop import Schedule, batches, load_best, train
from tandem_training.rollout import Trace
from tandem_training.rollout import run as roll
from tandem_training.simulate import VOCABULARY, WORLDS, Array, Dialogues, simulate
from tandem_training.specs import Entrainment
from tandem_training.turns import Talk, Targets, Units, as_agent, calibrated, collate, fit_units, with_partner

SCORED: Final = 4
"""The first turn that counts in scores: before it, nobody can know much."""
_VALIDATION_SEED: Final = 10_000
_CLIP: Final = 1.0
_WARM: Final = 0.1


def run(spec: Entrainment, job: Job) -> None:
    """Train, and write the best weights as a checkpoint folder. Raises ValueError for a spec that names nothing."""
    torch.set_num_threads(1)
    trainee = Trainee(spec)
    schedule = Schedule(
        spec.steps,
        spec.seed,
        log_every=10,
        validate_every=spec.validate_every,
        save_every=spec.validate_every,
        patience=spec.patience,
        tensorboard=spec.tensorboard,
    )
    outcome = train(trainee, schedule, job)
    load_best(job.folder, trainee)
    figures = dict(trainee.validate())
    found: dict[str, Any] = {"ended": outcome.ended, "steps": outcome.progress.step, "seconds": outcome.seconds}
    found |= {"best_step": outcome.progress.best_step, "validation": figures, "couplings": couplings(trainee.model)}
    if spec.export:
        export(trainee, job, figures, outcome.progress.best_step)
        found["checkpoint"] = "checkpoint"
    job.progress(1.0, "done")
    job.result(found)


class Trainee:
    """One model, its data and its optimiser, as the loop wants them."""

    def __init__(self, spec: Entrainment) -> None:
        self.spec = spec
        torch.manual_seed(spec.seed)
        self.model = EntrainmentModel(configuration(spec))
        if spec.vectors is not None:
            start_from(self.model, spec)
        core = [p for name, p in self.model.named_parameters() if name.startswith("core.")]
        rest = [p for name, p in self.model.named_parameters() if not name.startswith("core.")]
        self.optimiser = torch.optim.Adam([{"params": rest}, {"params": core}])
        self.highest = (spec.learning_rate, spec.core_learning_rate)

    @property
    def modules(self) -> Mapping[str, torch.nn.Module]:
        return {"model": self.model}

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser}

    @cached_property
    def corpora(self) -> list[tuple[Dialogues, Units]]:
        """Training dialogues of each world, and its units, fitted to them."""
        found = []
        for name in self.spec.worlds:
            drawn = simulate(WORLDS[name], self.spec.dialogues, self.spec.seed, self.spec.turns)
            found.append((drawn, fit_units(drawn)))
        return found

    @cached_property
    def held_out(self) -> tuple[Talk, Targets]:
        """Validation speakers: other people, one of whom the model has to speak for."""
        units = self.corpora[0][1]
        world = WORLDS[self.spec.worlds[0]]
        drawn = simulate(world, self.spec.validation, _VALIDATION_SEED, self.spec.turns)
        talk, targets = collate(drawn, units)
        random = np.random.default_rng(_VALIDATION_SEED)
        agent = torch.from_numpy(random.integers(2, size=len(talk)))
        talk = calibrated(talk, agent, drawn.usual, units, random)
        own = (talk.speaker == agent[:, None])[..., None]
        return as_agent(talk, agent), Targets(targets.value, targets.seen * own)

    def step(self, number: int) -> Mapping[str, float]:
        """One update; everything random comes from the seed and the number."""
        random = np.random.default_rng((self.spec.seed, number))
        self.model.train()
        self._set_learning_rate(number)
        talk, targets = self.batch(number, random)
        trace = roll(self.model, talk, random, score=targets)
        pinball = pinball_loss(trace.quantiles, targets)
        surprise = -trace.evidence.sum() / targets.seen.sum()
        loss = pinball + surprise
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        self.optimiser.step()
        return {"loss": float(loss.detach()), "pinball": float(pinball.detach()), "nll": float(surprise.detach())}

    def validate(self) -> Mapping[str, float]:
        """Free-running L1 and pinball, agent's turns only, in population units."""
        talk, targets = self.held_out
        trace = free_running(self.model, talk)
        late = Targets(targets.value[:, SCORED:], targets.seen[:, SCORED:])
        return {
            "loss": absolute_error(trace.median[:, SCORED:], late),
            "pinball": float(pinball_loss(trace.quantiles[:, SCORED:], late)),
        }

    def batch(self, number: int, random: np.random.Generator) -> tuple[Talk, Targets]:
        """Batch `number`: what may be known, and what is to be predicted."""
        world = (number - 1) % len(self.corpora)
        dialogues, units = self.corpora[world]
        lengths = [self.spec.turns] * len(dialogues)
        place = (number - 1) // len(self.corpora) + 1
        rows = np.array(batches(lengths, self.spec.batch, self.spec.seed, place))
        chosen = dialogues[rows]
        if self.spec.augment:
            chosen = Augmentation().start(chosen, random)
        talk, targets = collate(chosen, units)
        agent = torch.from_numpy(random.integers(2, size=len(talk)))
        if self.spec.partner == "shuffled":
            talk, targets = shuffled(talk, targets, agent, random)
        talk = Augmentation().vary(talk, random) if self.spec.augment else talk
        return self._some_speak(talk, agent, chosen.usual, units, number, random), targets

    def _some_speak(
        self, talk: Talk, agent: Tensor, usual: Array, units: Units, number: int, random: np.random.Generator
    ) -> Talk:
        """Half of the agents have a calibrated voice; a share that grows over the first half has to speak."""
        known = calibrated(talk, agent, usual, units, random)
        rows = (np.flatnonzero(random.random(len(talk)) < 0.5),)
        talk = replace(talk, normaliser=talk.normaliser.replaced(rows, known.normaliser[rows]))
        share = self.spec.speaking * min(1.0, 2.0 * number / self.spec.steps)
        speaks = torch.from_numpy(random.random(len(talk)) < share)
        alone = as_agent(talk, agent)
        return replace(
            talk,
            value=torch.where(speaks[:, None, None], alone.value, talk.value),
            given=torch.where(speaks[:, None], alone.given, talk.given),
        )

    def _set_learning_rate(self, number: int) -> None:
        """Up over a tenth, then down along half a cosine."""
        share = number / self.spec.steps
        factor = share / _WARM if share < _WARM else 0.5 + 0.5 * math.cos(math.pi * (share - _WARM) / (1.0 - _WARM))
        for group, highest in zip(self.optimiser.param_groups, self.highest, strict=True):
            group["lr"] = highest * max(factor, 0.01)


def free_running(model: EntrainmentModel, talk: Talk, seed: int = _VALIDATION_SEED) -> Trace:
    """The model speaks for the agent whose turns the talk lacks. It is given no targets, so it cannot be forced.

    Raises ValueError for a talk in which nobody is to be spoken for.
    """
    if bool(talk.given.all()):
        raise ValueError("every turn is given: take the agent's away with as_agent first")
    return listening(model, talk, seed)


def listening(model: EntrainmentModel, talk: Talk, seed: int = _VALIDATION_SEED) -> Trace:
    """The model in use, without dropout or gradients."""
    model.eval()
    with torch.inference_mode():
        return roll(model, talk, np.random.default_rng(seed))


def pinball_loss(quantiles: Tensor, targets: Targets) -> Tensor:
    """Summed over the five quantiles, mean over what was seen."""
    levels = torch.tensor(QUANTILES)
    error = targets.value[..., None] - quantiles
    loss = torch.maximum(levels * error, (levels - 1.0) * error).sum(-1)
    return (loss * targets.seen).sum() / targets.seen.sum()


def absolute_error(predicted: Tensor, targets: Targets) -> float:
    """Mean over what was seen, population units."""
    return float(((predicted - targets.value).abs() * targets.seen).sum() / targets.seen.sum())


def shuffled(talk: Talk, targets: Targets, agent: Tensor, random: np.random.Generator) -> tuple[Talk, Targets]:
    """Every agent hears the next dialogue's partner in a random order; only the agent's turns stay targets."""
    order = random.permutation(len(talk))
    partners = np.empty_like(order)
    partners[order] = np.roll(order, 1)
    own = (talk.speaker == agent[:, None])[..., None]
    return with_partner(talk, agent, torch.from_numpy(partners)), Targets(targets.value, targets.seen * own)


def configuration(spec: Entrainment) -> EntrainmentConfig:
    """The config that the spec names. Raises ValueError for a name that there is not."""
    if spec.configuration not in CONFIGURATIONS:
        raise ValueError(f"no configuration {spec.configuration!r}; there are {', '.join(CONFIGURATIONS)}")
    if unknown := sorted(set(spec.worlds) - set(WORLDS)):
        raise ValueError(f"no world {unknown[0]!r}; there are {', '.join(WORLDS)}")
    vocabulary = VOCABULARY if spec.text in ("words", "bidirectional") else ()
    size = WORLDS[spec.worlds[0]].dimensions
    found = replace(CONFIGURATIONS[spec.configuration], text=spec.text, vocabulary=vocabulary, text_size=size)
    return replace(found, hidden=spec.hidden) if spec.hidden is not None else found


def start_from(model: EntrainmentModel, spec: Entrainment) -> None:
    """Give the words the vectors of a file."""
    if spec.vectors is None or spec.text not in ("words", "bidirectional"):
        raise ValueError("vectors need text 'words' or 'bidirectional'")
    with torch.no_grad():
        table = read_vectors(spec.vectors, VOCABULARY, model.config.text_size)
        model.get_parameter("words.embedding.weight").copy_(table)


def couplings(model: EntrainmentModel) -> dict[str, Any]:
    """Who follows whom: each type's share, alpha and beta per feature, as learnt."""
    if not model.uses_core:
        return {}
    neutral = torch.ones(1, model.core.alpha_raw.shape[1])
    alpha, beta = (part[0].tolist() for part in model.core.coupling(neutral, neutral))
    return {
        "share": torch.softmax(model.core.type_logit, 0).tolist(),
        "alpha": alpha,
        "beta": beta,
        "phi": model.core.phi().tolist(),
    }


def export(trainee: Trainee, job: Job, figures: Mapping[str, float], step: int) -> None:
    """The checkpoint folder: weights, TorchScript, card."""
    model = trainee.model.eval()
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(model), script)
    spec = trainee.spec
    card = Card(
        title=f"Entrainment model: {spec.configuration}",
        summary="Predicts how a speaker's next turn will sound (eight prosodic features, five quantiles each) from "
        "both speakers' prosody so far and the words about to be spoken. Trained on simulated dialogues only: that "
        "it finds the entrainment planted there says nothing about how people entrain.",
        data=f"Simulated dialogues of the worlds {', '.join(spec.worlds)} (tandem_training.simulate), {spec.dialogues} "
        f"each, {spec.turns} turns, drawn with seed {spec.seed}. No recording of anybody.",
        licences=("Apache-2.0, as the code that draws the data.",),
        training={"step": step, **{key: str(value) for key, value in spec.model_dump(mode="json").items()}},
        figures={f"validation, free-running: {name} (within-speaker sd)": value for name, value in figures.items()},
        command="python -m tandem_training entrainment --spec spec.json --job-dir DIR",
    )
    save(
        job.folder / "checkpoint",
        "entrainment",
        model.config,
        card,
        weights=model.state_dict(),
        exported={"torchscript": script.getvalue()},
    )
