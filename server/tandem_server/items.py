"""The items of a conversation: what each side said, called and answered, in order, and what the responder may know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from openai.types.realtime import (
    ConversationItem,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCall,
    RealtimeConversationItemFunctionCallOutput,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
)
from openai.types.realtime import realtime_conversation_item_assistant_message as assistant
from openai.types.realtime import realtime_conversation_item_system_message as system
from openai.types.realtime import realtime_conversation_item_user_message as user

from tandem_server.errors import ClientError
from tandem_server.stages.protocols import Message, ToolCall, Word

Role = Literal["system", "user", "assistant"]
ItemStatus = Literal["completed", "incomplete", "in_progress"]


@dataclass(slots=True)
class Item:
    """One message of either side. For the agent's speech, words carry their times in the item's audio."""

    id: str
    role: Role
    spoken: bool
    """Audio with a transcript, rather than text."""
    text: str | None = None
    """None while it is not known."""
    status: ItemStatus = "completed"
    words: tuple[Word, ...] = ()
    audio_ms: int = 0
    """Of either side's speech"""
    heard_ms: int | None = None
    """How much of the agent's audio was played when it was cut off; None when all was."""
    told_ms: int | None = None
    """The same as the client has told it, which no guess of ours goes beyond."""

    @property
    def heard_text(self) -> str | None:
        """The text whose audio had begun when it was cut off."""
        if self.heard_ms is None:
            return self.text
        return " ".join(word.text for word in self.words if word.start * 1000.0 < self.heard_ms)

    def message(self) -> Message | None:
        """What the responder sees: of an interrupted reply only what was heard, of an unfinished one nothing."""
        known = self.text is not None and self.status != "in_progress"
        if not known or (self.role != "user" and not self.heard_text):
            return None
        return Message(self.role, self.heard_text or "")

    def wire(self) -> ConversationItem:
        """As the protocol shows it."""
        if self.role == "system":
            text = system.Content(type="input_text", text=self.text or "")
            return RealtimeConversationItemSystemMessage(
                id=self.id, object="realtime.item", type="message", role="system", status=self.status, content=[text]
            )
        if self.role == "user":
            content = (
                user.Content(type="input_audio", transcript=self.text)
                if self.spoken
                else user.Content(type="input_text", text=self.text or "")
            )
            return RealtimeConversationItemUserMessage(
                id=self.id, object="realtime.item", type="message", role="user", status=self.status, content=[content]
            )
        shown = self.heard_text or ""
        part = (
            assistant.Content(type="output_audio", transcript=shown)
            if self.spoken
            else assistant.Content(type="output_text", text=shown)
        )
        # An item that has only begun has no content yet; clients add its parts as they are announced. They retrieve one
        # that they have cut off before it is done.
        begun = self.status == "in_progress" and not shown
        return RealtimeConversationItemAssistantMessage(
            id=self.id,
            object="realtime.item",
            type="message",
            role="assistant",
            status=self.status,
            content=[] if begun else [part],
        )


@dataclass(slots=True)
class CallItem:
    """A function that is to be called by the client."""

    id: str
    call: ToolCall
    status: ItemStatus = "completed"

    def message(self) -> Message | None:
        """What the responder sees, once the call is complete."""
        return Message("assistant", "", self.call) if self.status == "completed" else None

    def wire(self) -> ConversationItem:
        """As the protocol shows it; one that has only begun has no arguments yet."""
        return RealtimeConversationItemFunctionCall(
            id=self.id,
            object="realtime.item",
            type="function_call",
            status=self.status,
            call_id=self.call.call_id,
            name=self.call.name,
            arguments="" if self.status == "in_progress" else self.call.arguments,
        )


@dataclass(slots=True)
class OutputItem:
    """What came of a call."""

    id: str
    call_id: str
    output: str

    def message(self) -> Message | None:
        """What the responder sees."""
        return Message("tool", self.output, call_id=self.call_id)

    def wire(self) -> ConversationItem:
        """As the protocol shows it."""
        return RealtimeConversationItemFunctionCallOutput(
            id=self.id,
            object="realtime.item",
            type="function_call_output",
            status="completed",
            call_id=self.call_id,
            output=self.output,
        )


AnyItem = Item | CallItem | OutputItem


class Items:
    """Ordered; ids are unique. Look-ups and appends are O(1), inserting and deleting O(n)."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._items: dict[str, AnyItem] = {}

    def __len__(self) -> int:
        return len(self._order)

    def add(self, item: AnyItem, after: str | None = None) -> str | None:
        """Put an item at the end, or after another ('root': first). Returns the id before it.

        Raises ClientError for an id that exists already or a place that does not.
        """
        if item.id in self._items:
            raise ClientError(f"there is already an item {item.id!r}", code="item_id_exists", param="item.id")
        if after is None:
            position = len(self._order)
        else:
            position = 0 if after == "root" else self._order.index(self.get(after, "previous_item_id").id) + 1
        self._order.insert(position, item.id)
        self._items[item.id] = item
        return self._order[position - 1] if position else None

    def get(self, item_id: str, param: str = "item_id") -> AnyItem:
        """Raises ClientError when there is no such item."""
        try:
            return self._items[item_id]
        except KeyError:
            raise ClientError(f"there is no item {item_id!r}", code="item_not_found", param=param) from None

    def find(self, item_id: str) -> AnyItem | None:
        """The item, unless the client has deleted it."""
        return self._items.get(item_id)

    def before(self, item_id: str) -> str | None:
        """The id of the item that comes before it, if any."""
        position = self._order.index(self.get(item_id).id)
        return self._order[position - 1] if position else None

    def delete(self, item_id: str) -> None:
        """Raises ClientError when there is no such item."""
        self.get(item_id)
        del self._items[item_id]
        self._order.remove(item_id)

    def call(self, call_id: str) -> CallItem | None:
        """The function call of this id, if it is in the conversation."""
        calls = (item for item in self._items.values() if isinstance(item, CallItem))
        return next((item for item in calls if item.call.call_id == call_id), None)

    def all(self) -> tuple[AnyItem, ...]:
        """In order."""
        return tuple(self._items[item_id] for item_id in self._order)


def messages(instructions: str, items: Iterable[AnyItem]) -> tuple[Message, ...]:
    """What the responder sees: the instructions, then the items, as far as they are known."""
    shown = tuple(message for item in items if (message := item.message()) is not None)
    return ((Message("system", instructions),) if instructions else ()) + shown
