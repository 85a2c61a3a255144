"""The server's configuration: one object, read once in the composition root, from options and TANDEM_* variables."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from tandem_server.config_values import FilePath, Host, Origin, Secret, check_names, sendable
from tandem_server.contract import StrategyName, TandemSettings
from tandem_server.errors import ConfigurationError

_SENDABLE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token of RFC 9110: it travels as the name of a WebSocket subprotocol."""
_SHORTEST_TOKEN: Final = 16
"""Characters, where the network can try"""


def default_data_dir() -> Path:
    """Where models and records live unless told otherwise (XDG base directories)."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "tandem"


class Config(BaseSettings):
    """Every setting, with a default that works offline."""

    model_config = SettingsConfigDict(env_prefix="TANDEM_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free one"""
    token: Secret | None = None
    """Needed where others can reach the server: on any address but this machine's own, and behind a proxy"""
    hosts: list[Host] = Field(default_factory=list)
    """Further names by which a browser may reach the server (JSON list)"""
    origins: list[Origin] = Field(default_factory=list)
    """Further pages that may use it, as https://example.org (JSON list)"""
    tls_certificate: FilePath | None = None
    """PEM file with the server's certificate, then those up to the authority's; with it the server speaks TLS only"""
    tls_key: FilePath | None = None
    """PEM file with its private key"""
    data_dir: FilePath = Field(default_factory=default_data_dir)
    database_url: str | None = None
    """SQLAlchemy URL; SQLite in the data folder unless given"""
    asr: str = "auto"
    response: str = "listener"
    """listener, openai:MODEL@URL or fake"""
    api_key: SecretStr | None = None
    """Of the chat endpoint; OPENAI_API_KEY serves too: `chat_key` is the one in use"""
    voice: str = "espeak"
    vad: Literal["silero", "fake"] = "silero"
    turn_model: str = "auto"
    """auto (the one that was fetched, if any), off, or the path of an ONNX file"""
    fetch_models: bool = True
    """Fetch the small English recogniser and the turn model when they are missing and the network lets it"""
    workers: int = Field(default=min(2, os.cpu_count() or 1), ge=1, le=64)
    """Prosody processes"""
    max_sessions: int = Field(default=16, ge=1)
    request_seconds: float = Field(default=10.0, gt=0)
    """How long a request, or a WebSocket's handshake, may take to arrive"""
    session_seconds: float = Field(default=3600.0, gt=0)
    idle_seconds: float = Field(default=600.0, gt=0)
    resume_seconds: float = Field(default=30.0, ge=0, le=3600)
    """How long a conversation waits for a client that was cut off; 0 is not at all"""
    max_message_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """OpenAI's protocol allows 15 MiB of audio in one event"""
    audio_age_seconds: float = Field(default=30.0, gt=0)
    """How long audio that came faster than it is spoken may wait to be heard; what would wait longer is refused"""
    strategy: StrategyName = "match"
    strength: float = Field(default=1.0, ge=0.0, le=1.5)
    plan: Path | None = None
    """JSON file of an experiment: who speaks under which condition"""
    speculate: bool = True
    """Prepare replies while the user may still go on; with a paid chat endpoint some calls are in vain"""
    echo: Literal["suppress", "hear"] = "suppress"
    """Whether the agent's voice, where a client's microphone picks it up, is told from the user's"""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    """json: an object a line, for programs that read logs"""
    log_speech: bool = False
    """Write what is said into the log, and other programs' errors in full, which may repeat it"""
    drain_seconds: float = Field(default=0.0, ge=0)
    """How long conversations may go on after the server was told to end; nobody new is let in, and /ready says so"""

    @property
    def database(self) -> str:
        """SQLAlchemy URL."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'tandem.sqlite'}"

    @property
    def models_dir(self) -> Path:
        """Where fetched models are."""
        return self.data_dir / "models"

    @property
    def on_loopback(self) -> bool:
        """Only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def max_connections(self) -> int:
        """Beyond the sessions there are pages that load, requests, and callers who are told that all is taken."""
        return 4 * self.max_sessions + 64

    @property
    def reachable(self) -> bool:
        """Others can talk to the server, themselves or through a proxy on this machine."""
        return not self.on_loopback or bool(self.hosts)

    @property
    def chat_key(self) -> str | None:
        """What the chat endpoint is sent. Raises ConfigurationError when no request could carry it."""
        key = self.api_key.get_secret_value() if self.api_key else os.environ.get("OPENAI_API_KEY", "")
        return sendable(key) or None

    @property
    def tandem(self) -> TandemSettings:
        """What a session starts with."""
        return TandemSettings(strategy=self.strategy, strength=self.strength, speculate=self.speculate, echo=self.echo)


def load(overrides: dict[str, object]) -> Config:
    """Options over environment over defaults. Raises ConfigurationError that names the setting and its remedy."""
    try:
        config = Config.model_validate({**Config().model_dump(exclude_unset=True), **overrides})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        told = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigurationError(f"setting {name} (TANDEM_{str(first['loc'][0]).upper()}): {told}") from None
    except SettingsError as error:  # a list that is not JSON; the message names the field, the cause says what is wrong
        names = [name for name in Config.model_fields if f'"{name}"' in str(error)]
        where = f"setting {names[0]} (TANDEM_{names[0].upper()})" if names else "settings"
        raise ConfigurationError(f'{where}: a list is written as JSON, for example ["a", "b"]') from None
    check_names(os.environ, Config.model_fields)
    _check_access(config)
    if config.response.startswith("openai"):
        _ = config.chat_key  # now, and not in the first caller's reply
    return config


def _check_access(config: Config) -> None:
    """Raises ConfigurationError for a server that is open to all, and for a token that is none."""
    where = f"on {config.host}" if not config.on_loopback else "with TANDEM_HOSTS, which is for a proxy,"
    token = config.token.get_secret_value() if config.token else ""
    if config.reachable and not token:
        otherwise = "use 127.0.0.1" if not config.on_loopback else "unset TANDEM_HOSTS"
        raise ConfigurationError(f"{where} others can reach the server: set TANDEM_TOKEN to a secret, or {otherwise}")
    if config.reachable and len(token) < _SHORTEST_TOKEN:
        raise ConfigurationError(
            f"{where} others can guess a token of fewer than {_SHORTEST_TOKEN} characters; make one with: "
            "openssl rand -hex 16"
        )
    if token and not _SENDABLE.fullmatch(token):
        raise ConfigurationError(
            "setting token (TANDEM_TOKEN): a browser can only send letters, digits and !#$%&'*+-.^_`|~ "
            "in it; make one with: openssl rand -hex 16"
        )
