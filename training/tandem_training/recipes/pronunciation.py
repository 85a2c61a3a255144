"""Make the front end's lexicon and letter-to-sound model from CMUdict, and say how well unseen words come out.

Held-out words are judged by a model that never saw them; what is written is then fitted to all words.
"""

from __future__ import annotations

import lzma
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tandem_models import letter_to_sound
from tandem_models.letter_to_sound import LetterToSound
from tandem_models.phone_set import PHONES
from tandem_training.job import Job
from tandem_training.metrics import edit_distance
from tandem_training.pronunciation.alignment import Entry, aligned, graphone_probabilities
from tandem_training.pronunciation.joint_ngrams import fit
from tandem_training.specs import Pronunciation

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)*|[a-z]\.")
_LETTERS: Final = re.compile(r"[a-z]{2,}")


def run(spec: Pronunciation, job: Job) -> None:
    """Write lexicon.txt.xz and letter_to_sound.npz. Raises ValueError for a file that is not in CMUdict's form."""
    entries = dict(read_dictionary(spec.dictionary))
    lines = sorted(f"{word} {' '.join(phones)}".encode() for word, phones in entries.items())
    packed = lzma.compress(b"".join(line + b"\n" for line in lines), preset=9 | lzma.PRESET_EXTREME)
    (job.folder / "lexicon.txt.xz").write_bytes(packed)

    words = [entry for entry in entries.items() if _LETTERS.fullmatch(entry[0])]
    random.Random(spec.seed).shuffle(words)  # noqa: S311  # variety, not secrecy
    held_out, seen = words[: spec.held_out], words[spec.held_out :]
    job.progress(0.1, "aligning letters and phones")
    known = graphone_probabilities([(word, _plain(phones)) for word, phones in seen], spec.rounds)
    job.progress(0.7, "fitting without the held-out words")
    found = judged(fit([path for word, phones in seen if (path := aligned(word, phones, known))]), held_out)
    job.progress(0.85, "fitting to all words")
    model = fit([path for word, phones in words if (path := aligned(word, phones, known))])
    letter_to_sound.save(str(job.folder / "letter_to_sound.npz"), model)
    card = {
        "source": spec.provenance,
        "words": len(entries),
        "graphones": len(model.graphones),
        "ngrams": len(model.keys),
        "held_out": {"words": len(held_out), **found},
    }
    job.write("pronunciation.json", card)
    job.result(card)


def read_dictionary(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Words and phones in our set; of several pronunciations the first. Raises ValueError with the line's number."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        word, *phones = line.partition("#")[0].split() or [""]
        if not _WORD.fullmatch(word):
            continue
        said = tuple("ax0" if phone == "AH0" else phone.lower() for phone in phones)
        if not said or not set(_plain(said)) <= set(PHONES):
            raise ValueError(f"{path}, line {number}: not a word and phones of CMUdict: {line!r}")
        yield word, said


def judged(model: LetterToSound, words: Sequence[Entry]) -> dict[str, float]:
    """Shares of phones and words that come out wrong, and of words if stress counts too."""
    errors = phones = wrong = wrong_stress = 0
    for word, right in words:
        said = model.phones(word)
        distance = edit_distance(_plain(said), _plain(right))
        errors += distance
        phones += len(right)
        wrong += distance > 0
        wrong_stress += said != right
    return {
        "phone_error_rate": round(errors / phones, 4),
        "word_error_rate": round(wrong / len(words), 4),
        "word_error_rate_with_stress": round(wrong_stress / len(words), 4),
    }


def _plain(phones: Sequence[str]) -> tuple[str, ...]:
    return tuple(phone.rstrip("012") for phone in phones)
