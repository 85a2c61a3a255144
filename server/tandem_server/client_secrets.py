"""Keys for browsers: each opens realtime sessions, and nothing else, until it expires. Kept in memory, bounded."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tandem_server.contract import SessionPreset

PREFIX: Final = "ek_"
"""OpenAI's; its browser clients take no key for a browser's that begins otherwise."""
MOST: Final = 1_000
MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""Of all presets together, as JSON"""


class TooManySecretsError(Exception):
    """Nothing more can be kept until some have expired."""

    def __init__(self) -> None:
        super().__init__("too many client secrets have not expired yet")


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What was handed out; `session` is what a session opened with it starts with."""

    value: str
    expires_at: float
    """Seconds since 1970"""
    session: SessionPreset | None
    characters: int


class ClientSecrets:
    """Those that have not expired."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[bytes, ClientSecret] = {}
        """By digest: how long a look-up takes tells nothing of a key that is not known already"""

    def issue(self, seconds: int, session: SessionPreset | None) -> ClientSecret:
        """A new one. Raises TooManySecretsError."""
        self._expire()
        characters = len(session.model_dump_json(exclude_unset=True)) if session is not None else 0
        held = sum(one.characters for one in self._kept.values())
        if len(self._kept) >= MOST or held + characters > MOST_CHARACTERS:
            raise TooManySecretsError
        made = ClientSecret(PREFIX + secrets.token_urlsafe(24), self._clock() + seconds, session, characters)
        self._kept[digest(made.value)] = made
        return made

    def find(self, keys: list[str]) -> ClientSecret | None:
        """The first of these keys that opens a session now."""
        self._expire()
        found = (self._kept.get(digest(key)) for key in keys)
        return next((one for one in found if one is not None), None)

    def _expire(self) -> None:
        now = self._clock()
        self._kept = {digest: one for digest, one in self._kept.items() if one.expires_at > now}


def digest(key: str) -> bytes:
    """Stands for a key that need not be known itself (SHA-256)."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
