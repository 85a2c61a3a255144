"""AMI Meeting Corpus, NXT annotations 1.6: meetings of three to five, a headset each (CC BY 4.0).

`words/ES2002a.A.words.xml`: <w starttime endtime>; `dialogueActs/ES2002a.A.dialog-act.xml` pointing at them;
`corpusResources/meetings.xml`: <meeting observation><speaker nxt_agent channel global_name role>, who wears which
headset; `ES2002a.Headset-0.wav`. meetings.xml is as I remember it; the others as published readers have them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_xml
from tandem_training.corpus.nxt import NITE, WordFile, covered, identity, read_words
from tandem_training.corpus.pairing import Sounds, Track, heard
from tandem_training.corpus.turns import BACKCHANNEL
from tandem_training.corpus.words import units

_FILE: Final = re.compile(r"(\w+)\.([A-E])\.words")
_TYPE: Final = re.compile(r".*#id\((.*)\)")
_BACKCHANNEL: Final = "bck"


class Participant(NamedTuple):
    """Who wears a headset."""

    speaker: str
    channel: int
    role: str | None


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    people = _participants(root)
    sides: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for path in find(root, "*.words.xml", "AMI transcript"):
        if match := _FILE.fullmatch(path.stem):
            sides[match[1]][match[2]] = path
    acts = {path.name: path for path in root.rglob("*.dialog-act.xml")}
    names = _act_names(root)
    return [Planned(name, partial(_read, name, files, people, acts, names, sounds)) for name, files in sides.items()]


def _read(
    name: str,
    files: dict[str, Path],
    people: dict[tuple[str, str], Participant],
    acts: dict[str, Path],
    names: dict[str, str],
    sounds: Sounds,
) -> Dialogue:
    segments: list[Segment] = []
    for agent, path in sorted(files.items()):
        if (name, agent) not in people:
            raise CorpusError(f"meetings.xml does not say who {agent} is in {name}")
        person = people[name, agent]
        words = read_words(path, "w", "starttime", "endtime")
        marked = acts.get(f"{name}.{agent}.dialog-act.xml")
        act_of = _acts(marked, words, names) if marked else {}
        audio = sounds.named(f"{name}.Headset-{person.channel}")
        like = heard(Segment(person.speaker, role=person.role or agent), Track(audio, 0) if audio else None)
        by_start = {word.start: act_of.get(word.place) for word in words.words}
        for unit in units([(word.word, word.start, word.end) for word in words.words], like):
            said = Counter(act for _, start, _ in unit.words or () if (act := by_start[start]))
            act = said.most_common(1)[0][0] if said else None
            listens = (*unit.flags, BACKCHANNEL) if act == _BACKCHANNEL else unit.flags
            segments.append(replace(unit, act=act, flags=listens))
    return Dialogue(name, segments, lang="en", license="CC BY 4.0")


def _participants(root: Path) -> dict[tuple[str, str], Participant]:
    """(meeting, agent) -> who that is."""
    path = next(iter(sorted(root.rglob("meetings.xml"))), None)
    if path is None:
        raise CorpusError(f"no meetings.xml in {root}: it says who wears which headset; it is in corpusResources/")
    found: dict[tuple[str, str], Participant] = {}
    for meeting in read_xml(path).iter("meeting"):
        for speaker in meeting.iter("speaker"):
            person = Participant(speaker.attrib["global_name"], int(speaker.attrib["channel"]), speaker.get("role"))
            found[meeting.attrib["observation"], speaker.attrib["nxt_agent"]] = person
    return found


def _act_names(root: Path) -> dict[str, str]:
    """Id of a dialogue act -> its short name; empty without the ontology."""
    path = next(iter(sorted(root.rglob("da-types.xml"))), None)
    types = read_xml(path).iter("da-type") if path else ()
    return {identity(one): one.get("name", identity(one)) for one in types}


def _acts(path: Path, words: WordFile, names: dict[str, str]) -> dict[int, str]:
    """Place of a word -> the dialogue act it is in."""
    found: dict[int, str] = {}
    for act in read_xml(path).iter("dact"):
        for pointer in act.findall(f"{NITE}pointer"):
            if match := _TYPE.fullmatch(pointer.get("href", "")):
                label = names.get(match[1], match[1])
                found |= dict.fromkeys(covered(act, words, path.name), label)
    return found
