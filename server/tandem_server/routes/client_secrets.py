"""`POST /v1/realtime/client_secrets`: a key that a web page may have, and the session that it opens."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, HTTPException
from openai.types.realtime import RealtimeErrorEvent, SessionUpdateEvent
from pydantic import ValidationError

from tandem_server import beta
from tandem_server.client_secrets import ClientSecret, ClientSecrets, TooManySecretsError
from tandem_server.contract import (
    ClientSecretRequest,
    ExpiresAfter,
    SessionPreset,
    TandemSettings,
    parse_client_event,
)
from tandem_server.conversation import Conversation
from tandem_server.conversation_events import ClientSent, Send
from tandem_server.equipment import Engines
from tandem_server.errors import ClientError

Json = dict[str, Any]
RETRY_AFTER: Final = 60
"""Seconds a caller is asked to wait when too many are alive."""


def client_secret_routes(engines: Callable[[], Engines], kept: ClientSecrets, tandem: TandemSettings) -> APIRouter:
    """The router; `tandem` is what a session starts with when nothing is asked for."""
    router = APIRouter()

    def issue(seconds: int, session: SessionPreset | None) -> tuple[ClientSecret, Json]:
        effective = _effective(engines(), tandem, session)
        try:
            return kept.issue(seconds, session), effective
        except TooManySecretsError as error:
            raise HTTPException(429, str(error), {"Retry-After": str(RETRY_AFTER)}) from None

    @router.post("/v1/realtime/client_secrets", summary="A key with which a web page may open sessions for a while")
    async def create(wanted: ClientSecretRequest | None = None) -> Json:
        wanted = wanted or ClientSecretRequest()
        made, session = issue(wanted.expires_after.seconds, wanted.session)
        return {"value": made.value, "expires_at": int(made.expires_at), "session": session}

    @router.post("/v1/realtime/sessions", summary="The same for clients of the beta protocol")
    async def create_beta(flat: Annotated[Json | None, Body()] = None) -> Json:
        flat = dict(flat or {})
        expires_after = _expires_after(flat.pop("client_secret", None))
        event = parse_client_event(beta.read(json.dumps({"type": "session.update", "session": flat})))
        assert isinstance(event, SessionUpdateEvent)
        made, session = issue(expires_after.seconds, event.session)
        shown = beta.write(json.dumps({"type": "session.created", "session": session}))
        assert shown is not None
        secret = {"value": made.value, "expires_at": int(made.expires_at)}
        return {**json.loads(shown)["session"], "client_secret": secret}

    return router


def _effective(engines: Engines, tandem: TandemSettings, session: SessionPreset | None) -> Json:
    """What a session opened so will say of itself. Raises ClientError when it cannot be had."""
    names = {"recogniser": engines.recogniser.name, "voice_name": engines.voice.name}
    trial = Conversation(f"sess_{secrets.token_hex(8)}", engines.agent, **names, tandem=tandem, plan=engines.plan)
    if session is not None:
        for effect in trial.handle(ClientSent(SessionUpdateEvent(type="session.update", session=session)), 0.0):
            if isinstance(effect, Send) and isinstance(effect.event, RealtimeErrorEvent):
                error = effect.event.error
                raise ClientError(error.message, code=error.code or "invalid_value", param=error.param)
    return trial.session


def _expires_after(client_secret: Any) -> ExpiresAfter:
    """Of a beta session's `client_secret` field. Raises ClientError."""
    try:
        given = client_secret.get("expires_after") if isinstance(client_secret, dict) else None
        return ExpiresAfter.model_validate(given or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("client_secret.expires_after", *map(str, first["loc"])))
        raise ClientError(f"{where}: {first['msg']}", param=where) from None
