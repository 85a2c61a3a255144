"""The voice's corpus: what is said, by whom, and what the lines state."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile

from tandem_models.extract import PitchRange
from tandem_models.phones import pronounce
from tandem_models.prosody import NAMES
from tandem_models.realise import REACH
from tandem_training.job import Job
from tandem_training.recipes import voice_corpus
from tandem_training.specs import VoiceCorpus
from tandem_training.voice_corpus import festival, recording
from tandem_training.voice_corpus.sentences import chosen, drawn, expanded
from tandem_training.voice_corpus.teacher import Line, NoTeacherError
from tandem_training.voice_corpus.teachers import TEACHERS

FESTIVAL = shutil.which("festival")
needs_festival = pytest.mark.skipif(FESTIVAL is None, reason=f"no festival on this machine. {festival.INSTALL}")


# Text ---------------------------------------------------------------------------------------------------------------
def test_sentences_are_different_and_the_same_for_the_same_seed() -> None:
    texts = drawn(40, seed=5)
    assert texts == drawn(40, seed=5)
    assert len(set(texts)) == 40
    assert texts != drawn(40, seed=6)


def test_every_kind_of_sentence_and_every_phone_is_said() -> None:
    said = [one for text in drawn(150, seed=1) for one in pronounce(text)]
    assert len(said) == 150  # one sentence each
    assert {one.kind for one in said} == {"statement", "question", "exclamation"}
    assert len({phone for one in said for phone in one.phones}) == 41
    lengths = Counter(min(len(one.words), 20) for one in said)
    assert lengths[1] and lengths[20]


def test_the_sentence_with_the_most_new_sounds_comes_first() -> None:
    assert chosen(["aha", "the beige zoo", "the zoo"], 1) == ["the beige zoo"]


def test_slots_are_filled_from_lists_and_numbers() -> None:
    grammar = {"thing": ["ape"], "greeting": ["hello, {thing}"]}
    source = random.Random(0)
    assert expanded("{Greeting}! A {thing}.", grammar, source) == "Hello, ape! An ape."
    assert 3 <= int(expanded("{3-5}", grammar, source)) <= 5
    with pytest.raises(KeyError, match="nothing"):
        expanded("{nothing}", grammar, source)


# Copies -------------------------------------------------------------------------------------------------------------
def test_moves_stay_within_the_realisers_reach_and_leave_features_alone_at_times() -> None:
    draws = [recording.drawn(random.Random(seed)) for seed in range(200)]
    assert all(REACH[name][0] <= move <= REACH[name][1] for moves in draws for name, move in moves.items())
    counts = Counter(name for moves in draws for name in moves)
    assert set(counts) == set(NAMES)
    assert all(50 < count < 190 for count in counts.values())


@pytest.fixture
def tone(tmp_path: Path) -> recording.Recording:
    """A second of a buzzing voice that swings a semitone around 150 Hz, said to be the word `tandem`."""
    time = np.arange(24_000) / 24_000
    phase = 2 * np.pi * np.cumsum(150 * 2 ** (np.sin(2 * np.pi * 3 * time) / 12)) / 24_000
    wave = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20)) * (1.2 + np.sin(2 * np.pi * 4 * time))
    soundfile.write(tmp_path / "tone.wav", 0.1 * wave, 24_000)
    (sentence,) = pronounce("tandem")
    ends = tuple((place + 1) / len(sentence.phones) for place in range(len(sentence.phones)))
    (tmp_path / "wavs").mkdir()
    return recording.Recording("t", "tandem", "train", sentence, tmp_path / "tone.wav", sentence.phones, ends)


def test_a_copys_times_follow_its_rate_and_its_prosody_is_what_is_heard(
    tone: recording.Recording, tmp_path: Path
) -> None:
    base, *copies = recording.lines(tone, 3, 0, PitchRange(75.0, 300.0), tmp_path)

    assert base["prosody"]["pitch_mean"] == pytest.approx(12 * np.log2(1.5), abs=0.05)  # 150 Hz re 100 Hz
    for line in (base, *copies):
        audio, rate = soundfile.read(tmp_path / line["audio"])
        assert rate == 22_050
        assert line["ends"][-1] == pytest.approx(len(audio) / rate, abs=0.01)
        assert len(line["ends"]) == len(line["phones"]) == len(line["stress"])
        moves = line["augmentation"]
        shift = line["prosody"]["pitch_mean"] - base["prosody"]["pitch_mean"]
        assert shift == pytest.approx(moves.get("pitch_mean", 0.0), abs=0.2)
        assert line["ends"][-1] * moves.get("rate_factor", 1.0) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"phones": ("pau", "hh", "m", "pau")}, "not those of the front end"),
        ({"ends": (0.1, 0.2, 0.2, 0.4, 0.5, 0.6, 0.7, 1.0)}, "no duration"),
        ({"ends": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.5)}, "the sound at 1.00 s"),
        ({"wave": Path("missing.wav")}, "cannot be read"),
    ],
)
def test_a_bad_recording_is_refused_with_the_reason(
    tone: recording.Recording, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    bad = replace(tone, **change)  # type: ignore[arg-type]
    with pytest.raises(recording.UnusableError, match=reason):
        list(recording.lines(bad, 0, 0, PitchRange(75.0, 300.0), tmp_path))


def test_a_sentence_is_in_the_same_split_in_every_corpus() -> None:
    splits = Counter(voice_corpus.split(f"sentence {number}") for number in range(2000))
    assert voice_corpus.split("Hello!") == voice_corpus.split("Hello!")
    assert 40 < splits["valid"] < 130
    assert 40 < splits["test"] < 130


# The teacher --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "advice"), [("slt", "apt install festival festvox"), ("rms", "apt install flite")])
def test_without_its_program_a_teacher_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: Literal["slt", "rms"], advice: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    spec = VoiceCorpus(folder=tmp_path / "corpus", sentences=1, teacher=name)
    with pytest.raises(NoTeacherError, match=advice):
        voice_corpus.run(spec, Job.begin(tmp_path / "job", "voice-corpus", spec))


@pytest.mark.parametrize(("name", "program", "rate"), [("slt", "festival", 32_000), ("rms", "flite", 16_000)])
def test_a_teacher_says_exactly_the_phones_of_the_front_end(tmp_path: Path, name: str, program: str, rate: int) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine: apt install {program}")
    texts = [
        "I read what you have read; to me, it's live: hmm.",
        "Isn't Dr. Snarfle's blorptastic TV from the U.S.?",
        "Wow, $45.50 on May 5th!",
    ]
    said = {str(place): pronounce(text)[0] for place, text in enumerate(texts)}
    takes = TEACHERS[name].speak([Line(one, sentence, 1.2) for one, sentence in said.items()], tmp_path)

    assert {one: take.phones for one, take in takes.items()} == {one: right.phones for one, right in said.items()}
    for take in takes.values():
        found = soundfile.info(take.wave)
        assert found.samplerate == rate
        assert take.ends[-1] == pytest.approx(found.duration, abs=0.03)


def test_every_teacher_can_be_named_in_a_spec() -> None:
    assert {VoiceCorpus.model_validate({"folder": ".", "teacher": name}).teacher for name in TEACHERS} == {"slt", "rms"}


@needs_festival
def test_a_build_that_was_interrupted_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_corpus, "PART", 2)
    folder = tmp_path / "corpus"
    spec = VoiceCorpus(folder=folder, sentences=4, copies=1)
    voice_corpus.run(spec, Job.begin(tmp_path / "first", "voice-corpus", spec))
    whole = (folder / "utterances.jsonl").read_text("utf-8")
    kept = (folder / "parts" / "0000.json").stat().st_mtime_ns
    (folder / "parts" / "0001.json").unlink()

    voice_corpus.run(spec, Job.begin(tmp_path / "second", "voice-corpus", spec))

    assert (folder / "utterances.jsonl").read_text("utf-8") == whole
    assert (folder / "parts" / "0000.json").stat().st_mtime_ns == kept
    lines = [json.loads(line) for line in whole.splitlines()]
    assert len(lines) == 8
    assert all((folder / line["audio"]).exists() and set(line["prosody"]) == set(NAMES) for line in lines)
    by_sentence = {line["text"]: line["split"] for line in lines}
    assert all(line["split"] == by_sentence[line["text"]] for line in lines)
    card = json.loads((folder / "corpus.json").read_text("utf-8"))
    assert card["counts"]["sentences"] == 4
    other = spec.model_copy(update={"copies": 2})
    with pytest.raises(ValueError, match="another folder"):
        voice_corpus.run(other, Job.begin(tmp_path / "third", "voice-corpus", other))
