"""Dialogues in which who entrains to whom is known: the ground truth that recordings of people cannot give.

A speaker s has a usual level mu_s ~ N(0, tau^2) and a hidden level l_s; t is the turn, p the partner, e_t the text:

    l_s <- mu_s + phi (l_s - mu_s) + alpha_s(t) (l_p - l_s) + beta_s (l_p - mu_p) + N(0, Q)
    alpha_s(t) = alpha_s (1 - c + c min(t / 30, 1))
    y_t = l_s + W e_t + N(0, 2 R0 / words),   missing with a probability that is higher for one-word turns

alpha is proximity, beta synchrony, c convergence, a negative sign disentrainment, one (alpha, beta) per speaker
asymmetry, W the lexical effect. Linear and Gaussian given the speakers' types, so `oracle.py` can predict it exactly.
Everything is in simulator units: the standard deviation of y over speakers and turns is about 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tandem_models.normaliser import shipped_prior
from tandem_models.prosody import INDEX, NAMES

Array = NDArray[np.float64]
ACTS: Final[dict[str, str]] = {
    "question": "what where when who why how which would could should do does did is are can will whose have has",
    "statement": "the a it was there near they people house river train morning garden table friend city road music",
    "acknowledgement": "yes yeah right okay sure good fine exactly mhm indeed true great uh-huh alright course",
    "instruction": "go turn take put move start stop left then follow draw cross walk past over under towards keep",
    "feeling": "happy love sad sorry wonderful terrible afraid hope wish glad angry tired lovely awful worried",
}
"""Dialogue act -> its words. A turn is drawn from one act's words; it need not be grammatical to have an effect."""
VOCABULARY: Final = tuple(word for words in ACTS.values() for word in words.split())
_SPANS: Final = np.cumsum([0, *(len(words.split()) for words in ACTS.values())])
WORDS: Final = (1, 2, 4, 8)
"""Lengths of a turn, equally likely"""


@dataclass(frozen=True, slots=True)
class SpeakerType:
    """One way to treat a partner."""

    name: str
    alpha: float
    beta: float
    share: float
    """Of the population"""


TYPES: Final = (
    SpeakerType("entrainer", 0.30, 0.25, 0.45),
    SpeakerType("weak", 0.05, 0.05, 0.40),
    SpeakerType("disentrainer", -0.15, -0.10, 0.15),
)


@dataclass(frozen=True)
class World:
    """What all dialogues of a corpus have in common. Raises ValueError for a world that would run away."""

    seed: int = 1
    """Of the lexical effects; dialogues have seeds of their own"""
    types: tuple[SpeakerType, ...] = TYPES
    tau: float | tuple[float, ...] = 0.8
    """How far speakers differ: of all features, or one number each"""
    phi: float = 0.35
    q: float = 0.30
    r0: float = 0.20
    convergence: float = 0.5
    missing: float = 0.15
    lexical_variance: float = 0.096
    """Of W e_t, per feature: what separates the reference's L1 with the text from that without (0.6362, 0.5852)"""
    dimensions: int = 16
    """Of e_t"""
    correlated: bool = False
    """Innovations of loudness and pitch +0.4, shimmer and jitter +0.5, harmonicity and jitter -0.5"""

    def __post_init__(self) -> None:
        for kind in self.types:
            gain = (kind.alpha + kind.beta) ** 2
            if kind.alpha > self.phi + 1.0 or gain >= (1.0 - self.phi + kind.alpha) ** 2:
                raise ValueError(f"two speakers of type {kind.name!r} would run away; make alpha and beta smaller")

    @cached_property
    def lexicon(self) -> tuple[Array, Array, Array]:
        """(prototype of each act (A, D), vector of each word (V, D), W (F, D)). The first axis marks questions."""
        random = np.random.default_rng(self.seed)
        prototypes = random.normal(size=(len(ACTS), self.dimensions))
        prototypes[:, 0] = [2.0, -0.5, -0.5, -0.5, -0.5]
        prototypes -= prototypes.mean(0)
        vectors = 0.5 * random.normal(size=(len(VOCABULARY), self.dimensions))
        # Centred per act, or e_t would grow with the length of the turn.
        vectors = np.concatenate([of_act - of_act.mean(0) for of_act in self._by_act(vectors)])
        effect = random.normal(size=(len(NAMES), self.dimensions))
        effect[INDEX["pitch_range"], 0] = 2.0  # a question widens the range
        covariance = prototypes.T @ prototypes / len(ACTS) + np.mean([np.cov(v.T) for v in self._by_act(vectors)], 0)
        variance = np.einsum("fd,de,fe->f", effect, covariance, effect)
        return prototypes, vectors, effect * np.sqrt(self.lexical_variance / variance)[:, None]

    @cached_property
    def innovations(self) -> Array:
        """A square root of the covariance of the hidden levels' innovations, (F, F)."""
        correlation = np.eye(len(NAMES))
        if self.correlated:
            pairs = {("pitch_mean", "intensity_mean"): 0.4, ("jitter", "shimmer"): 0.5, ("hnr", "jitter"): -0.5}
            for (one, other), r in pairs.items():
                correlation[INDEX[one], INDEX[other]] = correlation[INDEX[other], INDEX[one]] = r
        return np.asarray(np.linalg.cholesky(correlation) * np.sqrt(self.q))

    def coupling(self, alpha: Array, turn: int) -> Array:
        """alpha at a turn (from 0): it grows over the first 30."""
        return alpha * (1.0 - self.convergence + self.convergence * min(turn / 30.0, 1.0))

    def noise(self, words: NDArray[np.int64]) -> Array:
        """Variance of the measurement of turns of so many words."""
        return self.r0 * 2.0 / words

    @staticmethod
    def _by_act(vectors: Array) -> list[Array]:
        return [vectors[start:end] for start, end in pairwise(_SPANS)]


WITHIN: Final = 0.79
"""Standard deviation of a speaker's turns in the reference world, about: the fitted prior's sqrt(b / (a - 1))."""
WORLDS: Final[Mapping[str, World]] = {
    "reference": World(),
    "voices": World(tau=tuple(round(WITHIN / belief.k**0.5, 3) for belief in shipped_prior())),
    "uncoupled": World(types=(SpeakerType("deaf", 0.0, 0.0, 1.0),)),
    "correlated": World(correlated=True),
}
"""By name: the one with published figures, one in which speakers differ as much as people do in the shipped prior, one
in which nobody entrains, and one with features that vary together. All share one vocabulary and its effects."""


@dataclass(frozen=True, slots=True)
class Dialogues:
    """N dialogues of T turns, F features. Nothing here is ever changed in place."""

    world: World
    speaker: NDArray[np.int64]
    """(N, T) 0 or 1, alternating"""
    values: Array
    """(N, T, F); NaN is missing"""
    words: NDArray[np.int64]
    """(N, T, 8) positions in VOCABULARY, -1 after the last word"""
    length: NDArray[np.int64]
    """(N, T) words"""
    embedding: Array
    """(N, T, D) e_t"""
    kinds: NDArray[np.int64]
    """(N, 2) position in world.types"""
    usual: Array
    """(N, 2, F) mu: only calibrations and oracles may know it"""

    def __len__(self) -> int:
        return len(self.speaker)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Dialogues:
        parts = ("speaker", "values", "words", "length", "embedding", "kinds", "usual")
        return replace(self, **{part: getattr(self, part)[rows] for part in parts})

    def text(self, dialogue: int, turn: int) -> str:
        """The words, for people and for voices."""
        words = [VOCABULARY[word] for word in self.words[dialogue, turn] if word >= 0]
        return " ".join(words) + ("?" if words[0] in ACTS["question"].split() else ".")


def simulate(
    world: World, dialogues: int, seed: int, turns: int = 40, kinds: tuple[int, int] | None = None
) -> Dialogues:
    """Draw dialogues; `kinds` fixes both speakers' types. Speaker 0 begins. The same seed gives the same dialogues."""
    random = np.random.default_rng([world.seed, seed])
    share = np.array([kind.share for kind in world.types])
    drawn = random.choice(len(share), size=(dialogues, 2), p=share / share.sum())
    types = np.broadcast_to(kinds, (dialogues, 2)).astype(np.int64) if kinds is not None else drawn.astype(np.int64)
    words, length, embedding = _texts(world, random, (dialogues, turns))
    usual = np.asarray(world.tau) * random.normal(size=(dialogues, 2, len(NAMES)))
    levels = _levels(world, random, types, usual, turns)

    values = levels + embedding @ world.lexicon[2].T
    values += np.sqrt(world.noise(length))[..., None] * random.normal(size=values.shape)
    chance = world.missing * np.where(length == 1, 2.5, 0.6)
    values[random.random(values.shape) < chance[..., None]] = np.nan
    speaker = np.broadcast_to(np.arange(turns) % 2, (dialogues, turns))
    return Dialogues(world, speaker, values, words, length, embedding, types, usual)


def _levels(world: World, random: np.random.Generator, kinds: NDArray[np.int64], usual: Array, turns: int) -> Array:
    """(N, T, F) the speaking side's hidden level at each turn."""
    alpha = np.array([kind.alpha for kind in world.types])[kinds]
    beta = np.array([kind.beta for kind in world.types])[kinds]
    level = usual + np.sqrt(stationary(world)) * random.normal(size=usual.shape)
    spoken = np.empty((len(kinds), turns, len(NAMES)))
    for turn in range(turns):
        own, other = turn % 2, 1 - turn % 2
        away = level[:, other] - usual[:, other]
        following = world.coupling(alpha[:, own], turn)[:, None] * (level[:, other] - level[:, own])
        moved = usual[:, own] + world.phi * (level[:, own] - usual[:, own]) + following + beta[:, own, None] * away
        level[:, own] = moved + random.normal(size=moved.shape) @ world.innovations.T
        spoken[:, turn] = level[:, own]
    return spoken


def stationary(world: World) -> float:
    """Variance of an uncoupled level around the usual one, with which dialogues begin."""
    return world.q / (1.0 - world.phi**2)


def _texts(
    world: World, random: np.random.Generator, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """(words, length, e_t): the act's prototype and the sum of the words' vectors over the root of their number."""
    prototypes, vectors, _ = world.lexicon
    act = random.integers(len(ACTS), size=shape)
    length = random.choice(WORDS, size=shape).astype(np.int64)
    first, after = _SPANS[act][..., None], _SPANS[act + 1][..., None]
    words = first + np.floor(random.random((*shape, max(WORDS))) * (after - first)).astype(np.int64)
    spoken = np.arange(max(WORDS)) < length[..., None]
    bag = np.zeros((*shape, world.dimensions))
    for position in range(max(WORDS)):
        bag += vectors[words[..., position]] * spoken[..., position, None]
    return np.where(spoken, words, -1), length, prototypes[act] + bag / np.sqrt(length)[..., None]
