"""The user's turn: `step(state, event, settings) -> (state, effects)`.

Rule 1: everything that decides when a turn opens and closes lives in this file, and `TABLE` is the whole of it; the
diagram in TURN.md is drawn from it. Rule 2: time is samples heard (SAMPLE_RATE); nothing here reads a clock.

"Speech started if and only if a turn is open" holds because the two are one state: Hearing and Pausing carry the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tandem_models.signal import SAMPLES_PER_MS, VAD_FRAME

LINGER: Final = 4 * VAD_FRAME
"""Samples by which the detector's probability falls later than the level at most (Silero: 54 to 120 ms). What is quiet
for longer while the detector still hears speech is soft speech."""


RISE: Final = 2 * VAD_FRAME
"""Samples by which the detector's probability rises later than the level at most: consonants are no voice to it."""


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """An immutable snapshot; durations in samples. Defaults are OpenAI's server_vad where it has them."""

    manual: bool = False
    """The client commits: any audio opens a turn and silence never ends one; pauses are still settled."""
    on: float = 0.5
    """Speech probability at which speech begins."""
    off: float = 0.35
    """Below it there is silence; the gap between the two keeps a wavering voice in its turn (Silero: 0.15)."""
    min_speech: int = 64 * SAMPLES_PER_MS
    """Shorter sounds open no turn. 64 ms while the agent is silent; longer while it speaks (listening.BARGE_IN)."""
    min_voiced: int = 64 * SAMPLES_PER_MS
    """Nor do sounds with less of a voice."""
    settle: int = 96 * SAMPLES_PER_MS
    """Silence after which what was said so far is finalised, in case this is the end: three VAD frames."""
    patience: int = 500 * SAMPLES_PER_MS
    """Silence that ends the turn."""
    most_patience: int | None = None
    """Silence that ends it whatever the evidence says; None leaves that to `stages/endpoint.py`."""
    longest: int = 60_000 * SAMPLES_PER_MS
    """A turn is closed here whatever happens, so that no turn is ever stuck."""

    @classmethod
    def by_hand(cls) -> TurnSettings:
        """Who holds a key down may think aloud: ten minutes, whose frames are 23 ms of work at every pause."""
        return cls(manual=True, longest=600_000 * SAMPLES_PER_MS)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nobody speaks."""

    turns: int = 0
    """Turns opened so far; the next one gets the next number."""


@dataclass(frozen=True, slots=True)
class Onset:
    """There is a sound that may become speech."""

    turns: int
    start: int
    """Sample at which its voice began."""
    sound: int
    """Sample at which it began, at most RISE before."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """The user speaks."""

    turn: int
    start: int


@dataclass(frozen=True, slots=True)
class Pausing:
    """The user has fallen silent and may go on."""

    turn: int
    start: int
    since: int
    """First silent sample."""
    settled: bool
    """`Settle` has been sent for this pause."""


State = Quiet | Onset | Hearing | Pausing


@dataclass(frozen=True, slots=True)
class Frame:
    """A VAD frame was heard."""

    end: int
    """Sample after its last one."""
    probability: float
    quiet_since: int | None = None
    """Sample from which on it has been quiet, if the level tells; the detector's probability falls later than that."""
    loud_since: int | None = None
    """Sample from which on it has been loud, if the level tells; the detector's probability rises later than that."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The client says that the turn is over."""

    at: int


@dataclass(frozen=True, slots=True)
class Clear:
    """The client takes back what it sent since the last turn."""

    at: int


@dataclass(frozen=True, slots=True)
class Stall:
    """No audio has come for so long that the client must be gone or muted."""

    at: int


Event = Frame | Commit | Clear | Stall
CloseReason = Literal["silence", "commit", "stall", "too_long"]


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn has begun; `start` is its first voiced sample, before padding."""

    turn: int
    start: int


@dataclass(frozen=True, slots=True)
class Settle:
    """The user paused: finalise what was said so far."""

    turn: int
    at: int


@dataclass(frozen=True, slots=True)
class Resume:
    """The user goes on after a settled pause."""

    turn: int
    at: int


@dataclass(frozen=True, slots=True)
class CloseTurn:
    """The turn is over; speech ended at `speech_end`, and it was decided at `at`."""

    turn: int
    speech_end: int
    at: int
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class DropTurn:
    """The turn never was."""

    turn: int


@dataclass(frozen=True, slots=True)
class MissAudio:
    """No audio comes for a turn that only the client ends."""

    turn: int


Effect = OpenTurn | Settle | Resume | CloseTurn | DropTurn | MissAudio
Outcome = tuple[State, tuple[Effect, ...]]


# Guards: named, pure, one question each.
def voiced(_: State, event: Event, settings: TurnSettings) -> bool:
    """Is this frame speech?"""
    return isinstance(event, Frame) and event.probability >= settings.on


def silent(_: State, event: Event, settings: TurnSettings) -> bool:
    """Is this frame silence?"""
    return isinstance(event, Frame) and event.probability < settings.off


def manual(_: State, __: Event, settings: TurnSettings) -> bool:
    """Does the client decide?"""
    return settings.manual


def long_enough(state: State, event: Event, settings: TurnSettings) -> bool:
    """Has this sound lasted long enough to be speech?"""
    return (
        isinstance(state, Onset)
        and isinstance(event, Frame)
        and event.probability >= settings.on
        and event.end - state.sound >= settings.min_speech
        and event.end - state.start >= settings.min_voiced
    )


def too_long(state: State, event: Event, settings: TurnSettings) -> bool:
    """Has this turn lasted longer than any turn may?"""
    return (
        isinstance(state, Hearing | Pausing)
        and isinstance(event, Frame)
        and event.end - state.start >= settings.longest
    )


def patience_spent(state: State, event: Event, settings: TurnSettings) -> bool:
    """Has the silence lasted long enough to end a turn that the client does not end itself?"""
    return (
        not settings.manual
        and isinstance(state, Pausing)
        and isinstance(event, Frame)
        and event.end - state.since > settings.patience - VAD_FRAME // 2  # the nearest frame, not the next
    )


def settles(state: State, event: Event, settings: TurnSettings) -> bool:
    """Is it time to finalise, just in case?"""
    return (
        isinstance(state, Pausing)
        and isinstance(event, Frame)
        and not state.settled
        and event.end - state.since >= settings.settle
    )


def always(_: State, __: Event, ___: TurnSettings) -> bool:
    """Otherwise."""
    return True


# Moves: what happens when a guard holds.
def stay(state: State, _: Event) -> Outcome:
    """Nothing changes."""
    return state, ()


def begin(state: State, event: Event) -> Outcome:
    """A sound begins."""
    assert isinstance(state, Quiet) and isinstance(event, Frame)
    start = event.end - VAD_FRAME
    sound = start if event.loud_since is None else max(min(start, event.loud_since), start - RISE)
    return Onset(state.turns, start, sound), ()


def give_up(state: State, _: Event) -> Outcome:
    """It was no speech."""
    assert isinstance(state, Onset)
    return Quiet(state.turns), ()


def open_turn(state: State, event: Event) -> Outcome:
    """A turn begins, where its voice began."""
    assert isinstance(state, Quiet | Onset) and isinstance(event, Frame)
    start = state.start if isinstance(state, Onset) else event.end - VAD_FRAME
    return Hearing(state.turns, start), (OpenTurn(state.turns, start),)


def pause(state: State, event: Event) -> Outcome:
    """The user falls silent."""
    assert isinstance(state, Hearing) and isinstance(event, Frame)
    since = event.end - VAD_FRAME
    if event.quiet_since is not None:
        since = max(min(since, event.quiet_since), since - LINGER, state.start)
    return Pausing(state.turn, state.start, since, settled=False), ()


def settle(state: State, event: Event) -> Outcome:
    """Finalise what was said so far."""
    assert isinstance(state, Pausing) and isinstance(event, Frame)
    return Pausing(state.turn, state.start, state.since, settled=True), (Settle(state.turn, event.end),)


def go_on(state: State, event: Event) -> Outcome:
    """The user speaks again."""
    assert isinstance(state, Pausing) and isinstance(event, Frame)
    effects = (Resume(state.turn, event.end - VAD_FRAME),) if state.settled else ()
    return Hearing(state.turn, state.start), effects


def close(reason: CloseReason) -> Callable[[State, Event], Outcome]:
    """The turn is over, for a reason."""

    def move(state: State, event: Event) -> Outcome:
        assert isinstance(state, Hearing | Pausing)
        at = event.end if isinstance(event, Frame) else event.at
        speech_end = state.since if isinstance(state, Pausing) else at
        return Quiet(state.turn + 1), (CloseTurn(state.turn, speech_end, at, reason),)

    move.__name__ = f"close_{reason}"
    move.__doc__ = f"The turn is over: {reason.replace('_', ' ')}."
    return move


def drop(state: State, _: Event) -> Outcome:
    """The turn is taken back."""
    assert isinstance(state, Hearing | Pausing)
    return Quiet(state.turn + 1), (DropTurn(state.turn),)


def miss(state: State, _: Event) -> Outcome:
    """The client may have forgotten its turn: it is told, and decides."""
    assert isinstance(state, Hearing | Pausing)
    return state, (MissAudio(state.turn),)


@dataclass(frozen=True, slots=True)
class Rule:
    """When the guard holds, make the move; it leads to `to`."""

    guard: Callable[[State, Event, TurnSettings], bool]
    move: Callable[[State, Event], Outcome]
    to: type[State]


TABLE: Final[Mapping[tuple[type[State], type[Event]], tuple[Rule, ...]]] = {
    (Quiet, Frame): (
        Rule(manual, open_turn, Hearing),
        Rule(voiced, begin, Onset),
        Rule(always, stay, Quiet),
    ),
    (Quiet, Commit): (Rule(always, stay, Quiet),),
    (Quiet, Clear): (Rule(always, stay, Quiet),),
    (Quiet, Stall): (Rule(always, stay, Quiet),),
    (Onset, Frame): (
        Rule(manual, open_turn, Hearing),
        Rule(long_enough, open_turn, Hearing),
        Rule(silent, give_up, Quiet),
        Rule(always, stay, Onset),
    ),
    (Onset, Commit): (Rule(always, give_up, Quiet),),
    (Onset, Clear): (Rule(always, give_up, Quiet),),
    (Onset, Stall): (Rule(always, give_up, Quiet),),
    (Hearing, Frame): (
        Rule(too_long, close("too_long"), Quiet),
        Rule(silent, pause, Pausing),
        Rule(always, stay, Hearing),
    ),
    (Hearing, Commit): (Rule(always, close("commit"), Quiet),),
    (Hearing, Clear): (Rule(always, drop, Quiet),),
    (Hearing, Stall): (Rule(manual, miss, Hearing), Rule(always, close("stall"), Quiet)),
    (Pausing, Frame): (
        Rule(too_long, close("too_long"), Quiet),
        Rule(voiced, go_on, Hearing),
        Rule(patience_spent, close("silence"), Quiet),
        Rule(settles, settle, Pausing),
        Rule(always, stay, Pausing),
    ),
    (Pausing, Commit): (Rule(always, close("commit"), Quiet),),
    (Pausing, Clear): (Rule(always, drop, Quiet),),
    (Pausing, Stall): (
        Rule(manual, miss, Pausing),
        Rule(always, close("stall"), Quiet),
    ),
}
"""For every state and event the rules in order; the first whose guard holds is taken, and the last always does."""


def step(state: State, event: Event, settings: TurnSettings) -> Outcome:
    """The next state and what is to be done. Total: every (state, event) has a rule that holds."""
    for rule in TABLE[type(state), type(event)]:
        if rule.guard(state, event, settings):
            return rule.move(state, event)
    raise AssertionError(f"no rule held for {state!r} and {event!r}")  # unreachable: the last guard always holds


def diagram() -> str:
    """The table as a Mermaid state diagram: what TURN.md shows."""
    lines = ["stateDiagram-v2", "    [*] --> Quiet"]
    for (source, event), rules in TABLE.items():
        for rule in rules:
            if rule.move is stay:
                continue
            guard = "" if rule.guard is always else f" [{rule.guard.__name__}]"
            move = rule.move.__name__
            lines.append(f"    {source.__name__} --> {rule.to.__name__}: {event.__name__}{guard} / {move}")
    return "\n".join(lines) + "\n"
