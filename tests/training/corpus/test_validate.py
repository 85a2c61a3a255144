"""Every rule of a corpus, with the line that breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from tandem_models.prosody import EXTRACTOR_VERSION
from tandem_training.corpus.features import Row, fingerprint, write_table
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.validate import validate

from .samples import corpus, spoken_corpus, stereo, turn


def told(made: Corpus, audio: bool = True) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.level, problem.message) for problem in validate(made, audio=audio)]


def test_a_good_corpus_has_no_problems(tmp_path: Path) -> None:
    assert validate(spoken_corpus(tmp_path)) == []


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ([turn(0, "a", 0, 1), turn(0, "b", 1, 2)], 2, "turn 0 of d1 is on line 1 already"),
        ([turn(0, "a", 0, 1), turn(2, "b", 1, 2)], 1, "dialogue d1 has no turn 1"),
        ([turn(0, "a", 0, 1), turn(10**12, "b", 1, 2)], 1, "dialogue d1 has no turn 1"),
        ([turn(0, "a", 5, 6), turn(1, "b", 1, 2)], 2, "starts at 1 s, before turn 0 (5 s)"),
        ([turn(0, "a", 0, 2), turn(1, "a", 1, 3)], 2, "a is still speaking until 2 s (line 1)"),
        ([turn(0, "a", 0, 2), turn(1, "b", 1, 3, overlap_prev=0.2)], 2, "overlap_prev is 0.2, and 1.000 by the times"),
        (
            [turn(0, "a", 0, 2), Turn(dialogue="d1", turn=1, speaker="b", text="x", source="made")],
            2,
            "the turns of d1 have times, or none of them has",
        ),
        ([turn(0, "a", 0, 1), turn(1, "b", 1, 2, source="other")], 2, "d1 is from 'made' and from 'other'"),
        ([turn(0, "a", 0, 1, split="x"), turn(1, "b", 1, 2)], 2, "d1 is in split 'x' and in None"),
        ([turn(0, "a", 0, 1, gender="f"), turn(1, "a", 2, 3, gender="m")], 2, "a is 'm' here and 'f' on line 1"),
        (
            [turn(0, "a", 0, 1, "d1", split="train"), turn(0, "a", 0, 1, "d2", split="test")],
            2,
            "d2 in 'test' shares speakers with d1 in 'train'",
        ),
        ([turn(0, "a", 0, 1), turn(1, "b", 1, 2, audio="x.wav", channel=0)], 2, "source 'made' has no audio folder"),
    ],
)
def test_a_broken_rule_is_an_error_on_its_line(tmp_path: Path, lines: list[Turn], line: int, message: str) -> None:
    found = [one for one in told(corpus(tmp_path / "corpus", lines)) if message in one[2]]
    assert [(number, level) for number, level, _ in found] == [(line, "error")]


def test_roles_and_channels_that_change_are_warnings(tmp_path: Path) -> None:
    lines = [turn(0, "a", 0, 1, role="A"), turn(1, "a", 3, 4, role="B")]
    assert told(corpus(tmp_path / "corpus", lines)) == [(2, "warning", "a is 'B' here and 'A' before")]


def test_two_speakers_in_one_channel_are_a_warning_once(tmp_path: Path) -> None:
    stereo(tmp_path / "x.wav", 16_000, 5.0)
    lines = [turn(number, "ab"[number % 2], number, number + 1.0, audio="x.wav", channel=0) for number in range(4)]
    found = told(corpus(tmp_path / "corpus", lines, tmp_path))
    assert found == [(2, "warning", "b is in the same channel as a: features may be either's")]


def test_lines_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    made = corpus(tmp_path / "corpus", [turn(0, "a", 0, 1)])
    with made.manifest.open("a", encoding="utf-8") as file:
        file.write('{"v": 1}\n{"v": 3}\nnonsense\n')
    found = told(made)
    assert [(line, level) for line, level, _ in found] == [(2, "error"), (3, "error"), (4, "error")]
    assert "schema version 3" in found[1][2]


def test_recordings_are_opened_and_measured_against_the_turns(tmp_path: Path) -> None:
    made = spoken_corpus(tmp_path, ("d1", "d2", "d3"))
    audio = tmp_path / "audio"
    samples, rate = soundfile.read(audio / "d1.wav")
    soundfile.write(audio / "d1.wav", samples[: 4 * rate], rate)
    soundfile.write(audio / "d2.wav", samples[:, 0], rate)
    (audio / "d3.wav").unlink()
    found = told(made)
    assert (3, "error", "ends at 5.5 s, and d1.wav is 4.00 s long") in found
    assert (6, "error", "d2.wav has 1 channels, so no channel 1 (from 0)") in found
    assert [line for line, _, message in found if "'d3.wav' is not in" in message] == [9, 10, 11, 12]
    assert {line for line, *_ in told(made, audio=False)} == {9, 10, 11, 12}, "without opening, only what is not there"


def test_a_feature_table_is_checked_against_the_manifest_and_the_registry(tmp_path: Path) -> None:
    lines = [turn(number, "a", float(2 * number), 2 * number + 1.0) for number in range(4)]
    made = corpus(tmp_path / "corpus", lines)
    values = [(1.0,) + (None,) * 7, (0.0,) * 8, (90.0,) + (None,) * 7, (None,) * 8]
    rows = [
        Row(
            dialogue="d1",
            turn=one.turn,
            version=EXTRACTOR_VERSION,
            measured_on=fingerprint(one),
            origin="audio",
            values=some,
            error="no sound" if one.turn == 3 else None,
        )
        for one, some in zip(lines, values, strict=True)
    ]
    stale = rows[0].model_copy(update={"measured_on": "0" * 16})
    gone = rows[0].model_copy(update={"dialogue": "d9"})
    write_table(made.table(EXTRACTOR_VERSION), [*rows, stale, gone])
    assert told(made) == [
        (2, "error", "d1, turn 1: every value is 0; what is missing is null"),
        (3, "error", "d1, turn 2: pitch_mean is 90, outside -12 to 36 st re 100 Hz"),
        (4, "warning", "d1, turn 3: could not be measured: no sound"),
        (5, "warning", "d1, turn 0: the turn has changed since; run `tandem corpus features`"),
        (6, "warning", "d9, turn 0: no such turn is in the manifest"),
    ]


def test_an_empty_manifest_is_an_error(tmp_path: Path) -> None:
    made = corpus(tmp_path / "corpus", [turn(0, "a", 0, 1)])
    made.manifest.write_text("")
    assert told(made) == [(0, "error", "it has no turns")]
