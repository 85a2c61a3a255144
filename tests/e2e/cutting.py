"""A network that can be cut: TCP connections through here end without a WebSocket's goodbye."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from websockets.asyncio.client import ClientConnection

PIECE: Final = 65536


class Wire:
    """One connection: client <-> here <-> server."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._sending = asyncio.create_task(carry(self._from_client, self._to_server))
        self._receiving = asyncio.create_task(carry(self._from_server, self._to_client))

    async def cut(self) -> None:
        """The client is cut off, but nothing that was under way to it is lost: all that the server had sent when it
        noticed still arrives."""
        await stopped(self._sending)
        self._to_server.write_eof()
        await asyncio.wait([self._receiving])
        self._to_client.close()
        self._to_server.transport.abort()

    async def lose(self, size: int) -> None:
        """At least so many bytes to the client are lost, then both ends are reset."""
        await stopped(self._sending)
        await stopped(self._receiving)
        await self._from_server.readexactly(size)
        self.reset()

    def stall(self) -> None:
        """Carry nothing any more, and tell nobody."""
        self._sending.cancel()
        self._receiving.cancel()

    def reset(self) -> None:
        """Hang up on both, without a word."""
        self._to_client.transport.abort()
        self._to_server.transport.abort()

    async def close(self) -> None:
        """Take it down, whatever has become of it."""
        await stopped(self._sending)
        await stopped(self._receiving)
        self.reset()
        for writer in (self._to_client, self._to_server):
            with suppress(ConnectionError):
                await writer.wait_closed()


class Network:
    """Every connection that was made through here, in order."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.wires: list[Wire] = []
        self.port = 0
        self.down = False
        """Nobody who calls gets through."""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client: the server is called for it."""
        if self.down:
            writer.transport.abort()
            return
        server = await asyncio.open_connection("127.0.0.1", self._server_port)
        self.wires.append(Wire((reader, writer), server))


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything one way, until one of the ends is closed."""
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


async def stopped(task: asyncio.Task[None]) -> None:
    """Cancel it, and wait until it is over."""
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def network(port: int) -> AsyncIterator[Network]:
    """In front of the server on this port; `port` of what is yielded is where clients call."""
    made = Network(port)
    async with await asyncio.start_server(made.accept, "127.0.0.1") as listening:
        made.port = listening.sockets[0].getsockname()[1]
        try:
            yield made
        finally:
            for wire in made.wires:
                await wire.close()


def reset(connection: ClientConnection) -> None:
    """Hang up without a word: RST instead of FIN."""
    link = connection.transport.get_extra_info("socket")
    if not connection.transport.is_closing():
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()
