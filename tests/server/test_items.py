"""The items of a conversation: their order, what the wire shows and what the responder may know."""

from __future__ import annotations

from typing import Any

import pytest

from tandem_server.errors import ClientError
from tandem_server.items import CallItem, Item, Items, OutputItem, messages
from tandem_server.stages.protocols import Message, ToolCall, Word

from .driver import Driver

WORDS = (Word("one", 0.0, 0.4), Word("two", 0.5, 0.9), Word("three", 1.0, 1.4))


def said(text: str, name: str = "a") -> Item:
    return Item(name, "user", spoken=True, text=text)


def spoken(name: str = "r", **more: Any) -> Item:
    """The agent's speech: three words in a second and a half."""
    return Item(name, "assistant", spoken=True, text="One, two, three.", words=WORDS, audio_ms=1500, **more)


def order(items: Items) -> list[str]:
    """The ids as they stand."""
    return list(items._order)


def test_items_are_appended_or_put_after_another() -> None:
    items = Items()
    assert items.add(said("", "b")) is None
    assert items.add(said("", "d")) == "b"
    assert items.add(said("", "c"), "b") == "b"
    assert items.add(said("", "a"), "root") is None
    assert order(items) == ["a", "b", "c", "d"]
    assert [items.before(name) for name in "abcd"] == [None, "a", "b", "c"]
    assert len(items) == 4


def test_an_id_is_given_once_and_a_place_must_exist() -> None:
    items = Items()
    items.add(said("", "a"))
    with pytest.raises(ClientError) as twice:
        items.add(said("", "a"))
    assert (twice.value.code, twice.value.param) == ("item_id_exists", "item.id")
    with pytest.raises(ClientError) as nowhere:
        items.add(said("", "b"), "z")
    assert (nowhere.value.code, nowhere.value.param) == ("item_not_found", "previous_item_id")
    assert order(items) == ["a"]


def test_deleting_leaves_no_trace_and_the_id_is_free_again() -> None:
    items = Items()
    items.add(said("", "a"))
    items.add(said("", "b"))
    items.delete("a")
    assert (items.find("a"), order(items), items.before("b")) == (None, ["b"], None)
    for missing in (lambda: items.delete("a"), lambda: items.get("a"), lambda: items.before("a")):
        with pytest.raises(ClientError, match="no item 'a'"):
            missing()
    items.add(said("", "a"))
    assert order(items) == ["b", "a"]


@pytest.mark.parametrize(
    ("heard_ms", "text"),
    [
        (None, "One, two, three."),
        (0, ""),
        (1, "one"),
        (500, "one"),  # a word that begins there has not begun
        (501, "one two"),
        (1000, "one two"),
        (1500, "one two three"),
    ],
)
def test_what_was_heard_are_the_words_that_had_begun(heard_ms: int | None, text: str) -> None:
    item = spoken(heard_ms=heard_ms)
    assert item.heard_text == text
    assert item.wire().model_dump()["content"][0]["transcript"] == text


def test_the_responder_sees_instructions_and_what_was_said_and_heard_in_order() -> None:
    items = Items()
    items.add(Item("s", "system", spoken=False, text="Be kind."))
    items.add(said("hello"))
    items.add(spoken(heard_ms=501))
    items.add(said("and", "b"))
    assert messages("Talk.", items.all()) == (
        Message("system", "Talk."),
        Message("system", "Be kind."),
        Message("user", "hello"),
        Message("assistant", "one two"),
        Message("user", "and"),
    )
    assert messages("", items.all())[0] == Message("system", "Be kind.")


def test_the_responder_does_not_see_what_is_not_known_yet_or_was_never_heard() -> None:
    items = Items()
    items.add(Item("u", "user", spoken=True))
    items.add(spoken("p", status="in_progress"))
    items.add(spoken("n", heard_ms=0))
    assert messages("", items.all()) == ()


@pytest.mark.parametrize(
    ("item", "content"),
    [
        (Item("i", "system", spoken=False, text="a"), {"type": "input_text", "text": "a"}),
        (Item("i", "user", spoken=False, text="a"), {"type": "input_text", "text": "a"}),
        (Item("i", "user", spoken=True, text="a"), {"type": "input_audio", "transcript": "a"}),
        (Item("i", "user", spoken=True), {"type": "input_audio", "transcript": None}),
        (Item("i", "assistant", spoken=False, text="a"), {"type": "output_text", "text": "a"}),
        (Item("i", "assistant", spoken=True, text="a"), {"type": "output_audio", "transcript": "a"}),
    ],
)
def test_each_kind_of_item_has_its_kind_of_content(item: Item, content: dict[str, object]) -> None:
    shown = item.wire().model_dump(exclude_unset=True)
    assert shown == {
        "id": "i",
        "object": "realtime.item",
        "type": "message",
        "role": item.role,
        "status": "completed",
        "content": [content],
    }


def test_calls_and_their_results_are_shown_and_seen_as_such() -> None:
    call, output = CallItem("c", ToolCall("x", "look", "{}")), OutputItem("o", "x", "a lamp")
    items = Items()
    items.add(call)
    items.add(output)

    assert call.wire().model_dump(exclude_unset=True) == {
        "id": "c", "object": "realtime.item", "type": "function_call", "status": "completed",
        "call_id": "x", "name": "look", "arguments": "{}",
    }  # fmt: skip
    assert output.wire().model_dump(exclude_unset=True) == {
        "id": "o", "object": "realtime.item", "type": "function_call_output", "status": "completed",
        "call_id": "x", "output": "a lamp",
    }  # fmt: skip
    assert messages("", items.all()) == (
        Message("assistant", "", ToolCall("x", "look", "{}")),
        Message("tool", "a lamp", call_id="x"),
    )
    assert (items.call("x"), items.call("y")) == (call, None)


def test_a_call_that_has_only_begun_has_no_arguments_and_is_not_seen() -> None:
    begun = CallItem("c", ToolCall("x", "look", "{}"), status="in_progress")
    assert begun.wire().model_dump()["arguments"] == ""
    assert begun.message() is None


def test_an_item_that_has_only_begun_has_no_content() -> None:
    assert Item("r", "assistant", spoken=True, text="", status="in_progress").wire().model_dump()["content"] == []
    assert spoken(status="incomplete").wire().model_dump()["content"] != []


def test_an_item_that_is_being_spoken_shows_what_was_heard_of_it_when_it_is_retrieved() -> None:
    driver = Driver()
    driver.until_replying()
    driver.client("conversation.item.truncate", item_id="item_t_2", content_index=0, audio_end_ms=400)
    driver.client("conversation.item.retrieve", item_id="item_t_2")

    [retrieved] = driver.events("conversation.item.retrieved")
    assert retrieved["item"]["status"] == "in_progress"
    assert [part["transcript"] for part in retrieved["item"]["content"]] == ["It is nice"]
