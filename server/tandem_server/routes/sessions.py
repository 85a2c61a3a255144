"""The conversations that are going on, and the places they take."""

from __future__ import annotations

from dataclasses import dataclass

from tandem_server.line import Line
from tandem_server.session import Session


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation and the line to its client."""

    session: Session
    line: Line


class Sessions:
    """At most `limit` at once. One whose client was cut off keeps its place until somebody else needs it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str, Held] = {}
        self._draining = False

    @property
    def count(self) -> int:
        """Conversations that are going on."""
        return len(self._held)

    @property
    def away(self) -> int:
        """Those of them that wait for a client that was cut off."""
        return sum(not held.line.attached for held in self._held.values())

    @property
    def full(self) -> bool:
        """Is there no place for another?"""
        return self._draining or (self.count >= self._limit and not self.away)

    def enter(self, session_id: str, held: Held) -> bool:
        """Take a place; False when there is none. Who has been away for longest gives way."""
        if self.full:
            return False
        if self.count >= self._limit:
            longest = next(name for name, one in self._held.items() if not one.line.attached)
            self._held.pop(longest).line.give_up()
        self._held[session_id] = held
        return True

    def find(self, session_id: str) -> Held | None:
        """A conversation that can be gone on with."""
        held = self._held.get(session_id)
        return held if held is not None and held.line.resumable and not self._draining else None

    def leave(self, session_id: str) -> None:
        """Give the place back."""
        self._held.pop(session_id, None)

    def drain(self) -> None:
        """The server stops: let nobody in, and wait for nobody."""
        self._draining = True
        for held in self._held.values():
            held.line.give_up()
