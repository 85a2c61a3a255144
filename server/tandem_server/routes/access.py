"""Who may talk to the server: Host (DNS rebinding), Origin (foreign pages) and the shared token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

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

    def check(self, headers: Mapping[str, str], subprotocols: list[str]) -> Refusal | None:
        """None when the request may come in."""
        host = headers.get("host", "")
        if self.hosts and host_name(host) not in self.hosts:
            return Refusal(403, "Unknown host", _unknown(host))
        origin = headers.get("origin")
        if origin is not None and not self._own(origin, host) and origin not in self.origins:
            return Refusal(403, "Foreign page", _foreign(origin))
        if self.token is not None and not self._knows_token(headers, subprotocols):
            return Refusal(401, "Token needed", "send the server's token as Authorization: Bearer TOKEN")
        return None

    def _own(self, origin: str, host: str) -> bool:
        try:
            return urlsplit(origin).netloc.lower() == host.lower() and bool(host)
        except ValueError:  # no URL at all, as http://[
            return False

    def _knows_token(self, headers: Mapping[str, str], subprotocols: list[str]) -> bool:
        assert self.token is not None
        kind, _, given = headers.get("authorization", "").partition(" ")
        offered = [given.strip()] if kind.lower() == "bearer" else []
        offered += [name.removeprefix(_KEY_PROTOCOL) for name in subprotocols if name.startswith(_KEY_PROTOCOL)]
        # compare_digest takes the same time wherever the first difference is.
        return any(hmac.compare_digest(one.encode(), self.token.encode()) for one in offered)


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
