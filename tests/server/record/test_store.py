"""What every TurnStore promises: the same tests for the database and for the double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType

import pytest

from tandem_server.errors import ClientError, StoreError
from tandem_server.record.records import TurnStore
from tandem_server.record.store import open_store

from .examples import NOON, conversation, speaker, turn


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TurnStore]:
    url = "memory" if request.param == "memory" else f"sqlite:///{tmp_path / 'new' / 'tandem.db'}"
    opened = await open_store(url)
    yield opened
    await opened.close()


async def test_what_was_recorded_comes_back_whole(store: TurnStore) -> None:
    await store.open_conversation(conversation())
    await store.record_turn(turn(1))
    await store.record_turn(turn(0))

    assert await store.turns("c1") == [turn(0), turn(1)]
    assert await store.conversation("c1") == conversation()


async def test_a_turn_without_a_time_gets_one(store: TurnStore) -> None:
    before = datetime.now(UTC)
    await store.open_conversation(conversation())
    await store.record_turn(replace(turn(), created_at=None))
    (stored,) = await store.turns("c1")

    assert stored.created_at is not None
    assert before <= stored.created_at <= datetime.now(UTC)


async def test_the_same_turn_again_replaces_it_and_keeps_its_time(store: TurnStore) -> None:
    await store.open_conversation(conversation())
    await store.record_turn(turn())
    await store.record_turn(replace(turn(), created_at=None, heard_text="Gr", status="completed"))

    assert await store.turns("c1") == [replace(turn(), heard_text="Gr", status="completed")]


async def test_a_turn_needs_its_conversation(store: TurnStore) -> None:
    with pytest.raises(StoreError, match="'c1' was never opened"):
        await store.record_turn(turn())
    with pytest.raises(StoreError, match="'c1' was never opened"):
        await store.close_conversation("c1", NOON)
    assert await store.turns("c1") == []
    assert await store.conversation("c1") is None


async def test_two_turns_cannot_share_a_place_or_an_id(store: TurnStore) -> None:
    await store.open_conversation(conversation("c1"))
    await store.open_conversation(conversation("c2"))
    await store.record_turn(turn())
    with pytest.raises(StoreError, match="another turn at index 0"):
        await store.record_turn(replace(turn(), id="other"))
    with pytest.raises(StoreError, match="belongs to conversation 'c1'"):
        await store.record_turn(replace(turn(), conversation_id="c2"))

    assert await store.turns("c1") == [turn()]
    assert await store.turns("c2") == []


async def test_a_failed_turn_does_not_stop_the_next(store: TurnStore) -> None:
    await store.open_conversation(conversation())
    with pytest.raises(StoreError):
        await store.record_turn(turn(0, "unknown"))
    await store.record_turn(turn())

    assert await store.turns("c1") == [turn()]


async def test_a_conversation_is_closed_and_may_be_opened_again(store: TurnStore) -> None:
    await store.open_conversation(conversation())
    await store.record_turn(turn())
    await store.close_conversation("c1", NOON + timedelta(hours=1))
    assert await store.conversation("c1") == replace(conversation(), ended_at=NOON + timedelta(hours=1))
    await store.open_conversation(conversation())

    assert await store.conversation("c1") == conversation()
    assert await store.turns("c1") == [turn()]


async def test_conversations_come_newest_first_page_by_page(store: TurnStore) -> None:
    for name, minutes in [("b", 0), ("a", 0), ("d", 5), ("c", 1)]:
        await store.open_conversation(conversation(name, minutes))
    first = await store.conversations(limit=2)
    second = await store.conversations(limit=2, after=first[-1].id)
    third = await store.conversations(limit=2, after=second[-1].id)

    assert [each.id for each in first + second + third] == ["d", "c", "b", "a"]
    with pytest.raises(ClientError, match="'zzz'"):
        await store.conversations(after="zzz")


async def test_moments_keep_their_instant_across_zones(store: TurnStore) -> None:
    eastern = replace(conversation(), started_at=NOON.astimezone(timezone(timedelta(hours=-5))))
    await store.open_conversation(eastern)
    stored = await store.conversation("c1")

    assert stored is not None
    assert stored.started_at == NOON


async def test_an_unknown_speaker_is_none_and_a_known_one_is_replaced(store: TurnStore) -> None:
    assert await store.load_speaker("anna") is None
    await store.save_speaker(speaker(mean=1.0))
    await store.save_speaker(speaker(mean=2.0))

    assert await store.load_speaker("anna") == speaker(mean=2.0)
    assert await store.load_speaker("bob") is None


async def test_any_mapping_can_be_a_setting(store: TurnStore) -> None:
    frozen = MappingProxyType({"inner": MappingProxyType({"a": 1})})
    await store.open_conversation(replace(conversation(), settings=frozen))
    stored = await store.conversation("c1")

    assert stored is not None
    assert stored.settings == {"inner": {"a": 1}}


async def test_many_sessions_record_at_once(store: TurnStore) -> None:
    names = [f"c{number}" for number in range(8)]
    await asyncio.gather(*(store.open_conversation(conversation(name)) for name in names))
    await asyncio.gather(*(store.record_turn(turn(index, name)) for name in names for index in range(40)))

    for name in names:
        assert [each.index for each in await store.turns(name)] == list(range(40))


async def test_closing_is_idempotent_and_final(store: TurnStore) -> None:
    await store.open_conversation(conversation())
    await store.close()
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.record_turn(turn())
    with pytest.raises(StoreError, match="closed"):
        await store.turns("c1")


async def test_conversations_of_one_user_are_found_among_all(store: TurnStore) -> None:
    for minutes, user in enumerate(("ada", "ben", "ada", "ada")):
        await store.open_conversation(replace(conversation(f"c{minutes}", minutes), user_id=user))
    assert [one.id for one in await store.conversations(user_id="ada")] == ["c3", "c2", "c0"]
    assert [one.id for one in await store.conversations(1, "c3", "ada")] == ["c2"]
    assert await store.conversations(user_id="eve") == []
