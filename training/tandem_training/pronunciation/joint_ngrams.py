"""Aligned words -> the n-gram model over graphones: interpolated Kneser-Ney, packed as `letter_to_sound` reads it."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tandem_models.letter_to_sound import BITS, END, ORDER, START, STEP, UNSEEN, LetterToSound, model_of
from tandem_training.pronunciation.alignment import Graphone

FEWEST = 5
"""Uses of a graphone; words with a rarer one are left out."""
_KEPT_WHOLE = 3
"""Orders up to this keep n-grams that were seen once."""
_Ngram = tuple[int, ...]


def fit(words: Sequence[tuple[Graphone, ...]]) -> LetterToSound:
    """The model of aligned words. Raises ValueError if there are more graphones than ids."""
    uses = Counter(graphone for word in words for graphone in word)
    graphones = tuple(sorted(graphone for graphone, count in uses.items() if count >= FEWEST))
    if len(graphones) >= START:
        raise ValueError(f"{len(graphones)} graphones; at most {START - 1} have an id")
    number = {graphone: place for place, graphone in enumerate(graphones, 1)}
    sequences = [
        (START, *(number[graphone] for graphone in word), END)
        for word in words
        if all(graphone in number for graphone in word)
    ]
    costs, backoffs = _probabilities(_counts(sequences))
    keys = sorted({_packed(ngram): ngram for ngram in {*costs, *backoffs}}.items())
    return model_of(
        graphones,
        array("Q", (key for key, _ in keys)),
        bytes(_units(costs[ngram]) if ngram in costs else UNSEEN for _, ngram in keys),
        bytes(_units(backoffs.get(ngram, 1.0)) for _, ngram in keys),
    )


def _counts(sequences: Sequence[_Ngram]) -> list[Counter[_Ngram]]:
    """By order from 1: how often the longest n-grams were seen, and in how many contexts the shorter ones were."""
    longest: Counter[_Ngram] = Counter()
    starts: Counter[_Ngram] = Counter()
    for sequence in sequences:
        for end in range(2, len(sequence) + 1):
            ngram = sequence[max(0, end - ORDER) : end]
            (longest if len(ngram) == ORDER else starts)[ngram] += 1
    by_order = [Counter[_Ngram]() for _ in range(ORDER)]
    by_order[-1] = longest
    for order in range(ORDER - 1, 0, -1):
        counts = by_order[order - 1]
        for ngram in by_order[order]:
            counts[ngram[1:]] += 1
        for ngram, count in starts.items():  # nothing stands before the start of a word: counted as often as seen
            if len(ngram) == order:
                counts[ngram] += count
    return by_order


def _probabilities(by_order: Sequence[Counter[_Ngram]]) -> tuple[dict[_Ngram, float], dict[_Ngram, float]]:
    """P(last | others) of the n-grams that are kept, and the weight of the shorter context after each context."""
    found: dict[_Ngram, float] = {}
    backoffs: dict[_Ngram, float] = {}
    for order, counts in enumerate(by_order, 1):
        ones = sum(1 for count in counts.values() if count == 1)
        twos = sum(1 for count in counts.values() if count == 2)
        discount = ones / (ones + 2 * twos) if ones and twos else 0.5
        totals: defaultdict[_Ngram, int] = defaultdict(int)
        for ngram, count in counts.items():
            totals[ngram[:-1]] += count
        kept = {ngram: count for ngram, count in counts.items() if order <= _KEPT_WHOLE or count > 1}
        weights: defaultdict[_Ngram, float] = defaultdict(lambda: 1.0)
        for ngram, count in kept.items():
            weights[ngram[:-1]] -= (count - discount) / totals[ngram[:-1]]
        for ngram, count in kept.items():
            context = ngram[:-1]
            lower = _looked_up(ngram[1:], found, backoffs) if order > 1 else 1.0 / len(counts)
            found[ngram] = (count - discount) / totals[context] + weights[context] * lower
        backoffs |= {context: max(weight, 1e-6) for context, weight in weights.items() if context}
    return found, backoffs


def _looked_up(ngram: _Ngram, found: Mapping[_Ngram, float], backoffs: Mapping[_Ngram, float]) -> float:
    """P(last | others) as the finished model gives it."""
    weight = 1.0
    for start in range(len(ngram)):
        if (probability := found.get(ngram[start:])) is not None:
            return weight * probability
        weight *= backoffs.get(ngram[start:-1], 1.0)
    return 0.0


def _packed(ngram: _Ngram) -> int:
    key = 0
    for number in ngram:
        key = key << BITS | number
    return key


def _units(probability: float) -> int:
    return min(round(-math.log(max(probability, 1e-9)) / STEP), UNSEEN - 1)
