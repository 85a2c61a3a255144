"""What the client does with the items of the conversation: create, retrieve, delete and truncate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeletedEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncatedEvent,
    ConversationItemTruncateEvent,
)
from openai.types.realtime.realtime_server_event import ConversationItemRetrieved

from tandem_server.client_items import item_of
from tandem_server.conversation_events import Effect, Hush, Record, Send
from tandem_server.errors import ClientError
from tandem_server.items import AnyItem, CallItem, Item, OutputItem
from tandem_server.record.records import TurnRecord
from tandem_server.shared_state import SharedState, milliseconds
from tandem_server.speaking import Speaking
from tandem_server.stages.entrain import UNHEARD, Spoken

MOST_ITEMS: Final = 2_000
"""Items a client may create: hours of typing, and a bound on what one client can make us keep."""


@dataclass(slots=True)
class ItemEvents:
    """Answers the `conversation.item.*` events; every method raises ClientError for what cannot be done."""

    shared: SharedState
    speaking: Speaking
    created: int = 0
    """Items of the client, those it has deleted too"""

    def create(self, event: ConversationItemCreateEvent) -> list[Effect]:
        """A message, a function call, or what came of one."""
        shared = self.shared
        if self.created >= MOST_ITEMS:
            raise ClientError(f"a client may create at most {MOST_ITEMS} items", code="too_many_items")
        if event.item.id and event.item.id.startswith(shared.item_prefix):
            message = f"ids that begin with {shared.item_prefix!r} are the server's"
            raise ClientError(message, code="item_id_exists", param="item.id")
        item = item_of(event.item, shared)
        self._check_call(item)
        previous, added = shared.add(item, event.previous_item_id)
        self.created += 1
        effects: list[Effect] = [added, shared.done(item, previous)]
        if isinstance(item, Item) and item.role == "user":
            shared.history = shared.history.heard(replace(UNHEARD, spoken=Spoken(text=item.text or "")))
            effects.append(Record(self._typed(item)))
        if isinstance(item, OutputItem):
            effects += self.speaking.awaited.answered(item.call_id)
        return effects

    def retrieve(self, event: ConversationItemRetrieveEvent) -> list[Effect]:
        """The item as it is now."""
        item, event_id = self.shared.items.get(event.item_id), self.shared.event_id()
        return [
            Send(ConversationItemRetrieved(type="conversation.item.retrieved", event_id=event_id, item=item.wire()))
        ]

    def delete(self, event: ConversationItemDeleteEvent) -> list[Effect]:
        """Gone from what the responder knows; a reply that is live goes on."""
        self.shared.items.delete(event.item_id)
        event_id, item_id = self.shared.event_id(), event.item_id
        return [
            Send(ConversationItemDeletedEvent(type="conversation.item.deleted", event_id=event_id, item_id=item_id))
        ]

    def truncate(self, event: ConversationItemTruncateEvent) -> list[Effect]:
        """So much of the agent's speech was played."""
        item = self.speaking.outside(event.item_id) or self.shared.items.get(event.item_id)
        if not isinstance(item, Item) or item.role != "assistant" or not item.spoken:
            raise ClientError("only the agent's speech can be truncated", code="invalid_item", param="item_id")
        if event.content_index != 0:
            raise ClientError("an item has one content part, 0", param="content_index")
        if event.audio_end_ms < 0:
            raise ClientError("audio_end_ms cannot be negative", param="audio_end_ms")
        effects = self.speaking.heard_until(item, event.audio_end_ms)
        truncated = ConversationItemTruncatedEvent(
            type="conversation.item.truncated",
            event_id=self.shared.event_id(),
            item_id=item.id,
            content_index=0,
            audio_end_ms=item.audio_ms if item.heard_ms is None else item.heard_ms,
        )
        return [Send(truncated), *([Hush()] if self._playing(item) else []), *effects]

    def _playing(self, item: Item) -> bool:
        """May this be what the client has been playing? Not once a later reply is heard, which goes on."""
        last = self.speaking.last
        return last is None or last.item.id == item.id or last.audible_from is None

    def _check_call(self, item: AnyItem) -> None:
        """A call has an id of its own, and an output belongs to a call."""
        if isinstance(item, CallItem) and self.shared.items.call(item.call.call_id) is not None:
            message = f"there is already a function call {item.call.call_id!r}"
            raise ClientError(message, code="call_id_exists", param="item.call_id")
        if isinstance(item, OutputItem) and self.shared.items.call(item.call_id) is None:
            message = f"there is no function call {item.call_id!r} in the conversation; create it before its output"
            raise ClientError(message, code="call_not_found", param="item.call_id")

    def _typed(self, item: Item) -> TurnRecord:
        """A turn that was typed: words without a voice."""
        at, shared = milliseconds(self.shared.heard), self.shared
        index = shared.turn_index()
        return TurnRecord(
            id=f"turn_{shared.session_id}_{index}",  # a client may delete an item and use its id again
            conversation_id=shared.session_id,
            index=index,
            role="user",
            item_id=item.id,
            started_ms=at,
            ended_ms=at,
            text=item.text or "",
            flags={"typed": True},
        )
