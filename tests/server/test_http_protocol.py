"""Connections that are opened and not used: each is dropped in time, without the end of the stream from its client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from tandem_server.http_protocol import http_protocol

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
SOON, NEVER = 0.05, 3600.0
"""Seconds"""
ANSWERED = b"HTTP/1.1 200 OK"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answers with the body; a WebSocket is accepted and says one thing after it has heard one."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        if (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "heard"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(seconds: float, most: int = 9) -> AsyncIterator[int]:
    """The port of a server with these bounds."""
    config = uvicorn.Config(
        echo,
        port=0,
        ws="websockets-sansio",
        lifespan="off",
        log_level="critical",
        timeout_keep_alive=3600,
    )
    config.load()
    state = uvicorn.server.ServerState()
    protocol = http_protocol(seconds, most)

    def connection() -> asyncio.Protocol:
        return protocol(config, state, {})

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for one in list(state.connections):
        one.transport.abort()
    await asyncio.gather(*state.tasks)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET",
        b"GET / HTTP/1.1\r\nHost: x",
        HANDSHAKE[:-2],
        b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 9\r\n\r\nhalf",
    ],
    ids=["nothing", "half a method", "half a head", "half a handshake", "half a body"],
)
async def test_a_request_that_does_not_arrive_is_dropped(sent: bytes) -> None:
    async with serving(SOON) as port, asyncio.timeout(30.0):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)

        assert (await reader.read()).startswith(b"HTTP/1.1 408 Request Timeout")  # read to the server's end of stream
        writer.close()


@pytest.mark.parametrize("sent", [b"\r\n", b"GET / HT"])
async def test_a_second_request_has_its_deadline_too(sent: bytes) -> None:
    async with serving(SOON) as port, asyncio.timeout(30.0):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(ANSWERED)
        writer.write(sent)

        assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_request_that_comes_in_pieces_is_answered() -> None:
    async with serving(NEVER) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in (b"POST / HT", b"TP/1.1\r\nHost: x\r\ncontent-len", b"gth: 4\r\n\r\nbo", b"dy"):
            writer.write(piece)
            await writer.drain()

        answer = await reader.readuntil(b"body")
        assert answer.startswith(ANSWERED)
        writer.close()


async def test_a_websocket_that_was_let_in_has_no_deadline() -> None:
    async with serving(SOON) as port, asyncio.timeout(30.0):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        idle, silent = await asyncio.open_connection("127.0.0.1", port)
        await idle.read()  # by then the deadline of the first, had it one, would be over
        writer.write(b"\x81\x82" + bytes(4) + b"hi")

        assert await reader.readexactly(7) == b"\x81\x05heard"
        writer.close()
        silent.close()


async def test_connections_beyond_the_limit_are_refused_and_a_place_that_is_left_is_given_again() -> None:
    async with serving(NEVER, most=2) as port, asyncio.timeout(30.0):
        first, second = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, third = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 Service Unavailable")
        third.close()
        first[1].write(b"GET / HTTP/1.1\r\nHost: x\r\nconnection: close\r\n\r\n")
        assert (await first[0].read()).startswith(ANSWERED)

        again, fourth = await asyncio.open_connection("127.0.0.1", port)
        fourth.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await again.readuntil(b"\r\n\r\n")).startswith(ANSWERED)
        for writer in (first[1], second[1], fourth):
            writer.close()
