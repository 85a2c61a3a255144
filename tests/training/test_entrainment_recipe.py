"""Training an entrainment model: reproducible, resumable, and a checkpoint that can be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tandem_models.checkpoint import load
from tandem_models.entrainment import EntrainmentConfig, EntrainmentModel
from tandem_training.job import Job
from tandem_training.loop import STATE, Progress, save
from tandem_training.recipes.entrainment import Trainee, configuration, run, start_from
from tandem_training.simulate import VOCABULARY
from tandem_training.specs import Entrainment

TINY = Entrainment(
    worlds=("reference", "voices"), dialogues=16, validation=8, turns=8, steps=4, batch=8, validate_every=2, hidden=8
)


def trained(folder: Path, spec: Entrainment) -> dict[str, Any]:
    folder.mkdir()
    run(spec, Job(folder))
    found: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return found


def test_a_job_ends_with_a_checkpoint_that_runs(tmp_path: Path) -> None:
    result = trained(tmp_path / "job", TINY)
    checkpoint = load(tmp_path / "job" / "checkpoint")
    model = EntrainmentModel(checkpoint.config(EntrainmentConfig)).eval()
    model.load_state_dict(checkpoint.weights())
    script = checkpoint.script()
    usual = torch.zeros(1, 2, 8)

    assert script.start(usual, usual).core.mean.shape == model.start(usual, usual).core.mean.shape
    assert checkpoint.card.training["worlds"] == "['reference', 'voices']"
    assert "simulated dialogues only" in checkpoint.card.summary
    assert result["steps"] == 4
    assert len(result["couplings"]["alpha"]) == 3


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    trained(whole, TINY.model_copy(update={"export": False}))
    halved.mkdir()
    stopped = Trainee(TINY)
    torch.manual_seed(TINY.seed)
    for number in (1, 2):
        stopped.step(number)
    figures = stopped.validate()
    save(halved / STATE, stopped, Progress(2).validated(figures["loss"]))
    run(TINY.model_copy(update={"export": False}), Job(halved))

    one, other = (load_file(folder / STATE) for folder in (whole, halved))
    assert {name for name in one if not torch.equal(one[name], other[name])} == set()


def test_targets_are_the_recorded_turns_whoever_speaks() -> None:
    trainee = Trainee(TINY.model_copy(update={"speaking": 1.0, "augment": False}))
    talk, targets = trainee.batch(4, np.random.default_rng(1))
    _, again = trainee.batch(1, np.random.default_rng(1))

    assert not talk.given.all()
    assert (targets.seen[~talk.given] == 1.0).any()
    assert again.value.shape == targets.value.shape


def test_validation_speaks_for_one_side_of_every_dialogue() -> None:
    talk, targets = Trainee(TINY).held_out

    assert (talk.given.sum(1) == 4).all()
    assert torch.isnan(talk.value[~talk.given]).all()
    assert (targets.seen[talk.given] == 0.0).all()


@pytest.mark.parametrize("name", ["plain-gru", "2022", "no partner", "no text"])
def test_every_configuration_learns_a_step(name: str) -> None:
    text = "none" if name == "no text" else "bidirectional" if name == "2022" else "words"
    chosen = "full" if name == "no text" else name
    trainee = Trainee(TINY.model_copy(update={"configuration": chosen, "text": text}))
    before = [parameter.clone() for parameter in trainee.model.parameters()]

    assert trainee.step(1)["loss"] > 0.0
    assert any(not torch.equal(a, b) for a, b in zip(before, trainee.model.parameters(), strict=True))


def test_training_with_a_shuffled_partner_scores_the_agent_only() -> None:
    trainee = Trainee(TINY.model_copy(update={"partner": "shuffled", "augment": False, "speaking": 0.0}))
    _, targets = trainee.batch(1, np.random.default_rng(1))
    by_speaker = torch.stack([targets.seen[:, side::2].sum((1, 2)) for side in (0, 1)], 1)

    assert ((by_speaker > 0).sum(1) == 1).all()


def test_words_can_start_from_a_file_of_vectors(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(f"{VOCABULARY[4]} " + " ".join(["0.5"] * 16) + "\n", "utf-8")
    spec = TINY.model_copy(update={"vectors": path})
    model = EntrainmentModel(configuration(spec))
    start_from(model, spec)
    table = model.get_parameter("words.embedding.weight")

    assert (table[5] == 0.5).all()
    assert table.count_nonzero() == 16


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"configuration": "huge"}, "no configuration 'huge'; there are full, "),
        ({"worlds": ("mars",)}, "no world 'mars'"),
    ],
)
def test_a_name_that_there_is_not_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        configuration(TINY.model_copy(update=fields))
