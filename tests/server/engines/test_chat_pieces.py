"""What endpoints stream, and how they differ."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tandem_server.engines.chat_pieces import ChatPieces
from tandem_server.stages.protocols import CallPiece


def delta(*calls: Any, content: str | None = None) -> SimpleNamespace:
    """A chunk."""
    return SimpleNamespace(choices=[SimpleNamespace(delta=SimpleNamespace(content=content, tool_calls=list(calls)))])


def part(index: int | None, id: str | None, name: str | None, arguments: str | None) -> SimpleNamespace:  # noqa: A002
    return SimpleNamespace(index=index, id=id, function=SimpleNamespace(name=name, arguments=arguments))


def read(*chunks: SimpleNamespace) -> list[str | CallPiece]:
    pieces = ChatPieces()
    return [piece for chunk in chunks for piece in pieces.of(chunk)]


def test_the_parts_of_a_call_are_pieces_of_it() -> None:
    chunks = [delta(part(0, "a", "look", "")), delta(part(0, None, None, '{"x"')), delta(part(0, None, None, ":1}"))]
    assert read(*chunks) == [CallPiece(0, "look", ""), CallPiece(0, "", '{"x"'), CallPiece(0, "", ":1}")]


@pytest.mark.parametrize(
    "second",
    [part(1, "b", "wave", "{}"), part(0, "b", "wave", "{}"), part(None, "b", "wave", "{}")],
    ids=["another index", "the same index", "no index"],
)
def test_another_call_is_known_by_its_index_or_by_its_id(second: SimpleNamespace) -> None:
    first = part(second.index and 0, "a", "look", "{}")
    assert read(delta(first), delta(second)) == [CallPiece(0, "look", "{}"), CallPiece(1, "wave", "{}")]


def test_an_id_that_is_repeated_is_no_other_call() -> None:
    assert [piece.call for piece in read(delta(part(0, "a", "look", "{")), delta(part(0, "a", "look", "}")))
            if isinstance(piece, CallPiece)] == [0, 0]  # fmt: skip


def test_two_calls_of_one_chunk_and_words_beside_them() -> None:
    found = read(delta(part(0, "a", "look", "{}"), part(1, "b", "wave", "{}"), content="Let me see."))
    assert found == ["Let me see.", CallPiece(0, "look", "{}"), CallPiece(1, "wave", "{}")]


@pytest.mark.parametrize(
    "call", [SimpleNamespace(), SimpleNamespace(index=0, id=1, function=SimpleNamespace(name=3, arguments=4))]
)
def test_nonsense_is_no_crash(call: Any) -> None:
    assert [piece for piece in read(delta(call)) if piece != CallPiece(0, "", "")] == []
