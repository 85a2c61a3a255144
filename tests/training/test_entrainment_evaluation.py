"""The evaluation of an entrainment model, with one that was told the truth instead of being trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

from tandem_models.checkpoint import Card, load, save
from tandem_models.entrainment import CONFIGURATIONS, EntrainmentModel
from tandem_training.examination import Examination, between, coverage
from tandem_training.job import Job
from tandem_training.recipes.entrainment_evaluation import run
from tandem_training.simulate import WORLDS
from tandem_training.specs import EntrainmentEvaluation
from tandem_training.svg import bars, lines

from ..models.planted_core import plant

SMALL: dict[str, Any] = {"training": 60, "dialogues": 40, "turns": 24, "resamples": 100}


def checkpoint(folder: Path, world: str, seed: int = 1) -> Path:
    """A model that knows the world."""
    exam = Examination.draw(WORLDS[world], 60, 8, (1, 2), 24)
    config = replace(CONFIGURATIONS["full"], text="given", types=len(exam.test.world.types))
    model = EntrainmentModel(config)
    plant(model.core, exam.test.world, float(exam.units.within.mean()))
    with torch.no_grad():
        model.lexical.weight.copy_(torch.from_numpy(exam.test.world.lexicon[2] / exam.units.within[:, None]))
    card = Card("t", "t", "t", (), training={"seed": str(seed)})
    save(folder, "entrainment", config, card, weights=model.state_dict())
    return folder


def evaluated(folder: Path, spec: EntrainmentEvaluation) -> dict[str, Any]:
    folder.mkdir()
    run(spec, Job(folder))
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


def test_a_model_that_knows_the_truth_gets_nearly_the_whole_share(tmp_path: Path) -> None:
    """Nearly: it takes a coupling for fully grown from the start, and its units differ a little between features."""
    model = checkpoint(tmp_path / "model", "reference")
    report = evaluated(
        tmp_path / "job", EntrainmentEvaluation(models={"truth": (model, model)}, ablations={"full": (model,)}, **SMALL)
    )
    detail = report["detail"]

    assert report["listening"]["truth"]["share"][0] > 0.6
    assert report["listening"]["Bayes bank"]["share"] == [1.0, 1.0, 1.0]
    assert report["listening"]["Kalman, alpha = beta = 0"]["share"] == [0.0, 0.0, 0.0]
    assert len(report["seeds"]["truth"]) == 2
    assert report["ablations"] == {"full": {"listening": [0.0] * 3, "speaking": [0.0] * 3}}
    assert detail["coverage_all"] == pytest.approx(0.9, abs=0.03)
    assert sum(detail["pit"]) == pytest.approx(1.0)
    assert detail["partner"][1] > 0.0
    assert min(detail["withheld"][part][1] for part in ("partner", "text", "history")) > 0.0
    assert detail["withheld"]["attention"] == [0.0] * 3  # an untrained network has no say
    assert detail["followed"]["entrainer"][-1] > detail["followed"]["weak"][-1] > detail["followed"]["disentrainer"][-1]
    free, forced = (report["speaking"]["ridge VAR + text"][kind][0] for kind in ("free", "forced"))
    assert free > forced
    certified = load(tmp_path / "job" / "checkpoint")
    assert torch.equal(certified.weights()["core.alpha_raw"], load(model).weights()["core.alpha_raw"])
    assert certified.card.figures["coverage of 90 % intervals"] == detail["coverage_all"]
    page = (tmp_path / "job" / "report.html").read_text("utf-8")
    assert "<h2>Who follows whom</h2>" in page
    assert page.count("<svg") == 2


def test_without_coupling_nothing_is_found(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", "uncoupled")
    spec = EntrainmentEvaluation(models={"truth": (model,)}, world="uncoupled", **SMALL)
    detail = evaluated(tmp_path / "job", spec)["detail"]

    assert detail["partner"][0] == pytest.approx(0.0, abs=1e-4)
    assert max(map(abs, detail["followed"]["deaf"])) < 1e-6


def test_a_model_of_the_tests_own_seed_is_refused(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", "reference", seed=20_000)

    with pytest.raises(ValueError, match="was trained with seed 20000, that of the test"):
        evaluated(tmp_path / "job", EntrainmentEvaluation(models={"m": (model,)}, **SMALL))


def test_training_and_test_speakers_are_never_the_same() -> None:
    with pytest.raises(ValueError, match="need different seeds"):
        Examination.draw(WORLDS["reference"], 10, 10, (3, 3))
    exam = Examination.draw(WORLDS["reference"], 50, 50, (3, 4))
    levels = [{float(level) for level in side.usual[..., 0].ravel()} for side in (exam.training, exam.test)]
    assert levels[0].isdisjoint(levels[1])


def test_coverage_counts_what_was_scored() -> None:
    quantiles = np.broadcast_to(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), (1, 4, 1, 5))
    values = np.array([[[0.5], [3.0], [np.nan], [9.0]]])
    counted = np.array([[True, True, True, False]])

    assert coverage(quantiles, values, counted).tolist() == [0.5]
    assert between(quantiles, values, counted).tolist() == [0.0, 0.0, 0.0, 0.5, 0.0, 0.5]


def test_plots_are_whole_and_escape_names() -> None:
    drawn = bars({"a<b": (0.6, 0.59, 0.61), "c": (0.7, 0.69, 0.71)}, "a<b", "L1")
    curves = lines({"weak": [0.1, 0.2]}, {"weak": 0.05}, "turn", "alpha")

    assert [ET.fromstring(one).tag for one in (drawn, curves)] == ["svg", "svg"]
    assert "a&lt;b" in drawn
