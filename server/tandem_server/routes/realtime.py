"""`GET /v1/realtime`: the WebSocket. Lets a caller in, runs its session, and says why it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from openai.types.realtime import RealtimeTranscriptionSessionCreateRequest
from starlette.websockets import WebSocket

from tandem_server.client_secrets import digest
from tandem_server.contract import SessionPreset, TandemSettings
from tandem_server.dialects import BETA_PROTOCOL, dialect_of
from tandem_server.equipment import Engines, Limits
from tandem_server.errors import ClientError, ProtocolViolation, TandemError
from tandem_server.line import ClientTooSlowError, ConnectionLostError, Line
from tandem_server.metrics import Metrics
from tandem_server.routes.access import Access, Refusal
from tandem_server.routes.problems import problem
from tandem_server.routes.sessions import Held, Sessions
from tandem_server.routes.socket import Socket
from tandem_server.session import Session
from tandem_server.telemetry import Log

NORMAL, POLICY, INTERNAL = 1000, 1008, 1011
"""Close codes of RFC 6455 and the IANA registry."""
PROTOCOLS: Final = ("realtime", BETA_PROTOCOL)
"""Subprotocols that we answer with, the one we like best first."""
OVER: Final = Refusal(
    404, "No such conversation", "it is over, or the server was started anew: connect without session_id"
)


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

    def admitted(
        headers: Mapping[str, str], offered: list[str], wanted: str | None, last_event_id: str | None
    ) -> tuple[Held | None, Refusal | None]:
        """The conversation that is gone on with, if any; and why nothing comes of it."""
        if wanted is None:
            return None, access.check_session(headers, offered) or sessions.closed
        held = sessions.find(wanted)
        if held is None or not access.may_resume(headers, offered, held.opened_by):
            return None, access.check_session(headers, offered) or OVER
        return held, _missed(held, last_event_id)

    @router.get("/v1/realtime", summary="Would a WebSocket be let in here? 426 is yes; browsers cannot see why not")
    async def preflight(
        request: Request, session_id: str | None = None, last_event_id: str | None = None
    ) -> JSONResponse:
        _, refusal = admitted(request.headers, [], session_id, last_event_id)
        if refusal is not None:
            return problem(refusal.status, refusal.title, refusal.detail, refusal.headers)
        return problem(426, "Upgrade required", "this is a WebSocket", {"Upgrade": "websocket"})

    @router.websocket("/v1/realtime")
    async def realtime(websocket: WebSocket) -> None:
        offered = list(websocket.scope.get("subprotocols", []))
        asked = websocket.query_params
        wanted, last_event_id = asked.get("session_id"), asked.get("last_event_id")
        held, refusal = admitted(websocket.headers, offered, wanted, last_event_id)
        if refusal is not None:
            metrics.refused(refusal.status)
            await _refuse(websocket, refusal)
            return
        # A browser that offered protocols takes no answer without one.
        subprotocol = next((name for name in PROTOCOLS if name in offered), None)
        socket = Socket(websocket, dialect_of(websocket.headers, offered), limits)
        if held is not None:
            await websocket.accept(subprotocol)
            metrics.resumed()
            log.info("session_resumed", session=wanted)
            await _go_on(socket, held, last_event_id)
            return
        secret = access.client_secret(websocket.headers, offered)
        preset = secret.session if secret is not None else preset_of(websocket.query_params.get("intent"))
        session_id, line, code = f"sess_{secrets.token_hex(16)}", Line(socket, limits.away), INTERNAL
        session = Session(session_id, engines(), line, tandem, limits, log, preset)
        sessions.enter(session_id, Held(session, line, None if secret is None else digest(secret.value)))
        metrics.began()
        try:
            await websocket.accept(subprotocol)
            code = await _talk(session_id, session, line, log)
        finally:
            sessions.leave(session_id)
            metrics.ended(code)

    return router


def preset_of(intent: str | None) -> SessionPreset | None:
    """What a session begins with that is opened for a purpose; other purposes than transcription make no difference."""
    return RealtimeTranscriptionSessionCreateRequest(type="transcription") if intent == "transcription" else None


async def _talk(session_id: str, session: Session, line: Line, log: Log) -> int:
    """One session from beginning to end: the code it was closed with, as far as that was our decision."""
    code, reason = NORMAL, ""
    log.info("session_began", session=session_id)
    try:
        await session.run()
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
    await line.close(code, reason)
    log.info("session_ended", session=session_id, code=code, reason=reason)
    return code


def _missed(held: Held, last_event_id: str | None) -> Refusal | None:
    """Why a conversation cannot be gone on with from there."""
    try:
        held.line.check(last_event_id)
    except ClientError as error:
        return Refusal(410, "Too much was missed", str(error))
    return None


async def _go_on(socket: Socket, held: Held, last_event_id: str | None) -> None:
    """A client that was cut off is back; the task of its first connection goes on running the conversation."""
    try:
        await held.line.resume(socket, held.session.greeting(), last_event_id)
    except (ClientError, ClientTooSlowError) as error:
        await socket.close(POLICY, str(error) or "the client does not read what it is sent")


async def _refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """An HTTP answer instead of a WebSocket (RFC 9457 problem)."""
    await websocket.send_denial_response(problem(refusal.status, refusal.title, refusal.detail, refusal.headers))
