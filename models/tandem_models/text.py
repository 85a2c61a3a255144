"""Counting the syllables of English text, by rule: what a speaking rate is made of. No dictionary is needed.

Vowel groups, less the silent e's, plus the hiatuses that spelling shows; what rules cannot know is in `syllables.txt`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

_VOWELS: Final = re.compile(r"[aeiouyàâäáèéêëìíîïòóôöùúûü]+")
_SILENT: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=[aeiouy])[^aeiouy]+e$",  # make
        r"[^aeiouy]e[sd]$",  # times, called
        r"(?<=[aeiouy])[^aeiouy]e(?:ly|less|ful|fully|ness)$|(?<=[aeiouy])[^aeiouylmnd]ements?$",  # likely, movement
        r"(?<=[aeiouy][^aeiouy])ety$|iages?$|ically$|ngements?$|gues?$",  # safety, marriage, basically, league
        # A silent e within a compound: something, forecast, everything; homework, notebook.
        r"^(?:some|home|where|there|here|life|time|like|nine|one|fire)(?=[bcdfghjklmpqtvw][a-z]{2})"
        r"|^(?:fore|side)(?=[bcdfghlmnpqrtw][a-z]{2})|^every(?=[a-z])"
        r"|(?<=[aeiouy][^aeiouy])e(?=(?:stone|ship|yard|way|house|work|board|land|line|step|ball|man|men|like|ware"
        r"|book|keeper|hold|wife|back|well|person|burger|room|style)s?$)",
    )
)
"""Each takes one syllable off."""
_SOUNDED: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"[^aeiouy]le[sd]?$(?<![aeiouy]lle)(?<![aeiouy]lle[sd])|[^aeiouylr]res?$",  # table, handled, centres
        r"(?:[sxz]|[cs]h|[cg])es$|[td]ed$|[bcdfgkpt]red$",  # places, wanted, hundred
        r"[aeiouy]ing",  # doing, trying
        r"[aeou]y(?=[aeiou])(?!ing|e[ds]?$)|[^aeiouyw]yers?$",  # player, beyond, flyer
        r"(?<![ctsglnxh])io(?!us)|(?<=[ctsglnxh])ios?$|(?<![ctxg])ious|ius$",  # period, ratio, serious, radius
        r"(?<![ctslngh])i(?:a|um)|[ct]iat(?:e|i)|nial|lia(?:b|nce)",  # material, stadium, appreciate
        r"[aeiouy][^aeiouy]+i(?:er|est)s?$",  # easier
        r"(?<![ctnf])ie(?:t(?!h)|n[ct])|[cn]iet(?:y|ies)$|ieths?$",  # quiet, audience, society, twentieth
        r"(?<![qg])u(?:a|ou)|(?<![qg])uen[ct]",  # usual, continuous, influence
        r"[^g]eous|[^aeiouyt]eos?$|^(?:geo|theo|neo)|eum",  # simultaneous, video, museum
        r"^(?:re)?creat|^react|^theat|^mc|reali|^reun|pean$",  # create, react, theatre, McDonald, realize
        r"[iy]sms?$|thms?$",  # tourism, rhythm
    )
)
"""Each puts one on."""

_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:,\d{3})*(?:\.\d+)?|[$£€%&+@]")
_DIGITS: Final = (2, 1, 1, 1, 1, 1, 1, 2, 1, 1)
_TEENS: Final = (1, 3, 1, 2, 2, 2, 2, 3, 2, 2)
_TENS: Final = (0, 1, 2, 2, 2, 2, 2, 3, 2, 2)
_SCALES: Final = ((10**9, 2), (10**6, 2), (10**3, 2), (100, 2))
_SIGNS: Final = {"$": 2, "£": 1, "€": 2, "%": 2, "&": 1, "+": 1, "@": 1}
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})


def syllables(text: str) -> int:
    """Syllables of English text as it would be read out; numbers, sums and times roughly."""
    total, previous = 0, ""
    for token in _TOKEN.findall(text):
        if token in _ORDINALS and previous[:1].isdecimal():
            continue  # 21st is twenty-first: as long as the number
        total += _token_syllables(token)
        previous = token
    return total


@lru_cache(maxsize=8192)
def word_syllables(word: str) -> int:
    """Syllables of one word, at least 1. There may be apostrophes in it; capitals matter only for initials (USA)."""
    plain = word.lower().replace("’", "'")
    known = _exceptions().get(plain)
    if known is not None:
        return known
    stem, _, ending = plain.partition("'")
    if ending:
        return word_syllables(stem) + _clitic(stem, ending)
    if not _VOWELS.search(plain):
        return len(plain) + 2 * plain.count("w")  # initials, said letter by letter; w is double u
    plain = plain.replace("qu", "q")
    groups = len(_VOWELS.findall(plain))
    groups -= sum(len(pattern.findall(plain)) for pattern in _SILENT)
    groups += sum(len(pattern.findall(plain)) for pattern in _SOUNDED)
    return max(groups, 1)


def _clitic(stem: str, ending: str) -> int:
    """What an ending after an apostrophe adds: it'll, boss's, could've have one more, we'll, dog's, I've have not."""
    if ending == "s":
        return int(bool(re.search(r"(?:[sxz]|[cs]h|[cg]e|se|ze)$", stem)))
    if ending == "t":  # n't: the stem keeps the n
        return int(bool(re.search(r"[dstkhv]n$", stem)))
    if ending == "d":
        return int(stem[-1:] in {"t", "d"})
    return int(ending in {"ll", "ve", "re"} and bool(re.search(r"[^aeiouyr]$|[aeiouy][^aeiouyr]e$", stem)))


def _token_syllables(token: str) -> int:
    if token in _SIGNS:
        return _SIGNS[token]
    if not token[0].isdecimal():
        return word_syllables(token)
    whole, _, decimals = token.replace(",", "").partition(".")
    point = 1 + sum(_DIGITS[int(digit)] for digit in decimals) if decimals else 0
    return _number(int(whole)) + point


def _number(value: int) -> int:
    """Syllables of a whole number; four figures from 1100 to 1999 are read as a year."""
    if value >= 10**12:
        return sum(_DIGITS[int(digit)] for digit in str(value))
    if 1100 <= value < 2000 and value % 100:
        return _number(value // 100) + max(_number(value % 100), 2)
    for scale, name in _SCALES:
        if value >= scale:
            rest = value % scale
            return _number(value // scale) + name + (_number(rest) if rest else 0)
    if value < 10:
        return _DIGITS[value]
    if value < 20:
        return _TEENS[value - 10]
    return _TENS[value // 10] + (_DIGITS[value % 10] if value % 10 else 0)


@cache
def _exceptions() -> dict[str, int]:
    """The words of `syllables.txt`: lines of a count and the words that have it."""
    lines = files("tandem_models").joinpath("syllables.txt").read_text("utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {word: int(row[0]) for row in rows for word in row[1:]}
