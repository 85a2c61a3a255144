"""What the built-in listener makes of a transcript: plain words, a topic, a name, and whether it can be believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tandem_server.engines.listener_rules import Topic
from tandem_server.engines.listener_topics import (
    COMMON,
    DETERMINERS,
    FILLERS,
    JOINING,
    PREPOSITIONS,
    PRONOUNS,
    TOPICS,
    VERBS,
)

MAX_CAUGHT: Final = 5
"""Words of the user's that are said back at most."""
NAMED: Final = re.compile(r"\b(?:my name(?:'s| is)|(?:please|just|you can) call me) (\w+)")
HINT: Final = re.compile(r"\b(?:name|call)\b", re.IGNORECASE)
"""A glance that spares most turns the closer look: a whole conversation is searched for a name at every reply."""
TURNED: Final = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "i'm": "you're", "i've": "you've",
    "i'd": "you'd", "i'll": "you'll", "am": "are", "your": "my", "yours": "mine", "our": "your", "us": "you",
}  # fmt: skip
FRAGMENT_END: Final = re.compile(
    r"\b(?:and|but|because|when|while|so|if|that|which|then|very much|a lot|so much|too|most|best|as well|really"
    r"|right now|now|today|tomorrow|tonight)\b"
)
TOPIC_WORDS: Final = tuple((topic, frozenset(f"{topic.nouns} {topic.cues}".split())) for topic in TOPICS)
NOUNS: Final = frozenset(word for topic in TOPICS for word in topic.nouns.split())
VOCABULARY: Final = COMMON.union(
    VERBS, DETERMINERS, PREPOSITIONS, JOINING, PRONOUNS, *(words for _, words in TOPIC_WORDS)
)  # fmt: skip
LOOSE_PREPOSITIONS: Final = frozenset({"about", "as", "from", "than"})
"""May stand before another: 'from in there', 'about to'."""
OFTEN_TWICE: Final = frozenset({"bye", "no", "yes", "very", "really", "that", "had", "so", "well", "ha", "test"})


@dataclass(frozen=True, slots=True)
class Heard:
    """One user turn as the rules see it."""

    text: str
    """Small letters, no punctuation, no fillers at its start"""
    words: tuple[str, ...]
    written: bool
    """It has capitals or punctuation: somebody typed it, or a good recogniser wrote it, so unknown words are names of
    things rather than mistakes."""
    odd: bool
    """Words stand together that never do."""
    noun: str | None
    """The last noun that belongs to a topic."""


def understand(raw: str) -> Heard:
    """A transcript made ready for the rules."""
    plain = raw.replace("’", "'").lower()
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", plain)
    while len(words) > 1 and words[0] in FILLERS:
        words = words[1:]
    if all(word in FILLERS - {"well"} for word in words):
        words = []
    nouns = [word for word in words if word in NOUNS]
    written = bool(re.search(r"[A-Z.,?!]", raw))
    return Heard(" ".join(words), tuple(words), written, is_odd(words), nouns[-1] if nouns else None)


def is_odd(words: Sequence[str]) -> bool:
    """Whether no English speaker would put these words side by side."""
    return any(
        (first in DETERMINERS and second in DETERMINERS | PREPOSITIONS | JOINING | PRONOUNS)
        or (first in PREPOSITIONS - LOOSE_PREPOSITIONS and second in PREPOSITIONS - LOOSE_PREPOSITIONS)
        or (first == second and first not in OFTEN_TWICE)
        for first, second in pairwise(words)
    )


def topic_of(turns: Sequence[Heard]) -> Topic | None:
    """What is being talked about: the latest turn that names a topic decides, by the number of its words."""
    for heard in reversed(turns):
        hits = [sum(word in known for word in heard.words) for _, known in TOPIC_WORDS]
        if max(hits) and not heard.odd:
            return TOPICS[hits.index(max(hits))]
    return None


def name_in(raw: str) -> str | None:
    """The name somebody gives himself, if it can be one."""
    if not HINT.search(raw):
        return None
    match = NAMED.search(understand(raw).text)
    if match is None or match.group(1) in VOCABULARY or not 2 <= len(match.group(1)) <= 14:
        return None
    return match.group(1).capitalize()


def caught(fragment: str, heard: Heard, *, action: bool) -> str | None:
    """What a rule has caught, turned round and fit to be said back; None when it is not."""
    words = FRAGMENT_END.split(fragment, maxsplit=1)[0].split()
    if not 1 <= len(words) <= MAX_CAUGHT or is_odd(words) or words[-1] in DETERMINERS | PREPOSITIONS | JOINING:
        return None
    if action and words[0] not in VERBS and not (heard.written and words[0] not in VOCABULARY):
        return None
    if not action and words[0] in (PREPOSITIONS | JOINING) - {"that"}:
        return None
    # Pronouns of the subject would need their verb changed as well.
    if {"i", "you", "he", "she", "we", "they"} & set(words) or any(word in FILLERS for word in words):
        return None
    if not heard.written and any(word not in VOCABULARY and not word.isdigit() for word in words):
        return None
    return " ".join(TURNED.get(word, word) for word in words)
