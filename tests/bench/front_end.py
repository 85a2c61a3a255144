"""Which way from text to phones: ours, espeak-ng and gruut, against CMUdict.

    python tests/bench/front_end.py --dictionary cmudict.dict [--gruut PYTHON]

`--dictionary` is the file that the `pronunciation` recipe reads; `--gruut` a Python that can import gruut, which needs
an environment of its own. Our model is fitted here without the words it is judged by (about 5 minutes); the others may
have them in a list. Folded counts schwa, ih and ah as one phone, and aa and ao: that is accent, not error.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import espeakng_loader

from tandem_models.phones import pronounce
from tandem_training.metrics import edit_distance
from tandem_training.pronunciation.alignment import Entry, aligned, graphone_probabilities
from tandem_training.pronunciation.joint_ngrams import fit
from tandem_training.recipes.pronunciation import read_dictionary
from tandem_training.voice_corpus.sentences import drawn

IPA = {
    "eɪ": "ey", "aɪ": "ay", "aʊ": "aw", "ɔɪ": "oy", "oʊ": "ow", "tʃ": "ch", "dʒ": "jh", "ɜ": "er", "ɝ": "er", "ɚ": "er",
    "i": "iy", "ɪ": "ih", "ᵻ": "ih", "ɛ": "eh", "æ": "ae", "a": "ae", "ɑ": "aa", "ɒ": "aa", "ɔ": "ao", "o": "ao",
    "ʌ": "ah", "ə": "ax", "ɐ": "ax", "ʊ": "uh", "u": "uw", "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "g": "g",
    "ɡ": "g", "f": "f", "v": "v", "θ": "th", "ð": "dh", "s": "s", "z": "z", "ʃ": "sh", "ʒ": "zh", "h": "hh", "m": "m",
    "n": "n", "ŋ": "ng", "l": "l", "ɫ": "l", "ɹ": "r", "r": "r", "ɾ": "t", "j": "y", "w": "w", "x": "k", "ʔ": "t",
}  # fmt: skip
FOLDED = {"ax": "ih", "ah": "ih", "ao": "aa"}
GRUUT = """
import json, sys, time
begun = time.perf_counter()
import gruut
say = lambda text: [p for s in gruut.sentences(text, lang="en-us", espeak=False) for w in s for p in w.phonemes or ()]
say("warm up")
load = time.perf_counter() - begun
words, texts = json.load(sys.stdin)
found = ["".join(say(word)) for word in words]
begun = time.perf_counter()
[say(text) for text in texts]
print(json.dumps([found, load, (time.perf_counter() - begun) / len(texts)]))
"""
Said = list[tuple[str, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dictionary", type=Path, required=True)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--gruut", type=Path)
    asked = parser.parse_args()
    words = [entry for entry in read_dictionary(asked.dictionary) if re.fullmatch("[a-z]{2,}", entry[0])]
    random.Random(0).shuffle(words)
    held_out, seen = words[: asked.words], words[asked.words :]
    texts = drawn(50, seed=9)
    print("                      phones %  folded %  words %  load s  ms/sentence")
    report("ours, unseen words", held_out, *ours(held_out, seen, texts))
    report("espeak-ng (wheel)", held_out, *espeak(held_out, texts))
    if asked.gruut:
        report("gruut", held_out, *gruut(held_out, texts, asked.gruut))


def report(name: str, words: Sequence[Entry], found: Said, load: float, sentence: float) -> None:
    """One row."""
    right = [plain(phones) for _, phones in words]
    total = sum(map(len, right))
    strict = [edit_distance(one, other) for one, other in zip(found, right, strict=True)]
    soft = sum(edit_distance(folded(one), folded(other)) for one, other in zip(found, right, strict=True))
    wrong = sum(distance > 0 for distance in strict) / len(words)
    print(
        f"{name:20} {100 * sum(strict) / total:9.1f} {100 * soft / total:9.1f} {100 * wrong:8.1f}"
        f" {load:7.2f} {1000 * sentence:12.2f}"
    )


def ours(held_out: Sequence[Entry], seen: Sequence[Entry], texts: Sequence[str]) -> tuple[Said, float, float]:
    known = graphone_probabilities([(word, plain(phones)) for word, phones in seen])
    model = fit([path for word, phones in seen if (path := aligned(word, phones, known))])
    load = timed(lambda: pronounce("blorptastic"))
    return [plain(model.phones(word)) for word, _ in held_out], load, each(pronounce, texts)


def espeak(words: Sequence[Entry], texts: Sequence[str]) -> tuple[Said, float, float]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p

    def load() -> object:
        library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
        return library.espeak_SetVoiceByName(b"en-us")

    def say(text: str) -> str:
        pointer, found = ctypes.c_char_p(text.encode()), []
        while pointer.value is not None:
            found.append(library.espeak_TextToPhonemes(ctypes.byref(pointer), 1, 0x02).decode())
        return " ".join(found)

    loaded = timed(load)
    return [from_ipa(say(word)) for word, _ in words], loaded, each(say, texts)


def gruut(words: Sequence[Entry], texts: Sequence[str], python: Path) -> tuple[Said, float, float]:
    asked = json.dumps([[word for word, _ in words], texts])
    done = subprocess.run([python, "-c", GRUUT], input=asked, capture_output=True, text=True, check=True)
    found, load, sentence = json.loads(done.stdout)
    return [from_ipa(said) for said in found], load, sentence


def from_ipa(said: str) -> tuple[str, ...]:
    """IPA -> our phones; stress, length and what is not in the table are dropped. ɜɹ and əɹ are one phone of ours."""
    text = re.sub("[ˈˌː ̩͡‿|_]", "", said)
    text = re.sub("ɜɹ|əɹ|ɚɹ(?=[^aeiouæɑɔəɛɪʊʌ]|$)", "ɚ", text)
    return tuple(IPA[part] for part in re.findall("|".join(sorted(IPA, key=len, reverse=True)), text))


def plain(phones: Sequence[str]) -> tuple[str, ...]:
    return tuple(phone.rstrip("012") for phone in phones)


def folded(phones: Sequence[str]) -> tuple[str, ...]:
    return tuple(FOLDED.get(phone, phone) for phone in phones)


def timed(action: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def each(say: Callable[[str], object], texts: Sequence[str]) -> float:
    """Seconds a text, after one of them has warmed it up."""
    say(texts[0])
    return timed(lambda: [say(text) for text in texts]) / len(texts)


if __name__ == "__main__":
    main()
