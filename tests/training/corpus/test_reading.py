"""What training sees of a corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tandem_models.normaliser import Normaliser
from tandem_models.prosody import EXTRACTOR_VERSION
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.features import Row, fingerprint, write_table
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.reading import read_corpus

from .samples import corpus, turn

VALUES = (5.0, 4.0, 70.0, None, -4.0, None, 15.0, 1.5)


def row(one: Turn, values: tuple[float | None, ...] = VALUES, version: str = EXTRACTOR_VERSION, **more: object) -> Row:
    given = {"dialogue": one.dialogue, "turn": one.turn, "version": version, "measured_on": fingerprint(one)}
    return Row.model_validate({**given, "origin": "audio", "values": values, **more})


@pytest.fixture
def measured(tmp_path: Path) -> Corpus:
    lines = [
        turn(0, "ada", 0.0, 1.0, text="hello", role="A", act="greet", flags=("backchannel",), overlap_prev=0.0),
        turn(1, "bob", 1.2, 2.0, text="hi", role="B"),
        turn(0, "bob", 0.5, 1.0, "d2", text="again", role="A", split="test", group="g"),
    ]
    made = corpus(tmp_path / "corpus", lines)
    rows = [row(lines[0], voiced=0.4, flags=("clipped",)), row(lines[1], (None,) * 8, error="cut off")]
    write_table(made.table(EXTRACTOR_VERSION), rows)
    return made


def test_a_turn_has_its_features_its_mask_and_what_the_manifest_says(measured: Corpus) -> None:
    first, second = read_corpus(measured.folder)
    one = first.turns[0]
    assert (first.id, first.source, first.split, first.speakers) == ("d1", "made", None, ("ada", "bob"))
    assert (one.speaker, one.role, one.text, one.start, one.end, one.act) == ("ada", "A", "hello", 0.0, 1.0, "greet")
    assert one.features.dtype == np.float32 and one.features.shape == one.mask.shape == (8,)
    assert one.mask.tolist() == [value is not None for value in VALUES]
    assert np.array_equal(one.features, np.array(VALUES, np.float32), equal_nan=True)
    assert one.flags == ("backchannel", "clipped") and one.weight == 0.4
    assert first.component == second.component, "bob is in both"


def test_missing_is_not_a_number_so_that_nobody_takes_it_for_nought(measured: Corpus) -> None:
    failed, unmeasured = read_corpus(measured.folder)[0].turns[1], read_corpus(measured.folder)[1].turns[0]
    for one in (failed, unmeasured):
        assert not one.mask.any() and np.isnan(one.features).all()


def test_the_normaliser_takes_a_turn_as_it_is(measured: Corpus) -> None:
    one = read_corpus(measured.folder)[0].turns[0]
    assert one.prosody.values == VALUES
    assert Normaliser.new().updated(one.prosody, one.weight) != Normaliser.new()


def test_sources_and_splits_can_be_chosen(measured: Corpus) -> None:
    assert [dialogue.id for dialogue in read_corpus(measured.folder, split="test")] == ["d2"]
    assert len(read_corpus(measured.folder, sources=["made"])) == 2
    with pytest.raises(CorpusError, match=r"source 'other' is not in corpus.json \(known: made\)"):
        read_corpus(measured.folder, sources=["other"])


def test_another_version_is_another_table(measured: Corpus) -> None:
    first = measured.turns()[0]
    write_table(measured.table("praat-7"), [row(first, (9.0,) + (None,) * 7, "praat-7")])
    assert read_corpus(measured.folder, version="praat-7")[0].turns[0].features[0] == 9.0
    assert read_corpus(measured.folder)[0].turns[0].features[0] == 5.0
    with pytest.raises(CorpusError, match=r"no features of 'praat-8' \(there: praat-7, tandem-prosody-1\)"):
        read_corpus(measured.folder, version="praat-8")
    with pytest.raises(CorpusError, match="is no extractor version"):
        read_corpus(measured.folder, version="../corpus")


def test_features_of_a_turn_that_has_changed_since_do_not_count(measured: Corpus) -> None:
    turns = measured.turns()
    turns[0] = turns[0].model_copy(update={"end": 1.1})
    measured.put("made", measured.sources["made"], turns)
    assert not read_corpus(measured.folder)[0].turns[0].mask.any()


def test_a_folder_that_is_no_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is no corpus; make one with `tandem corpus import`"):
        read_corpus(tmp_path)
    (tmp_path / "corpus.json").write_text('{"v": 9}')
    with pytest.raises(CorpusError, match="is damaged"):
        read_corpus(tmp_path)
