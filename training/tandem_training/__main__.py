"""`python -m tandem_training RECIPE --spec spec.json --job-dir DIR`: what every job backend runs.

Exit codes: 0 done, 1 the recipe failed, 2 the command or the spec is wrong, 128 + n stopped by signal n.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tandem_training.job import Job, JobError, read_spec, spec_type
from tandem_training.registry import RECIPES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one recipe; the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        spec = read_spec(RECIPES[asked.recipe], asked.spec)
        job = (Job.resume if asked.resume else Job.begin)(asked.job_dir, asked.recipe, spec)
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    try:
        importlib.import_module(RECIPES[asked.recipe].module).run(spec, job)
    except (KeyboardInterrupt, SystemExit) as stop:
        code = stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else 128 + signal.SIGINT
        job.exit(code, "stopped")
        return code
    except Exception as error:
        traceback.print_exc()
        job.exit(1, f"{type(error).__name__}: {error}")
        return 1
    job.exit(0)
    return 0


def _parser() -> argparse.ArgumentParser:
    lines = ["recipes and the fields of their specs (* must be given):"]
    for name, recipe in RECIPES.items():
        lines += ["", f"{name}: {recipe.summary}"]
        for field, about in spec_type(recipe).model_fields.items():
            star = "*" if about.is_required() else f" (default {about.default})"
            lines.append(f"  {field}{star}: {about.description}")
    parser = argparse.ArgumentParser(
        "python -m tandem_training",
        description="Run one recipe in a folder of its own.",
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", choices=list(RECIPES), help=", ".join(RECIPES))
    parser.add_argument("--spec", type=Path, required=True, help="JSON file with the recipe's fields")
    parser.add_argument("--job-dir", type=Path, required=True, help="folder to make; it holds all that the job writes")
    parser.add_argument("--resume", action="store_true", help="go on with the job in that folder where it was stopped")
    return parser


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main())
