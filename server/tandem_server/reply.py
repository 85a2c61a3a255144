"""The agent's reply: `step(state, event) -> (state, effects)`, beside the user's turn and drawn with it in TURN.md.

At most one reply is live; every reply begun ends once, with one terminal; news of any other reply is ignored. A reply
is `Finishing` while its turn is being recorded: it is reported as done only when it is safe. While the user pauses it
may be drafted: thought of, and its first phrase spoken, but nobody is told before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["completed", "cancelled", "incomplete", "failed"]
CancelReason = Literal["turn_detected", "client_cancelled"]


@dataclass(frozen=True, slots=True)
class Silent:
    """No reply is live."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """The user may have finished: the answer is prepared, and kept back."""

    reply: int


@dataclass(frozen=True, slots=True)
class Preparing:
    """Begun; nothing has been heard of it yet."""

    reply: int


@dataclass(frozen=True, slots=True)
class Speaking:
    """Its audio is on its way."""

    reply: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """Cut off; waiting for what was spoken to be measured."""

    reply: int
    status: Status


@dataclass(frozen=True, slots=True)
class Finishing:
    """Over; being recorded."""

    reply: int
    status: Status


State = Silent | Drafting | Preparing | Speaking | Stopping | Finishing


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply may soon be wanted."""

    reply: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The drafted reply is not wanted after all, or another one is."""

    reply: int


@dataclass(frozen=True, slots=True)
class Begin:
    """A reply is wanted; if it has been drafted, that one."""

    reply: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Its first audio (or text, when there is to be no audio) is there."""

    reply: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """All that will be spoken has been spoken and measured."""

    reply: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user speaks, or the client has had enough."""

    reply: int


@dataclass(frozen=True, slots=True)
class Limit:
    """It is as long as it may be."""

    reply: int


@dataclass(frozen=True, slots=True)
class Fail:
    """It cannot be spoken."""

    reply: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Its turn is safe (or could not be recorded, which is reported apart)."""

    reply: int


Event = Draft | Drop | Begin | Heard | Spoken | Cancel | Limit | Fail | Recorded


@dataclass(frozen=True, slots=True)
class Prepare:
    """Think of what may have to be said, and tell nobody."""

    reply: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Forget what was prepared; nothing more is to come of it."""

    reply: int


@dataclass(frozen=True, slots=True)
class Start:
    """Say that it begins, and think of what to say."""

    reply: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop thinking and speaking; measure what was spoken."""

    reply: int
    status: Status


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more will come of it: close its item and record its turn."""

    reply: int
    status: Status


@dataclass(frozen=True, slots=True)
class Report:
    """Say that it is done: the terminal."""

    reply: int
    status: Status


@dataclass(frozen=True, slots=True)
class Refuse:
    """Another reply is live."""

    reply: int


@dataclass(frozen=True, slots=True)
class Defer:
    """The live reply is as good as over: begin this one when it has been reported."""

    reply: int


Effect = Prepare | Discard | Start | Stop | Finish | Report | Refuse | Defer
Outcome = tuple[State, tuple[Effect, ...]]


def stay(state: State, _: Event) -> Outcome:
    """Nothing changes."""
    return state, ()


def draft(_: State, event: Event) -> Outcome:
    """A reply is prepared in advance."""
    return Drafting(event.reply), (Prepare(event.reply),)


def drop(_: State, event: Event) -> Outcome:
    """It was not wanted."""
    return Silent(), (Discard(event.reply),)


def begin(_: State, event: Event) -> Outcome:
    """A reply begins."""
    return Preparing(event.reply), (Start(event.reply),)


def take_up(state: State, event: Event) -> Outcome:
    """What was prepared is wanted: before another reply begins it is dropped."""
    assert isinstance(state, Drafting) and event.reply == state.reply
    return Preparing(event.reply), (Start(event.reply),)


def refuse(state: State, event: Event) -> Outcome:
    """One at a time."""
    return state, (Refuse(event.reply),)


def defer(state: State, event: Event) -> Outcome:
    """Wait for the last one to be reported."""
    return state, (Defer(event.reply),)


def speak(_: State, event: Event) -> Outcome:
    """It is heard for the first time."""
    return Speaking(event.reply), ()


def complete(_: State, event: Event) -> Outcome:
    """It was spoken to its end."""
    return Finishing(event.reply, "completed"), (Finish(event.reply, "completed"),)


def stop(status: Status) -> Callable[[State, Event], Outcome]:
    """It is cut off."""

    def move(_: State, event: Event) -> Outcome:
        return Stopping(event.reply, status), (Stop(event.reply, status),)

    move.__name__ = {"cancelled": "cancel", "failed": "fail", "completed": "complete", "incomplete": "limit"}[status]
    return move


def stopped(state: State, event: Event) -> Outcome:
    """What was spoken before the cut has been measured."""
    assert isinstance(state, Stopping)
    return Finishing(event.reply, state.status), (Finish(event.reply, state.status),)


def report(state: State, event: Event) -> Outcome:
    """The terminal."""
    assert isinstance(state, Finishing)
    return Silent(), (Report(event.reply, state.status),)


Move = Callable[[State, Event], Outcome]
TABLE: Final[Mapping[type[State], Mapping[type[Event], tuple[Move, type[State]]]]] = {
    Silent: {
        Draft: (draft, Drafting),
        Drop: (stay, Silent),
        Begin: (begin, Preparing),
        Heard: (stay, Silent),
        Spoken: (stay, Silent),
        Cancel: (stay, Silent),
        Limit: (stay, Silent),
        Fail: (stay, Silent),
        Recorded: (stay, Silent),
    },
    Drafting: {
        Draft: (stay, Drafting),
        Drop: (drop, Silent),
        Begin: (take_up, Preparing),
        Heard: (stay, Drafting),
        Spoken: (stay, Drafting),
        Cancel: (stay, Drafting),
        Limit: (stay, Drafting),
        Fail: (stay, Drafting),
        Recorded: (stay, Drafting),
    },
    Preparing: {
        Draft: (stay, Preparing),
        Drop: (stay, Preparing),
        Begin: (refuse, Preparing),
        Heard: (speak, Speaking),
        Spoken: (complete, Finishing),
        Cancel: (stop("cancelled"), Stopping),
        Limit: (stop("incomplete"), Stopping),
        Fail: (stop("failed"), Stopping),
        Recorded: (stay, Preparing),
    },
    Speaking: {
        Draft: (stay, Speaking),
        Drop: (stay, Speaking),
        Begin: (refuse, Speaking),
        Heard: (stay, Speaking),
        Spoken: (complete, Finishing),
        Cancel: (stop("cancelled"), Stopping),
        Limit: (stop("incomplete"), Stopping),
        Fail: (stop("failed"), Stopping),
        Recorded: (stay, Speaking),
    },
    Stopping: {
        Draft: (stay, Stopping),
        Drop: (stay, Stopping),
        Begin: (defer, Stopping),
        Heard: (stay, Stopping),
        Spoken: (stopped, Finishing),
        Cancel: (stay, Stopping),
        Limit: (stay, Stopping),
        Fail: (stay, Stopping),
        Recorded: (stay, Stopping),
    },
    Finishing: {
        Draft: (stay, Finishing),
        Drop: (stay, Finishing),
        Begin: (defer, Finishing),
        Heard: (stay, Finishing),
        Spoken: (stay, Finishing),
        Cancel: (stay, Finishing),
        Limit: (stay, Finishing),
        Fail: (stay, Finishing),
        Recorded: (report, Silent),
    },
}
"""For every state and event what happens, if the event is about the live reply; `Draft` and `Begin` are always about a
new one, and a drafted reply is begun under its own number."""


def step(state: State, event: Event) -> Outcome:
    """The next state and what is to be done. Total; an event about another reply than the live one changes nothing."""
    late = not isinstance(event, Draft | Begin) and (isinstance(state, Silent) or event.reply != state.reply)
    if late:
        return state, ()
    move, _ = TABLE[type(state)][type(event)]
    return move(state, event)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> Silent"]
    for source, row in TABLE.items():
        for event, (move, to) in row.items():
            if move is not stay:
                lines.append(f"    {source.__name__} --> {to.__name__}: {event.__name__} / {move.__name__}")
    return "\n".join(lines) + "\n"
