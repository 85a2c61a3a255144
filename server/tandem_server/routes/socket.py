"""A Starlette WebSocket as the line to a client sees it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from tandem_server.dialects import Dialect
from tandem_server.equipment import Limits
from tandem_server.line import ConnectionLostError, Message
from tandem_server.pace import TokenBucket

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a close frame may wait to be sent."""
_GOODBYES: Final = frozenset({1000, 1001, 1005})
"""What a client that wants to leave closes with; anything else has cut it off."""


class Socket:
    """A Starlette WebSocket as the session sees it."""

    def __init__(self, websocket: WebSocket, dialect: Dialect, limits: Limits) -> None:
        self._websocket = websocket
        self._dialect = dialect
        self._pace = TokenBucket(limits.message_rate, limits.message_burst)

    async def receive(self) -> Message:
        """The next message, no faster than a client may be read. Raises ConnectionLostError."""
        if (wait := self._pace.take(1, time.monotonic())) > 0:
            await asyncio.sleep(wait)
        try:
            message = await self._websocket.receive()
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionLostError from error
        if message["type"] == "websocket.disconnect":
            # Uvicorn gives a reason, be it empty, with a close frame, and none (but 1005) when the connection broke.
            raise ConnectionLostError(final="reason" in message and message["code"] in _GOODBYES)
        text: str | None = message.get("text")
        return self._dialect.read(text) if text is not None else message["bytes"]

    async def send(self, message: Message) -> None:
        """Send one message. Raises ConnectionLostError."""
        try:
            if isinstance(message, bytes):
                await self._websocket.send_bytes(message)
            elif (text := self._dialect.write(message)) is not None:
                await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionLostError from error

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye, if anybody is still there; a reason has at most 123 bytes (RFC 6455, 5.5)."""
        if self._websocket.application_state is WebSocketState.DISCONNECTED:
            return
        try:
            # Who does not read what it was sent does not read this either, and would keep its place for ever.
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._websocket.close(code, reason.encode()[:120].decode(errors="ignore"))
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            return
