"""Importers of known corpora, from small folders laid out as their documentation or published readers have them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tandem_models.prosody import EXTRACTOR_VERSION, NAMES
from tandem_server.record.records import ConversationRecord, TurnRecord
from tandem_server.record.store import Store
from tandem_server.stages.protocols import Word
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.extraction import extract
from tandem_training.corpus.features import read_table
from tandem_training.corpus.folder import Corpus
from tandem_training.corpus.importing import import_corpus
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.reading import read_corpus

from .samples import stereo, voice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def imported(importer: str, folder: Path) -> list[Turn]:
    import_corpus(importer, folder, folder.parent / "corpus")
    return Corpus.open(folder.parent / "corpus").turns()


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def switchboard(folder: Path) -> None:
    base = folder / "swb_ms98_transcriptions" / "20" / "2001"
    write(
        base / "sw2001A-ms98-a-word.text",
        "sw2001A-ms98-a-0001 0.000000 0.500000 [silence]\n"
        "sw2001A-ms98-a-0002 0.500000 0.900000 [laughter-hi]\n"
        "sw2001A-ms98-a-0002 0.900000 1.200000 um\n"
        "sw2001A-ms98-a-0002 1.200000 1.500000 the_1\n"
        "sw2001A-ms98-a-0002 1.500000 1.900000 [wrong/right]\n"
        "sw2001A-ms98-a-0002 1.900000 2.000000 [noise]\n",
    )
    write(base / "sw2001B-ms98-a-word.text", "sw2001B-ms98-a-0001 2.500000 3.000000 ye[ah]-\n")


def test_switchboard_has_words_sides_callers_and_sphere(folder: Path) -> None:
    switchboard(folder)
    samples, rate = soundfile.read(stereo(folder / "made.wav", 8000, 4.0))
    soundfile.write(folder / "sw02001.sph", samples, rate, format="NIST", subtype="ULAW")
    (folder / "made.wav").unlink()
    write(
        folder / "doc" / "call_con_tab.csv",
        '2001, "A", 1020, "x", 4, 1, "", "Y"\n2001, "B", 1031, "x", 4, 1, "", "Y"\n',
    )
    turns = imported("switchboard", folder)
    assert [(turn.dialogue, turn.speaker, turn.role, turn.text) for turn in turns] == [
        ("sw2001", "sw1020", "A", "hi um the right"),
        ("sw2001", "sw1031", "B", "yeah-"),
    ]
    assert [(turn.audio, turn.channel, turn.start, turn.end) for turn in turns] == [
        ("sw02001.sph", 0, 0.5, 1.9),
        ("sw02001.sph", 1, 2.5, 3.0),
    ]
    made = Corpus.open(folder.parent / "corpus")
    assert not extract(made).failures
    pitch = [one.features[0] for one in read_corpus(made.folder)[0].turns]
    assert pitch == pytest.approx([1.65, 12.84], abs=1.7), "110 and 210 Hz, which move by a tenth"


def test_switchboard_without_its_table_has_a_speaker_a_side(folder: Path) -> None:
    switchboard(folder)
    assert [turn.speaker for turn in imported("switchboard", folder)] == ["sw2001A", "sw2001B"]
    next(folder.rglob("sw2001B*")).unlink()
    with pytest.raises(CorpusError, match="only side A has a transcript"):
        imported("switchboard", folder)


def test_fisher_has_utterances_pins_and_sex(folder: Path) -> None:
    write(
        folder / "trans" / "fe_03_00001.txt",
        "# fe_03_00001.sph\n# Transcribed at the LDC\n\n3.76 5.54 A: and i (( generally )) prefer\n"
        "5.90 6.10 B: [laughter] ~a t m\n",
    )
    head = "CALL_ID,DATE_TIME,TOPICID,SIG_GRADE,CNV_GRADE"
    head += ",APIN,ASX.DL,APHNUM,APHSET,APHTYP,BPIN,BSX.DL,BPHNUM,BPHSET,BPHTYP"
    write(folder / "doc" / "fe_03_p1_calldata.tbl", f"{head}\n00001,x,ENG01,4,3.5,2602,f.a,1,4,3,1790,m.o,2,4,3\n")
    stereo(folder / "audio" / "fe_03_00001.wav", 8000, 7.0)
    turns = imported("fisher", folder)
    assert [(turn.speaker, turn.gender, turn.text, turn.channel) for turn in turns] == [
        ("fe2602", "f", "and i generally prefer", 0),
        ("fe1790", "m", "a t m", 1),
    ]
    write(folder / "trans" / "fe_03_00001.txt", "3.76 5.54 hello\n")
    with pytest.raises(CorpusError, match=r"fe_03_00001.txt, line 1: `start end A: text` is wanted"):
        imported("fisher", folder)


def test_candor_has_a_stereo_file_and_a_map_of_its_channels(folder: Path) -> None:
    call = folder / "00411458"
    table = "turn_id,speaker,start,stop,utterance,interval\n0,u1,0.5,1.5,Hello there,\n1,u2,2.0,2.5,Yeah,0.5\n"
    write(call / "transcription" / "transcript_audiophile.csv", table)
    write(call / "transcription" / "transcript_cliffhanger.csv", table.replace("Hello", "Not read"))
    write(call / "processed" / "channel_map.json", {"L": "u2", "R": "u1"})
    stereo(call / "processed" / "00411458.wav")
    turns = imported("candor", folder)
    assert [(turn.dialogue, turn.speaker, turn.channel, turn.text) for turn in turns] == [
        ("00411458", "u1", 1, "Hello there"),
        ("00411458", "u2", 0, "Yeah"),
    ]
    write(call / "processed" / "channel_map.json", {"L": "u2", "R": "u3"})
    with pytest.raises(CorpusError, match="does not name the speaker 'u1'"):
        imported("candor", folder)


NITE = 'xmlns:nite="http://nite.sourceforge.net/"'


def test_hcrc_has_words_moves_and_quads(folder: Path) -> None:
    write(
        folder / "timed-units" / "q1ec1.g.timed-units.xml",
        f"<nite:root {NITE}>"
        '<tu id="g.1" start="0.0" end="0.3">okay</tu><tu id="g.2" start="0.3" end="0.8">go</tu>'
        '<noi id="g.3" start="0.8" end="0.9"/><tu id="g.4" start="0.9" end="1.4">left</tu></nite:root>',
    )
    write(
        folder / "timed-units" / "q1ec1.f.timed-units.xml",
        f'<nite:root {NITE}><tu id="f.1" start="1.6" end="1.9">mmhmm</tu></nite:root>',
    )
    link = "q1ec1.g.timed-units.xml#id(g.{})"
    write(
        folder / "moves" / "q1ec1.g.moves.xml",
        f'<nite:root {NITE}><move label="ready"><nite:child href="{link.format(1)}"/></move>'
        f'<move label="instruct"><nite:child href="{link.format(2)}..id(g.4)"/></move></nite:root>',
    )
    turns = imported("hcrc", folder)
    assert [(turn.speaker, turn.role, turn.text, turn.act, turn.group) for turn in turns] == [
        ("q1ec1:g", "giver", "okay go left", "instruct", "q1ec"),
        ("q1ec1:f", "follower", "mmhmm", None, "q1ec"),
    ]
    write(
        folder / "moves" / "q1ec1.g.moves.xml",
        f'<nite:root {NITE}><move label="ready"><nite:child href="{link.format(9)}"/></move></nite:root>',
    )
    with pytest.raises(CorpusError, match="leads to no word"):
        imported("hcrc", folder)


def test_ami_has_people_headsets_and_backchannels(folder: Path) -> None:
    word = '<w nite:id="ES2002a.{0}.words{1}" starttime="{2}" endtime="{3}"{4}>{5}</w>'
    for agent, words in (
        ("A", [(0, 0.5, 0.9, "", "Hi"), (1, 0.9, 0.9, ' punc="true"', ","), (2, 1.0, 1.5, "", "all")]),
        ("B", [(0, 1.2, 1.4, "", "Great")]),
    ):
        inside = "".join(word.format(agent, *one) for one in words)
        write(folder / "words" / f"ES2002a.{agent}.words.xml", f"<nite:root {NITE}>{inside}</nite:root>")
        soundfile.write(folder / f"ES2002a.Headset-{'AB'.index(agent) + 1}.wav", np.zeros(32_000), 16_000)
    write(
        folder / "dialogueActs" / "ES2002a.B.dialog-act.xml",
        f'<nite:root {NITE}><dact nite:id="1"><nite:pointer role="da-aspect" href="da-types.xml#id(ami_da_1)"/>'
        '<nite:child href="ES2002a.B.words.xml#id(ES2002a.B.words0)"/></dact></nite:root>',
    )
    write(
        folder / "ontologies" / "da-types.xml",
        f'<da-type {NITE} nite:id="root"><da-type nite:id="ami_da_1" name="bck" gloss="Backchannel"/></da-type>',
    )
    people = '<speaker nxt_agent="{}" channel="{}" global_name="{}" role="PM"/>'
    meeting = people.format("A", 1, "FEE005") + people.format("B", 2, "MEE006")
    write(
        folder / "corpusResources" / "meetings.xml",
        f'<nite:root {NITE}><meeting observation="ES2002a">{meeting}</meeting></nite:root>',
    )
    turns = imported("ami", folder)
    assert [(turn.speaker, turn.text, turn.audio, turn.channel, turn.act, turn.flags) for turn in turns] == [
        ("FEE005", "Hi all", "ES2002a.Headset-1.wav", 0, None, ()),
        ("MEE006", "Great", "ES2002a.Headset-2.wav", 0, "bck", ("backchannel",)),
    ]
    (folder / "corpusResources" / "meetings.xml").unlink()
    with pytest.raises(CorpusError, match=r"no meetings.xml in .*who wears which headset"):
        imported("ami", folder)


def test_dailytalk_has_a_file_a_turn_and_no_clock(folder: Path) -> None:
    entry = {"utterance": "x", "topic": 1, "emotion": "happiness", "act": "inform"}
    table = {"0": {**entry, "text": "how are you?", "speaker": 1}, "1": {**entry, "text": "well.", "speaker": 0}}
    write(folder / "metadata.json", {"7": table})
    for name, hertz in (("0_1_d7", 210.0), ("1_0_d7", 110.0)):
        (folder / "data" / "7").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "data" / "7" / f"{name}.wav", voice(1.2, hertz), 16_000)
    turns = imported("dailytalk", folder)
    assert [(turn.speaker, turn.text, turn.start, turn.audio) for turn in turns] == [
        ("dailytalk1", "how are you?", None, "data/7/0_1_d7.wav"),
        ("dailytalk0", "well.", None, "data/7/1_0_d7.wav"),
    ]
    made = Corpus.open(folder.parent / "corpus")
    extract(made)
    rows = read_table(made.table(EXTRACTOR_VERSION), EXTRACTOR_VERSION)
    assert [row.duration for row in rows.values()] == [1.2, 1.2]
    (folder / "data" / "7" / "1_0_d7.wav").unlink()
    with pytest.raises(CorpusError, match=r"1_0_d7.wav is not in"):
        imported("dailytalk", folder)


def test_harpervalley_has_two_files_on_one_clock(folder: Path) -> None:
    segments = [
        {
            "speaker_role": "agent",
            "offset_ms": 500,
            "start_ms": 100,
            "duration_ms": 1000,
            "human_transcript": "hello this",
            "transcript": "hello his",
            "word_offsets_ms": [0, 600],
            "word_durations_ms": [500, 400],
            "dialog_acts": ["gridspace_greeting"],
        },
        {
            "speaker_role": "caller",
            "offset_ms": 2000,
            "duration_ms": 500,
            "human_transcript": "hi [noise]",
            "transcript": "hi",
            "word_offsets_ms": [0],
            "word_durations_ms": [520],
            "dialog_acts": [],
        },
    ]
    write(folder / "transcript" / "ff02.json", segments)
    write(folder / "metadata" / "ff02.json", {"agent": {"speaker_id": 40}, "caller": {"speaker_id": 60}})
    for role in ("agent", "caller"):
        (folder / "audio" / role).mkdir(parents=True)
        soundfile.write(folder / "audio" / role / "ff02.wav", np.zeros(24_000), 8_000)
    turns = imported("harpervalley", folder)
    assert [(turn.speaker, turn.role, turn.start, turn.end, turn.audio) for turn in turns] == [
        ("hvb40", "agent", 0.5, 1.5, "audio/agent/ff02.wav"),
        ("hvb60", "caller", 2.0, 2.5, "audio/caller/ff02.wav"),
    ]
    assert turns[0].words == (("hello", 0.5, 1.0), ("this", 1.1, 1.5)) and turns[0].act == "gridspace_greeting"
    assert turns[1].words == (("hi", 2.0, 2.5),)


def test_spokenwoz_as_it_was_released_counts_in_milliseconds(folder: Path) -> None:
    def said(tag: str, *words: tuple[str, int, int]) -> dict[str, object]:
        entries = [{"Word": word, "BeginTime": start, "EndTime": end} for word, start, end in words]
        return {"tag": tag, "text": " ".join(word for word, *_ in words), "words": entries}

    log = [said("user", ("hi", 500, 900), ("there", 900, 1500)), said("system", ("hello", 2000, 2400))]
    write(folder / "data.json", {"MUL1": {"log": log}})
    stereo(folder / "audio" / "MUL1.wav")
    turns = imported("spokenwoz", folder)
    assert [(turn.speaker, turn.role, turn.start, turn.end, turn.channel) for turn in turns] == [
        ("MUL1:A", "user", 0.5, 1.5, 0),
        ("MUL1:B", "agent", 2.0, 2.4, 1),
    ]


async def store(path: Path) -> None:
    """One conversation, as the server itself keeps it."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    kept = await Store.open(f"sqlite:///{path}")
    await kept.open_conversation(
        ConversationRecord("sess_1", moment, user_id="ada", extractor_version=EXTRACTOR_VERSION)
    )
    hello = TurnRecord(
        "t1",
        "sess_1",
        0,
        "user",
        "i1",
        500,
        1500,
        "hello there",
        words=(Word("hello", 0.5, 0.9), Word("there", 1.0, 1.4)),
        features=dict.fromkeys(NAMES, 1.0) | {"hnr": None},
        flags={"prosody": ["clipped"]},
    )
    answer = TurnRecord(
        "t2",
        "sess_1",
        1,
        "agent",
        "i2",
        2000,
        2600,
        "i am well, and you?",
        heard_text="i am",
        words=(Word("i", 2.0, 2.2), Word("am", 2.2, 2.9), Word("well", 2.9, 3.1)),
        status="interrupted",
    )
    typed = TurnRecord("t3", "sess_1", 2, "user", "i3", 3000, 3000, "typed", flags={"typed": True})
    for turn in (hello, answer, typed):
        await kept.record_turn(turn)
    await kept.close()


async def test_tandems_own_conversations_bring_the_features_that_were_measured_live(folder: Path) -> None:
    await store(folder / "tandem.sqlite")
    before = (folder / "tandem.sqlite").read_bytes()
    turns = imported("tandem", folder)
    assert [(turn.speaker, turn.role, turn.text, turn.start, turn.end, turn.flags) for turn in turns] == [
        ("tandem:ada", "user", "hello there", 0.5, 1.5, ()),
        ("sess_1:agent", "agent", "i am", 2.0, 2.6, ("interrupted",)),
    ]
    assert turns[1].words == (("i", 2.0, 2.2), ("am", 2.2, 2.6))
    first, second = read_corpus(folder.parent / "corpus")[0].turns
    assert first.mask.tolist() == [name != "hnr" for name in NAMES] and "clipped" in first.flags
    assert not second.mask.any()
    assert (folder / "tandem.sqlite").read_bytes() == before, "a store is only read"


def test_a_database_of_something_else_is_refused(folder: Path) -> None:
    (folder / "x.sqlite").write_bytes(b"not a database at all, but long enough to look at")
    with pytest.raises(CorpusError, match=r"x.sqlite is no store of Tandem .*; it is tandem.sqlite in the data folder"):
        imported("tandem", folder)


def test_content_that_is_not_laid_out_as_documented_is_said_so(folder: Path) -> None:
    write(folder / "data.json", [1, 2])
    with pytest.raises(CorpusError, match="is not laid out as spokenwoz is: AttributeError"):
        imported("spokenwoz", folder)
    write(folder / "data.json", {"MUL1": {"log": [{"tag": "robot", "words": [{}]}]}})
    with pytest.raises(CorpusError, match="MUL1: not laid out as documented: KeyError"):
        imported("spokenwoz", folder)
