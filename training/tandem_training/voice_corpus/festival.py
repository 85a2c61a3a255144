"""The teacher: Festival with the HTS voice slt, made to say exactly the phones of our front end.

Every word is entered into Festival's lexicon with our phones before its sentence, phrases break where our pauses are,
and the rules that would change phones afterwards are switched off; what was said is read back and compared.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tandem_models.phone_set import PAUSE, syllabified
from tandem_training.voice_corpus.teacher import Line, NoTeacherError, Take, Teacher, merged

INSTALL: Final = "Install it with: apt install festival festvox-us-slt-hts"

_PREAMBLE: Final = """
(voice_cmu_us_slt_arctic_hts)
(set! postlex_rules_hooks nil)
(lex.create "tandem")
(lex.set.phoneset "radio")
(lex.set.lts.method nil)
(lex.set.pos.map english_pos_map_wp39_to_wp20)
(mapcar (lambda (mark) (lex.add.entry (list mark 'punc nil))) '("," "." "?" "!"))
(lex.select "tandem")
(Parameter.set 'Phrase_Method 'cart_tree)
(set! phrase_cart_tree '((name in ("." "?" "!")) ((BB)) ((name is ",") ((B)) ((n.name is 0) ((BB)) ((NB))))))
(define (token_to_words token name) (list name))
(define (say text entries rate wave labels)
  (mapcar lex.add.entry entries)
  (set! hts_engine_params (cons (list "-r" rate) cmu_us_slt_arctic_hts::hts_engine_params))
  (let ((utterance (eval (list 'Utterance 'Text text))))  ; a macro
    (utt.synth utterance)
    (utt.save.wave utterance wave 'riff)
    (utt.save.segs utterance labels)))
"""


def find() -> str:
    """Festival's path. Raises NoTeacherError."""
    program = shutil.which("festival")
    if program is None:
        raise NoTeacherError(f"the teacher needs the program festival. {INSTALL}")
    return program


def speak(lines: Sequence[Line], folder: Path) -> dict[str, Take]:
    """Takes by name, as 32 kHz WAV in a folder; one Festival for all lines. What it could not say is left out.

    Raises NoTeacherError if Festival, or the voice, is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "say.scm"
    script.write_text("\n".join([_PREAMBLE, *(_command(line, folder) for line in lines), ""]), "utf-8")
    done = subprocess.run([find(), "--batch", str(script)], capture_output=True, text=True, check=False)  # noqa: S603
    if "unbound variable: voice_cmu_us_slt_arctic_hts" in done.stdout + done.stderr:
        raise NoTeacherError(f"festival has no voice cmu_us_slt_arctic_hts. {INSTALL}")
    takes = {line.name: folder / line.name for line in lines}
    return {name: _take(stem) for name, stem in takes.items() if stem.with_suffix(".lab").exists()}


def _command(line: Line, folder: Path) -> str:
    """The call of `say` for one sentence. A word that is said in two ways gets a second name."""
    names: dict[str, tuple[str, ...]] = {}
    text: list[str] = []
    phones = line.sentence.phones
    for place, (word, first, last) in enumerate(line.sentence.words):
        said = _stressed(phones[first:last], line.sentence.stress[first:last])
        name = word.rstrip(".")
        while names.setdefault(name, said) != said:
            name += "_"
        following = line.sentence.words[place + 1][1] if place + 1 < len(line.sentence.words) else last
        text.append(name + ("," if following > last else ""))
    mark = {"question": "?", "exclamation": "!", "statement": "."}[line.sentence.kind]
    entries = " ".join(f'("{name}" nil ({_syllables(said)}))' for name, said in names.items())
    stem = folder / line.name
    return (
        f'(unwind-protect (say "{" ".join(text)}{mark}" \'({entries}) {line.rate:.3f} "{stem}.wav" "{stem}.lab") nil)'
    )


def _stressed(phones: Sequence[str], stress: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{phone}{mark}" if mark else phone for phone, mark in zip(phones, stress, strict=True))


def _syllables(phones: Sequence[str]) -> str:
    """((ph ow) 1) ((n ax) 0): as Festival's lexicon writes them."""
    plain = [phone.rstrip("12") for phone in phones]
    marks = [phone != bare for phone, bare in zip(phones, plain, strict=True)]
    written, begin = [], 0
    for syllable in syllabified(plain):
        end = begin + len(syllable)
        written.append(f"(({' '.join(syllable)}) {int(any(marks[begin:end]))})")
        begin = end
    return " ".join(written)


def _take(stem: Path) -> Take:
    """From Festival's label file: a header, then lines of end, colour and phone."""
    _, _, body = stem.with_suffix(".lab").read_text("utf-8").partition("#\n")
    rows = [(phone, float(end)) for end, _, phone in map(str.split, body.splitlines())]
    return Take(stem.with_suffix(".wav"), *merged(rows, PAUSE))


SLT: Final = Teacher(
    "festival cmu_us_slt_arctic_hts",
    (
        "Voice cmu_us_slt_arctic_hts: copyright Nagoya Institute of Technology, Department of Computer Science, and "
        "Carnegie Mellon University, Language Technologies Institute; free use, copying, modification and licensing "
        "for any purpose with these notices kept and changes marked.",
        "Festival: copyright Centre for Speech Technology Research, University of Edinburgh; licence of X11 type.",
    ),
    find,
    speak,
)
