"""Importers of common formats, from files that other programs wrote or that follow the formats' documentation."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from praatio import textgrid
from pympi import Elan

from tandem_training.corpus.dialogue import Options
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.importing import Imported, import_corpus
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.registry import IMPORTERS

from .samples import stereo


def imported(importer: str, tmp_path: Path, **options: object) -> tuple[list[Turn], Imported]:
    """The turns that came of `tmp_path/in`."""
    chosen = Options(**options)  # type: ignore[arg-type]
    result = import_corpus(importer, tmp_path / "in", tmp_path / "corpus", options=chosen)
    return Corpus.open(tmp_path / "corpus").turns(), result


def shown(turns: list[Turn]) -> list[tuple[str, float | None, float | None, str | None]]:
    return [(turn.speaker, turn.start, turn.end, turn.text) for turn in turns]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


TWO = [("d:A", 0.5, 1.5, 'say "hi"'), ("d:B", 2.0, 3.0, "hello there")]


@pytest.mark.parametrize("style", ["long_textgrid", "short_textgrid"])
def test_a_textgrid_has_a_tier_a_speaker(tmp_path: Path, folder: Path, style: str) -> None:
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("A", [(0.5, 1.5, 'say "hi"')], 0, 8))
    grid.addTier(textgrid.IntervalTier("B", [(2.0, 3.0, "hello there"), (3.0, 4.0, "sil")], 0, 8))
    grid.addTier(textgrid.PointTier("clicks", [(1.0, "x")], 0, 8))
    grid.save(str(folder / "d.TextGrid"), style, includeBlankSpaces=True)
    stereo(folder / "d.wav")
    turns, result = imported("textgrid", tmp_path)
    assert shown(turns) == TWO
    assert [(turn.audio, turn.channel, turn.role) for turn in turns] == [("d.wav", 0, "A"), ("d.wav", 1, "B")]
    assert result.local_speakers


def test_aligned_words_come_from_tiers_called_words(tmp_path: Path, folder: Path) -> None:
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("A - words", [(0.5, 0.9, "say"), (1.0, 1.5, "hi")], 0, 8))
    grid.addTier(textgrid.IntervalTier("A - phones", [(0.5, 0.9, "EY"), (1.0, 1.5, "AY")], 0, 8))
    grid.addTier(textgrid.IntervalTier("B", [(2.0, 3.0, "hello there")], 0, 8))
    grid.addTier(textgrid.IntervalTier("B words", [(2.0, 2.4, "hello"), (2.5, 3.0, "there")], 0, 8))
    grid.save(str(folder / "d.TextGrid"), "long_textgrid", includeBlankSpaces=True)
    turns, _ = imported("textgrid", tmp_path)
    assert shown(turns) == [("d:A", 0.5, 1.5, "say hi"), ("d:B", 2.0, 3.0, "hello there")]
    assert turns[0].words == (("say", 0.5, 0.9), ("hi", 1.0, 1.5))
    assert turns[1].words == (("hello", 2.0, 2.4), ("there", 2.5, 3.0))


def test_an_aligners_files_of_two_speakers_are_a_dialogue(tmp_path: Path, folder: Path) -> None:
    for speaker, word, start in (("A", "hi", 0.5), ("B", "hello", 2.0)):
        grid = textgrid.Textgrid()
        grid.addTier(textgrid.IntervalTier("words", [(start, start + 0.5, word)], 0, 8))
        grid.addTier(textgrid.IntervalTier("phones", [(start, start + 0.5, "AY")], 0, 8))
        grid.save(str(folder / f"d-{speaker}.TextGrid"), "short_textgrid", includeBlankSpaces=True)
        soundfile.write(folder / f"d-{speaker}.wav", np.zeros(64_000), 16_000)
    turns, _ = imported("textgrid", tmp_path, paired=True)
    assert shown(turns) == [("d:A", 0.5, 1.0, "hi"), ("d:B", 2.0, 2.5, "hello")]
    assert [(turn.audio, turn.words) for turn in turns] == [
        ("d-A.wav", (("hi", 0.5, 1.0),)),
        ("d-B.wav", (("hello", 2.0, 2.5),)),
    ]
    with pytest.raises(CorpusError, match=r"tier 'words' does not say whose; .* see --paired"):
        imported("textgrid", tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_textgrid_may_be_in_utf_16_as_praat_likes_it(tmp_path: Path, folder: Path, encoding: str) -> None:
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("A", [(0.5, 1.5, "a mí no")], 0, 8))
    grid.save(str(folder / "d.TextGrid"), "long_textgrid", includeBlankSpaces=True)
    text = (folder / "d.TextGrid").read_text("utf-8")
    (folder / "d.TextGrid").write_text(text, encoding)
    assert imported("textgrid", tmp_path)[0][0].text == "a mí no"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no TextGrid in a text format"),
        (b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n8\n<exists>\n1\n"IntervalTier"\n"A"\n0', "middle"),
        (b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n8\n<absent>\n', "no interval tier has text"),
        ('File type = "ooTextFile" mí'.encode("latin-1"), "is not in utf-8; name its encoding"),
    ],
)
def test_a_textgrid_that_is_none_says_so(tmp_path: Path, folder: Path, content: bytes, told: str) -> None:
    (folder / "d.TextGrid").write_bytes(content)
    with pytest.raises(CorpusError, match=f"d.TextGrid.*{told}"):
        imported("textgrid", tmp_path)


def test_an_elan_document_has_participants_and_words_below_them(tmp_path: Path, folder: Path) -> None:
    document = Elan.Eaf()
    for name, participant in (("ref-A", "A"), ("ref-B", "B"), ("A words", "A")):
        document.add_tier(name, part=participant, parent="ref-A" if name == "A words" else None)
    document.add_annotation("ref-A", 500, 1500, 'say "hi"')
    document.add_annotation("ref-B", 2000, 3000, "hello there")
    document.add_annotation("A words", 500, 900, "say")
    document.add_annotation("A words", 900, 1500, "hi")
    document.remove_tier("default")
    document.to_file(str(folder / "d.eaf"))
    turns, _ = imported("elan", tmp_path)
    assert shown(turns) == TWO
    assert turns[0].words == (("say", 0.5, 0.9), ("hi", 0.9, 1.5)) and turns[1].words is None


def test_xml_that_multiplies_itself_is_refused(tmp_path: Path, folder: Path) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 12))
    (folder / "d.eaf").write_text(
        f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><ANNOTATION_DOCUMENT>&e11;</ANNOTATION_DOCUMENT>'
    )
    with pytest.raises(CorpusError, match=r"d.eaf: not XML"):
        imported("elan", tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_a_dialogue_with_any_delimiter_and_order(tmp_path: Path, folder: Path, delimiter: str) -> None:
    rows = [
        ["Speaker", "text", "END", "start"],
        ["B", "hello there", "3.0", "2.0"],
        ["A", '"say ""hi"""', "1.5", "0.5"],
    ]
    (folder / "d.csv").write_text("\n".join(delimiter.join(row) for row in rows))
    stereo(folder / "d.wav")
    turns, _ = imported("csv", tmp_path)
    assert shown(turns) == TWO
    assert [turn.channel for turn in turns] == [0, 1]


def test_a_column_tells_dialogues_apart_and_names_may_be_global(tmp_path: Path, folder: Path) -> None:
    (folder / "all.csv").write_text("dialogue,start,end,speaker,text\nx,0,1,ada,one\ny,0,1,ada,two\n", "utf-8")
    turns, result = imported("csv", tmp_path, local_speakers=False, license="CC0", lang="en")
    assert [(turn.dialogue, turn.speaker, turn.license, turn.lang) for turn in turns] == [
        ("x", "ada", "CC0", "en"),
        ("y", "ada", "CC0", "en"),
    ]
    assert (result.dialogues, result.speakers) == (2, 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("start,end,text\n0,1,x\n", "line 2: no speaker; the columns are start, end, speaker, text"),
        ("start,end,speaker,text\n0,1,A,x\nnan,2,B,y\n", "line 3: 'nan' is no time in seconds from 0 up"),
        ("start,end,speaker,text\n0;5,1,A,x\n", "line 2: '0;5' is no time in seconds"),
        ("start,end,speaker,text\n2,1,A,x\n", "line 2: ends at 1 s, before it starts at 2 s"),
        ("start,end,speaker,text\n0,1,,x\n", "line 2: nobody speaks"),
        ("", "d.csv is empty"),
        ('start,end,speaker,text\n0,1,A,"' + "x" * 200_000, "not a table .*is a quotation mark left open"),
    ],
)
def test_a_table_that_cannot_be_names_the_line(tmp_path: Path, folder: Path, content: str, told: str) -> None:
    (folder / "d.csv").write_text(content, "utf-8")
    with pytest.raises(CorpusError, match=told):
        imported("csv", tmp_path)


def test_another_encoding_has_to_be_named(tmp_path: Path, folder: Path) -> None:
    (folder / "d.csv").write_bytes("start,end,speaker,text\n0,1,A,a mí no\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"d.csv is not in utf-8; name its encoding, for example --encoding latin-1"):
        imported("csv", tmp_path)
    assert imported("csv", tmp_path, encoding="latin-1")[0][0].text == "a mí no"
    with pytest.raises(CorpusError, match=r"there is no encoding 'klingon'"):
        imported("csv", tmp_path, encoding="klingon")


def test_a_huge_table_is_read_in_one_pass(tmp_path: Path, folder: Path) -> None:
    lines = (f"{second},{second + 0.9},{'AB'[second // 5 % 2]},word {second}" for second in range(50_000))
    (folder / "d.csv").write_text("start,end,speaker,text\n" + "\n".join(lines))
    turns, _ = imported("csv", tmp_path)
    assert len(turns) == 10_000 and turns[-1].end == 49_999.9


def test_each_speaker_may_have_a_recording(tmp_path: Path, folder: Path) -> None:
    (folder / "d.csv").write_text("start,end,speaker,text\n0,1,A,one\n1,2,B,two\n")
    for name in ("d-A", "d_B"):
        soundfile.write(folder / f"{name}.wav", np.zeros(32_000), 16_000)
    turns, _ = imported("csv", tmp_path)
    assert [(turn.audio, turn.channel) for turn in turns] == [("d-A.wav", 0), ("d_B.wav", 0)]
    (folder / "d_B.wav").unlink()
    with pytest.raises(CorpusError, match=r"d has a recording of A and none of B"):
        imported("csv", tmp_path)


def test_one_channel_for_two_is_flagged_and_too_few_channels_refused(tmp_path: Path, folder: Path) -> None:
    (folder / "d.csv").write_text("start,end,speaker,text\n0,1,A,one\n1,2,B,two\n2,3,C,three\n")
    soundfile.write(folder / "d.wav", np.zeros(32_000), 16_000)
    assert {turn.flags for turn in imported("csv", tmp_path)[0]} == {("mixed_audio",)}
    soundfile.write(folder / "d.wav", np.zeros((32_000, 2)), 16_000)
    with pytest.raises(CorpusError, match=r"d.wav has 2 channels for 3 speakers: A, B, C"):
        imported("csv", tmp_path)


def test_recordings_may_lie_elsewhere(tmp_path: Path, folder: Path) -> None:
    (folder / "d.csv").write_text("start,end,speaker,text\n0,1,A,one\n1,2,B,two\n")
    stereo(tmp_path / "sounds" / "deep" / "d.wav")
    turns, _ = imported("csv", tmp_path, audio=tmp_path / "sounds")
    made = Corpus.open(tmp_path / "corpus")
    assert turns[0].audio == "deep/d.wav"
    assert made.audio_file(turns[0]) == tmp_path / "sounds" / "deep" / "d.wav"


def test_word_lists_become_turns(tmp_path: Path, folder: Path) -> None:
    words = [("B", "hello", 2.0, 2.4), ("A", "say", 0.5, 0.9), ("A", "hi", 0.95, 1.5), ("B", "there", 2.45, 3.0)]
    entries = [dict(zip(("speaker", "word", "start", "end"), word, strict=True)) for word in words]
    (folder / "d.json").write_text(json.dumps(entries))
    assert shown(imported("words-json", tmp_path)[0]) == [("d:A", 0.5, 1.5, "say hi"), TWO[1]]
    (folder / "d.json").write_text('{"a": 1}')
    with pytest.raises(CorpusError, match=r"a list of words is wanted"):
        imported("words-json", tmp_path)
    (folder / "d.json").write_text("[" * 100_000)
    with pytest.raises(CorpusError, match=r"d.json"):
        imported("words-json", tmp_path)


def test_word_files_of_two_speakers_are_a_dialogue(tmp_path: Path, folder: Path) -> None:
    (folder / "d-A.words").write_text("0.0 0.5 #\n0.5 0.9 say\n0.9 1.5 hi\n")
    (folder / "d-B.words").write_text("2.0 2.4 hello\n2.4 3.0 there\n")
    assert shown(imported("words", tmp_path)[0]) == [("d:A", 0.5, 1.5, "say hi"), TWO[1]]
    (folder / "d-B.words").write_text("2.0 hello\n")
    with pytest.raises(CorpusError, match=r"d-B.words, line 1: start, end and word are wanted"):
        imported("words", tmp_path)


CTM = ";; comment\nd 1 0.50 0.40 say\nd 1 0.90 0.60 hi 0.99\nd 1 2.00 0.40 hello\nd 1 2.40 0.60 there\n"
RTTM = """SPKR-INFO d 1 <NA> <NA> <NA> unknown ada <NA>
SPEAKER d 1 0.4 1.2 <NA> <NA> ada <NA> <NA>
SPEAKER d 1 1.9 1.2 <NA> <NA> bob <NA> <NA>
"""


def test_ctm_words_get_their_speakers_from_the_rttm(tmp_path: Path, folder: Path) -> None:
    (folder / "d.ctm").write_text(CTM)
    (folder / "d.rttm").write_text(RTTM)
    assert shown(imported("ctm", tmp_path)[0]) == [("d:ada", 0.5, 1.5, "say hi"), ("d:bob", 2.0, 3.0, "hello there")]
    (folder / "d.rttm").write_text(RTTM.replace("1.9 1.2", "5.9 1.2"))
    with pytest.raises(CorpusError, match=r"nobody speaks in the RTTM at 2 s, where the CTM has 'hello'"):
        imported("ctm", tmp_path)


def test_ctm_words_without_rttm_belong_to_their_channel(tmp_path: Path, folder: Path) -> None:
    (folder / "d.ctm").write_text(CTM.replace("d 1 2", "d 2 2"))
    assert [turn.speaker for turn in imported("ctm", tmp_path)[0]] == ["d:1", "d:2"]
    (folder / "d.ctm").write_text("d 1 0.5\n")
    with pytest.raises(CorpusError, match=r"d.ctm, line 1: 3 fields"):
        imported("ctm", tmp_path)


def test_rttm_without_words_needs_sound(tmp_path: Path, folder: Path) -> None:
    (folder / "d.rttm").write_text(RTTM)
    with pytest.raises(CorpusError, match=r"no recording is called d"):
        imported("rttm", tmp_path)
    stereo(folder / "d.wav")
    turns, _ = imported("rttm", tmp_path)
    assert [(turn.speaker, turn.text, turn.channel) for turn in turns] == [("d:ada", None, 0), ("d:bob", None, 1)]
    assert turns[0].end == pytest.approx(1.6)


def lhotse(folder: Path, compressed: bool) -> None:
    recording = {"id": "d", "sources": [{"type": "file", "channels": [0, 1], "source": "d.wav"}], "duration": 8.0}
    common = {"recording_id": "d", "language": "English"}
    alignment = {"word": [["say", 0.5, 0.4, None], ["hi", 0.9, 0.6, 0.9]]}
    supervisions = [
        {
            "id": "1",
            "start": 0.5,
            "duration": 1.0,
            "channel": 0,
            "text": "say hi",
            "speaker": "ada",
            "gender": "female",
        },
        {"id": "2", "start": 2.0, "duration": 1.0, "channel": [1], "text": "hello there", "speaker": "bob"},
    ]
    supervisions[0]["alignment"] = alignment
    for name, entries in (("recordings", [recording]), ("supervisions", [{**one, **common} for one in supervisions])):
        text = "".join(json.dumps(one) + "\n" for one in entries)
        if compressed:
            with gzip.open(folder / f"x_{name}.jsonl.gz", "wt") as file:
                file.write(text)
        else:
            (folder / f"x_{name}.jsonl").write_text(text)


@pytest.mark.parametrize("compressed", [False, True])
def test_lhotse_manifests_are_read_without_lhotse(tmp_path: Path, folder: Path, compressed: bool) -> None:
    lhotse(folder, compressed)
    stereo(folder / "d.wav")
    turns, result = imported("lhotse", tmp_path)
    assert shown(turns) == [("ada", 0.5, 1.5, "say hi"), ("bob", 2.0, 3.0, "hello there")]
    assert turns[0].words == (("say", 0.5, 0.9), ("hi", 0.9, 1.5))
    assert [(turn.channel, turn.gender, turn.lang) for turn in turns] == [(0, "f", "en"), (1, None, "en")]
    assert not result.local_speakers, "lhotse's speakers are the corpus's own"


def test_a_lhotse_manifest_does_not_lead_out_of_the_audio_folder(tmp_path: Path, folder: Path) -> None:
    lhotse(folder, False)
    path = folder / "x_recordings.jsonl"
    for source in ("../secret.wav", "/etc/passwd"):
        path.write_text(path.read_text().replace("d.wav", source))
        with pytest.raises(CorpusError, match=r"is not below the audio folder .*--audio"):
            imported("lhotse", tmp_path)
        path.write_text(path.read_text().replace(source, "d.wav"))


def test_a_cut_off_lhotse_manifest_says_so(tmp_path: Path, folder: Path) -> None:
    lhotse(folder, True)
    path = folder / "x_supervisions.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match=r"x_supervisions.jsonl.gz, line .*is the file cut off"):
        imported("lhotse", tmp_path)


# What holds of every importer ---------------------------------------------------------------------------------------
def test_a_bad_dialogue_is_listed_and_stops_no_other(tmp_path: Path, folder: Path) -> None:
    (folder / "good.csv").write_text("start,end,speaker,text\n0,1,A,one\n")
    (folder / "bad.csv").write_text("start,end,speaker,text\n0,one,A,one\n")
    told: list[tuple[int, int, str]] = []
    result = import_corpus(
        "csv", folder, tmp_path / "corpus", progress=lambda done, total, name: told.append((done, total, name))
    )
    assert (result.dialogues, result.turns) == (1, 1)
    assert [(name, "no time in seconds" in why) for name, why in result.failures] == [("bad.csv", True)]
    assert told == [(1, 2, "bad.csv"), (2, 2, "good.csv")]


def test_an_import_takes_the_place_of_the_last_and_others_stay(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "corpus"
    (folder / "d.csv").write_text("start,end,speaker,text\n0,1,A,one\n")
    import_corpus("csv", folder, target, name="first")
    other = tmp_path / "other"
    other.mkdir()
    (other / "e.csv").write_text("start,end,speaker,text\n0,1,A,two\n")
    import_corpus("csv", other, target, name="second")
    (folder / "d.csv").write_text("start,end,speaker,text\n0,1,A,three\n")
    import_corpus("csv", folder, target, name="first")
    turns = Corpus.open(target).turns()
    assert sorted((turn.source, turn.text) for turn in turns) == [("first", "three"), ("second", "two")]
    with pytest.raises(CorpusError, match=r"dialogue 'd' is there already, from source 'first'"):
        import_corpus("csv", folder, target, name="third")


def test_a_folder_with_something_else_in_it_is_not_taken(tmp_path: Path, folder: Path) -> None:
    (folder / "d.csv").write_text("start,end,speaker,text\n0,1,A,one\n")
    with pytest.raises(CorpusError, match=r"holds other things \(d.csv\); name a new folder"):
        import_corpus("csv", folder, folder)


def test_what_is_not_there_is_said(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"there is no importer 'nope'; there are textgrid, elan"):
        import_corpus("nope", folder, tmp_path / "corpus")
    with pytest.raises(CorpusError, match=r"no TextGrid \(\*.TextGrid\) in .*is it the right folder"):
        import_corpus("textgrid", folder, tmp_path / "corpus")
    with pytest.raises(CorpusError, match=r"there is no "):
        import_corpus("textgrid", tmp_path / "gone", tmp_path / "corpus")
    with pytest.raises(CorpusError, match=r"there is no folder .*gone; --audio names the one that holds"):
        import_corpus("csv", folder, tmp_path / "corpus", options=Options(audio=tmp_path / "gone"))


@pytest.mark.parametrize("name", IMPORTERS)
def test_every_importer_is_where_the_registry_says_and_is_told_plainly_of_an_empty_folder(
    name: str, tmp_path: Path, folder: Path
) -> None:
    with pytest.raises(CorpusError, match=re.escape(str(folder))):
        import_corpus(name, folder, tmp_path / "corpus")
