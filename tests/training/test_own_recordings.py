"""A person's own recordings: their layout, their phone times, their pauses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tandem_models.phones import pronounce
from tandem_models.signal import SAMPLE_RATE, resample
from tandem_training.job import Job
from tandem_training.recipes import voice_corpus
from tandem_training.specs import VoiceCorpus
from tandem_training.voice_corpus import festival
from tandem_training.voice_corpus.alignment import Aligner, AlignmentError
from tandem_training.voice_corpus.own_recordings import transcripts, with_pauses
from tandem_training.voice_corpus.teacher import Line

needs_festival = pytest.mark.skipif(
    shutil.which("festival") is None, reason=f"no festival on this machine. {festival.INSTALL}"
)


def layout(folder: Path, table: str, *names: str) -> Path:
    """A folder of silent recordings."""
    (folder / "wavs").mkdir(parents=True)
    (folder / "metadata.csv").write_text(table, "utf-8")
    for name in names:
        soundfile.write(folder / "wavs" / name, np.zeros(16_000), 16_000)
    return folder


def test_the_last_column_is_what_was_read(tmp_path: Path) -> None:
    folder = layout(tmp_path, "a|Dr. X|Doctor X\n\nb|Hello.\n", "a.wav", "b.flac")
    assert [(one.name, one.text) for one in transcripts(folder)] == [("a", "Doctor X"), ("b", "Hello.")]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [("a\n", "line 1: not ID"), ("c|Hello.\n", "no wavs/c.wav"), ("a|Hi.\na|Ho.\n", "the same ID")],
)
def test_a_folder_that_is_not_complete_is_refused_with_the_line(tmp_path: Path, table: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        transcripts(layout(tmp_path, table, "a.wav"))


def test_a_folder_without_a_table_says_what_one_looks_like(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"metadata.csv is missing: lines of ID\|text"):
        transcripts(tmp_path)


def test_pauses_are_where_the_speaker_made_them() -> None:
    """No pause at the comma, one of 100 ms before `see`; the 20 ms of silence after `oh` are its own."""
    spans = [[(0.2, 0.4)], [(0.42, 0.6)], [(0.7, 0.8), (0.8, 0.9)]]
    said, ends = with_pauses(pronounce("Oh, I see."), spans, 1.0)

    assert said.phones == ("pau", "ow", "ay", "pau", "s", "iy", "pau")
    assert said.words == (("oh", 1, 2), ("i", 2, 3), ("see", 4, 6))
    assert ends == (0.2, 0.42, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert len(said.stress) == 7


def test_speech_that_fills_its_recording_keeps_a_pause_of_ten_milliseconds_at_either_end() -> None:
    said, ends = with_pauses(pronounce("Oh."), [[(0.0, 1.0)]], 1.0)
    assert said.phones == ("pau", "ow", "pau")
    assert ends == (0.01, 0.99, 1.0)


def test_silence_is_not_the_words_of_its_transcript() -> None:
    (sentence,) = pronounce("Good morning, everybody!")
    with pytest.raises(AlignmentError):
        Aligner().phones(np.zeros(1600, np.float32), [sentence.phones[first:last] for _, first, last in sentence.words])


@needs_festival
def test_phones_are_found_where_the_teacher_says_it_said_them(tmp_path: Path) -> None:
    texts = ["The measuring cup is upstairs.", "Why not?", "Judith and Xavier bought oranges, boats, and toys."]
    said = {str(place): pronounce(text)[0] for place, text in enumerate(texts)}
    takes = festival.speak([Line(name, one) for name, one in said.items()], tmp_path)
    aligner, misses = Aligner(), []
    for name, one in said.items():
        audio, rate = soundfile.read(takes[name].wave, dtype="float32")
        words = [one.phones[first:last] for _, first, last in one.words]
        found = aligner.phones(resample(audio, rate, SAMPLE_RATE), words)
        for (_, first, last), spans in zip(one.words, found, strict=True):
            misses += [abs(end - right) for (_, end), right in zip(spans, takes[name].ends[first:last], strict=True)]

    assert np.median(misses) <= 0.015
    assert np.quantile(misses, 0.9) <= 0.04


@needs_festival
def test_a_corpus_of_ones_own_recordings(tmp_path: Path) -> None:
    folder = layout(tmp_path / "mine", "a|Good morning, everybody!\nb|Nothing.\n", "b.wav")
    (sentence,) = pronounce("Good morning, everybody!")
    take = festival.speak([Line("a", sentence)], tmp_path / "said")["a"]
    shutil.copy(take.wave, folder / "wavs" / "a.wav")
    spec = VoiceCorpus(folder=tmp_path / "corpus", recordings=folder, copies=1, notices=("CC0, by nobody",))

    voice_corpus.run(spec, Job.begin(tmp_path / "job", "voice-corpus", spec))

    rows = (tmp_path / "corpus" / "utterances.jsonl").read_text("utf-8").splitlines()
    lines = [json.loads(row) for row in rows]
    assert [line["id"] for line in lines] == ["a", "a-1"]
    assert tuple(lines[0]["phones"]) == sentence.phones
    (rejected,) = map(json.loads, (tmp_path / "corpus" / "rejected.jsonl").read_text("utf-8").splitlines())
    assert rejected["id"] == "b"
    assert json.loads((tmp_path / "corpus" / "corpus.json").read_text("utf-8"))["notices"] == ["CC0, by nobody"]
