"""Real dialogues, where they are at hand: what is imported against what others found in the same files."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from tandem_models.prosody import INDEX
from tandem_training.corpus.dialogue import Options
from tandem_training.corpus.extraction import extract
from tandem_training.corpus.folder import Corpus, Source
from tandem_training.corpus.importing import import_corpus
from tandem_training.corpus.reading import CorpusDialogue, read_corpus
from tandem_training.corpus.validate import validate


def imported(importer: str, source: Path, folder: Path, **options: str) -> Corpus:
    result = import_corpus(importer, source, folder, options=Options(**options))  # type: ignore[arg-type]
    assert result.failures == []
    made = Corpus.open(folder)
    assert validate(made) == []
    return made


def levels(dialogues: list[CorpusDialogue], feature: str) -> tuple[float, float, float]:
    """(mean over speakers, sd between them, sd within them) of those with five turns or more."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for dialogue in dialogues:
        for turn in dialogue.turns:
            if turn.mask[INDEX[feature]]:
                found[turn.speaker].append(float(turn.features[INDEX[feature]]))
    some = [values for values in found.values() if len(values) >= 5]
    means = [float(np.mean(values)) for values in some]
    within = float(np.sqrt(np.mean([np.var(values, ddof=1) for values in some])))
    return float(np.mean(means)), float(np.std(means)), within


def test_spokenwoz_is_measured_as_praat_was_by_others(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "spokenwoz_sample"
    whole = imported("spokenwoz", source, tmp_path / "whole")
    turns = [turn for turn in whole.turns() if turn.dialogue == "SNG0696"]
    made = Corpus.open_or_make(tmp_path / "one")
    made.put("spokenwoz", Source(importer="spokenwoz", audio=str(source)), turns)
    assert not extract(made).failures
    theirs = {}
    for line in (source / "turns.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        theirs[entry["dialogue"], entry["role"], entry["start"], entry["end"]] = entry["features"]
    (dialogue,) = read_corpus(made.folder)
    pairs = [
        (turn.features, theirs[key])
        for turn in dialogue.turns
        if (key := (dialogue.id, turn.role, turn.start, turn.end)) in theirs
    ]
    assert len(whole.turns()) == 115 and len(pairs) >= 0.8 * len(turns)
    for feature, name, close in (("pitch_mean", "f0_mean_st", 0.5), ("intensity_mean", "int_mean_db", 0.3)):
        apart = [abs(float(mine[INDEX[feature]]) - float(other[name])) for mine, other in pairs]
        assert float(np.median(apart)) < close


def test_map_task_rates_are_those_of_its_speakers(shared_data: Path, tmp_path: Path) -> None:
    for kind in ("timed-units", "moves"):
        (tmp_path / "some" / kind).mkdir(parents=True)
        for path in (shared_data / "hcrc_maptask_timing" / kind).glob("q[14]*.xml"):
            shutil.copy(path, tmp_path / "some" / kind)
    made = imported("hcrc", tmp_path / "some", tmp_path / "corpus")
    assert extract(made).nothing == 0
    dialogues = read_corpus(made.folder)
    assert len(dialogues) == 32 and len({dialogue.component for dialogue in dialogues}) == 4, "quads of four speakers"
    acts = {turn.act for dialogue in dialogues for turn in dialogue.turns}
    assert {"instruct", "acknowledge", "query_yn", "reply_y", "check"} <= acts
    # A prior fitted elsewhere to the whole corpus: mean 1.70 ln syllables/s, within a speaker 0.22.
    mean, _, within = levels(dialogues, "rate")
    assert mean == pytest.approx(1.70, abs=0.1)
    assert within == pytest.approx(0.22, abs=0.04)


def test_switchboard_f0_is_that_of_women_and_men(shared_data: Path, tmp_path: Path) -> None:
    lines = (shared_data / "swbd_f0_words" / "words_f0.csv").read_text("utf-8").splitlines()
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "words_f0.csv").write_text("\n".join(lines[:20_001]))
    made = imported("swbd-f0", tmp_path / "some", tmp_path / "corpus")
    assert made.versions() == ["swbd-f0-words-1"], "it is not what our extractor measures"
    dialogues = read_corpus(made.folder, version="swbd-f0-words-1")
    assert {dialogue.component for dialogue in dialogues} == {0}, "nobody says who calls twice"
    heard: defaultdict[str, list[float]] = defaultdict(list)
    for row in csv.DictReader(lines[:20_001]):
        if row["f0.mode"] != "NA":
            heard[f"{row['uttid'][:6]}:{row['uttid'][6]}"].append(12 * np.log2(float(row["f0.mode"]) / 100))
    first = {dialogue.turns[0].speaker: float(dialogue.turns[0].features[0]) for dialogue in dialogues}
    once = [speaker for speaker, values in heard.items() if len(values) == 1 and speaker in first]
    assert len(once) >= 5
    assert [first[speaker] for speaker in once] == pytest.approx([heard[speaker][0] for speaker in once], abs=1e-4)
    # Fitted elsewhere to all of it: within a speaker about 2.8 st.
    _, between, within = levels(dialogues, "pitch_mean")
    assert within == pytest.approx(2.8, abs=0.5) and between > 4.0, "an octave lies between men and women"


def test_dailytalk_texts_have_an_order_and_no_times(shared_data: Path, tmp_path: Path) -> None:
    made = imported("dailytalk", shared_data / "dailytalk_text" / "val_frame.txt", tmp_path / "corpus")
    turns = made.turns()
    assert len(turns) == 1197, "its lines"
    assert all(turn.text is not None and turn.start is None for turn in turns)
    assert extract(made).nothing == len(turns)


def test_a_spanish_game_has_prosody_and_no_english_syllables(shared_data: Path, tmp_path: Path) -> None:
    made = imported("words", shared_data / "uba_games_demo", tmp_path / "corpus", lang="es")
    assert not extract(made).failures
    (dialogue,) = read_corpus(made.folder)
    masks = np.array([turn.mask for turn in dialogue.turns])
    assert masks[:, : INDEX["rate"]].mean() > 0.95 and not masks[:, INDEX["rate"]].any()
    assert dialogue.turns[0].text == "a mí no me tit ah sí a mí me titila el payaso"
