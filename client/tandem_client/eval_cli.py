"""`tandem eval`: put what was trained to the test. Runs the training package in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tandem_server.errors import ConfigurationError

evaluate = typer.Typer(no_args_is_help=True, help="Evaluation: reports with intervals, for people and as JSON.")
_POLL: Final = 0.5


@evaluate.callback()
def _group() -> None:
    """Keeps `entrainment` a subcommand while it is the only one."""


@evaluate.command()
def entrainment(
    out: Annotated[Path, typer.Option(help="New folder for report.html and report.json.")] = Path(
        "entrainment-evaluation"
    ),
    model: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER of a checkpoint, again for another seed. The first is the model."),
    ] = None,
    ablation: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER, to be compared with the first ablation; may be repeated.")
    ] = None,
    world: Annotated[str, typer.Option(help="World: reference, voices, uncoupled, correlated.")] = "reference",
    dialogues: Annotated[int, typer.Option(min=8, help="Test dialogues.")] = 1000,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of the dialogues.")] = 1000,
) -> None:
    """Compare the entrainment model with baselines and exact predictors on simulated dialogues of new speakers.

    \b
    [bold]Examples[/bold]
    tandem eval entrainment
    tandem eval entrainment --model full=runs/a/checkpoint --model full=runs/b/checkpoint --model gru=runs/c/checkpoint
    """
    models, ablations = _by_name(model or []), _by_name(ablation or [])
    spec = {"models": models, "ablations": ablations, "world": world, "dialogues": dialogues, "resamples": resamples}
    if (out / "job.json").exists():
        raise ConfigurationError(f"{out} already holds a report; give --out a new folder")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "spec.json"
    path.write_text(json.dumps(spec, indent=2) + "\n", "utf-8")
    code = run("entrainment-evaluation", path, out)
    if code:
        raise typer.Exit(code)
    typer.echo(f"The report is {out / 'report.html'}")


def run(recipe: str, spec: Path, folder: Path) -> int:
    """A recipe in its own process, its progress shown; the exit code. What it complains of goes to standard error."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    command = [sys.executable, "-m", "tandem_training", recipe, "--spec", str(spec), "--job-dir", str(folder)]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with subprocess.Popen(command) as process, Progress(*columns, transient=True) as shown:  # noqa: S603  (our own)
        task = shown.add_task("starting", total=1.0)
        while process.poll() is None:
            try:
                process.wait(_POLL)
            except subprocess.TimeoutExpired:
                done = _progress(folder)
                shown.update(task, completed=float(done.get("share", 0.0)), description=str(done.get("message", "")))
    return process.returncode


def _progress(folder: Path) -> dict[str, Any]:
    """What the job last said of itself."""
    try:
        found = json.loads((folder / "progress.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _by_name(given: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        name, equals, folder = one.partition("=")
        if not equals or not name or not folder:
            raise ConfigurationError(f"--model {one!r} is not NAME=FOLDER, such as full=runs/a/checkpoint")
        found.setdefault(name, []).append(folder)
    return found
