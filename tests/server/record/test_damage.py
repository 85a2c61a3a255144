"""Rows that somebody or something has damaged: each is named, and costs nobody else anything."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tandem_server.errors import DamagedRowError, StoreError
from tandem_server.record.store import Store

from .examples import conversation, speaker, turn


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'tandem.db'}")
    yield opened
    await opened.close()


def damage(folder: Path, table: str, column: str, value: str) -> None:
    """Write into every row that is named `bad`, past the store."""
    key = "user_id" if table == "speakers" else "id"
    connection = sqlite3.connect(folder / "tandem.db")
    with connection:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = 'bad'", (value,))
    connection.close()


BROKEN = ["{", "", "[1, 2]", '"text"', "null", '{"mean": NaN}']
"""No JSON, no object, or no number"""


@pytest.mark.parametrize("column", ["normaliser", "pitch_range"])
@pytest.mark.parametrize("value", BROKEN)
async def test_a_damaged_speaker_is_named_and_can_be_replaced(
    store: Store, tmp_path: Path, column: str, value: str
) -> None:
    await store.save_speaker(speaker("bad"))
    await store.save_speaker(speaker("good"))
    damage(tmp_path, "speakers", column, value)

    with pytest.raises(DamagedRowError, match=r"'bad' in the table speakers is damaged.*delete that row"):
        await store.load_speaker("bad")
    assert await store.load_speaker("good") == speaker("good")
    await store.save_speaker(speaker("bad", mean=2.0))
    assert await store.load_speaker("bad") == speaker("bad", mean=2.0)


@pytest.mark.parametrize(
    ("column", "value"), [*(("settings", value) for value in BROKEN), ("engines", "{"), ("started_at", "yesterday")]
)
async def test_a_damaged_conversation_is_left_out_of_the_list_and_named(
    store: Store, tmp_path: Path, column: str, value: str
) -> None:
    for minutes, name in enumerate(("one", "two", "bad", "four", "five")):
        await store.open_conversation(conversation(name, minutes))
    damage(tmp_path, "conversations", column, value)

    damaged: list[StoreError] = []
    found = await store.conversations(limit=50, damaged=damaged.append)
    assert [each.id for each in found] == ["five", "four", "two", "one"]
    assert [str(error).split(" is damaged")[0] for error in damaged] == ["'bad' in the table conversations"]
    with pytest.raises(DamagedRowError, match="'bad'"):
        await store.conversation("bad")


async def test_a_page_is_full_although_a_row_of_it_is_damaged(store: Store, tmp_path: Path) -> None:
    for minutes, name in enumerate(("one", "two", "bad", "four", "five")):
        await store.open_conversation(conversation(name, minutes))
    damage(tmp_path, "conversations", "settings", "{")

    assert [each.id for each in await store.conversations(limit=3)] == ["five", "four", "two"]
    assert [each.id for each in await store.conversations(limit=3, after="four")] == ["two", "one"]
    assert [each.id for each in await store.conversations(limit=3, after="bad")] == ["two", "one"]


@pytest.mark.parametrize(
    ("column", "value"), [("words", '[["a", 1]]'), ("words", "{}"), ("features", "{"), ("flags", "[]")]
)
async def test_a_conversation_of_which_a_turn_is_damaged_says_which(
    store: Store, tmp_path: Path, column: str, value: str
) -> None:
    await store.open_conversation(conversation())
    await store.record_turn(turn(0))
    await store.record_turn(replace(turn(1), id="bad"))
    damage(tmp_path, "turns", column, value)

    with pytest.raises(DamagedRowError, match="'bad' in the table turns is damaged"):
        await store.turns("c1")
