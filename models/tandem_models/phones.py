"""Text -> phones with stress, word by word: the front end of Tandem's voice. Offline, any English text.

Every sentence begins and ends with a pause; a comma, semicolon or colon is one too. Words come from the lexicon, from
known words with an ending, from two known words, or, failing that, from the letter-to-sound model.

Why our own, from `tests/bench/front_end.py` (CMUdict's phones, words drawn from it; wrong phones, wrong words):

    ours, words kept from it     8.8 %  34 %    1.1 ms a sentence   1.7 MB of data, CMUdict's BSD licence
    ours, words of the lexicon   0.0 %   0 %
    espeak-ng                   10.6 %  42 %    0.6 ms              GPL-3; IPA; without accent 9.1 %, ours 7.8
    gruut 2.4 (knows most)       1.6 %   9 %    > 60 ms, 3 s load   38 MB, from sdists, pins old Babel and dateparser

The figures of espeak-ng and of ours are from 2,000 words, gruut's from 300, on a busy machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tandem_models import letter_to_sound, lexicon
from tandem_models.lexicon import Phones
from tandem_models.normalise_text import PAUSES, Kind, Sentence, normalise
from tandem_models.phone_set import PAUSE, is_vowel

_HISSING: Final = frozenset({"s", "z", "sh", "zh", "ch", "jh"})
_VOICELESS: Final = frozenset({"p", "t", "k", "f", "th"})
_ENDINGS: Final = {
    "'ll": ("ax0", "l"), "'ve": ("ax0", "v"), "'re": ("er0",), "'d": ("d",), "n't": ("ax0", "n", "t"), "'": (),
}  # fmt: skip
_ARTICLE: Final = frozenset({"the"})
"""Said with another vowel before a vowel"""
_SHORTEST_PART: Final = 4
"""Letters of each half of a compound."""


@dataclass(frozen=True, slots=True)
class Pronounced:
    """One sentence, ready for an acoustic model. N phones."""

    text: str
    """The words and marks as they are said"""
    kind: Kind
    phones: tuple[str, ...]
    """(N,) of `PHONES`"""
    stress: tuple[int, ...]
    """(N,) 0 none, 1 primary, 2 secondary; 0 for all but vowels"""
    words: tuple[tuple[str, int, int], ...]
    """Word, its first phone, the phone after its last"""


def pronounce(text: str) -> tuple[Pronounced, ...]:
    """The sentences of any text; empty when nothing in it can be said."""
    return tuple(pronounce_sentence(sentence) for sentence in normalise(text))


def pronounce_sentence(sentence: Sentence) -> Pronounced:
    """Phones of one normalised sentence."""
    said = [PAUSE]
    words: list[tuple[str, int, int]] = []
    tokens = sentence.tokens
    known = {place: word_phones(token, _before(tokens, place)) for place, token in enumerate(tokens)}
    for place, token in enumerate(tokens):
        if token in PAUSES:
            said.append(PAUSE)
            continue
        phones = known[place]
        if token in _ARTICLE and is_vowel(known.get(place + 1, ("",))[0][:2]):
            phones = ("dh", "iy0")
        words.append((token, len(said), len(said) + len(phones)))
        said += phones
    said.append(PAUSE)
    plain = tuple(phone.rstrip("012") for phone in said)
    stress = tuple(int(phone[-1]) if phone[-1] in "12" else 0 for phone in said)
    return Pronounced(str(sentence), sentence.kind, plain, stress, tuple(words))


@lru_cache(maxsize=8192)
def word_phones(word: str, before: str = "") -> Phones:
    """Phones of a lower-case word, vowels with a stress digit, never empty; `before` is the word in front of it."""
    if word in PAUSES:
        return (PAUSE,)
    known = lexicon.shipped()
    return known.phones(word, before) or _inflected(word, known) or _compound(word, known) or _guessed(word)


def _before(tokens: tuple[str, ...], place: int) -> str:
    return tokens[place - 1] if place else ""


def _inflected(word: str, known: lexicon.Lexicon) -> Phones | None:
    """A known word with a clitic, or any word with a possessive or plural s."""
    for ending, phones in _ENDINGS.items():
        if word.endswith(ending) and (stem := known.phones(word.removesuffix(ending))):
            if ending == "'d" and stem[-1] in {"t", "d"}:
                return (*stem, "ax0", "d")
            return (*stem, *phones)
    if word.endswith("'s"):
        return _with_s(known.phones(word[:-2]) or known.phones(f"{word[:-2]}.") or word_phones(word[:-2]))
    if word.endswith("s") and len(word) > 3 and (stem := known.phones(word[:-1])):
        return _with_s(stem)
    return None


def _with_s(stem: Phones) -> Phones:
    """cats, dogs, horses."""
    if stem[-1] in _HISSING:
        return (*stem, "ax0", "z")
    return (*stem, "s" if stem[-1] in _VOICELESS else "z")


def _compound(word: str, known: lexicon.Lexicon) -> Phones | None:
    """Two known words in one, the stress on the first: smartwatch."""
    for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
        first, second = known.phones(word[:cut]), known.phones(word[cut:])
        if first and second:
            return (*first, *(f"{phone[:-1]}2" if phone.endswith("1") else phone for phone in second))
    return None


def _guessed(word: str) -> Phones:
    """By letters; what has no vowel letter at all is spelled."""
    letters = "".join(letter for letter in word if "a" <= letter <= "z")
    if any(letter in "aeiouy" for letter in letters) and (phones := letter_to_sound.shipped().phones(letters)):
        return phones
    known = lexicon.shipped()
    return tuple(phone for letter in letters or "x" for phone in known.phones(f"{letter}.") or ())
