"""Build the voice's corpus: the teacher's or one's own sentences with phone times, and copies with other prosody.

The corpus is made in parts of a few sentences, each written whole; a build that was interrupted goes on with the parts
that are missing. What could not be used is listed in rejected.jsonl with the reason.
"""

from __future__ import annotations

import json
import statistics
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tandem_models.extract import UNKNOWN_RANGE, PitchRange
from tandem_models.phone_set import PHONES
from tandem_models.phones import pronounce
from tandem_models.prosody import EXTRACTOR_VERSION
from tandem_models.realise import measure, voice_range
from tandem_training.job import Job
from tandem_training.specs import VoiceCorpus
from tandem_training.voice_corpus import own_recordings
from tandem_training.voice_corpus.alignment import Aligner
from tandem_training.voice_corpus.own_recordings import Transcript
from tandem_training.voice_corpus.recording import SAMPLE_RATE, Line, Recording, UnusableError, lines, read
from tandem_training.voice_corpus.sentences import drawn
from tandem_training.voice_corpus.teacher import Line as Script
from tandem_training.voice_corpus.teacher import Take
from tandem_training.voice_corpus.teachers import TEACHERS

FORMAT: Final = 1
PART: Final = 20
"""Sentences of a part"""
_LISTENED: Final = 12
"""Sentences from which the voice's pitch range is learnt"""
_VALID, _TEST = 4, 8
"""Per cent of the sentences that are in neither valid nor test from here on"""
_RATES: Final = (1.0, 1.0, 0.85, 1.0, 1.15, 1.0)
"""The teacher's own speed, sentence by sentence: fast speech is not slow speech played faster."""


@dataclass(frozen=True, slots=True)
class Part:
    """Sentences to be said, or found in recordings, and measured together, in one process."""

    number: int
    items: tuple[Transcript, ...]
    teacher: str
    copies: int
    seed: int
    pitch_range: PitchRange
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "parts" / f"{self.number:04d}.json"


def run(spec: VoiceCorpus, job: Job) -> None:
    """Write the corpus folder. Raises NoTeacherError, and ValueError for folders that cannot be used."""
    if spec.recordings is None:
        TEACHERS[spec.teacher].find()
    folder = spec.folder.absolute()
    for needed in (folder / "wavs", folder / "parts"):
        needed.mkdir(parents=True, exist_ok=True)
    items = _items(spec, folder)
    job.progress(0.0, "listening to the voice")
    pitch_range = learnt_range(items[:_LISTENED], spec.teacher)
    parts = [
        Part(number, tuple(items[first : first + PART]), spec.teacher, spec.copies, spec.seed, pitch_range, folder)
        for number, first in enumerate(range(0, len(items), PART))
    ]
    missing = [part for part in parts if not part.path.exists()]
    # Not by fork: the extractor's library has threads of its own.
    with ProcessPoolExecutor(spec.processes, mp_context=get_context("spawn")) as pool:
        for done, one in enumerate(as_completed([pool.submit(build, part) for part in missing]), 1):
            one.result()
            ready = len(parts) - len(missing) + done
            job.progress(0.99 * ready / len(parts), f"{ready} of {len(parts)} parts")
    job.result(assembled(folder, parts, spec))
    job.progress(1.0, "done")


def _items(spec: VoiceCorpus, folder: Path) -> list[Transcript]:
    """What is said, kept in the folder so that a build that goes on has the same. Raises ValueError."""
    asked = spec.model_dump(mode="json", include={"recordings", "teacher", "sentences", "copies", "seed"})
    path = folder / "sentences.json"
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        if kept["asked"] != asked:
            raise ValueError(f"{folder} holds a corpus of {kept['asked']}, not {asked}; give another folder")
        return [Transcript(name, text, Path(wave) if wave else None) for name, text, wave in kept["items"]]
    if spec.recordings is None:
        items = [Transcript(f"s{place:05d}", text, None) for place, text in enumerate(drawn(spec.sentences, spec.seed))]
    else:
        items = own_recordings.transcripts(spec.recordings.absolute())
    rows = [(item.name, item.text, str(item.wave) if item.wave else None) for item in items]
    path.write_text(json.dumps({"asked": asked, "items": rows}, indent=1), "utf-8")
    return items


def learnt_range(items: Sequence[Transcript], teacher: str) -> PitchRange:
    """Where the voice's pitch is looked for: around the median of a few sentences. Raises ValueError."""
    with TemporaryDirectory() as folder:
        waves = [item.wave for item in items if item.wave]
        if not waves:
            script = [Script(item.name, pronounce(item.text)[0]) for item in items]
            waves = [take.wave for take in TEACHERS[teacher].speak(script, Path(folder)).values()]
        heard = [measure(*read(wave), pitch_range=UNKNOWN_RANGE).prosody["pitch_mean"] for wave in waves]
    voiced = [pitch for pitch in heard if pitch is not None]
    if not voiced:
        raise ValueError("no voice was heard in the first sentences; listen to the recordings, or try festival by hand")
    return voice_range(statistics.median(voiced))


def build(part: Part) -> None:
    """Have one part said, or found in its recordings; move and measure it, and write what came of it."""
    found: list[Line] = []
    rejected: list[Line] = []
    with TemporaryDirectory() as folder:
        takes, aligner = _takes(part, Path(folder)), None
        for item in part.items:
            try:
                if item.wave is None:
                    one = _said(item, takes)
                else:
                    aligner = aligner or Aligner()
                    one = own_recordings.aligned(item, split(item.text), aligner)
                found += lines(one, part.copies, part.seed, part.pitch_range, part.folder)
            except UnusableError as error:
                rejected.append({"id": item.name, "text": item.text, "reason": str(error)})
    partial = part.path.with_suffix(".partial")
    partial.write_text(json.dumps({"lines": found, "rejected": rejected}), "utf-8")
    partial.replace(part.path)


def _takes(part: Part, folder: Path) -> dict[str, Take]:
    """By the teacher, of what nobody has recorded."""
    script = [
        Script(item.name, pronounce(item.text)[0], _RATES[place % len(_RATES)])
        for place, item in enumerate(part.items)
        if item.wave is None
    ]
    return TEACHERS[part.teacher].speak(script, folder) if script else {}


def _said(item: Transcript, takes: Mapping[str, Take]) -> Recording:
    if item.name not in takes:
        raise UnusableError("the teacher could not say it")
    take = takes[item.name]
    return Recording(item.name, item.text, split(item.text), pronounce(item.text)[0], take.wave, take.phones, take.ends)


def split(text: str) -> str:
    """train, valid or test, by the sentence alone: copies never part from it, nor does it change sides in another
    corpus."""
    place = zlib.crc32(text.encode()) % 100
    return "valid" if place < _VALID else "test" if place < _TEST else "train"


def assembled(folder: Path, parts: Sequence[Part], spec: VoiceCorpus) -> dict[str, Any]:
    """utterances.jsonl, rejected.jsonl and corpus.json of all parts; what corpus.json says."""
    made = [json.loads(part.path.read_text("utf-8")) for part in parts]
    kept = [line for part in made for line in part["lines"]]
    rejected = [line for part in made for line in part["rejected"]]
    for name, rows in (("utterances.jsonl", kept), ("rejected.jsonl", rejected)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    card = {
        "format": FORMAT,
        "sample_rate": SAMPLE_RATE,
        "phones": list(PHONES),
        "teacher": TEACHERS[spec.teacher].title if spec.recordings is None else f"recordings of {spec.recordings.name}",
        "notices": list(TEACHERS[spec.teacher].notices if spec.recordings is None else spec.notices),
        "extractor_version": EXTRACTOR_VERSION,
        "pitch_range": [parts[0].pitch_range.floor, parts[0].pitch_range.ceiling],
        "spec": spec.model_dump(mode="json", include={"sentences", "copies", "seed"}),
        "counts": {name: sum(line["split"] == name for line in kept) for name in ("train", "valid", "test")}
        | {"utterances": len(kept), "sentences": sum(not line["augmentation"] for line in kept)}
        | {"rejected": len(rejected), "hours": round(sum(line["ends"][-1] for line in kept) / 3600.0, 3)},
    }
    (folder / "corpus.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    return card
