"""Who may talk to the server: Host (DNS rebinding), Origin (foreign pages), the shared token and client secrets."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tandem_server.client_secrets import PREFIX, ClientSecret, ClientSecrets

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_KEY_PROTOCOL: Final = "openai-insecure-api-key."
"""Browsers cannot set headers on a WebSocket; OpenAI's own clients carry the key in this subprotocol."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server."""

    token: str | None = None
    hosts: frozenset[str] = LOCAL_NAMES
    """Names in the Host header that are ours; empty means any (the token guards instead)"""
    origins: frozenset[str] = frozenset()
    """Pages besides our own, as scheme://host[:port]"""
    client_secrets: ClientSecrets = field(default_factory=ClientSecrets)

    def check(
        self, headers: Mapping[str, str], subprotocols: list[str], *, for_session: bool = False
    ) -> Refusal | None:
        """None when the request may come in; a client secret is good for a session only."""
        host = headers.get("host", "")
        if self.hosts and host_name(host) not in self.hosts:
            return Refusal(403, "Unknown host", _unknown(host))
        origin = headers.get("origin")
        if origin is not None and not self._own(origin, host) and origin not in self.origins:
            return Refusal(403, "Foreign page", _foreign(origin))
        keys = offered_keys(headers, subprotocols)
        knows_token = self.token is not None and self._has_token(keys)
        if for_session and not knows_token and any(key.startswith(PREFIX) for key in keys):
            # Also where no token is needed: who has a key wants the session that was prepared with it.
            return None if self.client_secrets.find(keys) is not None else EXPIRED
        if self.token is not None and not knows_token:
            return Refusal(401, "Token needed", "send the server's token as Authorization: Bearer TOKEN")
        return None

    def client_secret(self, headers: Mapping[str, str], subprotocols: list[str]) -> ClientSecret | None:
        """The one that the request comes with."""
        return self.client_secrets.find(offered_keys(headers, subprotocols))

    def _own(self, origin: str, host: str) -> bool:
        try:
            return urlsplit(origin).netloc.lower() == host.lower() and bool(host)
        except ValueError:  # no URL at all, as http://[
            return False

    def _has_token(self, keys: list[str]) -> bool:
        assert self.token is not None
        # compare_digest takes the same time wherever the first difference is.
        return any(hmac.compare_digest(one.encode(), self.token.encode()) for one in keys)


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
