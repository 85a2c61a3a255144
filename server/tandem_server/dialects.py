"""How a client's messages are read and ours are written. A connection has one dialect; the server itself speaks GA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tandem_server import beta

BETA_PROTOCOL: Final = "openai-beta.realtime-v1"
"""The subprotocol by which browsers ask for the beta; others send the header."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Text to text, both ways; what is not to be sent becomes None."""

    read: Callable[[str], str]
    write: Callable[[str], str | None]


GA: Final = Dialect(lambda message: message, lambda message: message)


@dataclass(slots=True)
class _Beta:
    """The beta on one connection: a session of transcription stays one when it is updated."""

    session_type: str = "realtime"
    """As the client was told last"""

    def read(self, message: str) -> str:
        return beta.read(message, self.session_type)

    def write(self, message: str) -> str | None:
        self.session_type = beta.session_type(message) or self.session_type
        return beta.write(message)


def dialect_of(headers: Mapping[str, str], subprotocols: list[str]) -> Dialect:
    """What the client of a handshake speaks."""
    wanted = [one.strip() for one in headers.get("openai-beta", "").split(",")]
    if "realtime=v1" not in wanted and BETA_PROTOCOL not in subprotocols:
        return GA
    of_connection = _Beta()
    return Dialect(of_connection.read, of_connection.write)
