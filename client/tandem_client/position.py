"""How far a client has come in its conversation, and when it dials again if it is cut off. Pure."""

from __future__ import annotations

from typing import Final

from tandem_client.actions import ServerSaid, ServerSpoke

TRIES: Final = 6
"""All of them within the 30 s for which a server keeps a conversation, unless it was told otherwise."""
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 8.0


def backoff(attempt: int, random: float) -> float:
    """Seconds before try number `attempt` (from 0); `random`, in [0, 1), keeps clients from returning all at once."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**attempt) * (0.75 + 0.5 * random)


class Position:
    """The conversation and the last thing the server said in it."""

    def __init__(self) -> None:
        self.session_id: str | None = None
        """None while there is nothing to go on with."""
        self._last_event_id: str | None = None

    def saw(self, event: ServerSaid | ServerSpoke) -> None:
        """The server's next message; a binary frame has the id that its event would have."""
        if isinstance(event, ServerSpoke):
            if self.session_id is not None:
                self._last_event_id = f"event_{self.session_id.removeprefix('sess_')}_a{event.frame.sequence}"
            return
        session, event_id = event.event.get("session"), event.event.get("event_id")
        if event.event.get("type") == "session.created" and isinstance(session, dict):
            identity = session.get("id")
            self.session_id = identity if isinstance(identity, str) else None
        if isinstance(event_id, str):
            self._last_event_id = event_id

    def query(self) -> dict[str, str]:
        """What a connection that goes on from here adds to the server's address."""
        fields = {"session_id": self.session_id, "last_event_id": self._last_event_id}
        return {name: value for name, value in fields.items() if value is not None}
