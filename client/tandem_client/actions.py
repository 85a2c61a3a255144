"""What goes into a dialogue and what comes out of it: plain data, so that any shell and any test can read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tandem_server.contract import AudioFrame, EntrainmentEvent

Wire = dict[str, Any]
"""JSON object of the protocol."""
Phase = Literal["connecting", "listening", "hearing", "thinking", "speaking"]
"""What the agent is doing, as a person sees it."""


@dataclass(frozen=True, slots=True)
class ServerSaid:
    """A text message of the server, parsed."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServerSpoke:
    """A binary message of the server: agent audio of the content part announced last."""

    frame: AudioFrame


@dataclass(frozen=True, slots=True)
class Played:
    """The loudspeaker's position."""

    total: int
    """Samples of agent audio played since the session began (24 kHz); silence between replies does not count."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """`Flush` has been performed; what had not been played will not be."""

    total: int
    """As in `Played`, at the moment of the flush."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The user has typed a turn instead of speaking it."""

    text: str


@dataclass(frozen=True, slots=True)
class ConnectionCut:
    """The connection was lost and is being made again; then the server says `session.created` once more."""

    reason: str


Event = ServerSaid | ServerSpoke | Played | Flushed | Typed | ConnectionCut


@dataclass(frozen=True, slots=True)
class Play:
    """Queue this audio behind what is queued already."""

    pcm: bytes
    """pcm16, mono, 24 kHz."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Fall silent now, drop what is queued and answer with `Flushed` before anything else happens."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this client event."""

    event: Wire


@dataclass(frozen=True, slots=True)
class Ready:
    """The server has taken our settings; audio may flow."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Away:
    """The connection is lost; what is queued is played on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Back:
    """The connection is there again and the conversation goes on."""


@dataclass(frozen=True, slots=True)
class BeganAnew:
    """The connection is there again, with a new conversation: what is queued for the old one must not be sent."""


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The agent does something else now."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class UserText:
    """What the user has said so far in this item; `final` once."""

    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class AgentText:
    """What the agent says in this item, so far; `final` once, unless it is interrupted."""

    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """A reply is over for the user: played to its end, stopped, or failed. Exactly once per reply begun."""

    response_id: str
    status: str
    """The server's own word (completed, incomplete, failed, cancelled), or `interrupted` when we stopped it."""
    heard_ms: int
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """How close user and agent were in the exchange just ended."""

    event: EntrainmentEvent
    notes: tuple[str, ...] = ()
    """What the extractor doubted of the user and what the voice could not reach, in words."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of the reply by stage."""

    stages_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong; unless `fatal`, the conversation goes on."""

    code: str
    message: str
    fatal: bool = False


Action = (
    Play
    | Flush
    | Send
    | Ready
    | Away
    | Back
    | BeganAnew
    | PhaseChanged
    | UserText
    | AgentText
    | ReplyEnded
    | Exchange
    | Latency
    | Failed
)
