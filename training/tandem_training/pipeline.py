"""A voice from nothing: corpus, acoustic model and vocoder, one job after the other, and the folder of the voice.

Each job is a process of its own. Whatever stops it, doing it again goes on: what is done is not done again, and what
was begun is resumed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tandem_training.registry import RECIPES

COMMAND: Final = (sys.executable, "-m", "tandem_training")
_LOOK: Final = 1.0
"""Seconds between two looks at the progress"""
_CORPUS: Final = "voice-corpus"

Report = Callable[[str, float, str], None]
"""Stage, share done, a word on it"""


class PipelineError(Exception):
    """A stage failed; the message says why, and where its log is."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One job."""

    name: str
    recipe: str
    spec: Mapping[str, Any]


def stages(
    folder: Path,
    corpus: Path | None = None,
    model: str = "fastpros",
    steps: int | None = None,
    corpus_spec: Mapping[str, Any] | None = None,
) -> list[Stage]:
    """What makes a voice in `folder`. Without a `corpus`, one is built, as `corpus_spec` says; `steps` are those of
    either network, else the recipes' own. Raises PipelineError if no corpus can be built."""
    found = []
    if corpus is None:
        if _CORPUS not in RECIPES:
            raise PipelineError("there is no recipe to build a corpus: name the folder of one")
        corpus = folder / "corpus"
        found.append(Stage("corpus", _CORPUS, {"folder": str(corpus), **(corpus_spec or {})}))
    shared: dict[str, Any] = {"corpus": str(corpus), "cache": str(folder / "features")}
    if steps is not None:
        shared["run"] = {"steps": steps}
    found.append(Stage("acoustic", "voice", {**shared, "model": model}))
    found.append(Stage("vocoder", "vocoder", shared))
    return found


def make_voice(folder: Path, wanted: Sequence[Stage], report: Report, command: Sequence[str] = COMMAND) -> Path:
    """Run the stages that are not done; the folder of the voice. Raises PipelineError."""
    for stage in wanted:
        run_stage(folder / "jobs", stage, report, command)
    voice = folder / "voice"
    for part in ("acoustic", "vocoder"):
        shutil.rmtree(voice / part, ignore_errors=True)
        shutil.copytree(folder / "jobs" / part / "model", voice / part)
    return voice


def run_stage(jobs: Path, stage: Stage, report: Report, command: Sequence[str] = COMMAND) -> None:
    """One stage to its end, in `jobs`/name; nothing if it was there before."""
    job = jobs / stage.name
    if _read(job / "exit.json").get("code") == 0:
        report(stage.name, 1.0, "is there")
        return
    jobs.mkdir(parents=True, exist_ok=True)
    spec, log = jobs / f"{stage.name}.json", jobs / f"{stage.name}.log"
    spec.write_text(json.dumps(stage.spec, indent=2), "utf-8")
    arguments = [*command, stage.recipe, "--spec", str(spec), "--job-dir", str(job)]
    if (job / "job.json").exists():
        arguments.append("--resume")
    with log.open("ab") as file, subprocess.Popen(arguments, stdout=file, stderr=file) as process:  # noqa: S603
        try:
            code = _watched(process, job, stage.name, report)
        except BaseException:
            process.terminate()  # it saves what it has
            raise
    if code:
        raise PipelineError(_reason(stage.name, job, log))
    report(stage.name, 1.0, "done")


def _watched(process: subprocess.Popen[bytes], job: Path, name: str, report: Report) -> int:
    while True:
        try:
            return process.wait(_LOOK)
        except subprocess.TimeoutExpired:
            progress = _read(job / "progress.json")
            report(name, float(progress.get("share", 0.0)), str(progress.get("message", "")))


def _reason(name: str, job: Path, log: Path) -> str:
    said = _read(job / "exit.json").get("error")
    lines = log.read_text("utf-8", errors="replace").split("\n")
    why = said or next((line for line in reversed(lines) if line.strip()), "it said nothing")
    return f"{name} failed: {why}\nIts log is {log}. Put it right and give the command again: what is done is kept."


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
