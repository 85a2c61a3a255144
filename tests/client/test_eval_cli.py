"""`tandem eval`: what it hands to the training package, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tandem_client import cli, eval_cli
from tandem_server.errors import ConfigurationError

RUNNER = CliRunner()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, Path]]:
    """Recipe, spec and folder of every run."""
    given: list[tuple[str, Any, Path]] = []

    def run(recipe: str, spec: Path, folder: Path) -> int:
        given.append((recipe, json.loads(spec.read_text("utf-8")), folder))
        return 0

    monkeypatch.setattr(eval_cli, "run", run)
    return given


def test_models_are_given_by_name_and_seeds_by_repeating_it(asked: list[Any], tmp_path: Path) -> None:
    models = ["--model", "full=a", "--model", "gru=b", "--model", "full=c"]
    models += ["--ablation", "no text=d"]
    options = ["--out", str(tmp_path / "new"), "--dialogues", "50"]
    result = RUNNER.invoke(cli.app, ["eval", "entrainment", *options, *models])

    assert result.exit_code == 0
    assert "report.html" in result.output
    recipe, spec, folder = asked[0]
    assert recipe == "entrainment-evaluation"
    assert spec == {
        "models": {"full": ["a", "c"], "gru": ["b"]},
        "ablations": {"no text": ["d"]},
        "world": "reference",
        "dialogues": 50,
        "resamples": 1000,
    }
    assert folder == tmp_path / "new"


@pytest.mark.parametrize("wrong", ["full", "=a", "full="])
def test_a_model_without_name_or_folder_is_refused(wrong: str, asked: list[Any], tmp_path: Path) -> None:
    result = RUNNER.invoke(cli.app, ["eval", "entrainment", "--out", str(tmp_path), "--model", wrong])

    assert isinstance(result.exception, ConfigurationError)
    assert "is not NAME=FOLDER" in str(result.exception)
    assert asked == []


def test_a_report_is_not_overwritten(asked: list[Any], tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}", "utf-8")
    result = RUNNER.invoke(cli.app, ["eval", "entrainment", "--out", str(tmp_path)])

    assert isinstance(result.exception, ConfigurationError)
    assert "give --out a new folder" in str(result.exception)
    assert asked == []


def test_a_recipe_that_cannot_run_is_told_by_its_exit_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The real process, with a spec that is none."""
    (tmp_path / "spec.json").write_text('{"world": 3}', "utf-8")

    assert eval_cli.run("entrainment-evaluation", tmp_path / "spec.json", tmp_path / "job") == 2
    assert "world: Input should be a valid string" in capfd.readouterr().err
