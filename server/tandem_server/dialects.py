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
BETA: Final = Dialect(beta.read, beta.write)


def dialect_of(headers: Mapping[str, str], subprotocols: list[str]) -> Dialect:
    """What the client of a handshake speaks."""
    wanted = [one.strip() for one in headers.get("openai-beta", "").split(",")]
    return BETA if "realtime=v1" in wanted or BETA_PROTOCOL in subprotocols else GA
