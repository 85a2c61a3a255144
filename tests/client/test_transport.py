"""Connecting, and every way in which it fails, in words for whoever waits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tandem_client.actions import ServerSaid, ServerSpoke
from tandem_client.errors import (
    CannotTalk,
    ConnectionLost,
    ConversationOver,
    CutOff,
    ServerUnreachable,
    TokenRefused,
)
from tandem_client.fakes import ScriptedServer, serving
from tandem_client.transport import WebSocketTransport, dial, parsed
from tandem_server.contract import AudioFrame


@asynccontextmanager
async def connected(url: str, token: str | None) -> AsyncIterator[WebSocketTransport]:
    """A connection for the length of a block."""
    transport = await dial(url, token)
    try:
        yield transport
    finally:
        await transport.close()


def test_text_is_an_event_and_bytes_are_audio() -> None:
    frame = AudioFrame("output", 1, 20.0, bytes(4))
    assert parsed('{"type": "x"}') == ServerSaid({"type": "x"})
    assert parsed(frame.encode()) == ServerSpoke(frame)


@pytest.mark.parametrize("message", ["{", "[]", b"", b"\x07" * 20, "[" * 50])
def test_a_message_that_is_no_event_ends_the_connection(message: str | bytes) -> None:
    with pytest.raises(ConnectionLost, match="no event"):
        parsed(message)


async def test_events_go_both_ways() -> None:
    server = ScriptedServer()
    async with serving(server) as url, connected(url, None) as transport:
        created = await transport.receive()
        assert isinstance(created, ServerSaid) and created.event["type"] == "session.created"
        session = {"type": "realtime", "tandem": {"audio_frames": "binary"}}
        await transport.send({"type": "session.update", "event_id": "e", "session": session})
        updated = await transport.receive()
        assert isinstance(updated, ServerSaid) and updated.event["type"] == "session.updated"


async def test_the_token_goes_in_the_authorization_header() -> None:
    async with serving(ScriptedServer(), token="secret") as url:
        async with connected(url, "secret") as transport:
            assert isinstance(await transport.receive(), ServerSaid)
        for wrong in ("guess", None):
            with pytest.raises(TokenRefused, match=r"HTTP 401.*TANDEM_TOKEN"):
                async with connected(url, wrong):
                    raise AssertionError("let in")


@pytest.mark.parametrize(
    ("status", "refusal", "words"),
    [
        (403, "", "refused the token"),
        (403, '{"detail": "this server does not answer as x"}', "does not answer as x"),
        (503, '{"detail": "all places are taken"}', "all places are taken.*try again"),
        (404, "[]", "no Tandem server"),
    ],
)
async def test_a_refused_handshake_says_why(status: int, refusal: str, words: str) -> None:
    async with serving(ScriptedServer(), status=status, refusal=refusal) as url:
        with pytest.raises(CannotTalk, match=words):
            async with connected(url, None):
                raise AssertionError("let in")


async def test_nobody_there_says_how_to_start_a_server() -> None:
    async with serving(ScriptedServer()) as url:
        pass  # the port is free again
    with pytest.raises(ServerUnreachable, match="make serve"):
        async with connected(url, None):
            raise AssertionError("let in")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nonsense", "ws://:99999999/"])
async def test_an_address_that_is_none_says_so(url: str) -> None:
    with pytest.raises(ServerUnreachable, match="no WebSocket address"):
        async with connected(url, None):
            raise AssertionError("let in")


async def closing(code: int, *, after: int) -> Exception:
    """What `receive` raises when the server says so many events and then closes with the code."""

    async def hold(connection: ServerConnection) -> None:
        for _ in range(after):
            await connection.send(json.dumps({"type": "session.created"}))
        await connection.close(code, "as the script has it")

    async with serve(hold, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connected(f"ws://127.0.0.1:{port}/", None) as transport:
            for _ in range(after):
                await transport.receive()
            with pytest.raises(CannotTalk) as caught:
                await transport.receive()
            with pytest.raises(CannotTalk):
                await transport.send({"type": "response.create"})
    return caught.value


async def test_a_token_may_be_refused_after_the_handshake() -> None:
    assert isinstance(await closing(1008, after=0), TokenRefused)


async def test_a_connection_closed_later_is_lost_whatever_the_code() -> None:
    lost = await closing(1008, after=1)
    assert isinstance(lost, ConnectionLost) and "code 1008: as the script has it" in str(lost)
    assert not isinstance(lost, CutOff), "the server has ended the conversation"


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_a_connection_closed_for_the_servers_own_reasons_may_be_made_again(code: int) -> None:
    assert isinstance(await closing(code, after=1), CutOff)


async def test_a_server_that_vanishes_is_reported() -> None:
    server = ScriptedServer(lost_at_ms=0)
    async with serving(server) as url, connected(url, None) as transport:
        await transport.receive()
        await transport.send({"type": "input_audio_buffer.append", "audio": ""})
        with pytest.raises(CutOff, match="without a goodbye"):
            await transport.receive()


@pytest.mark.parametrize("status", [404, 410])
async def test_a_conversation_that_cannot_be_gone_on_with_is_told_from_a_server_that_is_none(status: int) -> None:
    async with serving(ScriptedServer(), status=status, refusal='{"detail": "it is over"}') as url:
        with pytest.raises(ConversationOver, match=r"does not go on .* \(it is over\); start the talk again"):
            await dial(url, None, {"session_id": "sess_1"})
        with pytest.raises(ServerUnreachable):
            await dial(url, None)


@pytest.mark.parametrize("given", ["", "?model=m"])
async def test_where_to_go_on_is_added_to_the_address(given: str) -> None:
    asked: list[str] = []

    async def hold(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.path)

    async with serve(hold, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        query = {"session_id": "sess_1", "last_event_id": "event_1_a7"}
        transport = await dial(f"ws://127.0.0.1:{port}/{given}", None, query)
        with pytest.raises(ConnectionLost):
            await transport.receive()
    assert asked == [f"/{given}{'&' if given else '?'}session_id=sess_1&last_event_id=event_1_a7"]
