"""The prosody realiser: moves any engine's speech to a target vector. Pure, and all of it can be pickled.

`realise` works open loop: one look at the source, one rendering, about 11 ms of CPU per second of speech; that is what
stands before the first audio. With `corrections` it measures what came out by the extractor, aims again and renders
from the same source: 16 ms for every rendering more, and 12 for measuring the first. Praat holds the GIL for most of
that, so run it in a process.

What is not covered: harmonicity cannot be raised nor shimmer lowered, jitter hardly lowered; and noise raises jitter,
so that a breathy voice with little jitter is out of reach. What was reached is what `measure` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import parselmouth

from tandem_models import psola, voice_quality
from tandem_models.extract import UNKNOWN_RANGE, PitchRange, TurnProsody, extract_turn, phonation
from tandem_models.prosody import MISSING, Prosody, hertz
from tandem_models.psola import Melody, Source
from tandem_models.signal import SAMPLE_RATE, WIRE_RATE, Audio, resample

Span = tuple[float, float]
"""Begin and end, seconds."""

REACH: Final[Mapping[str, Span]] = {
    "pitch_mean": (-4.0, 4.0),
    "pitch_range": (math.log(0.6), math.log(1.6)),
    "intensity_mean": (-10.0, 10.0),
    "intensity_range": (math.log(0.75), math.log(1.2)),
    "jitter": (math.log(0.8), math.log(1.8)),
    "shimmer": (0.0, math.log(2.0)),
    "hnr": (-6.0, 0.0),
    "rate": (math.log(0.75), math.log(1.3)),
}
"""How far speech may be moved from how the engine spoke it before it sounds damaged: in the registry's units, ranges
as the logarithm of a ratio. Harmonicity cannot be raised and shimmer not lowered."""

_RATIOS: Final = frozenset({"pitch_range", "intensity_range"})
_SHORTEST: Final = 0.1
"""Seconds"""
_SILENT: Final = 1e-4
"""Root mean square"""
_TOLERANCE: Final[Mapping[str, float]] = {
    "pitch_mean": 0.1,
    "pitch_range": 0.05,
    "intensity_mean": 0.2,
    "intensity_range": 0.1,
    "jitter": 0.15,
    "shimmer": 0.1,
    "hnr": 0.5,
    "rate": 0.01,
}
"""In the units of REACH: an error of this size is hard to hear. Weighs features when two renderings are compared."""
_SIDE_EFFECTS: Final[Mapping[str, Mapping[str, float]]] = {
    "jitter": {"pitch_mean": -0.04, "pitch_range": 0.65, "rate": 0.86, "intensity_range": -0.35, "hnr": -0.03},
    "shimmer": {"pitch_mean": -0.037, "rate": 0.66, "intensity_range": 0.4},
    "hnr": {"pitch_mean": 0.21, "pitch_range": -1.9, "rate": -6.3, "jitter": -1.7, "shimmer": -1.6},
}
"""What one unit of each move does to the others: the more pitch and level change within the extractor's window, the
rougher a voice seems. Least squares over four espeak voices; leaves sd 0.18, 0.07 and 0.4 of 0.31, 0.15 and 1.2."""
_SMOOTHED: Final = 0.85
"""What overlap-add on a smooth contour leaves of a voice's own jitter."""
_JITTER_OF_TIMES: Final = math.sqrt(6.0) * math.sqrt(2.0 / math.pi)
"""Local jitter (mean |difference of neighbouring periods|) of pulses displaced by independent noise of sd 1."""
_SHIMMER_OF_GAINS: Final = math.sqrt(2.0) * math.sqrt(2.0 / math.pi)
"""Local shimmer of independent gains of sd 1."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A feature that could not be brought where it was asked to be."""

    feature: str
    asked: float
    granted: float | None
    """What was aimed at instead; None is left alone."""
    reason: str
    """clamped, clipping, short, silent, unvoiced, unmeasured, or what Praat said"""


@dataclass(frozen=True, slots=True, eq=False)
class Realised:
    """Speech that has been moved."""

    audio: Audio
    """(T,) at WIRE_RATE"""
    words: tuple[Span, ...]
    """The spans that were handed in, at the new rate."""
    requested: Prosody
    """The target after clamping; None is left alone."""
    limits: tuple[Limit, ...]
    measured: TurnProsody | None
    """By the extractor, on `audio`; None where nothing was corrected, to save the time."""

    sample_rate: int = WIRE_RATE
    """Hertz"""


def voice_range(pitch_mean: float) -> PitchRange:
    """Where to look for the pitch of an engine's voice with this mean (st re 100 Hz), however it is moved; in steps of
    10 Hz. Harmonicity depends on the range, and breath makes a wide one hear octaves: use this one for everything."""
    low, high = (10.0 * round(hertz(pitch_mean + distance) / 10.0) for distance in (-12.0, 16.0))
    return PitchRange(max(low, UNKNOWN_RANGE.floor), min(high, UNKNOWN_RANGE.ceiling))


def measure(
    audio: Audio,
    sample_rate: int,
    syllables: int | None = None,
    words: Sequence[Span] = (),
    *,
    pitch_range: PitchRange,
) -> TurnProsody:
    """What the extractor hears in speech at any rate; without word times all of it counts as phonation."""
    spoken = phonation(words) if words else len(audio) / sample_rate
    return extract_turn(resample(audio, sample_rate, SAMPLE_RATE), syllables, spoken, pitch_range)


def realise(
    audio: Audio,
    sample_rate: int,
    target: Prosody,
    *,
    pitch_range: PitchRange,
    syllables: int | None = None,
    words: Sequence[Span] = (),
    corrections: int = 0,
) -> Realised:
    """Move speech (T,) to the target. Never raises for what is in the audio: what cannot be moved comes back as it was,
    at WIRE_RATE, with the reason in `limits`. Raises ValueError for audio that is not mono or a rate that is none."""
    if audio.ndim != 1 or sample_rate <= 0:
        raise ValueError(f"not mono audio at a sample rate: shape {audio.shape}, {sample_rate} Hz")
    audio = np.clip(np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0).astype(np.float32)
    if target == MISSING and not corrections:
        return _unmoved(audio, sample_rate, target, words, "")
    if reason := _unmovable(audio, sample_rate):
        return _unmoved(audio, sample_rate, target, words, reason)
    try:
        source = psola.prepare(audio, sample_rate, pitch_range)
    except parselmouth.PraatError as error:
        return _unmoved(audio, sample_rate, target, words, f"Praat: {str(error).splitlines()[0]}")
    plan = _plan(source, target, syllables, phonation(words) if words else source.duration)
    if corrections > 0:
        rendering, measured = _corrected(plan, corrections, syllables, words, pitch_range)
    else:
        rendering, measured = _render(plan, _first_aim(plan.goal)), None
    return _finished(plan, rendering, words, measured)


# --- what to aim at -------------------------------------------------------------------------------------------------
# Moves are counted from how the engine spoke, in the units of REACH: 0 is "as it was", for every feature.


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A source and where to bring it."""

    source: Source
    plain: Audio
    """The source unchanged, at WIRE_RATE"""
    own: Mapping[str, float]
    goal: Mapping[str, float]
    """Moves within REACH, of the features that are asked for and could be measured"""
    limits: tuple[Limit, ...]


def _plan(source: Source, target: Prosody, syllables: int | None, spoken: float) -> _Plan:
    """Compare what is asked with how the engine spoke, and clamp."""
    own = dict(source.own)
    if syllables and spoken > 0.0:
        own["rate"] = math.log(syllables / spoken)
    goal, limits = {}, []
    for name, asked in target.as_dict().items():
        if asked is None:
            continue
        if name not in own or (name in _RATIOS and own[name] <= 0.0):
            limits.append(Limit(name, asked, None, "unmeasured" if name == "rate" else "unvoiced"))
            continue
        move = _move(name, own[name], asked)
        goal[name] = min(max(move, REACH[name][0]), REACH[name][1])
        if abs(goal[name] - move) > _TOLERANCE[name]:
            limits.append(Limit(name, asked, _moved(name, own[name], goal[name]), "clamped"))
    plain = resample(source.fine, psola.FINE_RATE, WIRE_RATE)
    return _Plan(source, plain, own, goal, tuple(limits))


def _move(name: str, own: float, value: float) -> float:
    """From `own` to `value`."""
    return math.log(max(value, 1e-3) / own) if name in _RATIOS else value - own


def _moved(name: str, own: float, move: float) -> float:
    """The inverse of `_move`."""
    return own * math.exp(move) if name in _RATIOS else own + move


# --- rendering and correcting ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Rendering:
    audio: Audio
    rate: float
    missing_level: float
    """dB by which it is softer than it should be, because it would have clipped"""


def _first_aim(goal: Mapping[str, float]) -> dict[str, float]:
    """Moves that land on the goal if side effects are as usual."""
    moves = dict(goal)
    for name, causes in _SIDE_EFFECTS.items():
        if name in goal:
            moves[name] -= sum(effect * goal.get(cause, 0.0) for cause, effect in causes.items())
    return moves


def _render(plan: _Plan, moves: Mapping[str, float]) -> _Rendering:
    """One pass through melody, loudness range, breath and level."""
    melody = _melody(plan.own, moves)
    audio = plan.plain if melody == Melody() else psola.render(plan.source, melody)
    if moves.get("intensity_range"):
        audio = voice_quality.with_range(audio, math.exp(moves["intensity_range"]))
    if moves.get("hnr", 0.0) < 0.0:
        runs = [(run[0] / melody.rate, run[-1] / melody.rate) for run in plan.source.runs]
        audio = voice_quality.with_breath(audio, runs, _breath(plan.own["hnr"], moves["hnr"]))
    # Also when no level is asked for: overlap-add moves it by a decibel or two, which nobody wanted.
    level = voice_quality.mean_loudness(plan.plain) + moves.get("intensity_mean", 0.0)
    audio, reached = voice_quality.with_level(audio, level)
    return _Rendering(audio, melody.rate, level - reached)


def _melody(own: Mapping[str, float], moves: Mapping[str, float]) -> Melody:
    """The settings of the overlap-add for moves; nothing at all when no move could be heard."""
    heard = {name: move for name, move in moves.items() if abs(move) > 0.5 * _TOLERANCE[name]}
    if not heard.keys() & {"pitch_mean", "pitch_range", "rate", "jitter", "shimmer"}:
        return Melody()
    jitter = _added(own["jitter"], moves["jitter"], _SMOOTHED) if "jitter" in moves else 0.0
    shimmer = _added(own["shimmer"], moves["shimmer"], 1.0) if "shimmer" in moves else 0.0
    return Melody(
        shift=moves.get("pitch_mean", 0.0),
        spread=math.exp(moves.get("pitch_range", 0.0)),
        rate=math.exp(moves.get("rate", 0.0)),
        jitter=jitter / _JITTER_OF_TIMES,
        shimmer=shimmer / _SHIMMER_OF_GAINS,
    )


def _added(own: float, move: float, kept: float) -> float:
    """Irregularity (ratio) to add to `kept` of one's own (log) for a move (log): independent ones add as squares."""
    return math.exp(own) * math.sqrt(max(math.exp(2.0 * move) - kept**2, 0.0))


def _breath(own: float, move: float) -> float:
    """Noise power re voice that lowers harmonicity (dB) by -move. Harmonicity is 10 log10(r / (1 - r)) with r the share
    of periodic energy, and noise divides r by 1 + power."""
    before, after = 1.0 + 10.0 ** (-own / 10.0), 1.0 + 10.0 ** (-(own + move) / 10.0)  # 1 / r
    return float(after / before - 1.0)


def _corrected(
    plan: _Plan, corrections: int, syllables: int | None, words: Sequence[Span], pitch_range: PitchRange
) -> tuple[_Rendering, TurnProsody]:
    """Render, measure, aim again by what was missed; the best of all renderings."""
    moves = _first_aim(plan.goal)
    found: list[tuple[float, _Rendering, TurnProsody]] = []
    for attempt in range(corrections + 1):
        rendering = _render(plan, moves)
        spans = _scaled(words, rendering.rate)
        heard = measure(rendering.audio, WIRE_RATE, syllables, spans, pitch_range=pitch_range)
        missed = _missed(plan, heard.prosody)
        found.append((sum(min(abs(missed[name]) / _TOLERANCE[name], 5.0) for name in missed), rendering, heard))
        if attempt == corrections or all(abs(missed[name]) < 0.5 * _TOLERANCE[name] for name in missed):
            break
        for name, miss in missed.items():
            slack = 0.5 * (REACH[name][1] - REACH[name][0])
            moves[name] = min(max(moves[name] + miss, REACH[name][0] - slack), REACH[name][1] + slack)
    _, best, measured = min(found, key=lambda candidate: candidate[0])
    return best, measured


def _missed(plan: _Plan, heard: Prosody) -> dict[str, float]:
    """How far each asked feature still has to be moved."""
    values = heard.as_dict()
    return {
        name: goal - _move(name, plan.own[name], value)
        for name, goal in plan.goal.items()
        if (value := values[name]) is not None
    }


# --- what is handed back --------------------------------------------------------------------------------------------


def _finished(plan: _Plan, rendering: _Rendering, words: Sequence[Span], measured: TurnProsody | None) -> Realised:
    requested: dict[str, float | None] = {name: _moved(name, plan.own[name], goal) for name, goal in plan.goal.items()}
    limits = plan.limits
    asked = requested.get("intensity_mean")
    if asked is not None and rendering.missing_level > _TOLERANCE["intensity_mean"]:
        requested["intensity_mean"] = asked - rendering.missing_level
        limits += (Limit("intensity_mean", asked, requested["intensity_mean"], "clipping"),)
    spans = _scaled(words, rendering.rate)
    return Realised(rendering.audio, spans, Prosody.from_dict(requested), limits, measured)


def _unmovable(audio: Audio, sample_rate: int) -> str | None:
    """Why there is nothing to move, if so."""
    if len(audio) < _SHORTEST * sample_rate:
        return "short"
    return "silent" if math.sqrt(float(np.mean(np.square(audio, dtype=np.float64)))) < _SILENT else None


def _unmoved(audio: Audio, sample_rate: int, target: Prosody, words: Sequence[Span], reason: str) -> Realised:
    limits = tuple(Limit(name, value, None, reason) for name, value in target.as_dict().items() if value is not None)
    return Realised(resample(audio, sample_rate, WIRE_RATE), tuple(words), MISSING, limits, None)


def _scaled(words: Sequence[Span], rate: float) -> tuple[Span, ...]:
    return tuple((begin / rate, end / rate) for begin, end in words)
