"""What `endpointing.py` computes from pauses: how long each policy would have waited in each, whom it would have cut
off, the curves of both as the knob turns, and the same over dialogues drawn again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.listening import CUT_OFF, kept
from tandem_server.stages.cues import UNHEARD, ending
from tandem_server.stages.endpoint import SHIPPED, EndpointModel, Evidence, cues, patience
from tandem_server.stages.endpoint_fit import Labelled, fit
from tandem_server.stages.pauses import SpeakerPauses

from .endpointing_data import Pause

Numbers = NDArray[np.float64]
Rate = Literal["pauses", "turns"]
_Settings = tuple[SpeakerPauses | None, int | None, EndpointModel]
"""The rest of what `patience` is told"""

SILENCES: Final = (200, 300, 400, 500, 600, 800, 1000, 1200)
"""Milliseconds of fixed silence that are compared"""
KNOB: Final = tuple(sorted({*SILENCES, 350, *(round(silence) for silence in np.geomspace(100, 3000, 100).tolist())}))
"""Milliseconds of `silence_duration_ms` that are tried"""
_DRAWS: Final = 1000
_ENOUGH: Final = 15
"""Held pauses of a speaker that make a share"""


@dataclass(frozen=True, slots=True)
class Heard:
    """Pauses with what the server would know in each: a list of both, in order of time for each speaker."""

    pauses: Sequence[Pause]
    evidence: Sequence[Evidence]

    @classmethod
    def of(cls, pauses: Sequence[Pause], *, reference: bool = False) -> Heard:
        """With the recogniser's words, or with what was really said."""
        return cls(pauses, [_evidence(pause, reference) for pause in pauses])

    def without(self, cue: str) -> Heard:
        """Without one cue: text, stability, the voice, or a field of `Ending`."""
        return Heard(self.pauses, [_less(evidence, cue) for evidence in self.evidence])

    def labelled(self, dialogue: str | None = None) -> list[Labelled]:
        """For fitting; without one dialogue."""
        return [
            Labelled(pause.dialogue + pause.speaker, cues(evidence), None if pause.end else pause.lasted_ms)
            for pause, evidence in zip(self.pauses, self.evidence, strict=True)
            if pause.dialogue != dialogue
        ]

    def left_out(self) -> dict[str, EndpointModel]:
        """For each dialogue the model that all the others make."""
        return {name: fit(self.labelled(name)) for name in {pause.dialogue for pause in self.pauses}}


@dataclass(frozen=True)
class Policy:
    """A way to wait."""

    name: str
    heard: Heard
    models: Mapping[str, EndpointModel] | None = None
    """Of each dialogue; the shipped one otherwise"""
    fixed: bool = False
    adapts: bool = True
    limit_ms: int | None = None
    judged: bool = False
    """With the turn model, once it has answered ..."""
    late_ms: float = 0.0
    """... and so much later than it did"""

    def waits(self, silence: int) -> Numbers:
        """Milliseconds of each pause, with the knob at `silence`."""
        if self.fixed:
            return np.full(len(self.heard.pauses), float(silence))
        speakers: dict[str, SpeakerPauses] = {}
        waited = []
        for pause, evidence in zip(self.heard.pauses, self.heard.evidence, strict=True):
            model = self.models[pause.dialogue] if self.models else SHIPPED
            speaker = speakers.get(pause.dialogue + pause.speaker, SpeakerPauses(model.pauses))
            limit = None if self.limit_ms is None else self.limit_ms * SAMPLES_PER_MS
            known = speaker if self.adapts else None
            settings = known, limit, model
            waited.append(self._wait(pause, evidence, silence * SAMPLES_PER_MS, settings))
            # The server sees a hold end only before it answers, or so soon after that nobody can have heard it.
            if not pause.end and (held := pause.lasted_ms or 0.0) < max(waited[-1], CUT_OFF / SAMPLES_PER_MS):
                speakers[pause.dialogue + pause.speaker] = speaker.heard(held)
        return np.array(waited)

    def _wait(self, pause: Pause, evidence: Evidence, silence: int, settings: _Settings) -> float:
        """Milliseconds. What the turn model says changes nothing before it is there."""
        unjudged = patience(silence, replace(evidence, complete=None), *settings) / SAMPLES_PER_MS
        answered = pause.answered_ms + self.late_ms
        if not self.judged or evidence.complete is None or unjudged <= answered:
            return unjudged
        return max(patience(silence, evidence, *settings) / SAMPLES_PER_MS, answered)

    @cached_property
    def curve(self) -> Curve:
        """For every place of the knob."""
        return Curve.of(self.heard.pauses, np.array([self.waits(silence) for silence in KNOB]))


@dataclass(frozen=True, slots=True)
class Curve:
    """Sums over the pauses of each dialogue, (dialogues,) or (dialogues, KNOB)."""

    ends: Numbers
    delay: Numbers
    """Milliseconds waited at ends"""
    holds: Numbers
    cut: Numbers
    turns: Numbers
    turns_cut: Numbers
    waits: Numbers
    """(KNOB, ends)"""
    speakers: Numbers
    """(speakers, KNOB): share of the held pauses cut off, of each speaker with enough of them"""

    @classmethod
    def of(cls, pauses: Sequence[Pause], waits: Numbers) -> Curve:
        """From waits (KNOB, pauses)."""
        ends = np.array([pause.end for pause in pauses])
        lasted = np.array([np.inf if pause.lasted_ms is None else pause.lasted_ms for pause in pauses])
        cut = (~ends & (lasted >= waits)).astype(np.float64)
        dialogue = np.array([pause.dialogue for pause in pauses])
        turn, first, of_turn = np.unique(
            [f"{pause.dialogue} {pause.speaker} {pause.turn}" for pause in pauses],
            return_index=True,
            return_inverse=True,
        )
        turn_cut = _sums(of_turn, cut.T) > 0.0
        return cls(
            ends=_sums(dialogue, ends),
            delay=_sums(dialogue, (waits * ends).T),
            holds=_sums(dialogue, ~ends),
            cut=_sums(dialogue, cut.T),
            turns=_sums(dialogue[first], np.ones(len(turn))),
            turns_cut=_sums(dialogue[first], turn_cut),
            waits=waits[:, ends],
            speakers=_by_speaker(pauses, ends, cut),
        )

    def unluckiest(self, share: float) -> float:
        """Share cut off of the speaker who fares worse than nine in ten, where so many of all are cut off."""
        cut = self.points("pauses")[0]
        order = np.argsort(cut, kind="stable")
        return float(np.interp(share, cut[order], np.quantile(self.speakers, 0.9, axis=0)[order]))

    def points(self, rate: Rate, counts: Numbers | None = None) -> tuple[Numbers, Numbers]:
        """(share cut, mean delay in ms), each (KNOB,); or (draws, KNOB) with each dialogue counted so many times."""
        times = np.ones((1, len(self.ends))) if counts is None else counts
        bad, every = (self.cut, self.holds) if rate == "pauses" else (self.turns_cut, self.turns)
        share = times @ bad / np.maximum(times @ every, 1.0)[:, None]
        delay = times @ self.delay / np.maximum(times @ self.ends, 1.0)[:, None]
        return (share[0], delay[0]) if counts is None else (share, delay)


def least_delay(points: tuple[Numbers, Numbers], share: float) -> float:
    """The least mean delay at which this share is cut off, between two places of the knob in proportion; infinite when
    the knob does not go so far. Points (KNOB,)."""
    order = np.argsort(points[0], kind="stable")
    cut, delay = points[0][order], np.minimum.accumulate(points[1][order])
    return float(np.interp(share, cut, delay)) if share >= cut[0] else math.inf


@dataclass(frozen=True, slots=True)
class Saving:
    """A policy against a fixed silence that cuts off as many."""

    silence: int
    share: float
    """Cut off by it"""
    fixed_ms: float
    policy_ms: float
    low_ms: float
    """2.5 and 97.5 % of what is saved, dialogues drawn again"""
    high_ms: float

    @property
    def saved_ms(self) -> float:
        """Of the mean delay."""
        return self.fixed_ms - self.policy_ms


def savings(fixed: Curve, policy: Curve, silences: Sequence[int], rate: Rate) -> list[Saving]:
    """At the shares that these silences cut off. Either side may turn its knob to the best place."""
    dialogues = len(fixed.ends)
    drawn = np.random.default_rng(0).multinomial(dialogues, np.full(dialogues, 1.0 / dialogues), _DRAWS)
    counts = drawn.astype(np.float64)
    once, again = fixed.points(rate), fixed.points(rate, counts)
    policy_once, policy_again = policy.points(rate), policy.points(rate, counts)
    found = []
    for silence in silences:
        place = at(silence)
        share = float(once[0][place])
        saved = [
            least_delay((cut, delay), cut[place]) - least_delay((policy_cut, policy_delay), cut[place])
            for cut, delay, policy_cut, policy_delay in zip(*again, *policy_again, strict=True)
        ]
        low, high = np.quantile(saved, (0.025, 0.975)) if np.isfinite(saved).all() else (np.nan, np.nan)
        waits = least_delay(once, share), least_delay(policy_once, share)
        found.append(Saving(silence, share, *waits, float(low), float(high)))
    return found


def at(silence: int) -> int:
    """The place of the knob nearest to so many milliseconds."""
    return int(np.argmin(np.abs(np.array(KNOB) - silence)))


def _by_speaker(pauses: Sequence[Pause], ends: NDArray[np.bool_], cut: Numbers) -> Numbers:
    speaker = np.array([pause.dialogue + pause.speaker for pause in pauses])
    holds = _sums(speaker, ~ends)
    enough = holds >= _ENOUGH
    return np.asarray(_sums(speaker, cut.T)[enough] / holds[enough, None], np.float64)


def _sums(groups: NDArray[Any], values: NDArray[Any]) -> Numbers:
    """Values (elements, ...) added up by group, groups in order of their names."""
    names, places = np.unique(groups, return_inverse=True)
    total = np.zeros((len(names), *values.shape[1:]))
    np.add.at(total, places, values)
    return total


def _evidence(pause: Pause, reference: bool) -> Evidence:
    voice = ending(pause.pitch, pause.loudness)
    if reference:
        return Evidence(pause.said, voice)
    return Evidence(pause.text, voice, kept(pause.guess.split(), pause.text.split()), pause.complete)


def _less(evidence: Evidence, cue: str) -> Evidence:
    match cue:
        case "words":
            return replace(evidence, text="")
        case "stability":
            return replace(evidence, stable=True)
        case "voice":
            return replace(evidence, ending=UNHEARD)
        case _:
            return replace(evidence, ending=replace(evidence.ending, **{cue: None}))
