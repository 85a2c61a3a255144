"""Every importer by name. Text only, so that the command line can list them without importing what they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Importer(NamedTuple):
    """Where an importer is, and what it takes."""

    summary: str
    """One line for people"""
    layout: str
    """The files it looks for"""
    module: str
    """With `plan(root, options)`"""


def _own(summary: str, layout: str, name: str) -> Importer:
    return Importer(summary, layout, f"tandem_training.corpus.importers.{name}")


IMPORTERS: Final[Mapping[str, Importer]] = {
    "textgrid": _own("Praat TextGrids", "ID.TextGrid, a tier a speaker; ID.wav or ID-TIER.wav (--paired)", "textgrid"),
    "elan": _own("ELAN annotations", "ID.eaf, a tier a speaker; ID.wav or ID-TIER.wav", "elan"),
    "csv": _own("Tables of utterances", "ID.csv: start,end,speaker,text[,dialogue]; ID.wav", "csv_turns"),
    "words-json": _own("Word lists as JSON", "ID.json: [{speaker, word, start, end}]; ID.wav", "words_json"),
    "words": _own("A word list for each speaker", "ID-SPEAKER.words: start end word; ID-SPEAKER.wav", "words_files"),
    "ctm": _own("NIST CTM words, speakers by RTTM if there", "*.ctm, *.rttm; FILE.wav", "ctm"),
    "rttm": _own("NIST RTTM: who spoke when, no words", "*.rttm; FILE.wav", "rttm"),
    "lhotse": _own("lhotse manifests", "*recordings*.jsonl[.gz], *supervisions*.jsonl[.gz]", "lhotse"),
    "switchboard": _own(
        "Switchboard-1, Mississippi State transcripts", "sw2001A-ms98-a-word.text; sw02001.sph; call_con_tab.csv",
        "switchboard",
    ),
    "fisher": _own("Fisher English", "fe_03_00001.txt; fe_03_00001.sph; *calldata.tbl", "fisher"),
    "candor": _own("CANDOR", "ID/transcription/transcript_*.csv; ID/processed/channel_map.json, ID.mp3", "candor"),
    "ami": _own("AMI meetings, NXT", "words/ID.A.words.xml; ID.Headset-0.wav; meetings.xml", "ami"),
    "hcrc": _own("HCRC Map Task, NXT", "q1ec1.g.timed-units.xml; q1ec1.g.moves.xml; q1ec1.mix.wav", "hcrc"),
    "dailytalk": _own("DailyTalk", "metadata.json and data/, or the text of train_frame.txt", "dailytalk"),
    "harpervalley": _own("HarperValleyBank", "transcript/, metadata/, audio/agent/, audio/caller/", "harpervalley"),
    "spokenwoz": _own("SpokenWOZ", "text/ID.json or data.json; audio/ID.wav", "spokenwoz"),
    "swbd-f0": _own("F0 of Switchboard words (Cohen Priva)", "words_f0.csv", "swbd_f0_words"),
    "tandem": _own("Tandem's own conversations", "tandem.sqlite, the server's store; ID.wav", "tandem_store"),
}  # fmt: skip
