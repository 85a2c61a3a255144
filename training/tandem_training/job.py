"""A job is a folder. Whoever started it reads the folder; nothing else connects the two.

job.json       recipe and spec, once, before anything is done
metrics.jsonl  one line per call of `log`
progress.json  share done and a word on it
result.json    what the recipe found
exit.json      code and error, last: a folder without it is running, or was killed
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from tandem_training.registry import Recipe


class JobError(Exception):
    """The job cannot be started as asked; the message says what to change."""


class Job:
    """The folder of one running job, as its recipe sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def begin(cls, folder: Path, recipe: str, spec: BaseModel) -> Job:
        """Make the folder and say what is run in it. Raises JobError if a job was begun there before."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "job.json").exists():
            raise JobError(f"{folder} already holds a job; give --job-dir a new folder, or --resume to go on with it")
        job = cls(folder)
        job.write("job.json", {"recipe": recipe, "spec": spec.model_dump(mode="json")})
        return job

    @classmethod
    def resume(cls, folder: Path, recipe: str, spec: BaseModel) -> Job:
        """Go on with a job that was stopped or killed. Raises JobError if it was begun with another recipe or spec."""
        try:
            begun = json.loads((folder / "job.json").read_text("utf-8"))
            # Read anew, since the spec may have got fields with a default since.
            same = begun["recipe"] == recipe and type(spec).model_validate(begun["spec"]) == spec
        except OSError as error:
            raise JobError(f"{folder} holds no job to resume; leave --resume out to begin one") from error
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise JobError(f"{folder} was begun with another recipe or spec (its job.json); resume with that one")
        (folder / "exit.json").unlink(missing_ok=True)
        return cls(folder)

    def log(self, **metrics: float | str) -> None:
        """One more line of metrics."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def progress(self, share: float, message: str) -> None:
        """How far it is, 0 to 1."""
        self.write("progress.json", {"share": share, "message": message})

    def result(self, found: dict[str, Any]) -> None:
        self.write("result.json", found)

    def exit(self, code: int, error: str | None = None) -> None:
        """The last word: 0 is success."""
        self.write("exit.json", {"code": code, "error": error})

    def write(self, name: str, content: Any) -> Path:
        """A JSON file that appears whole or not at all."""
        path = self.folder / name
        partial = path.with_name(f".{name}.partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return path


def read_spec(recipe: Recipe, path: Path) -> BaseModel:
    """The recipe's spec from a JSON file. Raises JobError that names every field that is wrong."""
    try:
        return spec_type(recipe).model_validate_json(path.read_bytes())
    except OSError as error:
        raise JobError(f"cannot read the spec: {error}") from error
    except ValidationError as error:
        wrong = [f"  {'.'.join(map(str, e['loc'])) or '(whole file)'}: {e['msg']}" for e in error.errors()]
        raise JobError("\n".join([f"{path} is not a spec of this recipe:", *wrong])) from error


def spec_type(recipe: Recipe) -> type[BaseModel]:
    """The pydantic class of the recipe's spec."""
    module, _, name = recipe.spec.partition(":")
    return cast("type[BaseModel]", getattr(importlib.import_module(module), name))
