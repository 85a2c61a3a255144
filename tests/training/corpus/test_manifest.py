"""One line of the manifest: what may stand in it, and what a person is told about the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.manifest import Turn, audio_file, parse, read_manifest, write_manifest

from .samples import turn

LINE: dict[str, Any] = {
    "v": 1,
    "dialogue": "sw2001",
    "turn": 17,
    "speaker": "sw1020",
    "role": "A",
    "audio": "audio/sw02001.wav",
    "channel": 0,
    "start": 61.204,
    "end": 64.870,
    "text": "right i see",
    "words": [["right", 61.204, 61.41], ["i", 61.5, 61.6], ["see", 61.6, 62.0]],
    "lang": "en",
    "act": "ack",
    "overlap_prev": 0.0,
    "flags": [],
    "source": "swbd",
    "license": "LDC",
}


def test_a_line_keeps_everything_and_unknown_is_null() -> None:
    read = parse(json.dumps(LINE))
    written = json.loads(read.model_dump_json())
    assert {name: written[name] for name in LINE} == LINE
    assert {name for name in written if name not in LINE} == {"gender", "group", "split"}
    assert written["gender"] is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"v": 2}, "schema version 2; this Tandem reads 1: import the corpus again"),
        ({"start": 0, "end": 0}, "unknown times are null, not 0"),
        ({"start": 65.0}, "the turn ends at 64.87 s and starts at 65 s"),
        ({"start": None}, "start and end are both known or both null"),
        ({"end": 700.0}, "the longest is 600 s"),
        ({"start": -1.0}, "start: Input should be greater than or equal to 0"),
        ({"text": ""}, "text: String should have at least 1 character"),
        ({"gender": ""}, "gender: String should have at least 1 character"),
        ({"channel": None}, "audio and channel are both known or both null"),
        ({"channel": -1}, "channel: Input should be greater than or equal to 0"),
        ({"turn": "17"}, "turn: Input should be a valid integer"),
        ({"words": [["right", 61.3, 61.2]]}, "the word 'right' ends at 61.2 s, before it starts"),
        ({"words": [["right", 62.0, 62.1], ["i", 61.5, 61.6]]}, "the word 'i' at 61.5 s comes after one at 62 s"),
        ({"words": [["right", 64.0, 66.0]]}, "the word 'right' ends at 66 s, after the turn"),
        ({"words": [["right", 60.0, 61.3]]}, "or before the turn"),
        ({"words": [["", 61.3, 61.4]]}, "an empty word at 61.3 s"),
        ({"audio": "../../etc/passwd"}, "must stay below the source's audio folder"),
        ({"audio": "a/../../b.wav"}, "must stay below the source's audio folder"),
        ({"audio": "/etc/passwd"}, "must be relative, with forward slashes"),
        ({"audio": "C:/secret.wav"}, "must be relative, with forward slashes"),
        ({"audio": "..\\secret.wav"}, "must be relative, with forward slashes"),
        ({"mood": "sad"}, "mood: Extra inputs are not permitted"),
    ],
)
def test_a_line_that_cannot_be_says_why(change: dict[str, Any], told: str) -> None:
    with pytest.raises(CorpusError) as error:
        parse(json.dumps({**LINE, **change}))
    assert told in str(error.value)


def test_nan_is_no_time() -> None:
    with pytest.raises(CorpusError, match="start"):
        parse(json.dumps({**LINE, "start": float("nan")}))


def test_a_turn_may_have_an_order_and_no_times() -> None:
    read = Turn(dialogue="d", turn=0, speaker="s", text="hello", source="dailytalk")
    assert read.start is None and read.overlap_prev is None


def test_reading_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, [turn(0, "a", 0.0, 1.0), turn(1, "b", 1.0, 2.0)])
    with path.open("a", encoding="utf-8") as file:
        file.write("\nnonsense\n")
    with pytest.raises(CorpusError, match=r"manifest.jsonl, line 4: Invalid JSON.*see `tandem corpus validate`"):
        list(read_manifest(path))


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_bytes('{"text": "mí"}'.encode("latin-1"))
    with pytest.raises(CorpusError, match="not UTF-8"):
        list(read_manifest(tmp_path / "manifest.jsonl"))


def test_a_manifest_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, [turn(0, "a", 0.0, 1.0)])
    before = path.read_bytes()

    def broken() -> Any:
        yield turn(0, "b", 0.0, 1.0)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_manifest(path, broken())
    assert path.read_bytes() == before


def test_a_link_does_not_lead_out_of_the_audio_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(b"x")
    root = tmp_path / "audio"
    root.mkdir()
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    (root / "real.wav").write_bytes(b"x")
    assert audio_file(root, "real.wav") == root / "real.wav"
    with pytest.raises(CorpusError, match="leads out of"):
        audio_file(root, "link.wav")
    with pytest.raises(CorpusError, match="is not in"):
        audio_file(root, "missing.wav")
