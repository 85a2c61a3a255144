"""How a word that is in no dictionary is said: a joint n-gram model of letters and phones (Bisani & Ney 2008).

A graphone is one letter with the 0 to 2 phones it stands for. The model gives the probability of a graphone after up
to five others; the best sequence over the letters of a word is found by beam search. Trained by the `pronunciation`
recipe from CMUdict; its card is in `pronunciation.json`. N n-grams, 10 bits a graphone, so that one fits 64 bits.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import numpy as np

from tandem_models.phone_set import is_vowel

BITS: Final = 10
"""Of a graphone's id, 1 to 1021; 0 is none."""
START: Final = 1022
END: Final = 1023
ORDER: Final = 6
STEP: Final = 1.0 / 12.0
"""Nats of a unit of the stored log probabilities, which are negative."""
UNSEEN: Final = 255
"""Cost of what is a context only, not an n-gram of the model."""
_MASKS: Final = tuple((1 << (BITS * size)) - 1 for size in range(ORDER))
_BEAM: Final = 8
_UNKNOWN: Final = 21.0
"""Nats against a graphone that was never seen."""


@dataclass(frozen=True, slots=True, eq=False)
class LetterToSound:
    """A trained model."""

    graphones: tuple[tuple[str, tuple[str, ...]], ...]
    """(letter, phones with stress digits after vowels) by id; ids begin at 1"""
    by_letter: dict[str, tuple[int, ...]]
    keys: array[int]
    """(N,) sorted: the ids of an n-gram, 10 bits each, its last one lowest"""
    costs: bytes
    """(N,) units of STEP against the last graphone after the others"""
    backoffs: bytes
    """(N,) units of STEP for leaving this n-gram as context"""

    def phones(self, word: str) -> tuple[str, ...]:
        """Phones of lower-case letters, vowels with a stress digit; other signs are skipped. Empty if none is left."""
        beam: list[tuple[float, int, tuple[str, ...]]] = [(0.0, START, ())]
        for letter in word:
            ways = self.by_letter.get(letter)
            if ways is None:
                continue
            grown = [
                (cost + self._cost(history, way), self._after(history, way), (*said, *self.graphones[way - 1][1]))
                for cost, history, said in beam
                for way in ways
            ]
            beam = sorted(grown)[:_BEAM]
        best = min((cost + self._cost(history, END), said) for cost, history, said in beam)
        return _stressed(best[1])

    def _cost(self, history: int, graphone: int) -> float:
        """Nats against a graphone after a history of packed ids."""
        left = 0
        for size in range(ORDER - 1, -1, -1):
            context = history & _MASKS[size]
            if size and not context >> (BITS * (size - 1)):
                continue  # the history is shorter than that
            place = self._place(context << BITS | graphone)
            if place is not None and self.costs[place] != UNSEEN:
                return (left + self.costs[place]) * STEP
            if size and (place := self._place(context)) is not None:
                left += self.backoffs[place]
        return left * STEP + _UNKNOWN

    def _place(self, key: int) -> int | None:
        place = bisect_left(self.keys, key)
        return place if place < len(self.keys) and self.keys[place] == key else None

    @staticmethod
    def _after(history: int, graphone: int) -> int:
        return (history << BITS | graphone) & _MASKS[ORDER - 1]


def _stressed(phones: tuple[str, ...]) -> tuple[str, ...]:
    """With a primary stress: on the first full vowel where the model gave none."""
    if any(phone.endswith("1") for phone in phones):
        return phones
    vowels = [place for place, phone in enumerate(phones) if is_vowel(phone.rstrip("012"))]
    if not vowels:
        return phones
    chosen = next((place for place in vowels if not phones[place].startswith("ax")), vowels[0])
    return (*phones[:chosen], f"{phones[chosen][:-1]}1", *phones[chosen + 1 :])


def save(path: Traversable | str, model: LetterToSound) -> None:
    """As an .npz without pickles."""
    names = [f"{letter}:{' '.join(said)}" for letter, said in model.graphones]
    keys = np.frombuffer(model.keys, np.uint64)
    np.savez_compressed(
        str(path),
        graphones=np.array("\n".join(names)),
        steps=np.diff(keys, prepend=np.uint64(0)),
        costs=np.frombuffer(model.costs, np.uint8),
        backoffs=np.frombuffer(model.backoffs, np.uint8),
    )


def read(path: Traversable | str) -> LetterToSound:
    """The inverse of `save`."""
    with np.load(str(path), allow_pickle=False) as stored:
        names = str(stored["graphones"]).split("\n")
        keys = array("Q", np.cumsum(stored["steps"], dtype=np.uint64).tobytes())
        costs, backoffs = stored["costs"].tobytes(), stored["backoffs"].tobytes()
    pairs = [name.partition(":") for name in names]
    graphones = tuple((letter, tuple(said.split())) for letter, _, said in pairs)
    return model_of(graphones, keys, costs, backoffs)


def model_of(
    graphones: tuple[tuple[str, tuple[str, ...]], ...], keys: array[int], costs: bytes, backoffs: bytes
) -> LetterToSound:
    """A model from its parts."""
    by_letter: dict[str, tuple[int, ...]] = {}
    for number, (letter, _) in enumerate(graphones, 1):
        by_letter[letter] = (*by_letter.get(letter, ()), number)
    return LetterToSound(graphones, by_letter, keys, costs, backoffs)


@cache
def shipped() -> LetterToSound:
    """The model that comes with the package; about 60 ms the first time."""
    return read(files("tandem_models").joinpath("letter_to_sound.npz"))
