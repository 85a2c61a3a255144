"""A chat endpoint on a real socket that behaves, stalls, breaks off or talks nonsense as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[["Call"], Awaitable[None]]


@dataclass
class Call:
    """One request and the way to answer it."""

    body: dict[str, Any]
    head: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def start(self) -> None:
        """The head of an event stream."""
        await self.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def event(self, text: str) -> None:
        """One server-sent event as an HTTP chunk."""
        data = f"data: {text}\n\n".encode()
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def token(self, text: str) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        await self.event(json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}))

    async def part(self, index: int, name: str | None, arguments: str) -> None:
        """A part of a function call; its id comes with its name."""
        call = {"index": index, "function": {"arguments": arguments}}
        if name is not None:
            call = {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": arguments}}
        choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
        await self.event(json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}))

    async def end(self) -> None:
        await self.event("[DONE]")
        await self.raw(b"0\r\n\r\n")


@dataclass
class ChatServer:
    """Answers call after call with the next behaviour; the last one stays."""

    behaviours: Sequence[Behaviour]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has closed a connection that was being answered."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # the client could not even ask
            return
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        call = Call(json.loads(await reader.readexactly(length)), head, reader, writer)
        behaviour = self.behaviours[min(len(self.calls), len(self.behaviours) - 1)]
        self.calls.append(call)
        try:
            await behaviour(call)
        except ConnectionError:
            self.gone.set()
        finally:
            writer.close()

    async def until_gone(self, call: Call) -> None:
        """Waits for the client to hang up."""
        try:
            while await call.reader.read(100):
                pass
        except ConnectionError:
            pass
        self.gone.set()


@asynccontextmanager
async def serving(*behaviours: Behaviour) -> AsyncIterator[ChatServer]:
    """A chat server on a free port of this machine."""
    chat = ChatServer(behaviours)
    server = await asyncio.start_server(chat.handle, "127.0.0.1", 0)
    chat.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield chat
    finally:
        server.close()
        for writer in chat.writers:  # else a socket may outlive its loop, and a later test is blamed for it
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await server.wait_closed()


def says(*tokens: str) -> Behaviour:
    """Streams the tokens as it should."""

    async def behave(call: Call) -> None:
        await call.start()
        for token in tokens:
            await call.token(token)
        await call.end()

    return behave


def refuses(status: int, message: str = "because") -> Behaviour:
    """Answers with an HTTP error."""

    async def behave(call: Call) -> None:
        body = json.dumps({"error": {"message": message}}).encode()
        head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        await call.raw(head.encode() + b"connection: close\r\n\r\n" + body)

    return behave


def breaks_off(*tokens: str) -> Behaviour:
    """Drops the connection after the tokens, in the middle of a chunk."""

    async def behave(call: Call) -> None:
        await call.start()
        for token in tokens:
            await call.token(token)
        await call.raw(b"40\r\ndata: {")
        call.writer.transport.abort() if not tokens else call.writer.close()

    return behave


def streams(*events: str) -> Behaviour:
    """Streams events that need not be chunks of a chat."""

    async def behave(call: Call) -> None:
        await call.start()
        for event in events:
            await call.event(event)
        await call.end()

    return behave


def calls(*parts: tuple[int, str | None, str], said: str = "") -> Behaviour:
    """Says something, or nothing, and streams the parts of function calls."""

    async def behave(call: Call) -> None:
        await call.start()
        if said:
            await call.token(said)
        for part in parts:
            await call.part(*part)
        await call.end()

    return behave
