"""uvicorn's HTTP protocol with two bounds that it lacks: how long a request may take to arrive, and how many
connections there may be. Both hold before any token is looked at, so nobody needs one to be held to them."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LATE: Final = (408, "Request Timeout", "the request did not arrive in time")
FULL: Final = (503, "Service Unavailable", "too many connections; try again in a while")


def http_protocol(seconds: float, most: int) -> type[HttpToolsProtocol]:
    """The protocol for uvicorn.Config(http=...): a request, its body or WebSocket handshake included, arrives within
    `seconds` of the connection or of its first byte, and there are at most `most` connections."""

    class BoundedHttpProtocol(HttpToolsProtocol):
        """One connection until it is a WebSocket."""

        _arriving: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                self._refuse(*FULL)
            else:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._arrived()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            if self._arriving is None and (self.cycle is None or self.cycle.response_complete):
                self._wait()  # the next request on a connection that was kept; an empty line is a beginning too
            super().data_received(data)

        def on_message_complete(self) -> None:
            self._arrived()
            super().on_message_complete()

        def handle_websocket_upgrade(self) -> None:
            self._arrived()
            super().handle_websocket_upgrade()

        def _wait(self) -> None:
            self._arriving = self.loop.call_later(seconds, self._refuse, *LATE)

        def _arrived(self) -> None:
            if self._arriving is not None:
                self._arriving.cancel()
                self._arriving = None

        def _refuse(self, status: int, phrase: str, detail: str) -> None:
            self._arrived()
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                body = detail.encode()
                head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n"
                self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
            self.transport.close()

    return BoundedHttpProtocol
