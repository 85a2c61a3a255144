"""What interrupts the agent, and what does not: `python -m tests.bench.interruptions --help` (from the project).

Real voice activity, turn machine and echo remover, without a server: replies spoken by espeak-ng and realised, sent
back by made rooms and loudspeakers (see `echoes.py`), with recorded people, recorded backchannels and made coughs over
them. Prints Markdown: how often a turn opens that should not, how often and how soon one opens that should, and what
the remover costs. An interruption stops the reply, and 150 ms later its echo, as it does for a client. Constants were
chosen with the other half of the recordings, other rooms of that kind and other coughs, but with these sentences,
voices, backchannels and telephone lines.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from tandem_models.signal import SAMPLE_RATE, SAMPLES_PER_MS, VAD_FRAME, WIRE_RATE, Audio, float_to_pcm16, resample
from tandem_server.audio import levels
from tandem_server.engines.silero import Silero
from tandem_server.listening import BARGE_IN
from tandem_server.stages import echo
from tandem_server.stages.onsets import Onsets
from tandem_server.stages.protocols import VoiceActivity
from tandem_server.turn import Frame, OpenTurn, Quiet, State, TurnSettings, step

from .echoes import (
    BETWEEN,
    SENT,
    Dice,
    Place,
    SaidWord,
    Scene,
    at_level,
    backchannels,
    cough,
    recordings,
    replies,
    scene,
    telephone_lines,
)

GAINS: Final = (-6.0, -12.0, -20.0, -30.0, -40.0)
"""dB from what was sent to its echo"""
USER: Final = -32.0
"""dB re full scale, of who interrupts"""
SOFTER: Final = (0.0, -6.0, -12.0)
"""dB of the user against the echo"""
LONGEST: Final = 2 * SAMPLE_RATE
"""Samples of it, so that it is over before the next reply"""
REPLIES: Final = 5
"""In a conversation"""
ROUND_TRIP: Final = 150 * SAMPLES_PER_MS
"""From an interruption to the end of the echo"""
FAR: Final = 0.25
"""Seconds from a word at which nobody says it"""
TARGET: Final = 200.0
"""ms from the user's first sound to the interruption"""


@dataclass
class Heard:
    """One reply."""

    opened: float | None = None
    """ms from the other's first sound to the opening of a turn (from the reply's own, if there is no other); None when
    none opened"""
    early: bool = False
    """It opened before the other began: by the echo"""


@dataclass
class Costs:
    """Milliseconds of CPU of the echo remover, frame by frame."""

    audible: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)


class Ear:
    """Hears scenes as a session does."""

    def __init__(self, activity: VoiceActivity, costs: Costs | None = None) -> None:
        self._activity = activity
        self._costs = costs
        """None: without the echo remover"""

    def hear(self, one: Scene) -> list[Heard]:
        """What opened a turn in each reply, if anything."""
        self._activity.reset()
        remover, onsets, heard = echo.EchoRemover(), Onsets(), [Heard() for _ in one.replies]
        microphone, last = _microphone(one), one.replies[-1]
        now: State = Quiet()
        current, cut = -1, False
        for end in range(VAD_FRAME, last[0] + len(last[1]) + BETWEEN, VAD_FRAME):
            if current + 1 < len(heard) and end - VAD_FRAME >= one.replies[current + 1][0]:
                current, cut = current + 1, False
                remover.loudspeaker.play(float_to_pcm16(resample(one.replies[current][1], SAMPLE_RATE, WIRE_RATE)))
            begin, reply = one.replies[current]
            audible = current >= 0 and not cut and end < begin + len(reply)
            frame = microphone[end - VAD_FRAME : end]
            rest = self._without_echo(remover, frame)
            probability, loud_since = self._activity.probability(rest.audio), onsets.heard(end, levels(rest.audio))
            loud_since = None if rest.echo or rest.alone else loud_since
            news = Frame(end, 0.0 if rest.alone else probability, loud_since=loud_since)
            now, effects = step(now, news, TurnSettings(min_speech=BARGE_IN) if audible else TurnSettings())
            if current >= 0 and not cut and any(isinstance(effect, OpenTurn) for effect in effects):
                cut = True
                remover.loudspeaker.stop()
                _silence(microphone, one, current, end + ROUND_TRIP)
                since = one.others[current][0] if one.others else begin
                heard[current] = Heard((end - since) / SAMPLES_PER_MS, end < since)
        return heard

    def _without_echo(self, remover: echo.EchoRemover, frame: Audio) -> echo.Heard:
        if self._costs is None:
            return echo.Heard(frame)
        begun = time.thread_time()
        rest = remover.hear(frame)
        took = (time.thread_time() - begun) * 1000.0
        (self._costs.audible if remover.loudspeaker.quiet < 2 else self._costs.silent).append(took)
        return rest


def _microphone(one: Scene) -> Audio:
    last = one.replies[-1]
    heard = np.random.default_rng(one.seed).standard_normal(last[0] + len(last[1]) + 2 * BETWEEN) * 10 ** (
        one.noise / 20
    )
    for begin, audio in [*one.echoes, *one.others]:
        part = audio[: len(heard) - begin]
        heard[begin : begin + len(part)] += part
    return np.clip(heard, -1.0, 1.0).astype(np.float32)


def _silence(microphone: Audio, one: Scene, number: int, since: int) -> None:
    """The rest of a reply's echo does not come."""
    begin, echo = one.echoes[number]
    rest = echo[max(since - begin, 0) :]
    microphone[since : since + len(rest)] -= rest[: len(microphone) - since]


# What is asked ------------------------------------------------------------------------------------------------------
class Bench:
    """The voices, the people, and as many conversations as are wanted of each kind."""

    def __init__(self, spoken: Sequence[Audio], activity: VoiceActivity, conversations: int, seed: int) -> None:
        self._spoken = spoken
        self._conversations = conversations
        self._seed = seed
        self.costs = Costs()
        self.without, self.with_remover = Ear(activity), Ear(activity, self.costs)

    def scenes(self, kind: int, gain: float) -> Iterable[tuple[Scene, Dice]]:
        """Rooms and replies by chance; the same for the same arguments."""
        for number in range(self._conversations):
            dice = np.random.default_rng([self._seed, kind, number])
            chosen = [self._spoken[place] for place in dice.permutation(len(self._spoken))[:REPLIES]]
            yield scene(chosen, Place.any(dice, gain), number), dice

    def echo_only(self) -> list[str]:
        """Share of replies in which a turn opens though nobody speaks."""
        lines = [
            "| echo | replies | without remover | with | of first replies | of later ones |",
            "|---|---|---|---|---|---|",
        ]
        for kind, gain in enumerate(GAINS):
            pairs = [(self.without.hear(one), self.with_remover.hear(one)) for one, _ in self.scenes(kind, gain)]
            plain = [heard.opened is not None for before, _ in pairs for heard in before]
            first = [after[0].opened is not None for _, after in pairs]
            later = [heard.opened is not None for _, after in pairs for heard in after[1:]]
            cells = [f"{100 * np.mean(one):.1f} %" for one in (plain, first + later, first, later)]
            lines.append(f"| {gain:g} dB | {len(plain)} | {' | '.join(cells)} |")
        return lines

    def others(self, kind: int, gain: float, noises: Callable[[Dice], Audio]) -> list[list[Heard]]:
        """Somebody during each reply: heard over the echo, then with headphones, each with the remover, and with
        headphones without it."""
        found: list[list[Heard]] = [[], [], []]
        for one, dice in self.scenes(kind, gain):
            placed = one.with_others([noises(dice) for _ in one.replies], dice)
            found[0] += self.with_remover.hear(placed)
            found[1] += self.with_remover.hear(placed.without_echo())
            found[2] += self.without.hear(placed.without_echo())
        return found


WAYS: Final = ("over the echo", "headphones", "headphones, no remover")


def barge_in(bench: Bench, people: Sequence[Audio]) -> list[str]:
    """How often, and how soon after its first sound, real speech interrupts."""
    lines = [
        "| user re echo | | interrupts | p50 ms | p90 | p95 | within 200 ms | echo did before |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for place, softer in enumerate(SOFTER):
        found = bench.others(10 + place, USER - softer - SENT, partial(_any, people))
        for way, heard in zip(WAYS, found, strict=True):
            counted = [one for one in heard if not one.early]
            waits = [one.opened for one in counted if one.opened is not None]
            within = sum(wait <= TARGET for wait in waits) / len(counted)
            p50, p90, p95 = np.percentile(waits, [50, 90, 95])
            lines.append(
                f"| {softer:g} dB | {way} | {len(waits)} of {len(counted)} "
                f"| {p50:.0f} | {p90:.0f} | {p95:.0f} | {100 * within:.0f} % | {len(heard) - len(counted)} |"
            )
    return lines


def short_sounds(bench: Bench, name: str, kind: int, noises: Callable[[Dice], Audio]) -> list[str]:
    """How often a cough or a backchannel interrupts."""
    lines = []
    for way, heard in zip(WAYS, bench.others(kind, -20.0, noises), strict=True):
        counted = [one for one in heard if not one.early]
        share = np.mean([one.opened is not None for one in counted])
        lines.append(f"| {name} | {way} | {len(counted)} | {100 * share:.1f} % |")
    return lines


def lengths(name: str, sounds: Sequence[Audio], activity: VoiceActivity) -> str:
    """How long they are, and for how long of it the detector of voices hears one."""
    voiced = []
    for sound in sounds:
        activity.reset()
        padded = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), sound, np.zeros(SAMPLE_RATE // 2, np.float32)])
        frames = padded[: len(padded) // VAD_FRAME * VAD_FRAME].reshape(-1, VAD_FRAME)
        voiced.append(32.0 * sum(activity.probability(frame) >= 0.5 for frame in frames))
    spans = [f"{q}" for values in ([len(one) / SAMPLES_PER_MS for one in sounds], voiced) for q in _quantiles(values)]
    return f"| {name} | {len(sounds)} | {' | '.join(spans)} |"


def noises(lines: Sequence[tuple[Audio, list[SaidWord]]], activity: VoiceActivity) -> str:
    """How often a turn opens on a telephone line at all, as if the agent were speaking, and how often where nobody
    says a word."""
    turns = lonely = 0
    for line, words in lines:
        activity.reset()
        onsets, now = Onsets(), Quiet()
        state: State = now
        for end in range(VAD_FRAME, len(line), VAD_FRAME):
            frame = line[end - VAD_FRAME : end]
            news = Frame(end, activity.probability(frame), loud_since=onsets.heard(end, levels(frame)))
            state, effects = step(state, news, TurnSettings(min_speech=BARGE_IN))
            if opened := [one for one in effects if isinstance(one, OpenTurn)]:
                span = opened[0].start / SAMPLE_RATE - FAR, end / SAMPLE_RATE + FAR
                turns, lonely = turns + 1, lonely + all(word.end < span[0] or word.start > span[1] for word in words)
    minutes = sum(len(line) for line, _ in lines) / SAMPLE_RATE / 60.0
    return f"Telephone lines: {turns} turns in {minutes:.1f} minutes, {lonely} of them where nobody says a word"


def _any(sounds: Sequence[Audio], dice: Dice) -> Audio:
    return sounds[int(dice.integers(len(sounds)))]


def _quantiles(values: Sequence[float]) -> list[str]:
    return [f"{value:.0f}" for value in np.percentile(values, [10, 50, 90])]


async def run(shared: Path, conversations: int, seed: int) -> None:
    """Print everything."""
    activity = await Silero().open()
    spoken, people = await replies(), recordings(shared / "speech")
    yes = [at_level(one, USER) for one in backchannels(shared / "spokenwoz_sample")]
    people = [at_level(one[:LONGEST], USER) for one in people]
    coughs = [at_level(cough(np.random.default_rng([7, number])), USER) for number in range(100)]
    bench = Bench(spoken, activity, conversations, seed)
    print("Nobody speaks\n", *bench.echo_only(), sep="\n", end="\n\n", flush=True)
    print("Somebody interrupts\n", *barge_in(bench, people), sep="\n", end="\n\n", flush=True)
    print("Short sounds (echo -20 dB)\n\n| | | replies | opens a turn |\n|---|---|---|---|")
    for kind, (name, sounds) in enumerate((("backchannel", yes), ("cough, made", coughs)), 20):
        print(*short_sounds(bench, name, kind, partial(_any, sounds)), sep="\n", flush=True)
    print("\n| | n | ms p10 | p50 | p90 | voiced ms p10 | p50 | p90 |\n|---|---|---|---|---|---|---|---|")
    print(lengths("backchannel", yes, activity), lengths("cough, made", coughs, activity), sep="\n", end="\n\n")
    print(noises(telephone_lines(shared / "spokenwoz_sample"), activity), end="\n\n")
    for name, costs in (("audible", bench.costs.audible), ("silent", bench.costs.silent)):
        mean, p99 = np.mean(costs), np.percentile(costs, 99)
        print(f"Echo remover while the agent is {name}: {mean:.3f} ms of CPU a frame, p99 {p99:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(os.environ.get("TANDEM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    parser.add_argument(
        "--data", type=Path, default=beside / "data", help="the folder of speech/ and spokenwoz_sample/"
    )
    parser.add_argument("--conversations", type=int, default=12, help="of five replies, of each kind")
    parser.add_argument("--seed", type=int, default=2028, help="of rooms and replies; 11, 12, 2026, 2027 were seen")
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"no recordings in {given.data}; name a folder with --data")
    asyncio.run(run(given.data, given.conversations, given.seed))


if __name__ == "__main__":
    main()
