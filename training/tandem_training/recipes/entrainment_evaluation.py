"""Put entrainment models through held-out simulated dialogues, beside everything that they have to beat.

report.json  every figure, with its interval
report.html  the same for people
checkpoint/  the first model again, with the figures in its card
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from tandem_models.checkpoint import FILES, Checkpoint, Format, load, save
from tandem_models.entrainment import EntrainmentConfig, EntrainmentModel
from tandem_models.entrainment_shipped import SHIPPED
from tandem_models.prosody import NAMES
from tandem_training.entrainment_report import page
from tandem_training.examination import Examination, between, coverage, followed
from tandem_training.job import Job
from tandem_training.recipes.entrainment import couplings
from tandem_training.scores import Bootstrap, Errors, holm
from tandem_training.simulate import WORLDS, Array
from tandem_training.specs import EntrainmentEvaluation

WITHOUT: Final = "Kalman, alpha = beta = 0"
FLOOR: Final = "Bayes bank"
POOLED: Final = "Kalman, pooled"
_SPANS: Final = ((1, 4), (4, 10), (10, 20), (20, 40))
_BOOTSTRAP_SEED: Final = 3
_SHIPPED: Final[Mapping[str, tuple[Path, ...]]] = {"Tandem": (SHIPPED,)}
Models = Mapping[str, Sequence[EntrainmentModel]]
"""Name -> one per seed"""


def run(spec: EntrainmentEvaluation, job: Job) -> None:
    """Write the report. Raises ValueError for a model that was trained on the test speakers, CheckpointError."""
    torch.set_num_threads(1)
    if spec.world not in WORLDS:
        raise ValueError(f"no world {spec.world!r}; there are {', '.join(WORLDS)}")
    models = {name: [read(path, spec) for path in paths] for name, paths in (spec.models or _SHIPPED).items()}
    ablations = {name: [read(path, spec) for path in paths] for name, paths in spec.ablations.items()}
    job.progress(0.05, "simulating")
    seeds = (spec.training_seed, spec.seed)
    exam = Examination.draw(WORLDS[spec.world], spec.training, spec.dialogues, seeds, spec.turns)
    chance = Bootstrap.draw(spec.dialogues, spec.resamples, _BOOTSTRAP_SEED)
    predicted = exam.baselines() | {name: one.mean for name, one in exam.oracles().items()}
    listened = {name: exam.errors(one) for name, one in predicted.items()}
    spoken = {name: exam.errors(one, exam.own & exam.late) for name, one in exam.speaking_baselines().items()}
    seed_errors: dict[str, list[Errors]] = {}
    forced: dict[str, Errors] = {"ridge VAR + text": exam.errors(predicted["ridge VAR + text"], exam.own & exam.late)}
    for place, (name, runs) in enumerate(models.items()):
        job.progress(0.1 + 0.6 * place / len(models), name)
        heard = [exam.physical(exam.listen(model)) for model in runs]
        seed_errors[name] = [exam.errors(one) for one in heard]
        listened[name] = Errors.mean(seed_errors[name])
        forced[name] = Errors.mean([exam.errors(one, exam.own & exam.late) for one in heard])
        spoken[name] = alone(exam, runs)
    job.progress(0.75, "the first model in detail")
    first = next(iter(models))
    report: dict[str, Any] = {
        "spec": spec.model_dump(mode="json"),
        "sd": float(np.nanstd(exam.test.values)),
        "listening": _table(listened, chance),
        "seeds": {
            name: [_share(chance, listened[WITHOUT], one, listened[FLOOR]) for one in runs]
            for name, runs in seed_errors.items()
        },
        "above_pooled": chance.difference(listened[POOLED], listened[first]).as_list(),
        "speaking": {
            name: {"free": chance.l1(one).as_list(), "forced": _maybe(chance, forced.get(name))}
            for name, one in spoken.items()
        },
        "ablations": ablated(ablations, exam, chance),
        "detail": detail(models[first][0], exam, chance, predicted),
    }
    job.write("report.json", report)
    (job.folder / "report.html").write_text(page(report), "utf-8")
    certify(job.folder / "checkpoint", next(iter((spec.models or _SHIPPED).values()))[0], report)
    job.progress(1.0, "done")
    job.result({"report": "report.html", "listening": report["listening"][first]})


def detail(
    model: EntrainmentModel, exam: Examination, chance: Bootstrap, predicted: Mapping[str, Array]
) -> dict[str, Any]:
    """Calibration, the partner's part, and what the model can say about who follows whom, for one seed."""
    trace = exam.listen(model)
    quantiles, heard = exam.scaled(trace), exam.physical(trace)
    values = exam.test.values
    real, wrong = exam.errors(heard), exam.errors(exam.misheard(model))
    features = chance.difference_by_feature(wrong, real)
    adjusted = holm([p for _, p in features])
    turns = np.arange(values.shape[1])
    spans: dict[str, dict[str, float]] = {}
    for start, end in _SPANS:
        counted = np.broadcast_to((turns >= start) & (turns < end), exam.test.speaker.shape)
        means = {name: predicted[name] for name in ("own shrunk mean", WITHOUT, FLOOR)} | {"model": heard}
        spans[f"{start}-{end - 1}"] = {name: exam.errors(mean, counted).l1 for name, mean in means.items()}
    return {
        "coverage": dict(zip(NAMES, coverage(quantiles, values, exam.late).tolist(), strict=True)),
        "coverage_all": float(np.average(coverage(quantiles, values, exam.late), weights=real.count.sum(0))),
        "pit": between(quantiles, values, exam.late).tolist(),
        "l1_by_feature": dict(zip(NAMES, real.by_feature.tolist(), strict=True)),
        "l1_by_turn": spans,
        "withheld": {
            name: chance.difference(exam.errors(one), real).as_list() for name, one in exam.withheld(model).items()
        },
        "partner": chance.difference(wrong, real).as_list(),
        "partner_by_feature": {
            name: {"gain": gain.as_list(), "p_holm": p}
            for name, (gain, _), p in zip(NAMES, features, adjusted, strict=True)
        },
        "followed": followed(exam, trace),
        "planted": {kind.name: [kind.alpha, kind.beta, kind.share] for kind in exam.test.world.types},
        "couplings": couplings(model),
        "output_sd": float(np.nanstd(heard) / np.nanstd(values)),
    }


def ablated(models: Models, exam: Examination, chance: Bootstrap) -> dict[str, Any]:
    """L1 of each less that of the first, listening and speaking, with paired intervals."""
    found: dict[str, Any] = {}
    base: tuple[Errors, Errors] | None = None
    for name, runs in models.items():
        heard = Errors.mean([exam.errors(exam.physical(exam.listen(model))) for model in runs])
        spoken = alone(exam, runs)
        base = base or (heard, spoken)
        listening, speaking = chance.difference(heard, base[0]), chance.difference(spoken, base[1])
        found[name] = {"listening": listening.as_list(), "speaking": speaking.as_list()}
    return found


def alone(exam: Examination, runs: Sequence[EntrainmentModel]) -> Errors:
    """Speaking for the agent; its turns only."""
    counted = exam.own & exam.late
    return Errors.mean([exam.errors(exam.physical(exam.speak(model)), counted) for model in runs])


def certify(folder: Path, original: Path, report: Mapping[str, Any]) -> None:
    """Save a checkpoint again, with what was measured in its card."""
    found, detail, model = load(original), report["detail"], next(iter(report["seeds"]))
    listening = report["listening"][model]
    figures: dict[str, float | int | str] = {
        "test dialogues (other speakers), and seeds": f"{report['spec']['dialogues']}, {len(report['seeds'][model])}",
        "L1, listening (simulator units) [95 %]": _spread(listening["l1"]),
        "speaking for one side (simulator units) [95 %]": _spread(report["speaking"][model]["free"]),
        "coverage of 90 % intervals": detail["coverage_all"],
        "L1 with a shuffled partner, less with the real one [95 %]": _spread(detail["partner"]),
    }
    if listening["share"] is not None:
        figures["entrainment share, mean of the seeds [95 %]"] = _spread(listening["share"])
        figures["entrainment share, each seed, this one first"] = ", ".join(
            f"{one:.3f}" for one in report["seeds"][model]
        )
    card = replace(found.card, figures={**found.card.figures, **figures})
    exported: dict[Format, bytes] = {kind: found.read(name) for kind, name in FILES.items() if name in found.sha256}
    save(folder, found.model, found.config(EntrainmentConfig), card, weights=found.weights(), exported=exported)


def read(folder: Path, spec: EntrainmentEvaluation) -> EntrainmentModel:
    """A trained model. Raises ValueError if it was trained with a seed of the test."""
    checkpoint: Checkpoint = load(folder)
    if str(checkpoint.card.training.get("seed")) == str(spec.seed):
        raise ValueError(f"{folder} was trained with seed {spec.seed}, that of the test: give another seed")
    model = EntrainmentModel(checkpoint.config(EntrainmentConfig))
    model.load_state_dict(checkpoint.weights())
    return model.eval()


def _table(listened: Mapping[str, Errors], chance: Bootstrap) -> dict[str, Any]:
    without, floor = listened[WITHOUT], listened[FLOOR]
    coupled = _share(chance, without, floor, floor) is not None
    return {
        name: {
            "l1": chance.l1(one).as_list(),
            "share": chance.share(without, one, floor).as_list() if coupled else None,
        }
        for name, one in listened.items()
    }


def _share(chance: Bootstrap, without: Errors, errors: Errors, best: Errors) -> float | None:
    """None in a world without entrainment, where there is nothing to have a share of."""
    return None if best.l1 == without.l1 else chance.share(without, errors, best).value


def _spread(row: Sequence[float]) -> str:
    return f"{row[0]:.4f} [{row[1]:.4f}, {row[2]:.4f}]"


def _maybe(chance: Bootstrap, errors: Errors | None) -> list[float] | None:
    return None if errors is None else chance.l1(errors).as_list()
