"""The WebSocket: events in and out as Python values, and every way in which a connection fails as one of our errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response

from tandem_client.actions import ConnectionCut, ServerSaid, ServerSpoke, Wire
from tandem_client.errors import ConnectionLost, ConversationOver, CutOff, ServerUnreachable, TokenRefused
from tandem_server.contract import AudioFrame
from tandem_server.errors import ClientError

HANDSHAKE_S: Final = 10.0
"""Seconds for connecting; as in the websockets package."""
GOODBYE_S: Final = 2.0
"""Seconds for the server to answer our close: a person who has pressed Ctrl-C does not wait for more."""
_UNAUTHORISED: Final = frozenset({1008, 3000})
"""Close codes of servers that refuse a token only after the handshake: policy violation, unauthorised (IANA)."""
_RECOVERABLE: Final = frozenset({1001, 1005, 1006, 1011, 1012, 1013})
"""Close codes after which a conversation may go on: going away, none, lost, a fault, a restart, too busy."""
_OVER: Final = frozenset({404, 410})
"""Answers to a client that wants to go on: there is no such conversation, too much of it was missed."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Transport(Protocol):
    """A connection that carries events."""

    async def send(self, event: Wire) -> None:
        """Waits while the server takes no more. Raises ConnectionLost."""

    async def receive(self) -> ServerSaid | ServerSpoke | ConnectionCut:
        """The next event. Raises ConnectionLost or, before the first, TokenRefused."""
        ...


class WebSocketTransport:
    """The real one."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._began = False

    async def send(self, event: Wire) -> None:
        try:
            await self._socket.send(json.dumps(event))
        except ConnectionClosed as closed:
            raise self._lost(closed) from None

    async def receive(self) -> ServerSaid | ServerSpoke:
        try:
            message = await self._socket.recv()
        except ConnectionClosed as closed:
            raise self._lost(closed) from None
        self._began = True
        return parsed(message)

    async def close(self) -> None:
        """Says goodbye."""
        await self._socket.close()

    def _lost(self, closed: ConnectionClosed) -> ConnectionLost | TokenRefused:
        if closed.rcvd is None:
            return CutOff("the connection was lost without a goodbye; did the server stop?")
        code, reason = closed.rcvd.code, closed.rcvd.reason
        if not self._began and code in _UNAUTHORISED:
            return _token_refused(reason or f"code {code}")
        kind = CutOff if code in _RECOVERABLE else ConnectionLost
        return kind(f"the server closed the connection (code {code}{': ' + reason if reason else ''})")


def parsed(message: str | bytes) -> ServerSaid | ServerSpoke:
    """A message of the server as an event. Raises ConnectionLost for what is none: nothing after it can be trusted."""
    try:
        if isinstance(message, bytes):
            return ServerSpoke(AudioFrame.decode(message))
        event = json.loads(message)
    except (ClientError, ValueError) as error:
        raise ConnectionLost(f"the server sent a message that is no event: {error}") from None
    if not isinstance(event, dict):
        raise ConnectionLost("the server sent a message that is no event: not a JSON object")
    return ServerSaid(event)


async def dial(url: str, token: str | None, query: Mapping[str, str] | None = None) -> WebSocketTransport:
    """A connection to the server, with these fields added to the address's query. Raises ServerUnreachable,
    TokenRefused or, where the query asks to go on with a conversation, ConversationOver."""
    address = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}" if query else url
    try:
        socket = await connect(
            address,
            additional_headers={"Authorization": f"Bearer {token}"} if token else {},
            compression=None,  # audio gains nothing from it
            max_size=None,  # the server is trusted, and a long reply may come in one message
            open_timeout=HANDSHAKE_S,
            close_timeout=GOODBYE_S,
            # An HTTP proxy of the environment cannot reach this machine's own ports.
            proxy=None if urlsplit(url).hostname in _LOOPBACK else True,
        )
    except InvalidStatus as refused:
        raise _refused(url, refused.response, resuming=bool(query)) from None
    except (InvalidURI, ValueError) as error:
        raise ServerUnreachable(f"{url} is no WebSocket address (ws://HOST:PORT/v1/realtime): {error}") from None
    except (OSError, InvalidHandshake) as error:
        raise ServerUnreachable(
            f"no Tandem server answers at {url} ({error or type(error).__name__}); start one with `make serve`"
        ) from None
    return WebSocketTransport(socket)


def _refused(url: str, response: Response, *, resuming: bool) -> ServerUnreachable | TokenRefused | ConversationOver:
    status, detail = response.status_code, _detail(response)
    if resuming and status in _OVER:
        why = detail or f"HTTP {status}"
        return ConversationOver(f"the server does not go on with the conversation ({why}); start the talk again")
    if status == 401 or (status == 403 and not detail):
        return _token_refused(f"HTTP {status}")
    if status == 503:
        return ServerUnreachable(f"the server at {url} takes nobody more now ({detail or 'HTTP 503'}); try again soon")
    if detail:
        return ServerUnreachable(f"the server at {url} lets nobody in from here: {detail} (HTTP {status})")
    return ServerUnreachable(f"what answers at {url} is no Tandem server (HTTP {status}); check --url")


def _detail(response: Response) -> str:
    """The reason in words, where the answer is a problem document (RFC 9457)."""
    try:
        problem = json.loads(response.body or b"")
    except ValueError:
        return ""
    return str(problem.get("detail", "")) if isinstance(problem, dict) else ""


def _token_refused(why: str) -> TokenRefused:
    return TokenRefused(f"the server refused the token ({why}); set TANDEM_TOKEN or pass --token")
