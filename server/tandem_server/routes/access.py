"""Who may talk to the server: Host (DNS rebinding), Origin (foreign pages), the shared token and client secrets."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tandem_server.client_secrets import PREFIX, ClientSecret, ClientSecrets, digest

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_KEY_PROTOCOL: Final = "openai-insecure-api-key."
"""Browsers cannot set headers on a WebSocket; OpenAI's own clients carry the key in this subprotocol."""

RETRY_AFTER: Final = 10
"""Seconds a caller is asked to wait when all places are taken."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    title: str
    detail: str

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says besides."""
        known = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER)}}
        return known.get(self.status, {})


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server."""

    token: str | None = None
    hosts: frozenset[str] = LOCAL_NAMES
    """Names in the Host header that are ours; empty means any (the token guards instead)"""
    origins: frozenset[str] = frozenset()
    """Pages besides our own, as scheme://host[:port]"""
    client_secrets: ClientSecrets = field(default_factory=ClientSecrets)

    def check(self, headers: Mapping[str, str]) -> Refusal | None:
        """None when the request may come in: a client secret is not good for it."""
        refusal = self.check_place(headers)
        known = self.token is None or self._has_token(offered_keys(headers, []))
        return refusal or (None if known else NEEDED)

    def check_place(self, headers: Mapping[str, str]) -> Refusal | None:
        """None when the request goes to a name of ours, and comes from no foreign page."""
        host = headers.get("host", "")
        if self.hosts and host_name(host) not in self.hosts:
            return Refusal(403, "Unknown host", _unknown(host))
        origin = headers.get("origin")
        if origin is not None and not self._own(origin, host) and origin not in self.origins:
            return Refusal(403, "Foreign page", _foreign(origin))
        return None

    def check_session(self, headers: Mapping[str, str], subprotocols: list[str]) -> Refusal | None:
        """None when the request may open a session, with the token or a client secret."""
        keys = offered_keys(headers, subprotocols)
        refusal = self.check_place(headers)
        if refusal is not None or self._has_token(keys):
            return refusal
        if any(key.startswith(PREFIX) for key in keys):
            # Also where no token is needed: who has a key wants the session that was prepared with it.
            return None if self.client_secrets.find(keys) is not None else EXPIRED
        return None if self.token is None else NEEDED

    def may_resume(self, headers: Mapping[str, str], subprotocols: list[str], opened_by: bytes | None) -> bool:
        """May the request go on with a session that was opened with the client secret of this digest, or with none?
        The secret is good for that even when it has expired; no other one is, and the token always."""
        if self.check_place(headers) is not None:
            return False
        keys = offered_keys(headers, subprotocols)
        offered = [digest(key) for key in keys if key.startswith(PREFIX)]
        return self._has_token(keys) or opened_by in offered or (self.token is None and not offered)

    def client_secret(self, headers: Mapping[str, str], subprotocols: list[str]) -> ClientSecret | None:
        """The one that the request comes with."""
        return self.client_secrets.find(offered_keys(headers, subprotocols))

    def _own(self, origin: str, host: str) -> bool:
        try:
            return urlsplit(origin).netloc.lower() == host.lower() and bool(host)
        except ValueError:  # no URL at all, as http://[
            return False

    def _has_token(self, keys: list[str]) -> bool:
        if (token := self.token) is None:
            return False
        # compare_digest takes the same time wherever the first difference is.
        return any(hmac.compare_digest(one.encode(), token.encode()) for one in keys)


NEEDED: Final = Refusal(401, "Token needed", "send the server's token as Authorization: Bearer TOKEN")
EXPIRED: Final = Refusal(
    401, "Unknown client secret", "it has expired, or this server never made it: POST /v1/realtime/client_secrets"
)


def offered_keys(headers: Mapping[str, str], subprotocols: list[str]) -> list[str]:
    """The tokens and client secrets that a request comes with."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    keys = [given.strip()] if kind.lower() == "bearer" else []
    return keys + [name.removeprefix(_KEY_PROTOCOL) for name in subprotocols if name.startswith(_KEY_PROTOCOL)]


def _unknown(host: str) -> str:
    name = host_name(host)
    return f"this server does not answer as {host!r}; if it should, start it with TANDEM_HOSTS='[\"{name}\"]'"


def _foreign(origin: str) -> str:
    return f"pages of {origin} may not use this server; if they should: TANDEM_ORIGINS='[\"{origin}\"]'"


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
