"""The conversations that are going on, and the places they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tandem_server.line import Line
from tandem_server.routes.access import Refusal
from tandem_server.session import Session

BUSY: Final = Refusal(503, "All places are taken", "this server holds as many conversations as it may")
ENDING: Final = Refusal(503, "Server is ending", "this server lets nobody in any more; another may be there soon")


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation and the line to its client."""

    session: Session
    line: Line
    opened_by: bytes | None = None
    """Digest of the client secret that it was opened with"""


class Sessions:
    """At most `limit` at once. One whose client was cut off keeps its place until somebody else needs it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str, Held] = {}
        self.started = False
        """Callers can be served"""
        self.draining = False
        """Nobody is let in any more; who was cut off may still come back"""

    @property
    def count(self) -> int:
        """Conversations that are going on."""
        return len(self._held)

    @property
    def away(self) -> int:
        """Those of them that wait for a client that was cut off."""
        return sum(not held.line.attached for held in self._held.values())

    @property
    def closed(self) -> Refusal | None:
        """Why nobody else is let in now."""
        if self.draining:
            return ENDING
        return BUSY if self.count >= self._limit and not self.away else None

    def enter(self, session_id: str, held: Held) -> None:
        """Take a place, which must be there. Who has been away for longest gives way."""
        if self.count >= self._limit:
            away = [(one.line.away_since, name) for name, one in self._held.items() if not one.line.attached]
            _, longest = min(away)
            self._held.pop(longest).line.give_up()
        self._held[session_id] = held

    def find(self, session_id: str) -> Held | None:
        """A conversation that can be gone on with."""
        held = self._held.get(session_id)
        return held if held is not None and held.line.resumable else None

    def leave(self, session_id: str) -> None:
        """Give the place back."""
        self._held.pop(session_id, None)

    def give_up(self) -> None:
        """The server ends: nobody who is away is waited for any more."""
        for held in self._held.values():
            held.line.give_up()
