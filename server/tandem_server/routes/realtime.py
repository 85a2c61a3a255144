"""`GET /v1/realtime`: the WebSocket. Lets a caller in, runs its session, and says why it ends."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from tandem_server.contract import TandemSettings
from tandem_server.equipment import Engines, Limits
from tandem_server.errors import ClientError, ProtocolViolation, TandemError
from tandem_server.line import ClientTooSlowError, ConnectionLostError, Line, Message
from tandem_server.routes.access import Access, Refusal
from tandem_server.routes.problems import problem
from tandem_server.routes.sessions import Held, Sessions
from tandem_server.session import Session
from tandem_server.telemetry import Log

NORMAL, POLICY, INTERNAL = 1000, 1008, 1011
"""Close codes of RFC 6455 and the IANA registry."""
_GOODBYES: Final = frozenset({1000, 1001, 1005})
"""What a client that wants to leave closes with; anything else has cut it off."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a close frame may wait to be sent."""
RETRY_AFTER: Final = 10
"""Seconds a caller is asked to wait when all places are taken."""


BUSY: Final = Refusal(503, "All places are taken", "this server holds as many conversations as it may")
OVER: Final = Refusal(
    404, "No such conversation", "it is over, or the server was started anew: connect without session_id"
)


class Socket:
    """A Starlette WebSocket as the session sees it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> Message:
        """The next message. Raises ConnectionLostError."""
        try:
            message = await self._websocket.receive()
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionLostError from error
        if message["type"] == "websocket.disconnect":
            # uvicorn reports 1005 for a lost connection too; only a close frame brings a reason, be it empty.
            raise ConnectionLostError(final="reason" in message and message.get("code") in _GOODBYES)
        text: str | None = message.get("text")
        return text if text is not None else message["bytes"]

    async def send(self, message: Message) -> None:
        """Send one message. Raises ConnectionLostError."""
        try:
            if isinstance(message, bytes):
                await self._websocket.send_bytes(message)
            else:
                await self._websocket.send_text(message)
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


def realtime_routes(
    engines: Callable[[], Engines], access: Access, sessions: Sessions, tandem: TandemSettings, limits: Limits, log: Log
) -> APIRouter:
    """The router; `engines` is asked when a caller comes, since they are made at start-up."""
    router = APIRouter()

    @router.get("/v1/realtime", summary="Would a WebSocket be let in here? 426 is yes; browsers cannot see why not")
    async def preflight(session_id: str | None = None, last_event_id: str | None = None) -> JSONResponse:
        if session_id is not None:
            found = _resumable(sessions, session_id, last_event_id)
            if isinstance(found, Refusal):
                return problem(found.status, found.title, found.detail)
        elif sessions.full:
            return problem(BUSY.status, BUSY.title, BUSY.detail, {"Retry-After": str(RETRY_AFTER)})
        return problem(426, "Upgrade required", "this is a WebSocket", {"Upgrade": "websocket"})

    @router.websocket("/v1/realtime")
    async def realtime(websocket: WebSocket) -> None:
        offered = list(websocket.scope.get("subprotocols", []))
        refusal = access.check(websocket.headers, offered)
        if refusal is not None:
            await _refuse(websocket, refusal)
            return
        subprotocol = "realtime" if "realtime" in offered else None
        if "session_id" in websocket.query_params:
            await _resume(websocket, sessions, subprotocol, log)
            return
        session_id = f"sess_{secrets.token_hex(16)}"
        line = Line(Socket(websocket), limits.away)
        session = Session(session_id, engines(), line, tandem, limits, log)
        if not sessions.enter(session_id, Held(session, line)):
            await _refuse(websocket, BUSY)
            return
        try:
            await websocket.accept(subprotocol)
            await _talk(session_id, session, line, log)
        finally:
            sessions.leave(session_id)

    return router


async def _talk(session_id: str, session: Session, line: Line, log: Log) -> None:
    code, reason = NORMAL, ""
    log.info("session_began", session=session_id)
    try:
        await session.run()
    except ProtocolViolation as error:
        code, reason = error.close_code, str(error)
    except ClientTooSlowError:
        code, reason = POLICY, "the client does not read what it is sent"
    except TimeoutError as error:
        code, reason = NORMAL, str(error)
    except ConnectionLostError:
        pass
    except TandemError as error:
        code, reason = INTERNAL, str(error)
        log.error("session_failed", session=session_id, error=str(error))
    except Exception as error:
        # A bug of ours ends this conversation and no other; uvicorn would only close the socket without a word.
        code, reason = INTERNAL, "internal error"
        log.exception("session_crashed", session=session_id, error=repr(error))
    await line.close(code, reason)
    log.info("session_ended", session=session_id, code=code, reason=reason)


async def _resume(websocket: WebSocket, sessions: Sessions, subprotocol: str | None, log: Log) -> None:
    """Go on with a conversation whose client was cut off; its first connection's task goes on running it."""
    session_id = websocket.query_params["session_id"]
    last_event_id = websocket.query_params.get("last_event_id")
    held = _resumable(sessions, session_id, last_event_id)
    if isinstance(held, Refusal):
        await _refuse(websocket, held)
        return
    await websocket.accept(subprotocol)
    socket = Socket(websocket)
    log.info("session_resumed", session=session_id)
    try:
        await held.line.resume(socket, held.session.greeting(), last_event_id)
    except (ClientError, ClientTooSlowError) as error:
        await socket.close(POLICY, str(error) or "the client does not read what it is sent")


def _resumable(sessions: Sessions, session_id: str, last_event_id: str | None) -> Held | Refusal:
    """The conversation, if it can be gone on with from there."""
    held = sessions.find(session_id)
    if held is None:
        return OVER
    try:
        held.line.check(last_event_id)
    except ClientError as error:
        return Refusal(410, "Too much was missed", str(error))
    return held


async def _refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """An HTTP answer instead of a WebSocket (RFC 9457 problem)."""
    headers = {"Retry-After": str(RETRY_AFTER)} if refusal.status == 503 else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    await websocket.send_denial_response(problem(refusal.status, refusal.title, refusal.detail, headers))
