"""`tandem corpus`: what a person types, reads and gets as an exit code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from tandem_client import cli
from tandem_server.errors import ConfigurationError
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.registry import IMPORTERS

RUNNER = CliRunner()


def run(*arguments: object, code: int = 0) -> str:
    """What the command writes. COLUMNS: no line is folded."""
    command = ["corpus", *map(str, arguments)]
    result = RUNNER.invoke(cli.app, command, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return re.sub(r"\x1b\[[0-9;]*m", "", result.output)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Three dialogues of a table and noise each; nobody's voice, but loudness and rate can be measured."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    noise = 0.1 * np.random.default_rng(1).standard_normal((3 * 16_000, 2))
    for name in ("d1", "d2", "d3"):
        (folder / f"{name}.csv").write_text("start,end,speaker,text\n0.2,1.2,A,hello there\n1.4,2.4,B,good morning\n")
        soundfile.write(folder / f"{name}.wav", noise, 16_000)
    return folder


def test_importing_says_what_came_and_whose_names_are_whose(recordings: Path, tmp_path: Path) -> None:
    output = run("import", "csv", recordings, tmp_path / "corpus", "--lang", "en")
    assert f"3 dialogues, 6 turns, 6 speakers are in {tmp_path / 'corpus'}" in output
    assert "--global-speakers if the same name is the same person" in output
    output = run("import", "csv", recordings, tmp_path / "corpus", "--global-speakers")
    assert "3 dialogues, 6 turns, 2 speakers" in output and "--global-speakers" not in output


def test_a_corpus_goes_from_files_to_features_and_is_shown(recordings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    run("import", "csv", recordings, folder, "--name", "mine")
    assert "Nothing has been measured: tandem corpus features" in run("info", folder)
    assert run("features", folder, "--jobs", "1") == "3 dialogues were measured; 6 turns have features\n"
    again = run("features", folder, "--jobs", "1")
    assert again == "0 dialogues were measured, 3 had been before; 6 turns have features\n"
    shown = [line.split() for line in run("info", folder).splitlines()]
    assert ["mine", "3", "6", "3", "6", "0", "0.00", "100%", "100%", "0%", "none", "3"] in shown
    assert ["intensity_mean", "█" * 30, "100%"] in shown and ["rate", "0%"] in shown
    assert run("validate", folder) == "0 errors, 0 warnings\n"
    assert run("split", folder, "--train", "1", "--validation", "1", "--test", "1") == (
        "train 1 dialogues, validation 1 dialogues, test 1 dialogues\n"
    )
    assert {turn.split for turn in Corpus.open(folder).turns()} == {"train", "validation", "test"}
    assert run("features", folder, "--jobs", "1") == again, "a split changes no features"


def test_what_could_not_be_done_is_listed_and_the_exit_code_says_so(recordings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    (recordings / "d4.csv").write_text("start,end,speaker,text\nzero,1,A,x\n")
    output = run("import", "csv", recordings, folder, code=1)
    assert "1 dialogues could not be read:" in output and "d4.csv: d4.csv, line 2: 'zero' is no time" in output
    (recordings / "d2.wav").write_bytes(b"RIFF")
    output = run("features", folder, "--jobs", "1", code=1)
    assert "4 turns have features" in output and "2 turns could not be measured:" in output
    assert "d2, turn 0: d2.wav cannot be read as sound" in output
    output = run("validate", folder, code=1)
    assert "manifest.jsonl, line 3: error: d2.wav cannot be read as sound" in output
    assert output.endswith("2 errors, 2 warnings\n"), "two lines without sound, and their two rows"


def test_what_a_person_can_put_right_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    for arguments in (("features", tmp_path), ("info", tmp_path), ("validate", tmp_path), ("split", tmp_path)):
        with pytest.raises(ConfigurationError, match="is no corpus; make one with `tandem corpus import`"):
            run(*arguments)
    with pytest.raises(ConfigurationError, match="there is no importer 'nope'"):
        run("import", "nope", tmp_path, tmp_path / "corpus")


def test_the_help_names_every_importer_with_the_files_it_looks_for() -> None:
    told = run("import", "--help")
    assert all(f"{name}: " in told for name in IMPORTERS)
    assert "[,dialogue]" in told, "brackets are not taken for colours"
    assert all(name in run("--help") for name in ("import", "features", "info", "validate", "split"))
