"""Build the voice's corpus: sentences, said by the teacher with exact phone times, and copies with other prosody.

The corpus is made in parts of a few sentences, each written whole; a build that was interrupted goes on with the parts
that are missing. What could not be used is listed in rejected.jsonl with the reason.
"""

from __future__ import annotations

import json
import statistics
import zlib
from collections.abc import Sequence
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
from tandem_training.voice_corpus import teacher
from tandem_training.voice_corpus.recording import SAMPLE_RATE, Line, Recording, UnusableError, lines, read
from tandem_training.voice_corpus.sentences import drawn

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
    """Sentences to be said and measured together, in one process."""

    number: int
    texts: tuple[str, ...]
    copies: int
    seed: int
    pitch_range: PitchRange
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "parts" / f"{self.number:04d}.json"


def run(spec: VoiceCorpus, job: Job) -> None:
    """Write the corpus folder. Raises NoTeacherError, and ValueError for a folder with another corpus in it."""
    teacher.find()
    folder = spec.folder.absolute()
    for needed in (folder / "wavs", folder / "parts"):
        needed.mkdir(parents=True, exist_ok=True)
    texts = _texts(spec, folder)
    job.progress(0.0, "listening to the teacher")
    pitch_range = learnt_range(texts[:_LISTENED])
    parts = [
        Part(number, tuple(texts[first : first + PART]), spec.copies, spec.seed, pitch_range, folder)
        for number, first in enumerate(range(0, len(texts), PART))
    ]
    missing = [part for part in parts if not part.path.exists()]
    # Not by fork: the extractor's library has threads of its own.
    with ProcessPoolExecutor(spec.processes, mp_context=get_context("spawn")) as pool:
        for done, _ in enumerate(as_completed([pool.submit(build, part) for part in missing]), 1):
            ready = len(parts) - len(missing) + done
            job.progress(0.99 * ready / len(parts), f"{ready} of {len(parts)} parts")
    job.result(assembled(folder, parts, spec))
    job.progress(1.0, "done")


def _texts(spec: VoiceCorpus, folder: Path) -> list[str]:
    """The sentences, kept in the folder so that a build that goes on has the same. Raises ValueError."""
    asked = {"sentences": spec.sentences, "copies": spec.copies, "seed": spec.seed}
    path = folder / "sentences.json"
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        if kept["asked"] != asked:
            raise ValueError(f"{folder} holds a corpus of {kept['asked']}, not {asked}; give another folder")
        return [str(text) for text in kept["texts"]]
    texts = drawn(spec.sentences, spec.seed)
    path.write_text(json.dumps({"asked": asked, "texts": texts}, indent=1), "utf-8")
    return texts


def learnt_range(texts: Sequence[str]) -> PitchRange:
    """Where the teacher's pitch is looked for: around the median of a few sentences."""
    with TemporaryDirectory() as folder:
        said = teacher.speak(
            [teacher.Line(str(place), pronounce(text)[0]) for place, text in enumerate(texts)], Path(folder)
        )
        heard = [measure(*read(take.wave), pitch_range=UNKNOWN_RANGE).prosody["pitch_mean"] for take in said.values()]
    voiced = [pitch for pitch in heard if pitch is not None]
    if not voiced:
        raise ValueError("the teacher said nothing; try festival by hand")
    return voice_range(statistics.median(voiced))


def build(part: Part) -> None:
    """Have one part said, move and measure it, and write what came of it."""
    names = {f"s{part.number * PART + place:05d}": text for place, text in enumerate(part.texts)}
    said = {name: pronounce(text)[0] for name, text in names.items()}
    found: list[Line] = []
    rejected: list[Line] = []
    with TemporaryDirectory() as folder:
        script = [teacher.Line(name, said[name], _RATES[place % len(_RATES)]) for place, name in enumerate(names)]
        takes = teacher.speak(script, Path(folder))
        for name, text in names.items():
            try:
                if name not in takes:
                    raise UnusableError("the teacher could not say it")
                take = takes[name]
                one = Recording(name, text, split(text), said[name], take.wave, take.phones, take.ends)
                found += lines(one, part.copies, part.seed, part.pitch_range, part.folder)
            except UnusableError as error:
                rejected.append({"id": name, "text": text, "reason": str(error)})
    partial = part.path.with_suffix(".partial")
    partial.write_text(json.dumps({"lines": found, "rejected": rejected}), "utf-8")
    partial.replace(part.path)


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
        "teacher": teacher.TEACHER,
        "notices": list(teacher.NOTICES),
        "extractor_version": EXTRACTOR_VERSION,
        "pitch_range": [parts[0].pitch_range.floor, parts[0].pitch_range.ceiling],
        "spec": {"sentences": spec.sentences, "copies": spec.copies, "seed": spec.seed},
        "counts": {name: sum(line["split"] == name for line in kept) for name in ("train", "valid", "test")}
        | {"utterances": len(kept), "sentences": sum(not line["augmentation"] for line in kept)}
        | {"rejected": len(rejected), "hours": round(sum(line["ends"][-1] for line in kept) / 3600.0, 3)},
    }
    (folder / "corpus.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    return card
