"""Sentences for the teacher, drawn from a grammar and then chosen so that rare pairs of phones are heard."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from tandem_models import lexicon
from tandem_models.phones import Pronounced, pronounce

_SLOT: Final = re.compile(r"\{(?:(?P<low>-?\d+)-(?P<high>\d+)|(?P<list>[A-Za-z]+))\}")
_ARTICLE: Final = re.compile(r"\b([Aa]) (?=[aeiou](?!uropean|se|nit|ne[ -]))")
_CANDIDATES: Final = 6
"""Drawn for each sentence that is chosen"""
_WINDOW: Final = 60
"""Candidates compared at a time: the best of a few dozen is nearly the best of all and costs a hundredth."""
_WORD: Final = re.compile(r"[a-z]{3,11}")

Grammar = Mapping[str, Sequence[str]]


def drawn(count: int, seed: int) -> list[str]:
    """Different sentences, `count` of them, that cover pairs of phones well; the same for the same seed."""
    pool = list(_candidates(count * _CANDIDATES, random.Random(seed)))  # noqa: S311  # variety, not secrecy
    return chosen(pool, count)


def chosen(pool: Sequence[str], count: int) -> list[str]:
    """Those of a pool that add most: the value of a pair of phones halves with every time it has been heard."""
    said = {text: _pairs(pronounce(text)) for text in pool}
    heard: Counter[tuple[str, str]] = Counter()

    def gain(text: str) -> float:
        pairs = said[text]
        return sum(0.5 ** heard[pair] for pair in set(pairs)) / (len(pairs) + 10)

    found: list[str] = []
    rest = list(said)
    while rest and len(found) < count:
        window = rest[:_WINDOW]
        best = max(window, key=gain)
        found.append(best)
        heard.update(said[best])
        rest.remove(best)
        if len(rest) > count - len(found):
            worst = min(window, key=gain)
            if worst is not best:
                rest.remove(worst)
    return found


def _pairs(sentences: Sequence[Pronounced]) -> list[tuple[str, str]]:
    return [pair for one in sentences for pair in zip(one.phones, one.phones[1:], strict=False)]


def _candidates(count: int, source: random.Random) -> Iterator[str]:
    """Each different, each one sentence for the front end."""
    grammar, seen = shipped_grammar(), set[str]()
    while len(seen) < count:
        text = expanded("{sentence}", grammar, source)
        if text not in seen and len(pronounce(text)) == 1:
            seen.add(text)
            yield text


def expanded(text: str, grammar: Grammar, source: random.Random) -> str:
    """The text with every slot filled; a list named with a capital gives a capital. KeyError: no such list."""

    def fill(slot: re.Match[str]) -> str:
        if slot["low"] is not None:
            return str(source.randint(int(slot["low"]), int(slot["high"])))
        name = slot["list"]
        if name.lower() == "word":
            found = source.choice(_vocabulary())
        else:
            lines = grammar.get(name) or grammar[name.lower()]
            found = expanded(source.choice(lines), grammar, source)
        return found[0].upper() + found[1:] if name[0].isupper() else found

    return _ARTICLE.sub(r"\1n ", _SLOT.sub(fill, text))


@cache
def shipped_grammar() -> Grammar:
    """Name of a list -> its lines, from `sentences.txt`."""
    grammar: dict[str, list[str]] = {}
    for line in files("tandem_training.voice_corpus").joinpath("sentences.txt").read_text("utf-8").splitlines():
        if line.startswith("= "):
            lines = grammar.setdefault(line[2:], [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return grammar


@cache
def _vocabulary() -> tuple[str, ...]:
    """The lexicon's words of ordinary length."""
    words = (line.split(" ", 1)[0] for line in lexicon.shipped().text.decode().splitlines())
    return tuple(word for word in words if _WORD.fullmatch(word))
