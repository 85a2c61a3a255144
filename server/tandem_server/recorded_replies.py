"""The replies as they were recorded, in case the client says later how much of one was heard. Pure."""

from __future__ import annotations

from typing import Final

from tandem_server.conversation_events import Effect, Record
from tandem_server.items import Item
from tandem_server.live_reply import cut_short
from tandem_server.record.records import TurnRecord

MOST: Final = 500
"""Replies: an hour of talk. Of what is older a client may still take words from the conversation, not from the
record."""


class RecordedReplies:
    """By their items; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._kept: dict[str, TurnRecord] = {}

    def add(self, record: TurnRecord) -> Record:
        """Record a reply."""
        self._kept[record.item_id] = record
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        return Record(record)

    def correct(self, item: Item) -> list[Effect]:
        """A turn that is recorded already is recorded again when less of it was heard."""
        kept = self._kept.get(item.id)
        if kept is None or (corrected := cut_short(kept, item)) is None:
            return []
        self._kept[item.id] = corrected
        return [Record(corrected)]
