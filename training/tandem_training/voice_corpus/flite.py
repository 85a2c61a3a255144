"""A second teacher: Flite with its voice rms, a man at 16 kHz, made to say exactly the phones of our front end.

Flite is started once a sentence, with a lexicon of that sentence's words and our phones. All but function words go by
made-up names: Flite takes some words apart itself (wasn't), spells others (Wnuk), and knows better about a few (read).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tandem_models.phone_set import PAUSE, is_vowel
from tandem_training.voice_corpus.teacher import Line, NoTeacherError, Take, Teacher, merged

_WORDS: Final = """
a an the and or but of to in on at by for from with as if is are was were be been am has have had do did will would can
could shall should may might must i you he she it we they me him her us them my your his its our their this that
"""
_FUNCTION: Final = frozenset(_WORDS.split())
"""What Flite is told by name, since it weighs its melody by them."""
_MARKS: Final = {"question": "?", "exclamation": "!", "statement": "."}
_ENDS: Final = re.compile(r"([a-z]+):([\d.]+)")
_LETTERS: Final = "bdfgklmnpt"


def find() -> str:
    """Flite's path. Raises NoTeacherError."""
    program = shutil.which("flite")
    if program is None:
        raise NoTeacherError("the teacher rms needs the program flite. Install it with: apt install flite")
    return program


def speak(lines: Sequence[Line], folder: Path) -> dict[str, Take]:
    """Takes by name, as 16 kHz WAV in a folder; what it could not say is left out. Raises NoTeacherError."""
    folder.mkdir(parents=True, exist_ok=True)
    takes = {}
    for line in lines:
        names = _named(line)
        entries = [f'"{name}" nil : {" ".join(said)}' for name, said in names]
        addenda, wave = folder / f"{line.name}.lex", folder / f"{line.name}.wav"
        addenda.write_text("\n".join([*dict.fromkeys(entries), ""]), "utf-8")
        command = [find(), "-voice", "rms", "-add_lex", str(addenda), "-psdur", "-o", str(wave)]
        command += ["--setf", f"duration_stretch={1.0 / line.rate:.4f}", "-t", _text(line, [name for name, _ in names])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        rows = [(phone, float(end)) for phone, end in _ENDS.findall(done.stdout)]
        if done.returncode == 0 and rows:
            takes[line.name] = Take(wave, *merged(rows, PAUSE))
    return takes


def _named(line: Line) -> list[tuple[str, tuple[str, ...]]]:
    """What Flite calls each word, and its phones, vowels with 0 or 1."""
    sentence, known, found = line.sentence, dict[str, tuple[str, ...]](), []
    for word, first, last in sentence.words:
        said = tuple(
            f"{phone}{int(mark > 0)}" if is_vowel(phone) else phone
            for phone, mark in zip(sentence.phones[first:last], sentence.stress[first:last], strict=True)
        )
        name = word if word in _FUNCTION else _other_name(len(known))
        if known.setdefault(name, said) != said:
            name = _other_name(len(known))
            known[name] = said
        found.append((name, said))
    return found


def _other_name(number: int) -> str:
    """No English word, but one that could be: what cannot be pronounced Flite spells."""
    return "zava" + "".join(f"{_LETTERS[int(figure)]}o" for figure in str(number))


def _text(line: Line, names: Sequence[str]) -> str:
    """The names, a comma where our pauses are, and the mark at the end."""
    words = line.sentence.words
    starts = [first for _, first, _ in words[1:]] + [words[-1][2]]
    said = [name + "," * (start > last) for name, (_, _, last), start in zip(names, words, starts, strict=True)]
    return " ".join(said) + _MARKS[line.sentence.kind]


RMS: Final = Teacher(
    "flite cmu_us_rms",
    (
        "Flite and its voice cmu_us_rms: copyright Language Technologies Institute, Carnegie Mellon University; free "
        "use, copying, modification, publication and distribution with this notice kept and changes marked.",
    ),
    find,
    speak,
)
