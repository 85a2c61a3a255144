"""The folder that a job is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem_training.job import Job, JobError, read_spec
from tandem_training.registry import RECIPES
from tandem_training.specs import NormaliserPrior

SPEC = NormaliserPrior(turns=Path("turns.jsonl"), provenance="a test")


def test_a_job_says_what_it_is_before_it_does_anything(tmp_path: Path) -> None:
    Job.begin(tmp_path / "new" / "folder", "normaliser-prior", SPEC)
    written = json.loads((tmp_path / "new" / "folder" / "job.json").read_text("utf-8"))

    assert written["recipe"] == "normaliser-prior"
    assert NormaliserPrior.model_validate(written["spec"]) == SPEC


def test_a_folder_holds_one_job(tmp_path: Path) -> None:
    Job.begin(tmp_path, "normaliser-prior", SPEC)

    with pytest.raises(JobError, match="already holds a job; give --job-dir a new folder"):
        Job.begin(tmp_path, "normaliser-prior", SPEC)


def test_metrics_are_lines_and_everything_else_appears_whole(tmp_path: Path) -> None:
    job = Job.begin(tmp_path, "normaliser-prior", SPEC)
    job.log(step=1, loss=0.5)
    job.log(step=2, loss=0.25)
    job.progress(0.5, "half")
    job.progress(1.0, "whole")
    job.result({"loss": 0.25})
    job.exit(0)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text("utf-8").splitlines()]
    files = {path.name: json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*.json")}

    assert lines == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]
    assert files["progress.json"] == {"share": 1.0, "message": "whole"}
    assert files["result.json"] == {"loss": 0.25}
    assert files["exit.json"] == {"code": 0, "error": None}
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    job = Job.begin(tmp_path, "normaliser-prior", SPEC)
    job.result({"loss": 0.5})

    with pytest.raises(ValueError, match="not JSON compliant"):
        job.result({"loss": float("nan")})
    assert json.loads((tmp_path / "result.json").read_text("utf-8")) == {"loss": 0.5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a spec of this recipe:\n.*whole file"),
        ('{"turns": "t"}', "provenance: Field required"),
        ('{"turns": "t", "provenance": "p", "min_speakers": 1}', "min_speakers: .*greater than or equal to 2"),
        ('{"turns": "t", "provenance": "p", "speed": 1}', "speed: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_spec_names_the_field(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content, "utf-8")

    with pytest.raises(JobError, match=message):
        read_spec(RECIPES["normaliser-prior"], path)


def test_a_spec_that_is_not_there_is_a_job_error(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="cannot read the spec"):
        read_spec(RECIPES["normaliser-prior"], tmp_path / "none.json")
