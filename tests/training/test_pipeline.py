"""Jobs one after the other, with a program in the place of the recipes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tandem_training import pipeline
from tandem_training.job import read_spec
from tandem_training.pipeline import PipelineError, Stage, make_voice, run_stage, stages
from tandem_training.registry import RECIPES

PROGRAM = """
import json, pathlib, sys
recipe, spec, job = sys.argv[1], json.loads(pathlib.Path(sys.argv[3]).read_text()), pathlib.Path(sys.argv[5])
job.mkdir(parents=True, exist_ok=True)
(job / "job.json").write_text("{}")
with (job.parent / "calls").open("a") as file:
    file.write(" ".join([recipe, *sys.argv[6:]]) + "\\n")
if spec.get("fails") and "--resume" not in sys.argv:
    print("the disk is full")
    sys.exit(1)
(job / "model").mkdir()
(job / "model" / "made").write_text(recipe)
(job / "exit.json").write_text(json.dumps({"code": 0, "error": None}))
"""


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    return (sys.executable, str(program))


def calls(folder: Path) -> list[str]:
    return (folder / "jobs" / "calls").read_text("utf-8").splitlines()


def test_the_stages_are_specs_of_their_recipes(tmp_path: Path) -> None:
    wanted = stages(tmp_path, corpus=tmp_path / "mine", model="nat", steps=7)

    assert [stage.recipe for stage in wanted] == ["voice", "vocoder"]
    for stage in wanted:
        (tmp_path / "spec.json").write_text(json.dumps(stage.spec), "utf-8")
        spec = read_spec(RECIPES[stage.recipe], tmp_path / "spec.json").model_dump()
        assert (spec["corpus"], spec["run"]["steps"]) == (tmp_path / "mine", 7)
    assert wanted[0].spec["model"] == "nat"


def test_without_a_corpus_and_a_recipe_for_one_it_asks_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "RECIPES", {})
    with pytest.raises(PipelineError, match="name the folder of one"):
        stages(tmp_path)

    monkeypatch.setattr(pipeline, "RECIPES", {"voice-corpus": None})
    first = stages(tmp_path, corpus_spec={"sentences": 5})[0]
    assert first == Stage("corpus", "voice-corpus", {"folder": str(tmp_path / "corpus"), "sentences": 5})


def test_the_voice_is_put_together_and_nothing_is_done_twice(tmp_path: Path, command: tuple[str, ...]) -> None:
    told: list[tuple[str, float, str]] = []
    wanted = stages(tmp_path, corpus=tmp_path)
    voice = make_voice(tmp_path, wanted, lambda *one: told.append(one), command)
    make_voice(tmp_path, wanted, lambda *one: told.append(one), command)

    assert calls(tmp_path) == ["voice", "vocoder"]
    assert (voice / "acoustic" / "made").read_text("utf-8") == "voice"
    assert (voice / "vocoder" / "made").read_text("utf-8") == "vocoder"
    assert told[-2:] == [("acoustic", 1.0, "is there"), ("vocoder", 1.0, "is there")]


def test_a_stage_that_fails_says_why_and_is_resumed(tmp_path: Path, command: tuple[str, ...]) -> None:
    stage = Stage("acoustic", "voice", {"fails": True})
    with pytest.raises(PipelineError, match=r"acoustic failed: the disk is full\nIts log is .*acoustic.log"):
        run_stage(tmp_path / "jobs", stage, lambda *_: None, command)
    run_stage(tmp_path / "jobs", stage, lambda *_: None, command)

    assert calls(tmp_path) == ["voice", "voice --resume"]
