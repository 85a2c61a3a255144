"""Tokens: counted by hand."""

from __future__ import annotations

import pytest

from tandem_server.conversation_events import Finalise, Record, Speak, Think
from tandem_server.items import AnyItem, CallItem, Item, OutputItem
from tandem_server.stages.protocols import Tool, ToolCall, Tools, Word
from tandem_server.usage import Tokens, of_input, of_speech, of_text

from .driver import SILENCE, SPEECH, Driver, typed

NO = Tools()


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_a_token_is_four_characters_begun(text: str, tokens: int) -> None:
    assert of_text(text) == Tokens(text=tokens)


@pytest.mark.parametrize(("ms", "tokens"), [(0, 0), (1, 1), (50, 1), (51, 2), (1000, 20)])
def test_a_token_of_the_agents_sound_is_fifty_milliseconds_begun(ms: int, tokens: int) -> None:
    assert of_speech("abcd", ms) == Tokens(text=1, audio=tokens)


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        (Item("i", "user", spoken=False, text="abcde"), Tokens(text=2)),
        (Item("i", "user", spoken=True, text="abcde", audio_ms=101), Tokens(audio=2)),
        (Item("i", "user", spoken=True, text="abcde"), Tokens(text=2)),  # brought by the client: words without sound
        (Item("i", "user", spoken=True, audio_ms=101), Tokens()),  # its words are not known: it is not read
        (Item("i", "assistant", spoken=True, text="a", audio_ms=101), Tokens(audio=3)),
        (
            Item("i", "assistant", spoken=True, text="a b", audio_ms=500, heard_ms=100, words=(Word("a", 0, 0.1),)),
            Tokens(audio=2),
        ),
        (CallItem("i", ToolCall("c", "look", '{"a":1}')), Tokens(text=3)),  # 4 and 7 characters
        (OutputItem("i", "c", "a lamp"), Tokens(text=2)),
    ],
)
def test_what_is_read_counts_as_what_it_is(item: AnyItem, tokens: Tokens) -> None:
    assert of_input("", [item], NO) == tokens


def test_instructions_and_tools_are_read_too() -> None:
    tools = Tools((Tool("look", "Look.", {"type": "object"}),))  # 4, 5 and 18 characters
    assert of_input("Be kind.", [], tools) == Tokens(text=2 + 7)


def test_a_response_tells_what_it_has_used() -> None:
    driver = Driver()
    driver.update(instructions="Be kind.")
    driver.client("conversation.item.create", item=typed("hello"))
    driver.client("response.create")
    driver.settle()

    usage = driver.events("response.done")[0]["response"]["usage"]
    assert usage == {
        "total_tokens": 54,
        "input_tokens": 4,
        "output_tokens": 50,  # 37 characters, two seconds
        "input_token_details": {"text_tokens": 4, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
    }
    assert driver.events("response.created")[0]["response"]["usage"] is None


def test_a_turn_of_the_user_is_as_long_as_its_audio() -> None:
    driver = Driver()
    driver.update(instructions="")
    driver.speak_turn(frames=20)
    driver.settle()

    stopped = driver.events("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]  # it began with the session
    used = driver.events("response.done")[0]["response"]["usage"]["input_token_details"]
    assert used["audio_tokens"] == -(-stopped // 100)
    assert used["text_tokens"] == 0


def test_a_reply_that_was_cut_off_has_used_what_was_sent_of_it() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.answer(Finalise, Record, Think, Speak)
    driver.hear(SILENCE, 10)
    driver.hear(SPEECH, 5)
    driver.settle()

    details = driver.events("response.done")[0]["response"]["usage"]["output_token_details"]
    assert details == {"text_tokens": 6, "audio_tokens": 20}  # the first phrase: 23 characters, one second


def test_words_of_our_own_are_made_from_nothing() -> None:
    driver = Driver()
    driver.speak_turn()
    driver.expire("turn:0")
    driver.settle()
    assert driver.events("response.done")[0]["response"]["usage"]["input_tokens"] == 0
