"""The command that every backend runs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tandem_training import __main__ as command
from tandem_training.job import Job
from tandem_training.specs import NormaliserPrior


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The command takes SIGTERM for itself; the test run gets it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"turns": str(tmp_path / "turns.jsonl"), "provenance": "a test"}), "utf-8")
    return ["normaliser-prior", "--spec", str(spec), "--job-dir", str(tmp_path / "job")]


def pretend(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    """Put a recipe of the test's own in place of the real one."""
    monkeypatch.setattr("importlib.import_module", lambda name: SimpleNamespace(run=run))
    monkeypatch.setattr(command, "read_spec", lambda recipe, path: NormaliserPrior(turns=path, provenance="a test"))
    monkeypatch.setattr(command, "spec_type", lambda recipe: NormaliserPrior)


def last_word(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "job" / "exit.json").read_text("utf-8"))


def test_success_is_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]) -> None:
    def run(spec: NormaliserPrior, job: Job) -> None:
        job.result({"provenance": spec.provenance})

    pretend(monkeypatch, run)

    assert command.main(arguments) == 0
    assert last_word(tmp_path) == {"code": 0, "error": None}
    assert json.loads((tmp_path / "job" / "result.json").read_text("utf-8")) == {"provenance": "a test"}


def test_a_recipe_that_fails_says_why_in_its_folder(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The real recipe, with a table that is not there."""
    assert command.main(arguments) == 1
    assert last_word(tmp_path)["error"].startswith("FileNotFoundError: ")
    assert "Traceback" in capsys.readouterr().err


def test_a_stopped_job_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]) -> None:
    def run(spec: NormaliserPrior, job: Job) -> None:
        signal.raise_signal(signal.SIGTERM)

    pretend(monkeypatch, run)

    assert command.main(arguments) == 143
    assert last_word(tmp_path) == {"code": 143, "error": "stopped"}


def test_an_interrupted_job_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]) -> None:
    def run(spec: NormaliserPrior, job: Job) -> None:
        raise KeyboardInterrupt

    pretend(monkeypatch, run)

    assert command.main(arguments) == 130
    assert last_word(tmp_path) == {"code": 130, "error": "stopped"}


def test_a_wrong_spec_makes_no_folder(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text("{}", "utf-8")

    assert command.main(arguments) == 2
    assert "provenance: Field required" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()


def test_a_stopped_job_goes_on_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(spec: NormaliserPrior, job: Job) -> None:
        if not (job.folder / "half").exists():
            (job.folder / "half").touch()
            signal.raise_signal(signal.SIGTERM)

    pretend(monkeypatch, run)

    assert command.main(arguments) == 143
    assert command.main(arguments) == 2
    assert "or --resume to go on with it" in capsys.readouterr().err
    assert command.main([*arguments, "--resume"]) == 0
    assert last_word(tmp_path) == {"code": 0, "error": None}


def test_an_unknown_recipe_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["world-peace", "--spec", "s", "--job-dir", "d"])

    assert "normaliser-prior" in capsys.readouterr().err


def test_help_explains_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])

    shown = capsys.readouterr().out
    assert all(field in shown for field in NormaliserPrior.model_fields)
