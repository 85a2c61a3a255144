"""How long to wait in a pause: until the risk of cutting the speaker off is as small as the session asks for.

A silence is a **hold** (the same speaker goes on) or an **end**. After t ms of it the odds of a hold are

    odds(t) = prior odds * P(a hold lasts longer than t) / (likelihood ratio of the cues, end to hold)

and the turn is over once they have fallen to a threshold: a decision as in Raux & Eskenazi (2009), with log-normal
pauses in place of exponential ones, and this speaker's own in place of everybody's (`pauses.py`). The threshold is the
session's `silence_duration_ms`, or what its eagerness stands for: the odds at which a speaker of whom nothing is known
would be answered after that silence if no cue said anything. So prior odds and costs cancel, and a session keeps its
meaning: the wait without evidence, shortened at equal risk, and stretched where the session allows it.

The cues add up as in naive Bayes, each with its log likelihood ratio. **No number here was fitted to a recording.** The
melody's come from the ToBI labels of the Columbia Games Corpus, 2186 switches and 5623 holds (Gravano 2009, table 6.1;
Gravano & Hirschberg 2011), the words' from its judgements of completeness, as remembered; the other cues take their
direction from there, as remembered too, and a modest size from us. A turn model, where there is one, adds its own log
odds; it hears melody and words too, but to count those twice was measured to change nothing. `endpoint_fit.py` fits the
weights and the pauses to conversations of one's own; `python -m tests.bench.endpointing` measures all of it.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, astuple, dataclass
from importlib.resources import files
from typing import Final, Self

from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.stages.cues import UNHEARD, Ending
from tandem_server.stages.pauses import PausePrior, SpeakerPauses

LEAST: Final = 200 * SAMPLES_PER_MS
"""Samples of silence that always pass: shorter pauses are stop consonants and breaths."""
LEAST_JUDGED: Final = 128 * SAMPLES_PER_MS
"""The same where a turn model has heard the pause and can tell them apart: about as soon as it can have answered."""

LEAST_SHARE: Final = 0.4
"""And of the silence that the session asks for: who asks for much wants patience, however sure a model is (ours; of the
default of 500 ms the same 200)."""

_MELODIES: Final = ((-4.0, 2.0, 0.472, 0.247), (-0.5, 1.5, 0.139, 0.523), (3.5, 2.5, 0.362, 0.206))
"""Falling, level and rising: mean and standard deviation of `Ending.fall` in semitones (ours), and the share of
switches and of holds that end so. Falling is L-L%; level is H-L%, !H-L% and no boundary tone; rising is H-H%, L-H%."""
_HANGS: Final = (0.18, 0.47)
"""Share of switches and of holds judged incomplete."""
_NOTICED: Final = 0.5
"""Share of the incomplete that ends in a word of HANGING (ours)."""
_MISHEARD: Final = 0.3
"""Share of last words that are wrong although the recogniser did not change them (ours) ..."""
_BY_CHANCE: Final = 0.4
"""... and of wrong words that are in HANGING: these are the commonest words there are (ours)."""
_DECAY: Final = (-3.0, -0.1)
"""dB that say nothing, and per dB above them: the voice fades before switches (size ours)."""
_LENGTHENING: Final = (0.4, -0.6)
"""Log ratio that says nothing, and per unit above it: every phrase ends long, and holds longest (size ours)."""
_MOST: Final = 0.6
"""Log likelihood ratio of either of these two at most."""

_SURE: Final = 0.92
"""Probability beyond which a turn model is not believed, though it often says .98: smart-turn is right in so many of
12,612 clips of its own test data (on telephones .89; C. Sripadi, 2026)"""

_HANGING_TEXT: Final = (
    "a an and are as at because but by can could for from had has have he her his i if in is it's its i'm "
    "my of on or our than the their to uh um was we we're were "
    "will with would your"
)
HANGING: Final = frozenset(_HANGING_TEXT.split())
"""Words that rarely end a turn: after them somebody is still looking for the next."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a pause once the speech before it has been finalised."""

    text: str
    """The turn so far, as finalised."""
    ending: Ending = UNHEARD
    stable: bool = True
    """The recogniser has not changed its mind about the last word it guessed before the pause: only then are its words
    believed."""
    complete: float | None = None
    """Probability that the turn is complete, from a turn model; None without one, or before it has answered"""


@dataclass(frozen=True, slots=True)
class Cues:
    """Log likelihood ratios, end to hold; 0 is no evidence."""

    melody: float = 0.0
    decay: float = 0.0
    lengthening: float = 0.0
    words: float = 0.0
    turn_model: float = 0.0


@dataclass(frozen=True, slots=True)
class EndpointModel:
    """Everything that can be fitted: how far each cue is believed, and how long people pause."""

    weights: Cues
    """What each cue's log likelihood ratio is multiplied by"""
    bias: float
    """Log likelihood ratio that every pause is given"""
    pauses: PausePrior

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`; raises ValueError for anything else. Where the numbers come from may stand there
        too."""
        try:
            fields = json.loads(text)
            model = cls(Cues(**fields["weights"]), fields["bias"], PausePrior(**fields["pauses"]))
            finite = all(math.isfinite(value) for value in (*astuple(model.weights), model.bias))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an endpoint model: {error!r}") from error
        if not finite:
            raise ValueError(f"not an endpoint model: {model}")
        return model


SHIPPED: Final = EndpointModel.from_json(files("tandem_server.stages").joinpath("endpoint.json").read_text("utf-8"))


def cues(evidence: Evidence) -> Cues:
    """What each cue says by itself."""
    return Cues(
        _melody(evidence.ending.fall),
        _linear(evidence.ending.decay, *_DECAY),
        _linear(evidence.ending.lengthening, *_LENGTHENING),
        _words(evidence.text) if evidence.stable else 0.0,
        _turn_model(evidence.complete),
    )


def finished(evidence: Evidence, model: EndpointModel = SHIPPED) -> float:
    """Log likelihood ratio of an end to a hold: above 0 the turn sounds finished."""
    said, weights = cues(evidence), model.weights
    return (
        model.bias
        + weights.melody * said.melody
        + weights.decay * said.decay
        + weights.lengthening * said.lengthening
        + weights.words * said.words
        + weights.turn_model * said.turn_model
    )


def patience(
    silence: int,
    evidence: Evidence | None,
    speaker: SpeakerPauses | None = None,
    limit: int | None = None,
    model: EndpointModel = SHIPPED,
) -> int:
    """Samples of silence to wait where `silence` would do without evidence; at most `limit`, else no longer than it."""
    if evidence is None:
        return silence
    anybody = SpeakerPauses(model.pauses)
    risk = anybody.longer_than(silence / SAMPLES_PER_MS) * math.exp(finished(evidence, model))
    most = max(limit or 0, silence)
    least = min(LEAST if evidence.complete is None else max(LEAST_JUDGED, round(LEAST_SHARE * silence)), silence)
    if risk >= 1.0:
        return least
    if risk <= 0.0:
        return most
    wanted = (speaker or anybody).quantile(risk) * SAMPLES_PER_MS
    return max(round(min(wanted, most)), least)


def _melody(fall: float | None) -> float:
    """Every melody is one of three, measured with error."""
    if fall is None:
        return 0.0
    nearest = min(max(fall, _MELODIES[0][0]), _MELODIES[-1][0])  # beyond the outermost all that changes is the noise
    switch = hold = 0.0
    for mean, deviation, of_switches, of_holds in _MELODIES:
        density = math.exp(-0.5 * ((nearest - mean) / deviation) ** 2) / deviation
        switch += of_switches * density
        hold += of_holds * density
    return math.log(switch / hold)


def _words(text: str) -> float:
    """Does the last word leave the sentence open, as far as the recogniser can be believed?"""
    words = text.lower().split()
    if not words:
        return 0.0
    switch, hold = ((1.0 - _MISHEARD) * _NOTICED * share + _MISHEARD * _BY_CHANCE for share in _HANGS)
    hangs = words[-1].strip(".,?!") in HANGING
    return math.log(switch / hold if hangs else (1.0 - switch) / (1.0 - hold))


def _turn_model(complete: float | None) -> float:
    """Its log odds at face value, up to what it can know: it was trained on about as many complete turns as others."""
    if complete is None:
        return 0.0
    believed = min(max(complete, 1.0 - _SURE), _SURE)
    return math.log(believed / (1.0 - believed))


def _linear(value: float | None, neutral: float, slope: float) -> float:
    return 0.0 if value is None else min(max(slope * (value - neutral), -_MOST), _MOST)
