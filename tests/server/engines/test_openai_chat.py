"""The chat responder against a server on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from tandem_server.engines.chat_messages import chat_messages
from tandem_server.engines.openai_chat import ChatSettings, OpenAIChat
from tandem_server.errors import ConfigurationError, EngineError, EngineTimeout
from tandem_server.stages.protocols import CallPiece, Message, Tool, ToolCall, Tools

from .chat_server import Call, ChatServer, breaks_off, calls, refuses, says, serving, streams

HELLO = [Message("user", "Hello")]


def settings(server: ChatServer, **changes: Any) -> ChatSettings:
    return ChatSettings(**{"model": "small", "base_url": server.url, **changes})


async def reply(server: ChatServer, **changes: Any) -> list[str | CallPiece]:
    """The pieces of one reply."""
    chat = OpenAIChat(settings(server, **changes))
    try:
        return [piece async for piece in chat.respond(HELLO)]
    finally:
        await chat.close()


async def test_pieces_come_as_they_are_streamed() -> None:
    async with serving(says("Hi", " there", "", "!")) as server:
        assert await reply(server) == ["Hi", " there", "!"]
    (call,) = server.calls

    assert call.head.startswith("POST /v1/chat/completions")
    assert call.body["model"] == "small"
    assert call.body["stream"] is True
    assert call.body["messages"][-1] == {"role": "user", "content": "Hello"}
    assert "temperature" not in call.body


async def test_the_first_piece_does_not_wait_for_the_second() -> None:
    go_on = asyncio.Event()

    async def waits(call: Call) -> None:
        await call.start()
        await call.token("Hi")
        await go_on.wait()
        await call.token(" there")
        await call.end()

    async with serving(waits) as server:
        chat = OpenAIChat(settings(server))
        pieces = chat.respond(HELLO)
        assert await anext(pieces) == "Hi"
        go_on.set()
        assert [piece async for piece in pieces] == [" there"]
        await chat.close()


async def test_settings_reach_the_endpoint() -> None:
    async with serving(says("Hi")) as server:
        await reply(server, api_key="sk-1", temperature=0.2)
    (call,) = server.calls

    assert "authorization: bearer sk-1" in call.head.lower()
    assert call.body["temperature"] == 0.2
    assert "sk-1" not in repr(ChatSettings("m", api_key="sk-1"))


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-secr\u00e9t"])
async def test_a_key_that_cannot_be_sent_is_not_shown(key: str) -> None:
    async with serving(says("Hi")) as server:
        with pytest.raises(EngineError) as failed:
            await reply(server, api_key=key)

    assert "sk-" not in str(failed.value)


@pytest.mark.parametrize("status", [400, 401, 403, 500])
async def test_a_secret_that_the_endpoint_repeats_is_not_shown(status: int) -> None:
    async with serving(refuses(status, "not with sk-secret of ada:lovelace")) as server:
        address = server.url.replace("://", "://ada:lovelace@")
        with pytest.raises(EngineError, match=f"HTTP {status}") as failed:
            await reply(server, api_key="sk-secret", base_url=address)

    assert not [word for word in ("sk-secret", "lovelace") if word in str(failed.value)]
    assert server.url.removesuffix("/v1") in str(failed.value)


async def test_a_password_in_the_address_is_not_shown() -> None:
    hidden = ChatSettings("m", "http://ada:lovelace@127.0.0.1:1/v1")
    chat = OpenAIChat(hidden)
    with pytest.raises(EngineError, match=r"http://127\.0\.0\.1:1 cannot be reached \(Connection refused\)") as failed:
        _ = [piece async for piece in chat.respond(HELLO)]
    await chat.close()

    assert not [shown for shown in (str(failed.value), chat.name, repr(hidden)) if "lovelace" in shown]


async def test_closing_the_reply_hangs_up() -> None:
    server: ChatServer

    async def talks_on(call: Call) -> None:
        await call.start()
        await call.token("Hi")
        await server.until_gone(call)

    async with serving(talks_on) as server:
        chat = OpenAIChat(settings(server))
        pieces = cast("AsyncGenerator[str, None]", chat.respond(HELLO))
        assert await anext(pieces) == "Hi"
        await pieces.aclose()
        await server.gone.wait()
        await chat.close()


async def test_cancelling_the_task_hangs_up() -> None:
    server: ChatServer
    started = asyncio.Event()

    async def stalls(call: Call) -> None:
        await call.start()
        started.set()
        await server.until_gone(call)

    async with serving(stalls) as server:
        task = asyncio.create_task(reply(server))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.gone.wait()


async def test_a_stall_before_the_first_word_is_a_timeout() -> None:
    server: ChatServer

    async def stalls(call: Call) -> None:
        await call.start()
        await server.until_gone(call)

    async with serving(stalls) as server:
        with pytest.raises(EngineTimeout, match=r"did not go on within 0\.05 s") as caught:
            await reply(server, first_word_timeout=0.05)
        await server.gone.wait()

    assert caught.value.stage == "response"
    assert len(server.calls) == 1


async def test_a_stall_in_the_middle_is_a_timeout() -> None:
    server: ChatServer

    async def stalls(call: Call) -> None:
        await call.start()
        await call.token("Hi")
        await server.until_gone(call)

    async with serving(stalls) as server:
        chat = OpenAIChat(settings(server, total_timeout=0.2))
        pieces = chat.respond(HELLO)
        assert await anext(pieces) == "Hi"
        with pytest.raises(EngineTimeout):
            await anext(pieces)
        await server.gone.wait()
        await chat.close()


async def test_an_endpoint_that_never_answers_is_a_timeout() -> None:
    server: ChatServer

    async def silent(call: Call) -> None:
        await server.until_gone(call)

    async with serving(silent) as server:
        with pytest.raises(EngineTimeout):
            await reply(server, first_word_timeout=0.05)


@pytest.mark.parametrize(
    ("status", "told", "calls"),
    [
        (400, "check the model's name.*because", 1),
        (401, r"refuses the API key; set the key of this endpoint \(HTTP 401\)$", 1),
        (404, "ends in /v1", 1),
        (429, "too many requests", 1),
        (500, "the fault is there, look at its log", 2),
        (503, "the fault is there, look at its log", 2),
    ],
)
async def test_a_refusal_says_whose_fault_it_is(status: int, told: str, calls: int) -> None:
    async with serving(refuses(status)) as server:
        with pytest.raises(EngineError, match=told) as caught:
            await reply(server)

    assert server.url.removesuffix("/v1") in str(caught.value)
    assert len(server.calls) == calls


async def test_a_failure_that_passes_is_not_noticed() -> None:
    async with serving(refuses(500), says("Hi")) as server:
        assert await reply(server) == ["Hi"]
    async with serving(breaks_off(), says("Hi")) as server:
        assert await reply(server) == ["Hi"]


async def test_a_reply_that_breaks_off_is_not_asked_for_again() -> None:
    async with serving(breaks_off("Hi", " there"), says("Other")) as server:
        chat = OpenAIChat(settings(server))
        pieces = chat.respond(HELLO)
        assert [await anext(pieces), await anext(pieces)] == ["Hi", " there"]
        with pytest.raises(EngineError, match=r"broke off its answer|cannot be reached"):
            await anext(pieces)
        await chat.close()

    assert len(server.calls) == 1


async def test_nobody_there_says_so() -> None:
    async with serving(says("Hi")) as server:
        gone = settings(server)
    chat = OpenAIChat(gone)
    with pytest.raises(EngineError, match=r"cannot be reached .* is it running"):
        _ = [piece async for piece in chat.respond(HELLO)]
    await chat.close()


@pytest.mark.parametrize("event", ["{not json", '{"error": {"message": "out of memory"}}', "[1, 2", "\x00"])
async def test_nonsense_in_the_stream_is_an_engine_error(event: str) -> None:
    async with serving(streams(event)) as server:
        with pytest.raises(EngineError, match=r"broke off its answer|answered with no text"):
            await reply(server)


@pytest.mark.parametrize("event", ["{}", "[]", "null", '"text"', '{"choices": []}', '{"choices": [{"delta": null}]}'])
async def test_events_without_text_are_no_reply(event: str) -> None:
    async with serving(streams(event, event)) as server:
        with pytest.raises(EngineError, match=r"answered with no text|broke off"):
            await reply(server)


async def test_a_web_page_is_no_reply() -> None:
    async def page(call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>")

    async with serving(page) as server:
        with pytest.raises(EngineError, match="check that the base URL is a chat endpoint"):
            await reply(server)


TOOLS = Tools((Tool("look", "Look.", {"type": "object"}),))


async def test_calls_come_as_they_are_streamed_and_tools_and_results_reach_the_endpoint() -> None:
    talk = [*HELLO, Message("assistant", "", ToolCall("x", "look", "{}")), Message("tool", "a lamp", call_id="x")]
    async with serving(calls((0, "look", ""), (0, None, '{"up":'), (0, None, "1}"), said="One moment. ")) as server:
        chat = OpenAIChat(settings(server))
        pieces = [piece async for piece in chat.respond(talk, TOOLS)]
        await chat.close()

    assert pieces == ["One moment. ", CallPiece(0, "look", ""), CallPiece(0, "", '{"up":'), CallPiece(0, "", "1}")]
    (call,) = server.calls
    assert [tool["function"]["name"] for tool in call.body["tools"]] == ["look"]
    assert "tool_choice" not in call.body
    assert [message["role"] for message in call.body["messages"]] == ["user", "assistant", "tool"]


async def test_a_reply_that_only_calls_is_a_reply() -> None:
    async with serving(calls((0, "look", "{}"))) as server:
        assert await reply(server) == [CallPiece(0, "look", "{}")]
    assert "tools" not in server.calls[0].body


async def test_a_call_that_breaks_off_is_not_asked_for_again() -> None:
    async def breaks(call: Call) -> None:
        await call.start()
        await call.part(0, "look", "{")
        await call.raw(b"40\r\ndata: {")

    async with serving(breaks, says("Other")) as server:
        with pytest.raises(EngineError, match=r"broke off its answer|cannot be reached"):
            await reply(server)
    assert len(server.calls) == 1


async def test_a_call_without_end_is_an_error() -> None:
    async def babbles(call: Call) -> None:
        await call.start()
        await call.part(0, "look", "")
        while True:
            await call.part(0, None, "x" * 100)

    async with serving(babbles) as server:
        with pytest.raises(EngineError, match="more arguments than fit"):
            await reply(server, max_arguments=1000)
        await server.gone.wait()


async def test_an_endless_reply_is_cut_and_hung_up() -> None:
    server: ChatServer

    async def babbles(call: Call) -> None:
        await call.start()
        while True:
            await call.token("bla " * 100)

    async with serving(babbles) as server:
        pieces = await reply(server, max_reply=1050)
        await server.gone.wait()

    assert sum(len(piece) for piece in pieces if isinstance(piece, str)) == 1050


def test_the_newest_messages_are_kept() -> None:
    talk = [Message("user" if number % 2 == 0 else "assistant", f"{number}") for number in range(9)]
    found = chat_messages([Message("system", "Be kind."), *talk], 3, 16_000)

    assert found == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "6"},
        {"role": "assistant", "content": "7"},
        {"role": "user", "content": "8"},
    ]


def test_the_characters_are_bounded_but_the_last_message_stays() -> None:
    talk = [Message("user", "a" * 50), Message("assistant", "b" * 50), Message("user", "c" * 500)]

    assert chat_messages(talk, 40, 560)[1:] == [{"role": "user", "content": "c" * 500}]
    assert chat_messages(talk, 40, 10) == [{"role": "user", "content": "c" * 10}]


def test_speakers_take_turns_whatever_was_interrupted() -> None:
    talk = [
        Message("system", "Be kind."),
        Message("assistant", "Hello!"),
        Message("user", "one"),
        Message("assistant", ""),
        Message("user", "two"),
    ]
    found = chat_messages(talk, 40, 16_000)

    assert found == [
        {"role": "system", "content": 'Be kind.\n\nYou opened by saying: "Hello!"'},
        {"role": "user", "content": "one\ntwo"},
    ]


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no name"):
        ChatSettings("")
    with pytest.raises(ConfigurationError, match="must begin with http"):
        ChatSettings("m", "localhost:8080")
