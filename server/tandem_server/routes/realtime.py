"""`GET /v1/realtime`: the WebSocket. Lets a caller in, runs its session, and says why it ends."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from tandem_server.contract import TandemSettings
from tandem_server.dialects import BETA_PROTOCOL, Dialect, dialect_of
from tandem_server.equipment import Engines, Limits
from tandem_server.errors import ProtocolViolation, TandemError
from tandem_server.metrics import Metrics
from tandem_server.outgoing import ClientTooSlowError, Message
from tandem_server.pace import TokenBucket
from tandem_server.routes.access import Access, Refusal
from tandem_server.routes.problems import problem
from tandem_server.session import ConnectionLostError, Session
from tandem_server.telemetry import Log

NORMAL, POLICY, INTERNAL = 1000, 1008, 1011
"""Close codes of RFC 6455 and the IANA registry."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a close frame may wait to be sent."""
RETRY_AFTER: Final = 10
"""Seconds a caller is asked to wait when all places are taken."""
PROTOCOLS: Final = ("realtime", BETA_PROTOCOL)
"""Subprotocols that we answer with, the one we like best first."""

BUSY: Final = Refusal(503, "All places are taken", "this server holds as many conversations as it may")
ENDING: Final = Refusal(503, "Server is ending", "this server lets nobody in any more; another may be there soon")


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
            raise ConnectionLostError
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


class Sessions:
    """The callers that are in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self.started = False
        """Callers can be served"""
        self.draining = False
        """Nobody is let in any more"""

    @property
    def count(self) -> int:
        """Callers that are in now."""
        return self._count

    @property
    def closed(self) -> Refusal | None:
        """Why nobody else is let in now."""
        if self.draining:
            return ENDING
        return BUSY if self._count >= self._limit else None

    def enter(self) -> None:
        """Take a place, which must be there."""
        self._count += 1

    def leave(self) -> None:
        """Give the place back."""
        self._count -= 1


def realtime_routes(
    engines: Callable[[], Engines],
    access: Access,
    sessions: Sessions,
    tandem: TandemSettings,
    limits: Limits,
    metrics: Metrics,
    log: Log,
) -> APIRouter:
    """The router; `engines` is asked when a caller comes, since they are made at start-up."""
    router = APIRouter()

    @router.get("/v1/realtime", summary="Would a WebSocket be let in here? 426 is yes; browsers cannot see why not")
    async def preflight() -> JSONResponse:
        if (closed := sessions.closed) is not None:
            return problem(closed.status, closed.title, closed.detail, {"Retry-After": str(RETRY_AFTER)})
        return problem(426, "Upgrade required", "this is a WebSocket", {"Upgrade": "websocket"})

    @router.websocket("/v1/realtime")
    async def realtime(websocket: WebSocket) -> None:
        offered = list(websocket.scope.get("subprotocols", []))
        refusal = access.check(websocket.headers, offered, for_session=True) or sessions.closed
        if refusal is not None:
            metrics.refused(refusal.status)
            await _refuse(websocket, refusal)
            return
        secret = access.client_secret(websocket.headers, offered)
        preset = secret.session if secret is not None else None
        socket = Socket(websocket, dialect_of(websocket.headers, offered), limits)
        sessions.enter()
        metrics.began()
        code = INTERNAL
        try:
            # A browser that offered protocols takes no answer without one.
            await websocket.accept(next((name for name in PROTOCOLS if name in offered), None))
            code = await _talk(socket, lambda name: Session(name, engines(), socket, tandem, limits, log, preset), log)
        finally:
            sessions.leave()
            metrics.ended(code)

    return router


async def _talk(socket: Socket, session: Callable[[str], Session], log: Log) -> int:
    """One session from beginning to end: the code it was closed with, as far as that was our decision."""
    session_id = f"sess_{secrets.token_hex(8)}"
    code, reason = NORMAL, ""
    log.info("session_began", session=session_id)
    try:
        await session(session_id).run()
    except ProtocolViolation as error:
        code, reason = error.close_code, error.plain
    except ClientTooSlowError:
        code, reason = POLICY, "the client does not read what it is sent"
    except TimeoutError as error:
        code, reason = NORMAL, str(error)
    except ConnectionLostError:
        pass
    except TandemError as error:
        code, reason = INTERNAL, error.plain
        log.error("session_failed", session=session_id, error=error)
    except Exception as error:
        # A bug of ours ends this conversation and no other; uvicorn would only close the socket without a word.
        code, reason = INTERNAL, "internal error"
        log.exception("session_crashed", session=session_id, error=error)
    await socket.close(code, reason)
    log.info("session_ended", session=session_id, code=code, reason=reason)
    return code


async def _refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """An HTTP answer instead of a WebSocket (RFC 9457 problem)."""
    headers = {"Retry-After": str(RETRY_AFTER)} if refusal.status == 503 else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    await websocket.send_denial_response(problem(refusal.status, refusal.title, refusal.detail, headers))
