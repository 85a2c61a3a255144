"""The items of a conversation: what each side said, in order, and what the responder may know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openai.types.realtime import (
    ConversationItem,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
)
from openai.types.realtime import realtime_conversation_item_assistant_message as assistant
from openai.types.realtime import realtime_conversation_item_system_message as system
from openai.types.realtime import realtime_conversation_item_user_message as user

from tandem_server.errors import ClientError
from tandem_server.stages.protocols import Message, Word

Role = Literal["system", "user", "assistant"]
ItemStatus = Literal["completed", "incomplete", "in_progress"]


@dataclass(slots=True)
class Item:
    """One message. For the agent's speech, words carry their times in the item's audio."""

    id: str
    role: Role
    spoken: bool
    """Audio with a transcript, rather than text."""
    text: str | None = None
    """None while it is not known."""
    status: ItemStatus = "completed"
    words: tuple[Word, ...] = ()
    audio_ms: int = 0
    heard_ms: int | None = None
    """How much of the agent's audio was played when it was cut off; None when all was."""

    @property
    def heard_text(self) -> str | None:
        """The text whose audio had begun when it was cut off."""
        if self.heard_ms is None:
            return self.text
        return " ".join(word.text for word in self.words if word.start * 1000.0 < self.heard_ms)

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
        # An item that has only begun has no content yet; clients add its parts as they are announced.
        begun = self.status == "in_progress"
        return RealtimeConversationItemAssistantMessage(
            id=self.id,
            object="realtime.item",
            type="message",
            role="assistant",
            status=self.status,
            content=[] if begun else [part],
        )


class Items:
    """Ordered; ids are unique. Look-ups and appends are O(1), inserting and deleting O(n)."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._items: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._order)

    def add(self, item: Item, after: str | None = None) -> str | None:
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

    def get(self, item_id: str, param: str = "item_id") -> Item:
        """Raises ClientError when there is no such item."""
        try:
            return self._items[item_id]
        except KeyError:
            raise ClientError(f"there is no item {item_id!r}", code="item_not_found", param=param) from None

    def find(self, item_id: str) -> Item | None:
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

    def messages(self, instructions: str) -> tuple[Message, ...]:
        """What the responder sees: of an interrupted reply only what was heard, of an unfinished one nothing."""
        items = (self._items[item_id] for item_id in self._order)
        shown = [
            Message(item.role, item.heard_text or "")
            for item in items
            if item.text is not None and item.status != "in_progress" and (item.role == "user" or item.heard_text)
        ]
        return ((Message("system", instructions),) if instructions else ()) + tuple(shown)
