"""ELAN annotation documents (.eaf): a top tier a speaker; a tier below it of which the name ends in "words" has words.

Format: EAF 2.8 and later, https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find, read_xml
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, heard
from tandem_training.corpus.words import attach, units


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    return [Planned(path.name, partial(_read, path, sounds)) for path in find(root, "*.eaf", "ELAN document")]


def _read(path: Path, sounds: Sounds) -> Dialogue:
    document = read_xml(path)
    if document.tag != "ANNOTATION_DOCUMENT":
        raise CorpusError(f"{path.name} is no ELAN document")
    times = _times(document)
    tiers = {tier.get("TIER_ID", ""): tier for tier in document.iter("TIER")}
    tops = {name: tier for name, tier in tiers.items() if tier.get("PARENT_REF") is None and not _has_words(name)}
    words: dict[str, list[Word]] = {}
    for name, tier in tiers.items():
        if _has_words(name):
            speaker = _speaker(tiers.get(tier.get("PARENT_REF") or "", tier), name)
            words.setdefault(speaker, []).extend(_annotations(tier, times))
    said = {_speaker(tier, name): _annotations(tier, times) for name, tier in tops.items()}
    speakers = [name for name in dict.fromkeys([*said, *words]) if said.get(name) or words.get(name)]
    if not speakers:
        raise CorpusError("no tier has annotations with times and text")
    tracks = sounds.tracks(path.stem, speakers)
    segments: list[Segment] = []
    for speaker in speakers:
        like = heard(Segment(speaker, role=speaker), tracks.get(speaker))
        utterances = [replace(like, text=text, start=start, end=end) for text, start, end in said.get(speaker, [])]
        segments += attach(utterances, words.get(speaker, [])) if utterances else units(words[speaker], like)
    return Dialogue(path.stem, segments, local_speakers=True)


def _times(document: Element) -> dict[str, float]:
    """Time slot -> seconds; slots without a value, which ELAN allows, are left out."""
    slots = document.iter("TIME_SLOT")
    return {
        slot.get("TIME_SLOT_ID", ""): int(value) / 1000.0
        for slot in slots
        if (value := slot.get("TIME_VALUE")) is not None
    }


def _annotations(tier: Element, times: dict[str, float]) -> list[Word]:
    found = []
    for one in tier.iter("ALIGNABLE_ANNOTATION"):
        start, end = times.get(one.get("TIME_SLOT_REF1", "")), times.get(one.get("TIME_SLOT_REF2", ""))
        text = (one.findtext("ANNOTATION_VALUE") or "").strip()
        if text and start is not None and end is not None:
            found.append((text, start, end))
    return found


def _speaker(tier: Element, name: str) -> str:
    """ELAN's participant, else the tier's name."""
    return tier.get("PARTICIPANT") or tier.get("TIER_ID") or name


def _has_words(name: str) -> bool:
    return name.lower().endswith("words")
