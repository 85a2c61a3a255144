"""A store that forgets when it is closed: for tests and for a server that must not keep anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from tandem_server.errors import ClientError, StoreError
from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnRecord, ignore


class MemoryStore:
    """A TurnStore in dictionaries, with the rules of the real one."""

    def __init__(self) -> None:
        self._conversations: dict[str, ConversationRecord] = {}
        self._turns: dict[str, TurnRecord] = {}
        self._speakers: dict[str, SpeakerRecord] = {}
        self._closed = False

    async def open_conversation(self, record: ConversationRecord) -> None:
        self._require_open()
        self._conversations[record.id] = record

    async def close_conversation(self, conversation_id: str, ended_at: datetime) -> None:
        self._require_open()
        known = self._conversations.get(conversation_id)
        if known is None:
            raise StoreError(unknown_conversation(conversation_id))
        self._conversations[conversation_id] = replace(known, ended_at=ended_at)

    async def record_turn(self, turn: TurnRecord) -> None:
        self._require_open()
        if turn.conversation_id not in self._conversations:
            raise StoreError(unknown_conversation(turn.conversation_id))
        before = self._turns.get(turn.id)
        if before is not None and before.conversation_id != turn.conversation_id:
            raise StoreError(other_conversation(turn, before.conversation_id))
        if any(each.index == turn.index and each.id != turn.id for each in await self.turns(turn.conversation_id)):
            raise StoreError(place_taken(turn))
        created_at = turn.created_at or (datetime.now(UTC) if before is None else before.created_at)
        self._turns[turn.id] = replace(turn, created_at=created_at)

    async def turns(self, conversation_id: str, after: int = -1, limit: int | None = None) -> list[TurnRecord]:
        self._require_open()
        turns = self._turns.values()
        mine = [turn for turn in turns if turn.conversation_id == conversation_id and turn.index > after]
        return sorted(mine, key=lambda turn: turn.index)[:limit]

    async def conversation(self, conversation_id: str) -> ConversationRecord | None:
        self._require_open()
        return self._conversations.get(conversation_id)

    async def conversations(
        self,
        limit: int = 50,
        after: str | None = None,
        user_id: str | None = None,
        damaged: Callable[[StoreError], None] = ignore,  # noqa: ARG002  nothing here can be
    ) -> list[ConversationRecord]:
        self._require_open()
        if after is not None and after not in self._conversations:
            raise unknown_cursor(after)
        newest = sorted(self._conversations.values(), key=lambda each: (each.started_at, each.id), reverse=True)
        start = 0 if after is None else [each.id for each in newest].index(after) + 1
        mine = [one for one in newest[start:] if user_id is None or one.user_id == user_id]
        return mine[:limit]

    async def load_speaker(self, user_id: str) -> SpeakerRecord | None:
        self._require_open()
        return self._speakers.get(user_id)

    async def save_speaker(self, speaker: SpeakerRecord) -> None:
        self._require_open()
        self._speakers[speaker.user_id] = speaker

    async def close(self) -> None:
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(CLOSED)


CLOSED = "the store is closed; nothing more can be recorded"


def unknown_conversation(conversation_id: str) -> str:
    """What is said of a turn or an end without a beginning."""
    return f"conversation {conversation_id!r} was never opened in this store"


def other_conversation(turn: TurnRecord, owner: str) -> str:
    """What is said of a turn id used twice."""
    return f"turn {turn.id!r} already belongs to conversation {owner!r}"


def place_taken(turn: TurnRecord) -> str:
    """What is said of two turns in one place."""
    return f"conversation {turn.conversation_id!r} already has another turn at index {turn.index}"


def unknown_cursor(conversation_id: str) -> ClientError:
    """The client asked for what follows a conversation that is not there."""
    return ClientError(f"there is no conversation {conversation_id!r} to continue after", param="after")
