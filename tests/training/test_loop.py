"""The training loop on a model of nine weights, whose best loss is known."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from tandem_training.job import Job, JobError
from tandem_training.loop import BEST, STATE, Progress, Schedule, TrainingError, batches, load_best, restore, train
from tandem_training.specs import NormaliserPrior

SPEC = NormaliserPrior(turns=Path("turns.jsonl"), provenance="a test")


class Line:
    """Fits y = 2x + 1 with dropout and Adam, so that random numbers and moments matter."""

    def __init__(self, stop_at: int = 0, losses: tuple[float, ...] = ()) -> None:
        torch.manual_seed(5)
        self.model = nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.2), nn.Linear(4, 1))
        self.modules: Mapping[str, nn.Module] = {"line": self.model}
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=0.02)
        self.optimisers: Mapping[str, torch.optim.Optimizer] = {"line": self.optimiser}
        self.stop_at, self.losses, self.validated = stop_at, list(losses), 0

    def step(self, number: int) -> dict[str, float]:
        if number == self.stop_at:
            signal.raise_signal(signal.SIGTERM)
        x = torch.rand(8, 1)
        loss = ((self.model(x) - 2.0 * x - 1.0) ** 2).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.item() if number != -self.stop_at else math.nan}

    def validate(self) -> dict[str, float]:
        self.validated += 1
        return {"loss": self.losses[self.validated - 1] if self.losses else 1.0 / self.validated}


def weights(line: Line) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in line.model.state_dict().items()}


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_a_run_that_was_stopped_and_resumed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    schedule = Schedule(steps=12, log_every=4, validate_every=5, save_every=100)
    whole = Line()
    train(whole, schedule, Job.begin(tmp_path / "whole", "r", SPEC))

    first = Line(stop_at=7)
    with pytest.raises(SystemExit) as stop:
        train(first, schedule, Job.begin(tmp_path / "parts", "r", SPEC))
    second = Line()
    outcome = train(second, schedule, Job.resume(tmp_path / "parts", "r", SPEC))

    assert stop.value.code == 128 + signal.SIGTERM
    assert weights(first) != weights(whole)
    assert weights(second) == weights(whole)
    assert (outcome.progress.step, outcome.ended) == (12, "steps")


def test_the_signal_handlers_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    train(Line(), Schedule(steps=1), Job.begin(tmp_path, "r", SPEC))

    assert signal.getsignal(signal.SIGTERM) is before


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path: Path) -> None:
    found = []
    for place, seed in enumerate((1, 1, 2)):
        line = Line()
        train(line, Schedule(steps=5, seed=seed), Job.begin(tmp_path / str(place), "r", SPEC))
        found.append(weights(line))

    assert found[0] == found[1] != found[2]


def test_it_stops_when_nothing_gets_better_and_keeps_the_best(tmp_path: Path) -> None:
    line = Line(losses=(3.0, 1.0, 2.0, 2.0, 0.0))
    kept = {}
    taken = line.validate

    def validate() -> dict[str, float]:
        found = taken()
        if found["loss"] == 1.0:
            kept.update(weights(line))
        return found

    line.validate = validate  # type: ignore[method-assign]
    schedule = Schedule(steps=100, validate_every=2, patience=2)
    outcome = train(line, schedule, Job.begin(tmp_path, "r", SPEC))

    assert (outcome.ended, outcome.progress) == ("patience", Progress(8, 1.0, 4, 2))
    assert weights(line) != kept
    load_best(tmp_path, line)
    assert weights(line) == kept


def test_a_loss_that_is_not_finite_stops_before_it_is_saved(tmp_path: Path) -> None:
    line = Line(stop_at=-4)
    with pytest.raises(TrainingError, match="the loss of step 4 is nan: lower the learning rate and resume"):
        train(line, Schedule(steps=9, save_every=3), Job.begin(tmp_path, "r", SPEC))

    assert restore(tmp_path / STATE, Line()).step == 3


def test_metrics_are_means_since_the_last_line_and_progress_is_told(tmp_path: Path) -> None:
    job = Job.begin(tmp_path, "r", SPEC)
    line = Line()
    losses: list[float] = []
    taken = line.step

    def step(number: int) -> dict[str, float]:
        losses.append(taken(number)["loss"])
        return {"loss": losses[-1]}

    line.step = step  # type: ignore[method-assign]
    train(line, Schedule(steps=4, log_every=2, validate_every=4), job)
    first, second, valid = lines(tmp_path)

    assert (first["step"], second["step"]) == (2, 4)
    assert second["loss"] == pytest.approx((losses[2] + losses[3]) / 2)
    assert valid == {"step": 4, "valid_loss": 1.0}
    assert json.loads((tmp_path / "progress.json").read_text("utf-8"))["share"] == 1.0


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"nonsense" * 9])
def test_a_damaged_state_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)

    with pytest.raises(TrainingError, match=rf"{STATE} does not fit this run .*remove it to begin again"):
        restore(tmp_path / STATE, Line())


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    train(Line(), Schedule(steps=1), Job.begin(tmp_path, "r", SPEC))
    other = Line()
    other.modules = {"line": nn.Linear(2, 2)}

    with pytest.raises(TrainingError, match="does not fit this run"):
        restore(tmp_path / STATE, other)


def test_without_a_validation_there_is_no_best(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"has no {BEST}"):
        load_best(tmp_path, Line())


def test_curves_go_to_tensorboard_when_asked(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the train extra is not installed")
    train(Line(), Schedule(steps=2, tensorboard=True), Job.begin(tmp_path, "r", SPEC))

    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_a_job_is_resumed_with_what_it_was_begun_with(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="holds no job to resume; leave --resume out"):
        Job.resume(tmp_path, "r", SPEC)
    Job.begin(tmp_path, "r", SPEC).exit(1, "killed")
    with pytest.raises(JobError, match="was begun with another recipe or spec"):
        Job.resume(tmp_path, "other", SPEC)

    Job.resume(tmp_path, "r", SPEC)
    assert not (tmp_path / "exit.json").exists()


def test_a_job_is_resumed_though_its_spec_has_got_a_field_since(tmp_path: Path) -> None:
    job = Job.begin(tmp_path, "r", SPEC)
    old = {key: value for key, value in SPEC.model_dump(mode="json").items() if key != "min_speakers"}
    job.write("job.json", {"recipe": "r", "spec": old})

    assert Job.resume(tmp_path, "r", SPEC).folder == tmp_path
    job.write("job.json", {"recipe": "r", "spec": {"turns": 1}})
    with pytest.raises(JobError, match="was begun with another recipe or spec"):
        Job.resume(tmp_path, "r", SPEC)


def test_every_item_comes_once_an_epoch_among_others_of_its_length() -> None:
    lengths = [100 * (1 + place % 5) for place in range(40)]
    epoch = [batches(lengths, 8, 3, step) for step in range(1, 6)]
    spans = [max(lengths[one] for one in batch) - min(lengths[one] for one in batch) for batch in epoch]

    assert sorted(one for batch in epoch for one in batch) == list(range(40))
    assert max(spans) <= 100
    assert batches(lengths, 8, 3, 2) == epoch[1]
    assert [batches(lengths, 8, 3, step) for step in range(6, 11)] != epoch


def test_fewer_items_than_a_batch_are_one_batch() -> None:
    assert sorted(batches([5, 6], 8, 0, 1)) == [0, 1]
