"""The conversation in a terminal: what is settled is printed line by line, what still changes is the last line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tandem_client.actions import (
    Action,
    AgentText,
    Away,
    Back,
    BeganAnew,
    Exchange,
    Failed,
    Latency,
    Phase,
    PhaseChanged,
    ReplyEnded,
    UserText,
)
from tandem_models.prosody import FEATURES
from tandem_server.contract import EntrainmentEvent

_PHASES: Final[Mapping[Phase, tuple[str, str]]] = {
    "connecting": ("connecting", "dim"),
    "listening": ("listening", "green"),
    "hearing": ("hearing you", "bold green"),
    "thinking": ("thinking", "yellow"),
    "speaking": ("speaking", "bold cyan"),
}
_INDENT: Final = "        "
_LEVEL: Final = 0.05
"""Of the tests that are said to hold"""


class Terminal:
    """A view on a rich console; a context manager while the line at the foot is shown."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._phase: Phase = "connecting"
        self._away = False
        self._partial = Text()
        self._unfinished = ""
        """What the agent says, while its text is not final."""

    def __enter__(self) -> Self:
        self._live.start()
        self._refresh()
        return self

    def __exit__(self, *_: object) -> None:
        self._partial = Text()
        self._live.update(Text(), refresh=True)
        self._live.stop()

    def say(self, text: str) -> None:
        """A line of our own, dim."""
        self._console.print(Text(text, style="dim"))

    def show(self, action: Action) -> None:
        """Shows what concerns a person."""
        match action:
            case PhaseChanged():
                self._phase = action.phase
            case Away() | Back() | BeganAnew():
                self._show_connection(action)
            case UserText():
                self._show_user(action)
            case AgentText():
                self._show_agent(action)
            case ReplyEnded():
                self._show_end(action)
            case Exchange():
                self._console.print(exchange_table(action))
            case Latency():
                self._console.print(Text(_INDENT + latency_line(action.stages_ms), style="dim"))
            case Failed():
                self._console.print(Text(f"{_INDENT}{action.message} ({action.code})", style="yellow"))
            case _:
                pass
        self._refresh()

    def _show_connection(self, action: Away | Back | BeganAnew) -> None:
        self._away = isinstance(action, Away)
        match action:
            case Away():
                text = f"Connection lost – reconnecting … ({action.reason})"
            case Back():
                text = "Back: the conversation goes on."
            case BeganAnew():
                text = (
                    "Back, but the conversation was over there. A new one began: the agent does not know what is above."
                )
        self._console.print(Text(_INDENT + text, style="yellow"))

    def _show_user(self, action: UserText) -> None:
        line = _line("You", "bold green", action.text or "(nothing recognised)")
        self._partial = Text() if action.final else line
        if action.final:
            self._console.print(line)

    def _show_agent(self, action: AgentText) -> None:
        line = _line("Tandem", "bold cyan", action.text)
        self._partial = Text() if action.final else line
        self._unfinished = "" if action.final else action.text
        if action.final:
            self._console.print(line)

    def _show_end(self, action: ReplyEnded) -> None:
        if self._unfinished:
            self._console.print(_line("Tandem", "bold cyan", self._unfinished + " –"))
        self._partial, self._unfinished = Text(), ""
        if action.status == "failed":
            self._console.print(Text(f"{_INDENT}the reply failed: {action.message or 'no reason given'}", style="red"))
        elif action.status != "completed":
            self._console.print(Text(f"{_INDENT}({action.status} after {action.heard_ms / 1000:.1f} s)", style="dim"))

    def _refresh(self) -> None:
        label, style = ("reconnecting", "yellow") if self._away else _PHASES[self._phase]
        self._live.update(Text.assemble(("● " + label, style), "  ", self._partial), refresh=True)


def _line(who: str, style: str, text: str) -> Text:
    return Text.assemble((f"{who:<8}", style), text)


def exchange_table(action: Exchange) -> Group:
    """User, target and realised of each feature in units of z, and the distance between user and realised."""
    title = (
        f"exchange {action.event.exchange}, {action.event.strategy} (z: you among speakers, the agent in its own range)"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("you", "target", "realised", "distance"):
        table.add_column(name, justify="right")
    for feature in FEATURES:
        measure = action.event.features.get(feature.name)
        if measure is not None:
            numbers = (measure.user, measure.target, measure.realised)
            distance = "–" if measure.distance is None else f"{measure.distance:.2f}"
            table.add_row(feature.label, *(_signed(number) for number in numbers), distance)
    said = [*action.notes, *so_far(action.event)]
    notes = [Text(note, style="dim") for note in said]
    return Group(Text(title, style="dim"), Padding(Group(table, *notes), (0, 0, 0, len(_INDENT))))


def so_far(event: EntrainmentEvent) -> list[str]:
    """What holds of the agent's answers at 5 % after adjustment; while there are too few, how many there are."""
    answers = [one for one in event.measures if one.responder == "agent"]
    most = max((one.n for one in answers), default=0)
    if most < event.needed:
        return [f"so far: {most} of the {event.needed} exchanges that a test takes"] if answers else []
    labels = {feature.name: feature.label for feature in FEATURES}
    held = [
        f"{one.measure} of {labels.get(one.feature, one.feature).lower()} {one.effect:+.2f} (p {one.p_adjusted:.3f})"
        for one in answers
        if one.effect is not None and one.p_adjusted is not None and one.p_adjusted < _LEVEL
    ]
    return [f"so far: {', '.join(held) or 'no test of how the agent answers you holds'}, {most} exchanges"]


def _signed(number: float | None) -> str:
    return "–" if number is None else f"{number:+.2f}"


def latency_line(stages_ms: Mapping[str, float]) -> str:
    """The stages of a reply's latency, in the server's order."""
    return "latency " + ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in stages_ms.items())
