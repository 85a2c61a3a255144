"""What one response puts out: a message once there are words, then function calls, within a number of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tandem_models.signal import WIRE_RATE
from tandem_server.conversation_events import Send
from tandem_server.items import AnyItem, CallItem, Item
from tandem_server.reply import CancelReason, Status
from tandem_server.reply_wire import ReplyWire
from tandem_server.stages.protocols import CallPiece, ToolCall
from tandem_server.usage import AGENT_MS, CHARACTERS, Tokens, of_call, of_speech, of_text, reported

AT_ONCE: Final = 9
"""Responses in progress: the reply that is live, and some beside it"""
SAMPLES_PER_TOKEN: Final = WIRE_RATE * AGENT_MS // 1000
"""Of agent audio at WIRE_RATE"""


@dataclass(slots=True)
class ResponseOutput:
    """Grows with the response. Calls are told at its end, and only if it comes to its end."""

    wire: ReplyWire
    item: Item
    opened: bool = False
    """The message has been announced"""
    text: str = ""
    """Of the message, as far as it was sent"""
    wanted: dict[int, CallPiece] = field(default_factory=dict)
    """Calls as far as they are known"""
    told: list[CallItem] = field(default_factory=list)

    def begin(self) -> list[Send]:
        """Announce the response, and say how many more there may be."""
        shared = self.wire.shared
        shared.in_progress += 1
        return [self.wire.created(), self.wire.limits(AT_ONCE, AT_ONCE - shared.in_progress)]

    def open(self) -> list[Send]:
        """Announce the message, unless that has been done."""
        if self.opened:
            return []
        self.opened = True
        return self.wire.message_opened(self.item)

    def say(self, text: str) -> Send:
        """More of the message's text."""
        self.text += text
        self.item.text = self.text.strip()
        return self.wire.text(self.item, text)

    def call(self, piece: CallPiece) -> None:
        """More of a function call."""
        known = self.wanted.get(piece.call, CallPiece(piece.call, piece.name, ""))
        self.wanted[piece.call] = CallPiece(piece.call, known.name or piece.name, known.arguments + piece.arguments)

    @property
    def made(self) -> Tokens:
        """All that has been put out."""
        total = of_speech(self.text, self.item.audio_ms)
        for piece in self.wanted.values():
            total += of_call(piece.name, piece.arguments)
        return total

    @property
    def too_long(self) -> bool:
        """Are there more tokens than the response may have?"""
        limit = self.wire.settings.max_output_tokens
        return limit is not None and self.made.all > limit

    def fitting(self, text: str) -> str:
        """The beginning of what is to be written next, as much as there is room for."""
        limit = self.wire.settings.max_output_tokens
        if limit is None:
            return text
        calls = self.made.all - of_text(self.text).all
        return text[: max((limit - calls) * CHARACTERS - len(self.text), 0)]

    def audio_room(self, text: str) -> int | None:
        """Samples that may still be sent when `text` is said with them; None when there is no bound."""
        limit = self.wire.settings.max_output_tokens
        if limit is None:
            return None
        words = self.made.text - of_text(self.text).text + of_text(self.text + text).text
        return max((limit - words) * SAMPLES_PER_TOKEN - self.item.audio_ms * WIRE_RATE // 1000, 0)

    def close(self, status: Status) -> list[Send]:
        """The message is over, and the calls are made if the response was neither cut off nor cancelled."""
        self.item.text = self.text.strip()
        self.item.status = "completed" if status == "completed" else "incomplete"
        sent = self.wire.message_closed(self.item, self.item.text) if self.opened else []
        for _, piece in sorted(self.wanted.items()) if status == "completed" else []:
            shared = self.wire.shared
            call = CallItem(shared.item_id(), ToolCall(shared.call_id(), piece.name, piece.arguments or "{}"))
            sent += self.wire.called(call, len(self.items))
            self.told.append(call)
        return sent

    @property
    def items(self) -> Sequence[AnyItem]:
        """In the order of their output_index."""
        return [*([self.item] if self.opened else []), *self.told]

    def done(self, status: Status, read: Tokens, reason: CancelReason | None = None, error: str | None = None) -> Send:
        """`response.done`."""
        self.wire.shared.in_progress -= 1
        made = self.made if status == "completed" else of_speech(self.text, self.item.audio_ms)
        return self.wire.done(self.items, status, reported(read, made), reason, error)
