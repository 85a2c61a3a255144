"""The one training loop: seeded, watched, stopped when nothing gets better, and resumable to the bit.

state.safetensors  weights, optimisers, random numbers, step: what a job resumes from, replaced as a whole
best.safetensors   weights of the best validation so far

A run that is stopped and resumed ends with the weights of one that was not, provided that the trainee draws from
torch's default generator, or from generators seeded by the step number (`batches` does).
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, Protocol, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from tandem_models.checkpoint import write_atomically
from tandem_training.job import Job

STATE: Final = "state.safetensors"
BEST: Final = "best.safetensors"
_VERSION: Final = 1


class TrainingError(Exception):
    """Training cannot go on; the message says what to change."""


class Trainee(Protocol):
    """What a recipe hands to the loop; its parts are saved under these names."""

    @property
    def modules(self) -> Mapping[str, torch.nn.Module]: ...

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]: ...

    def step(self, number: int) -> Mapping[str, float]:
        """One update, the first is number 1; what to log, with the share that was minimised as `loss`."""

    def validate(self) -> Mapping[str, float]:
        """Figures on held-out data; the smallest `loss` is the best."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, and what in between; everything in steps."""

    steps: int
    seed: int = 0
    log_every: int = 50
    validate_every: int = 500
    save_every: int = 250
    patience: int = 0
    """Validations without a new best after which it stops; 0 is never"""
    tensorboard: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    stale: int = 0
    """Validations since the best"""

    def validated(self, loss: float) -> Self:
        """After one more validation."""
        if loss < self.best:
            return type(self)(self.step, loss, self.step, 0)
        return type(self)(self.step, self.best, self.best_step, self.stale + 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended."""

    progress: Progress
    ended: Literal["steps", "patience"]
    seconds: float
    """Of this run, without those before it was resumed"""


def train(trainee: Trainee, schedule: Schedule, job: Job) -> Outcome:
    """Train in the job's folder, from its saved state if there is one. SIGTERM and Ctrl-C save first.

    Raises TrainingError for a loss that is not finite, SystemExit (128 + signal) when stopped.
    """
    torch.manual_seed(schedule.seed)
    progress = restore(job.folder / STATE, trainee) if (job.folder / STATE).exists() else Progress()
    begun, first = time.perf_counter(), progress.step
    watched = _Watched(job, schedule)
    with _asked_to_stop() as asked, _board(job, schedule) as board:
        while progress.step < schedule.steps and not _exhausted(progress, schedule):
            number = progress.step + 1
            metrics = trainee.step(number)
            if not math.isfinite(metrics["loss"]):
                raise TrainingError(
                    f"the loss of step {number} is {metrics['loss']}: lower the learning rate and resume; the last "
                    f"saved state is sound"
                )
            progress = Progress(number, progress.best, progress.best_step, progress.stale)
            watched.add(metrics)
            if number % schedule.log_every == 0 or number == schedule.steps:
                speed = (number - first) / (time.perf_counter() - begun)
                _report(board, "train", number, watched.flush(number, speed))
            if number % schedule.validate_every == 0 or number == schedule.steps:
                figures = trainee.validate()
                progress = progress.validated(figures["loss"])
                if progress.stale == 0:
                    _save_modules(job.folder / BEST, trainee)
                job.log(step=number, **{f"valid_{name}": value for name, value in figures.items()})
                _report(board, "valid", number, figures)
            if number % schedule.save_every == 0 or number == schedule.steps or asked.signal:
                save(job.folder / STATE, trainee, progress)
            if asked.signal:
                raise SystemExit(128 + asked.signal)
    ended: Literal["steps", "patience"] = "steps" if progress.step >= schedule.steps else "patience"
    return Outcome(progress, ended, time.perf_counter() - begun)


def load_best(folder: Path, trainee: Trainee) -> None:
    """Give the trainee's modules the weights of the best validation. Raises TrainingError if there was none."""
    if not (folder / BEST).exists():
        raise TrainingError(f"{folder} has no {BEST}: nothing has been validated yet, train for longer")
    found = load_file(folder / BEST)
    for name, module in trainee.modules.items():
        module.load_state_dict(_under(found, name))


def batches(lengths: Sequence[int], size: int, seed: int, step: int) -> list[int]:
    """Places of the items of batch number `step` (from 1): each item once an epoch, batches of alike lengths.

    A function of seed and step alone, so that a resumed run sees what it would have seen.
    """
    per_epoch = max(len(lengths) // size, 1)
    epoch, place = divmod(step - 1, per_epoch)
    random = np.random.default_rng((seed, epoch))
    # Lengths are blurred by a tenth, so that an item meets other neighbours in every epoch.
    blurred = np.asarray(lengths) * random.uniform(0.9, 1.1, len(lengths))
    order = np.argsort(blurred, kind="stable")
    begin = int(random.integers(0, len(lengths) - per_epoch * size + 1)) if len(lengths) > size else 0
    start = begin + int(random.permutation(per_epoch)[place]) * size
    return [int(one) for one in order[start : start + size]]


def save(path: Path, trainee: Trainee, progress: Progress) -> None:
    """Everything that the next step depends on, in one file that appears whole."""
    tensors = {f"module.{key}": value for key, value in _module_tensors(trainee).items()}
    tensors["random"] = torch.get_rng_state()
    groups: dict[str, Any] = {}
    for name, optimiser in trainee.optimisers.items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for index, slots in state["state"].items():
            tensors |= {f"optimiser.{name}.{index}.{key}": value for key, value in slots.items()}
    best = None if math.isinf(progress.best) else progress.best
    about = {"version": _VERSION, "groups": groups, "step": progress.step, "best": best}
    about |= {"best_step": progress.best_step, "stale": progress.stale}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, tensors_to_bytes(plain, {"state": json.dumps(about)}))


def restore(path: Path, trainee: Trainee) -> Progress:
    """Put a saved state back. Raises TrainingError if it is damaged or of another model."""
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
        if about["version"] != _VERSION:
            raise ValueError(f"version {about['version']}, not {_VERSION}")
        for name, module in trainee.modules.items():
            module.load_state_dict(_under(tensors, f"module.{name}"))
        for name, optimiser in trainee.optimisers.items():
            optimiser.load_state_dict({"state": _slots(tensors, name), "param_groups": about["groups"][name]})
        torch.set_rng_state(tensors["random"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} does not fit this run ({error}): remove it to begin again") from error
    best = math.inf if about["best"] is None else float(about["best"])
    return Progress(int(about["step"]), best, int(about["best_step"]), int(about["stale"]))


def _exhausted(progress: Progress, schedule: Schedule) -> bool:
    return 0 < schedule.patience <= progress.stale


def _module_tensors(trainee: Trainee) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value for name, module in trainee.modules.items() for key, value in module.state_dict().items()
    }


def _save_modules(path: Path, trainee: Trainee) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in _module_tensors(trainee).items()}
    write_atomically(path, tensors_to_bytes(plain))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{prefix}."): value for key, value in tensors.items() if key.startswith(f"{prefix}.")}


def _slots(tensors: Mapping[str, Tensor], name: str) -> dict[int, dict[str, Tensor]]:
    found: dict[int, dict[str, Tensor]] = {}
    for key, value in _under(tensors, f"optimiser.{name}").items():
        index, _, slot = key.partition(".")
        found.setdefault(int(index), {})[slot] = value
    return found


class _Watched:
    """Means of what was logged since the last line."""

    def __init__(self, job: Job, schedule: Schedule) -> None:
        self._job, self._schedule = job, schedule
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def flush(self, number: int, speed: float) -> Mapping[str, float]:
        """Write one line and the progress; the means. `speed` is steps per second."""
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        self._job.log(step=number, steps_per_second=round(speed, 3), **means)
        left = (self._schedule.steps - number) / speed / 60.0
        words = f"step {number} of {self._schedule.steps}, loss {means['loss']:.4f}, at most {left:.0f} minutes left"
        self._job.progress(number / self._schedule.steps, words)
        return means


class _Asked:
    """The signal that asked to stop; 0 is none."""

    signal = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:  # asked twice: do not wait for the step
            raise SystemExit(128 + number)
        self.signal = number


@contextmanager
def _asked_to_stop() -> Iterator[_Asked]:
    """Between two steps is the only good time to stop."""
    asked = _Asked()
    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _board(job: Job, schedule: Schedule) -> Iterator[Any]:
    """TensorBoard's writer into the job's folder, or None."""
    if not schedule.tensorboard:
        yield None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError("tensorboard is not installed: pip install 'tandem-dialogue[train]'") from error
    with SummaryWriter(str(job.folder / "tensorboard")) as writer:
        yield writer


def _report(board: Any, group: str, step: int, metrics: Mapping[str, float]) -> None:
    if board is not None:
        for name, value in metrics.items():
            board.add_scalar(f"{group}/{name}", value, step)
